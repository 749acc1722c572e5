"""Secrets, and what is written in their place: ``<token:1>``, ``<key:2>``, ``<link:1>``.

A `Redactor` gives the same secret always the same name, so that one still sees which were the
same. It knows secrets by their shape and those it is told; what a file or an entry is, it does
not know. Only the copy that is written is changed, never what is sent.
"""

import json
import re
from collections.abc import Iterable, Mapping
from hashlib import blake2b
from typing import Any, Final
from urllib.parse import quote

from automate.recording.frames import dump

__all__ = ["KINDS", "Redactor"]

KINDS: Final = ("token", "key", "link")

# All patterns take time in proportion to the text, for a player may have written it: what could
# be tried again from another start is possessive (++), and looked into once it is found.

# Three to five parts of base64url; the first is a JSON object, so it starts with `{"`. Panels
# make keys of letters and digits.
_SHAPES: Final = re.compile(
    r"eyJ[A-Za-z0-9_-]*+(?P<parts>(?:\.[A-Za-z0-9_-]++){2,4})?+"
    r"|(?P<key>(?:ptl[ac]|pacc|papp)_[A-Za-z0-9_-]++)"
)
_KEY: Final = re.compile(r"(?:ptl[ac]|pacc|papp)_[A-Za-z0-9_-]++")
# Encoders escape what a link may hold: PHP the slash, Go the ampersand, Gson the equals sign
# too; and JSON inside JSON has more than one backslash.
_ESCAPED: Final = r"\\++(?:/|u00(?!20|22|3c|3e|5c|7f)[2-7][0-9a-f])"
_URL: Final = re.compile(
    rf"""(?:http|ws)s?:(?:\\*+/){{2}}(?:[^\s"'<>\\\x00-\x1f\x7f]|{_ESCAPED})++""", re.IGNORECASE
)
_AFTER_URL: Final = ".,;:!?)]}'"
_SIGNED: Final = re.compile(r"[?&;][\w.-]*(?:token|signature|\bsig)=", re.IGNORECASE)
_UNESCAPE: Final = re.compile(r"\\+(?:u([0-9a-fA-F]{4})|/)")

_HEADERS: Final = frozenset({"authorization", "proxy-authorization", "cookie", "set-cookie"})
_SCHEME: Final = r"(?:basic|bearer|digest|token)\s+"
_CREDENTIALS: Final = re.compile(rf"({_SCHEME})?(.*)", re.IGNORECASE | re.DOTALL)
# Such a header as a field of JSON within text (its quotes escaped or not), and as a line.
_HEADER_FIELD: Final = re.compile(
    r'((?<!\\)(\\*+")(?:(?:proxy-)?authorization|(?:set-)?cookie)\2\s*+:\s*+\2)(.*?)((?<!\\)\2)',
    re.IGNORECASE | re.DOTALL,
)
_HEADER_LINE: Final = re.compile(
    rf"""(authorization:\s*+{_SCHEME})([^\s"'\\<>]++)""", re.IGNORECASE
)
_PLACEHOLDER: Final = re.compile(r"<[a-z]+:[0-9]+>")


class Redactor:
    """The names of the secrets met so far, for one recording.

    *known* are secrets of any shape, by kind: ``{"key": ["hunter2"]}``.
    """

    def __init__(self, known: Mapping[str, Iterable[str]] | tuple[()] = ()) -> None:
        # By digest: a year of tokens is a lot of text, and need not be kept to be known again.
        self._names: dict[bytes, str] = {}
        self._counts = dict.fromkeys(KINDS, 0)
        self._known: dict[str, str] = {}
        self._known_pattern: re.Pattern[str] | None = None
        self._markers: list[str] = []
        for kind, secrets in dict(known).items():
            for secret in secrets:
                self.learn(kind, secret)

    @property
    def names(self) -> list[str]:
        """The kinds of secrets that are replaced, for a header's ``redacted``."""
        return list(self._counts)

    def learn(self, kind: str, secret: str) -> None:
        """From now on replace *secret*, too, whatever its shape; an empty one is no secret."""
        if not secret or secret in self._known:
            return
        self._counts.setdefault(kind, 0)
        self._known[secret] = kind
        # The longest first: one secret may be the beginning of another.
        self._known = dict(sorted(self._known.items(), key=lambda item: -len(item[0])))
        self._known_pattern = re.compile("|".join(f"({_escaped(each)})" for each in self._known))
        # No encoder escapes these characters; without any, all text is suspect.
        marker = max(re.findall(r"[A-Za-z0-9_.-]+", secret), key=len, default="")
        if not self.suspects(marker):
            self._markers.append(marker)

    def suspects(self, text: str) -> bool:
        """Return whether *text* may hold a secret; for a clean line this costs 0.2 µs."""
        # Single characters first: Python finds them four times as fast as longer strings.
        return (
            ("/" in text and ("://" in text or ("\\" in text and "\\/" in text)))
            or ("J" in text and "eyJ" in text)
            or ("_" in text and _KEY.search(text) is not None)
            or "uthorization" in text
            or "ookie" in text
            or (bool(self._markers) and any(map(text.__contains__, self._markers)))
        )

    def text(self, text: str) -> str:
        """Return *text* with a name in the place of each secret."""
        if not self.suspects(text):
            return text
        text = _HEADER_FIELD.sub(self._header_field, text)
        text = _HEADER_LINE.sub(self._header_line, text)
        text = _URL.sub(self._link, text)
        if self._known_pattern is not None:
            text = self._known_pattern.sub(self._told, text)
        return _SHAPES.sub(self._shape, text)

    def json_text(self, text: str) -> str:
        """Return *text* without its secrets, even those hidden behind JSON's escapes.

        Only if there are such, it is written anew; else it stays as it was, but for the names.
        """
        shown = self.text(text)
        try:
            value = json.loads(shown)
        except (ValueError, RecursionError):
            return shown
        clean = self.value(value)
        # A NaN, which Python reads too, is not equal to itself.
        return shown if clean is value or clean == value else dump(clean).decode()

    def value(self, value: Any) -> Any:
        """Return the JSON *value* without its secrets; credentials in headers are secrets too."""
        match value:
            case str():
                return self.text(value)
            case list() | tuple():
                return [self.value(item) for item in value]
            case {"name": str() as name, "value": said} if name.lower() in _HEADERS:
                # A header as HAR files have it.
                return {**self._fields(value), "value": self._credentials(said)}
            case dict():
                return self._fields(value)
            case _:
                return value

    def _fields(self, fields: dict[str, Any]) -> dict[str, Any]:
        return {
            self.text(name): self._credentials(value)
            if name.lower() in _HEADERS
            else self.value(value)
            for name, value in fields.items()
        }

    def _credentials(self, value: Any) -> Any:
        """Return the value of a header that holds credentials: its scheme and a name."""
        if isinstance(value, list):
            return [self._credentials(item) for item in value]
        if not isinstance(value, str):
            return self.value(value)
        match = _CREDENTIALS.fullmatch(value)
        scheme, secret = (match[1] or "", match[2]) if match else ("", value)
        return scheme + self._credential(secret)

    def _credential(self, secret: str) -> str:
        if not secret or _PLACEHOLDER.fullmatch(secret):
            return secret
        kind = "key" if _KEY.fullmatch(secret) else "token"
        return self._name(self._known.get(secret, kind), secret)

    def _header_field(self, match: re.Match[str]) -> str:
        return f"{match[1]}{self._credentials(match[3])}{match[4]}"

    def _header_line(self, match: re.Match[str]) -> str:
        return match[1] + self._credential(match[2])

    def _link(self, match: re.Match[str]) -> str:
        link = match[0].rstrip(_AFTER_URL)
        plain = _UNESCAPE.sub(_unescape, link)
        if not _SIGNED.search(plain):
            return match[0]
        return self._name("link", plain) + match[0][len(link) :]

    def _told(self, match: re.Match[str]) -> str:
        secret = tuple(self._known)[(match.lastindex or 1) - 1]
        return self._name(self._known[secret], secret)

    def _shape(self, match: re.Match[str]) -> str:
        if match["parts"] is not None:
            return self._name("token", match[0])
        if match["key"] is not None:
            return self._name("key", match[0])
        return _KEY.sub(lambda key: self._name("key", key[0]), match[0])

    def _name(self, kind: str, secret: str) -> str:
        digest = blake2b(secret.encode("utf-8", "surrogatepass"), digest_size=16).digest()
        name = self._names.get(digest)
        if name is None:
            self._counts[kind] += 1
            name = self._names[digest] = f"<{kind}:{self._counts[kind]}>"
        return name


def _unescape(match: re.Match[str]) -> str:
    return chr(int(match[1], 16)) if match[1] else "/"


_SHORT_ESCAPES: Final = {"\b": "b", "\f": "f", "\n": "n", "\r": "r", "\t": "t"}


def _escaped(secret: str) -> str:
    """Return the pattern of *secret* as it stands in JSON however deep, or in a link."""
    pattern = ""
    for part in re.findall(r"\\+|[^\\]", secret):
        if part.isascii() and (part.isalnum() or part in "_.-"):
            pattern += re.escape(part)
        elif part[0] == "\\":
            pattern += r"(?:\\++|(?:%5[Cc])++)"
        else:
            units = part.encode("utf-16-be", "surrogatepass").hex(" ", 2).split()
            spellings = [re.escape(part), r"\\++".join(f"(?i:u{unit})" for unit in units)]
            if part in _SHORT_ESCAPES:
                spellings.append(_SHORT_ESCAPES[part])
            quoted = quote(part, safe="", errors="replace")
            pattern += rf"(?:\\*+(?:{'|'.join(spellings)})|(?i:{quoted}))"
    # Started in the middle of many backslashes, it would run through them again and again.
    return pattern if pattern[0].isalnum() else rf"(?<!\\){pattern}"

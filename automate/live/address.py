"""Addresses as people type them: of a panel, and of a server on it.

Both are checked before anything is sent, so that a slip of the pen is told as such.
"""

import re
from typing import Final
from urllib.parse import urlsplit

from automate.errors import UsageError

__all__ = ["panel_url", "server_id"]

# Pages of a panel that a browser shows in its address bar, and the API itself: what follows is
# no part of the panel's own address. Either may stand below a path of the host's choosing.
_PAGES: Final = re.compile(r"/(?:server|api|admin|account|auth)(?:/.*)?$")
_UUID: Final = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_SHORT: Final = re.compile(r"[0-9a-f]{8}")


def panel_url(typed: str) -> str:
    """Return the panel's address, as its own settings would have it: no slash at the end.

    What a browser shows behind it (``/server/1a2b3c4d``) is taken off. The node compares this
    text with its own setting, letter by letter, when it is sent as the socket's ``Origin``.

    Raises:
        UsageError: *typed* is no address of a panel; the text guesses what was meant.
    """
    text = typed.strip().strip("<>\"'")
    if "://" not in text:
        guess = text.lstrip("/") or "panel.example.com"
        raise UsageError(
            f"panel address {typed!r}: expected it to begin with https:// (or http://); "
            f"did you mean https://{guess}?"
        )
    try:
        parts = urlsplit(text)
        host, port = parts.hostname, parts.port
    except ValueError as exc:
        raise UsageError(f"panel address {typed!r}: {exc}; check it for typing errors") from None
    if parts.scheme not in ("http", "https"):
        hint = "that is a node's socket" if parts.scheme in ("ws", "wss") else "mend the beginning"
        raise UsageError(
            f"panel address {typed!r}: expected https:// or http://, found {parts.scheme}://; "
            f"{hint}"
        )
    if parts.username is not None or parts.password is not None:
        raise UsageError(
            f"panel address at {host}: it holds a user name or password; leave them out, "
            "the API key is all it takes"
        )
    if not host or re.search(r"[\s\\^`{|}]", parts.netloc + parts.path):
        raise UsageError(
            f"panel address {typed!r}: expected something like https://panel.example.com"
        )
    if ":" in host:
        host = f"[{host}]"
    if port is not None and port != {"http": 80, "https": 443}[parts.scheme]:
        host = f"{host}:{port}"
    return f"{parts.scheme}://{host}{_PAGES.sub('', parts.path).rstrip('/')}"


def server_id(typed: str) -> str:
    """Return the server's id: its uuid, or the first 8 characters of it, in small letters.

    Raises:
        UsageError: *typed* is neither; the panel would answer 404 as for any wrong id.
    """
    text = typed.strip().lower()
    if "/server/" in text:
        text = re.split(r"[/?#]", text.split("/server/", 1)[1])[0]
    if _UUID.fullmatch(text) or _SHORT.fullmatch(text):
        return text
    hint = (
        "this looks like the panel's internal number"
        if text.isdecimal()
        else "it stands in the browser's address on the server's page, behind /server/"
    )
    raise UsageError(
        f"server {typed!r}: expected the 8 characters of its id (like 1a2b3c4d) or its whole "
        f"uuid; {hint}"
    )

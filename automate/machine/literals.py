"""What a line must hold for a pattern to be found in it: pieces of text, read off the pattern.

Python's own parser of regular expressions takes the pattern apart. It is no public part of
Python, so nothing here relies on it: what it hands out that is not known says nothing about the
line, and if all of it is unknown, no piece is found. The tests hold what is said to what
`re.search` finds.
"""

import re
from collections.abc import Iterable
from typing import Any, Final

__all__ = ["fold", "needs"]

# More alternatives than these, nested groups multiplied, say hardly anything about a line.
_ALTERNATIVES_LIMIT: Final = 64


def fold(text: str) -> str:
    """Return *text* without the difference of upper and lower case.

    Two characters that a pattern with (?i) takes for the same are the same here, and so are
    some more (tests look at all there are). What is folded piece by piece is the same as what
    is folded at once, which `str.lower` does not promise.
    """
    if text.isascii():
        return text.lower()
    # Patterns take these Turkish letters for an i; casefold does not.
    return text.replace("İ", "i").replace("ı", "i").casefold()


def needs(pattern: str) -> list[frozenset[str]]:
    r"""Return sets of texts: any line in which *pattern* is found holds one of each set, folded.

    There is none where nothing can be said, as of ``.*`` or ``\d+``.
    """
    try:
        return _needs(_parsed(pattern))
    except Exception:  # Another Python's parser may hand out anything; then nothing is known.
        return []


def _parsed(pattern: str) -> Iterable[Any]:
    parser: Any = re
    parsed: Iterable[Any] = parser._parser.parse(pattern)
    return parsed


def _needs(parsed: Iterable[Any]) -> list[frozenset[str]]:
    found: list[frozenset[str]] = []
    _close(_walk(parsed, "", found), found)
    return found


def _close(run: str, found: list[frozenset[str]]) -> None:
    if run:
        found.append(frozenset({fold(run)}))


def _walk(parsed: Iterable[Any], run: str, found: list[frozenset[str]]) -> str:
    """Add to *found* what *parsed* needs; return the text it ends with.

    *run* is the text directly before it.
    """
    for operation, value in parsed:
        match repr(operation):
            case "LITERAL":
                run += chr(value)
            case "IN" if letter := _one_letter(value):
                run += letter
            case "SUBPATTERN":
                run = _walk(value[-1], run, found)
            case "ATOMIC_GROUP":
                run = _walk(value, run, found)
            case "AT" | "ASSERT_NOT":
                pass  # They take up no room: what is before them touches what is after.
            case "ASSERT":
                _close(_walk(value[1], "", found), found)
            case "MAX_REPEAT" | "MIN_REPEAT" | "POSSESSIVE_REPEAT" if value[0] > 0:
                _close(_walk(value[2], run, found), found)
                run = ""
            case "BRANCH":
                _close(run, found)
                run = ""
                found += _one_of([_longest(_needs(one)) for one in value[1]])
            case _:
                _close(run, found)
                run = ""
    return run


def _one_letter(members: Iterable[Any]) -> str:
    """Return the letter that a set such as ``[Ee]`` stands for; empty if it is another."""
    letters = {fold(chr(v)) if repr(op) == "LITERAL" else "" for op, v in members}
    return letters.pop() if len(letters) == 1 else ""


def _longest(several: list[frozenset[str]]) -> frozenset[str]:
    return max(several, key=lambda one: min(map(len, one)), default=frozenset())


def _one_of(alternatives: list[frozenset[str]]) -> list[frozenset[str]]:
    """Return what is needed where one of *alternatives* is; nothing if one needs nothing."""
    union = frozenset[str]().union(*alternatives)
    return [union] if all(alternatives) and len(union) <= _ALTERNATIVES_LIMIT else []

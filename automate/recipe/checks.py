"""What the parts of a recipe accept: each check names the part, what it expected and found.

Recipes are typed by people late at night, so a wrong value fails while it is being written,
and the error reads as a sentence.
"""

import re
from collections.abc import Iterable
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from automate.errors import RecipeError
from automate.wire.messages import COMMAND_LIMIT_BYTES

__all__ = [
    "above_zero",
    "command_template",
    "dotted_name",
    "optional_seconds",
    "pattern",
    "seconds",
    "shown",
    "some_text",
    "tuple_of",
    "whole_number",
    "zone",
]


_HALVES = re.compile(r"[\ud800-\udfff]")


def _refuse(owner: object, attribute: Any, expected: str, found: object) -> RecipeError:
    return RecipeError(
        f"{type(owner).__name__}: {attribute.name}: expected {expected}, found {shown(found)}"
    )


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def seconds(owner: object, attribute: Any, value: Any) -> None:
    """Accept a length of time: a number of seconds, zero or more, and finite."""
    if not (_is_number(value) and 0 <= value < float("inf")):
        raise _refuse(owner, attribute, "a number of seconds, zero or more", value)


def optional_seconds(owner: object, attribute: Any, value: Any) -> None:
    """Accept a length of time, or ``None``."""
    if value is not None:
        seconds(owner, attribute, value)


def above_zero(owner: object, attribute: Any, value: Any) -> None:
    """Accept a number above zero."""
    if not (_is_number(value) and 0 < value < float("inf")):
        raise _refuse(owner, attribute, "a number above zero", value)


def whole_number(owner: object, attribute: Any, value: Any) -> None:
    """Accept a whole number of at least one."""
    if not (isinstance(value, int) and not isinstance(value, bool) and value >= 1):
        raise _refuse(owner, attribute, "a whole number of at least 1", value)


def some_text(owner: object, attribute: Any, value: Any) -> None:
    """Accept a text that is not empty, and has no halves of characters in it."""
    if not (isinstance(value, str) and value.strip()) or _HALVES.search(value):
        raise _refuse(owner, attribute, "a text", value)


def command_template(owner: object, attribute: Any, value: Any) -> None:
    """Accept one line for a game's console, without control characters."""
    some_text(owner, attribute, value)
    assert isinstance(value, str)
    if any(character < " " or character == "\x7f" for character in value):
        raise _refuse(owner, attribute, "one line without control characters", value)
    if len(value.encode()) > COMMAND_LIMIT_BYTES:
        expected = f"at most {COMMAND_LIMIT_BYTES} bytes (a game's console cuts the rest)"
        raise _refuse(owner, attribute, expected, value)


def pattern(owner: object, attribute: Any, value: Any) -> None:
    """Accept a regular expression."""
    some_text(owner, attribute, value)
    try:
        re.compile(str(value))
    except re.error as error:
        raise RecipeError(
            f"{type(owner).__name__}: {attribute.name}: not a regular expression: {error} "
            f"in {value!r}"
        ) from None


def zone(owner: object, attribute: Any, value: Any) -> None:
    """Accept the name of a time zone, such as ``Europe/Berlin`` or ``UTC``."""
    try:
        if isinstance(value, str) and value:
            ZoneInfo(value)
            return
    except (ZoneInfoNotFoundError, ValueError, OSError):
        pass
    raise _refuse(owner, attribute, "a time zone such as 'Europe/Berlin'", value)


def dotted_name(owner: object, attribute: Any, value: Any) -> None:
    """Accept where a function lives, as ``module.function``."""
    if not (
        isinstance(value, str)
        and "." in value
        and all(part.isidentifier() for part in value.split("."))
    ):
        raise _refuse(owner, attribute, "a name such as 'module.function'", value)


def tuple_of(kind: Any, expected: str, value: Any) -> tuple[Any, ...]:
    """Return *value*, one thing or several, as a tuple of *kind*.

    Raises:
        RecipeError: something else is among them.
    """
    several: Iterable[Any] = value if isinstance(value, list | tuple) else (value,)
    for one in several:
        if not isinstance(one, kind) or isinstance(one, bool):
            hint = ""
            if isinstance(one, type) and issubclass(one, kind):
                hint = f"; write {one.__name__}(…) with parentheses"
            elif isinstance(one, list | tuple):
                hint = "; write one list, without lists in it"
            raise RecipeError(f"expected {expected}, found {shown(one)}{hint}")
    return tuple(several)


def shown(value: object) -> str:
    """Return *value* as it can be shown in an error: short, and a class by its name."""
    if isinstance(value, type):
        return value.__name__
    text = repr(value)
    return text if len(text) <= 80 else text[:79] + "…"

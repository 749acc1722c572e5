"""What the parts of a recipe accept: each check names the part, what it expected and found.

Recipes are typed by people late at night, so a wrong value fails while it is being written,
and the error reads as a sentence.
"""

import re
from collections.abc import Iterable
from datetime import time
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from automate.errors import RecipeError
from automate.wire.messages import COMMAND_LIMIT_BYTES

__all__ = [
    "above_zero",
    "any_pattern",
    "any_text",
    "command_template",
    "dotted_name",
    "duration",
    "identifier",
    "one_of",
    "optional_identifier",
    "optional_number",
    "optional_seconds",
    "optional_text",
    "optional_yes_or_no",
    "pattern",
    "seconds",
    "shown",
    "some_text",
    "time_of_day",
    "tuple_of",
    "whole_number",
    "wrong",
    "yes_or_no",
    "zone",
]


_HALVES = re.compile(r"[\ud800-\udfff]")


def _refuse(owner: object, attribute: Any, expected: str, found: object) -> RecipeError:
    return RecipeError(
        f"{type(owner).__name__}: {attribute.name}: expected {expected}, found {shown(found)}"
    )


def wrong(owner: object, what: str) -> RecipeError:
    """Return the error that *owner* is wrong: *what* is expected, and found instead."""
    return RecipeError(f"{type(owner).__name__}: {what}")


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


def any_pattern(owner: object, attribute: Any, value: Any) -> None:
    """Accept a regular expression, or an empty text."""
    if value != "":
        pattern(owner, attribute, value)


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


def any_text(owner: object, attribute: Any, value: Any) -> None:
    """Accept any text, an empty one too."""
    if not isinstance(value, str) or _HALVES.search(value):
        raise _refuse(owner, attribute, "a text", value)


def optional_text(owner: object, attribute: Any, value: Any) -> None:
    """Accept a text, or ``None``."""
    if value is not None:
        some_text(owner, attribute, value)


def one_of(owner: object, attribute: Any, value: Any, known: Iterable[str]) -> None:
    """Accept one of the words *known*."""
    if value not in known:
        raise _refuse(owner, attribute, " or ".join(map(repr, known)), value)


def optional_number(owner: object, attribute: Any, value: Any) -> None:
    """Accept a finite number, or ``None``."""
    if value is not None and not (_is_number(value) and abs(value) < float("inf")):
        raise _refuse(owner, attribute, "a number", value)


def yes_or_no(owner: object, attribute: Any, value: Any) -> None:
    """Accept ``True`` or ``False``."""
    if not isinstance(value, bool):
        raise _refuse(owner, attribute, "True or False", value)


def optional_yes_or_no(owner: object, attribute: Any, value: Any) -> None:
    """Accept ``True``, ``False`` or ``None``."""
    if value is not None:
        yes_or_no(owner, attribute, value)


def identifier(owner: object, attribute: Any, value: Any) -> None:
    """Accept a plain name, as texts can use it in braces."""
    if not (isinstance(value, str) and value.isidentifier()):
        raise _refuse(owner, attribute, "a plain name such as 'streak'", value)


def optional_identifier(owner: object, attribute: Any, value: Any) -> None:
    """Accept a plain name, or ``None``."""
    if value is not None:
        identifier(owner, attribute, value)


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


def time_of_day(value: Any, *, owner: str) -> time:
    """Return *value*, such as ``"04:30"``, as a time of day.

    Raises:
        RecipeError: it is none; *owner* is what it was given to.
    """
    if isinstance(value, time):
        return value
    try:
        if isinstance(value, str) and re.fullmatch(r"\d{1,2}:\d{2}(:\d{2})?", value):
            return time.fromisoformat(value if value.index(":") == 2 else "0" + value)
    except ValueError:
        pass
    raise RecipeError(f"{owner}: expected a time of day such as '04:30', found {shown(value)}")


def duration(seconds: float) -> str:
    """Return a length of time as people say it: ``90 s``, ``10 min``, ``1 h 30 min``."""
    if seconds < 120 or seconds % 1:
        return f"{seconds:g} s"
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    parts = ((hours, "h"), (minutes, "min"), (rest, "s"))
    return " ".join(f"{number} {unit}" for number, unit in parts if number)


def shown(value: object) -> str:
    """Return *value* as it can be shown in an error: short, and a class by its name."""
    if isinstance(value, type):
        return value.__name__
    text = repr(value)
    return text if len(text) <= 80 else text[:79] + "…"

"""Recipes as plain values and back: a run that is under way keeps its steps in the journal.

A value of one of our classes becomes ``{"is": "Wait", "seconds": 10}``; lists, texts, numbers
and ``None`` are themselves. What can't be read back any more, because another version of
automate wrote it, is an error and no guess.
"""

import enum
from datetime import time
from typing import Any, Final

import attrs

from automate.errors import RecipeError
from automate.recipe import combinators, conditions, flow, limits, schedule, selectors, steps
from automate.recipe import recipe as recipes
from automate.recipe import triggers as single

__all__ = ["from_plain", "to_plain"]

_ROOMS: Final = (single, schedule, combinators, conditions, steps, flow, limits, selectors, recipes)
_CLASSES: Final = {
    name: found
    for room in _ROOMS
    for name in room.__all__
    if isinstance(found := getattr(room, name), type) and attrs.has(found)
}


def to_plain(value: Any) -> Any:
    """Return *value*, a recipe or a part of one, as plain values fit for JSON."""
    match value:
        case enum.Enum():
            return value.value
        case time():
            return {"is": "time", "at": value.isoformat()}
        case list() | tuple():
            return [to_plain(one) for one in value]
        case None | bool() | int() | float() | str():
            return value
        case _:
            fields = attrs.fields(type(value))
            said = {one.name: to_plain(getattr(value, one.name)) for one in fields}
            return {"is": type(value).__name__, **said}


def from_plain(plain: Any) -> Any:
    """Return the recipe, or the part of one, that `to_plain` made *plain* of.

    Raises:
        RecipeError: it does not fit this version's recipes.
    """
    match plain:
        case {"is": "time", "at": str(text)}:
            return time.fromisoformat(text)
        case {"is": str(name), **said}:
            return _structured(name, {str(key): from_plain(value) for key, value in said.items()})
        case list():
            return tuple(from_plain(one) for one in plain)
        case _:
            return plain


def _structured(name: str, said: dict[str, Any]) -> Any:
    kind = _CLASSES.get(name)
    if kind is None:
        raise RecipeError(f"{name} is nothing that this version of automate knows")
    try:
        # `__init__` may be for people only: days, states, conditions without names.
        made = object.__new__(kind)
        init = getattr(kind, "__attrs_init__", kind.__init__)
        init(made, **said)
    except (TypeError, ValueError, AttributeError) as error:
        raise RecipeError(
            f"{name}: this version of automate writes it otherwise: {error}"
        ) from None
    return made

"""Texts with names in braces, such as ``"{server} crashed"``.

Only plain names are allowed: no formats, no attributes, nothing that could run. What a game
or a player said is made harmless before it goes into a text.
"""

import re
from collections.abc import Mapping
from string import Formatter
from typing import Final

from automate.errors import RecipeError

__all__ = ["CAPTURED_LIMIT", "TOLD_LIMIT", "names_in", "render"]

# A player's name is at most 16 characters in Minecraft; a hundred leaves room for any game.
CAPTURED_LIMIT: Final = 100
# What is told to people may be longer: a reason, or a whole line of the console.
TOLD_LIMIT: Final = 500
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]+")


def names_in(text: str) -> list[str]:
    """Return the names used in *text*, in order.

    Raises:
        RecipeError: the braces don't match, or hold more than a name.
    """
    try:
        parts = list(Formatter().parse(text))
    except ValueError as error:
        raise RecipeError(f"{text!r}: {error}; write {{{{ for a brace itself") from None
    names = []
    for _, name, form, conversion in parts:
        if name is None:
            continue
        if not name.isidentifier() or form or conversion:
            found = name + (f"!{conversion}" if conversion else "") + (f":{form}" if form else "")
            raise RecipeError(
                f"{text!r}: expected a plain name in braces, found {{{found}}}; "
                "write {{ and }} for braces themselves"
            )
        names.append(name)
    return names


def render(
    text: str,
    values: Mapping[str, str],
    *,
    within: str = "{text}",
    limit: int = CAPTURED_LIMIT,
    keeps_lines: str | None = None,
) -> str:
    """Return *text* with each name replaced by its harmless value; unknown names stay empty.

    *within* is a frame to put the whole into, as ``{text}`` (the way of an announcement);
    *limit* is the most characters that a value may bring in. The value called *keeps_lines* may
    bring in several lines, each of that length: for people, never for a game.
    """
    harmless = {
        name: _harmless_lines(value, limit) if name == keeps_lines else _harmless(value, limit)
        for name, value in values.items()
        if f"{{{name}}}" in text or f"{{{name}}}" in within
    }
    said = _fill(text, harmless)
    return said if within == "{text}" else _fill(within, harmless | {"text": said})


def _fill(text: str, values: Mapping[str, str]) -> str:
    return "".join(
        literal + ("" if name is None else values.get(name, ""))
        for literal, name, _, _ in Formatter().parse(text)
    )


def _harmless_lines(value: str, limit: int) -> str:
    return "\n".join(_harmless(line, limit) for line in value.split("\n"))


def _harmless(value: str, limit: int) -> str:
    """Return *value* as one short line: it can never become a second command."""
    return _CONTROL.sub(" ", value)[:limit]

"""Selectors: which servers are meant, by id, by name, by a pattern of names, or by tag."""

from fnmatch import fnmatchcase
from typing import Any

from attrs import field, frozen

from automate.errors import RecipeError
from automate.recipe import checks

__all__ = ["Selector", "ServerFacts", "Tagged", "selector", "selects"]


@frozen(kw_only=True)
class ServerFacts:
    """What is known of a server before it says anything.

    *name* is what texts use. *ids* are all that it is known by (uuid, short id). The limits are
    the panel's own; ``None`` where there is none. *game* is the name of its console's table, if
    somebody chose one.
    """

    name: str
    ids: tuple[str, ...] = ()
    tags: frozenset[str] = frozenset()
    memory_limit_bytes: int | None = None
    disk_limit_bytes: int | None = None
    cpu_limit_percent: float | None = None
    game: str | None = None


@frozen
class Tagged:
    """The servers with this *tag*: a word with a ``#`` before it in the panel's description."""

    tag: str = field(validator=checks.some_text)

    def __str__(self) -> str:
        return f"servers tagged {self.tag!r}"


Selector = str | Tagged


def selector(value: Any) -> tuple[Selector, ...]:
    """Return *value*, one selector or several, as a tuple.

    Raises:
        RecipeError: something else is among them, or nothing.
    """
    several = value if isinstance(value, list | tuple) else (value,)
    for one in several:
        if not (isinstance(one, Tagged) or (isinstance(one, str) and one.strip())):
            raise RecipeError(
                "servers: expected a server's id or name, a pattern such as 'lobby-*', or "
                f"Tagged('…'); found {checks.shown(one)}"
            )
    if not several:
        raise RecipeError("servers: expected at least one; leave it out for all")
    return tuple(several)


def selects(selectors: tuple[Selector, ...], facts: ServerFacts) -> bool:
    """Return whether the server of these *facts* is among those selected.

    Names are compared without regard to case; ``*`` stands for any text, ``?`` for a character.
    """
    for one in selectors:
        if isinstance(one, Tagged):
            if one.tag.removeprefix("#").casefold() in facts.tags:
                return True
        elif one in facts.ids or fnmatchcase(facts.name.casefold(), one.casefold()):
            return True
    return False

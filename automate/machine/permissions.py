"""What recipes will not be able to do, told before they have to: the daemon never says no.

A message without its permission is dropped in silence (protocol notes, 7.4). So what a key's
user may do is compared with what the recipes' steps need, at the start.
"""

from collections.abc import Iterable, Sequence

from attrs import frozen

from automate.recipe.flow import Step, flat
from automate.recipe.recipe import Recipe
from automate.recipe.steps import (
    Announce,
    Backup,
    Command,
    Countdown,
    CountPlayers,
    Kill,
    Restart,
    Start,
    Stop,
)

__all__ = ["Need", "missing_permissions", "steps_needed"]


@frozen
class Need:
    """Something that needs *permission*: a *step* in words, of the *recipe* of this name.

    The connection itself is nobody's: there *recipe* is ``None``.
    """

    permission: str
    step: str
    recipe: str | None = None

    def __str__(self) -> str:
        whose = "" if self.recipe is None else f" (recipe {self.recipe!r})"
        return f"can't {self.step}{whose}: the key's user lacks {self.permission}"


def missing_permissions(
    permissions: Sequence[str] | None, steps_needed: Iterable[Need]
) -> list[Need]:
    """Return which of *steps_needed* a user with *permissions* may not do, each once.

    Nobody knows it where the panel did not say (``None``): then it is nothing. ``*`` is
    everything that recipes do; no other name with a star in it is any permission (PROBED).
    """
    if permissions is None or "*" in permissions:
        return []
    return list(dict.fromkeys(need for need in steps_needed if need.permission not in permissions))


def steps_needed(recipes: Iterable[Recipe]) -> list[Need]:
    """Return what connecting and the steps of *recipes* need, in their order."""
    needs = [Need("websocket.connect", "listen to the server")]
    for recipe in recipes:
        for step in flat(recipe.all_steps):
            needs += [Need(each, str(step), recipe.name) for each in _permissions(step)]
    return needs


def _permissions(step: Step) -> tuple[str, ...]:
    """Return what *step* needs. Source: the protocol notes, 3.5, 3.6, 4.1 and 7.1."""
    match step:
        case Command() | Announce() | Countdown() | CountPlayers():
            return ("control.console",)
        case Start():
            return ("control.start",)
        case Stop() | Kill():
            # A stop that hangs is ended by a kill, which needs no other.
            return ("control.stop",)
        case Restart():
            return ("control.restart",)
        case Backup(keep=keep) if keep is not None:
            return ("backup.create", "backup.read", "backup.delete")
        case Backup():
            # Without the second nobody tells when it is complete.
            return ("backup.create", "backup.read")
        case _:
            return ()

"""Recipes, recordings and replays for Pterodactyl and Pelican game servers.

What a recipe file needs is here: ``from automate import Recipe, Crashed, Wait, Start``.
Names are loaded when they are first used, so that ``automate --help`` stays quick.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from automate.errors import AutomateError as AutomateError
    from automate.errors import RecipeError as RecipeError
    from automate.recipe.conditions import ServerIs as ServerIs
    from automate.recipe.limits import AtMost as AtMost
    from automate.recipe.recipe import Recipe as Recipe
    from automate.recipe.steps import Announce as Announce
    from automate.recipe.steps import Backoff as Backoff
    from automate.recipe.steps import Backup as Backup
    from automate.recipe.steps import Block as Block
    from automate.recipe.steps import Call as Call
    from automate.recipe.steps import Command as Command
    from automate.recipe.steps import Fail as Fail
    from automate.recipe.steps import Kill as Kill
    from automate.recipe.steps import Notify as Notify
    from automate.recipe.steps import Restart as Restart
    from automate.recipe.steps import Start as Start
    from automate.recipe.steps import Stop as Stop
    from automate.recipe.steps import Wait as Wait
    from automate.recipe.steps import WaitUntil as WaitUntil
    from automate.recipe.triggers import Asked as Asked
    from automate.recipe.triggers import At as At
    from automate.recipe.triggers import ConsoleLine as ConsoleLine
    from automate.recipe.triggers import Crashed as Crashed
    from automate.recipe.triggers import Cron as Cron
    from automate.recipe.triggers import Every as Every
    from automate.recipe.triggers import FoundOffline as FoundOffline
    from automate.recipe.triggers import StatusChanged as StatusChanged

__all__ = [
    "Announce",
    "Asked",
    "At",
    "AtMost",
    "AutomateError",
    "Backoff",
    "Backup",
    "Block",
    "Call",
    "Command",
    "ConsoleLine",
    "Crashed",
    "Cron",
    "Every",
    "Fail",
    "FoundOffline",
    "Kill",
    "Notify",
    "Recipe",
    "RecipeError",
    "Restart",
    "ServerIs",
    "Start",
    "StatusChanged",
    "Stop",
    "Wait",
    "WaitUntil",
    "__version__",
]

__version__ = "0.1.0"

_HOMES = {
    "AutomateError": "errors",
    "RecipeError": "errors",
    "AtMost": "recipe.limits",
    "Recipe": "recipe.recipe",
    "ServerIs": "recipe.conditions",
}
_HOMES |= dict.fromkeys(
    ("Asked", "At", "ConsoleLine", "Crashed", "Cron", "Every", "FoundOffline", "StatusChanged"),
    "recipe.triggers",
)
_HOMES |= dict.fromkeys(
    (
        "Announce", "Backoff", "Backup", "Block", "Call", "Command", "Fail", "Kill", "Notify",
        "Restart", "Start", "Stop", "Wait", "WaitUntil",
    ),
    "recipe.steps",
)  # fmt: skip


def __getattr__(name: str) -> Any:
    """Load a public name where it lives."""
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module 'automate' has no attribute {name!r}")
    value = getattr(import_module(f"automate.{home}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)

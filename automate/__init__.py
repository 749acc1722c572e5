"""Recipes, recordings and replays for Pterodactyl and Pelican game servers.

What a recipe file needs is here: ``from automate import Recipe, Crashed, Wait, Start``.
Names are loaded when they are first used, so that ``automate --help`` stays quick.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from automate.errors import AutomateError as AutomateError
    from automate.errors import RecipeError as RecipeError
    from automate.recipe.combinators import AllWithin as AllWithin
    from automate.recipe.combinators import AnyOf as AnyOf
    from automate.recipe.combinators import NotFollowedBy as NotFollowedBy
    from automate.recipe.combinators import Times as Times
    from automate.recipe.conditions import And as And
    from automate.recipe.conditions import Between as Between
    from automate.recipe.conditions import Not as Not
    from automate.recipe.conditions import NotRunFor as NotRunFor
    from automate.recipe.conditions import OnDays as OnDays
    from automate.recipe.conditions import Or as Or
    from automate.recipe.conditions import PlayersOnline as PlayersOnline
    from automate.recipe.conditions import ReadingIs as ReadingIs
    from automate.recipe.conditions import ServerIs as ServerIs
    from automate.recipe.conditions import VariableIs as VariableIs
    from automate.recipe.context import Context as Context
    from automate.recipe.flow import Block as Block
    from automate.recipe.flow import Choose as Choose
    from automate.recipe.flow import If as If
    from automate.recipe.flow import On as On
    from automate.recipe.flow import Parallel as Parallel
    from automate.recipe.flow import Repeat as Repeat
    from automate.recipe.flow import Try as Try
    from automate.recipe.flow import WaitUntil as WaitUntil
    from automate.recipe.limits import AtMost as AtMost
    from automate.recipe.limits import Cooldown as Cooldown
    from automate.recipe.recipe import Recipe as Recipe
    from automate.recipe.schedule import At as At
    from automate.recipe.schedule import Cron as Cron
    from automate.recipe.schedule import Every as Every
    from automate.recipe.selectors import Tagged as Tagged
    from automate.recipe.steps import Announce as Announce
    from automate.recipe.steps import Backoff as Backoff
    from automate.recipe.steps import Backup as Backup
    from automate.recipe.steps import Call as Call
    from automate.recipe.steps import Command as Command
    from automate.recipe.steps import Countdown as Countdown
    from automate.recipe.steps import CountPlayers as CountPlayers
    from automate.recipe.steps import Fail as Fail
    from automate.recipe.steps import Kill as Kill
    from automate.recipe.steps import Notify as Notify
    from automate.recipe.steps import Restart as Restart
    from automate.recipe.steps import RunRecipe as RunRecipe
    from automate.recipe.steps import SetVariable as SetVariable
    from automate.recipe.steps import Start as Start
    from automate.recipe.steps import Stop as Stop
    from automate.recipe.steps import Wait as Wait
    from automate.recipe.triggers import Asked as Asked
    from automate.recipe.triggers import BackupCompleted as BackupCompleted
    from automate.recipe.triggers import BackupFailed as BackupFailed
    from automate.recipe.triggers import Chat as Chat
    from automate.recipe.triggers import Connected as Connected
    from automate.recipe.triggers import ConsoleLine as ConsoleLine
    from automate.recipe.triggers import Crashed as Crashed
    from automate.recipe.triggers import DaemonError as DaemonError
    from automate.recipe.triggers import Deleted as Deleted
    from automate.recipe.triggers import Disconnected as Disconnected
    from automate.recipe.triggers import FeatureMatched as FeatureMatched
    from automate.recipe.triggers import FoundOffline as FoundOffline
    from automate.recipe.triggers import GameReady as GameReady
    from automate.recipe.triggers import GameSaved as GameSaved
    from automate.recipe.triggers import Installed as Installed
    from automate.recipe.triggers import PlayerJoined as PlayerJoined
    from automate.recipe.triggers import PlayerLeft as PlayerLeft
    from automate.recipe.triggers import ReadingAbove as ReadingAbove
    from automate.recipe.triggers import ReadingBelow as ReadingBelow
    from automate.recipe.triggers import RecipeEnded as RecipeEnded
    from automate.recipe.triggers import Restored as Restored
    from automate.recipe.triggers import Silent as Silent
    from automate.recipe.triggers import StatusChanged as StatusChanged
    from automate.recipe.triggers import Stuck as Stuck
    from automate.recipe.triggers import Throttled as Throttled
    from automate.recipe.triggers import Transferred as Transferred

__all__ = [
    "AllWithin",
    "And",
    "Announce",
    "AnyOf",
    "Asked",
    "At",
    "AtMost",
    "AutomateError",
    "Backoff",
    "Backup",
    "BackupCompleted",
    "BackupFailed",
    "Between",
    "Block",
    "Call",
    "Chat",
    "Choose",
    "Command",
    "Connected",
    "ConsoleLine",
    "Context",
    "Cooldown",
    "CountPlayers",
    "Countdown",
    "Crashed",
    "Cron",
    "DaemonError",
    "Deleted",
    "Disconnected",
    "Every",
    "Fail",
    "FeatureMatched",
    "FoundOffline",
    "GameReady",
    "GameSaved",
    "If",
    "Installed",
    "Kill",
    "Not",
    "NotFollowedBy",
    "NotRunFor",
    "Notify",
    "On",
    "OnDays",
    "Or",
    "Parallel",
    "PlayerJoined",
    "PlayerLeft",
    "PlayersOnline",
    "ReadingAbove",
    "ReadingBelow",
    "ReadingIs",
    "Recipe",
    "RecipeEnded",
    "RecipeError",
    "Repeat",
    "Restart",
    "Restored",
    "RunRecipe",
    "ServerIs",
    "SetVariable",
    "Silent",
    "Start",
    "StatusChanged",
    "Stop",
    "Stuck",
    "Tagged",
    "Throttled",
    "Times",
    "Transferred",
    "Try",
    "VariableIs",
    "Wait",
    "WaitUntil",
    "__version__",
]

__version__ = "0.1.0"

_ROOMS = {
    "errors": "AutomateError RecipeError",
    "recipe.combinators": "AllWithin AnyOf NotFollowedBy Times",
    "recipe.conditions": (
        "And Between Not NotRunFor OnDays Or PlayersOnline ReadingIs ServerIs VariableIs"
    ),
    "recipe.context": "Context",
    "recipe.flow": "Block Choose If On Parallel Repeat Try WaitUntil",
    "recipe.limits": "AtMost Cooldown",
    "recipe.recipe": "Recipe",
    "recipe.schedule": "At Cron Every",
    "recipe.selectors": "Tagged",
    "recipe.steps": (
        "Announce Backoff Backup Call Command CountPlayers Countdown Fail Kill Notify Restart "
        "RunRecipe SetVariable Start Stop Wait"
    ),
    "recipe.triggers": (
        "Asked BackupCompleted BackupFailed Chat Connected ConsoleLine Crashed DaemonError "
        "Deleted Disconnected FeatureMatched FoundOffline GameReady GameSaved Installed "
        "PlayerJoined PlayerLeft ReadingAbove ReadingBelow RecipeEnded Restored Silent "
        "StatusChanged Stuck Throttled Transferred"
    ),
}
_HOMES = {name: home for home, names in _ROOMS.items() for name in names.split()}


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

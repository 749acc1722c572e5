"""The games there is a table for: by name, and by what they print when they start."""

import difflib
from collections.abc import Mapping
from typing import Final

from automate.errors import UsageError
from automate.wire.games.factorio import FACTORIO
from automate.wire.games.game import Game
from automate.wire.games.minecraft import BEDROCK, MINECRAFT
from automate.wire.games.openttd import OPENTTD
from automate.wire.games.terraria import TERRARIA, TSHOCK
from automate.wire.games.valheim import VALHEIM

__all__ = ["GAMES", "GENERIC", "game_named", "recognise"]

# Any other game. Without knowing how its lines begin, none of them is safe from imitation: it
# says nothing, not even that it is ready (the status ``running`` tells that, by the egg).
GENERIC: Final = Game(name="generic", say="say {text}")

GAMES: Final[Mapping[str, Game]] = {
    game.name: game
    for game in (MINECRAFT, BEDROCK, OPENTTD, TERRARIA, TSHOCK, FACTORIO, VALHEIM, GENERIC)
}

# Each line that makes a game known holds one of these.
_SIGNS: Final = (
    "Starting minecraft server version ",
    ' For help, type "help"',
    "INFO] Starting Server",
    "OpenTTD Game Console Revision ",
    "Terraria Server v",
    "TShock ",
    "; Factorio ",
    "Valheim version:",
)


def recognise(line: str) -> Game | None:
    """Return the game whose start printed *line* (clean); ``None`` if it could be any.

    No player can make it say something: the lines are whole ones, as is all that is read.
    """
    for sign in _SIGNS:
        if sign in line:
            break
    else:
        return None
    if "\n" in line:
        return None
    for game in GAMES.values():
        prefix = game.prefix.match(line)
        if prefix and any(start.fullmatch(line, prefix.end()) for start in game.starts):
            return game
    return None


def game_named(name: str) -> Game:
    """Return the game called *name*.

    Raises:
        UsageError: there is no table for it.
    """
    game = GAMES.get(name)
    if game is None:
        near = difflib.get_close_matches(name.lower(), GAMES, 1, 0.5)
        hint = f"did you mean {near[0]!r}?" if near else "take 'generic' for any other"
        raise UsageError(f"expected a game ({', '.join(GAMES)}), found {name!r}; {hint}")
    return game

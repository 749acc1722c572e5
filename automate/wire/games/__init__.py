"""Games: what their consoles say, in tables, one a game.

`read` makes a `GameLine` of a line, or nothing. Nobody who only plays can make it say what did
not happen; docs/games.md tells how, and where a game leaves a gap.
"""

from automate.wire.games.game import Game, announcement, read
from automate.wire.games.known import GAMES, game_named, recognise
from automate.wire.games.lines import Chatted, GameLine, Joined, Left, Online, Ready, Saved

__all__ = [
    "GAMES",
    "Chatted",
    "Game",
    "GameLine",
    "Joined",
    "Left",
    "Online",
    "Ready",
    "Saved",
    "announcement",
    "game_named",
    "read",
    "recognise",
]

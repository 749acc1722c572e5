"""Factorio: what its headless server's console says.

Source: logs of 1.1 and 2.0, quoted in public issues and in the tests of tools that read them.
Messages of the game have date, time and a kind in brackets; the log's own lines begin with the
seconds since the start.
"""

import re
from typing import Final

from automate.wire.games.game import Form, Game, chatted, joined, left, online, ready, saved

__all__ = ["FACTORIO"]

_MESSAGE: Final = r"[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2} "
_LOG: Final = r" *[0-9]{1,9}\.[0-9]{3} "
# Accounts have no other characters. That a server without user verification lets others in
# is not known; they would be nobody here, as is "<server>", what the console itself said.
_NAME: Final = r"(?P<player>[\w.-]{1,60})"

FACTORIO: Final = Game(
    name="factorio",
    # Whatever is no command is said. The dash keeps a text of a player's from being one ("/c
    # ..."), and its echo on the terminal from being a line like those below.
    say="- {text}",
    players_command="/players online",
    endings=(
        " joined the game",
        " left the game",
        ": Saving finished",
        " to(InGame)",
        "):",
    ),
    pieces=(" [CHAT] ",),
    forms=(
        Form(rf"{_MESSAGE}\[CHAT\] {_NAME}: (?P<text>.*)", chatted),
        Form(rf"{_MESSAGE}\[JOIN\] {_NAME} joined the game", joined),
        Form(rf"{_MESSAGE}\[LEAVE\] {_NAME} left the game", left),
        Form(
            rf"{_LOG}Info ServerMultiplayerManager\.cpp:[0-9]+: updateTick\([0-9]+\) "
            r"changing state from\(CreatingGame\) to\(InGame\)",
            ready,
        ),
        # After autosaves and /server-save. Whether a save in the background (non-blocking) ends
        # with this line as well is not known.
        Form(rf"{_LOG}Info AppManagerStates\.cpp:[0-9]+: Saving finished", saved),
        # The names follow, a line each.
        Form(r"Online [Pp]layers? \((?P<count>[0-9]{1,5})\):", online),
    ),
    starts=(re.compile(rf"{_LOG}[0-9: -]+; Factorio [0-9].*"),),
)

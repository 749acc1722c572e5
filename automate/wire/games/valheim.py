"""Valheim: what its dedicated server's console says.

Source: logs of 0.203 to 1.0, quoted in public issues and in the tests of tools that read them.
It reads no commands, so nothing can be said or asked. It does not name who leaves (only a
number, and the socket), but counts players now and then.
"""

import re
from typing import Final

from automate.wire.games.game import Form, Game, chatted, joined, online, ready, saved

__all__ = ["VALHEIM"]

# "02/09/2021 10:42:24: "; BepInEx puts its own before it. Some hosts filter both out.
_PREFIX: Final = re.compile(
    r"(?:\[Info *: *Unity Log\] )?"
    r"(?:[0-9]{2}/[0-9]{2}/[0-9]{4} [0-9]{2}:[0-9]{2}:[0-9]{2}: )?"
)

VALHEIM: Final = Game(
    name="valheim",
    say=None,
    repeats_joins=True,
    endings=(
        "Game server connected",
        " player(s)",
        "ms )",
        "ms]",
        "</color>",
    ),
    pieces=(" ZDOID from ", " Connections "),
    prefix=_PREFIX,
    forms=(
        # At the first spawn and at each one after a death, with an id that tells nothing; 0:0
        # is the death itself.
        Form(r"Got character ZDOID from (?P<player>.{1,60}) : -?[1-9][0-9]*:[0-9]+", joined),
        # Only shouts reach the server ("I HAVE ARRIVED!" is one that the game makes itself).
        Form(
            r"Console: <color=orange>(?P<player>[^<>]{1,60})</color>: "
            r"<color=#FFEB04FF>(?P<text>.*)</color>",
            chatted,
        ),
        # Uncertain: whether a server with crossplay says it each time.
        Form(r"Game server connected", ready),
        # "World saved ( 1524.962ms )", since 1.0 "World save (5/5) done. Total time [124ms]".
        Form(r"World saved \( ?[0-9.,]+ ?ms \)", saved),
        Form(r"World save \(([0-9]+)/\1\) done\. Total time \[[0-9.,]+ ?ms\]", saved),
        # Every ten minutes.
        Form(r" ?Connections (?P<count>[0-9]{1,4}) ZDOS:.*", online),
        # With crossplay. How soon the second is told after a lost connection is not known.
        Form(
            r'Player (?:joined|connection lost) server ".*" that has join code [0-9]*, '
            r"now (?P<count>[0-9]{1,4}) player\(s\)",
            online,
        ),
    ),
    starts=(re.compile(r"Valheim version: ?[^ ].*"),),
)

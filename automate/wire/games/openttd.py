"""OpenTTD: what its dedicated server's console says.

Sources: the recording openttd-evening (13.0); the English texts of the game (STR_NETWORK_...)
and its console commands, the same in what is read here from 1.0 to 15. A server set to another
language says join and left in that language, and is not understood.
"""

import re
from typing import Final

from automate.wire.games.game import (
    Form,
    Game,
    joined,
    left,
    online,
    ready,
    saved,
    unambiguous_chat,
)

__all__ = ["OPENTTD"]

# NETWORK_CLIENT_NAME_LENGTH is 25, in bytes and with the zero at the end; any character may be
# in a name, so that one may look like the rest of a line.
_NAME_LIMIT_BYTES: Final = 24


def _is_name(text: str) -> bool:
    return 0 < len(text.encode("utf-8", "surrogatepass")) <= _NAME_LIMIT_BYTES


# What could be a name, at most. A renamed player's line, "*** Ada has changed his/her name to
# Bob has left the game (x)", has too much before its end to be a name, as have all others.
_NAME: Final = r"(?P<player>.{1,24})"

OPENTTD: Final = Game(
    name="openttd",
    # The text is one word, in quotation marks (recording); a backslash can escape them.
    say='say "{text}"',
    say_instead=(('"', "'"), ("\\", "/")),
    # Not `clients`, which answers with a line a client and no count. The server itself does not
    # count (clients_on is 0 at first on a dedicated server).
    players_command="server_info",
    endings=(" starting game", "'.", ")"),
    pieces=("[All] ", "[Team] ", "[Private] ", "Current/maximum clients:"),
    # The date by show_date_in_logs; a direction mark is put before all that is said of clients.
    prefix=re.compile(
        r"(?:\[[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2}\] )?[\u200e\u200f]?"
    ),
    forms=(
        # To all, to a company and to one; "To Bob" is what the server itself said to Bob. What
        # the server says to all is told as said by the server's own name.
        Form(
            r"\[(?:All|(?:Team|Private)(?!\] To ))\] (?P<said>.*)", unambiguous_chat(": ", _is_name)
        ),
        Form(rf"\*\*\* {_NAME} has joined the game \(Client #[0-9]{{1,10}}\)", joined),
        # In brackets is why: "leaving", "connection lost", ...
        Form(rf"\*\*\* {_NAME} has left the game \([^()]*\)", left),
        # At the debug level net=0 in old versions, 1 to about 12, 3 since: unless the server is
        # started with -d net=3, newer ones do not say that they are ready.
        Form(r"(?:dbg: )?\[net(?::[0-9])?\] Map generated, starting game", ready),
        # That of the command `save` (recording); autosaves say nothing.
        Form(r"Map successfully saved to '.*'\.", saved),
        Form(r"Current/maximum clients: +(?P<count>[0-9]{1,5})/ *[0-9]{1,5}", online),
    ),
    starts=(re.compile(r"OpenTTD Game Console Revision [0-9]+ - .+"),),
)

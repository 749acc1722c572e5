"""Minecraft: what its consoles say, Java and Bedrock edition.

Java's lines look alike in all servers made of it but for the log prefix. The words are those of
the game's own English language file (a server always logs in English), 1.8 to 1.21.
"""

import re
from typing import Final

from automate.wire.games.game import (
    Form,
    Game,
    chatted,
    joined,
    left,
    online,
    ready,
    saved,
)
from automate.wire.games.lines import Online

__all__ = ["BEDROCK", "MINECRAFT"]

# Accounts have 3 to 16 of these characters (very old ones fewer); Floodgate, which lets Bedrock
# players in, puts a full stop before theirs, some set-ups an asterisk.
_NAME: Final = r"[.*]?[A-Za-z0-9_]{1,16}"

# Source: the recordings (vanilla); logs quoted in public issues and tests of log readers for
# Paper, Forge 1.12 to NeoForge 1.21 and Fabric. JLine's dumb terminal leaves ">....", and a
# carriage return, before a line.
_PREFIX: Final = re.compile(
    r"(?:>\.* ?)?"
    r"(?:"
    # [12:00:00] [Server thread/INFO]: or, by Forge, [01Jan2024 12:00:00.000] [Server
    # thread/INFO] [minecraft/MinecraftServer]: or, by Fabric, [Server thread/INFO] (Minecraft)
    r"(?:\[[0-9A-Za-z:., -]{5,30}\] )?"
    r"\[[^\[\]]{1,60}/INFO\](?:: | \[[^\[\]]{0,80}\]: | \([^()]{0,80}\) )"
    # [12:00:00 INFO]: by Paper and, on the console, Spigot.
    r"|\[[0-9]{2}:[0-9]{2}:[0-9]{2} INFO\]: "
    # 2013-06-07 12:00:00 [INFO] before 1.7.
    r"|[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2} \[INFO\] "
    r")"
)


def _list(match: re.Match[str]) -> Online:
    """Return who is online; no names where there are not as many as were counted.

    A name with a team's prefix, or with an id (`list uuids`), is none.
    """
    count = int(match["count"])
    names = tuple(match["players"].split(", ")) if match["players"] else ()
    all_named = len(names) == count and all(_IS_NAME.fullmatch(name) for name in names)
    return Online(names if all_named else None, count)


_IS_NAME: Final = re.compile(_NAME)

MINECRAFT: Final = Game(
    name="minecraft",
    say="say {text}",
    players_command="list",
    endings=(
        " joined the game",
        " left the game",
        ' type "help"',
        ' or "?"',
        "Saved the game",
        "Saved the world",
    ),
    pieces=("> ", " online"),
    prefix=_PREFIX,
    forms=(
        # "<Ada> hi", since 1.19.1 "[Not Secure] <Ada> hi" where it is not signed; a team's
        # prefix stands inside the brackets, before the name. What the console or a command
        # block says is "[Server] hi", an emote "* Ada waves": neither is a chat.
        Form(
            rf"(?:\[Not Secure\] )?<(?:[^<>]{{1,64}} )?(?P<player>{_NAME})> (?P<text>.*)",
            chatted,
        ),
        # Names alone: with a team's prefix "[Team] Ada joined the game" can't be told from what
        # a `say` looks like, and is nothing.
        Form(
            rf"(?P<player>{_NAME})(?: \(formerly known as {_NAME}\))? joined the game",
            joined,
        ),
        Form(rf"(?P<player>{_NAME}) left the game", left),
        # Decimals as the machine's locale writes them. Not "Done preparing level" (Paper).
        Form(
            r'Done \([0-9]{1,6}[.,][0-9]{1,6}s\)! For help, type "help"(?: or "\?")?',
            ready,
        ),
        # 1.13 and later; "world" before. That of a save-all; autosaves say nothing.
        Form(r"Saved the (?:game|world)", saved),
        # "There are 1 of a max of 20 players online: Ada" (1.14), "of a max 20" (1.13), and the
        # recordings' own game, whose list has no maximum.
        Form(
            r"There are (?P<count>[0-9]{1,5})(?: of a max(?: of)? [0-9]{1,9})? players online:"
            r" ?(?P<players>.*)",
            _list,
        ),
        # Before 1.13 the names come in a line of their own, which nothing marks as such.
        Form(r"There are (?P<count>[0-9]{1,5})/[0-9]{1,9} players online:", online),
        # EssentialsX; hidden players follow a slash. The names come by group, line by line.
        Form(
            r"There are (?P<count>[0-9]{1,5})(?:/[0-9]{1,5})? out of maximum [0-9]{1,9} "
            r"players online\.",
            online,
        ),
    ),
    starts=(
        re.compile(r"Starting minecraft server version .+"),
        re.compile(r'Done \([0-9]{1,6}[.,][0-9]{1,6}s\)! For help, type "help"(?: or "\?")?'),
    ),
)

# ---------------------------------------------------------------- Bedrock

# Source: logs of bedrock_server 1.6 to 1.21, quoted in public issues and images' documentation:
# "[2024-02-08 06:26:47:283 INFO] Starting Server", without milliseconds before 1.20, only
# "[INFO]" in some of 1.16, and with "NO LOG FILE! - " before it where there is no log file.
_BEDROCK_PREFIX: Final = re.compile(
    r"(?:NO LOG FILE! - )?"
    r"\[(?:[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2}(?::[0-9]{3})? )?INFO\] "
)
# Gamertags have spaces. Without Xbox accounts (online-mode=false) the xuid is empty; newer
# versions tell a PlayFab id as well. Players of a split screen are not told at all.
_BEDROCK_ID: Final = r", xuid: ?[0-9]*(?:, pfid: ?[0-9A-Fa-f]*)?"

# Bedrock's console has no chat.
BEDROCK: Final = Game(
    name="minecraft-bedrock",
    say="say {text}",
    players_command="list",
    endings=("INFO] Server started.", " ready to be copied.", " players online:"),
    pieces=("connected: ",),
    prefix=_BEDROCK_PREFIX,
    forms=(
        Form(rf"Player connected: (?P<player>.+){_BEDROCK_ID}", joined),
        Form(rf"Player disconnected: (?P<player>.+){_BEDROCK_ID}", left),
        Form(r"Server started\.", ready),
        # The answer to `save query` after `save hold`: what is on the disk is whole.
        Form(r"Data saved\. Files are now ready to be copied\.", saved),
        # The names come in a line of their own, without a prefix.
        Form(r"There are (?P<count>[0-9]{1,5})/[0-9]{1,9} players online:", online),
    ),
    starts=(re.compile(r"Starting Server"),),
)

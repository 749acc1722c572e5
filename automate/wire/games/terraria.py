"""Terraria: what the consoles of its own server and of TShock say.

Sources: logs of TerrariaServer 1.4 and its language files as quoted in public tools, the eggs'
ready lines; TShock's own sources (5.2). English only, which is what a server starts with.
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
from automate.wire.games.lines import Chatted, Online

__all__ = ["TERRARIA", "TSHOCK"]

# A longer name is not let in; otherwise any character may be in one.
_NAME_LIMIT: Final = 20

# Whoever could be speaking is no name: "<Ada> Bob has joined." is looked at as a chat alone,
# "*Ada Bob has joined." is an emote and, with TShock, "Ada: Bob has joined." a chat as well; "say
# Bob has joined." is what a recipe typed, for the terminal repeats it, and TShock says it with a
# head of its own. So who is called like that is not seen to join.
_NAME: Final = (
    r"(?P<player>(?![*/.]|\(Server Broadcast\) )"
    r"(?!(?:say|bc|broadcast|kick|ban|mute|tp|give|motd|password) )"
    r"(?:(?!: ).){1,20})"
)

# The server writes its prompt ": " and reads; the next line then follows the prompt.
_PREFIX: Final = re.compile(r"(?:: )?")

_chat: Final = unambiguous_chat("> ", lambda text: 0 < len(text) <= _NAME_LIMIT)


# What else is said of somebody whose name begins like a chat: "<Ada> stop has joined.", the line
# of `playing` ("<Ada> stop (203.0.113.7:50000)"). What they die of has too many words for that.
_OF_A_NAME: Final = re.compile(r".* (?:has joined\.|has left\.|\([^ ()]*:[0-9]+\))")


def _chatted(match: re.Match[str]) -> Chatted | None:
    """Return who said what, unless it is likelier something else about an evil name.

    What the server says itself is no chat. With TShock "<Ada> stop" says hi as "<Ada> stop: hi".
    """
    line = match[0]
    if _OF_A_NAME.fullmatch(line) or ": " in line[: _NAME_LIMIT + 2]:
        return None
    chat = _chat(match)
    return chat if isinstance(chat, Chatted) and chat.player != "Server" else None


def _nobody(_match: re.Match[str]) -> Online:
    return Online((), 0)


_FORMS: Final = (
    Form(r"<(?P<said>.*)", _chatted),
    Form(rf"{_NAME} has joined\.", joined),
    Form(rf"{_NAME} has left\.", left),
    # The last but one line of a start. "Server started" comes after it, but is short enough for
    # a name, which TShock's list of players prints as a line of its own.
    Form(r"Type 'help' for a list of commands\.?", ready),
)

TERRARIA: Final = Game(
    name="terraria",
    say="say {text}",
    players_command="playing",
    endings=(" has joined.", " has left.", " for a list of commands.", " connected."),
    pieces=("> ",),
    prefix=_PREFIX,
    forms=(
        *_FORMS,
        # The last line of the answer to `playing`; before it comes a line a player with name
        # and address. When it has saved, this server does not say.
        Form(r"(?P<count>[0-9]{1,3}) players? connected\.", online),
        Form(r"No players connected\.", _nobody),
    ),
    starts=(re.compile(r"Terraria Server v[0-9].*"),),
)

TSHOCK: Final = Game(
    name="terraria-tshock",
    say="say {text}",
    # None: the answer to `playing` has a line of nothing but names, and a player called "Bob has
    # joined." would make Bob join by it. Its head is understood where a person asks.
    players_command=None,
    endings=(
        " has joined.",
        " has left.",
        " for a list of commands.",
        "World saved.",
        " no players online.",
    ),
    pieces=("> ", "Online Players ("),
    prefix=_PREFIX,
    forms=(
        *_FORMS,
        # By TShock's configuration (ChatFormat) a chat is "Ada: hi" as a rule, like much else:
        # only with EnableChatAboveHeads is it "<Ada> hi", and read.
        Form(r"World saved\.", saved),
        Form(r"Online Players \((?P<count>[0-9]{1,3})/[0-9]{1,3}\)", online),
        Form(r"There are currently no players online\.", _nobody),
    ),
    # It comes before the server's own "Terraria Server v...".
    starts=(re.compile(r"TShock [0-9][^ ]* \(.*\) now running\."),),
)

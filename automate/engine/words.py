"""Words for a person: what a server said, and what was said to it."""

import re
from collections.abc import Mapping
from typing import Final

from automate.wire.messages import (
    ClientMessage,
    DaemonErrorReported,
    ServerMessage,
    StatusChanged,
    Throttled,
)

__all__ = ["TOLD", "said_to", "says_again", "words_of"]

TOLD: Final = (StatusChanged, DaemonErrorReported, Throttled)
"""The kinds of messages that people are told of whatever the recipes make of them."""


def words_of(message: ServerMessage) -> str:
    """Return what a person wants to know of *message*, to follow on the server's name."""
    match message:
        case StatusChanged(status=status):
            return f"is {status}"
        case DaemonErrorReported(text=text):
            # Its number is for the daemon's own log.
            return f"refuses: {re.sub(r'^Error Event [^ ]+: ', '', text)}"
        case Throttled(what=what):
            return f"dropped a message ({what}): too many in a short time"
        case _:
            return type(message).__name__


# How the words of a step begin that does no more than the action told just before.
_AGAIN: Final[Mapping[str, tuple[str, ...]]] = {
    "send command": ("command ", "announce ", "count the players"),
    "set state": ("start", "stop", "restart", "kill"),
}


def says_again(action: str, step: str) -> bool:
    """Return whether the words of a *step* say no more than its *action*, told just before."""
    return step.startswith(_AGAIN.get(action, (f"{action} ",)))


def said_to(message: ClientMessage) -> str:
    """Return the event and the first argument of *message*, which is ours."""
    first = next((one for one in message.args if one is not None), "")
    return f"{message.event} {first}".rstrip()

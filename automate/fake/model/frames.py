"""The daemon's own words: the texts of its frames, to the byte.

Sources: the recordings, PROBED (sections 1 and 4), PROTOCOL 7 and 8.
"""

import re
from typing import Any, Final

import msgspec

from automate.fake.model.settings import Kind
from automate.fake.model.signals import Usage
from automate.wire import messages as m
from automate.wire.codec import encode_server
from automate.wire.frame import ABSENT, canonical_server
from automate.wire.messages import PowerState

__all__ = ["ASKED_FIRST", "GENERIC", "LOCKED", "console", "error", "frame", "own_line", "stats"]

GENERIC: Final = "an unexpected error was encountered while handling this request"
LOCKED: Final = (
    "another power action is currently being processed for this server, please try again later"
)
# The daemon writes the stats that somebody asked for, or that greet a client, in this order.
ASKED_FIRST: Final = (
    "memory_bytes",
    "memory_limit_bytes",
    "cpu_absolute",
    "network",
    "disk_io",
    "uptime",
    "state",
    "disk_bytes",
)
_BROKEN: Final = re.compile("[\ud800-\udfff]")
# Stands for a broken byte until JSON is written; a game that prints it gets it back as it is.
_MARK: Final = "\ue000broken\ue000"


def frame(event: str, *args: str) -> str:
    """Return the frame of *event*; a lone surrogate (no UTF-8) becomes the escape of U+FFFD.

    Go's encoder writes that escape for broken bytes, and the character itself for a real one.
    """
    if any(_BROKEN.search(arg) for arg in args):
        marked = [_BROKEN.sub(_MARK, arg) for arg in args]
        return canonical_server(event, marked).replace(_MARK, "\\ufffd")
    return canonical_server(event, list(args) if args else ABSENT)


def console(line: str) -> str:
    """Return the frame of one line of the game's terminal."""
    return frame(m.ConsoleOutput.event, line)


def own_line(name: str, text: str) -> str:
    """Return the frame of a line of the daemon called *name* (PROTOCOL 8.2)."""
    return console(f"\x1b[33m\x1b[1m[{name} Daemon]:\x1b[39m {text}\x1b[0m")


def error(event: str, text: str, *, uuid: str) -> str:
    """Return the frame of an error that answers one message, with its own *uuid*."""
    return frame(event, f"Error Event [{uuid}]: {text}")


def stats(usage: Usage, state: PowerState, *, kind: Kind, is_asked: bool) -> str:
    """Return the frame that reports *usage*; the order of its keys tells whether it was asked."""
    has_disk_io = kind is Kind.PELICAN
    values = m.Stats(
        state=state.value,
        memory_bytes=usage.memory_bytes,
        memory_limit_bytes=usage.memory_limit_bytes,
        cpu_percent=usage.cpu_percent,
        disk_bytes=usage.disk_bytes,
        uptime_seconds=usage.uptime_milliseconds / 1000,
        network_received_bytes=usage.received_bytes,
        network_sent_bytes=usage.sent_bytes,
        disk_read_bytes=usage.read_bytes if has_disk_io else None,
        disk_written_bytes=usage.written_bytes if has_disk_io else None,
    )
    text = encode_server(m.StatsReported(values))
    if not is_asked:
        return text
    said: dict[str, Any] = msgspec.json.decode(msgspec.json.decode(text)["args"][0])
    ordered = {key: said[key] for key in ASKED_FIRST if key in said}
    return frame(m.StatsReported.event, msgspec.json.encode(ordered).decode())

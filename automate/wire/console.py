"""What console lines say: text without terminal escapes, and the daemon's own lines.

The daemon writes its lines into the same stream as the game; they are known by their prefix
(``[Pterodactyl Daemon]:``, ``[pelican Daemon]:``, or whatever the host calls it). A game can
imitate them in its text, but hardly the colours the daemon puts around its prefix.
"""

import re
from typing import Final

from attrs import frozen

__all__ = ["CrashNoted", "RestartAborted", "clean", "crash_report", "daemon_line"]

# CSI sequences, OSC (terminal titles) up to BEL or ST, and the remaining two-character escapes.
_ESCAPE: Final = re.compile(
    r"\x1b\[[0-?]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)?|\x1b[ -/]*[0-~]"
)
_CONTROL: Final = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")
# The exact bytes of the daemon's prefix, for both kinds (server/console.go).
_DAEMON: Final = re.compile(r"\x1b\[33m\x1b\[1m\[[^\]\x1b]+ Daemon\]:\x1b\[39m (.*)\x1b\[0m", re.S)


def clean(line: str) -> str:
    """Return *line* as a person would have read it: no escapes, no control characters.

    Readline games write a prompt and a carriage return before a line; what a carriage return
    overwrites is dropped, as on a screen.
    """
    if "\x1b" in line:
        line = _ESCAPE.sub("", line)
    if line.isprintable():
        return line
    line = line.rstrip("\r\n")
    if "\r" in line:
        line = line.replace("\r\n", "\n").rsplit("\r", 1)[-1]
    return _CONTROL.sub("", line)


def daemon_line(line: str) -> str | None:
    """Return what the daemon itself says in *line* (raw, as received); ``None`` for a game's."""
    if not line.startswith("\x1b[33m\x1b[1m["):
        return None
    match = _DAEMON.fullmatch(line)
    return match[1] if match else None


@frozen(kw_only=True)
class CrashNoted:
    """The daemon noticed a crash, or told one fact of it; ``None`` where it did not say."""

    exit_code: int | None = None
    out_of_memory: bool | None = None


@frozen
class RestartAborted:
    """The daemon will not restart the crashed server itself; *reason* is its own sentence."""

    reason: str


def crash_report(said: str) -> CrashNoted | RestartAborted | None:
    """Return what the daemon's sentence *said* tells of a crash; ``None`` if nothing.

    Source: server/crash.go of both daemons, and the recordings crash-twice, crash-undetected.
    """
    if said.startswith("---------- Detected server process in a crashed state!"):
        return CrashNoted()
    if said.startswith("Exit code: "):
        code = said.removeprefix("Exit code: ")
        return CrashNoted(exit_code=int(code)) if code.lstrip("-").isdecimal() else None
    if said.startswith("Out of memory: "):
        return CrashNoted(out_of_memory=said.endswith("true"))
    if said.startswith("Aborting automatic restart, ") or said.startswith("Server crash was detected"):
        return RestartAborted(said)
    return None

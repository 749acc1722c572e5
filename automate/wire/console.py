"""What console lines say: text without terminal escapes, and the daemon's own lines.

The daemon writes its lines into the same stream as the game; they are known by their prefix
(``[Pterodactyl Daemon]:``, ``[pelican Daemon]:``, or whatever the host calls it). A game can
imitate them in its text, but hardly the colours the daemon puts around its prefix.
"""

import re
from typing import Final

from attrs import frozen

__all__ = ["CrashNoted", "RestartAborted", "clean", "crash_report", "daemon_line"]

# A control sequence (colours, cursor), also one cut off in the middle; a string for the
# terminal (OSC: titles; DCS, SOS, PM, APC), which ends with BEL, ST or at the latest with the
# line; the remaining short escapes. Each with its one-character (C1) spelling, if it has one.
_ESCAPE: Final = re.compile(
    r"(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]?"
    r"|(?:\x1b[PX\]^_]|[\x90\x98\x9d-\x9f])[^\x07\x1b\x9c\r\n]*(?:\x07|\x9c|\x1b\\)?"
    r"|\x1b[ -/]*[0-~]"
)
_CONTROL: Final = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")
# What readline prints before it lets a line through; it has nothing in it that could be a name.
_PROMPTS: Final = re.compile(r"\A(?:[>$#:?% \t]*\r)+")
# The same where the prompt ended in a space: the daemon made a row of it.
_PROMPT_ROW: Final = re.compile(r"[>$#:?%][>$#:?% \t]*")
# The exact bytes of the daemon's prefix, for both kinds (server/console.go). The name is the
# host's own choice and may hold brackets.
_DAEMON: Final = re.compile(r"\x1b\[33m\x1b\[1m\[[^\x1b]+ Daemon\]:\x1b\[39m (.*)\x1b\[0m", re.S)


def clean(line: str) -> str:
    """Return *line* as a person would have read it: no escapes, no control characters.

    Readline games write a prompt and a carriage return before a line: such a prompt is dropped.
    Any other carriage return becomes a space, unlike on a screen, where a player's chat could
    overwrite the name before it and so forge a line of the server's. Where a line holds a carriage
    return and a newline (Wings makes them of a space and a carriage return), a newline remains.
    What is clean stays as it is.
    """
    if line.isprintable():
        return line
    text = _CONTROL.sub("", _ESCAPE.sub("", line)).rstrip("\r\n")
    if "\r" not in text:
        return text
    rows = [_without_returns(row) for row in text.split("\n")]
    while len(rows) > 1 and _PROMPT_ROW.fullmatch(rows[0]):
        del rows[0]
    return "\n".join(rows)


def _without_returns(row: str) -> str:
    return _PROMPTS.sub("", row.rstrip("\r")).replace("\r", " ")


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


_EXIT_CODE: Final = re.compile(r"Exit code: (-?[0-9]{1,10})")
_OUT_OF_MEMORY: Final = re.compile(r"Out of memory: (true|false)")


def crash_report(said: str) -> CrashNoted | RestartAborted | None:
    """Return what the daemon's sentence *said* tells of a crash; ``None`` if nothing.

    Source: server/crash.go of both daemons, and the recordings crash-twice, crash-undetected.
    """
    if said.startswith("---------- Detected server process in a crashed state!"):
        return CrashNoted()
    if code := _EXIT_CODE.fullmatch(said):
        return CrashNoted(exit_code=int(code[1]))
    if out_of_memory := _OUT_OF_MEMORY.fullmatch(said):
        return CrashNoted(out_of_memory=out_of_memory[1] == "true")
    if said.startswith(("Aborting automatic restart, ", "Server crash was detected")):
        return RestartAborted(said)
    return None

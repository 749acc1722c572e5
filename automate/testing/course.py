"""What a server goes through, as the daemon tells it: boot, stop, crash, backup, a connection.

Pauses in seconds, as measured over loopback in the recordings; orders as in PROBED, section 4.
"""

from collections.abc import Sequence
from typing import Any

from automate.testing.pen import Pen
from automate.wire import messages as m
from automate.wire.messages import PowerState

__all__ = ["backup", "begin_stop", "boot", "connect", "crash", "kill", "refresh", "stop"]

_CRASHED = "---------- Detected server process in a crashed state! ----------"
_DISABLED = "Aborting automatic restart, crash detection is disabled for this instance."
_GIVEN_UP = "Aborting automatic restart, last crash occurred less than 60 seconds ago."
_CRASH_WINDOW_SECONDS = 60.0


# ---------------------------------------------------------------- power


def boot(pen: Pen, *, seconds: float, finishes: bool = True) -> None:
    """Write a boot that takes *seconds* from now, or that never *finishes*."""
    until = pen.now.t + seconds
    pen.wait(0.0074)
    check = "checking" if pen.is_pelican else "Checking"
    pen.own(f"{check} server disk space usage, this could take a few seconds...")
    pen.wait(0.0001)
    pen.own("Updating process configuration files...")
    pen.wait(0.0006)
    pen.become(PowerState.STARTING)
    pen.wait(0.008)
    # In 20 of 22 boots in this order (PROBED 8.2).
    pen.own("Finished pulling Docker container image")
    pen.own("Pulling Docker container image, this could take a few minutes to complete...")
    pen.wait(0.1)
    pen.attach()
    pen.wait(0.0001)
    pen.line(f":/home/container$ {pen.game.startup}")
    pen.wait(0.018)
    _spread(pen, pen.game.boot, until)
    if finishes:
        pen.wait(max(0.0, until - pen.now.t))
        pen.line(pen.game.done)
        pen.wait(0.0001)
        pen.become(PowerState.RUNNING)


def stop(pen: Pen, *, seconds: float) -> None:
    """Write a stop that takes *seconds* from now."""
    until = pen.now.t + seconds
    begin_stop(pen)
    _spread(pen, pen.game.stopping, until)
    pen.wait(max(0.0, until - pen.now.t))
    pen.become(PowerState.OFFLINE)


def begin_stop(pen: Pen) -> None:
    """Write that the daemon tells the game to stop."""
    pen.become(PowerState.STOPPING)
    pen.wait(0.0008)
    pen.line(pen.game.stop)


def kill(pen: Pen) -> None:
    """Write a kill; there is no second ``stopping`` for a server that stops already."""
    if pen.now.status is not PowerState.STOPPING:
        pen.wait(0.003)
        pen.become(PowerState.STOPPING)
    pen.wait(0.054)
    pen.become(PowerState.OFFLINE)


def crash(
    pen: Pen, *, exit_code: int, out_of_memory: bool, gives_up: bool | None, seconds: float
) -> None:
    """Write a crash, what the daemon says of it, and the boot with which it answers."""
    pen.become(PowerState.OFFLINE)
    if not pen.settings.crash_detection:
        pen.own(_DISABLED)
        return
    pen.wait(0.0085)
    pen.own(_CRASHED)
    pen.own(f"Exit code: {exit_code}")
    pen.own(f"Out of memory: {'true' if out_of_memory else 'false'}")
    last = pen.now.restarted_at
    if gives_up is None:
        gives_up = last is not None and pen.now.t < last + _CRASH_WINDOW_SECONDS
    if gives_up:
        pen.own(_GIVEN_UP)
        return
    pen.change(restarted_at=pen.now.t)
    boot(pen, seconds=seconds)


def _spread(pen: Pen, lines: Sequence[str], until: float) -> None:
    """Write *lines*, the first at once, the others evenly before *until*."""
    step = max(0.0, until - pen.now.t) / len(lines) if lines else 0.0
    for number, line in enumerate(lines):
        pen.wait(step if number else 0.0)
        pen.line(line)


# ---------------------------------------------------------------- connection


def connect(pen: Pen, *, socket: str, lifetime_seconds: int, refused: str = "") -> None:
    """Write that the recorder connects and is let in; the first token may be *refused*."""
    token = pen.fetch_token(socket=socket, lifetime_seconds=lifetime_seconds)
    pen.wait(0.0009)
    pen.change(is_connected=True, refusal="")
    pen.transport("opened")
    if refused:
        pen.ask(m.Auth(token))
        pen.wait(0.0004)
        pen.say(m.JwtErrorReported(f"Error Event [{pen.uuid()}]: {refused}"))
        pen.wait(1.0)
        token = pen.fetch_token(socket=socket, lifetime_seconds=lifetime_seconds)
    _let_in(pen, token)
    pen.say(m.StatusChanged(pen.now.status))
    if pen.now.status is PowerState.OFFLINE:
        pen.wait(0.0002)
        pen.report(is_asked=True)


def refresh(pen: Pen, *, socket: str, lifetime_seconds: int) -> None:
    """Write that the client brings a new token."""
    _let_in(pen, pen.fetch_token(socket=socket, lifetime_seconds=lifetime_seconds))


def _let_in(pen: Pen, token: str) -> None:
    pen.ask(m.Auth(token))
    pen.wait(0.0005)
    pen.change(refusal="")
    pen.say(m.AuthSucceeded())


# ---------------------------------------------------------------- backups


def backup(
    pen: Pen,
    uuid: str,
    *,
    name: str,
    made_at: str,
    ended: m.BackupCompleted | None = None,
    ended_at: str | None = None,
) -> dict[str, Any]:
    """Return the panel's own object for a backup (PROTOCOL 4.2), running or *ended*."""
    is_done = ended is not None and ended.is_successful
    attributes: dict[str, Any] = {
        "uuid": uuid,
        "is_successful": is_done,
        "is_locked": False,
        "name": name,
        "ignored_files": [""],
        "checksum": f"{ended.checksum_type}:{ended.checksum}" if ended and is_done else None,
        "bytes": ended.size_bytes if ended else 0,
        "created_at": made_at,
        "completed_at": ended_at,
    }
    if pen.is_pelican:
        attributes["is_scheduled"] = False
    return {"object": "backup", "attributes": attributes}

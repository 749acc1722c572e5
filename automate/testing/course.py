"""What a server goes through, as the daemon tells it: boot, stop, crash, backup, a connection.

Pauses in seconds, as measured over loopback in the recordings; orders as in PROBED, section 4.
"""

import hashlib
from collections.abc import Sequence
from typing import Any

from automate.testing.pen import Making, Pen
from automate.wire import messages as m
from automate.wire.messages import PowerState

__all__ = [
    "begin_backup",
    "begin_stop",
    "boot",
    "connect",
    "crash",
    "end_backup",
    "fail_boot",
    "kill",
    "look_at_backup",
    "plan_backup",
    "refresh",
    "stop",
]

_CRASHED = "---------- Detected server process in a crashed state! ----------"
_DISABLED = "Aborting automatic restart, crash detection is disabled for this instance."
_GIVEN_UP = "Aborting automatic restart, last crash occurred less than 60 seconds ago."
_UNHANDLED = "Server crash was detected but an error occurred while handling it."
_NO_IMAGE = (
    "environment/docker: failed to run pre-boot process: environment/docker: failed to create "
    "container: Error response from daemon: No such image"
)
_CRASH_WINDOW_SECONDS = 60.0


# ---------------------------------------------------------------- power


def boot(pen: Pen, *, seconds: float, finishes: bool = True) -> None:
    """Write a boot that takes *seconds* from now, or that never *finishes*."""
    until = pen.now.t + seconds
    _prepare(pen)
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


def fail_boot(pen: Pen, *, is_asked: bool) -> None:
    """Write a boot for which there is no image (PROBED 4.2); for the daemon that is a crash.

    The error goes to the client that asked, if it did.
    """
    _prepare(pen)
    if is_asked:
        pen.error(_NO_IMAGE)
    pen.wait(0.004)
    pen.become(PowerState.OFFLINE)
    if not _reports_crash(pen, exit_code=1, out_of_memory=False, gives_up=None):
        return
    pen.change(restarted_at=pen.now.t)
    _prepare(pen)
    pen.wait(0.004)
    pen.become(PowerState.OFFLINE)
    pen.own(_UNHANDLED)
    _reports_crash(pen, exit_code=1, out_of_memory=False, gives_up=True)


def _prepare(pen: Pen) -> None:
    """Write what comes before the container."""
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
    if _reports_crash(pen, exit_code=exit_code, out_of_memory=out_of_memory, gives_up=gives_up):
        pen.change(restarted_at=pen.now.t)
        boot(pen, seconds=seconds)


def _reports_crash(pen: Pen, *, exit_code: int, out_of_memory: bool, gives_up: bool | None) -> bool:
    """Write what the daemon says of a crash; return whether it starts the server again."""
    if not pen.settings.crash_detection:
        pen.own(_DISABLED)
        return False
    pen.wait(0.0085)
    pen.own(_CRASHED)
    pen.own(f"Exit code: {exit_code}")
    pen.own(f"Out of memory: {'true' if out_of_memory else 'false'}")
    last = pen.now.restarted_at
    if gives_up is None:
        gives_up = last is not None and pen.now.t < last + _CRASH_WINDOW_SECONDS
    if gives_up:
        pen.own(_GIVEN_UP)
    return not gives_up


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


def plan_backup(pen: Pen, name: str) -> Making:
    """Return the backup that the panel begins now."""
    making = Making(uuid=pen.uuid(), name=name, made_at=pen.stamp)
    pen.change(backup=making)
    return making


def begin_backup(pen: Pen, making: Making) -> None:
    """Write that the client asked for a backup, and that the panel has begun it."""
    pen.wait(0.0038)
    response = _backup(pen, making)
    request = {"name": making.name}
    pen.call("POST", "/backups", request=request, response=response, seconds=0.0038)


def end_backup(pen: Pen, making: Making, *, successful: bool, size_bytes: int) -> m.BackupCompleted:
    """Write that the daemon tells of the end of a backup, and return what it told."""
    checksum = hashlib.sha1(making.uuid.encode(), usedforsecurity=False).hexdigest()
    ended = m.BackupCompleted(
        uuid=making.uuid,
        is_successful=successful,
        checksum=checksum if successful else "",
        checksum_type="sha1",
        size_bytes=size_bytes if successful else 0,
    )
    pen.say(ended)
    return ended


def look_at_backup(pen: Pen, making: Making, ended: m.BackupCompleted) -> None:
    """Write that the client looks at a backup which has ended."""
    pen.wait(0.0157)
    response = _backup(pen, making, ended)
    pen.call("GET", f"/backups/{making.uuid}", response=response, seconds=0.0014)
    pen.change(backup=None)


def _backup(pen: Pen, making: Making, ended: m.BackupCompleted | None = None) -> dict[str, Any]:
    """Return the panel's own object for a backup (PROTOCOL 4.2), running or *ended*."""
    is_done = ended is not None and ended.is_successful
    attributes: dict[str, Any] = {
        "uuid": making.uuid,
        "is_successful": is_done,
        "is_locked": False,
        "name": making.name,
        "ignored_files": [""],
        "checksum": f"{ended.checksum_type}:{ended.checksum}" if ended and is_done else None,
        "bytes": ended.size_bytes if ended else 0,
        "created_at": making.made_at,
        "completed_at": pen.stamp if ended else None,
    }
    if pen.is_pelican:
        attributes["is_scheduled"] = False
    return {"object": "backup", "attributes": attributes}

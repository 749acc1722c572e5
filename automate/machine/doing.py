"""How each step is begun, and what ends it: plain functions from a stage to an outcome.

A step is done when the world says so. What the daemon does with a request it never says, so
power steps watch the status and ask again: after a refusal because of the lock (it outlives
``offline`` by up to half a second), and after silence.
"""

from typing import Final

from attrs import frozen

from automate.machine.matching import match_change, match_line
from automate.machine.stage import DONE, WAITING, Failed, Needless, Outcome, Stage
from automate.machine.state import Waiting
from automate.machine.world import BackupEnded, Changed, Found, LockConflict, Occurrence
from automate.recipe.steps import (
    Announce,
    Backoff,
    Backup,
    Call,
    Command,
    Fail,
    Kill,
    Notify,
    PowerStep,
    Restart,
    Start,
    Step,
    Stop,
    Wait,
    WaitUntil,
)
from automate.recipe.template import render
from automate.recipe.triggers import ConsoleLine, StatusChanged
from automate.wire.messages import PowerAction, PowerState

__all__ = ["Answer", "answered", "begin", "due", "happened", "linked", "over", "said"]

# After `offline` the daemon's lock is free within 0.52 s (PROBED 3); a second is safe.
LOCK_SECONDS: Final = 1.0
# A start shows `starting` after a disk check that can take some seconds; then it was lost.
SILENCE_SECONDS: Final = 15.0
ASKS: Final = 4
# A command is not kept for later: typed into another situation it could do harm.
LINK_SECONDS: Final = 30.0
# The event `backup completed` is dropped for slow readers, so the panel is asked too.
POLL_SECONDS: Final = 15.0


@frozen(kw_only=True)
class Answer:
    """The result of a call: a refusal with its *error*, or what was learned of a backup."""

    error: str | None = None
    uuid: str | None = None
    is_done: bool = False
    is_failed: bool = False


def begin(step: Step, stage: Stage) -> Outcome:
    """Begin *step* and return how it stands."""
    match step:
        case Command() | Announce():
            return _begin_command(step, stage)
        case Notify(text=text):
            stage.tell(text)
            return DONE
        case Fail(text=text):
            return Failed(render(text, stage.run.values))
        case Wait():
            return _begin_wait(step, stage)
        case WaitUntil(limit_seconds=limit):
            return _wait(stage, limit)
        case Start() | Stop() | Restart() | Kill():
            return _begin_power(step, stage)
        case Backup(name=name, limit_seconds=limit):
            call = stage.make_backup(render(name, stage.run.values))
            return _wait(stage, limit, call=call)
        case Call(name=name, limit_seconds=limit):
            call = stage.call_python(name)
            # Python is not called in a rehearsal or a dry run: it gives None at once.
            return DONE if stage.manner.asks_once else _wait(stage, limit, call=call)
        case _:
            raise AssertionError(f"a block is no step of a program: {step}")


def happened(step: Step, stage: Stage, what: Occurrence) -> Outcome:
    """Return how *step* stands now that *what* happened to its server."""
    match step:
        case Start() | Stop() | Restart() | Kill():
            return _power_happened(step, stage, what)
        case Wait(unless=unless) if unless and isinstance(what, Changed | Found):
            return _unless(step, stage)
        case WaitUntil(trigger=StatusChanged() as trigger) if isinstance(what, Changed):
            return DONE if match_change(trigger, what) is not None else WAITING
        case Backup() if isinstance(what, BackupEnded) and what.uuid == _waiting(stage).uuid:
            return _backup_ended(what.is_successful)
        case _:
            return WAITING


def said(step: Step, stage: Stage, line: str) -> Outcome:
    """Return how *step* stands now that the game said *line*."""
    if isinstance(step, WaitUntil) and isinstance(step.trigger, ConsoleLine):
        groups = match_line(step.trigger, line)
        if groups is not None:
            return DONE
    return WAITING


def linked(step: Step, stage: Stage) -> Outcome:
    """Return how *step* stands now that the server can be reached again."""
    match step:
        case Command() | Announce():
            return _command(step, stage)
        case Start() | Stop() | Restart() | Kill() if not _waiting(stage).asked:
            return _ask(step, stage)
        case _:
            return WAITING


def answered(step: Step, stage: Stage, answer: Answer) -> Outcome:
    """Return how *step* stands now that its call was answered."""
    if answer.error is not None:
        # A poll that fails says nothing of the backup itself.
        return WAITING if _waiting(stage).uuid else Failed(answer.error)
    match step:
        case Call():
            return DONE
        case Backup():
            waiting = _waiting(stage)
            waiting.uuid = answer.uuid
            waiting.again = stage.at + POLL_SECONDS
            if answer.is_done or answer.is_failed:
                return _backup_ended(answer.is_done)
            known = stage.server.world.backups.get(answer.uuid or "")
            return WAITING if known is None else _backup_ended(known)
        case _:
            return WAITING


def due(step: Step, stage: Stage) -> Outcome:
    """Return how *step* stands now that a moment it waited for has come."""
    waiting = _waiting(stage)
    if waiting.until is not None and waiting.until <= stage.at:
        return _limit(step, stage)
    waiting.again = None
    match step:
        case Stop(kill_after_seconds=float() | int() as late) if (
            stage.at >= waiting.since + late and not waiting.left
        ):
            # The flag is free in a stop, and remembers that the kill was sent.
            waiting.left = True
            stage.power(PowerAction.KILL)
            return WAITING
        case Start() | Stop() | Restart() | Kill():
            return _ask(step, stage)
        case Backup() if waiting.uuid:
            waiting.call = stage.show_backup(waiting.uuid)
            waiting.again = stage.at + POLL_SECONDS
    return WAITING


def over(step: Step, stage: Stage) -> Outcome:
    """Return how *step* stands now that the world answers no more (the tape is over)."""
    return WAITING if isinstance(step, Wait) else stage.unconfirmed()


# ---------------------------------------------------------------- waiting


def _waiting(stage: Stage) -> Waiting:
    waiting = stage.run.waiting
    assert waiting is not None
    return waiting


def _wait(stage: Stage, limit: float, *, call: int | None = None) -> Outcome:
    """Wait for the world, for *limit* seconds at most; if it is silent for ever, not at all."""
    if not stage.manner.answers:
        return stage.unconfirmed()
    stage.run.waiting = Waiting(since=stage.at, until=stage.at + limit, call=call)
    return WAITING


def _limit(step: Step, stage: Stage) -> Outcome:
    if isinstance(step, Wait):
        if isinstance(step.seconds, Backoff):
            _count_attempt(stage)
        return DONE
    if stage.manner.asks_once:
        return stage.unconfirmed()
    waited = f"{stage.at - _waiting(stage).since:g} s"
    match step:
        case Command() | Announce():
            return Failed(f"there was no connection to the server for {waited}")
        case WaitUntil(trigger=trigger):
            return Failed(f"waited {waited} for this: {trigger}")
        case Backup():
            return Failed(f"the backup was not complete after {waited}")
        case Call(name=name):
            return Failed(f"{name} took longer than {waited}")
        case _:
            return Failed(f"after {waited} the server was still {_status(stage)}")


def _begin_wait(step: Wait, stage: Stage) -> Outcome:
    run, book = stage.run, stage.book
    pause = step.seconds
    if isinstance(pause, Backoff):
        last = book.last_attempt
        if last is None or run.cursor - last >= pause.reset_after_seconds:
            book.attempts = 0
        run.values["attempt"] = str(book.attempts + 1)
        pause = pause.seconds(book.attempts + 1)
    run.waiting = Waiting(since=run.cursor, until=run.cursor + pause)
    return _unless(step, stage)


def _count_attempt(stage: Stage) -> None:
    # Only a pause that came to its end counts: one that was not needed led to no attempt.
    stage.book.attempts += 1
    stage.book.last_attempt = stage.at


def _unless(step: Wait, stage: Stage) -> Outcome:
    world = stage.server.world
    if step.unless and world.status in step.unless.states:
        return Needless(f"the server is {world.status}")
    return WAITING


# ---------------------------------------------------------------- commands


def _begin_command(step: Command | Announce, stage: Stage) -> Outcome:
    if stage.server.connected or not stage.manner.answers:
        return _command(step, stage)
    return _wait(stage, LINK_SECONDS)


def _command(step: Command | Announce, stage: Stage) -> Outcome:
    within = step.command if isinstance(step, Announce) else "{text}"
    return stage.command(step.text, within=within)


# ---------------------------------------------------------------- power

_ACTIONS: Final = {
    Start: PowerAction.START,
    Stop: PowerAction.STOP,
    Restart: PowerAction.RESTART,
    Kill: PowerAction.KILL,
}


def _status(stage: Stage) -> str:
    return stage.server.world.status or "in an unknown state"


def _begin_power(step: PowerStep, stage: Stage) -> Outcome:
    world = stage.server.world
    match step:
        case Start() if world.status is PowerState.RUNNING:
            return DONE
        case Stop() | Kill() if world.status is PowerState.OFFLINE:
            return DONE
    stage.run.waiting = Waiting(since=stage.at, until=stage.at + step.limit_seconds)
    if isinstance(step, Start) and world.status in (PowerState.STARTING, PowerState.STOPPING):
        # On its way up nothing need be asked; on its way down a start would be lost.
        return WAITING if stage.manner.answers else stage.unconfirmed()
    if not (stage.server.connected or stage.manner.asks_once):
        return WAITING
    return _ask(step, stage)


def _ask(step: PowerStep, stage: Stage) -> Outcome:
    """Send the power action, once more or for the first time."""
    waiting = _waiting(stage)
    if waiting.asked >= ASKS:
        return Failed(
            f"asked {ASKS} times to {_ACTIONS[type(step)]}, but the server is still "
            f"{_status(stage)}; does the key's user have the permission?"
        )
    if waiting.asked == 0 or not stage.manner.asks_once:
        stage.power(_ACTIONS[type(step)])
        waiting.asked += 1
    if not stage.manner.answers:
        return stage.unconfirmed()
    waiting.again = _look_again(step, stage, waiting)
    return WAITING


def _look_again(step: PowerStep, stage: Stage, waiting: Waiting) -> float | None:
    """Return when to act again by itself: to kill after a slow stop, or after silence."""
    if isinstance(step, Stop) and step.kill_after_seconds is not None and not waiting.left:
        kill_at = waiting.since + step.kill_after_seconds
        silent_at = stage.at + SILENCE_SECONDS
        return kill_at if stage.manner.asks_once else min(kill_at, silent_at)
    return None if stage.manner.asks_once else stage.at + SILENCE_SECONDS


def _power_happened(step: PowerStep, stage: Stage, what: Occurrence) -> Outcome:
    waiting = _waiting(stage)
    match what:
        case LockConflict() if not stage.manner.asks_once and waiting.asked:
            # A refusal is no silence: it does not use up the number of times to ask.
            waiting.asked -= 1
            waiting.again = stage.at + LOCK_SECONDS
            return WAITING
        case Changed(to=status) | Found(to=status):
            return _status_seen(step, stage, status)
        case _:
            return WAITING


def _status_seen(step: PowerStep, stage: Stage, status: PowerState) -> Outcome:
    waiting = _waiting(stage)
    match step, status:
        case ((Stop() | Kill()), PowerState.OFFLINE):
            return DONE
        case Start(), PowerState.RUNNING:
            return DONE
        case Restart(), PowerState.RUNNING if waiting.left:
            return DONE
        case Start(), PowerState.OFFLINE if waiting.left:
            return Failed("it went offline again while starting")
        case Start(), PowerState.OFFLINE if not waiting.asked:
            # It was stopping when the step began; now a start can work, but for the lock.
            waiting.again = stage.at + LOCK_SECONDS
            return WAITING
        case Restart(), (PowerState.STOPPING | PowerState.OFFLINE | PowerState.STARTING):
            waiting.left = True
        case Start(), PowerState.STARTING:
            waiting.left = True
    if isinstance(step, Start | Restart | Kill) or waiting.left:
        # It is on its way: silence is broken, only the limit is left to watch.
        waiting.again = None
    elif status is PowerState.STOPPING and isinstance(step, Stop):
        late = step.kill_after_seconds
        waiting.again = None if late is None else waiting.since + late
    return WAITING


# ---------------------------------------------------------------- backups


def _backup_ended(is_successful: bool) -> Outcome:
    return DONE if is_successful else Failed("the backup failed")

"""How each step is begun, and what ends it: plain functions from a stage to an outcome.

A step is done when the world says so. How that is seen of the power steps is left to `power`.
"""

from collections.abc import Iterable
from typing import Final

from attrs import frozen

from automate.machine import power
from automate.machine.matching import match_change, match_line
from automate.machine.stage import DONE, WAITING, Failed, Needless, Outcome, Stage
from automate.machine.state import RecipeBook, Waiting
from automate.machine.world import BackupEnded, Changed, Found, Occurrence
from automate.recipe.steps import (
    Announce,
    Backoff,
    Backup,
    Call,
    Command,
    Fail,
    Kill,
    Notify,
    Restart,
    Start,
    Step,
    Stop,
    Wait,
    WaitUntil,
)
from automate.recipe.template import render
from automate.recipe.triggers import ConsoleLine, StatusChanged

__all__ = ["Answer", "answered", "attempt", "begin", "due", "happened", "linked", "over", "said"]

# A command is not kept for later: typed into another situation it could do harm. But what is to
# be done whatever happens (`save-on` after `save-off`) does harm if it is left out.
LINK_SECONDS: Final = 30.0
LINK_SECONDS_CLEANING_UP: Final = 3600.0
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
            return power.begin(step, stage)
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
            return power.happened(step, stage, what)
        case Wait(unless=unless) if unless and isinstance(what, Changed | Found):
            return _unless(step, stage)
        case WaitUntil(trigger=StatusChanged() as trigger) if isinstance(what, Changed | Found):
            return _status_awaited(trigger, what)
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
    # A power step waits on: what became of the server meanwhile is said next.
    return _command(step, stage) if isinstance(step, Command | Announce) else WAITING


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
    match step:
        case Start() | Stop() | Restart() | Kill():
            return power.due(step, stage)
        case Backup() if waiting.uuid:
            waiting.call = stage.show_backup(waiting.uuid)
            waiting.again = stage.at + POLL_SECONDS
    return WAITING


def over(step: Step, stage: Stage) -> Outcome:
    """Return how *step* stands now that the world answers no more (the tape is over)."""
    match step:
        case Wait():
            return WAITING
        case Command() | Announce():
            return _command(step, stage)
        case Start() | Stop() | Restart() | Kill():
            return power.over(step, stage)
        case _:
            return stage.unconfirmed()


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
    waited = f"{stage.at - _waiting(stage).since:g} s"
    match step:
        case Wait(seconds=pause):
            if isinstance(pause, Backoff):
                _count_attempt(stage)
            return DONE
        case Command() | Announce():
            return Failed(f"there was no connection to the server for {waited}")
        case _ if stage.manner.asks_once:
            return stage.unconfirmed()
        case WaitUntil(trigger=trigger):
            return Failed(f"waited {waited} for this: {trigger}")
        case Backup():
            return Failed(f"the backup was not complete after {waited}")
        case Call(name=name):
            return Failed(f"{name} took longer than {waited}")
        case _:
            return Failed(f"after {waited} the server was still {power.status(stage)}")


def _status_awaited(trigger: StatusChanged, what: Changed | Found) -> Outcome:
    if what.was is None or what.was is what.to:
        return WAITING
    # Of a change in a gap only its end is seen; whoever waits for it need not wait on.
    change = Changed(what.was, what.to)
    return WAITING if match_change(trigger, change) is None else DONE


# ---------------------------------------------------------------- pauses


def attempt(steps: Iterable[Step], stage: Stage) -> int:
    """Return the number of the attempt that a run of *steps* is, from 1."""
    pauses = [step.seconds for step in steps if isinstance(step, Wait)]
    growing = [pause for pause in pauses if isinstance(pause, Backoff)]
    return _attempts(growing[0], stage.book, stage.run.cursor) + 1 if growing else 1


def _attempts(pause: Backoff, book: RecipeBook, moment: float) -> int:
    """Return how many attempts lie behind, without a quiet time since."""
    last = book.last_attempt
    return 0 if last is None or moment - last >= pause.reset_after_seconds else book.attempts


def _begin_wait(step: Wait, stage: Stage) -> Outcome:
    run, book = stage.run, stage.book
    pause = step.seconds
    if isinstance(pause, Backoff):
        book.attempts = _attempts(pause, book, run.cursor)
        run.values["attempt"] = str(book.attempts + 1)
        pause = pause.seconds(book.attempts + 1)
    # A crash is told a second late: a shorter pause after it ends at once, not in the past.
    run.waiting = Waiting(since=run.cursor, until=max(run.cursor + pause, stage.at))
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
    return _wait(stage, LINK_SECONDS_CLEANING_UP if stage.cleans_up else LINK_SECONDS)


def _command(step: Command | Announce, stage: Stage) -> Outcome:
    within = step.command if isinstance(step, Announce) else "{text}"
    return stage.command(step.text, within=within)


# ---------------------------------------------------------------- backups


def _backup_ended(is_successful: bool) -> Outcome:
    return DONE if is_successful else Failed("the backup failed")

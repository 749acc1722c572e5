"""How each step is begun, and what ends it: plain functions from a stage to an outcome.

A step is done when the world says so. How that is seen of the power steps is left to `power`,
of backups to `saving`.
"""

from collections.abc import Iterable
from typing import Final

from automate.machine import power, saving
from automate.machine.answer import Answer
from automate.machine.occurrence import Occurrence, Said
from automate.machine.stage import DONE, NEWS, WAITING, Failed, Needless, Outcome, Stage, Still
from automate.machine.state import Waiting
from automate.machine.watches import due as watch_due
from automate.machine.watches import feed, interests, new_watch, next_at, on_restored
from automate.recipe.flow import WaitUntil
from automate.recipe.steps import (
    Announce,
    Backoff,
    Backup,
    Call,
    Command,
    CountPlayers,
    Fail,
    Kill,
    Notify,
    Restart,
    RunRecipe,
    SetVariable,
    Start,
    Stop,
    Wait,
)
from automate.recipe.template import TOLD_LIMIT, render
from automate.wire.games import Online

__all__ = [
    "QUEUED",
    "Answer",
    "answered",
    "attempt",
    "begin",
    "due",
    "ended",
    "happened",
    "is_doubtful",
    "is_sound",
    "linked",
    "over",
    "resumed",
]

# A command is not kept for later: typed into another situation it could do harm. But what is to
# be done whatever happens (`save-on` after `save-off`) does harm if it is left out.
LINK_SECONDS: Final = 30.0
LINK_SECONDS_CLEANING_UP: Final = 3600.0
# What tidies up and was refused by a full queue is tried again after so long.
AGAIN_SECONDS: Final = 5.0
# Whoever gives commands to the socket says so within half a minute, or that it did not.
CONFIRM_SECONDS: Final = 120.0
# The phase of a step that waits for a run which waits its own turn.
QUEUED: Final = "queued"
_LOOK_AGAIN_SECONDS: Final = 1.0
_CAN_NOT_COUNT: Final = "the game can't be asked who is online, or is not known (see --game)"


def begin(step: object, stage: Stage) -> Outcome:
    """Begin *step* and return how it stands."""
    match step:
        case Command() | Announce():
            return _begin_command(step, stage)
        case CountPlayers():
            return _begin_count(step, stage)
        case Notify(text=text):
            return _confirmed(stage, stage.tell(text))
        case SetVariable(name=name, text=text):
            stage.set_variable(name, text)
            return DONE
        case Fail(text=text):
            return Failed(render(text, stage.values, limit=TOLD_LIMIT))
        case Wait():
            return _begin_wait(step, stage)
        case WaitUntil():
            return _begin_wait_until(step, stage)
        case Start() | Stop() | Restart() | Kill():
            return power.begin(step, stage)
        case Backup():
            return saving.begin(step, stage)
        case RunRecipe():
            return _begin_run(step, stage)
        case Call(name=name, limit_seconds=limit):
            call = stage.call_python(name)
            # Python is not called in a rehearsal or a dry run: it gives None at once.
            return DONE if stage.manner.asks_once else _wait(stage, limit, call=call)
        case _:
            raise AssertionError(f"no step of a program: {step}")


def happened(step: object, stage: Stage, what: Occurrence) -> Outcome:
    """Return how *step* stands now that *what* happened to its server."""
    match step:
        case Start() | Stop() | Restart() | Kill():
            return power.happened(step, stage, what)
        case Wait():
            return _unless(step, stage)
        case WaitUntil():
            return _awaited(step, stage, what)
        case Backup():
            return saving.happened(step, stage, what)
        case CountPlayers() if isinstance(what, Said) and isinstance(what.game, Online):
            return DONE
        case _:
            return WAITING


def linked(step: object, stage: Stage) -> Outcome:
    """Return how *step* stands now that the server can be reached again."""
    # A power step waits on: what became of the server meanwhile is said next.
    if isinstance(step, Command | Announce) and _waiting(stage).call is None:
        return _command(step, stage)
    if isinstance(step, CountPlayers):
        # The answer to an earlier question may have been missed.
        return _count(step, stage)
    return WAITING


def answered(step: object, stage: Stage, answer: Answer) -> Outcome:
    """Return how *step* stands now that its call was answered."""
    match step:
        case Backup():
            return saving.answered(step, stage, answer)
        case Command() | Announce() if answer.error is not None and stage.cleans_up:
            return _try_again(stage, answer.error)
        case _ if answer.error is not None:
            return Failed(answer.error)
        case Command() | Announce() | Notify() | Call():
            return DONE
        case _:
            return WAITING


def ended(step: object, stage: Stage, outcome: Outcome) -> Outcome:
    """Return how *step* stands now that the run it waits for ended by *outcome*."""
    if isinstance(step, RunRecipe) and isinstance(outcome, Failed):
        return Failed(f"{step.name!r} failed: {outcome.reason}")
    return DONE


def due(step: object, stage: Stage) -> Outcome:
    """Return how *step* stands now that a moment it waited for has come."""
    waiting = _waiting(stage)
    if waiting.until is not None and waiting.until <= stage.at:
        return _limit(step, stage)
    if waiting.again is None or waiting.again > stage.at:
        # The moment was another's, that of what this step is in.
        return WAITING
    match step:
        case Start() | Stop() | Restart() | Kill():
            return power.due(step, stage)
        case Backup():
            return saving.due(step, stage)
        case Command() | Announce():
            waiting.again = None
            return _command(step, stage) if stage.server.connected else WAITING
        case CountPlayers() if not waiting.asked:
            waiting.again = None
            if stage.game.players_command is None:
                waiting.again = stage.at + _LOOK_AGAIN_SECONDS
                return WAITING
            return _count(step, stage) if stage.server.connected else WAITING
        case WaitUntil(trigger=trigger) if waiting.watch is not None:
            firings, _ = watch_due(trigger, waiting.watch, stage.at, stage.view)
            waiting.again = next_at(trigger, waiting.watch)
            return DONE if firings else NEWS
    return WAITING


def over(step: object, stage: Stage) -> Outcome:
    """Return how *step* stands now that the world answers no more (the tape is over)."""
    match step:
        case Wait():
            return WAITING
        case Command() | Announce() if _waiting(stage).call is None:
            return _command(step, stage)
        case Start() | Stop() | Restart() | Kill():
            return power.over(step, stage)
        case RunRecipe():
            # The run that it waits for comes to its own end.
            return WAITING
        case _:
            return stage.unconfirmed()


def resumed(step: object, stage: Stage) -> Outcome:
    """Return how *step* stands after a restart of automate itself.

    What was asked of the world is seen again from the world. Where nobody can know whether it
    was done (a command, a notice, a call) the step's `if_in_doubt` decides, and the doubt is
    traced.
    """
    waiting = _waiting(stage)
    match step:
        case Command() | Announce() | Notify() | Call() if waiting.call is not None:
            return _doubted(step, stage)
        case Command() | Announce() | CountPlayers():
            if waiting.asked:
                # It is asked once it can be reached; who heard the answer is no more.
                ended = "automate ended while the game was being asked"
                stage.trace("in doubt", f"{step}: {ended}; it is asked again")
                waiting.call = None
                _patiently(stage, LINK_SECONDS)
            if stage.cleans_up:
                _patiently(stage, LINK_SECONDS_CLEANING_UP)
            return WAITING
        case Start() | Stop() | Restart() | Kill():
            # Its time may be over, and the world have long done what was asked of it.
            _patiently(stage, LINK_SECONDS)
            return WAITING
        case Backup():
            _patiently(stage, CONFIRM_SECONDS)
            return saving.resumed(step, stage)
        case WaitUntil(trigger=trigger) if waiting.watch is not None:
            on_restored(trigger, waiting.watch, stage.at)
            waiting.again = next_at(trigger, waiting.watch)
            return WAITING
        case _:
            return WAITING


# ---------------------------------------------------------------- waiting


def _waiting(stage: Stage) -> Waiting:
    waiting = stage.run.waiting
    assert waiting is not None
    return waiting


def is_doubtful(step: object) -> bool:
    """Return whether nobody can know if *step* was done, should it be interrupted."""
    return isinstance(step, Command | Announce | Notify | Call)


def is_sound(step: object, waiting: Waiting) -> bool:
    """Return whether *waiting*, as it was written down, can be that of *step*."""
    match step:
        case WaitUntil():
            return waiting.watch is not None
        case RunRecipe():
            return waiting.child is not None or waiting.phase == QUEUED
        case Fail() | SetVariable():
            return False
        case _:
            return True


def _patiently(stage: Stage, seconds: float) -> None:
    """Give the step so many *seconds* from now, if it has not more."""
    waiting = _waiting(stage)
    waiting.until = max(waiting.until or stage.at, stage.at + seconds)


def _wait(stage: Stage, limit: float, *, call: int | None = None) -> Outcome:
    """Wait for the world, for *limit* seconds at most; if it is silent for ever, not at all."""
    if not stage.manner.answers:
        return stage.unconfirmed()
    stage.run.waiting = Waiting(since=stage.at, until=stage.at + limit, call=call)
    return WAITING


def _confirmed(stage: Stage, call: int | None) -> Outcome:
    """Wait until the *call* is answered, if there is one."""
    if call is None:
        return DONE
    since = stage.at if stage.run.waiting is None else stage.run.waiting.since
    stage.run.waiting = Waiting(since=since, until=stage.at + CONFIRM_SECONDS, call=call)
    return WAITING


def _doubted(step: Command | Announce | Notify | Call, stage: Stage) -> Outcome:
    repeats = step.if_in_doubt or (
        "repeat" if stage.cleans_up or isinstance(step, Notify) else "skip"
    )
    done = "done again" if repeats == "repeat" else "not done again"
    stage.trace("in doubt", f"{step}: automate ended while it was being done; {done}")
    if repeats == "skip":
        return DONE
    stage.run.waiting = None
    return begin(step, stage)


def _limit(step: object, stage: Stage) -> Outcome:
    waited = f"{round(stage.at - _waiting(stage).since, 6):g} s"
    match step:
        case Wait():
            return _end_wait(step, stage)
        case Command() | Announce() | CountPlayers() if _waiting(stage).call is None and (
            not stage.server.connected
        ):
            return Failed(f"there was no connection to the server for {waited}")
        case _ if stage.manner.asks_once:
            return stage.unconfirmed()
        case Command() | Announce() | Notify():
            return Failed(f"nobody said within {waited} that it was done")
        case WaitUntil(trigger=trigger):
            return Failed(f"waited {waited} for this: {trigger}", is_limit=True)
        case Backup():
            return saving.limit(waited, stage)
        case Call(name=name):
            return Failed(f"{name} took longer than {waited}")
        case CountPlayers() if not _waiting(stage).asked and stage.server.connected:
            return Failed(_CAN_NOT_COUNT)
        case CountPlayers():
            return Failed(f"the game did not say within {waited} who is online")
        case RunRecipe(name=name):
            return Failed(f"{name!r} was not over after {waited}")
        case _:
            return Failed(f"after {waited} the server was still {power.status(stage)}")


def _begin_wait_until(step: WaitUntil, stage: Stage) -> Outcome:
    outcome = _wait(stage, step.limit_seconds)
    waiting = stage.run.waiting
    if waiting is not None:
        waiting.watch = new_watch(step.trigger, stage.at, stage.view)
        waiting.again = next_at(step.trigger, waiting.watch)
        if Said in interests(step.trigger):
            waiting.console = stage.view.recent_lines()
    return outcome


def _awaited(step: WaitUntil, stage: Stage, what: Occurrence) -> Outcome:
    trigger, waiting = step.trigger, _waiting(stage)
    assert waiting.watch is not None
    # Of a change in a gap only its end is seen; whoever waits for it need not wait on.
    firings, changed = feed(trigger, waiting.watch, what, stage.at, stage.view, awaited=True)
    if not changed:
        return DONE if firings else WAITING
    waiting.again = next_at(trigger, waiting.watch)
    return DONE if firings else NEWS


# ---------------------------------------------------------------- pauses


def attempt(steps: Iterable[object], stage: Stage) -> int:
    """Return the number of the attempt that a run of *steps* is, from 1."""
    pauses = [step.seconds for step in steps if isinstance(step, Wait)]
    growing = [pause for pause in pauses if isinstance(pause, Backoff)]
    return _attempts(growing[0], stage) + 1 if growing else 1


def _attempts(pause: Backoff, stage: Stage) -> int:
    """Return how many attempts lie behind, without a healthy time since."""
    book = stage.book
    last = book.last_attempt
    if last is None or stage.server.world.was_healthy(
        pause.reset_after_seconds, at=stage.run.cursor, since=last
    ):
        return 0
    return book.attempts


def _begin_wait(step: Wait, stage: Stage) -> Outcome:
    run, book = stage.run, stage.book
    pause = step.seconds
    if isinstance(pause, Backoff):
        book.attempts = _attempts(pause, stage)
        stage.note_book()
        run.values["attempt"] = str(book.attempts + 1)
        pause = pause.seconds(book.attempts + 1)
    # A crash is told a second late: a shorter pause after it ends at once, not in the past.
    meant_at = run.cursor + pause
    run.waiting = Waiting(since=run.cursor, until=max(meant_at, stage.at), meant_at=meant_at)
    return _unless(step, stage)


def _end_wait(step: Wait, stage: Stage) -> Outcome:
    # What only time makes true (an hour of the day) may not have been looked at since.
    found = _unless(step, stage)
    if isinstance(found, Needless):
        return found
    if isinstance(step.seconds, Backoff):
        # Only a pause that came to its end counts: one that was not needed led to no attempt.
        stage.book.attempts += 1
        stage.book.last_attempt = stage.at
        stage.note_book()
    return DONE


def _unless(step: Wait, stage: Stage) -> Outcome:
    if step.unless is None:
        return WAITING
    verdict = stage.judge(step.unless)
    return Needless(verdict.found) if verdict.holds else WAITING


# ---------------------------------------------------------------- commands


def _begin_command(step: Command | Announce, stage: Stage) -> Outcome:
    if stage.server.connected or not stage.manner.answers:
        return _command(step, stage)
    return _wait(stage, LINK_SECONDS_CLEANING_UP if stage.cleans_up else LINK_SECONDS)


def _command(step: Command | Announce, stage: Stage) -> Outcome:
    match step:
        case Announce(command=None):
            sent = stage.announce(step.text)
        case Announce(command=str(frame)):
            sent = stage.command(step.text, within=frame)
        case _:
            sent = stage.command(step.text)
    return sent if isinstance(sent, Failed) else _confirmed(stage, sent)


def _try_again(stage: Stage, error: str) -> Outcome:
    """Wait for the link again, or a little: what puts something right is not given up so soon."""
    waiting = _waiting(stage)
    waiting.until = waiting.since + LINK_SECONDS_CLEANING_UP
    if waiting.until <= stage.at:
        return Failed(error)
    waiting.again = stage.at + AGAIN_SECONDS if stage.server.connected else None
    return WAITING


def _begin_count(step: CountPlayers, stage: Stage) -> Outcome:
    if stage.game.players_command is None:
        # Automate may have begun a moment ago: what game it is shows in the log.
        is_open = stage.server.game is None and stage.manner.answers and not stage.manner.asks_once
        outcome = _wait(stage, step.limit_seconds) if is_open else Failed(_CAN_NOT_COUNT)
        if is_open and stage.run.waiting is not None:
            stage.run.waiting.again = stage.at + _LOOK_AGAIN_SECONDS
        return outcome
    if stage.server.connected or not stage.manner.answers:
        return _count(step, stage)
    return _wait(stage, LINK_SECONDS)


def _count(step: CountPlayers, stage: Stage) -> Outcome:
    command = stage.game.players_command
    if command is None:
        return Failed(_CAN_NOT_COUNT)
    sent = stage.command(command)
    if isinstance(sent, Failed):
        return sent
    outcome = _wait(stage, step.limit_seconds, call=sent)
    if stage.run.waiting is not None:
        stage.run.waiting.asked, stage.run.waiting.asked_at = 1, stage.at
    return outcome


def _begin_run(step: RunRecipe, stage: Stage) -> Outcome:
    begun = stage.set_off(step.name)
    until = stage.at + step.limit_seconds
    if isinstance(begun, int):
        stage.run.waiting = Waiting(since=stage.at, until=until, child=begun)
    elif isinstance(begun, Still):
        stage.run.waiting = Waiting(since=stage.at, until=until, phase=QUEUED)
    else:
        return ended(step, stage, begun)
    return WAITING

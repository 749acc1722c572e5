"""Power steps: how they ask, when they ask again, and what they take for the answer.

What the daemon does with a request it never says, so a power step watches the status. It asks
again after a refusal because of the lock (which outlives ``offline`` by up to half a second),
and after silence. It asks nothing while the status is unknown: the answer may be there already.

Other people click, too: a stop or a restart of theirs may hold the lock, and not every ``offline``
is an end. It comes in the middle of a restart, and by mistake where a line of output equals the
stop command (PROBED 4.5). One that may be such is believed a second later.
"""

from typing import Final

from automate.machine.occurrence import Changed, Found, LockConflict, Occurrence, Reported
from automate.machine.stage import DONE, WAITING, Failed, Outcome, Stage
from automate.machine.state import Waiting
from automate.recipe.steps import Kill, PowerStep, Restart, Start, Stop
from automate.wire.messages import PowerAction, PowerState

__all__ = ["begin", "due", "happened", "over", "status"]

# After `offline` the daemon's lock is free within 0.52 s (PROBED 3); a second is safe.
LOCK_SECONDS: Final = 1.0
# A start shows `starting` after a disk check that can take some seconds; then it was lost.
SILENCE_SECONDS: Final = 15.0
# A kill takes no longer, and a second after the link the stats tell since when the server runs.
SIGHT_SECONDS: Final = 2.0
# A lock may also be held for minutes: while an image is pulled, or by a stop that hangs.
_PATIENCE: Final = 0.1
ASKS: Final = 4

_ACTIONS: Final = {
    Start: PowerAction.START,
    Stop: PowerAction.STOP,
    Restart: PowerAction.RESTART,
    Kill: PowerAction.KILL,
}


def begin(step: PowerStep, stage: Stage) -> Outcome:
    """Begin *step* and return how it stands."""
    stage.run.waiting = Waiting(since=stage.at, until=stage.at + step.limit_seconds)
    return WAITING if _is_blind(stage) else _look(step, stage)


def happened(step: PowerStep, stage: Stage, what: Occurrence) -> Outcome:
    """Return how *step* stands now that *what* happened to its server."""
    waiting = _waiting(stage)
    match what:
        case LockConflict() if waiting.asked and not stage.manner.asks_once:
            _refused(step, stage)
        case Changed() if waiting.asked:
            return _moved(step, stage, what)
        case Changed():
            return _moved_by_itself(step, stage, what)
        case Found():
            return _found(step, stage, what)
        case Reported() if waiting.asked and _is_new_process(step, stage, what):
            return DONE
    return WAITING


def due(step: PowerStep, stage: Stage) -> Outcome:
    """Return how *step* stands now that it looks again by itself."""
    waiting = _waiting(stage)
    waiting.again = None
    if _is_blind(stage):
        return WAITING
    if _kill_at(step, stage) == stage.at:
        # The flag is free in a stop, and remembers that it has become a kill.
        waiting.left = True
        waiting.asked = 0
    return _ask(step, stage) if waiting.asked else _look(step, stage)


def over(step: PowerStep, stage: Stage) -> Outcome:
    """Return how *step* stands now that the world answers no more (the tape is over)."""
    waiting = _waiting(stage)
    if waiting.asked:
        return stage.unconfirmed()
    if waiting.again is not None and stage.server.world.status is PowerState.OFFLINE:
        # It only gives the lock its time.
        return WAITING
    return _look(step, stage)


def status(stage: Stage) -> str:
    """Return the server's status, as the end of a sentence."""
    return stage.server.world.status or "in an unknown state"


def _waiting(stage: Stage) -> Waiting:
    waiting = stage.run.waiting
    assert waiting is not None
    return waiting


def _is_blind(stage: Stage) -> bool:
    """Whether the status known is an old one: what it is now will be heard."""
    return stage.manner.answers and (stage.server.world.gap or not stage.server.connected)


def _look(step: PowerStep, stage: Stage) -> Outcome:
    """Decide by the status whether *step* is done, has to ask, or only has to wait."""
    waiting, state = _waiting(stage), stage.server.world.status
    match step, state:
        case ((Stop() | Kill()), PowerState.OFFLINE) if _may_be_no_end(stage):
            waiting.again = stage.at + LOCK_SECONDS
            return WAITING
        case (Start(), PowerState.RUNNING) | ((Stop() | Kill()), PowerState.OFFLINE):
            return DONE
        case (Start(), PowerState.STARTING) | (Stop(), PowerState.STOPPING) if not _is_kill(
            step, waiting
        ):
            # It is on its way, whoever asked: a stop would only meet the lock.
            waiting.again = _kill_at(step, stage)
            return WAITING if stage.manner.answers else stage.unconfirmed()
        case ((Start() | Restart()), PowerState.STOPPING) if stage.manner.answers:
            # A start would be lost now; at `offline` it can be asked for.
            return WAITING
        case Restart(), PowerState.STARTING if waiting.left:
            return WAITING if stage.manner.answers else stage.unconfirmed()
    return _ask(step, stage)


def _may_be_no_end(stage: Stage) -> bool:
    """Whether the server went offline a moment ago.

    The daemon may have been mistaken; or it is bringing it up, after a crash or in a restart.
    """
    world = stage.server.world
    went_at = world.stopped_at if world.fall is None else world.fall.at
    is_fresh = went_at is not None and stage.at < went_at + LOCK_SECONDS
    return is_fresh and not stage.manner.asks_once


def _ask(step: PowerStep, stage: Stage) -> Outcome:
    """Send the power action, once more or for the first time."""
    waiting = _waiting(stage)
    kill_at = _kill_at(step, stage)
    action = PowerAction.KILL if _is_kill(step, waiting) else _ACTIONS[type(step)]
    if waiting.asked >= ASKS and kill_at is None:
        return Failed(
            f"asked {ASKS} times to {action}, but the server is still {status(stage)}; "
            "is the key's user allowed to, and is there room on the disk?"
        )
    if waiting.asked == 0 or not (stage.manner.asks_once or waiting.asked >= ASKS):
        if isinstance(step, Kill) and stage.server.world.status is PowerState.STOPPING:
            # If this is the beginning of a restart, it goes on after the kill.
            waiting.left = True
        stage.power(action)
        waiting.asked += 1
        waiting.asked_at = stage.at
    if not stage.manner.answers:
        return stage.unconfirmed()
    # In a rehearsal nobody answers a second time, and only the kill is another action.
    again = None if stage.manner.asks_once else stage.at + SILENCE_SECONDS
    waiting.again = min((at for at in (again, kill_at) if at is not None), default=None)
    return WAITING


def _is_kill(step: PowerStep, waiting: Waiting) -> bool:
    return isinstance(step, Stop) and waiting.left


def _kill_at(step: PowerStep, stage: Stage) -> float | None:
    """Return when *step* stops waiting for a slow stop and kills; ``None`` if never."""
    waiting = _waiting(stage)
    if not isinstance(step, Stop) or step.kill_after_seconds is None or waiting.left:
        return None
    return max(stage.at, waiting.since + step.kill_after_seconds)


def _refused(step: PowerStep, stage: Stage) -> None:
    """Take in that the daemon refused a request because of the lock: one of ours, as it seems."""
    waiting, state = _waiting(stage), stage.server.world.status
    if isinstance(step, Kill) or _is_kill(step, waiting):
        return  # a kill goes through, whoever holds the lock
    if state is PowerState.STARTING and waiting.left:
        return  # it is on its way, and another's request was refused
    if state is PowerState.STOPPING:
        # Another's stop or restart holds the lock; what it comes to will be seen.
        waiting.asked = 0
        waiting.again = _kill_at(step, stage)
    else:
        # A refusal is no silence: it does not use up the number of times to ask.
        waiting.asked -= 1
        patience = _PATIENCE * (stage.at - waiting.since)
        waiting.again = stage.at + min(max(LOCK_SECONDS, patience), SILENCE_SECONDS)


def _moved(step: PowerStep, stage: Stage, what: Changed) -> Outcome:
    """Return how *step* stands, having asked, now that the status changed."""
    waiting = _waiting(stage)
    match step, what:
        case ((Stop() | Kill()), Changed(to=PowerState.OFFLINE)):
            return _ended(stage, what)
        case Start(), Changed(to=PowerState.RUNNING):
            return DONE
        case Restart(), Changed(to=PowerState.RUNNING):
            return DONE if waiting.left else WAITING
        case ((Start() | Restart()), Changed(was=PowerState.STARTING, to=PowerState.OFFLINE)):
            return Failed("it went offline again while starting")
        case ((Start() | Restart()), Changed(was=PowerState.STARTING)) if waiting.left:
            # A restart that was asked for while it was starting begins with a stop, too.
            return Failed("it was stopped while it was starting")
        case Restart(), Changed(was=PowerState.RUNNING, to=PowerState.OFFLINE):
            # No restart begins so: a crash, or the daemon's mistake.
            waiting.again = stage.at + SILENCE_SECONDS
            return WAITING
        case Restart(), Changed(to=PowerState.OFFLINE):
            # This is not its end, unless it was somebody else's stop.
            waiting.left = True
            waiting.again = stage.at + SILENCE_SECONDS
            return WAITING
        case Start(), Changed(to=PowerState.STARTING):
            waiting.left = True
        case Restart(), Changed(to=_):
            waiting.left = True
        case ((Stop() | Kill()), Changed(to=PowerState.STOPPING)):
            pass
        case _:
            return WAITING
    # It is on its way: silence is broken, only the limits are left to watch.
    waiting.again = _kill_at(step, stage)
    return WAITING


def _ended(stage: Stage, what: Changed) -> Outcome:
    """Return whether a stop is over at this ``offline``: it is, if it was ours that led there."""
    waiting = _waiting(stage)
    if stage.manner.asks_once or (what.was is PowerState.STOPPING and not waiting.left):
        return DONE
    waiting.asked = 0
    waiting.again = stage.at + LOCK_SECONDS
    return WAITING


def _moved_by_itself(step: PowerStep, stage: Stage, what: Changed) -> Outcome:
    """Return how *step* stands, having nothing asked, now that the status changed."""
    waiting = _waiting(stage)
    if isinstance(step, Restart) and waiting.left and what.to is PowerState.RUNNING:
        # Somebody else restarted it meanwhile.
        return DONE
    if what.to is PowerState.OFFLINE:
        # The lock may still be held; and within somebody else's restart `offline` lasts 30 ms.
        waiting.left = waiting.left or isinstance(step, Restart)
        waiting.again = stage.at + LOCK_SECONDS
        return WAITING
    if waiting.again is None or (isinstance(step, Start) and what.to is PowerState.RUNNING):
        return _look(step, stage)
    return WAITING


def _found(step: PowerStep, stage: Stage, what: Found) -> Outcome:
    """Return how *step* stands now that the status is known again after a gap."""
    waiting = _waiting(stage)
    if isinstance(step, Restart) and waiting.asked:
        if what.to is PowerState.RUNNING and not waiting.left:
            # It may have restarted unseen, or the request was lost; silence will tell.
            waiting.again = stage.at + SILENCE_SECONDS
            return WAITING
        return _moved(step, stage, Changed(PowerState.STOPPING, what.to))
    if isinstance(step, Start) and waiting.left and what.to is PowerState.OFFLINE:
        return Failed("it went offline again while starting")
    if isinstance(step, Kill) and waiting.asked and what.to is not PowerState.OFFLINE:
        # It may be about to take effect, or have done so unseen; soon that will be seen.
        waiting.again = stage.at + SIGHT_SECONDS
        return WAITING
    return _look(step, stage)


def _is_new_process(step: PowerStep, stage: Stage, what: Reported) -> bool:
    """Whether what runs now was started after *step* had asked for the end of what ran before.

    Nobody need have seen that: the stats tell how long it has been up.
    """
    asked_at, uptime = _waiting(stage).asked_at, what.stats.uptime_seconds
    if not uptime or asked_at is None or stage.at - uptime <= asked_at:
        return False
    match step:
        case Restart():
            return stage.server.world.status is PowerState.RUNNING
        case Kill():
            return stage.server.world.status in (PowerState.STARTING, PowerState.RUNNING)
        case _:
            return False

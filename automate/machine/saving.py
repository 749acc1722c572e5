"""The backup step: made once, complete when the panel or the daemon says so, old ones deleted.

Whoever was killed in between looks whether the backup is there before another is made.
"""

from typing import Final

from automate.machine.answer import Answer, KnownBackup
from automate.machine.occurrence import BackupEnded, Occurrence
from automate.machine.stage import DONE, WAITING, Failed, Outcome, Stage
from automate.machine.state import Waiting
from automate.recipe.steps import Backup
from automate.recipe.template import render

__all__ = ["answered", "begin", "due", "happened", "limit", "resumed"]

# The event `backup completed` is dropped for slow readers, so the panel is asked too.
POLL_SECONDS: Final = 15.0
# How far the panel's clock may be from ours when a backup is looked for by when it was made.
SKEW_SECONDS: Final = 120.0


def begin(step: Backup, stage: Stage) -> Outcome:
    """Have the backup made and return how the step stands."""
    if not stage.manner.answers:
        stage.make_backup(_name(step, stage))
        return stage.unconfirmed()
    stage.run.waiting = Waiting(since=stage.at, until=stage.at + step.limit_seconds)
    _make(step, stage)
    return WAITING


def happened(step: Backup, stage: Stage, what: Occurrence) -> Outcome:
    """Return how the step stands now that *what* happened."""
    if isinstance(what, BackupEnded) and what.uuid == _waiting(stage).uuid:
        return _ended(step, stage, is_successful=what.is_successful)
    return WAITING


def answered(step: Backup, stage: Stage, answer: Answer) -> Outcome:
    """Return how the step stands now that its call was answered."""
    waiting = _waiting(stage)
    waiting.call = None
    match waiting.phase:
        case "making" if answer.is_full and step.keep is not None:
            # One of our own has to go first, for there is no room for another.
            waiting.phase = "listing for room"
            waiting.call = stage.list_backups()
            return WAITING
        case "making" | "making in room" if answer.error is not None:
            return Failed(answer.error)
        case "listing for room":
            return _make_room(step, stage, answer)
        case "deleting for room" if answer.error is not None:
            return Failed(f"there is no room for a backup: {answer.error}")
        case "deleting for room":
            _make(step, stage, phase="making in room")
            return WAITING
        case "looking":
            return _looked(step, stage, answer)
        case "listing old ones" | "deleting old ones":
            return _tidy(step, stage, answer)
        case _:
            # A poll that fails says nothing of the backup itself.
            return WAITING if answer.error is not None else _known(step, stage, answer)


def due(step: Backup, stage: Stage) -> Outcome:
    """Return how the step stands now that it is time to ask the panel."""
    waiting = _waiting(stage)
    waiting.again = None
    if waiting.phase == "looking":
        waiting.call = stage.list_backups()
    elif waiting.phase == "waiting" and waiting.uuid:
        waiting.again = stage.at + POLL_SECONDS
        # A slow panel's answer would never be heard if it were asked anew meanwhile.
        if waiting.call is None:
            waiting.call = stage.show_backup(waiting.uuid)
    return WAITING


def limit(waited: str, stage: Stage) -> Outcome:
    """Return how the step ends at its limit: without old ones deleted is not failed."""
    if _waiting(stage).phase.endswith("old ones"):
        stage.trace("warning", f"old backups were not deleted after {waited}")
        return DONE
    return Failed(f"the backup was not complete after {waited}")


def resumed(step: Backup, stage: Stage) -> Outcome:
    """Return how the step stands after a restart: it looks what the panel has."""
    waiting = _waiting(stage)
    match waiting.phase:
        case "waiting":
            waiting.again, waiting.call = stage.at, None
        case "listing old ones" | "deleting old ones":
            waiting.phase = "listing old ones"
            waiting.call = stage.list_backups()
        case "listing for room" | "deleting for room":
            waiting.phase = "listing for room"
            waiting.call = stage.list_backups()
        case _:
            waiting.phase = "looking"
            waiting.call = stage.list_backups()
    return WAITING


def _waiting(stage: Stage) -> Waiting:
    waiting = stage.run.waiting
    assert waiting is not None
    return waiting


def _name(step: Backup, stage: Stage) -> str:
    return render(step.name, stage.values)


def _make(step: Backup, stage: Stage, *, phase: str = "making") -> None:
    waiting = _waiting(stage)
    waiting.phase = phase
    waiting.call = stage.make_backup(_name(step, stage))


def _own(step: Backup, stage: Stage, answer: Answer) -> list[KnownBackup]:
    """Return the backups of the step's name, newest first."""
    name = _name(step, stage)
    own = [one for one in answer.backups if one.name == name]
    return sorted(own, key=lambda one: (-one.made_at, one.uuid))


def _make_room(step: Backup, stage: Stage, answer: Answer) -> Outcome:
    """Delete the oldest of our own, if there are as many as are to be kept."""
    waiting = _waiting(stage)
    if answer.error is not None:
        return Failed(f"there is no room for a backup: {answer.error}")
    spare = [one for one in _own(step, stage, answer) if one.is_done and not one.is_locked]
    if len(spare) < (step.keep or 1):
        return Failed("the panel allows no more backups, and those of this name are too few")
    waiting.phase = "deleting for room"
    waiting.call = stage.delete_backup(spare[-1].uuid)
    return WAITING


def _looked(step: Backup, stage: Stage, answer: Answer) -> Outcome:
    """Go on by what the panel has: with the backup asked for before, or with another one."""
    if answer.error is not None:
        # Where a whole machine came back, the panel may be later than we are.
        stage.trace("warning", f"whether the backup was made can't be said yet: {answer.error}")
        _waiting(stage).again = stage.at + POLL_SECONDS
        return WAITING
    since = stage.unix(_waiting(stage).since) - SKEW_SECONDS
    made = [one for one in _own(step, stage, answer) if one.made_at >= since]
    asked = "automate ended while a backup was asked for"
    if not made:
        stage.trace("in doubt", f"{asked}; there is none, so it is asked for again")
        _make(step, stage)
        return WAITING
    stage.trace("in doubt", f"{asked}; it is there")
    found = made[0]
    return _known(
        step,
        stage,
        Answer(uuid=found.uuid, is_done=found.is_done, is_failed=found.is_failed),
    )


def _known(step: Backup, stage: Stage, answer: Answer) -> Outcome:
    """Go on with the backup that *answer* tells of."""
    waiting = _waiting(stage)
    waiting.phase = "waiting"
    waiting.uuid = answer.uuid or waiting.uuid
    waiting.again = stage.at + POLL_SECONDS
    if answer.is_done or answer.is_failed:
        return _ended(step, stage, is_successful=answer.is_done)
    known = stage.server.world.backups.get(answer.uuid or "")
    return WAITING if known is None else _ended(step, stage, is_successful=known)


def _ended(step: Backup, stage: Stage, *, is_successful: bool) -> Outcome:
    if not is_successful:
        return Failed("the backup failed")
    if step.keep is None or stage.manner.asks_once:
        return DONE
    waiting = _waiting(stage)
    waiting.phase, waiting.again = "listing old ones", None
    waiting.call = stage.list_backups()
    return WAITING


def _tidy(step: Backup, stage: Stage, answer: Answer) -> Outcome:
    """Delete what is too old, one after the other; that is no reason to fail."""
    waiting = _waiting(stage)
    assert step.keep is not None
    if answer.error is not None:
        stage.trace("warning", f"an old backup was not deleted: {answer.error}")
        return DONE
    if waiting.phase == "listing old ones":
        whole = [one for one in _own(step, stage, answer) if one.is_done]
        waiting.rest = [one.uuid for one in whole[step.keep :] if not one.is_locked]
        waiting.phase = "deleting old ones"
    else:
        waiting.rest = waiting.rest[1:]
    if not waiting.rest:
        return DONE
    waiting.call = stage.delete_backup(waiting.rest[0])
    return WAITING

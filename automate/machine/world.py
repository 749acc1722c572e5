"""What is known of one server, from what its daemon says.

A crash is a shape of states, not a line of text: ``running`` or ``starting`` to ``offline``
with no ``stopping`` between, on an unbroken connection. The daemon's lines only add the exit
code, whether memory ran out, and whether it gives up; they may come before or after.
"""

from typing import Final

from attrs import define
from attrs import field as attrs_field

from automate.machine.occurrence import (
    SETTLE_SECONDS,
    BackupEnded,
    Changed,
    Deleted,
    ErrorReported,
    Fall,
    FeatureSeen,
    Fell,
    Found,
    Installed,
    LockConflict,
    Occurrence,
    Restored,
    Throttled,
    Transferred,
)
from automate.wire import messages as m
from automate.wire.console import CrashNoted, RestartAborted, crash_report, daemon_line
from automate.wire.messages import PowerState

__all__ = [
    "Doubt",
    "World",
]

# Stats come each 1.00 to 1.03 s (PROBED 7.2): said twice, half a second apart, is no stray.
_TWICE_SECONDS: Final = 0.5
_STATES: Final = {state.value: state for state in PowerState}
_UP: Final = (PowerState.RUNNING, PowerState.STARTING)
# A state that only the stats showed, and the status that proves the server went through it.
_PASSED: Final = (
    (PowerState.STOPPING, PowerState.OFFLINE),
    (PowerState.OFFLINE, PowerState.STARTING),
)
# How many ended backups are remembered: the event can come before the panel's answer that
# says which backup is ours.
_BACKUPS_KEPT: Final = 32


@define
class Doubt:
    """The stats say another state than the status events: one of them may have been dropped."""

    state: PowerState
    at: float

    @property
    def believed_at(self) -> float | None:
        """When it is believed, unless something clears it up before; ``None``: not by itself.

        Of a server that is offline there is one report and no more; of any other there is one
        each second, so that a stray one, overtaken by a status, is not taken for the truth.
        """
        return self.at + SETTLE_SECONDS if self.state is PowerState.OFFLINE else None


@define
class World:
    """One server as it is known; `observe` and the others take in what is heard."""

    status: PowerState | None = None
    # Whether what is heard next may follow on something that was missed.
    gap: bool = True
    fall: Fall | None = None
    # What the daemon said of a crash before its status event came.
    early: Fall | None = None
    doubt: Doubt | None = None
    backups: dict[str, bool] = attrs_field(factory=dict)
    # Since when it has been running without a break, as far as was seen; the last such time.
    running_since: float | None = None
    ran_until: float | None = None
    ran_seconds: float = 0.0
    # When it was last stopped on purpose.
    stopped_at: float | None = None

    def observe(self, message: m.ServerMessage, at: float) -> list[Occurrence]:
        """Return what happened, by a *message* that is no game's console line."""
        match message:
            case m.StatusChanged(status=status):
                passed = self._pass_through(status)
                self.doubt = None
                return [*passed, *self._become(status, at)]
            case m.StatsReported(stats=stats):
                return self._weigh(stats.state, at)
            case m.ConsoleOutput(line=line):
                self._read(daemon_line(line), at)
            case m.JwtErrorReported(text=text):
                # In its bare form it stands in place of an event that is lost.
                if not text.startswith("Error Event"):
                    self.lose_sight()
            case m.DaemonErrorReported(text=text):
                refused: list[Occurrence] = [LockConflict()] if message.is_lock_conflict else []
                return [*refused, ErrorReported(text)]
            case m.BackupCompleted():
                return [self._end_backup(message)]
            case _:
                told = _told(message)
                return [] if told is None else [told]
        return []

    def was_healthy(self, seconds: float, *, at: float, since: float) -> bool:
        """Return whether it ran for so many *seconds* without a break, or was stopped, *since*.

        Both by what was seen up to *at*: running or offline unseen counts for nothing.
        """
        running = 0.0 if self.running_since is None else at - self.running_since
        ran = self.ran_seconds if (self.ran_until or 0.0) > since else 0.0
        stopped = self.stopped_at is not None and self.stopped_at > since
        return stopped or max(running, ran) >= seconds

    def lose_sight(self) -> None:
        """Note that something may be missed from here on: the link is lost, or the token.

        A fall that was seen is told all the same: the link stood when it happened.
        """
        self.gap = True
        self.early = self.doubt = None

    def settle(self, at: float) -> list[Occurrence]:
        """Return what is certain by *at*: crashes that settled, states of stats believed."""
        happened: list[Occurrence] = []
        believed_at = self.doubt.believed_at if self.doubt else None
        if believed_at is not None and believed_at <= at:
            happened += self._believe()
        if self.fall and self.fall.told_at <= at:
            happened += self._tell_fall()
        return happened

    @property
    def settles_at(self) -> float | None:
        """When `settle` has something to say, if nothing else is heard; ``None`` if never."""
        moments = [
            *([self.fall.told_at] if self.fall else []),
            *([self.doubt.believed_at] if self.doubt else []),
        ]
        return min((moment for moment in moments if moment is not None), default=None)

    def _become(self, status: PowerState, at: float) -> list[Occurrence]:
        was, self.status = self.status, status
        self._note_running(was, status, at)
        if self.gap:
            self.gap = False
            return [Found(was, status)]
        if was is None or was is status:
            return []
        happened: list[Occurrence] = []
        if status is PowerState.OFFLINE and was in _UP:
            # Two falls within one settling time: the first is told now, with what is known.
            happened = self._tell_fall()
            self.fall = self._new_fall(at)
        elif self.fall and status is PowerState.RUNNING and was is PowerState.OFFLINE:
            # Back without `starting`: an output line equal to the stop command fooled the
            # daemon, and the game never stopped (PROBED 4.5).
            self.fall.false_alarm = True
        return [*happened, Changed(was, status)]

    def _note_running(self, was: PowerState | None, now: PowerState, at: float) -> None:
        if now is PowerState.RUNNING:
            if self.running_since is None:
                self.running_since = at
            return
        if self.running_since is not None:
            self.ran_seconds, self.ran_until = at - self.running_since, at
            self.running_since = None
        if now is PowerState.OFFLINE and was is PowerState.STOPPING and not self.gap:
            self.stopped_at = at

    def _new_fall(self, at: float) -> Fall:
        early, self.early = self.early, None
        if early and at - early.at <= SETTLE_SECONDS:
            early.at = at
            return early
        return Fall(at=at)

    def _tell_fall(self) -> list[Occurrence]:
        fall, self.fall = self.fall, None
        return [] if fall is None or fall.false_alarm else [Fell(fall)]

    def _weigh(self, said: str | None, at: float) -> list[Occurrence]:
        """Compare the state in the stats with the status known."""
        state = _STATES.get(said or "")
        if state is None:
            return []
        if self.gap:
            # After a lost token no status is sent again; the stats are the first to tell.
            return self._become(state, at)
        if state is self.status:
            self.doubt = None
        elif self.doubt is None or self.doubt.state is not state:
            passed = self._pass_through(state)
            self.doubt = Doubt(state, at)
            return passed
        elif at - self.doubt.at >= _TWICE_SECONDS:
            return self._believe()
        return []

    def _believe(self) -> list[Occurrence]:
        doubt, self.doubt = self.doubt, None
        return [] if doubt is None else self._become(doubt.state, doubt.at)

    def _pass_through(self, now: PowerState) -> list[Occurrence]:
        """Believe the stats if what is heard *now* can only come after the state they showed.

        A stop whose ``stopping`` was dropped is no crash, and a crash that the daemon answered
        at once is one, although its ``offline`` was dropped.
        """
        if self.doubt and self.status in _UP and (self.doubt.state, now) in _PASSED:
            return self._believe()
        return []

    def _read(self, said: str | None, at: float) -> None:
        report = None if said is None else crash_report(said)
        if report is not None:
            self._fall_meant(report, at).learn(report)

    def _fall_meant(self, report: CrashNoted | RestartAborted, at: float) -> Fall:
        """Return the fall that *report* is about: the one seen, or one whose status is to come."""
        if self.fall and not self.fall.contradicts(report):
            return self.fall
        if self.early is None or at - self.early.at > SETTLE_SECONDS:
            self.early = Fall(at=at)
        return self.early

    def _end_backup(self, message: m.BackupCompleted) -> BackupEnded:
        self.backups[message.uuid] = message.is_successful
        while len(self.backups) > _BACKUPS_KEPT:
            del self.backups[next(iter(self.backups))]
        return BackupEnded(message.uuid, message.is_successful)


def _told(message: m.ServerMessage) -> Occurrence | None:
    """Return what *message* tells by itself, whatever is known of the server."""
    match message:
        case m.InstallCompleted():
            return Installed()
        case m.BackupRestoreCompleted():
            return Restored()
        case m.TransferStatusChanged(status="success" | "completed"):
            return Transferred()
        case m.Deleted():
            return Deleted()
        case m.FeatureMatched(key=key, line=line):
            return FeatureSeen(key, line)
        case m.Throttled(what=what):
            return Throttled(what)
        case _:
            return None

"""What is known of one server, from what its daemon says.

A crash is a shape of states, not a line of text: ``running`` or ``starting`` to ``offline``
with no ``stopping`` between, on an unbroken connection. The daemon's lines only add the exit
code, whether memory ran out, and whether it gives up; they may come before or after.
"""

from typing import Final

from attrs import define, frozen
from attrs import field as attrs_field

from automate.wire import messages as m
from automate.wire.console import CrashNoted, RestartAborted, crash_report, daemon_line
from automate.wire.messages import PowerState

__all__ = [
    "SETTLE_SECONDS",
    "BackupEnded",
    "Changed",
    "Doubt",
    "Fall",
    "Fell",
    "Found",
    "LockConflict",
    "Occurrence",
    "World",
]

# The daemon's lines about a crash came 5 to 20 ms after `offline` (PROBED 4.4); a second is
# ample on a busy node and still far below any pause a recipe would make.
SETTLE_SECONDS: Final = 1.0
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


@frozen
class Changed:
    """The status went from *was* to *to*, seen as it happened."""

    was: PowerState
    to: PowerState


@frozen
class Found:
    """After a gap the status is *to*; *was* is the last one seen before, if any."""

    was: PowerState | None
    to: PowerState


@define(kw_only=True)
class Fall:
    """A fall to ``offline`` that nobody asked for, and what the daemon said of it."""

    at: float
    exit_code: int | None = None
    out_of_memory: bool | None = None
    gave_up: bool = False
    false_alarm: bool = False

    @property
    def told_at(self) -> float:
        """When it is told: after the settling time."""
        return self.at + SETTLE_SECONDS

    @property
    def reason(self) -> str:
        """What happened, as the end of a sentence about the server."""
        code = "" if self.exit_code is None else f" (exit code {self.exit_code})"
        if self.out_of_memory:
            return f"ran out of memory{code}"
        return f"ended by itself{code}" if self.exit_code == 0 else f"crashed{code}"

    def learn(self, report: CrashNoted | RestartAborted) -> None:
        """Take in what the daemon says of it."""
        match report:
            case CrashNoted(exit_code=int(code)):
                self.exit_code = code
            case CrashNoted(out_of_memory=bool(out_of_memory)):
                self.out_of_memory = out_of_memory
            case RestartAborted():
                self.gave_up = True

    def contradicts(self, report: CrashNoted | RestartAborted) -> bool:
        """Whether *report* must be about another crash: it has one exit code and no more."""
        match report:
            case CrashNoted(exit_code=int(code)):
                return self.exit_code not in (None, code)
            case CrashNoted(out_of_memory=bool(out_of_memory)):
                return self.out_of_memory not in (None, out_of_memory)
            case _:
                return False


@frozen
class Fell:
    """The server crashed; the settling time is over."""

    fall: Fall


@frozen
class BackupEnded:
    """The daemon said that a backup ended."""

    uuid: str
    is_successful: bool


@frozen
class LockConflict:
    """The daemon refused a power action because another one held the lock."""


Occurrence = Changed | Found | Fell | BackupEnded | LockConflict


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
            case m.DaemonErrorReported() if message.is_lock_conflict:
                return [LockConflict()]
            case m.BackupCompleted():
                return [self._end_backup(message)]
            case _:
                pass
        return []

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

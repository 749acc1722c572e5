"""What happened to one server, as the recipes see it: frozen values, made by the machine.

The daemon's messages are lower: several of them, or none, may make one occurrence.
"""

from typing import TYPE_CHECKING, Final

from attrs import define, frozen

from automate.wire.console import CrashNoted, RestartAborted
from automate.wire.messages import PowerState, Stats

if TYPE_CHECKING:
    from automate.wire.games import GameLine

__all__ = [
    "SETTLE_SECONDS",
    "BackupEnded",
    "Changed",
    "Deleted",
    "ErrorReported",
    "Fall",
    "FeatureSeen",
    "Fell",
    "Found",
    "Installed",
    "Linked",
    "LockConflict",
    "Occurrence",
    "Reported",
    "Restored",
    "RunEnded",
    "Said",
    "Throttled",
    "Transferred",
    "Unlinked",
]

# The daemon's lines about a crash came 5 to 20 ms after `offline` (PROBED 4.4); a second is
# ample on a busy node and still far below any pause a recipe would make.
SETTLE_SECONDS: Final = 1.0


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


@frozen
class Said:
    """The game's console said *line* (cleaned); *game* is what its game's table makes of it."""

    line: str
    game: "GameLine | None" = None


@frozen
class Reported:
    """The daemon reported *stats*: about once a second while the server is not offline."""

    stats: Stats


@frozen
class Linked:
    """The server can be reached."""


@frozen
class Unlinked:
    """The connection is lost, or events are: what happens now is not seen."""


@frozen
class Installed:
    """The installation is complete."""


@frozen
class Restored:
    """A backup was restored."""


@frozen
class Transferred:
    """The server was moved to another node."""


@frozen
class Deleted:
    """The server is no more."""


@frozen
class FeatureSeen:
    """The daemon recognised the egg's feature *key* in the console's *line*."""

    key: str
    line: str


@frozen
class Throttled:
    """The daemon dropped *what*."""

    what: str


@frozen
class ErrorReported:
    """The daemon reported an error, *text*."""

    text: str


@frozen
class RunEnded:
    """A run of *recipe* ended: *outcome* is ``done`` or ``failed``, then with its *error*."""

    recipe: str
    outcome: str
    error: str = ""


Occurrence = (
    Changed
    | Found
    | Fell
    | BackupEnded
    | LockConflict
    | Said
    | Reported
    | Linked
    | Unlinked
    | Installed
    | Restored
    | Transferred
    | Deleted
    | FeatureSeen
    | Throttled
    | ErrorReported
    | RunEnded
)

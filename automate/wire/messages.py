"""What is said on a Wings websocket: one frozen value for each event, in both directions.

What the server says is in the past (`StatusChanged`), what a client says is imperative
(`SetState`). Events nobody knows yet are kept as `Unknown`. Turning these values into frames
and back is the codec's work. Sources: the protocol document (server-websockets) and sections
6 and 7 of the notes on the daemon's source; the daemon is pterodactyl/wings or pelican/wings.
"""

from enum import StrEnum
from typing import Any, ClassVar

from attrs import field, frozen

from automate.errors import MessageError

__all__ = [
    "COMMAND_LIMIT_BYTES",
    "FRAME_LIMIT_BYTES",
    "Auth",
    "AuthSucceeded",
    "BackupCompleted",
    "BackupRestoreCompleted",
    "ClientMessage",
    "ConsoleOutput",
    "DaemonErrorReported",
    "DaemonMessage",
    "Deleted",
    "FeatureMatched",
    "InstallCompleted",
    "InstallOutput",
    "InstallStarted",
    "JwtErrorReported",
    "PowerAction",
    "PowerState",
    "SendCommand",
    "SendLogs",
    "SendStats",
    "ServerMessage",
    "SetState",
    "Stats",
    "StatsReported",
    "StatusChanged",
    "Throttled",
    "TokenExpired",
    "TokenExpiring",
    "TransferLogged",
    "TransferStatusChanged",
    "Unknown",
]

# Newer daemons close the socket (1009) for a frame over 4096 bytes on the wire.
FRAME_LIMIT_BYTES = 4096
# A game's terminal takes at most 4095 bytes of a line, by socket or REST; the rest is lost.
COMMAND_LIMIT_BYTES = 4095


class PowerState(StrEnum):
    """What a server is doing, in the daemon's own words."""

    OFFLINE = "offline"
    STARTING = "starting"
    RUNNING = "running"
    STOPPING = "stopping"


class PowerAction(StrEnum):
    """What a server can be asked to do."""

    START = "start"
    STOP = "stop"
    RESTART = "restart"
    KILL = "kill"


# ---------------------------------------------------------------- said by the server


@frozen
class AuthSucceeded:
    """The token was accepted."""

    event: ClassVar[str] = "auth success"


@frozen
class StatusChanged:
    """The server's state is now *status*; also sent once after a socket's first auth."""

    event: ClassVar[str] = "status"
    status: PowerState


@frozen
class ConsoleOutput:
    """One line of the game's terminal, or of the daemon itself, escapes and all."""

    event: ClassVar[str] = "console output"
    line: str


@frozen(kw_only=True)
class Stats:
    """What the server was using at one moment; ``None`` where the daemon did not say.

    ``cpu_percent``: 100 is one core. Network counters run since the container's start.
    """

    state: str | None = None
    memory_bytes: int | None = None
    memory_limit_bytes: int | None = None
    cpu_percent: float | None = None
    disk_bytes: int | None = None
    uptime_seconds: float | None = None
    network_received_bytes: int | None = None
    network_sent_bytes: int | None = None
    disk_read_bytes: int | None = None
    disk_written_bytes: int | None = None


@frozen
class StatsReported:
    """The daemon reported *stats*: about once a second while not offline, and when asked."""

    event: ClassVar[str] = "stats"
    stats: Stats


@frozen
class TokenExpiring:
    """The token has 60 seconds or less left (checked on a tick of 30 seconds)."""

    event: ClassVar[str] = "token expiring"


@frozen
class TokenExpired:
    """The token is over. It may never come: see `JwtErrorReported`."""

    event: ClassVar[str] = "token expired"


@frozen
class JwtErrorReported:
    """The token is not (or no longer) good; after expiry, sent in place of every event."""

    event: ClassVar[str] = "jwt error"
    text: str


@frozen
class DaemonErrorReported:
    """The daemon could not do what was asked; most texts are hidden from ordinary users."""

    event: ClassVar[str] = "daemon error"
    text: str

    @property
    def is_lock_conflict(self) -> bool:
        """Whether another power action held the lock, so that asking again will help."""
        return "another power action" in self.text


@frozen
class Throttled:
    """A message was dropped for coming too fast: *what* is its event's name, or ``global``."""

    event: ClassVar[str] = "throttled"
    what: str


@frozen
class InstallStarted:
    """The install script begins."""

    event: ClassVar[str] = "install started"


@frozen
class InstallOutput:
    """One line of the install script, or of an image pull."""

    event: ClassVar[str] = "install output"
    line: str


@frozen
class InstallCompleted:
    """The install script ended, well or badly."""

    event: ClassVar[str] = "install completed"


@frozen
class DaemonMessage:
    """The daemon tells of an installation or of a restore."""

    event: ClassVar[str] = "daemon message"
    text: str


@frozen(kw_only=True)
class BackupCompleted:
    """A backup ended, well or badly; *size_bytes* is 0 and *checksum* empty after a failure."""

    event: ClassVar[str] = "backup completed"
    uuid: str
    is_successful: bool
    checksum: str = ""
    checksum_type: str = ""
    size_bytes: int = 0


@frozen
class BackupRestoreCompleted:
    """A restore ended, well or badly."""

    event: ClassVar[str] = "backup restore completed"


@frozen
class TransferLogged:
    """One line of a transfer to another node."""

    event: ClassVar[str] = "transfer logs"
    line: str


@frozen
class TransferStatusChanged:
    """A transfer to another node is now *status* (``processing``, ``success``, ``failure``…)."""

    event: ClassVar[str] = "transfer status"
    status: str


@frozen
class Deleted:
    """The server was removed from this node."""

    event: ClassVar[str] = "deleted"


@frozen(kw_only=True)
class FeatureMatched:
    """The console said something that one of the egg's features waits for (Pelican)."""

    event: ClassVar[str] = "feature match"
    key: str
    line: str = ""
    pattern: str = ""


@frozen
class Unknown:
    """A frame nobody here understands, whole: *event* is ``None`` where it is no event."""

    text: str
    event: str | None = None
    args: Any = None


# ---------------------------------------------------------------- said by a client


def _token(message: Any, attribute: Any, value: Any) -> None:
    # A wrong token may still be a secret: neither error shows it.
    if not isinstance(value, str) or not value:
        found = "an empty string" if value == "" else type(value).__name__
        raise MessageError(f"auth: expected a token as one string, found {found}")
    if any("\ud800" <= character <= "\udfff" for character in value):
        raise MessageError("auth: expected a token, found a string with half a character in it")


def _command(message: Any, attribute: Any, value: Any) -> None:
    """Refuse what the game would not get as it was meant.

    The container has a terminal: control characters act on it (U+0003 kills the game, a
    newline makes a second command), and it takes no more than 4095 bytes of one line.
    """
    if not isinstance(value, str):
        raise MessageError(f"send command: expected one string, found {value!r}")
    size = len(value.encode("utf-8", "surrogatepass"))
    if size > COMMAND_LIMIT_BYTES:
        raise MessageError(
            f"send command: expected at most {COMMAND_LIMIT_BYTES} bytes, found {size}; "
            "the game's terminal would cut the rest"
        )
    for character in value:
        if character < " " or character == "\x7f" or "\ud800" <= character <= "\udfff":
            raise MessageError(
                "send command: expected one line without control characters, "
                f"found {character!r} in {value[:60]!r}"
            )


@frozen
class Auth:
    """Ask to be let in, or to stay, with a *token* from the panel."""

    event: ClassVar[str] = "auth"
    token: str = field(validator=_token, repr=False)

    @property
    def args(self) -> list[str | None]:
        """The frame's arguments."""
        return [self.token]


@frozen
class SendStats:
    """Ask for one `StatsReported`."""

    event: ClassVar[str] = "send stats"

    @property
    def args(self) -> list[str | None]:
        """The frame's arguments."""
        return [None]


@frozen
class SendLogs:
    """Ask for the last console lines (150 by default), which come as `ConsoleOutput`."""

    event: ClassVar[str] = "send logs"

    @property
    def args(self) -> list[str | None]:
        """The frame's arguments."""
        return [None]


def _action(value: Any) -> PowerAction:
    try:
        return PowerAction(value)
    except ValueError:
        names = ", ".join(PowerAction)
        raise MessageError(f"set state: expected one of {names}; found {value!r}") from None


@frozen
class SetState:
    """Ask for a change of power: ``start``, ``stop``, ``restart`` or ``kill``.

    No acknowledgement comes; watch for `StatusChanged`.
    """

    event: ClassVar[str] = "set state"
    action: PowerAction = field(converter=_action)

    @property
    def args(self) -> list[str | None]:
        """The frame's arguments."""
        return [self.action.value]


@frozen
class SendCommand:
    """Type one line into the game's console; nothing tells whether the game took it."""

    event: ClassVar[str] = "send command"
    command: str = field(validator=_command)

    @property
    def args(self) -> list[str | None]:
        """The frame's arguments."""
        return [self.command]


ServerMessage = (
    AuthSucceeded
    | StatusChanged
    | ConsoleOutput
    | StatsReported
    | TokenExpiring
    | TokenExpired
    | JwtErrorReported
    | DaemonErrorReported
    | Throttled
    | InstallStarted
    | InstallOutput
    | InstallCompleted
    | DaemonMessage
    | BackupCompleted
    | BackupRestoreCompleted
    | TransferLogged
    | TransferStatusChanged
    | Deleted
    | FeatureMatched
    | Unknown
)
ClientMessage = Auth | SendStats | SendLogs | SetState | SendCommand

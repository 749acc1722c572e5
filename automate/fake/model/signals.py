"""What goes into the model of a daemon and what comes out: values, as with the tape.

Clients' doings (`Opened`, `Said`, `Closed`) and frames (`Send`, `Drop`) are the tape's own. The
rest is between the daemon and what surrounds it: the process in the container, the panel, the
machine it runs on. Sockets are numbers, each used once.
"""

from attrs import frozen

from automate.fake.signals import Closed, Drop, Opened, Said, Send
from automate.wire.messages import PowerAction

__all__ = [
    "BackupAsked",
    "BackupEnded",
    "Closed",
    "Commanded",
    "ConditionChanged",
    "Drop",
    "Exited",
    "Flowing",
    "Input",
    "Kill",
    "MakeBackup",
    "Measure",
    "Measured",
    "NodeStarted",
    "NodeStopped",
    "Opened",
    "Output",
    "PowerAsked",
    "Printed",
    "Restored",
    "Said",
    "SaidCompressed",
    "SaidInBinary",
    "Send",
    "Signal",
    "Stalled",
    "StartProcess",
    "TokensDenied",
    "Usage",
    "UserRevoked",
    "Write",
]


# ---------------------------------------------------------------- in: from clients


@frozen
class SaidInBinary:
    """A client sent a binary frame."""

    socket: int
    data: bytes


@frozen
class SaidCompressed:
    """A client sent a frame that is *text* once inflated; on the wire it was not too big."""

    socket: int
    text: str


@frozen
class Stalled:
    """A client reads nothing, and the network takes nothing more for it."""

    socket: int


@frozen
class Flowing:
    """The client reads again."""

    socket: int


# ---------------------------------------------------------------- in: from the process


@frozen
class Printed:
    """The process printed *line*, without its end; lone surrogates are bytes that are no UTF-8.

    An echo of the terminal is printed like any other line.
    """

    line: str


@frozen
class Exited:
    """The process ended."""

    code: int
    out_of_memory: bool = False


@frozen(kw_only=True)
class Usage:
    """What a container uses: the container engine's figures."""

    cpu_percent: float = 0
    memory_bytes: int = 0
    memory_limit_bytes: int = 0
    disk_bytes: int = 0
    uptime_milliseconds: int = 0
    received_bytes: int = 0
    sent_bytes: int = 0
    read_bytes: int = 0
    written_bytes: int = 0


@frozen
class Measured:
    """The container engine told the process's *usage*, as it does each second."""

    usage: Usage


# ---------------------------------------------------------------- in: from panel and machine


@frozen
class PowerAsked:
    """The panel asks for a power action: as over a socket, but nobody is told of errors."""

    action: PowerAction


@frozen
class Commanded:
    """The panel types a command; embedded newlines make several lines."""

    command: str


@frozen
class BackupAsked:
    """The panel asks for the backup with this uuid."""

    uuid: str


@frozen(kw_only=True)
class BackupEnded:
    """The archive is written, or could not be (*is_successful*)."""

    uuid: str
    is_successful: bool = True
    checksum: str = ""
    size_bytes: int = 0


@frozen
class Restored:
    """A restore ended; until then `ConditionChanged` keeps the server restoring."""


@frozen(kw_only=True)
class ConditionChanged:
    """What the panel or the machine made of the server; ``None`` leaves a thing as it is."""

    is_suspended: bool | None = None
    is_installing: bool | None = None
    is_transferring: bool | None = None
    is_restoring: bool | None = None
    is_disk_full: bool | None = None
    is_image_missing: bool | None = None
    is_volume_missing: bool | None = None


@frozen
class TokensDenied:
    """The panel put a token's id on the deny list: its tokens made until now are refused."""

    jti: str


@frozen
class UserRevoked:
    """The panel took a user's access away, or changed it."""

    user: str


@frozen
class NodeStopped:
    """The daemon was stopped or killed; the game goes on."""


@frozen
class NodeStarted:
    """The daemon was started again."""


Input = (
    Opened
    | Said
    | SaidInBinary
    | SaidCompressed
    | Stalled
    | Flowing
    | Closed
    | Printed
    | Exited
    | Measured
    | PowerAsked
    | Commanded
    | BackupAsked
    | BackupEnded
    | Restored
    | ConditionChanged
    | TokensDenied
    | UserRevoked
    | NodeStopped
    | NodeStarted
)


# ---------------------------------------------------------------- out


@frozen
class StartProcess:
    """Start the game in a new container."""


@frozen
class Write:
    """Write *text* and a newline to the terminal; it may hold newlines itself."""

    text: str


@frozen
class Signal:
    """Send the process the signal of this *name* (``SIGINT``)."""

    name: str


@frozen
class Kill:
    """Kill the process and all its children."""


@frozen
class Measure:
    """Tell the process's usage (`Measured`): a second has passed."""


@frozen
class MakeBackup:
    """Write the archive, then tell (`BackupEnded`)."""

    uuid: str


Output = Send | Drop | StartProcess | Write | Signal | Kill | Measure | MakeBackup

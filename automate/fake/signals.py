"""What goes into a tape and what comes out: values, so that a test is a list of them.

In go a live client's doings; out come frames, lost connections, what the panel answers, and
notes for the person who watches the replay. Sockets are numbers, each used once.
"""

from enum import StrEnum

from attrs import frozen

from automate.fake.ledger import Grant
from automate.recording.format import PanelCall

__all__ = [
    "Accepted",
    "Closed",
    "Drop",
    "Input",
    "Note",
    "NoteKind",
    "Opened",
    "Output",
    "PanelReply",
    "Refused",
    "Said",
    "Send",
    "Unrecorded",
]


# ---------------------------------------------------------------- in


@frozen
class Opened:
    """A live client connected."""

    socket: int


@frozen
class Said:
    """A live client sent a frame; *refusal* is the daemon's answer if it holds a bad token."""

    socket: int
    text: str
    refusal: str | None = None


@frozen
class Closed:
    """A live client's connection ended."""

    socket: int


Input = Opened | Said | Closed


# ---------------------------------------------------------------- out


@frozen
class Send:
    """Send the frame *text*, to the byte, to these *sockets*."""

    sockets: tuple[int, ...]
    text: str


@frozen
class Drop:
    """End these connections with *code*; 1006 is none: the TCP connection just goes."""

    sockets: tuple[int, ...]
    code: int
    reason: str


class NoteKind(StrEnum):
    """What a note tells of."""

    STARTED = "started"
    """The first live client is in, and the tape's clock runs."""
    WAITING = "waiting"
    """The clock stands still until the live client does something."""
    GHOST = "ghost"
    """A recorded deed happened by itself."""
    DONE = "done"
    """The live client did a deed that was left to it."""
    IGNORED = "ignored"
    """The live client did something that was not left to it."""
    REFUSED = "refused"
    """The same, and it was told so (strictly)."""
    DIFFERED = "differed"
    """A left deed was done with another body than the recorded."""
    LOST = "lost"
    """The recorded connection was lost, and so are the live ones."""
    BACK = "back"
    """Connections are accepted again."""
    UNASKED = "unasked"
    """Recorded answers that nobody had asked for when the tape ended."""
    ENDED = "ended"
    """The tape has been played."""
    HANDED = "handed"
    """A deed beyond the recording ended the tape, and a model goes on (leniently)."""
    FAULT = "fault"
    """Something was made to go wrong on purpose."""
    SLOW = "slow"
    """A client reads too slowly and misses frames."""


@frozen
class Note:
    """Something a person at the replay wants to know, at a second of the tape."""

    tape_seconds: float
    kind: NoteKind
    text: str


Output = Send | Drop | Note


# ---------------------------------------------------------------- the panel's side


@frozen
class Accepted:
    """The panel takes a deed, with an empty answer."""


@frozen
class Refused:
    """The panel takes no deed but the recorded ones; *text* says so."""

    text: str


@frozen
class Unrecorded:
    """Nobody recorded this call; it only reads, or *begins_backup*: answer it from the view."""

    begins_backup: bool = False


PanelReply = PanelCall | Grant | Accepted | Refused | Unrecorded

"""The script of a replay: a recording as steps, and what each of them waits for.

The recorded client talked (questions: `auth`, `send logs`, `send stats`) and acted (deeds: power,
commands, calls to the panel that change something). A script says which frames answered which
question and what was done when. `analysis` writes it, `tape` plays it.
"""

from enum import StrEnum
from typing import TYPE_CHECKING, Any

from attrs import frozen

from automate.recording.format import PanelCall
from automate.wire import messages as m
from automate.wire.frame import ABSENT

if TYPE_CHECKING:
    from automate.fake.steps import Steps

__all__ = [
    "AnswerFrame",
    "AuthQuestion",
    "Back",
    "Content",
    "Deed",
    "Gate",
    "Kind",
    "Loss",
    "PanelAnswered",
    "Push",
    "Script",
    "Step",
    "call_content",
    "frame_content",
    "is_well_formed",
    "same_path",
]


class Kind(StrEnum):
    """What a client can ask in a conversation."""

    AUTH = "auth"
    LOGS = "send logs"
    STATS = "send stats"


@frozen
class Content:
    """What a deed does, by whichever way it is done: two with the same content are the same."""

    what: str
    detail: str

    def __str__(self) -> str:
        return f"{self.what} {self.detail}"


# ---------------------------------------------------------------- steps


@frozen(kw_only=True)
class Push:
    """A frame that nobody asked for: it goes to every authenticated socket."""

    at: float
    text: str
    message: m.ServerMessage


@frozen(kw_only=True)
class AnswerFrame:
    """A frame of the answer to the recorded question *number* of its *kind*.

    *brings_status*: the recording sends the status right after it, as after any first auth.
    """

    at: float
    text: str
    message: m.ServerMessage
    kind: Kind
    number: int
    is_first: bool
    is_last: bool
    brings_status: bool = False

    @property
    def is_success(self) -> bool:
        """Whether it lets a client in."""
        return isinstance(self.message, m.AuthSucceeded)


@frozen(kw_only=True)
class Deed:
    """Something the recorded client did; *call* is there if it did it through the panel."""

    at: float
    number: int
    content: Content
    call: PanelCall | None = None

    def __str__(self) -> str:
        return f"deed {self.number} ({self.content})"


@frozen(kw_only=True)
class PanelAnswered:
    """The panel answered the recorded client: it shows what the panel knew by then."""

    at: float
    call: PanelCall


@frozen(kw_only=True)
class Loss:
    """The connection was lost; until `Back`, nobody gets one."""

    at: float
    code: int
    reason: str


@frozen(kw_only=True)
class Back:
    """Connections are accepted again."""

    at: float


@frozen(kw_only=True)
class Gate:
    """The first auth after a loss: the tape waits until a live client sends one."""

    at: float
    number: int
    is_answered: bool


Step = Push | AnswerFrame | Deed | PanelAnswered | Loss | Back | Gate


@frozen(kw_only=True)
class AuthQuestion:
    """A recorded `auth`: *position* is the number of steps before it."""

    at: float
    position: int
    answer: AnswerFrame | None


@frozen(kw_only=True)
class Script:
    """All that a recording demands of its replay, in order."""

    server: str
    steps: "Steps"
    auths: tuple[AuthQuestion, ...]
    deeds: tuple[Deed, ...]
    calls: tuple[PanelCall, ...]

    def answers(self, kind: Kind) -> tuple[AnswerFrame, ...]:
        """Return the first frame of each recorded answer to questions of *kind*."""
        frames = (step for step in self.steps.landmarks() if isinstance(step, AnswerFrame))
        return tuple(frame for frame in frames if frame.kind is kind and frame.is_first)


# ---------------------------------------------------------------- deeds


def is_well_formed(args: Any) -> bool:
    """Whether the daemon reads a frame with these *args*; it drops others in silence.

    They are absent, ``null``, or a list of strings and ``null`` (PROTOCOL 6.3).
    """
    if args is ABSENT or args is None:
        return True
    return isinstance(args, list) and all(part is None or isinstance(part, str) for part in args)


def frame_content(event: str | None, args: Any) -> Content | None:
    """Return what a client's frame does, ``None`` if it is no deed; the daemon joins *args*."""
    if event not in ("set state", "send command") or not is_well_formed(args):
        return None
    parts = args if isinstance(args, list) else []
    return Content(event, "".join(part or "" for part in parts))


def call_content(method: str, path: str, body: Any, *, server: str) -> Content | None:
    """Return what a call to the panel does, ``None`` if it only reads."""
    if method not in ("POST", "PUT", "PATCH", "DELETE"):
        return None
    path = same_path(path, server=server)
    fields = body if isinstance(body, dict) else {}
    root = f"/api/client/servers/{server}"
    if method == "POST" and path == f"{root}/power":
        return Content("set state", str(fields.get("signal", "")))
    if method == "POST" and path == f"{root}/command":
        return Content("send command", str(fields.get("command", "")))
    return Content(method, path)


def same_path(path: str, *, server: str) -> str:
    """Return *path* without its query and with the whole uuid where it had the short id."""
    path = path.partition("?")[0]
    parts = path.split("/")
    if parts[:4] == ["", "api", "client", "servers"] and len(parts) > 4 and parts[4] == server[:8]:
        parts[4] = server
    return "/".join(parts)

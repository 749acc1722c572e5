"""Everything that can go wrong, as one tree: a leaf for each thing a reader would do next.

A message says in one line what is wrong, where, and what to do; the command line prints it
as it stands. Nothing here knows where an error is raised.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

__all__ = [
    "AccessDenied",
    "AddressTaken",
    "AutomateError",
    "BackupsFull",
    "Busy",
    "ConnectionFailed",
    "MessageError",
    "NotThere",
    "PanelError",
    "PanelUnreachable",
    "RecipeError",
    "RecordingError",
    "StateError",
    "UsageError",
    "nearest",
    "sole",
]


class AutomateError(Exception):
    """The root: whatever this package raises on purpose."""


class UsageError(AutomateError):
    """Something was asked for that makes no sense: ask differently (exit code 2)."""


class MessageError(AutomateError):
    """A message that must not be sent: the text says what was expected and what was found."""


class RecipeError(UsageError):
    """A recipe is wrong: mend it where the message says."""


class RecordingError(AutomateError):
    """A file is not a recording that this version can read."""


class StateError(AutomateError):
    """The engine's journal can't be read or written: mend the file, or name another."""


class AddressTaken(AutomateError):
    """A port can't be listened on: take another, or end who holds it."""


class ConnectionFailed(AutomateError):
    """The node's websocket could not be opened or was lost."""


class PanelError(AutomateError):
    """The panel answered, but not with what was asked for.

    ``status`` is its HTTP status, ``None`` where there was no answer at all.
    """

    def __init__(self, message: str, *, status: int | None = None) -> None:
        super().__init__(message)
        self.status = status


class PanelUnreachable(PanelError):
    """Nobody answered at the panel's address: check it, or try again later."""


class AccessDenied(PanelError):
    """The key is wrong or may not do this: bring another key."""


class NotThere(PanelError):
    """No such server, or no access to it: check the id."""


class BackupsFull(PanelError):
    """The server has as many backups as it may: delete one first, or raise its limit."""


class Busy(PanelError):
    """The panel or the server can't now (429, 409): wait, then ask again.

    ``retry_after`` is the panel's own wish, in seconds, where it gave one.
    """

    def __init__(
        self, message: str, *, status: int | None = None, retry_after: float | None = None
    ) -> None:
        super().__init__(message, status=status)
        self.retry_after = retry_after


def sole(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """Return the one exception in *group*, at whatever depth; *group* itself if it holds more."""
    exc: BaseException = group
    while isinstance(exc, BaseExceptionGroup) and len(exc.exceptions) == 1:
        exc = exc.exceptions[0]
    return group if isinstance(exc, BaseExceptionGroup) else exc


def nearest(path: "Path") -> str:
    """Return the end of a sentence that guesses which file was meant, or nothing.

    *path* is not there; what lies beside it may be.
    """
    import difflib  # slow to import, and only needed for a mistake

    try:
        names = [file.name for file in path.parent.iterdir()]
    except OSError:
        return ""
    near = difflib.get_close_matches(path.name, names, 1)
    return f"; did you mean {path.with_name(near[0])}?" if near else ""

"""What happens, as lines for a person: the time, the server, what it did or what was done."""

import sys
from collections.abc import Mapping

from automate.engine.clock import utc_now
from automate.engine.engine import Watcher
from automate.machine.actions import Output, ShowBackup, Tell, Traced, action_fields

__all__ = ["Printer"]

_SILENT = ("triggered", "unconfirmed")


class Printer(Watcher):
    """Prints for the servers of *names*, the names by their ids."""

    def __init__(self, names: Mapping[str, str]) -> None:
        self._names = names
        # The runs whose step has just been printed as the action that it is.
        self._acted: set[int] = set()

    def did(self, action: Output, *, dry: bool) -> None:
        """Print an action."""
        match action:
            case Traced() | ShowBackup():
                return
            case Tell(text=text):
                self._line(action.server, f"NOTICE: {text}")
            case _:
                ((what, value),) = action_fields(action).items()
                would = "would " if dry else ""
                self._acted.add(action.run)
                self._line(action.server, f"{action.recipe}: {would}{what} {value}")

    def decided(self, traced: Traced) -> None:
        """Print a decision, if it is not plain from what else is printed."""
        if traced.what in _SILENT or (traced.what == "step" and traced.run in self._acted):
            self._acted.discard(traced.run or 0)
            return
        detail = f": {traced.detail}" if traced.detail else ""
        words = traced.detail if traced.what == "step" else f"{traced.what}{detail}"
        self._line(traced.server, f"{traced.recipe}: {words}")

    def saw(self, server: str, words: str) -> None:
        """Print what happened to a server."""
        self._line(server, words)

    def _line(self, server: str, words: str) -> None:
        name = self._names.get(server, server[:8])
        sys.stdout.write(f"{utc_now().astimezone():%H:%M:%S}  {name}  {words}\n")
        sys.stdout.flush()

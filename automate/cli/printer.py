"""What recipes do and what happens to their servers, as lines for a person."""

from collections.abc import Mapping
from typing import Final

from automate.cli.page import Colour, Page
from automate.cli.streams import complain
from automate.engine.engine import Watcher
from automate.engine.words import says_again
from automate.errors import AutomateError
from automate.machine.actions import ListBackups, Output, ShowBackup, Tell, Traced, action_fields

__all__ = ["Printer", "display_names"]

# Plain from what is printed besides.
_SILENT: Final = ("triggered", "unconfirmed", "step done", "condition", "cut short")
_COLOURS: Final[Mapping[str, Colour]] = {
    "is running": "green",
    "is starting": "yellow",
    "is stopping": "yellow",
    "is offline": "red",
    "failed": "red",
    "step failed": "red",
}


def display_names(servers: Mapping[str, str]) -> dict[str, str]:
    """Return what to call each of *servers* (names by id): its name, or where two share it, more.

    A server without a name is called by its short id.
    """
    names = list(servers.values())
    return {
        id: f"{name} {id[:8]}".strip() if names.count(name) > 1 or not name.strip() else name
        for id, name in servers.items()
    }


class Printer(Watcher):
    """Prints on *page* for the servers of *names*, the names by their ids."""

    def __init__(self, page: Page, names: Mapping[str, str]) -> None:
        self._page = page
        self._names = names
        # By run: the action printed last, why a step failed. By server and recipe: why it was
        # held back. What only says that again is not printed.
        self._acted: dict[int, str] = {}
        self._steps: dict[int, str] = {}
        self._failed: dict[int, str] = {}
        self._held_back: dict[tuple[str, str], str] = {}

    def did(self, action: Output, *, dry: bool) -> None:
        """Print an action."""
        match action:
            case Traced() | ShowBackup() | ListBackups():
                return
            case Tell(text=text):
                self._acted[action.run] = "notify"
                self._page.line(
                    self._name(action.server), f"NOTICE: {text}", colour="bold", keeps_lines=True
                )
            case _:
                ((what, value),) = action_fields(action).items()
                self._acted[action.run] = what
                would = "would " if dry else ""
                self._line(action.server, f"{action.recipe}: {would}{what} {value}")

    def decided(self, traced: Traced) -> None:
        """Print a decision, if it is not plain from what else is printed."""
        words = None if traced.what in _SILENT else self._words(traced)
        if words is not None:
            colour = _COLOURS.get(traced.what)
            self._line(traced.server, f"{traced.recipe}: {words}", colour=colour)

    def saw(self, server: str, words: str) -> None:
        """Print what happened to a server."""
        self._line(server, words, colour=_COLOURS.get(words))

    def warned(self, words: str) -> None:
        """Print on standard error what is wrong."""
        complain(words)

    def gave_up(self, server: str, error: AutomateError) -> None:
        """Print that nothing more will come, and on standard error why."""
        self._line(server, "is given up", colour="red")
        complain(f"{self._name(server)}: {error}")

    def _words(self, traced: Traced) -> str | None:
        what, detail, run = traced.what, traced.detail, traced.run or 0
        said = f"{what}: {detail}" if detail else what
        place = (traced.server, traced.recipe)
        if what == "held back":
            known = self._held_back.get(place) == detail
            self._held_back[place] = detail
            return None if known else said
        self._held_back.pop(place, None)
        if what == "step":
            # `start` after `set state start`, `backup 'night'` after `backup night`.
            acted = self._acted.pop(run, None)
            is_known = self._steps.get(run) == detail
            self._steps[run] = detail
            return None if is_known or (acted and says_again(acted, detail)) else detail
        self._steps.pop(run, None)
        if what == "step failed":
            self._failed[run] = detail
        elif what in ("done", "failed"):
            self._acted.pop(run, None)
            if self._failed.pop(run, None) == detail:
                return what
            if what == "done" and detail:
                return f"not needed: {detail}"
        return said

    def _line(self, server: str, words: str, *, colour: Colour | None = None) -> None:
        self._page.line(self._name(server), words, colour=colour)

    def _name(self, server: str) -> str:
        return self._names.get(server, server[:8])

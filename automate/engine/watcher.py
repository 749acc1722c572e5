"""Who is told what the engine does: a printer, a recording, a page."""

from typing import Protocol

from attrs import frozen

from automate.errors import AutomateError
from automate.machine.actions import Output, Traced
from automate.wire.messages import ClientMessage

__all__ = ["Outcome", "Sender", "Watcher"]


class Sender(Protocol):
    """The part of a session that the engine uses."""

    def send(self, message: ClientMessage) -> None:
        """Queue *message* for the server."""


class Watcher(Protocol):
    """Who is told what the engine does, as it does it; plain calls that must be quick."""

    def did(self, action: Output, *, dry: bool) -> None:
        """An action is carried out (or, *dry*, would be)."""

    def decided(self, traced: Traced) -> None:
        """The machine decided something."""

    def saw(self, server: str, words: str) -> None:
        """Something happened to the server or to its connection."""

    def warned(self, words: str) -> None:
        """Something is wrong that is about no server alone, such as the journal."""
        self.saw("", words)

    def gave_up(self, server: str, error: AutomateError) -> None:
        """Nothing more will come from the server: *error* is for a person to mend."""


@frozen
class Outcome:
    """How a recipe that was asked for ended.

    *what* is ``done``, ``failed``, ``held back``, or ``given up`` where its server was.
    """

    server: str
    what: str
    detail: str

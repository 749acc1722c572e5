"""Who wants to know what happens on a connection: one method for each thing that can.

A session calls them from its one reading task, so they must be quick and must not wait.
Moments (*at*) are those of trio's clock.
"""

from collections.abc import Sequence

from automate.errors import AutomateError
from automate.wire.messages import ClientMessage

__all__ = ["Listener", "together"]


class Listener:
    """Hears everything and does nothing: override what matters."""

    def opened(self, at: float) -> None:
        """The websocket is open; nobody is let in yet."""

    def received(self, at: float, texts: Sequence[str]) -> None:
        """The server said *texts*, in this order: every frame, as it came."""

    def heard(self, at: float, texts: Sequence[str]) -> None:
        """The server said *texts*, console lines that it only repeated left out.

        On each new connection the last lines are asked for. Those that were never seen (missed in
        the gap, or said before we came) are told here, up to a second later: *texts* is then a
        `machine.seen_lines.Heard`, which knows them apart and since when each can have been said.
        So long what may be such a line is held back, too; all other frames are told at once.
        """

    def sent(self, at: float, text: str) -> None:
        """*text* is about to be given to the websocket. Tokens are in it."""

    def given(self, at: float, text: str) -> None:
        """The websocket has *text*, or is over; an answer may have been heard before this."""

    def closed(self, at: float, by: str, code: int | None, reason: str | None) -> None:
        """The websocket is closed *by* ``client`` (that is us) or ``server`` (or the network)."""

    def failed(self, at: float, reason: str) -> None:
        """The websocket could not be opened."""

    def ready(self, at: float) -> None:
        """The server let us in; its events come from now on."""

    def alive(self, at: float) -> None:
        """A pong came: nothing that the server said before is missing."""

    def down(self, at: float, reason: str) -> None:
        """The server was there and is lost; a `ready` may follow."""

    def blind(self, at: float, reason: str) -> None:
        """The token is over: events are being lost, until `sighted` or `down`."""

    def sighted(self, at: float) -> None:
        """A new token was accepted: events come again."""

    def not_sent(self, at: float, message: ClientMessage, reason: str) -> None:
        """*message* was asked for and will not be sent."""

    def delayed(self, at: float, reason: str, seconds: float) -> None:
        """There is no connection, or no new token; the next try is in *seconds*."""

    def ended(self, at: float, error: AutomateError) -> None:
        """The session is over, for a reason that only a person can mend."""


def together(*several: Listener) -> Listener:
    """Return a listener that tells all of *several*, in their order."""
    return _Several(several)


class _Several(Listener):
    def __init__(self, several: Sequence[Listener]) -> None:
        self._several = several

    def opened(self, at: float) -> None:
        for each in self._several:
            each.opened(at)

    def received(self, at: float, texts: Sequence[str]) -> None:
        for each in self._several:
            each.received(at, texts)

    def heard(self, at: float, texts: Sequence[str]) -> None:
        for each in self._several:
            each.heard(at, texts)

    def sent(self, at: float, text: str) -> None:
        for each in self._several:
            each.sent(at, text)

    def given(self, at: float, text: str) -> None:
        for each in self._several:
            each.given(at, text)

    def closed(self, at: float, by: str, code: int | None, reason: str | None) -> None:
        for each in self._several:
            each.closed(at, by, code, reason)

    def failed(self, at: float, reason: str) -> None:
        for each in self._several:
            each.failed(at, reason)

    def ready(self, at: float) -> None:
        for each in self._several:
            each.ready(at)

    def alive(self, at: float) -> None:
        for each in self._several:
            each.alive(at)

    def down(self, at: float, reason: str) -> None:
        for each in self._several:
            each.down(at, reason)

    def blind(self, at: float, reason: str) -> None:
        for each in self._several:
            each.blind(at, reason)

    def sighted(self, at: float) -> None:
        for each in self._several:
            each.sighted(at)

    def not_sent(self, at: float, message: ClientMessage, reason: str) -> None:
        for each in self._several:
            each.not_sent(at, message, reason)

    def delayed(self, at: float, reason: str, seconds: float) -> None:
        for each in self._several:
            each.delayed(at, reason, seconds)

    def ended(self, at: float, error: AutomateError) -> None:
        for each in self._several:
            each.ended(at, error)

"""What hands a session's news of one server to the engine."""

from collections.abc import Sequence
from typing import Final

from automate.engine.engine import Engine
from automate.errors import AutomateError
from automate.live.listener import Listener
from automate.wire.messages import ClientMessage

__all__ = ["listener_of"]

# A node that takes nothing for a while may well say a lot: that is not kept for ever.
_HELD_LIMIT: Final = 1000


def listener_of(engine: Engine, server: str) -> Listener:
    """Return what hands a session's news of *server* to *engine*."""
    return _Listener(engine, server)


class _Listener(Listener):
    def __init__(self, engine: Engine, server: str) -> None:
        self._engine = engine
        self._server = server
        # What the socket is being given just now, and what was heard meanwhile.
        self._under_way: list[str] = []
        self._held: list[Sequence[str]] = []

    def heard(self, at: float, texts: Sequence[str]) -> None:
        # What answers a message must not be taken in before it counts as sent, and that only
        # once the socket has it: who is killed in between has not said it.
        if self._under_way and len(self._held) < _HELD_LIMIT:
            self._held.append(texts)
        else:
            self._catch_up()
            self._engine.heard(self._server, texts)

    def sent(self, at: float, text: str) -> None:
        self._under_way.append(text)

    def given(self, at: float, text: str) -> None:
        if text in self._under_way:
            self._under_way.remove(text)
            self._engine.sent(self._server, text)
        if not self._under_way:
            self._catch_up()

    def ready(self, at: float) -> None:
        self._catch_up()
        self._engine.linked(self._server)

    def down(self, at: float, reason: str) -> None:
        self._catch_up()
        self._engine.unlinked(self._server, reason)

    def blind(self, at: float, reason: str) -> None:
        self._catch_up()
        self._engine.blinded(self._server, reason)

    def sighted(self, at: float) -> None:
        self._engine.saw(self._server, "is seen again")

    def not_sent(self, at: float, message: ClientMessage, reason: str) -> None:
        self._engine.not_sent(self._server, message, reason)

    def _catch_up(self) -> None:
        """Take in what was held back."""
        while self._under_way:
            self._engine.sent(self._server, self._under_way.pop(0))
        held, self._held = self._held, []
        for texts in held:
            self._engine.heard(self._server, texts)

    def delayed(self, at: float, reason: str, seconds: float) -> None:
        self._engine.saw(self._server, f"can't be reached: {reason}; next try in {seconds:.0f} s")

    def ended(self, at: float, error: AutomateError) -> None:
        self._engine.gave_up(self._server, error)

"""What hands a session's news of one server to the engine."""

from collections.abc import Sequence

from automate.engine.engine import Engine
from automate.errors import AutomateError
from automate.live.listener import Listener
from automate.wire.messages import ClientMessage

__all__ = ["listener_of"]


def listener_of(engine: Engine, server: str) -> Listener:
    """Return what hands a session's news of *server* to *engine*."""
    return _Listener(engine, server)


class _Listener(Listener):
    def __init__(self, engine: Engine, server: str) -> None:
        self._engine = engine
        self._server = server

    def heard(self, at: float, texts: Sequence[str]) -> None:
        self._engine.heard(self._server, texts)

    def sent(self, at: float, text: str) -> None:
        self._engine.sent(self._server, text)

    def ready(self, at: float) -> None:
        self._engine.linked(self._server)

    def down(self, at: float, reason: str) -> None:
        self._engine.unlinked(self._server, reason)

    def blind(self, at: float, reason: str) -> None:
        self._engine.blinded(self._server, reason)

    def sighted(self, at: float) -> None:
        self._engine.saw(self._server, "is seen again")

    def not_sent(self, at: float, message: ClientMessage, reason: str) -> None:
        self._engine.not_sent(self._server, message, reason)

    def delayed(self, at: float, reason: str, seconds: float) -> None:
        self._engine.saw(self._server, f"can't be reached: {reason}; next try in {seconds:.0f} s")

    def ended(self, at: float, error: AutomateError) -> None:
        self._engine.gave_up(self._server, error)

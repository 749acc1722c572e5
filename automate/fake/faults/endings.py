"""Faults that end a connection: dropped, reset, or silent while it seems to stand."""

from abc import ABC, abstractmethod
from typing import Final

from attrs import frozen

from automate.errors import UsageError
from automate.fake.faults.line import End, Place, Planned, Silence, Stage
from automate.fake.framing import ABNORMAL

__all__ = ["DropAfter", "HalfOpen", "Reset"]

_REASON_BYTES: Final = 123


@frozen(kw_only=True)
class _Ending(ABC):
    """Faults that come after so many *frames* of the node, or *seconds* of a connection.

    *connections* is how many of them it befalls, the first ones; ``None`` is each.
    """

    frames: int | None = None
    seconds: float | None = None
    connections: int | None = None

    stage = Stage.ENDING

    def __attrs_post_init__(self) -> None:
        if (self.frames is None) == (self.seconds is None):
            raise UsageError(f"{self}: expected either frames or seconds")
        if self.frames is not None and self.frames < 1:
            raise UsageError(f"frames: expected a whole number of at least 1, found {self.frames}")
        if self.seconds is not None and not self.seconds >= 0:
            raise UsageError(f"seconds: expected a number of at least 0, found {self.seconds}")

    @property
    @abstractmethod
    def ending(self) -> End | Silence:
        """What happens then."""

    def begin(self, place: Place) -> list[Planned]:
        """Return the ending, if it only needs time."""
        if self.seconds is None or not self._befalls(place):
            return []
        return [Planned(place.opened_at + self.seconds, self.ending)]

    def pass_on(self, planned: Planned, place: Place) -> list[Planned]:
        """Return *planned*, and the ending behind the last frame."""
        is_last = isinstance(planned.what, str) and place.frames == self.frames
        if is_last and self._befalls(place):
            # Whatever went out before it, and is still under way, gets there.
            return [planned, Planned(max(planned.at, place.last_at), self.ending)]
        return [planned]

    def hear_at(self, at: float, place: Place) -> float:
        """Return *at*."""
        return at

    def _befalls(self, place: Place) -> bool:
        return self.connections is None or place.connection <= self.connections

    def _after(self) -> str:
        return f"{self.frames} frames" if self.seconds is None else f"{self.seconds:g} s"


@frozen(kw_only=True)
class DropAfter(_Ending):
    """The node ends the connection: with *code* and *reason*, or (1006) without a word."""

    code: int = ABNORMAL
    reason: str = ""

    def __attrs_post_init__(self) -> None:
        super().__attrs_post_init__()
        # What a close frame can carry: the names of endings without one are no codes (RFC 6455).
        if not 1000 <= self.code < 5000 or self.code in (1004, 1005, 1015):
            raise UsageError(f"code: expected a close code such as 4409, found {self.code}")
        if len(self.reason.encode()) > _REASON_BYTES:
            raise UsageError(
                f"reason: expected at most {_REASON_BYTES} bytes, found {len(self.reason.encode())}"
            )

    @property
    def ending(self) -> End:
        """The end, with a close frame unless it is 1006."""
        return End(self.code, self.reason, by=f"dropped after {self._after()}")


@frozen(kw_only=True)
class Reset(_Ending):
    """The connection is reset (TCP's RST): what was under way is lost, and both ends see it."""

    @property
    def ending(self) -> End:
        """The end without any goodbye."""
        return End(is_reset=True, by=f"reset after {self._after()}")


@frozen(kw_only=True)
class HalfOpen(_Ending):
    """The other side is gone and nobody says so: no frame, no pong, no end, either way.

    So it is when a proxy or a router forgets a connection, or a machine loses its power.
    """

    @property
    def ending(self) -> Silence:
        """The silence."""
        return Silence(by=f"silent after {self._after()}")

"""What the daemon lets through: messages on a newer daemon, and a flood of console lines.

Source: PROTOCOL 7.5, PROBED section 3 and 5. A bucket is Go's rate limiter: full at first,
then filling steadily.
"""

from typing import Final

from attrs import define, field

__all__ = ["GLOBAL", "Bucket", "ConsoleLimit", "SocketLimits"]

GLOBAL: Final = "global"
_OTHERS: Final = "(all others together)"
_FLOOD_LINES: Final = 2000
_FLOOD_SECONDS: Final = 0.1


@define
class Bucket:
    """*burst* at once, then one each *seconds*."""

    burst: int
    seconds: float
    _level: float = field(init=False)
    _at: float = field(init=False, default=0.0)

    def __attrs_post_init__(self) -> None:
        self._level = self.burst

    def allows(self, at: float) -> bool:
        """Whether there is one left at *at*; if so it is taken."""
        self._level = min(self.burst, self._level + (at - self._at) / self.seconds)
        self._at = at
        # A hair's breadth for the rounding of the moments.
        if self._level < 1 - 1e-9:
            return False
        self._level -= 1
        return True


def _bucket(name: str) -> Bucket:
    match name:
        case "global":
            return Bucket(10, 0.2)
        case "auth" | "send logs":
            return Bucket(2, 5)
        case "send command":
            return Bucket(10, 1)
        case _:
            return Bucket(4, 1)


class SocketLimits:
    """The limits of one socket of a newer daemon; they start fresh with it."""

    def __init__(self) -> None:
        self._buckets: dict[str, Bucket] = {}
        # The events that were told of since one of them was let through.
        self._told: set[str] = set()

    def takes(self, name: str, at: float) -> str | None:
        """Return ``None`` where a message is let through, else what to call throttled.

        *name* is `GLOBAL`, which every frame must pass first, or the event as the client wrote
        it. An empty answer is a message dropped in silence: it was told of before.
        """
        key = name if name in (GLOBAL, "auth", "send logs", "send command") else _OTHERS
        bucket = self._buckets.setdefault(key, _bucket(key))
        if bucket.allows(at):
            self._told.discard(name)
            return None
        if name in self._told:
            return ""
        self._told.add(name)
        return name


class ConsoleLimit:
    """How many lines a game may print: 2000 in 100 ms, the rest is dropped."""

    def __init__(self) -> None:
        self._since = float("-inf")
        self._count = 0
        self._is_over = False

    def allows(self, at: float) -> bool:
        """Whether a line is let through at *at*."""
        if at - self._since > _FLOOD_SECONDS:
            self._since, self._count = at, 0
        self._count += 1
        if self._count <= _FLOOD_LINES:
            self._is_over = False
            return True
        return False

    def is_news(self) -> bool:
        """Whether the flood has not been told of yet; it counts as told then."""
        was_over, self._is_over = self._is_over, True
        return not was_over

"""Wall clocks for tests: they follow trio's clock, so that virtual time moves them."""

from collections.abc import Callable
from datetime import UTC, datetime

import trio

__all__ = ["EPOCH", "clock_from"]

EPOCH = datetime(2026, 11, 24, 21, 0, tzinfo=UTC)


def clock_from(moment: datetime) -> Callable[[], float]:
    """Return a clock (unix seconds) that shows *moment* when it is first read."""
    started: list[float] = []

    def now() -> float:
        if not started:
            started.append(trio.current_time())
        return moment.timestamp() + trio.current_time() - started[0]

    return now

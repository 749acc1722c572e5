"""Moments: seconds since an origin, which go on whatever is done to the clock on the wall.

Timers live on them. A machine that slept, or a clock set forward, lets them go on at once: that
time has passed, and what was due in it was missed. A clock set back does not turn them back:
then it is the origin that moves.
"""

import math
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final

import trio

__all__ = ["Moments"]

# Clocks are set right by fractions of a second all the time; that is nothing to act upon.
_DRIFT_SECONDS: Final = 1.0


class Moments:
    """What moment it is, by trio's clock and the wall's (*now*), counted from *origin*.

    It is no earlier than *least*: what others counted from this origin lies in the past, and if
    it does not seem so, the clock on the wall was set back since.
    """

    def __init__(
        self, origin: datetime, now: Callable[[], datetime], *, least: float = -math.inf
    ) -> None:
        self.origin = origin
        self._now = now
        if (behind := least - self._by_the_wall()) > 0:
            self.origin -= timedelta(seconds=behind)
        self._offset = self._by_the_wall() - trio.current_time()

    def at(self) -> float:
        """Return what moment it is; never less than the last time."""
        moment = trio.current_time() + self._offset
        ahead = self._by_the_wall() - moment
        if ahead > _DRIFT_SECONDS:
            self._offset += ahead
            return moment + ahead
        return moment

    def was_set_back(self) -> bool:
        """Return whether the clock on the wall was set back, and let the origin move with it."""
        behind = trio.current_time() + self._offset - self._by_the_wall()
        if behind <= _DRIFT_SECONDS:
            return False
        self.origin -= timedelta(seconds=behind)
        return True

    def wall(self, at: float) -> datetime:
        """Return what the clock on the wall shows at the moment *at*."""
        return self.origin + timedelta(seconds=at)

    def deadline(self, at: float) -> float:
        """Return the moment *at* by trio's clock."""
        return at - self._offset

    def from_trio(self, time: float) -> float:
        """Return the moment of a *time* by trio's clock."""
        return time + self._offset

    def _by_the_wall(self) -> float:
        return (self._now() - self.origin).total_seconds()

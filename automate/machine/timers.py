"""Moments to come, in a defined order: by moment, then server, then recipe, then run."""

import heapq
from collections.abc import Iterable

__all__ = ["Place", "Timer", "Timers"]

# Whose moment it is: the server's rank; the recipe's rank (-1: the world itself); the run, or
# 0 for the recipe's schedules, so that they come before runs.
Place = tuple[int, int, int]
Timer = tuple[float, int, int, int]


class Timers:
    """The moments that each place waits for, and no others."""

    def __init__(self) -> None:
        self._moments: dict[Place, set[float]] = {}
        # Holds every moment that is waited for, and some that no longer are: taking one out of
        # the middle of a heap costs more than passing over it.
        self._heap: list[Timer] = []

    def put(self, place: Place, moments: Iterable[float | None]) -> None:
        """Let *place* wait for *moments*, and for nothing else any more; ``None`` is none."""
        wanted = {moment for moment in moments if moment is not None}
        known = self._moments.pop(place, set())
        if wanted:
            self._moments[place] = wanted
        for moment in wanted - known:
            heapq.heappush(self._heap, (moment, *place))
        # What is passed over must not pile up when runs end long before their limits.
        if len(self._heap) > 64 and len(self._heap) > 4 * len(self._moments):
            self._heap = [
                (moment, *place) for place, moments in self._moments.items() for moment in moments
            ]
            heapq.heapify(self._heap)

    @property
    def next_at(self) -> float | None:
        """The earliest moment; ``None`` if there is none."""
        while self._heap and not self._is_wanted(self._heap[0]):
            heapq.heappop(self._heap)
        return self._heap[0][0] if self._heap else None

    def pop(self, at: float) -> Timer | None:
        """Return the next timer due by *at* and forget it; ``None`` if none is due."""
        moment = self.next_at
        if moment is None or moment > at:
            return None
        timer = heapq.heappop(self._heap)
        self._moments[timer[1:]].discard(moment)
        return timer

    def __len__(self) -> int:
        """Return how many moments are kept in memory."""
        return len(self._heap)

    def _is_wanted(self, timer: Timer) -> bool:
        return timer[0] in self._moments.get(timer[1:], ())

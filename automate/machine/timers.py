"""Moments to come, in a defined order: by moment, then server, then recipe, then run."""

import heapq

__all__ = ["Timer", "Timers"]

# The moment; the server's rank; the recipe's rank (-1: the world itself); the run, or for a
# schedule minus the number of its trigger, so that schedules come before runs.
Timer = tuple[float, int, int, int]


class Timers:
    """A heap of timers. What is no longer wanted stays in it until its moment: who owns the
    timer knows, and ignores it then."""

    def __init__(self) -> None:
        self._heap: list[Timer] = []

    def add(self, timer: Timer) -> None:
        """Add *timer*."""
        heapq.heappush(self._heap, timer)

    @property
    def next_at(self) -> float | None:
        """The earliest moment; ``None`` if there is none."""
        return self._heap[0][0] if self._heap else None

    def pop(self, at: float) -> Timer | None:
        """Return the next timer due by *at* and forget it; ``None`` if none is due."""
        if self._heap and self._heap[0][0] <= at:
            return heapq.heappop(self._heap)
        return None

"""What a machine means to do later: plain calls and small scripts, in order of their moments.

A script is a generator that yields how many seconds to wait, or a `Happening` to wait for; so a
course of events reads from top to bottom and yet nothing here waits or looks at a clock.
"""

import heapq
from collections.abc import Callable, Generator

from attrs import define, field

__all__ = ["Agenda", "Happening", "Script"]


@define(eq=False)
class Happening:
    """Something that scripts can wait for, any number of times."""

    waiting: list["_Run"] = field(factory=list)


Script = Generator["float | Happening | tuple[float, Happening]", bool, None]


@define(eq=False)
class _Run:
    """A script under way; *turn* tells its present wait from earlier ones."""

    script: Script
    turn: int = 0


class Agenda:
    """The plans of one machine; moments never fall."""

    def __init__(self) -> None:
        self.now = 0.0
        self._number = 0
        self._heap: list[tuple[float, int, Callable[[], None]]] = []

    @property
    def wake_at(self) -> float | None:
        """When the next plan is due."""
        return self._heap[0][0] if self._heap else None

    def after(self, seconds: float, plan: Callable[[], None]) -> None:
        """Do *plan* that many seconds from now."""
        self._number += 1
        heapq.heappush(self._heap, (self.now + seconds, self._number, plan))

    def advance(self, at: float) -> None:
        """Do everything due by *at*, in order."""
        while self._heap and self._heap[0][0] <= at:
            due, _number, plan = heapq.heappop(self._heap)
            self.now = max(self.now, due)
            plan()
        self.now = max(self.now, at)

    def clear(self) -> None:
        """Forget all plans and scripts."""
        self._heap.clear()

    def run(self, script: Script) -> None:
        """Begin *script* now.

        It yields seconds, a happening, or both: then whichever comes first, and it is sent
        whether that was the happening.
        """
        self._step(_Run(script), came=False)

    def happen(self, happening: Happening) -> None:
        """Go on with all scripts that wait for *happening*."""
        waiting, happening.waiting = happening.waiting, []
        for run in waiting:
            self._step(run, came=True)

    def _step(self, run: _Run, *, came: bool) -> None:
        run.turn += 1
        turn = run.turn
        try:
            wish = run.script.send(came) if turn > 1 else next(run.script)
        except StopIteration:
            return
        match wish:
            case (seconds, happening):
                happening.waiting.append(run)
            case Happening():
                wish.waiting.append(run)
                return
            case _:
                seconds = wish

        def wake() -> None:
            if run.turn != turn:
                return
            for_one = wish[1] if isinstance(wish, tuple) else None
            if for_one is not None:
                for_one.waiting.remove(run)
            self._step(run, came=False)

        self.after(seconds, wake)

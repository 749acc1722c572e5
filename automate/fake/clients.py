"""The clients of a fake node: connected websockets, and what is still to be done to each."""

import heapq
from collections.abc import Iterable

import trio
from attrs import define, field

from automate.fake.faults.line import End, Line, Planned, Silence

__all__ = ["Client"]


@define(eq=False)
class Client:
    """A connected websocket; its *line* says what comes of that which is sent to it."""

    number: int
    scope: trio.CancelScope
    line: Line
    # Where it came to, which tells whose it is.
    path: str = ""
    # Whether its messages come compressed.
    is_deflated: bool = False
    # Whether it was ever sent anything; whoever only connected sets no pace.
    is_reader: bool = False
    missed: int = 0
    # How much of what was sent the network has not taken yet, and whether that is too much.
    unsent_bytes: int = 0
    is_stalled: bool = False
    # The wall clock's moment after which its token is no good, where somebody looks at that.
    token_ends_at: float | None = None
    _plans: list[tuple[float, int, Planned]] = field(factory=list)
    _planned: int = 0
    _filled: trio.Event = field(factory=trio.Event)

    def __attrs_post_init__(self) -> None:
        self._plan(self.line.begun)

    @property
    def behind(self) -> int:
        """How much is still to be done."""
        return len(self._plans)

    def send(self, text: str, at: float) -> None:
        """Have *text* sent, as soon as the line lets it through."""
        self._plan(self.line.send(text, at))

    def end(self, code: int, reason: str, at: float) -> float:
        """Have the connection ended after all that was sent; return when that will be."""
        plans = self.line.end(code, reason, at)
        self._plan(plans)
        return max(planned.at for planned in plans)

    def _plan(self, plans: Iterable[Planned]) -> None:
        for planned in plans:
            self._planned += 1
            if isinstance(planned.what, str):
                self.unsent_bytes += len(planned.what)
            heapq.heappush(self._plans, (planned.at, self._planned, planned))
        self._filled.set()

    def wrote(self, text: str) -> None:
        """Take note that the network has taken *text*."""
        self.unsent_bytes -= len(text)

    async def next(self) -> str | Silence | End:
        """Wait for what is to be done next, and return it."""
        while True:
            self._filled = trio.Event()
            if not self._plans:
                await self._filled.wait()
                continue
            due = self._plans[0][0]
            if due <= trio.current_time():
                return heapq.heappop(self._plans)[2].what
            with trio.CancelScope(deadline=due):
                await self._filled.wait()

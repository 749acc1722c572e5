"""Faults with a seed, and what has become of them so far in one run.

`Faults` is the value that tests write down. A node asks its `Run` at each turn: what to do to
this line, this stream, this call, this token. Nothing here waits.
"""

from collections.abc import Iterable, Sequence
from random import Random
from typing import Final, TypeVar

import trio
from attrs import field, frozen

from automate.errors import UsageError
from automate.fake.faults.calls import PanelAnswers
from automate.fake.faults.endings import DropAfter, HalfOpen, Reset
from automate.fake.faults.frames import Duplicate, Latency, Malform, Reorder, Truncate
from automate.fake.faults.line import Line
from automate.fake.faults.streams import SlowReader, SlowStream
from automate.fake.faults.tokens import ClockSkew, ExpireEarly, RefuseToken
from automate.fake.http import Response
from automate.wire import messages as m

__all__ = ["NO_FAULTS", "Fault", "Faults", "Run"]

_OnLine = Latency | Reorder | Truncate | Malform | Duplicate | DropAfter | Reset | HalfOpen
Fault = _OnLine | SlowReader | PanelAnswers | ExpireEarly | RefuseToken | ClockSkew
T = TypeVar("T")


def _several(faults: Iterable[object]) -> tuple[Fault, ...]:
    several = tuple(faults)
    for fault in several:
        if not isinstance(fault, Fault):
            raise UsageError(f"faults: expected values of automate.fake.faults, found {fault!r}")
    return tuple(fault for fault in several if isinstance(fault, Fault))


@frozen
class Faults:
    """Some *faults*, and the *seed* of all chance in them: the same seed, the same run.

    Raises:
        UsageError: one of them is no fault.
    """

    seed: int
    faults: Sequence[Fault] = field(default=(), converter=_several)

    def of(self, kind: type[T]) -> list[T]:
        """Return those of one kind."""
        return [fault for fault in self.faults if isinstance(fault, kind)]

    def begin(self) -> "Run":
        """Return a run of them, in which nothing has happened yet."""
        return Run(self)


NO_FAULTS: Final = Faults(0)


class Run:
    """One run of *faults*, for one node and its panel."""

    def __init__(self, faults: Faults) -> None:
        self._seed = faults.seed
        self._on_line = [fault for fault in faults.faults if isinstance(fault, _OnLine)]
        self._slow = faults.of(SlowReader)
        self._latencies = sorted(faults.of(Latency), key=repr)
        self._chance = Random(f"{faults.seed}/panel")
        self._panel_answers = faults.of(PanelAnswers)
        self._calls = [0] * len(self._panel_answers)
        self._refusals = faults.of(RefuseToken)
        self._tokens = 0
        self._early_seconds = sum(fault.seconds for fault in faults.of(ExpireEarly))
        self._skew_seconds = sum(fault.seconds for fault in faults.of(ClockSkew))

    # ------------------------------------------------------------ connections

    def line(self, number: int, *, at: float) -> Line:
        """Return the line of the connection *number*, which is opened at *at*."""
        return Line(self._on_line, seed=self._seed, number=number, at=at)

    def around(self, stream: trio.abc.HalfCloseableStream) -> trio.abc.HalfCloseableStream:
        """Return *stream*, as slow as its reader is."""
        for slow in self._slow:
            stream = SlowStream(stream, bytes_per_second=slow.bytes_per_second)
        return stream

    # ------------------------------------------------------------ the panel

    def answer(self, method: str, path: str) -> Response | None:
        """Return what a call gets instead of the panel's answer; ``None`` if it gets that."""
        found = None
        for index, fault in enumerate(self._panel_answers):
            if fault.matches(method, path):
                self._calls[index] += 1
                if found is None and fault.befalls(self._calls[index]):
                    found = fault.response()
        return found

    def call_seconds(self) -> float:
        """Return how long the next call takes on its way there and back."""
        ways = (latency for latency in self._latencies for _way in range(2))
        return sum(latency.delay_seconds(self._chance) for latency in ways)

    # ------------------------------------------------------------ tokens

    @property
    def ends_tokens(self) -> bool:
        """Whether tokens end at other moments than recorded, so that somebody has to look."""
        return bool(self._early_seconds or self._skew_seconds)

    def lifetime_seconds(self, recorded_seconds: float) -> float:
        """Return how long a token lives; one that is dead when it is born has less than 0."""
        return recorded_seconds - self._early_seconds

    def node_now(self, now: float) -> float:
        """Return what the node's clock shows when the panel's shows *now*."""
        return now + self._skew_seconds

    def refuse_token(self) -> m.JwtErrorReported | m.DaemonErrorReported | None:
        """Return what is said against the next good token, ``None`` if nothing."""
        self._tokens += 1
        for fault in self._refusals:
            if fault.befalls(self._tokens):
                return fault.how.message
        return None

"""The line of one connection: what the node sends goes in, what happens on the wire comes out.

Pure: moments and texts in, moments and what is due then out, so that a test is a list. Each
fault on the line has a place of its own, with a die of its own: neither one more fault nor the
order in which they are listed changes anything of what the others do.
"""

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from enum import IntEnum
from random import Random
from typing import Protocol

from attrs import define, field, frozen

from automate.fake.framing import ABNORMAL

__all__ = ["End", "Line", "LineFault", "Place", "Planned", "Silence", "Stage"]


@frozen
class End:
    """The connection ends: with a close frame, or (1006) without a word, or reset.

    *by* names the fault that ends it; ``None`` where the node itself does.
    """

    code: int = ABNORMAL
    reason: str = ""
    is_reset: bool = False
    by: str | None = None


@frozen
class Silence:
    """The connection seems to stand, but nothing passes any more, either way."""

    by: str | None = None


@frozen
class Planned:
    """What is to be done at the live moment *at*: send a text, be silent, or end."""

    at: float
    what: str | Silence | End


class Stage(IntEnum):
    """Where on a line a fault works, the first nearest to the node."""

    CONTENT = 0
    TIME = 1
    ORDER = 2
    ENDING = 3


@define(eq=False)
class Place:
    """What one fault knows of one direction of one connection."""

    connection: int
    opened_at: float
    chance: Random
    frames: int = 0
    """How many texts have come by, this one included."""
    last_at: float = -math.inf
    """The latest moment that this fault has let anything pass at."""


class LineFault(Protocol):
    """A fault of frames: a frozen value that decides for one after the other."""

    stage: Stage

    def begin(self, place: Place) -> list[Planned]:
        """Return what will happen on a new connection, whatever is sent."""

    def pass_on(self, planned: Planned, place: Place) -> list[Planned]:
        """Return what becomes of *planned*."""

    def hear_at(self, at: float, place: Place) -> float:
        """Return when the node gets what a client sent at *at*."""


@define(eq=False)
class _Stop:
    """A fault on the line, and its two places: towards the client and towards the node."""

    fault: LineFault
    outward: Place
    inward: Place = field(kw_only=True)


class Line:
    """The line of the connection *number*, opened at *at*; *begun* will happen by itself.

    Faults work in the order of their stages, and of their names within one, whatever the order
    of *faults*.
    """

    def __init__(
        self, faults: Sequence[LineFault] = (), *, seed: int = 0, number: int = 1, at: float = 0.0
    ) -> None:
        def place(name: str, direction: str) -> Place:
            # Seeded by a text: by a tuple or a float it would not be the same on each machine.
            return Place(number, at, Random(f"{seed}/{number}/{name}/{direction}"))

        self._stops: list[_Stop] = []
        alike: Counter[str] = Counter()
        for fault in sorted(faults, key=lambda fault: (fault.stage, repr(fault))):
            # Named by what it is and not by where it stands in the list.
            alike[repr(fault)] += 1
            name = f"{fault!r}/{alike[repr(fault)]}"
            self._stops.append(_Stop(fault, place(name, "out"), inward=place(name, "in")))
        self.begun = tuple(
            planned
            for index, stop in enumerate(self._stops)
            for planned in self._through(self._stops[index + 1 :], stop.fault.begin(stop.outward))
        )

    @property
    def is_plain(self) -> bool:
        """Whether nothing goes wrong on it."""
        return not self._stops

    def send(self, text: str, at: float) -> list[Planned]:
        """Return what comes of *text*, which the node sends at *at*."""
        return self._pass(Planned(at, text))

    def end(self, code: int, reason: str, at: float) -> list[Planned]:
        """Return what comes of it that the node ends the connection at *at*."""
        return self._pass(Planned(at, End(code, reason)))

    def hear_at(self, at: float) -> float:
        """Return when the node gets what the client sent at *at*: never before the last."""
        for stop in self._stops:
            at = stop.inward.last_at = max(stop.inward.last_at, stop.fault.hear_at(at, stop.inward))
        return at

    def _pass(self, planned: Planned) -> list[Planned]:
        return self._through(self._stops, [planned]) if self._stops else [planned]

    def _through(self, stops: Iterable[_Stop], plans: list[Planned]) -> list[Planned]:
        for stop in stops:
            passed: list[Planned] = []
            for planned in plans:
                if isinstance(planned.what, str):
                    stop.outward.frames += 1
                passed += stop.fault.pass_on(planned, stop.outward)
                stop.outward.last_at = max([stop.outward.last_at, *(one.at for one in passed)])
            plans = passed
        return plans

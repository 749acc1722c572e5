"""Faults of single frames: late, out of order, twice, cut short, or not what they should be."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from random import Random
from typing import Final

from attrs import evolve, frozen

from automate.errors import UsageError
from automate.fake.faults.line import Place, Planned, Stage

__all__ = ["Duplicate", "Latency", "Malform", "Reorder", "Truncate"]


@frozen
class _FrameFault:
    """What faults do that only change some of the frames that the node sends."""

    stage = Stage.CONTENT

    def begin(self, place: Place) -> list[Planned]:
        """Return nothing: without a frame there is nothing to change."""
        return []

    def hear_at(self, at: float, place: Place) -> float:
        """Return *at*: what the client sends is let alone."""
        return at


@frozen
class Latency(_FrameFault):
    """Everything takes *seconds* each way, and up to *jitter_seconds* more, and stays in order.

    Frames both ways and the panel's answers; pings are not delayed.
    """

    seconds: float
    jitter_seconds: float = 0.0

    stage = Stage.TIME

    def __attrs_post_init__(self) -> None:
        if not (self.seconds >= 0 and self.jitter_seconds >= 0):
            raise UsageError(f"latency: expected seconds of at least 0, found {self}")

    def delay_seconds(self, chance: Random) -> float:
        """Return how long the next one takes."""
        return self.seconds + self.jitter_seconds * chance.random()

    def pass_on(self, planned: Planned, place: Place) -> list[Planned]:
        """Return *planned*, later, and not before what was sent before it."""
        at = planned.at + self.delay_seconds(place.chance)
        return [evolve(planned, at=max(at, place.last_at))]

    def hear_at(self, at: float, place: Place) -> float:
        """Return when it gets there."""
        return at + self.delay_seconds(place.chance)


@frozen
class Reorder(_FrameFault):
    """Each frame is held back for a time of its own, up to *within_seconds*: others overtake it.

    One connection never does that, but the daemon does: each event has a goroutine of its own.
    """

    within_seconds: float

    stage = Stage.ORDER

    def __attrs_post_init__(self) -> None:
        if not self.within_seconds > 0:
            raise UsageError(f"reorder: expected seconds above 0, found {self}")

    def pass_on(self, planned: Planned, place: Place) -> list[Planned]:
        """Return *planned*, later; an end comes after all that was sent."""
        if not isinstance(planned.what, str):
            return [evolve(planned, at=max(planned.at, place.last_at))]
        return [evolve(planned, at=planned.at + self.within_seconds * place.chance.random())]


# ---------------------------------------------------------------- some of them


@frozen(kw_only=True)
class _Some(_FrameFault, ABC):
    """Faults that befall *every* so manyth frame of a connection, or each with a *probability*."""

    every: int | None = None
    probability: float | None = None

    def __attrs_post_init__(self) -> None:
        if (self.every is None) == (self.probability is None):
            raise UsageError(f"{self}: expected either every or probability")
        if self.every is not None and self.every < 1:
            raise UsageError(f"every: expected a whole number of at least 1, found {self.every}")
        if self.probability is not None and not 0 <= self.probability <= 1:
            raise UsageError(f"probability: expected 0 to 1, found {self.probability}")

    def befalls(self, place: Place) -> bool:
        """Whether it befalls the frame that just came by."""
        if self.every is not None:
            return place.frames % self.every == 0
        return place.chance.random() < (self.probability or 0.0)

    def pass_on(self, planned: Planned, place: Place) -> list[Planned]:
        """Return what becomes of *planned*."""
        if isinstance(planned.what, str) and self.befalls(place):
            return [evolve(planned, what=text) for text in self.become(planned.what, place.chance)]
        return [planned]

    @abstractmethod
    def become(self, text: str, chance: Random) -> list[str]:
        """Return what becomes of a frame that it befalls."""


@frozen(kw_only=True)
class Truncate(_Some):
    """Some frames end too early: what comes is not the whole text."""

    def become(self, text: str, chance: Random) -> list[str]:
        """Return a beginning of *text* that is no JSON any more."""
        return [text[: chance.randrange(max(1, len(text.rstrip())))]]


@frozen(kw_only=True)
class Duplicate(_Some):
    """Some frames come twice."""

    def become(self, text: str, chance: Random) -> list[str]:
        """Return *text* two times."""
        return [text, text]


_WAYS: Final[tuple[Callable[[str], str], ...]] = (
    lambda text: text.replace("{", "", 1),  # no JSON
    lambda text: text.rstrip() + text,  # two in one
    lambda text: "",
    lambda text: "null",
    lambda text: "[]",
    lambda text: '{"event":7,"args":[]}',
    lambda text: '{"args":["running"]}',
    lambda text: '{"event":"status","args":"running"}',
    lambda text: '{"event":"status","args":[7]}',
    lambda text: '{"event":"status","args":[]}',
    lambda text: '{"event":"stats","args":["{"]}',
    lambda text: '{"event":"from the future","args":["?"]}',
    lambda text: "[" * 10_000,
)


@frozen(kw_only=True)
class Malform(_Some):
    """Some frames are not what the daemon sends: no JSON, no event, arguments of another type…

    What such a frame would have said is lost.
    """

    def become(self, text: str, chance: Random) -> list[str]:
        """Return something else."""
        return [chance.choice(_WAYS)(text)]

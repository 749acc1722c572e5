"""When schedules are due: with their jitter, and what becomes of moments that were missed."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final
from zlib import crc32

from attrs import frozen

from automate.machine.state import RecipeBook
from automate.recipe.combinators import Trigger
from automate.recipe.schedule import Schedule, next_after

__all__ = ["Due", "Timetable"]

# As many missed moments are made up for at most, by those that want all of them.
_MISSED_AT_MOST: Final = 100
_PARTS: Final = 1 << 32


@frozen
class Due:
    """A schedule's moment has come: *moment*, or it was *missed* by so many seconds."""

    moment: float
    missed_seconds: float = 0.0
    is_skipped: bool = False
    # How many moments it stands for.
    times: int = 1


class Timetable:
    """The schedules of all recipes; moments are seconds since *origin*.

    *seed* is the chance in jitters: the same seed gives the same moments.
    """

    def __init__(self, origin: datetime, *, seed: int) -> None:
        self.origin = origin
        self._seed = seed

    def set(self, book: RecipeBook, triggers: Sequence[Trigger], at: float, place: str) -> None:
        """Set when each of *triggers* is due next after *at*; *place* tells one from another."""
        book.bases = [self._next(trigger, at) for trigger in triggers]
        book.due = [
            self._jittered(trigger, base, f"{place}:{rank}")
            for rank, (trigger, base) in enumerate(zip(triggers, book.bases, strict=True))
        ]

    def take(
        self, book: RecipeBook, triggers: Sequence[Trigger], at: float, now: float, place: str
    ) -> list[Due]:
        """Return what is due by *at*, being told *now*, and set when each is due next."""
        found = []
        for rank, trigger in enumerate(triggers):
            due = book.due[rank]
            if due is None or due > at or not isinstance(trigger, Schedule):
                continue
            base = book.bases[rank]
            assert base is not None
            one, base = self._come(trigger, due, base, now)
            found.append(one)
            book.bases[rank] = later = self._next(trigger, base)
            book.due[rank] = self._jittered(trigger, later, f"{place}:{rank}")
        return found

    def _come(self, trigger: Schedule, due: float, base: float, now: float) -> tuple[Due, float]:
        """Return what comes of a moment, and the last one that it stands for."""
        late = now - due
        if late <= trigger.grace_seconds or trigger.missed == "all":
            return Due(due, late if late > trigger.grace_seconds else 0.0), base
        # Those that lie between are missed as well, up to the one that may still be in time.
        last, times = base, 1
        while times < _MISSED_AT_MOST * 1000:
            following = self._next(trigger, last)
            if following is None or following > now - trigger.grace_seconds:
                break
            last, times = following, times + 1
        return Due(due, late, is_skipped=trigger.missed == "skip", times=times), last

    def _next(self, trigger: Trigger, at: float) -> float | None:
        if not isinstance(trigger, Schedule):
            return None
        moment = next_after(trigger, self.origin + timedelta(seconds=at))
        return None if moment is None else (moment - self.origin).total_seconds()

    def _jittered(self, trigger: Trigger, base: float | None, place: str) -> float | None:
        if base is None or not isinstance(trigger, Schedule) or not trigger.jitter_seconds:
            return base
        wall = (self.origin + timedelta(seconds=base)).isoformat()
        chance = crc32(f"{self._seed}:{place}:{wall}".encode()) / _PARTS
        return base + round(chance * trigger.jitter_seconds, 3)

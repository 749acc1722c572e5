"""When schedules are due: with their jitter, and what becomes of moments that were missed."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final
from zlib import crc32

from attrs import frozen

from automate.machine.state import RecipeBook
from automate.recipe.checks import duration
from automate.recipe.combinators import Trigger
from automate.recipe.schedule import Schedule, next_after

__all__ = ["Due", "Timetable"]

# As many missed moments are made up for at most, by those that want all of them.
_MADE_UP_AT_MOST: Final = 100
# Missed moments are counted up to this; who slept for a month need not know it to the second.
_COUNTED_AT_MOST: Final = 1000
# Whoever asks this late has slept; a little is only the time that everything takes.
_LATE_SECONDS: Final = 1.0
_PARTS: Final = 1 << 32


@frozen
class Due:
    """A schedule's moment has come, or it was *missed* by so many seconds."""

    missed_seconds: float = 0.0
    is_skipped: bool = False
    # How many moments it stands for, or even more than that.
    times: int = 1
    is_more: bool = False

    def __str__(self) -> str:
        if not self.missed_seconds:
            return "it is due"
        more = " and more" if self.is_more else ""
        times = f", {self.times}{more} times" if self.times > 1 else ""
        return f"it was due {duration(round(self.missed_seconds))} ago{times}"


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
            due, base = book.due[rank], book.bases[rank]
            if due is None or base is None or due > at or not isinstance(trigger, Schedule):
                continue
            owner = f"{place}:{rank}"
            one, base = self._come(trigger, due, base, now, owner)
            found.append(one)
            book.bases[rank] = later = self._next(trigger, base)
            following = self._jittered(trigger, later, owner)
            # A jitter longer than the interval may put the next one before this one.
            book.due[rank] = following if following is None else max(following, due)
        return found

    def _come(
        self, trigger: Schedule, due: float, base: float, now: float, owner: str
    ) -> tuple[Due, float]:
        """Return what comes of a moment, and the last one that it stands for."""
        late = now - due
        if late <= trigger.grace_seconds:
            return Due(), base if late < _LATE_SECONDS else self._latest(trigger, base, now, owner)
        passed, is_more = self._passed(trigger, base, now, owner)
        last = now - trigger.grace_seconds - trigger.jitter_seconds if is_more else passed[-1]
        if trigger.missed != "all":
            skips = trigger.missed == "skip"
            return Due(late, is_skipped=skips, times=len(passed), is_more=is_more), last
        if len(passed) <= _MADE_UP_AT_MOST:
            return Due(late), base  # the next one is due at once, too
        left_out = len(passed) - _MADE_UP_AT_MOST
        last = passed[left_out - 1]
        if is_more:
            span = (passed[-1] - passed[0]) / (len(passed) - 1) * _MADE_UP_AT_MOST
            last = max(last, now - trigger.grace_seconds - span)
        return Due(late, is_skipped=True, times=left_out, is_more=is_more), last

    def _latest(self, trigger: Schedule, base: float, now: float, owner: str) -> float:
        """Return the last moment from *base* on that is due *now*: they all count as one."""
        if trigger.missed == "all":
            return base
        while True:
            following = self._next(trigger, base)
            due = self._jittered(trigger, following, owner)
            if following is None or due is None or due > now:
                return base
            base = following

    def _passed(
        self, trigger: Schedule, base: float, now: float, owner: str
    ) -> tuple[list[float], bool]:
        """Return the moments from *base* on that were missed, and whether there are more."""
        passed = [base]
        while True:
            following = self._next(trigger, passed[-1])
            due = self._jittered(trigger, following, owner)
            if following is None or due is None or now - due <= trigger.grace_seconds:
                return passed, False
            if len(passed) == _COUNTED_AT_MOST:
                return passed, True
            passed.append(following)

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

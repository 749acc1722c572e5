"""The reel: where on its tape a replay is, and when it goes on.

Moments (*at*) are live seconds, of any clock that does not fall; seconds of the tape are called
so. The two are tied together anew each time the tape starts, stood still or jumped.
"""

import math
from collections.abc import Callable, Iterator

from automate.errors import UsageError
from automate.fake.analysis import TOLERANCE_SECONDS
from automate.fake.script import Step
from automate.fake.steps import Steps

__all__ = ["Reel"]


class Reel:
    """The *steps* of a script, passed at a *speed*, which may be infinite.

    Raises:
        UsageError: there is no such speed.
    """

    def __init__(self, steps: Steps, *, speed: float) -> None:
        if not speed > 0:
            raise UsageError(f"speed: expected a number above 0 (or inf), found {speed}")
        self.is_started = False
        self.is_instant = math.isinf(speed)
        # How many steps have been passed, and how many of them before the start.
        self.passed = 0
        self.begin = 0
        self._steps = steps
        self._speed = speed
        # This second of the tape was, or stands since, at this live moment (``None``: stands).
        self._tape_seconds = 0.0
        self._tied_at: float | None = None
        # Since when it stands still at the next step; ``None`` while it does not.
        self.stands_since: float | None = None
        # So many steps are passed at once, and then it is this second of the tape.
        self._jump = 0
        self._jump_seconds = 0.0

    @property
    def is_over(self) -> bool:
        """Whether every step has been passed."""
        return self.passed == len(self._steps)

    @property
    def is_jumping(self) -> bool:
        """Whether the next step is passed whatever its moment."""
        return self.passed < self._jump

    @property
    def next_step(self) -> Step:
        """The first step not yet passed; there is one unless the tape is over."""
        return self._steps[self.passed]

    @property
    def steps_ahead(self) -> int:
        """How many steps have not been passed yet."""
        return len(self._steps) - self.passed

    @property
    def landmarks_ahead(self) -> Iterator[Step]:
        """The steps not yet passed, but for pushes."""
        return self._steps.landmarks(self.passed)

    @property
    def last_seconds(self) -> float:
        """The second of the last step that was passed; before the start none was."""
        return self._steps[self.passed - 1].at if self.passed else -math.inf

    @property
    def wake_at(self) -> float | None:
        """When the next step is due; ``None`` while none is by itself."""
        if self._tied_at is None or self.is_over:
            return None
        if self.is_instant:
            return self._tied_at
        return self._tied_at + (self._steps[self.passed].at - self._tape_seconds) / self._speed

    def seconds(self, at: float) -> float:
        """Return the second of the tape at the live moment *at*; it goes on after the end."""
        if self._tied_at is None or self.is_instant:
            return self._tape_seconds
        return self._tape_seconds + (at - self._tied_at) * self._speed

    def start(self, at: float, *, steps: int, tape_seconds: float) -> None:
        """Let the clock run, at *tape_seconds*; the first *steps* are passed at once."""
        self.is_started = True
        self.begin = steps
        self.jump(steps, tape_seconds)
        self._tie(tape_seconds, at)

    def jump(self, steps: int, tape_seconds: float) -> None:
        """Pass so many *steps* at once, as soon as nothing is waited for any more."""
        if steps > self._jump:
            self._jump, self._jump_seconds = steps, tape_seconds

    def due(self, at: float, *, before: bool = False) -> Step | None:
        """Return the next step if it is due at *at*, or (*before*) earlier than that."""
        if not self.is_started or self.is_over:
            return None
        step = self._steps[self.passed]
        if self.is_jumping or self._tied_at is None:
            return step
        if self.is_instant:
            return None if before else step
        ahead = step.at - self.seconds(at)
        is_due = ahead < -TOLERANCE_SECONDS if before else ahead <= TOLERANCE_SECONDS
        return step if is_due else None

    def stand(self, at: float) -> bool:
        """Stand still at the next step; return whether that is news."""
        is_new = self.stands_since is None
        if is_new:
            self.stands_since = at
        self._tape_seconds, self._tied_at = self._steps[self.passed].at, None
        return is_new

    def go(self, at: float) -> None:
        """Pass the next step; where the clock stood, it goes on from there."""
        step = self._steps[self.passed]
        self.stands_since = None
        if self._tied_at is None or self.is_instant:
            self._tie(step.at, at)
        self.passed += 1
        if self.passed == self._jump:
            self._tie(self._jump_seconds, at)

    def is_near(
        self, step: Step, at: float, *, seconds: float, waits: Callable[[Step], object]
    ) -> bool:
        """Whether *step*, which is ahead, will be passed in so many *seconds* of the tape.

        A step that *waits* for someone may never be passed, nor anything after it.
        """
        if not self.is_started:
            return False
        now = self.seconds(at)
        for place in range(self.passed, len(self._steps)):
            ahead = self._steps[place]
            too_late = ahead.at - now > seconds and not self.is_instant
            if too_late or waits(ahead):
                return False
            if ahead is step:
                return True
        return False

    def _tie(self, tape_seconds: float, at: float) -> None:
        self._tape_seconds, self._tied_at = tape_seconds, at

"""The replay that is being served: where it is, what came of it, and whether it gets to its end.

Opened by `automate.fake.node`; this is what tests and people hold in their hands.
"""

import math
from collections.abc import Iterable
from typing import Final

import trio
import trio.testing
from attrs import field, frozen

from automate.fake.script import Deed
from automate.fake.signals import Note, NoteKind
from automate.fake.stall import (
    ReplayDiffered,
    ReplayStalled,
    ReplayUnasked,
    Stall,
    Unasked,
    still_missed,
)
from automate.fake.tape import Tape

__all__ = ["Replay"]

# In virtual time somebody may have timers that never end, such as a ping every 25 s.
_PATIENCE_SECONDS: Final = 3600
# More than this in one message is not read.
_TOLD: Final = 5


@frozen(kw_only=True)
class Replay:
    """A replay that is being served: where, and for which *key*.

    *notes* grow while it runs; *ended* is set when nothing more of the tape will be played.
    """

    panel_url: str
    socket_url: str
    server: str
    key: str
    deeds: tuple[Deed, ...]
    notes: list[Note]
    ended: trio.Event
    title: str = ""
    tape: Tape = field(repr=False)
    changed: trio.lowlevel.ParkingLot = field(factory=trio.lowlevel.ParkingLot, repr=False)
    """Where to wait for the tape to have moved."""

    @property
    def stall(self) -> Stall | None:
        """What the tape stands still for, ``None`` while it runs or is over."""
        return self.tape.stall

    @property
    def unasked(self) -> tuple[Unasked, ...]:
        """The recorded answers that have come by and that nobody has asked for."""
        return self.tape.unasked

    async def finished(self) -> None:
        """Wait until nothing more of the tape will be played.

        In virtual time it is known when nothing can move any more: at once if nobody has a
        timer left, else after an hour of standing still. In real time, wait as long as the
        caller's deadline allows; a stall then comes instead of the end of the caller's scope.

        Raises:
            ReplayStalled: the tape stands still for something that does not come.
        """
        deadline = trio.current_effective_deadline()
        try:
            while not self.ended.is_set():
                if self.stall is not None and _is_virtual():
                    await self._wait_in_vain()
                else:
                    await self.changed.park()
        except trio.Cancelled:
            stall = self.stall
            if stall is None or trio.current_time() < deadline:
                raise
            raise self._stalled(stall) from None

    def check(self, *, may_miss: Iterable[str] = ()) -> None:
        """See that the tape is over and that all that was recorded was asked for.

        *may_miss* are patterns of questions and of paths that need not be: ``"send stats"``,
        ``"GET */resources"``, ``"*/websocket"``.

        Raises:
            ReplayStalled: the tape is not over.
            ReplayUnasked: something was not asked for.
            ReplayDiffered: strictly, a deed was done with another body than the recorded.
        """
        stall = self.stall
        if stall is not None:
            raise self._stalled(stall)
        if not self.tape.is_over:
            text = f"replay of {self.title}: the tape still runs; wait with `finished()` first"
            raise ReplayStalled(text, None)
        differed = [note.text for note in self.notes if note.kind is NoteKind.DIFFERED]
        if self.tape.is_strict and differed:
            raise ReplayDiffered(f"replay of {self.title}: {'; '.join(differed[:_TOLD])}")
        missed = still_missed(self.unasked, may_miss)
        if missed:
            told = "; ".join(map(str, missed[:_TOLD]))
            more = f" and {len(missed) - _TOLD} more" if len(missed) > _TOLD else ""
            text = f"replay of {self.title}: recorded, but never asked for: {told}{more}"
            raise ReplayUnasked(f"{text}; ask for it, or allow it with may_miss", missed)

    async def _wait_in_vain(self) -> None:
        """Wait until the tape moves, or until it is sure that it never will."""
        await trio.testing.wait_all_tasks_blocked()
        stall = self.stall
        if stall is None:
            return
        if math.isinf(trio.lowlevel.current_statistics().seconds_to_next_deadline):
            raise self._stalled(stall)
        with trio.move_on_after(_PATIENCE_SECONDS) as patience:
            await self.changed.park()
        if patience.cancelled_caught:
            raise self._stalled(stall)

    def _stalled(self, stall: Stall) -> ReplayStalled:
        advice = "connect and authenticate" if stall.deed is None else "do it, or do not leave it"
        return ReplayStalled(f"replay of {self.title}: it {stall}; {advice}", stall)


def _is_virtual() -> bool:
    clock = trio.lowlevel.current_clock()
    return isinstance(clock, trio.testing.MockClock) and math.isfinite(clock.autojump_threshold)

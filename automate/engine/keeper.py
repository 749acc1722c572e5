"""The keeper of the journal: what changed is written before anything is done because of it.

A slow disk must not keep the engine from reading its sockets: then it writes in a thread, and
what is to be done waits for that. With a disk that refuses, the work goes on all the same; what
was not written is tried again after a while, and with the next change.
"""

import math
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import trio
from attrs import define, field, frozen

from automate.engine.journal import Journal, Note, Request
from automate.errors import StateError

__all__ = ["Description", "Keeper"]

# A full disk is seldom emptied at once.
_AGAIN_SECONDS: Final = 10.0
# Should it stay full for ever: the latest is what counts.
_NOTES_KEPT: Final = 1000


@frozen(kw_only=True)
class Description:
    """Which *recipes* are at work for which *servers*; see `Journal.describe`."""

    recipes: Sequence[str]
    servers: Mapping[str, str]
    serves: Mapping[str, Sequence[str]]


@define
class _Change:
    """What is to be written: parts, why, and what became of requests."""

    parts: dict[str, Any] = field(factory=dict)
    notes: list[Note] = field(factory=list)
    begun: dict[int, int] = field(factory=dict)
    refused: dict[int, str] = field(factory=dict)
    described: Description | None = None

    def __bool__(self) -> bool:
        return self.is_decided or bool(self.refused or self.described)

    @property
    def is_decided(self) -> bool:
        """Whether anything was decided."""
        return bool(self.parts or self.notes or self.begun)

    def take_in(self, later: "_Change") -> None:
        """Add what is to be written, too."""
        self.parts |= later.parts
        self.notes += later.notes
        self.begun |= later.begun
        self.refused |= later.refused
        self.described = later.described or self.described

    def write(self, journal: Journal) -> None:
        """Write all of it; what is written is taken out.

        Raises:
            StateError: the disk refuses.
        """
        if (told := self.described) is not None:
            journal.describe(recipes=told.recipes, servers=told.servers, serves=told.serves)
            self.described = None
        if self.is_decided:
            journal.write(self.parts, self.notes, begun=self.begun)
            self.parts, self.notes, self.begun = {}, [], {}
        for id, reason in list(self.refused.items()):
            journal.answer_request(id, None, "held back", reason)
            del self.refused[id]


class Keeper:
    """Writes to *journal*, at once or (*threaded*) beside, then calls what is to follow.

    *complain* is told in words what can't be written, once until it can again.
    """

    def __init__(
        self, journal: Journal | None, *, threaded: bool, complain: Callable[[str], None]
    ) -> None:
        self.journal = journal
        self._threaded = threaded
        self._complain = complain
        self._unwritten = _Change()
        self._waiting: deque[tuple[_Change, Callable[[], None]]] = deque()
        self._arrived = trio.Event()
        self._is_broken = False
        self._writing = trio.Lock()

    def keep(
        self,
        parts: Mapping[str, Any],
        notes: Sequence[Note],
        then: Callable[[], None],
        *,
        begun: Mapping[int, int] | None = None,
        refused: Mapping[int, str] | None = None,
        described: Description | None = None,
    ) -> None:
        """Write what changed and why, then call *then*; in the order of the calls.

        *begun* are the runs that requests set off, *refused* why others set off none, and
        *described* is what is at work now.
        """
        if self.journal is None:
            then()
            return
        change = _Change(
            dict(parts), list(notes), dict(begun or {}), dict(refused or {}), described
        )
        if self._threaded:
            self._waiting.append((change, then))
            self._arrived.set()
            return
        self._unwritten.take_in(change)
        self._note(self._write())
        if self._is_broken:
            self._arrived.set()
        then()

    async def run(self) -> None:
        """Write what there is to write, until cancelled; whatever was handed over is written."""
        while True:
            with trio.move_on_after(_AGAIN_SECONDS if self._is_broken else math.inf):
                await self._arrived.wait()
            self._arrived = trio.Event()
            with trio.CancelScope(shield=True):
                await self.finish()

    async def finish(self) -> None:
        """Write what there is to write now."""
        async with self._writing:
            while self._waiting or self._unwritten:
                ready = list(self._waiting)
                self._waiting.clear()
                for change, _ in ready:
                    self._unwritten.take_in(change)
                if self._unwritten:
                    self._note(
                        await trio.to_thread.run_sync(self._write)
                        if self._threaded
                        else self._write()
                    )
                for _, then in ready:
                    then()
                if self._is_broken and not self._waiting:
                    return

    async def take_requests(self) -> list[Request]:
        """Return the requests that nobody took yet; none while that can't be said."""
        journal = self.journal
        if journal is None:
            return []
        try:
            if self._threaded:
                return await trio.to_thread.run_sync(journal.take_requests)
            return journal.take_requests()
        except StateError:
            return []  # a request waits; whoever writes next will say what is wrong

    def _write(self) -> StateError | None:
        assert self.journal is not None
        try:
            self._unwritten.write(self.journal)
        except StateError as error:
            return error
        return None

    def _note(self, error: StateError | None) -> None:
        if error is None:
            if self._is_broken:
                self._complain("the journal is written again, and nothing is missing in it")
            self._is_broken = False
            return
        if not self._is_broken:
            self._is_broken = True
            self._complain(f"warning: {error}; the work goes on, and it is tried again")
        del self._unwritten.notes[:-_NOTES_KEPT]

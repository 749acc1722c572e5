"""The keeper of the journal: what changed is written before anything is done because of it.

A slow disk must not keep the engine from reading its sockets: then it writes in a thread, and
what is to be done waits for that. With a disk that refuses, the work goes on all the same; what
was not written is tried again with the next change.
"""

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import trio
from attrs import define, field

from automate.engine.journal import Journal, Note
from automate.errors import StateError

__all__ = ["Keeper"]


@define
class _Change:
    parts: dict[str, Any]
    notes: list[Note]
    begun: dict[int, int] = field(factory=dict)


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
        self._unwritten = _Change({}, [])
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
    ) -> None:
        """Write what changed and why, then call *then*; in the order of the calls."""
        if self.journal is None:
            then()
            return
        change = _Change(dict(parts), list(notes), dict(begun or {}))
        if self._threaded:
            self._waiting.append((change, then))
            self._arrived.set()
            return
        self._take_in(change)
        self._note(self._write(self._unwritten))
        then()

    async def run(self) -> None:
        """Write what there is to write, until cancelled; whatever was handed over is written."""
        while True:
            await self._arrived.wait()
            with trio.CancelScope(shield=True):
                await self.finish()

    async def finish(self) -> None:
        """Write what there is to write now."""
        async with self._writing:
            while self._waiting:
                self._arrived = trio.Event()
                ready = list(self._waiting)
                self._waiting.clear()
                for change, _ in ready:
                    self._take_in(change)
                if self._has_news():
                    error = await trio.to_thread.run_sync(self._write, self._unwritten)
                    self._note(error)
                for _, then in ready:
                    then()

    def _has_news(self) -> bool:
        change = self._unwritten
        return bool(change.parts or change.notes or change.begun)

    def _take_in(self, change: _Change) -> None:
        self._unwritten.parts |= change.parts
        self._unwritten.notes += change.notes
        self._unwritten.begun |= change.begun

    def _write(self, change: _Change) -> StateError | None:
        if not (change.parts or change.notes or change.begun):
            return None
        assert self.journal is not None
        try:
            self.journal.write(change.parts, change.notes, begun=change.begun)
        except StateError as error:
            return error
        return None

    def _note(self, error: StateError | None) -> None:
        if error is None:
            self._is_broken = False
            self._unwritten = _Change({}, [])
        elif not self._is_broken:
            self._is_broken = True
            # Not for ever, should the disk stay full: the latest is what counts.
            self._complain(str(error))
        if self._is_broken:
            del self._unwritten.notes[:-1000]

"""The steps of a script, in order: nearly all of them are pushes, which are only pointed at.

A push is read from its entry when it is wanted, so that a long recording is not held twice.
"""

from array import array
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from typing import overload

from automate.fake.script import Push, Step
from automate.recording.format import Entry, ServerFrame

__all__ = ["Steps"]


class Steps(Sequence[Step]):
    """Steps that are written one after the other, and then read; pushes are among *entries*."""

    def __init__(self, entries: Sequence[Entry]) -> None:
        self._entries = entries
        # Of a push the number of its entry, of another step its own number, inverted.
        self._order = array("q")
        self._landmarks: list[Step] = []
        self._places: list[int] = []
        self._latest: tuple[int, Push] | None = None

    def add_push(self, index: int) -> None:
        """Add the frame in the entry of this *index*, which goes to everyone."""
        self._order.append(index)

    def add(self, *steps: Step) -> None:
        """Add *steps* of other kinds."""
        for step in steps:
            self._places.append(len(self._order))
            self._order.append(~len(self._landmarks))
            self._landmarks.append(step)

    def __len__(self) -> int:
        return len(self._order)

    @overload
    def __getitem__(self, index: int) -> Step: ...
    @overload
    def __getitem__(self, index: slice) -> list[Step]: ...
    def __getitem__(self, index: int | slice) -> Step | list[Step]:
        """Return one step, or several."""
        if isinstance(index, slice):
            return [self[one] for one in range(*index.indices(len(self)))]
        number = self._order[index]
        return self._push(number) if number >= 0 else self._landmarks[~number]

    def _push(self, number: int) -> Push:
        """Return a push; the latest is kept, since a step is looked at several times."""
        if self._latest is None or self._latest[0] != number:
            entry = self._entries[number]
            assert isinstance(entry, ServerFrame)
            push = Push(at=entry.t, text=entry.frame, message=entry.message)
            self._latest = number, push
        return self._latest[1]

    def landmarks(self, begin: int = 0) -> Iterator[Step]:
        """Give the steps that are no pushes, from the place *begin* on."""
        for number in range(bisect_left(self._places, begin), len(self._landmarks)):
            yield self._landmarks[number]

    def place_of(self, step: Step) -> int:
        """Return the place of a *step* that is no push.

        Raises:
            ValueError: it is none of these.
        """
        return self._places[self._landmarks.index(step)]

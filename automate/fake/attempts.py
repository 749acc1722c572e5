"""The attempts of live clients: what they did lately, to be held against what is waited for."""

from collections import deque
from typing import Any, Final

from attrs import evolve

from automate.fake.script import Content
from automate.fake.stall import Attempt, Stall, differences, fields_of, nearest

__all__ = ["Attempts"]

# So many of the latest are remembered: a client may try for ever, and each is compared.
_KEPT: Final = 30


class Attempts:
    """The latest deeds of live clients, whatever became of them."""

    def __init__(self) -> None:
        self._latest: deque[Attempt] = deque(maxlen=_KEPT)

    def add(
        self,
        content: Content,
        outcome: str,
        *,
        tape_seconds: float,
        body: Any,
        is_used: bool = False,
    ) -> None:
        """Remember one more; *is_used* says that it was taken for a recorded deed."""
        attempt = Attempt(
            tape_seconds=round(tape_seconds, 4),
            content=content,
            outcome=outcome,
            body=body,
            is_used=is_used,
        )
        self._latest.append(attempt)

    def compare(self, stall: Stall) -> Stall:
        """Return *stall* with what was done that comes closest to its deed."""
        deed = stall.deed
        found = None if deed is None else nearest(deed, self._latest)
        if deed is None or found is None:
            return stall
        expected = fields_of(deed.content, deed.call and deed.call.request)
        differ = differences(expected, fields_of(found.content, found.body))
        return evolve(stall, nearest=found, differences=differ)

    def missed(self, stall: Stall | None) -> str:
        """Return how the latest differs from what *stall* waits for, to end a note with."""
        if stall is None or stall.nearest is None or stall.nearest is not self._latest[-1]:
            return ""
        return f"; {stall.deed} is waited for: {'; '.join(map(str, stall.differences))}"

    @staticmethod
    def wait(stall: Stall) -> str:
        """Return the note that says what is waited for from now on."""
        if stall.nearest is None or stall.nearest.is_used:
            return f"for {stall.waits_for}"
        differ = "; ".join(map(str, stall.differences))
        return f"for {stall.waits_for}; nearest: {stall.nearest}; {differ}"

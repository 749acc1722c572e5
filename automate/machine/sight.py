"""What was last seen of a server, and is not worth writing down: it is soon seen again."""

from collections import deque
from collections.abc import Mapping, Sequence
from typing import Final

from attrs import Factory, define

from automate.wire.console import clean
from automate.wire.messages import Stats

__all__ = ["LINES_KEPT", "Sight"]

# So many lines in a row are hardly ever said twice.
_PLACE_LINES: Final = 8
# As much as a person wants to read of what led to a crash.
LINES_KEPT: Final = 50


@define
class Sight:
    """The last statistics, and the last lines of the game's console, raw.

    *fallen* are those that were the last when the server was last seen to go offline.
    """

    stats: Stats | None = None
    last_line_at: float | None = None
    lines: deque[str] = Factory(lambda: deque(maxlen=LINES_KEPT))

    fallen: tuple[str, ...] = ()
    # What another automate finds in the log as it begins, and the runs whose place it has passed.
    log: deque[str] = Factory(lambda: deque(maxlen=_PLACE_LINES))
    passed: set[int] = Factory(set)

    def fall(self) -> None:
        """Note that the server went offline: a second later it may talk again."""
        # Another automate has seen none yet, but knows what the one before it wrote down.
        self.fallen = tuple(self.lines) or self.fallen

    def recent_lines(self) -> list[str]:
        """Return the few lines that it said last, cleaned."""
        return [clean(line) for line in self.lines][-_PLACE_LINES:]

    def find(self, line: str, places: Mapping[int, Sequence[str]]) -> set[int]:
        """Take in a *line* of the log, and return the runs that have waited since before it.

        *places* has what each run knows to have been said before it waited.
        """
        waited = set(self.passed)
        self.log.append(line)
        for run, place in places.items():
            if place and list(self.log)[-len(place) :] == list(place):
                self.passed.add(run)
        return waited

    def last_lines(self) -> str:
        """Return the last lines before the server went offline, cleaned, as one text."""
        return "\n".join(map(clean, self.fallen))

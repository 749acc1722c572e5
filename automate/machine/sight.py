"""What was last seen of a server, and is not worth writing down: it is soon seen again."""

from collections import deque
from typing import Final

from attrs import Factory, define

from automate.wire.console import clean
from automate.wire.messages import Stats

__all__ = ["LINES_KEPT", "Sight"]

# As much as a person wants to read of what led to a crash.
LINES_KEPT: Final = 50


@define
class Sight:
    """The last statistics, and the last lines of the game's console, raw."""

    stats: Stats | None = None
    last_line_at: float | None = None
    lines: deque[str] = Factory(lambda: deque(maxlen=LINES_KEPT))

    def last_lines(self) -> str:
        """Return the last lines, cleaned, as one text."""
        return "\n".join(map(clean, self.lines))

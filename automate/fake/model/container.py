"""The container's console: what the game printed, as the daemon passes it on and keeps it.

What the daemon itself says never comes here: it is in no log. Source: PROBED section 1.
"""

from collections import deque
from typing import Final

__all__ = ["Container", "pieces"]

_LINE_BYTES: Final = 65536
_LOST_BYTES: Final = 4096


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


def pieces(line: str) -> list[str]:
    """Return the events that *line* comes in.

    An empty line is none. A carriage return after a space becomes a line end. Over 64 KiB it is
    cut, and 4096 bytes (or what is left of it, if less) are lost at each cut.
    """
    line = line.replace(" \r", "\r\n")
    if len(line) * 4 <= _LINE_BYTES:
        return [line] if line else []
    data, parts = _bytes(line), []
    while data:
        parts.append(data[:_LINE_BYTES].decode("utf-8", "surrogateescape"))
        data = data[_LINE_BYTES + _LOST_BYTES :] if len(data) > _LINE_BYTES else b""
    return parts


class Container:
    """One run of the game: its lines, from its start."""

    def __init__(self, *, keeps: int) -> None:
        self._lines: deque[str] = deque(maxlen=keeps)

    def add(self, line: str) -> None:
        """Keep *line*, whether anybody sees it or not."""
        self._lines.append(line)

    def last_lines(self) -> list[str]:
        """Return the last lines, the empty ones too, up to one that is too long to be read."""
        found = []
        for line in self._lines:
            if len(line) * 4 > _LINE_BYTES and len(_bytes(line)) > _LINE_BYTES:
                break
            found.append(line)
        return found

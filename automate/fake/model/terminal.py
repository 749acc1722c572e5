"""The container's terminal, between whoever types and the game: echo, lines, control bytes.

A pure stand-in for the kernel's line discipline, for games that are no real program. Sources:
PROBED section 1 (4095 bytes) and section 2 ("echo", "control bytes").
"""

from enum import Enum
from typing import Final

from attrs import frozen

__all__ = ["Echoed", "Entered", "Key", "Terminal", "Typed"]

_LINE_BYTES: Final = 4095
_TAB: Final = 0x09
_DELETE: Final = 0x7F


@frozen
class Echoed:
    """A whole line stands on the screen that nobody printed: what was typed."""

    line: str


@frozen
class Entered:
    """The game gets *line*, without its end."""

    line: str


class Key(Enum):
    """A key that acts on the game, not on the line."""

    INTERRUPT = "interrupt"
    END = "end of input"


Typed = Echoed | Entered | Key


def _text(data: bytes | bytearray) -> str:
    return bytes(data).decode("utf-8", "surrogateescape")


class Terminal:
    """What was typed and not entered yet, and what stands on the screen's last line."""

    def __init__(self) -> None:
        self._line = bytearray()
        self._screen = bytearray()

    def type(self, text: str) -> list[Typed]:
        """Type *text* and the newline after it; return what comes of it, in order."""
        typed: list[Typed] = []
        for byte in f"{text}\n".encode("utf-8", "surrogateescape"):
            self._press(byte, typed)
        return typed

    def print(self, line: str) -> str:
        """Return how *line* of the game's stands on the screen: behind what was echoed."""
        before, self._screen = _text(self._screen), bytearray()
        return before + line

    def rest(self) -> str:
        """Return what is left on the screen's last line, at the end."""
        return self.print("")

    def _press(self, byte: int, typed: list[Typed]) -> None:
        match byte:
            case 0x0A | 0x0D:
                typed.append(Echoed(self.print("")))
                typed.append(Entered(_text(self._line[:_LINE_BYTES])))
                self._line.clear()
            case 0x03:
                self._echo_key(byte)
                self._line.clear()
                typed.append(Key.INTERRUPT)
            case 0x04 if self._line:
                typed.append(Entered(_text(self._line[:_LINE_BYTES])))
                self._line.clear()
            case 0x04:
                typed.append(Key.END)
            case 0x1A | 0x1C:
                self._echo_key(byte)
                self._line.clear()
            case 0x15:
                self._erase(len(self._line))
            case _ if byte == _DELETE:
                self._erase(min(1, len(self._line)))
            case _:
                self._line.append(byte)
                if byte < 0x20 and byte != _TAB:
                    self._echo_key(byte)
                else:
                    self._screen.append(byte)

    def _echo_key(self, byte: int) -> None:
        self._screen += b"^" + bytes([byte ^ 0x40])

    def _erase(self, count: int) -> None:
        del self._line[len(self._line) - count :]
        self._screen += b"\b \b" * count

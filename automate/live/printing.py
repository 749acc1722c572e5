"""A stream of text whose reader may be slow: whoever prints never waits for long.

A terminal that somebody has stopped (Ctrl-S), a pager, a pipe into something that hangs, a log on
a slow disk: none of them may hold up the one loop that reads the sockets. What can't be taken
waits in memory up to a bound; what comes beyond is dropped line by line, counted, and said.
"""

import io
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import TracebackType
from typing import Final, Self, TextIO, cast

from automate.live.spool import Spool

__all__ = ["PatientStream", "patiently"]

# A terminal takes a line in microseconds.
_PATIENCE_SECONDS: Final = 0.01
_WAITING_CHARACTERS: Final = 1 << 20
_PARTING_SECONDS: Final = 2.0


@contextmanager
def patiently(stream: TextIO) -> Iterator[TextIO]:
    """Give a `PatientStream` to *stream*, for whoever wants a file."""
    with PatientStream(stream) as patient:
        # It has all that files of text have; the library's types only know its own.
        yield cast("TextIO", patient)


class PatientStream(io.TextIOBase):
    """Writes to *stream*, keeping up to *waiting* characters that it does not take at once.

    `dropped` counts the lines that were never written for that reason. What *stream* raises, for
    its reader has gone, comes out of the next `write` or `flush`. Closing it waits two seconds
    at most, and leaves *stream* itself open.
    """

    def __init__(self, stream: TextIO, *, waiting: int = _WAITING_CHARACTERS) -> None:
        super().__init__()
        self.dropped = 0
        self._untold = 0
        self._stream = stream
        self._line = ""
        self._is_over = False
        self._spool: Spool[str] = Spool(self._give, limit=waiting, name="printing")

    @property
    def encoding(self) -> str:  # type: ignore[override] # typeshed has it writable
        """The stream's own."""
        return self._stream.encoding

    def writable(self) -> bool:
        """Return that it can be written to."""
        return True

    def isatty(self) -> bool:
        """Return whether the stream is a terminal."""
        return self._stream.isatty()

    def fileno(self) -> int:
        """Return the stream's own number."""
        return self._stream.fileno()

    def write(self, text: str, /) -> int:
        """Take *text*, and hand on what is whole lines by now.

        Raises:
            OSError: the stream raised it, now or before.
        """
        self._line += text
        whole, newline, self._line = self._line.rpartition("\n")
        if newline:
            self._hand_on(whole + newline)
        return len(text)

    def flush(self) -> None:
        """Wait a moment for what is under way, no more.

        Raises:
            OSError: the stream raised it.
        """
        if self._is_over:
            return
        if self._line:
            line, self._line = self._line, ""
            self._hand_on(line)
        self._spool.check()

    def close(self) -> None:
        """Flush, and say at last what was dropped."""
        if self._is_over:
            return
        # Whoever does not read any more has been told by an earlier write, or wants no word.
        with suppress(OSError):
            self.flush()
            if self._untold and self._spool.wait(_PARTING_SECONDS):
                self._spool.put(self._notice())
        self._spool.close(_PARTING_SECONDS)
        self._is_over = True
        super().close()

    def __enter__(self) -> Self:
        """Return the stream itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Close it."""
        self.close()

    def _hand_on(self, text: str) -> None:
        self._spool.check()
        if self._spool.is_full:
            count = max(text.count("\n"), 1)
            self.dropped += count
            self._untold += count
            return
        if self._untold:
            text = self._notice() + text
        self._spool.put(text, patience_seconds=_PATIENCE_SECONDS)

    def _notice(self) -> str:
        words = f"({self._untold} lines are missing here: nobody took them in time)\n"
        self._untold = 0
        return words

    def _give(self, text: str) -> None:
        """Write *text*, in the thread."""
        self._stream.write(text)
        self._stream.flush()

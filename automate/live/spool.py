"""Pieces on their way to something slow: a disk that hangs, a terminal that somebody has stopped.

Whoever hands them over does not wait for it: a thread of its own gives them on, in their order.
How much may wait in memory is bounded; what is to become of the rest is the owner's affair.
"""

import errno
import queue
import threading
from collections.abc import Callable, Sized
from typing import Generic, TypeVar

__all__ = ["Spool"]

Piece = TypeVar("Piece", bound=Sized)


class Spool(Generic[Piece]):
    """Gives each piece to *take*, which may block, until that raises an `OSError`."""

    def __init__(self, take: Callable[[Piece], None], *, limit: int, name: str) -> None:
        self._take = take
        self._limit = limit
        self._pieces: queue.SimpleQueue[Piece | None] = queue.SimpleQueue()
        self._waiting = 0
        self._error: OSError | None = None
        self._changed = threading.Condition()
        # A daemon: a process that has to end at once does not wait for it.
        self._thread = threading.Thread(target=self._give_on, name=name, daemon=True)
        self._thread.start()

    @property
    def waiting(self) -> int:
        """The length of all that was handed over and not taken yet."""
        with self._changed:
            return self._waiting

    @property
    def is_full(self) -> bool:
        """Whether more waits than should."""
        return self.waiting > self._limit

    def check(self) -> None:
        """Raise what *take* raised, if it did; nothing was taken since."""
        with self._changed:
            if self._error is not None:
                raise self._error

    def put(self, piece: Piece, *, patience_seconds: float = 0.0) -> None:
        """Hand *piece* over.

        Where nothing else waits, it is waited for until it is taken, but not for longer than
        *patience_seconds*: something that hangs is waited for once, and not each time.

        Raises:
            OSError: *take* raised it, now or before.
        """
        with self._changed:
            was_idle = not self._waiting
            self._waiting += len(piece)
        self._pieces.put(piece)
        if was_idle and patience_seconds:
            self.wait(patience_seconds)
        self.check()

    def wait(self, seconds: float) -> bool:
        """Wait until everything is taken, so long at most; return whether it is."""
        with self._changed:
            return self._changed.wait_for(lambda: not self._waiting, seconds)

    def close(self, seconds: float) -> bool:
        """Take no more, and wait so long for the rest; return whether the thread has ended."""
        self._pieces.put(None)
        self._thread.join(seconds)
        return not self._thread.is_alive()

    def _give_on(self) -> None:
        """Give on what comes, in the thread, until told to end."""
        while (piece := self._pieces.get()) is not None:
            error: OSError | None = None
            try:
                if self._error is None:
                    self._take(piece)
            except OSError as exc:
                error = exc
            except ValueError as exc:  # it was closed meanwhile
                error = OSError(errno.EBADF, str(exc))
            with self._changed:
                self._waiting -= len(piece)
                self._error = self._error or error
                self._changed.notify_all()

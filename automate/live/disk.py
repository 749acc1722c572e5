"""A recording's writer whose disk may be slow: whoever writes never waits for long.

Pieces go to the file in a thread of their own. What a disk takes at once is on it when `flush`
returns; for one that hangs, pieces wait in memory up to a bound, and what comes beyond is
dropped, counted, and marked in the recording as a gap.
"""

import queue
import threading
from os import PathLike
from typing import Any, Final

from automate.errors import RecordingError
from automate.recording.format import EngineNote, Header
from automate.recording.redaction import Redactor
from automate.recording.writer import RecordingWriter

__all__ = ["PatientWriter"]

# Flushed ten times a second, a busy server's recording is a few kilobytes: a disk needs well
# under a millisecond for that. Sockets can wait this long.
_PATIENCE_SECONDS: Final = 0.01
_WAITING_BYTES: Final = 64 << 20
_PARTING_SECONDS: Final = 30.0


class PatientWriter(RecordingWriter):
    """A `RecordingWriter` that keeps up to *waiting_bytes* for a disk that does not take them.

    `dropped` counts the entries that are in no file for that reason.
    """

    def __init__(
        self,
        path: str | PathLike[str],
        header: Header,
        *,
        redactor: Redactor | None = None,
        overwrite: bool = False,
        waiting_bytes: int = _WAITING_BYTES,
    ) -> None:
        self.dropped = 0
        self._untold = 0
        self._limit = waiting_bytes
        self._pieces: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        self._waiting = 0
        self._lock = threading.Condition()
        self._error: RecordingError | None = None
        self._thread: threading.Thread | None = None
        super().__init__(path, header, redactor=redactor, overwrite=overwrite)
        self._thread = threading.Thread(target=self._write_all, name="recording", daemon=True)
        self._thread.start()

    def flush(self) -> None:
        """Hand everything written so far to the disk, or keep it until the disk takes it.

        Raises:
            RecordingError: the disk refused something, now or before.
        """
        if self._thread is None:
            # The header, before the thread begins: a file that can't be written is told at once.
            super().flush()
            return
        with self._lock:
            if self._error is not None:
                raise self._error
            is_full = self._waiting > self._limit
            was_idle = not self._waiting
        if is_full:
            count = self._buffer.count(b"\n")
            self.dropped += count
            self._untold += count
            self._buffer.clear()
            return
        self._hand_over()
        with self._lock:
            # A disk that hangs is waited for once, and not at each flush of each recording.
            if was_idle:
                self._lock.wait_for(lambda: not self._waiting, _PATIENCE_SECONDS)
            if self._error is not None:
                raise self._error

    def close(self) -> None:
        """Flush, wait for the disk, and close the file; closing again does nothing.

        Raises:
            RecordingError: the disk did not take everything.
        """
        if self._file.closed:
            return
        try:
            self.flush()
        finally:
            self._pieces.put(None)
            assert self._thread is not None
            self._thread.join(_PARTING_SECONDS)
            if not self._thread.is_alive():
                self._file.close()
        with self._lock:
            if self._error is None and self._waiting:
                self._error = RecordingError(
                    f"{self.path}: the disk has taken nothing for {_PARTING_SECONDS:.0f} s; the "
                    f"last {self._waiting} bytes are lost"
                )
            if self._error is not None:
                raise self._error

    def _hand_over(self) -> None:
        if not self._buffer:
            return
        piece = bytes(self._buffer)
        self._buffer.clear()
        if self._untold:
            words = f"{self._untold} entries were dropped: the disk was too slow"
            self._untold = 0
            self.write(EngineNote(self._t, "gap", extra={"detail": words}))
            piece = bytes(self._buffer) + piece
            self._buffer.clear()
        with self._lock:
            self._waiting += len(piece)
        self._pieces.put(piece)

    def _write_all(self) -> None:
        """Write what comes, in the thread, until told to end."""
        while (piece := self._pieces.get()) is not None:
            error: Any = None
            try:
                rest = memoryview(piece)
                while rest and self._error is None:
                    rest = rest[self._file.write(rest) or 0 :]
            except OSError as exc:
                error = exc
            with self._lock:
                self._waiting -= len(piece)
                if error is not None and self._error is None:
                    self._error = RecordingError(
                        f"{self.path}: it can't be written ({error.strerror}); check the disk and "
                        "the permissions"
                    )
                self._lock.notify_all()

"""A recording's writer whose disk may be slow: whoever writes never waits for long.

Pieces go to the file in a thread of their own. What a disk takes at once is on it when `flush`
returns; for one that hangs, pieces wait in memory up to a bound, and what comes beyond is
dropped, counted, and marked in the recording as a gap.
"""

from os import PathLike
from typing import Final

from automate.errors import RecordingError
from automate.live.spool import Spool
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
        self._is_closed = False
        self._spool: Spool[bytes] | None = None
        super().__init__(path, header, redactor=redactor, overwrite=overwrite)
        self._spool = Spool(self._write, limit=waiting_bytes, name="recording")

    def flush(self) -> None:
        """Hand everything written so far to the disk, or keep it until the disk takes it.

        Raises:
            RecordingError: the disk refused something, now or before.
        """
        if self._spool is None:
            # The header, before the thread begins: a file that can't be written is told at once.
            super().flush()
            return
        try:
            self._spool.check()
            if self._spool.is_full:
                count = self._buffer.count(b"\n")
                self.dropped += count
                self._untold += count
                self._buffer.clear()
            elif self._buffer:
                self._spool.put(self._piece(), patience_seconds=_PATIENCE_SECONDS)
        except OSError as exc:
            raise self._refused(exc) from exc

    def close(self) -> None:
        """Flush, wait for the disk, and close the file; closing again does nothing.

        Raises:
            RecordingError: the disk did not take everything.
        """
        if self._is_closed:
            return
        self._is_closed = True
        assert self._spool is not None
        try:
            self.flush()
            if self._untold and self._spool.wait(_PARTING_SECONDS):
                self._spool.put(self._piece())
        except OSError as exc:
            raise self._refused(exc) from exc
        finally:
            is_over = self._spool.close(_PARTING_SECONDS)
            # A file that is being written can't be closed, and would not help anybody.
            if is_over:
                self._file.close()
        if not is_over:
            raise RecordingError(
                f"{self.path}: the disk has taken nothing for {_PARTING_SECONDS:.0f} s; the last "
                f"{self._spool.waiting} bytes are lost"
            )
        self.flush()

    def _piece(self) -> bytes:
        """Return what is to be written next, after a word on what was dropped before it."""
        piece = bytes(self._buffer)
        self._buffer.clear()
        if self._untold:
            words = f"{self._untold} entries were dropped: the disk was too slow"
            self._untold = 0
            self.write(EngineNote(self._t, "gap", extra={"detail": words}))
            piece = bytes(self._buffer) + piece
            self._buffer.clear()
        return piece

    def _write(self, piece: bytes) -> None:
        """Write *piece*, in the thread."""
        rest = memoryview(piece)
        while rest:
            rest = rest[self._file.write(rest) or 0 :]

    def _refused(self, exc: OSError) -> RecordingError:
        return RecordingError(
            f"{self.path}: it can't be written ({exc.strerror}); check the disk and the permissions"
        )

"""A recording being read: the whole of it, or entry by entry where it is too long for that.

A file cut short by a crash is read up to the cut, and a warning says where that is. What a line
means is the format's business.
"""

import io
from collections.abc import Iterator
from os import PathLike, fspath
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Final, NoReturn, Self

from attrs import frozen

from automate.errors import RecordingError, nearest
from automate.recording.format import (
    VERSION,
    Entry,
    Header,
    decode_entry,
    decode_quickly,
    decode_versioned_header,
)

__all__ = ["Recording", "RecordingReader", "open_recording", "read_recording"]

_ZSTANDARD: Final = b"\x28\xb5\x2f\xfd"
_BYTE_ORDER_MARK: Final = b"\xef\xbb\xbf"
# Of a file without lines, no more than this is read to find that out.
_HEADER_LIMIT_BYTES: Final = 1 << 20
_UTF_16: Final = (b"\xff\xfe", b"\xfe\xff")


@frozen
class Recording:
    """A recording, read to its end; *warnings* say what is odd about the file, a line each."""

    path: str
    header: Header
    entries: list[Entry]
    warnings: list[str]


def read_recording(path: str | PathLike[str]) -> Recording:
    """Return the recording at *path*.

    Raises:
        RecordingError: there is no file, it is no recording, a newer one, or damaged.
    """
    with open_recording(path) as reader:
        entries = list(reader)
        return Recording(reader.path, reader.header, entries, reader.warnings)


def open_recording(path: str | PathLike[str]) -> "RecordingReader":
    """Open the recording at *path*, a context manager: its header is read, its entries follow.

    Raises:
        RecordingError: there is no file, it is no recording, or a newer one.
    """
    name = fspath(path)
    file, damage = _open(name)
    try:
        return RecordingReader(name, file, damage)
    except BaseException:  # whatever ends it here, nobody else will close the file
        file.close()
        raise


class RecordingReader:
    """An iterator over the entries of a file, once; *warnings* grow while it goes on."""

    header: Header
    warnings: list[str]

    def __init__(self, path: str, file: IO[bytes], damage: tuple[type[Exception], ...]) -> None:
        self.path = path
        self.warnings = []
        self._file = file
        self._damage = damage
        try:
            line = file.readline(_HEADER_LIMIT_BYTES)
        except damage as exc:
            _unreadable(path, exc)
        self._offset = len(line)
        self.header, self._version = _header(path, line)
        self._entries = self._read()

    def __enter__(self) -> Self:
        """Return the reader itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Close the file."""
        self.close()

    def __iter__(self) -> Iterator[Entry]:
        """Return the one iterator over the entries.

        It raises RecordingError at a line that is no entry, unless the file ends in that line.
        """
        return self._entries

    def __next__(self) -> Entry:
        """Return the next entry."""
        return next(self._entries)

    def close(self) -> None:
        """Close the file; closing again does nothing."""
        self._file.close()

    def _read(self) -> Iterator[Entry]:
        number = 1
        last_t = 0.0
        falls = False
        decode = decode_quickly if self._version == VERSION else _refuse
        try:
            for line in self._file:
                number += 1
                try:
                    entry: Entry | None = decode(line)
                except (ValueError, RecursionError):
                    entry = self._look_closer(line, number)
                self._offset += len(line)
                if entry is None:
                    continue
                if entry.t < last_t and not falls:
                    falls = True
                    self.warnings.append(
                        f"{self.path}:{number}: the time falls from {last_t:.4f} to "
                        f"{entry.t:.4f} s; the entries are kept in the order of the file"
                    )
                last_t = entry.t
                yield entry
        except self._damage as exc:
            _unreadable(f"{self.path}:{number + 1}", exc)

    def _look_closer(self, line: bytes, number: int) -> Entry | None:
        """Return the entry on a line that is not plain; ``None`` where there is none to have."""
        if not line.strip():
            return None
        try:
            return decode_entry(line, source=f"{self.path}:{number}", version=self._version)
        except RecordingError:
            if line.endswith(b"\n"):
                raise
        self.warnings.append(
            f"{self.path}:{number}: the file is cut short at byte {self._offset + len(line)}, in "
            f"the line that starts at byte {self._offset}; all lines before it were kept"
        )
        return None


def _refuse(line: bytes) -> NoReturn:
    """Have every line of an older version looked at closer."""
    raise ValueError


def _header(path: str, line: bytes) -> tuple[Header, int]:
    if not line:
        raise RecordingError(f"{path}: the file is empty; was the recorder ever started?")
    if line.startswith(_UTF_16):
        raise RecordingError(f"{path}: expected UTF-8, found UTF-16; save it as UTF-8")
    line = line.removeprefix(_BYTE_ORDER_MARK)
    try:
        return decode_versioned_header(line, source=f"{path}:1")
    except RecordingError:
        if line.endswith(b"\n") or not line.startswith(b'{"format":"automate-'):
            raise
    raise RecordingError(f"{path}:1: the file is cut short in its header; nothing is left to read")


def _open(path: str) -> tuple[IO[bytes], tuple[type[Exception], ...]]:
    """Return the file, and what its reading raises where it is damaged."""
    try:
        file = open(path, "rb")  # noqa: SIM115 # the reader closes it
        try:
            if file.peek(4)[:4] != _ZSTANDARD:
                return file, (OSError,)
            return _decompressed(path, file)
        except BaseException:  # whatever ends it here, nobody else will close the file
            file.close()
            raise
    except FileNotFoundError:
        hint = nearest(Path(path)) or "; check the name"
        raise RecordingError(f"{path}: there is no such file{hint}") from None
    except IsADirectoryError:
        raise RecordingError(
            f"{path}: this is a directory; give a recording (.jsonl) in it"
        ) from None
    except OSError as exc:
        _unreadable(path, exc)


def _decompressed(path: str, file: Any) -> tuple[IO[bytes], tuple[type[Exception], ...]]:
    try:
        import zstandard
    except ImportError:
        raise RecordingError(
            f"{path}: reading .zst files takes an extra package; "
            "pip install 'automate[zst]', or decompress it first (zstd -d)"
        ) from None
    stream = zstandard.ZstdDecompressor().stream_reader(file, read_across_frames=True, closefd=True)
    return io.BufferedReader(stream), (OSError, zstandard.ZstdError)


def _unreadable(place: str, exc: Exception) -> NoReturn:
    why = getattr(exc, "strerror", None) or " ".join(str(exc).split())
    raise RecordingError(
        f"{place}: it can't be read ({why}); check the disk, the permissions, or take another copy"
    ) from exc

"""A recording as a replay wants it: its header, and its entries in order, in memory or on the disk.

What was read whole is as good as a `Film`, which reads each entry from its file when that is
wanted. So a recording of any length can be replayed.
"""

from array import array
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from os import PathLike, fspath
from typing import BinaryIO, Final, Protocol, overload

from attrs import field, frozen

from automate.errors import RecordingError
from automate.recording.format import Entry, Header, decode_entry, decode_versioned_header
from automate.recording.reader import open_recording, read_recording

__all__ = ["Film", "Recorded", "open_film"]

_ZSTANDARD: Final = b"\x28\xb5\x2f\xfd"


class Recorded(Protocol):
    """What is recorded; a `Recording` is, too."""

    @property
    def path(self) -> str:
        """Where it is from."""

    @property
    def header(self) -> Header:
        """Its first line."""

    @property
    def entries(self) -> Sequence[Entry]:
        """All the others."""


@frozen
class Film:
    """A recording that stays on the disk; *warnings* say what is odd about the file."""

    path: str
    header: Header
    entries: Sequence[Entry] = field(repr=False)
    warnings: list[str]


@contextmanager
def open_film(path: str | PathLike[str]) -> Iterator[Film]:
    """Open the recording at *path*; its entries can be read while the block runs.

    Where the file is changed meanwhile, reading an entry may raise a `RecordingError`. A
    compressed one is read into memory.

    Raises:
        RecordingError: there is no file, it is no recording, a newer one, or damaged.
    """
    with open_recording(path) as reader, open(path, "rb") as file:
        if file.read(4) == _ZSTANDARD:
            whole = read_recording(path)
            yield Film(whole.path, whole.header, whole.entries, whole.warnings)
            return
        file.seek(0)
        first = file.readline()
        _, version = decode_versioned_header(first.removeprefix(b"\xef\xbb\xbf"), source=str(path))
        lines = _Lines(file, path=fspath(path), version=version)
        offset = len(first)
        # The reader says which lines are entries, and the file where they are.
        for line in file:
            if line.strip() and next(reader, None) is None:
                break
            if line.strip():
                lines.add(offset, len(line))
            offset += len(line)
        yield Film(reader.path, reader.header, lines, reader.warnings)


class _Lines(Sequence[Entry]):
    """The entries at some places in *file*."""

    def __init__(self, file: BinaryIO, *, path: str, version: int) -> None:
        self._file = file
        self._path = path
        self._version = version
        # Numbers of 8 and 4 bytes, where objects would be ten times as large.
        self._offsets = array("Q")
        self._sizes = array("I")

    def add(self, offset: int, size: int) -> None:
        """Take in one more."""
        self._offsets.append(offset)
        self._sizes.append(size)

    def __len__(self) -> int:
        return len(self._offsets)

    def __iter__(self) -> Iterator[Entry]:
        # Between two of them somebody else may read as well: each finds its own place.
        for index in range(len(self._offsets)):
            yield self._read(index)

    @overload
    def __getitem__(self, index: int) -> Entry: ...
    @overload
    def __getitem__(self, index: slice) -> list[Entry]: ...
    def __getitem__(self, index: int | slice) -> Entry | list[Entry]:
        """Return one entry, or several."""
        if isinstance(index, slice):
            return [self._read(one) for one in range(*index.indices(len(self)))]
        return self._read(index)

    def _read(self, index: int) -> Entry:
        offset, size = self._offsets[index], self._sizes[index]
        place = f"{self._path}: byte {offset}"
        try:
            self._file.seek(offset)
            line = self._file.read(size)
        except OSError as exc:
            raise RecordingError(
                f"{place}: it can't be read any more ({exc.strerror}); is the disk still there?"
            ) from exc
        return decode_entry(line, source=place, version=self._version)

"""A disk that hangs, played by a pipe that nobody reads: real threads, real time, no timing."""

import json
import os
import select
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from automate.errors import RecordingError
from automate.live.disk import PatientWriter
from automate.recording.format import Header

HEADER = Header("a1b2c3d4-0001-4000-8000-000000000001", "2026-11-23T18:50:36.676520Z")
FRAME = '{"event":"console output","args":["%05d"]}\n'

pytestmark = pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes with names here")


@pytest.fixture
def pipe(tmp_path: Path) -> Iterator[tuple[Path, int]]:
    path = tmp_path / "slow.jsonl"
    os.mkfifo(path)
    reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    yield path, reader
    os.close(reader)


def read_all(reader: int) -> bytes:
    os.set_blocking(reader, True)
    pieces = []
    while piece := os.read(reader, 1 << 20):
        pieces.append(piece)
    return b"".join(pieces)


def numbers(lines: list[Any]) -> list[int]:
    return [int(line["args"][0]) for line in lines if "args" in line]


def test_whoever_writes_does_not_wait_and_nothing_is_lost(pipe: tuple[Path, int]) -> None:
    """A pipe holds 64 KiB: without a thread the first flush would wait for ever."""
    path, reader = pipe
    writer = PatientWriter(path, HEADER, overwrite=True)
    for number in range(5000):
        writer.server_frame(number / 10, FRAME % number)
    writer.flush()

    written = close_and_read(writer, reader)
    assert numbers(written[1:]) == list(range(5000))
    assert writer.dropped == 0


def test_what_is_dropped_is_counted_and_marked(pipe: tuple[Path, int]) -> None:
    path, reader = pipe
    writer = PatientWriter(path, HEADER, overwrite=True, waiting_bytes=200_000)
    for number in range(10_000):
        writer.server_frame(number / 10, FRAME % number)
    writer.flush()
    drain(writer, reader)
    writer.server_frame(2000.0, FRAME % 10_000)

    gap, last = close_and_read(writer, reader)[-2:]
    assert writer.dropped > 1000
    assert gap["detail"] == f"{writer.dropped} entries were dropped: the disk was too slow"
    assert numbers([last]) == [10_000]


def test_what_was_dropped_last_is_marked_at_the_end(pipe: tuple[Path, int]) -> None:
    """The disk comes back only when nothing more is said."""
    path, reader = pipe
    writer = PatientWriter(path, HEADER, overwrite=True, waiting_bytes=200_000)
    for number in range(10_000):
        writer.server_frame(number / 10, FRAME % number)
    writer.flush()

    written = close_and_read(writer, reader)
    *_, gap = written
    assert writer.dropped > 1000
    assert gap["detail"] == f"{writer.dropped} entries were dropped: the disk was too slow"
    assert numbers(written) == list(range(10_000 - writer.dropped))


def test_a_disk_that_is_full_is_told() -> None:
    with pytest.raises(RecordingError, match="No space left on device"):  # noqa: PT012 # either
        writer = PatientWriter("/dev/full", HEADER, overwrite=True)
        writer.close()


def drain(writer: PatientWriter, reader: int) -> None:
    """Let the disk come back: read until all that waits is taken."""
    assert writer._spool is not None
    while writer._spool.waiting:
        if is_readable(reader):
            os.read(reader, 1 << 20)


def is_readable(reader: int) -> bool:
    return bool(select.select([reader], [], [], 0.01)[0])


def close_and_read(writer: PatientWriter, reader: int) -> list[Any]:
    """Return what else is written, as values."""
    closing = threading.Thread(target=writer.close)
    closing.start()
    data = read_all(reader)
    closing.join()
    # What was read before may end within a line.
    return [json.loads(line) for line in data.splitlines() if line[:1] == b"{"]

"""Printing for a reader that hangs, played by a pipe that nobody reads: no timing asserted."""

import io
import logging
import os
import threading
from collections.abc import Iterator
from typing import TextIO

import pytest

from automate.live.log import JsonLines
from automate.live.printing import PatientStream

LINES = [f"line {number:06d} {'x' * 90}\n" for number in range(5000)]


@pytest.fixture
def pipe() -> Iterator[tuple[TextIO, int]]:
    reader, writer = os.pipe()
    with open(writer, "w", encoding="utf-8") as stream:
        yield stream, reader
    os.close(reader)


def read_while_closing(stream: PatientStream, inner: TextIO, reader: int) -> str:
    pieces: list[bytes] = []

    def read() -> None:
        while piece := os.read(reader, 1 << 16):
            pieces.append(piece)

    reading = threading.Thread(target=read)
    reading.start()
    stream.close()
    inner.close()
    reading.join()
    return b"".join(pieces).decode()


def test_who_prints_does_not_wait_and_nothing_is_lost(pipe: tuple[TextIO, int]) -> None:
    """A pipe holds 64 KiB: plain printing would wait for ever."""
    inner, reader = pipe
    stream = PatientStream(inner)
    for line in LINES:
        stream.write(line)
        stream.flush()

    assert read_while_closing(stream, inner, reader) == "".join(LINES)
    assert stream.dropped == 0


def test_what_is_dropped_is_counted_and_said(pipe: tuple[TextIO, int]) -> None:
    inner, reader = pipe
    stream = PatientStream(inner, waiting=100_000)
    for line in LINES:
        stream.write(line)

    *printed, notice = read_while_closing(stream, inner, reader).splitlines(keepends=True)
    assert stream.dropped > 1000
    assert printed == LINES[: len(LINES) - stream.dropped]
    assert notice == f"({stream.dropped} lines are missing here: nobody took them in time)\n"


class Left(io.StringIO):
    """A stream whose reader has gone."""

    def flush(self) -> None:
        raise BrokenPipeError(32, "Broken pipe")


def test_a_reader_that_left_is_told_to_who_prints() -> None:
    stream = PatientStream(Left())

    with pytest.raises(BrokenPipeError):  # noqa: PT012 # the first may be taken before it breaks
        for line in LINES:
            stream.write(line)
            stream.flush()
    stream.close()


def test_it_passes_for_the_stream_it_prints_to() -> None:
    inner = io.StringIO()
    with PatientStream(inner) as stream:
        print("a", "b", file=stream)
        stream.write("no end")
    stream.close()

    assert inner.getvalue() == "a b\nno end"
    assert (stream.isatty(), stream.writable(), stream.closed, inner.closed) == (
        False,
        True,
        True,
        False,
    )


def test_a_log_on_a_disk_that_hangs_holds_nobody_up(pipe: tuple[TextIO, int]) -> None:
    inner, reader = pipe
    stream = PatientStream(inner)
    handler = logging.StreamHandler(stream)
    handler.setFormatter(JsonLines())
    log = logging.getLogger("tests.printing")
    log.addHandler(handler)
    for line in LINES:
        log.warning(line.strip())
    log.removeHandler(handler)

    assert read_while_closing(stream, inner, reader).count("\n") == len(LINES)

"""A listener that writes down everything, as it happens, into a recording.

What a line looks like and what must not be in it is the recording room's work.
"""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from os import PathLike
from typing import Any

import trio

from automate.errors import sole
from automate.live.disk import PatientWriter
from automate.live.listener import Listener
from automate.live.panel import Call
from automate.recording.format import EngineNote, Header, PanelCall, Transport
from automate.recording.redaction import Redactor
from automate.recording.writer import RecordingWriter

__all__ = ["Recorder", "record"]

# A crash of ours loses no more than this; a flush costs about 2 µs.
FLUSH_SECONDS = 0.1


class Recorder(Listener):
    """Writes to *writer* what the server *server* (its whole uuid) has to do with.

    The recording's time starts at *started_at*, a moment of trio's clock. Each method may raise
    the writer's `RecordingError`: the disk is full, for one.
    """

    def __init__(self, writer: RecordingWriter, *, server: str, started_at: float) -> None:
        self._writer = writer
        self._server = server
        self._started_at = started_at
        self._alive_at = started_at
        self._gap_since: float | None = None

    def opened(self, at: float) -> None:
        """Write that a connection begins."""
        self._writer.write(Transport(at - self._started_at, "opened"))

    def received(self, at: float, texts: Sequence[str]) -> None:
        """Write the frames of the server."""
        self._alive_at = at
        t, write = at - self._started_at, self._writer.server_frame
        for text in texts:
            write(t, text)

    def sent(self, at: float, text: str) -> None:
        """Write the frame of ours."""
        self._writer.client_frame(at - self._started_at, text)

    def closed(self, at: float, by: str, code: int | None, reason: str | None) -> None:
        """Write that the connection is over."""
        t = at - self._started_at
        self._writer.write(Transport(t, "closed", by=by, code=code, reason=reason))

    def failed(self, at: float, reason: str) -> None:
        """Write that there is no connection."""
        self._writer.write(Transport(at - self._started_at, "failed", reason=reason))

    def down(self, at: float, reason: str) -> None:
        """Mark that something may be missing since the last sign of life."""
        self._begin_gap(at, reason, since=self._alive_at)

    def alive(self, at: float) -> None:
        """Note that nothing is missing until now."""
        self._alive_at = at

    def blind(self, at: float, reason: str) -> None:
        """Mark the same: the connection stands, but from here on nothing is told on it."""
        self._begin_gap(at, reason, since=at)

    def ready(self, at: float) -> None:
        """Mark that nothing is missing from here on."""
        self._end_gap(at)

    def sighted(self, at: float) -> None:
        """Mark the same."""
        self._end_gap(at)

    def _begin_gap(self, at: float, reason: str, *, since: float) -> None:
        if self._gap_since is None:
            self._gap_since = since
            self._mark_gap(at, detail=f"begins: {reason}", since=self._t(since))

    def _end_gap(self, at: float) -> None:
        if self._gap_since is not None:
            self._mark_gap(at, detail="ends", seconds=round(at - self._gap_since, 4))
            self._gap_since = None

    def _mark_gap(self, at: float, **fields: Any) -> None:
        self._writer.write(EngineNote(at - self._started_at, "gap", extra=fields))

    def _t(self, at: float) -> float:
        return round(at - self._started_at, 4)

    def called(self, call: Call) -> None:
        """Write a call to the panel, which answered now; calls about other servers are not ours."""
        _, found, rest = call.path.partition("/servers/")
        # The short id is the beginning of the uuid.
        if found and not self._server.startswith(rest.partition("/")[0]):
            return
        self._writer.write(
            PanelCall(
                self._now(),
                call.method,
                call.path,
                request=call.request,
                status=call.status,
                response=call.response,
                seconds=call.seconds,
                claims=call.claims,
            )
        )

    def note(
        self, what: str, *, recipe: str | None = None, run: int | None = None, **fields: Any
    ) -> None:
        """Write what the recipes decided: *what* is ``triggered``, ``step``, ``done``…"""
        self._writer.write(EngineNote(self._now(), what, recipe=recipe, run=run, extra=fields))

    def _now(self) -> float:
        return trio.current_time() - self._started_at


@asynccontextmanager
async def record(
    path: str | PathLike[str],
    header: Header,
    *,
    redactor: Redactor | None = None,
    overwrite: bool = False,
) -> AsyncIterator[Recorder]:
    """Give a recorder that writes to *path*; what it has written is kept, however this ends.

    *header* says what the wall clock shows now, for now is the recording's beginning.

    Raises:
        RecordingError: the file can't be written, at once or later.
    """
    writer = PatientWriter(path, header, redactor=redactor, overwrite=overwrite)
    try:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(_flush_often, writer)
            yield Recorder(writer, server=header.server, started_at=trio.current_time())
            nursery.cancel_scope.cancel()
    except BaseExceptionGroup as group:
        raise sole(group) from None
    finally:
        # No waiting here, so that a cancellation can't come between.
        writer.close()


async def _flush_often(writer: RecordingWriter) -> None:
    while True:
        await trio.sleep(FLUSH_SECONDS)
        writer.flush()

"""Faults of a connection's bytes, as trio streams around the real one."""

import socket
import struct
import sys

import trio
from attrs import frozen

from automate.errors import UsageError

__all__ = ["SlowReader", "SlowStream", "SwitchedStream", "reset"]

# Slow does not mean one piece an hour: ten times a second something gets through.
_PIECES_PER_SECOND = 10


@frozen
class SlowReader:
    """The client takes in no more than *bytes_per_second* of what the node sends on a websocket.

    Frames come late; who is too far behind misses some, as at the real daemon.
    """

    bytes_per_second: float

    def __attrs_post_init__(self) -> None:
        if not self.bytes_per_second > 0:
            raise UsageError(f"slow reader: expected bytes above 0, found {self.bytes_per_second}")


class _Around(trio.abc.HalfCloseableStream):
    """A stream that passes everything on to another."""

    def __init__(self, stream: trio.abc.Stream) -> None:
        self._stream = stream

    async def receive_some(self, max_bytes: int | None = None) -> bytes | bytearray:
        """Return what has come."""
        return await self._stream.receive_some(max_bytes)

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        """Send *data*."""
        await self._stream.send_all(data)

    async def wait_send_all_might_not_block(self) -> None:
        """Wait for room."""
        await self._stream.wait_send_all_might_not_block()

    async def send_eof(self) -> None:
        """Say that nothing more will be sent, if the stream knows a way to say that."""
        if isinstance(self._stream, trio.abc.HalfCloseableStream):
            await self._stream.send_eof()

    async def aclose(self) -> None:
        """Close the stream."""
        await self._stream.aclose()


class SlowStream(_Around):
    """*stream*, whose other end reads only so many *bytes_per_second*."""

    def __init__(self, stream: trio.abc.Stream, *, bytes_per_second: float) -> None:
        super().__init__(stream)
        self._bytes_per_second = bytes_per_second

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        """Send *data* piece by piece."""
        size = max(1, int(self._bytes_per_second / _PIECES_PER_SECOND))
        for begin in range(0, len(data), size):
            piece = bytes(data[begin : begin + size])
            await trio.sleep(len(piece) / self._bytes_per_second)
            await self._stream.send_all(piece)


class SwitchedStream(_Around):
    """*stream*, until `silence`: from then on nothing comes, and what is sent is lost."""

    def __init__(self, stream: trio.abc.Stream) -> None:
        super().__init__(stream)
        self._is_silent = False

    def silence(self) -> None:
        """Let nothing pass from now on, and tell nobody."""
        self._is_silent = True

    async def receive_some(self, max_bytes: int | None = None) -> bytes | bytearray:
        """Return what has come, or wait for ever."""
        data = b"" if self._is_silent else await self._stream.receive_some(max_bytes)
        # It may have been waiting here when it was silenced.
        if self._is_silent:
            await trio.sleep_forever()
        return data

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        """Send *data*, or lose it."""
        if self._is_silent:
            await trio.lowlevel.checkpoint()
        else:
            await self._stream.send_all(data)

    async def send_eof(self) -> None:
        """Say that nothing more will be sent, or say nothing."""
        if self._is_silent:
            await trio.lowlevel.checkpoint()
        else:
            await super().send_eof()


async def reset(stream: trio.SocketStream) -> None:
    """Close *stream* so that its other end sees a reset connection."""
    # To linger for no time at all: then a kernel sends RST instead of FIN.
    layout = "hh" if sys.platform == "win32" else "ii"
    stream.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack(layout, 1, 0))
    await trio.aclose_forcefully(stream)

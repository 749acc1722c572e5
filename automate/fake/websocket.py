"""One websocket at the node's end: messages in and out, pings answered, goodbyes said.

What bytes mean is the framing's business, what messages mean the host's.
"""

from collections import deque
from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import partial
from typing import Final

import trio

from automate.fake.framing import (
    ABNORMAL,
    FrameReader,
    Goodbye,
    Happening,
    Opcode,
    Ping,
    encode_close,
    encode_frame,
    encode_text,
)

__all__ = ["NodeEnd"]

_RECEIVE_BYTES: Final = 65536
# So long the daemon's library waits for its turn with a pong or an answer to a close frame.
_TURN_SECONDS: Final = 1


class NodeEnd:
    """The node's end of a websocket over *stream*, on which the client has *said* things already.

    One task receives, while others send.
    """

    def __init__(
        self,
        stream: trio.abc.HalfCloseableStream,
        *,
        said: bytes = b"",
        is_deflated: bool,
        limit_bytes: int,
    ) -> None:
        self._stream = stream
        self.is_deflated = is_deflated
        self._reader = FrameReader(deflates=is_deflated, limit_bytes=limit_bytes)
        self._heard: deque[Happening] = deque(self._reader.feed(said))
        self._turn = trio.Lock()
        self._has_parted = False
        self._is_alone = trio.Event()

    async def receive(self) -> str | bytes | None:
        """Return the next message; ``None`` when none will come any more.

        Then the client is gone, or it was told why this is the end, by a close frame.

        Raises:
            trio.BrokenResourceError: the connection is broken.
        """
        while True:
            while self._heard:
                match self._heard.popleft():
                    case str() | bytes() as message:
                        return message
                    case Ping(payload=payload):
                        await self._in_turn(partial(self._pong, payload))
                    case Goodbye() as goodbye:
                        await self._in_turn(partial(self._part, goodbye))
                        return None
            data = await self._stream.receive_some(_RECEIVE_BYTES)
            if not data:
                self._is_alone.set()
                return None
            if not self._has_parted:
                self._heard.extend(self._reader.feed(data))

    async def send(self, text: str) -> None:
        """Send a message; after a goodbye it is left unsaid.

        Raises:
            trio.BrokenResourceError: the connection is broken.
        """
        async with self._turn:
            if not self._has_parted:
                await self._stream.send_all(encode_text(text, deflates=self.is_deflated))

    async def close(self, code: int, reason: str) -> None:
        """Send a close frame, the last, and wait until the receiver sees that the client is gone.

        Raises:
            trio.BrokenResourceError: the connection is broken.
        """
        async with self._turn:
            await self._part(Goodbye(code, reason))
        await self._is_alone.wait()

    async def linger(self) -> None:
        """Wait until the client is gone too: else what it was sent last could be lost.

        Raises:
            trio.BrokenResourceError: the connection is broken.
        """
        while not self._is_alone.is_set():
            if not await self._stream.receive_some(_RECEIVE_BYTES):
                self._is_alone.set()

    # ------------------------------------------------------------ control frames

    async def _in_turn(self, say: Callable[[], Awaitable[None]]) -> None:
        """Say something, unless a client that does not read holds up all that is sent."""
        with trio.move_on_after(_TURN_SECONDS) as patience:
            await self._turn.acquire()
        if patience.cancelled_caught:
            return
        try:
            await say()
        finally:
            self._turn.release()

    async def _pong(self, payload: bytes) -> None:
        if not self._has_parted:
            # Who has gone can't be answered, but what it said before it went is read.
            with suppress(trio.BrokenResourceError, trio.ClosedResourceError):
                await self._stream.send_all(encode_frame(Opcode.PONG, payload))

    async def _part(self, goodbye: Goodbye) -> None:
        """Say goodbye, and that nothing more will be sent; the daemon hangs up right then.

        It waits for no answer (PROBED 7.6). For the client's end this is the same, but that
        nothing under way is lost to a reset.
        """
        if self._has_parted:
            return
        self._has_parted = True
        self._heard.clear()
        if goodbye.code != ABNORMAL:
            await self._stream.send_all(encode_close(goodbye.code, goodbye.reason))
        await self._stream.send_eof()

"""A client of bytes: it says anything at all to a node, and hears each frame as it is."""

import base64
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any, Self, TypeVar
from urllib.parse import urlsplit

import trio
from attrs import define, field
from trio.testing import MockClock

from automate.fake.framing import Opcode, encode_frame
from automate.fake.network import memory_network

__all__ = ["NETWORKS", "RawClient", "on"]

NETWORKS = ("memory", "loopback")
MASK = b"\x10\x32\x54\x76"
T = TypeVar("T")


def on(network: str, scene: Callable[[], Awaitable[T]]) -> T:
    """Play *scene*: in memory and virtual time, or on real sockets."""

    async def play() -> T:
        if network == "loopback":
            with trio.fail_after(30):  # only a guard against hanging for ever
                return await scene()
        async with memory_network():
            return await scene()

    return trio.run(play, clock=None if network == "loopback" else MockClock(autojump_threshold=0))


@define
class RawClient:
    """A connection on which an HTTP request was made; *head* is the head of its answer."""

    stream: trio.SocketStream
    head: str
    _rest: bytearray = field(factory=bytearray)
    _is_over: bool = False

    @classmethod
    @asynccontextmanager
    async def opened(cls, url: str, headers: Mapping[str, str | None]) -> AsyncIterator[Self]:
        """Ask for the websocket at *url*; *headers* go beside, or (``None``: without) the usual."""
        parts = urlsplit(url)
        target = parts.path + (f"?{parts.query}" if parts.query else "")
        usual = {
            "Host": parts.netloc,
            "Upgrade": "websocket",
            "Connection": "Upgrade",
            "Sec-WebSocket-Version": "13",
            "Sec-WebSocket-Key": base64.b64encode(bytes(16)).decode(),
        }
        lines = [f"{name}: {value}" for name, value in (usual | {**headers}).items() if value]
        stream = await trio.open_tcp_stream(str(parts.hostname), parts.port or 80)
        async with stream:
            await stream.send_all("\r\n".join([f"GET {target} HTTP/1.1", *lines, "", ""]).encode())
            client = cls(stream, "")
            while b"\r\n\r\n" not in client._rest:
                assert await client._more(), "hung up before there was an answer"
            head, _, rest = bytes(client._rest).partition(b"\r\n\r\n")
            client.head, client._rest = head.decode(), bytearray(rest)
            yield client

    @property
    def status(self) -> int:
        return int(self.head.split()[1])

    def header(self, name: str) -> str | None:
        found = [
            line.partition(":")[2].strip()
            for line in self.head.splitlines()
            if line.lower().startswith(f"{name.lower()}:")
        ]
        return found[0] if found else None

    async def body(self) -> str:
        """Return the answer's body."""
        size = int(self.header("Content-Length") or 0)
        while len(self._rest) < size:
            assert await self._more()
        return self._rest[:size].decode()

    # ------------------------------------------------------------ frames

    async def say(self, payload: str | bytes, opcode: Opcode = Opcode.TEXT, **how: Any) -> None:
        """Send a frame, masked unless it is said otherwise."""
        data = payload.encode() if isinstance(payload, str) else payload
        await self.raw(encode_frame(opcode, data, **({"mask": MASK} | how)))

    async def raw(self, data: bytes) -> None:
        await self.stream.send_all(data)

    async def hear(self) -> tuple[int, bytes] | None:
        """Return the next frame, by its first byte less the final bit; ``None`` at the end."""
        while True:
            if (frame := self._take()) is not None:
                return frame
            if not await self._more():
                assert not self._rest, "the last frame is not whole"
                return None

    async def hear_bytes(self) -> bytes:
        """Return all bytes until the end."""
        while await self._more():
            pass
        return bytes(self._rest)

    async def _more(self) -> bool:
        data = await self.stream.receive_some()
        self._rest += data
        return bool(data)

    def _take(self) -> tuple[int, bytes] | None:
        rest = self._rest
        if len(rest) < 2:
            return None
        begin = 2 + {126: 2, 127: 8}.get(rest[1], 0)
        size = rest[1] if begin == 2 else int.from_bytes(rest[2:begin])
        if len(rest) < begin + size:
            return None
        first, payload = rest[0], bytes(rest[begin : begin + size])
        del rest[: begin + size]
        assert first & 0x80, "the daemon's frames are whole messages here"
        return first & 0x7F, payload

"""A network in memory: unmodified trio programs talk over it, in virtual time and for real.

Within ``async with memory_network():`` every trio socket is one of these: listeners, clients of
trio-websocket and of httpx connect to each other and to nobody else. No thread, kernel or name
server takes part, so that `trio.testing.MockClock` with ``autojump_threshold=0`` sees exactly
when everyone waits: an hour between two words takes no time, and no port is opened.

    import trio
    from trio.testing import MockClock
    from trio_websocket import open_websocket_url, serve_websocket

    from automate.fake.network import memory_network

    async def late(request):
        socket = await request.accept()
        await trio.sleep(3600)
        await socket.send_message("good morning")

    async def main():
        async with memory_network(), trio.open_nursery() as nursery:
            await nursery.start(serve_websocket, late, "127.0.0.1", 8080, None)
            async with open_websocket_url("ws://node.example.com:8080/") as socket:
                print(await socket.get_message(), "at", trio.current_time())
            nursery.cancel_scope.cancel()

    trio.run(main, clock=MockClock(autojump_threshold=0))

prints ``good morning at 3600.0``. Every name means this machine. httpx wants
``limits=httpx.Limits(keepalive_expiry=None)`` here, for its pool reads the real clock. Leave the
network out, and the same program uses real sockets.
"""

import errno
import os
import socket as stdlib
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from types import TracebackType
from typing import Any, Final, NoReturn, Self

import trio
from trio import socket as tsocket

__all__ = ["MemoryNetwork", "MemorySocket", "memory_network"]

_HERE: Final = "127.0.0.1"
_ANYWHERE: Final = ("0.0.0.0", "::", "")
_FIRST_PORT: Final = 49152
# Like a kernel's: a sender waits when this much has not been read.
_BUFFER_BYTES: Final = 65536

Address = tuple[str, int]


@asynccontextmanager
async def memory_network() -> AsyncIterator["MemoryNetwork"]:
    """Replace the network of this `trio.run` by one in memory, for as long as the block runs."""
    network = MemoryNetwork()
    sockets = tsocket.set_custom_socket_factory(network)
    names = tsocket.set_custom_hostname_resolver(network)
    try:
        yield network
    finally:
        tsocket.set_custom_socket_factory(sockets)
        tsocket.set_custom_hostname_resolver(names)


class MemoryNetwork(trio.abc.SocketFactory, trio.abc.HostnameResolver):
    """A machine by itself: trio asks it for sockets and for the addresses of names."""

    def __init__(self) -> None:
        self._listeners: dict[Address, MemorySocket] = {}
        self._next_port = _FIRST_PORT

    def socket(
        self,
        family: stdlib.AddressFamily | int = stdlib.AF_INET,
        type: stdlib.SocketKind | int = stdlib.SOCK_STREAM,
        proto: int = 0,
    ) -> "MemorySocket":
        """Return a new socket; only streams over IP are known here."""
        return MemorySocket(self, stdlib.AddressFamily(family), proto)

    async def getaddrinfo(
        self,
        host: bytes | None,
        port: bytes | str | int | None,
        family: int = 0,
        type: int = 0,
        proto: int = 0,
        flags: int = 0,
    ) -> list[Any]:
        """Return this machine's address, whatever the name: there is no other machine."""
        await trio.lowlevel.checkpoint()
        entry = (
            stdlib.AF_INET,
            stdlib.SOCK_STREAM,
            stdlib.IPPROTO_TCP,
            "",
            (_HERE, int(port or 0)),
        )
        return [entry]

    async def getnameinfo(self, sockaddr: Any, flags: int) -> tuple[str, str]:
        """Return the address itself as the name."""
        await trio.lowlevel.checkpoint()
        return str(sockaddr[0]), str(sockaddr[1])

    def claim_port(self, host: str, port: int) -> int:
        """Return the port for a socket on *host*; 0 asks for a free one.

        Raises:
            OSError: it is in use.
        """
        if port == 0:
            self._next_port += 1
            return self._next_port
        if self.find(host, port) is not None:
            _fail(errno.EADDRINUSE)
        return port

    def listen(self, listener: "MemorySocket", address: Address) -> None:
        """Let clients find *listener* at *address*."""
        self._listeners[address] = listener

    def forget(self, listener: "MemorySocket") -> None:
        """Let nobody find *listener* any more."""
        self._listeners = {
            address: other for address, other in self._listeners.items() if other is not listener
        }

    def find(self, host: str, port: int) -> "MemorySocket | None":
        """Return who listens there, if anyone does."""
        for name in (host, *_ANYWHERE):
            if (name, port) in self._listeners:
                return self._listeners[name, port]
        return None


class _Pipe:
    """One direction of a connection: a buffer, and whoever waits for it to change."""

    def __init__(self) -> None:
        self.buffer = bytearray()
        self.is_ended = False  # the writer will write no more
        self.is_broken = False  # the reader will read no more
        self.is_reset = False  # one side has hung up in anger, and nothing of it is left
        self._changed = trio.lowlevel.ParkingLot()

    @property
    def is_readable(self) -> bool:
        return bool(self.buffer) or self.is_ended or self.is_reset

    @property
    def is_writable(self) -> bool:
        return len(self.buffer) < _BUFFER_BYTES or self.is_broken or self.is_ended

    def change(self) -> None:
        """Wake up whoever waits."""
        self._changed.unpark_all()

    async def wait(self) -> None:
        """Wait for a change of any kind."""
        await self._changed.park()


class MemorySocket(tsocket.SocketType):
    """A stream socket of a `MemoryNetwork`, as much of one as streams and listeners use."""

    def __init__(self, network: MemoryNetwork, family: stdlib.AddressFamily, proto: int) -> None:
        super().__init__()
        self._network = network
        self._family = family
        self._proto = proto
        self._name: Address = ("0.0.0.0", 0)
        self._peer_name: Address | None = None
        self._is_closed = False
        self._is_listening = False
        self._waiting: deque[MemorySocket] = deque()
        self._arrived = trio.lowlevel.ParkingLot()
        self._inward: _Pipe | None = None
        self._outward: _Pipe | None = None
        self._resets = False

    # ------------------------------------------------------------ what it is

    @property
    def family(self) -> stdlib.AddressFamily:
        """The address family."""
        return self._family

    @property
    def type(self) -> stdlib.SocketKind:
        """Always a stream."""
        return stdlib.SOCK_STREAM

    @property
    def proto(self) -> int:
        """The protocol's number, as it was asked for."""
        return self._proto

    @property
    def did_shutdown_SHUT_WR(self) -> bool:
        """Whether this side has said that it will write no more."""
        return self._outward is not None and self._outward.is_ended

    def fileno(self) -> int:
        """Return -1 once it is closed, as streams expect; until then a number of no file."""
        return -1 if self._is_closed else 1 << 30

    def getsockname(self) -> Address:
        """Return its own address."""
        return self._name

    def getpeername(self) -> Address:
        """Return the other side's address.

        Raises:
            OSError: it is not connected.
        """
        return self._peer_name or _fail(errno.ENOTCONN)

    def getsockopt(self, level: int, optname: int, buflen: int | None = None) -> Any:
        """Tell whether it listens; every other option is 0."""
        is_listening = (level, optname) == (stdlib.SOL_SOCKET, stdlib.SO_ACCEPTCONN)
        return int(is_listening and self._is_listening)

    def setsockopt(self, level: int, optname: int, value: Any, optlen: int | None = None) -> None:
        """Take note if `close` shall reset the connection; there is no kernel to be told more."""
        if (level, optname) == (stdlib.SOL_SOCKET, stdlib.SO_LINGER):
            # Two numbers: whether it lingers at all, and how long. For no time is a reset.
            half = len(value) // 2
            self._resets = any(value[:half]) and not any(value[half:])

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: Any,
        exc_value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<MemorySocket {self._name} to {self._peer_name}>"

    # ------------------------------------------------------------ listening and connecting

    async def bind(self, address: Any) -> None:
        """Take an address; port 0 takes a free port.

        Raises:
            OSError: the address is in use.
        """
        await trio.lowlevel.checkpoint()
        self._name = (address[0], self._network.claim_port(address[0], address[1]))

    def listen(self, backlog: int = 128) -> None:
        """Let clients connect."""
        self._is_listening = True
        self._network.listen(self, self._name)

    async def accept(self) -> tuple["MemorySocket", Address]:
        """Return the next client's socket and its address."""
        await trio.lowlevel.checkpoint()
        while not self._waiting:
            self._check_open()
            await self._arrived.park()
        client = self._waiting.popleft()
        return client, client.getpeername()

    async def connect(self, address: Any) -> None:
        """Connect to whoever listens at *address*.

        Raises:
            OSError: nobody does.
        """
        await trio.lowlevel.checkpoint()
        self._check_open()
        listener = self._network.find(address[0], address[1])
        if listener is None:
            _fail(errno.ECONNREFUSED)
        if self._name[1] == 0:
            self._name = (_HERE, self._network.claim_port(_HERE, 0))
        self._peer_name = (address[0], address[1])
        self._inward, self._outward = _Pipe(), _Pipe()
        other = MemorySocket(self._network, self._family, self._proto)
        other._name, other._peer_name = self._peer_name, self._name
        other._inward, other._outward = self._outward, self._inward
        listener._waiting.append(other)
        listener._arrived.unpark_all()

    # ------------------------------------------------------------ reading and writing

    def is_readable(self) -> bool:
        """Whether `recv` would return at once; httpx asks before it uses a connection again."""
        return self._is_closed or self._inward is None or self._inward.is_readable

    async def recv(self, buflen: int, flags: int = 0, /) -> bytes:
        """Return what has come, at least one byte; none at all when no more will come.

        Raises:
            OSError: the other side has reset the connection.
        """
        await trio.lowlevel.checkpoint()
        self._check_open()
        pipe = self._inward or _fail(errno.ENOTCONN)
        while not pipe.is_readable:
            await pipe.wait()
            self._check_open(was_waiting=True)
        if pipe.is_reset:
            _fail(errno.ECONNRESET)
        data = bytes(pipe.buffer[:buflen])
        del pipe.buffer[:buflen]
        pipe.change()
        return data

    async def send(self, data: Any, flags: int = 0, /) -> int:
        """Write as much as there is room for; return how many bytes that were.

        Raises:
            OSError: the other side reads no more.
        """
        await trio.lowlevel.checkpoint()
        self._check_open()
        pipe = self._outward or _fail(errno.ENOTCONN)
        while not pipe.is_writable:
            await pipe.wait()
            self._check_open(was_waiting=True)
        if pipe.is_broken or pipe.is_ended:
            _fail(errno.EPIPE)
        taken = bytes(data[: _BUFFER_BYTES - len(pipe.buffer)])
        pipe.buffer += taken
        pipe.change()
        return len(taken)

    async def wait_writable(self) -> None:
        """Wait until `send` would not wait."""
        await trio.lowlevel.checkpoint()
        self._check_open()
        while self._outward is not None and not self._outward.is_writable:
            await self._outward.wait()
            self._check_open(was_waiting=True)

    def shutdown(self, flag: int) -> None:
        """Say that this side will write no more."""
        if self._outward is not None and flag in (stdlib.SHUT_WR, stdlib.SHUT_RDWR):
            self._outward.is_ended = True
            self._outward.change()

    def close(self) -> None:
        """Hang up: what was written can still be read, nothing more is taken."""
        if self._is_closed:
            return
        self._is_closed = True
        self._network.forget(self)
        self._arrived.unpark_all()
        for client in self._waiting:
            client.close()
        if self._outward is not None and self._inward is not None:
            self._outward.is_ended = True
            self._inward.is_broken = True
            if self._resets:
                self._outward.is_reset = True
                self._outward.buffer.clear()
            self._outward.change()
            self._inward.change()

    def _check_open(self, *, was_waiting: bool = False) -> None:
        if self._is_closed and was_waiting:
            raise trio.ClosedResourceError("this socket was closed by another task")
        if self._is_closed:
            _fail(errno.EBADF)


def _fail(code: int) -> NoReturn:
    raise OSError(code, os.strerror(code))

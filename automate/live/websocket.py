"""One websocket to a node: opened, read in batches, closed; nothing of what is said on it.

trio-websocket does the handshake, the control frames and the closing. Anything else that can
receive, send and ping may stand in its place (`NodeSocket`): a session asks no more.
"""

import os
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from os import PathLike
from typing import TYPE_CHECKING, Protocol, cast
from urllib.parse import urlsplit

import trio

from automate.errors import ConnectionFailed, sole
from automate.live.route import open_stream

if TYPE_CHECKING:
    import trio_websocket

__all__ = [
    "NodeRefused",
    "NodeSocket",
    "Opener",
    "SocketClosed",
    "open_socket",
    "opener",
    "socket_over",
]

# A piece of this size holds far fewer frames than the queue, so that the library's reader never
# waits for us: while it waits, it answers no ping.
_PIECE_BYTES = 65536
_QUEUE_FRAMES = 1 << 20
# The daemon cuts lines at 64 KiB, and JSON may need six characters for one.
_FRAME_BYTES = 1 << 20
_GOODBYE_SECONDS = 1.0


class NodeRefused(ConnectionFailed):
    """The node, or a proxy before it, answered *status* instead of opening the websocket."""

    def __init__(self, message: str, *, status: int) -> None:
        super().__init__(message)
        self.status = status


class SocketClosed(Exception):
    """The websocket is closed: *code* is 1006 where it was not closed but cut."""

    def __init__(self, code: int, reason: str | None) -> None:
        super().__init__(code, reason)
        self.code = code
        self.reason = reason


class NodeSocket(Protocol):
    """What a session needs of a websocket; each may raise `SocketClosed`."""

    async def receive(self) -> list[str]:
        """Return the next frames: all that have come, and at least one."""

    async def send(self, text: str) -> None:
        """Send a frame."""

    async def ping(self) -> None:
        """Send a ping and wait for its pong."""


Opener = Callable[[str, str], AbstractAsyncContextManager[NodeSocket]]


def opener(ca_file: str | PathLike[str] | None = None) -> Opener:
    """Return what opens websockets and also trusts the authorities in *ca_file* (PEM)."""
    return lambda url, origin: open_socket(url, origin, ca_file=ca_file)


@asynccontextmanager
async def open_socket(
    url: str, origin: str, *, ca_file: str | PathLike[str] | None = None
) -> AsyncIterator[NodeSocket]:
    """Open the websocket at *url*, saying that we come from *origin*; close it in the end.

    Certificates are verified, with the authorities in *ca_file* (PEM) besides the system's; the
    environment's proxies are used.

    Raises:
        ConnectionFailed: it can't be opened; a `NodeRefused` where somebody said so.
        UsageError: *ca_file* or the environment's proxy can't be used.
    """
    stream = await open_stream(url, ca_file=ca_file, environment=os.environ)
    async with socket_over(stream, url, origin) as node_socket:
        yield node_socket


@asynccontextmanager
async def socket_over(stream: trio.abc.Stream, url: str, origin: str) -> AsyncIterator[NodeSocket]:
    """Open the websocket for *url* over *stream*, which is closed with it.

    Raises:
        ConnectionFailed: as with `open_socket`.
    """
    import h11
    import trio_websocket
    from wsproto.utilities import ProtocolError

    watched, is_open = _Watched(stream), False
    try:
        async with trio.open_nursery() as nursery:
            background, end = await nursery.start(_outlive_cancellation)
            try:
                connection = await _shake_hands(background, watched, url, origin)
                is_open = True
                try:
                    yield _NodeSocket(connection, watched)
                finally:
                    with trio.move_on_after(_GOODBYE_SECONDS, shield=True):
                        await connection.aclose()
            finally:
                end.cancel()
    except BaseExceptionGroup as group:
        # A cancelled scope cancels again at the next occasion; what went wrong is said once.
        rest = group.subgroup(lambda exc: not isinstance(exc, trio.Cancelled))
        if rest is None:
            raise
        match sole(rest):
            case trio_websocket.ConnectionRejected() as rejected:
                raise _refused(rejected, url, origin) from None
            case ConnectionFailed() as error:
                raise error from None
            case Exception() as error if not is_open:
                # The libraries fall over an answer that is none in more than one way.
                raise ConnectionFailed(
                    f"node {_where(url)}: what answered there is no websocket ({error}); is this a "
                    "node, and the port right?"
                ) from error
            case (ProtocolError() | h11.ProtocolError()) as error:
                raise SocketClosed(1002, str(error)) from error
            case exc:
                raise exc from None
    finally:
        await trio.aclose_forcefully(stream)


async def _outlive_cancellation(
    *, task_status: trio.TaskStatus[tuple[trio.Nursery, trio.CancelScope]]
) -> None:
    """Give a nursery, and the scope that ends it: who was cancelled still reads a goodbye."""
    with trio.CancelScope(shield=True) as end:
        async with trio.open_nursery() as nursery:
            task_status.started((nursery, end))
            await trio.sleep_forever()


# ---------------------------------------------------------------- opening


async def _shake_hands(
    nursery: trio.Nursery, watched: "_Watched", url: str, origin: str
) -> "trio_websocket.WebSocketConnection":
    import trio_websocket

    parts = urlsplit(url)

    # The library would wait for ever for an answer on a stream that has ended.
    async def give_up() -> None:
        await watched.ended.wait()
        patience.cancel()

    nursery.start_soon(give_up)
    with trio.CancelScope() as patience:
        return await trio_websocket.wrap_client_stream(
            nursery,
            # Any stream will do; the library's types name those it opens itself.
            cast("trio.SocketStream", watched),
            parts.netloc.rpartition("@")[2],
            parts.path + (f"?{parts.query}" if parts.query else ""),
            extra_headers=[(b"Origin", origin.encode())],
            message_queue_size=_QUEUE_FRAMES,
            max_message_size=_FRAME_BYTES,
            receive_buffer_size=_PIECE_BYTES,
        )
    raise ConnectionFailed(f"node {_where(url)}: it closed the connection without an answer")


def _refused(rejected: "trio_websocket.ConnectionRejected", url: str, origin: str) -> NodeRefused:
    status = rejected.status_code
    body = " ".join((rejected.body or b"").decode("utf-8", "replace").split())[:100]
    if status == 403:
        why = (
            f"the node does not accept the Origin {origin!r} (403): it wants the panel's "
            "address as its own settings spell it (remote, or allowed_origins); give that one "
            "with --origin"
        )
    elif status == 404:
        why = (
            "the node does not know the server (404): it was moved or removed, or the node has "
            "not heard of it yet"
        )
    elif status == 400 and "Too many open" in body:
        why = (
            "too many websockets are open for this server (400): 30 are allowed, all users and "
            "browsers together; close some"
        )
    elif status >= 500:
        why = f"a proxy in front of the node answered {status} ({body}); is the node up?"
    else:
        why = f"expected a websocket, found an answer {status} ({body}); is this a node?"
    return NodeRefused(f"node {_where(url)}: {why}", status=status)


def _where(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


# ---------------------------------------------------------------- open


class _Watched(trio.abc.Stream):
    """A stream that tells when its reader waits for more, and when it has ended."""

    def __init__(self, stream: trio.abc.Stream) -> None:
        self._stream = stream
        self.idle = trio.Event()
        self.ended = trio.Event()

    async def receive_some(self, max_bytes: int | None = None) -> bytes | bytearray:
        self.idle.set()
        data: bytes | bytearray = b""
        try:
            data = await self._stream.receive_some(max_bytes)
        finally:
            if data:
                self.idle = trio.Event()
            else:
                self.ended.set()
        return data

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        # The reader may be the one who sends (a pong): nobody should wait for it then.
        self.idle.set()
        await self._stream.send_all(data)

    async def wait_send_all_might_not_block(self) -> None:
        await self._stream.wait_send_all_might_not_block()

    async def aclose(self) -> None:
        await self._stream.aclose()


class _NodeSocket:
    def __init__(self, connection: "trio_websocket.WebSocketConnection", watched: _Watched) -> None:
        self._connection = connection
        self._watched = watched

    async def receive(self) -> list[str]:
        import trio_websocket

        try:
            frames = [await self._connection.get_message()]
        except trio_websocket.ConnectionClosed as exc:
            raise _closed(exc) from None
        # The library hands over one frame for each turn of its reader; once it waits for more
        # bytes, all that came in one piece is there.
        await self._watched.idle.wait()
        while True:
            try:
                # Its own way to take a message goes through trio's scheduler for each of them.
                frames.append(self._connection._recv_channel.receive_nowait())
            except (trio.WouldBlock, trio.EndOfChannel, trio.ClosedResourceError):
                break
        # Wings sends text only.
        return [f if isinstance(f, str) else f.decode("utf-8", "replace") for f in frames]

    async def send(self, text: str) -> None:
        import trio_websocket
        from wsproto.utilities import ProtocolError

        try:
            await self._connection.send_message(text)
        except trio_websocket.ConnectionClosed as exc:
            raise _closed(exc) from None
        except ProtocolError as exc:
            raise SocketClosed(1006, str(exc)) from None

    async def ping(self) -> None:
        import trio_websocket
        from wsproto.utilities import ProtocolError

        try:
            await self._connection.ping()
        except trio_websocket.ConnectionClosed as exc:
            raise _closed(exc) from None
        except ProtocolError as exc:
            raise SocketClosed(1006, str(exc)) from None


def _closed(exc: "trio_websocket.ConnectionClosed") -> SocketClosed:
    reason = exc.reason
    return SocketClosed(reason.code, reason.reason) if reason else SocketClosed(1006, None)

"""The connections of a fake node: HTTP first, a websocket if that is asked for.

What is answered, and what happens because of what a client says, is decided by a `Host`: the
replay of a recording, or the model of the daemon. Here is only who is connected, what is still
to be sent to each, and what a fault makes of that. A client that reads slowly holds up nobody:
past a bound it misses frames. Before that the host is told, for a real daemon is held up.
"""

import math
from collections.abc import Collection
from typing import Final, Protocol

import trio

from automate.fake.clients import Client
from automate.fake.faults.line import End, Silence
from automate.fake.faults.seeded import Run
from automate.fake.faults.streams import SwitchedStream, reset
from automate.fake.framing import ABNORMAL
from automate.fake.http import HangUp, Request, Response, Switched, SwitchProtocol, serve_http
from automate.fake.websocket import NodeEnd

__all__ = ["HELD_BYTES", "QUEUE_FRAMES", "Connections", "Host"]

# The longest sample recording is a quarter of this; a client that is behind by more is no reader.
QUEUE_FRAMES: Final = 16_384
# So much the kernels at both ends hold for a client that reads nothing: 3 MB came late, and whole,
# while more did not (PROBED 5). Characters are counted, which is near enough.
HELD_BYTES: Final = 3_000_000
# So long a client gets to read what was sent before it is dropped, and to hang up as well.
_PARTING_SECONDS: Final = 5


class Host(Protocol):
    """Who decides; plain calls, each of which may send or drop at once."""

    def answer(self, request: Request) -> Response | HangUp | SwitchProtocol:
        """Return what becomes of an HTTP request."""

    def opened(self, client: Client) -> None:
        """A websocket is open."""

    def said(self, client: Client, message: str | bytes) -> None:
        """A client sent a frame."""

    def closed(self, client: Client) -> None:
        """A client's websocket ended, not by us."""

    def wrote(self, client: Client) -> None:
        """A frame for the client was given to the network."""

    def stalled(self, client: Client) -> None:
        """A client reads nothing, and no network holds any more for it."""

    def flows(self, client: Client) -> None:
        """The same client reads again."""

    def faulted(self, client: Client, by: str) -> None:
        """A fault ended a connection, or silenced it."""


class Connections:
    """Who is connected to *host*; *faults* lie between."""

    def __init__(self, host: Host, faults: Run) -> None:
        self._host = host
        self._faults = faults
        self._clients: dict[int, Client] = {}
        self._connected = 0

    @property
    def clients(self) -> Collection[Client]:
        """Those who are connected and not being dropped."""
        return self._clients.values()

    def find(self, number: int) -> Client | None:
        """Return the client of this *number*, ``None`` if it is gone or going."""
        return self._clients.get(number)

    def send(self, client: Client, text: str) -> bool:
        """Have *text* sent to *client*; return whether it was not too far behind for that."""
        if client.behind >= QUEUE_FRAMES:
            return False
        client.send(text, trio.current_time())
        if client.unsent_bytes > HELD_BYTES and not client.is_stalled:
            client.is_stalled = True
            self._host.stalled(client)
        return True

    def drop(self, client: Client, code: int, reason: str) -> None:
        """End a connection after what was sent on it; 1006 is no close frame at all."""
        del self._clients[client.number]
        ends_at = client.end(code, reason, trio.current_time())
        client.scope.deadline = ends_at + _PARTING_SECONDS

    async def serve(self, stream: trio.SocketStream) -> None:
        """Serve one connection, whatever it turns out to be, until it ends."""
        async with stream:
            try:
                switched = await serve_http(stream, self._host.answer)
                if switched is not None:
                    await self._serve_websocket(switched, stream)
            except* (trio.BrokenResourceError, trio.ClosedResourceError):
                pass  # the client is gone; nobody is left to be told

    async def _serve_websocket(self, switched: Switched, tcp: trio.SocketStream) -> None:
        stream = SwitchedStream(self._faults.around(tcp))
        socket = NodeEnd(
            stream,
            said=switched.said,
            is_deflated=switched.answer.is_deflated,
            limit_bytes=switched.answer.limit_bytes,
        )
        async with trio.open_nursery() as nursery:
            self._connected += 1
            line = self._faults.line(self._connected, at=trio.current_time())
            client = Client(
                self._connected,
                nursery.cancel_scope,
                line,
                path=switched.answer.path,
                is_deflated=socket.is_deflated,
            )
            self._clients[client.number] = client
            try:
                self._host.opened(client)
                nursery.start_soon(self._write, client, socket, stream, tcp)
                await self._read(client, socket)
                if client.number not in self._clients:
                    await trio.sleep_forever()  # it is being dropped; the writer sees to that
            finally:
                if self._clients.pop(client.number, None) is not None:
                    self._host.closed(client)
            with trio.move_on_after(_PARTING_SECONDS):
                await socket.linger()
            nursery.cancel_scope.cancel()

    async def _read(self, client: Client, socket: NodeEnd) -> None:
        """Take in what the client says until the connection ends; nothing here waits long."""
        async with trio.open_nursery() as nursery:
            come, coming = trio.open_memory_channel[tuple[float, str | bytes]](math.inf)
            if not client.line.is_plain:
                nursery.start_soon(self._hear_later, client, coming)
            while (message := await socket.receive()) is not None:
                if client.line.is_plain:
                    self._hear(client, message)
                else:
                    come.send_nowait((client.line.hear_at(trio.current_time()), message))
            # What is still under way gets there, although its sender is gone.
            come.close()

    async def _hear_later(
        self, client: Client, coming: trio.MemoryReceiveChannel[tuple[float, str | bytes]]
    ) -> None:
        async for at, message in coming:
            await trio.sleep_until(at)
            self._hear(client, message)

    def _hear(self, client: Client, message: str | bytes) -> None:
        if client.number in self._clients:
            self._host.said(client, message)

    async def _write(
        self,
        client: Client,
        socket: NodeEnd,
        stream: SwitchedStream,
        tcp: trio.SocketStream,
    ) -> None:
        while True:
            match await client.next():
                case str() as text:
                    await socket.send(text)
                    client.wrote(text)
                    self._host.wrote(client)
                    if client.is_stalled and client.unsent_bytes <= HELD_BYTES:
                        client.is_stalled = False
                        self._host.flows(client)
                case Silence(by=by):
                    self._host.faulted(client, by or "nothing passes any more")
                    stream.silence()
                case End() as end:
                    break
        if end.by is not None:
            self._host.faulted(client, end.by)
        if end.is_reset:
            await reset(tcp)
        elif end.code == ABNORMAL:
            await trio.aclose_forcefully(stream)
        else:
            with trio.move_on_after(_PARTING_SECONDS):
                await socket.close(end.code, end.reason)
        client.scope.cancel()

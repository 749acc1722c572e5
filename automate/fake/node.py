"""The fake node: a recording served to live clients, panel and daemon behind one address.

Runs on real sockets and on the network in memory alike. What happens is the tape's decision;
here is only who is connected, and the one task that lets the tape's time pass. A client that
reads slowly holds up nobody: past a bound it misses frames, as it would with the real daemon.
"""

import math
import secrets
from collections import deque
from collections.abc import AsyncIterator, Callable, Collection
from contextlib import asynccontextmanager
from typing import Final, Literal
from uuid import uuid4

import trio
from attrs import define, field, frozen
from trio_websocket import ConnectionClosed, WebSocketConnection, wrap_server_stream
from wsproto.utilities import ProtocolError

from automate.errors import UsageError
from automate.fake.http import HangUp, Request, Response, RewoundStream, SwitchProtocol, serve_http
from automate.fake.panel import FakePanel
from automate.fake.script import ABNORMAL, Deed, Kind, is_well_formed
from automate.fake.signals import Closed, Drop, Note, NoteKind, Opened, Output, Said, Send
from automate.fake.tape import Tape
from automate.fake.tokens import Tokens
from automate.fake.upgrade import answer_upgrade
from automate.recording.reader import Recording
from automate.wire import messages as m
from automate.wire.codec import encode_server
from automate.wire.frame import unpack

__all__ = ["Replay", "open_replay", "serve_replay"]

# The longest sample recording is a quarter of this; a client that is behind by more is no reader.
_QUEUE_FRAMES: Final = 16_384
# At infinite speed the tape goes on when the quickest reader has no more than this to read.
_SHALLOW_FRAMES: Final = 64
# So long a client gets to read what was sent before it is dropped, or to answer a close frame.
_PARTING_SECONDS: Final = 5
_WILDCARDS: Final = ("0.0.0.0", "::", "")


@frozen(kw_only=True)
class Replay:
    """A replay that is being served: where, and for which *key*.

    *notes* grow while it runs; *ended* is set when the whole tape has been played.
    """

    panel_url: str
    socket_url: str
    server: str
    key: str
    deeds: tuple[Deed, ...]
    notes: list[Note]
    ended: trio.Event


async def serve_replay(
    recording: Recording,
    *,
    wall_clock: Callable[[], float],
    port: int = 0,
    host: str = "127.0.0.1",
    speed: float = 1.0,
    leave: Collection[int] | Literal["all"] = (),
    strict: bool = False,
    lenient: bool = False,
    key: str | None = None,
    on_note: Callable[[Note], None] | None = None,
    task_status: trio.TaskStatus[Replay] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Serve *recording* until cancelled; ``nursery.start`` gives the `Replay`.

    *wall_clock* tells the time in unix seconds, for the tokens. *port* 0 takes a free one. The
    manner of playing (*speed*, *leave*, *strict*) is `Tape`'s. *key* is what clients must show
    the panel; a new one is made if there is none. *on_note* is called with each note at once.

    Raises:
        UsageError: there is no such deed or speed, or the address can't be listened on.
    """
    if lenient:
        raise UsageError(
            "lenient: no model of the daemon is there yet to take unrecorded deeds; "
            "leave it out (they are ignored) or be strict (they are refused)"
        )
    tape = Tape(recording, leave=leave, strict=strict, speed=speed)
    listener = await _listen(host, port)
    async with listener:
        actual = listener.socket.getsockname()[1]
        node = _Node(
            recording,
            tape,
            name=_name(host),
            port=actual,
            key=key or f"ptlc_{secrets.token_hex(22)[:43]}",
            speed=speed,
            wall_clock=wall_clock,
            on_note=on_note or (lambda _note: None),
        )
        async with trio.open_nursery() as nursery:
            nursery.start_soon(node.let_time_pass)
            task_status.started(node.replay)
            await trio.serve_listeners(node.serve, [listener])


@asynccontextmanager
async def open_replay(
    recording: Recording,
    *,
    wall_clock: Callable[[], float],
    port: int = 0,
    host: str = "127.0.0.1",
    speed: float = 1.0,
    leave: Collection[int] | Literal["all"] = (),
    strict: bool = False,
    key: str | None = None,
    on_note: Callable[[Note], None] | None = None,
) -> AsyncIterator[Replay]:
    """Serve *recording* as `serve_replay` does, for as long as the block runs."""

    async def serve(*, task_status: trio.TaskStatus[Replay]) -> None:
        await serve_replay(
            recording,
            wall_clock=wall_clock,
            port=port,
            host=host,
            speed=speed,
            leave=leave,
            strict=strict,
            key=key,
            on_note=on_note,
            task_status=task_status,
        )

    async with trio.open_nursery() as nursery:
        yield await nursery.start(serve)
        nursery.cancel_scope.cancel()


async def _listen(host: str, port: int) -> trio.SocketListener:
    """Listen on one address: a name with several would need the same port on all of them.

    Raises:
        UsageError: it can't be listened on.
    """
    try:
        listener, *others = await trio.open_tcp_listeners(port, host=host)
    except (OSError, OverflowError) as exc:
        raise UsageError(f"{host} port {port}: can't be listened on ({exc}); take another") from exc
    for other in others:
        await other.aclose()
    return listener


def _name(host: str) -> str:
    name = "127.0.0.1" if host in _WILDCARDS else host
    return f"[{name}]" if ":" in name else name


# ---------------------------------------------------------------- clients


@define(eq=False)
class _Client:
    """A connected websocket, and what is still to be sent to it."""

    number: int
    scope: trio.CancelScope
    # Whether it was ever sent anything; whoever only connected sets no pace.
    is_reader: bool = False
    missed: int = 0
    queue: deque[str | Drop] = field(factory=deque)
    _filled: trio.Event = field(factory=trio.Event)

    def put(self, item: str | Drop) -> None:
        self.queue.append(item)
        self._filled.set()

    async def wait_for_work(self) -> None:
        """Wait until something is to be sent."""
        while not self.queue:
            self._filled = trio.Event()
            await self._filled.wait()


class _Node:
    """The sockets of one replay, and the panel beside them."""

    def __init__(
        self,
        recording: Recording,
        tape: Tape,
        *,
        name: str,
        port: int,
        key: str,
        speed: float,
        wall_clock: Callable[[], float],
        on_note: Callable[[Note], None],
    ) -> None:
        panel_url = f"http://{name}:{port}"
        socket_url = f"ws://{name}:{port}/api/servers/{tape.server}/ws"
        self.replay = Replay(
            panel_url=panel_url,
            socket_url=socket_url,
            server=tape.server,
            key=key,
            deeds=tape.deeds,
            notes=[],
            ended=trio.Event(),
        )
        # The panel's own URL, however a client on this machine spells it.
        self._origins = {
            panel_url,
            *(f"http://{here}:{port}" for here in ("127.0.0.1", "localhost")),
        }
        self._tape = tape
        self._tokens = Tokens(
            secrets.token_bytes(32), server=tape.server, panel_url=panel_url, node_url=panel_url
        )
        self._panel = FakePanel(
            tape, recording.header, self._tokens, key=key, socket_url=socket_url, speed=speed
        )
        self._is_instant = math.isinf(speed)
        self._wall_clock = wall_clock
        self._on_note = on_note
        self._clients: dict[int, _Client] = {}
        self._connected = 0
        # Set when something came in, so that the tape may wake at another time than it said.
        self._news = trio.Event()

    # ------------------------------------------------------------ time

    async def let_time_pass(self) -> None:
        """Play the tape, for ever: at its end it waits for questions."""
        while True:
            wake_at = self._tape.wake_at
            self._news = trio.Event()
            if wake_at is None:
                await self._news.wait()
            elif self._is_instant:
                await self._wait_for_a_reader()
            else:
                with trio.CancelScope(deadline=wake_at):
                    await self._news.wait()
            self._carry_out(self._tape.tick(trio.current_time()))

    async def _wait_for_a_reader(self) -> None:
        """Wait until the quickest client has read nearly all."""
        await trio.lowlevel.checkpoint()
        while readers := [client for client in self._clients.values() if client.is_reader]:
            if min(len(client.queue) for client in readers) <= _SHALLOW_FRAMES:
                return
            self._news = trio.Event()
            await self._news.wait()

    def _carry_out(self, outputs: list[Output]) -> None:
        for output in outputs:
            match output:
                case Send(sockets=sockets, text=text):
                    for number in sockets:
                        self._send(self._clients[number], text)
                case Drop(sockets=sockets):
                    for number in sockets:
                        client = self._clients.pop(number)
                        client.put(output)
                        client.scope.deadline = trio.current_time() + _PARTING_SECONDS
                case Note():
                    self._tell(output)
                    if output.kind is NoteKind.ENDED:
                        self.replay.ended.set()

    def _send(self, client: _Client, text: str) -> None:
        client.is_reader = True
        if len(client.queue) < _QUEUE_FRAMES:
            client.put(text)
            return
        if not client.missed:
            now = self._tape.seconds(trio.current_time())
            slow = f"client {client.number} is {_QUEUE_FRAMES} frames behind and misses some"
            self._tell(Note(round(now, 4), NoteKind.SLOW, slow))
        client.missed += 1

    def _tell(self, note: Note) -> None:
        self.replay.notes.append(note)
        self._on_note(note)

    # ------------------------------------------------------------ connections

    async def serve(self, stream: trio.SocketStream) -> None:
        """Serve one connection, whatever it turns out to be, until it ends."""
        async with stream:
            try:
                rewound = await serve_http(stream, self._answer)
                if rewound is not None:
                    await self._serve_websocket(rewound)
            except* (trio.BrokenResourceError, trio.ClosedResourceError):
                pass  # the client is gone; nobody is left to be told
            except* (ConnectionClosed, ProtocolError):
                pass  # it closed in the middle, or broke the protocol and has been told

    def _answer(self, request: Request) -> Response | HangUp | SwitchProtocol:
        if request.path.startswith("/api/servers/"):
            return self._answer_upgrade(request)
        now = self._wall_clock()
        response, outputs = self._panel.answer(request, at=trio.current_time(), now=now)
        self._carry_out(outputs)
        self._news.set()
        return response

    def _answer_upgrade(self, request: Request) -> Response | HangUp | SwitchProtocol:
        self._carry_out(self._tape.tick(trio.current_time()))
        return answer_upgrade(
            request,
            server=self._tape.server,
            origins=self._origins,
            is_lost=self._tape.is_lost,
            request_id=str(uuid4()),
        )

    async def _serve_websocket(self, stream: RewoundStream) -> None:
        async with trio.open_nursery() as nursery:
            request = await wrap_server_stream(nursery, stream)
            socket = await request.accept()
            stream.go_on()
            self._connected += 1
            client = _Client(self._connected, nursery.cancel_scope)
            self._clients[client.number] = client
            try:
                self._take_in(Opened(client.number))
                nursery.start_soon(self._write, client, socket, stream)
                await self._read(client, socket)
                if client.number not in self._clients:
                    await trio.sleep_forever()  # it is being dropped; the writer sees to that
            finally:
                if self._clients.pop(client.number, None) is not None:
                    self._take_in(Closed(client.number))
                nursery.cancel_scope.cancel()

    async def _read(self, client: _Client, socket: WebSocketConnection) -> None:
        """Take in what the client says until the connection ends; nothing here waits long."""
        while True:
            try:
                message = await socket.get_message()
            except ConnectionClosed:
                return
            # Newer daemons drop binary frames in silence (PROBED 7.5).
            if isinstance(message, str) and client.number in self._clients:
                self._take_in(Said(client.number, message, self._refusal(message)))

    async def _write(
        self, client: _Client, socket: WebSocketConnection, stream: trio.abc.Stream
    ) -> None:
        while True:
            await client.wait_for_work()
            item = client.queue.popleft()
            if isinstance(item, Drop):
                break
            await socket.send_message(item)
            self._news.set()
        if item.code == ABNORMAL:
            await trio.aclose_forcefully(stream)
        else:
            await socket.aclose(item.code, item.reason)
        client.scope.cancel()

    def _take_in(self, happened: Opened | Said | Closed) -> None:
        self._carry_out(self._tape.handle(happened, trio.current_time()))
        self._news.set()

    def _refusal(self, text: str) -> str | None:
        """Return what the daemon says of the token in a client's frame, if it says anything."""
        event, args = unpack(text)
        if event != Kind.AUTH or not is_well_formed(args):
            return None
        token = "".join(part or "" for part in args) if isinstance(args, list) else ""
        match self._tokens.judge(token, now=self._wall_clock()):
            case None:
                return None
            case m.JwtErrorReported(text=why):
                return encode_server(m.JwtErrorReported(f"Error Event [{uuid4()}]: {why}"))
            case m.DaemonErrorReported(text=why):
                return encode_server(m.DaemonErrorReported(f"Error Event [{uuid4()}]: {why}"))

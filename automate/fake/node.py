"""The fake node: a recording served to live clients, panel and daemon behind one address.

Runs on real sockets and on the network in memory alike. What happens is the tape's decision;
here is only who is connected, and the one task that lets the tape's time pass. A client that
reads slowly holds up nobody: past a bound it misses frames, as it would with the real daemon.
"""

import math
import secrets
from collections.abc import AsyncIterator, Callable, Collection
from contextlib import asynccontextmanager
from typing import Final, Literal
from uuid import uuid4

import trio
from attrs import evolve
from trio_websocket import ConnectionClosed, WebSocketConnection, wrap_server_stream
from wsproto.utilities import ProtocolError

from automate.fake.clients import Client
from automate.fake.faults.line import End, Silence
from automate.fake.faults.seeded import NO_FAULTS, Faults
from automate.fake.faults.streams import SwitchedStream, reset
from automate.fake.faults.tokens import EXPIRED, is_answer_to_auth
from automate.fake.http import HangUp, Request, Response, RewoundStream, SwitchProtocol, serve_http
from automate.fake.listening import listen, url_name
from automate.fake.panel import FakePanel
from automate.fake.replay import Replay
from automate.fake.script import ABNORMAL, Kind, is_well_formed
from automate.fake.signals import Closed, Drop, Note, NoteKind, Opened, Output, Said, Send
from automate.fake.tape import Tape
from automate.fake.tokens import Tokens
from automate.fake.upgrade import answer_upgrade
from automate.recording.reader import Recording
from automate.wire.codec import encode_server
from automate.wire.frame import unpack

__all__ = ["Replay", "open_replay", "serve_replay"]

# The longest sample recording is a quarter of this; a client that is behind by more is no reader.
_QUEUE_FRAMES: Final = 16_384
# At infinite speed the tape goes on when the quickest reader has no more than this to read.
_SHALLOW_FRAMES: Final = 64
# So long a client gets to read what was sent before it is dropped, or to answer a close frame.
_PARTING_SECONDS: Final = 5


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
    faults: Faults = NO_FAULTS,
    key: str | None = None,
    on_note: Callable[[Note], None] | None = None,
    task_status: trio.TaskStatus[Replay] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Serve *recording* until cancelled; ``nursery.start`` gives the `Replay`.

    *wall_clock* tells the time in unix seconds, for the tokens. *port* 0 takes a free one. The
    manner of playing (*speed*, *leave*, *strict*, *lenient*) is `Tape`'s; *faults* befall node
    and panel. *key* is what clients must show the panel; a new one is made if there is none.
    *on_note* is called with each note at once.

    Raises:
        UsageError: there is no such deed or speed, or the address can't be listened on.
    """
    tape = Tape(recording, leave=leave, strict=strict, lenient=lenient, speed=speed)
    listener = await listen(host, port)
    async with listener:
        actual = listener.socket.getsockname()[1]
        node = _Node(
            recording,
            tape,
            name=url_name(host),
            port=actual,
            key=key or f"ptlc_{secrets.token_hex(22)[:43]}",
            speed=speed,
            faults=faults,
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
    lenient: bool = False,
    faults: Faults = NO_FAULTS,
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
            lenient=lenient,
            faults=faults,
            key=key,
            on_note=on_note,
            task_status=task_status,
        )

    try:
        async with trio.open_nursery() as nursery:
            yield await nursery.start(serve)
            nursery.cancel_scope.cancel()
    except BaseExceptionGroup as group:
        # What the block raised comes as it was.
        raise _sole(group) from None


def _sole(group: BaseExceptionGroup[BaseException]) -> BaseException:
    found: BaseException = group
    while isinstance(found, BaseExceptionGroup) and len(found.exceptions) == 1:
        found = found.exceptions[0]
    return group if isinstance(found, BaseExceptionGroup) else found


# ---------------------------------------------------------------- the node


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
        faults: Faults,
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
            title=recording.header.title or recording.path,
            tape=tape,
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
        self._faults = faults.begin()
        self._panel = FakePanel(
            tape,
            recording.header,
            self._tokens,
            key=key,
            socket_url=socket_url,
            speed=speed,
            faults=self._faults,
        )
        self._is_instant = math.isinf(speed)
        self._wall_clock = wall_clock
        self._on_note = on_note
        self._clients: dict[int, Client] = {}
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
            if min(client.behind for client in readers) <= _SHALLOW_FRAMES:
                return
            self._news = trio.Event()
            await self._news.wait()

    def _carry_out(self, outputs: list[Output]) -> None:
        for output in outputs:
            match output:
                case Send(sockets=sockets, text=text):
                    for number in sockets:
                        self._send(self._clients[number], text)
                case Drop(sockets=sockets, code=code, reason=reason):
                    for number in sockets:
                        client = self._clients.pop(number)
                        ends_at = client.end(code, reason, trio.current_time())
                        client.scope.deadline = ends_at + _PARTING_SECONDS
                case Note():
                    self._tell(output)
        if self._tape.is_over:
            self.replay.ended.set()
        self.replay.changed.unpark_all()

    def _send(self, client: Client, text: str) -> None:
        client.is_reader = True
        if self._is_expired(client) and not is_answer_to_auth(text):
            text = EXPIRED
        if client.behind < _QUEUE_FRAMES:
            client.send(text, trio.current_time())
            return
        if not client.missed:
            slow = f"client {client.number} is {_QUEUE_FRAMES} frames behind and misses some"
            self._note(NoteKind.SLOW, slow)
        client.missed += 1

    def _note(self, kind: NoteKind, text: str) -> None:
        self._tell(Note(round(self._tape.seconds(trio.current_time()), 4), kind, text))

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
                    await self._serve_websocket(rewound, stream)
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
        return evolve(response, after_seconds=self._faults.call_seconds())

    def _answer_upgrade(self, request: Request) -> Response | HangUp | SwitchProtocol:
        self._carry_out(self._tape.tick(trio.current_time()))
        return answer_upgrade(
            request,
            server=self._tape.server,
            origins=self._origins,
            is_lost=self._tape.is_lost,
            request_id=str(uuid4()),
        )

    async def _serve_websocket(self, rewound: RewoundStream, tcp: trio.SocketStream) -> None:
        stream = SwitchedStream(self._faults.around(rewound))
        async with trio.open_nursery() as nursery:
            request = await wrap_server_stream(nursery, stream)
            socket = await request.accept()
            rewound.go_on()
            self._connected += 1
            line = self._faults.line(self._connected, at=trio.current_time())
            client = Client(self._connected, nursery.cancel_scope, line)
            self._clients[client.number] = client
            try:
                self._take_in(Opened(client.number))
                nursery.start_soon(self._write, client, socket, stream, tcp)
                await self._read(client, socket)
                if client.number not in self._clients:
                    await trio.sleep_forever()  # it is being dropped; the writer sees to that
            finally:
                if self._clients.pop(client.number, None) is not None:
                    self._take_in(Closed(client.number))
                nursery.cancel_scope.cancel()

    async def _read(self, client: Client, socket: WebSocketConnection) -> None:
        """Take in what the client says until the connection ends; nothing here waits long."""
        async with trio.open_nursery() as nursery:
            come, coming = trio.open_memory_channel[tuple[float, str]](math.inf)
            if not client.line.is_plain:
                nursery.start_soon(self._hear_later, client, coming)
            while True:
                try:
                    message = await socket.get_message()
                except ConnectionClosed:
                    break
                # Newer daemons drop binary frames in silence (PROBED 7.5).
                if not isinstance(message, str):
                    continue
                if client.line.is_plain:
                    self._hear(client, message)
                else:
                    come.send_nowait((client.line.hear_at(trio.current_time()), message))
            # What is still under way gets there, although its sender is gone.
            come.close()

    async def _hear_later(
        self, client: Client, coming: trio.MemoryReceiveChannel[tuple[float, str]]
    ) -> None:
        async for at, message in coming:
            await trio.sleep_until(at)
            self._hear(client, message)

    def _hear(self, client: Client, message: str) -> None:
        if client.number not in self._clients:
            return
        if self._is_expired(client) and unpack(message)[0] != Kind.AUTH:
            client.send(EXPIRED, trio.current_time())
            return
        self._take_in(Said(client.number, message, self._refusal(client, message)))

    async def _write(
        self,
        client: Client,
        socket: WebSocketConnection,
        stream: SwitchedStream,
        tcp: trio.SocketStream,
    ) -> None:
        while True:
            match await client.next():
                case str() as text:
                    await socket.send_message(text)
                    self._news.set()
                case Silence(by=by):
                    self._note(NoteKind.FAULT, f"client {client.number}: {by}")
                    stream.silence()
                case End() as end:
                    break
        if end.by is not None:
            self._note(NoteKind.FAULT, f"client {client.number}: {end.by}")
        if end.is_reset:
            await reset(tcp)
        elif end.code == ABNORMAL:
            await trio.aclose_forcefully(stream)
        else:
            await socket.aclose(end.code, end.reason)
        client.scope.cancel()

    def _take_in(self, happened: Opened | Said | Closed) -> None:
        self._carry_out(self._tape.handle(happened, trio.current_time()))
        self._news.set()

    # ------------------------------------------------------------ tokens

    def _refusal(self, client: Client, text: str) -> str | None:
        """Return what the daemon says of the token in a client's frame, if it says anything."""
        event, args = unpack(text)
        if event != Kind.AUTH or not is_well_formed(args):
            return None
        token = "".join(part or "" for part in args) if isinstance(args, list) else ""
        problem = self._tokens.judge(token, now=self._node_now())
        if problem is None and (problem := self._faults.refuse_token()) is not None:
            self._note(NoteKind.FAULT, f"client {client.number}: a good token is refused")
        if problem is None:
            client.token_ends_at = self._tokens.ends_at(token)
            return None
        return encode_server(evolve(problem, text=f"Error Event [{uuid4()}]: {problem.text}"))

    def _is_expired(self, client: Client) -> bool:
        """Whether the token is over, where faults end tokens: else the recording tells of that."""
        if not self._faults.ends_tokens or client.token_ends_at is None:
            return False
        return math.floor(self._node_now()) > client.token_ends_at

    def _node_now(self) -> float:
        return self._faults.node_now(self._wall_clock())

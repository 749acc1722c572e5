"""The fake node: a recording served to live clients, panel and daemon behind one address.

Runs on real sockets and on the network in memory alike. What happens is the tape's decision, who
is connected is the connections' business; here the two meet, and the tape's time passes.
"""

import math
import secrets
from collections.abc import AsyncIterator, Callable, Collection, Iterable, Iterator
from contextlib import asynccontextmanager
from typing import Final, Literal
from uuid import NAMESPACE_URL, uuid4, uuid5

import trio
from attrs import evolve

from automate.errors import sole
from automate.fake.clients import Client
from automate.fake.connections import QUEUE_FRAMES, Connections
from automate.fake.faults.seeded import NO_FAULTS, Faults
from automate.fake.faults.tokens import EXPIRED, is_answer_to_auth
from automate.fake.http import HangUp, Request, Response, SwitchProtocol
from automate.fake.listening import listen, url_name
from automate.fake.panel import FakePanel
from automate.fake.replay import Replay
from automate.fake.script import Kind, is_well_formed
from automate.fake.signals import Closed, Drop, Note, NoteKind, Opened, Output, Said, Send
from automate.fake.tape import Tape
from automate.fake.tokens import Tokens
from automate.fake.upgrade import answer_upgrade
from automate.recording.reader import Recording
from automate.wire.codec import encode_server
from automate.wire.frame import unpack

__all__ = ["Replay", "open_replay", "serve_replay"]

# At infinite speed the tape goes on when the quickest reader has no more than this to read.
_SHALLOW_FRAMES: Final = 64


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
        UsageError: there is no such deed or speed.
        AddressTaken: the address can't be listened on.
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
            await trio.serve_listeners(node.connections.serve, [listener])


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
        raise sole(group) from None


# ---------------------------------------------------------------- the node


class _Node:
    """The host of one replay: its tape, and the panel beside it."""

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
        self._refused = 0
        self._is_instant = math.isinf(speed)
        self._wall_clock = wall_clock
        self._on_note = on_note
        self.connections = Connections(self, self._faults)
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
        while readers := [client for client in self.connections.clients if client.is_reader]:
            if min(client.behind for client in readers) <= _SHALLOW_FRAMES:
                return
            self._news = trio.Event()
            await self._news.wait()

    def _carry_out(self, outputs: list[Output]) -> None:
        for output in outputs:
            match output:
                case Send(sockets=sockets, text=text):
                    for client in self._found(sockets):
                        self._send(client, text)
                case Drop(sockets=sockets, code=code, reason=reason):
                    for client in self._found(sockets):
                        self.connections.drop(client, code, reason)
                case Note():
                    self._tell(output)
        if self._tape.is_over:
            self.replay.ended.set()
        self.replay.changed.unpark_all()

    def _found(self, numbers: Iterable[int]) -> Iterator[Client]:
        for number in numbers:
            if (client := self.connections.find(number)) is not None:
                yield client

    def _send(self, client: Client, text: str) -> None:
        client.is_reader = True
        if self._is_expired(client) and not is_answer_to_auth(text):
            text = EXPIRED
        if self.connections.send(client, text):
            return
        if not client.missed:
            slow = f"client {client.number} is {QUEUE_FRAMES} frames behind and misses some"
            self._note(NoteKind.SLOW, slow)
        client.missed += 1

    def _note(self, kind: NoteKind, text: str) -> None:
        self._tell(Note(round(self._tape.seconds(trio.current_time()), 4), kind, text))

    def _tell(self, note: Note) -> None:
        self.replay.notes.append(note)
        self._on_note(note)

    # ------------------------------------------------------------ connections

    def answer(self, request: Request) -> Response | HangUp | SwitchProtocol:
        """Answer for the panel, or as the node does before a websocket."""
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

    # ------------------------------------------------------------ clients

    def opened(self, client: Client, path: str) -> None:
        """Take in a new connection."""
        self._take_in(Opened(client.number))

    def said(self, client: Client, message: str | bytes) -> None:
        """Take in what a client says; newer daemons drop binary frames in silence (PROBED 7.5)."""
        if not isinstance(message, str):
            return
        if self._is_expired(client) and unpack(message)[0] != Kind.AUTH:
            client.send(EXPIRED, trio.current_time())
            return
        self._take_in(Said(client.number, message, self._refusal(client, message)))

    def closed(self, client: Client) -> None:
        """Take in that a connection is over."""
        self._take_in(Closed(client.number))

    def wrote(self) -> None:
        """Look again: at infinite speed the tape goes on as the quickest client reads."""
        self._news.set()

    def faulted(self, client: Client, by: str) -> None:
        """Note what a fault did."""
        self._note(NoteKind.FAULT, f"client {client.number}: {by}")

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
        # Made up and yet always the same: one seed makes one run, to the byte.
        self._refused += 1
        error = uuid5(NAMESPACE_URL, f"{self._tape.server}/errors/{self._refused}")
        return encode_server(evolve(problem, text=f"Error Event [{error}]: {problem.text}"))

    def _is_expired(self, client: Client) -> bool:
        """Whether the token is over, where faults end tokens: else the recording tells of that."""
        if not self._faults.ends_tokens or client.token_ends_at is None:
            return False
        return math.floor(self._node_now()) > client.token_ends_at

    def _node_now(self) -> float:
        return self._faults.node_now(self._wall_clock())

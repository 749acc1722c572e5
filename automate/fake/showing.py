"""The showing of one recording: its tape with its clients, its tokens, and the panel's part.

What happens is the tape's decision, who is connected the connections' business; here the two
meet, and the tape's time passes. Where it is shown is `node`'s affair.
"""

import math
from collections.abc import Callable, Iterable, Iterator
from typing import Final
from uuid import NAMESPACE_URL, uuid4, uuid5

import trio
from attrs import evolve, frozen

from automate.fake.clients import Client
from automate.fake.connections import QUEUE_FRAMES, Connections
from automate.fake.faults.seeded import Run
from automate.fake.faults.tokens import EXPIRED, is_answer_to_auth
from automate.fake.http import HangUp, Request, Response, SwitchProtocol
from automate.fake.manners import manners_of
from automate.fake.panel import FakePanel
from automate.fake.playback import Playback
from automate.fake.replay import Replay
from automate.fake.script import Kind, is_well_formed
from automate.fake.signals import Closed, Drop, Note, NoteKind, Opened, Output, Said, Send
from automate.fake.tape import Tape
from automate.fake.tokens import Tokens
from automate.fake.upgrade import answer_upgrade
from automate.wire.codec import encode_server
from automate.wire.frame import unpack

__all__ = ["House", "Showing"]

# At infinite speed the tape goes on when the quickest reader has no more than this to read.
_SHALLOW_FRAMES: Final = 64


@frozen(kw_only=True)
class House:
    """What all showings of one node share: its addresses, its key, its clock, its faults."""

    panel_url: str
    node_url: str
    origins: frozenset[str]
    """The panel's own URL, however a client on this machine spells it."""
    key: str
    secret: bytes
    faults: Run
    wall_clock: Callable[[], float]
    on_note: Callable[[str, Note], None]


class Showing:
    """The showing of *playback* in *house*, to those of the *connections* that are its own.

    Raises:
        UsageError: there is no such deed or speed.
    """

    def __init__(self, playback: Playback, house: House, connections: Connections) -> None:
        recording = playback.recording
        header = recording.header
        self._tape = tape = Tape(
            recording,
            leave=playback.leave,
            strict=playback.strict,
            lenient=playback.lenient,
            speed=playback.speed,
        )
        socket_url = f"{house.node_url}/api/servers/{tape.server}/ws"
        self.replay = Replay(
            panel_url=house.panel_url,
            socket_url=socket_url,
            server=tape.server,
            key=house.key,
            deeds=tape.deeds,
            notes=[],
            ended=trio.Event(),
            title=header.title or recording.path,
            tape=tape,
        )
        self._house = house
        self._faults = house.faults
        self._connections = connections
        self._tokens = Tokens(
            house.secret,
            server=tape.server,
            panel_url=house.panel_url,
            node_url=house.panel_url,
        )
        self.panel = FakePanel(
            tape,
            header,
            self._tokens,
            key=house.key,
            socket_url=socket_url,
            speed=playback.speed,
            faults=house.faults,
        )
        self._refused = 0
        self._is_instant = math.isinf(playback.speed)
        self._manners = manners_of(header.daemon)
        # The numbers of the clients that came for this server.
        self._own: set[int] = set()
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
        while readers := [client for client in self._clients() if client.is_reader]:
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
                        self._own.discard(client.number)
                        self._connections.drop(client, code, reason)
                case Note():
                    self._tell(output)
        if self._tape.is_over:
            self.replay.ended.set()
        self.replay.changed.unpark_all()

    def _clients(self) -> Iterator[Client]:
        return self._found(list(self._own))

    def _found(self, numbers: Iterable[int]) -> Iterator[Client]:
        for number in numbers:
            if (client := self._connections.find(number)) is not None:
                yield client

    def _send(self, client: Client, text: str) -> None:
        client.is_reader = True
        if self._is_expired(client) and not is_answer_to_auth(text):
            text = EXPIRED
        if self._connections.send(client, text):
            return
        if not client.missed:
            slow = f"client {client.number} is {QUEUE_FRAMES} frames behind and misses some"
            self._note(NoteKind.SLOW, slow)
        client.missed += 1

    def _note(self, kind: NoteKind, text: str) -> None:
        self._tell(Note(round(self._tape.seconds(trio.current_time()), 4), kind, text))

    def _tell(self, note: Note) -> None:
        self.replay.notes.append(note)
        self._house.on_note(self.replay.server, note)

    # ------------------------------------------------------------ requests

    def call(self, request: Request) -> Response:
        """Answer a call to the panel."""
        now = self._house.wall_clock()
        response, outputs = self.panel.answer(request, at=trio.current_time(), now=now)
        self._carry_out(outputs)
        self._news.set()
        return evolve(response, after_seconds=self._faults.call_seconds())

    def upgrade(self, request: Request) -> Response | HangUp | SwitchProtocol:
        """Answer as the node does before a websocket."""
        self._carry_out(self._tape.tick(trio.current_time()))
        return answer_upgrade(
            request,
            server=self._tape.server,
            origins=self._house.origins,
            is_lost=self._tape.is_lost,
            request_id=str(uuid4()),
            manners=self._manners,
        )

    # ------------------------------------------------------------ clients

    def opened(self, client: Client) -> None:
        """Take in a new connection."""
        self._own.add(client.number)
        self._take_in(Opened(client.number))

    def said(self, client: Client, message: str | bytes) -> None:
        """Take in what a client says, unless the recorded daemon would not."""
        text = self._manners.read(message)
        if text is None:
            return
        if self._is_expired(client) and unpack(text)[0] != Kind.AUTH:
            client.send(EXPIRED, trio.current_time())
            return
        self._take_in(Said(client.number, text, self._refusal(client, text)))

    def closed(self, client: Client) -> None:
        """Take in that a connection is over."""
        self._own.discard(client.number)
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
        return self._faults.node_now(self._house.wall_clock())

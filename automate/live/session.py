"""The session with one server: the conversation carried out, over a panel and a websocket.

What to do and when is decided by `automate.machine.conversation`; here it is done. One task
drains the websocket and calls the listener, another sends, a third pings; nothing else waits.
"""

import math
from collections import deque
from collections.abc import Sequence
from os import PathLike
from typing import Protocol

import trio
from attrs import Factory, define

from automate.errors import AutomateError, ConnectionFailed, UsageError, sole
from automate.live.answers import Server, Token
from automate.live.listener import Listener
from automate.live.websocket import NodeRefused, NodeSocket, Opener, SocketClosed, opener
from automate.machine import link
from automate.machine.conversation import Conversation, concerns
from automate.machine.outbox import HOLD_LIMIT
from automate.machine.seen_lines import SeenLines
from automate.wire.codec import decode_client, encode_client
from automate.wire.messages import ClientMessage, SendCommand, SendLogs, SetState

__all__ = ["Session", "TokenSource"]

# Wings never pings, and nothing flows while a server is offline: proxies cut a quiet socket
# after a minute, often without a word to either side.
PING_SECONDS = 25.0
PONG_SECONDS = 10.0
# On a slow road a pong stands behind all that was said before it: as long as that comes, the
# connection lives. But a node that only talks and never listens is of no use.
LONGEST_PONG_SECONDS = 120.0
_ASKS_LOGS = encode_client(SendLogs())


class TokenSource(Protocol):
    """What a session needs of a panel."""

    @property
    def url(self) -> str:
        """The panel's address."""

    async def token(self, server: str) -> Token:
        """Return a new token, or raise an `AutomateError`."""

    async def server(self, id: str) -> Server:
        """Return how the server is, or raise an `AutomateError`."""


@define
class _Connection:
    """One try at a websocket: what is to be sent on it, and how to end it."""

    scope: trio.CancelScope = Factory(trio.CancelScope)
    outgoing: deque[str] = Factory(deque)
    more: trio.Event = Factory(trio.Event)
    # While a pong is awaited: until when.
    patience: trio.CancelScope | None = None
    ended: link.Closed | None = None
    why: str | None = None


class Session:
    """The session with *server*, an id that *panel* knows; `run` it once.

    *listener* is told everything. *origin* is what the node is told we come from, the panel's
    address unless given. *ca_file* has authorities (PEM) to trust besides the system's; *connect*
    opens the websocket in another way than by trio-websocket over the network.
    """

    def __init__(
        self,
        server: str,
        panel: TokenSource,
        *,
        listener: Listener,
        origin: str | None = None,
        connect: Opener | None = None,
        ca_file: str | PathLike[str] | None = None,
    ) -> None:
        self.server = server
        self._panel = panel
        self._listener = listener
        self._origin = panel.url if origin is None else origin
        self._connect = opener(ca_file) if connect is None else connect
        self._conversation = Conversation(seed=server)
        self._seen = SeenLines()
        self._connection = _Connection()
        self._nursery: trio.Nursery | None = None
        self._to_do: deque[link.Action] = deque()
        self._is_doing = False
        self._alarm_at: float | None = None
        self._alarm_moved = trio.Event()
        self._error: AutomateError | None = None
        self._is_over = False
        self._early: list[ClientMessage] = []

    def send(self, message: ClientMessage) -> None:
        """Send *message* as soon as the server listens, in the order asked.

        The listener is told what became of it: `sent`, or `not_sent` if it would come too late.
        """
        if self._nursery is not None:
            self._tell(link.Ask(message))
        elif self._is_over:
            self._listener.not_sent(trio.current_time(), message, "the session is over")
        elif len(self._early) >= HOLD_LIMIT:
            why = f"{HOLD_LIMIT} messages are waiting already"
            self._listener.not_sent(trio.current_time(), message, why)
        else:
            self._early.append(message)

    async def run(self) -> None:
        """Keep the session until cancelled.

        Raises:
            AutomateError: it can't go on: no permission, no such server, a refused Origin…
        """
        try:
            async with trio.open_nursery() as self._nursery:
                for message in self._early:
                    self._tell(link.Ask(message))
                await self._keep_time()
        except BaseExceptionGroup as group:
            # What a listener raises on purpose should not come in wrappings.
            exc = sole(group)
            raise (exc if isinstance(exc, AutomateError) else group) from None
        finally:
            self._nursery = None
            self._is_over = True
        if self._error is not None:
            raise self._error

    # ------------------------------------------------------------ the conversation

    async def _keep_time(self) -> None:
        while True:
            now = trio.current_time()
            self._hand_on(self._seen.tick(now), now)
            self._do(self._conversation.tick(now))
            self._alarm_moved = trio.Event()
            self._alarm_at = self._wake_at
            deadline = math.inf if self._alarm_at is None else self._alarm_at
            with trio.move_on_at(deadline):
                await self._alarm_moved.wait()

    @property
    def _wake_at(self) -> float | None:
        moments = (self._conversation.wake_at, self._seen.wake_at)
        return min((moment for moment in moments if moment is not None), default=None)

    def _tell(self, happened: link.Input) -> None:
        self._do(self._conversation.handle(happened, trio.current_time()))

    def _do(self, actions: Sequence[link.Action]) -> None:
        """Do *actions* after those that are being done: a listener may ask for more."""
        self._to_do.extend(actions)
        if self._is_doing:
            return
        self._is_doing = True
        try:
            while self._to_do:
                self._do_one(self._to_do.popleft(), trio.current_time())
        finally:
            self._is_doing = False
        if self._wake_at != self._alarm_at:
            self._alarm_moved.set()

    def _do_one(self, action: link.Action, now: float) -> None:
        listener, connection = self._listener, self._connection
        assert self._nursery is not None
        match action:
            case link.FetchToken():
                self._nursery.start_soon(self._fetch)
            case link.LookAtServer():
                self._nursery.start_soon(self._look)
            case link.Connect(url=url):
                self._connection = _Connection()
                self._nursery.start_soon(self._hold, self._connection, url)
            case link.SendFrame(text=text):
                if text == _ASKS_LOGS:
                    took = self._conversation.state.outbox.round_trip_seconds
                    self._hand_on(self._seen.logs_asked(now, round_trip_seconds=took), now)
                connection.outgoing.append(text)
                connection.more.set()
            case link.Disconnect(reason=why):
                connection.why = why
                connection.scope.cancel()
            case link.End(error=error):
                self._error = error
                listener.ended(now, error)
                self._nursery.cancel_scope.cancel()
            case link.LinkUp():
                listener.ready(now)
            case link.LinkDown(reason=why):
                self._hand_on(self._seen.stop(), now)
                listener.down(now, why)
            case link.Blind(reason=why):
                listener.blind(now, why)
            case link.Sighted():
                listener.sighted(now)
            case link.NotSent(message=message, reason=why):
                listener.not_sent(now, message, why)
            case link.Delayed(reason=why, seconds=seconds):
                listener.delayed(now, why, seconds)

    async def _fetch(self) -> None:
        try:
            token = await self._panel.token(self.server)
        except AutomateError as error:
            self._tell(link.TokenRefused(error))
        else:
            self._tell(link.TokenFetched(token.token, token.socket, token.iat, token.exp))

    async def _look(self) -> None:
        try:
            server = await self._panel.server(self.server)
        except AutomateError as error:
            self._tell(link.ServerUnseen(error))
        else:
            self._tell(
                link.ServerSeen(
                    status=server.status,
                    is_transferring=server.is_transferring,
                    is_node_under_maintenance=server.is_node_under_maintenance,
                )
            )

    # ------------------------------------------------------------ the websocket

    async def _hold(self, connection: _Connection, url: str) -> None:
        """Open a websocket and keep it until it ends or is told to."""
        is_open = False
        try:
            with connection.scope:
                async with self._connect(url, self._origin) as node_socket:
                    is_open = True
                    self._listener.opened(trio.current_time())
                    self._tell(link.Opened())
                    try:
                        await self._carry(connection, node_socket)
                    finally:
                        # Before the goodbyes, which may take a second; no waiting in here.
                        self._note_end(connection)
        except UsageError as error:
            self._listener.failed(trio.current_time(), str(error))
            self._do([link.End(error)])
        except ConnectionFailed as error:
            self._listener.failed(trio.current_time(), str(error))
            status = error.status if isinstance(error, NodeRefused) else None
            self._tell(link.ConnectFailed(error, status))
        except SocketClosed as closed:
            # The library fell over what the node sent.
            self._tell(link.Closed(closed.code, closed.reason))
        else:
            if not is_open:
                self._listener.failed(trio.current_time(), connection.why or "given up")

    def _note_end(self, connection: _Connection) -> None:
        now, ended = trio.current_time(), connection.ended
        if ended is None:
            self._listener.closed(now, "client", None, connection.why)
        else:
            self._listener.closed(now, "server", ended.code, ended.reason)
            self._tell(ended)
        # The node had stopped reading: what it was never given is not told as sent.
        for text in connection.outgoing:
            message = decode_client(text)
            if isinstance(message, SendCommand | SetState):
                self._listener.not_sent(now, message, "the node took nothing more")

    async def _carry(self, connection: _Connection, node_socket: NodeSocket) -> None:
        """Read, send and ping until the connection ends."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._send_all, connection, node_socket)
            nursery.start_soon(self._ping, connection, node_socket, nursery.cancel_scope)
            try:
                while True:
                    texts = await node_socket.receive()
                    if connection.patience is not None:
                        connection.patience.deadline = trio.current_time() + PONG_SECONDS
                    self._hear(texts)
            except SocketClosed as closed:
                connection.ended = link.Closed(closed.code, closed.reason)
            nursery.cancel_scope.cancel()

    def _hear(self, texts: Sequence[str]) -> None:
        """Hand *texts* on, each before what is done because of it."""
        now, told = trio.current_time(), 0
        for number, text in enumerate(texts, 1):
            if not concerns(text):
                continue
            actions = self._conversation.handle(link.FrameReceived(text), now)
            if actions:
                self._pass_on(texts[told:number], now)
                told = number
                self._do(actions)
        if told < len(texts):
            self._pass_on(texts[told:], now)

    def _pass_on(self, texts: Sequence[str], now: float) -> None:
        self._listener.received(now, texts)
        self._hand_on(self._seen.take(texts, now), now)

    def _hand_on(self, texts: Sequence[str], now: float) -> None:
        if texts:
            self._listener.heard(now, texts)

    async def _send_all(self, connection: _Connection, node_socket: NodeSocket) -> None:
        while True:
            while connection.outgoing:
                text = connection.outgoing.popleft()
                # Told before: the answer may be read before we are back here.
                self._listener.sent(trio.current_time(), text)
                try:
                    await node_socket.send(text)
                except SocketClosed:
                    return  # the reader sees it as well, with the reason
                finally:
                    self._listener.given(trio.current_time(), text)
            connection.more = trio.Event()
            await connection.more.wait()

    async def _ping(
        self, connection: _Connection, node_socket: NodeSocket, scope: trio.CancelScope
    ) -> None:
        while True:
            await trio.sleep(PING_SECONDS)
            asked_at = trio.current_time()
            with (
                trio.move_on_after(LONGEST_PONG_SECONDS),
                trio.move_on_after(PONG_SECONDS) as connection.patience,
            ):
                try:
                    await node_socket.ping()
                except SocketClosed:
                    return  # the reader sees it as well, with the reason
                connection.patience = None
                self._listener.alive(trio.current_time())
                continue
            waited = trio.current_time() - asked_at
            connection.ended = link.Closed(1006, f"no pong within {waited:.0f} s")
            scope.cancel()
            return

"""The model served to live clients: panel and node behind one address, on any trio network.

What is said is decided by `World` and `Panel`; here is only who is connected, and the one task
that lets their time pass. With a real program in it, the game tells what it does by `emit`.
"""

import secrets
from collections import deque
from collections.abc import AsyncIterator, Callable, Collection
from contextlib import asynccontextmanager
from typing import Any, Final
from uuid import uuid4

import msgspec
import trio
from attrs import define, evolve, field, frozen
from trio_websocket import ConnectionClosed, WebSocketConnection, wrap_server_stream

from automate.errors import UsageError
from automate.fake.http import HangUp, Request, Response, RewoundStream, SwitchProtocol, serve_http
from automate.fake.model.answers import Answer, error
from automate.fake.model.game import Game, Telling
from automate.fake.model.mint import Mint
from automate.fake.model.panel import Panel, PanelSettings, User
from automate.fake.model.settings import Settings
from automate.fake.model.signals import (
    Closed,
    Drop,
    Input,
    Opened,
    Said,
    SaidInBinary,
    Send,
)
from automate.fake.model.world import World
from automate.fake.upgrade import answer_upgrade

__all__ = ["ServedModel", "open_model"]

_ABNORMAL: Final = 1006
# A client that is behind by more is no reader, and misses frames, as at a real node.
_QUEUE_FRAMES: Final = 16_384
# So long a client gets to read what was sent before it is dropped, or to answer a close frame.
_PARTING_SECONDS: Final = 5
_OWNER: Final = "7d9f1c2e-5a40-4b7e-8f63-0c1d2e3f4a5b"


@frozen(kw_only=True)
class ServedModel:
    """A model that is being served: where, for which *key*, and the model itself.

    *tell* makes something happen to it now: a node that stops, a suspension, a denied token.
    """

    panel_url: str
    socket_url: str
    server: str
    key: str
    world: World
    panel: Panel
    tell: Callable[[Input], None]


@asynccontextmanager
async def open_model(
    *,
    wall_clock: Callable[[], float],
    settings: Settings | None = None,
    panel: PanelSettings | None = None,
    game: Game | None = None,
    seed: int | None = None,
    host: str = "127.0.0.1",
    port: int = 0,
    key: str | None = None,
) -> AsyncIterator[ServedModel]:
    """Serve a model of one server for as long as the block runs.

    *wall_clock* tells the time in unix seconds, for the tokens; *port* 0 takes a free one. The
    *key* (a new one if none is given) is the owner's; others are in *panel*'s users. A *game*
    that does things by itself (`Telling`) is heard.

    Raises:
        UsageError: the address can't be listened on.
    """
    try:
        listener, *others = await trio.open_tcp_listeners(port, host=host)
    except (OSError, OverflowError) as exc:
        raise UsageError(f"{host} port {port}: can't be listened on ({exc}); take another") from exc
    for other in others:
        await other.aclose()
    async with listener:
        node = _Node(
            settings or Settings(),
            panel or PanelSettings(),
            game=game,
            seed=seed,
            host=f"{host}:{listener.socket.getsockname()[1]}",
            key=key or f"ptlc_{secrets.token_hex(22)[:43]}",
            wall_clock=wall_clock,
        )
        async with trio.open_nursery() as nursery:
            nursery.start_soon(node.let_time_pass)
            nursery.start_soon(trio.serve_listeners, node.serve, [listener])
            yield node.served
            nursery.cancel_scope.cancel()


# ---------------------------------------------------------------- clients


@define(eq=False)
class _Client:
    """A connected websocket, and what is still to be sent to it."""

    number: int
    scope: trio.CancelScope
    queue: deque[str | Drop] = field(factory=deque)
    _filled: trio.Event = field(factory=trio.Event)

    def put(self, item: str | Drop) -> None:
        if isinstance(item, Drop) or len(self.queue) < _QUEUE_FRAMES:
            self.queue.append(item)
            self._filled.set()

    async def wait_for_work(self) -> None:
        """Wait until something is to be sent."""
        while not self.queue:
            self._filled = trio.Event()
            await self._filled.wait()


class _Node:
    """The sockets of one model, and the panel beside them."""

    def __init__(
        self,
        settings: Settings,
        panel: PanelSettings,
        *,
        game: Game | None,
        seed: int | None,
        host: str,
        key: str,
        wall_clock: Callable[[], float],
    ) -> None:
        self._begin = trio.current_time()
        self._origins = {f"http://{host}", f"http://localhost:{host.rpartition(':')[2]}"}
        settings = evolve(settings, epoch=wall_clock(), origins=tuple(self._origins))
        users = {key: User(uuid=_OWNER), **panel.users}
        panel = evolve(panel, url=f"http://{host}", node_url=f"ws://{host}", users=users)
        mint = Mint(secrets.token_bytes(32))
        world = World(settings, read_token=mint.read, game=game, seed=seed)
        if isinstance(game, Telling):
            game.emit = self._take_in
        self.served = ServedModel(
            panel_url=panel.url,
            socket_url=f"{panel.node_url}/api/servers/{settings.server}/ws",
            server=settings.server,
            key=key,
            world=world,
            panel=Panel(world, panel, mint),
            tell=self._take_in,
        )
        self._world = world
        self._panel = self.served.panel
        self._clients: dict[int, _Client] = {}
        self._connected = 0
        # Set when something came in, so that the model may wake at another time than it said.
        self._news = trio.Event()

    # ------------------------------------------------------------ time

    @property
    def _at(self) -> float:
        return trio.current_time() - self._begin

    async def let_time_pass(self) -> None:
        """Let the model live, for ever."""
        while True:
            wake_at = self._world.wake_at
            self._news = trio.Event()
            deadline = float("inf") if wake_at is None else self._begin + wake_at
            with trio.CancelScope(deadline=deadline):
                await self._news.wait()
            self._carry_out(self._world.tick(self._at))

    def _take_in(self, happened: Input) -> None:
        self._carry_out(self._world.handle(happened, self._at))
        self._news.set()

    def _carry_out(self, outputs: Collection[Send | Drop]) -> None:
        for output in outputs:
            for number in output.sockets:
                client = self._clients.get(number)
                if client is None:
                    continue
                if isinstance(output, Send):
                    client.put(output.text)
                    continue
                del self._clients[number]
                client.put(output)
                client.scope.deadline = trio.current_time() + _PARTING_SECONDS

    # ------------------------------------------------------------ calls

    async def serve(self, stream: trio.SocketStream) -> None:
        """Serve one connection, whatever it turns out to be, until it ends."""
        async with stream:
            try:
                rewound = await serve_http(stream, self._answer)
                if rewound is not None:
                    await self._serve_websocket(rewound)
            except* (trio.BrokenResourceError, trio.ClosedResourceError):
                pass  # the client is gone; nobody is left to be told
            except* ConnectionClosed:
                pass  # it closed in the middle, or broke the protocol and has been told

    def _answer(self, request: Request) -> Response | HangUp | SwitchProtocol:
        if request.path.startswith("/api/servers/"):
            return self._answer_upgrade(request)
        try:
            body = msgspec.json.decode(request.body) if request.body.strip() else None
        except (ValueError, RecursionError):
            answer = error(400, "BadRequestHttpException", "The JSON in the body is malformed.")
        else:
            answer = self._ask_panel(request, body)
        return Response(status=answer.status, body=answer.body, headers=answer.headers)

    def _ask_panel(self, request: Request, body: Any) -> Answer:
        scheme, _space, key = request.headers.get("authorization", "").partition(" ")
        known = key.strip() if scheme.lower() == "bearer" else None
        answer, outputs = self._panel.call(
            request.method, request.path, body, key=known, at=self._at
        )
        self._carry_out(outputs)
        self._news.set()
        return answer

    def _answer_upgrade(self, request: Request) -> Response | HangUp | SwitchProtocol:
        """Answer as the daemon checks: the server, how many there are, the headers, the origin."""
        self._carry_out(self._world.tick(self._at))
        server, origin = self.served.server, request.headers.get("origin")
        refusal = self._world.daemon.admit(server, origin)
        request_id = str(uuid4())
        is_ours = request.path == f"/api/servers/{server}/ws"
        if is_ours and refusal is not None and refusal.status == 400:
            body = msgspec.json.decode(refusal.body)
            return Response(status=400, body=body, headers={"X-Request-Id": request_id})
        return answer_upgrade(
            request,
            server=server,
            origins=self._origins,
            is_lost=not self._world.daemon.is_up,
            request_id=request_id,
        )

    # ------------------------------------------------------------ websockets

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
            if client.number in self._clients:
                if isinstance(message, str):
                    self._take_in(Said(client.number, message))
                else:
                    self._take_in(SaidInBinary(client.number, message))

    async def _write(
        self, client: _Client, socket: WebSocketConnection, stream: trio.abc.Stream
    ) -> None:
        while True:
            await client.wait_for_work()
            item = client.queue.popleft()
            if isinstance(item, Drop):
                break
            await socket.send_message(item)
        if item.code == _ABNORMAL:
            await trio.aclose_forcefully(stream)
        else:
            await socket.aclose(item.code, item.reason)
        client.scope.cancel()

"""The model served to live clients: panel and node behind one address, on any trio network.

What is said is decided by `Node` and `Panel`, who is connected is the connections' business; here
they meet, and their time passes. With a real program in it, the game tells what it does by `emit`.
"""

import secrets
from collections.abc import AsyncIterator, Callable, Collection, Sequence
from contextlib import asynccontextmanager
from functools import partial
from typing import Any, Final, cast
from urllib.parse import parse_qsl
from uuid import uuid4

import msgspec
import trio
from attrs import evolve

from automate.fake.clients import Client
from automate.fake.connections import Connections
from automate.fake.faults.seeded import NO_FAULTS, Faults, Run
from automate.fake.faults.tokens import Refusal
from automate.fake.http import HangUp, Request, Response, SwitchProtocol
from automate.fake.listening import listen
from automate.fake.model.answers import Answer, error
from automate.fake.model.claims import ANCIENT, Claims
from automate.fake.model.game import Game, Telling
from automate.fake.model.mint import Mint
from automate.fake.model.node import Node
from automate.fake.model.panel import Panel, PanelSettings, User
from automate.fake.model.served import ServedModel, ServedNode, Tenant
from automate.fake.model.settings import Kind, Settings
from automate.fake.model.signals import (
    Closed,
    ConditionChanged,
    Drop,
    Flowing,
    Input,
    Opened,
    Said,
    SaidCompressed,
    SaidInBinary,
    Send,
    Stalled,
)
from automate.fake.model.world import World
from automate.fake.upgrade import answer_upgrade

__all__ = ["ServedModel", "ServedNode", "Tenant", "open_model", "open_node"]

_OWNER: Final = "7d9f1c2e-5a40-4b7e-8f63-0c1d2e3f4a5b"
# PROTOCOL 1: a client key's prefix, with 11 and 32 random letters behind it.
_KEY_PREFIXES: Final = {Kind.PTERODACTYL: "ptlc_", Kind.PELICAN: "pacc_"}


@asynccontextmanager
async def open_node(
    tenants: Sequence[Tenant],
    *,
    wall_clock: Callable[[], float],
    panel: PanelSettings | None = None,
    permissions: Sequence[str] = ("*",),
    seed: int | None = None,
    host: str = "127.0.0.1",
    port: int = 0,
    key: str | None = None,
    on_frame: Callable[[str, str], None] = lambda _server, _frame: None,
    faults: Faults = NO_FAULTS,
) -> AsyncIterator[ServedNode]:
    """Serve a node with the servers of *tenants* for as long as the block runs.

    *wall_clock* tells the time in unix seconds, for the tokens; *port* 0 takes a free one. The
    *key* (a new one if none is given) is that of the owner, or of somebody who has only these
    *permissions*; others are in *panel*'s users. *on_frame* is called with a server's uuid and
    each frame that is meant for everyone there. *faults* befall node and panel.

    Raises:
        AddressTaken: the address can't be listened on.
        UsageError: the servers don't go together.
    """
    listener = await listen(host, port)
    async with listener:
        address = f"{host}:{listener.socket.getsockname()[1]}"
        epoch = wall_clock()
        origins = (f"http://{address}", f"http://localhost:{address.rpartition(':')[2]}")
        run = faults.begin()
        mint = Mint(secrets.token_bytes(32))
        node = Node(
            World(
                evolve(tenant.settings, epoch=epoch, origins=origins),
                read_token=partial(_read_token, mint, run),
                game=tenant.game,
                seed=seed,
            )
            for tenant in tenants
        )
        made_key = key or f"{_KEY_PREFIXES[node.kind]}{secrets.token_hex(22)[:43]}"
        users = {made_key: User(uuid=_OWNER, permissions=tuple(permissions))}
        settings = evolve(
            panel or PanelSettings(), url=f"http://{address}", node_url=f"ws://{address}"
        )
        lives = round(run.lifetime_seconds(settings.token_seconds))
        settings = evolve(settings, users=users | settings.users, token_seconds=lives)
        service = _Service(node, Panel(node, settings, mint), origins, on_frame, run)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(service.let_time_pass)
            nursery.start_soon(trio.serve_listeners, service.connections.serve, [listener])
            yield ServedNode(
                panel_url=settings.url,
                node_url=settings.node_url,
                key=made_key,
                node=node,
                panel=service.panel,
                tell=service.tell,
            )
            nursery.cancel_scope.cancel()


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
    faults: Faults = NO_FAULTS,
) -> AsyncIterator[ServedModel]:
    """Serve a model of one server for as long as the block runs; see `open_node`.

    Raises:
        AddressTaken: the address can't be listened on.
    """
    tenant = Tenant(settings or Settings(), game)
    async with open_node(
        [tenant],
        wall_clock=wall_clock,
        panel=panel,
        seed=seed,
        host=host,
        port=port,
        key=key,
        faults=faults,
    ) as served:
        (server,) = served.servers
        yield ServedModel(
            panel_url=served.panel_url,
            socket_url=served.socket_url(server),
            server=server,
            key=served.key,
            world=served.node.worlds[server],
            office=served.panel.offices[server],
            tell=served.tell,
        )


# ---------------------------------------------------------------- clients


def _read_token(mint: Mint, run: Run, token: str) -> Claims | None:
    """Return the claims of a token that is brought, as faulty clocks and daemons see them."""
    claims = mint.read(token)
    if claims is None:
        return None
    # A clock that is ahead sees what a token says as so much longer ago.
    skew = round(run.node_now(0.0))
    claims = evolve(claims, iat=claims.iat - skew, exp=claims.exp - skew)
    match run.refuse_token():
        case None:
            return claims
        case Refusal.GARBLED.message:
            return None
        case Refusal.NO_CONNECT.message:
            return evolve(claims, permissions=())
        case _:
            # Older than any boot, also that of a daemon which never was started anew.
            return evolve(claims, iat=cast("int", ANCIENT))


class _Service:
    """The host of a node and the panel beside it; *origins* are the panel's addresses."""

    def __init__(
        self,
        node: Node,
        panel: Panel,
        origins: Collection[str],
        on_frame: Callable[[str, str], None],
        faults: Run,
    ) -> None:
        self.panel = panel
        self._faults = faults
        self._node = node
        self._origins = origins
        self._begin = trio.current_time()
        self.connections = Connections(self, faults)
        self._held_up: list[Stalled] = []
        # Set when something came in, so that the model may wake at another time than it said.
        self._news = trio.Event()
        for server, world in node.worlds.items():
            world.daemon.overhear = partial(on_frame, server)
            if isinstance(world.game, Telling):
                world.game.emit = partial(self.tell, server=server)

    # ------------------------------------------------------------ time

    @property
    def _at(self) -> float:
        return trio.current_time() - self._begin

    async def let_time_pass(self) -> None:
        """Let the model live, for ever."""
        while True:
            wake_at = self._node.wake_at
            self._news = trio.Event()
            deadline = float("inf") if wake_at is None else self._begin + wake_at
            with trio.CancelScope(deadline=deadline) as patience:
                await self._news.wait()
            now = self._at
            if patience.cancelled_caught and wake_at is not None:
                # The deadline is rounded: without this it could lie a hair before its moment,
                # and be due for ever.
                now = max(now, wake_at)
            self._carry_out(self._node.tick(now))

    def tell(self, happened: Input, *, server: str | None = None) -> None:
        """Let something happen now; what becomes of a server, its panel knows as well."""
        self._carry_out(self._node.handle(happened, self._at, server=server))
        if isinstance(happened, ConditionChanged):
            self.panel.see(happened, server=server)
        self._news.set()

    def _carry_out(self, outputs: Collection[Send | Drop]) -> None:
        for output in outputs:
            for number in output.sockets:
                client = self.connections.find(number)
                if client is None:
                    continue
                if isinstance(output, Send):
                    # One that is too far behind misses frames, as at a real node.
                    self.connections.send(client, output.text)
                else:
                    self.connections.drop(client, output.code, output.reason)
        while self._held_up:
            self.tell(self._held_up.pop())

    # ------------------------------------------------------------ calls

    def answer(self, request: Request) -> Response | HangUp | SwitchProtocol:
        """Answer for the panel, or as the node does before a websocket."""
        if request.path.startswith("/api/servers/"):
            return self._answer_upgrade(request)
        if (instead := self._faults.answer(request.method, request.path)) is not None:
            return evolve(instead, after_seconds=self._faults.call_seconds())
        try:
            body = _fields(request)
        except (ValueError, RecursionError):
            answer = error(400, "BadRequestHttpException", "The JSON in the body is malformed.")
        else:
            answer = self._ask_panel(request, body)
        return Response(
            status=answer.status,
            body=answer.body,
            headers=answer.headers,
            after_seconds=self._faults.call_seconds(),
        )

    def _ask_panel(self, request: Request, body: Any) -> Answer:
        scheme, _space, key = request.headers.get("authorization", "").partition(" ")
        known = key.strip() if scheme.lower() == "bearer" else None
        path = f"{request.path}?{request.query}" if request.query else request.path
        answer, outputs = self.panel.call(request.method, path, body, key=known, at=self._at)
        self._carry_out(outputs)
        self._news.set()
        return answer

    def _answer_upgrade(self, request: Request) -> Response | HangUp | SwitchProtocol:
        """Answer as the daemon checks: the server, how many there are, the headers, the origin."""
        self._carry_out(self._node.tick(self._at))
        server = _server_in(request.path)
        # One daemon for all: of a server that is not there, any of them says so.
        known = self._node.worlds.get(server) or next(iter(self._node.worlds.values()))
        refusal = known.daemon.admit(server, request.headers.get("origin"))
        request_id = str(uuid4())
        if refusal is not None and refusal.status == 400:
            body = msgspec.json.decode(refusal.body)
            return Response(status=400, body=body, headers={"X-Request-Id": request_id})
        return answer_upgrade(
            request,
            server=known.settings.server,
            origins=self._origins,
            is_lost=not known.daemon.is_up,
            request_id=request_id,
            manners=self._node.manners,
        )

    # ------------------------------------------------------------ clients

    def opened(self, client: Client) -> None:
        """Take in a new connection."""
        self.tell(Opened(client.number), server=_server_in(client.path))

    def said(self, client: Client, message: str | bytes) -> None:
        """Take in what a client says."""
        if isinstance(message, bytes):
            self.tell(SaidInBinary(client.number, message))
        elif client.is_deflated:
            self.tell(SaidCompressed(client.number, message))
        else:
            self.tell(Said(client.number, message))

    def closed(self, client: Client) -> None:
        """Take in that a connection is over."""
        self.tell(Closed(client.number))

    def wrote(self, client: Client) -> None:
        """Do nothing: the model's time does not depend on who reads."""

    def stalled(self, client: Client) -> None:
        """Let the daemon notice, once all that it just said is under way."""
        self._held_up.append(Stalled(client.number))

    def flows(self, client: Client) -> None:
        """Let the daemon notice."""
        self.tell(Flowing(client.number))

    def faulted(self, client: Client, by: str) -> None:
        """Do nothing: whoever put the fault there sees what it does."""


def _server_in(path: str) -> str:
    """Return which server's websocket *path* is; nothing if it is no websocket's."""
    match path.split("/"):
        case ["", "api", "servers", server, "ws"] | ["", "api", "servers", server, "ws", ""]:
            return server
    return ""


def _fields(request: Request) -> Any:
    """Return the fields sent, as JSON or as a form; ``None`` if there are none.

    Raises:
        ValueError: the body is no JSON.
        RecursionError: it is, but too deep.
    """
    if not request.body.strip():
        return None
    if "x-www-form-urlencoded" in request.headers.get("content-type", ""):
        return dict(parse_qsl(request.body.decode("utf-8", "replace")))
    return msgspec.json.decode(request.body)

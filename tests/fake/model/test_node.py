"""Several servers at one node, behind one panel: who hears what, and what befalls them all."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
import trio
from trio.testing import MockClock
from trio_websocket import WebSocketConnection, open_websocket_url

from automate.errors import UsageError
from automate.fake.model.claims import Claims
from automate.fake.model.node import Node
from automate.fake.model.serving import ServedNode, Tenant, open_node
from automate.fake.model.settings import Kind, Settings
from automate.fake.model.signals import (
    Closed,
    ConditionChanged,
    Input,
    NodeStarted,
    NodeStopped,
    Opened,
    Printed,
    Said,
    Send,
    TokensDenied,
    UserRevoked,
)
from automate.fake.model.world import World
from automate.fake.network import memory_network
from automate.wire.codec import encode_client
from automate.wire.frame import canonical_client
from automate.wire.messages import Auth, SendCommand, SetState
from tests.fake.model.scenes import BOTH, FULL_BOOT, PELICAN, PTERODACTYL, short

RED, BLUE = "aaaaaaaa-0000-4000-8000-000000000001", "bbbbbbbb-0000-4000-8000-000000000002"


@pytest.fixture
def autojump_clock() -> MockClock:
    return MockClock(autojump_threshold=0)


# ---------------------------------------------------------------- the machine


def node_of(*servers: str, kind: Kind = PTERODACTYL) -> Node:
    """Return a node at which every token is one of its server's owner."""

    def world(server: str) -> World:
        claims = Claims(server=server, iat=1_800_000_000, exp=1_900_000_000, jti="j", user="u")
        return World(Settings(kind=kind, server=server), read_token=lambda _token: claims)

    return Node(map(world, servers))


def enter(node: Node, socket: int, server: str) -> None:
    node.handle(Opened(socket), 0.0, server=server)
    node.handle(Said(socket, canonical_client("auth", ["any"])), 0.0)
    node.tick(0.01)


def heard(outputs: list[Any]) -> list[tuple[tuple[int, ...], str]]:
    """Return who hears what; what is no frame is an end."""
    return [
        (output.sockets, short(output.text) if isinstance(output, Send) else "(dropped)")
        for output in outputs
    ]


def test_each_socket_hears_its_own_server() -> None:
    node = node_of(RED, BLUE)
    enter(node, 1, RED)
    enter(node, 2, BLUE)

    assert heard(node.handle(Printed("hello"), 1.0, server=BLUE)) == [((2,), "hello")]
    assert heard(node.handle(Printed("hello"), 1.0, server=RED)) == [((1,), "hello")]


@pytest.mark.parametrize(
    ("happened", "server", "dropped"),
    [
        (NodeStopped(), None, [(1,), (2,)]),
        (NodeStopped(), RED, [(1,), (2,)]),
        (UserRevoked("u"), None, [(1,), (2,)]),
        (UserRevoked("u"), BLUE, [(2,)]),
        (ConditionChanged(is_suspended=True), RED, [(1,)]),
    ],
)
def test_what_befalls_the_daemon_befalls_every_server(
    happened: Input, server: str | None, dropped: list[tuple[int, ...]]
) -> None:
    node = node_of(RED, BLUE, kind=PELICAN)
    enter(node, 1, RED)
    enter(node, 2, BLUE)

    told = heard(node.handle(happened, 1.0, server=server))

    assert [sockets for sockets, what in told if what == "(dropped)"] == dropped


def test_a_denied_token_is_refused_by_every_server() -> None:
    node = node_of(RED, BLUE)
    enter(node, 1, RED)
    enter(node, 2, BLUE)
    node.handle(TokensDenied("j"), 1.0)

    for socket, server in ((1, RED), (2, BLUE)):
        told = node.handle(Printed("secret"), 2.0, server=server)
        assert heard(told) == [((socket,), "jwt error: jwt: created too far in past (denylist)")]


def test_a_socket_that_is_gone_says_nothing_more() -> None:
    node = node_of(RED, BLUE)
    enter(node, 1, RED)
    enter(node, 2, BLUE)
    node.handle(NodeStopped(), 1.0)
    node.handle(NodeStarted(), 2.0)

    late = Said(1, canonical_client("send stats", []))
    assert node.handle(late, 3.0) + node.handle(Closed(1), 3.0) + node.tick(4.0) == []


def test_where_it_happens_must_be_told_if_there_are_several() -> None:
    for server in (None, "cccccccc-0000-4000-8000-000000000003"):
        with pytest.raises(UsageError, match=f"Opened: which server.* {BLUE}, found {server}"):
            node_of(RED, BLUE).handle(Opened(1), 0.0, server=server)

    assert node_of(RED).handle(Opened(1), 0.0) == []


def test_servers_that_the_panel_could_not_tell_apart_are_refused() -> None:
    with pytest.raises(UsageError, match="begins with aaaaaaaa"):
        node_of(RED, RED[:-1] + "9")
    with pytest.raises(UsageError, match="needs a server"):
        node_of()


# ---------------------------------------------------------------- served


@asynccontextmanager
async def serving(kind: Kind, **manner: Any) -> AsyncIterator[tuple[ServedNode, httpx.AsyncClient]]:
    tenants = [
        Tenant(Settings(kind=kind, server=RED, title="Red")),
        Tenant(Settings(kind=kind, server=BLUE, title="Blue")),
    ]
    async with (
        memory_network(),
        open_node(tenants, wall_clock=lambda: 1_800_000_000.0 + trio.current_time(), **manner)
        as served,
        httpx.AsyncClient(
            base_url=f"{served.panel_url}/api/client",
            headers={"Authorization": f"Bearer {served.key}"},
            limits=httpx.Limits(keepalive_expiry=None),
        ) as panel,
    ):  # fmt: skip
        yield served, panel


@asynccontextmanager
async def entered(
    served: ServedNode, panel: httpx.AsyncClient, server: str, *, token_of: str | None = None
) -> AsyncIterator[WebSocketConnection]:
    """Open a websocket to *server* and authenticate with a token of a server."""
    answer = await panel.get(f"/servers/{token_of or server}/websocket")
    data = answer.json()["data"]
    origin = [(b"Origin", served.panel_url.encode())]
    async with open_websocket_url(served.socket_url(server), extra_headers=origin) as socket:
        await socket.send_message(encode_client(Auth(data["token"])))
        yield socket


async def hear(socket: WebSocketConnection, seconds: float) -> list[str]:
    """Return what comes within so many seconds, without statistics."""
    told = []
    with trio.move_on_after(seconds):
        while True:
            told.append(short(str(await socket.get_message())))
    return [text for text in told if not text.startswith("stats ")]


@pytest.mark.parametrize("kind", BOTH, ids=str)
async def test_the_panel_lists_them_and_finds_each_by_both_its_names(
    kind: Kind, autojump_clock: MockClock
) -> None:
    async with serving(kind) as (_served, panel):
        listed = (await panel.get("/")).json()
        found = [(await panel.get(f"/servers/{id}")).json() for id in (RED, BLUE, BLUE[:8])]
        strange = await panel.get("/servers/cccccccc")

    names = [item["attributes"]["name"] for item in listed["data"]]
    ids = [item["attributes"]["internal_id"] for item in listed["data"]]
    assert (names, ids, listed["meta"]["pagination"]["total"]) == (["Red", "Blue"], [1, 2], 2)
    assert [item["attributes"]["uuid"] for item in found] == [RED, BLUE, BLUE]
    assert strange.status_code == 404


@pytest.mark.parametrize("kind", BOTH, ids=str)
async def test_each_server_lives_its_own_life(kind: Kind, autojump_clock: MockClock) -> None:
    async with (
        serving(kind) as (served, panel),
        entered(served, panel, RED) as red,
        entered(served, panel, BLUE) as blue,
    ):
        greetings = [await hear(red, 1), await hear(blue, 1)]
        await red.send_message(encode_client(SetState("start")))
        boot = await hear(red, 3)
        await red.send_message(encode_client(SendCommand("say hi")))
        said = await hear(red, 1)
        made = await panel.post(f"/servers/{RED}/backups", json={"name": "one"})
        await trio.sleep(1)
        counts = [
            (await panel.get(f"/servers/{id}/backups")).json()["meta"]["backup_count"]
            for id in (RED, BLUE)
        ]
        states = [
            (await panel.get(f"/servers/{id}/resources")).json()["attributes"]["current_state"]
            for id in (RED, BLUE)
        ]
        quiet = await hear(blue, 1)

    assert greetings == [["auth success", "status offline"]] * 2
    assert (boot, said) == (FULL_BOOT, ["say hi", "[Server thread/INFO]: [Server] hi"])
    assert (made.status_code, counts) == (200, [1, 0])
    assert states == ["running", "offline"]
    assert quiet == []


async def test_a_token_opens_no_other_server(autojump_clock: MockClock) -> None:
    async with (
        serving(PTERODACTYL) as (served, panel),
        entered(served, panel, RED, token_of=BLUE) as socket,
    ):
        await hear(socket, 1)
        await socket.send_message(encode_client(SetState("start")))
        told = await hear(socket, 3)
        state = served.node.worlds[RED].daemon.state

    assert told == ["jwt error: jwt: server uuid mismatch"]
    assert state == "offline"


async def test_a_key_with_few_permissions_may_do_little(autojump_clock: MockClock) -> None:
    granted = ("websocket.connect", "control.console")
    async with serving(PTERODACTYL, permissions=granted) as (_served, panel):
        server = f"/servers/{RED}"
        meta = (await panel.get(server)).json()["meta"]
        statuses = [
            (await panel.get(f"{server}/websocket")).status_code,
            (await panel.post(f"{server}/power", json={"signal": "start"})).status_code,
            (await panel.get(f"{server}/backups")).status_code,
        ]

    assert meta == {"is_server_owner": False, "user_permissions": list(granted)}
    assert statuses == [200, 403, 403]


async def test_whoever_listens_in_sees_what_everyone_is_told(autojump_clock: MockClock) -> None:
    """Without a client, and for the right server; a form does as well as JSON."""
    seen: list[tuple[str, str]] = []
    async with serving(
        PTERODACTYL, on_frame=lambda server, frame: seen.append((server, short(frame)))
    ) as (_served, panel):
        await panel.post(f"/servers/{BLUE}/power", data={"signal": "start"})
        await trio.sleep(3)

    told = [line for line in seen if not line[1].startswith("stats ")]
    assert told == [(BLUE, line) for line in FULL_BOOT]

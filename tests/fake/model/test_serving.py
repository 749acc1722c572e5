"""The model served in virtual time, to clients that know nothing of it."""

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import httpx
import pytest
import trio
from trio.testing import MockClock
from trio_websocket import (
    ConnectionClosed,
    ConnectionRejected,
    WebSocketConnection,
    open_websocket_url,
)

from automate.fake.model.serving import ServedModel, Tenant, open_model, open_node
from automate.fake.model.settings import Kind, Settings
from automate.fake.model.signals import ConditionChanged, NodeStarted, NodeStopped, Restored
from automate.fake.network import memory_network
from automate.wire.codec import encode_client
from automate.wire.messages import Auth, SendCommand, SetState
from tests.fake.model.scenes import BOTH, FULL_BOOT, PELICAN, short


def wall_clock() -> float:
    return 1_800_000_000.0 + trio.current_time()


@pytest.fixture
def autojump_clock() -> MockClock:
    return MockClock(autojump_threshold=0)


@asynccontextmanager
async def modelling(kind: Kind, **manner: Any) -> AsyncIterator[ServedModel]:
    async with (
        memory_network(),
        open_model(wall_clock=wall_clock, settings=Settings(kind=kind), **manner) as served,
    ):
        yield served


@asynccontextmanager
async def calling(served: ServedModel) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(
        base_url=f"{served.panel_url}/api/client/servers/{served.server}",
        headers={"Authorization": f"Bearer {served.key}", "Accept": "application/json"},
        limits=httpx.Limits(keepalive_expiry=None),
    ) as panel:
        yield panel


async def token_of(served: ServedModel) -> str:
    async with calling(served) as panel:
        token: str = (await panel.get("/websocket")).json()["data"]["token"]
        return token


def opened(
    served: ServedModel, *, url: str | None = None, origin: str | None = None
) -> AbstractAsyncContextManager[WebSocketConnection]:
    """Open a websocket as a panel's front end would."""
    headers = [(b"Origin", (origin or served.panel_url).encode())]
    return open_websocket_url(url or served.socket_url, extra_headers=headers)


async def ending(socket: WebSocketConnection) -> tuple[int, str | None]:
    """Return the code and reason of the end."""
    try:
        while True:
            await socket.get_message()
    except ConnectionClosed as closed:
        reason = closed.reason
    assert reason is not None
    return reason.code, reason.reason


@asynccontextmanager
async def connected(served: ServedModel) -> AsyncIterator[WebSocketConnection]:
    """Open a websocket, authenticated and greeted."""
    async with opened(served) as socket:
        await socket.send_message(encode_client(Auth(await token_of(served))))
        greeting = await hear(socket, 1)
        assert greeting[0] == "auth success"
        yield socket


async def hear(socket: WebSocketConnection, seconds: float) -> list[str]:
    """Return what comes within so many seconds, without statistics."""
    told = []
    with trio.move_on_after(seconds):
        while True:
            told.append(short(str(await socket.get_message())))
    return [text for text in told if not text.startswith("stats ")]


@pytest.mark.parametrize("kind", BOTH, ids=str)
async def test_a_client_starts_the_server_and_talks_to_the_game(
    kind: Kind, autojump_clock: MockClock
) -> None:
    async with modelling(kind) as served, connected(served) as socket:
        await socket.send_message(encode_client(SetState("start")))
        boot = await hear(socket, 3)
        await socket.send_message(encode_client(SendCommand("say hi")))
        said = await hear(socket, 1)

    assert (boot, said) == (FULL_BOOT, ["say hi", "[Server thread/INFO]: [Server] hi"])


async def test_the_panel_does_it_as_well_and_a_backup_is_told_to_the_socket(
    autojump_clock: MockClock,
) -> None:
    async with (
        modelling(PELICAN) as served, connected(served) as socket, calling(served) as panel
    ):  # fmt: skip
        started = await panel.post("/power", json={"signal": "start"})
        await hear(socket, 3)
        made = await panel.post("/backups", json={"name": "one"})
        uuid = made.json()["attributes"]["uuid"]
        told = await hear(socket, 1)
        done = await panel.get(f"/backups/{uuid}")
        malformed = await panel.post("/power", content=b"{")

    assert (started.status_code, made.status_code, malformed.status_code) == (204, 200, 400)
    assert done.json()["attributes"]["is_successful"]
    assert [text.partition(":")[0] for text in told] == ["backup completed"]
    assert uuid in told[0]


async def test_a_wrong_origin_and_a_strange_server_get_no_socket(autojump_clock: MockClock) -> None:
    statuses = []
    async with modelling(PELICAN) as served:
        for url, origin in (
            (served.socket_url, "https://elsewhere"),
            (served.socket_url.replace("a1b2", "b1b2"), served.panel_url),
        ):
            with pytest.raises(ConnectionRejected) as refused:
                async with opened(served, url=url, origin=origin):
                    pass
            statuses.append(refused.value.status_code)

    assert statuses == [403, 404]


async def test_a_slash_too_many_is_sent_on_to_where_there_is_none(
    autojump_clock: MockClock,
) -> None:
    async with modelling(PELICAN) as served:
        with pytest.raises(ConnectionRejected) as refused:
            async with opened(served, url=f"{served.socket_url}/", origin=served.panel_url):
                pass

    path = served.socket_url.partition("://")[2].partition("/")[2]
    assert refused.value.status_code == 301
    assert dict(refused.value.headers or ())[b"location"] == f"/{path}".encode()


async def test_the_thirty_first_socket_is_refused(autojump_clock: MockClock) -> None:
    async with modelling(PELICAN) as served, trio.open_nursery() as nursery:

        async def stay(*, task_status: trio.TaskStatus[None]) -> None:
            async with opened(served):
                task_status.started()
                await trio.sleep_forever()

        for _ in range(30):
            await nursery.start(stay)
        with pytest.raises(ConnectionRejected) as refused:
            async with opened(served):
                pass
        nursery.cancel_scope.cancel()

    assert refused.value.status_code == 400
    assert refused.value.body == b'{"error":"Too many open websocket connections."}'


async def test_a_suspended_server_closes_with_its_code_and_a_stopped_node_without_any(
    autojump_clock: MockClock,
) -> None:
    async with modelling(PELICAN) as served:
        served.tell(ConditionChanged(is_suspended=True))
        async with opened(served) as socket:
            suspended = await ending(socket)
        served.tell(ConditionChanged(is_suspended=False))
        async with connected(served) as socket:
            served.tell(NodeStopped())
            stopped = await ending(socket)
        served.tell(NodeStarted())
        await trio.sleep(1)
        async with connected(served):
            pass

    assert suspended == (4409, "server is suspended")
    assert stopped == (1006, None)


@pytest.mark.parametrize("kind", BOTH, ids=str)
@pytest.mark.parametrize(
    ("changed", "undone", "shown"),
    [
        (
            ConditionChanged(is_suspended=True),
            ConditionChanged(is_suspended=False),
            {"status": "suspended", "is_suspended": True},
        ),
        (
            ConditionChanged(is_installing=True),
            ConditionChanged(is_installing=False),
            {"status": "installing", "is_installing": True},
        ),
        (ConditionChanged(is_restoring=True), Restored(), {"status": "restoring_backup"}),
        (
            ConditionChanged(is_transferring=True),
            ConditionChanged(is_transferring=False),
            {"status": None, "is_transferring": True},
        ),
    ],
)
async def test_what_becomes_of_a_server_is_known_to_its_panel_as_well(
    kind: Kind,
    changed: ConditionChanged,
    undone: ConditionChanged | Restored,
    shown: dict[str, Any],
    autojump_clock: MockClock,
) -> None:
    async with modelling(kind) as served, calling(served) as panel:
        before = (await panel.get("")).json()["attributes"]
        served.tell(changed)
        during = (await panel.get("")).json()["attributes"]
        refused = await panel.get("/websocket")
        served.tell(undone)
        after = (await panel.get("")).json()["attributes"]
        granted = await panel.get("/websocket")

    assert during == before | shown
    assert (refused.status_code, granted.status_code, after) == (409, 200, before)


async def test_of_several_servers_only_the_one_that_is_meant_changes_at_the_panel(
    autojump_clock: MockClock,
) -> None:
    tenants = [Tenant(Settings(server=f"{n * 8}-0009-4000-8000-000000000009")) for n in "ab"]
    async with memory_network(), open_node(tenants, wall_clock=wall_clock) as served:
        one, other = served.servers
        served.tell(ConditionChanged(is_suspended=True), server=other)
        offices = served.panel.offices

    assert (offices[one].status, offices[other].status) == (None, "suspended")

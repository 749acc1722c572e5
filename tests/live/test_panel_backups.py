"""A server's backups by the panel's API, and what a list tells of a server's limits and tags."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import httpx
import pytest
import trio
from trio.testing import MockClock

from automate.errors import (
    AccessDenied,
    AutomateError,
    BackupsFull,
    Busy,
    NotThere,
    PanelError,
    UsageError,
)
from automate.fake.model.office import PanelSettings, User
from automate.fake.model.serving import open_model
from automate.fake.model.settings import Kind, Settings
from automate.fake.network import memory_network
from automate.live.answers import Server
from automate.live.panel import Backup, Panel

URL = "https://panel.example.com"
SERVER = "a1b2c3d4"
LONG = f"{SERVER}-0001-4000-8000-000000000001"
PATH = f"/api/client/servers/{SERVER}/backups"

Asked = list[tuple[str, str]]


def panel(answer: Callable[[httpx.Request], httpx.Response], asked: Asked | None = None) -> Panel:
    """Return a panel that *answer* speaks for; what it is asked is put into *asked*."""

    def heard(request: httpx.Request) -> httpx.Response:
        if asked is not None:
            asked.append((request.method, request.url.raw_path.decode()))
        return answer(request)

    return Panel(URL, "ptlc_x", client=httpx.AsyncClient(transport=httpx.MockTransport(heard)))


def refusing(status: int, code: str, detail: str, **headers: str) -> Panel:
    error = {"code": code, "status": str(status), "detail": detail}
    text = json.dumps({"errors": [error]})
    return panel(lambda _: httpx.Response(status, text=text, headers=headers))


def row(uuid: str, **fields: Any) -> dict[str, Any]:
    attributes = {
        "uuid": uuid,
        "name": "night",
        "is_successful": True,
        "is_locked": False,
        "bytes": 734003200,
        "checksum": "sha1:9f86d081",
        "created_at": "2026-03-01T10:00:00+01:00",
        "completed_at": "2026-03-01T10:02:11+01:00",
    }
    return {"object": "backup", "attributes": attributes | fields}


def pages(*contents: list[str], total_pages: int | None = None) -> Callable[..., httpx.Response]:
    """Return a panel's part that has these backups, page by page; behind them it has none."""

    def answer(request: httpx.Request) -> httpx.Response:
        page = int(request.url.params["page"])
        shown = contents[page - 1] if page <= len(contents) else []
        meta = {"pagination": {"total_pages": total_pages or len(contents)}}
        return httpx.Response(200, json={"data": [row(uuid) for uuid in shown], "meta": meta})

    return answer


# ---------------------------------------------------------------- the list


async def test_backups_of_all_pages_are_one_list() -> None:
    """No order is promised, so what moved to a later page meanwhile is there once all the same."""
    asked: Asked = []
    found = await panel(pages(["b1", "b2"], ["b2", "b3"]), asked).backups(SERVER)

    assert ([backup.uuid for backup in found], asked) == (
        ["b1", "b2", "b3"],
        [("GET", f"{PATH}?page=1&per_page=50"), ("GET", f"{PATH}?page=2&per_page=50")],
    )


async def test_a_panel_that_always_has_another_page_is_not_asked_for_ever() -> None:
    asked: Asked = []
    found = await panel(pages(["b1"], total_pages=10**6), asked).backups(SERVER)

    assert ([backup.uuid for backup in found], len(asked)) == (["b1"], 2)


async def test_a_backup_is_known_with_its_name_its_moment_and_its_lock() -> None:
    item = row("b1", is_locked=True)
    [found] = await panel(lambda _: httpx.Response(200, json={"data": [item]})).backups(SERVER)

    assert found == Backup(
        uuid="b1",
        name="night",
        is_successful=True,
        is_locked=True,
        size_bytes=734003200,
        checksum="sha1:9f86d081",
        created_at=datetime(2026, 3, 1, 10, tzinfo=timezone(timedelta(hours=1))),
        completed_at="2026-03-01T10:02:11+01:00",
    )


@pytest.mark.parametrize(
    ("said", "moment"),
    [
        ("2026-03-01T10:00:00Z", datetime(2026, 3, 1, 10, tzinfo=UTC)),
        ("2026-03-01T10:00:00.000000+00:00", datetime(2026, 3, 1, 10, tzinfo=UTC)),
        ("2026-03-01 10:00:00", None),
        ("yesterday", None),
        ("", None),
        (None, None),
    ],
)
async def test_a_moment_that_is_not_certain_is_none(
    said: str | None, moment: datetime | None
) -> None:
    item = row("b1", created_at=said)
    backup = await panel(lambda _: httpx.Response(200, json=item)).backup(SERVER, "b1")

    assert backup.created_at == moment


async def test_a_list_in_another_shape_is_told() -> None:
    here = panel(lambda _: httpx.Response(200, json={"data": [{"attributes": {"uuid": "b1"}}]}))
    with pytest.raises(PanelError) as caught:
        await here.backups(SERVER)

    assert str(caught.value) == (
        f"{URL}: the panel answered in a way this version does not know, asked to see the backups "
        "of server a1b2c3d4: Object missing required field `is_successful` - at "
        "`$.data[0].attributes`"
    )


# ---------------------------------------------------------------- deleting


async def test_a_backup_is_deleted_by_its_uuid() -> None:
    asked: Asked = []
    await panel(lambda _: httpx.Response(204), asked).delete_backup(SERVER, "c3d9-4174")

    assert asked == [("DELETE", f"{PATH}/c3d9-4174")]


async def test_a_deletion_is_never_asked_twice() -> None:
    asked: Asked = []
    with pytest.raises(PanelError, match="it may have been done all the same, so look before"):
        await panel(lambda _: httpx.Response(502, text="<html>"), asked).delete_backup(SERVER, "b1")

    assert asked == [("DELETE", f"{PATH}/b1")]


@pytest.mark.parametrize("uuid", ["", "..", "../x", "b1?x", "b1 "])
async def test_what_can_be_no_uuid_is_not_even_asked_for(uuid: str) -> None:
    asked: Asked = []
    with pytest.raises(UsageError, match="expected its uuid"):
        await panel(lambda _: httpx.Response(204), asked).delete_backup(SERVER, uuid)

    assert asked == []


# ---------------------------------------------------------------- refusals

FULL = "Cannot create a new backup, this server has reached its limit of 3 backups."
THROTTLED = "Only 2 backups may be generated within a 600 second span of time."


@pytest.mark.parametrize(
    ("here", "kind", "message"),
    [
        (
            refusing(400, "TooManyBackupsException", FULL),
            BackupsFull,
            f"{URL}: can't make a backup of server a1b2c3d4 (400: {FULL})",
        ),
        (
            refusing(400, "TooManyBackupsException", "Trop de sauvegardes."),
            BackupsFull,
            f"{URL}: can't make a backup of server a1b2c3d4 (400: Trop de sauvegardes.)",
        ),
        (
            refusing(429, "TooManyRequestsHttpException", THROTTLED, **{"Retry-After": "421"}),
            Busy,
            f"{URL}: can't make a backup of server a1b2c3d4, the panel allows no more of it for "
            f"now (429: {THROTTLED}); try again in 421 s",
        ),
    ],
)
async def test_no_room_and_no_turn_are_two_things(
    here: Panel, kind: type[AutomateError], message: str
) -> None:
    with pytest.raises(PanelError) as caught:
        await here.create_backup(SERVER, "night")

    assert (type(caught.value), str(caught.value)) == (kind, message)


@pytest.mark.parametrize(
    ("here", "kind", "message"),
    [
        (
            refusing(
                400,
                "BackupLockedException",
                "Cannot delete a backup that is marked as locked.",
            ),
            PanelError,
            f"{URL}: can't delete a backup of server a1b2c3d4 (400: Cannot delete a backup that "
            "is marked as locked.)",
        ),
        (
            refusing(403, "AccessDeniedHttpException", "This action is unauthorized."),
            AccessDenied,
            f"{URL}: the key may not delete a backup of server a1b2c3d4 (403: This action is "
            "unauthorized.): its user needs the permission backup.delete; an application key "
            "(ptla_, papp_) or an address that is not on the key's list is refused alike",
        ),
        (
            refusing(404, "NotFoundHttpException", ""),
            NotThere,
            f"no backup b1 of server a1b2c3d4 at {URL}, or the key's user has no access to it "
            "(404): check the id and whose key it is",
        ),
    ],
)
async def test_a_backup_that_stays_says_why(
    here: Panel, kind: type[AutomateError], message: str
) -> None:
    with pytest.raises(PanelError) as caught:
        await here.delete_backup(SERVER, "b1")

    assert (type(caught.value), str(caught.value)) == (kind, message)


# ---------------------------------------------------------------- against the model


@pytest.mark.parametrize("kind", list(Kind), ids=str)
async def test_the_panel_is_full_until_one_is_deleted(
    kind: Kind, autojump_clock: MockClock
) -> None:
    """Sixty backups are two pages; the last one that fits is made once another is gone."""
    users = {"guest": User(uuid="user-9", permissions=("backup.read", "backup.create"))}
    settings = PanelSettings(backup_limit=60, backups_in_window=0, users=users)
    async with (
        memory_network(),
        open_model(
            wall_clock=lambda: 1.8e9 + trio.current_time(),
            settings=Settings(kind=kind),
            panel=settings,
        ) as served,
        httpx.AsyncClient() as client,
    ):
        here = Panel(served.panel_url, served.key, client=client)
        guest = Panel(served.panel_url, "guest", client=client)
        for number in range(60):
            await here.create_backup(served.server, f"night {number}")
        with pytest.raises(BackupsFull):
            await here.create_backup(served.server, "night 60")
        await trio.sleep(5)
        before = await guest.backups(served.server)
        with pytest.raises(AccessDenied, match=r"backup\.delete"):
            await guest.delete_backup(served.server, before[0].uuid)
        await here.delete_backup(served.server, before[0].uuid)
        with pytest.raises(NotThere):
            await here.delete_backup(served.server, before[0].uuid)
        await here.create_backup(served.server, "night 60")
        after = await guest.backups(served.server)

    assert [backup.name for backup in before] == [f"night {number}" for number in range(60)]
    assert {backup.is_done for backup in before} == {True}
    assert [backup.name for backup in after] == [f"night {number}" for number in range(1, 61)]
    made_at = [backup.created_at for backup in after if backup.created_at is not None]
    assert (len(made_at), made_at) == (60, sorted(made_at))


# ---------------------------------------------------------------- limits and tags


async def shown(**fields: Any) -> Server:
    attributes = {"identifier": SERVER, "uuid": LONG, "name": "Survival", **fields}
    return await panel(lambda _: httpx.Response(200, json={"attributes": attributes})).server(
        SERVER
    )


@pytest.mark.parametrize(
    ("limits", "known"),
    [
        ({"memory": 4096, "disk": 20480, "cpu": 250}, (4294967296, 21474836480, 250.0)),
        ({"memory": 0, "disk": 0, "cpu": 0}, (None, None, None)),
        ({"memory": 1, "disk": -1, "cpu": 12.5}, (1048576, None, 12.5)),
        ({}, (None, None, None)),
        (None, (None, None, None)),
    ],
)
async def test_limits_are_bytes_and_none_is_unlimited(
    limits: dict[str, float] | None, known: tuple[int | None, int | None, float | None]
) -> None:
    server = await shown(limits=limits)

    assert (
        server.memory_limit_bytes,
        server.disk_limit_bytes,
        server.cpu_limit_percent,
    ) == known


@pytest.mark.parametrize(
    ("description", "tags"),
    [
        ("#lobby", {"lobby"}),
        (
            "The #Lobby of #EU-West,#Straße; (#öffentlich).",
            {"lobby", "eu-west", "strasse", "öffentlich"},
        ),
        ("#events: now\n#v1.20! #v1.20", {"events", "v1.20"}),
        ("#हिन्दी #日本 #🎮", {"हिन्दी", "日本", "🎮"}),
        ("# Heading\n## Another\nissue#5, &#39;, http://x.example/#there # #. ##", set()),
        ("", set()),
        (None, set()),
    ],
)
async def test_tags_are_the_words_with_a_hash(description: str | None, tags: set[str]) -> None:
    server = await shown(description=description)

    assert (set(server.tags), server.description) == (tags, description or "")

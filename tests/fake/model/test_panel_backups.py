"""The modelled panel's list of backups, page by page, and what can be deleted from it."""

from typing import Any

import pytest

from automate.fake.model.settings import DEFAULT_SERVER, Kind
from automate.fake.model.signals import NodeStopped
from tests.fake.model.scenes import BOTH, PELICAN
from tests.fake.model.test_panel import Desk

both = pytest.mark.parametrize("kind", BOTH, ids=str)


def made(desk: Desk, *names: str, **fields: Any) -> list[str]:
    """Have backups made, and return their uuids; they are done a second later."""
    return [
        desk.call("POST", "/backups", {"name": name, **fields}).body["attributes"]["uuid"]
        for name in names
    ]


def names(desk: Desk, query: str = "") -> list[str]:
    data = desk.call("GET", f"/backups{query}").body["data"]
    return [item["attributes"]["name"] for item in data]


def many(kind: Kind, count: int) -> Desk:
    desk = Desk(kind, backup_limit=100, backups_in_window=0)
    made(desk, *map(str, range(1, count + 1)))
    return desk


@both
@pytest.mark.parametrize(
    ("query", "shown", "pagination"),
    [
        ("", range(1, 21), {"per_page": 20, "current_page": 1, "total_pages": 3}),
        ("?page=3", range(41, 54), {"per_page": 20, "current_page": 3, "total_pages": 3}),
        ("?per_page=100", range(1, 51), {"per_page": 50, "current_page": 1, "total_pages": 2}),
        (
            "?page=2&per_page=50",
            range(51, 54),
            {"per_page": 50, "current_page": 2, "total_pages": 2},
        ),
        ("?page=9", range(0), {"per_page": 20, "current_page": 9, "total_pages": 3}),
        ("?page=x&per_page=0", range(1, 21), {"per_page": 20, "current_page": 1, "total_pages": 3}),
    ],
)
def test_a_list_comes_in_pages(
    kind: Kind, query: str, shown: range, pagination: dict[str, int]
) -> None:
    meta = many(kind, 53).call("GET", f"/backups{query}").body["meta"]
    del meta["pagination"]["links"]

    assert names(many(kind, 53), query) == list(map(str, shown))
    assert meta == {
        "backup_count": 53,
        "pagination": {"total": 53, "count": len(shown), **pagination},
    }


@both
@pytest.mark.parametrize(
    ("page", "links"),
    [
        (1, {"next": "?page=2"}),
        (2, {"previous": "?page=1", "next": "?page=3"}),
        (3, {"previous": "?page=2"}),
    ],
)
def test_a_page_names_its_neighbours(kind: Kind, page: int, links: dict[str, str]) -> None:
    body = many(kind, 45).call("GET", f"/backups?page={page}").body

    url = f"https://panel.example.com/api/client/servers/{DEFAULT_SERVER}/backups"
    assert body["meta"]["pagination"]["links"] == {name: url + link for name, link in links.items()}


@both
def test_an_empty_list_is_one_page(kind: Kind) -> None:
    assert Desk(kind).call("GET", "/backups").body == {
        "object": "list",
        "data": [],
        "meta": {
            "backup_count": 0,
            "pagination": {
                "total": 0,
                "count": 0,
                "per_page": 20,
                "current_page": 1,
                "total_pages": 1,
                "links": {},
            },
        },
    }


@both
def test_who_may_only_look_may_not_delete(kind: Kind) -> None:
    desk = Desk(kind)
    [uuid] = made(desk, "night")

    told = [
        desk.told(method, path, key=key)
        for key in ("guest", "nobody")
        for method, path in (("GET", "/backups"), ("DELETE", f"/backups/{uuid}"))
    ]
    denied = (403, "AccessDeniedHttpException", "This action is unauthorized.")
    assert (told, names(desk)) == ([200, denied, denied, denied], ["night"])


@both
def test_a_deleted_backup_makes_room_and_is_gone(kind: Kind) -> None:
    desk = Desk(kind, backup_limit=1, backups_in_window=0)
    [uuid] = made(desk, "old")
    desk.stage.wait(1)
    full = desk.told("POST", "/backups", {"name": "new"})[:2]
    deleted = [desk.told("DELETE", f"/backups/{uuid}") for _ in range(2)]
    again = desk.told("POST", "/backups", {"name": "new"})

    assert full == (400, "TooManyBackupsException")
    assert (deleted[0], deleted[1][:2]) == (204, (404, "NotFoundHttpException"))
    assert (again, names(desk)) == (200, ["new"])


@both
@pytest.mark.parametrize("is_locked", [False, True])
def test_a_backup_that_is_being_made_can_go_even_if_it_is_locked(
    kind: Kind, is_locked: bool
) -> None:
    desk = Desk(kind)
    [uuid] = made(desk, "night", is_locked=is_locked)
    deleted = desk.told("DELETE", f"/backups/{uuid}")
    desk.stage.wait(1)

    assert (deleted, names(desk)) == (204, [])


@both
def test_a_node_that_is_down_keeps_what_is_whole(kind: Kind) -> None:
    """Pelican deletes the row of what is not, whatever its daemon says."""
    desk = Desk(kind)
    [whole] = made(desk, "whole")
    desk.stage.wait(1)
    desk.stage.world.backups_succeed = False
    [failed] = made(desk, "failed")
    desk.stage.wait(1)
    desk.stage.tell(NodeStopped())
    statuses = [desk.call("DELETE", f"/backups/{uuid}").status for uuid in (whole, failed)]

    if kind is PELICAN:
        assert (statuses, names(desk)) == ([500, 204], ["whole"])
    else:
        assert (statuses, names(desk)) == ([504, 504], ["whole", "failed"])


@both
def test_the_list_of_servers_comes_in_pages_too(kind: Kind) -> None:
    asked = [
        desk_page["meta"]["pagination"]["per_page"]
        for query in ("", "?per_page=100", "?per_page=1000")
        for desk_page in [Desk(kind).call("GET", f"/api/client{query}").body]
    ]

    assert asked == [50, 100, 100]

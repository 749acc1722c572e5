"""A backup step of a whole engine: who tells that it is complete, and why it never is.

Each way in which no backup comes has its own words, so that a person knows what to do.
"""

from collections.abc import Callable
from typing import Any

import pytest
import trio
from trio.testing import MockClock

from automate import Asked, Backup, Recipe, Wait
from automate.fake.model.served import ServedNode
from automate.fake.model.settings import Kind
from automate.fake.model.signals import BackupEnded, NodeStarted, NodeStopped
from tests.engine.node_scenes import Scene, at_work

BOTH = pytest.mark.parametrize("kind", list(Kind), ids=str)
BACKUP = Recipe("it", when=Asked(), then=[Wait(seconds=1), Backup("night", limit_seconds=900)])


@pytest.fixture
def autojump_clock() -> MockClock:
    return MockClock(autojump_threshold=0)


def taking(seconds: float) -> Callable[[ServedNode], None]:
    """Let an archive take so long."""

    def change(served: ServedNode) -> None:
        for world in served.node.worlds.values():
            world._backup_seconds = seconds

    return change


def losing_the_event(served: ServedNode) -> None:
    """Have the daemon drop the event, as it does for slow readers; the panel is told before."""
    taking(40)(served)
    for world in served.node.worlds.values():
        world.daemon._end_backup = lambda ended: None  # type: ignore[method-assign] # see above


@BOTH
@pytest.mark.parametrize(
    ("before", "ended_at"),
    [(taking(0.02), 1.02), (taking(300), 301), (losing_the_event, 46)],
    ids=["event at once", "event", "panel"],
)
async def test_it_is_complete_when_the_daemon_or_the_panel_says_so(
    before: Callable[[ServedNode], None],
    ended_at: float,
    kind: Kind,
    autojump_clock: MockClock,
) -> None:
    """The panel is asked each fifteen seconds, in case the event is lost."""
    async with at_work(BACKUP, asked="it", kind=kind, before=before) as scene:
        assert await scene.outcome() == "done"

    assert scene.ended_at == pytest.approx(ended_at, abs=0.1)


async def _no_trouble(scene: Scene) -> None:
    pass


async def _node_is_down(scene: Scene) -> None:
    await scene.at(0.9)
    scene.tell(NodeStopped())


async def _node_dies(scene: Scene) -> None:
    """Die while the archive is being written; nobody ever finishes it."""
    await scene.at(60)
    scene.tell(NodeStopped())
    await trio.sleep(30)
    scene.tell(NodeStarted())


async def _node_dies_and_the_panel_cleans_up(scene: Scene) -> None:
    await _node_dies(scene)
    await scene.at(600)
    [row] = scene.served.panel.offices[scene.server].archive.rows.values()
    office = scene.served.panel.offices[scene.server]
    office.archive.end(BackupEnded(uuid=row.uuid, is_successful=False), now=0)


def _failing(served: ServedNode) -> None:
    for world in served.node.worlds.values():
        world.backups_succeed = False


def _two_before(served: ServedNode) -> None:
    for office in served.panel.offices.values():
        for number in range(2):
            office.archive.add({}, uuid=str(number), now=office.world.settings.epoch, may_lock=True)


OUTCOMES: dict[str, tuple[Callable[[ServedNode], None], Any, dict[str, Any], str]] = {
    "failed": (_failing, _no_trouble, {}, "failed: the backup failed"),
    "too soon": (
        _two_before,
        _no_trouble,
        {},
        "the panel allows no more of it for now (429: Only 2 backups may be generated within a "
        "600 second span of time.); try again in",
    ),
    "too many": (
        _two_before,
        _no_trouble,
        {"backup_limit": 2, "backups_in_window": 0},
        "(400: Cannot create a new backup, this server has reached its limit of 2 backups.)",
    ),
    "none allowed": (
        lambda served: None,
        _no_trouble,
        {"backup_limit": 0},
        "(400: Cannot create a new backup, this server has reached its limit of 0 backups.)",
    ),
    "no permission": (
        lambda served: None,
        _no_trouble,
        {"permissions": ["websocket.connect"]},
        "its user needs the permission backup.create",
    ),
    "node down": (
        lambda served: None,
        _node_is_down,
        {},
        "the panel got no good answer from the node",
    ),
    "node dies": (
        taking(1e9),
        _node_dies,
        {},
        "failed: the backup was not complete after 900 s",
    ),
    "node dies, panel cleans up": (
        taking(1e9),
        _node_dies_and_the_panel_cleans_up,
        {},
        "failed: the backup failed",
    ),
}


@BOTH
@pytest.mark.parametrize("name", OUTCOMES)
async def test_each_way_in_which_none_comes_has_its_words(
    name: str, kind: Kind, autojump_clock: MockClock
) -> None:
    before, trouble, settings, words = OUTCOMES[name]

    async with at_work(BACKUP, asked="it", kind=kind, before=before, **settings) as scene:
        await trouble(scene)
        outcome = await scene.outcome()

    assert outcome.startswith("failed: ")
    assert words in outcome


@BOTH
async def test_what_is_too_soon_works_when_the_window_is_over(
    kind: Kind, autojump_clock: MockClock
) -> None:
    patient = Recipe(
        "it",
        when=Asked(),
        then=[Backup("one"), Backup("two"), Wait(seconds=601), Backup("three")],
    )

    async with at_work(patient, asked="it", kind=kind) as scene:
        assert await scene.outcome() == "done"

    rows = scene.served.panel.offices[scene.server].archive.rows.values()
    assert [row.name for row in rows] == ["one", "two", "three"]

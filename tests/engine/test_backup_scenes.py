"""Backups at a modelled node, whatever becomes of them: each end has words of its own.

A whole engine in virtual time; the step is believed by the panel or by the event, whichever
comes first.
"""

from collections.abc import Sequence

import pytest
import trio
from trio.testing import MockClock

from automate import Asked, Backup, Command, Notify, Recipe, Start
from automate.engine.engine import Outcome
from automate.fake.model.office import PanelSettings
from automate.fake.model.serving import ServedNode, Tenant
from automate.fake.model.settings import DEFAULT_SERVER, Kind, Settings
from automate.fake.model.signals import NodeStarted, NodeStopped
from automate.recipe.flow import Step
from tests.engine.engine_scenes import Sitting, sit_at_a_node

KINDS = pytest.mark.parametrize("kind", list(Kind), ids=lambda kind: kind.value)
DONE = [Outcome(DEFAULT_SERVER, "done", "")]


@pytest.fixture
def autojump_clock() -> MockClock:
    return MockClock(autojump_threshold=0)


async def play(
    steps: Sequence[Step], *, kind: Kind = Kind.PTERODACTYL, **manner: object
) -> Sitting:
    recipe = Recipe("it", when=Asked(), then=list(steps))
    arena = Tenant(Settings(title="Arena", kind=kind))
    return await sit_at_a_node([recipe], [arena], asked="it", **manner)


def how_it_ended(sitting: Sitting) -> str:
    (outcome,) = sitting.outcomes
    return f"{outcome.what}: {outcome.detail}" if outcome.detail else outcome.what


@KINDS
async def test_a_backup_is_complete_when_the_event_says_so(
    kind: Kind, autojump_clock: MockClock
) -> None:
    sitting = await play([Start(), Backup("night"), Notify("there")], kind=kind)

    assert sitting.outcomes == DONE
    # The panel would have been asked fifteen seconds later.
    assert (begun(sitting), told(sitting)) == ("21:00:01", "21:00:01")


def begun(sitting: Sitting) -> str:
    return next(line.split()[0] for line in sitting.of("Arena") if "backup night" in line)


def told(sitting: Sitting) -> str:
    return next(line.split()[0] for line in sitting.of("Arena") if "NOTICE: there" in line)


@KINDS
async def test_who_is_not_told_of_it_asks_the_panel(kind: Kind, autojump_clock: MockClock) -> None:
    """The event goes to those with backup.read, at the socket; here it gets lost in a gap."""

    async def breaks(served: ServedNode) -> None:
        await trio.sleep(1)
        for world in served.node.worlds.values():
            world._backup_seconds = 40.0
        await trio.sleep(10)
        served.tell(NodeStopped())
        await trio.sleep(5)
        served.tell(NodeStarted())

    sitting = await play([Start(), Backup("night"), Notify("there")], kind=kind, meanwhile=breaks)

    assert sitting.outcomes == DONE


@KINDS
async def test_a_failed_backup_fails_the_step(kind: Kind, autojump_clock: MockClock) -> None:
    async def breaks(served: ServedNode) -> None:
        for world in served.node.worlds.values():
            world.backups_succeed = False

    sitting = await play([Backup("night")], kind=kind, meanwhile=breaks)

    assert how_it_ended(sitting) == "failed: the backup failed"


@KINDS
async def test_three_in_ten_minutes_are_one_too_many(kind: Kind, autojump_clock: MockClock) -> None:
    sitting = await play([Backup("a"), Backup("b"), Backup("c")], kind=kind)

    assert "Only 2 backups may be generated within a 600 second span of time" in how_it_ended(
        sitting
    )


@KINDS
async def test_without_room_there_is_none_and_it_is_said(
    kind: Kind, autojump_clock: MockClock
) -> None:
    full = PanelSettings(backup_limit=1, backups_in_window=10)
    sitting = await play([Backup("a"), Backup("b")], kind=kind, panel=full)

    assert "reached its limit of 1 backups" in how_it_ended(sitting)


@KINDS
async def test_room_is_made_among_our_own_where_only_the_newest_are_kept(
    kind: Kind, autojump_clock: MockClock
) -> None:
    kept: list[str] = []

    async def looks(served: ServedNode) -> None:
        while True:
            await trio.sleep(1)
            rows = next(iter(served.panel.offices.values())).archive.rows.values()
            kept[:] = [row.name for row in rows]

    full = PanelSettings(backup_limit=2, backups_in_window=10)
    nightly = Backup("nightly", keep=1)
    steps: list[Step] = [Start(), Backup("by hand"), nightly, nightly, nightly]
    sitting = await play([*steps, Command("say done")], kind=kind, panel=full, meanwhile=looks)

    assert (how_it_ended(sitting), kept) == ("done", ["by hand", "nightly"])


@KINDS
async def test_a_node_that_dies_meanwhile_leaves_it_incomplete_and_that_is_said(
    kind: Kind, autojump_clock: MockClock
) -> None:
    async def dies(served: ServedNode) -> None:
        for world in served.node.worlds.values():
            world._backup_seconds = 1e9
        await trio.sleep(10)
        served.tell(NodeStopped())

    sitting = await play([Backup("night", limit_seconds=300)], kind=kind, meanwhile=dies)

    assert how_it_ended(sitting) == "failed: the backup was not complete after 300 s"

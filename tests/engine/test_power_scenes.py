"""Power steps against a modelled daemon, whatever it does: each comes to an end that is told.

A whole engine in virtual time. What is asserted is what a person would read, and how it ended.
"""

from collections.abc import Sequence

import pytest
from trio.testing import MockClock

from automate import (
    Asked,
    Command,
    ConsoleLine,
    Kill,
    Parallel,
    Recipe,
    Restart,
    Start,
    StatusChanged,
    Stop,
    Wait,
)
from automate.engine.engine import Outcome
from automate.fake.model.serving import Tenant
from automate.fake.model.settings import DEFAULT_SERVER, Kind, Settings
from automate.recipe.flow import Step
from tests.engine.engine_scenes import Sitting, sit_at_a_node

KINDS = pytest.mark.parametrize("kind", list(Kind), ids=lambda kind: kind.value)


@pytest.fixture
def autojump_clock() -> MockClock:
    return MockClock(autojump_threshold=0)


async def play(
    *steps: Step, kind: Kind = Kind.PTERODACTYL, also: Sequence[Recipe] = (), **manner: object
) -> Sitting:
    """Ask for these *steps* at an arena that is offline."""
    recipe = Recipe("it", when=Asked(), then=list(steps))
    arena = Tenant(Settings(title="Arena", kind=kind))
    return await sit_at_a_node([recipe, *also], [arena], asked="it", **manner)


def words(sitting: Sitting) -> list[str]:
    """Return what was told of the arena, without the moments."""
    return [line.partition(" ")[2] for line in sitting.of("Arena")]


def statuses(sitting: Sitting) -> list[str]:
    return [said[3:] for said in words(sitting) if said[3:] in STATES and said.startswith("is ")]


STATES = ("offline", "starting", "running", "stopping")
DONE = [Outcome(DEFAULT_SERVER, "done", "")]
UP = ["starting", "running"]


@KINDS
@pytest.mark.parametrize("down", [Stop(), Kill()], ids=["stop", "kill"])
async def test_a_start_right_after_offline_meets_the_lock_and_is_sent_again(
    kind: Kind, down: Step, autojump_clock: MockClock
) -> None:
    """The lock outlives `offline`: half a second after a kill, at the newer daemon."""
    sitting = await play(Start(), down, Start(), kind=kind)

    assert statuses(sitting)[0] == "offline"
    assert statuses(sitting)[-2:] == UP
    assert sitting.outcomes == DONE


@KINDS
async def test_the_offline_within_a_restart_is_not_its_end(
    kind: Kind, autojump_clock: MockClock
) -> None:
    sitting = await play(Start(), Restart(), Command("say back"), kind=kind)

    told = words(sitting)
    assert statuses(sitting) == ["offline", *UP, "stopping", "offline", *UP]
    # Only when it runs again is the restart over.
    assert told.index("it: send command say back") > max(
        place for place, said in enumerate(told) if said == "is running"
    )
    assert sitting.outcomes == DONE


@KINDS
async def test_an_output_line_equal_to_the_stop_command_leads_nobody_astray(
    kind: Kind, autojump_clock: MockClock
) -> None:
    """The daemon says `stopping`, or even `offline`, while the game runs on (PROBED 4.5)."""
    crash = Recipe("crash", when=StatusChanged(to="offline", was="running"), then=Start())
    sitting = await play(
        Start(), Command("raw stop"), Wait(seconds=30), Stop(), kind=kind, also=[crash]
    )

    assert sitting.outcomes == DONE
    assert statuses(sitting)[-1] == "offline"


@KINDS
async def test_two_actions_at_once_both_end(kind: Kind, autojump_clock: MockClock) -> None:
    """Whoever meets the other's lock waits, and asks again, or finds it done already."""
    other = Recipe("other", when=ConsoleLine("go!"), then=Restart())
    sitting = await play(
        Start(), Command("raw go!"), Restart(), Wait(seconds=60), kind=kind, also=[other]
    )

    assert sitting.outcomes == DONE
    assert statuses(sitting)[-1] == "running"
    assert words(sitting).count("other: done") == 1


async def test_a_stop_and_a_start_at_once_end_each_in_its_way(autojump_clock: MockClock) -> None:
    sitting = await play(Start(), Parallel(Stop(limit_seconds=60), Restart(limit_seconds=60)))

    # One of both had its way; the other is done, or says that it is not.
    ((_, what, detail),) = [(one.server, one.what, one.detail) for one in sitting.outcomes]
    assert what == "done" or detail


async def test_a_stop_that_hangs_becomes_a_kill(autojump_clock: MockClock) -> None:
    sitting = await play(Start(), Command("hang"), Wait(seconds=1), Stop(kill_after_seconds=20))

    assert [said for said in words(sitting) if "set state" in said] == [
        "it: set state start",
        "it: set state stop",
        "it: set state kill",
    ]
    assert statuses(sitting)[-1] == "offline"
    assert sitting.outcomes == DONE


async def test_a_stop_that_hangs_without_a_kill_fails_at_its_limit(
    autojump_clock: MockClock,
) -> None:
    sitting = await play(Start(), Command("hang"), Wait(seconds=1), Stop(limit_seconds=100))

    assert sitting.outcomes == [
        Outcome(DEFAULT_SERVER, "failed", "after 100 s the server was still stopping")
    ]


@KINDS
@pytest.mark.parametrize("step", [Start(), Restart()], ids=["start", "restart"])
async def test_without_the_permission_there_is_silence_and_then_a_clear_failure(
    kind: Kind, step: Step, autojump_clock: MockClock
) -> None:
    may = ["websocket.connect", "control.console"]
    sitting = await play(step, kind=kind, permissions=may)

    ((_, what, detail),) = [(one.server, one.what, one.detail) for one in sitting.outcomes]
    name = type(step).__name__.lower()
    assert what == "failed"
    assert detail == (
        f"asked 4 times to {name}, but the server is still offline; is the key's user allowed to, "
        "and is there room on the disk?"
    )


@KINDS
async def test_whoever_sees_no_errors_starts_after_a_kill_all_the_same(
    kind: Kind, autojump_clock: MockClock
) -> None:
    """The lock's refusal is told to some users only: for others a lost start is silence."""
    may = ["websocket.connect", "control.console", "control.start", "control.stop"]
    sitting = await play(Start(), Kill(), Start(), kind=kind, permissions=may)

    assert statuses(sitting)[-2:] == UP
    assert sitting.outcomes == DONE

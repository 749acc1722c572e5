"""The engine against a model of a node that answers anything: what no recording has in it."""

from pathlib import Path

import pytest
from trio.testing import MockClock

from automate import Asked, Command, Kill, Recipe, Restart, Start, Stop, Wait
from automate.engine.engine import Outcome
from automate.fake.model.serving import Tenant
from automate.fake.model.settings import DEFAULT_SERVER, Settings
from automate.recipe.loader import load
from tests.engine.engine_scenes import sit_at_a_node

OTHER = "b1b2c3d4-0009-4000-8000-000000000009"
ARENA = Tenant(Settings(title="Arena"))


@pytest.fixture
def autojump_clock() -> MockClock:
    return MockClock(autojump_threshold=0)


async def test_servers_of_one_panel_and_one_name_are_told_apart(autojump_clock: MockClock) -> None:
    up = Recipe("up", when=Asked(), then=Start())

    sitting = await sit_at_a_node(
        [up], [ARENA, Tenant(Settings(server=OTHER, title="Arena"))], asked="up"
    )

    # What happens to both at one moment comes in either order.
    told = [
        "is connected",
        "is offline",
        "up: set state start",
        "is starting",
        "is running",
        "up: done",
    ]
    assert [line[10:] for line in sitting.lines if "a1b2c3d4" in line] == [
        f"Arena a1b2c3d4  {words}" for words in told
    ]
    assert [line[10:] for line in sitting.lines if "b1b2c3d4" in line] == [
        f"Arena b1b2c3d4  {words}" for words in told
    ]
    assert sitting.outcomes == [
        Outcome(DEFAULT_SERVER, "done", ""),
        Outcome(OTHER, "done", ""),
    ]


async def test_the_daemon_answers_the_first_crash_and_the_recipe_the_second(
    autojump_clock: MockClock, root: Path
) -> None:
    evening = Recipe(
        "evening",
        when=Asked(),
        then=[
            Start(),
            Command("crash 3"),
            Wait(seconds=20),
            Command("crash 4"),
            Wait(seconds=20),
        ],
    )
    shipped = [one.recipe for one in load([root / "recipes" / "restart_on_crash.py"])]

    sitting = await sit_at_a_node([evening, *shipped], [ARENA], asked="evening")

    waits = "wait 10 s unless the server is starting or running"
    assert sitting.of("Arena") == [
        "21:00:00 is connected",
        "21:00:00 is offline",
        "21:00:00 evening: set state start",
        "21:00:00 is starting",
        "21:00:01 is running",
        "21:00:01 evening: send command crash 3",
        "21:00:01 evening: wait 20 s",
        "21:00:01 is offline",
        "21:00:01 is starting",
        "21:00:02 restart on crash: not needed: it is starting",
        "21:00:02 is running",
        "21:00:21 evening: send command crash 4",
        "21:00:21 evening: wait 20 s",
        "21:00:21 is offline",
        f"21:00:22 restart on crash: {waits}",
        "21:00:31 NOTICE: Arena crashed (exit code 4); starting it again (attempt 1)",
        "21:00:31 restart on crash: set state start",
        "21:00:31 is starting",
        "21:00:32 is running",
        "21:00:32 restart on crash: done",
        "21:00:41 evening: done",
    ]


async def test_a_start_that_meets_the_lock_is_asked_for_again(autojump_clock: MockClock) -> None:
    """After a stop the daemon's lock is held a moment longer than the server is seen to run."""
    hurry = Recipe("hurry", when=Asked(), then=[Start(), Stop(), Start(), Restart(), Kill()])

    sitting = await sit_at_a_node([hurry], [ARENA], asked="hurry")

    words = [line.partition(" ")[2] for line in sitting.of("Arena")]
    at = words.index("hurry: set state stop")
    assert words[at : at + 7] == [
        "hurry: set state stop",
        "is stopping",
        "is offline",
        "hurry: set state start",
        "refuses: another power action is currently being processed for this server, please try "
        "again later",
        "hurry: set state start",
        "is starting",
    ]
    assert words[-2:] == ["is offline", "hurry: done"]
    assert sitting.outcomes == [Outcome(DEFAULT_SERVER, "done", "")]

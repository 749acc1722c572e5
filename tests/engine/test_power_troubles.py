"""Power steps of a whole engine at a node that answers anything: what becomes of each trouble.

Each scene ends in the state that was wanted, or in a failure that says why; none waits for ever
(a virtual day, at most).
"""

from typing import Any

import pytest
import trio
from trio.testing import MockClock

from automate import Asked, Command, Kill, Recipe, Restart, Start, Stop, Wait
from automate.fake.model.served import ServedNode
from automate.fake.model.serving import Tenant
from automate.fake.model.settings import Delays, Kind, Settings
from automate.fake.model.signals import (
    ConditionChanged,
    NodeStarted,
    NodeStopped,
    Printed,
)
from automate.fake.signals import NoteKind
from automate.recipe.loader import load
from automate.recipe.steps import PowerStep
from tests.engine.engine_scenes import Tape, sit
from tests.engine.node_scenes import at_work

BOTH = pytest.mark.parametrize("kind", list(Kind), ids=str)
WANTED = {Start: "running", Restart: "running", Stop: "offline", Kill: "offline"}
LOCKED = (
    "refuses: another power action is currently being processed for this server, please try "
    "again later"
)


@pytest.fixture
def autojump_clock() -> MockClock:
    return MockClock(autojump_threshold=0)


def asked_for(*steps: Any) -> Recipe:
    return Recipe("it", when=Asked(), then=steps)


# ---------------------------------------------------------------- the lock after `offline`


@BOTH
@pytest.mark.parametrize("down", [Kill(), Stop()], ids=str)
@pytest.mark.parametrize("up", [Start(), Restart()], ids=str)
async def test_the_lock_that_outlives_offline_is_waited_for(
    down: PowerStep, up: PowerStep, kind: Kind, autojump_clock: MockClock
) -> None:
    """Half a second after a kill on a Pelican, 10 ms else (PROBED 3)."""
    async with at_work(asked_for(down, up), asked="it", kind=kind) as scene:
        assert await scene.outcome() == "done"
        assert scene.state == "running"

    # The older daemon's lock after a kill is over before a message has come to it.
    refusals = 0 if (kind, down) == (Kind.PTERODACTYL, Kill()) else 1
    assert scene.words().count(LOCKED) == refusals
    assert scene.asked == [str(down)] + [str(up)] * (1 + refusals)


async def test_the_lock_as_it_was_recorded(autojump_clock: MockClock) -> None:
    """In the recording the start is refused, and its client came again four seconds later."""
    recipe = asked_for(Start(), Wait(seconds=3), Kill(), Start(), Wait(seconds=2), Stop())

    tape = Tape("power-lock-race", leave=[1, 2, 3, 4, 5])
    sitting = await sit([recipe], tape, asked="it")

    assert [one.what for one in sitting.outcomes] == ["done"]
    assert [text.split(",")[0] for _, text in sitting.deeds(NoteKind.DONE)] == [
        "deed 1 (set state start)",
        "deed 2 (set state kill)",
        "deed 3 (set state start)",
        "deed 4 (set state start)",
        "deed 5 (set state stop)",
    ]
    assert [line for line in sitting.lines if LOCKED in line] != []


async def test_a_lock_that_is_held_for_long_is_not_hammered(autojump_clock: MockClock) -> None:
    """A boot whose image has to be pulled for minutes; a stop meets its lock all that time."""
    slow = Tenant(Settings(delays=Delays(create=300)))

    recipe = asked_for(Wait(seconds=1), Stop())
    async with at_work(recipe, asked="it", tenant=slow, online=False) as scene:
        scene.click("start")
        assert await scene.outcome() == "done"
        assert scene.state == "offline"

    assert 5 < scene.asked.count("stop") < 60


# ---------------------------------------------------------------- `offline` within a restart


@BOTH
async def test_offline_within_our_restart_is_not_its_end(
    kind: Kind, autojump_clock: MockClock
) -> None:
    async with at_work(asked_for(Restart()), asked="it", kind=kind) as scene:
        assert await scene.outcome() == "done"
        assert scene.state == "running"

    states = [words for words in scene.words() if words in ("is offline", "is running")]
    assert states == ["is running", "is offline", "is running"]


@BOTH
@pytest.mark.parametrize("step", [Start(), Stop(), Restart(), Kill()], ids=str)
@pytest.mark.parametrize("second", [0.5, 0.99, 1.0003, 1.003, 1.5, 2.02, 2.04, 2.06, 2.1, 2.5])
async def test_a_step_within_somebody_elses_restart_gets_what_it_wants(
    step: PowerStep, second: float, kind: Kind, autojump_clock: MockClock
) -> None:
    """Whenever it begins: before it, in it, and in the few milliseconds that it is offline."""
    recipe = asked_for(Wait(seconds=second), step)

    async with at_work(recipe, asked="it", kind=kind) as scene:
        await scene.at(1.0)
        scene.click("restart")
        assert await scene.outcome() == "done"
        await trio.sleep(10)
        # What was over before has not to do with it.
        assert WANTED[type(step)] == (scene.state if scene.ended_at > 1 else scene.state_then)


# ---------------------------------------------------------------- a line like the stop command


@BOTH
@pytest.mark.parametrize("detection", [True, False])
@pytest.mark.parametrize("step", [Start(), Restart()], ids=str)
async def test_a_line_like_the_stop_command_does_not_fool_what_brings_it_up(
    step: PowerStep, detection: bool, kind: Kind, autojump_clock: MockClock
) -> None:
    """The daemon says `offline` although the game runs (PROBED 4.5)."""
    tenant = Tenant(Settings(kind=kind, crash_detection=detection))
    recipe = asked_for(Command("raw stop"), Wait(seconds=1), step)

    async with at_work(recipe, asked="it", tenant=tenant) as scene:
        assert await scene.outcome() == "done"
        await trio.sleep(5)
        assert (scene.state, scene.is_game_running) == ("running", True)


@BOTH
@pytest.mark.parametrize("step", [Stop(), Kill()], ids=str)
@pytest.mark.parametrize("after", [-0.001, 0.0, 0.0002, 0.001, 0.005, 0.02, 0.04])
async def test_a_line_like_the_stop_command_is_not_taken_for_the_end(
    step: PowerStep, after: float, kind: Kind, autojump_clock: MockClock
) -> None:
    """The line comes while the stop is on its way; 45 ms later the daemon finds its mistake."""
    recipe = asked_for(Wait(seconds=1), step)

    async with at_work(recipe, asked="it", kind=kind) as scene:
        await scene.at(1.0 + after)
        scene.tell(Printed("stop"))
        assert await scene.outcome() == "done"
        await trio.sleep(5)
        assert (scene.state, scene.is_game_running) == ("offline", False)


async def test_a_false_end_sets_nothing_off(autojump_clock: MockClock, root: Any) -> None:
    shipped = [one.recipe for one in load([root / "recipes"])]

    async with at_work(shipped) as scene:
        await trio.sleep(1)
        scene.tell(Printed("stop"))
        await trio.sleep(60)

    assert scene.asked == []


# ---------------------------------------------------------------- somebody else


@BOTH
@pytest.mark.parametrize("step", [Start(), Stop(), Restart(), Kill()], ids=str)
@pytest.mark.parametrize("other", ["start", "stop", "kill"])
@pytest.mark.parametrize("online", [True, False], ids=["online", "offline"])
@pytest.mark.parametrize("after", [-0.5, -0.0005, 0.0005, 0.3])
async def test_somebody_elses_action_at_the_same_time(
    step: PowerStep,
    other: str,
    online: bool,
    after: float,
    kind: Kind,
    autojump_clock: MockClock,
) -> None:
    """Whoever is first, the step ends as it should, or says what came between."""
    recipe = asked_for(Wait(seconds=1), step)

    async with at_work(recipe, asked="it", kind=kind, online=online) as scene:
        await scene.at(1.0 + after)
        scene.click(other)
        outcome = await scene.outcome()

    if outcome == "done":
        assert scene.state_then == WANTED[type(step)]
    else:
        assert outcome in (
            "failed: it went offline again while starting",
            "failed: it was stopped while it was starting",
        )
        assert other in ("stop", "kill")


# ---------------------------------------------------------------- lost, refused, not heard


@BOTH
async def test_a_start_that_the_node_took_to_its_grave_is_asked_for_again(
    kind: Kind, autojump_clock: MockClock
) -> None:
    async with at_work(
        asked_for(Wait(seconds=1), Start()), asked="it", kind=kind, online=False
    ) as scene:
        await scene.at(1.0001)
        scene.tell(NodeStopped())
        await trio.sleep(90)
        scene.tell(NodeStarted())
        assert await scene.outcome() == "done"
        assert scene.state == "running"


@BOTH
@pytest.mark.parametrize("step", [Stop(), Restart(), Kill(limit_seconds=600)], ids=str)
async def test_what_the_node_took_to_its_grave_is_asked_for_again(
    step: PowerStep, kind: Kind, autojump_clock: MockClock
) -> None:
    async with at_work(asked_for(Wait(seconds=1), step), asked="it", kind=kind) as scene:
        await scene.at(1.0001)
        scene.tell(NodeStopped())
        await trio.sleep(20)
        scene.tell(NodeStarted())
        assert await scene.outcome() == "done"
        assert scene.state == WANTED[type(step)]


@BOTH
async def test_a_start_that_was_lost_is_asked_for_again(
    kind: Kind, autojump_clock: MockClock
) -> None:
    """Without a word, as where the permission is missing; somebody gives it a moment later."""
    may = ["websocket.connect"]
    async with at_work(
        asked_for(Start()), asked="it", kind=kind, online=False, permissions=may
    ) as scene:
        await trio.sleep(20)
        _give(scene.served, "control.start")
        # The next token has the permission in it: a daemon looks at nothing else.
        scene.tell(NodeStopped())
        scene.tell(NodeStarted())
        assert await scene.outcome() == "done"
        assert scene.state == "running"

    assert scene.asked == ["start"] * len(scene.asked)


def _give(served: ServedNode, permission: str) -> None:
    from attrs import evolve

    for office in served.panel.offices.values():
        users = office.settings.users
        user = users[served.key]
        users[served.key] = evolve(user, permissions=(*user.permissions, permission))


@BOTH
@pytest.mark.parametrize(
    ("step", "online"), [(Start(), False), (Stop(), True), (Restart(), True), (Kill(), True)]
)
async def test_without_the_permission_it_fails_and_says_so(
    step: PowerStep, online: bool, kind: Kind, autojump_clock: MockClock
) -> None:
    async with at_work(
        asked_for(step), asked="it", kind=kind, online=online, permissions=["websocket.connect"]
    ) as scene:
        outcome = await scene.outcome()

    was = "running" if online else "offline"
    assert outcome in (
        f"failed: asked 4 times to {step}, but the server is still {was}; is the key's user "
        "allowed to, and is there room on the disk?",
        f"failed: after 60 s the server was still {was}",
    )


@BOTH
@pytest.mark.parametrize(
    "trouble",
    [
        ConditionChanged(is_disk_full=True),
        ConditionChanged(is_image_missing=True),
        ConditionChanged(is_installing=True),
        ConditionChanged(is_transferring=True),
    ],
    ids=["disk", "image", "installing", "moving"],
)
async def test_a_start_that_cannot_be_fails_and_says_so(
    trouble: ConditionChanged, kind: Kind, autojump_clock: MockClock
) -> None:
    recipe = asked_for(Wait(seconds=1), Start())
    async with at_work(recipe, asked="it", kind=kind, online=False) as scene:
        await scene.at(0.5)
        scene.tell(trouble)
        outcome = await scene.outcome()

    if trouble.is_image_missing:
        assert outcome == "failed: it went offline again while starting"
    else:
        words = "failed: asked 4 times to start, but the server is still offline"
        assert outcome.startswith(words)


# ---------------------------------------------------------------- a stop that hangs


@BOTH
async def test_a_stop_that_hangs_is_killed_in_the_end(
    kind: Kind, autojump_clock: MockClock
) -> None:
    recipe = asked_for(Command("hang"), Wait(seconds=1), Stop(kill_after_seconds=30))

    async with at_work(recipe, asked="it", kind=kind) as scene:
        assert await scene.outcome() == "done"
        assert (scene.state, scene.is_game_running) == ("offline", False)

    assert scene.asked == ["stop", "kill"]


@BOTH
async def test_a_stop_that_hangs_and_is_not_to_be_killed_fails_or_is_killed_by_the_daemon(
    kind: Kind, autojump_clock: MockClock
) -> None:
    """The daemon itself kills after ten minutes."""
    for limit, outcome in (
        (300, "failed: after 300 s the server was still stopping"),
        (700, "done"),
    ):
        recipe = asked_for(Command("hang"), Wait(seconds=1), Stop(limit_seconds=limit))
        async with at_work(recipe, asked="it", kind=kind) as scene:
            assert await scene.outcome() == outcome


@BOTH
@pytest.mark.parametrize("step", [Start(), Restart()], ids=str)
async def test_what_meets_a_stop_that_hangs_ends_by_its_limit_or_comes_up(
    step: PowerStep, kind: Kind, autojump_clock: MockClock
) -> None:
    recipe = asked_for(Command("hang"), Wait(seconds=2), step)

    """A start gives up as the daemon kills, after ten minutes; a restart has more time."""
    async with at_work(recipe, asked="it", kind=kind) as scene:
        await scene.at(1.9)
        scene.click("stop")
        outcome = await scene.outcome()

    in_vain = "failed: after 600 s the server was still offline"
    assert outcome == (in_vain if isinstance(step, Start) else "done")


async def test_a_game_that_never_gets_ready_fails_the_start(autojump_clock: MockClock) -> None:
    """An egg with a wrong line for that stays `starting` for ever (PROTOCOL 8.3)."""
    tenant = Tenant(Settings(done=("never said",)))

    async with at_work(asked_for(Start()), asked="it", tenant=tenant, online=False) as scene:
        outcome = await scene.outcome()

    assert outcome == "failed: after 600 s the server was still starting"

"""A replayed node in a test: what is said there, what recipes do there, and for how long."""

import pytest
import trio
from trio.testing import MockClock

from automate import Asked, Command, Crashed, Recipe, ServerIs, Start
from automate.errors import UsageError
from automate.fake.model.settings import Settings
from automate.live.listener import Listener
from automate.testing import (
    Playback,
    Script,
    Timeline,
    all_running,
    modelled_node,
    rehearse,
    replayed_node,
    replayed_nodes,
)
from automate.wire.messages import PowerState, SendCommand, SetState, StatusChanged

RESTART = Recipe("restart", when=Crashed(), then=Start())
FALL = (
    Script("fall", crash_detection=False)
    .online()
    .says("hello", after=2)
    .crash(after=3)
    .start(after=10)
    .wait(5)
)


@pytest.fixture
def autojump_clock() -> MockClock:
    return MockClock(autojump_threshold=0)


class Ready(Listener):
    def __init__(self) -> None:
        self.at: list[float] = []

    def ready(self, at: float) -> None:
        self.at.append(at)


async def test_what_is_said_is_written_down(autojump_clock: MockClock) -> None:
    ready = Ready()

    async with replayed_node(FALL) as node, node.open_session(ready) as session:
        await node.hears("hel")
        session.send(SendCommand("list"))
        await node.hears(StatusChanged(PowerState.OFFLINE))

    assert len(ready.at) == 1
    assert [line.replace(node.server, "ID") for line in node.traffic] == [
        "     0.0000  = GET /api/client/servers/ID/websocket 200",
        "     0.0000  * opened",
        "     0.0000  > auth: <token:1>",
        "     0.0021  < auth success",
        "     0.0021  > send logs",
        "     0.0026  < status: running",
        "     2.0026  < console output: hello",
        "     2.0026  > send command: list",
        "     5.0026  < status: offline",
        "     5.0026  * closed by client",
    ]


async def test_recipes_do_there_what_they_do_in_a_rehearsal(autojump_clock: MockClock) -> None:
    """The same acts at the same moments, over a real session; and there they work."""
    async with replayed_node(FALL, leave=[1]) as node, node.running(RESTART) as play:
        await node.hears(StatusChanged(PowerState.OFFLINE))
        await node.hears(StatusChanged(PowerState.RUNNING))

    live, rehearsed = play.transcript, rehearse(RESTART, FALL)
    moments = [
        [(round(act.at, 4), act.recipe, act.action) for act in transcript.acts]
        for transcript in (live, rehearsed)
    ]
    assert moments[0] == moments[1] == [(6.0026, "restart", {"set state": "start"})]
    Timeline(live).triggered("restart").once().before(Timeline(live).sent("start"))
    assert (live.recording, rehearsed.recording) == ("fall", "fall")


async def test_the_wall_clock_is_that_of_the_recording(autojump_clock: MockClock) -> None:
    async with replayed_node(FALL) as node, node.open_session():
        await node.hears("hello")

        assert node.now().isoformat(timespec="seconds") == "2026-11-23T18:00:02+00:00"


async def test_what_never_comes_is_not_waited_for_for_ever(autojump_clock: MockClock) -> None:
    async with replayed_node(FALL) as node, node.open_session():
        with pytest.raises(AssertionError) as failure:
            await node.hears("good bye")

    text = str(failure.value)
    assert text.startswith("waited for 'good bye', and nothing was said for an hour; before that:")
    assert text.endswith("    16.4540  < status: running")


async def test_a_replay_that_waits_for_the_test_says_so(autojump_clock: MockClock) -> None:
    """Whatever else the test does meanwhile."""
    async with replayed_node(FALL, leave="all") as node, node.open_session() as session:
        await node.hears(StatusChanged(PowerState.OFFLINE))
        session.send(SendCommand("list"))
        with pytest.raises(AssertionError, match=r"replay waits for deed 1 \(set state start"):
            await node.hears(StatusChanged(PowerState.RUNNING))


async def test_each_frame_is_taken_once(autojump_clock: MockClock) -> None:
    evening = Script().online().says("one", "two", "one", after=1)
    async with replayed_node(evening) as node, node.open_session():
        await node.hears("one")
        await node.hears("one")
        with trio.move_on_after(100) as patience:
            await node.hears("two")

    assert patience.cancelled_caught


async def test_a_model_answers_what_nobody_recorded(autojump_clock: MockClock) -> None:
    """And recipes work for it: it crashes when it is told to, and comes back."""
    settings = Settings(crash_detection=False)
    async with modelled_node(settings=settings) as node, node.running(RESTART) as play:
        play.send(SetState("start"))
        await node.hears(StatusChanged(PowerState.RUNNING))
        play.send(SendCommand("crash 3"))
        await node.hears(StatusChanged(PowerState.OFFLINE))
        await node.hears(StatusChanged(PowerState.RUNNING))

    Timeline(play.transcript).sent("start").once()


async def test_what_is_becomes_something_else(autojump_clock: MockClock) -> None:
    """What it is when the session begins is no change, nor is being told again."""
    evening = (
        Script("evening")
        .online()
        .frame("status", "running", after=1)
        .stop(after=1, asked=False)
        .start(after=1, asked=False)
        .wait(5)
    )
    async with replayed_node(evening) as node, node.open_session():
        await node.becomes("running")
        with pytest.raises(AssertionError, match="nothing was said for an hour"):
            await node.becomes(PowerState.RUNNING)
        with pytest.raises(UsageError, match=r"expected a status \(offline, .*found 'up'"):
            await node.becomes("up")

    said = [line for line in node.traffic if "status" in line]
    assert [line.split(": ")[1] for line in said] == [
        "running", "running", "stopping", "offline", "starting", "running",
    ]  # fmt: skip


async def test_the_end_of_a_recipe_is_waited_for(autojump_clock: MockClock) -> None:
    """Each end once; ends of others come in between."""
    asked = Recipe("asked", when=Asked(), then=Command("list"), only_if=ServerIs("running"))
    async with modelled_node(online=True, crash_detection=False) as node:
        async with node.running([asked, RESTART], asked="asked") as play:
            assert await play.ended("asked") == "done"
            play.send("crash 1")
            assert await play.ended("restart") == "done"
            play.send("crash 1")
            assert await play.ended("restart") == "done"
            with pytest.raises(AssertionError, match=r"'restart' to end, .*within an hour") as late:
                await play.ended("restart")
            with pytest.raises(UsageError, match=r"called 'rest'; there are: 'asked', 'restart'"):
                await play.ended("rest")
            # It has been offline twice: that was before, and does not count.
            play.send("stop")
            await node.becomes("offline")
        async with node.running(asked, asked="asked") as play:
            assert await play.ended("asked") == "held back"

    assert str(late.value).count("restart: - done") == 2


async def test_what_is_sent_is_what_a_timeline_would_find(autojump_clock: MockClock) -> None:
    async with modelled_node(online=True) as node, node.running(RESTART) as play:
        play.send("list")
        await node.hears("There are 0 players online")
        play.send("stop")
        await node.becomes("offline")
        await trio.sleep(1)  # until the daemon's lock is free
        play.send(SetState("start"))
        await node.becomes("running")

    sent = [line[13:] for line in node.traffic if "  > s" in line and "logs" not in line]
    assert sent == ["> send command: list", "> set state: stop", "> set state: start"]


@pytest.mark.parametrize("daemon", ["pterodactyl", "pelican"])
async def test_a_model_is_what_it_is_told_to_be(autojump_clock: MockClock, daemon: str) -> None:
    async with (
        modelled_node(daemon=daemon, start_at="2026-11-24T04:29:50", backups_fail=True) as node,
        node.open_panel() as panel,
    ):
        assert node.now().isoformat() == "2026-11-24T04:29:50+00:00"
        assert (await panel.kind()).name.lower() == daemon
        made = await panel.create_backup(node.server, "it")
        await trio.sleep(60)
        assert (await panel.backup(node.server, made.uuid)).is_failed


async def test_a_model_of_nothing_is_refused(autojump_clock: MockClock) -> None:
    with pytest.raises(UsageError, match=r"daemon \(pterodactyl, pelican\), found 'wings'"):
        async with modelled_node(daemon="wings"):
            raise AssertionError("it was opened")


def test_a_replay_is_the_same_in_every_run_of_trio() -> None:
    """Not even the order in which trio wakes tasks shows."""

    async def evening() -> list[str]:
        async with replayed_node(FALL, leave=[1]) as node, node.running(RESTART):
            await node.hears(StatusChanged(PowerState.OFFLINE))
            await node.hears(StatusChanged(PowerState.RUNNING))
        return node.traffic

    runs = [trio.run(evening, clock=MockClock(autojump_threshold=0)) for _ in range(5)]

    assert runs == runs[:1] * 5


# ---------------------------------------------------------------- several


async def test_one_engine_runs_recipes_for_several_replayed_servers(
    autojump_clock: MockClock,
) -> None:
    """Each has its own evening, its own play and its own traffic; the panel is one."""
    calm = Script("calm", server="b2b2c3d4-0002-4000-8000-000000000002").online().wait(30)
    fall = Script("fall", crash_detection=False).online().crash(after=3).start(after=10)
    async with (
        replayed_nodes(Playback(fall.recording, leave=[1]), calm) as nodes,
        all_running(nodes, RESTART) as (falling, calming),
    ):
        await nodes[0].becomes("offline")
        await nodes[0].becomes("running")

    assert (nodes[0].panel_url, nodes[0].key) == (nodes[1].panel_url, nodes[1].key)
    Timeline(falling.transcript).sent("start").once().confirmed()
    Timeline(calming.transcript).nothing()
    assert (falling.transcript.recording, calming.transcript.recording) == ("fall", "calm")
    assert [any("offline" in line for line in node.traffic) for node in nodes] == [True, False]
    tokens = [f"= GET /api/client/servers/{node.server}/websocket 200" for node in nodes]
    told = [[line[11:].strip() for line in node.traffic if " = " in line] for node in nodes]
    assert [tokens[n] in told[n] and tokens[1 - n] not in told[n] for n in (0, 1)] == [True, True]


async def test_two_evenings_of_one_server_are_two_servers(autojump_clock: MockClock) -> None:
    async with replayed_nodes(FALL, FALL) as (one, other):
        async with one.open_session(), other.open_session():
            await one.hears("hello")
            await other.hears("hello")

        assert one.server == FALL.server != other.server


async def test_without_a_node_there_is_nothing_to_do(autojump_clock: MockClock) -> None:
    with pytest.raises(UsageError, match="give at least one node"):
        async with all_running([], RESTART):
            pass
    with pytest.raises(UsageError, match="give it one"):
        async with replayed_nodes():
            pass

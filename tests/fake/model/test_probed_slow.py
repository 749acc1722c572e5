"""The rows of the probes about readers that are slow or stop, and about what gets lost."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
import trio
from attrs import evolve
from trio.testing import MockClock

from automate.fake.model.game import ARENA, Flood, Rule, ScriptedGame
from automate.fake.model.serving import ServedModel
from automate.fake.model.settings import Kind
from automate.fake.model.signals import (
    BackupAsked,
    Commanded,
    ConditionChanged,
    Flowing,
    NodeStarted,
    NodeStopped,
    PowerAsked,
    Stalled,
    Usage,
)
from automate.wire.messages import PowerAction, PowerState
from tests.fake.model.scenes import BOTH, PELICAN, Stage, row
from tests.fake.model.test_serving import connected, hear, modelling

LAG = "[Server thread/WARN]: Running {} ms behind"


@pytest.fixture
def autojump_clock() -> MockClock:
    return MockClock(autojump_threshold=0)


# ---------------------------------------------------------------- the daemon itself


def stalled(kind: Kind) -> tuple[Stage, int, int]:
    """Return a stage with a running game, a client that reads nothing and one that reads."""
    stage = Stage(kind)
    slow, other = stage.connect(), stage.connect()
    stage.start(other)
    stage.tell(Stalled(slow))
    stage.heard(slow)
    return stage, slow, other


@row("5 a stopped reader loses")
def test_who_reads_nothing_is_kept_the_last_lines_and_loses_all_else(kind: Kind) -> None:
    """The status `stopping` never comes; what is said once it reads again does."""
    stage, slow, other = stalled(kind)
    stage.say(other, "send command", "spam 20")
    stage.wait(1)
    stage.say(other, "set state", "stop")
    stage.wait(3)
    meanwhile = stage.heard(slow)
    stage.tell(Flowing(slow))
    kept = stage.heard(slow)
    stage.say(other, "set state", "start")
    stage.wait(0.02)

    farewell = ["Stopping the server", "Saving worlds"]
    last = [*(LAG.format(n) for n in range(15, 20)), "stop"]
    assert meanwhile == []
    assert kept == last + [f"[Server thread/INFO]: {text}" for text in farewell]
    assert "status starting" in stage.heard(slow)


def seconds_of_a_kill(stage: Stage, other: int, *, leaves: int | None = None) -> float:
    """Return how long a flooding server stands in `stopping` once it is killed."""
    stage.say(other, "send command", "spam 1000")
    stage.wait(0.05)
    stage.heard(other)
    killed_at = stage.at
    stage.say(other, "set state", "kill")
    stage.wait(3)
    if leaves is not None:
        stage.leave(leaves)
    stage.wait(30)
    told = [(at, text) for at, text in stage.timed(other) if text.startswith("status")]
    assert [text for _at, text in told] == ["status stopping", "status offline"]
    return told[-1][0] - killed_at


@row("5 a stopped reader delays everybody")
def test_one_who_reads_nothing_holds_up_a_kill_for_everybody(kind: Kind) -> None:
    stage, _slow, other = stalled(kind)

    assert 9 < seconds_of_a_kill(stage, other) < 11


@row("5 a stopped reader delays everybody")
def test_once_that_one_is_gone_nothing_holds_up_anything(kind: Kind) -> None:
    stage, slow, other = stalled(kind)

    assert 3 <= seconds_of_a_kill(stage, other, leaves=slow) < 3.1


@row("5 a stopped reader delays everybody")
def test_without_such_a_one_a_kill_takes_no_time(kind: Kind) -> None:
    stage = Stage(kind)
    other = stage.connect()
    stage.start(other)

    assert 0.02 < seconds_of_a_kill(stage, other) < 0.08


def test_a_game_that_can_not_get_rid_of_its_lines_dies_with_the_rest_of_them() -> None:
    """The longest kill that was seen took 14.2 s, although 20,000 lines were printed."""
    stage, _slow, other = stalled(PELICAN)
    stage.say(other, "send command", "spam 20000")
    stage.wait(0.5)
    stage.say(other, "set state", "kill")
    stage.wait(13)
    before = stage.state
    stage.wait(2)

    assert (before, stage.state) == ("stopping", "offline")


def test_a_daemon_that_stops_meanwhile_finds_a_killed_game_dead_when_it_starts() -> None:
    stage, _slow, other = stalled(PELICAN)
    stage.say(other, "send command", "spam 1000")
    stage.wait(0.05)
    stage.say(other, "set state", "kill")
    stage.wait(1)
    stage.tell(NodeStopped())
    stage.wait(1)
    stage.tell(NodeStarted())
    stage.wait(1)

    assert stage.state == "offline"


@row("5 single lines vanish")
def test_now_and_then_a_line_of_several_at_once_gets_lost_without_a_word(kind: Kind) -> None:
    lacking = []
    for seed in range(60):
        stage = Stage(kind, seed=seed, vanishing=1 / 150)
        socket = stage.connect()
        stage.start(socket)
        for number in range(8):
            stage.say(socket, "send command", f"say {number}")
        stage.wait(0.1)
        told = stage.events(socket)
        lines = {f"say {n}" for n in range(8)}
        lines |= {f"[Server thread/INFO]: [Server] {n}" for n in range(8)}
        lacking.append(len(lines.difference(told)))

    # 2 and 4 of 30 tries lacked a line.
    assert 2 <= sum(map(bool, lacking)) <= 12
    assert max(lacking) <= 2


@row("volume folder moved away during run")
def test_a_backup_of_files_that_are_gone_fails_at_a_newer_daemon_only(kind: Kind) -> None:
    stage = Stage(kind)
    socket = stage.connect()
    stage.tell(ConditionChanged(is_volume_missing=True))
    stage.tell(BackupAsked("da554dc6-3fa9-4174-ba08-5f4119e1ff29"))
    stage.wait(1)

    (told,) = stage.heard(socket)
    assert ('"is_successful":true' in told) is (kind is not PELICAN)


# ---------------------------------------------------------------- a served one


@asynccontextmanager
async def flooding(kind: Kind, size: int) -> AsyncIterator[ServedModel]:
    """Serve a running game that floods the console on `flood N`, *size* letters a line."""
    rule = Rule(r"flood (\d+)", (Flood("{n} " + "x" * size, count="{1}"),))
    game = ScriptedGame(evolve(ARENA, rules=(rule, *ARENA.rules)))
    async with modelling(kind, game=game) as served:
        served.world.assume(PowerState.RUNNING, usage=Usage())
        yield served


@row("5 a reader that stops")
async def test_a_reader_that_stops_for_a_while_loses_nothing_below_three_megabytes(
    kind: Kind, autojump_clock: MockClock
) -> None:
    async with flooding(kind, 1500) as served, connected(served) as socket:
        served.tell(Commanded("flood 1900"))
        await trio.sleep(1)
        served.tell(PowerAsked(PowerAction.STOP))
        await trio.sleep(14)
        late = await hear(socket, 1)

    lines = [text.split()[0] for text in late if text.endswith("xxx")]
    assert lines == [str(number) for number in range(1900)]
    assert statuses(late) == ["status stopping", "status offline"]


@pytest.mark.parametrize("kind", BOTH, ids=str)
async def test_a_reader_that_stops_for_more_than_that_loses_and_holds_up_the_others(
    kind: Kind, autojump_clock: MockClock
) -> None:
    async with flooding(kind, 1700) as served, connected(served) as other:
        async with connected(served) as slow:
            served.tell(Commanded("flood 1900"))
            await hear(other, 1)
            served.tell(Commanded("flood 500"))
            await trio.sleep(0.05)
            served.tell(PowerAsked(PowerAction.KILL))
            during = statuses(await hear(other, 3))
            late = statuses(await hear(slow, 1))
        after = statuses(await hear(other, 1))

    assert (during, after) == (["status stopping"], ["status offline"])
    # It was told nothing while it did not read, and nobody tells it afterwards what it missed.
    assert late == ["status offline"]


def statuses(told: list[str]) -> list[str]:
    return [text for text in told if text.startswith("status")]

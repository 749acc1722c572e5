"""The end of a sitting, whenever it comes: recordings are whole, and what is cut off is known.

How signals bring it about, and that a second one ends all at once, is shown by real processes
(tests/cli/test_signals.py).
"""

import threading
from collections.abc import Callable
from pathlib import Path

import pytest
import trio
from trio.testing import MockClock

from automate import Asked, Block, Command, Notify, Recipe, Stop, Wait
from automate.fake.model.served import ServedNode
from automate.fake.model.settings import Kind
from automate.fake.model.signals import NodeStopped, PowerAsked, Printed, TokensDenied
from automate.recording.format import ClientFrame, Entry, ServerFrame, Transport
from automate.recording.reader import read_recording
from automate.wire.messages import PowerAction
from tests.engine.node_scenes import Scene, at_work

PATIENT = Recipe("patient", when=Asked(), then=[Command("list"), Wait(seconds=3600)])
# What was begun is put right in five seconds, and each goodbye takes one at most.
LONGEST_SECONDS = 7


@pytest.fixture
def autojump_clock() -> MockClock:
    return MockClock(autojump_threshold=0)


def nothing(_scene: Scene) -> None:
    pass


def stop_the_node(scene: Scene) -> None:
    scene.tell(NodeStopped())


def deny(scene: Scene) -> None:
    """Let the token be over, and the panel have no other."""
    world = scene.served.node.worlds[scene.server]
    for socket in world.daemon._sockets._sockets.values():
        assert socket.claims is not None
        scene.tell(TokensDenied(socket.claims.jti))
    scene.served.panel.offices[scene.server].is_transferring = True
    scene.tell(Printed("in vain"))


def flood(scene: Scene) -> None:
    for number in range(1500):
        scene.tell(Printed(f"flood {number}"))


@pytest.mark.parametrize("kind", list(Kind), ids=str)
@pytest.mark.parametrize("second", [0.0, 0.0005, 0.002, 0.01, 5.0, 36.0])
@pytest.mark.parametrize("trouble", [nothing, stop_the_node, deny, flood])
async def test_a_recording_is_whole_whenever_it_is_ended(
    second: float,
    trouble: Callable[[Scene], None],
    kind: Kind,
    autojump_clock: MockClock,
    tmp_path: Path,
) -> None:
    """In the very first moments, in a pause between two connections, and in a flood."""
    async with at_work(PATIENT, asked="patient", kind=kind, folder=tmp_path) as scene:
        if second > 1:
            await scene.at(1)
            trouble(scene)
        await scene.at(second)
        ended_at = trio.current_time()

    assert trio.current_time() - ended_at < LONGEST_SECONDS
    entries = whole_recording_in(tmp_path)
    # Each connection that was opened was closed, the last one by us if it still stood.
    ends = [one for one in entries if isinstance(one, Transport) and one.what != "failed"]
    assert [entry.what for entry in ends] == ["opened", "closed"] * (len(ends) // 2)
    if trouble is not stop_the_node and ends:
        assert ends[-1].by == "client"
    assert [thread.name for thread in threading.enumerate() if thread.name == "recording"] == []


def whole_recording_in(folder: Path) -> list[Entry]:
    [path] = folder.iterdir()
    recording = read_recording(path)
    assert recording.warnings == []
    return [*recording.entries]


async def test_all_that_was_said_until_then_is_in_it(
    autojump_clock: MockClock, tmp_path: Path
) -> None:
    async with at_work(PATIENT, folder=tmp_path) as scene:
        await scene.at(5)
        flood(scene)
        scene.tell(Printed("the last word"))
        # It takes a few turns of the loop from the node to us, and no time.
        await trio.sleep(0.01)

    frames = [one.frame for one in whole_recording_in(tmp_path) if isinstance(one, ServerFrame)]
    assert "the last word" in frames[-1]


async def test_what_is_cut_off_is_known(autojump_clock: MockClock) -> None:
    async with at_work(PATIENT, asked="patient") as scene:
        await scene.at(10)

    assert [recipe for _, recipe in scene.engine.running] == ["patient"]


async def test_what_was_begun_is_put_right(autojump_clock: MockClock, tmp_path: Path) -> None:
    careful = Recipe(
        "careful",
        when=Asked(),
        then=Block([Command("save-off"), Wait(seconds=3600)], always=[Command("save-on")]),
        on_failure=Notify("cut: {error}"),
    )
    async with at_work(careful, asked="careful", folder=tmp_path) as scene:
        await scene.at(10)

    sent = [one.args for one in whole_recording_in(tmp_path) if isinstance(one, ClientFrame)]
    assert sent[-1] == ["save-on"]
    assert scene.engine.running == []
    assert scene.words()[-2:] == [
        "> notify cut: automate was told to end",
        "careful: failed: automate was told to end",
    ]


async def test_a_node_that_is_away_does_not_hold_up_the_end(autojump_clock: MockClock) -> None:
    """What can't be put right in five seconds is left, and told as cut off."""
    careful = Recipe(
        "careful",
        when=Asked(),
        then=Block([Command("save-off"), Wait(seconds=3600)], always=[Command("save-on")]),
    )
    async with at_work(careful, asked="careful") as scene:
        await scene.at(10)
        scene.tell(NodeStopped())
        await scene.at(20)
        ended_at = trio.current_time()

    assert 5 <= trio.current_time() - ended_at < LONGEST_SECONDS
    assert [recipe for _, recipe in scene.engine.running] == ["careful"]


async def test_a_power_step_under_way_is_cut_off_and_not_taken_back(
    autojump_clock: MockClock,
) -> None:
    def hang(served: ServedNode) -> None:
        served.tell(PowerAsked(PowerAction.START))

    stopping = Recipe("stopping", when=Asked(), then=[Command("hang"), Wait(seconds=1), Stop()])
    async with at_work(stopping, asked="stopping", before=hang) as scene:
        await scene.at(30)

    assert scene.asked == ["stop"]
    assert [recipe for _, recipe in scene.engine.running] == ["stopping"]

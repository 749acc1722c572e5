"""What is recorded from a replay is what was replayed, frame by frame, to the byte.

Everything is unmodified: panel client, session and recorder on one side, the fake panel and
node on the other, with a network in memory between them and virtual time.
"""

from collections import deque
from pathlib import Path

import httpx
import pytest
import trio
from trio.testing import MockClock

from automate.engine.sitting import header_for
from automate.fake.analysis import read_script
from automate.fake.network import memory_network
from automate.fake.node import open_replay
from automate.fake.script import AnswerFrame, Push
from automate.live.panel import Panel
from automate.live.recorder import record
from automate.live.session import Session
from automate.recording.format import ServerFrame
from automate.recording.reader import Recording, read_recording
from tests.clocks import EPOCH, clock_from

ALL = sorted(path.stem for path in (Path(__file__).parents[1] / "recordings").glob("*.jsonl"))
TO_THE_BYTE = [
    "crash-recovered",
    "crash-twice",
    "crash-undetected",
    "openttd-evening",
    "out-of-memory",
]


@pytest.fixture
def autojump_clock() -> MockClock:
    return MockClock(autojump_threshold=0)


async def record_a_replay(recording: Recording, path: Path, *, speed: float = 1.0) -> Recording:
    """Return what our own recorder makes of a replay of *recording*."""
    async with (
        memory_network(),
        open_replay(recording, wall_clock=clock_from(EPOCH), speed=speed) as replay,
        # Its reuse check reads the real clock, which stands still here.
        httpx.AsyncClient(limits=httpx.Limits(keepalive_expiry=None)) as client,
        Panel(replay.panel_url, replay.key, client=client) as panel,
    ):
        server = await panel.server(replay.server)
        header = header_for(server, panel, now=EPOCH, title="again")
        async with record(path, header) as recorder, trio.open_nursery() as nursery:
            panel.on_call = recorder.called
            nursery.start_soon(Session(server.uuid, panel, listener=recorder).run)
            await replay.ended.wait()
            await trio.sleep(5)
            nursery.cancel_scope.cancel()
    return read_recording(path)


def frames(recording: Recording) -> list[str]:
    return [entry.frame for entry in recording.entries if isinstance(entry, ServerFrame)]


def frames_nobody_asked_for(recording: Recording) -> list[str]:
    script = read_script(recording.entries, server=recording.header.server)
    return [step.text for step in script.steps if isinstance(step, Push)]


def left_over(recording: Recording, wanted: list[str]) -> set[str]:
    """Return what is in *recording* besides the frames *wanted*, which must be there in order."""
    waiting, over = deque(wanted), set()
    for frame in frames(recording):
        if waiting and frame == waiting[0]:
            waiting.popleft()
        else:
            over.add(frame)
    assert not waiting, "these never came"
    return over


def answers(recording: Recording) -> set[str]:
    """Return all that may come because our own client asks: recorded answers, and old lines."""
    script = read_script(recording.entries, server=recording.header.server)
    recorded = {step.text for step in script.steps if isinstance(step, AnswerFrame)}
    lines = {frame for frame in frames(recording) if '"console output"' in frame}
    return recorded | lines | {'{"event":"auth success"}\n'}


@pytest.mark.parametrize("name", TO_THE_BYTE)
async def test_every_frame_comes_back(
    name: str, recordings: Path, tmp_path: Path, autojump_clock: MockClock
) -> None:
    recording = read_recording(recordings / f"{name}.jsonl")

    again = await record_a_replay(recording, tmp_path / "again.jsonl")

    assert frames(again) == frames(recording)


@pytest.mark.parametrize("name", ALL)
async def test_all_but_answers_to_others_questions_comes_back(
    name: str, recordings: Path, tmp_path: Path, autojump_clock: MockClock
) -> None:
    recording = read_recording(recordings / f"{name}.jsonl")

    again = await record_a_replay(recording, tmp_path / "again.jsonl")

    assert left_over(again, frames_nobody_asked_for(recording)) <= answers(recording)


@pytest.mark.parametrize("speed", [0.25, 20.0])
async def test_the_speed_changes_nothing_but_the_moments(
    speed: float, recordings: Path, tmp_path: Path, autojump_clock: MockClock
) -> None:
    recording = read_recording(recordings / "crash-twice.jsonl")

    again = await record_a_replay(recording, tmp_path / "again.jsonl", speed=speed)

    assert frames(again) == frames(recording)


async def test_no_secret_of_the_replay_is_in_the_new_recording(
    recordings: Path, tmp_path: Path, autojump_clock: MockClock
) -> None:
    await record_a_replay(
        read_recording(recordings / "token-refresh.jsonl"), tmp_path / "again.jsonl"
    )

    written = (tmp_path / "again.jsonl").read_text(encoding="utf-8")
    assert ("eyJ" in written, "ptlc_" in written, "<token:2>" in written) == (False, False, True)

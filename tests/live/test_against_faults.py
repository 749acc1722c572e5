"""A session and a replayed daemon with each fault there is: it is let in again, and stays so."""

from typing import Any

import httpx
import pytest
import trio
from trio.testing import MockClock

from automate.errors import AccessDenied
from automate.fake.faults import (
    ClockSkew,
    DropAfter,
    Duplicate,
    ExpireEarly,
    Faults,
    HalfOpen,
    Latency,
    Malform,
    PanelAnswers,
    RefuseToken,
    Reorder,
    Reset,
    SlowReader,
    Truncate,
)
from automate.fake.faults.tokens import Refusal
from automate.fake.network import memory_network
from automate.fake.node import open_replay
from automate.live.panel import Call, Panel
from automate.live.session import Session
from automate.recording.reader import Recording, read_recording
from tests.live.stage import Diary

FAULTS = {
    "a slow network": Latency(0.3, jitter_seconds=0.2),
    "frames in another order": Reorder(0.05),
    "frames that are cut": Truncate(every=7),
    "frames that are none": Malform(every=5),
    "frames that come twice": Duplicate(every=3),
    "a drop": DropAfter(frames=20, connections=2),
    "a close for a long frame": DropAfter(seconds=3.0, code=1009, connections=2),
    "a suspension": DropAfter(seconds=0.0, code=4409, reason="server is suspended", connections=2),
    "a reset": Reset(seconds=4.0, connections=3),
    "silence": HalfOpen(seconds=5.0, connections=1),
    "a slow reader": SlowReader(2000),
    "tokens that end early": ExpireEarly(540),
    "a denied token": RefuseToken(times=3),
    "a garbled token": RefuseToken(times=2, how=Refusal.GARBLED),
    "a node's clock ahead": ClockSkew(300),
    "a page instead of the panel": PanelAnswers(status=502, html=True, times=6),
    "a panel asked too often": PanelAnswers(status=429, retry_after=40, path="*/websocket"),
    "a conflict": PanelAnswers(status=409, times=4, path="*/websocket"),
    "a maintenance": PanelAnswers(status=503, times=5),
}


async def play(fault: Any, recording: Recording, *, seconds: float) -> tuple[Diary, list[float]]:
    """Return what a session heard, and when it asked for tokens."""
    diary, asked = Diary(), list[float]()

    def note(call: Call) -> None:
        if call.path.endswith("/websocket"):
            asked.append(trio.current_time())

    async with (
        memory_network(),
        open_replay(
            recording,
            wall_clock=lambda: 1.8e9 + trio.current_time(),
            faults=Faults(7, [fault]),
        ) as replay,
        httpx.AsyncClient(limits=httpx.Limits(keepalive_expiry=None)) as client,
        Panel(replay.panel_url, replay.key, client=client, on_call=note) as panel,
    ):
        with trio.move_on_after(seconds):
            await Session(recording.header.server, panel, listener=diary).run()
    return diary, asked


@pytest.fixture(scope="module")
def lifecycle(recordings: object) -> Recording:
    return read_recording(f"{recordings}/lifecycle.jsonl")


@pytest.mark.parametrize("name", FAULTS)
async def test_it_lives_through(name: str, lifecycle: Recording, autojump_clock: MockClock) -> None:
    diary, asked = await play(FAULTS[name], lifecycle, seconds=400)

    states = [
        words for words in diary.words if words.startswith(("ready", "down", "blind", "sighted"))
    ]
    assert states
    assert states[-1] in ("ready", "sighted")
    assert max(sum(at <= other < at + 60 for other in asked) for at in asked) <= 4


async def test_a_permission_that_is_missing_ends_it(
    lifecycle: Recording, autojump_clock: MockClock
) -> None:
    fault = RefuseToken(times=None, how=Refusal.NO_CONNECT)
    with pytest.raises(AccessDenied, match="missing connect permission"):
        await play(fault, lifecycle, seconds=400)

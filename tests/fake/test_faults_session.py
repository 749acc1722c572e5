"""Our own session under each fault: it goes on, or ends as its room says."""

from collections.abc import Sequence
from typing import Any

import httpx
import pytest
import trio
from trio.testing import MockClock

from automate.errors import AccessDenied, AutomateError
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
    Refusal,
    RefuseToken,
    Reorder,
    Reset,
    SlowReader,
    Truncate,
)
from automate.fake.network import memory_network
from automate.fake.node import open_replay
from automate.fake.signals import NoteKind
from automate.live.listener import Listener
from automate.live.panel import Panel
from automate.live.session import Session
from automate.recording.format import Entry
from automate.wire.messages import SetState
from tests.fake.scenes import LOGIN, frame, recorded, told
from tests.fake.served import replaying, wall_clock

# A server that has something to say each second, for five minutes.
TALK: list[Entry] = [
    *LOGIN,
    *(told(number, "console output", f"line {number}") for number in range(1, 301)),
]
LAST = frame("console output", "line 300")


class Ear(Listener):
    """Hears what is new in each session's life, and the texts."""

    def __init__(self) -> None:
        self.life: list[str] = []
        self.texts: list[str] = []

    def received(self, at: float, texts: Sequence[str]) -> None:
        self.texts += texts

    def ready(self, at: float) -> None:
        self.life.append("ready")

    def down(self, at: float, reason: str) -> None:
        self.life.append(f"down: {reason}")

    def blind(self, at: float, reason: str) -> None:
        self.life.append(f"blind: {reason}")

    def sighted(self, at: float) -> None:
        self.life.append("sighted")

    def not_sent(self, at: float, message: Any, reason: str) -> None:
        self.life.append(f"not sent: {reason}")

    def ended(self, at: float, error: AutomateError) -> None:
        self.life.append("ended")


async def sit(*faults: Any, seconds: float = 400, seed: int = 1) -> tuple[Ear, list[str]]:
    """Keep a session for so long; after 290 seconds, stop the server. Return what came of it."""
    ear = Ear()
    async with replaying(recorded(*TALK), faults=Faults(seed, faults)) as replay:
        limits = httpx.Limits(keepalive_expiry=None)
        async with (
            httpx.AsyncClient(limits=limits) as client,
            Panel(replay.panel_url, replay.key, client=client) as panel,
            trio.open_nursery() as nursery,
        ):
            session = Session(replay.server, panel, listener=ear)
            nursery.start_soon(session.run)
            with trio.move_on_after(seconds):
                await trio.sleep(290)
                session.send(SetState("stop"))
                await trio.sleep_forever()
            nursery.cancel_scope.cancel()
    return ear, [note.text for note in replay.notes if note.kind is NoteKind.IGNORED]


@pytest.mark.parametrize(
    ("fault", "life"),
    [
        (Latency(0.3, 1), ["ready"]),
        (Reorder(2), ["ready"]),
        (Duplicate(every=2), ["ready"]),
        (Truncate(every=5), ["ready"]),
        (Malform(every=5), ["ready"]),
        (SlowReader(2000), ["ready"]),
        (DropAfter(seconds=100, connections=2), ["ready", "down", "ready", "down", "ready"]),
        (DropAfter(frames=50, connections=1), ["ready", "down", "ready"]),
        (DropAfter(frames=50, connections=1, code=1001), ["ready", "down", "ready"]),
        (Reset(seconds=100, connections=1), ["ready", "down", "ready"]),
        (HalfOpen(seconds=100, connections=1), ["ready", "down", "ready"]),
        (ExpireEarly(540), ["ready"]),
        (ClockSkew(540), ["ready", *["blind", "sighted"] * 4]),
        (ClockSkew(-500), ["ready"]),
        (RefuseToken(2), ["ready"]),
        (RefuseToken(1, Refusal.GARBLED), ["ready"]),
        (PanelAnswers(status=429, retry_after=20), ["ready"]),
        (PanelAnswers(status=500, times=3), ["ready"]),
        (PanelAnswers(status=502, html=True, times=2), ["ready"]),
    ],
    ids=str,
)
async def test_a_session_survives(fault: Any, life: list[str], autojump_clock: MockClock) -> None:
    """In the end it is let in, and what it is asked to do is done."""
    ear, deeds = await sit(fault)

    assert [words.split(":")[0] for words in ear.life] == life
    assert deeds[:1] == ["set state stop: the recording goes its own way"]
    assert LAST in ear.texts[-9:]  # or some that were overtaken


async def test_a_session_survives_all_at_once(autojump_clock: MockClock) -> None:
    ear, deeds = await sit(
        Latency(0.1, 0.4),
        Duplicate(probability=0.1),
        Truncate(probability=0.05),
        Malform(probability=0.05),
        DropAfter(frames=60),
        PanelAnswers(status=502, html=True),
        RefuseToken(1, skip=1),
    )

    assert "ended" not in ear.life
    assert ear.life.count("ready") > 3
    # Done, or given back: a connection was down when it was asked for, and took too long.
    assert len(deeds) + ear.life.count("not sent: no connection within 30 s") == 1


async def test_an_auth_success_that_is_lost_is_not_waited_for_for_ever(
    autojump_clock: MockClock,
) -> None:
    """The first frame of each connection is unreadable; the session says so each time."""
    ear, deeds = await sit(Malform(probability=1), seconds=300)

    assert "ready" not in ear.life
    assert "ended" not in ear.life
    assert deeds == []


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        (PanelAnswers(status=403, times=None, path="*/websocket"), "the key may not listen to"),
        (RefuseToken(None, Refusal.NO_CONNECT), "the node refuses the token"),
    ],
    ids=str,
)
async def test_what_will_not_get_better_ends_it_clearly(
    fault: Any, message: str, autojump_clock: MockClock
) -> None:
    with pytest.raises(AccessDenied, match=message):
        await sit(fault)


async def test_fifty_servers_an_hour_of_bad_network_and_no_port(
    autojump_clock: MockClock,
) -> None:
    """Each node has faults of its own; all sessions come through, in virtual time."""
    ears = [Ear() for _ in range(50)]

    async def sit_at(ear: Ear, seed: int) -> None:
        faults = Faults(seed, [Latency(0.1, 0.5), DropAfter(seconds=600)])
        async with (
            open_replay(recorded(*LOGIN), wall_clock=wall_clock, faults=faults) as replay,
            httpx.AsyncClient(limits=httpx.Limits(keepalive_expiry=None)) as client,
            Panel(replay.panel_url, replay.key, client=client) as panel,
        ):
            await Session(replay.server, panel, listener=ear).run()

    async with memory_network(), trio.open_nursery() as nursery:
        for seed, ear in enumerate(ears):
            nursery.start_soon(sit_at, ear, seed)
        await trio.sleep(3600)
        nursery.cancel_scope.cancel()

    assert {ear.life.count("ready") for ear in ears} <= {5, 6}
    assert {words for ear in ears for words in ear.life} == {"ready", "down: the connection broke"}

"""The faults of a replay, at a served model."""

from typing import Any

import httpx
import pytest
import trio
from trio.testing import MockClock

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
from automate.fake.model.serving import open_model
from automate.fake.network import memory_network
from automate.live.panel import Panel
from automate.live.session import Session
from automate.wire.messages import PowerState, SetState
from tests.fake.served import wall_clock
from tests.fake.test_faults_session import Ear


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
        (Reset(seconds=100, connections=1), ["ready", "down", "ready"]),
        (HalfOpen(seconds=100, connections=1), ["ready", "down", "ready"]),
        (ExpireEarly(540), ["ready"]),
        (ClockSkew(540), ["ready"]),
        (RefuseToken(2), ["ready"]),
        (RefuseToken(1, Refusal.NO_CONNECT, skip=1), ["ready"]),
        (RefuseToken(1, Refusal.GARBLED), ["ready"]),
        (PanelAnswers(status=502, html=True, times=2), ["ready"]),
    ],
    ids=str,
)
async def test_a_session_survives(fault: Any, life: list[str], autojump_clock: MockClock) -> None:
    """In the end it is let in, and starts the server."""
    ear = Ear()
    async with memory_network(), open_model(wall_clock=wall_clock, faults=Faults(1, [fault])) as it:
        async with (
            httpx.AsyncClient(limits=httpx.Limits(keepalive_expiry=None)) as client,
            Panel(it.panel_url, it.key, client=client) as panel,
            trio.open_nursery() as nursery,
        ):
            session = Session(it.server, panel, listener=ear)
            nursery.start_soon(session.run)
            await trio.sleep(300)
            session.send(SetState("start"))
            await trio.sleep(100)
            nursery.cancel_scope.cancel()

        assert it.world.daemon.state is PowerState.RUNNING
    assert [words.split(":")[0] for words in ear.life if "sighted" not in words] == life

"""Hours with a node that misbehaves by a seeded script: is anything lost without being marked?

A session records a model of the newer daemon over a network in memory, in virtual time. The game
says a numbered line every few seconds. Meanwhile, by chance with a seed: the connection is
dropped, goes silent, is read slowly, is closed with 1009 or 4409, brings frames that are none;
the daemon is restarted, its users are revoked; the panel gives no tokens until they are over;
the console is flooded. In the end each line must be in the recording, or within a gap that is
marked in it; what the session remembers must not have grown; the same seed must give the same
recording::

    python -m tests.live.soak --hours 24 --seed 1
"""

import argparse
import hashlib
import json
import re
import sys
import tempfile
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from random import Random
from typing import Any, Final

import httpx
import trio
from attrs import Factory, define, frozen
from trio.testing import MockClock

from automate.fake.faults.streams import SwitchedStream
from automate.fake.model.office import PanelSettings
from automate.fake.model.serving import ServedModel, open_model
from automate.fake.model.settings import Kind, Settings
from automate.fake.model.signals import (
    ConditionChanged,
    NodeStarted,
    NodeStopped,
    Printed,
    UserRevoked,
)
from automate.fake.network import memory_network
from automate.live.panel import Panel
from automate.live.recorder import record
from automate.live.session import Session
from automate.live.websocket import NodeSocket, SocketClosed, socket_over
from automate.recording.format import Header
from automate.testing.seeds import scheduled
from automate.wire.messages import SetState

__all__ = ["Report", "soak"]

_SECONDS_BETWEEN_LINES: Final = 4.0
_SECONDS_BETWEEN_TROUBLES: Final = (20.0, 240.0)
# A flood that the daemon lets through: over 2000 lines in 0.1 s it drops some itself.
_FLOOD_LINES: Final = 1500
_ODD_FRAMES: Final = (
    "{broken",
    "[]",
    "null",
    "",
    '{"event":5}',
    '{"event":"status","args":[{}]}',
    '{"event":"stats","args":["{"]}',
    '{"event":"from the future","args":[1,[2]]}',
    '{"event":"console output","args":[]}',
    "[" * 5000,
)
_TROUBLES: Final = (
    "drop", "silence", "slow", "1009", "4409", "odd", "restart", "revoke", "expiry", "flood",
)  # fmt: skip


@frozen(kw_only=True)
class Report:
    """What came of it: *lost* are the numbers of lines that are nowhere and in no gap."""

    said: int
    recorded: int
    lost: list[int]
    troubles: Counter[str]
    gaps: int
    most_remembered: int
    tokens_in_a_minute: int
    digest: str

    def __str__(self) -> str:
        troubles = ", ".join(f"{what}: {count}" for what, count in sorted(self.troubles.items()))
        return (
            f"{self.said} lines said, {self.recorded} recorded, {self.gaps} gaps, "
            f"{len(self.lost)} lines lost without a mark; at most {self.tokens_in_a_minute} tokens "
            f"in a minute; {self.most_remembered} bytes remembered at most; {self.digest[:16]}\n"
            f"{troubles}"
        )


@define(eq=False)
class Line:
    """The way to the node, which can be made worse."""

    stream: SwitchedStream | None = None
    slow_until: float = 0.0
    odd: list[str] = Factory(list)
    ending: SocketClosed | None = None

    @asynccontextmanager
    async def connect(self, url: str, origin: str) -> AsyncIterator[NodeSocket]:
        host, _, port = url.split("/")[2].partition(":")
        try:
            plain = await trio.open_tcp_stream(host, int(port))
        except OSError as error:
            raise AssertionError("the model listens as long as it runs") from error
        self.stream, self.ending = SwitchedStream(_Slow(plain, self)), None
        async with socket_over(self.stream, url, origin) as inner:
            yield _Rough(inner, self)

    async def drop(self) -> None:
        if self.stream is not None:
            await trio.aclose_forcefully(self.stream)


class _Slow(trio.abc.Stream):
    """A stream of which nothing is read for a while, now and then."""

    def __init__(self, stream: trio.abc.Stream, line: Line) -> None:
        self._stream = stream
        self._line = line

    async def receive_some(self, max_bytes: int | None = None) -> bytes | bytearray:
        await trio.sleep_until(max(self._line.slow_until, trio.current_time()))
        return await self._stream.receive_some(max_bytes)

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        await self._stream.send_all(data)

    async def wait_send_all_might_not_block(self) -> None:
        await self._stream.wait_send_all_might_not_block()

    async def aclose(self) -> None:
        await self._stream.aclose()


class _Rough:
    """A websocket that also brings what no daemon should send."""

    def __init__(self, inner: NodeSocket, line: Line) -> None:
        self._inner = inner
        self._line = line
        self.send = inner.send
        self.ping = inner.ping

    async def receive(self) -> list[str]:
        try:
            texts = await self._inner.receive()
        except SocketClosed as closed:
            raise self._line.ending or closed from None
        odd, self._line.odd = self._line.odd, []
        return [*texts, *odd]


class _Troubles:
    """One trouble after the other, each over before the next begins."""

    def __init__(self, served: ServedModel, line: Line, chance: Random) -> None:
        self._served = served
        self._line = line
        self._chance = chance
        self.counts: Counter[str] = Counter()
        self.printed = 0

    async def make(self) -> None:
        bag: list[str] = []
        while True:
            await trio.sleep(self._chance.uniform(*_SECONDS_BETWEEN_TROUBLES))
            bag = bag or self._chance.sample(_TROUBLES, len(_TROUBLES))
            name = bag.pop()
            self.counts[name] += 1
            await getattr(self, f"_{name}")()

    async def _drop(self) -> None:
        await self._line.drop()

    async def _silence(self) -> None:
        if self._line.stream is not None:
            self._line.stream.silence()

    async def _slow(self) -> None:
        self._line.slow_until = trio.current_time() + self._chance.uniform(1, 30)

    async def _1009(self) -> None:
        self._line.ending = SocketClosed(1009, None)
        await self._line.drop()

    async def _4409(self) -> None:
        office, tell = self._served.office, self._served.tell
        office.status = "restoring_backup"
        tell(ConditionChanged(is_restoring=True))
        await self._line.drop()
        await trio.sleep(self._chance.uniform(5, 300))
        office.status = None
        tell(ConditionChanged(is_restoring=False))

    async def _odd(self) -> None:
        self._line.odd += self._chance.sample(_ODD_FRAMES, 5)

    async def _restart(self) -> None:
        self._served.tell(NodeStopped())
        await trio.sleep(self._chance.uniform(0.5, 120))
        self._served.tell(NodeStarted())

    async def _revoke(self) -> None:
        user = self._served.office.settings.users[self._served.key].uuid
        self._served.tell(UserRevoked(user))

    async def _expiry(self) -> None:
        """Let the panel give no token for longer than one lives."""
        self._served.office.is_transferring = True
        await trio.sleep(self._chance.uniform(300, 900))
        self._served.office.is_transferring = False

    async def _flood(self) -> None:
        for number in range(_FLOOD_LINES):
            self._served.tell(Printed(f"flood {number}"))

    async def talk(self, said_at: list[float]) -> None:
        while True:
            said_at.append(trio.current_time())
            self._served.tell(Printed(f"line {len(said_at) - 1}"))
            await trio.sleep(_SECONDS_BETWEEN_LINES)


def remembered(session: Session) -> int:
    """Return about how many bytes the session keeps, but for what it is written in."""
    inside: dict[str, Any] = vars(session)
    kept = ("_conversation", "_seen", "_to_do", "_early")
    return sum(len(repr(getattr(inside[name], "state", inside[name]))) for name in kept)


async def _live(path: Path, *, seconds: float, seed: int) -> Report:
    line, said_at, most = Line(), list[float](), 0
    async with (
        memory_network(),
        open_model(
            wall_clock=lambda: 1.8e9 + trio.current_time(),
            settings=Settings(kind=Kind.PELICAN),
            panel=PanelSettings(token_seconds=600),
            seed=seed,
            key="ptlc_soak",
        ) as served,
        httpx.AsyncClient(limits=httpx.Limits(keepalive_expiry=None)) as client,
        record(path, Header(served.server, "2026-11-24T21:00:00Z"), overwrite=True) as recorder,
        Panel(served.panel_url, served.key, client=client, on_call=recorder.called) as panel,
        trio.open_nursery() as nursery,
    ):
        start = trio.current_time()
        session = Session(served.server, panel, listener=recorder, connect=line.connect)
        nursery.start_soon(session.run)
        session.send(SetState("start"))
        await trio.sleep(10)
        troubles = _Troubles(served, line, Random(seed))
        nursery.start_soon(troubles.talk, said_at)
        nursery.start_soon(troubles.make)
        while trio.current_time() - start < seconds:
            await trio.sleep(60)
            most = max(most, remembered(session))
        nursery.cancel_scope.cancel()
    moments = [at - start for at in said_at]
    return _judge(path, moments, troubles=troubles.counts, most_remembered=most)


def _judge(path: Path, said_at: list[float], **facts: Any) -> Report:
    """Compare what was said, and when, with the recording."""
    found, begun, gaps = set[int](), None, list[tuple[float, float]]()
    tokens: list[float] = []
    digest = hashlib.sha256()
    with path.open("rb") as file:
        for raw in file:
            entry = json.loads(raw)
            digest.update(_without_chance(raw))
            t = entry.get("t", 0.0)
            match entry:
                case {"event": "console output", "args": [str(text)]} if text[:5] == "line ":
                    found.add(int(text[5:]))
                case {"what": "gap", "since": since}:
                    begun = since
                case {"what": "gap"}:
                    assert begun is not None
                    gaps.append((begun, t))
                    begun = None
                case {"from": "panel", "path": str(asked)} if asked.endswith("/websocket"):
                    tokens.append(t)
                case _:
                    pass
    if begun is not None:
        gaps.append((begun, float("inf")))
    # A frame takes a few milliseconds of virtual time; what is said at the last moment may not
    # be there yet.
    lost = [
        number
        for number, at in enumerate(said_at[:-1])
        if number not in found and not any(a - 0.01 <= at <= b + 0.01 for a, b in gaps)
    ]
    return Report(
        said=len(said_at),
        recorded=len(found),
        lost=lost,
        gaps=len(gaps),
        tokens_in_a_minute=max(sum(at <= t < at + 60 for t in tokens) for at in tokens),
        digest=digest.hexdigest(),
        **facts,
    )


# How long a call took is measured in virtual time; ids and tokens are drawn anew in each run.
_CHANCE: Final = re.compile(rb"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")


def _without_chance(raw: bytes) -> bytes:
    return _CHANCE.sub(b"-", raw)


def soak(*, hours: float, seed: int, path: Path) -> Report:
    """Record so many virtual *hours* of misbehaviour to *path*, and say what came of it."""
    with scheduled(seed):
        clock = MockClock(autojump_threshold=0)
        return trio.run(lambda: _live(path, seconds=hours * 3600, seed=seed), clock=clock)


def main() -> int:
    """Run from the command line; return 1 if anything was lost without a mark."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--hours", type=float, default=24.0)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        report = soak(hours=arguments.hours, seed=arguments.seed, path=Path(folder, "soak.jsonl"))
    print(report)
    return 1 if report.lost else 0


if __name__ == "__main__":
    sys.exit(main())

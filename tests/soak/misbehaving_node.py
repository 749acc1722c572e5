"""Hours with a node that misbehaves by a seeded script: is anything lost without being marked?

Sessions record the servers of a modelled node over a network in memory, in virtual time, with
shipped recipes at work. Each game says a numbered line every few seconds and reports its use each
second. Meanwhile, by chance with a seed, at each server: the connection is dropped, goes silent,
is read slowly, is closed with 1009 or 4409, brings frames that are none; the game crashes, or
floods its console; the panel gives no tokens until the old ones are over. And to all at once: the
daemon is restarted, its users are revoked.

In the end each event that the daemon told must be in the recording, or within a gap that is marked
in it; the process must not have grown; the same seed must give the same recordings::

    python -m tests.soak.misbehaving_node --hours 24 --seed 1
"""

import argparse
import gc
import hashlib
import sys
import tempfile
import tracemalloc
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from typing import Final

import httpx
import trio
from attrs import Factory, define, frozen
from trio.testing import MockClock

from automate.engine.engine import Engine
from automate.engine.listener import listener_of
from automate.engine.watcher import Watcher
from automate.fake.faults.streams import SwitchedStream
from automate.fake.model.served import ServedNode
from automate.fake.model.serving import Tenant, open_node
from automate.fake.model.settings import Kind, Settings
from automate.fake.model.signals import (
    Commanded,
    ConditionChanged,
    Input,
    NodeStarted,
    NodeStopped,
    PowerAsked,
    Printed,
    UserRevoked,
)
from automate.fake.network import memory_network
from automate.live.listener import together
from automate.live.panel import Call, Panel
from automate.live.recorder import record
from automate.live.session import Session
from automate.live.websocket import NodeSocket, SocketClosed, socket_over
from automate.recording.format import Header
from automate.testing.seeds import scheduled
from automate.wire.messages import PowerAction, PowerState
from tests.soak.fifty_servers import shipped_recipes
from tests.soak.ledgers import Ledger, judge

__all__ = ["Report", "soak"]

_BEGAN: Final = datetime(2026, 11, 24, 21, tzinfo=UTC)
_SERVERS: Final = "a{}b2c3d4-0001-4000-8000-000000000001"
_SECONDS_BETWEEN_LINES: Final = 4.0
_SECONDS_BETWEEN_TROUBLES: Final = (20.0, 240.0)
_SECONDS_BETWEEN_NODE_TROUBLES: Final = (300.0, 1800.0)
# A flood that the daemon lets through: over 2000 lines in 0.1 s it drops some itself.
_FLOOD_LINES: Final = 1500
# Everything that is ever loaded is by then.
_WARM_SECONDS: Final = 1200.0
_ODD_FRAMES: Final = (
    "{broken",
    "[]",
    "null",
    "",
    '{"event":5}',
    '{"event":"status","args":[{}]}',
    '{"event":"status","args":["missing"]}',
    '{"event":"stats","args":["{"]}',
    '{"event":"from the future","args":[1,[2]]}',
    '{"event":"console output","args":[]}',
    '{"event":"throttled","args":["global"]}',
    '{"event":"daemon error","args":["Error Event [x]: something"]}',
    "[" * 5000,
)
_TROUBLES: Final = (
    "drop", "silence", "slow", "1009", "4409", "odd", "expiry", "flood", "crash",
)  # fmt: skip


@frozen(kw_only=True)
class Report:
    """What came of it: *lost* are the moments of events that are nowhere and in no gap."""

    told: int
    recorded: int
    lost: list[float]
    troubles: Counter[str]
    gaps: int
    blind_seconds: float
    tokens_in_a_minute: int
    memory_before: int
    memory_after: int
    digest: str

    def __str__(self) -> str:
        troubles = ", ".join(f"{what}: {count}" for what, count in sorted(self.troubles.items()))
        grown = self.memory_after - self.memory_before
        return (
            f"{self.told} events told, {self.recorded} recorded, {self.gaps} gaps "
            f"({self.blind_seconds / 3600:.1f} h), {len(self.lost)} events lost without a mark; "
            f"at most {self.tokens_in_a_minute} tokens in a minute; memory "
            f"{self.memory_before / 2**20:.1f} MiB, in the end {grown / 2**20:+.2f} MiB; "
            f"{self.digest[:16]}\n{troubles}"
        )


# ---------------------------------------------------------------- the way to the node


@define(eq=False)
class Road:
    """The way to the node for one server, which can be made worse."""

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

    def __init__(self, stream: trio.abc.Stream, road: Road) -> None:
        self._stream = stream
        self._road = road

    async def receive_some(self, max_bytes: int | None = None) -> bytes | bytearray:
        await trio.sleep_until(max(self._road.slow_until, trio.current_time()))
        return await self._stream.receive_some(max_bytes)

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        await self._stream.send_all(data)

    async def wait_send_all_might_not_block(self) -> None:
        await self._stream.wait_send_all_might_not_block()

    async def aclose(self) -> None:
        await self._stream.aclose()


class _Rough:
    """A websocket that also brings what no daemon should send."""

    def __init__(self, inner: NodeSocket, road: Road) -> None:
        self._inner = inner
        self._road = road
        self.send = inner.send
        self.ping = inner.ping

    async def receive(self) -> list[str]:
        try:
            texts = await self._inner.receive()
        except SocketClosed as closed:
            raise self._road.ending or closed from None
        odd, self._road.odd = self._road.odd, []
        return [*texts, *odd]


# ---------------------------------------------------------------- troubles


class _Troubles:
    """One server's troubles, one after the other, each over before the next begins."""

    def __init__(
        self, served: ServedNode, server: str, road: Road, chance: Random, counts: Counter[str]
    ) -> None:
        self._served = served
        self._server = server
        self._road = road
        self._chance = chance
        self._counts = counts
        self._world = served.node.worlds[server]
        self._office = served.panel.offices[server]

    def tell(self, happened: Input) -> None:
        self._served.tell(happened, server=self._server)

    async def make(self, until: float) -> None:
        bag: list[str] = []
        while True:
            await trio.sleep(self._chance.uniform(*_SECONDS_BETWEEN_TROUBLES))
            if trio.current_time() > until:
                return
            bag = bag or self._chance.sample(_TROUBLES, len(_TROUBLES))
            name = bag.pop()
            self._counts[name] += 1
            await getattr(self, f"_{name}")()

    async def talk(self) -> None:
        """Let the game say something now and then; if it is given up, somebody starts it."""
        number = 0
        while True:
            await trio.sleep(_SECONDS_BETWEEN_LINES)
            number += 1
            if self._world.daemon.power.is_process_running:
                self.tell(Printed(f"line {number}"))
            elif number % 100 == 0 and self._world.daemon.state is PowerState.OFFLINE:
                self.tell(PowerAsked(PowerAction.START))

    async def _drop(self) -> None:
        await self._road.drop()

    async def _silence(self) -> None:
        if self._road.stream is not None:
            self._road.stream.silence()

    async def _slow(self) -> None:
        self._road.slow_until = trio.current_time() + self._chance.uniform(1, 30)

    async def _1009(self) -> None:
        self._road.ending = SocketClosed(1009, None)
        await self._road.drop()

    async def _4409(self) -> None:
        self._office.status = "restoring_backup"
        self.tell(ConditionChanged(is_restoring=True))
        await self._road.drop()
        await trio.sleep(self._chance.uniform(5, 300))
        self._office.status = None
        self.tell(ConditionChanged(is_restoring=False))

    async def _odd(self) -> None:
        self._road.odd += self._chance.sample(_ODD_FRAMES, 5)

    async def _expiry(self) -> None:
        """Let the panel give no token for longer than one lives."""
        self._office.is_transferring = True
        await trio.sleep(self._chance.uniform(300, 900))
        self._office.is_transferring = False

    async def _flood(self) -> None:
        for number in range(_FLOOD_LINES):
            self.tell(Printed(f"flood {number}"))

    async def _crash(self) -> None:
        self.tell(Commanded("crash 3"))


async def _trouble_the_node(
    served: ServedNode, chance: Random, counts: Counter[str], until: float
) -> None:
    while True:
        await trio.sleep(chance.uniform(*_SECONDS_BETWEEN_NODE_TROUBLES))
        if trio.current_time() > until:
            return
        if chance.random() < 0.7:
            counts["restart"] += 1
            served.tell(NodeStopped())
            await trio.sleep(chance.uniform(0.5, 120))
            served.tell(NodeStarted())
        else:
            counts["revoke"] += 1
            [office, *_] = served.panel.offices.values()
            served.tell(UserRevoked(office.settings.users[served.key].uuid))


# ---------------------------------------------------------------- the run


class _Quiet(Watcher):
    """A watcher that needs no lines."""

    def did(self, action: object, *, dry: bool) -> None:
        pass

    def decided(self, traced: object) -> None:
        pass

    def saw(self, server: str, words: str) -> None:
        pass

    def gave_up(self, server: str, error: Exception) -> None:
        raise AssertionError(f"{server} is given up: {error}")


async def _live(
    folder: Path, *, seconds: float, seed: int, servers: Sequence[str], kind: Kind
) -> tuple[Counter[str], tuple[int, int]]:
    counts: Counter[str] = Counter()
    begun_at = trio.current_time()
    until = begun_at + seconds
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(memory_network())
        ledgers = {
            server: Ledger(stack.enter_context((folder / server).open("wb")), begun_at)
            for server in servers
        }
        served = await stack.enter_async_context(
            open_node(
                [Tenant(Settings(kind=kind, server=server)) for server in servers],
                wall_clock=lambda: _BEGAN.timestamp() + trio.current_time() - begun_at,
                seed=seed,
                key="ptlc_soak",
                on_frame=lambda server, frame: ledgers[server].note(frame),
            )
        )
        limits = httpx.Limits(keepalive_expiry=None)
        client = await stack.enter_async_context(httpx.AsyncClient(limits=limits))
        recorders = {
            server: await stack.enter_async_context(
                record(folder / f"{server}.jsonl", Header(server, _BEGAN.isoformat()))
            )
            for server in servers
        }

        def called(call: Call) -> None:
            for recorder in recorders.values():
                recorder.called(call)

        panel = Panel(served.panel_url, served.key, client=client, on_call=called)
        engine = Engine(
            shipped_recipes(),
            dict.fromkeys(servers, "arena"),
            panel=panel,
            now=lambda: datetime.fromtimestamp(
                _BEGAN.timestamp() + trio.current_time() - begun_at, UTC
            ),
            watchers=[_Quiet()],
        )
        nursery = await stack.enter_async_context(trio.open_nursery())
        nursery.start_soon(engine.run)
        for number, server in enumerate(servers):
            road = Road()
            listener = together(recorders[server], listener_of(engine, server))
            session = Session(server, panel, listener=listener, connect=road.connect)
            engine.add_sender(server, session)
            nursery.start_soon(session.run)
            troubles = _Troubles(served, server, road, Random(f"{seed} {number}"), counts)
            troubles.tell(PowerAsked(PowerAction.START))
            nursery.start_soon(troubles.talk)
            nursery.start_soon(troubles.make, until - 90)
        nursery.start_soon(_trouble_the_node, served, Random(f"{seed} node"), counts, until - 90)
        await trio.sleep_until(begun_at + min(_WARM_SECONDS, seconds / 2))
        before = _memory()
        await trio.sleep_until(until)
        after = _memory()
        nursery.cancel_scope.cancel()
    return counts, (before, after)


def _memory() -> int:
    """Return how much memory is in use: by Python's objects if that is traced, else by all."""
    gc.collect()
    if tracemalloc.is_tracing():
        return tracemalloc.get_traced_memory()[0]
    try:
        resident = Path("/proc/self/statm").read_text("ascii").split()[1]
    except OSError:
        return 0  # this system does not tell
    return int(resident) * 4096


def soak(
    *, hours: float, seed: int, folder: Path, servers: int = 3, kind: Kind = Kind.PELICAN
) -> Report:
    """Record so many virtual *hours* of misbehaviour into *folder*; say what came of it."""
    names = [_SERVERS.format(number) for number in range(servers)]
    with scheduled(seed):
        counts, (before, after) = trio.run(
            lambda: _live(folder, seconds=hours * 3600, seed=seed, servers=names, kind=kind),
            clock=MockClock(autojump_threshold=0),
        )
    digest = hashlib.sha256()
    # What is told at the last moment is still under way.
    until = hours * 3600 - 0.1
    verdicts = [judge(folder, name, until=until, digest=digest) for name in names]
    return Report(
        told=sum(one.told for one in verdicts),
        recorded=sum(one.recorded for one in verdicts),
        lost=[at for one in verdicts for at in one.lost],
        troubles=counts,
        gaps=sum(len(one.gaps) for one in verdicts),
        blind_seconds=sum(min(end, until) - begin for one in verdicts for begin, end in one.gaps),
        tokens_in_a_minute=max(
            sum(at <= t < at + 60 for t in one.tokens) for one in verdicts for at in one.tokens
        ),
        memory_before=before,
        memory_after=after,
        digest=digest.hexdigest(),
    )


def main() -> int:
    """Run from the command line; return 1 if anything was lost without a mark."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--hours", type=float, default=24.0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--servers", type=int, default=3)
    parser.add_argument("--kind", type=Kind, choices=list(Kind), default=Kind.PELICAN)
    parser.add_argument("--trace", action="store_true", help="show what grew (takes longer)")
    arguments = parser.parse_args()
    if arguments.trace:
        tracemalloc.start(8)
    with tempfile.TemporaryDirectory() as folder:
        report = soak(
            hours=arguments.hours,
            seed=arguments.seed,
            folder=Path(folder),
            servers=arguments.servers,
            kind=arguments.kind,
        )
    print(report)
    if report.lost:
        print("lost at", ", ".join(f"{at:.3f}" for at in report.lost[:20]))
    return 1 if report.lost else 0


if __name__ == "__main__":
    sys.exit(main())

"""Fifty servers at once under all shipped recipes: is what the recipes do left to chance?

Every server is a recording, replayed by a fake node of its own; one engine watches them all. No
port is opened and no time passes: the network is in memory and the clock is virtual. trio runs
tasks that wake together in an order that it draws by lot, another one in each run here. All of
them must give one transcript, in which the order is by moment, then by server as given, then by
recipe as loaded::

    python tests/soak/fifty_servers.py --runs 1000
"""

import argparse
import random
import sys
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack, suppress
from datetime import UTC, datetime, timedelta
from itertools import pairwise, zip_longest
from pathlib import Path
from typing import Final

import httpx
import trio
from attrs import evolve, frozen
from msgspec.structs import replace
from trio.testing import MockClock

from automate.engine.engine import Engine, Watcher
from automate.engine.listener import listener_of
from automate.errors import AutomateError
from automate.fake.network import memory_network
from automate.fake.node import Replay, open_replay
from automate.live.panel import Panel
from automate.live.session import Session
from automate.machine.actions import Output, Traced, action_fields
from automate.recipe.loader import load
from automate.recipe.recipe import Recipe
from automate.recording.format import PanelCall
from automate.recording.reader import Recording, read_recording
from automate.testing.seeds import scheduled

__all__ = ["Line", "Server", "by_server", "deal", "in_order", "play", "server", "shipped_recipes"]

_ROOT: Final = Path(__file__).parents[2]
# Shortly before the nightly backup, which is also when the rules are announced.
_STARTS: Final = datetime(2026, 11, 24, 4, 29, 45, tzinfo=UTC)
# By then the longest tape is over, and so is all that the recipes began on it.
_SECONDS: Final = 180.0
# Deeds that are left to the recipes: these tapes stand still until a recipe does them.
_LEFT: Final = {"crash-recovered": (3,), "backup-before-stop": (3, 4, 5, 6, 7)}
# Its four thousand lines show nothing here, and take longer than all the others.
_LEFT_OUT: Final = ("console-flood",)
_RECIPES: Final = ("announcements", "backup_before_stop", "restart_on_crash")
_KEY: Final = "ptlc_fifty"


@frozen(kw_only=True)
class Server:
    """One server: its recording, and how long after the others' it begins."""

    name: str
    recording: Recording
    offset_seconds: float

    @property
    def uuid(self) -> str:
        return self.recording.header.server


@frozen(kw_only=True)
class Line:
    """One line of the transcript: something that was done, or decided, *at* a second."""

    at: float
    server: str
    recipe: str
    words: str
    is_decision: bool

    def __str__(self) -> str:
        return f"{self.at:9.4f}  {self.server}: {self.recipe}: {self.words}"


# ---------------------------------------------------------------- who plays


def deal(count: int, *, seed: int) -> list[Server]:
    """Return *count* servers: which recording each plays, and from when on, is up to *seed*.

    Offsets are few, so that many servers do the same thing at the same instant.
    """
    paths = sorted((_ROOT / "recordings").glob("*.jsonl"))
    tapes = [read_recording(path) for path in paths if path.stem not in _LEFT_OUT]
    tapes += 2 * [tape for tape in tapes if tape.header.title in _LEFT]
    chance = random.Random(seed)
    return [
        server(number, chance.choice(tapes), offset_seconds=chance.randrange(5) * 2.5)
        for number in range(1, count + 1)
    ]


def server(number: int, tape: Recording, *, offset_seconds: float = 0.0) -> Server:
    """Return a server that plays *tape* under an id of its own."""
    uuid = f"{number:08x}-0000-4000-8000-{number:012x}"
    was = tape.header.server
    entries = [
        replace(entry, path=entry.path.replace(was, uuid))
        if isinstance(entry, PanelCall)
        else entry
        for entry in tape.entries
    ]
    return Server(
        name=f"{number:02} {tape.header.title}",
        recording=evolve(tape, header=replace(tape.header, server=uuid), entries=entries),
        offset_seconds=offset_seconds,
    )


def in_order(
    lines: Sequence[Line], servers: Sequence[Server], recipes: Sequence[Recipe]
) -> list[Line]:
    """Return the transcript: *lines* by moment, then server as given, then recipe as loaded.

    What one recipe does for one server stays in its order. In the order of doing, servers that
    act at the same instant come as trio happens to run their tasks.
    """
    places = {server.name: place for place, server in enumerate(servers)}
    ranks = {recipe.name: rank for rank, recipe in enumerate(recipes)}
    return sorted(lines, key=lambda line: (line.at, places[line.server], ranks[line.recipe]))


def by_server(lines: Sequence[Line]) -> dict[str, list[Line]]:
    """Return *lines* for each server by itself, in the order in which they were done."""
    found: dict[str, list[Line]] = {}
    for line in lines:
        found.setdefault(line.server, []).append(line)
    return found


def shipped_recipes() -> list[Recipe]:
    """Return some of the recipes that everybody gets: others would say other things."""
    files = [_ROOT / "recipes" / f"{name}.py" for name in _RECIPES]
    return [loaded.recipe for loaded in load(files)]


# ---------------------------------------------------------------- one run


def play(
    servers: Sequence[Server], recipes: Sequence[Recipe], *, seed: int, seconds: float = _SECONDS
) -> list[Line]:
    """Return what *recipes* do for *servers*, as it is done; *seed* fixes trio's lots."""
    with scheduled(seed):
        return trio.run(_play, servers, recipes, seconds, clock=MockClock(autojump_threshold=0))


async def _play(servers: Sequence[Server], recipes: Sequence[Recipe], seconds: float) -> list[Line]:
    started_at = trio.current_time()

    def now() -> datetime:
        return _STARTS + timedelta(seconds=trio.current_time() - started_at)

    async with AsyncExitStack() as stack:
        await stack.enter_async_context(memory_network())
        replays: dict[str, Replay] = {}
        for one in servers:
            replay = open_replay(
                one.recording,
                wall_clock=lambda: now().timestamp(),
                leave=_LEFT.get(one.recording.header.title or "", ()),
                key=_KEY,
            )
            replays[one.uuid] = await stack.enter_async_context(replay)
        client = await stack.enter_async_context(httpx.AsyncClient(transport=_OnePanel(replays)))
        panel = await stack.enter_async_context(Panel("http://panel", _KEY, client=client))
        names = {one.uuid: one.name for one in servers}
        book = _Book(names)
        engine = Engine(recipes, names, panel=panel, now=now, watchers=[book])
        nursery = await stack.enter_async_context(trio.open_nursery())
        nursery.start_soon(engine.run)
        for one in servers:
            # Each node knows only its own panel.
            origin = replays[one.uuid].panel_url
            listener = listener_of(engine, one.uuid)
            session = Session(one.uuid, panel, listener=listener, origin=origin)
            engine.add_sender(one.uuid, session)
            nursery.start_soon(_keep, session, one.offset_seconds)
        await trio.sleep(seconds)
        nursery.cancel_scope.cancel()
    return book.lines


async def _keep(session: Session, offset_seconds: float) -> None:
    await trio.sleep(offset_seconds)
    # Not everybody is let in.
    with suppress(AutomateError):
        await session.run()


class _OnePanel(httpx.AsyncBaseTransport):
    """One panel for all servers: what is asked about a server goes to its replay."""

    def __init__(self, replays: Mapping[str, Replay]) -> None:
        self._panels = {uuid: httpx.URL(replay.panel_url) for uuid, replay in replays.items()}
        # One for each, for a pool looks through all of its connections at every turn. It reads
        # the real clock, and nothing is encrypted here.
        self._ways = {
            uuid: httpx.AsyncHTTPTransport(
                verify=False, trust_env=False, limits=httpx.Limits(keepalive_expiry=None)
            )
            for uuid in replays
        }

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        uuid = request.url.path.split("/")[4]
        there = self._panels[uuid]
        request.url = request.url.copy_with(host=there.host, port=there.port)
        return await self._ways[uuid].handle_async_request(request)

    async def aclose(self) -> None:
        for way in self._ways.values():
            await way.aclose()


class _Book(Watcher):
    """Writes down what is done and decided, in the order in which it is."""

    def __init__(self, names: Mapping[str, str]) -> None:
        self.lines: list[Line] = []
        self._names = names
        self._started_at = trio.current_time()

    def did(self, action: Output, *, dry: bool) -> None:
        for what, detail in action_fields(action).items():
            self._write(action, f"{what} {detail}")

    def decided(self, traced: Traced) -> None:
        self._write(traced, f"- {traced.what}: {traced.detail}")

    def saw(self, server: str, words: str) -> None:
        pass

    def gave_up(self, server: str, error: AutomateError) -> None:
        pass

    def _write(self, what: Output, words: str) -> None:
        line = Line(
            at=round(trio.current_time() - self._started_at, 4),
            server=self._names[what.server],
            recipe=what.recipe,
            words=words,
            is_decision=isinstance(what, Traced),
        )
        self.lines.append(line)


# ---------------------------------------------------------------- the command


def main() -> int:
    """Play as often as asked, say how many transcripts came of it, and fail if not one."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--runs", type=int, default=20, help="how often to play (20)")
    parser.add_argument("--servers", type=int, default=50, help="how many servers (50)")
    parser.add_argument("--deal", type=int, default=1, help="who plays what, from when on (1)")
    arguments = parser.parse_args()
    servers = deal(arguments.servers, seed=arguments.deal)
    recipes = shipped_recipes()

    transcripts: Counter[tuple[Line, ...]] = Counter()
    alone: Counter[str] = Counter()
    as_done: Counter[tuple[Line, ...]] = Counter()
    began = time.perf_counter()
    for run in range(arguments.runs):
        lines = play(servers, recipes, seed=run)
        transcripts[tuple(in_order(lines, servers, recipes))] += 1
        alone[repr(sorted(by_server(lines).items()))] += 1
        as_done[tuple(lines)] += 1
        if (run + 1) % 100 == 0:
            print(f"{run + 1} runs: transcripts: {len(transcripts)}", flush=True)
    seconds = (time.perf_counter() - began) / arguments.runs
    print(
        f"{len(servers)} servers, {len(recipes)} recipes, {arguments.runs} runs, {seconds:.2f} s "
        f"each\ntranscripts: {len(transcripts)} (of {len(next(iter(transcripts)))} lines)\n"
        f"with each server by itself, as it was done: {len(alone)}\n"
        f"in the order of doing, across servers: {len(as_done)}"
    )
    for first, other in pairwise(transcripts):
        one, two = next(pair for pair in zip_longest(first, other) if pair[0] != pair[1])
        print(f"differs:\n  {one}\n  {two}")
    return 0 if len(transcripts) == len(alone) == 1 else 1


if __name__ == "__main__":
    sys.exit(main())

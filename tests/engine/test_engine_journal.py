"""An engine that keeps a journal, killed and started again: scenes at a modelled node."""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
import trio
from attrs import Factory, define
from trio.testing import MockClock

from automate import (
    Asked,
    Block,
    Command,
    Every,
    Fail,
    Notify,
    Recipe,
    ServerIs,
    Start,
    Wait,
)
from automate.engine.engine import Engine, Watcher
from automate.engine.facts import server_facts
from automate.engine.journal import Answered, MemoryJournal
from automate.engine.sitting import sessions_for
from automate.errors import AutomateError
from automate.fake.model.served import ServedNode
from automate.fake.model.serving import Tenant, open_node
from automate.fake.model.settings import DEFAULT_SERVER, Settings
from automate.fake.network import memory_network
from automate.live.panel import Panel
from automate.machine.actions import Output, Traced, action_fields
from tests.clocks import EPOCH, clock_from

OTHER = "b1b2c3d4-0009-4000-8000-000000000009"
HOUR = 3600


@pytest.fixture
def autojump_clock() -> MockClock:
    return MockClock(autojump_threshold=0)


@define
class Evening(Watcher):
    """A node, a journal, and all that was done, decided and said by whoever was at work there.

    *ahead_seconds*: by how much the clock on the wall is wrong.
    """

    served: ServedNode
    panel: Panel
    clock: Callable[[], float]
    journal: MemoryJournal
    begun_at: float
    ahead_seconds: float = 0.0
    done: list[tuple[float, str]] = Factory(list)
    decided_: list[tuple[float, str]] = Factory(list)
    warnings: list[str] = Factory(list)

    def did(self, action: Output, *, dry: bool) -> None:
        for what, value in action_fields(action).items():
            self.done.append((self._second, f"{what} {value}"))

    def decided(self, traced: Traced) -> None:
        words = f"{traced.what}: {traced.detail}".removesuffix(": ")
        self.decided_.append((self._second, words))

    def saw(self, server: str, words: str) -> None:
        pass

    def warned(self, words: str) -> None:
        self.warnings.append(words)

    def gave_up(self, server: str, error: AutomateError) -> None:
        raise error

    def said(self, *whats: str) -> list[tuple[float, str]]:
        """Return the decisions of these kinds."""
        return [one for one in self.decided_ if one[1].partition(":")[0] in whats]

    @property
    def _second(self) -> float:
        return round(trio.current_time() - self.begun_at)

    def now(self) -> datetime:
        return datetime.fromtimestamp(self.clock() + self.ahead_seconds, UTC)

    async def at(self, second: float) -> None:
        await trio.sleep_until(self.begun_at + second)

    @asynccontextmanager
    async def life(
        self, recipes: Sequence[Recipe], *servers: str, until: float | None = None
    ) -> AsyncIterator[Engine]:
        """Have an engine at work; at the end of the block, or at a second, it is killed."""
        found = [await self.panel.server(one) for one in servers or self.served.servers]
        engine = Engine(
            recipes,
            {one.uuid: server_facts(one) for one in found},
            panel=self.panel,
            now=self.now,
            watchers=[self],
            journal=self.journal,
        )
        sessions = sessions_for(engine, found, self.panel, recorders={}, origin=None)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(engine.run)
            for session in sessions:
                nursery.start_soon(session.run)
            # Between two looks for requests, of which the first half a second is one.
            await trio.sleep(1.2)
            yield engine
            if until is not None:
                await self.at(until)
            nursery.cancel_scope.cancel()
        self.journal = self.journal.reopened()

    async def asks(self, recipe: str, server: str = DEFAULT_SERVER) -> int:
        """Ask by the journal, as `automate trigger` does, and let it be taken."""
        id = self.journal.ask(recipe, server)
        await trio.sleep(1)
        return id


@asynccontextmanager
async def evening(*titles: str) -> AsyncIterator[Evening]:
    clock = clock_from(EPOCH)
    tenants = [Tenant(Settings(title="Arena"))]
    if titles:
        tenants.append(Tenant(Settings(server=OTHER, title=titles[0])))
    async with (
        memory_network(),
        httpx.AsyncClient(limits=httpx.Limits(keepalive_expiry=None)) as client,
        open_node(tenants, wall_clock=clock, seed=1) as served,
    ):
        panel = Panel(served.panel_url, served.key, client=client)
        yield Evening(served, panel, clock, MemoryJournal(EPOCH), trio.current_time())


def asked(name: str, *steps: Any, **more: Any) -> Recipe:
    return Recipe(name, when=Asked(), then=list(steps), **more)


# ---------------------------------------------------------------- killed and started again


async def test_a_pause_ends_when_it_would_have_ended(autojump_clock: MockClock) -> None:
    slow = asked("slow", Notify("one"), Wait(seconds=600), Notify("two"))
    async with evening() as scene:
        async with scene.life([slow], until=100):
            await scene.asks("slow")
        await scene.at(300)
        async with scene.life([slow], until=700):
            pass

    assert scene.done == [(2, "notify one"), (602, "notify two")]


async def test_a_pause_that_ended_meanwhile_is_over_and_the_rest_is_done_now(
    autojump_clock: MockClock,
) -> None:
    """The server is not even connected when the engine begins; the command waits for that."""
    slow = asked("slow", Start(), Command("say one"), Wait(seconds=600), Command("say two"))
    async with evening() as scene:
        async with scene.life([slow], until=100):
            await scene.asks("slow")
        await scene.at(5000)
        async with scene.life([slow], until=5100):
            pass

    assert [what for _, what in scene.done] == [
        "set state start",
        "send command say one",
        "send command say two",
    ]
    assert scene.done[-1][0] in (5000, 5001)
    assert scene.said("failed", "done") == [(scene.done[-1][0], "done")]


async def test_what_is_always_done_is_done_by_the_next_engine(autojump_clock: MockClock) -> None:
    steps = Block([Command("save-off"), Wait(seconds=60)], always=[Command("save-on")])
    careful = asked("careful", Start(), steps)
    async with evening() as scene:
        async with scene.life([careful], until=30):
            await scene.asks("careful")
        async with scene.life([careful], until=200):
            pass

    assert [what for _, what in scene.done] == [
        "set state start",
        "send command save-off",
        "send command save-on",
    ]
    assert scene.said("in doubt") == []


async def test_a_run_whose_recipe_was_changed_meanwhile_ends_as_it_began(
    autojump_clock: MockClock,
) -> None:
    old = asked("it", Wait(seconds=60), Notify("old"))
    new = asked("it", Notify("new"))
    async with evening() as scene:
        async with scene.life([old], until=30):
            await scene.asks("it")
        async with scene.life([new], until=100):
            await scene.asks("it")
            await scene.at(70)
            await scene.asks("it")

    # It runs once at a time.
    assert [what for _, what in scene.done] == ["notify old", "notify new"]
    assert [one for one in scene.journal.saved() if one.startswith(("run:", "recipe:"))] == []


async def test_a_server_that_is_left_out_for_once_keeps_its_runs(autojump_clock: MockClock) -> None:
    slow = asked("slow", Notify("one on {server}"), Wait(seconds=600), Notify("two on {server}"))
    quick = asked("slow", Notify("quick on {server}"))
    async with evening("Lobby") as scene:
        async with scene.life([slow], until=50):
            await scene.asks("slow")
            await scene.asks("slow", OTHER)
        async with scene.life([slow], DEFAULT_SERVER, until=1000):
            pass
        async with scene.life([quick], DEFAULT_SERVER, until=1100):
            await scene.asks("slow")
        async with scene.life([quick], until=1200):
            pass

    assert [what for _, what in scene.done] == [
        "notify one on Arena",
        "notify one on Lobby",
        "notify two on Arena",
        "notify quick on Arena",
        "notify two on Lobby",
    ]
    assert scene.warnings == []


async def test_what_cannot_be_read_is_put_aside_and_the_rest_goes_on(
    autojump_clock: MockClock,
) -> None:
    slow = asked("slow", Notify("one"), Wait(seconds=60), Notify("two"), mode="parallel", at_once=2)
    async with evening() as scene:
        async with scene.life([slow], until=30):
            await scene.asks("slow")
            await scene.asks("slow")
        scene.journal.write({"run:1": {"id": "one"}, "machine": [7], "nonsense:5": 5})
        async with scene.life([slow], until=100):
            await scene.asks("slow")

    assert [what for _, what in scene.done] == ["notify one"] * 3 + ["notify two"] * 2
    assert [words.split(":")[:3] for words in scene.warnings] == [
        ["warning", " set aside, for it can't be read any more", f" {name}"]
        for name in ("machine", "run")
    ]
    assert scene.journal.saved()["aside:run:1"] == {"id": "one"}
    # Nobody takes a number twice.
    assert {note.traced.run for note in scene.journal.notes if note.traced.run} == {1, 2, 3}


async def test_what_was_decided_and_where_that_led_are_written_together(
    autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else a kill between the two would leave a trace of what is not, or a run without one."""
    written: list[tuple[list[str], list[int | None]]] = []
    write = MemoryJournal.write

    def noted(self: MemoryJournal, parts: Any, notes: Any = (), **more: Any) -> None:
        told = [note.traced.what for note in notes]
        positions = [
            None if part is None else part["position"]
            for name, part in parts.items()
            if name.startswith("run:")
        ]
        if told:
            written.append((told, positions))
        write(self, parts, notes, **more)

    monkeypatch.setattr(MemoryJournal, "write", noted)
    steps = asked("it", Notify("a"), Wait(seconds=1), Notify("b"))
    async with evening() as scene, scene.life([steps], until=20):
        await scene.asks("it")

    assert written == [
        (["triggered", "step"], [0]),
        (["step done", "step"], [1]),
        (["step done", "step"], [2]),
        (["step done", "done"], [None]),
    ]


# ---------------------------------------------------------------- schedules


@pytest.mark.parametrize(
    ("missed", "told", "notified"),
    [
        ("skip", [(9000, "missed: it was due 1 h 30 min ago, 2 times: skipped")], [10800]),
        ("once", [], [9000, 10800]),
    ],
)
async def test_what_was_missed_is_skipped_or_made_up_for(
    autojump_clock: MockClock, missed: Any, told: Any, notified: Any
) -> None:
    hourly = Recipe("hourly", when=Every(hours=1, missed=missed), then=Notify("now"))
    async with evening() as scene:
        async with scene.life([hourly], until=600):
            pass
        await scene.at(9000)
        async with scene.life([hourly], until=11000):
            pass

    assert [second for second, _ in scene.done] == notified
    assert scene.said("missed") == told


async def test_a_clock_set_back_while_nobody_was_there_stops_nothing(
    autojump_clock: MockClock,
) -> None:
    slow = asked("slow", Wait(seconds=600), Notify("two"))
    hourly = Recipe("hourly", when=Every(hours=1), then=Notify("now"))
    async with evening() as scene:
        async with scene.life([slow, hourly], until=1000):
            await scene.at(900)
            await scene.asks("slow")
        scene.ahead_seconds = -1800
        async with scene.life([slow, hourly], until=6000):
            pass

    # The pause goes on from the last that was written; the hours are those of the wall.
    assert scene.done == [(1600, "notify two"), (1800, "notify now"), (5400, "notify now")]


# ---------------------------------------------------------------- requests


async def test_requests_are_taken_and_answered_with_how_their_runs_end(
    autojump_clock: MockClock,
) -> None:
    recipes = [
        asked("good", Wait(seconds=5), Notify("yes")),
        asked("bad", Fail("no")),
        asked("quiet", Notify("up"), only_if=ServerIs("running")),
    ]
    async with evening() as scene:
        async with scene.life(recipes, until=30):
            ids = [await scene.asks(one) for one in ("good", "bad", "quiet", "none")]
            ids.append(await scene.asks("good", OTHER))
        answers = [scene.journal.answers[id] for id in ids]

    assert answers == [
        Answered(1, "done", ""),
        Answered(2, "failed", "no"),
        Answered(None, "held back", "the server is running: no, it is offline"),
        Answered(None, "held back", "no recipe is called 'none'; there are: bad, good, quiet"),
        Answered(None, "held back", "that server is not among those of this engine"),
    ]


async def test_who_asks_for_what_waits_its_turn_is_told_of_its_own_run(
    autojump_clock: MockClock,
) -> None:
    one_by_one = asked("it", Wait(seconds=10), Notify("x"), mode="queued", at_once=2)
    async with evening() as scene:
        async with scene.life([one_by_one], until=60):
            ids = [await scene.asks("it") for _ in range(3)]
            early = dict(scene.journal.answers)
        answers = [scene.journal.answers[id] for id in ids]

    assert [early[id] for id in ids[:2]] == [Answered(1, None, ""), Answered(None, None, "")]
    assert answers[:2] == [Answered(1, "done", ""), Answered(2, "done", "")]
    assert (answers[2].run, answers[2].outcome) == (None, "held back")


async def test_who_asks_for_what_replaces_a_run_is_told_of_the_new_one(
    autojump_clock: MockClock,
) -> None:
    anew = asked("it", Wait(seconds=10), Notify("x"), mode="restart")
    async with evening() as scene:
        async with scene.life([anew], until=60):
            ids = [await scene.asks("it") for _ in range(2)]
        answers = [scene.journal.answers[id] for id in ids]

    assert answers[0].outcome in ("failed", "done")
    assert answers == [answers[0], Answered(2, "done", "")]
    assert answers[0].run == 1


async def test_a_request_that_waited_its_turn_when_all_ended_is_answered_and_its_run_comes(
    autojump_clock: MockClock,
) -> None:
    """What was queued goes on in the next engine; whoever asked has been told to ask again."""
    one_by_one = asked("it", Wait(seconds=100), Notify("x"), mode="queued")
    async with evening() as scene:
        async with scene.life([one_by_one], until=60):
            ids = [await scene.asks("it") for _ in range(2)]
        async with scene.life([one_by_one], until=300):
            pass

    assert [second for second, _ in scene.done] == [102, 202]
    assert scene.journal.answers[ids[0]] == Answered(1, "done", "")
    assert scene.journal.answers[ids[1]].outcome == "failed"


async def test_what_was_queued_runs_once_though_the_engine_is_killed_again(
    autojump_clock: MockClock,
) -> None:
    one_by_one = asked("it", Notify("begins"), Wait(seconds=100), mode="queued")
    async with evening() as scene:
        async with scene.life([one_by_one], until=60):
            for _ in range(2):
                await scene.asks("it")
        async with scene.life([one_by_one], until=150):
            pass
        async with scene.life([one_by_one], until=600):
            pass

    assert [what for _, what in scene.done] == ["notify begins"] * 2

"""The keeper of the journal: nothing is done before it is written, whatever the disk does."""

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import trio
import trio.lowlevel
from trio.testing import MockClock, wait_all_tasks_blocked

from automate.engine.journal import Answered, Journal, MemoryJournal, Note
from automate.engine.journal_file import SqliteJournal, open_journal
from automate.engine.keeper import Description, Keeper
from automate.errors import StateError
from automate.machine.actions import Traced

ORIGIN = datetime(2026, 11, 24, 21, 0, tzinfo=UTC)
FULL = "/home/me/x.sqlite: the disk is full"
TOLD = f"warning: {FULL}; the work goes on, and it is tried again"
AGAIN = "the journal is written again, and nothing is missing in it"


class Disk(MemoryJournal):
    """A journal on a disk that may be full, or wait until it is let go; *did* has all writes."""

    def __init__(self) -> None:
        super().__init__(ORIGIN)
        self.is_full = False
        self.did: list[str] = []
        self.free: threading.Event | None = None
        self.is_writing = threading.Event()

    def write(
        self,
        parts: Mapping[str, Any],
        notes: Sequence[Note] = (),
        *,
        begun: Mapping[int, int] | None = None,
    ) -> None:
        self.is_writing.set()
        if self.free is not None:
            assert self.free.wait(30)
        self._refuse()
        super().write(parts, notes, begun=begun)
        words = [note.traced.what for note in notes]
        self.did.append(f"wrote {' '.join([*parts, *words, *map(str, begun or {})])}")

    def answer_request(self, id: int, run: int | None, outcome: str, detail: str = "") -> None:
        self._refuse()
        super().answer_request(id, run, outcome, detail)
        self.did.append(f"answered {id}")

    def _refuse(self) -> None:
        if self.is_full:
            self.did.append("refused")
            raise StateError(FULL)


def note(what: str, run: int | None = None) -> Note:
    return Note(ORIGIN, Traced(server="s", recipe="r", run=run, what=what))


class Scene:
    """A keeper, its disk, and all that was written and done, in order."""

    def __init__(self, *, threaded: bool = False) -> None:
        self.disk = Disk()
        self.told: list[str] = []
        self.keeper = Keeper(self.disk, threaded=threaded, complain=self.told.append)

    def keep(self, name: str, **more: Any) -> None:
        """Write a part of this *name*, then do what is called so."""
        self.keeper.keep({name: 1}, [], lambda: self.disk.did.append(f"did {name}"), **more)


@pytest.fixture
def autojump_clock() -> MockClock:
    return MockClock(autojump_threshold=0)


# ---------------------------------------------------------------- at once


def test_without_a_journal_all_is_done_at_once() -> None:
    did: list[str] = []
    keeper = Keeper(None, threaded=True, complain=did.append)

    keeper.keep({"a": 1}, [], lambda: did.append("did a"))

    assert did == ["did a"]


def test_each_is_written_then_done() -> None:
    scene = Scene()

    scene.keep("a")
    scene.keep("b")

    assert scene.disk.did == ["wrote a", "did a", "wrote b", "did b"]


def test_what_is_done_may_lead_to_more() -> None:
    scene = Scene()

    scene.keeper.keep({"a": 1}, [], lambda: scene.keep("b"))

    assert scene.disk.did == ["wrote a", "wrote b", "did b"]


def test_a_disk_that_refuses_is_told_of_once_and_the_work_goes_on() -> None:
    scene = Scene()
    scene.disk.is_full = True
    scene.keep("a")
    scene.keep("b")
    scene.disk.is_full = False
    scene.keep("c")

    assert scene.disk.did == ["refused", "did a", "refused", "did b", "wrote a b c", "did c"]
    assert scene.told == [TOLD, AGAIN]


def test_what_is_no_more_and_the_latest_is_what_is_written_in_the_end() -> None:
    scene = Scene()
    scene.disk.is_full = True
    for value in (1, 2, None):
        scene.keeper.keep({"run:1": value, "machine": value or 3}, [], lambda: None)
    scene.disk.is_full = False
    scene.keeper.keep({}, [note("done")], lambda: None)

    assert scene.disk.saved() == {"machine": 3}


def test_a_disk_that_stays_full_does_not_fill_the_memory() -> None:
    scene = Scene()
    scene.disk.is_full = True
    for number in range(3000):
        scene.keeper.keep({}, [note(f"note {number}")], lambda: None)
    scene.disk.is_full = False
    scene.keep("a")

    told = [one.traced.what for one in scene.disk.notes]
    assert told == [f"note {number}" for number in range(2000, 3000)]


async def test_it_is_tried_again_though_nothing_happens(autojump_clock: MockClock) -> None:
    scene = Scene()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(scene.keeper.run)
        await wait_all_tasks_blocked()
        scene.disk.is_full = True
        scene.keep("a")
        await trio.sleep(60)
        tries = len(scene.disk.did)
        scene.disk.is_full = False
        await trio.sleep(15)
        nursery.cancel_scope.cancel()

    assert 5 <= tries <= 12
    assert scene.disk.did[-1] == "wrote a"
    assert scene.told == [TOLD, AGAIN]


async def test_at_the_end_it_is_tried_once_more() -> None:
    scene = Scene()
    scene.disk.is_full = True
    scene.keep("a")
    scene.disk.is_full = False

    await scene.keeper.finish()
    await scene.keeper.finish()

    assert scene.disk.did == ["refused", "did a", "wrote a"]


async def test_an_end_with_a_full_disk_is_an_end() -> None:
    scene = Scene()
    scene.disk.is_full = True
    scene.keep("a")

    await scene.keeper.finish()

    assert scene.disk.did == ["refused", "did a", "refused"]


def test_what_became_of_requests_is_written_with_it() -> None:
    scene = Scene()
    taken, refused = scene.disk.ask("r", "s"), scene.disk.ask("q", "s")

    scene.keep("a", begun={taken: 7}, refused={refused: "it is night"})
    scene.keeper.keep({}, [note("done", run=7)], lambda: None)

    assert scene.disk.did[:3] == [f"wrote a {taken}", f"answered {refused}", "did a"]
    assert scene.disk.answers == {
        taken: Answered(7, "done", ""),
        refused: Answered(None, "held back", "it is night"),
    }


def test_an_answer_that_could_not_be_written_is_written_later_and_the_rest_only_once() -> None:
    scene = Scene()
    id = scene.disk.ask("r", "s")
    scene.disk.is_full = True
    scene.keep("a", refused={id: "it is night"})
    scene.disk.is_full = False
    scene.keep("b")

    assert scene.disk.did == ["refused", "did a", "wrote a b", f"answered {id}", "did b"]


def test_what_is_at_work_is_written_before_what_it_does() -> None:
    scene = Scene()

    scene.keep("a", described=Description(recipes=["r"], servers={"s": "arena"}, serves={}))

    assert scene.disk.description == {"recipes": ["r"], "servers": {"s": "arena"}, "serves": {}}


async def test_a_disk_that_refuses_has_no_requests_and_stops_nobody() -> None:
    class Broken(Disk):
        def take_requests(self) -> Any:
            raise StateError(FULL)

    keeper = Keeper(Broken(), threaded=False, complain=print)

    assert await keeper.take_requests() == []


# ---------------------------------------------------------------- beside


@contextmanager
def memory_or_file(kind: str, folder: Path) -> Iterator[Journal]:
    if kind == "memory":
        yield MemoryJournal(ORIGIN)
        return
    path = folder / "x.sqlite"
    with open_journal(path, panel="https://panel.example.com", now=ORIGIN) as journal:
        yield journal


@pytest.mark.parametrize("kind", ["memory", "file"])
async def test_beside_all_is_written_in_order_and_done_in_order(kind: str, tmp_path: Path) -> None:
    did: list[tuple[int, int]] = []
    with memory_or_file(kind, tmp_path) as journal:
        keeper = Keeper(journal, threaded=True, complain=print)

        def kept(number: int) -> Callable[[], None]:
            # Whatever is done stands in the journal by then.
            return lambda: did.append((number, journal.saved()["last"]))

        async with trio.open_nursery() as nursery:
            nursery.start_soon(keeper.run)
            for number in range(40):
                keeper.keep({"last": number, f"run:{number}": 1}, [], kept(number))
                if number % 7 == 0:
                    await trio.lowlevel.checkpoint()
            await keeper.finish()
            nursery.cancel_scope.cancel()
        saved = journal.saved()

    assert [number for number, _ in did] == list(range(40))
    assert all(last >= number for number, last in did)
    assert len(saved) == 41


async def test_a_slow_disk_keeps_nobody_from_reading_on_and_all_is_done_at_the_end() -> None:
    """Cancelled in the middle of it, the keeper ends what it was handed, and not before."""
    scene = Scene(threaded=True)
    scene.disk.free = threading.Event()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(scene.keeper.run)
        await wait_all_tasks_blocked()
        scene.keep("a")
        assert await trio.to_thread.run_sync(scene.disk.is_writing.wait, 30)
        scene.keep("b")
        scene.keep("c")
        before = list(scene.disk.did)
        nursery.cancel_scope.cancel()
        scene.disk.free.set()

    assert before == []
    assert scene.disk.did == ["wrote a", "did a", "wrote b c", "did b", "did c"]


async def test_beside_too_a_full_disk_stops_nobody() -> None:
    scene = Scene(threaded=True)
    scene.disk.is_full = True
    scene.keep("a")
    await scene.keeper.finish()
    scene.disk.is_full = False
    scene.keep("b")
    await scene.keeper.finish()

    assert scene.disk.did == ["refused", "did a", "wrote a b", "did b"]
    assert scene.told == [TOLD, AGAIN]


async def test_requests_are_taken_beside(tmp_path: Path) -> None:
    path = tmp_path / "x.sqlite"
    with open_journal(path, panel="https://panel.example.com", now=ORIGIN) as journal:
        assert isinstance(journal, SqliteJournal)
        keeper = Keeper(journal, threaded=True, complain=print)
        assert await keeper.take_requests() == []

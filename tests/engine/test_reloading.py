"""Recipe files that change while the engine is at work: taken, or told of; nothing is dropped."""

import importlib
import os
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import trio
from attrs import Factory, define
from trio.testing import MockClock

from automate.engine.engine import Engine
from automate.engine.journal import MemoryJournal
from automate.engine.reloading import RecipeFiles, keep_loaded
from automate.errors import RecipeError
from automate.live.panel import Panel
from automate.recipe.loader import Loaded
from automate.wire.frame import canonical_client, canonical_server
from automate.wire.messages import ClientMessage, SendCommand
from tests.clocks import EPOCH, clock_from

SERVER = "a1b2c3d4-0004-4000-8000-000000000004"
RECIPE = """
from automate import Asked, Command, ConsoleLine, Notify, Recipe, Wait
{name} = Recipe({name!r}, when=ConsoleLine({line!r}), then={then})
"""
# Two looks, two seconds apart, and a little more.
SEEN_SECONDS = 5


@pytest.fixture
def autojump_clock() -> MockClock:
    return MockClock(autojump_threshold=0)


@pytest.fixture(autouse=True)
def _no_modules_left() -> Iterator[None]:
    modules, paths = set(sys.modules), list(sys.path)
    yield
    for name in set(sys.modules) - modules:
        if name.startswith(("helper", "kit")):
            del sys.modules[name]
    sys.path[:] = paths


def write(path: Path, line: str, then: str = "Command('said')", *, name: str = "") -> Path:
    """Write a recipe file, a moment later than any before it."""
    path.write_text(RECIPE.format(name=name or path.stem, line=line, then=then))
    return later(path)


_times = iter(range(1_800_000_000, 1_900_000_000, 10))


def later(path: Path) -> Path:
    time = next(_times)
    os.utime(path, (time, time))
    return path


@define
class Evening:
    """An engine at work with the recipes of some files, and all that was told and sent."""

    engine: Engine
    journal: MemoryJournal
    told: list[str] = Factory(list)
    sent: list[str] = Factory(list)
    taken: list[list[str]] = Factory(list)

    @property
    def recipes(self) -> list[str]:
        return list(self.journal.description["recipes"])

    def send(self, message: ClientMessage) -> None:
        assert isinstance(message, SendCommand)
        self.sent.append(message.command)
        self.engine.sent(SERVER, canonical_client(message.event, message.args))

    def says(self, line: str) -> None:
        self.engine.heard(SERVER, [canonical_server("console output", [line])])


@asynccontextmanager
async def at_work(
    *paths: Path, files: Callable[[Any], RecipeFiles] = RecipeFiles
) -> AsyncIterator[Evening]:
    clock = clock_from(EPOCH)
    kept = files(paths)
    journal = MemoryJournal(EPOCH)
    engine = Engine(
        [one.recipe for one in kept.load()],
        {SERVER: "arena"},
        panel=Panel("https://panel.example.com", "ptlc_x"),
        now=lambda: datetime.fromtimestamp(clock(), UTC),
        journal=journal,
    )
    evening = Evening(engine, journal)
    engine.add_sender(SERVER, evening)
    engine.linked(SERVER)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(engine.run)
        nursery.start_soon(
            lambda: keep_loaded(
                engine,
                kept,
                tell=evening.told.append,
                taken=lambda recipes: evening.taken.append([one.name for one in recipes]),
            )
        )
        yield evening
        nursery.cancel_scope.cancel()


# ---------------------------------------------------------------- files


async def test_a_changed_file_is_taken(autojump_clock: MockClock, tmp_path: Path) -> None:
    file = write(tmp_path / "hello.py", "ping", "Command('pong')")
    async with at_work(file) as evening:
        evening.says("ping")
        write(file, "ping", "Command('PONG')")
        await trio.sleep(SEEN_SECONDS)
        evening.says("ping")

    assert evening.sent == ["pong", "PONG"]
    assert evening.told == ["the changed recipes are taken: hello"]
    assert evening.taken == [["hello"]]


async def test_a_broken_file_is_told_of_once_and_the_old_ones_go_on(
    autojump_clock: MockClock, tmp_path: Path
) -> None:
    file = write(tmp_path / "hello.py", "ping", "Command('pong')")
    async with at_work(file) as evening:
        later(file).write_text("hello = Recipe(\n")
        await trio.sleep(60)
        evening.says("ping")
        write(file, "ping", "Command('PONG')")
        await trio.sleep(SEEN_SECONDS)
        evening.says("ping")

    assert evening.sent == ["pong", "PONG"]
    assert evening.told == [
        "the changed recipes are not taken, the old ones go on: "
        f"{file}:1: syntax error: '(' was never closed",
        "the changed recipes are taken: hello",
    ]


async def test_files_of_a_folder_come_and_go(autojump_clock: MockClock, tmp_path: Path) -> None:
    write(tmp_path / "a.py", "ping")
    seen = []
    async with at_work(tmp_path) as evening:
        for change in (
            lambda: write(tmp_path / "b.py", "ping"),
            lambda: (tmp_path / "a.py").unlink(),
            lambda: (tmp_path / "b.py").rename(tmp_path / "c.py"),
            lambda: (tmp_path / "c.py").unlink(),
        ):
            change()
            await trio.sleep(SEEN_SECONDS)
            seen.append(evening.recipes)

    # A folder without any recipes is a mistake: the last ones go on.
    assert seen == [["a", "b"], ["b"], ["b"], ["b"]]
    assert evening.told[-1].endswith(f"{tmp_path}: no recipe files (*.py) in this folder")


async def test_a_file_that_is_still_being_written_is_not_read(
    autojump_clock: MockClock, tmp_path: Path
) -> None:
    file = write(tmp_path / "hello.py", "ping", "Command('pong')")
    async with at_work(file) as evening:
        for length in range(10, 100, 10):
            later(file).write_text("x" * length)
            await trio.sleep(1.5)
        write(file, "ping", "Command('PONG')")
        await trio.sleep(SEEN_SECONDS)

    assert evening.told == ["the changed recipes are taken: hello"]


async def test_two_recipes_of_one_name_are_not_taken(
    autojump_clock: MockClock, tmp_path: Path
) -> None:
    write(tmp_path / "a.py", "ping", name="a")
    async with at_work(tmp_path) as evening:
        write(tmp_path / "b.py", "ping", name="a")
        await trio.sleep(SEEN_SECONDS)

    assert evening.recipes == ["a"]
    assert "the recipe 'a' is also in" in evening.told[0]


async def test_a_file_that_is_replaced_by_one_of_its_size_and_time_is_seen(
    autojump_clock: MockClock, tmp_path: Path
) -> None:
    """As `mv` and version control do it."""
    file = write(tmp_path / "hello.py", "ping", "Command('pong')")
    async with at_work(file) as evening:
        other = write(tmp_path / "other", "ping", "Command('PONG')", name="hello")
        stat = file.stat()
        os.utime(other, ns=(stat.st_atime_ns, stat.st_mtime_ns))
        other.rename(file)
        await trio.sleep(SEEN_SECONDS)
        evening.says("ping")

    assert evening.sent == ["PONG"]


# ---------------------------------------------------------------- what is under way


async def test_a_run_under_way_ends_as_it_began(autojump_clock: MockClock, tmp_path: Path) -> None:
    steps = "[Command('old 1'), Wait(seconds=60), Command('old 2')]"
    file = write(tmp_path / "hello.py", "ping", steps)
    async with at_work(file) as evening:
        evening.says("ping")
        await trio.sleep(10)
        write(file, "ping", "[Command('new')]")
        await trio.sleep(SEEN_SECONDS)
        assert evening.told == ["the changed recipes are taken: hello"]
        await trio.sleep(60)
        evening.says("ping")

    assert evening.sent == ["old 1", "old 2", "new"]
    # What it began in is needed no more.
    assert [part for part in evening.journal.saved() if part.startswith("recipe:")] == []


async def test_a_run_of_a_recipe_that_is_gone_ends_as_it_began(
    autojump_clock: MockClock, tmp_path: Path
) -> None:
    write(tmp_path / "a.py", "other")
    steps = "[Command('old 1'), Wait(seconds=60), Command('old 2')]"
    file = write(tmp_path / "hello.py", "ping", steps)
    async with at_work(tmp_path) as evening:
        evening.says("ping")
        file.unlink()
        await trio.sleep(SEEN_SECONDS)
        assert evening.recipes == ["a"]
        evening.says("ping")
        await trio.sleep(60)

    assert evening.sent == ["old 1", "old 2"]
    assert evening.engine.running == []


# ---------------------------------------------------------------- what is imported


HELPED = "from helper_y2 import WORD\n" + RECIPE.replace("{then}", "Command(WORD)")


def helped(folder: Path, word: str) -> Path:
    """Write a recipe that says a *word* which a module beside it holds."""
    (folder / "hello.py").write_text(HELPED.format(name="hello", line="ping"))
    (folder / "helper_y2.py").write_text(f"WORD = {word!r}\n")
    return folder / "hello.py"


async def test_a_changed_module_beside_a_recipe_is_taken(
    autojump_clock: MockClock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Even one of the same size, changed within the second in which it was compiled."""
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    file = helped(tmp_path, "pong")
    async with at_work(file) as evening:
        evening.says("ping")
        helper, stat = tmp_path / "helper_y2.py", (tmp_path / "helper_y2.py").stat()
        helper.write_text("WORD = 'PONG'\n")
        os.utime(helper, ns=(stat.st_atime_ns, stat.st_mtime_ns + 1000))
        await trio.sleep(SEEN_SECONDS)
        evening.says("ping")

    assert evening.sent == ["pong", "PONG"]
    assert evening.told == ["the changed recipes are taken: hello"]


async def test_a_broken_module_changes_nothing(autojump_clock: MockClock, tmp_path: Path) -> None:
    file = helped(tmp_path, "pong")
    async with at_work(file) as evening:
        module = sys.modules["helper_y2"]
        later(tmp_path / "helper_y2.py").write_text("WORD = \n")
        await trio.sleep(SEEN_SECONDS)
        evening.says("ping")

    assert evening.sent == ["pong"]
    assert sys.modules["helper_y2"] is module
    (told,) = evening.told
    assert told.startswith("the changed recipes are not taken, the old ones go on: ")


async def test_a_changed_module_of_a_package_is_taken(
    autojump_clock: MockClock, tmp_path: Path
) -> None:
    (tmp_path / "kit_y2" / "deep").mkdir(parents=True)
    (tmp_path / "kit_y2" / "deep" / "words.py").write_text("WORD = 'pong'\n")
    file = helped(tmp_path, "")
    file.write_text(file.read_text().replace("helper_y2", "kit_y2.deep.words"))
    async with at_work(file) as evening:
        evening.says("ping")
        later(tmp_path / "kit_y2" / "deep" / "words.py").write_text("WORD = 'other'\n")
        await trio.sleep(SEEN_SECONDS)
        evening.says("ping")

    assert evening.sent == ["pong", "other"]


async def test_a_module_that_no_recipe_imports_is_no_matter(
    autojump_clock: MockClock, tmp_path: Path
) -> None:
    file = helped(tmp_path, "pong")
    async with at_work(file) as evening:
        (tmp_path / "helper_other.py").write_text("x = 1\n")
        await trio.sleep(SEEN_SECONDS)

    assert evening.told == []


def test_only_what_came_with_the_recipes_is_imported_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A folder of recipes may have more in it that is at work: a checkout, an environment."""
    (tmp_path / "kit_before.py").write_text("")
    monkeypatch.syspath_prepend(tmp_path)
    before = importlib.import_module("kit_before")
    files = RecipeFiles([helped(tmp_path, "pong")])
    files.load()
    after = sys.modules["helper_y2"]

    files.load_anew()

    assert sys.modules["kit_before"] is before
    assert sys.modules["helper_y2"] is not after


# ---------------------------------------------------------------- slow ones


async def test_beside_a_slow_file_keeps_nobody_from_reading_on(tmp_path: Path) -> None:
    """The thread waits for what only happens if everything else goes on."""
    import threading

    gate, entered = threading.Event(), trio.Event()
    token = trio.lowlevel.current_trio_token()

    class Slow(RecipeFiles):
        def have_changed(self) -> bool:
            return True

        def load_anew(self) -> list[Loaded]:
            token.run_sync_soon(entered.set)
            assert gate.wait(30)
            raise RecipeError("slow.py: too slow")

    told: list[str] = []
    file = write(tmp_path / "hello.py", "ping")
    async with trio.open_nursery() as nursery:
        engine: Any = None
        nursery.start_soon(
            lambda: keep_loaded(engine, Slow([file]), tell=told.append, threaded=True)
        )
        await entered.wait()
        before = list(told)
        nursery.cancel_scope.cancel()
    gate.set()

    assert (before, told) == ([], [])

"""Whatever is slow, the sockets are read: recipes, disks, printers and logs hold nobody up.

Real threads, and a clock that runs fifteen times as fast as ours (faster, and on a busy machine
the panel seems to hang as well); no time is asserted. What
is slow here waits until three hundred more lines have come through to the recipes: if it were
in their way, none would come, and it would wait in vain.
"""

import io
import logging
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import trio
from trio.testing import MockClock

from automate import Asked, Call, ConsoleLine, Notify, Recipe, Wait
from automate.cli.page import Page
from automate.cli.printer import Printer
from automate.engine.watcher import Watcher
from automate.errors import AutomateError
from automate.fake.model.settings import DEFAULT_SERVER
from automate.fake.model.signals import Printed
from automate.live.disk import PatientWriter
from automate.live.log import JsonLines, log
from automate.live.printing import patiently
from automate.machine.actions import Output, Tell, Traced
from automate.recording.format import EngineNote, ServerFrame
from automate.recording.reader import read_recording
from automate.wire import messages as m
from tests.engine.node_scenes import Scene, at_work

LINES = 300
# Real seconds. Nobody waits so long where nothing is in the way.
IN_VAIN_SECONDS = 10

COUNT = Recipe("count", when=ConsoleLine(rf"^line {LINES}$"), then=Notify("all came through"))
FOREVER = 1e9


@pytest.fixture
def autojump_clock() -> MockClock:
    return MockClock(rate=15)


class Gate(Watcher):
    """Opens when all lines have come through; who is slow waits at it."""

    def __init__(self) -> None:
        self.is_open = threading.Event()
        self.waited = False

    def wait(self) -> None:
        """Wait in a thread."""
        self.waited = True
        if not self.is_open.wait(IN_VAIN_SECONDS):
            raise OSError(5, "nothing was read meanwhile")

    def did(self, action: Output, *, dry: bool) -> None:
        if isinstance(action, Tell):
            self.is_open.set()

    def decided(self, traced: Traced) -> None:
        pass

    def saw(self, server: str, words: str) -> None:
        pass

    def gave_up(self, server: str, error: AutomateError) -> None:
        pass


async def talk(scene: Scene, gate: Gate) -> None:
    """Have the game say its lines, and wait until they came through."""
    while "is running" not in scene.words():  # noqa: ASYNC110 # told by plain calls
        await trio.sleep(1)
    # By then it has said again what it said before.
    await trio.sleep(2)
    for number in range(1, LINES + 1):
        scene.tell(Printed(f"line {number}"))
        await trio.sleep(0.1)
    while not gate.is_open.is_set():  # noqa: ASYNC110 # an event of threads
        await trio.sleep(1)


# ---------------------------------------------------------------- recipes


@pytest.fixture
def guest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Gate]:
    (tmp_path / "drain_guest.py").write_text(
        "import trio\n"
        "def hangs(values):\n"
        "    gate.wait()\n"
        "async def waits(values):\n"
        "    gate.waited = True\n"
        "    while not gate.is_open.is_set():\n"
        "        await trio.sleep(1)\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    import drain_guest  # type: ignore[import-not-found] # made just above

    drain_guest.gate = gate = Gate()
    yield gate
    monkeypatch.delitem(sys.modules, "drain_guest")


@pytest.mark.parametrize("function", ["hangs", "waits"])
async def test_a_slow_function_of_somebodys_delays_nothing(
    function: str, guest: Gate, autojump_clock: MockClock
) -> None:
    slow = Recipe("slow", when=Asked(), then=Call(f"drain_guest.{function}", limit_seconds=FOREVER))

    async with at_work([slow, COUNT], asked="slow", watchers=[guest]) as scene:
        await talk(scene, guest)
        assert await scene.outcome() == "done"

    assert guest.waited


# ---------------------------------------------------------------- disks


async def test_a_disk_that_hangs_delays_nothing_and_gets_all_of_it(
    autojump_clock: MockClock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate = hang_the_disk(monkeypatch)

    async with at_work([COUNT], folder=tmp_path, watchers=[gate]) as scene:
        await talk(scene, gate)

    path = recorded_in(tmp_path)
    recording = read_recording(path)
    assert gate.waited
    assert recording.warnings == []
    assert lines_in(path) == [f"line {number}" for number in range(1, LINES + 1)]


async def test_what_a_hanging_disk_could_not_take_is_counted_and_marked(
    autojump_clock: MockClock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate = hang_the_disk(monkeypatch)
    defaults = PatientWriter.__init__.__kwdefaults__
    assert defaults is not None
    monkeypatch.setitem(defaults, "waiting_bytes", 5000)

    async with at_work([COUNT], folder=tmp_path, watchers=[gate]) as scene:
        await talk(scene, gate)
        settle(tmp_path)
        scene.tell(Printed("line the last"))
        await trio.sleep(10)

    path = recorded_in(tmp_path)
    gaps = [
        entry.extra["detail"]
        for entry in read_recording(path).entries
        if isinstance(entry, EngineNote) and entry.what == "gap"
    ]
    assert len(lines_in(path)) < LINES
    assert lines_in(path)[-1] == "line the last"
    assert [words.partition(" ")[2] for words in gaps] == [
        "entries were dropped: the disk was too slow"
    ]


def hang_the_disk(monkeypatch: pytest.MonkeyPatch) -> Gate:
    gate, write = Gate(), PatientWriter._write

    def slowly(writer: PatientWriter, piece: bytes) -> None:
        gate.wait()
        write(writer, piece)

    monkeypatch.setattr(PatientWriter, "_write", slowly)
    return gate


def settle(folder: Path) -> None:
    """Wait until the thread that writes has nothing left to write, however slow the machine is."""
    sizes: list[int] = []
    while len(sizes) < 5 or len(set(sizes[-5:])) > 1:
        time.sleep(0.02)
        sizes.append(recorded_in(folder).stat().st_size)


def recorded_in(folder: Path) -> Path:
    [path] = folder.iterdir()
    return path


def lines_in(path: Path) -> list[str]:
    return [
        entry.message.line
        for entry in read_recording(path).entries
        if isinstance(entry, ServerFrame)
        and isinstance(entry.message, m.ConsoleOutput)
        and entry.message.line.startswith("line ")
    ]


# ---------------------------------------------------------------- printers and logs


class Stopped(io.StringIO):
    """A terminal that somebody has stopped."""

    def __init__(self, gate: Gate) -> None:
        super().__init__()
        self._gate = gate

    def write(self, text: str) -> int:
        self._gate.wait()
        return super().write(text)


async def test_a_stopped_terminal_delays_nothing_and_gets_all_of_it(
    autojump_clock: MockClock,
) -> None:
    gate = Gate()
    terminal = Stopped(gate)
    hello = Recipe("hello", when=ConsoleLine("^line .0$"), then=Notify("{line}"))
    late = [Wait(seconds=1), *COUNT.then]
    count = Recipe("count", when=ConsoleLine(f"^line {LINES}$"), then=late)

    with patiently(terminal) as stream:
        printer = Printer(Page(["Arena"], out=stream), {DEFAULT_SERVER: "Arena"})
        gate.did = lambda action, *, dry: opens_at_the_end(gate, action)  # type: ignore[method-assign] # one of them ends it
        async with at_work([hello, count], watchers=[gate, printer]) as scene:
            await talk(scene, gate)

    notices = [line.partition("NOTICE: ")[2] for line in terminal.getvalue().splitlines()]
    assert gate.waited
    assert [words for words in notices if words] == [
        *(f"line {number}0" for number in range(1, 10)),
        "all came through",
    ]


def opens_at_the_end(gate: Gate, action: Output) -> None:
    if isinstance(action, Tell) and action.text == "all came through":
        gate.is_open.set()


async def test_a_log_that_hangs_delays_nothing(autojump_clock: MockClock) -> None:
    gate = Gate()
    file = Stopped(gate)
    with patiently(file) as stream:
        handler = logging.StreamHandler(stream)
        handler.setFormatter(JsonLines())
        level = log.level
        log.addHandler(handler)
        log.setLevel(logging.INFO)
        try:
            async with at_work([COUNT], watchers=[gate]) as scene:
                await talk(scene, gate)
        finally:
            log.removeHandler(handler)
            log.setLevel(level)

    assert gate.waited
    assert '"what": "ready"' in file.getvalue()

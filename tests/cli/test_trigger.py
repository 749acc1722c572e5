"""`automate trigger`: a running automate is asked for one of its recipes."""

import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from automate.cli import trigger
from automate.engine.journal import Request
from automate.engine.journal_file import SqliteJournal
from automate.errors import StateError
from tests.cli.shell import Said, say, started
from tests.engine.journal_scenes import ARENA, LOBBY, SERVERS, kept, note

Capture = pytest.CaptureFixture[str]


def unexpected() -> None:
    pytest.fail("it waits although everything has ended")


class FakeEngine:
    """An engine that does *deeds*, one each time the command pauses."""

    def __init__(self, path: Path, journal: SqliteJournal, capsys: Capture) -> None:
        self.path = path
        self.journal = journal
        self.taken: list[Request] = []
        self._capsys = capsys

    def asked_for(self, *words: str, deeds: list[Callable[[], object]]) -> Said:
        """Return what the command says, played against *deeds*; no time passes."""
        left = iter([*deeds, unexpected])
        self._capsys.readouterr()
        code = trigger.run([*words, "--state", str(self.path)], pause=lambda: next(left)())
        out, err = self._capsys.readouterr()
        return Said(code, out, err)

    def take(self) -> None:
        """Take the requests there are."""
        self.taken += self.journal.take_requests()

    def begin(self, run: int, request: int = 0) -> None:
        """Begin a run because of a request."""
        self.journal.write({}, [note(1, "triggered", run=run)], begun={self.taken[request].id: run})

    def end(self, run: int, what: str, detail: str = "") -> None:
        """End a run."""
        self.journal.write({}, [note(2, what, detail, run=run)])

    def hold_back(self, request: int = 0) -> None:
        """Hold a recipe back."""
        self.journal.answer_request(
            self.taken[request].id, None, "held back", "it is still running"
        )


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "panel.sqlite"


@pytest.fixture
def engine(path: Path, capsys: Capture) -> Iterator[FakeEngine]:
    with kept(path) as journal:
        journal.describe(recipes=["hello", "night"], servers=SERVERS, serves={"night": [LOBBY]})
        yield FakeEngine(path, journal, capsys)


def test_what_is_asked_for_is_done(engine: FakeEngine) -> None:
    said = engine.asked_for(
        "night",
        deeds=[
            engine.take,
            lambda: engine.begin(5),
            lambda: None,
            lambda: engine.end(5, "done"),
        ],
    )

    assert said == Said(0, "lobby (5f2c9a1e): 'night' is done (run 5)\n", "")
    assert [(one.recipe, one.server) for one in engine.taken] == [("night", LOBBY)]


def test_what_fails_ends_with_a_line_and_1(engine: FakeEngine) -> None:
    said = engine.asked_for(
        "hello",
        "--server",
        "arena",
        deeds=[
            engine.take,
            lambda: engine.begin(5),
            lambda: engine.end(5, "failed", "it rains"),
        ],
    )

    assert said.complaint == (1, "arena (a1b2c3d4): failed: it rains (run 5)")


def test_what_is_held_back_ends_with_a_line_and_1(engine: FakeEngine) -> None:
    said = engine.asked_for("night", deeds=[engine.take, engine.hold_back])

    assert said.complaint == (1, "lobby (5f2c9a1e): held back: it is still running")


def test_several_servers_can_be_asked_at_once(engine: FakeEngine) -> None:
    said = engine.asked_for(
        "hello",
        *["--server", "lobby", "--server", ARENA[:8], "--server", LOBBY],
        deeds=[
            engine.take,
            lambda: engine.begin(5, request=1),
            lambda: engine.hold_back(request=0),
            lambda: engine.end(5, "done", "it greets already"),
        ],
    )

    assert said == Said(
        1,
        "arena (a1b2c3d4): 'hello' is done: it greets already (run 5)\n",
        "automate: lobby (5f2c9a1e): held back: it is still running\n",
    )


# ---------------------------------------------------------------- nobody to ask


def test_without_an_engine_it_is_said_what_to_do(path: Path, capsys: Capture) -> None:
    with kept(path) as journal:
        journal.describe(recipes=["night"], servers={LOBBY: "lobby"})

    assert say("trigger", "night", "--state", path, capsys=capsys).complaint == (
        1,
        f"no automate is running with {path}; start it (`automate run …`), or ask for the recipe "
        "alone: automate run … --trigger 'night'",
    )
    with kept(path) as journal:
        assert journal.take_requests() == []


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (
            ["day"],
            "the running automate has no recipe called 'day'; there are: 'hello', 'night'",
        ),
        (
            ["hello"],
            "'hello' is for several servers: arena (a1b2c3d4), lobby (5f2c9a1e); say which with "
            "--server",
        ),
        (["night", "--server", "arena"], "'night' is not for arena"),
        (
            ["night", "--server", "attic"],
            "no server 'attic' in the journal; there are: arena (a1b2c3d4), lobby (5f2c9a1e)",
        ),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_what_the_engine_does_not_know_is_not_asked_for(
    words: list[str], line: str, engine: FakeEngine, capsys: Capture
) -> None:
    assert say("trigger", *words, "--state", engine.path, capsys=capsys).complaint == (2, line)
    assert engine.journal.take_requests() == []


def test_an_engine_that_ends_meanwhile_is_told(engine: FakeEngine) -> None:
    with pytest.raises(StateError) as caught:
        engine.asked_for(
            "night", deeds=[engine.take, lambda: engine.begin(5), engine.journal.close]
        )

    assert str(caught.value) == "automate ended before the recipe did; see `automate trace 5`"


def test_what_ended_just_before_the_engine_did_is_known(engine: FakeEngine) -> None:
    def end() -> None:
        engine.end(5, "done")
        engine.journal.close()

    said = engine.asked_for("night", deeds=[engine.take, lambda: engine.begin(5), end])

    assert said.code == 0


def test_an_engine_that_hears_nothing_is_not_asked_for_ever(engine: FakeEngine) -> None:
    with pytest.raises(StateError) as caught:
        engine.asked_for("night", deeds=[lambda: None] * 100)

    assert str(caught.value) == (
        f"the automate that keeps {engine.path} takes no requests; does it hang? End it and "
        "start it again"
    )
    # Nobody waits for it any more: it must not be done later.
    assert engine.journal.take_requests() == []


def test_an_engine_that_hears_may_take_its_time(engine: FakeEngine) -> None:
    said = engine.asked_for(
        "night",
        deeds=[
            engine.take,
            lambda: engine.begin(5),
            *[lambda: None] * 300,
            lambda: engine.end(5, "done"),
        ],
    )

    assert said.code == 0


def interrupt() -> None:
    raise KeyboardInterrupt


def test_who_interrupts_before_it_began_takes_it_back(engine: FakeEngine) -> None:
    with pytest.raises(KeyboardInterrupt):
        engine.asked_for("night", deeds=[interrupt])

    assert engine.journal.take_requests() == []


def test_who_interrupts_later_is_told_that_it_goes_on(engine: FakeEngine, capsys: Capture) -> None:
    with pytest.raises(KeyboardInterrupt):
        engine.asked_for("night", deeds=[engine.take, lambda: engine.begin(5), interrupt])

    assert capsys.readouterr().err == "automate: the recipe goes on; see `automate trace 5`\n"


# ---------------------------------------------------------------- processes


def test_one_process_asks_another(path: Path, engine: FakeEngine) -> None:
    """With a clock that really ticks; how fast is not asked."""
    with started("trigger", "night", "--state", path) as running:
        while not engine.taken:
            assert running.process.poll() is None, running.rest()
            time.sleep(0.01)
            engine.take()
        engine.begin(5)
        engine.end(5, "done")
        said = running.rest()

    assert said == Said(0, "lobby (5f2c9a1e): 'night' is done (run 5)\n", "")


@pytest.mark.skipif(os.name == "nt", reason="this system has no SIGKILL")
def test_an_engine_that_is_killed_is_missed(path: Path, root: Path) -> None:
    import signal
    import subprocess
    import sys

    script = f"""
import time
from pathlib import Path
from tests.engine.journal_scenes import LOBBY, kept

with kept(Path({str(path)!r})) as journal:
    journal.describe(recipes=["night"], servers={{LOBBY: "lobby"}})
    print("ready", flush=True)
    while not journal.take_requests():
        time.sleep(0.01)
    print("taken", flush=True)
    time.sleep(60)
"""
    env: dict[str, Any] = {**os.environ, "PYTHONPATH": str(root)}
    with subprocess.Popen(
        [sys.executable, "-c", script], env=env, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        with started("trigger", "night", "--state", path) as running:
            assert process.stdout.readline() == "taken\n"
            process.send_signal(signal.SIGKILL)
            process.wait()
            said = running.rest()

    assert said.complaint == (1, "automate ended before the recipe did")

"""`automate why`: why a recipe ran, or did not, and when it will."""

import json
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from tests.cli.shell import say
from tests.engine.journal_scenes import LOBBY, SERVERS, in_berlin, kept, note, write_evening

Capture = pytest.CaptureFixture[str]


@pytest.fixture(autouse=True)
def _in_berlin() -> Iterator[None]:
    with in_berlin():
        yield


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "panel.sqlite"


@pytest.fixture
def at_work(path: Path) -> Iterator[Path]:
    """An evening's journal, while the engine that wrote it goes on."""
    with kept(path) as journal:
        write_evening(journal)
        yield path


def lines(*words: str, path: Path, capsys: Capture) -> list[str]:
    said = say("why", *words, "--state", path, capsys=capsys)
    assert (said.code, said.err) == (0, "")
    return said.out.splitlines()


def test_what_ran_and_what_never_was_set_off(at_work: Path, capsys: Capture) -> None:
    assert lines("restart on crash", path=at_work, capsys=capsys) == [
        "restart on crash",
        "arena (a1b2c3d4):",
        "  2026-11-24 22:01:01  ran (crashed (exit code 139)): done after 12 s; see `automate "
        "trace 1`",
        "  2026-11-24 22:01:30  ran (crashed (exit code 1)): failed after 5 min 0 s: the server "
        "did not start in 300 seconds; see `automate trace 2`",
        "lobby (5f2c9a1e):",
        "  nothing has set it off since 2026-11-24 22:00:00, when the journal began",
    ]


def test_what_was_held_back_and_how_often(at_work: Path, capsys: Capture) -> None:
    assert lines("announce", "--server", "lobby", path=at_work, capsys=capsys) == [
        "announce",
        "lobby (5f2c9a1e):",
        "  2026-11-24 22:02:20  did not run: the server is offline (2 times since 2026-11-24 "
        "22:01:20)",
    ]


def test_when_it_is_due_next(at_work: Path, capsys: Capture) -> None:
    """Only where it is for: the nightly backup is not for the arena."""
    assert lines("nightly backup", path=at_work, capsys=capsys) == [
        "nightly backup",
        "lobby (5f2c9a1e):",
        "  nothing has set it off since 2026-11-24 22:00:00, when the journal began",
        "  2026-11-25 05:30:00  is due next",
    ]


announce = partial(note, recipe="announce", server=LOBBY)


def test_runs_and_decisions_stand_in_the_order_of_time(path: Path, capsys: Capture) -> None:
    """The last of them: whoever asks why wants to know of the last night."""
    with kept(path) as journal:
        journal.describe(recipes=["announce"], servers={LOBBY: "lobby"})
        for n in range(6):
            journal.write({}, [announce(60 * n, "missed", f"number {n}")])
            ran = [announce(60 * n + 30, what, run=n + 1) for what in ("triggered", "done")]
            journal.write({}, ran)
        told = lines("announce", path=path, capsys=capsys)

    assert [line.partition("  2026-11-24 ")[2] for line in told[2:]] == [
        "22:01:00  missed: number 1",
        "22:02:00  missed: number 2",
        "22:03:00  missed: number 3",
        "22:03:30  ran: done after 0.0 s; see `automate trace 4`",
        "22:04:00  missed: number 4",
        "22:04:30  ran: done after 0.0 s; see `automate trace 5`",
        "22:05:00  missed: number 5",
        "22:05:30  ran: done after 0.0 s; see `automate trace 6`",
    ]


def test_what_is_not_at_work_is_said_to_be_so(path: Path, capsys: Capture) -> None:
    with kept(path) as journal:
        write_evening(journal)
    not_running = lines("nightly backup", path=path, capsys=capsys)
    with kept(path) as journal:
        journal.describe(recipes=["nightly backup"], servers=SERVERS)
        journal.write({f"server:{LOBBY}": {"recipes": {"announce": {"due": [9000.0]}}}})
        gone = lines("announce", path=path, capsys=capsys)

    assert not_running[1] == "  is not at work: automate is not running"
    assert not_running[-1] == "  2026-11-25 05:30:00  was due next"
    assert gone[:2] == ["announce", "  is not at work: the running automate has no such recipe"]
    assert "due" not in gone[-1]


def test_the_answer_as_json(at_work: Path, capsys: Capture) -> None:
    told = [
        json.loads(line)
        for name in ("restart on crash", "announce", "nightly backup")
        for line in lines(name, "--json", path=at_work, capsys=capsys)
    ]

    assert [(one["what"], one.get("run")) for one in told[:2]] == [("run", 1), ("run", 2)]
    assert told[2:] == [
        {
            "what": "held back",
            "server": LOBBY,
            "detail": "the server is offline",
            "time": "2026-11-24T21:02:20.000000Z",
            "times": 2,
            "since": "2026-11-24T21:01:20.000000Z",
        },
        {"what": "due", "server": LOBBY, "time": "2026-11-25T04:30:00.500000Z"},
    ]


def test_a_recipe_nobody_knows(at_work: Path, capsys: Capture) -> None:
    assert say("why", "x", "--state", at_work, capsys=capsys).complaint == (
        2,
        "no recipe is called 'x'; there are: 'restart on crash', 'nightly backup', 'announce'",
    )

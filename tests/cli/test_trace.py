"""`automate trace`: all that was decided in one run."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.shell import say
from tests.engine.journal_scenes import ARENA, in_berlin, kept, note, write_evening

Capture = pytest.CaptureFixture[str]


@pytest.fixture(autouse=True)
def _in_berlin() -> Iterator[None]:
    with in_berlin():
        yield


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "panel.sqlite"


@pytest.fixture
def evening(path: Path) -> Path:
    with kept(path) as journal:
        write_evening(journal)
    return path


def test_a_run_that_did_what_it_should(evening: Path, capsys: Capture) -> None:
    said = say("trace", "1", "--state", evening, capsys=capsys)

    assert (said.code, said.err) == (0, "")
    assert said.out.splitlines() == [
        "run 1: 'restart on crash' for arena (a1b2c3d4)",
        "  began  2026-11-24 22:01:01",
        "  ended  2026-11-24 22:01:13, done after 12 s",
        "  with   exit_code = 139, attempt = 1",
        "  22:01:01.250  triggered: crashed (exit code 139)",
        "  22:01:01.250  condition: the server is offline: yes",
        "  22:01:01.250  wait 10 seconds - done (after 10 s)",
        "  22:01:11.250  start - done (after 2.2 s)",
        "  22:01:13.500  done",
    ]


def test_a_run_that_failed(evening: Path, capsys: Capture) -> None:
    said = say("trace", "2", "--state", evening, capsys=capsys)

    assert said.out.splitlines() == [
        "run 2: 'restart on crash' for arena (a1b2c3d4)",
        "  began  2026-11-24 22:01:30",
        "  ended  2026-11-24 22:06:30, failed after 5 min 0 s: the server did not start in 300 "
        "seconds",
        "  22:01:30.000  triggered: crashed (exit code 1)",
        "  22:01:30.000  start - failed: the server did not start in 300 seconds (after 5 min 0 s)",
        "  22:06:30.000  failed: the server did not start in 300 seconds",
    ]


def test_steps_side_by_side_doubts_and_another_day(path: Path, capsys: Capture) -> None:
    """Each end is told with its own step, and what is no step's end stands for itself."""
    midnight = 2 * 3600
    with kept(path) as journal:
        journal.write(
            {},
            [
                note(midnight - 2, "triggered", run=7),
                note(midnight - 2, "step", "command 'save-all'", run=7, step=1),
                note(midnight - 1, "step", "backup 'night'", run=7, step=2),
                note(midnight + 1, "in doubt", "command 'save-all': repeated", run=7, step=1),
                note(midnight + 2, "step done", run=7, step=1),
                note(midnight + 3, "unconfirmed", run=7, step=2),
                note(midnight + 4, "step failed", "evil \x1b[2J\nlines", run=7, step=2),
                note(midnight + 5, "step done", run=7, step=9),
            ],
        )
        said = say("trace", "7", "--state", path, capsys=capsys)

    assert said.out.splitlines() == [
        "run 7: 'restart on crash' for a1b2c3d4",
        "  began  2026-11-24 23:59:58",
        "  ended  running",
        "  23:59:58.000  triggered",
        "  23:59:58.000  command 'save-all' - done (after 4.0 s)",
        "  23:59:59.000  backup 'night' - unconfirmed - failed: evil lines (after 5.0 s)",
        "  2026-11-25",
        "  00:00:01.000  in doubt: command 'save-all': repeated",
        "  00:00:05.000  step done",
    ]


def test_a_trace_as_json(evening: Path, capsys: Capture) -> None:
    said = say("trace", "2", "--state", evening, "--json", capsys=capsys)

    told = [json.loads(line) for line in said.out.splitlines()]
    assert [one["what"] for one in told] == ["triggered", "step", "step failed", "failed"]
    assert told[1] == {
        "run": 2,
        "server": ARENA,
        "recipe": "restart on crash",
        "time": "2026-11-24T21:01:30.000000Z",
        "what": "step",
        "detail": "start",
        "step": 1,
    }


@pytest.mark.parametrize(
    ("typed", "line"),
    [
        ("3", "no run 3 in the journal; there are: runs 1 to 2"),
        ("9223372036854775807", "no run 9223372036854775807 in the journal; there are: runs 1 to"),
        ("9223372036854775808", "argument RUN: expected a run's number such as 12, found '92233"),
        ("one", "argument RUN: expected a run's number such as 12, found 'one'"),
    ],
)
def test_a_run_that_is_not_there(typed: str, line: str, evening: Path, capsys: Capture) -> None:
    code, told = say("trace", typed, "--state", evening, capsys=capsys).complaint

    assert (code, told[: len(line)]) == (2, line)

"""`automate runs`: what ran, a line each."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.shell import say
from tests.engine.journal_scenes import ARENA, LOBBY, at, in_berlin, kept, note, write_evening

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


def test_a_line_tells_of_each_run_the_newest_last(evening: Path, capsys: Capture) -> None:
    said = say("runs", "--state", evening, capsys=capsys)

    assert (said.code, said.err) == (0, "")
    assert said.out.splitlines() == [
        "1  2026-11-24 22:01:01  arena  restart on crash  done after 12 s",
        "2  2026-11-24 22:01:30  arena  restart on crash  failed after 5 min 0 s: the se…",
    ]


def test_lines_fit_whatever_others_chose_for_names(path: Path, capsys: Capture) -> None:
    """A server's name must not act on the terminal, nor push the columns about."""
    with kept(path) as journal:
        journal.describe(recipes=[], servers={ARENA: "Größe\x1b[2J\n🎉 of the whole world"})
        journal.write(
            {},
            [
                note(1, "triggered", run=9, recipe="a name " * 9),
                note(4000, "failed", "it rains\r\n" * 9, run=9, recipe="a name " * 9),
                note(4001, "triggered", run=10, recipe="b", server=LOBBY),
                note(4001.5, "done", "it runs already", run=10, recipe="b", server=LOBBY),
            ],
        )

    said = say("runs", "--state", path, capsys=capsys)

    assert said.out.splitlines() == [
        " 9  2026-11-24 22:00:01  Größe 🎉 of …  a name a name a nam…  failed after 1 h 6…",
        "10  2026-11-24 23:06:41  5f2c9a1e      b                     not needed after 0…",
    ]
    assert {len(line) for line in said.out.splitlines()} == {80}


def test_runs_that_go_on_are_told_from_those_that_were_cut_off(path: Path, capsys: Capture) -> None:
    with kept(path) as journal:
        journal.describe(recipes=[], servers={ARENA: "arena"})
        journal.write({}, [note(1, "triggered", run=1)])
        running = say("runs", "--state", path, capsys=capsys)
    interrupted = say("runs", "--state", path, capsys=capsys)

    head = "1  2026-11-24 22:00:01  arena  restart on crash  "
    assert [running.out, interrupted.out] == [f"{head}running\n", f"{head}interrupted\n"]


@pytest.mark.parametrize(
    ("words", "found"),
    [
        (["--limit", "1"], [2]),
        (["--recipe", "restart on crash"], [1, 2]),
        (["--recipe", "announce"], []),
        (["--server", "a1b2c3d4"], [1, 2]),
        (["--server", "Lobby"], []),
    ],
)
def test_runs_can_be_chosen(
    words: list[str], found: list[int], evening: Path, capsys: Capture
) -> None:
    said = say("runs", "--state", evening, "--json", *words, capsys=capsys)

    assert (said.code, said.err) == (0, "")
    assert [json.loads(line)["run"] for line in said.out.splitlines()] == found


def test_a_run_as_json(evening: Path, capsys: Capture) -> None:
    said = say("runs", "--state", evening, "--limit", "1", "--json", capsys=capsys)

    assert json.loads(said.out) == {
        "run": 2,
        "server": ARENA,
        "server_name": "arena",
        "recipe": "restart on crash",
        "trigger": "crashed (exit code 1)",
        "began": "2026-11-24T21:01:30.000000Z",
        "ended": "2026-11-24T21:06:30.000000Z",
        "outcome": "failed",
        "reason": "the server did not start in 300 seconds",
        "values": {},
    }


def test_without_runs_that_is_said(path: Path, capsys: Capture) -> None:
    with kept(path):
        said = say("runs", "--state", path, capsys=capsys)
        as_json = say("runs", "--state", path, "--json", capsys=capsys)

    assert (said.code, said.out, as_json.code, as_json.out) == (0, "no runs yet\n", 0, "")


@pytest.mark.parametrize(
    ("words", "code", "line"),
    [
        (["--server", "x"], 2, "no server 'x' in the journal; there are: arena (a1b2c3d4), lobby"),
        (["--recipe", "x"], 2, "no recipe is called 'x'; there are: 'restart on crash', 'nightly"),
        (["--limit", "0"], 2, "argument --limit: expected a whole number from 1 to 1000000000"),
    ],
)
def test_what_is_not_there_is_told_in_a_line(
    words: list[str], code: int, line: str, evening: Path, capsys: Capture
) -> None:
    told = say("runs", "--state", evening, *words, capsys=capsys).complaint

    assert (told[0], told[1][: len(line)]) == (code, line)


# ---------------------------------------------------------------- which journal


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    return tmp_path / "automate"


@pytest.mark.parametrize("command", [["runs"], ["trace", "1"], ["why", "x"], ["trigger", "x"]])
def test_without_any_journal_it_is_said_what_makes_one(
    command: list[str], folder: Path, capsys: Capture
) -> None:
    told = [
        say(*command, capsys=capsys).complaint,
        say(*command, "--panel", "https://panel.example.com/", capsys=capsys).complaint,
        say(*command, "--state", folder / "x", capsys=capsys).complaint,
    ]

    makes = "there is no journal; `automate run` makes one"
    assert told == [
        (
            1,
            f"no journal in {folder}; `automate run` makes one, or say where it is with "
            "--state FILE",
        ),
        (1, f"{folder / 'panel.example.com.sqlite'}: {makes}"),
        (1, f"{folder / 'x'}: {makes}"),
    ]
    assert not folder.exists()


def test_the_panel_chooses_among_several_journals(folder: Path, capsys: Capture) -> None:
    for n, name in enumerate(("panel.example.com", "other.example.com"), 1):
        with kept(folder / f"{name}.sqlite", panel=f"https://{name}", now=at(0)) as journal:
            journal.write({}, [note(1, "triggered", run=n)])

    several = say("runs", capsys=capsys)
    chosen = say("runs", "--panel", "https://other.example.com/server/x", "--json", capsys=capsys)
    wrong = say("runs", "--panel", "other.example.com", capsys=capsys)

    assert several.complaint == (
        2,
        f"several journals in {folder}: other.example.com.sqlite, panel.example.com.sqlite; say "
        "which by its --panel URL, or with --state FILE",
    )
    assert json.loads(chosen.out)["run"] == 2
    assert wrong.complaint[0] == 2
    (folder / "other.example.com.sqlite").unlink()
    assert say("runs", "--json", capsys=capsys).out.startswith('{"run": 1, ')

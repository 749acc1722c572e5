"""What a journal tells afterwards, and which journal is meant where nobody says."""

import os
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from automate.engine.history import History, open_history
from automate.engine.state_folder import state_path, the_state_file
from automate.errors import AutomateError, StateError, UsageError
from tests.engine.journal_scenes import ARENA, LOBBY, ORIGIN, at, kept, note, write_evening


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "panel.sqlite"


@pytest.fixture
def evening(path: Path) -> Path:
    with kept(path) as journal:
        write_evening(journal)
    return path


def refusal(path: Path) -> str:
    """Return why there is no history in *path*, without its name."""
    with pytest.raises(StateError) as caught, open_history(path):
        pass
    return str(caught.value).replace(str(path), "{}")


# ---------------------------------------------------------------- runs and decisions


def test_a_run_is_told_with_what_set_it_off_and_how_it_ended(evening: Path) -> None:
    with open_history(evening) as history:
        first, second = history.runs()

    assert (first.trigger, first.began, first.outcome, first.seconds) == (
        "crashed (exit code 139)",
        at(61.25),
        "done",
        12.25,
    )
    assert (first.server, first.server_name, first.values["exit_code"]) == (ARENA, "arena", "139")
    assert (second.outcome, second.reason, second.seconds) == (
        "failed",
        "the server did not start in 300 seconds",
        300.0,
    )


def test_runs_can_be_chosen(evening: Path) -> None:
    with open_history(evening) as history:
        chosen = [
            [run.id for run in history.runs(limit=1)],
            [run.id for run in history.runs(server=LOBBY)],
            [run.id for run in history.runs(recipe="restart on crash", server=ARENA)],
            [run.id for run in history.runs(recipe="announce")],
        ]

    assert chosen == [[2], [], [1, 2], []]


def test_the_same_decision_again_and_again_is_one(path: Path) -> None:
    with kept(path) as journal:
        for seconds, detail in [(1, "rain"), (2, "rain"), (3, "snow"), (4, "rain"), (5, "rain")]:
            journal.write({}, [note(seconds, "held back", detail)])
    with open_history(path) as history:
        decisions = history.not_run("restart on crash", ARENA, limit=9)

    assert [(one.detail, one.times, one.time, one.last) for one in decisions] == [
        ("rain", 2, at(1), at(2)),
        ("snow", 1, at(3), at(3)),
        ("rain", 2, at(4), at(5)),
    ]


def test_a_run_that_goes_on_has_no_end(path: Path) -> None:
    with kept(path) as journal:
        journal.write({}, [note(1, "triggered", run=1)])
        with open_history(path) as history:
            (run,) = history.runs()
            told = (run.outcome, run.ended, run.seconds, history.is_kept)

    assert told == (None, None, None, True)


def test_recipes_and_servers_are_known_while_they_are_remembered(evening: Path) -> None:
    with kept(evening) as journal:
        journal.describe(recipes=["night"], servers={LOBBY: "hall"})
    with open_history(evening) as history:
        told = (history.recipes, history.servers, history.at_work)
        of = {name: history.servers_of(name) for name in history.recipes}

    assert told == (
        ["night", "announce", "restart on crash"],
        {LOBBY: "hall", ARENA: "arena"},
        ["night"],
    )
    assert of == {"night": [LOBBY], "announce": [LOBBY], "restart on crash": [ARENA]}


@pytest.mark.parametrize("typed", ["arena", "ARENA ", "a1b2c3d4", ARENA, ARENA.upper()])
def test_a_server_is_found_by_what_one_would_type(typed: str, evening: Path) -> None:
    with open_history(evening) as history:
        assert history.find_server(typed) == ARENA


def asking(history: History, kind: str, typed: str) -> str:
    find = history.find_server if kind == "server" else history.find_recipe
    with pytest.raises(UsageError) as caught:
        find(typed)
    return str(caught.value)


def test_what_is_not_known_is_told_with_what_is(evening: Path) -> None:
    with open_history(evening) as history:
        told = [
            asking(history, "server", "a1b2c3"),
            asking(history, "recipe", "restart"),
        ]

    assert told == [
        "no server 'a1b2c3' in the journal; there are: arena (a1b2c3d4), lobby (5f2c9a1e)",
        "no recipe is called 'restart'; there are: 'restart on crash', 'nightly backup', "
        "'announce'",
    ]


def test_two_servers_of_one_name_are_told_apart(path: Path) -> None:
    with kept(path) as journal:
        journal.describe(recipes=[], servers={ARENA: "arena", LOBBY: "Arena"})
        with open_history(path) as history:
            told = asking(history, "server", "arena")

    assert told == (
        "several servers are called 'arena': arena (a1b2c3d4), Arena (5f2c9a1e); give the id"
    )


def test_an_empty_journal_knows_nothing_yet(path: Path) -> None:
    with kept(path), open_history(path) as history:
        told = [asking(history, "server", "arena"), asking(history, "recipe", "night")]
        with pytest.raises(UsageError, match=r"no run 1 in the journal; there are: none yet"):
            history.run(1)

    assert told == [
        "no server 'arena' in the journal; there are: none yet",
        "no recipe is called 'night'",
    ]


# ---------------------------------------------------------------- schedules


@pytest.mark.parametrize(
    ("machine", "due"),
    [
        ({"last_run": 2}, at(27000.5)),
        # A clock that was set back by an hour took the origin along.
        ({"origin": at(-3600).isoformat()}, at(23400.5)),
    ],
)
def test_the_next_moment_of_a_schedule_is_told(machine: object, due: object, evening: Path) -> None:
    with kept(evening) as journal:
        journal.write({"machine": machine})
    with open_history(evening) as history:
        told = [history.next_due("nightly backup", server) for server in (LOBBY, ARENA)]
        none = history.next_due("announce", LOBBY)

    assert (told, none) == ([due, None], None)


@pytest.mark.parametrize(
    "part", [None, 1, [], {}, {"recipes": 1}, {"recipes": {"nightly backup": {"due": "soon"}}}]
)
def test_a_state_of_another_machine_only_tells_less(part: object, evening: Path) -> None:
    with kept(evening) as journal:
        journal.write({f"server:{LOBBY}": part})
    with open_history(evening) as history:
        assert history.next_due("nightly backup", LOBBY) is None


# ---------------------------------------------------------------- what can't be read


def test_a_history_needs_a_journal(path: Path) -> None:
    told = [refusal(path)]
    for content in (b"", b"hello\n", b"SQLite format 3\0" + b"x" * 9000):
        path.write_bytes(content)
        told.append(refusal(path))

    assert told == [
        "{}: there is no journal; `automate run` makes one",
        "{}: the journal is still empty; `automate run` writes into it",
        "{}: this is no journal; name another file with --state FILE",
        "{}: this is no journal; name another file with --state FILE",
    ]


@pytest.mark.parametrize(
    ("statement", "words"),
    [
        (
            "PRAGMA application_id = 7",
            "{}: this is another program's database; name a journal with --state FILE",
        ),
        (
            "PRAGMA user_version = 2",
            "{}: the journal has format 2, and this automate reads 1; use the automate that "
            "wrote it",
        ),
    ],
)
def test_what_somebody_else_wrote_is_not_read(statement: str, words: str, evening: Path) -> None:
    with closing(sqlite3.connect(evening)) as connection:
        connection.execute(statement)

    assert refusal(evening) == words


@pytest.mark.parametrize(
    "statement",
    ["UPDATE runs SET began = 'soon'", "UPDATE runs SET \"values\" = '{'", "DROP TABLE runs"],
)
def test_what_is_damaged_is_told_in_a_line(statement: str, evening: Path) -> None:
    with closing(sqlite3.connect(evening)) as connection, connection:
        connection.execute(statement)

    with pytest.raises(AutomateError) as caught, open_history(evening) as history:
        history.runs()
    assert str(caught.value).startswith(f"{evening}: ")
    assert "\n" not in str(caught.value)


def test_reading_changes_nothing(evening: Path) -> None:
    before = evening.read_bytes()
    with open_history(evening) as history:
        history.runs()

    assert evening.read_bytes() == before
    with kept(evening) as journal:
        assert (journal.warning, journal.origin) == (None, ORIGIN)


@pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() == 0, reason="who runs this may write everywhere"
)
def test_a_copy_can_be_read_where_nobody_can_write(evening: Path) -> None:
    evening.parent.chmod(0o500)
    try:
        with open_history(evening) as history:
            assert [run.id for run in history.runs()] == [1, 2]
    finally:
        evening.parent.chmod(0o700)


# ---------------------------------------------------------------- which journal


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    return tmp_path / "state" / "automate"


@pytest.mark.parametrize(
    ("panel", "name"),
    [
        ("https://panel.example.com", "panel.example.com.sqlite"),
        ("http://127.0.0.1:43575", "127.0.0.1_43575.sqlite"),
        ("http://[::1]:80/games/panel", "1_80_games_panel.sqlite"),
    ],
)
def test_each_panel_has_a_journal_of_its_own(panel: str, name: str, folder: Path) -> None:
    assert state_path(panel) == folder / name


@pytest.mark.parametrize("named", ["", "not/absolute"])
def test_without_a_state_folder_there_is_the_usual_one(
    named: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", named)
    monkeypatch.setenv("HOME", "/home/bob")

    path = state_path("https://panel.example.com")

    assert path == Path("/home/bob/.local/state/automate/panel.example.com.sqlite")


def test_the_only_journal_is_the_one_meant(folder: Path) -> None:
    path = state_path("https://panel.example.com")
    with kept(path):
        pass
    path.with_name("panel.example.com.sqlite.20261124T210000Z").touch()

    assert the_state_file() == path


def test_without_a_journal_it_is_said_what_makes_one(folder: Path) -> None:
    with pytest.raises(StateError) as caught:
        the_state_file()

    assert str(caught.value) == (
        f"no journal in {folder}; `automate run` makes one, or say where it is with --state FILE"
    )


def test_of_several_journals_one_must_be_chosen(folder: Path) -> None:
    folder.mkdir(parents=True)
    for name in ("b", "a"):
        (folder / f"{name}.sqlite").touch()
    with pytest.raises(UsageError) as caught:
        the_state_file()

    assert str(caught.value) == (
        f"several journals in {folder}: a.sqlite, b.sqlite; say which by its --panel URL, or "
        "with --state FILE"
    )

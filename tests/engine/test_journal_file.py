"""The journal's file: who may use it, and what becomes of one that can't be used."""

import os
import sqlite3
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from automate.engine import journal_database as database
from automate.engine.history import open_history
from automate.engine.journal_file import SqliteJournal, open_journal
from automate.errors import StateError
from tests.engine.journal_scenes import (
    ARENA,
    ORIGIN,
    PANEL,
    SERVERS,
    asked,
    at,
    kept,
    note,
    write_evening,
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "panel.sqlite"


def refusal(path: Path, **how: Any) -> str:
    """Return why the journal at *path* can't be kept, without its name."""
    with pytest.raises(StateError) as caught:
        open_journal(path, panel=how.get("panel", PANEL), now=ORIGIN).close()
    told = str(caught.value)
    assert "\n" not in told
    return told.replace(str(path), "{}")


# ---------------------------------------------------------------- whose it is


@pytest.mark.skipif(os.name == "nt", reason="this system has other permissions")
def test_it_is_for_its_owner_alone(tmp_path: Path) -> None:
    """Whoever can write into it can have servers stopped."""
    path = tmp_path / "new" / "state" / "panel.sqlite"
    with kept(path) as journal:
        journal.write({"machine": 1})
        found = {each.name: stat.S_IMODE(each.stat().st_mode) for each in path.parent.iterdir()}
        folder = stat.S_IMODE(path.parent.stat().st_mode)

    names = ["panel.sqlite", "panel.sqlite-shm", "panel.sqlite-wal", "panel.sqlite.lock"]
    assert (found, folder) == (dict.fromkeys(names, 0o600), 0o700)


def test_nothing_is_left_beside_it_but_its_lock(path: Path) -> None:
    with kept(path) as journal:
        write_evening(journal)

    assert sorted(os.listdir(path.parent)) == ["panel.sqlite", "panel.sqlite.lock"]


def test_only_one_engine_keeps_it(path: Path) -> None:
    with kept(path):
        told = refusal(path)
        link = path.with_name("link.sqlite")
        link.symlink_to(path)
        by_another_name = refusal(link).replace("{}", "link").replace(str(path), "{}")

    words = f"another automate (pid {os.getpid()}) keeps {{}}; end it, or give another --state FILE"
    assert (told, by_another_name) == (words, words)
    with kept(path) as journal:
        assert journal.warning is None


def test_a_journal_that_is_refused_is_left_as_it_was(path: Path) -> None:
    with kept(path) as journal:
        journal.write({"machine": 1})
        refusal(path)
        journal.write({"machine": 2})

        assert journal.saved() == {"machine": 2}


def test_another_panels_journal_is_refused(path: Path) -> None:
    with kept(path) as journal:
        journal.write({"machine": 1})

    told = refusal(path, panel="https://other.example.com")

    assert told == (
        "{}: this is the journal for https://panel.example.com; give another --state FILE"
    )
    with kept(path) as journal:
        assert journal.saved() == {"machine": 1}


def test_whether_an_engine_keeps_it_can_be_told(path: Path) -> None:
    before = database.is_kept(path)
    with kept(path):
        meanwhile = [database.is_kept(path), database.is_kept(path)]

    assert (before, meanwhile, database.is_kept(path)) == (False, [True, True], False)
    assert not path.with_name("nowhere.lock").exists()


# ---------------------------------------------------------------- what is found there


def test_a_file_of_no_bytes_becomes_a_journal(path: Path) -> None:
    path.touch()

    with kept(path) as journal:
        assert (journal.warning, journal.saved()) == (None, {})


def test_a_journal_that_was_only_begun_is_begun_again(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")

    with kept(path) as journal:
        assert (journal.warning, journal.saved()) == (None, {})


def a_table_is_gone(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("DROP TABLE traces")


def a_value_is_no_json(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("INSERT OR REPLACE INTO state VALUES ('machine', '{')")


def the_origin_is_gone(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("DELETE FROM meta WHERE key = 'origin'")


def a_page_is_torn(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[4096:] = b"\xa5" * (len(content) - 4096)
    path.write_bytes(content)


def a_page_that_is_not_read_at_first_is_torn(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        (page,) = connection.execute(
            "SELECT rootpage FROM sqlite_master WHERE name = 'traces'"
        ).fetchone()
    content = bytearray(path.read_bytes())
    content[(page - 1) * 4096 : page * 4096] = b"\xa5" * 4096
    path.write_bytes(content)


def its_end_is_gone(path: Path) -> None:
    os.truncate(path, 4096)


def only_zeros_are_left(path: Path) -> None:
    path.write_bytes(bytes(path.stat().st_size))


DAMAGES = [
    a_table_is_gone,
    a_value_is_no_json,
    the_origin_is_gone,
    a_page_is_torn,
    a_page_that_is_not_read_at_first_is_torn,
    its_end_is_gone,
    only_zeros_are_left,
]


@pytest.mark.parametrize("damage", DAMAGES, ids=lambda damage: damage.__name__)
def test_a_damaged_journal_is_set_aside(damage: Any, path: Path) -> None:
    with kept(path) as journal:
        write_evening(journal)
    damage(path)
    broken = path.read_bytes()

    with kept(path, now=at(3600)) as journal:
        journal.write({"machine": 1})
        found = (journal.warning, journal.saved(), journal.origin)

    aside = path.with_name("panel.sqlite.20261124T220000Z")
    words = (
        f"{path}: the journal is damaged; it is set aside as {aside.name}, and all begins anew: "
        "runs under way, counts and variables are forgotten"
    )
    assert found == (words, {"machine": 1}, at(3600))
    assert aside.read_bytes() == broken
    with kept(path) as journal:
        assert (journal.warning, journal.saved()) == (None, {"machine": 1})


@pytest.mark.parametrize(("version", "which"), [(2, "a newer"), (0, "an older")])
def test_a_journal_of_another_version_is_set_aside(version: int, which: str, path: Path) -> None:
    with kept(path) as journal:
        journal.write({"machine": 1})
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(f"PRAGMA user_version = {version}")

    with kept(path) as journal:
        assert journal.saved() == {}
        assert journal.warning is not None
        assert journal.warning.startswith(
            f"{path}: the journal is of {which} version of automate (format {version}, here 1); "
            "it is set aside as panel.sqlite.20261124T210000Z"
        )


def test_what_is_set_aside_never_replaces_what_was(path: Path) -> None:
    for n in (1, 2, 3):
        with kept(path) as journal:
            journal.write({"machine": n})
        a_value_is_no_json(path)
    with kept(path):
        pass

    aside = [f"panel.sqlite.20261124T210000Z{n}" for n in ("", "-2", "-3")]
    assert sorted(os.listdir(path.parent)) == ["panel.sqlite", *aside, "panel.sqlite.lock"]


def test_a_journal_set_aside_takes_its_log_along(path: Path) -> None:
    """What a killed engine wrote last stands there; and to a new journal it would be poison."""
    script = f"""
import os
from pathlib import Path
from tests.engine.journal_scenes import kept, note

with kept(Path({str(path)!r})) as journal:
    journal.write({{"machine": 1}}, [note(1, "triggered", run=1)])
    journal._connection.execute("INSERT OR REPLACE INTO meta VALUES ('origin', 'nonsense')")
    os._exit(9)
"""
    subprocess.run([sys.executable, "-c", script], check=False, cwd=Path(__file__).parents[2])

    with kept(path) as journal:
        assert (journal.saved(), journal.warning is None) == ({}, False)
    with closing(sqlite3.connect(path.with_name("panel.sqlite.20261124T210000Z"))) as connection:
        assert connection.execute("SELECT part, value FROM state").fetchall() == [("machine", "1")]


FOREIGN = [b"hello\n", b"# automate\n\nRecipes, recordings and replays", b"\0" * 15 + b"x"]


@pytest.mark.parametrize("content", FOREIGN, ids=["short", "text", "binary"])
def test_what_is_no_journal_is_left_alone(content: bytes, path: Path) -> None:
    path.write_bytes(content)

    told = refusal(path)

    assert told == "{}: this is no journal; name another file with --state FILE"
    assert path.read_bytes() == content


def test_another_programs_database_is_left_alone(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE bookmarks (url)")
    before = path.read_bytes()

    told = refusal(path)

    assert told == "{}: this is another program's database; name another file with --state FILE"
    assert path.read_bytes() == before


@pytest.mark.skipif(os.name == "nt", reason="this system has other errors")
def test_what_can_be_no_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    places = [tmp_path, tmp_path / "file" / "x.sqlite", Path("/dev/null")]

    assert [refusal(place) for place in places] == [
        "{}: this is no file; name one with --state FILE",
        "{}: its folder is no folder; name another file with --state FILE",
        "{}: this is no file; name one with --state FILE",
    ]


@pytest.mark.skipif(os.name == "nt", reason="links need permission on this system")
def test_a_link_to_itself_is_refused_in_a_line(path: Path) -> None:
    """In whatever words: they depend on Python's version."""
    path.symlink_to(path.name)

    assert refusal(path).startswith("{}: ")


# ---------------------------------------------------------------- a disk that refuses


@contextmanager
def refusing(journal: SqliteJournal, pragma: str, normally: str) -> Iterator[None]:
    """Have SQLite refuse to write, as it does for the disk's reasons."""
    journal._connection.execute(f"PRAGMA {pragma}")
    yield
    journal._connection.execute(f"PRAGMA {normally}")


REFUSALS = [
    ("max_page_count = 1", "max_page_count = 1000000", "the disk is full; make room on it"),
    (
        "query_only = 1",
        "query_only = 0",
        "it can't be written; check who may write the file and its folder",
    ),
]


@pytest.mark.parametrize(("pragma", "normally", "words"), REFUSALS, ids=["full", "read-only"])
def test_a_write_that_the_disk_refuses_leaves_nothing_and_can_be_tried_again(
    pragma: str, normally: str, words: str, path: Path
) -> None:
    big = {"machine": 2, "run:1": "x" * 100_000}
    with kept(path) as journal:
        journal.write({"machine": 1})
        with refusing(journal, pragma, normally), pytest.raises(StateError) as caught:
            journal.write(big, [note(1, "triggered", run=1)])
        refused = journal.saved()
        journal.write(big, [note(1, "triggered", run=1)])
        with open_history(path) as history:
            runs = [run.id for run in history.runs()]

        assert str(caught.value) == f"{path}: {words}"
        assert (refused, journal.saved(), runs) == ({"machine": 1}, big, [1])


def test_a_write_that_fails_in_the_middle_leaves_nothing(path: Path) -> None:
    wrong: Any = object()
    with kept(path) as journal:
        journal.write({"machine": 1})
        with pytest.raises(sqlite3.Error):
            journal.write({"machine": 2}, [note(1, "step", run=1, step=wrong)])

        assert journal.saved() == {"machine": 1}


LIMITED = """
import resource, sys
from pathlib import Path
from automate.errors import StateError
from tests.engine.journal_scenes import kept

path = Path(sys.argv[1])
with kept(path) as journal:
    resource.setrlimit(resource.RLIMIT_FSIZE, (400_000, resource.RLIM_INFINITY))
    for n in range(100):
        try:
            journal.write({"machine": n, f"run:{n}": "x" * 10_000})
        except StateError as error:
            print(n, str(error).removeprefix(str(path)))
            break
"""


def test_a_file_that_must_not_grow_is_told_and_is_whole(path: Path, root: Path) -> None:
    pytest.importorskip("resource", reason="this system has no such limits")
    ended = subprocess.run(
        [sys.executable, "-c", LIMITED, str(path)],
        env={**os.environ, "PYTHONPATH": str(root)},
        capture_output=True,
        text=True,
        check=True,
    )

    count, _, words = ended.stdout.rstrip("\n").partition(" ")
    with kept(path) as journal:
        saved, warning = journal.saved(), journal.warning
    assert words in (
        ": the disk is full; make room on it",
        ": the disk failed; check it, and the system's log",
    )
    assert (saved["machine"], warning) == (int(count) - 1, None)


def test_somebody_who_holds_on_to_the_file_is_told(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "_PATIENCE_SECONDS", 0.0)
    with kept(path) as journal, closing(sqlite3.connect(path)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StateError) as caught:
            journal.write({"machine": 1})
        other.rollback()
        journal.write({"machine": 2})

        assert str(caught.value) == (
            f"{path}: another program holds on to it; end that one, then try again"
        )
        assert journal.saved() == {"machine": 2}


# ---------------------------------------------------------------- threads


def test_one_thread_writes_while_another_looks_for_requests(path: Path) -> None:
    """As the engine does, so that a slow disk does not keep it from its sockets."""
    taken: list[str] = []
    with kept(path) as journal:

        def write() -> None:
            for n in range(300):
                journal.write({"machine": n}, [note(n, "triggered", run=n), note(n, "done", run=n)])

        writing = threading.Thread(target=write)
        writing.start()
        while writing.is_alive():
            asked(path, "announce", ARENA)
            for request in journal.take_requests():
                journal.answer_request(request.id, None, "held back")
                taken.append(request.recipe)
            journal.describe(recipes=["announce"], servers=SERVERS)
        writing.join()
        left = [request.recipe for request in journal.take_requests()]

        assert journal.saved() == {"machine": 299}
        assert set(taken + left) == {"announce"}


def test_a_disk_that_hangs_keeps_nobody_from_looking_for_requests(path: Path) -> None:
    with kept(path) as journal:
        asked(path, "announce", ARENA)
        with journal._transaction():  # as a thread does that waits for the disk
            meanwhile = journal.take_requests()

        assert (meanwhile, [one.recipe for one in journal.take_requests()]) == ([], ["announce"])


# ---------------------------------------------------------------- what is forgotten


def test_what_is_long_over_is_forgotten(path: Path) -> None:
    """The runs of a month, and what goes on however long it takes."""
    later = ORIGIN + timedelta(days=31)
    with kept(path) as journal:
        asked(path, "announce", ARENA)
        journal.write(
            {},
            [
                note(1, "triggered", run=1),
                note(2, "done", run=1),
                note(3, "triggered", run=2),
                note(4, "held back", "long ago"),
                note(5, "held back", "again and again", recipe="announce"),
                note(2_600_000, "held back", "again and again", recipe="announce"),
                note(2_600_000, "triggered", run=3),
                note(2_600_000, "done", run=3),
            ],
        )
    with kept(path, now=later), open_history(path) as history:
        runs = [run.id for run in history.runs()]
        traces = [len(history.traces(run)) for run in (1, 2, 3)]
        decisions = [
            [one.detail for one in history.not_run(recipe, ARENA, limit=9)]
            for recipe in ("restart on crash", "announce")
        ]
    assert (runs, traces, decisions) == ([2, 3], [0, 1, 2], [[], ["again and again"]])


def test_no_more_is_kept_than_can_be_read(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of runs, the newest and what goes on; of decisions, the newest of each recipe."""
    monkeypatch.setattr("automate.engine.journal_file._KEPT_RUNS", 3)
    monkeypatch.setattr("automate.engine.journal_file._KEPT_DECISIONS", 2)
    with kept(path) as journal:
        for n in range(1, 2001):
            said = [note(n, "held back", str(n)), note(n, "held back", str(n), recipe="announce")]
            ends = [] if n == 7 else [note(n, "done", run=n)]
            journal.write({}, [note(n, "triggered", run=n), *ends, *said])
        # By now it has happened by itself, some writes ago.
        with open_history(path) as history:
            counts = [
                len(history.runs()),
                len(history.not_run("announce", ARENA, limit=9999)),
                len(history.not_run("restart on crash", ARENA, limit=9999)),
            ]
    with kept(path), open_history(path) as history:
        runs = [run.id for run in history.runs()]
        decisions = [one.detail for one in history.not_run("announce", ARENA, limit=9)]

    assert max(counts) <= 4 + 250
    assert (runs, decisions) == ([7, 1998, 1999, 2000], ["1999", "2000"])

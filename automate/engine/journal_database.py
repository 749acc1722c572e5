"""The journal's file as a database: its tables, its lock, and its errors in a line each.

It is SQLite in WAL mode: whoever reads never waits for the engine, nor the engine for a reader,
and a process killed at any moment leaves what its last whole transaction was. One engine keeps
it at a time; that is held by a lock on a file beside it, which ends with its process.
"""

import json
import os
import sqlite3
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from automate.errors import StateError

__all__ = [
    "APPLICATION",
    "FORMAT",
    "SCHEMA",
    "TABLES",
    "connect",
    "connect_to_read",
    "is_damage",
    "is_kept",
    "make_file",
    "read_meta",
    "read_state",
    "table_names",
    "take_lock",
    "told",
]

FORMAT: Final = 1
"""The version of the tables (``user_version``)."""

APPLICATION: Final = 0x6175746F
"""What tells our files from other people's databases (``application_id``): "auto"."""

TABLES: Final = ("meta", "state", "runs", "traces", "requests")

SCHEMA: Final = """
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE state (part TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE runs (
    id INTEGER PRIMARY KEY,
    server TEXT NOT NULL,
    server_name TEXT NOT NULL,
    recipe TEXT NOT NULL,
    "trigger" TEXT NOT NULL,
    began TEXT NOT NULL,
    ended TEXT,
    outcome TEXT,
    reason TEXT NOT NULL DEFAULT '',
    "values" TEXT NOT NULL DEFAULT '{}'
);
CREATE INDEX runs_recipe ON runs (recipe, server);
-- What is decided without a run (held back) and again and again is one row: how many times, and
-- when last.
CREATE TABLE traces (
    seq INTEGER PRIMARY KEY,
    run INTEGER,
    server TEXT NOT NULL,
    recipe TEXT NOT NULL,
    time TEXT NOT NULL,
    what TEXT NOT NULL,
    detail TEXT NOT NULL,
    step INTEGER,
    times INTEGER NOT NULL DEFAULT 1,
    last TEXT
);
CREATE INDEX traces_run ON traces (run) WHERE run IS NOT NULL;
CREATE INDEX traces_without_run ON traces (recipe, server, what) WHERE run IS NULL;
-- AUTOINCREMENT: who waits for an answer must never find somebody else's under its number.
CREATE TABLE requests (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    asked_at TEXT NOT NULL,
    recipe TEXT NOT NULL,
    server TEXT NOT NULL,
    taken INTEGER NOT NULL DEFAULT 0,
    run INTEGER,
    outcome TEXT,
    detail TEXT NOT NULL DEFAULT ''
);
CREATE INDEX requests_open ON requests (run) WHERE outcome IS NULL;
"""

# Nobody of ours holds a lock for longer than a transaction of a few rows.
_PATIENCE_SECONDS: Final = 5.0
# Whoever looks whether an engine runs has its lock for a moment.
_LOOKED_AT_SECONDS: Final = 0.1

_ADVICE: Final = {
    sqlite3.SQLITE_FULL: "the disk is full; make room on it",
    sqlite3.SQLITE_READONLY: "it can't be written; check who may write the file and its folder",
    sqlite3.SQLITE_PERM: "it can't be opened; check who may use the file and its folder",
    sqlite3.SQLITE_CANTOPEN: "it can't be opened; check who may use the file and its folder",
    sqlite3.SQLITE_IOERR: "the disk failed; check it, and the system's log",
    sqlite3.SQLITE_BUSY: "another program holds on to it; end that one, then try again",
    sqlite3.SQLITE_LOCKED: "another program holds on to it; end that one, then try again",
    sqlite3.SQLITE_NOTADB: "this is no journal; name another file with --state FILE",
    sqlite3.SQLITE_CORRUPT: "the journal is damaged; the next `automate run` sets it aside",
}


@contextmanager
def told(path: Path) -> Iterator[None]:
    """Make a `StateError` of what SQLite finds wrong with the journal at *path*."""
    try:
        yield
    except sqlite3.Error as error:
        code = _code(error)
        if code is None:
            raise  # used wrongly: our own mistake
        advice = _ADVICE.get(code, f"SQLite says: {error}")
        raise StateError(f"{path}: {advice}") from error


def is_damage(error: sqlite3.Error) -> bool:
    """Return whether *error* says that the file itself is broken: its pages or its tables."""
    return _code(error) in (sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_ERROR)


def _code(error: sqlite3.Error) -> int | None:
    code = getattr(error, "sqlite_errorcode", None)
    # The higher bits are details of the lower ones.
    return None if code is None else code & 0xFF


def connect(path: Path) -> sqlite3.Connection:
    """Return a connection that can write to the journal at *path*, which is there.

    It may be used from any thread, by one at a time (``check_same_thread`` is off): the engine
    leaves a slow disk to a thread.
    """
    connection = _connect(path, "rw", _PATIENCE_SECONDS)
    try:
        connection.execute("PRAGMA journal_mode = WAL")
        # What was written survives the end of the process; the last moments before the power
        # fails may be lost, but nothing is ever half written.
        connection.execute("PRAGMA synchronous = NORMAL")
    except BaseException:  # whatever it is, nothing stays open
        connection.close()
        raise
    return connection


def connect_to_read(path: Path) -> sqlite3.Connection:
    """Return a connection that only reads, also while an engine writes."""
    connection = _connect(path, "ro", _PATIENCE_SECONDS)
    try:
        connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    except sqlite3.OperationalError as error:
        connection.close()
        # SQLite wants to make two files beside it, where nobody can. So nobody writes, either.
        is_closed = _code(error) in (sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY)
        if not is_closed or Path(f"{path}-wal").exists():
            raise
        return _connect(path, "ro&immutable=1", _PATIENCE_SECONDS)
    except BaseException:  # whatever it is, nothing stays open
        connection.close()
        raise
    return connection


def _connect(path: Path, mode: str, seconds: float) -> sqlite3.Connection:
    return sqlite3.connect(
        f"{path.absolute().as_uri()}?mode={mode}",
        uri=True,
        timeout=seconds,
        isolation_level=None,
        check_same_thread=False,
    )


def make_file(path: Path) -> None:
    """Make an empty file at *path*, for its owner alone, and its folder, where there is none.

    Raises:
        StateError: it can't be made, or something else than a file is there.
    """
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not path.exists():
            os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
        kind = path.stat().st_mode
    except FileExistsError:
        raise StateError(
            f"{path}: its folder is no folder; name another file with --state FILE"
        ) from None
    except OSError as error:
        raise StateError(
            f"{path}: the journal can't be written ({error.strerror}); check the name, the disk "
            "and the permissions, or name another file with --state FILE"
        ) from None
    if not stat.S_ISREG(kind):
        raise StateError(f"{path}: this is no file; name one with --state FILE")


# ---------------------------------------------------------------- reading


def table_names(connection: sqlite3.Connection) -> set[str]:
    """Return the names of the tables that are there."""
    rows = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
    return {name for (name,) in rows}


def read_meta(connection: sqlite3.Connection) -> dict[str, str]:
    """Return what the journal says of itself: its panel, its origin, who keeps it, for whom."""
    return dict(connection.execute("SELECT key, value FROM meta").fetchall())


def read_state(connection: sqlite3.Connection) -> dict[str, Any]:
    """Return the parts of the state.

    Raises:
        ValueError: one of them is no JSON: the file is damaged.
    """
    rows = connection.execute("SELECT part, value FROM state ORDER BY rowid")
    return {part: json.loads(value) for part, value in rows}


# ---------------------------------------------------------------- the lock


def _lock_file(path: Path) -> Path:
    return path.with_name(f"{path.name}.lock")


def take_lock(path: Path) -> sqlite3.Connection | None:
    """Return what keeps the journal at *path* ours until it is closed; ``None``: it is another's.

    SQLite's own locks are used: they are there on every system, end with our process however
    that ends, and no child process has them after us.
    """
    make_file(_lock_file(path))
    with told(_lock_file(path)):
        return _begin(_lock_file(path), _LOOKED_AT_SECONDS)


def is_kept(path: Path) -> bool:
    """Return whether an engine runs that keeps the journal at *path*."""
    if not _lock_file(path).exists():
        return False
    try:
        lock = _begin(_lock_file(path), 0.0)
    except sqlite3.Error:
        # Where nobody can lock, nobody keeps it.
        return False
    if lock is None:
        return True
    lock.close()
    return False


def _begin(path: Path, seconds: float) -> sqlite3.Connection | None:
    """Return a connection that holds a lock on *path* until it is closed, if that is to be had."""
    connection = _connect(path, "rw", seconds)
    try:
        # Nothing is ever written: no file to undo it by.
        connection.execute("PRAGMA journal_mode = OFF")
        connection.execute("BEGIN IMMEDIATE")
    except sqlite3.Error as error:
        connection.close()
        if _code(error) == sqlite3.SQLITE_BUSY:
            return None
        raise
    return connection

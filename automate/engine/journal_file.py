"""The journal that is a file: one an engine and panel, kept over every restart.

What is in it is told in `journal`, how it is kept in `journal_database`, and who reads it besides
the engine in `history`.
"""

import json
import os
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from datetime import datetime, timedelta
from pathlib import Path
from threading import Lock
from types import TracebackType
from typing import Any, Final, Self

from automate.engine import journal_database as database
from automate.engine.journal import ENDS, INTERRUPTED, Note, Request
from automate.engine.journal_found import move_aside, what_is_wrong
from automate.errors import StateError
from automate.machine.actions import Traced
from automate.recording.format import utc_text

__all__ = ["SqliteJournal", "open_journal"]

# So much is kept of what is over: enough to answer "why?" for a month, and a few megabytes.
_KEPT_RUNS: Final = 10_000
_KEPT_DAYS: Final = 30
# Of decisions without a run (held back), for each recipe, server and kind; the same again and
# again is one.
_KEPT_DECISIONS: Final = 100
_NOTES_BETWEEN_PRUNINGS: Final = 1000

_OPEN_REQUESTS: Final = "FROM requests WHERE outcome IS NULL AND taken = 0"


def open_journal(path: Path, *, panel: str, now: datetime) -> "SqliteJournal":
    """Return the journal at *path*, for the engine alone until it is closed; made if missing.

    One that can't be read (damaged, or another version's) is set aside under another name;
    `warning` says so. *panel* is the panel's address: servers of two panels are never mixed.

    Raises:
        StateError: another engine keeps it, it is another panel's, something else is there, or
            the disk refuses.
    """
    try:
        path = path.resolve()  # the lock must be the same one by whatever name
    except (OSError, RuntimeError):
        raise StateError(f"{path}: the link leads nowhere; name another --state FILE") from None
    database.make_file(path)
    lock = database.take_lock(path)
    if lock is None:
        raise StateError(
            f"another automate{_keeper(path)} keeps {path}; end it, or give another --state FILE"
        )
    try:
        return SqliteJournal(path, lock, panel=panel, now=now)
    except BaseException:  # whatever it is, nothing stays open
        lock.close()
        raise


class SqliteJournal:
    """A `Journal` in a file; made by `open_journal`, which has its lock."""

    def __init__(self, path: Path, lock: sqlite3.Connection, *, panel: str, now: datetime) -> None:
        self.path = path
        self.panel = panel
        self._lock = lock
        # One connection is used by one thread at a time.
        self._turn = Lock()
        self._warning: str | None = None
        self._names: dict[str, str] = {}
        self._notes_until_pruning = _NOTES_BETWEEN_PRUNINGS
        with database.told(path):
            wrong = what_is_wrong(path)
            if wrong is not None:
                self._warning = move_aside(path, wrong, now=now)
            self._open(now)

    # ------------------------------------------------------------ what a journal does

    @property
    def origin(self) -> datetime:
        """The moment (UTC) from which moments in the state are counted, for good."""
        return self._origin

    @property
    def warning(self) -> str | None:
        """What somebody must be told of how the journal was found; ``None`` if all is well."""
        return self._warning

    def saved(self) -> dict[str, Any]:
        """Return all parts of the state."""
        with self._turn, database.told(self.path):
            return database.read_state(self._connection)

    def write(
        self,
        parts: Mapping[str, Any],
        notes: Sequence[Note] = (),
        *,
        begun: Mapping[int, int] | None = None,
    ) -> None:
        """Write what changed and why, in one transaction."""
        if not (parts or notes or begun):
            return
        gone = [(_storable(part),) for part, value in parts.items() if value is None]
        kept = [
            (_storable(part), json.dumps(value))
            for part, value in parts.items()
            if value is not None
        ]
        with self._transaction() as connection:
            connection.executemany("DELETE FROM state WHERE part = ?", gone)
            connection.executemany("INSERT OR REPLACE INTO state VALUES (?, ?)", kept)
            for id, run in (begun or {}).items():
                connection.execute("UPDATE requests SET run = ? WHERE id = ?", (run, id))
            for note in notes:
                self._note(note.traced, utc_text(note.time), parts)
            self._notes_until_pruning -= len(notes)
            if self._notes_until_pruning <= 0:
                self._prune(notes[-1].time)

    def describe(
        self,
        *,
        recipes: Sequence[str],
        servers: Mapping[str, str],
        serves: Mapping[str, Sequence[str]] | None = None,
    ) -> None:
        """Write which recipes are at work for which servers."""
        told = {
            "recipes": list(recipes),
            "servers": dict(servers),
            "serves": {recipe: list(uuids) for recipe, uuids in (serves or {}).items()},
        }
        with self._transaction() as connection:
            _set_meta(connection, {key: json.dumps(value) for key, value in told.items()})
        self._names = dict(servers)

    def take_requests(self) -> list[Request]:
        """Return the requests that were not taken before; a few microseconds if there are none.

        None, too, while another thread is writing: nobody waits here for a slow disk.
        """
        if not self._turn.acquire(blocking=False):
            return []
        try:
            with database.told(self.path):
                found = self._connection.execute(f"SELECT 1 {_OPEN_REQUESTS} LIMIT 1").fetchone()
        finally:
            self._turn.release()
        if found is None:
            return []
        # Looked up within the transaction: who asked may take it back at any moment.
        with self._transaction() as connection:
            rows = connection.execute(
                f"SELECT id, recipe, server, asked_at {_OPEN_REQUESTS} ORDER BY id"
            ).fetchall()
            connection.executemany(
                "UPDATE requests SET taken = 1 WHERE id = ?", [(row[0],) for row in rows]
            )
        return [
            Request(id=id, recipe=recipe, server=server, asked_at=datetime.fromisoformat(asked_at))
            for id, recipe, server, asked_at in rows
        ]

    def answer_request(self, id: int, run: int | None, outcome: str, detail: str = "") -> None:
        """Answer a request."""
        with self._transaction() as connection:
            connection.execute(
                "UPDATE requests SET run = ?, outcome = ?, detail = ? WHERE id = ?",
                (run, outcome, _storable(detail), id),
            )

    def close(self) -> None:
        """Close the file, and let others have it; closing again does nothing."""
        with suppress(sqlite3.Error):
            self._connection.close()
        self._lock.close()

    def __enter__(self) -> Self:
        """Return the journal itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Close the file."""
        self.close()

    # ------------------------------------------------------------ opening

    def _open(self, now: datetime) -> None:
        """Connect, make the tables where there are none, and end what nobody waits for."""
        self._connection = connection = database.connect(self.path)
        try:
            with self._transaction():
                if not database.table_names(connection):
                    _create(connection, panel=self.panel, now=now)
                meta = database.read_meta(connection)
                if meta["panel"] != self.panel:
                    raise StateError(
                        f"{self.path}: this is the journal for {meta['panel']}; give another "
                        "--state FILE"
                    )
                _set_meta(connection, {"pid": str(os.getpid())})
                connection.execute(
                    "UPDATE requests SET outcome = 'failed', detail = ?"
                    " WHERE outcome IS NULL AND run IS NULL",
                    (INTERRUPTED,),
                )
                self._prune(now)
            self._origin = datetime.fromisoformat(meta["origin"])
            self._names = json.loads(meta.get("servers", "{}"))
        except BaseException:  # whatever it is, nothing stays open
            connection.close()
            raise

    # ------------------------------------------------------------ writing

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        """Have all that is done within, or nothing."""
        connection = self._connection
        with self._turn, database.told(self.path):
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield connection
                connection.execute("COMMIT")
            except BaseException:  # whatever it is, all or nothing
                # A full disk ends a transaction by itself.
                if connection.in_transaction:
                    with suppress(sqlite3.Error):
                        connection.execute("ROLLBACK")
                raise

    def _note(self, traced: Traced, time: str, parts: Mapping[str, Any]) -> None:
        if traced.run is None and self._is_repeated(traced, time):
            return
        self._connection.execute(
            "INSERT INTO traces (run, server, recipe, time, what, detail, step)"
            " VALUES (?, ?, ?, ?, ?, ?, ?)",
            (
                traced.run,
                traced.server,
                _storable(traced.recipe),
                time,
                traced.what,
                _storable(traced.detail),
                traced.step,
            ),
        )
        if traced.run is None:
            return
        if traced.what == "triggered":
            self._begin_run(traced, traced.run, time, parts.get(f"run:{traced.run}"))
        elif traced.what in ENDS:
            self._end_run(traced, time)

    def _is_repeated(self, traced: Traced, time: str) -> bool:
        """Count *traced* where it only says again what was decided last."""
        row = self._connection.execute(
            "SELECT seq, detail FROM traces WHERE run IS NULL"
            " AND recipe = ? AND server = ? AND what = ? ORDER BY seq DESC LIMIT 1",
            (_storable(traced.recipe), traced.server, traced.what),
        ).fetchone()
        if row is None or row[1] != _storable(traced.detail):
            return False
        self._connection.execute(
            "UPDATE traces SET times = times + 1, last = ? WHERE seq = ?", (time, row[0])
        )
        return True

    def _begin_run(self, traced: Traced, run: int, time: str, saved: Any) -> None:
        values = saved.get("values", {}) if isinstance(saved, dict) else {}
        self._connection.execute(
            'INSERT OR REPLACE INTO runs (id, server, server_name, recipe, "trigger", began,'
            ' "values") VALUES (?, ?, ?, ?, ?, ?, ?)',
            (
                run,
                traced.server,
                _storable(self._names.get(traced.server, "")),
                _storable(traced.recipe),
                _storable(traced.detail),
                time,
                json.dumps(values),
            ),
        )

    def _end_run(self, traced: Traced, time: str) -> None:
        ending = (traced.what, _storable(traced.detail), traced.run)
        self._connection.execute(
            "UPDATE runs SET ended = ?, outcome = ?, reason = ? WHERE id = ?", (time, *ending)
        )
        self._connection.execute(
            "UPDATE requests SET outcome = ?, detail = ? WHERE outcome IS NULL AND run = ?", ending
        )

    def _prune(self, now: datetime) -> None:
        """Forget what is over for long; what it costs follows from what is forgotten."""
        self._notes_until_pruning = _NOTES_BETWEEN_PRUNINGS
        execute = self._connection.execute
        before = utc_text(now - timedelta(days=_KEPT_DAYS))
        old = "SELECT id FROM runs WHERE ended IS NOT NULL AND (ended < :before OR id <= :last)"
        row = execute(
            "SELECT id FROM runs ORDER BY id DESC LIMIT 1 OFFSET ?", (_KEPT_RUNS,)
        ).fetchone()
        bounds = {"before": before, "last": -1 if row is None else row[0]}
        execute(f"DELETE FROM traces WHERE run IN ({old})", bounds)
        execute(f"DELETE FROM runs WHERE id IN ({old})", bounds)
        execute("DELETE FROM requests WHERE asked_at < :before AND outcome IS NOT NULL", bounds)
        execute("DELETE FROM traces WHERE run IS NULL AND coalesce(last, time) < :before", bounds)
        execute(
            "DELETE FROM traces WHERE seq IN (SELECT seq FROM (SELECT seq, row_number() OVER"
            " (PARTITION BY recipe, server, what ORDER BY seq DESC) AS place"
            " FROM traces WHERE run IS NULL) WHERE place > ?)",
            (_KEPT_DECISIONS,),
        )


def _create(connection: sqlite3.Connection, *, panel: str, now: datetime) -> None:
    # Not by executescript, which would end the transaction.
    for statement in filter(str.strip, database.SCHEMA.split(";")):
        connection.execute(statement)
    connection.execute(f"PRAGMA application_id = {database.APPLICATION}")
    connection.execute(f"PRAGMA user_version = {database.FORMAT}")
    _set_meta(connection, {"panel": panel, "origin": utc_text(now)})


def _set_meta(connection: sqlite3.Connection, meta: Mapping[str, str]) -> None:
    connection.executemany("INSERT OR REPLACE INTO meta VALUES (?, ?)", list(meta.items()))


def _keeper(path: Path) -> str:
    """Return who keeps the journal at *path*, for a sentence; nothing if it can't be told."""
    try:
        with closing(database.connect_to_read(path)) as connection:
            return f" (pid {database.read_meta(connection)['pid']})"
    except (sqlite3.Error, KeyError):
        return ""


def _storable(text: str) -> str:
    """Return *text* as UTF-8 can hold it: half a character (a lone surrogate) becomes ``?``."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode()

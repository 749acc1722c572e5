"""Asking a running engine for a recipe, by a request in its journal.

The engine looks for requests now and then, and writes down what came of them.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import datetime
from pathlib import Path

from attrs import frozen

from automate.engine import journal_database as database
from automate.engine.history import open_history
from automate.errors import StateError, UsageError
from automate.recording.format import utc_text

__all__ = ["Reply", "Requests", "open_requests", "whom_to_ask"]


@frozen(kw_only=True)
class Reply:
    """How a request stands: whether an engine took it, the run it set off, how that ended.

    *outcome* is ``done``, ``failed`` or ``held back``, and *detail* says why; ``None`` while it
    goes on.
    """

    is_taken: bool
    run: int | None
    outcome: str | None
    detail: str


def whom_to_ask(path: Path, recipe: str, typed: list[str]) -> dict[str, str]:
    """Return the servers (names by uuid) at which to ask for *recipe*: those *typed*, or the one.

    Raises:
        StateError: no engine keeps the journal at *path*, or it can't be read.
        UsageError: it knows no such recipe or server, or no server was typed and several are
            possible.
    """
    with open_history(path) as history:
        if not history.is_kept:
            raise StateError(
                f"no automate is running with {path}; start it (`automate run …`), or ask for "
                f"the recipe alone: automate run … --trigger {recipe!r}"
            )
        if recipe not in history.at_work:
            known = ", ".join(map(repr, history.at_work)) or "none"
            raise UsageError(
                f"the running automate has no recipe called {recipe!r}; there are: {known}"
            )
        names, served = history.servers, history.served_by(recipe)
        if typed:
            asked = list(dict.fromkeys(map(history.find_server, typed)))
            if others := [names[uuid] for uuid in asked if uuid not in served]:
                raise UsageError(f"{recipe!r} is not for {', '.join(others)}")
        elif len(served) == 1:
            asked = served
        else:
            those = ", ".join(f"{names[uuid]} ({uuid[:8]})" for uuid in served) or "none"
            raise UsageError(f"{recipe!r} is for several servers: {those}; say which with --server")
    return {uuid: names[uuid] for uuid in asked}


@contextmanager
def open_requests(path: Path) -> Iterator["Requests"]:
    """Open the journal at *path* for asking the engine that keeps it.

    Raises:
        StateError: it can't be written; every call may raise that.
    """
    with database.told(path), closing(database.connect(path)) as connection:
        yield Requests(path, connection)


class Requests:
    """What one person asks for, and what comes of it; made by `open_requests`."""

    def __init__(self, path: Path, connection: sqlite3.Connection) -> None:
        self._path = path
        self._connection = connection
        self._ids: list[int] = []

    def ask(self, recipe: str, server: str, *, now: datetime) -> int:
        """Ask for *recipe* at *server* (its uuid); the request's id is returned."""
        cursor = self._connection.execute(
            "INSERT INTO requests (asked_at, recipe, server) VALUES (?, ?, ?)",
            (utc_text(now), recipe, server),
        )
        assert cursor.lastrowid is not None
        self._ids.append(cursor.lastrowid)
        return cursor.lastrowid

    def look(self) -> dict[str, Reply]:
        """Return how each request stands, by its server."""
        rows = self._connection.execute(
            "SELECT server, taken, run, outcome, detail FROM requests"
            f" WHERE id IN ({', '.join('?' * len(self._ids))}) ORDER BY id",
            self._ids,
        )
        return {
            server: Reply(is_taken=bool(taken), run=run, outcome=outcome, detail=detail)
            for server, taken, run, outcome, detail in rows
        }

    def withdraw(self) -> None:
        """Take back what no engine has taken yet: nothing will come of it."""
        self._connection.executemany(
            "DELETE FROM requests WHERE id = ? AND taken = 0", [(id,) for id in self._ids]
        )

    @property
    def is_heard(self) -> bool:
        """Whether an engine runs that may answer."""
        return database.is_kept(self._path)

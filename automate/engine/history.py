"""The history: what a journal tells of runs that were and of those that did not come about.

For people and commands: it only reads, whether or not an engine is at work meanwhile.
"""

import json
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from attrs import frozen

from automate.engine import journal_database as database
from automate.errors import StateError, UsageError

__all__ = ["History", "PastRun", "PastTrace", "open_history"]


@frozen(kw_only=True)
class PastRun:
    """A run: what set it off, and how it ended (*outcome* is ``None`` while it has not).

    *values* are those that its texts could use when it began.
    """

    id: int
    server: str
    server_name: str
    recipe: str
    trigger: str
    began: datetime
    ended: datetime | None
    outcome: str | None
    reason: str
    values: Mapping[str, str]

    @property
    def seconds(self) -> float | None:
        """How long it took; ``None`` if it has not ended."""
        return None if self.ended is None else (self.ended - self.began).total_seconds()


@frozen(kw_only=True)
class PastTrace:
    """One decision, as `Traced` tells it.

    It was taken *times* times without a change between, the first time at *time*.
    """

    run: int | None
    server: str
    recipe: str
    time: datetime
    what: str
    detail: str
    step: int | None
    times: int
    last: datetime


@contextmanager
def open_history(path: Path) -> Iterator["History"]:
    """Open the journal at *path* for reading; all that is read is of one moment.

    Raises:
        StateError: there is none, it can't be read, or a newer automate wrote it.
    """
    if not path.exists():
        raise StateError(f"{path}: there is no journal; `automate run` makes one")
    # Before anything is read: whoever ends meanwhile has written all of it.
    is_kept = database.is_kept(path)
    with database.told(path):
        connection = database.connect_to_read(path)
        try:
            connection.execute("BEGIN")
            _check(connection, path)
            yield History(connection, is_kept=is_kept)
        except ValueError as error:
            # Pages can be in order although a time or a JSON in them is not.
            raise StateError(f"{path}: the journal is damaged ({error})") from error
        finally:
            connection.close()


def _check(connection: sqlite3.Connection, path: Path) -> None:
    if not database.table_names(connection):
        raise StateError(f"{path}: the journal is still empty; `automate run` writes into it")
    (application,) = connection.execute("PRAGMA application_id").fetchone()
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if application != database.APPLICATION:
        raise StateError(
            f"{path}: this is another program's database; name a journal with --state FILE"
        )
    if version != database.FORMAT:
        raise StateError(
            f"{path}: the journal has format {version}, and this automate reads "
            f"{database.FORMAT}; use the automate that wrote it"
        )


class History:
    """What is in a journal; made by `open_history`."""

    def __init__(self, connection: sqlite3.Connection, *, is_kept: bool) -> None:
        self._connection = connection
        self._meta = database.read_meta(connection)
        self.is_kept = is_kept
        """Whether an engine runs that keeps it."""

    @property
    def origin(self) -> datetime:
        """When the journal began."""
        return datetime.fromisoformat(self._meta["origin"])

    @property
    def pid(self) -> int | None:
        """The process that keeps it, or kept it last."""
        return int(self._meta["pid"]) if "pid" in self._meta else None

    @property
    def at_work(self) -> list[str]:
        """The names of the recipes at work, or that were so when an engine ran last."""
        return list(self._described("recipes", []))

    @property
    def recipes(self) -> list[str]:
        """The names of all recipes it knows of: those at work, then those it remembers."""
        rows = self._connection.execute(
            "SELECT recipe FROM runs UNION SELECT recipe FROM traces WHERE run IS NULL ORDER BY 1"
        )
        return list(dict.fromkeys([*self.at_work, *(recipe for (recipe,) in rows)]))

    @property
    def servers(self) -> dict[str, str]:
        """The names by uuid of all servers it knows of: those at work, then the others."""
        # SQLite takes a plain column beside max() from the row of the maximum (lang_select, 2.5).
        rows = self._connection.execute(
            "SELECT server, server_name, max(id) FROM runs GROUP BY server"
            " UNION ALL SELECT DISTINCT server, '', 0 FROM traces WHERE run IS NULL"
        )
        names: dict[str, str] = dict(self._described("servers", {}))
        for server, name, _ in rows:
            names.setdefault(server, name)
        return names

    def served_by(self, recipe: str) -> list[str]:
        """Return the uuids of the servers for which *recipe* is at work."""
        if recipe not in self.at_work:
            return []
        serves: Mapping[str, Sequence[str]] = self._described("serves", {})
        return list(serves.get(recipe, self._described("servers", {})))

    def servers_of(self, recipe: str) -> list[str]:
        """Return the uuids of the servers that *recipe* is, or was, for."""
        rows = self._connection.execute(
            "SELECT server FROM runs WHERE recipe = :recipe UNION"
            " SELECT server FROM traces WHERE run IS NULL AND recipe = :recipe",
            {"recipe": recipe},
        )
        return list(dict.fromkeys([*self.served_by(recipe), *(server for (server,) in rows)]))

    def find_recipe(self, name: str) -> str:
        """Return *name* if there is such a recipe.

        Raises:
            UsageError: there is none.
        """
        known = self.recipes
        if name not in known:
            there_are = f"; there are: {', '.join(map(repr, known))}" if known else ""
            raise UsageError(f"no recipe is called {name!r}{there_are}")
        return name

    def find_server(self, typed: str) -> str:
        """Return the uuid of the server whose name, uuid, or beginning of it was *typed*.

        Raises:
            UsageError: there is none, or several.
        """
        known = self.servers
        text = typed.strip().casefold()
        found = [
            uuid
            for uuid, name in known.items()
            if text in (uuid, name.casefold()) or (len(text) >= 8 and uuid.startswith(text))
        ]
        if len(found) == 1:
            return found[0]
        those = found or known
        names = ", ".join(f"{known[uuid]} ({uuid[:8]})".strip() for uuid in those)
        if found:
            raise UsageError(f"several servers are called {typed!r}: {names}; give the id")
        raise UsageError(f"no server {typed!r} in the journal; there are: {names or 'none yet'}")

    # ------------------------------------------------------------ runs

    def runs(
        self, *, server: str | None = None, recipe: str | None = None, limit: int | None = None
    ) -> list[PastRun]:
        """Return the last *limit* runs, the newest last; of one *server* or *recipe* if given."""
        rows = self._connection.execute(
            f"SELECT {_RUN} FROM runs WHERE (:server IS NULL OR server = :server)"
            " AND (:recipe IS NULL OR recipe = :recipe) ORDER BY id DESC LIMIT :limit",
            {"server": server, "recipe": recipe, "limit": -1 if limit is None else limit},
        )
        return [_run(row) for row in rows][::-1]

    def run(self, id: int) -> PastRun:
        """Return the run of this number.

        Raises:
            UsageError: there is none.
        """
        row = self._connection.execute(f"SELECT {_RUN} FROM runs WHERE id = ?", (id,)).fetchone()
        if row is None:
            first, last = self._connection.execute("SELECT min(id), max(id) FROM runs").fetchone()
            there_are = "none yet" if last is None else f"runs {first} to {last}"
            raise UsageError(f"no run {id} in the journal; there are: {there_are}")
        return _run(row)

    def traces(self, run: int) -> list[PastTrace]:
        """Return what was decided in *run*, in order."""
        rows = self._connection.execute(
            f"SELECT {_TRACE} FROM traces WHERE run = ? ORDER BY seq", (run,)
        )
        return [_trace(row) for row in rows]

    def not_run(self, recipe: str, server: str, *, limit: int) -> list[PastTrace]:
        """Return what was decided of *recipe* without a run: why it did not, the newest last."""
        rows = self._connection.execute(
            f"SELECT {_TRACE} FROM traces WHERE run IS NULL AND recipe = ? AND server = ?"
            " ORDER BY coalesce(last, time) DESC, seq DESC LIMIT ?",
            (recipe, server, limit),
        )
        return [_trace(row) for row in rows][::-1]

    def next_due(self, recipe: str, server: str) -> datetime | None:
        """Return when a schedule of *recipe* is due next; ``None`` if it has none."""
        moments = _due(self._part(f"server:{server}"), recipe)
        return self._counted_from + timedelta(seconds=min(moments)) if moments else None

    @property
    def _counted_from(self) -> datetime:
        """What the state's moments count from: it moves where the clock was set back."""
        match self._part("machine"):
            case {"origin": str(origin)}:
                return datetime.fromisoformat(origin)
        return self.origin

    def _part(self, name: str) -> Any:
        row = self._connection.execute("SELECT value FROM state WHERE part = ?", (name,)).fetchone()
        return None if row is None else json.loads(row[0])

    def _described(self, key: str, default: Any) -> Any:
        return json.loads(self._meta[key]) if key in self._meta else default


_RUN = 'id, server, server_name, recipe, "trigger", began, ended, outcome, reason, "values"'
_TRACE = "run, server, recipe, time, what, detail, step, times, coalesce(last, time)"


def _run(row: Sequence[Any]) -> PastRun:
    id, server, server_name, recipe, trigger, began, ended, outcome, reason, values = row
    return PastRun(
        id=id,
        server=server,
        server_name=server_name,
        recipe=recipe,
        trigger=trigger,
        began=datetime.fromisoformat(began),
        ended=None if ended is None else datetime.fromisoformat(ended),
        outcome=outcome,
        reason=reason,
        values=json.loads(values),
    )


def _trace(row: Sequence[Any]) -> PastTrace:
    run, server, recipe, time, what, detail, step, times, last = row
    return PastTrace(
        run=run,
        server=server,
        recipe=recipe,
        time=datetime.fromisoformat(time),
        what=what,
        detail=detail,
        step=step,
        times=times,
        last=datetime.fromisoformat(last),
    )


def _due(part: Any, recipe: str) -> list[float]:
    """Return the schedules' moments of *recipe* in a server's *part* of the state.

    Only the machine knows what such a part looks like: another version of it may have others.
    """
    match part:
        case {"recipes": {**recipes}}:
            match recipes.get(recipe):
                case {"due": [*due]}:
                    return [one for one in due if isinstance(one, int | float)]
    return []

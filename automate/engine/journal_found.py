"""What is found where a journal should be, and what becomes of it if it is none.

A journal that can't be read is set aside: renamed, never deleted. What was never ours is left
alone and refused.
"""

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import datetime
from itertools import count
from pathlib import Path
from typing import Final

from automate.engine import journal_database as database
from automate.errors import StateError

__all__ = ["move_aside", "what_is_wrong"]

_HEAD: Final = b"SQLite format 3\0"


def what_is_wrong(path: Path) -> str | None:
    """Return why the file at *path* can't go on being the journal; ``None``: it can, or is empty.

    The words follow on "the journal". For its keeper: nobody else must be writing.

    Raises:
        StateError: it is something of somebody else's, or can't be read.
        sqlite3.Error: the disk refuses.
    """
    try:
        with path.open("rb") as file:
            head = file.read(len(_HEAD))
    except OSError as error:
        raise StateError(
            f"{path}: the journal can't be read ({error.strerror}); check the permissions, or "
            "name another file with --state FILE"
        ) from None
    # Zeros are what a file may consist of after the power failed.
    if head not in (b"", _HEAD) and head.strip(b"\0"):
        raise StateError(f"{path}: this is no journal; name another file with --state FILE")
    try:
        with closing(database.connect_to_read(path)) as connection:
            return _what_is_wrong_in(connection, path)
    except sqlite3.Error as error:
        if database.is_damage(error):
            return "is damaged"
        raise


def _what_is_wrong_in(connection: sqlite3.Connection, path: Path) -> str | None:
    tables = database.table_names(connection)
    if not tables:
        return None
    (application,) = connection.execute("PRAGMA application_id").fetchone()
    if application != database.APPLICATION:
        raise StateError(
            f"{path}: this is another program's database; name another file with --state FILE"
        )
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if version != database.FORMAT:
        which = "a newer" if version > database.FORMAT else "an older"
        return f"is of {which} version of automate (format {version}, here {database.FORMAT})"
    is_sound = connection.execute("PRAGMA quick_check(1)").fetchone() == ("ok",)
    if not (is_sound and tables.issuperset(database.TABLES)):
        return "is damaged"
    try:
        # SQLite has no checksums: pages can be in order although what they say is not.
        meta = database.read_meta(connection)
        datetime.fromisoformat(meta["origin"])
        json.loads(meta.get("servers", "{}"))
        database.read_state(connection)
    except (KeyError, ValueError):
        return "is damaged"
    return None if "panel" in meta else "is damaged"


def move_aside(path: Path, reason: str, *, now: datetime) -> str:
    """Rename the file at *path* and put an empty one in its place; return what to tell of it.

    Raises:
        StateError: it can't be renamed.
    """
    aside = next(one for one in _names_aside(path, now) if not one.exists())
    try:
        # What is not yet in the file itself is in its log. The file comes first: killed in
        # between, the log is left beside an empty file, and SQLite throws such a log away.
        path.rename(aside)
        wal = Path(f"{path}-wal")
        if wal.exists() and wal.stat().st_size:
            wal.rename(f"{aside}-wal")
        for index in (wal, Path(f"{path}-shm")):
            index.unlink(missing_ok=True)
    except OSError as error:
        raise StateError(
            f"{path}: the journal {reason}, and can't be renamed ({error.strerror}); move it "
            "away, or give another --state FILE"
        ) from None
    database.make_file(path)
    return (
        f"{path}: the journal {reason}; it is set aside as {aside.name}, and all begins anew: "
        "runs under way, counts and variables are forgotten"
    )


def _names_aside(path: Path, now: datetime) -> Iterator[Path]:
    stem = f"{path.name}.{now:%Y%m%dT%H%M%SZ}"
    yield path.with_name(stem)
    for number in count(2):
        yield path.with_name(f"{stem}-{number}")

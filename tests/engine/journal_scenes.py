"""An evening to be written into a journal: two servers, some runs, some that did not come about."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from automate.engine.asking import open_requests
from automate.engine.journal import Note
from automate.engine.journal_file import SqliteJournal, open_journal
from automate.machine.actions import Traced

PANEL = "https://panel.example.com"
ORIGIN = datetime(2026, 11, 24, 21, 0, tzinfo=UTC)
ARENA = "a1b2c3d4-0004-4000-8000-000000000004"
LOBBY = "5f2c9a1e-7b43-4d0e-9c58-1a6b2e8f4d37"
SERVERS = {ARENA: "arena", LOBBY: "lobby"}


def at(seconds: float) -> datetime:
    """Return the moment *seconds* after the journal's origin."""
    return ORIGIN + timedelta(seconds=seconds)


def note(
    seconds: float,
    what: str,
    detail: str = "",
    *,
    run: int | None = None,
    recipe: str = "restart on crash",
    server: str = ARENA,
    step: int | None = None,
) -> Note:
    """Return what was decided at a moment of the evening."""
    traced = Traced(server=server, recipe=recipe, run=run, what=what, detail=detail, step=step)
    return Note(at(seconds), traced)


@contextmanager
def in_berlin() -> Iterator[None]:
    """Be in a zone that is an hour ahead of the journal's UTC."""
    if not hasattr(time, "tzset"):
        pytest.skip("the zone can't be set on this system")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TZ", "Europe/Berlin")
        time.tzset()
        yield
    time.tzset()


@contextmanager
def kept(path: Path, *, panel: str = PANEL, now: datetime = ORIGIN) -> Iterator[SqliteJournal]:
    """Keep the journal at *path* as an engine does."""
    with open_journal(path, panel=panel, now=now) as journal:
        yield journal


def write_evening(journal: Any) -> None:
    """Write an evening: a crash that was mended, one that was not, and a night's backup to come."""
    journal.describe(
        recipes=["restart on crash", "nightly backup", "announce"],
        servers=SERVERS,
        serves={"nightly backup": [LOBBY]},
    )
    due = {"recipes": {"nightly backup": {"due": [None, 27000.5, 90000.0]}}}
    values = {"server": "arena", "recipe": "restart on crash", "exit_code": "139", "attempt": "1"}
    journal.write(
        {"machine": {"last_run": 1}, f"server:{LOBBY}": due, "run:1": {"values": values}},
        [
            note(61.25, "triggered", "crashed (exit code 139)", run=1),
            note(61.25, "condition", "the server is offline: yes", run=1),
            note(61.25, "step", "wait 10 seconds", run=1, step=0),
        ],
    )
    journal.write(
        {"run:1": {"values": values, "position": 1}},
        [
            note(71.25, "step done", run=1, step=0),
            note(71.25, "step", "start", run=1, step=1),
        ],
    )
    journal.write(
        {"run:1": None, "machine": {"last_run": 2}},
        [
            note(73.5, "step done", run=1, step=1),
            note(73.5, "done", run=1),
            note(80, "held back", "the server is offline", recipe="announce", server=LOBBY),
            note(90, "triggered", "crashed (exit code 1)", run=2),
            note(90, "step", "start", run=2, step=1),
        ],
    )
    journal.write(
        {},
        [
            note(140, "held back", "the server is offline", recipe="announce", server=LOBBY),
            note(390, "step failed", "the server did not start in 300 seconds", run=2, step=1),
            note(390, "failed", "the server did not start in 300 seconds", run=2),
        ],
    )


def asked(path: Path, recipe: str, server: str) -> int:
    """Ask the engine that keeps the journal for *recipe*; the request's id is returned."""
    with open_requests(path) as requests:
        return requests.ask(recipe, server, now=ORIGIN)

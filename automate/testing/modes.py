"""The record modes: whether a test plays its recording or makes it, and where it is saved.

A plain decision from the mode and from what is on the shelf; nothing is read or written here.
"""

from enum import StrEnum
from pathlib import Path

from attrs import frozen

from automate.testing.shelf import Shelf

__all__ = ["Plan", "RecordMode", "plan"]


class RecordMode(StrEnum):
    """What becomes of recordings in a test run; docs/testing.md has the table."""

    NONE = "none"
    ONCE = "once"
    NEW = "new"
    ALL = "all"
    REWRITE = "rewrite"


@frozen(kw_only=True)
class Plan:
    """What to do about the recording *name*: replay *path*, or be live and save there."""

    name: str
    path: Path
    is_live: bool

    @property
    def draft(self) -> Path:
        """Where a live test records, until it is known whether it passed."""
        return self.path.with_name(f".{self.path.name}.draft")


def plan(name: str, *, mode: RecordMode, shelf: Shelf, is_outgrown: bool) -> Plan:
    """Return what to do; *is_outgrown*: the last replay lacked something that the test did."""
    path = shelf.path(name)
    is_there = path.exists()
    match mode:
        case RecordMode.NONE:
            is_live = False
        case RecordMode.ONCE:
            is_live = not is_there
        case RecordMode.NEW:
            is_live = not is_there or is_outgrown
        case RecordMode.ALL:
            return Plan(name=name, path=_beside(name, shelf), is_live=True)
        case RecordMode.REWRITE:
            is_live = True
    # A compressed recording gives way to one that is not: recorders do not compress.
    place = shelf.folder / f"{name}.jsonl" if is_live else path
    return Plan(name=name, path=place, is_live=is_live)


def _beside(name: str, shelf: Shelf) -> Path:
    """Return a path for one more recording of this name: numbered, if there are some."""
    if not shelf.path(name).exists():
        return shelf.folder / f"{name}.jsonl"
    number = 2
    while shelf.path(f"{name}-{number}").exists():
        number += 1
    return shelf.folder / f"{name}-{number}.jsonl"

"""Recordings and accepted transcripts that no test uses any more: found, never deleted."""

from collections.abc import Collection, Iterable
from pathlib import Path

from automate.testing.accepted import FOLDER
from automate.testing.shelf import Shelf, name_of

__all__ = ["orphaned_recordings", "orphaned_transcripts"]


def orphaned_recordings(shelf: Shelf, *, named: Collection[str]) -> list[Path]:
    """Return the recordings on *shelf* that were neither used nor *named* by a test."""
    return [
        path
        for path in shelf.recordings()
        if path.resolve() not in shelf.used and name_of(path) not in named
    ]


def orphaned_transcripts(modules: Iterable[Path], *, used: Collection[Path]) -> list[Path]:
    """Return the transcripts of test *modules*, all of whose tests ran, that none of them used.

    Those of modules that are gone are found beside those of the others.
    """
    found: set[Path] = set()
    for module in modules:
        found.update(_transcripts(module.parent / FOLDER / module.stem) - set(used))
        for folder in (module.parent / FOLDER).glob("*/"):
            if not (module.parent / f"{folder.name}.py").exists():
                found.update(_transcripts(folder))
    return sorted(found)


def _transcripts(folder: Path) -> set[Path]:
    return set(folder.glob("*.txt"))

"""Where a test finds its recordings, by name; and which of them have been used.

Without a shelf (outside pytest) names are looked up in the nearest folder ``recordings`` from
here upwards. Nothing heavy is imported here, for the pytest plugin loads it in every run.
"""

import difflib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import Final

from automate.errors import UsageError

__all__ = [
    "FOLDER",
    "Shelf",
    "current_shelf",
    "find_recording",
    "missing",
    "name_of",
    "recording_names",
    "using",
]

FOLDER: Final = "recordings"
_ENDINGS: Final = (".jsonl", ".jsonl.zst")
_RECORD: Final = "record one (automate record), or name the folder"


class Shelf:
    """The recordings in *folder*; relative paths may start at *root* as well as here."""

    def __init__(self, folder: Path, *, root: Path) -> None:
        self.folder = folder
        self.root = root
        self.used: set[Path] = set()

    def path(self, name: str) -> Path:
        """Return where the recording *name* is, or would be."""
        for ending in _ENDINGS:
            if (found := self.folder / f"{name}{ending}").exists():
                return found
        return self.folder / f"{name}{_ENDINGS[0]}"

    def recordings(self) -> list[Path]:
        """Return the files of all recordings in the folder, by name."""
        return sorted(file for ending in _ENDINGS for file in self.folder.glob(f"*{ending}"))

    def place(self, path: str | os.PathLike[str]) -> Path:
        """Return *path* itself or, if it is only there from the root, from the root."""
        here = Path(path)
        return self.root / here if not here.exists() and (self.root / here).exists() else here


_shelf: Final[ContextVar[Shelf | None]] = ContextVar("the shelf of this test run", default=None)


@contextmanager
def using(shelf: Shelf | None) -> Iterator[None]:
    """Find recordings on *shelf* while the block runs; without one, near the folder we are in."""
    token = _shelf.set(shelf)
    try:
        yield
    finally:
        _shelf.reset(token)


def current_shelf() -> Shelf:
    """Return the shelf of this test run; without one, that of the folder we are in."""
    shelf = _shelf.get()
    if shelf is not None:
        return shelf
    here = Path.cwd()
    for root in (here, *here.parents):
        if (root / FOLDER).is_dir():
            return Shelf(root / FOLDER, root=root)
    return Shelf(here / FOLDER, root=here)


def find_recording(name: str | os.PathLike[str]) -> Path:
    """Return the file of the recording *name*: a name in the recordings folder, or a path.

    Raises:
        UsageError: there is none of this name; the text lists those there are.
    """
    shelf = current_shelf()
    if not isinstance(name, str) or name.endswith(_ENDINGS) or {"/", os.sep} & set(name):
        found = shelf.place(name)
    else:
        found = shelf.path(name)
        if not found.exists():
            raise UsageError(missing(name, shelf))
    shelf.used.add(found.resolve())
    return found


def recording_names() -> list[str]:
    """Return the names of all recordings in the folder, sorted: a test may have each as parameter.

    Raises:
        UsageError: there are none, so that whatever is asked of each of them holds.
    """
    shelf = current_shelf()
    names = sorted({name_of(path) for path in shelf.recordings()})
    if not names:
        raise UsageError(f"expected recordings in {shelf.folder}, found none; {_RECORD}")
    return names


def name_of(path: Path) -> str:
    """Return the name of the recording in *path*."""
    return path.name.removesuffix(".zst").removesuffix(".jsonl")


def missing(name: str, shelf: Shelf) -> str:
    """Return that there is no recording of this name, and which may have been meant."""
    names = [name_of(path) for path in shelf.recordings()]
    near = difflib.get_close_matches(name, names, 1)
    if near:
        hint = f"did you mean {near[0]!r}?"
    elif names:
        hint = f"there are: {', '.join(names)}"
    else:
        hint = f"there are none; {_RECORD}"
    return f"no recording is called {name!r} in {shelf.folder}; {hint}"

"""A rehearsal in one line: recipes and recordings by name, path or value; a transcript comes back.

What a rehearsal is, and its rules, is the engine's affair (`automate.engine.rehearsal`).
"""

import os
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path

from automate.engine.rehearsal import AFTER_SECONDS, Ask, Transcript
from automate.engine.rehearsal import rehearse as play
from automate.errors import UsageError
from automate.recipe.loader import Loaded, check_names, check_references, files_of, load_file
from automate.recipe.recipe import Recipe
from automate.recording.reader import Recording, open_recording, read_recording
from automate.testing.script import Script
from automate.testing.shelf import current_shelf, find_recording, name_of

__all__ = [
    "RecipesLike",
    "RecordingLike",
    "as_moment",
    "as_recording",
    "load_recipes",
    "load_recording",
    "rehearse",
]

RecipeLike = Recipe | str | os.PathLike[str]
RecipesLike = RecipeLike | Iterable[RecipeLike]
RecordingLike = str | os.PathLike[str] | Recording | Script


def rehearse(
    recipes: RecipesLike,
    recording: RecordingLike,
    *,
    asks: Iterable[Ask | tuple[str, float] | str] = (),
    start_at: datetime | str | None = None,
    after_seconds: float = AFTER_SECONDS,
) -> Transcript:
    """Return what *recipes* do on *recording*.

    *recipes* are recipes, files or folders of them; *recording* is the name of one in the
    recordings folder, a path, or one that was built. *asks* are requests like
    ``"backup before stop@3"`` or ``("backup before stop", 3)``: a recipe, and the second at
    which it is asked for. The wall clock starts at *start_at*, in UTC if it names no zone, or
    at the recording's own start.

    Raises:
        UsageError: there is no such recording, or no recipe of that name.
        RecipeError: a recipe file is wrong, or missing.
        RecordingError: the recording can't be read.
    """
    loaded = load_recipes(recipes)
    wishes = [_ask(one) for one in asks]
    moment = as_moment(start_at)
    if isinstance(recording, Script | Recording):
        built = as_recording(recording)
        return play(
            loaded,
            built.entries,
            header=built.header,
            title=built.header.title or name_of(Path(built.path)),
            start_at=moment,
            asks=wishes,
            after_seconds=after_seconds,
        )
    path = find_recording(recording)
    with open_recording(path) as reader:
        return play(
            loaded,
            reader,
            header=reader.header,
            title=name_of(path),
            start_at=moment,
            asks=wishes,
            after_seconds=after_seconds,
        )


def load_recording(name: str | os.PathLike[str]) -> Recording:
    """Return the recording *name*: a name in the recordings folder, or a path.

    Raises:
        UsageError: there is none of this name.
        RecordingError: it can't be read.
    """
    return read_recording(find_recording(name))


def as_recording(recording: RecordingLike) -> Recording:
    """Return the recording meant by *recording*; raises as `load_recording` does."""
    match recording:
        case Script():
            return recording.recording
        case Recording():
            return recording
        case _:
            return load_recording(recording)


def load_recipes(recipes: RecipesLike) -> list[Recipe]:
    """Return the recipes meant by *recipes*.

    Raises:
        RecipeError: a recipe file is wrong, or missing.
        UsageError: there are none.
    """
    several = [recipes] if isinstance(recipes, Recipe | str | os.PathLike) else list(recipes)
    found: list[Recipe] = []
    loaded: list[Loaded] = []
    for one in several:
        if isinstance(one, Recipe):
            found.append(one)
        else:
            files = files_of(current_shelf().place(one))
            read = [each for file in files for each in load_file(file)]
            check_names(read)
            loaded.extend(read)
            found.extend(each.recipe for each in read)
    if not found:
        raise UsageError("expected at least one recipe, found none")
    _check_names(found)
    check_references(loaded, beside=found)
    return found


def _check_names(recipes: Sequence[Recipe]) -> None:
    names = [recipe.name for recipe in recipes]
    for name in names:
        if names.count(name) > 1:
            raise UsageError(f"two recipes are called {name!r}; give each its own name")


def _ask(wish: Ask | tuple[str, float] | str) -> Ask:
    if isinstance(wish, Ask):
        return wish
    if isinstance(wish, tuple):
        return Ask(*wish)
    name, at, seconds = wish.rpartition("@")
    try:
        moment = float(seconds)
    except ValueError:
        moment = -1.0
    if not at or not name or not 0 <= moment < float("inf"):
        raise UsageError(
            f"asks: expected NAME@SECONDS such as 'backup before stop@3', found {wish!r}"
        )
    return Ask(name, moment)


def as_moment(start_at: datetime | str | None) -> datetime | None:
    """Return the moment meant by *start_at*, in UTC if it names no zone.

    Raises:
        UsageError: it is no moment.
    """
    if isinstance(start_at, str):
        try:
            start_at = datetime.fromisoformat(start_at)
        except ValueError:
            raise UsageError(
                f"start_at: expected a moment such as 2026-11-24T21:59:50, found {start_at!r}"
            ) from None
    if start_at is not None and start_at.tzinfo is None:
        return start_at.replace(tzinfo=UTC)
    return start_at

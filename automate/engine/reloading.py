"""Recipe files that are changed while the engine runs: checked, then swapped in.

A broken file changes nothing: the old recipes run on, and it is said what is wrong. Who runs
when recipes are swapped ends as it began; connections stay as they are.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

import trio

from automate.engine.engine import Engine
from automate.errors import AutomateError
from automate.recipe.loader import Loaded, files_of, load

__all__ = ["RecipeFiles", "keep_loaded"]

_LOOK_EACH_SECONDS: Final = 2.0

_Signature = tuple[tuple[str, int, int], ...]


class RecipeFiles:
    """The recipe files that *paths* mean, files and folders, as they are now."""

    def __init__(self, paths: Sequence[Path]) -> None:
        self._paths = list(paths)
        self._known = self._seen = self._signature()

    def load(self) -> list[Loaded]:
        """Return the recipes in them.

        Raises:
            RecipeError: something is wrong with one.
        """
        return load(self._paths)

    def have_changed(self) -> bool:
        """Return whether a file was changed, came or went since this was last asked.

        A change counts once two looks in a row find the same: editors write in pieces.
        """
        now = self._signature()
        is_steady, self._seen = now == self._seen, now
        if now == self._known or not is_steady:
            return False
        self._known = now
        return True

    def _signature(self) -> _Signature:
        found = []
        for path in self._paths:
            try:
                files = files_of(path)
            except AutomateError:
                continue
            # A recipe may import what lies beside it.
            beside = {sibling for file in files for sibling in file.parent.glob("*.py")}
            for file in sorted(beside):
                try:
                    stat = file.stat()
                except OSError:
                    continue
                found.append((str(file), stat.st_mtime_ns, stat.st_size))
        return tuple(found)


async def keep_loaded(engine: Engine, files: RecipeFiles, *, tell: Callable[[str], None]) -> None:
    """Swap recipes in whenever their files change, until cancelled; *tell* is told of it."""
    while True:
        await trio.sleep(_LOOK_EACH_SECONDS)
        if not files.have_changed():
            continue
        try:
            recipes = [loaded.recipe for loaded in files.load()]
            engine.reload(recipes)
        except AutomateError as error:
            tell(f"the changed recipes are not taken, the old ones go on: {error}")
        else:
            names = ", ".join(recipe.name for recipe in recipes)
            tell(f"the changed recipes are taken: {names}")

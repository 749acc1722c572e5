"""Recipe files that are changed while the engine runs: checked, then swapped in.

A broken file changes nothing: the old recipes run on, and it is said what is wrong. Who runs
when recipes are swapped ends as it began; connections stay as they are. What recipe files
import from beside them is taken anew as well.
"""

import importlib
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from types import ModuleType
from typing import Final

import trio

from automate.engine.calls import wrong_calls
from automate.engine.engine import Engine
from automate.errors import AutomateError, RecipeError
from automate.recipe.loader import Loaded, files_of, load
from automate.recipe.recipe import Recipe

__all__ = ["RecipeFiles", "keep_loaded"]

_LOOK_EACH_SECONDS: Final = 2.0

# A file by its name, and what changes when it is written or replaced.
_Signature = tuple[tuple[str, int, int, int], ...]


class RecipeFiles:
    """The recipe files that *paths* mean, files and folders, as they are now.

    Make it before anything is loaded from them: modules that are there already are not theirs.
    """

    def __init__(self, paths: Sequence[Path]) -> None:
        self._paths = list(paths)
        self._not_ours = frozenset(_top(name) for name in sys.modules)
        self._known = self._seen = self._signature()

    def load(self) -> list[Loaded]:
        """Return the recipes in them; modules beside them are as they were.

        Raises:
            RecipeError: something is wrong with one.
        """
        try:
            found = load(self._paths)
            if wrong := wrong_calls(found):
                raise RecipeError(wrong[0])
            return found
        finally:
            # Only now is it known what they import. What is changed meanwhile is seen later.
            self._known = self._seen = self._signature()

    def load_anew(self) -> list[Loaded]:
        """Return the recipes in them, and in modules beside them, as they are now.

        Raises:
            RecipeError: something is wrong with one; the old modules are there again then.
        """
        old = dict(self._modules())
        for name, module in old.items():
            del sys.modules[name]
            cached = getattr(module, "__cached__", None)
            if isinstance(cached, str):
                # It is compared with its source by size and by the second of the change only.
                with suppress(OSError):
                    Path(cached).unlink()
        importlib.invalidate_caches()
        try:
            return self.load()
        except BaseException:  # whatever a file raises, the old ones stay
            for name, _ in list(self._modules()):
                del sys.modules[name]
            sys.modules.update(old)
            raise

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
        for file in sorted({*self._files(), *_sources(self._modules())}):
            try:
                stat = file.stat()
            except OSError:
                continue
            found.append((str(file), stat.st_mtime_ns, stat.st_size, stat.st_ino))
        return tuple(found)

    def _files(self) -> Iterator[Path]:
        for path in self._paths:
            with suppress(AutomateError):
                yield from files_of(path)

    def _modules(self) -> Iterator[tuple[str, ModuleType]]:
        """Yield the modules that were imported from beside the recipe files."""
        folders = {file.parent.resolve() for file in self._files()}
        folders |= {path.resolve() for path in self._paths if path.is_dir()}
        for name, module in list(sys.modules.items()):
            top = _top(name)
            if top in self._not_ours:
                continue
            if any(_lies_in(folder, top, sys.modules.get(top)) for folder in folders):
                yield name, module


def _top(name: str) -> str:
    return name.partition(".")[0]


def _lies_in(folder: Path, name: str, module: ModuleType | None) -> bool:
    """Return whether *module* is a file or a folder of this *name* in *folder*."""
    places = [getattr(module, "__file__", None), *getattr(module, "__path__", ())]
    wanted = (folder / f"{name}.py", folder / name, folder / name / "__init__.py")
    return any(place is not None and Path(place).resolve() in wanted for place in places)


def _sources(modules: Iterator[tuple[str, ModuleType]]) -> Iterator[Path]:
    for _, module in modules:
        file = getattr(module, "__file__", None)
        if file is not None:
            yield Path(file)


async def keep_loaded(
    engine: Engine,
    files: RecipeFiles,
    *,
    tell: Callable[[str], None],
    taken: Callable[[Sequence[Recipe]], None] = lambda recipes: None,
    threaded: bool = False,
) -> None:
    """Swap recipes in whenever their files change, until cancelled; *tell* is told of it.

    *taken* is handed the recipes that were. *threaded*: files run beside, for they may do
    anything, and take any time, before they come to their recipes.
    """
    while True:
        await trio.sleep(_LOOK_EACH_SECONDS)
        if not files.have_changed():
            continue
        try:
            if threaded:
                # One that never comes to its end must not keep automate from ending.
                loaded = await trio.to_thread.run_sync(files.load_anew, abandon_on_cancel=True)
            else:
                loaded = files.load_anew()
            recipes = [one.recipe for one in loaded]
            engine.reload(recipes)
        except AutomateError as error:
            tell(f"the changed recipes are not taken, the old ones go on: {error}")
        else:
            names = ", ".join(recipe.name for recipe in recipes)
            tell(f"the changed recipes are taken: {names}")
            taken(recipes)

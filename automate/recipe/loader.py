"""Recipe files to recipes: Python that is run, and whose mistakes are told by file and line.

A file holds any number of recipes, each bound to a name of the module or in a list that is.
How a mistake is put into words is left to `mistakes`; what can never be to `contradictions`,
and how recipes name each other to `together`.
"""

import ast
import builtins
import sys
import traceback
from collections.abc import Iterable, Iterator
from contextlib import redirect_stdout
from pathlib import Path
from types import ModuleType
from typing import NoReturn

from attrs import frozen

from automate.errors import RecipeError, nearest
from automate.recipe.contradictions import contradictions
from automate.recipe.mistakes import is_helper, lost_recipe, syntax_words, words
from automate.recipe.recipe import Recipe
from automate.recipe.together import circle, unknown_names

__all__ = ["Loaded", "check_names", "check_references", "files_of", "load", "load_all", "load_file"]


@frozen
class Loaded:
    """A recipe and the file it came from."""

    recipe: Recipe
    path: Path


def load(paths: Iterable[Path]) -> list[Loaded]:
    """Return the recipes of files and folders, in the order given; of a folder, by file name.

    Raises:
        RecipeError: something is wrong; the text begins with the file and, if known, the line.
    """
    found, wrong = load_all(paths)
    if wrong:
        raise wrong[0]
    return found


def load_all(paths: Iterable[Path]) -> tuple[list[Loaded], list[RecipeError]]:
    """Return all that can be loaded, as `load` does, and all that is wrong with the rest."""
    found: list[Loaded] = []
    wrong: list[RecipeError] = []
    known: set[Path] = set()
    for path in paths:
        try:
            files = files_of(path)
        except RecipeError as error:
            wrong.append(error)
            continue
        for file in files:
            # A file named twice, or once more by its folder, is still one file.
            if file.resolve() in known:
                continue
            known.add(file.resolve())
            if path.is_dir() and is_helper(file):
                continue
            try:
                found.extend(load_file(file))
            except RecipeError as error:
                wrong.append(error)
    try:
        check_names(found)
        # What is named may be in the file that is broken.
        if not wrong:
            check_references(found)
    except RecipeError as error:
        wrong.append(error)
    return found, wrong


def load_file(path: Path) -> list[Loaded]:
    """Return the recipes of one file, in the order of the names they are bound to.

    Raises:
        RecipeError: as for `load`.
    """
    module = _run(path)
    recipes: list[Recipe] = []
    for value in list(vars(module).values()):
        for recipe in _recipes_in(value):
            if not any(recipe is known for known in recipes):
                recipes.append(recipe)
    if not recipes:
        raise RecipeError(f"{path}: no recipe in it; expected something like night = Recipe(…)")
    for recipe in recipes:
        if wrong := contradictions(recipe):
            raise RecipeError(f"{path}: the recipe {recipe.name!r}: {wrong[0]}")
    return [Loaded(recipe, path) for recipe in recipes]


def _recipes_in(value: object) -> Iterator[Recipe]:
    if isinstance(value, Recipe):
        yield value
    elif isinstance(value, list | tuple):
        yield from (one for one in value if isinstance(one, Recipe))


def files_of(path: Path) -> list[Path]:
    """Return the recipe files that *path* means: itself, or those in a folder, by name.

    Raises:
        RecipeError: there are none.
    """
    try:
        if path.is_dir():
            found = sorted(
                file
                for file in path.iterdir()
                if file.suffix == ".py" and not file.name.startswith("_") and not file.is_dir()
            )
            if not found:
                raise RecipeError(f"{path}: no recipe files (*.py) in this folder")
            return found
        if path.exists():
            return [path]
    except OSError as error:
        raise RecipeError(f"{path}: can't be read: {error.strerror}") from None
    raise RecipeError(f"{path}: there is no such file or folder{nearest(path)}")


def check_names(found: list[Loaded]) -> None:
    """Refuse two recipes of one name, for they are asked for and told apart by it.

    Raises:
        RecipeError: a name is used twice.
    """
    seen: dict[str, Loaded] = {}
    for one in found:
        other = seen.setdefault(one.recipe.name, one)
        if other is not one:
            where = "twice in it" if other.path == one.path else f"also in {other.path}"
            raise RecipeError(
                f"{one.path}: the recipe {one.recipe.name!r} is {where}; give each its own name"
            )


def check_references(found: list[Loaded], *, beside: Iterable[Recipe] = ()) -> None:
    """Refuse recipes that name others which are not there, or run each other in a circle.

    They may name those *beside* them, too.

    Raises:
        RecipeError: the first that does.
    """
    recipes = {one.name: one for one in (*beside, *(each.recipe for each in found))}
    for one in found:
        for wrong in unknown_names(one.recipe, recipes):
            raise RecipeError(f"{one.path}: the recipe {one.recipe.name!r}: {wrong}")
    if names := circle(recipes):
        places = [one.path for one in found if one.recipe.name in names]
        shown = " runs ".join(map(repr, names))
        where = f"{places[0]}: " if places else ""
        raise RecipeError(f"{where}RunRecipe: {shown}: each would wait for the next for ever")


def _run(path: Path) -> ModuleType:
    """Return the module that running the file makes; modules beside it can be imported."""
    try:
        tree = ast.parse(path.read_bytes(), str(path))
        code = compile(tree, str(path), "exec", dont_inherit=True)
    except OSError as error:
        raise RecipeError(f"{path}: can't be read: {error.strerror}") from None
    except SyntaxError as error:
        line = f":{error.lineno}" if error.lineno else ""
        raise RecipeError(f"{path}{line}: syntax error: {syntax_words(error)}") from None
    except (ValueError, RecursionError, MemoryError) as error:
        raise RecipeError(f"{path}: not a Python file: {error}") from None
    if lost := lost_recipe(tree):
        raise RecipeError(f"{path}:{lost[0]}: {lost[1]}")
    module = ModuleType(path.stem)
    module.__file__ = str(path)
    vars(module)["__builtins__"] = {**vars(builtins), "input": _no_input}
    folder = str(path.parent.resolve())
    # Last, so that a recipe file called queue.py or calendar.py hides nothing from Python.
    if folder not in sys.path:
        sys.path.append(folder)
    try:
        # Standard output belongs to the command, which may print JSON there.
        with redirect_stdout(sys.stderr):
            exec(code, vars(module))
    except KeyboardInterrupt:
        raise
    # Whatever else a recipe file raises is the writer's mistake, told by file and line.
    except BaseException as error:
        raise RecipeError(f"{path}:{_line(error, path)}: {words(error, vars(module))}") from error
    return module


def _no_input(*_: object) -> NoReturn:
    raise RecipeError("a recipe file can't ask for input; write the value into the file")


def _line(error: BaseException, path: Path) -> int:
    """Return the last line of the file that was being run."""
    lines = [
        frame.lineno or 0
        for frame in traceback.extract_tb(error.__traceback__)
        if frame.filename == str(path)
    ]
    return lines[-1] if lines else 1

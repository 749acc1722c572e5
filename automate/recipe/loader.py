"""Recipe files to recipes: Python that is run, and whose mistakes are told by file and line.

A file holds any number of recipes, each bound to a name of the module or in a list that is.
"""

import builtins
import difflib
import re
import sys
import traceback
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import attrs
from attrs import frozen

import automate
from automate.errors import RecipeError
from automate.recipe.recipe import Recipe

__all__ = ["Loaded", "check_names", "files_of", "load", "load_file"]


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
    found: list[Loaded] = []
    for path in paths:
        for file in files_of(path):
            found.extend(load_file(file))
    check_names(found)
    return found


def load_file(path: Path) -> list[Loaded]:
    """Return the recipes of one file, in the order in which they were made.

    Raises:
        RecipeError: as for `load`.
    """
    module = _run(path)
    recipes: list[Recipe] = []
    for value in vars(module).values():
        for recipe in _recipes_in(value):
            if not any(recipe is known for known in recipes):
                recipes.append(recipe)
    if not recipes:
        raise RecipeError(f"{path}: no recipe in it; expected something like night = Recipe(…)")
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
    if path.is_dir():
        found = sorted(file for file in path.glob("*.py") if not file.name.startswith("_"))
        if not found:
            raise RecipeError(f"{path}: no recipe files (*.py) in this folder")
        return found
    if not path.exists():
        near = difflib.get_close_matches(path.name, _names_beside(path), 1)
        hint = f"; did you mean {path.with_name(near[0])}?" if near else ""
        raise RecipeError(f"{path}: there is no such file or folder{hint}")
    return [path]


def _names_beside(path: Path) -> list[str]:
    try:
        return [file.name for file in path.parent.iterdir()]
    except OSError:
        return []


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


def _run(path: Path) -> ModuleType:
    """Return the module that running the file makes; its folder can be imported from."""
    try:
        code = compile(path.read_bytes(), str(path), "exec", dont_inherit=True)
    except OSError as error:
        raise RecipeError(f"{path}: can't be read: {error.strerror}") from None
    except SyntaxError as error:
        line = f":{error.lineno}" if error.lineno else ""
        raise RecipeError(f"{path}{line}: syntax error: {error.msg}") from None
    except ValueError as error:
        raise RecipeError(f"{path}: not a Python file: {error}") from None
    module = ModuleType(path.stem)
    module.__file__ = str(path)
    folder = str(path.parent.resolve())
    if folder not in sys.path:
        sys.path.insert(0, folder)
    try:
        exec(code, vars(module))
    # Whatever a recipe file raises is the writer's mistake, told by file and line.
    except (Exception, SystemExit) as error:
        raise RecipeError(f"{path}:{_line(error, path)}: {_words(error, module)}") from error
    return module


def _line(error: BaseException, path: Path) -> int:
    """Return the last line of the file that was being run."""
    lines = [
        frame.lineno or 0
        for frame in traceback.extract_tb(error.__traceback__)
        if frame.filename == str(path)
    ]
    return lines[-1] if lines else 1


def _words(error: BaseException, module: ModuleType) -> str:
    match error:
        case RecipeError():
            return str(error)
        case NameError(name=str(name)):
            return _unknown_name(name, module)
        case ImportError(name="automate"):
            name = getattr(error, "name_from", None) or _quoted(str(error))
            return f"automate has no {name!r}{_guess(name, automate.__all__)}"
        case TypeError():
            return _wrong_keyword(str(error))
        case SystemExit():
            return "the file ends the program; a recipe file only makes recipes"
        case _:
            first = str(error).strip().split("\n", 1)[0]
            return f"{type(error).__name__}: {first}" if first else type(error).__name__


def _unknown_name(name: str, module: ModuleType) -> str:
    if name in automate.__all__:
        return f"{name} is not imported; add it to the line 'from automate import …'"
    known = [*automate.__all__, *vars(module), *vars(builtins)]
    return f"the name {name!r} is not known{_guess(name, known)}"


def _wrong_keyword(text: str) -> str:
    found = re.search(r"(\w+)\.__init__\(\) got an unexpected keyword argument '(\w+)'", text)
    if found:
        owner: Any = getattr(automate, found[1], None)
        known = [one.name for one in attrs.fields(owner)] if attrs.has(owner) else []
        return f"{found[1]} has no {found[2]!r}{_guess(found[2], known)}"
    return text.replace(".__init__()", "")


def _quoted(text: str) -> str:
    found = re.search(r"cannot import name '(\w+)'", text)
    return found[1] if found else text


def _guess(name: str, known: Iterable[str]) -> str:
    choices = list(known)
    near = difflib.get_close_matches(name, choices, 1, 0.6)
    # A name that only lacks its unit is likelier meant than any near spelling.
    units = [choice for choice in choices if choice.startswith(f"{name}_")]
    best = units[:1] or near
    return f"; did you mean {best[0]!r}?" if best else ""

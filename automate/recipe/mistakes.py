"""What is wrong with a recipe file, in words for whoever wrote it: one line, and what to do.

Python's own messages are kept where they say it well.
"""

import ast
import builtins
import difflib
import inspect
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import automate
from automate.errors import RecipeError

__all__ = ["is_helper", "lost_recipe", "syntax_words", "words"]


def syntax_words(error: SyntaxError) -> str:
    """Return what is wrong with a text that is no Python."""
    said = error.msg
    if said.startswith("(unicode error) 'utf-8'"):
        return "a character is not UTF-8; save the file as UTF-8"
    if said.startswith("invalid character"):
        return f"{said}; type plain quotes and signs, not a text program's"
    if said.startswith("invalid non-printable character"):
        return f"{said}; delete it and type it again"
    return f"{said}; indent with spaces only" if isinstance(error, TabError) else said


def is_helper(path: Path) -> bool:
    """Return whether the file at *path* does not even try to make a recipe: it is for others."""
    try:
        tree = ast.parse(path.read_bytes())
    except (OSError, SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    named = (
        node.id if isinstance(node, ast.Name) else node.attr
        for node in ast.walk(tree)
        if isinstance(node, ast.Name | ast.Attribute)
    )
    # One without functions is a recipe that was not saved, rather.
    defines = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
    return any(isinstance(one, defines) for one in tree.body) and "Recipe" not in named


def lost_recipe(tree: ast.Module) -> tuple[int, str] | None:
    """Return the line of a recipe that would be lost without a word, and why; ``None`` if none."""
    bound: set[str] = set()
    for statement in tree.body:
        match statement:
            case ast.Expr(value=ast.Call(func=ast.Name(id="Recipe"))):
                return statement.lineno, "this recipe has no name to be found by; write x = Recipe"
            case ast.Assign(
                targets=[ast.Name(id=name)], value=ast.Call(func=ast.Name(id="Recipe"))
            ):
                if name in bound:
                    return statement.lineno, (
                        f"{name!r} is a recipe already, which would be lost; use another name"
                    )
                bound.add(name)
            case _:
                pass
    return None


def words(error: BaseException, names: Mapping[str, object]) -> str:
    """Return what is wrong with a file whose running raised *error*; *names* are its own."""
    match error:
        case RecipeError():
            return str(error)
        case NameError(name=str(name)):
            return _unknown_name(name, names)
        case ModuleNotFoundError(name=str(name)):
            return f"there is no module {name!r}{_guess(name, ['automate'])}"
        case ImportError(name="automate"):
            name = getattr(error, "name_from", None) or _quoted(str(error))
            return f"automate has no {name!r}{_guess(name, automate.__all__)}"
        case AttributeError(name=str(name), obj=obj) if obj is automate:
            return f"automate has no {name!r}{_guess(name, automate.__all__)}"
        case TypeError():
            return _wrong_call(str(error))
        case SystemExit():
            return "the file ends the program; a recipe file only makes recipes"
        case _:
            first = str(error).strip().split("\n", 1)[0]
            return f"{type(error).__name__}: {first}" if first else type(error).__name__


def _unknown_name(name: str, names: Mapping[str, object]) -> str:
    if name in automate.__all__:
        return f"{name} is not imported; add it to the line 'from automate import …'"
    known = [*automate.__all__, *names, *vars(builtins)]
    return f"the name {name!r} is not known{_guess(name, known)}"


def _wrong_call(text: str) -> str:
    """Return what is wrong with a call of one of our classes; else Python's own *text*."""
    called = re.match(r"(\w+)\.__init__\(\) (.*)", text)
    if called is None or called[1] not in automate.__all__:
        return text.replace(".__init__()", "")
    name, said = called.groups()
    parts = inspect.signature(getattr(automate, name)).parameters.values()
    keywords = [one.name for one in parts if one.kind is not one.VAR_POSITIONAL]
    if found := re.match(r"got an unexpected keyword argument '(\w+)'", said):
        if not keywords:
            return f"{name} takes no {found[1]!r}; write the values alone, such as {name}('…')"
        return f"{name} has no {found[1]!r}{_guess(found[1], keywords)}"
    if re.match(r"takes .* positional arguments? but", said):
        named = [one.name for one in parts if one.kind is one.KEYWORD_ONLY]
        hint = f"say which value is what: {name}({', '.join(f'{one}=…' for one in named)})"
        return f"{name} takes fewer values without a name; {hint}" if named else f"{name} {said}"
    if found := re.match(r"missing \d+ required .* arguments?: (.*)", said):
        return f"{name} lacks {found[1]}"
    return f"{name} {said}"


def _quoted(text: str) -> str:
    found = re.search(r"cannot import name '(\w+)'", text)
    return found[1] if found else text


def _guess(name: str, known: Iterable[str]) -> str:
    choices = list(known)
    near = difflib.get_close_matches(name, choices, 1, 0.6)
    # A name that only lacks its unit is likelier meant than any near spelling.
    units = [choice for choice in choices if choice.startswith(f"{name}_")]
    best: Any = units[:1] or near
    return f"; did you mean {best[0]!r}?" if best else ""

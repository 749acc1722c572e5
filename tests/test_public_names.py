"""The names a recipe file can import: listed by hand, and all of them there."""

import ast
import inspect
import subprocess
import sys
from pathlib import Path

import pytest

import automate


def test_the_list_is_what_is_there(root: Path) -> None:
    """The list, what a type checker sees, and what can be loaded are the same names."""
    tree = ast.parse((root / "automate" / "__init__.py").read_text(encoding="utf-8"))
    seen = {
        (alias.name, alias.asname, node.module)
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and str(node.module).startswith("automate.")
        for alias in node.names
    }
    listed = set(automate.__all__) - {"__version__"}

    assert sorted(automate.__all__) == automate.__all__
    assert {(name, name) for name in listed} == {(name, alias) for name, alias, _ in seen}
    assert {(name, getattr(automate, name).__module__) for name in listed} == {
        (name, module) for name, _, module in seen
    }
    assert dir(automate) == sorted(automate.__all__)


@pytest.mark.parametrize("name", sorted(set(automate.__all__) - {"__version__"}))
def test_each_name_is_explained(name: str) -> None:
    explained = inspect.getdoc(getattr(automate, name)) or ""

    assert explained.split("\n")[0].endswith(".")


def test_a_name_that_is_not_there_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="module 'automate' has no attribute 'Crashd'"):
        automate.Crashd  # noqa: B018  # to read it is the whole point


def test_nothing_is_loaded_before_it_is_used() -> None:
    """`automate --help` must not wait for what only a recipe needs."""
    code = "import sys, automate; print([name for name in sys.modules if 'automate' in name])"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert run.stdout.strip() == "['automate']"

"""These tests are written as any user's are: with what `automate` and its tools offer, only."""

import ast
import sys
from pathlib import Path

import pytest

# What a recipe is made of comes along.
OURS = {"automate", "automate.testing", "pytest", "attrs"}


def imported(text: str) -> set[str]:
    """Return the modules that *text* imports, wherever it does."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(text)):
        match node:
            case ast.Import(names=names):
                found |= {alias.name for alias in names}
            case ast.ImportFrom(module=module, level=level):
                found.add("." * level + (module or ""))
    return found


def strangers(text: str) -> set[str]:
    """Return the modules that *text* imports and no user would."""
    return {
        name
        for name in imported(text) - OURS
        if name.partition(".")[0] not in sys.stdlib_module_names
    }


@pytest.mark.parametrize("path", sorted(Path(__file__).parent.rglob("*.py")), ids=lambda p: p.name)
def test_no_inner_room_is_entered(path: Path) -> None:
    assert strangers(path.read_text(encoding="utf-8")) == set()


def test_one_that_were_would_be_found() -> None:
    text = "import os, trio\nfrom automate import Recipe\n"
    inner = "def late():\n    from automate.engine import clock\n    from . import near\n"

    assert strangers(text + inner) == {"trio", "automate.engine", "."}

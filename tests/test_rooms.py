"""The walls between the rooms, and the names on their doors."""

import ast
import importlib
import os
import pkgutil
import subprocess
import sys
from pathlib import Path

import pytest

import automate

MODULES = ["automate"]
MODULES += sorted(
    found.name
    for found in pkgutil.walk_packages(automate.__path__, "automate.")
    if not found.name.endswith(".__main__")  # to import it is to run it
)

# One line in one module, and the contract it breaks.
BREACHES = [
    ("automate/wire/noun.py", "import automate.recipe.noun", "imports go only towards the words"),
    ("automate/live/noun.py", "import automate.fake.noun", "imports go only towards the words"),
    ("automate/cellar.py", "", "imports go only towards the words"),
    (
        "automate/engine/noun.py",
        "import automate.fake.noun",
        "only the doors know what is not real",
    ),
    (
        "automate/fake/noun.py",
        "import automate.machine.noun",
        "recordings and their replay know nothing of recipes",
    ),
    (
        "automate/recording/noun.py",
        "import automate.recipe.noun",
        "recordings and their replay know nothing of recipes",
    ),
    (
        "automate/live/noun.py",
        "import automate.recipe.noun",
        "the live room talks of recipes only through the machine",
    ),
    ("automate/machine/noun.py", "import trio", "deciding needs no network, clock or chance"),
    (
        "automate/recipe/noun.py",
        "from time import time",
        "deciding needs no network, clock or chance",
    ),
]


def lint_imports(folder: Path) -> subprocess.CompletedProcess[str]:
    """Run the tool as `make check` does, but on the package in *folder*."""
    code = "from importlinter.cli import lint_imports_command as run; run()"
    return subprocess.run(
        [sys.executable, "-c", code, "--no-cache"],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(folder)},
        capture_output=True,
        text=True,
        check=False,
    )


def empty_house(folder: Path, root: Path) -> None:
    """Build the rooms without furniture in *folder*, under the project's own contracts."""
    (folder / "pyproject.toml").write_text((root / "pyproject.toml").read_text())
    for name in ("errors", "shipped"):
        (folder / "automate").mkdir(exist_ok=True)
        (folder / f"automate/{name}.py").touch()
    (folder / "automate/__init__.py").touch()
    for room in ("wire", "recipe", "machine", "recording", "live", "fake", "engine", "cli"):
        (folder / "automate" / room).mkdir()
        (folder / "automate" / room / "__init__.py").touch()
        (folder / "automate" / room / "noun.py").touch()


def test_the_walls_stand(root: Path) -> None:
    checked = lint_imports(root)

    assert checked.returncode == 0, checked.stdout


def test_an_empty_house_breaks_no_rule(tmp_path: Path, root: Path) -> None:
    empty_house(tmp_path, root)

    assert lint_imports(tmp_path).returncode == 0


@pytest.mark.parametrize(("module", "line", "contract"), BREACHES)
def test_each_wall_holds(module: str, line: str, contract: str, tmp_path: Path, root: Path) -> None:
    empty_house(tmp_path, root)
    (tmp_path / module).write_text(line + "\n")

    checked = lint_imports(tmp_path)

    broken = [
        text.removesuffix(" BROKEN") for text in checked.stdout.splitlines() if "BROKEN" in text
    ]
    assert (checked.returncode, broken) == (1, [contract])


@pytest.mark.parametrize("name", MODULES)
def test_each_module_lists_its_public_names(name: str) -> None:
    """What is listed is there, and once; what is public and made here is listed."""
    module = importlib.import_module(name)
    listed = list(getattr(module, "__all__", []))
    assert module.__file__ is not None
    source = ast.parse(Path(module.__file__).read_text(encoding="utf-8"))
    made_here = {
        node.name
        for node in source.body
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
        if not node.name.startswith("_")
    }

    missing = [key for key in listed if not hasattr(module, key)]
    twice = [key for key in set(listed) if listed.count(key) > 1]
    assert (missing, twice, sorted(made_here - set(listed))) == ([], [], [])

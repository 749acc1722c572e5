"""Each shipped recipe has its section in docs/recipes.md, its own words, its test, its evening."""

import ast
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

from automate.testing import load_recipes

ROOT: Final = Path(__file__).parents[2]
FILES: Final = sorted((ROOT / "recipes").glob("*.py"))
PAGE: Final = (ROOT / "docs" / "recipes.md").read_text(encoding="utf-8")
SECTIONS: Final = {
    found[1]: found[2] for found in re.finditer(r"^### (\w+)\n(.*?)(?=^##|\Z)", PAGE, re.M | re.S)
}
STEMS: Final = [file.stem for file in FILES]


@pytest.fixture(scope="module")
def said() -> dict[str, str]:
    """What `automate check` says of each recipe, by its name, 80 columns wide."""
    command = [sys.executable, "-m", "automate", "check", "recipes"]
    printed = subprocess.run(
        command,
        cwd=ROOT,
        env={**os.environ, "COLUMNS": "80", "PYTHONUTF8": "1"},
        capture_output=True,
        encoding="utf-8",
        check=True,
    ).stdout
    paragraphs = printed.rstrip("\n").split("\n\n")
    return {one.partition("\n")[0]: one for one in paragraphs}


def test_each_has_a_section_and_no_other_has() -> None:
    assert sorted(SECTIONS) == STEMS


@pytest.mark.parametrize("stem", STEMS)
def test_what_check_says_of_it_is_what_the_page_shows(stem: str, said: dict[str, str]) -> None:
    (shown,) = re.findall(r"^```text\n(.*?)\n```$", SECTIONS[stem], re.M | re.S)
    names = [recipe.name for recipe in load_recipes(f"recipes/{stem}.py")]

    assert shown == "\n\n".join(said[name] for name in names)
    assert max(map(len, shown.splitlines())) <= 80


@pytest.mark.parametrize("stem", STEMS)
def test_it_says_what_to_change_and_which_evening_shows_why(stem: str) -> None:
    (why,) = re.findall(r"^\*\*Why:\*\* (.*?)\n\n?(?=\n|\Z)", SECTIONS[stem] + "\n\n", re.M | re.S)
    # Names of recordings have a hyphen or a folder; or they are one word.
    named = re.findall(r"`([\w/]+[\w-]*)`", why)

    assert "**To change:**" in SECTIONS[stem]
    assert named != []
    assert [one for one in named if not (ROOT / "recordings" / f"{one}.jsonl").exists()] == []


@pytest.mark.parametrize("file", FILES, ids=STEMS)
def test_its_file_begins_with_what_it_is_for_and_it_has_a_test(file: Path) -> None:
    text = ast.get_docstring(ast.parse(file.read_text(encoding="utf-8")))

    assert text is not None
    assert len(text) > 60
    assert (Path(__file__).parent / f"test_{file.stem}.py").exists()

"""The examples of docs/recipes.md: each is loaded as a user's file would be, and plays."""

import re
from pathlib import Path

import pytest

from automate.testing import load_recipes, rehearse

PAGE = Path(__file__).parents[2] / "docs" / "recipes.md"
EXAMPLES = re.findall(r"^```python\n(.*?)^```$", PAGE.read_text(encoding="utf-8"), re.M | re.S)


@pytest.mark.parametrize(
    "text", EXAMPLES, ids=lambda text: re.findall(r'Recipe\(\s*"(.*?)"', text)[0]
)
def test_an_example_is_right(text: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """It defines the recipes that it names, without a word on the terminal, and they play."""
    (tmp_path / "example.py").write_text(text, encoding="utf-8")

    recipes = load_recipes(tmp_path)

    assert [recipe.name for recipe in recipes] == re.findall(r'Recipe\(\s*"(.*?)"', text)
    rehearse(recipes, "crash-twice")
    assert capsys.readouterr() == ("", "")


def test_the_page_has_examples() -> None:
    assert len(EXAMPLES) >= 5

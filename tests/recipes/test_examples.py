"""The examples of docs/recipes.md: each is loaded as a user's file would be."""

import re
from pathlib import Path

import pytest

from automate.cli.main import main

PAGE = Path(__file__).parents[2] / "docs" / "recipes.md"
EXAMPLES = re.findall(r"^```python\n(.*?)^```$", PAGE.read_text(encoding="utf-8"), re.M | re.S)


@pytest.mark.parametrize(
    "text", EXAMPLES, ids=lambda text: re.findall(r'Recipe\(\s*"(.*?)"', text)[0]
)
def test_an_example_is_right(text: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "example.py").write_text(text, encoding="utf-8")
    code = main(["check", str(tmp_path)])

    assert (code, capsys.readouterr().err) == (0, "")


def test_the_page_has_examples() -> None:
    assert len(EXAMPLES) >= 5

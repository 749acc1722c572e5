"""`automate check`: what recipes do, in a line each, or where they are wrong."""

import sys
from collections.abc import Sequence
from pathlib import Path

from automate.cli.arguments import Parser

__all__ = ["run"]


def run(words: Sequence[str]) -> int:
    """Run the command and return its exit code."""
    parser = Parser(
        "check",
        "Load recipes and print a line for each: its name, when it runs, what it then does.",
        example="automate check recipes",
    )
    parser.add_argument("recipes", nargs="+", type=Path, metavar="RECIPE", help="a file or folder")
    arguments = parser.parse_args(words)
    return _check(arguments.recipes)


def _check(paths: list[Path]) -> int:
    from automate.recipe.description import then_words, when_words
    from automate.recipe.loader import load_all

    found, wrong = load_all(paths)
    for one in found:
        recipe = one.recipe
        print(f"{recipe.name}: when {when_words(recipe)}; then {then_words(recipe)}")
    sys.stdout.flush()
    for error in wrong:
        print(f"automate: {error}", file=sys.stderr)
    return 2 if wrong else 0

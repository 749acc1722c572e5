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
    from automate.errors import RecipeError
    from automate.recipe.description import then_words, when_words
    from automate.recipe.loader import Loaded, check_names, files_of, load_file

    found: list[Loaded] = []
    wrong: list[str] = []
    for path in paths:
        try:
            files = files_of(path)
        except RecipeError as error:
            wrong.append(str(error))
            continue
        for file in files:
            try:
                found.extend(load_file(file))
            except RecipeError as error:
                wrong.append(str(error))
    try:
        check_names(found)
    except RecipeError as error:
        wrong.append(str(error))
    for one in found:
        recipe = one.recipe
        print(f"{recipe.name}: when {when_words(recipe)}; then {then_words(recipe)}")
    sys.stdout.flush()
    for line in wrong:
        print(f"automate: {line}", file=sys.stderr)
    return 2 if wrong else 0

"""`automate check`: what recipes do, in words, or where they are wrong."""

import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from textwrap import wrap
from typing import TYPE_CHECKING, Final

from automate.cli.arguments import Parser

if TYPE_CHECKING:
    pass

__all__ = ["run"]

# Prose is hard to read in longer lines, however wide the terminal is.
_MOST_COLUMNS: Final = 100


def run(words: Sequence[str]) -> int:
    """Run the command and return its exit code."""
    parser = Parser(
        "check",
        "Load recipes and say of each when it runs, what it then does, and how often.",
        example="automate check recipes",
    )
    parser.add_argument("recipes", nargs="+", type=Path, metavar="RECIPE", help="a file or folder")
    arguments = parser.parse_args(words)
    return _check(arguments.recipes)


def _check(paths: list[Path]) -> int:
    from automate.engine.calls import wrong_calls
    from automate.recipe.description import described
    from automate.recipe.loader import load_all
    from automate.wire.console import clean

    found, wrong = load_all(paths)
    for number, one in enumerate(found):
        print("\n" * bool(number) + one.recipe.name)
        print("\n".join(_paragraph(clean(described(one.recipe)))))
    sys.stdout.flush()
    told = [*map(str, wrong), *wrong_calls(found)]
    for error in told:
        print(f"automate: {error}", file=sys.stderr)
    return 2 if told else 0


def _paragraph(text: str) -> list[str]:
    columns = min(shutil.get_terminal_size((80, 24)).columns, _MOST_COLUMNS)
    return wrap(
        text,
        max(columns, 24),
        initial_indent="  ",
        subsequent_indent="  ",
        # A pattern stays in one piece, for it may have to be copied.
        break_long_words=False,
        break_on_hyphens=False,
    )

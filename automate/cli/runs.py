"""`automate runs`: the runs of recipes, a line each."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from automate.cli.arguments import Parser, a_whole_number
from automate.cli.journals import (
    add_state,
    columns_wide,
    local,
    print_json,
    run_fields,
    short,
    state_file,
    verdict,
)

if TYPE_CHECKING:
    from automate.engine.history import PastRun

__all__ = ["run"]

_LONGEST_SERVER: Final = 12
_LONGEST_RECIPE: Final = 20


def run(words: Sequence[str]) -> int:
    """Run the command and return its exit code."""
    arguments = _parser().parse_args(words)
    from automate.engine.history import open_history

    with open_history(state_file(arguments)) as history:
        runs = history.runs(
            server=arguments.server and history.find_server(arguments.server),
            recipe=arguments.recipe and history.find_recipe(arguments.recipe),
            limit=arguments.limit,
        )
        is_kept = history.is_kept
    if arguments.json:
        for one in runs:
            print_json(run_fields(one))
    elif runs:
        _print(runs, is_kept=is_kept)
    else:
        print("no runs yet")
    return 0


def _parser() -> Parser:
    parser = Parser(
        "runs",
        "Print the last runs of recipes, the newest last: the run's number, when it began, the\n"
        "server, the recipe, how it ended. `automate trace NUMBER` tells all of one.",
        example="automate runs --recipe 'restart on crash' --limit 5",
    )
    add_state(parser)
    parser.add_argument("--server", metavar="ID", help="only of this server: its id or name")
    parser.add_argument("--recipe", metavar="NAME", help="only of this recipe")
    parser.add_argument(
        "--limit",
        type=a_whole_number(least=1, most=10**9),
        default=20,
        metavar="N",
        help="so many at most (default: 20)",
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object a run")
    return parser


def _print(runs: "Sequence[PastRun]", *, is_kept: bool) -> None:
    columns = [
        [str(one.id) for one in runs],
        [local(one.began) for one in runs],
        [short(one.server_name or one.server[:8], _LONGEST_SERVER) for one in runs],
        [short(one.recipe, _LONGEST_RECIPE) for one in runs],
    ]
    widths = [max(map(len, column)) for column in columns]
    for one, number, *cells in zip(runs, *columns, strict=True):
        head = "  ".join([number.rjust(widths[0]), *map(str.ljust, cells, widths[1:])])
        room = columns_wide() - len(head) - 2
        print(f"{head}  {short(verdict(one, is_kept=is_kept), room)}")

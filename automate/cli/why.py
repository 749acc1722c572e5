"""`automate why`: why a recipe ran, or did not, and when it will."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

from attrs import frozen

from automate.cli.arguments import Parser
from automate.cli.journals import (
    add_state,
    local,
    print_json,
    run_fields,
    server_label,
    state_file,
    verdict,
)
from automate.cli.page import plain
from automate.engine.history import History, PastRun, PastTrace, open_history
from automate.recording.format import utc_text

__all__ = ["run"]

_RUNS: Final = 3
_DECISIONS: Final = 5


@frozen(kw_only=True)
class _Answer:
    """What is known of a recipe at one server."""

    server: str
    server_name: str
    runs: Sequence[PastRun]
    not_run: Sequence[PastTrace]
    next_due: datetime | None


def run(words: Sequence[str]) -> int:
    """Run the command and return its exit code."""
    arguments = _parser().parse_args(words)
    with open_history(state_file(arguments)) as history:
        recipe = history.find_recipe(arguments.recipe)
        servers = history.servers_of(recipe)
        if arguments.server is not None:
            servers = [history.find_server(arguments.server)]
        answers = [_answer(history, recipe, server) for server in servers]
        since, is_kept, is_at_work = history.origin, history.is_kept, recipe in history.at_work
    if arguments.json:
        for answer in answers:
            _print_json(answer)
        return 0
    print(plain(recipe))
    if not is_kept:
        print("  is not at work: automate is not running")
    elif not is_at_work:
        print("  is not at work: the running automate has no such recipe")
    for answer in answers:
        _print(answer, since=since, is_kept=is_kept)
    return 0


def _parser() -> Parser:
    parser = Parser(
        "why",
        "Print why a recipe ran, or did not: its last runs and how they ended, what held it back\n"
        "last, and when its schedule is due next.",
        example="automate why 'restart on crash'",
    )
    parser.add_argument("recipe", metavar="RECIPE", help="the recipe's name")
    add_state(parser)
    parser.add_argument("--server", metavar="ID", help="only at this server: its id or name")
    parser.add_argument(
        "--json", action="store_true", help="print one JSON object a run, decision or moment"
    )
    return parser


def _answer(history: History, recipe: str, server: str) -> _Answer:
    return _Answer(
        server=server,
        server_name=history.servers.get(server, ""),
        runs=history.runs(server=server, recipe=recipe, limit=_RUNS),
        not_run=history.not_run(recipe, server, limit=_DECISIONS),
        next_due=history.next_due(recipe, server) if recipe in history.at_work else None,
    )


def _print_json(answer: _Answer) -> None:
    for one in answer.runs:
        print_json({"what": "run", **run_fields(one)})
    for decision in answer.not_run:
        print_json(_decision_fields(decision))
    if answer.next_due is not None:
        print_json({"what": "due", "server": answer.server, "time": utc_text(answer.next_due)})


def _decision_fields(decision: PastTrace) -> dict[str, Any]:
    return {
        "what": decision.what,
        "server": decision.server,
        "detail": decision.detail,
        "time": utc_text(decision.last),
        "times": decision.times,
        "since": utc_text(decision.time),
    }


def _print(answer: _Answer, *, since: datetime, is_kept: bool) -> None:
    lines = [
        *((one.began, _run_words(one, is_kept=is_kept)) for one in answer.runs),
        *((one.last, _decision_words(one)) for one in answer.not_run),
    ]
    lines.sort(key=lambda line: line[0])
    print(plain(f"{server_label(answer.server_name, answer.server)}:"))
    for moment, words in lines:
        print(f"  {local(moment)}  {plain(words)}")
    if not lines:
        print(f"  nothing has set it off since {local(since)}, when the journal began")
    if answer.next_due is not None:
        print(f"  {local(answer.next_due)}  {'is' if is_kept else 'was'} due next")


def _run_words(one: PastRun, *, is_kept: bool) -> str:
    trigger = f" ({one.trigger})" if one.trigger else ""
    return f"ran{trigger}: {verdict(one, is_kept=is_kept)}; see `automate trace {one.id}`"


def _decision_words(one: PastTrace) -> str:
    what = "did not run" if one.what == "held back" else one.what
    words = f"{what}: {one.detail}" if one.detail else what
    if one.times > 1:
        words += f" ({one.times} times since {local(one.time)})"
    return words

"""`automate trace`: all that was decided in one run."""

from argparse import ArgumentTypeError
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

from attrs import define

from automate.cli.arguments import Parser
from automate.cli.journals import (
    add_state,
    duration,
    local,
    local_time,
    print_json,
    server_label,
    state_file,
    verdict,
)
from automate.cli.page import plain
from automate.recording.format import utc_text

if TYPE_CHECKING:
    from automate.engine.history import PastRun, PastTrace

__all__ = ["run"]

# Values that the other lines have.
_PLAIN: Final = ("server", "server_id", "recipe", "reason")
_OF_A_STEP: Final = ("step done", "step failed", "unconfirmed")


def run(words: Sequence[str]) -> int:
    """Run the command and return its exit code."""
    arguments = _parser().parse_args(words)
    from automate.engine.history import open_history

    with open_history(state_file(arguments)) as history:
        told = history.run(arguments.run)
        traces = history.traces(arguments.run)
        is_kept = history.is_kept
    if arguments.json:
        for one in traces:
            print_json(_fields(one))
    else:
        _print(told, traces, is_kept=is_kept)
    return 0


def _number(text: str) -> int:
    if not (text.isascii() and text.isdecimal() and 0 < int(text) < 2**63):
        raise ArgumentTypeError(f"expected a run's number such as 12, found {text!r}")
    return int(text)


def _parser() -> Parser:
    parser = Parser(
        "trace",
        "Print all of one run: what set it off, what its texts could use, and then what was\n"
        "decided, with the time of each: conditions, steps and how they ended, doubts.",
        example="automate trace 12",
    )
    parser.add_argument(
        "run",
        type=_number,
        metavar="RUN",
        help="the run's number; `automate runs` lists them",
    )
    add_state(parser)
    parser.add_argument("--json", action="store_true", help="print one JSON object a decision")
    return parser


def _fields(trace: "PastTrace") -> dict[str, Any]:
    return {
        "run": trace.run,
        "server": trace.server,
        "recipe": trace.recipe,
        "time": utc_text(trace.time),
        "what": trace.what,
        "detail": trace.detail,
        "step": trace.step,
    }


# ---------------------------------------------------------------- for a person


@define
class _Row:
    """A line: a decision, or a step with how it ended."""

    trace: "PastTrace"
    words: str
    is_open: bool = False


def _print(told: "PastRun", traces: "Sequence[PastTrace]", *, is_kept: bool) -> None:
    server = server_label(told.server_name, told.server)
    print(plain(f"run {told.id}: {told.recipe!r} for {server}"))
    print(f"  began  {local(told.began)}")
    ended = "" if told.ended is None else f"{local(told.ended)}, "
    print(f"  ended  {ended}{plain(verdict(told, is_kept=is_kept))}")
    values = [f"{name} = {value}" for name, value in told.values.items() if name not in _PLAIN]
    if values:
        print(f"  with   {plain(', '.join(values))}")
    day = told.began.astimezone().date()
    for row in _rows(traces):
        here = row.trace.time.astimezone()
        if here.date() != day:
            day = here.date()
            print(f"  {day}")
        print(f"  {local_time(here)}  {plain(row.words)}")


def _rows(traces: "Sequence[PastTrace]") -> list[_Row]:
    """Return a line for each of *traces*, but one for a step and its end together."""
    rows: list[_Row] = []
    for one in traces:
        said = f"{one.what}: {one.detail}" if one.detail else one.what
        begun = _begun(rows, one) if one.what in _OF_A_STEP else None
        if one.what == "step":
            rows.append(_Row(one, one.detail, is_open=True))
        elif begun is None:
            rows.append(_Row(one, said))
        elif one.what == "unconfirmed":
            begun.words += f" - {said}"
        else:
            took = duration((one.time - begun.trace.time).total_seconds())
            begun.words += f" - {said.removeprefix('step ')} (after {took})"
            begun.is_open = False
    return rows


def _begun(rows: list[_Row], ending: "PastTrace") -> _Row | None:
    """Return the line of the step that *ending* is about; steps in parallel have numbers."""
    for row in reversed(rows):
        if row.is_open and (row.trace.step == ending.step or None in (row.trace.step, ending.step)):
            return row
    return None

"""`automate rehearse`: what recipes would have done on recordings."""

import argparse
import json
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from automate.cli.arguments import Parser, a_moment, a_number
from automate.errors import UsageError

if TYPE_CHECKING:
    from automate.engine.rehearsal import Ask, Transcript
    from automate.recipe.recipe import Recipe

__all__ = ["run"]


def run(words: Sequence[str]) -> int:
    """Run the command and return its exit code."""
    parser = _parser()
    arguments = parser.parse_args(words)
    from automate.recipe.loader import load

    recipes = [loaded.recipe for loaded in load(arguments.recipes)]
    transcripts = []
    for path in _recordings(arguments.on):
        transcript = _rehearse(recipes, path, arguments)
        transcripts.append(transcript)
        if arguments.json:
            _print_json(transcript)
        else:
            _print(transcript, trace=arguments.trace)
    sys.stdout.flush()
    _summarize(transcripts)
    return 0


def _parser() -> Parser:
    parser = Parser(
        "rehearse",
        "Play recipes against recordings, in no time and with no server, and print what they\n"
        "would have done: the seconds since the recording's start, the recipe, the action.\n"
        "An action is unconfirmed where nothing on the recording shows that it worked.",
        example="automate rehearse recipes/restart_on_crash.py --on recordings/crash-twice.jsonl",
    )
    parser.add_argument("recipes", nargs="+", type=Path, metavar="RECIPE", help="a file or folder")
    parser.add_argument(
        "--on",
        nargs="+",
        required=True,
        type=Path,
        metavar="RECORDING",
        help="a recording, or a folder of them",
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object an action")
    parser.add_argument(
        "--trigger",
        action="append",
        default=[],
        type=_ask,
        metavar="NAME@SECONDS",
        help="ask for a recipe at a moment of the recording; can be given more than once",
    )
    parser.add_argument(
        "--start-at",
        type=a_moment,
        metavar="MOMENT",
        help="the wall clock at the recording's start, such as 2026-11-24T21:59:50",
    )
    parser.add_argument(
        "--after",
        type=a_number(least=0),
        default=300.0,
        metavar="SECONDS",
        help="how long recipes may go on after the recording's end (default: 300)",
    )
    parser.add_argument("--trace", action="store_true", help="also print what was decided, and why")
    return parser


def _ask(text: str) -> "Ask":
    from automate.engine.rehearsal import Ask

    name, at, seconds = text.rpartition("@")
    try:
        moment = a_number(least=0)(seconds)
    except argparse.ArgumentTypeError:
        moment = -1.0
    if not at or not name or moment < 0:
        raise argparse.ArgumentTypeError(
            f"expected NAME@SECONDS such as 'backup before stop@3', found {text!r}"
        )
    return Ask(name, moment)


def _recordings(paths: list[Path]) -> list[Path]:
    found: list[Path] = []
    for path in paths:
        if path.is_dir():
            inside = sorted([*path.glob("*.jsonl"), *path.glob("*.jsonl.zst")])
            if not inside:
                raise UsageError(f"{path}: no recordings (*.jsonl) in this folder")
            found.extend(inside)
        else:
            found.append(path)
    return found


def _rehearse(recipes: "list[Recipe]", path: Path, arguments: argparse.Namespace) -> "Transcript":
    from automate.engine.rehearsal import rehearse
    from automate.recording.reader import open_recording

    with open_recording(path) as recording:
        transcript = rehearse(
            recipes,
            recording,
            header=recording.header,
            title=path.name.removesuffix(".zst").removesuffix(".jsonl"),
            start_at=arguments.start_at,
            asks=arguments.trigger,
            after_seconds=arguments.after,
        )
        for warning in recording.warnings:
            print(f"automate: warning: {warning}", file=sys.stderr)
    return transcript


def _print_json(transcript: "Transcript") -> None:
    for act in transcript.acts:
        print(json.dumps(act.as_json(), ensure_ascii=False))


def _print(transcript: "Transcript", *, trace: bool) -> None:
    print(f"{transcript.recording} ({transcript.seconds:.1f} s)")
    lines = [
        (act.at, act.recipe, _words(act.action) + (" (unconfirmed)" if act.unconfirmed else ""))
        for act in transcript.acts
    ]
    if trace:
        lines += [
            (at, one.recipe, f"- {one.what}{': ' if one.detail else ''}{one.detail}")
            for at, one in transcript.trace
        ]
        lines.sort(key=lambda line: line[0])
    for at, recipe, words in lines:
        print(f"  {at:9.4f}  {recipe}: {words}")
    if not lines:
        print("  nothing to do")


def _words(action: dict[str, str]) -> str:
    ((what, value),) = action.items()
    return f"{what} {value}"


def _summarize(transcripts: "list[Transcript]") -> None:
    acts = [act for transcript in transcripts for act in transcript.acts]
    unconfirmed = sum(act.unconfirmed for act in acts)
    said = Counter(one.what for transcript in transcripts for _, one in transcript.trace)
    print(
        f"{_count(len(transcripts), 'recording')}: {_count(len(acts), 'action')}, "
        f"{unconfirmed} unconfirmed; {_count(said['triggered'], 'run')}, "
        f"{said['failed']} failed, {said['held back']} held back",
        file=sys.stderr,
    )
    for transcript in transcripts:
        for line in _notable(transcript):
            print(f"{transcript.recording}: {line}", file=sys.stderr)


def _notable(transcript: "Transcript") -> Iterator[str]:
    """Return what did not go as it was meant to; what repeats itself, once."""
    times = Counter((one.recipe, one.what, one.detail) for _, one in transcript.trace)
    for at, one in transcript.trace:
        # Taken out when it is told, so that it is told at its first moment.
        count = times.pop((one.recipe, one.what, one.detail), 0)
        if one.what in ("failed", "held back") and count:
            said = "failed" if one.what == "failed" else "was held back"
            more = f" (and {_count(count - 1, 'time')} more)" if count > 1 else ""
            yield f"at {at:.4f} {one.recipe!r} {said}: {one.detail}{more}"
    for name in transcript.unfinished:
        yield f"{name!r} was still running when the time after the end was over"
    for name in transcript.unasked:
        yield f"{name!r} was not asked: the recording ends at {transcript.seconds:.1f} s"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"

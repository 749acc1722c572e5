"""`automate replay`: a recording as a fake panel and node, for any ordinary client."""

import math
from argparse import Namespace
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from automate.cli.arguments import Parser, a_number, a_whole_number
from automate.cli.streams import complain

if TYPE_CHECKING:
    from automate.fake.signals import Note

__all__ = ["run"]


def run(words: Sequence[str]) -> int:
    """Run the command and return its exit code."""
    arguments = _parser().parse_args(words)
    from automate.cli.stopping import run_until_stopped

    return run_until_stopped(lambda: _replay(arguments), is_endless=True)


def _parser() -> Parser:
    parser = Parser(
        "replay",
        "Serve a recording as a fake panel and node on 127.0.0.1, until Ctrl-C. The first line\n"
        "printed holds the panel's address and its key. The tape starts with the first client\n"
        "that is let in, and what the recorded client did is done again by itself.",
        example="automate replay recordings/crash-recovered.jsonl --speed 5 --leave 3",
    )
    parser.add_argument("recording", type=Path, metavar="FILE", help="the recording")
    parser.add_argument(
        "--speed",
        type=_a_speed,
        default=1.0,
        metavar="X",
        help="play X times as fast (default: 1); inf: as fast as the client reads",
    )
    parser.add_argument(
        "--port",
        type=a_whole_number(least=0, most=65535),
        default=0,
        metavar="N",
        help="the port to listen on (default: a free one)",
    )
    parser.add_argument(
        "--leave",
        type=a_whole_number(least=1, most=10**9),
        action="append",
        default=[],
        metavar="N",
        help="leave the Nth recorded deed (power, command, backup…) to the live client, and wait "
        "for it; can be given more than once",
    )
    beyond = parser.add_mutually_exclusive_group()
    beyond.add_argument(
        "--strict",
        action="store_true",
        help="leave every deed to the live client, and refuse any other",
    )
    beyond.add_argument(
        "--lenient",
        action="store_true",
        help="do what the recording does not hold: the first such deed ends the tape, and a model "
        "of the daemon goes on from there",
    )
    return parser


def _a_speed(text: str) -> float:
    return math.inf if text == "inf" else a_number(above=0)(text)


def _print(note: "Note") -> None:
    from automate.cli.page import plain

    print(f"{note.tape_seconds:9.4f}  {note.kind:<8}  {plain(note.text)}", flush=True)


async def _replay(arguments: Namespace) -> int:
    import trio

    from automate.cli.page import plain
    from automate.engine.clock import unix_now
    from automate.fake.node import open_replay
    from automate.recording.reader import read_recording

    recording = read_recording(arguments.recording)
    for warning in recording.warnings:
        complain(f"warning: {warning}")
    async with open_replay(
        recording,
        wall_clock=unix_now,
        port=arguments.port,
        speed=arguments.speed,
        leave=arguments.leave,
        strict=arguments.strict,
        lenient=arguments.lenient,
        on_note=_print,
    ) as replay:
        print(f"panel {replay.panel_url} key {replay.key} server {replay.server}", flush=True)
        for number, deed in enumerate(replay.deeds, 1):
            left = arguments.strict or number in arguments.leave
            print(plain(f"{deed}{' (left to you)' if left else ''}"))
        print("the tape starts when a client is let in; Ctrl-C ends", flush=True)
        try:
            await trio.sleep_forever()
        finally:
            # Whoever stops it because nothing goes on wants to know why.
            if (stall := replay.stall) is not None:
                print(plain(f"ended while the tape {stall}"), flush=True)
    return 0

"""`automate record`: everything a live server says, into a file."""

import math
import sys
from argparse import Namespace
from collections.abc import Sequence
from pathlib import Path

from automate.cli.arguments import Parser, a_number, add_panel, read_key

__all__ = ["run"]


def run(words: Sequence[str]) -> int:
    """Run the command and return its exit code."""
    arguments = _parser().parse_args(words)
    key = read_key(arguments.key_file)
    from automate.cli.stopping import run_until_stopped

    return run_until_stopped(lambda: _record(arguments, key))


def _parser() -> Parser:
    parser = Parser(
        "record",
        "Record everything a live server says, until Ctrl-C: console, status, statistics. Tokens\n"
        "and keys are taken out before anything reaches the disk.",
        example="automate record --panel https://panel.example.com --server 5f2c9a1e -o night.jsonl",
    )
    add_panel(parser)
    parser.add_argument("--server", required=True, metavar="ID", help="the server's id or uuid")
    parser.add_argument(
        "-o", "--output", required=True, type=Path, metavar="FILE", help="the recording to write"
    )
    parser.add_argument(
        "--seconds",
        type=a_number(above=0),
        default=math.inf,
        metavar="N",
        help="stop after so long (default: at Ctrl-C)",
    )
    return parser


async def _record(arguments: Namespace, key: str) -> int:
    import trio

    from automate.cli.progress import Progress
    from automate.engine.clock import utc_now
    from automate.engine.sitting import header_for
    from automate.live.listener import together
    from automate.live.panel import Panel
    from automate.live.recorder import record
    from automate.live.session import Session
    from automate.recording.redaction import Redactor

    path: Path = arguments.output
    async with Panel(arguments.panel, key) as panel:
        server = await panel.server(arguments.server)
        header = header_for(server, panel, now=utc_now(), title=path.name.split(".")[0])
        async with record(path, header, redactor=Redactor(known={"key": [key]})) as recorder:
            panel.on_call = recorder.called
            progress = Progress(server.name)
            print(f"recording {server.name} to {path}; Ctrl-C ends", file=sys.stderr)
            try:
                with trio.move_on_after(arguments.seconds):
                    await Session(
                        server.uuid,
                        panel,
                        listener=together(recorder, progress),
                        origin=arguments.origin,
                    ).run()
            finally:
                print(f"{progress.frames} frames in {path}", file=sys.stderr)
    return 0

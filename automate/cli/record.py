"""`automate record`: everything a live server says, into a file."""

import math
from argparse import Namespace
from collections.abc import Sequence
from pathlib import Path

from automate.cli.arguments import Parser, a_number, add_panel, read_key
from automate.errors import AutomateError, ConnectionFailed, RecordingError

__all__ = ["run"]


def run(words: Sequence[str]) -> int:
    """Run the command and return its exit code."""
    arguments = _parser().parse_args(words)
    key = read_key(arguments.key_file)
    _check_output(arguments.output)
    from automate.cli.stopping import run_until_stopped

    return run_until_stopped(lambda: _record(arguments, key), is_endless=True)


def _parser() -> Parser:
    parser = Parser(
        "record",
        "Record everything a live server says, until Ctrl-C: console, status, statistics. Tokens\n"
        "and keys are taken out before anything reaches the disk.",
        example="automate record --panel https://panel.example.com --server 5f2c9a1e -o a.jsonl",
    )
    add_panel(parser)
    parser.add_argument(
        "--server", required=True, metavar="ID", help="the server's id, uuid or name"
    )
    parser.add_argument(
        "-o",
        "--output",
        required=True,
        type=Path,
        metavar="FILE",
        help="the recording to write, a new file",
    )
    parser.add_argument(
        "--seconds",
        type=a_number(above=0),
        default=math.inf,
        metavar="N",
        help="stop after so long (default: at Ctrl-C)",
    )
    return parser


def _check_output(path: Path) -> None:
    """Refuse what is plainly wrong before the panel is asked anything."""
    if path.is_dir():
        raise RecordingError(f"{path}: this is a folder; give the name of a new file in it")
    if path.exists() or path.is_symlink():
        raise RecordingError(
            f"{path}: there is a file already, and nothing is ever overwritten; give another name"
        )
    if not path.parent.is_dir():
        raise RecordingError(f"{path}: its folder does not exist; make it first")


async def _record(arguments: Namespace, key: str) -> int:
    import trio

    from automate.cli.page import Page, plain
    from automate.cli.progress import Progress
    from automate.cli.servers import only_server
    from automate.engine.clock import utc_now
    from automate.engine.sitting import header_for
    from automate.live.listener import together
    from automate.live.panel import Panel
    from automate.live.recorder import record
    from automate.live.session import Session
    from automate.recording.redaction import Redactor

    path: Path = arguments.output
    async with Panel(arguments.panel, key, ca_file=arguments.ca_file) as panel:
        server = await only_server(panel, arguments.server)
        name = plain(server.name)
        progress = Progress(Page([name]), name)
        header = header_for(server, panel, now=utc_now(), title=path.name.split(".")[0])
        redactor = Redactor(known={"key": [key]})
        async with record(path, header, redactor=redactor) as recorder:
            panel.on_call = recorder.called
            listener = together(recorder, progress)
            session = Session(
                server.uuid,
                panel,
                listener=listener,
                origin=arguments.origin,
                ca_file=arguments.ca_file,
            )
            print(f"recording {name} to {path}; {_end(arguments.seconds)}", flush=True)
            try:
                with trio.move_on_after(arguments.seconds):
                    await session.run()
                if not progress.was_ready:
                    raise ConnectionFailed(
                        f"{name}: not reached within {arguments.seconds:g} s: {progress.trouble}"
                    )
            except AutomateError:
                if not progress.was_ready:
                    _discard(path)
                raise
            finally:
                _tell_end(path, progress.frames)
    return 0


def _discard(path: Path) -> None:
    """Remove a recording of nothing: it serves nobody, and would block the next try."""
    path.unlink(missing_ok=True)


def _tell_end(path: Path, frames: int) -> None:
    if path.exists():
        print(f"{frames} frames in {path}", flush=True)


def _end(seconds: float) -> str:
    return "Ctrl-C ends" if seconds == math.inf else f"for {seconds:g} s, or until Ctrl-C"

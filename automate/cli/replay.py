"""`automate replay`: recordings as a fake panel and node, for any ordinary client."""

import math
from argparse import Namespace
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from automate.cli.arguments import Parser, a_number, a_whole_number
from automate.cli.streams import complain
from automate.errors import UsageError

if TYPE_CHECKING:
    from automate.fake.playback import Playback
    from automate.fake.replay import Replay
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
        "that is let in, and what the recorded client did is done again by itself. Of several\n"
        "recordings each is a server of its own, behind the same panel.",
        example="automate replay recordings/crash-recovered.jsonl --speed 5 --leave 3",
    )
    parser.add_argument(
        "recordings", type=Path, nargs="+", metavar="FILE", help="the recording, or several"
    )
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
        type=_a_deed,
        action="append",
        default=[],
        metavar="N",
        help="leave the Nth recorded deed (power, command, backup…) to the live client, and wait "
        "for it; can be given more than once. Of several recordings: NAME:N, where NAME.jsonl is "
        "the file",
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


def _a_deed(text: str) -> tuple[str, int]:
    """Return the name of a recording (or nothing) and the number of one of its deeds."""
    name, _colon, number = text.rpartition(":")
    return name, a_whole_number(least=1, most=10**9)(number)


# ---------------------------------------------------------------- serving


async def _replay(arguments: Namespace) -> int:
    import trio

    from automate.engine.clock import unix_now
    from automate.fake.node import Stand, open_replays

    with ExitStack() as files:
        playbacks = _open(arguments, files)
        tellers: dict[str, _Teller] = {}

        def tell(server: str, note: "Note") -> None:
            tellers[server].tell(note)

        stand = Stand(wall_clock=unix_now, port=arguments.port)
        async with open_replays(playbacks, stand, on_note=tell) as replays:
            names = _names(arguments) if len(replays) > 1 else [""]
            first = replays[0]
            servers = ",".join(replay.server for replay in replays)
            print(f"panel {first.panel_url} key {first.key} server {servers}", flush=True)
            for name, replay, playback in zip(names, replays, playbacks, strict=True):
                tellers[replay.server] = teller = _Teller(name, replay)
                teller.greet(playback)
            print("the tape starts when a client is let in; Ctrl-C ends", flush=True)
            try:
                await trio.sleep_forever()
            finally:
                for teller in tellers.values():
                    teller.part()
    return 0


def _names(arguments: Namespace) -> list[str]:
    return [path.name.partition(".")[0] for path in arguments.recordings]


def _open(arguments: Namespace, files: ExitStack) -> "list[Playback]":
    """Open the recordings, which stay open as long as *files*, to be played as it was said.

    Raises:
        RecordingError: one of them can't be read.
        UsageError: a deed is left of a recording that is not among them.
    """
    from automate.fake.film import open_film
    from automate.fake.playback import Playback

    names = _names(arguments)
    for name, number in arguments.leave:
        if name not in (names if len(names) > 1 else [*names, ""]):
            known = ", ".join(f"{each}:{number}" for each in names)
            said = f"{name}:{number}" if name else f"{number}"
            raise UsageError(f"--leave {said}: of which recording? say {known}")
    playbacks = []
    for name, path in zip(names, arguments.recordings, strict=True):
        film = files.enter_context(open_film(path))
        for warning in film.warnings:
            complain(f"warning: {warning}")
        playbacks.append(
            Playback(
                film,
                speed=arguments.speed,
                leave=[number for of, number in arguments.leave if of in (name, "")],
                strict=arguments.strict,
                lenient=arguments.lenient,
            )
        )
    return playbacks


class _Teller:
    """Prints what becomes of a *replay*; where there are several, each line has its *name*."""

    def __init__(self, name: str, replay: "Replay") -> None:
        self._name = name
        self._replay = replay

    def greet(self, playback: "Playback") -> None:
        """Print whose recording it is, and what can be left of it."""
        if self._name:
            self._line(f"server {self._replay.server}", flush=False)
        for number, deed in enumerate(self._replay.deeds, 1):
            left = playback.strict or (playback.leave != "all" and number in playback.leave)
            self._line(f"{deed}{' (left to you)' if left else ''}", flush=False)

    def tell(self, note: "Note") -> None:
        """Print a note."""
        self._line(note.text, before=f"{note.tape_seconds:9.4f}  {note.kind:<8}  ")

    def part(self) -> None:
        """Print why nothing goes on, for whoever ends it because of that."""
        if (stall := self._replay.stall) is not None:
            self._line(f"ended while the tape {stall}")

    def _line(self, words: str, *, before: str = "", flush: bool = True) -> None:
        from automate.cli.page import plain

        whose = f"{plain(self._name)}: " if self._name else ""
        print(f"{whose}{before}{plain(words)}", flush=flush)

"""`automate fake`: a panel and a node of one's own, with a game that can really be played with."""

import os
import re
import select
import shlex
import sys
from argparse import ArgumentTypeError, Namespace
from collections.abc import Mapping, Sequence
from shutil import which
from typing import TYPE_CHECKING, Final
from uuid import UUID

from attrs import evolve

from automate.cli.arguments import Parser, a_whole_number
from automate.errors import AutomateError, UsageError

if TYPE_CHECKING:
    import trio

    from automate.cli.page import Colour
    from automate.fake.model.program import ProgramGame
    from automate.fake.model.serving import ServedNode
    from automate.fake.model.settings import Settings

__all__ = ["run"]

_DAY_SECONDS: Final = 86_400
_COMMANDS: Final = "say, list, save-all, save-off, save-on, crash N, hang, oom, stop"
# In UTF-8, a line with its time and name is less than the 4096 bytes that a pipe takes for sure.
_SHOWN: Final = 1000
_COLOURS: "Final[Mapping[str, Colour]]" = {
    "running": "green",
    "starting": "yellow",
    "stopping": "yellow",
    "offline": "red",
}


def run(words: Sequence[str]) -> int:
    """Run the command and return its exit code."""
    arguments = _parser().parse_args(words)
    if arguments.game is not None:
        _need_terminals()
    from automate.cli.stopping import run_until_stopped

    return run_until_stopped(lambda: _fake(arguments), is_endless=True)


def _parser() -> Parser:
    parser = Parser(
        "fake",
        "Serve a panel and a node on 127.0.0.1 that answer anything as the real ones do, until\n"
        "Ctrl-C. The first line printed holds the panel's address and its key. The game is a\n"
        "small built-in arena, or any program of yours, run in a terminal as in a container.",
        example="automate fake --game 'java -jar server.jar nogui' --ready 'Done (' --stop stop",
    )
    parser.add_argument(
        "--daemon",
        choices=("pterodactyl", "pelican"),
        default="pterodactyl",
        help="whose panel and daemon (default: pterodactyl)",
    )
    parser.add_argument(
        "--server",
        type=_a_uuid,
        action="extend",
        nargs="+",
        metavar="UUID",
        help="the servers; each has a game of its own (default: one)",
    )
    parser.add_argument(
        "--game", type=_a_program, metavar="'COMMAND'", help="run this (default: the arena)"
    )
    parser.add_argument(
        "--ready",
        type=_a_ready_text,
        metavar="TEXT",
        help="the game is running when it prints a line with this; regex:PATTERN is a pattern "
        "(default: its first line)",
    )
    parser.add_argument(
        "--stop",
        type=_a_stop_text,
        default="stop",
        metavar="TEXT",
        help="what is typed to stop the game; ^C interrupts it (default: stop)",
    )
    parser.add_argument("--start", action="store_true", help="start the servers at once")
    parser.add_argument(
        "--no-crash-detection",
        action="store_true",
        help="have the daemon leave crashed servers alone",
    )
    parser.add_argument(
        "--token-seconds",
        type=a_whole_number(least=1, most=_DAY_SECONDS),
        default=600,
        metavar="N",
        help="how long a token for the websocket is good (default: 600)",
    )
    parser.add_argument(
        "--permission",
        type=_a_permission,
        action="extend",
        nargs="+",
        metavar="NAME",
        help="all that the key may do, such as websocket.connect (default: everything)",
    )
    parser.add_argument(
        "--port",
        type=a_whole_number(least=0, most=65535),
        default=0,
        metavar="N",
        help="the port to listen on (default: a free one)",
    )
    return parser


# ---------------------------------------------------------------- arguments


def _a_uuid(text: str) -> str:
    try:
        uuid = str(UUID(text))
    except ValueError:
        uuid = ""
    if uuid != text.lower():
        raise ArgumentTypeError(
            f"expected a uuid such as a1b2c3d4-0009-4000-8000-000000000009, found {text!r}"
        )
    return uuid


def _a_program(text: str) -> list[str]:
    """Return the words of a command whose program is there."""
    try:
        words = shlex.split(text)
    except ValueError as error:
        raise ArgumentTypeError(f"{text!r}: {error}; close it") from None
    if not words:
        raise ArgumentTypeError("expected a command, found nothing")
    if which(words[0]) is None:
        raise ArgumentTypeError(
            f"{words[0]!r} can't be run: there is no such program, or it is not executable"
        )
    return words


def _a_ready_text(text: str) -> str:
    if text.startswith("regex:"):
        try:
            re.compile(text.removeprefix("regex:"))
        except re.error as error:
            raise ArgumentTypeError(f"{text!r} is no pattern: {error}") from None
    return text


def _a_stop_text(text: str) -> str | None:
    """Return what to type, ``None`` for the interrupt."""
    if text == "^C":
        return None
    if not text or text.startswith("^") or not text.isprintable():
        raise ArgumentTypeError(f"expected a command of the game, or ^C, found {text!r}")
    return text


def _a_permission(text: str) -> str:
    if text != "*" and not re.fullmatch(r"[a-z0-9]+([.-][a-z0-9]+)+", text):
        raise ArgumentTypeError(
            f"expected * or a permission such as control.console, found {text!r}"
        )
    return text


def _need_terminals() -> None:
    """Make sure that a program can be run.

    Raises:
        AutomateError: it can't.
    """
    if not hasattr(os, "openpty"):
        raise UsageError(
            "--game needs pseudo-terminals, which this system does not have; leave it out for "
            "the built-in arena"
        )
    try:
        ours, theirs = os.openpty()
    except OSError as error:
        raise AutomateError(
            f"no pseudo-terminal can be had ({error.strerror}); is /dev/pts there and not full?"
        ) from None
    os.close(ours)
    os.close(theirs)


# ---------------------------------------------------------------- serving


async def _fake(arguments: Namespace) -> int:
    import trio

    from automate.engine.clock import unix_now
    from automate.fake.model.office import PanelSettings
    from automate.fake.model.serving import Tenant, open_node
    from automate.fake.model.signals import PowerAsked
    from automate.wire.messages import PowerAction

    all_settings = _settings(arguments)
    screen = _Screen({settings.server: settings.title for settings in all_settings})
    async with trio.open_nursery() as nursery:
        programs = [_program(arguments, each, nursery) for each in all_settings]
        async with open_node(
            [Tenant(*pair) for pair in zip(all_settings, programs, strict=True)],
            wall_clock=unix_now,
            panel=PanelSettings(token_seconds=arguments.token_seconds),
            permissions=arguments.permission or ("*",),
            port=arguments.port,
            on_frame=screen.show,
        ) as served:
            _greet(arguments, served)
            for server in served.servers if arguments.start else ():
                served.tell(PowerAsked(PowerAction.START), server=server)
            try:
                await trio.sleep_forever()
            finally:
                screen.close(is_waiting=any(one is not None and one.is_running for one in programs))
    return 0


def _settings(arguments: Namespace) -> "list[Settings]":
    from automate.fake.model.settings import DEFAULT_SERVER, Kind, Settings

    servers = arguments.server or [DEFAULT_SERVER]
    title = "Arena" if arguments.game is None else "Game"
    made = Settings(
        kind=Kind(arguments.daemon),
        stop_text=arguments.stop,
        crash_detection=not arguments.no_crash_detection,
    )
    if arguments.game is not None:
        # Any line at all holds the empty text.
        made = evolve(made, done=("",), invocation=shlex.join(arguments.game))
    if arguments.ready is not None:
        made = evolve(made, done=(arguments.ready,))
    return [
        evolve(made, server=server, title=f"{title} {n}" if len(servers) > 1 else title)
        for n, server in enumerate(servers, 1)
    ]


def _program(
    arguments: Namespace, settings: "Settings", nursery: "trio.Nursery"
) -> "ProgramGame | None":
    """Return the program as a game; ``None`` for the built-in one."""
    if arguments.game is None:
        return None
    from automate.fake.model.program import ProgramGame

    environment = {name: value for name, value in os.environ.items() if name != "AUTOMATE_KEY"}
    # As in a container; by the second, which Wings sets as well, the servers tell themselves apart.
    environment |= {"TERM": "xterm", "P_SERVER_UUID": settings.server}
    return ProgramGame(
        arguments.game,
        nursery=nursery,
        environment=environment,
        farewell="\x03" if settings.stop_text is None else settings.stop_text,
    )


def _greet(arguments: Namespace, served: "ServedNode") -> None:
    """Print where it is, and what can be typed in another terminal."""
    url, key = served.panel_url, served.key
    servers = " ".join(f"--server {server[:8]}" for server in served.servers)
    print(f"panel {url} key {key} server {','.join(served.servers)}")
    game = "the built-in arena" if arguments.game is None else shlex.join(arguments.game)
    print(f"{arguments.daemon}'s panel and daemon; the game is {game}")
    if arguments.game is None:
        print(f"which reads {_COMMANDS}")
    api = f"{url}/api/client/servers/{served.servers[0][:8]}"
    print(
        "in another terminal:",
        f"  export AUTOMATE_KEY={key}",
        f"  automate run recipes --panel {url} {servers}",
        '  curl -H "Authorization: Bearer $AUTOMATE_KEY" \\',
        f"    {api}/power -d signal=start",
        "  (or …/command -d command='say hello', or …/backups -d name=night)",
        "Ctrl-C ends",
        sep="\n",
        flush=True,
    )


class _Screen:
    """Prints for the servers of these *titles* (by uuid) what their daemon tells everyone.

    Many a script reads the first line and no more: what would have to wait is left out.
    """

    def __init__(self, titles: Mapping[str, str]) -> None:
        from automate.cli.page import Page

        self._page = Page(titles.values())
        self._titles = titles
        self._is_over = False
        self._missed = 0

    def close(self, *, is_waiting: bool) -> None:
        """Print from now on only the games' last words, for the daemon's time stands still.

        *is_waiting*: there is a game that gets to say some.
        """
        self._is_over = True
        if is_waiting and _is_read():
            print("the game is asked to stop; Ctrl-C again kills it", flush=True)

    def show(self, server: str, frame: str) -> None:
        """Print a frame, unless it is statistics."""
        from automate.wire import messages as m
        from automate.wire.codec import decode_server
        from automate.wire.console import daemon_line

        title = self._titles[server]
        match decode_server(frame):
            case m.ConsoleOutput(line=line) if not self._is_over or daemon_line(line) is None:
                self._line(title, line[:_SHOWN])
            case _ if self._is_over:
                pass
            case m.StatusChanged(status=status):
                self._line(title, f"is {status}", colour=_COLOURS.get(str(status)))
            case m.BackupCompleted(uuid=uuid, is_successful=is_successful):
                how = "is completed" if is_successful else "has failed"
                self._line(title, f"backup {uuid[:8]} {how}")

    def _line(self, title: str, words: str, *, colour: "Colour | None" = None) -> None:
        if self._missed and _is_read():
            print(f"(what is missing here nobody read: {self._missed} lines)", flush=True)
            self._missed = 0
        if _is_read():
            self._page.line(title, words, colour=colour)
        else:
            self._missed += 1


def _is_read() -> bool:
    """Whether standard output takes a line at once; the node must not stand still for it."""
    try:
        return bool(select.select([], [sys.stdout], [], 0)[1])
    except (OSError, ValueError):
        return True  # it is something that can't be asked

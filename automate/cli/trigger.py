"""`automate trigger`: a running automate is asked for one of its recipes."""

import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

from automate.cli.arguments import Parser
from automate.cli.journals import add_state, server_label, state_file
from automate.cli.page import plain
from automate.cli.streams import complain
from automate.errors import StateError

if TYPE_CHECKING:
    from automate.engine.asking import Reply, Requests

__all__ = ["run"]

_LOOK_EACH_SECONDS: Final = 0.1
# An engine at work looks for requests several times a second.
_UNHEARD_LOOKS: Final = 100


def _pause() -> None:
    time.sleep(_LOOK_EACH_SECONDS)


def run(words: Sequence[str], *, pause: Callable[[], object] = _pause) -> int:
    """Run the command and return its exit code; *pause* is called between two looks."""
    arguments = _parser().parse_args(words)
    from automate.engine.asking import open_requests, whom_to_ask
    from automate.engine.clock import utc_now

    path, recipe = state_file(arguments), arguments.recipe
    servers = whom_to_ask(path, recipe, arguments.server)
    with open_requests(path) as requests:
        now = utc_now()
        for server in servers:
            requests.ask(recipe, server, now=now)
        replies = _wait(requests, path, pause=pause)
    return _tell(recipe, servers, replies)


def _parser() -> Parser:
    parser = Parser(
        "trigger",
        "Ask the running automate for one of its recipes, wait for how it ends, and print that.\n"
        "Exit code 0: done; 1: failed, or held back.",
        example="automate trigger 'backup before stop'",
    )
    parser.add_argument("recipe", metavar="RECIPE", help="the recipe's name")
    add_state(parser)
    parser.add_argument(
        "--server",
        action="append",
        default=[],
        metavar="ID",
        help="for this server: its id or name; needed where the recipe is for several, and can "
        "be given more than once",
    )
    return parser


def _wait(
    requests: "Requests", path: Path, *, pause: Callable[[], object]
) -> "Mapping[str, Reply]":
    """Return how all that was asked for ended; what was not taken is taken back at the end.

    Raises:
        StateError: no engine will answer any more.
    """
    looks = 0
    try:
        while True:
            is_heard = requests.is_heard
            # Looked up after that: whoever is gone has written all that it will.
            replies = requests.look()
            if all(reply.outcome is not None for reply in replies.values()):
                return replies
            if not is_heard:
                raise StateError(f"automate ended before the recipe did{_see(replies)}")
            if looks == _UNHEARD_LOOKS and not any(one.is_taken for one in replies.values()):
                raise StateError(
                    f"the automate that keeps {path} takes no requests; does it hang? End it "
                    "and start it again"
                )
            looks += 1
            pause()
    except KeyboardInterrupt:
        if see := _see(requests.look()):
            complain(f"the recipe goes on{see}")
        raise
    finally:
        requests.withdraw()


def _see(replies: "Mapping[str, Reply]") -> str:
    """Return where to read on about what was begun and has not ended."""
    runs = [one.run for one in replies.values() if one.run is not None and one.outcome is None]
    return f"; see {' and '.join(f'`automate trace {run}`' for run in runs)}" if runs else ""


def _tell(recipe: str, servers: Mapping[str, str], replies: "Mapping[str, Reply]") -> int:
    """Print how it ended at each server; return the exit code."""
    for server, name in servers.items():
        reply = replies[server]
        label = server_label(name, server)
        run = "" if reply.run is None else f" (run {reply.run})"
        why = f": {reply.detail}" if reply.detail else ""
        if reply.outcome == "done":
            print(plain(f"{label}: {recipe!r} is done{why}{run}"))
        else:
            complain(f"{label}: {reply.outcome}{why}{run}")
    return 0 if all(reply.outcome == "done" for reply in replies.values()) else 1

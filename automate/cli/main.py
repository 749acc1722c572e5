"""The way in: which command is meant, and what becomes of its errors.

An error is one line on standard error that says what to do. Exit codes: 0 done, 1 failed,
2 asked wrongly (usage, or a wrong recipe), 130 interrupted.
"""

import os
import sys
from collections.abc import Sequence
from importlib import import_module

from automate.errors import AutomateError, UsageError

__all__ = ["COMMANDS", "main"]

COMMANDS = {
    "demo": "see a crashed server come back, with no panel needed",
    "check": "load recipes and say what they do, or where they are wrong",
    "rehearse": "play recipes against recordings and print what they would have done",
    "run": "run recipes for live servers",
    "record": "record everything a live server says",
    "replay": "serve a recording as a fake panel and node",
    "schema": "print JSON Schema for the websocket's events",
}

_USAGE = """\
usage: automate COMMAND [ARGUMENT ...]

Recipes, recordings and replays for Pterodactyl and Pelican game servers.

{commands}

`automate COMMAND --help` explains a command. Begin with `automate demo`.
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    try:
        return _run(words)
    except UsageError as error:
        return _complain(error, 2)
    except AutomateError as error:
        return _complain(error, 1)
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        # Whoever read our output has gone, as `head` does; nothing is left to say to them, at
        # exit neither.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0


def _run(words: list[str]) -> int:
    if not words:
        sys.stderr.write(_usage())
        return 2
    name, *rest = words
    if name in ("-h", "--help", "help"):
        sys.stdout.write(_usage())
        return 0
    if name == "--version":
        from automate import __version__

        print(f"automate {__version__}")
        return 0
    if name not in COMMANDS:
        raise UsageError(f"there is no command {name!r}; there are: {', '.join(COMMANDS)}")
    command = import_module(f"automate.cli.{name}")
    code: int = command.run(rest)
    return code


def _usage() -> str:
    width = max(map(len, COMMANDS))
    lines = [f"  {name:<{width}}  {help}" for name, help in COMMANDS.items()]
    return _USAGE.format(commands="\n".join(lines))


def _complain(error: AutomateError, code: int) -> int:
    sys.stdout.flush()
    for line in str(error).splitlines() or [type(error).__name__]:
        print(f"automate: {line}", file=sys.stderr)
    return code

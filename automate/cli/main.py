"""The way in: which command is meant, and what becomes of its errors.

An error is one line on standard error that says what to do. Exit codes: 0 done, 1 failed,
2 asked wrongly (usage, or a wrong recipe), 130 or 143 interrupted before it was done.
"""

import sys
from collections.abc import Sequence
from importlib import import_module

from automate.cli import streams
from automate.errors import AutomateError, UsageError

__all__ = ["COMMANDS", "main"]

COMMANDS = {
    "demo": "see a crashed server come back, with no panel needed",
    "check": "load recipes and say what they do, or where they are wrong",
    "rehearse": "play recipes against recordings and print what they would have done",
    "run": "run recipes for live servers",
    "trigger": "ask a running automate for one of its recipes",
    "runs": "list the runs of recipes",
    "trace": "tell all of one run: what set it off, each step, how it ended",
    "why": "tell why a recipe ran, or did not, and when it will",
    "record": "record everything a live server says",
    "replay": "serve a recording as a fake panel and node",
    "fake": "serve a panel and a node that answer anything, with any game",
    "schema": "print JSON Schema for the websocket's events",
}

_USAGE = """\
usage: automate COMMAND [ARGUMENT ...]

Recipes, recordings and replays for Pterodactyl and Pelican game servers.

{commands}

`automate COMMAND --help` explains a command. Begin with `automate demo`.

example:
  automate check recipes
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code."""
    streams.prepare()
    words = list(sys.argv[1:] if arguments is None else arguments)
    try:
        code = _run(words)
        sys.stdout.flush()
        return code
    except UsageError as error:
        streams.complain(str(error))
        return 2
    except AutomateError as error:
        streams.complain(str(error) or type(error).__name__)
        return 1
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        # Whoever read our output has gone, as `head` does: nobody is left to be told.
        streams.abandon()
        return 0
    except OSError as error:
        streams.abandon()
        streams.complain(_system_words(error))
        return 1


def _run(words: list[str]) -> int:
    if not words:
        sys.stderr.write(_usage())
        return 2
    name, *rest = words
    if name == "help" and rest:
        name, rest = rest[0], ["--help"]
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
    try:
        code: int = command.run(rest)
    except SystemExit as end:
        # The parser's way to end after --help.
        return end.code if isinstance(end.code, int) else 0
    return code


def _usage() -> str:
    width = max(map(len, COMMANDS))
    lines = [f"  {name:<{width}}  {help}" for name, help in COMMANDS.items()]
    return _USAGE.format(commands="\n".join(lines))


def _system_words(error: OSError) -> str:
    reason = error.strerror or str(error) or type(error).__name__
    if error.filename is not None:
        return f"{error.filename}: {reason}; check the name, the disk and the permissions"
    return f"what is printed can't be written ({reason}); check where it goes"

"""What the commands' arguments have in common: their parser, and how values are read."""

import argparse
import math
import os
import re
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, NoReturn

from automate.errors import UsageError

__all__ = ["Parser", "a_moment", "a_number", "a_whole_number", "add_panel", "read_key"]

# Longer than any key; a file that is longer holds something else.
_KEY_FILE_BYTES: Final = 4096


class Parser(argparse.ArgumentParser):
    """A parser whose errors are one line, and whose help ends with an example."""

    def __init__(self, command: str, description: str, *, example: str) -> None:
        super().__init__(
            prog=f"automate {command}",
            description=description,
            epilog=f"example:\n  {example}",
            formatter_class=argparse.RawDescriptionHelpFormatter,
            allow_abbrev=False,
        )

    def print_help(self, file: Any = None) -> None:
        """Print the help; its own way would hide that it can't be written."""
        (sys.stdout if file is None else file).write(self.format_help())

    def error(self, message: str) -> NoReturn:
        """Raise what was wrong, and where to look; a key given as an argument is not repeated."""
        if re.match(r"unrecognized arguments: --(api-?)?key\b(?!-file)", message):
            raise UsageError(
                "the key is never an argument, where others could see it: put it into the "
                "variable AUTOMATE_KEY, or into a file for --key-file"
            )
        raise UsageError(f"{message}; see `{self.prog} --help`")


def a_number(*, above: float = -math.inf, least: float = -math.inf) -> Callable[[str], float]:
    """Return a reader of finite numbers above *above* and not below *least*."""

    def number(text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if not (math.isfinite(value) and value > above and value >= least):
            bound = f" above {above:g}" if above > -math.inf else f" of at least {least:g}"
            raise argparse.ArgumentTypeError(f"expected a number{bound}, found {text!r}")
        return value

    return number


def a_whole_number(*, least: int, most: int) -> Callable[[str], int]:
    """Return a reader of whole numbers from *least* to *most*."""

    def number(text: str) -> int:
        value = int(text) if text.isascii() and text.isdecimal() else -1
        if not least <= value <= most:
            raise argparse.ArgumentTypeError(
                f"expected a whole number from {least} to {most}, found {text!r}"
            )
        return value

    return number


def a_moment(text: str) -> datetime:
    """Return the moment written in *text* (ISO 8601); UTC where it names no zone."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"expected a moment such as 2026-11-24T21:59:50, found {text!r}"
        ) from None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def add_panel(parser: Parser) -> None:
    """Add what is needed to reach a panel."""
    parser.add_argument("--panel", required=True, metavar="URL", help="the panel's address")
    parser.add_argument(
        "--key-file",
        type=Path,
        metavar="FILE",
        help="a file with the API key (default: the variable AUTOMATE_KEY)",
    )
    parser.add_argument(
        "--origin",
        metavar="URL",
        help="the Origin the node wants, if it knows the panel by another address",
    )
    parser.add_argument(
        "--ca-file",
        type=Path,
        metavar="FILE",
        help="certificates (PEM) of a private authority to trust besides the system's",
    )


def read_key(file: Path | None) -> str:
    """Return the API key, from *file* or the environment; never from the command line.

    Raises:
        UsageError: there is none, or it can't be one.
    """
    where = "AUTOMATE_KEY" if file is None else str(file)
    key = (os.environ.get("AUTOMATE_KEY", "") if file is None else _text(file)).strip()
    if not key and file is None:
        raise UsageError(
            "no API key: put it into the variable AUTOMATE_KEY, or into a file and name that "
            "with --key-file (the panel makes keys under Account, API Credentials)"
        )
    if not key:
        raise UsageError(f"{where}: the file is empty; expected an API key such as ptlc_…")
    if not (key.isascii() and key.isprintable() and " " not in key):
        raise UsageError(
            f"{where}: expected one API key such as ptlc_… and nothing else, without spaces"
        )
    if key.startswith(("ptla_", "papp_")):
        # PROTOCOL 1: the panel would answer 403 to everything.
        raise UsageError(
            f"{where}: this is an application key ({key[:5]}…); make a client key (ptlc_… or "
            "pacc_…) on the panel under Account, API Credentials"
        )
    return key


def _text(file: Path) -> str:
    """Return the beginning of *file*: a key is short, and a device may never end."""
    try:
        with file.open("rb") as opened:
            return opened.read(_KEY_FILE_BYTES).decode("utf-8-sig")
    except OSError as error:
        raise UsageError(
            f"{file}: the key can't be read ({error.strerror}); check the name and who may read it"
        ) from None
    except UnicodeDecodeError:
        raise UsageError(
            f"{file}: the key can't be read (it is not UTF-8 text); put the key alone into a "
            "text file"
        ) from None

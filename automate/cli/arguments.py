"""What the commands' arguments have in common: their parser, and how values are read."""

import argparse
import math
import os
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import NoReturn

from automate.errors import UsageError

__all__ = ["Parser", "a_moment", "a_number", "a_whole_number", "read_key", "add_panel"]


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

    def error(self, message: str) -> NoReturn:
        """Raise what was wrong, and where to look."""
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


def read_key(file: Path | None) -> str:
    """Return the API key, from *file* or the environment; never from the command line.

    Raises:
        UsageError: there is none, or it can't be one.
    """
    if file is not None:
        where = str(file)
        try:
            key = file.read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            reason = getattr(error, "strerror", None) or "it is not text"
            raise UsageError(f"{file}: the key can't be read: {reason}") from None
    else:
        where = "AUTOMATE_KEY"
        key = os.environ.get("AUTOMATE_KEY", "").strip()
    if not key:
        raise UsageError(
            "no API key: put it into the variable AUTOMATE_KEY, or into a file and name that "
            "with --key-file (the panel makes keys under Account, API Credentials)"
            if file is None
            else f"{where}: the file is empty; expected an API key"
        )
    if not (key.isascii() and key.isprintable() and " " not in key):
        raise UsageError(f"{where}: expected one API key such as ptlc_…, without spaces")
    return key

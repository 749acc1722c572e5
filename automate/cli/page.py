"""Lines for a person: the time, a server's name, what happened; on a terminal with colour.

On a terminal a line is wrapped under its own words; in a file it stays one line, for `grep`.
"""

import os
import sys
from collections.abc import Callable, Iterable
from datetime import date, datetime
from textwrap import wrap
from typing import Final, Literal, TextIO

from automate.engine.clock import local_now
from automate.wire.console import clean

__all__ = ["Colour", "Page", "plain"]

Colour = Literal["green", "yellow", "red", "bold"]
_CODES: Final = {"green": "32", "yellow": "33", "red": "31", "bold": "1"}
_LONGEST_NAME: Final = 24
_LEAST_WIDTH: Final = 24


class Page:
    """Prints for servers of these *names*, so that what is said of them stands in a column.

    *now* is the clock, in the zone to be shown; *out* is standard output unless given.
    """

    def __init__(
        self,
        names: Iterable[str],
        *,
        now: Callable[[], datetime] = local_now,
        out: TextIO | None = None,
    ) -> None:
        self._out = sys.stdout if out is None else out
        self._now = now
        self._width = max(map(len, map(_short, names)), default=0)
        self._is_terminal = self._out.isatty()
        self._day: date | None = None

    def line(
        self, name: str, words: str, *, colour: Colour | None = None, keeps_lines: bool = False
    ) -> None:
        """Print *words* about the server *name*, as happening now; a new day has a line itself.

        *keeps_lines*: lines stay lines, below each other; otherwise they become one.
        """
        now = self._now()
        if self._day not in (None, now.date()):
            self._out.write(f"{now:%Y-%m-%d}\n")
        self._day = now.date()
        head = f"{now:%H:%M:%S}  {_short(name):<{self._width}}  "
        rows = words.split("\n") if keeps_lines else [words]
        below = "\n" + " " * len(head)
        text = below.join(self._wrapped(plain(row), len(head)) for row in rows)
        if colour is not None and self._has_colour:
            text = f"\x1b[{_CODES[colour]}m{text}\x1b[0m"
        self._out.write(f"{head}{text}\n")
        self._out.flush()

    def _wrapped(self, words: str, indent: int) -> str:
        if not self._is_terminal:
            return words
        try:
            columns = os.get_terminal_size(self._out.fileno()).columns
        except (OSError, ValueError):
            columns = 80
        width = max(columns - indent, _LEAST_WIDTH)
        rows = wrap(words, width, break_long_words=False, break_on_hyphens=False)
        return ("\n" + " " * indent).join(rows)

    @property
    def _has_colour(self) -> bool:
        # https://no-color.org: whatever it is set to, if it is not empty.
        plain = os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb"
        return self._is_terminal and not plain and sys.platform != "win32"


def plain(words: str) -> str:
    """Return *words*, which others may have chosen, as one line without control characters."""
    return " ".join(clean(words).split())


def _short(name: str) -> str:
    name = plain(name)
    return name if len(name) <= _LONGEST_NAME else name[: _LONGEST_NAME - 1] + "…"

"""What can be seen of one server at one moment: all that a trigger or a condition may look at.

Who keeps it is left to the machine. It shows the server as it is after what just happened.
"""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Final

from attrs import frozen

from automate.recipe.readings import Level
from automate.recipe.selectors import ServerFacts
from automate.wire.messages import PowerState, Stats

__all__ = ["View", "measured", "number_words"]


def _no_lines() -> str:
    return ""


@frozen(kw_only=True)
class View:
    """One server at one moment; ``None`` where something is not known.

    *status* is the last one seen, *stats* the last report, *last_line_at* the moment of the
    console's last line. How many are *online* can be known where it is not known who. *now* is
    the wall clock, with its zone. *last_run* tells how many seconds ago a recipe, by its name,
    last began here (``None``: the recipe that looks), *last_lines* what the console said
    before the server went offline, *recent_lines* the few lines that it said last.
    """

    status: PowerState | None
    connected: bool
    facts: ServerFacts
    last_line_at: float | None
    stats: Stats | None
    players: frozenset[str] | None
    online: int | None
    variables: Mapping[str, str]
    now: datetime
    last_run: Callable[[str | None], float | None]
    last_lines: Callable[[], str] = _no_lines
    recent_lines: Callable[[], list[str]] = list


def measured(reading: str, level: Level, stats: Stats, facts: ServerFacts) -> float | None:
    """Return the *reading* of *stats* in the measure of *level*: its own unit, or a percent.

    ``None`` if *stats* do not have it, or where there is no limit to take a percent of.
    """
    number: float | None = getattr(stats, reading)
    if number is None or not level.is_percent:
        return number
    limit = _limit(reading, stats, facts)
    return 100 * number / limit if limit else None


_FACTS: Final = {
    "memory_bytes": "memory_limit_bytes",
    "disk_bytes": "disk_limit_bytes",
    "cpu_percent": "cpu_limit_percent",
}


def _limit(reading: str, stats: Stats, facts: ServerFacts) -> float | None:
    # The limit in the stats is the container's, at which the kernel kills: above the panel's,
    # and the host's whole memory where the panel has none (server-websockets, 7.2).
    if reading == "memory_bytes" and stats.memory_limit_bytes:
        return stats.memory_limit_bytes
    limit: float | None = getattr(facts, _FACTS[reading])
    return limit


def number_words(number: float) -> str:
    """Return *number* as texts show it: whole, or with one decimal."""
    # `:g` would make 1.73451e+09 of a number of bytes.
    return f"{number:.1f}".removesuffix(".0")

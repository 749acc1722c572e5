"""Readings: which number of a server's statistics is meant, and the level it is held against."""

from typing import Any, Final

from attrs import frozen

from automate.errors import RecipeError
from automate.recipe import checks

__all__ = ["LIMITED", "READINGS", "Level", "level_of", "reading"]

READINGS: Final = ("memory_bytes", "disk_bytes", "cpu_percent", "uptime_seconds")
# What the panel or the daemon gives a limit for; a limit of zero means that there is none.
LIMITED: Final = ("memory_bytes", "disk_bytes", "cpu_percent")

_SIZES: Final = ((1 << 30, "GiB"), (1 << 20, "MiB"))


def reading(owner: object, attribute: Any, value: Any) -> None:
    """Accept the name of a reading."""
    checks.one_of(owner, attribute, value, READINGS)


@frozen
class Level:
    """A number to hold a reading against: in its own unit, or in percent of its limit."""

    number: float
    is_percent: bool = False

    def of(self, reading: str) -> str:
        """Return the level in words, as one of this *reading*."""
        if self.is_percent:
            return f"{_short(self.number)} % of its limit"
        if reading.endswith("_bytes"):
            for size, unit in _SIZES:
                if self.number >= size:
                    return f"{_short(self.number / size)} {unit}"
        return _short(self.number)


def _short(number: float) -> str:
    # `:g` would make 4.29497e+09 of a number of bytes.
    return f"{number:.2f}".rstrip("0").rstrip(".")


def level_of(
    owner: object, name: str, number: float | None, percent_of_limit: float | None
) -> Level:
    """Return the level that exactly one of the two numbers gives.

    Raises:
        RecipeError: none is given, or both, or the reading *name* has no limit.
    """
    kind = type(owner).__name__
    if (number is None) == (percent_of_limit is None):
        raise RecipeError(
            f"{kind}: expected one of number=… (in {name.rpartition('_')[2]}) and "
            "percent_of_limit=…"
        )
    if number is not None:
        return Level(number)
    if name not in LIMITED:
        raise RecipeError(
            f"{kind}: {name} has no limit to take a percent of; those that have one are "
            f"{', '.join(LIMITED)}"
        )
    assert percent_of_limit is not None
    return Level(percent_of_limit, is_percent=True)

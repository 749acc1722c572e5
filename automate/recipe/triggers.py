"""What a recipe can wait for, as frozen values.

A trigger says what happened, in the past. When a schedule is due next is the schedules' work;
noticing that something happened is the machine's.
"""

import re
from datetime import datetime, time
from typing import Any

from attrs import field, frozen
from cronsim import CronSim, CronSimError

from automate.errors import RecipeError
from automate.recipe import checks
from automate.recipe.conditions import power_states
from automate.wire.messages import PowerState

__all__ = [
    "Asked",
    "At",
    "ConsoleLine",
    "Crashed",
    "Cron",
    "Every",
    "FoundOffline",
    "Schedule",
    "StatusChanged",
    "Trigger",
    "WorldTrigger",
]


def _optional_states(value: Any) -> tuple[PowerState, ...] | None:
    return None if value is None else power_states(value)


def _codes(value: Any) -> tuple[int, ...] | None:
    return None if value is None else checks.tuple_of(int, "whole numbers (exit codes)", value)


def _yes_or_no(owner: object, attribute: Any, value: Any) -> None:
    if value is not None and not isinstance(value, bool):
        raise RecipeError(
            f"Crashed: {attribute.name}: expected True or False, found {checks.shown(value)}"
        )


@frozen(kw_only=True)
class Crashed:
    """The server fell from ``running`` or ``starting`` to ``offline`` unasked.

    Told one second after the fall, when the daemon has said what it knows; its moment is that
    of the fall. *exit_codes* narrows it to these codes, *out_of_memory* to crashes with (or
    without) that cause.
    Offers ``{reason}``, ``{exit_code}`` and ``{attempt}`` to texts.
    """

    exit_codes: tuple[int, ...] | None = field(default=None, converter=_codes)
    out_of_memory: bool | None = field(default=None, validator=_yes_or_no)

    @property
    def names(self) -> frozenset[str]:
        """The names it offers to texts."""
        return frozenset({"reason", "exit_code"})

    def __str__(self) -> str:
        said = "it crashed"
        if self.exit_codes:
            said += " with exit code " + " or ".join(map(str, self.exit_codes))
        if self.out_of_memory is not None:
            said += " out of memory" if self.out_of_memory else " with memory left"
        return said


@frozen
class FoundOffline:
    """After a lost connection the server, up before, is found offline; why, nobody saw."""

    @property
    def names(self) -> frozenset[str]:
        """The names it offers to texts."""
        return frozenset({"reason"})

    def __str__(self) -> str:
        return "it is found offline after a gap"


@frozen(kw_only=True)
class StatusChanged:
    """The status became *to* (one state or several), and was *was* before, if that is given."""

    to: tuple[PowerState, ...] = field(converter=power_states)
    was: tuple[PowerState, ...] | None = field(default=None, converter=_optional_states)

    @property
    def names(self) -> frozenset[str]:
        """The names it offers to texts."""
        return frozenset({"status"})

    def __str__(self) -> str:
        before = f" from {' or '.join(self.was)}" if self.was else ""
        return f"the status becomes {' or '.join(self.to)}{before}"


@frozen
class ConsoleLine:
    """The game's console said a line in which *pattern* (a regular expression) is found.

    Lines come without colours and terminal escapes; the daemon's own lines don't count, but
    commands do, for the terminal echoes them. Anchor the pattern (``^…$``), or a player's chat
    can imitate it. Named groups, and ``{line}``, are offered to texts.
    """

    pattern: str = field(validator=checks.pattern)

    @property
    def names(self) -> frozenset[str]:
        """The names it offers to texts."""
        return frozenset({"line", *re.compile(self.pattern).groupindex})

    def __str__(self) -> str:
        return f"the console says /{self.pattern}/"


@frozen
class Asked:
    """Somebody asks for the recipe by name. Any recipe can be asked; this one only waits."""

    @property
    def names(self) -> frozenset[str]:
        """The names it offers to texts."""
        return frozenset()

    def __str__(self) -> str:
        return "it is asked"


@frozen(kw_only=True)
class Every:
    """Again and again by the wall clock, counted from midnight in *zone*.

    ``Every(minutes=30)`` is every hour and half hour. An interval that does not divide the
    day starts anew at midnight.
    """

    minutes: float = field(default=0, validator=checks.seconds)
    hours: float = field(default=0, validator=checks.seconds)
    seconds: float = field(default=0, validator=checks.seconds)
    zone: str = field(default="UTC", validator=checks.zone)

    def __attrs_post_init__(self) -> None:
        if not 1 <= self.interval_seconds <= 86400:
            raise RecipeError(
                "Every: expected an interval between one second and one day, found "
                f"{self.interval_seconds:g} seconds; use At or Cron for rarer ones"
            )

    @property
    def interval_seconds(self) -> float:
        """The interval's length, to the microsecond."""
        return round(self.hours * 3600 + self.minutes * 60 + self.seconds, 6)

    @property
    def names(self) -> frozenset[str]:
        """The names it offers to texts."""
        return frozenset()

    def __str__(self) -> str:
        parts = [
            f"{amount:g} {unit if amount != 1 else unit[:-1]}"
            for amount, unit in (
                (self.hours, "hours"),
                (self.minutes, "minutes"),
                (self.seconds, "seconds"),
            )
            if amount
        ]
        return f"every {' '.join(parts)}"


def _time(value: Any) -> time:
    try:
        if isinstance(value, str) and re.fullmatch(r"\d{1,2}:\d{2}(:\d{2})?", value):
            return time.fromisoformat(value if value.index(":") == 2 else "0" + value)
    except ValueError:
        pass
    raise RecipeError(f"At: expected a time of day such as '04:30', found {checks.shown(value)}")


@frozen
class At:
    """Each day at one time of day, such as ``At("04:30", zone="Europe/Berlin")``.

    On a day without that time (clocks go forward) it comes when the gap ends; on a day that
    has it twice, the first time.
    """

    time: time = field(converter=_time)
    zone: str = field(default="UTC", validator=checks.zone, kw_only=True)

    @property
    def names(self) -> frozenset[str]:
        """The names it offers to texts."""
        return frozenset()

    def __str__(self) -> str:
        shown = self.time.strftime("%H:%M:%S" if self.time.second else "%H:%M")
        return f"at {shown} {self.zone}"


def _cron(owner: object, attribute: Any, value: Any) -> None:
    checks.some_text(owner, attribute, value)
    try:
        if len(str(value).split()) != 5:
            raise CronSimError("minute, hour, day, month, day of the week")
        # Any moment will do: only the expression is checked here.
        CronSim(str(value), _SOME_DAY)
    # A few odd expressions trip over its own assertions.
    except (CronSimError, AssertionError, ValueError, TypeError) as error:
        why = f": {error}" if str(error) else ""
        raise RecipeError(
            f"Cron: expected five fields such as '0 4 * * *', found {checks.shown(value)}{why}"
        ) from None


_SOME_DAY = datetime(2026, 1, 1)


@frozen
class Cron:
    """By a cron expression of five fields: ``Cron("0 4 * * MON", zone="Europe/Berlin")``."""

    expression: str = field(validator=_cron)
    zone: str = field(default="UTC", validator=checks.zone, kw_only=True)

    @property
    def names(self) -> frozenset[str]:
        """The names it offers to texts."""
        return frozenset()

    def __str__(self) -> str:
        return f"by cron {self.expression!r} {self.zone}"


Schedule = Every | At | Cron
WorldTrigger = Crashed | FoundOffline | StatusChanged | ConsoleLine
Trigger = WorldTrigger | Schedule | Asked

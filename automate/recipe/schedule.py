"""Schedules: what is due by the wall clock of a time zone, and when next.

Days when the clocks change are kept honest: a time that does not exist that day comes when the
gap ends, a time that exists twice comes the first time; intervals follow the clock on the wall.
"""

from datetime import UTC, datetime, time, timedelta
from typing import Any, Final, Literal
from zoneinfo import ZoneInfo

from attrs import field, frozen
from cronsim import CronSim, CronSimError

from automate.errors import RecipeError
from automate.recipe import checks

__all__ = ["At", "Cron", "Every", "Missed", "Schedule", "next_after"]

_SECOND: Final = timedelta(seconds=1)
_DAY: Final = timedelta(days=1)

Missed = Literal["skip", "once", "all"]


def _missed(owner: object, attribute: Any, value: Any) -> None:
    checks.one_of(owner, attribute, value, ("skip", "once", "all"))


@frozen(kw_only=True)
class Every:
    """Again and again by the wall clock, counted from midnight in *zone*.

    ``Every(minutes=30)`` is every hour and half hour. An interval that does not divide the
    day starts anew at midnight. With *jitter_seconds* each comes up to that much later, by
    chance, so that many servers do not act at once. *missed* and *grace_seconds*: see `At`.
    """

    minutes: float = field(default=0, validator=checks.seconds)
    hours: float = field(default=0, validator=checks.seconds)
    seconds: float = field(default=0, validator=checks.seconds)
    zone: str = field(default="UTC", validator=checks.zone)
    jitter_seconds: float = field(default=0, validator=checks.seconds)
    missed: Missed = field(default="skip", validator=_missed)
    grace_seconds: float = field(default=60, validator=checks.seconds)

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
    return checks.time_of_day(value, owner="At")


@frozen
class At:
    """Each day at one time of day, such as ``At("04:30", zone="Europe/Berlin")``.

    On a day without that time (clocks go forward) it comes when the gap ends; on a day that
    has it twice, the first time. A moment that comes late by no more than *grace_seconds*
    (automate was not running, the machine slept) still counts; what of a later one depends on
    *missed*: ``skip`` it, make up for all of them ``once``, or for ``all``.
    """

    time: time = field(converter=_time)
    zone: str = field(default="UTC", validator=checks.zone, kw_only=True)
    jitter_seconds: float = field(default=0, validator=checks.seconds, kw_only=True)
    missed: Missed = field(default="skip", validator=_missed, kw_only=True)
    grace_seconds: float = field(default=60, validator=checks.seconds, kw_only=True)

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
    jitter_seconds: float = field(default=0, validator=checks.seconds, kw_only=True)
    missed: Missed = field(default="skip", validator=_missed, kw_only=True)
    grace_seconds: float = field(default=60, validator=checks.seconds, kw_only=True)

    @property
    def names(self) -> frozenset[str]:
        """The names it offers to texts."""
        return frozenset()

    def __str__(self) -> str:
        return f"by cron {self.expression!r} {self.zone}"


Schedule = Every | At | Cron


def next_after(schedule: Schedule, after: datetime) -> datetime | None:
    """Return the first moment (UTC) strictly after *after* at which *schedule* is due.

    ``None`` where there is none, as for the 30th of February.
    """
    zone = ZoneInfo(schedule.zone)
    # Sums are right in UTC only: elsewhere they are sums of what the clock on the wall shows.
    after = after.astimezone(UTC)
    match schedule:
        case Every(interval_seconds=interval):
            return _next_interval(interval, zone, after)
        case At():
            return _next_time_of_day(schedule, zone, after)
        case Cron(expression=expression):
            found = next(CronSim(expression, after.astimezone(zone)), None)
            return None if found is None else found.astimezone(UTC)


def _next_interval(interval: float, zone: ZoneInfo, after: datetime) -> datetime:
    # Whole microseconds: the nearest moment after this one must not be this one again.
    step = timedelta(seconds=interval)
    while True:
        local = after.astimezone(zone)
        ahead = min((_since_midnight(local) // step + 1) * step, _DAY) - _since_midnight(local)
        due = after + ahead
        if due.astimezone(zone).utcoffset() == local.utcoffset():
            return due.astimezone(UTC)
        # The clocks change on the way there: go on from the first moment of the new time.
        change = _clock_change(zone, after, due)
        if not _since_midnight(change.astimezone(zone)) % step:
            return change
        after = change


def _since_midnight(local: datetime) -> timedelta:
    """Return what the clock on the wall shows."""
    return local.replace(tzinfo=None) - datetime.combine(local.date(), time())


def _next_time_of_day(schedule: At, zone: ZoneInfo, after: datetime) -> datetime:
    day = after.astimezone(zone).date()
    while True:
        wanted = datetime.combine(day, schedule.time)
        due = wanted.replace(tzinfo=zone).astimezone(UTC)
        if due.astimezone(zone).replace(tzinfo=None) != wanted:
            due = _clock_change(zone, due - timedelta(hours=12), due)
        if due > after:
            return due
        day += timedelta(days=1)


def _clock_change(zone: ZoneInfo, before: datetime, later: datetime) -> datetime:
    """Return the first whole second (UTC) after *before* with another offset than at *before*.

    There is one change at most between the two: zones change their clocks months apart.
    """
    low = before.astimezone(UTC).replace(microsecond=0)
    high = later.astimezone(UTC).replace(microsecond=0) + _SECOND
    offset = before.astimezone(zone).utcoffset()
    while high - low > _SECOND:
        middle = low + timedelta(seconds=(high - low) // _SECOND // 2)
        if middle.astimezone(zone).utcoffset() == offset:
            low = middle
        else:
            high = middle
    return high

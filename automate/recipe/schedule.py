"""When a schedule is due next, by the wall clock of a time zone.

Days when the clocks change are kept honest: a time that does not exist that day comes when the
gap ends, a time that exists twice comes the first time; intervals follow the clock on the wall.
"""

from datetime import UTC, datetime, time, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from cronsim import CronSim

from automate.recipe.triggers import At, Cron, Every, Schedule

__all__ = ["next_after"]

_SECOND: Final = timedelta(seconds=1)
_DAY: Final = timedelta(days=1)


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

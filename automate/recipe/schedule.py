"""When a schedule is due next, by the wall clock of a time zone.

Days when the clocks change are kept honest: a time that does not exist that day comes when the
gap ends, a time that exists twice comes the first time; intervals follow the clock on the wall.
"""

from datetime import UTC, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from cronsim import CronSim

from automate.recipe.triggers import At, Cron, Every, Schedule

__all__ = ["next_after"]

_SECOND: Final = timedelta(seconds=1)


def next_after(schedule: Schedule, after: datetime) -> datetime | None:
    """Return the first moment (UTC) strictly after *after* at which *schedule* is due.

    ``None`` where there is none, as for the 30th of February.
    """
    zone = ZoneInfo(schedule.zone)
    match schedule:
        case Every(interval_seconds=interval):
            return _next_interval(interval, zone, after)
        case At():
            return _next_time_of_day(schedule, zone, after)
        case Cron(expression=expression):
            found = next(CronSim(expression, after.astimezone(zone)), None)
            return None if found is None else found.astimezone(UTC)


def _next_interval(interval: float, zone: ZoneInfo, after: datetime) -> datetime:
    while True:
        local = after.astimezone(zone)
        midnight = local.replace(hour=0, minute=0, second=0, microsecond=0, fold=0, tzinfo=None)
        passed = (local.replace(tzinfo=None) - midnight).total_seconds()
        ahead = min((passed // interval + 1) * interval, 86400.0) - passed
        due = after + timedelta(seconds=ahead)
        if due.astimezone(zone).utcoffset() == local.utcoffset():
            return due.astimezone(UTC)
        # The clocks change on the way there: go on from the first moment of the new time.
        change = _clock_change(zone, after, due)
        if _is_due(interval, change.astimezone(zone)):
            return change
        after = change


def _is_due(interval: float, local: datetime) -> bool:
    passed = local.hour * 3600 + local.minute * 60 + local.second
    return passed % interval == 0


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

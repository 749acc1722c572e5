"""Schedules against a naive clock: every minute is looked at, and asked what the wall shows."""

import contextlib
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from automate.errors import RecipeError
from automate.recipe.schedule import next_after
from automate.recipe.triggers import At, Cron, Every, Schedule

MINUTE = timedelta(minutes=1)
# Around their clock changes; Lord Howe changes by half an hour, Kathmandu never.
DAYS = {
    "Europe/Berlin": ["2026-03-29", "2026-10-25"],
    "America/New_York": ["2026-03-08", "2026-11-01"],
    "Australia/Lord_Howe": ["2026-04-05", "2026-10-04"],
    "Asia/Kathmandu": ["2026-06-01"],
    "Asia/Beirut": ["2026-03-29", "2026-10-25"],
    "UTC": ["2026-03-29"],
}
ZONES = sorted(DAYS)


def local_day(zone: str, day: str) -> datetime:
    return datetime.fromisoformat(day).replace(tzinfo=ZoneInfo(zone)).astimezone(UTC)


def minutes(start: datetime, hours: float) -> Iterator[datetime]:
    moment = start.replace(second=0, microsecond=0)
    while moment <= start + timedelta(hours=hours):
        if moment > start:
            yield moment
        moment += MINUTE


def due(schedule: Schedule, start: datetime, hours: float) -> list[datetime]:
    """Return when *schedule* is due within *hours* after *start*."""
    found = []
    moment = next_after(schedule, start)
    while moment is not None and moment <= start + timedelta(hours=hours):
        found.append(moment)
        moment = next_after(schedule, moment)
    return found


STARTS = st.sampled_from(ZONES).flatmap(
    lambda zone: st.tuples(
        st.just(zone),
        st.sampled_from(DAYS[zone]).flatmap(
            lambda day: st.integers(-20 * 3600, 20 * 3600).map(
                lambda seconds: local_day(zone, day) + timedelta(seconds=seconds)
            )
        ),
    )
)


@given(STARTS, st.sampled_from([1, 7, 15, 30, 45, 60, 90, 120, 180, 360, 420, 1440]))
def test_an_interval_follows_the_clock_on_the_wall(
    where: tuple[str, datetime], interval: int
) -> None:
    zone, start = where
    naive = []
    for moment in minutes(start, 30):
        local = moment.astimezone(ZoneInfo(zone))
        if (local.hour * 60 + local.minute) % interval == 0:
            naive.append(moment)

    assert due(Every(minutes=interval, zone=zone), start, 30) == naive


@given(STARTS, st.times().map(lambda one: one.replace(second=0, microsecond=0)))
def test_a_time_of_day_comes_once_a_day_the_first_time_or_when_the_gap_ends(
    where: tuple[str, datetime], wanted: object
) -> None:
    zone, start = where
    # From two days before, so that what came already on a day is known.
    naive, days, shown = [], set(), None
    for moment in minutes(start - timedelta(hours=48), 48 + 50):
        local = moment.astimezone(ZoneInfo(zone)).replace(tzinfo=None)
        # What the clock skipped is shown now, all at once; what it repeats was shown before.
        passing = local if shown is None else shown + MINUTE
        while passing <= local:
            if passing.time() == wanted and passing.date() not in days:
                days.add(passing.date())
                naive.append(moment)
            shown, passing = passing, passing + MINUTE

    schedule = At(f"{wanted:%H:%M}", zone=zone)
    assert due(schedule, start, 50) == [moment for moment in naive if moment > start]


@given(
    STARTS,
    st.sampled_from(["*/5 * * * *", "* * * * *", "*/15 * * * *", "0 * * * *"]),
)
def test_a_cron_expression_that_names_no_hour_follows_the_clock_on_the_wall(
    where: tuple[str, datetime], expression: str
) -> None:
    zone, start = where
    step = expression.split()[0]
    every = {"*/5": 5, "*": 1, "*/15": 15, "0": 60}[step]
    naive = [
        moment
        for moment in minutes(start, 8)
        if moment.astimezone(ZoneInfo(zone)).minute % every == 0
    ]

    assert due(Cron(expression, zone=zone), start, 8) == naive


@given(STARTS, st.integers(0, 23), st.integers(0, 59))
def test_a_cron_expression_that_names_the_hour_comes_as_a_time_of_day_does(
    where: tuple[str, datetime], hour: int, minute: int
) -> None:
    zone, start = where
    daily = At(f"{hour}:{minute:02}", zone=zone)

    assert due(Cron(f"{minute} {hour} * * *", zone=zone), start, 50) == due(daily, start, 50)


@given(st.floats(1, 86400), st.datetimes(datetime(2025, 1, 1), datetime(2027, 1, 1)))
def test_the_next_moment_is_always_a_later_one(seconds: float, after: datetime) -> None:
    schedule = Every(seconds=seconds, zone="Europe/Berlin")
    first = next_after(schedule, after.replace(tzinfo=UTC))
    assert first is not None
    second = next_after(schedule, first)

    assert second is not None
    assert after.replace(tzinfo=UTC) < first < second
    # At midnight it starts anew, and the hour is one longer when clocks go back.
    assert second - first <= timedelta(seconds=seconds) + timedelta(hours=1, microseconds=1)


@pytest.mark.parametrize(
    ("schedule", "after", "moment"),
    [
        # Clocks go from 02:00 to 03:00: half past two is made up for at three.
        (At("02:30", zone="Europe/Berlin"), "2026-03-28T12:00+00:00", "2026-03-29T01:00+00:00"),
        # Half past two comes twice; the first is still summer time.
        (At("02:30", zone="Europe/Berlin"), "2026-10-24T12:00+00:00", "2026-10-25T00:30+00:00"),
        (At("02:30", zone="Europe/Berlin"), "2026-10-25T00:30+00:00", "2026-10-26T01:30+00:00"),
        (At("04:30:15"), "2026-11-24T04:30:15+00:00", "2026-11-25T04:30:15+00:00"),
        (At("4:30"), "2026-11-24T04:29:59.5+00:00", "2026-11-24T04:30+00:00"),
        (Every(hours=5), "2026-11-24T20:00+00:00", "2026-11-25T00:00+00:00"),
        (Every(hours=24), "2026-11-24T00:00+00:00", "2026-11-25T00:00+00:00"),
        (Every(seconds=1.1), "2026-11-24T00:00:03.3+00:00", "2026-11-24T00:00:04.4+00:00"),
        (Cron("0 4 * * MON"), "2026-11-24T12:00+00:00", "2026-11-30T04:00+00:00"),
    ],
    ids=str,
)
def test_some_moments(schedule: Schedule, after: str, moment: str) -> None:
    found = next_after(schedule, datetime.fromisoformat(after))

    assert found == datetime.fromisoformat(moment)


def test_the_moment_asked_from_may_be_written_in_any_zone() -> None:
    schedule = Every(hours=6, zone="Europe/Berlin")
    evening = datetime(2026, 3, 28, 22, 0, tzinfo=ZoneInfo("Europe/Berlin"))

    assert due(schedule, evening, 30) == due(schedule, evening.astimezone(UTC), 30)


def test_a_schedule_of_no_day_is_never_due() -> None:
    assert next_after(Cron("0 0 */30 2 MON#5"), datetime(2026, 1, 1, tzinfo=UTC)) is None


@given(st.text("0123456789*,-/#LWMON ", max_size=16))
def test_an_expression_is_right_or_refused(text: str) -> None:
    with contextlib.suppress(RecipeError):
        moment = next_after(Cron(text), datetime(2026, 1, 1, tzinfo=UTC))

        assert moment is None or moment > datetime(2026, 1, 1, tzinfo=UTC)

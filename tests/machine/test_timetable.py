"""When schedules are due: missed ones, jitter, the clock on the wall set forward and back."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from automate import At, Command, Cron, Every, Notify, Recipe, Wait
from automate.machine.actions import Traced
from automate.machine.recipes import RecipeMachine
from automate.machine.state import RecipeBook
from automate.machine.timetable import Due, Timetable
from automate.recipe.schedule import Missed, Schedule, next_after
from tests.machine.scenes import ORIGIN, Scene

MINUTE = 60.0
HOUR = 3600.0
DAY = 86400.0
ZONES = ["Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu", "UTC"]


class Wall:
    """A timetable of *schedules*, asked whenever something is due, or only *now* and then."""

    def __init__(self, *schedules: Schedule, origin: datetime = ORIGIN, seed: int = 0) -> None:
        self.schedules: Sequence[Schedule] = schedules
        self.table = Timetable(origin, seed=seed)
        self.book = RecipeBook()
        self.table.set(self.book, schedules, 0.0, "s:r")

    def passes(self, until: float) -> list[float]:
        """Return the moments that are due up to *until*, each told in time."""
        told = []
        while (moment := self._next()) is not None and moment <= until:
            told += [moment] * len(
                self.table.take(self.book, self.schedules, moment, moment, "s:r")
            )
        return told

    def wakes(self, now: float) -> list[Due]:
        """Return what is due *now*, after nobody asked for a while."""
        told: list[Due] = []
        while (moment := self._next()) is not None and moment <= now:
            told += self.table.take(self.book, self.schedules, moment, now, "s:r")
        return told

    def _next(self) -> float | None:
        return min((due for due in self.book.due if due is not None), default=None)


# ---------------------------------------------------------------- missed


def every(minutes: float, **manner: object) -> Every:
    return Every(minutes=minutes, **manner)  # type: ignore[arg-type] # a scene's own keywords


def test_what_is_skipped_is_said_once_and_the_next_comes_in_time() -> None:
    wall = Wall(every(60))

    assert wall.wakes(now=2.5 * HOUR) == [Due(1.5 * HOUR, is_skipped=True, times=2)]
    assert wall.passes(4 * HOUR) == [3 * HOUR, 4 * HOUR]


def test_once_makes_up_for_all_by_one() -> None:
    wall = Wall(every(60, missed="once"))

    told = wall.wakes(now=5.25 * HOUR)

    assert told == [Due(4.25 * HOUR, times=5)]
    assert str(told[0]) == "it was due 4 h 15 min ago, 5 times"
    assert wall.passes(6 * HOUR) == [6 * HOUR]


def test_all_makes_up_for_each() -> None:
    wall = Wall(every(60, missed="all"))

    assert wall.wakes(now=3.5 * HOUR) == [Due(2.5 * HOUR), Due(1.5 * HOUR), Due(0.5 * HOUR)]
    assert wall.passes(4 * HOUR) == [4 * HOUR]


def test_all_is_no_more_than_a_hundred_and_says_so() -> None:
    wall = Wall(every(1, missed="all"))

    told = wall.wakes(now=250.5 * MINUTE)

    assert told[0] == Due(249.5 * MINUTE, is_skipped=True, times=149)
    assert told[1:] == [Due((100.5 - n) * MINUTE) for n in range(100)] + [Due()]
    assert wall.passes(252 * MINUTE) == [251 * MINUTE, 252 * MINUTE]


@pytest.mark.parametrize("missed", ["skip", "once", "all"])
def test_who_slept_for_a_year_wakes_at_once(missed: Missed) -> None:
    """Thirty million seconds were missed; nobody counts them all, or makes up for them."""
    wall = Wall(Every(seconds=1, missed=missed))

    told = wall.wakes(now=365 * DAY + 0.5)

    assert (told[0].is_more, told[0].is_skipped) == (True, missed != "once")
    assert str(told[0]).startswith("it was due 8760 h ago, ")
    assert len(told) <= 165
    assert wall.passes(365 * DAY + 3) == [365 * DAY + n for n in (1, 2, 3)]


@pytest.mark.parametrize(
    ("now", "told"),
    [
        (HOUR + 60, [Due()]),
        (HOUR + 61, [Due(61.0, is_skipped=True)]),
    ],
)
def test_within_its_grace_it_is_only_late(now: float, told: list[Due]) -> None:
    assert Wall(every(60, grace_seconds=60)).wakes(now) == told


def test_several_within_the_grace_are_one() -> None:
    wall = Wall(every(1, grace_seconds=600))

    assert wall.wakes(now=5.5 * MINUTE) == [Due()]
    assert wall.passes(6 * MINUTE) == [6 * MINUTE]


def test_the_last_that_is_still_in_its_grace_is_not_skipped_with_the_rest() -> None:
    wall = Wall(every(60, grace_seconds=600))

    assert wall.wakes(now=3 * HOUR + 300) == [
        Due(2 * HOUR + 300, is_skipped=True, times=2),
        Due(),
    ]


def test_a_schedule_that_comes_to_its_end_is_due_no_more() -> None:
    never = Cron("0 0 */30 2 MON#5")

    assert Wall(never).wakes(now=400 * DAY) == []


@given(
    st.sampled_from(["skip", "once", "all"]),
    st.integers(1, 90),
    st.integers(0, 7200),
    st.integers(0, 3 * 3600),
    st.integers(0, 2000),
)
def test_after_any_sleep_each_moment_is_told_once(
    missed: Missed, minutes: int, jitter: int, grace: int, slept_minutes: int
) -> None:
    schedule = every(minutes, missed=missed, grace_seconds=grace, jitter_seconds=jitter)
    wall = Wall(schedule)
    now = slept_minutes * MINUTE + 0.25

    told = wall.wakes(now)
    late = [due for due in told if due.missed_seconds]

    assert all(due is None or due > now for due in wall.book.due)
    assert all(due.missed_seconds > grace for due in late)
    if missed == "once":
        assert not any(due.is_skipped for due in told)
    if missed == "skip":
        assert all(due.is_skipped for due in late)
    if missed == "all":
        assert sum(not due.is_skipped for due in late) <= 100
    if not jitter:
        # What comes next is what would have come next for whoever never slept.
        awake = Wall(schedule)
        awake.passes(now)
        assert wall.book == awake.book


# ---------------------------------------------------------------- jitter


def test_the_same_seed_gives_the_same_moments_and_another_others() -> None:
    jittered = every(10, jitter_seconds=300)

    moments = [tuple(Wall(jittered, seed=seed).passes(DAY)) for seed in (1, 1, 2)]

    assert moments[0] == moments[1] != moments[2]


@given(st.integers(0, 9), st.integers(1, 60), st.integers(0, 3600))
def test_jitter_is_within_bounds_and_the_next_counts_from_without_it(
    seed: int, minutes: int, jitter: int
) -> None:
    plain = Wall(every(minutes)).passes(8 * HOUR)
    jittered = Wall(every(minutes, jitter_seconds=jitter), seed=seed).passes(9 * HOUR + 1)

    assert jittered == sorted(jittered)
    assert len(jittered) >= len(plain)
    # One that would come before its forerunner comes with it.
    assert all(
        0 <= later - moment <= jitter for moment, later in zip(plain, jittered, strict=False)
    )


def test_two_servers_and_two_recipes_do_not_act_at_one_moment() -> None:
    daily = At("04:00", jitter_seconds=1800)
    recipes = [Recipe(name, when=daily, then=Notify(name)) for name in ("a", "b")]
    machine = RecipeMachine(recipes, {"s": "s", "t": "t"}, origin=ORIGIN)

    dues = [book.due[0] for one in machine.state.servers.values() for book in one.recipes.values()]

    assert len({*dues}) == 4


# ---------------------------------------------------------------- the clock on the wall


@given(
    st.sampled_from(ZONES),
    st.sampled_from(["2026-03-08", "2026-03-29", "2026-04-05", "2026-10-04", "2026-10-25"]),
    st.sampled_from([Every(minutes=45), At("02:30"), At("02:00"), Cron("*/20 1-3 * * *")]),
)
def test_around_clock_changes_it_goes_on_as_the_schedule_says(
    zone: str, day: str, schedule: Schedule
) -> None:
    """Sleeping and waking add nothing and leave nothing out (what each is, others hold)."""
    from attrs import evolve

    there = evolve(schedule, zone=zone, grace_seconds=0)
    origin = datetime.fromisoformat(day).replace(tzinfo=ZoneInfo(zone)).astimezone(UTC)
    wanted, moment = [], next_after(there, origin)
    while moment is not None and moment <= origin + timedelta(days=2):
        wanted.append((moment - origin).total_seconds())
        moment = next_after(there, moment)

    assert Wall(there, origin=origin).passes(2 * DAY) == wanted
    once = Wall(evolve(there, missed="once"), origin=origin).wakes(2 * DAY + 0.5)
    assert sum(due.times for due in once) == len(wanted)


def test_a_clock_set_back_lets_the_moment_come_by_the_new_time() -> None:
    """At ten to four it turns out to be ten to three."""
    nightly = Recipe("nightly", when=At("04:00"), then=Notify("it is four"))
    scene = Scene(nightly, origin=datetime(2026, 11, 24, 3, 0, tzinfo=UTC))
    scene.waits(50 * MINUTE)

    back = scene.origin - timedelta(hours=1)
    scene.at(50 * MINUTE, lambda machine: machine.clock_set(back, 50 * MINUTE))
    scene.waits(3 * HOUR)

    assert scene.did == [(2 * HOUR, "notify it is four")]


def test_a_clock_set_back_is_written_down_with_all_that_it_moves() -> None:
    nightly = Recipe("nightly", when=At("04:00"), then=Notify("it is four"))
    scene = Scene(nightly, origin=datetime(2026, 11, 24, 3, 0, tzinfo=UTC))
    kept = scene.machine.save()
    scene.machine.changes()

    scene.machine.clock_set(scene.origin - timedelta(hours=1), 60.0)

    assert kept | scene.machine.changes() == scene.machine.save()


def woken(recipe: Recipe, *, at: float) -> Scene:
    """Return the scene of a machine that sleeps until *at*, the timers being handed over then."""
    scene = Scene(recipe)
    while (wake_at := scene.machine.wake_at) is not None and wake_at <= at:
        scene.take(scene.machine.due(wake_at, now=at), at)
    return scene


def test_a_clock_set_forward_is_a_sleep() -> None:
    hourly = Recipe("hourly", when=Every(hours=1), then=Notify("now"))

    scene = woken(hourly, at=2.5 * HOUR)

    assert scene.did == []
    assert scene.traced("missed") == [(2.5 * HOUR, "it was due 1 h 30 min ago, 2 times: skipped")]


def test_what_is_made_up_for_takes_its_time_from_now_on() -> None:
    """A countdown that is late is no shorter for it."""
    steps = [Command("say 5 minutes"), Wait(seconds=300), Command("stop")]
    nightly = Recipe("nightly", when=Every(hours=1, missed="once"), then=steps)

    scene = woken(nightly, at=1.5 * HOUR).waits(2 * HOUR - 1)

    assert scene.did == [
        (1.5 * HOUR, "send command say 5 minutes"),
        (1.5 * HOUR + 300, "send command stop"),
    ]
    assert scene.traced("triggered") == [(1.5 * HOUR, "it was due 30 min ago")]


def test_a_run_that_slept_does_the_rest_as_of_now() -> None:
    """Its pause is over; the limit of what comes next begins only when it does."""
    slow = Recipe(
        "slow", when=Every(hours=1, missed="once"), then=[Wait(seconds=300), Command("x")]
    )
    scene = Scene(slow).waits(HOUR).unlinks(HOUR + 1)
    now = HOUR + 1000.0
    scene.take(scene.machine.due(now, now=now), now)
    scene.waits(now + 10).links(now + 10)

    assert scene.did == [(now + 10, "send command x")]
    assert not [one for _, one in scene.outputs if isinstance(one, Traced) and "fail" in one.what]

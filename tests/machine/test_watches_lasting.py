"""Silences, gaps, and numbers beyond a level: what has to last before it is told."""

import pytest

from automate.machine import occurrence as o
from automate.recipe.selectors import ServerFacts
from automate.recipe.triggers import Disconnected, ReadingAbove, ReadingBelow, Silent
from tests.machine.watch_scenes import Watched, became, found, said, seen, uses

GIB = 1024**3
SILENT = Silent(for_seconds=60)

# ---------------------------------------------------------------- silence


def test_a_silence_is_told_once_and_the_next_one_again() -> None:
    watched = (
        Watched(SILENT)
        .at(0, found("running"))
        .at(50, said("a"))
        .at(109, said("b"))
        .waits(500)
        .at(500, said("c"))
        .at(501.5, said("d"))
        .waits(1000)
    )

    assert watched.fired == [(169, {}), (561.5, {})]
    assert watched.told_at == watched.moments


def test_only_a_running_server_is_silent() -> None:
    watched = (
        Watched(SILENT)
        .at(0, found("starting"))
        .at(100, said("loading"))
        .at(150, became("starting", "running"))
        .at(200, became("running", "stopping"))
        .waits(500)
    )
    assert watched.fired == []

    watched.at(500, became("stopping", "offline"), became("offline", "starting"))
    watched.at(501, became("starting", "running")).waits(600)
    assert watched.moments == [561]


def test_nothing_heard_in_a_gap_is_no_silence() -> None:
    watched = (
        Watched(SILENT)
        .at(0, found("running"))
        .at(30, o.Unlinked())
        .waits(500)
        .at(500, o.Linked(), found("running", was="running"))
        .waits(1000)
    )

    assert watched.moments == [560]


def test_after_automate_was_down_a_silence_begins_anew() -> None:
    watched = Watched(SILENT).at(0, found("running")).sleeps(30).waits(200)
    assert (watched.fired, watched.wants) == ([], None)

    watched.at(200, o.Linked(), found("running", was="running")).waits(300)
    assert watched.moments == [260]
    watched.sleeps(310, unlinks=False)
    assert watched.wants is None


def test_whoever_begins_to_listen_counts_from_then() -> None:
    assert Watched(SILENT, view=seen("running"), at=100).waits(500).moments == [160]
    assert Watched(SILENT, view=seen("starting"), at=100).waits(500).moments == []
    assert Watched(SILENT, view=seen("running", connected=False), at=9).waits(500).moments == []


# ---------------------------------------------------------------- connection


def test_a_gap_is_told_once_and_each_for_itself() -> None:
    watched = (
        Watched(Disconnected(for_seconds=60))
        .at(1, o.Linked())
        .at(100, o.Unlinked())
        .at(159, o.Linked())
        .at(200, o.Unlinked())
        .waits(500)
        .at(500, o.Linked())
        .at(510, o.Unlinked())
        .waits(1000)
    )

    assert watched.fired == [(260, {}), (570, {})]


def test_a_server_that_is_not_there_from_the_beginning_is_told_of_too() -> None:
    assert Watched(Disconnected(for_seconds=60)).waits(500).moments == [60]
    missing, there = seen("offline", connected=False), seen("offline")
    assert Watched(Disconnected(for_seconds=60), view=missing, at=9).waits(500).moments == [69]
    assert Watched(Disconnected(for_seconds=60), view=there, at=9).waits(500).moments == []


def test_without_patience_a_lost_connection_is_told_at_once_but_not_one_never_made() -> None:
    watched = Watched(Disconnected(for_seconds=0)).waits(10)
    assert watched.fired == []

    watched.at(10, o.Linked()).at(20, o.Unlinked()).waits(50)
    assert watched.moments == [20]
    watched.at(50, o.Linked()).sleeps(60).at(61, o.Linked()).at(70, o.Unlinked())
    assert watched.moments == [20, 70]


def test_a_connection_that_stands_is_none_lost_when_only_events_are() -> None:
    watched = Watched(Disconnected(for_seconds=60)).at(1, o.Linked())
    connected = watched.view
    watched.at(10, o.Unlinked())
    assert watched.wants == 70

    blinded = Watched(Disconnected(for_seconds=60), view=connected, at=1)
    blinded._look = lambda occurrence, at: None  # type: ignore[method-assign] # it stands
    assert blinded.at(10, o.Unlinked()).waits(500).fired == []


def test_a_gap_that_was_told_is_not_told_again_by_an_automate_that_was_down() -> None:
    told = Watched(Disconnected(for_seconds=60)).waits(70).sleeps(80).waits(500)
    waiting = Watched(Disconnected(for_seconds=60)).waits(50).sleeps(80).waits(500)

    assert (told.moments, waiting.moments) == ([60], [140])


# ---------------------------------------------------------------- readings

WARM = ReadingAbove("cpu_percent", number=90, rearm_at=70)


def measured_by(trigger: ReadingAbove | ReadingBelow, *numbers: float) -> list[float]:
    """Return when it fired, with a number reported each second from the first second on."""
    watched = Watched(trigger)
    for at, number in enumerate(numbers, start=1):
        watched.at(at, uses(cpu_percent=number))
    return watched.moments


def test_a_reading_is_told_once_until_it_was_below_where_it_is_armed_again() -> None:
    assert measured_by(WARM, 89, 90, 95, 89, 91, 70, 92, 69.9, 89, 90, 90) == [2, 10]
    assert measured_by(ReadingAbove("cpu_percent", number=90), 90, 90, 89, 90) == [1, 4]
    below = ReadingBelow("cpu_percent", number=10, rearm_at=30)
    assert measured_by(below, 11, 10, 5, 20, 9, 30, 9, 31, 11, 10) == [2, 10]


def test_a_reading_has_to_last() -> None:
    lasting = ReadingAbove("cpu_percent", number=90, for_seconds=3)

    assert measured_by(lasting, 90, 91, 89, 90, 90, 90, 90, 90) == [7]
    assert measured_by(lasting, 90, 90, 89, 90, 90, 90, 89) == [7]
    assert measured_by(lasting, 90, 90, 89, 90, 90, 89, 90, 90) == []


def test_the_moment_is_exact_where_reports_are_not() -> None:
    watched = Watched(ReadingAbove("cpu_percent", number=90, for_seconds=3))
    watched.at(1, uses(cpu_percent=95)).at(2.03, uses(cpu_percent=96.25)).waits(10)

    assert watched.fired == [(4, {"value": "96.2"})]


@pytest.mark.parametrize(
    ("trigger", "numbers", "value"),
    [
        (ReadingAbove("memory_bytes", number=GIB), {"memory_bytes": 3 * GIB}, "3221225472"),
        (ReadingAbove("uptime_seconds", number=60), {"uptime_seconds": 90.04}, "90"),
        (
            ReadingAbove("memory_bytes", percent_of_limit=75),
            {"memory_bytes": 3 * GIB, "memory_limit_bytes": 4 * GIB},
            "75",
        ),
        (ReadingAbove("memory_bytes", percent_of_limit=30), {"memory_bytes": 3 * GIB}, "37.5"),
        (
            ReadingAbove("memory_bytes", percent_of_limit=30),
            {"memory_bytes": 3 * GIB, "memory_limit_bytes": 0},
            "37.5",
        ),
        (ReadingAbove("disk_bytes", percent_of_limit=95), {"disk_bytes": 19 * GIB}, "95"),
        (ReadingAbove("cpu_percent", percent_of_limit=50), {"cpu_percent": 150.0}, "75"),
        (ReadingBelow("cpu_percent", percent_of_limit=50), {"cpu_percent": 50}, "25"),
        (ReadingAbove("memory_bytes", number=0), {"cpu_percent": 50}, None),
    ],
    ids=str,
)
def test_the_value_is_in_the_measure_of_the_level(
    trigger: ReadingAbove | ReadingBelow, numbers: dict[str, float], value: str | None
) -> None:
    facts = ServerFacts(
        name="arena",
        memory_limit_bytes=8 * GIB,
        disk_limit_bytes=20 * GIB,
        cpu_limit_percent=200,
    )
    watched = Watched(trigger, facts=facts).at(1, uses(**numbers))

    assert watched.fired == ([] if value is None else [(1, {"value": value})])


def test_without_a_limit_there_is_no_percent_of_it() -> None:
    watched = Watched(ReadingBelow("disk_bytes", percent_of_limit=99))

    assert watched.at(1, uses(disk_bytes=1)).fired == []


def test_a_server_that_is_offline_uses_nothing_and_that_is_no_news() -> None:
    idle = ReadingBelow("cpu_percent", number=1, for_seconds=10)
    watched = (
        Watched(idle)
        .at(1, uses(cpu_percent=0, state="running"))
        .at(2, became("running", "offline"), uses(cpu_percent=0, state="offline"))
        .at(3, uses(cpu_percent=0, state="offline"))
        .waits(100)
        .at(100, uses(cpu_percent=0, state="offline"), became("offline", "starting"))
        .at(101, uses(cpu_percent=0, state="starting"))
        .waits(200)
    )

    assert watched.moments == [111]


def test_a_server_that_went_offline_is_calm_again() -> None:
    full = ReadingAbove("memory_bytes", number=90, rearm_at=50)
    watched = (
        Watched(full)
        .at(1, uses(memory_bytes=95, state="running"))
        .at(2, uses(memory_bytes=0, state="offline"), became("running", "offline"))
        .at(3, became("offline", "starting"), uses(memory_bytes=95, state="starting"))
    )

    assert watched.moments == [1, 3]


def test_a_gap_ends_what_lasts_and_arms_nothing() -> None:
    lasting = ReadingAbove("cpu_percent", number=90, for_seconds=10)
    watched = (
        Watched(lasting)
        .at(1, uses(cpu_percent=95))
        .at(2, o.Unlinked())
        .waits(50)
        .at(50, o.Linked(), found("running", "running"), uses(cpu_percent=95))
        .waits(100)
        .at(100, o.Unlinked(), o.Linked(), uses(cpu_percent=95))
        .waits(200)
    )

    assert watched.moments == [60]


@pytest.mark.parametrize(
    ("number", "reported_at", "moments"),
    [(95, 5, [11]), (95, 30, [30]), (50, 5, []), (85, 30, [])],
    ids=["goes on", "is over", "is gone", "is gone, though not far"],
)
def test_the_first_report_says_what_became_of_it_while_automate_was_down(
    number: float, reported_at: float, moments: list[float]
) -> None:
    lasting = ReadingAbove("cpu_percent", number=90, rearm_at=70, for_seconds=10)
    watched = Watched(lasting).at(1, uses(cpu_percent=95)).sleeps(4).waits(reported_at)
    assert watched.fired == []

    watched.at(reported_at, o.Linked(), uses(cpu_percent=number)).waits(100)
    assert watched.moments == moments


@pytest.mark.parametrize("numbers", [[95], [50, 95]], ids=["goes on", "begins anew"])
def test_a_gap_after_automate_was_down_is_one_like_any_other(numbers: list[float]) -> None:
    lasting = ReadingAbove("cpu_percent", number=90, for_seconds=10)
    watched = Watched(lasting).at(1, uses(cpu_percent=95)).sleeps(4).at(5, o.Linked())
    for number in numbers:
        watched.at(6, uses(cpu_percent=number))

    assert watched.wants is not None
    assert watched.at(7, o.Unlinked()).wants is None


def test_what_was_told_is_remembered_while_automate_is_down() -> None:
    watched = Watched(WARM).at(1, uses(cpu_percent=95)).sleeps(5)

    assert watched.at(6, o.Linked(), uses(cpu_percent=95)).moments == [1]
    assert watched.at(7, uses(cpu_percent=60), uses(cpu_percent=95)).moments == [1, 7]

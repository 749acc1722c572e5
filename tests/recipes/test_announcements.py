"""Announcements: by the wall clock, and only where there is somebody to hear them."""

from datetime import UTC, datetime, timedelta

import pytest

from automate.recipe.conditions import ServerIs
from automate.recipe.recipe import Recipe
from automate.recipe.steps import Announce
from automate.recipe.triggers import At, Every
from tests.engine import tapes
from tests.engine.tapes import acts as all_acts
from tests.engine.tapes import play, stats, status
from tests.recipes.shipped import ALL, RECORDINGS, acts, rehearsed, shipped

BOTH = [shipped("announce the rules"), shipped("announce the night")]
RULES = "say Be kind to each other. Type /help for help."
NIGHT = "say It is ten o'clock. The nightly backup starts at half past four."
# In the recording the server is `running` from 2.2624 to 5.6227 and `offline` from 6.6568 on.
RUNNING_FROM, STOPPING_FROM = 2.2624, 5.6227


def at_ten(seconds: float) -> datetime:
    """Return a start for which it is ten o'clock *seconds* into the recording."""
    return datetime(2026, 11, 24, 22, 0, tzinfo=UTC) - timedelta(seconds=seconds)


def said(seconds: float) -> list[tuple[float, str, str]]:
    evening = rehearsed(BOTH, "backup-before-stop", start_at=at_ten(seconds))
    return [(act.at, act.recipe, act.action["send command"]) for act in acts(evening)]


def test_at_ten_both_are_said_in_the_order_of_the_file() -> None:
    assert said(4.0) == [
        (4.0, "announce the rules", RULES),
        (4.0, "announce the night", NIGHT),
    ]


@pytest.mark.parametrize(
    ("seconds", "heard"),
    [
        (1.0, False),
        # Timers come before the frames of their moment: the server is not running yet.
        (RUNNING_FROM, False),
        (RUNNING_FROM + 0.0001, True),
        (STOPPING_FROM, True),
        (STOPPING_FROM + 0.0001, False),
        (7.0, False),
    ],
)
def test_nothing_is_said_to_an_empty_hall(seconds: float, heard: bool) -> None:
    assert bool(said(seconds)) is heard


def test_what_could_not_be_said_is_held_back_with_the_reason() -> None:
    evening = rehearsed(BOTH, "backup-before-stop", start_at=at_ten(1.0))

    assert [(at, one.recipe, one.what, one.detail) for at, one in evening.trace] == [
        (1.0, "announce the rules", "held back", "the server is starting"),
        (1.0, "announce the night", "held back", "the server is starting"),
    ]


def test_the_rules_come_each_half_hour_of_a_long_evening() -> None:
    evening = play(
        BOTH,
        tapes.opened(0.0),
        status(0.0, "running"),
        status(4000.0, "stopping"),
        status(6000.0, "running"),
        stats(11000.0, "running"),
        start_at=datetime(2026, 11, 24, 20, 59, tzinfo=UTC),
    )

    assert all_acts(evening) == [
        (60.0, f"send command {RULES}"),
        (1860.0, f"send command {RULES}"),
        (3660.0, f"send command {RULES}"),
        (3660.0, f"send command {NIGHT}"),
        (7260.0, f"send command {RULES}"),
        (9060.0, f"send command {RULES}"),
        (10860.0, f"send command {RULES}"),
    ]


@pytest.mark.parametrize(
    ("schedule", "start", "hours", "expected"),
    [
        # Ten in Berlin is nine in UTC in winter, and eight in summer.
        (At("22:00", zone="Europe/Berlin"), "2026-11-24T20:00Z", 3, ["21:00"]),
        (At("22:00", zone="Europe/Berlin"), "2026-07-24T19:00Z", 3, ["20:00"]),
        # The night the clocks go back: half past two comes twice, and is said once.
        (At("02:30", zone="Europe/Berlin"), "2026-10-24T23:00Z", 4, ["00:30"]),
        # The night they go forward: half past two does not come, and is said at three.
        (At("02:30", zone="Europe/Berlin"), "2026-03-28T23:00Z", 4, ["01:00"]),
        # Each hour of the wall's clock, through the hour that comes twice.
        (
            Every(hours=2, zone="Europe/Berlin"),
            "2026-10-24T23:00Z",
            6,
            ["00:00", "01:00", "03:00", "05:00"],
        ),
        # And in a zone that is three quarters of an hour off.
        (Every(hours=1, zone="Asia/Kathmandu"), "2026-11-24T20:00Z", 2, ["20:15", "21:15"]),
    ],
    ids=str,
)
def test_the_clock_on_the_wall_is_the_zones(
    schedule: At | Every, start: str, hours: int, expected: list[str]
) -> None:
    recipe = Recipe("it", when=schedule, only_if=ServerIs("running"), then=Announce("{recipe}"))
    begin = datetime.fromisoformat(start)
    evening = play(
        recipe,
        tapes.opened(0.0),
        status(0.0, "running"),
        stats(hours * 3600.0, "running"),
        start_at=begin,
    )

    moments = [begin + timedelta(seconds=act.at) for act in evening.acts]
    assert [f"{moment:%H:%M}" for moment in moments] == expected


@pytest.mark.parametrize("name", RECORDINGS)
def test_on_the_recordings_own_days_it_was_never_the_hour(name: str) -> None:
    assert acts(rehearsed(BOTH, name)) == []


def test_the_shipped_recipes_are_these() -> None:
    assert [recipe.name for recipe in ALL] == [
        "announce the rules",
        "announce the night",
        "backup before stop",
        "restart on crash",
    ]

"""Announcements: by the wall clock, and only where there is somebody to hear them."""

from datetime import UTC, datetime, timedelta

import pytest

from automate import Announce, At, Every, Recipe, ServerIs
from automate.testing import Script, Timeline, recording_names, rehearse

BOTH = "recipes/announcements.py"
RULES = "say Be kind to each other. Type /help for help."
NIGHT = "say It is ten o'clock. The nightly backup starts at half past four."
# In the recording the server is `running` from 2.2624 to 5.6227 and `offline` from 6.6568 on.
RUNNING_FROM, STOPPING_FROM = 2.2624, 5.6227


def evening_with_ten_o_clock_at(seconds: float) -> Timeline:
    """Return what is said where it is ten o'clock *seconds* into the recording."""
    start_at = datetime(2026, 11, 24, 22, 0, tzinfo=UTC) - timedelta(seconds=seconds)
    return Timeline(rehearse(BOTH, "backup-before-stop", start_at=start_at))


def test_at_ten_both_are_said_in_the_order_of_the_file() -> None:
    evening = evening_with_ten_o_clock_at(4)

    assert evening.acts == [(4, f"send command {RULES}"), (4, f"send command {NIGHT}")]
    evening.sent(RULES, by="announce the rules").once()
    evening.sent(NIGHT, by="announce the night").once()
    evening.nothing_else()


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
    evening = evening_with_ten_o_clock_at(seconds)

    evening.sent(containing="say").times(2 if heard else 0)
    evening.nothing_else()


def test_what_could_not_be_said_is_held_back_with_the_reason() -> None:
    evening = evening_with_ten_o_clock_at(1)

    for name in ("announce the rules", "announce the night"):
        evening.held_back(name, containing="it is starting").once().at(1)
    evening.held_back().twice()
    evening.triggered().never()
    evening.nothing()


def test_the_rules_come_each_half_hour_of_a_long_evening() -> None:
    """But for the half hours in which the server takes its time to stop."""
    evening = (
        Script("evening")
        .online()
        .until(4000)
        .hang(asked=False)
        .until(6000)
        .kill(asked=False)
        .start(asked=False)
        .until(11_000)
    )
    said = Timeline(rehearse(BOTH, evening, start_at="2026-11-24T20:59"))

    said.sent(RULES).at(60, 1860, 3660, 7260, 9060, 10860)
    said.sent(NIGHT).once().at(3660)
    said.held_back().once().at(5460)
    said.nothing_else()


@pytest.mark.parametrize(
    ("schedule", "start", "hours", "expected"),
    [
        # Ten in Berlin is nine in UTC in winter, and eight in summer.
        (At("22:00", zone="Europe/Berlin"), "2026-11-24T20:00", 3, ["21:00"]),
        (At("22:00", zone="Europe/Berlin"), "2026-07-24T19:00", 3, ["20:00"]),
        # The night the clocks go back: half past two comes twice, and is said once.
        (At("02:30", zone="Europe/Berlin"), "2026-10-24T23:00", 4, ["00:30"]),
        # The night they go forward: half past two does not come, and is said at three.
        (At("02:30", zone="Europe/Berlin"), "2026-03-28T23:00", 4, ["01:00"]),
        # Each hour of the wall's clock, through the hour that comes twice.
        (
            Every(hours=2, zone="Europe/Berlin"),
            "2026-10-24T23:00",
            6,
            ["00:00", "01:00", "03:00", "05:00"],
        ),
        # And in a zone that is three quarters of an hour off.
        (Every(hours=1, zone="Asia/Kathmandu"), "2026-11-24T20:00", 2, ["20:15", "21:15"]),
    ],
    ids=str,
)
def test_the_clock_on_the_wall_is_the_zones(
    schedule: At | Every, start: str, hours: int, expected: list[str]
) -> None:
    recipe = Recipe("it", when=schedule, only_if=ServerIs("running"), then=Announce("{recipe}"))
    evening = Script("evening").online().until(hours * 3600)

    said = Timeline(rehearse(recipe, evening, start_at=start)).sent("say it")

    moments = [datetime.fromisoformat(start) + timedelta(seconds=at) for at in said.moments]
    assert [f"{moment:%H:%M}" for moment in moments] == expected


@pytest.mark.parametrize("name", recording_names())
def test_on_the_recordings_own_days_it_was_never_the_hour(name: str) -> None:
    Timeline(rehearse(BOTH, name)).nothing()

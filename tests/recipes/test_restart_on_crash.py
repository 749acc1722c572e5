"""The nights of the crashes, and the evenings on which nothing was wrong."""

import pytest

from automate import Crashed, Recipe, ServerIs, Start, Wait
from automate.testing import Script, Timeline, recording_names, rehearse

RESTART = "recipes/restart_on_crash.py"
HASTY = Recipe(
    "restart on crash",
    when=Crashed(),
    then=[Wait(seconds=2, unless=ServerIs("starting", "running")), Start()],
)
CRASHES = {
    "crash-recovered",
    "crash-twice",
    "crash-undetected",
    "crash-undetected-pelican",
    "out-of-memory",
}


@pytest.mark.parametrize(
    ("name", "at", "reason"),
    [
        ("crash-undetected", 14.2632, "crashed"),
        # It was no different on a Pelican.
        ("crash-undetected-pelican", 14.2904, "crashed"),
        # The daemon restarts the first crash itself, and gives up at the second.
        ("crash-twice", 20.8188, "crashed (exit code 139)"),
        ("out-of-memory", 14.3994, "ran out of memory (exit code 137)"),
    ],
)
def test_the_night_of_the_crash(name: str, at: float, reason: str) -> None:
    """Ten seconds after the fall, one start is sent."""
    night = Timeline(rehearse(RESTART, name))

    night.told(f"{name} {reason}; starting it again (attempt 1)").once().at(at)
    night.sent("start", by="restart on crash").once().at(at).unconfirmed()
    night.nothing_else()


def test_somebody_was_quicker() -> None:
    """Five seconds after the crash a client started it: no start, and nothing to tell."""
    night = Timeline(rehearse(RESTART, "crash-recovered"))

    night.done("restart on crash", containing="it is starting").once().at(15.3458)
    night.done().once()
    night.nothing()


def test_a_recipe_with_a_shorter_pause_would_have_been_first() -> None:
    night = Timeline(rehearse(HASTY, "crash-recovered"))

    night.sent("start").once().at(12.3218).confirmed()
    night.nothing_else()


@pytest.mark.parametrize("name", sorted(set(recording_names()) - CRASHES))
def test_on_other_days_it_keeps_still(name: str) -> None:
    """It is not even tempted."""
    day = rehearse(RESTART, name)

    assert (day.acts, day.trace) == ((), ())


# ---------------------------------------------------------------- a server that keeps crashing


def crashes(*moments: float) -> Script:
    """Return an evening on which the server comes up and crashes at once, again and again.

    The daemon does not answer crashes: its detection is off.
    """
    evening = Script("arena", crash_detection=False).offline()
    for at in moments:
        evening = evening.until(at - 2).start(asked=False, seconds=1).until(at).crash()
    return evening.wait(4000)


def test_the_pause_grows_with_each_attempt() -> None:
    """What the limit lets through is five attempts: the cap of five minutes is never reached."""
    moments = (110, 220, 340, 480, 760)
    evening = Timeline(rehearse(RESTART, crashes(100, 200, 300, 400, 600)))

    evening.sent("start").at(*moments)
    for number, at in enumerate(moments, 1):
        evening.told(f"arena crashed; starting it again (attempt {number})").once().at(at)
    evening.nothing_else()


@pytest.mark.parametrize(("ran_seconds", "pause_seconds"), [(599, 80), (600, 10)])
def test_once_it_ran_for_ten_minutes_the_pause_is_short_again(
    ran_seconds: float, pause_seconds: float
) -> None:
    up = Script("arena", crash_detection=False).offline()
    for at in (100, 200, 300):
        up = up.until(at - 2).start(asked=False, seconds=1).until(at).crash()
    up = up.until(340).start(asked=False, seconds=1)
    crash_at = up.seconds + ran_seconds
    evening = Timeline(rehearse(RESTART, up.until(crash_at).crash().wait(400)))

    evening.sent("start").at(110, 220, 340, round(crash_at + pause_seconds, 4))


def test_an_hour_of_being_down_heals_nothing() -> None:
    evening = Timeline(rehearse(RESTART, crashes(100, 200, 300, 3900)))

    evening.sent("start").at(110, 220, 340, 3980)


def test_after_five_crashes_within_an_hour_it_gives_up_and_says_so_once() -> None:
    evening = crashes(100, 200, 300, 400, 600, 1000, 1100, 1200)
    night = Timeline(rehearse(RESTART, evening))

    night.sent("start").at(110, 220, 340, 480, 760)
    night.told(containing="starting it again").times(5)
    night.told("arena crashed more than 5 times within an hour; giving up").once().at(1001)
    night.nothing_else()


@pytest.mark.parametrize(("crash_at", "starts"), [(3699.5, ()), (3700, (4000,))])
def test_an_hour_is_an_hour(crash_at: float, starts: tuple[float, ...]) -> None:
    """The first of the five was at 100."""
    night = Timeline(rehearse(RESTART, crashes(100, 200, 300, 400, 600, crash_at)))

    night.sent("start").at(110, 220, 340, 480, 760, *starts)
    night.told(containing="giving up").times(0 if starts else 1)


def test_when_the_hour_is_over_it_goes_on() -> None:
    """With pauses of five minutes by now; and at the sixth within an hour it gives up again."""
    evening = crashes(100, 200, 300, 400, 600, 1000, 3701, 4010, 4320, 4630, 4940, 5250)
    night = Timeline(rehearse(RESTART, evening))

    night.sent("start").at(110, 220, 340, 480, 760, 4001, 4310, 4620, 4930, 5240)
    night.told(containing="starting it again").times(10)
    night.told(containing="giving up").at(1001, 5251)
    night.nothing_else()


def test_a_start_that_fails_is_told_and_answered_like_any_crash() -> None:
    """Its image is gone, say: it is offline 12 ms after `starting`, without a `stopping`."""
    evening = (
        Script("arena")
        .online()
        .until(60)
        .crash(exit_code=1)  # the daemon answers this one, and so none for a minute
        .until(100)
        .crash(exit_code=3)
        .until(110.1)
        .start(asked=False, fails=True)
        .wait(60)
    )
    night = Timeline(rehearse(RESTART, evening))

    assert night.acts == [
        (110.0, "notify arena crashed (exit code 3); starting it again (attempt 1)"),
        (110.0, "set state start"),
        (
            110.1213,
            "notify arena could not be started: it went offline again while starting",
        ),
        (130.1213, "notify arena crashed (exit code 1); starting it again (attempt 2)"),
        (130.1213, "set state start (unconfirmed)"),
    ]


def test_a_false_alarm_is_none() -> None:
    """A line of output that is the stop command fools the daemon, not us (PROBED 4.5)."""
    evening = (
        Script("arena")
        .online()
        .until(5)
        .says("stop")
        .frame("status", "offline")
        .daemon_says("Exit code: 0", after=0.01)
        .frame("status", "running", after=0.035)
        .wait(100)
    )

    night = rehearse(RESTART, evening)

    assert (night.acts, night.trace) == ((), ())

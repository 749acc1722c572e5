"""The nights of the crashes, and the evenings on which nothing was wrong."""

import pytest

from automate.engine.rehearsal import Act
from automate.recipe.conditions import ServerIs
from automate.recipe.recipe import Recipe
from automate.recipe.steps import Start, Wait
from automate.recipe.triggers import Crashed
from automate.recording.format import Entry
from tests.engine import tapes
from tests.engine.tapes import daemon, play, stats, status
from tests.recipes.shipped import RECORDINGS, acts, rehearsed, shipped, told

RESTART = shipped("restart on crash")
HASTY = Recipe(
    "restart on crash",
    when=Crashed(),
    then=[Wait(seconds=2, unless=ServerIs("starting", "running")), Start()],
)


def start(recording: str, at: float, *, unconfirmed: bool = True) -> Act:
    return Act(
        recording=recording,
        at=at,
        recipe="restart on crash",
        action={"set state": "start"},
        unconfirmed=unconfirmed,
    )


def test_the_night_of_the_crash() -> None:
    """Ten seconds after the fall, one start is sent."""
    night = rehearsed(RESTART, "crash-undetected")

    assert acts(night) == [start("crash-undetected", 14.2632)]
    assert told(night) == [(14.2632, "crash-undetected crashed; starting it again (attempt 1)")]


def test_it_was_no_different_on_a_pelican() -> None:
    assert acts(rehearsed(RESTART, "crash-undetected-pelican")) == [
        start("crash-undetected-pelican", 14.2904)
    ]


def test_somebody_was_quicker() -> None:
    """Five seconds after the crash a client started it: no start, and nothing to tell."""
    night = rehearsed(RESTART, "crash-recovered")

    assert (acts(night), told(night)) == ([], [])
    assert [(at, one.what, one.detail) for at, one in night.trace if one.what == "done"] == [
        (15.3458, "done", "the server is starting")
    ]


def test_a_recipe_with_a_shorter_pause_would_have_been_first() -> None:
    assert acts(rehearsed(HASTY, "crash-recovered")) == [
        start("crash-recovered", 12.3218, unconfirmed=False)
    ]


def test_the_daemon_restarts_the_first_crash_itself_and_gives_up_at_the_second() -> None:
    night = rehearsed(RESTART, "crash-twice")

    assert acts(night) == [start("crash-twice", 20.8188)]
    assert told(night) == [
        (20.8188, "crash-twice crashed (exit code 139); starting it again (attempt 1)")
    ]


def test_the_night_memory_ran_out() -> None:
    night = rehearsed(RESTART, "out-of-memory")

    assert acts(night) == [start("out-of-memory", 14.3994)]
    assert told(night) == [
        (14.3994, "out-of-memory ran out of memory (exit code 137); starting it again (attempt 1)")
    ]


CRASHES = {
    "crash-recovered",
    "crash-twice",
    "crash-undetected",
    "crash-undetected-pelican",
    "out-of-memory",
}


@pytest.mark.parametrize("name", sorted(set(RECORDINGS) - CRASHES))
def test_on_other_days_it_keeps_still(name: str) -> None:
    day = rehearsed(RESTART, name)

    assert (day.acts, [one.what for _, one in day.trace]) == ((), [])


# ---------------------------------------------------------------- a server that keeps crashing


def crashes(*moments: float) -> list[Entry]:
    """Return a tape on which the server comes up and crashes at once, again and again."""
    tape = [tapes.opened(0.0)]
    for at in moments:
        tape += [status(at - 2, "starting"), status(at - 1, "running"), status(at, "offline")]
    return [*tape, stats(moments[-1] + 4000, "offline")]


def starts(*entries: Entry) -> tuple[list[float], list[tuple[float, str]]]:
    night = play(RESTART, *entries)
    return (
        [round(act.at, 4) for act in night.acts if act.action == {"set state": "start"}],
        [one for one in told(night) if "starting it again" not in one[1]],
    )


def test_the_pause_grows_with_each_attempt_up_to_five_minutes() -> None:
    found, _ = starts(*crashes(100, 200, 300, 400, 600))

    assert found == [110, 220, 340, 480, 760]


def test_after_ten_quiet_minutes_the_pause_is_short_again() -> None:
    found, _ = starts(*crashes(100, 200, 300, 1000))

    assert found == [110, 220, 340, 1010]


def test_after_five_crashes_within_an_hour_it_gives_up_and_says_so_once() -> None:
    found, words = starts(*crashes(100, 200, 300, 400, 600, 1000, 1100, 1200))

    assert found == [110, 220, 340, 480, 760]
    assert words == [(1001, "arena crashed more than 5 times within an hour; giving up")]


def test_when_the_hour_is_over_it_goes_on() -> None:
    found, words = starts(*crashes(100, 200, 300, 400, 600, 1000, 3701, 3760))

    # One crash at 3701 has four others in the hour before it, one at 3760 has five again.
    assert found == [110, 220, 340, 480, 760, 3711]
    assert [at for at, _ in words] == [1001, 3761]


def test_a_start_that_fails_is_told_and_answered_like_any_crash() -> None:
    """As with an image that does not exist: `offline` 20 ms after `starting` (PROBED 4.2)."""
    night = play(
        RESTART,
        tapes.opened(0.0),
        status(0.0, "running"),
        status(100, "offline"),
        status(110.1, "starting"),
        status(110.12, "offline"),
        daemon(110.13, "Exit code: 1"),
        stats(200, "offline"),
    )

    assert [(round(act.at, 4), *act.action.items()) for act in night.acts] == [
        (110, ("notify", "arena crashed; starting it again (attempt 1)")),
        (110, ("set state", "start")),
        (110.12, ("notify", "arena could not be started: it went offline again while starting")),
        (130.12, ("notify", "arena crashed (exit code 1); starting it again (attempt 2)")),
        (130.12, ("set state", "start")),
    ]


def test_a_false_alarm_is_none() -> None:
    """A line of output that is the stop command fools the daemon, not us (PROBED 4.5)."""
    found = starts(
        tapes.opened(0.0),
        status(0.0, "running"),
        tapes.line(5.0, "stop"),
        status(5.0, "offline"),
        daemon(5.01, "Exit code: 0"),
        status(5.045, "running"),
        stats(100, "running"),
    )

    assert found == ([], [])

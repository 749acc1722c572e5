"""The shipped recipes, with automate killed at every point of their evenings and started again."""

from collections.abc import Callable
from typing import Final

import pytest

from automate.testing import Scene, SweepReport

Sweep = Callable[..., SweepReport]
AWAY: Final = pytest.mark.parametrize("down_seconds", [0.0, 40.0], ids=["at-once", "later"])
BACKUP: Final = Scene(
    recipes="recipes/backup_before_stop.py", seconds=200, asks=[("backup before stop", 1)]
)
ROTATE: Final = Scene(
    recipes="recipes/rotate_backups.py", seconds=200, asks=[("rotate backups", 1)]
)
FAILING: Final = Scene(
    recipes="recipes/backup_before_stop.py",
    seconds=200,
    asks=[("backup before stop", 1)],
    backups_fail=True,
)


def saves_at_last(report: SweepReport) -> bool:
    """Whether each evening of *report* ends with its saving on, if it was ever off."""
    for outcome in report.outcomes:
        said = [deed.rpartition(" ")[2] for deed in outcome.deeds if "command save-o" in deed]
        if said and said[-1] != "save-on":
            return False
    return True


@AWAY
@pytest.mark.parametrize("scene", [BACKUP, FAILING, ROTATE], ids=["before-stop", "fails", "rotate"])
def test_saving_is_on_again_wherever_it_is_killed(
    crash_points: Sweep, scene: Scene, down_seconds: float
) -> None:
    report = crash_points(scene, down_seconds=down_seconds)

    assert len(report.deaths) > 30
    assert saves_at_last(report)


def test_the_backup_that_is_due_is_made_once(crash_points: Sweep) -> None:
    nightly = Scene(
        recipes="recipes/backup_before_stop.py", seconds=200, start_at="2026-11-24T04:29:50"
    )

    report = crash_points(nightly)

    backups = [
        sum("backup before stop" in deed for deed in one.deeds)
        for one in report.outcomes
        if one.ends
    ]
    assert set(backups) == {1}


@AWAY
def test_a_crash_is_mended_once(crash_points: Sweep, down_seconds: float) -> None:
    evening = Scene(
        recipes="recipes/restart_on_crash.py",
        seconds=90,
        crash_detection=False,
        happens=[(2, "crash 3")],
    )

    report = crash_points(evening, down_seconds=down_seconds)

    starts = [sum("set state start" in deed for deed in one.deeds) for one in report.outcomes]
    assert starts.count(0) <= report.unseen
    assert set(starts) <= {0, 1}


def test_what_is_announced_is_announced_once_or_in_doubt(crash_points: Sweep) -> None:
    """Both are due at one moment, so that both can be in doubt."""
    report = crash_points(
        Scene(recipes="recipes/announcements.py", seconds=60, start_at="2026-11-24T21:59:55")
    )

    assert len(report.unharmed.outcome.deeds) == 2


@AWAY
def test_the_lobby_follows_the_world(crash_points: Sweep, down_seconds: float) -> None:
    evening = Scene(
        recipes="recipes/chain.py",
        seconds=60,
        servers=["world", "lobby"],
        online=False,
        happens=[(1, "start")],
    )

    report = crash_points(evening, down_seconds=down_seconds)

    assert report.unharmed.outcome.deeds == ("lobby: set state start",)


@AWAY
def test_a_full_disk_stops_the_server(crash_points: Sweep, down_seconds: float) -> None:
    full = "raw java.io.IOException: No space left on device"

    report = crash_points(
        Scene(recipes="recipes/disk_full.py", seconds=60, happens=[(1, full)]),
        down_seconds=down_seconds,
    )

    assert report.unharmed.outcome.statuses == ("Arena is offline",)


@AWAY
def test_a_player_is_welcomed(crash_points: Sweep, down_seconds: float) -> None:
    report = crash_points(
        Scene(recipes="recipes/welcome.py", seconds=60, happens=[(1, "join Bob")]),
        down_seconds=down_seconds,
    )

    assert report.unharmed.outcome.deeds == (
        "Arena: send command say Welcome, Bob! Type /help for help.",
    )

"""The shipped recipes, with automate killed at every point of their evenings and started again."""

from collections.abc import Callable
from typing import Final

import pytest
from attrs import evolve

from automate.testing import GameEvent, Scene, ScriptedGame, SweepReport, Usage

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


@AWAY
def test_at_night_it_is_restarted_once(crash_points: Sweep, down_seconds: float) -> None:
    night = Scene(
        recipes="recipes/nightly_restart.py",
        seconds=650,
        start_at="2026-11-24T03:59:50",
        # The log is told with the second of them.
        stats_seconds=2.5,
    )

    report = crash_points(night, down_seconds=down_seconds)

    assert report.unharmed.outcome.ends == ("'nightly restart' done",)
    restarts = [
        sum("set state restart" in deed for deed in one.deeds)
        for one in report.outcomes
        if one.ends
    ]
    assert set(restarts) == {1}


@AWAY
def test_what_hangs_is_killed_once(crash_points: Sweep, down_seconds: float) -> None:
    report = crash_points(
        Scene(recipes="recipes/hang_watchdog.py", seconds=90, asks=[("revive", 1)]),
        down_seconds=down_seconds,
    )

    kills = [sum("set state kill" in deed for deed in one.deeds) for one in report.outcomes]
    assert set(kills) == {1}


@AWAY
def test_a_game_that_answers_nothing_is_killed(crash_points: Sweep, down_seconds: float) -> None:
    report = crash_points(
        Scene(
            recipes="recipes/hang_watchdog.py",
            seconds=800,
            happens=[(1, "hang")],
            stats_seconds=7,
        ),
        down_seconds=down_seconds,
    )

    assert report.unharmed.outcome.ends == ("'revive' done", "'hang watchdog' done")


@AWAY
def test_a_quiet_game_is_never_killed(crash_points: Sweep, down_seconds: float) -> None:
    """It is asked, and killed if it does not answer: a question that got lost is no silence."""
    report = crash_points(
        Scene(
            recipes="recipes/hang_watchdog.py",
            seconds=700,
            happens=[(3, "say hello")],
            stats_seconds=7,
        ),
        down_seconds=down_seconds,
    )

    assert not any("kill" in deed for one in report.outcomes for deed in one.deeds)


@AWAY
def test_a_stop_that_hangs_is_ended(crash_points: Sweep, down_seconds: float) -> None:
    report = crash_points(
        Scene(
            recipes="recipes/hang_watchdog.py",
            seconds=420,
            happens=[(1, "hang"), (2, "stop")],
            stats_seconds=7,
        ),
        down_seconds=down_seconds,
    )

    assert report.unharmed.outcome.statuses == ("Arena is offline",)


class SleepyGame(ScriptedGame):
    """A game that comes up only when it is started for the second time."""

    has_slept = False

    def start(self, at: float) -> list[GameEvent]:
        """Start, and at first get no further."""
        if self.has_slept:
            return super().start(at)
        self.has_slept = True
        self.resume(is_ready=False)
        return []


@AWAY
def test_a_start_that_hangs_is_tried_once_more(crash_points: Sweep, down_seconds: float) -> None:
    report = crash_points(
        Scene(
            recipes="recipes/hang_watchdog.py",
            seconds=720,
            online=False,
            happens=[(1, "start")],
            game=SleepyGame(),
            stats_seconds=7,
        ),
        down_seconds=down_seconds,
    )

    assert report.unharmed.outcome.ends == ("'revive' done", "'stuck while starting' done")
    assert report.unharmed.outcome.statuses == ("Arena is running",)


@AWAY
def test_an_empty_server_is_stopped_once(crash_points: Sweep, down_seconds: float) -> None:
    """Who has not seen Bob leave looks ten minutes later, and is done by the end all the same."""
    report = crash_points(
        Scene(
            recipes="recipes/stop_when_empty.py",
            seconds=2460,
            happens=[(1, "join Bob"), (3, "leave Bob")],
            stats_seconds=60,
        ),
        down_seconds=down_seconds,
    )

    stops = [sum("set state stop" in deed for deed in one.deeds) for one in report.outcomes]
    assert set(stops) == {1}


@AWAY
def test_a_crash_is_reported(crash_points: Sweep, down_seconds: float) -> None:
    """The exit code is lost with an automate that had just heard it, and that is allowed for."""
    report = crash_points(
        Scene(recipes="recipes/crash_report.py", seconds=60, happens=[(3, "crash 3")]),
        down_seconds=down_seconds,
    )

    told = [sum("it said last" in deed for deed in one.deeds) for one in report.outcomes]
    assert told.count(0) == 1  # killed before the fall was written down
    assert max(told) == 2  # in doubt
    assert "crashed (exit code 3)" in report.unharmed.outcome.deeds[0]


class LeakingGame(ScriptedGame):
    """A game that uses nearly all of the memory from the command ``leak`` on."""

    is_leaking = False

    def start(self, at: float) -> list[GameEvent]:
        """Start anew, with all of the memory."""
        self.is_leaking = False
        return super().start(at)

    def write(self, text: str, at: float) -> list[GameEvent]:
        """Take a command."""
        self.is_leaking = self.is_leaking or text == "leak"
        return super().write(text, at)

    def measure(self, at: float) -> Usage:
        """Return what it uses."""
        used = super().measure(at)
        return evolve(used, memory_bytes=146_000_000) if self.is_leaking else used


@AWAY
def test_a_leak_leads_to_one_restart(crash_points: Sweep, down_seconds: float) -> None:
    report = crash_points(
        Scene(
            recipes="recipes/memory_guard.py",
            seconds=230,
            happens=[(3, "leak")],
            game=LeakingGame(),
            stats_seconds=5,
        ),
        down_seconds=down_seconds,
    )

    restarts = [sum("set state restart" in deed for deed in one.deeds) for one in report.outcomes]
    assert set(restarts) == {1}
    assert report.unharmed.outcome.ends == ("'memory warning' done", "'memory guard' done")

"""The backup before the stop: everything in order, and saving on again whatever happens."""

from datetime import UTC, datetime
from typing import Any

import pytest

from automate.recording.format import Entry
from tests.engine import tapes
from tests.engine.tapes import acts, backup_ended, call, line, play, stats, status
from tests.recipes.shipped import acts as recorded_acts
from tests.recipes.shipped import rehearsed, shipped

RECIPE = shipped("backup before stop")
NAME = RECIPE.name
WARN = "send command say The server is backed up now and then stops: find a safe place"
SAVED = "[18:49:30] [Server thread/INFO]: Saved the game"


# ---------------------------------------------------------------- the night it was recorded


@pytest.mark.parametrize("seconds", [2.3, 3.0, 4.0])
def test_asked_for_in_time_it_goes_as_it_went_that_night(seconds: float) -> None:
    night = rehearsed(RECIPE, "backup-before-stop", asks=[(NAME, seconds)])

    assert acts(night) == [
        (seconds, WARN),
        (seconds, "send command save-off"),
        (seconds, "send command save-all"),
        (5.0788, "backup before stop"),
        (5.1036, "send command save-on"),
        (5.1036, "set state stop"),
    ]
    assert [(at, one.what) for at, one in night.trace if one.what in ("done", "failed")] == [
        (6.6568, "done")
    ]


def test_asked_for_after_the_save_it_waits_in_vain_and_nothing_is_confirmed() -> None:
    night = rehearsed(RECIPE, "backup-before-stop", asks=[(NAME, 5.2)])

    assert acts(night) == [
        (5.2, WARN),
        (5.2, "send command save-off"),
        (5.2, "send command save-all"),
        # The end of the tape.
        (7.6657, "backup before stop?"),
        (7.6657, "send command save-on"),
    ]


def test_it_comes_by_itself_at_half_past_four() -> None:
    night = rehearsed(
        RECIPE, "backup-before-stop", start_at=datetime(2026, 11, 24, 4, 29, 57, tzinfo=UTC)
    )

    assert [(act.at, *act.action) for act in recorded_acts(night)] == [
        (3.0, "send command"),
        (3.0, "send command"),
        (3.0, "send command"),
        (5.0788, "backup"),
        (5.1036, "send command"),
        (5.1036, "set state"),
    ]


@pytest.mark.parametrize("name", ["backup-before-stop", "crash-twice", "auth-errors"])
def test_a_server_that_does_not_run_is_left_alone(name: str) -> None:
    night = rehearsed(RECIPE, name, asks=[(NAME, 0.5)])

    assert (acts(night), [one.what for _, one in night.trace]) == ([], ["held back"])


# ---------------------------------------------------------------- nights on which things go wrong


def made(t: float, **attributes: Any) -> Entry:
    response = {"attributes": {"uuid": "b1", "completed_at": None, **attributes}}
    return call(t, "POST", "/backups", response=response)


def night(*entries: Entry, end: float = 400.0) -> list[tuple[float, str]]:
    """Return what is done when it is asked for at 1.0, after the first three commands."""
    tape = [tapes.opened(0.0), status(0.0, "running"), *entries, stats(end, "running")]
    done = acts(play(RECIPE, *tape, asks=[(NAME, 1.0)]))
    assert done[:3] == [
        (1.0, WARN),
        (1.0, "send command save-off"),
        (1.0, "send command save-all"),
    ]
    return done[3:]


def test_when_all_is_well() -> None:
    heard = [
        line(2.0, SAVED),
        made(3.0),
        backup_ended(9.0, "b1"),
        status(9.1, "stopping"),
        status(12.0, "offline"),
    ]

    assert night(*heard) == [
        (2.0, "backup before stop"),
        (9.0, "send command save-on"),
        (9.0, "set state stop"),
    ]


@pytest.mark.parametrize(
    ("entries", "at", "why"),
    [
        ([made(3.0), backup_ended(9.0, "b1", well=False)], 9.0, "the backup failed"),
        ([backup_ended(2.9, "b1", well=False), made(3.0)], 3.0, "the backup failed"),
        ([made(3.0, completed_at="now", is_successful=False)], 3.0, "the backup failed"),
        (
            [
                call(
                    3.0,
                    "POST",
                    "/backups",
                    status=429,
                    response={
                        "errors": [
                            {
                                "detail": "Only 2 backups may be generated within a 600 second "
                                "span of time."
                            }
                        ]
                    },
                )
            ],
            3.0,
            "the panel answered 429: Only 2 backups may be generated within a 600 second span of "
            "time.",
        ),
    ],
    ids=["by the daemon", "before the panel's answer", "by the panel", "refused"],
)
def test_without_a_backup_the_server_keeps_running_with_saving_on(
    entries: list[Entry], at: float, why: str
) -> None:
    assert night(line(2.0, SAVED), *entries) == [
        (2.0, "backup before stop"),
        (at, "send command save-on"),
        (at, f"notify arena: no backup, so it was not stopped: {why}"),
    ]


@pytest.mark.parametrize(
    "text",
    [
        "[18:49:30] [Server thread/INFO]: <Bob> Saved the game",
        "<Bob> Saved the game",
        "[18:49:30] [Server thread/INFO]: [Server] Saved the game",
        "[18:49:30] [Server thread/INFO]: * Bob : Saved the game",
        "[18:49:30] [Server thread/INFO]: <Bob> [18:49:30] [Server thread/INFO]: Saved the game",
        "[18:49:30] [Server thread/INFO]: Saved the game, says Bob",
        "save-all",
        "Saved the game",
    ],
)
def test_what_a_player_says_is_no_save(text: str) -> None:
    """Nothing else is on the tape, so after 120 s it goes on, as if it were done."""
    assert night(line(2.0, text))[0] == (121.0, "backup before stop?")


@pytest.mark.parametrize(
    "text",
    [SAVED, "[18:49:30 INFO]: Saved the game", f"\x1b[32m{SAVED}\x1b[0m", f"> \r{SAVED}\r"],
    ids=["vanilla", "paper", "in colour", "after a prompt"],
)
def test_the_servers_own_words_are(text: str) -> None:
    assert night(line(2.0, text))[0] == (2.0, "backup before stop?")


def test_a_crash_in_between_leaves_saving_on() -> None:
    heard = [line(2.0, SAVED), made(3.0), status(4.0, "offline"), backup_ended(9.0, "b1")]

    assert night(*heard) == [(2.0, "backup before stop"), (9.0, "send command save-on")]


def test_a_crash_before_the_save_leaves_saving_on() -> None:
    done = night(status(4.0, "offline"))

    assert (121.0, "backup before stop?") in done
    assert [words for _, words in done].count("send command save-on") == 1


def test_a_lost_connection_leaves_saving_on() -> None:
    heard = [
        line(2.0, SAVED),
        made(3.0),
        tapes.closed(4.0),
        tapes.opened(100.0),
        status(100.0, "running"),
    ]

    # What the daemon said meanwhile was not heard, and no answer of the panel's is on the tape.
    assert night(*heard) == [
        (2.0, "backup before stop?"),
        (400.0, "send command save-on"),
        (400.0, "set state stop?"),
    ]


@pytest.mark.parametrize("end", [1.0, 1.5, 2.0, 2.5, 3.0, 9.0])
def test_wherever_the_tape_ends_saving_is_on_afterwards(end: float) -> None:
    tape = [line(2.0, SAVED), made(3.0), backup_ended(8.0, "b1")]

    done = night(*(entry for entry in tape if entry.t <= end), end=end)

    assert [words for _, words in done].count("send command save-on") == 1
    assert [words for _, words in done][-1] in ("set state stop?", "set state stop")


def test_asked_for_twice_it_runs_once() -> None:
    twice = rehearsed(RECIPE, "backup-before-stop", asks=[(NAME, 2.3), (NAME, 3.0)])

    assert len(twice.acts) == 6
    assert [(at, one.detail) for at, one in twice.trace if one.what == "held back"] == [
        (3.0, "it is still running")
    ]

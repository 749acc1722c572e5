"""The backup before the stop: everything in order, and saving on again whatever happens."""

from typing import Final

import pytest

from automate.testing import Script, Timeline, rehearse

RECIPE: Final = "recipes/backup_before_stop.py"
NAME: Final = "backup before stop"
WARN: Final = "say The server is backed up now and then stops: find a safe place"
SAVED: Final = "[…]: Saved the game"


# ---------------------------------------------------------------- the night it was recorded


@pytest.mark.parametrize("seconds", [2.3, 3.0, 4.0])
def test_asked_for_in_time_it_goes_as_it_went_that_night(seconds: float) -> None:
    night = Timeline(rehearse(RECIPE, "backup-before-stop", asks=[(NAME, seconds)]))

    assert night.acts == [
        (seconds, f"send command {WARN}"),
        (seconds, "send command save-off"),
        (seconds, "send command save-all"),
        (5.0788, "backup before stop"),
        (5.1036, "send command save-on"),
        (5.1036, "set state stop"),
    ]
    night.done(NAME).once().at(6.6568)
    night.failed().never()


def test_asked_for_after_the_save_it_waits_in_vain_and_nothing_is_confirmed() -> None:
    night = rehearse(RECIPE, "backup-before-stop", asks=[(NAME, 5.2)])

    assert Timeline(night).acts == [
        (5.2, f"send command {WARN}"),
        (5.2, "send command save-off"),
        (5.2, "send command save-all"),
        # The end of the tape.
        (7.6657, "backup before stop (unconfirmed)"),
        (7.6657, "send command save-on"),
    ]


def test_it_comes_by_itself_at_half_past_four() -> None:
    night = rehearse(RECIPE, "backup-before-stop", start_at="2026-11-24T04:29:57")

    assert Timeline(night).acts == [
        (3.0, f"send command {WARN}"),
        (3.0, "send command save-off"),
        (3.0, "send command save-all"),
        (5.0788, "backup before stop"),
        (5.1036, "send command save-on"),
        (5.1036, "set state stop"),
    ]


@pytest.mark.parametrize("name", ["backup-before-stop", "crash-twice", "auth-errors"])
def test_a_server_that_does_not_run_is_left_alone(name: str) -> None:
    night = Timeline(rehearse(RECIPE, name, asks=[(NAME, 0.5)]))

    night.nothing()
    night.held_back(NAME).once().at(0.5)
    night.triggered().never()


def test_asked_for_twice_it_runs_once() -> None:
    asks = [(NAME, 2.3), (NAME, 3.0)]
    night = Timeline(rehearse(RECIPE, "backup-before-stop", asks=asks))

    night.held_back(NAME, containing="it is still running").once().at(3)
    night.triggered(NAME).once()
    assert len(night.acts) == 6


# ---------------------------------------------------------------- nights on which things go wrong

# It is asked for a second after midnight; saving takes another.
ARENA: Final = Script("arena").online()
SAVES: Final = ARENA.until(2).says(SAVED)
BEGINS: Final = SAVES.until(3).backup_begins("before stop")


def after_the_save_began(evening: Script) -> list[tuple[float, str]]:
    """Return what is done when it is asked for at 1.0, after the first three commands."""
    acts = Timeline(rehearse(RECIPE, evening, asks=[(NAME, 1.0)])).acts
    assert acts[:3] == [
        (1.0, f"send command {WARN}"),
        (1.0, "send command save-off"),
        (1.0, "send command save-all"),
    ]
    return acts[3:]


def test_when_all_is_well() -> None:
    evening = BEGINS.until(9).backup_ends().stop(asked=False).until(400)

    assert after_the_save_began(evening) == [
        (2.0, "backup before stop"),
        (9.0, "send command save-on"),
        (9.0, "set state stop"),
    ]


ANSWERED_AS_FAILED: Final = {
    "object": "backup",
    "attributes": {"uuid": "b1", "completed_at": "2026-11-23T18:00:03Z", "is_successful": False},
}
TOO_MANY: Final = "Only 2 backups may be generated within a 600 second span of time."
FULL: Final = "Cannot create a new backup, this server has reached its limit of 3 backups."
FAILED: Final = "the backup failed"


@pytest.mark.parametrize(
    ("evening", "at", "why"),
    [
        (BEGINS.until(9).backup_ends(successful=False), 9.0, FAILED),
        (SAVES.until(3).backup(successful=False, overtakes=True), 3.0038, FAILED),
        (SAVES.until(3).panel_says("POST", "/backups", response=ANSWERED_AS_FAILED), 3.0, FAILED),
        (
            SAVES.until(3).panel_says("POST", "/backups", status=429, detail=TOO_MANY),
            3.0,
            f"the panel answered 429: {TOO_MANY}",
        ),
        (
            SAVES.until(3).panel_says("POST", "/backups", status=400, detail=FULL),
            3.0,
            f"the panel answered 400: {FULL}",
        ),
    ],
    ids=["by the daemon", "before the panel's answer", "by the panel", "too many", "full"],
)
def test_without_a_backup_the_server_keeps_running_with_saving_on(
    evening: Script, at: float, why: str
) -> None:
    assert after_the_save_began(evening.until(400)) == [
        (2.0, "backup before stop"),
        (at, "send command save-on"),
        (at, f"notify arena: no backup, so it was not stopped: {why}"),
    ]


@pytest.mark.parametrize(
    "text",
    [
        "[…]: <Bob> Saved the game",
        "<Bob> Saved the game",
        "[…]: [Server] Saved the game",
        "[…]: * Bob : Saved the game",
        "[…]: <Bob> [18:49:30] [Server thread/INFO]: Saved the game",
        "[…]: Saved the game, says Bob",
        "save-all",
        "Saved the game",
    ],
)
def test_what_a_player_says_is_no_save(text: str) -> None:
    """Nothing else is on the tape, so after 120 s it goes on, as if it were done."""
    evening = ARENA.until(2).says(text).until(400)

    assert after_the_save_began(evening)[0] == (121.0, "backup before stop (unconfirmed)")


LINE: Final = "[18:49:30] [Server thread/INFO]: Saved the game"


@pytest.mark.parametrize(
    "text",
    [
        SAVED,
        "[18:49:30 INFO]: Saved the game",
        f"\x1b[32m{LINE}\x1b[0m",
        f"> \r{LINE}\r",
    ],
    ids=["vanilla", "paper", "in colour", "after a prompt"],
)
def test_the_servers_own_words_are(text: str) -> None:
    evening = ARENA.until(2).says(text).until(400)

    assert after_the_save_began(evening)[0] == (2.0, "backup before stop (unconfirmed)")


def test_a_crash_in_between_leaves_saving_on() -> None:
    """And nothing is stopped that is not running."""
    evening = BEGINS.until(4).crash(gives_up=True).until(9).backup_ends().until(400)

    assert after_the_save_began(evening) == [
        (2.0, "backup before stop"),
        (9.0, "send command save-on"),
    ]


def test_a_crash_before_the_save_leaves_saving_on() -> None:
    evening = ARENA.until(4).crash(gives_up=True).until(400)

    acts = after_the_save_began(evening)

    assert (121.0, "backup before stop (unconfirmed)") in acts
    assert [words for _, words in acts].count("send command save-on") == 1


def test_a_lost_connection_leaves_saving_on() -> None:
    evening = BEGINS.until(4).lost().until(100).back().until(400)

    # What the daemon said meanwhile was not heard, and no answer of the panel's is on the tape.
    assert after_the_save_began(evening) == [
        (2.0, "backup before stop (unconfirmed)"),
        (400.0, "send command save-on"),
        (400.0, "set state stop (unconfirmed)"),
    ]


@pytest.mark.parametrize(
    "evening",
    [
        ARENA.until(1),
        ARENA.until(1.5),
        SAVES,
        SAVES.until(2.5),
        BEGINS,
        BEGINS.until(8).backup_ends(),
        BEGINS.until(8).backup_ends().until(9),
    ],
    ids=lambda evening: f"{evening.seconds:g} s",
)
def test_wherever_the_tape_ends_saving_is_on_afterwards(evening: Script) -> None:
    words = [words for _, words in after_the_save_began(evening)]

    assert words.count("send command save-on") == 1
    assert words[-1] == "set state stop (unconfirmed)"

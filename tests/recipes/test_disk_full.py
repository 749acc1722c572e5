"""A full disk: the server is stopped at once, and nobody can bring that about by talking."""

from typing import Final

import pytest

from automate.testing import Script, Timeline, recording_names, rehearse

RECIPE: Final = "recipes/disk_full.py"
FULL: Final = "java.io.IOException: No space left on device"
UP: Final = Script("arena").offline().start().until(10)


def test_at_the_first_word_of_it_the_server_is_stopped() -> None:
    """Twenty seconds earlier Bob wrote the same, in vain."""
    evening = Timeline(rehearse(RECIPE, "recordings/written/disk-full.jsonl"))

    assert evening.acts == [
        (31.4541, f"notify disk-full (written): the disk is full; stopping it: {FULL}"),
        (31.4541, "set state stop"),
        (
            67.4853,
            "notify disk-full (written) is stopped; make room before you start it again",
        ),
    ]


@pytest.mark.parametrize(
    "line",
    [
        FULL,
        "Caused by: java.nio.file.FileSystemException: /home/container/w: No space left on device",
        "java.io.IOException: Disk quota exceeded",
    ],
)
def test_these_are_the_games_own_words(line: str) -> None:
    evening = rehearse(RECIPE, UP.says(line, line).stop(after=1, asked=False))

    Timeline(evening).sent("stop").once().at(10).confirmed()


@pytest.mark.parametrize(
    "line",
    [
        f"[…]: <Bob> {FULL}",
        f"<Bob> {FULL}",
        f"[…]: [Server] {FULL}",
        f"say {FULL}",
        f"{FULL}, says Bob",
        f"[…]: <Bob> hi\r{FULL}",
    ],
)
def test_these_are_not(line: str) -> None:
    evening = rehearse(RECIPE, UP.says(line).wait(10))

    assert (evening.acts, evening.trace) == ((), ())


def test_what_can_not_be_stopped_is_told() -> None:
    """It hangs; in a rehearsal nothing is asked twice, so only the stop is seen."""
    evening = Timeline(rehearse(RECIPE, UP.says(FULL).hang(after=0.1, asked=False).wait(700)))

    evening.sent("stop").once().at(10)
    evening.sent("kill").once().at(130)


@pytest.mark.parametrize("name", recording_names())
def test_no_disk_was_ever_full(name: str) -> None:
    evening = rehearse(RECIPE, name)

    assert (evening.acts, evening.trace) == ((), ())

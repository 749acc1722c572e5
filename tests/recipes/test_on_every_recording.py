"""All shipped recipes on all shipped recordings: what they do is what was accepted."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from automate.testing import AcceptedTranscripts, load_recipes, recording_names, rehearse

WRITTEN = sorted((Path(__file__).parents[2] / "recordings" / "written").glob("*.jsonl"))


def test_the_shipped_recipes_are_these() -> None:
    assert [recipe.name for recipe in load_recipes("recipes")] == [
        "announce the rules",
        "announce the night",
        "backup before stop",
        "start the lobby",
        "crash report",
        "disk full",
        "revive",
        "hang watchdog",
        "stuck while starting",
        "stuck while stopping",
        "memory warning",
        "memory guard",
        "nightly restart",
        "restart on crash",
        "rotate backups",
        "weekly backup",
        "stop when empty",
        "welcome",
    ]


@pytest.mark.parametrize("recording", recording_names())
def test_what_they_do_is_what_was_accepted(
    transcripts: AcceptedTranscripts, recording: str
) -> None:
    """By themselves; and where in the middle it is ten o'clock, and a backup is asked for."""
    evening = rehearse("recipes", recording)
    transcripts.check(evening)

    middle = round(evening.seconds / 2, 1)
    start_at = datetime(2026, 11, 24, 22, 0, tzinfo=UTC) - timedelta(seconds=middle)
    asks = [("backup before stop", middle)]
    busy = rehearse("recipes", recording, asks=asks, start_at=start_at)
    transcripts.check(busy, name="busy")


@pytest.mark.parametrize("path", WRITTEN, ids=lambda path: path.stem)
def test_what_they_do_on_written_evenings_is_what_was_accepted(
    transcripts: AcceptedTranscripts, path: Path
) -> None:
    transcripts.check(rehearse("recipes", path))

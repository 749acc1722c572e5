"""All shipped recipes on all shipped recordings: what they do is what was accepted."""

from datetime import UTC, datetime, timedelta

import pytest

from automate.testing import AcceptedTranscripts, load_recipes, recording_names, rehearse


def test_the_shipped_recipes_are_these() -> None:
    assert [recipe.name for recipe in load_recipes("recipes")] == [
        "announce the rules",
        "announce the night",
        "backup before stop",
        "restart on crash",
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

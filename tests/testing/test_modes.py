"""What each record mode does about a recording that is there, or is not."""

from pathlib import Path

import pytest

from automate.testing.modes import RecordMode, plan
from automate.testing.shelf import Shelf


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    (tmp_path / "there.jsonl").touch()
    (tmp_path / "packed.jsonl.zst").touch()
    return Shelf(tmp_path, root=tmp_path)


@pytest.mark.parametrize(
    ("mode", "missing", "there", "outgrown"),
    [
        ("none", "replay missing.jsonl", "replay there.jsonl", "replay there.jsonl"),
        ("once", "record missing.jsonl", "replay there.jsonl", "replay there.jsonl"),
        ("new", "record missing.jsonl", "replay there.jsonl", "record there.jsonl"),
        ("all", "record missing.jsonl", "record there-2.jsonl", "record there-2.jsonl"),
        ("rewrite", "record missing.jsonl", "record there.jsonl", "record there.jsonl"),
    ],
)
def test_the_modes(mode: str, missing: str, there: str, outgrown: str, shelf: Shelf) -> None:
    def decided(name: str, *, is_outgrown: bool = False) -> str:
        made = plan(name, mode=RecordMode(mode), shelf=shelf, is_outgrown=is_outgrown)
        return f"{'record' if made.is_live else 'replay'} {made.path.name}"

    assert (decided("missing"), decided("there"), decided("there", is_outgrown=True)) == (
        missing,
        there,
        outgrown,
    )


def test_more_sittings_are_numbered(shelf: Shelf) -> None:
    (shelf.folder / "there-2.jsonl.zst").touch()

    made = plan("there", mode=RecordMode.ALL, shelf=shelf, is_outgrown=False)

    assert (made.path.name, made.draft.name) == ("there-3.jsonl", ".there-3.jsonl.draft")


def test_a_compressed_recording_is_replayed(shelf: Shelf) -> None:
    made = plan("packed", mode=RecordMode.NONE, shelf=shelf, is_outgrown=False)

    assert made.path.name == "packed.jsonl.zst"

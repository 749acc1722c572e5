"""Accepted transcripts: files that a person has looked at, held to what is now."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from automate.testing import AcceptedTranscripts, rehearse
from automate.testing.accepted import file_name


def accepted(folder: Path, *, update: bool = False) -> AcceptedTranscripts:
    return AcceptedTranscripts(folder, "test_it", update=update)


def test_what_was_accepted_holds(tmp_path: Path, root: Path, recordings: Path) -> None:
    restart = root / "recipes" / "restart_on_crash.py"
    transcript = rehearse(restart, recordings / "crash-undetected.jsonl")
    first = accepted(tmp_path / "deep", update=True)
    first.check(transcript)
    first.check(["a", "b"])
    first.check(["c"], name="the third")

    second = accepted(tmp_path / "deep")
    second.check(transcript)
    second.check(["a\nb"])
    second.check(["c"], name="the third")

    names = ["test_it.txt", "test_it-2.txt", f"test_it-{file_name('the third')}.txt"]
    assert [path.name for path in first.written] == names
    assert second.used == first.used
    assert first.used[0].read_text() == (
        "crash-undetected (7.3 s)\n"
        "    14.2632  restart on crash: notify crash-undetected crashed; "
        "starting it again (attempt 1)\n"
        "    14.2632  restart on crash: set state start (unconfirmed)\n"
    )


def test_a_difference_is_shown_as_one(tmp_path: Path) -> None:
    lines = [f"line {number}" for number in range(9)]
    accepted(tmp_path, update=True).check(lines)

    with pytest.raises(AssertionError) as failure:
        accepted(tmp_path).check([*lines[:5], "-- another", *lines[6:]])

    title, _, *rows = str(failure.value).splitlines()
    assert title.startswith(f"the transcript differs from the accepted one in {tmp_path}")
    assert "pytest --update-transcripts" in title
    assert rows == [
        " line 2",
        " line 3",
        " line 4",
        "-line 5",
        "+-- another",
        " line 6",
        " line 7",
        " line 8",
    ]


def test_the_first_time_it_is_shown_and_not_accepted(tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match=r"(?s)no transcript has been accepted.*\n\nhello"):
        accepted(tmp_path).check(["hello"])

    assert list(tmp_path.iterdir()) == []


def test_what_is_the_same_is_not_written_again(tmp_path: Path) -> None:
    accepted(tmp_path, update=True).check(["same"])
    again = accepted(tmp_path, update=True)
    again.check(["same"])

    assert (again.written, len(again.used)) == ([], 1)


@given(st.lists(st.text(min_size=1), unique_by=lambda name: file_name(name).lower(), max_size=5))
def test_a_name_is_one_that_every_system_takes(names: list[str]) -> None:
    for name in names:
        stem = file_name(name)
        assert stem
        assert not set(stem) & set('<>:"/\\|?*\0')
        assert stem.partition(".")[0].lower() not in ("con", "nul", "aux", "prn", "com1")


def test_names_that_look_alike_stay_apart() -> None:
    tests = ["test_x", "test_x[a/b]", "test_x[a:b]", "test_x[a-b]", "nul", "NUL"]

    assert len({file_name(test).lower() for test in tests}) >= 5
    assert file_name("test_x[crash-twice]") == "test_x-crash-twice"

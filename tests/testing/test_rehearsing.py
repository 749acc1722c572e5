"""Recipes and recordings by name, path or value: the same rehearsal, in one line."""

import shutil
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from automate import At, Crashed, Notify, Recipe, Start
from automate.engine.rehearsal import Ask
from automate.errors import RecipeError, UsageError
from automate.testing import Script, find_recording, load_recording, rehearse
from automate.testing.shelf import Shelf, using

TELL = Recipe("tell", when=Crashed(), then=Notify("{server} fell"))
START = Recipe("start", when=Crashed(), then=Start())
FALL = Script("fall", crash_detection=False).online().crash(after=5).wait(10)


@pytest.fixture
def project(
    tmp_path: Path, recordings: Path, root: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Path]:
    """A project of somebody's own, in which we are somewhere below."""
    folder = tmp_path / "project"
    (folder / "recordings").mkdir(parents=True)
    (folder / "tests").mkdir()
    shutil.copy(recordings / "crash-undetected.jsonl", folder / "recordings")
    (folder / "recipes").mkdir()
    for name in ("announcements", "backup_before_stop", "restart_on_crash"):
        shutil.copy(root / "recipes" / f"{name}.py", folder / "recipes")
    monkeypatch.chdir(folder / "tests")
    with using(None):
        yield folder


def test_however_it_is_named_it_is_the_same_rehearsal(project: Path) -> None:
    file = project / "recipes" / "restart_on_crash.py"
    path = project / "recordings" / "crash-undetected.jsonl"

    transcripts = [
        rehearse(file, "crash-undetected"),
        rehearse([str(file)], path),
        rehearse(file, str(path)),
        rehearse(file, load_recording("crash-undetected")),
    ]

    assert [round(one.at, 4) for one in transcripts[0].acts] == [14.2632, 14.2632]
    assert transcripts == transcripts[:1] * 4


def test_recipes_come_from_anywhere(project: Path) -> None:
    acts = rehearse([START, TELL, project / "recipes"], FALL, asks=["tell@1.5"]).acts

    assert [(round(one.at, 1), one.recipe) for one in acts if one.at < 7] == [
        (1.5, "tell"),
        (6.0, "start"),
        (6.0, "tell"),
    ]


def test_the_clock_and_the_time_after_the_end_can_be_set() -> None:
    night = Recipe("night", when=At("04:30"), then=Notify("it is time"))

    for start_at in ("2026-11-24T04:29:50", datetime(2026, 11, 24, 4, 29, 50, tzinfo=UTC)):
        (told,) = rehearse(night, FALL, start_at=start_at).acts
        assert told.at == 10.0
    assert rehearse(night, FALL).acts == ()


def test_a_request_is_a_value_or_words() -> None:
    asked = [rehearse(TELL, FALL, asks=[one]) for one in (Ask("tell", 2), ("tell", 2), "tell@2")]

    assert [round(act.at, 4) for act in asked[0].acts] == [2, 6.0026]
    assert asked == asked[:1] * 3


@pytest.mark.parametrize("wish", ["tell", "@3", "tell@", "tell@soon", "tell@-1", "tell@inf"])
def test_another_request_is_refused(wish: str) -> None:
    with pytest.raises(UsageError, match=r"asks: expected NAME@SECONDS .*found"):
        rehearse(TELL, FALL, asks=[wish])


def test_what_is_not_there_is_named(project: Path) -> None:
    with pytest.raises(UsageError, match=r"called 'crash-undetectd' .*did you mean 'crash-und"):
        rehearse(TELL, "crash-undetectd")
    with pytest.raises(UsageError, match=r"called 'x' .*; there are: crash-undetected"):
        find_recording("x")
    with pytest.raises(RecipeError, match="no such file"):
        rehearse("recipes/none.py", FALL)
    with pytest.raises(UsageError, match="at least one recipe"):
        rehearse([], FALL)
    with pytest.raises(UsageError, match="two recipes are called 'tell'"):
        rehearse([TELL, TELL], FALL)
    with pytest.raises(UsageError, match="start_at: expected a moment"):
        rehearse(TELL, FALL, start_at="tomorrow")


def test_a_shelf_says_where_names_are_found_and_what_was_used(project: Path) -> None:
    shelf = Shelf(project / "recordings", root=project)
    outside = Path(project.anchor)

    with pytest.MonkeyPatch.context() as patch, using(shelf):
        patch.chdir(outside)
        by_name = find_recording("crash-undetected")
        by_path = find_recording("recordings/crash-undetected.jsonl")
        acts = rehearse("recipes/restart_on_crash.py", "crash-undetected").acts

    assert by_name == by_path == project / "recordings" / "crash-undetected.jsonl"
    assert (shelf.used, len(acts)) == ({by_name.resolve()}, 2)

"""What comes with the package is found, from a checkout and from an unpacked wheel."""

import json
import shutil
from pathlib import Path

import pytest

from automate import shipped
from automate.errors import UsageError


def test_the_demo_finds_its_recipe_and_its_recording() -> None:
    recipe = shipped.recipe("restart_on_crash")
    recording = shipped.recording("crash-recovered")

    header = json.loads(recording.read_text(encoding="utf-8").splitlines()[0])
    assert (recipe.name, header["title"]) == ("restart_on_crash.py", "crash-recovered")


def test_a_file_name_will_do() -> None:
    assert shipped.recording("crash-recovered.jsonl") == shipped.recording("crash-recovered")


@pytest.mark.parametrize("name", ["", "nope", "../pyproject", "/etc/passwd", "recipes/*"])
def test_another_name_is_refused_with_those_there_are(name: str) -> None:
    with pytest.raises(UsageError, match=r"shipped recipe, found .*restart_on_crash"):
        shipped.recipe(name)


def test_a_wheel_carries_its_own(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The copies that pyproject.toml puts into the package come before any folder beside it."""
    carried = tmp_path / "automate" / "_shipped" / "recordings"
    carried.mkdir(parents=True)
    shutil.copy(root / "recordings" / "crash-recovered.jsonl", carried)
    monkeypatch.setattr(shipped, "_PACKAGE", tmp_path / "automate")

    with pytest.raises(UsageError) as refused:
        shipped.recording("lifecycle")

    assert shipped.recording("crash-recovered").parent == carried
    assert str(refused.value) == (
        "expected the name of a shipped recording, found 'lifecycle'; there is crash-recovered"
    )

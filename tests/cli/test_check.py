"""`automate check`: recipes in words, all that is wrong with them, and lines that fit."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from automate.cli.main import main

HEAD = "from automate import *\n"


@pytest.fixture(autouse=True)
def forget_modules() -> Iterator[None]:
    """Forget the folders that recipes were loaded from, and what was imported from them."""
    path = list(sys.path)
    yield
    sys.path[:] = path
    sys.modules.pop("helpers_to_check", None)


def checked(capsys: pytest.CaptureFixture[str], *paths: Path) -> tuple[int, str, str]:
    code = main(["check", *map(str, paths)])
    return (code, *capsys.readouterr())


def written(folder: Path, text: str, name: str = "night.py") -> Path:
    path = folder / name
    path.write_text(HEAD + text, encoding="utf-8")
    return path


def test_each_recipe_is_a_paragraph_under_its_name(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = written(
        tmp_path,
        'a = Recipe("up", when=Crashed(), then=Start())\n'
        'b = Recipe("down", when=At("04:30"), then=Stop())\n',
    )

    assert checked(capsys, path) == (
        0,
        "up\n  When the server crashed: start the server.\n\n"
        "down\n  Each day at 04:30 (UTC): stop the server.\n",
        "",
    )


@pytest.mark.parametrize(("columns", "longest"), [("40", 40), ("80", 80), ("300", 100), ("5", 24)])
def test_the_lines_fit_the_terminal_and_are_never_too_long_to_read(
    columns: str,
    longest: int,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    words = "be kind to each other " * 20
    path = written(tmp_path, f'a = Recipe("a", when=Asked(), then=Notify("{words}"))\n')

    _, out, _ = checked(capsys, path)

    assert longest - 8 < max(map(len, out.splitlines())) <= longest
    assert all(line.startswith("  ") for line in out.splitlines()[1:])


def test_a_pattern_stays_in_one_piece_and_control_characters_do_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pattern = "^" + "x?" * 60
    path = written(
        tmp_path,
        f'a = Recipe("a", when=ConsoleLine("{pattern}"), then=Notify("\\x1b[2Jgone\\x07"))\n',
    )

    _, out, _ = checked(capsys, path)

    assert f"/{pattern}/:" in out
    assert 'tell the admin "gone".' in out
    assert "\x1b" not in out


def test_what_is_wrong_is_told_after_what_is_right(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    good = written(tmp_path, 'a = Recipe("a", when=Asked(), then=RunRecipe("b"))\n', "a.py")
    vain = written(
        tmp_path,
        'c = Recipe("c", when=Silent(for_seconds=9), only_if=ServerIs("offline"), then=Start())\n',
        "c.py",
    )

    code, out, err = checked(capsys, good, vain)
    assert (code, out.splitlines()[0], len(err.splitlines())) == (2, "a", 1)
    assert err.startswith(f"automate: {vain}: the recipe 'c': only_if: when it runs, but says")

    # One is mended; now it shows that the other one's is not there.
    vain.write_text(HEAD + 'c = Recipe("c", when=Asked(), then=Start())\n', encoding="utf-8")
    code, out, err = checked(capsys, tmp_path)
    assert (code, out.splitlines()[0], out.splitlines()[3]) == (2, "a", "c")
    assert err == (
        f"automate: {good}: the recipe 'a': RunRecipe: no recipe is called 'b'; load the file that "
        "it is in, too\n"
    )


# ---------------------------------------------------------------- functions


CALLS = 'a = Recipe("a", when=Asked(), then=Block([Call("{name}")], always=[Call("{name}")]))\n'


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("nowhere_at_all.f", "there is no module 'nowhere_at_all'; put it beside the recipe file"),
        ("helpers_to_check.g", "the module 'helpers_to_check' has no function called 'g'"),
        ("helpers_to_check.number", "has something, but no function, called 'number'"),
        ("helpers_to_check.two", "expected a function of one value, an automate.Context"),
    ],
)
def test_a_function_that_can_not_be_called_is_told_once(
    name: str, told: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    helpers = "number = 1\ndef f(context): raise SystemExit\ndef two(a, b): ...\n"
    (tmp_path / "helpers_to_check.py").write_text(helpers, encoding="utf-8")
    path = written(tmp_path, CALLS.format(name=name))

    code, out, err = checked(capsys, path)

    assert (code, out.splitlines()[0], len(err.splitlines())) == (2, "a", 1)
    assert err.startswith(f"automate: {path}: the recipe 'a' calls {name}: ")
    assert told in err


def test_one_that_can_is_not_called(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    helpers = "def f(context): raise SystemExit\n"
    (tmp_path / "helpers_to_check.py").write_text(helpers, encoding="utf-8")
    path = written(tmp_path, CALLS.format(name="helpers_to_check.f"))

    code, _, err = checked(capsys, path)

    assert (code, err) == (0, "")

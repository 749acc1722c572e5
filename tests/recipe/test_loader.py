"""Recipe files and what beginners get wrong in them: one line, the place, and what to do."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from automate.errors import RecipeError
from automate.recipe.loader import Loaded, load, load_all, load_file

GOOD = """\
from automate import Crashed, Recipe, Start

{name} = Recipe("{name}", when=Crashed(), then=Start())
"""
HEAD = "from automate import *\n"


@pytest.fixture(autouse=True)
def path_of_modules() -> Iterator[None]:
    """Forget the folders that recipes were loaded from."""
    before = list(sys.path)
    yield
    sys.path[:] = before


def file(folder: Path, text: str | bytes, name: str = "night.py") -> Path:
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def names(found: list[Loaded]) -> list[str]:
    return [one.recipe.name for one in found]


# ---------------------------------------------------------------- what is found


def test_recipes_are_found_by_name_and_in_lists_each_once(tmp_path: Path) -> None:
    path = file(
        tmp_path,
        HEAD
        + "def make(name): return Recipe(name, when=Crashed(), then=Start())\n"
        + 'b = make("b")\nmore = [make("a"), make("c"), b]\nagain = b\n_d = make("d")\n',
    )

    assert load_file(path) == [Loaded(one.recipe, path) for one in load_file(path)]
    assert names(load_file(path)) == ["b", "a", "c", "d"]


def test_a_folder_is_its_files_by_name(tmp_path: Path) -> None:
    for name in ("b", "a", "_helper", "c"):
        file(tmp_path, GOOD.format(name=name), f"{name}.py")
    (tmp_path / "old.py").mkdir()
    file(tmp_path, "not Python", "readme.txt")

    assert names(load([tmp_path])) == ["a", "b", "c"]


def test_files_come_in_the_order_in_which_they_are_named_and_once(tmp_path: Path) -> None:
    b, a = (file(tmp_path, GOOD.format(name=name), f"{name}.py") for name in ("b", "a"))

    assert names(load([b, a, b, tmp_path])) == ["b", "a"]


def test_a_file_can_import_what_lies_beside_it(tmp_path: Path) -> None:
    file(tmp_path, "GREETING = 'hello'\n", "_greetings_for_a_test.py")
    path = file(
        tmp_path,
        HEAD + "from _greetings_for_a_test import GREETING\n"
        "x = Recipe('x', when=Crashed(), then=Announce(GREETING))\n",
    )

    assert names(load([path])) == ["x"]


def test_a_file_named_like_one_of_pythons_own_hides_nothing(tmp_path: Path) -> None:
    load([file(tmp_path, GOOD.format(name="x"), "calendar.py")])

    assert sys.path[-1] == str(tmp_path.resolve())


def test_what_a_file_prints_does_not_mix_with_the_commands_own_output(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    load([file(tmp_path, "print('hello')\n" + GOOD.format(name="x"))])

    assert capsys.readouterr() == ("", "hello\n")


# ---------------------------------------------------------------- what is wrong

RECIPE = HEAD + "x = Recipe('x', when={when}, then={then})\n"
MISTAKES: dict[str, tuple[str | bytes, str]] = {
    "an empty file": ("", ": no recipe in it; expected something like night = Recipe(…)"),
    "a missing comma": (
        HEAD + "x = Recipe('x', when=Crashed(), then=[Start() Stop()])\n",
        ":2: syntax error: invalid syntax. Perhaps you forgot a comma?",
    ),
    "a bracket left open": (HEAD + "x = Recipe(\n", ":2: syntax error: '(' was never closed"),
    "tabs and spaces": (
        HEAD + "if True:\n\ta = 1\n        b = 2\n",
        ":4: syntax error: inconsistent use of tabs and spaces in indentation; "
        "indent with spaces only",
    ),
    "smart quotes": (
        HEAD + "x = Recipe(“x”)\n",
        ":2: syntax error: invalid character '“' (U+201C); "
        "type plain quotes and signs, not a text program's",
    ),
    "a space that is none": (
        HEAD + "x =\u00a0Recipe()\n",
        ":2: syntax error: invalid non-printable character U+00A0; delete it and type it again",
    ),
    "not UTF-8": (
        b"x = '\xe9t\xe9'\n",
        ":1: syntax error: a character is not UTF-8; save the file as UTF-8",
    ),
    "missing parentheses": (
        RECIPE.format(when="Crashed", then="Start()"),
        ":2: Recipe: when: expected a trigger such as Crashed(), found Crashed; "
        "write Crashed(…) with parentheses",
    ),
    "text where a step belongs": (
        RECIPE.format(when="Crashed()", then="'save-all'"),
        ":2: Recipe: then: expected a step such as Start() or Command('save-all'), found "
        "'save-all'",
    ),
    "a misspelt keyword": (
        HEAD + "x = Recipe('x', wen=Crashed(), then=Start())\n",
        ":2: Recipe has no 'wen'; did you mean 'when'?",
    ),
    "a forgotten unit": (
        RECIPE.format(when="Crashed()", then="Stop(kill_after=30)"),
        ":2: Stop has no 'kill_after'; did you mean 'kill_after_seconds'?",
    ),
    "a number without its unit": (
        RECIPE.format(when="Crashed()", then="Wait(10)"),
        ":2: Wait takes fewer values without a name; "
        "say which value is what: Wait(seconds=…, unless=…)",
    ),
    "an interval without its unit": (
        RECIPE.format(when="Every(30)", then="Start()"),
        ":2: Every takes fewer values without a name; "
        "say which value is what: Every(minutes=…, hours=…, seconds=…, zone=…, "
        "jitter_seconds=…, missed=…, grace_seconds=…)",
    ),
    "a keyword where there are none": (
        RECIPE.format(when="Crashed()", then="Wait(seconds=1, unless=ServerIs(states='x'))"),
        ":2: ServerIs takes no 'states'; write the values alone, such as ServerIs('…')",
    ),
    "a forgotten part": (HEAD + "x = Recipe('x', then=Start())\n", ":2: Recipe lacks 'when'"),
    "a misspelt name": (
        RECIPE.format(when="Crashed()", then="Strat()"),
        ":2: the name 'Strat' is not known; did you mean 'Start'?",
    ),
    "a name that is not imported": (
        "from automate import Recipe\nx = Recipe('x', when=Crashed())\n",
        ":2: Crashed is not imported; add it to the line 'from automate import …'",
    ),
    "a misspelt import": (
        "from automate import Crashd\n",
        ":1: automate has no 'Crashd'; did you mean 'Crashed'?",
    ),
    "a misspelt module": (
        "import automat\n",
        ":1: there is no module 'automat'; did you mean 'automate'?",
    ),
    "a misspelt attribute": (
        "import automate\nautomate.Crashd()\n",
        ":2: automate has no 'Crashd'; did you mean 'Crashed'?",
    ),
    "a recipe nobody can find": (
        HEAD + "Recipe('x', when=Crashed(), then=Start())\n",
        ":2: this recipe has no name to be found by; write x = Recipe",
    ),
    "a recipe that would be lost": (
        HEAD + "x = Recipe('x', when=Crashed(), then=Start())\n\n"
        "x = Recipe('y', when=Crashed(), then=Stop())\n",
        ":4: 'x' is a recipe already, which would be lost; use another name",
    ),
    "two recipes of one name": (
        HEAD + "x, y = (Recipe('a', when=Crashed(), then=step) for step in (Start(), Stop()))\n",
        ": the recipe 'a' is twice in it; give each its own name",
    ),
    "a mistake far from the file's own lines": (
        HEAD + "def f():\n    return Wait(seconds=-1)\n\nf()\n",
        ":3: Wait: seconds: expected a number of seconds, zero or more, found -1",
    ),
    "an error of any kind": ("x = 1 / 0\n", ":1: ZeroDivisionError: division by zero"),
    "an error of several lines": (
        "raise ValueError('one\\ntwo')\n",
        ":1: ValueError: one",
    ),
    "an error without words": ("assert False\n", ":1: AssertionError"),
    "an error that is no Exception": ("raise BaseException('x')\n", ":1: BaseException: x"),
    "the end of the program": (
        "import sys\nsys.exit(3)\n",
        ":2: the file ends the program; a recipe file only makes recipes",
    ),
    "a question": (
        "name = input('Name? ')\n",
        ":1: a recipe file can't ask for input; write the value into the file",
    ),
    "a call of somebody else's": (
        "def f(): pass\nf(1)\n",
        ":2: f() takes 0 positional arguments but 1 was given",
    ),
}


@pytest.mark.parametrize(("text", "told"), MISTAKES.values(), ids=MISTAKES)
def test_a_mistake_is_told_in_one_line_with_its_place(
    text: str | bytes, told: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = file(tmp_path, text)

    with pytest.raises(RecipeError) as refused:
        load([path])

    message = str(refused.value)
    assert message.startswith(str(path))
    assert message.endswith(told)
    assert len(message.splitlines()) == 1
    assert capsys.readouterr() == ("", "")


def test_a_binary_file_is_no_python(tmp_path: Path) -> None:
    path = file(tmp_path, b"a\0b")

    with pytest.raises(RecipeError, match=rf"^{path}: .*null bytes"):
        load([path])


def test_ctrl_c_is_not_the_files_mistake(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        load([file(tmp_path, "raise KeyboardInterrupt\n")])


def test_a_file_that_is_not_there_may_have_a_neighbour(tmp_path: Path) -> None:
    file(tmp_path, GOOD.format(name="x"))

    with pytest.raises(RecipeError) as refused:
        load([tmp_path / "nigth.py"])

    assert str(refused.value) == (
        f"{tmp_path / 'nigth.py'}: there is no such file or folder; "
        f"did you mean {tmp_path / 'night.py'}?"
    )


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("empty", "no recipe files (*.py) in this folder"),
        ("dir.py", "no recipe files (*.py) in this folder"),
        ("nowhere/x.py", "there is no such file or folder"),
        ("night.py/x.py", "there is no such file or folder"),
        ("x" * 300, "can't be read: File name too long"),
    ],
)
def test_a_path_that_leads_nowhere(name: str, told: str, tmp_path: Path) -> None:
    file(tmp_path, GOOD.format(name="x"))
    (tmp_path / "empty").mkdir()
    (tmp_path / "dir.py").mkdir()

    with pytest.raises(RecipeError) as refused:
        load([tmp_path / name])

    assert str(refused.value) == f"{tmp_path / name}: {told}"


def test_one_name_in_two_files_is_told_with_both(tmp_path: Path) -> None:
    a, b = (file(tmp_path, GOOD.format(name="x"), name) for name in ("a.py", "b.py"))

    with pytest.raises(RecipeError) as refused:
        load([tmp_path])

    assert str(refused.value) == (f"{b}: the recipe 'x' is also in {a}; give each its own name")


def test_all_mistakes_can_be_had_at_once_with_all_that_is_right(tmp_path: Path) -> None:
    good = file(tmp_path, GOOD.format(name="good"), "c.py")
    bad = [file(tmp_path, "", "a.py"), file(tmp_path, "x = 1 / 0\n", "b.py")]

    found, wrong = load_all([tmp_path, tmp_path / "nope"])

    assert found == [Loaded(found[0].recipe, good)]
    assert [str(error).split(": ")[0] for error in wrong] == [
        str(bad[0]),
        f"{bad[1]}:1",
        str(tmp_path / "nope"),
    ]


# ---------------------------------------------------------------- recipes that name each other


def write(folder: Path, name: str, *parts: str) -> None:
    """Write a file with the recipe *name*, the rest of which is *parts*."""
    rest = ", ".join(parts)
    file(folder, HEAD + f"x = Recipe({name!r}, {rest})\n", f"{name.replace(' ', '_')}.py")


STARTS = ("when=Crashed()", "then=Start()")


@pytest.mark.parametrize(
    ("parts", "told"),
    [
        (("when=Asked()", "then=RunRecipe('bakup')"), "RunRecipe: no recipe is called 'bakup'"),
        (("when=RecipeEnded('bakup')", "then=Start()"), "RecipeEnded: no recipe is called 'bakup'"),
        (
            ("when=AnyOf(Crashed(), RecipeEnded('bakup'))", "then=Start()"),
            "RecipeEnded: no recipe is called 'bakup'",
        ),
        (
            ("when=Asked()", "then=Block([WaitUntil(RecipeEnded('bakup'))], always=[])"),
            "RecipeEnded: no recipe is called 'bakup'",
        ),
        ((*STARTS, "only_if=NotRunFor(60, recipe='bakup')"), "NotRunFor: no recipe is called"),
        (
            (*STARTS, "only_if=Or(ServerIs('running'), Not(NotRunFor(60, recipe='bakup')))"),
            "NotRunFor: no recipe is called 'bakup'",
        ),
        (
            ("when=Asked()", "then=Choose(If(NotRunFor(60, recipe='bakup'), Start()))"),
            "NotRunFor: no recipe is called 'bakup'",
        ),
        ((*STARTS, "always=RunRecipe('bakup')"), "RunRecipe: no recipe is called 'bakup'"),
        ((*STARTS, "on_failure=Parallel(RunRecipe('bakup'), Kill())"), "RunRecipe: no recipe is"),
        (
            (*STARTS, "limit=AtMost(1, within_seconds=9, otherwise=RunRecipe('bakup'))"),
            "RunRecipe: no recipe is called 'bakup'",
        ),
    ],
)
def test_a_recipe_that_is_named_has_to_be_there(
    parts: tuple[str, ...], told: str, tmp_path: Path
) -> None:
    write(tmp_path, "backup", *STARTS)
    write(tmp_path, "night", *parts)

    with pytest.raises(RecipeError) as refused:
        load([tmp_path])

    message = str(refused.value)
    assert message.startswith(f"{tmp_path / 'night.py'}: the recipe 'night': {told}")
    assert message.endswith("did you mean 'backup'?")


def test_one_that_is_not_like_any_may_be_in_another_file(tmp_path: Path) -> None:
    write(tmp_path, "night", "when=Asked()", "then=RunRecipe('backup')")

    with pytest.raises(RecipeError, match=r"'backup'; load the file that it is in, too$"):
        load([tmp_path])

    write(tmp_path, "backup", *STARTS)
    assert names(load([tmp_path / "night.py", tmp_path / "backup.py"])) == ["night", "backup"]


def test_it_may_be_in_the_file_that_is_broken(tmp_path: Path) -> None:
    """Then that is told, and nothing besides."""
    write(tmp_path, "night", "when=Asked()", "then=RunRecipe('backup')")
    file(tmp_path, "x = 1 / 0\n", "backup.py")

    found, wrong = load_all([tmp_path])

    assert (names(found), len(wrong)) == (["night"], 1)


@pytest.mark.parametrize(
    ("runs", "circle"),
    [
        ({"a": "b", "b": "a"}, "'a' runs 'b' runs 'a'"),
        ({"a": "b", "b": "c", "c": "b"}, "'b' runs 'c' runs 'b'"),
        ({"a": "b", "b": "c", "c": "d", "d": "a"}, "'a' runs 'b' runs 'c' runs 'd' runs 'a'"),
    ],
)
def test_recipes_that_run_each_other_in_a_circle_are_refused(
    runs: dict[str, str], circle: str, tmp_path: Path
) -> None:
    for name, other in runs.items():
        write(tmp_path, name, "when=Asked()", f"then=[Start(), RunRecipe({other!r})]")

    with pytest.raises(RecipeError) as refused:
        load([tmp_path])

    place = tmp_path / f"{circle[1]}.py"
    assert str(refused.value) == (
        f"{place}: RunRecipe: {circle}: each would wait for the next for ever"
    )


def test_two_ways_to_one_recipe_are_no_circle(tmp_path: Path) -> None:
    for name, others in {"a": "bc", "b": "d", "c": "d", "d": ""}.items():
        steps = ", ".join(f"RunRecipe({other!r})" for other in others)
        write(tmp_path, name, "when=Asked()", f"then=[Start(), {steps}]")

    assert names(load([tmp_path])) == ["a", "b", "c", "d"]


def test_what_can_never_be_is_told_with_the_recipe(tmp_path: Path) -> None:
    write(tmp_path, "night", *STARTS, "only_if=And(ServerIs('running'), ServerIs('offline'))")

    with pytest.raises(RecipeError) as refused:
        load([tmp_path])

    assert str(refused.value) == (
        f"{tmp_path / 'night.py'}: the recipe 'night': "
        "“the server is running and the server is offline” never holds"
    )


def test_a_helper_beside_the_recipes_is_not_taken_for_one(tmp_path: Path) -> None:
    """But a file that tries to make a recipe and does not bind it is a mistake, there as well."""
    (tmp_path / "helper.py").write_text("def note(context):\n    print(context.server)\n")
    (tmp_path / "night.py").write_text(
        "from automate import Asked, Call, Recipe\n"
        'night = Recipe("night", when=Asked(), then=Call("helper.note"))\n'
    )

    assert [one.recipe.name for one in load([tmp_path])] == ["night"]
    with pytest.raises(RecipeError, match="no recipe in it"):
        load([tmp_path / "helper.py"])

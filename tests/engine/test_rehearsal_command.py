"""`automate check` and `automate rehearse`, as they are typed and as they answer."""

import json
from pathlib import Path

import pytest

from automate.cli.main import main

TWO = """\
from automate import *

up = Recipe("bring up", when=Crashed(), then=[Wait(seconds=10), Start()])
hello = Recipe(
    "hello",
    when=[ConsoleLine("(?P<who>[A-Z][a-z]+) joined"), Asked()],
    only_if=ServerIs("running"),
    then=Notify("{who}"),
)
"""
Streams = pytest.CaptureFixture[str]


@pytest.fixture
def two(tmp_path: Path) -> str:
    path = tmp_path / "two.py"
    path.write_text(TWO)
    return str(path)


# ---------------------------------------------------------------- check


def test_check_reads_each_recipe_aloud(two: str, capsys: Streams) -> None:
    code = main(["check", two])

    assert (code, *capsys.readouterr()) == (
        0,
        "bring up\n"
        "  When the server crashed: wait 10 s; start the server.\n"
        "\n"
        "hello\n"
        '  When the console says something like "joined", or when somebody asks for it,\n'
        '  if the server is running: tell the admin "{who}".\n',
        "",
    )


def test_check_tells_what_is_wrong_and_what_is_right(
    two: str, tmp_path: Path, capsys: Streams
) -> None:
    (tmp_path / "wrong.py").write_text("x = 1 / 0\n")
    code = main(["check", str(tmp_path)])

    out, err = capsys.readouterr()
    assert (code, out.splitlines()[::3], err) == (
        2,
        ["bring up", "hello"],
        f"automate: {tmp_path / 'wrong.py'}:1: ZeroDivisionError: division by zero\n",
    )


def test_the_shipped_recipes_are_right(root: Path, capsys: Streams) -> None:
    assert main(["check", str(root / "recipes")]) == 0
    assert capsys.readouterr().err == ""


# ---------------------------------------------------------------- rehearse


def rehearse(root: Path, *words: str, on: str = "crash-twice") -> int:
    return main(["rehearse", *words, "--on", str(root / "recordings" / f"{on}.jsonl")])


def test_rehearse_prints_an_object_for_each_action(root: Path, capsys: Streams) -> None:
    code = rehearse(root, str(root / "recipes" / "restart_on_crash.py"), "--json")

    out, err = capsys.readouterr()
    assert (code, out.splitlines()) == (
        0,
        [
            '{"recording": "crash-twice", "t": 20.8188, "recipe": "restart on crash", '
            '"action": {"notify": "crash-twice crashed (exit code 139); '
            'starting it again (attempt 1)"}}',
            '{"recording": "crash-twice", "t": 20.8188, "recipe": "restart on crash", '
            '"action": {"set state": "start"}, "unconfirmed": true}',
        ],
    )
    assert err == "1 recording: 2 actions, 1 unconfirmed; 2 runs, 0 failed, 0 held back\n"


def test_rehearse_prints_a_line_for_each_action(root: Path, two: str, capsys: Streams) -> None:
    code = rehearse(root, two)

    assert (code, capsys.readouterr().out) == (
        0,
        "crash-twice (14.8 s)\n"
        "     5.2581  hello: notify Grace\n"
        "    10.7687  hello: notify Grace\n"
        "    16.3134  bring up: set state start (unconfirmed)\n",
    )


def test_rehearse_says_when_there_is_nothing_to_do(root: Path, two: str, capsys: Streams) -> None:
    code = rehearse(root, two, on="auth-errors")

    assert (code, capsys.readouterr().out.splitlines()[1:]) == (0, ["  nothing to do"])


def test_rehearse_tells_reasons_if_wanted(root: Path, two: str, capsys: Streams) -> None:
    code = rehearse(root, two, "--trace", "--trigger", "hello@7", on="backup-before-stop")

    out, err = capsys.readouterr()
    assert code == 0
    assert (
        "     7.0000  hello: - held back: the server is running: no, it is offline"
        in out.splitlines()
    )
    assert (
        "backup-before-stop: at 7.0000 'hello' was held back: the server is running: no, it is "
        "offline\n" in err
    )


def test_what_repeats_itself_is_told_once(root: Path, two: str, capsys: Streams) -> None:
    words = [word for at in (6.9, 7.0, 7.1) for word in ("--trigger", f"hello@{at}")]
    rehearse(root, two, *words, on="backup-before-stop")

    assert capsys.readouterr().err.splitlines()[1:] == [
        "backup-before-stop: at 6.9000 'hello' was held back: the server is running: no, it is "
        "offline (and 2 times more)"
    ]


def test_what_failed_or_did_not_end_or_was_not_asked_is_told(
    root: Path, tmp_path: Path, capsys: Streams
) -> None:
    path = tmp_path / "x.py"
    path.write_text(
        "from automate import *\n"
        'bad = Recipe("bad", when=Asked(), then=Fail("no"))\n'
        'slow = Recipe("slow", when=Asked(), then=Wait(seconds=100))\n'
    )
    asks = ["--trigger", "bad@1", "--trigger", "slow@2", "--trigger", "bad@99"]
    code = rehearse(root, str(path), *asks, "--after", "50")

    assert (code, capsys.readouterr().err.splitlines()[1:]) == (
        0,
        [
            "crash-twice: at 1.0000 'bad' failed: no",
            "crash-twice: 'slow' was still running when the time after the end was over",
            "crash-twice: 'bad' was not asked: the recording ends at 14.8 s",
        ],
    )


def test_recordings_come_in_the_order_in_which_they_are_named(
    root: Path, two: str, tmp_path: Path, capsys: Streams
) -> None:
    for name in ("b", "a"):
        source = root / "recordings" / "auth-errors.jsonl"
        (tmp_path / f"{name}.jsonl").write_bytes(source.read_bytes())
    main(["rehearse", two, "--on", str(tmp_path / "b.jsonl"), str(tmp_path)])

    shown = [line.split(" ")[0] for line in capsys.readouterr().out.splitlines() if line[0] != " "]
    assert shown == ["b", "a", "b"]


def test_the_wall_clock_can_be_set(root: Path, capsys: Streams) -> None:
    recipes = str(root / "recipes" / "announcements.py")
    moment = ["--json", "--start-at", "2026-11-24T21:59:56"]
    rehearse(root, recipes, *moment, on="backup-before-stop")

    acts = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [(act["t"], act["recipe"]) for act in acts] == [
        (4.0, "announce the rules"),
        (4.0, "announce the night"),
    ]


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (["--trigger", "hello"], 2, "expected NAME@SECONDS such as 'backup before stop@3'"),
        (["--trigger", "hello@soon"], 2, "expected NAME@SECONDS"),
        (["--trigger", "hello@-1"], 2, "expected NAME@SECONDS"),
        (["--trigger", "@1"], 2, "expected NAME@SECONDS"),
        (["--trigger", "nope@1"], 2, "no recipe is called 'nope'; there are: bring up, hello"),
        (["--start-at", "tomorrow"], 2, "expected a moment such as 2026-11-24T21:59:50"),
        (["--after", "-1"], 2, "argument --after"),
        (["--nonsense"], 2, "see `automate rehearse --help`"),
        (["nope.py"], 2, "nope.py: there is no such file or folder"),
    ],
)
def test_a_wrong_word_is_told_in_one_line(
    words: list[str], code: int, told: str, root: Path, two: str, capsys: Streams
) -> None:
    found = rehearse(root, two, *words)

    out, err = capsys.readouterr()
    assert (found, out) == (code, "")
    assert err.startswith("automate: ")
    assert told in err
    assert len(err.splitlines()) == 1


@pytest.mark.parametrize(
    ("name", "code", "told"),
    [
        ("nope.jsonl", 1, "nope.jsonl"),
        ("empty", 2, "no recordings (*.jsonl) in this folder"),
        ("text.jsonl", 1, "text.jsonl"),
    ],
)
def test_a_wrong_recording_is_told_in_one_line(
    name: str, code: int, told: str, two: str, tmp_path: Path, capsys: Streams
) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "text.jsonl").write_text("hello\n")
    found = main(["rehearse", two, "--on", str(tmp_path / name)])

    out, err = capsys.readouterr()
    assert (found, out, len(err.splitlines())) == (code, "", 1)
    assert told in err


def test_a_recording_cut_short_is_played_as_far_as_it_goes(
    root: Path, two: str, tmp_path: Path, capsys: Streams
) -> None:
    whole = (root / "recordings" / "crash-twice.jsonl").read_bytes()
    (tmp_path / "cut.jsonl").write_bytes(whole[: whole.index(b'"t":7.') + 20])
    code = main(["rehearse", two, "--on", str(tmp_path / "cut.jsonl")])

    out, err = capsys.readouterr()
    assert (code, out.splitlines()[1:2]) == (0, ["     5.2581  hello: notify Grace"])
    assert err.startswith("automate: warning: ")


@pytest.mark.parametrize("command", ["check", "rehearse"])
def test_help_ends_with_an_example(command: str, capsys: Streams) -> None:
    assert main([command, "--help"]) == 0
    assert capsys.readouterr().out.splitlines()[-1].startswith(f"  automate {command} recipes")

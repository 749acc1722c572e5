"""The way in: help, usage, streams of every kind, and how quickly it is there."""

import os
import subprocess
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from automate import __version__
from automate.cli.main import COMMANDS
from tests.cli.shell import RECIPES, RECORDINGS, environment, run, say

PARTY = """
from automate import Asked, Notify, Recipe
party = Recipe("größe 🎉", when=Asked(), then=Notify("🎉"))
"""
CHECK = ["check", str(RECIPES / "restart_on_crash.py")]


def test_the_help_names_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    said = say("--help", capsys=capsys)

    rows = [line.split(None, 1) for line in said.out.splitlines() if line.startswith("  ")]
    assert (said.code, said.err) == (0, "")
    assert rows[: len(COMMANDS)] == [[name, words] for name, words in COMMANDS.items()]


@pytest.mark.parametrize("words", [["-h"], ["help"]])
def test_help_can_be_asked_for_in_several_ways(
    words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert say(*words, capsys=capsys) == say("--help", capsys=capsys)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself_with_an_example(
    command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    said = say(command, "--help", capsys=capsys)

    usage, example = said.out.splitlines()[0], said.out.splitlines()[-1]
    assert (said.code, said.err) == (0, "")
    assert usage.startswith(f"usage: automate {command} ")
    assert example.startswith(f"  automate {command}")
    assert said == say("help", command, capsys=capsys)
    assert max(map(len, said.out.splitlines())) <= 100


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_is_a_module_with_a_run(command: str) -> None:
    assert callable(import_module(f"automate.cli.{command}").run)


def test_the_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert say("--version", capsys=capsys).out == f"automate {__version__}\n"


def test_without_a_command_the_usage_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    said = say(capsys=capsys)

    assert (said.code, said.out, said.err) == (2, "", say("--help", capsys=capsys).out)


def test_an_unknown_command_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert say("rehears", capsys=capsys).complaint == (
        2,
        f"there is no command 'rehears'; there are: {', '.join(COMMANDS)}",
    )


# ---------------------------------------------------------------- quickly

HEAVY = ("trio", "httpx", "trio_websocket", "wsproto", "cattrs", "asyncio")


@pytest.mark.parametrize(
    "words",
    [
        ["--help"],
        ["run", "--help"],
        ["demo", "--help"],
        CHECK,
        ["rehearse", *CHECK[1:], "--on", str(RECORDINGS / "crash-twice.jsonl")],
        ["schema"],
    ],
    ids=" ".join,
)
def test_what_needs_no_network_does_not_load_one(words: list[str]) -> None:
    program = (
        "import sys\n"
        "from automate.cli import main\n"
        f"code = main({words!r})\n"
        f"print(code, *sorted({set(HEAVY)!r} & set(sys.modules)), file=sys.stderr)\n"
    )
    ended = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )

    assert ended.stderr.splitlines()[-1] == "0"


def test_the_help_loads_next_to_nothing() -> None:
    """So that it is there as quickly as Python itself; `make bench` shows how quickly."""
    program = (
        "import sys; before = set(sys.modules); from automate.cli import main; main(['--help']); "
        "print(*sorted(name.split('.')[0] for name in set(sys.modules) - before), file=sys.stderr)"
    )
    ended = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )

    slow = {"argparse", "attrs", "msgspec", "dataclasses", "inspect", "json", "pathlib"}
    assert slow & set(ended.stderr.split()) == set()


# ---------------------------------------------------------------- streams


def with_output(path: str, *words: str, **variables: str) -> Any:
    with Path(path).open("wb") as out:
        return run(*words, stdout=out, env=environment(**variables))


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
@pytest.mark.parametrize(
    "words", [CHECK, ["schema"], ["--help"], ["check", "--help"], ["demo"]], ids=" ".join
)
def test_a_full_disk_is_told_in_a_line(words: list[str]) -> None:
    assert with_output("/dev/full", *words).complaint == (
        1,
        "what is printed can't be written (No space left on device); check where it goes",
    )


@pytest.mark.parametrize(
    "words",
    [["schema"], ["rehearse", *CHECK[1:], "--on", str(RECORDINGS), "--trace"]],
    ids=" ".join,
)
def test_a_reader_may_leave(words: list[str]) -> None:
    """As `head` does."""
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "wb") as out:
        said = run(*words, stdout=out)

    assert (said.code, "Traceback" in said.err) == (0, False)


@pytest.mark.skipif(os.name == "nt", reason="closing a stream by the shell's >&-")
@pytest.mark.parametrize("closed", [">&-", "2>&-", ">&- 2>&-"])
def test_streams_may_be_closed(closed: str) -> None:
    command = f'"{sys.executable}" -m automate check "{CHECK[1]}" nowhere.py {closed}'
    ended = subprocess.run(
        ["sh", "-c", command], capture_output=True, text=True, check=False, env=environment()
    )

    said = (ended.stdout.startswith("restart on crash\n"), len(ended.stderr.splitlines()))
    assert (ended.returncode, said) == (
        2,
        (">&-" not in closed.split(), int("2" not in closed)),
    )


@pytest.mark.parametrize(
    ("variables", "shown"),
    [
        ({"LC_ALL": "C"}, "größe 🎉"),
        (
            {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
            r"gr\u00f6\u00dfe \ud83c\udf89",
        ),
        ({"PYTHONIOENCODING": "latin-1"}, r"größe \ud83c\udf89"),
    ],
    ids=["C", "ascii", "latin-1"],
)
def test_what_a_terminal_cannot_show_is_escaped(
    variables: dict[str, str], shown: str, tmp_path: Path
) -> None:
    (tmp_path / "party.py").write_text(PARTY, encoding="utf-8")
    printed = tmp_path / "printed"

    said = with_output(str(printed), "check", str(tmp_path / "party.py"), **variables)

    encoding = variables.get("PYTHONIOENCODING", "utf-8")
    assert (said.code, said.err) == (0, "")
    assert printed.read_text(encoding=encoding).startswith(
        f"{shown}\n  When somebody asks for it: "
    )


def test_json_stays_json_where_it_is_escaped(tmp_path: Path) -> None:
    (tmp_path / "party.py").write_text(PARTY, encoding="utf-8")
    printed = tmp_path / "printed"
    words = ["--on", str(RECORDINGS / "crash-twice.jsonl"), "--json", "--trigger", "größe 🎉@1"]

    said = with_output(
        str(printed), "rehearse", str(tmp_path / "party.py"), *words, PYTHONIOENCODING="ascii"
    )

    assert said.code == 0, said
    assert printed.read_text(encoding="ascii") == (
        r'{"recording": "crash-twice", "t": 1.0, "recipe": "gr\u00f6\u00dfe \ud83c\udf89", '
        r'"action": {"notify": "\ud83c\udf89"}}' + "\n"
    )

"""`automate run` against a replay in another process."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from automate.fake.node import open_replay  # noqa: F401 # loaded once, before anything is timed
from automate.recipe.loader import load
from tests.cli.shell import RECIPES, RECORDINGS, Replayed, Said, replayed, say, started

Capture = pytest.CaptureFixture[str]
GUESTS = """
from automate import Asked, Command, Fail, Notify, Recipe, ServerIs

hello = Recipe("hello", when=Asked(), then=Command("say hello"))
bad = Recipe("bad", when=Asked(), then=Fail("it is {server} that is wrong"))
only_up = Recipe("only up", when=Asked(), only_if=ServerIs("running"), then=Notify("up"))
"""


@pytest.fixture(scope="module")
def arena() -> Iterator[Replayed]:
    """A server that is offline, and stays so: each tape waits for its first deed."""
    with replayed("crash-undetected", "--leave", "1") as replay:
        yield replay


@pytest.fixture
def guests(tmp_path: Path) -> Path:
    (tmp_path / "guests.py").write_text(GUESTS)
    return tmp_path / "guests.py"


@pytest.fixture
def ask(arena: Replayed, guests: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setenv("AUTOMATE_KEY", arena.key)

    def ask(name: str, *words: str, at: list[str] | None = None) -> Said:
        return say("run", guests, *(at or arena.at), "--trigger", name, *words, capsys=capsys)

    return ask


def without_times(said: Said) -> list[str]:
    """Return the lines, those that begin with a time without it."""
    return [line[10:] if line[2:3] == ":" else line for line in said.out.splitlines()]


def test_what_is_asked_for_is_done_and_ends(ask: Any, arena: Replayed) -> None:
    said = ask("hello")

    assert (said.code, said.err) == (0, "")
    assert without_times(said) == [
        "'hello' for crash-undetected; Ctrl-C ends",
        "crash-undetected  is connected",
        "crash-undetected  is offline",
        "crash-undetected  hello: send command say hello",
        "crash-undetected  hello: done",
    ]
    assert "send command say hello" in arena.running.read_until("say hello")


def test_what_fails_ends_with_a_line_and_1(ask: Any) -> None:
    said = ask("bad")

    assert said.complaint == (1, "crash-undetected: failed: it is crash-undetected that is wrong")
    assert without_times(said)[-2:] == [
        "crash-undetected  bad: step failed: it is crash-undetected that is wrong",
        "crash-undetected  bad: failed",
    ]


def test_what_is_held_back_ends_with_a_line_and_1(ask: Any) -> None:
    said = ask("only up")

    assert said.complaint == (
        1,
        "crash-undetected: held back: the server is running: no, it is offline",
    )
    assert without_times(said)[-1] == (
        "crash-undetected  only up: held back: the server is running: no, it is offline"
    )


def test_a_dry_run_says_so_and_sends_nothing(ask: Any) -> None:
    said = ask("hello", "--dry-run")

    assert (said.code, said.err) == (0, "")
    assert without_times(said) == [
        "'hello' for crash-undetected; dry run, nothing is sent; Ctrl-C ends",
        "crash-undetected  is connected",
        "crash-undetected  is offline",
        "crash-undetected  hello: would send command say hello",
        "crash-undetected  hello: done",
    ]


def test_addresses_may_come_from_a_browser_and_servers_twice(ask: Any, arena: Replayed) -> None:
    page = f"{arena.url}/server/{arena.server[:8]}"
    at = ["--panel", page, "--server", arena.server[:8].upper(), "--server", page]
    at += ["--server", arena.server]

    said = ask("hello", at=at)

    assert (said.code, said.err) == (0, "")
    assert without_times(said)[0] == "'hello' for crash-undetected; Ctrl-C ends"
    assert len(said.out.splitlines()) == 5


def test_it_can_be_recorded_with_what_was_decided(ask: Any, tmp_path: Path) -> None:
    said = ask("hello", "--record", str(tmp_path / "new" / "nights"))

    (file,) = (tmp_path / "new" / "nights").iterdir()
    entries = [json.loads(line) for line in file.read_text("utf-8").splitlines()]
    assert (said.code, said.err) == (0, "")
    assert without_times(said)[0] == (
        f"'hello' for crash-undetected; recording into {tmp_path / 'new' / 'nights'}; Ctrl-C ends"
    )
    told = [entry.get("event") or entry.get("what") for entry in entries[1:]]
    wanted = ["auth", "triggered", "step", "send command", "done"]
    assert [what for what in told if what in wanted] == wanted
    assert "ptlc_" not in file.read_text("utf-8")


def test_a_name_cannot_act_on_the_terminal(
    guests: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    header, *rest = (RECORDINGS / "crash-undetected.jsonl").read_text("utf-8").splitlines(True)
    named = json.loads(header) | {"title": "Größe 🎉\x1b[2J\x07 at night"}
    (tmp_path / "named.jsonl").write_text(json.dumps(named) + "\n" + "".join(rest), "utf-8")
    with started("replay", tmp_path / "named.jsonl") as running:
        _, url, _, key, _, server = running.read_until("panel").split()
        monkeypatch.setenv("AUTOMATE_KEY", key)

        said = say(
            "run", guests, "--panel", url, "--server", server, "--trigger", "only up",
            capsys=capsys,
        )  # fmt: skip

    assert said.complaint == (
        1,
        "Größe 🎉 at night: held back: the server is running: no, it is offline",
    )
    assert without_times(said)[:2] == [
        "'only up' for Größe 🎉 at night; Ctrl-C ends",
        "Größe 🎉 at night  is connected",
    ]


def test_the_shipped_recipes_run_together(arena: Replayed, monkeypatch: pytest.MonkeyPatch) -> None:
    with started("run", RECIPES, *arena.at, env={"AUTOMATE_KEY": arena.key}) as running:
        first = running.read_until("recipes for")
        running.read_until("is offline")

    number = len(load([RECIPES]))
    assert first == f"{number} recipes for crash-undetected; Ctrl-C ends"

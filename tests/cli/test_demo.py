"""The demo in virtual time: from the first line to what to try next."""

import sys
from pathlib import Path

import pytest
import trio
from trio.testing import MockClock

from automate import Crashed, Fail, Recipe, shipped
from automate.cli import demo
from automate.errors import AutomateError
from automate.fake.network import memory_network
from automate.recipe.loader import load

Capture = pytest.CaptureFixture[str]


@pytest.fixture
def autojump_clock() -> MockClock:
    return MockClock(autojump_threshold=0)


async def test_the_server_falls_and_comes_back(autojump_clock: MockClock, capsys: Capture) -> None:
    recipes = [one.recipe for one in load([shipped.recipe("restart_on_crash")])]

    async with memory_network():
        code = await demo.play(recipes, shipped.recording("crash-recovered"))

    waits = "wait 10 s unless the server is starting or running"
    told = [line[10:] for line in capsys.readouterr().out.splitlines()]
    assert (code, told) == (
        0,
        [
            "crash-recovered  is connected",
            "crash-recovered  is offline",
            "crash-recovered  is starting",
            "crash-recovered  is running",
            "crash-recovered  is offline",
            f"crash-recovered  restart on crash: {waits}",
            "crash-recovered  NOTICE: crash-recovered crashed; starting it again (attempt 1)",
            "crash-recovered  restart on crash: set state start",
            "crash-recovered  is starting",
            "crash-recovered  is running",
            "crash-recovered  restart on crash: done",
        ],
    )
    # Two seconds of the evening, eight of them waiting, and the start: played at five times.
    assert 12 < trio.current_time() < 14


async def test_it_does_not_claim_what_did_not_happen(
    autojump_clock: MockClock, capsys: Capture
) -> None:
    broken = Recipe("broken", when=Crashed(), then=Fail("no idea"))

    async with memory_network():
        with pytest.raises(AutomateError, match="the server did not come back"):
            await demo.play([broken], shipped.recording("crash-recovered"))


async def test_it_does_not_wait_for_ever(autojump_clock: MockClock, capsys: Capture) -> None:
    """A recipe for another kind of crash never runs."""
    other = Recipe("other", when=Crashed(out_of_memory=True), then=Fail("no idea"))

    async with memory_network():
        with pytest.raises(AutomateError, match="did not end within 120 s"):
            await demo.play([other], shipped.recording("crash-recovered"))


@pytest.mark.parametrize(
    ("called", "is_found", "command"),
    [
        ("/usr/bin/automate", True, "automate"),
        ("{here}/.venv/bin/automate", False, ".venv/bin/automate"),
        ("/opt/automate/__main__.py", True, "python -m automate"),
    ],
)
def test_what_to_try_next_can_be_typed_as_it_stands(
    called: str,
    is_found: bool,
    command: str,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", [called.format(here=tmp_path)])
    monkeypatch.setattr(demo, "which", lambda name: name if is_found else None)

    told = demo.farewell(tmp_path / "recipes" / "one.py", Path("/usr/share/crash.jsonl"))

    assert [line.strip() for line in told.splitlines() if line.startswith("  ")] == [
        f"{command} check recipes",
        f"{command} rehearse recipes/one.py --on /usr/share/crash.jsonl",
        f"{command} run recipes --panel https://YOUR.PANEL --server ID",
    ]


def test_a_checkout_has_shorter_names(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """An installed package has copies of its own, deep inside."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "recipes").mkdir()
    (tmp_path / "recipes" / "one.py").touch()

    told = demo.farewell(Path("/usr/lib/recipes/one.py"), Path("/usr/lib/recordings/x.jsonl"))

    assert " check recipes\n" in told
    assert " rehearse recipes/one.py --on /usr/lib/recordings/x.jsonl\n" in told

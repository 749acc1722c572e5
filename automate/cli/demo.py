"""`automate demo`: a server falls, a recipe brings it back; no panel needed."""

import sys
from collections.abc import Sequence
from pathlib import Path
from shutil import which
from typing import TYPE_CHECKING

from automate.cli.arguments import Parser
from automate.errors import AutomateError

if TYPE_CHECKING:
    import httpx

    from automate.cli.page import Page
    from automate.fake.node import Replay
    from automate.recipe.recipe import Recipe

__all__ = ["farewell", "play", "run"]

_SPEED = 5.0
# The recorded client's own answer to the crash: that is left to the recipe.
_THE_START = 3
# The demo takes 13 seconds; a machine on which it takes this long is stuck.
_PATIENCE_SECONDS = 120


def run(words: Sequence[str]) -> int:
    """Run the command and return its exit code."""
    parser = Parser(
        "demo",
        "See a recipe at work, with no panel: a recorded evening is played five times as fast\n"
        "on a fake node, a real game server crashes in it, and the recipe starts it again.",
        example="automate demo",
    )
    parser.parse_args(words)
    from automate import shipped
    from automate.cli.stopping import run_until_stopped
    from automate.recipe.loader import load

    recipe = shipped.recipe("restart_on_crash")
    recording = shipped.recording("crash-recovered")
    recipes = [loaded.recipe for loaded in load([recipe])]
    print(f"recipe     {recipe.name}: start a server ten seconds after it crashed")
    print(f"recording  {recording.name}: a real evening, played {_SPEED:g} times as fast")
    print(flush=True)
    code = run_until_stopped(lambda: play(recipes, recording), is_endless=False)
    if code == 0:
        print(farewell(recipe, recording))
    return code


async def play(recipes: "list[Recipe]", path: Path) -> int:
    """Play the recording at *path* to *recipes* until one is done; return 0.

    Raises:
        AutomateError: it failed, or nothing happened.
    """
    import httpx
    import trio

    from automate.cli.page import Page
    from automate.engine.clock import unix_now
    from automate.fake.node import open_replay
    from automate.recording.reader import read_recording

    recording = read_recording(path)
    with trio.move_on_after(_PATIENCE_SECONDS) as patience:
        async with (
            open_replay(recording, wall_clock=unix_now, speed=_SPEED, leave=[_THE_START]) as replay,
            # No proxy that the environment may name leads to this machine itself.
            httpx.AsyncClient(trust_env=False) as client,
        ):
            await _watch(recipes, replay, client, Page([recording.header.title or ""]))
    if patience.cancelled_caught:
        raise AutomateError(
            f"the demo did not end within {_PATIENCE_SECONDS} s; is the machine very busy?"
        )
    return 0


async def _watch(
    recipes: "list[Recipe]", replay: "Replay", client: "httpx.AsyncClient", page: "Page"
) -> None:
    """Run *recipes* for the replayed server until one of them is done; print on *page*.

    Raises:
        AutomateError: it failed.
    """
    import trio

    from automate.cli.printer import Printer
    from automate.engine.clock import utc_now
    from automate.engine.engine import Engine
    from automate.engine.sitting import keep, sessions_for
    from automate.live.panel import Panel
    from automate.machine.actions import Traced

    ends: list[str] = []

    class UntilDone(Printer):
        def decided(self, traced: Traced) -> None:
            super().decided(traced)
            if traced.what in ("done", "failed"):
                ends.append(traced.what)
                scope.cancel()

    with trio.CancelScope() as scope:
        async with Panel(replay.panel_url, replay.key, client=client) as panel:
            server = await panel.server(replay.server)
            names = {server.uuid: server.name}
            watchers = [UntilDone(page, names)]
            engine = Engine(recipes, names, panel=panel, now=utc_now, watchers=watchers)
            await keep(engine, sessions_for(engine, [server], panel, recorders={}, origin=None))
    if ends != ["done"]:
        raise AutomateError("the server did not come back; the lines above say why")


def farewell(recipe: Path, recording: Path) -> str:
    """Return what to try next, as it can be typed where the demo was called."""
    recipe, recording = _in_checkout(recipe), _in_checkout(recording)
    command, recipes = _command(), _from_here(recipe.parent)
    return f"""
The recipe saw the fall, waited, started the server, and it came back. Now try:

  {command} check {recipes}
  {command} rehearse {_from_here(recipe)} --on {_from_here(recording)}
  {command} run {recipes} --panel https://YOUR.PANEL --server ID

The last one takes a panel's API key, in the variable AUTOMATE_KEY."""


def _command() -> str:
    called = Path(sys.argv[0])
    if called.name == "__main__.py":
        return "python -m automate"
    return "automate" if which("automate") else str(_from_here(called))


def _in_checkout(shipped: Path) -> Path:
    """Return the same file in a checkout that we stand in, which has the shorter name."""
    near = Path.cwd() / shipped.parent.name / shipped.name
    return near if near.exists() else shipped


def _from_here(path: Path) -> Path:
    here = Path.cwd()
    return path.relative_to(here) if path.is_relative_to(here) else path

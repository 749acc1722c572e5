"""`automate demo`: a server falls, a recipe brings it back; no panel needed."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from automate.cli.arguments import Parser
from automate.errors import AutomateError

if TYPE_CHECKING:
    from automate.fake.node import Replay
    from automate.recipe.recipe import Recipe

__all__ = ["run"]

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
    print(f"recipe     {recipe.name}: ten seconds after a crash, start the server again")
    print(f"recording  {recording.name}: a real evening, played {_SPEED:g} times as fast")
    print()
    return run_until_stopped(lambda: _demo(recipes, recording))


async def _demo(recipes: "list[Recipe]", path: Path) -> int:
    import trio

    from automate.engine.clock import unix_now
    from automate.fake.node import open_replay
    from automate.recording.reader import read_recording

    with trio.move_on_after(_PATIENCE_SECONDS) as patience:
        async with open_replay(
            read_recording(path), wall_clock=unix_now, speed=_SPEED, leave=[_THE_START]
        ) as replay:
            await _watch(recipes, replay)
    if patience.cancelled_caught:
        raise AutomateError(
            f"the demo did not end within {_PATIENCE_SECONDS} s; is the machine very busy?"
        )
    print()
    print("The recipe saw the fall, waited, started the server, and it came back. Now try:")
    print()
    print("  automate check recipes")
    print("  automate rehearse recipes --on recordings/crash-twice.jsonl")
    print("  automate run recipes --panel https://YOUR.PANEL --server ID   (key in AUTOMATE_KEY)")
    return 0


async def _watch(recipes: "list[Recipe]", replay: "Replay") -> None:
    """Run *recipes* for the replayed server until one of them is done."""
    import trio

    from automate.cli.printer import Printer
    from automate.engine.clock import utc_now
    from automate.engine.engine import Engine
    from automate.engine.sitting import keep_session, sessions_for
    from automate.live.panel import Panel
    from automate.machine.actions import Traced

    done = trio.Event()

    class UntilDone(Printer):
        def decided(self, traced: Traced) -> None:
            super().decided(traced)
            if traced.what in ("done", "failed"):
                done.set()

    async with Panel(replay.panel_url, replay.key) as panel:
        server = await panel.server(replay.server)
        names = {server.uuid: server.name}
        engine = Engine(recipes, names, panel=panel, now=utc_now, watchers=[UntilDone(names)])
        async with trio.open_nursery() as nursery:
            nursery.start_soon(engine.run)
            for session in sessions_for(engine, [server], panel, recorders={}, origin=None):
                nursery.start_soon(keep_session, session)
            await done.wait()
            nursery.cancel_scope.cancel()

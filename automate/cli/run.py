"""`automate run`: recipes at work for live servers."""

import sys
from argparse import Namespace
from collections.abc import Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from automate.cli.arguments import Parser, add_panel, read_key
from automate.errors import UsageError

if TYPE_CHECKING:
    from automate.engine.engine import Engine
    from automate.live.answers import Server
    from automate.live.panel import Panel
    from automate.live.session import Session
    from automate.recipe.recipe import Recipe

__all__ = ["run"]


def run(words: Sequence[str]) -> int:
    """Run the command and return its exit code."""
    arguments = _parser().parse_args(words)
    from automate.recipe.loader import load

    recipes = [loaded.recipe for loaded in load(arguments.recipes)]
    if arguments.trigger is not None:
        recipes = [_named(recipes, arguments.trigger)]
    key = read_key(arguments.key_file)
    from automate.cli.stopping import run_until_stopped

    return run_until_stopped(lambda: _run(arguments, recipes, key))


def _parser() -> Parser:
    parser = Parser(
        "run",
        "Run recipes for live servers, until Ctrl-C.",
        example="automate run recipes --panel https://panel.example.com --server 5f2c9a1e",
    )
    parser.add_argument("recipes", nargs="+", type=Path, metavar="RECIPE", help="a file or folder")
    add_panel(parser)
    parser.add_argument(
        "--server",
        action="append",
        required=True,
        metavar="ID",
        help="a server's id or uuid; can be given more than once",
    )
    parser.add_argument(
        "--record", type=Path, metavar="FOLDER", help="also record each server into this folder"
    )
    parser.add_argument(
        "--trigger",
        metavar="NAME",
        help="ask for this recipe at once, run no other, and end when it is done",
    )
    parser.add_argument("--dry-run", action="store_true", help="decide and print, but send nothing")
    return parser


def _named(recipes: "list[Recipe]", name: str) -> "Recipe":
    for recipe in recipes:
        if recipe.name == name:
            return recipe
    known = ", ".join(repr(recipe.name) for recipe in recipes)
    raise UsageError(f"no recipe is called {name!r}; there are: {known}")


async def _run(arguments: Namespace, recipes: "list[Recipe]", key: str) -> int:
    from automate.cli.printer import Printer
    from automate.engine.clock import utc_now
    from automate.engine.engine import Engine
    from automate.engine.sitting import NoteTaker, open_recorders, sessions_for
    from automate.live.panel import Panel

    async with AsyncExitStack() as stack:
        panel = await stack.enter_async_context(Panel(arguments.panel, key))
        servers = await _servers(panel, arguments.server)
        names = {server.uuid: server.name for server in servers}
        recorders = {}
        if arguments.record is not None:
            recorders = await stack.enter_async_context(
                open_recorders(servers, panel, arguments.record, key=key, now=utc_now())
            )
        engine = Engine(
            recipes,
            names,
            panel=panel,
            now=utc_now,
            watchers=[Printer(names), NoteTaker(recorders)],
            asked=arguments.trigger,
            dry=arguments.dry_run,
        )
        sessions = sessions_for(
            engine, servers, panel, recorders=recorders, origin=arguments.origin
        )
        print(f"{_count(len(recipes), 'recipe')} for {', '.join(names.values())}; Ctrl-C ends")
        sys.stdout.flush()
        return await _keep(engine, sessions)


async def _servers(panel: "Panel", ids: list[str]) -> "list[Server]":
    found = {}
    for id in ids:
        server = await panel.server(id)
        found[server.uuid] = server
    return list(found.values())


async def _keep(engine: "Engine", sessions: "list[Session]") -> int:
    """Keep everything going until there is nothing left to do; return the exit code."""
    import trio

    from automate.engine.sitting import keep_session

    async def keep_all() -> None:
        async with trio.open_nursery() as alive:
            for session in sessions:
                alive.start_soon(keep_session, session)
        # Each has ended by an error, which its watcher has told.
        nursery.cancel_scope.cancel()

    async def until_done() -> None:
        await engine.all_done.wait()
        nursery.cancel_scope.cancel()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(engine.run)
        nursery.start_soon(keep_all)
        nursery.start_soon(until_done)
    for outcome in engine.outcomes:
        if outcome.what != "done":
            print(f"automate: {outcome.what}: {outcome.detail}", file=sys.stderr)
    went_well = engine.all_done.is_set() and all(one.what == "done" for one in engine.outcomes)
    return 0 if went_well else 1


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"

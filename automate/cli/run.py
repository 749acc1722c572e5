"""`automate run`: recipes at work for live servers."""

import os
from argparse import Namespace
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from automate.cli.arguments import Parser, add_panel, read_key
from automate.cli.streams import complain
from automate.errors import AutomateError, UsageError

if TYPE_CHECKING:
    from automate.engine.engine import Outcome
    from automate.live.answers import Server
    from automate.live.panel import Panel
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

    is_endless = arguments.trigger is None
    return run_until_stopped(lambda: _run(arguments, recipes, key), is_endless=is_endless)


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
    parser.add_argument(
        "--log", type=Path, metavar="FILE", help="append what happens to connections, as JSON lines"
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
    import trio

    from automate.cli.page import Page, plain
    from automate.cli.printer import Printer, display_names
    from automate.engine.clock import utc_now
    from automate.engine.engine import Engine
    from automate.engine.sitting import NoteTaker, keep, open_recorders, sessions_for
    from automate.live.panel import Panel
    from automate.live.service import ServiceManager

    _log_into(arguments.log, key)
    async with AsyncExitStack() as stack:
        panel = await stack.enter_async_context(
            Panel(arguments.panel, key, ca_file=arguments.ca_file)
        )
        servers = await _servers(panel, arguments.server)
        names = {server.uuid: server.name for server in servers}
        shown = display_names(names)
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
            watchers=[Printer(Page(shown.values()), shown), NoteTaker(recorders)],
            asked=arguments.trigger,
            dry=arguments.dry_run,
        )
        sessions = sessions_for(
            engine,
            servers,
            panel,
            recorders=recorders,
            origin=arguments.origin,
            ca_file=arguments.ca_file,
        )
        print(plain(_heading(arguments, recipes, list(shown.values()))), flush=True)
        _warn(servers, recipes)
        manager = ServiceManager.from_environment(os.environ, pid=os.getpid())
        nursery = await stack.enter_async_context(trio.open_nursery())
        nursery.start_soon(manager.keep_alive)
        manager.ready()
        try:
            outcomes = await keep(engine, sessions)
        finally:
            manager.stopping()
            nursery.cancel_scope.cancel()
            for server_id, recipe in engine.running:
                complain(f"{shown[server_id]}: {recipe!r} is cut off in the middle")
    return _verdict(outcomes, shown)


def _warn(servers: "list[Server]", recipes: "list[Recipe]") -> None:
    """Say what the recipes will not be able to do, for the daemon never will."""
    from automate.machine.permissions import missing_permissions, steps_needed

    for server in servers:
        for need in missing_permissions(server.permissions, steps_needed(recipes)):
            complain(f"warning: {server.name}: {need}")


def _log_into(file: Path | None, key: str) -> None:
    import logging

    from automate.live.log import JsonLines, log

    if file is None:
        return
    try:
        handler = logging.FileHandler(file, encoding="utf-8")
    except OSError as error:
        raise AutomateError(f"{file}: the log can't be written ({error.strerror})") from None
    handler.setFormatter(JsonLines(keys=[key]))
    log.addHandler(handler)
    log.setLevel(logging.INFO)
    log.propagate = False


async def _servers(panel: "Panel", ids: list[str]) -> "list[Server]":
    found = {}
    for id in ids:
        server = await panel.server(id)
        found[server.uuid] = server
    return list(found.values())


def _heading(arguments: Namespace, recipes: "list[Recipe]", names: list[str]) -> str:
    what = f"{len(recipes)} recipe" if len(recipes) == 1 else f"{len(recipes)} recipes"
    if arguments.trigger is not None:
        what = repr(arguments.trigger)
    notes = [
        *(["dry run, nothing is sent"] if arguments.dry_run else []),
        *([f"recording into {arguments.record}"] if arguments.record else []),
        "Ctrl-C ends",
    ]
    return f"{what} for {', '.join(names)}; {'; '.join(notes)}"


def _verdict(outcomes: "Sequence[Outcome]", shown: Mapping[str, str]) -> int:
    """Tell of each that did not end well; return the exit code."""
    for outcome in outcomes:
        if outcome.what in ("failed", "held back"):
            complain(f"{shown[outcome.server]}: {outcome.what}: {outcome.detail}")
    # Without outcomes every session has ended by an error.
    return 0 if outcomes and all(one.what == "done" for one in outcomes) else 1

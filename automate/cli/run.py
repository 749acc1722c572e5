"""`automate run`: recipes at work for live servers."""

import os
import sys
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
    from automate.engine.journal_file import SqliteJournal
    from automate.engine.reloading import RecipeFiles
    from automate.live.answers import Server
    from automate.recipe.recipe import Recipe
    from automate.recipe.selectors import ServerFacts

__all__ = ["run"]


def run(words: Sequence[str]) -> int:
    """Run the command and return its exit code."""
    arguments = _parser().parse_args(words)
    _check_state(arguments)
    from automate.engine.reloading import RecipeFiles

    files = RecipeFiles(arguments.recipes)
    recipes = [loaded.recipe for loaded in files.load()]
    if arguments.trigger is not None:
        _check_named(recipes, arguments.trigger)
    key = read_key(arguments.key_file)
    from automate.cli.stopping import run_until_stopped

    is_endless = arguments.trigger is None
    return run_until_stopped(lambda: _run(arguments, files, recipes, key), is_endless=is_endless)


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
        help="a server's id, uuid or name, or a pattern of names such as 'lobby-*' ('*': all); "
        "can be given more than once",
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
        "--state",
        type=Path,
        metavar="FILE",
        help="the journal in which runs are kept over a restart (default: in the user's state "
        "folder, one for each panel)",
    )
    parser.add_argument(
        "--no-state", action="store_true", help="keep nothing: a restart forgets what ran"
    )
    parser.add_argument(
        "--game",
        action="append",
        default=[],
        metavar="NAME",
        help="which game's console it is, if that is not recognised: for all servers, or "
        "ID=NAME for one",
    )
    parser.add_argument(
        "--log", type=Path, metavar="FILE", help="append what happens to connections, as JSON lines"
    )
    parser.add_argument("--dry-run", action="store_true", help="decide and print, but send nothing")
    return parser


def _forgets(arguments: Namespace) -> bool:
    return bool(arguments.no_state or arguments.dry_run or arguments.trigger is not None)


def _check_state(arguments: Namespace) -> None:
    if _forgets(arguments) and arguments.state is not None:
        raise UsageError(
            "--state goes with recipes that wait: leave it out with --trigger, --dry-run and "
            "--no-state (`automate trigger` asks an automate that is running)"
        )


def _check_named(recipes: "list[Recipe]", name: str) -> None:
    if name not in [recipe.name for recipe in recipes]:
        known = ", ".join(repr(recipe.name) for recipe in recipes)
        raise UsageError(f"no recipe is called {name!r}; there are: {known}")


async def _run(
    arguments: Namespace, files: "RecipeFiles", recipes: "list[Recipe]", key: str
) -> int:
    import trio

    from automate.cli.page import Page, plain
    from automate.cli.printer import Printer, display_names
    from automate.cli.servers import find_servers
    from automate.engine.clock import utc_now
    from automate.engine.engine import Engine
    from automate.engine.reloading import keep_loaded
    from automate.engine.sitting import NoteTaker, keep, open_recorders, sessions_for
    from automate.live.panel import Panel
    from automate.live.printing import patiently
    from automate.live.service import ServiceManager

    async with AsyncExitStack() as stack:
        _log_into(arguments.log, key, stack)
        panel = await stack.enter_async_context(
            Panel(arguments.panel, key, ca_file=arguments.ca_file)
        )
        servers = await find_servers(panel, arguments.server)
        facts = _facts(servers, arguments.game)
        journal = _journal(arguments, panel.url)
        if journal is not None:
            stack.enter_context(journal)
        names = {server.uuid: server.name for server in servers}
        shown = display_names(names)
        recorders = {}
        if arguments.record is not None:
            recorders = await stack.enter_async_context(
                open_recorders(servers, panel, arguments.record, key=key, now=utc_now())
            )
        # A terminal that somebody stops must not keep the sockets from being read.
        page = Page(shown.values(), out=stack.enter_context(patiently(sys.stdout)))
        engine = Engine(
            recipes,
            facts,
            panel=panel,
            now=utc_now,
            watchers=[Printer(page, shown), NoteTaker(recorders)],
            asked=arguments.trigger,
            only_asked=arguments.trigger is not None,
            dry=arguments.dry_run,
            journal=journal,
            threaded=True,
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
        if journal is not None and journal.warning:
            complain(f"warning: {journal.warning}")
        manager = ServiceManager.from_environment(os.environ, pid=os.getpid())
        nursery = await stack.enter_async_context(trio.open_nursery())
        nursery.start_soon(manager.keep_alive)
        if arguments.trigger is None:
            nursery.start_soon(
                lambda: keep_loaded(
                    engine,
                    files,
                    tell=complain,
                    taken=lambda recipes: _warn(servers, recipes),
                    threaded=True,
                )
            )
        manager.ready()
        try:
            outcomes = await keep(engine, sessions)
        finally:
            manager.stopping()
            nursery.cancel_scope.cancel()
            goes_on = "; the next start goes on with it" if journal is not None else ""
            for server_id, recipe in engine.running:
                complain(f"{shown[server_id]}: {recipe!r} is cut off in the middle{goes_on}")
    return _verdict(outcomes, shown)


def _journal(arguments: Namespace, panel: str) -> "SqliteJournal | None":
    """Return the journal, unless nothing is to be kept."""
    if _forgets(arguments):
        return None
    from automate.engine.clock import utc_now
    from automate.engine.journal_file import open_journal
    from automate.engine.state_folder import state_path

    path = arguments.state if arguments.state is not None else state_path(panel)
    return open_journal(path, panel=panel, now=utc_now())


def _facts(servers: "list[Server]", games: list[str]) -> "dict[str, ServerFacts]":
    """Return what is known of each server, with the game that somebody said it has."""
    from automate.engine.facts import server_facts
    from automate.wire.games import game_named

    chosen: dict[str, str] = {}
    for word in games:
        id, separator, name = word.rpartition("=")
        game = game_named(name).name
        meant = [one for one in servers if not separator or id in (one.id, one.uuid, one.name)]
        if not meant:
            raise UsageError(f"--game {word}: {id!r} is none of the servers given by --server")
        chosen |= {one.uuid: game for one in meant}
    return {one.uuid: server_facts(one, game=chosen.get(one.uuid)) for one in servers}


def _warn(servers: "list[Server]", recipes: "Sequence[Recipe]") -> None:
    """Say what the recipes will not be able to do, for the daemon never will."""
    from automate.machine.permissions import missing_permissions, steps_needed

    for server in servers:
        for need in missing_permissions(server.permissions, steps_needed(recipes)):
            complain(f"warning: {server.name}: {need}")


def _log_into(file: Path | None, key: str, stack: AsyncExitStack) -> None:
    import logging

    from automate.live.log import JsonLines, log
    from automate.live.printing import patiently

    if file is None:
        return
    try:
        opened = stack.enter_context(file.open("a", encoding="utf-8"))
    except OSError as error:
        raise AutomateError(f"{file}: the log can't be written ({error.strerror})") from None
    handler = logging.StreamHandler(stack.enter_context(patiently(opened)))
    handler.setFormatter(JsonLines(keys=[key]))
    log.addHandler(handler)
    log.setLevel(logging.INFO)
    log.propagate = False


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

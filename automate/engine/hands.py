"""What the engine does for the machine besides sending: panel calls, Python calls.

Each returns the `Answer` that goes back to the machine; none raises for what the world does.
"""

import inspect
from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any

import trio

from automate.errors import AutomateError
from automate.live.panel import Backup, Panel
from automate.machine.doing import Answer

__all__ = ["call_python", "make_backup", "show_backup"]


async def make_backup(panel: Panel, server: str, name: str) -> Answer:
    """Ask the panel for a backup and return how it stands, or why there is none."""
    try:
        return _answer(await panel.create_backup(server, name))
    except AutomateError as error:
        return Answer(error=str(error))


async def show_backup(panel: Panel, server: str, uuid: str) -> Answer:
    """Return how the backup *uuid* stands, or why that can't be said."""
    try:
        return _answer(await panel.backup(server, uuid))
    except AutomateError as error:
        return Answer(error=str(error))


def _answer(backup: Backup) -> Answer:
    return Answer(uuid=backup.uuid, is_done=backup.is_done, is_failed=backup.is_failed)


async def call_python(name: str, values: Mapping[str, str]) -> Answer:
    """Call the function *name* with *values*; a plain one runs in a thread, for it may block."""
    try:
        function = _function(name)
        if inspect.iscoroutinefunction(function):
            await function(dict(values))
        else:
            # In a list: trio takes a coroutine that comes back for a slip of the programmer's,
            # but a decorator may only have hidden that the function is one's.
            (result,) = await trio.to_thread.run_sync(
                lambda: [function(dict(values))], abandon_on_cancel=True
            )
            if inspect.isawaitable(result):
                await result
    except _NoFunction as error:
        return Answer(error=str(error))
    # Whatever somebody's function raises is its run's failure, not the engine's; sys.exit() too.
    except (Exception, SystemExit) as error:
        said = " ".join(str(error).split())
        return Answer(error=f"{name}: {type(error).__name__}{': ' if said else ''}{said}")
    return Answer()


class _NoFunction(Exception):
    """There is nothing to call; the text says what is missing."""


def _function(name: str) -> Callable[..., Any]:
    module_name, _, attribute = name.rpartition(".")
    try:
        module = import_module(module_name)
    except ModuleNotFoundError as error:
        raise _NoFunction(
            f"{name}: there is no module {error.name!r}; put it beside the recipe file, or "
            "install it where automate is"
        ) from error
    function = getattr(module, attribute, None)
    if not callable(function):
        what = "no function" if function is None else "something, but no function,"
        raise _NoFunction(f"{name}: the module {module_name!r} has {what} called {attribute!r}")
    return function  # type: ignore[no-any-return] # a callable, as checked just above

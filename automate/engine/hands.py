"""What the engine does for the machine besides sending: panel calls, notices, Python calls.

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
    """Return how the backup *uuid* stands."""
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
            await trio.to_thread.run_sync(function, dict(values), abandon_on_cancel=True)
    # Whatever somebody's function raises is its run's failure, not the engine's.
    except Exception as error:
        return Answer(error=f"{name}: {type(error).__name__}: {error}")
    return Answer()


def _function(name: str) -> Callable[..., Any]:
    module, _, attribute = name.rpartition(".")
    function = getattr(import_module(module), attribute)
    if not callable(function):
        raise TypeError(f"{name} is not a function")
    return function  # type: ignore[no-any-return] # a callable, as checked just above

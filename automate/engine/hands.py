"""What the engine does for the machine besides sending: panel calls, Python calls.

Each returns the `Answer` that goes back to the machine; none raises for what the world does.
"""

import inspect
from collections.abc import Callable
from importlib import import_module
from typing import Any

import trio
from attrs import evolve

from automate.errors import AutomateError, BackupsFull, NotThere
from automate.live.panel import Backup, Panel
from automate.machine.answer import Answer, KnownBackup
from automate.recipe.context import Context

__all__ = [
    "call_python",
    "check_call",
    "delete_backup",
    "list_backups",
    "make_backup",
    "show_backup",
]

# ---------------------------------------------------------------- backups


async def make_backup(panel: Panel, server: str, name: str) -> Answer:
    """Ask the panel for a backup and return how it stands, or why there is none."""
    try:
        return _answer(await panel.create_backup(server, name))
    except BackupsFull as error:
        return Answer(error=str(error), is_full=True)
    except AutomateError as error:
        return Answer(error=str(error))


async def show_backup(panel: Panel, server: str, uuid: str) -> Answer:
    """Return how the backup *uuid* stands, or why that can't be said."""
    try:
        return _answer(await panel.backup(server, uuid))
    except AutomateError as error:
        return Answer(error=str(error))


async def list_backups(panel: Panel, server: str) -> Answer:
    """Return all backups that the panel has of *server*, or why that can't be said.

    One that nobody can tell the age of makes it an error: the oldest is what gets deleted.
    """
    try:
        found = await panel.backups(server)
    except AutomateError as error:
        return Answer(error=str(error))
    known = []
    for backup in found:
        if backup.created_at is None:
            return Answer(
                error=f"{panel.url}: the panel does not say when the backup {backup.uuid} was made"
            )
        known.append(
            KnownBackup(
                uuid=backup.uuid,
                name=backup.name,
                made_at=backup.created_at.timestamp(),
                is_done=backup.is_done,
                is_failed=backup.is_failed,
                is_locked=backup.is_locked,
            )
        )
    return Answer(backups=tuple(known))


async def delete_backup(panel: Panel, server: str, uuid: str) -> Answer:
    """Have the panel delete the backup *uuid*, or return why it is still there.

    One that is not there is a success: somebody was faster, or we were, and nobody told us.
    """
    try:
        await panel.delete_backup(server, uuid)
    except NotThere:
        pass
    except AutomateError as error:
        return Answer(error=str(error))
    return Answer()


def _answer(backup: Backup) -> Answer:
    return Answer(uuid=backup.uuid, is_done=backup.is_done, is_failed=backup.is_failed)


# ---------------------------------------------------------------- Python


async def call_python(name: str, context: Context) -> Answer:
    """Call the function *name* with *context*, its values a dictionary of the function's own.

    A coroutine function ends with the cancel scope around this call, as any of ours. A plain one
    runs in a thread, for it may block, and a thread can't be ended: when the scope is cancelled it
    is left alone, and goes on by itself until it is through. No answer comes back then.
    """
    try:
        function = _function(name)
        own = evolve(context, values=dict(context.values))
        if inspect.iscoroutinefunction(function):
            await function(own)
        else:
            # In a list: trio takes a coroutine that comes back for a slip of the programmer's,
            # but a decorator may only have hidden that the function is one's.
            (result,) = await trio.to_thread.run_sync(
                lambda: [function(own)], abandon_on_cancel=True
            )
            if inspect.isawaitable(result):
                await result
        answer = Answer()
    except _NoFunction as error:
        answer = Answer(error=str(error))
    # Whatever somebody's function raises is its run's failure, not the engine's; sys.exit() too.
    except (Exception, SystemExit) as error:
        answer = Answer(error=_failure(name, error))
    except BaseExceptionGroup as group:
        # A nursery of the function's own: what ends us goes on, without what else went wrong.
        _, ending = group.split((Exception, SystemExit))
        if ending is not None:
            raise ending from None
        answer = Answer(error=_failure(name, group))
    # It may have kept its cancellation to itself.
    await trio.lowlevel.checkpoint_if_cancelled()
    return answer


def check_call(name: str) -> str | None:
    """Return what is wrong with the function *name*, ``None`` if it can be called.

    Its module is imported; the function itself is not called.
    """
    try:
        function = _function(name)
    except _NoFunction as error:
        return str(error)
    # A module may do anything when it is imported.
    except (Exception, SystemExit) as error:
        return _failure(name, error)
    try:
        inspect.signature(function).bind(None)
    except TypeError as error:
        return f"{name}: expected a function of one value, an automate.Context; found {error}"
    except ValueError:
        pass  # one that is written in C may not tell
    return None


def _failure(name: str, error: BaseException) -> str:
    said = " ".join(str(error).split())
    return f"{name}: {type(error).__name__}{': ' if said else ''}{said}"


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

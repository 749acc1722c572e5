"""Ending what would go on: Ctrl-C or SIGTERM asks, a second one insists."""

import os
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import NoReturn

import trio

from automate.errors import AutomateError

__all__ = ["raise_first", "run_until_stopped"]

_SIGNALS = [signal.SIGINT, signal.SIGTERM]


def run_until_stopped(work: Callable[[], Awaitable[int]]) -> int:
    """Run *work* and return its exit code; 0 if it was asked to stop and did so in order.

    Raises:
        AutomateError: *work* failed with it, alone or in a group.
    """
    return trio.run(_watched, work)


async def _watched(work: Callable[[], Awaitable[int]]) -> int:
    code = 0
    scope = trio.CancelScope()
    try:
        with trio.open_signal_receiver(*_SIGNALS) as received:
            async with trio.open_nursery() as nursery:
                # Outside the scope, so that a second signal is heard while things are closed.
                nursery.start_soon(_listen, received, scope)
                with scope:
                    code = await work()
                nursery.cancel_scope.cancel()
    except BaseExceptionGroup as group:
        raise_first(group)
    return code


async def _listen(received: AsyncIterator[int], scope: trio.CancelScope) -> None:
    async for number in received:
        if scope.cancel_called:
            os._exit(128 + number)
        scope.cancel()


def raise_first(group: BaseExceptionGroup[BaseException]) -> NoReturn:
    """Raise the first of our own errors in *group*, or else the group as it is."""
    ours = group.subgroup(AutomateError)
    while ours is not None:
        first = ours.exceptions[0]
        if isinstance(first, AutomateError):
            raise first from None
        ours = first
    raise group

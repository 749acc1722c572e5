"""Ending what would go on: Ctrl-C or SIGTERM asks, a second one insists."""

import os
import signal
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from types import FrameType

import trio

from automate.errors import AutomateError

__all__ = ["run_until_stopped", "sole_error"]

# Not every system knows all of them; a closed terminal hangs up.
_NAMES = ("SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK")


def run_until_stopped(work: Callable[[], Awaitable[int]], *, is_endless: bool) -> int:
    """Run *work* and return its exit code, or how it was stopped.

    Asked to stop, work that *is_endless* has done all it should: 0; any other has not, and 128
    and the signal's number say so. Asked twice, the process ends at once.

    Raises:
        AutomateError: *work* failed with it, alone or in a group.
        OSError: what it prints could not be written.
    """
    return trio.run(_watched, work, is_endless)


async def _watched(work: Callable[[], Awaitable[int]], is_endless: bool) -> int:
    scope = trio.CancelScope()
    trio_token = trio.lowlevel.current_trio_token()
    stopped_by: list[int] = []

    # In the handler itself and not in a task: a second signal must count although everything
    # hangs, in a pattern that takes for ever or in somebody's Python.
    def hear(number: int, frame: FrameType | None) -> None:
        if stopped_by:
            os._exit(128 + number)
        stopped_by.append(number)
        trio_token.run_sync_soon(scope.cancel)

    try:
        with _handled_by(hear), scope:
            return await work()
    except BaseExceptionGroup as group:
        raise sole_error(group) from None
    return 0 if is_endless else 128 + stopped_by[0]


@contextmanager
def _handled_by(hear: Callable[[int, FrameType | None], None]) -> Iterator[None]:
    """Have *hear* handle the signals, but not a hang-up that somebody (nohup) switched off."""
    known = [signal.Signals[name] for name in _NAMES if name in signal.Signals.__members__]
    if threading.current_thread() is not threading.main_thread():
        known = []  # Python allows it nowhere else; whoever began the thread has to end it
    before = {
        number: signal.signal(number, hear)
        for number in known
        if number.name != "SIGHUP" or signal.getsignal(number) is not signal.SIG_IGN
    }
    try:
        yield
    finally:
        for number, handler in before.items():
            # None stands for a handler that was not set from Python: it can't be set again.
            signal.signal(number, signal.SIG_DFL if handler is None else handler)


def sole_error(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """Return the first of our own errors in *group*; or the first of the system's, if alone.

    What several tasks print into a pipe without a reader fails in several tasks. *group* itself
    comes back where anything else is in it.
    """
    ours = group.subgroup(AutomateError)
    if ours is not None:
        return _first(ours)
    _, others = group.split(OSError)
    return group if others is not None else _first(group)


def _first(error: BaseException) -> BaseException:
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error

"""The order in which trio runs tasks that wake together, fixed by a seed.

trio shuffles them on purpose. This is the one place that reaches into it to make that
repeatable, in the way in which trio itself does for Hypothesis.
"""

import random
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import trio

from automate.errors import UsageError

__all__ = ["scheduled"]


@contextmanager
def scheduled(seed: int) -> Iterator[None]:
    """Have each ``trio.run`` within the block schedule its tasks as *seed* says.

    Raises:
        UsageError: this trio schedules in a way that is not known here.
    """
    # `_r` and `_ALLOW_DETERMINISTIC_SCHEDULING` are private. There is no public way to fix the
    # order, and trio's own Hypothesis support (trio._core._run._hypothesis_plugin_setup) sets
    # the same two names. If a new trio renames them, only this function must follow.
    run: Any = trio._core._run
    chance = getattr(run, "_r", None)
    was_fixed = getattr(run, "_ALLOW_DETERMINISTIC_SCHEDULING", None)
    if not isinstance(chance, random.Random) or not isinstance(was_fixed, bool):
        raise UsageError(
            f"trio {trio.__version__} does not schedule by _core._run._r any more: its order "
            "can't be fixed; run without --seeds, or with trio 0.35"
        )
    state = chance.getstate()
    run._ALLOW_DETERMINISTIC_SCHEDULING = True
    chance.seed(seed)
    try:
        yield
    finally:
        chance.setstate(state)
        run._ALLOW_DETERMINISTIC_SCHEDULING = was_fixed

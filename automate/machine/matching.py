"""Whether what happened is what a trigger means; the values it offers to texts if so."""

import re
from functools import lru_cache

from automate.machine.world import Changed, Fell
from automate.recipe.triggers import ConsoleLine, Crashed, StatusChanged

__all__ = ["Values", "match_change", "match_fall", "match_line"]

Values = dict[str, str]


@lru_cache(maxsize=1024)
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern)


def match_line(trigger: ConsoleLine, line: str) -> Values | None:
    """Return the named groups, and the line; ``None`` if *line* (cleaned) does not match."""
    found = _compiled(trigger.pattern).search(line)
    if found is None:
        return None
    return {"line": line, **{name: value or "" for name, value in found.groupdict().items()}}


def match_change(trigger: StatusChanged, change: Changed) -> Values | None:
    """Return the new status; ``None`` if *change* is another one."""
    if change.to not in trigger.to or (trigger.was and change.was not in trigger.was):
        return None
    return {"status": change.to.value}


def match_fall(trigger: Crashed, fell: Fell) -> Values | None:
    """Return what is known of the crash; ``None`` if it is not the kind that is meant."""
    fall = fell.fall
    if trigger.exit_codes is not None and fall.exit_code not in trigger.exit_codes:
        return None
    if trigger.out_of_memory is not None and bool(fall.out_of_memory) is not trigger.out_of_memory:
        return None
    code = "unknown" if fall.exit_code is None else str(fall.exit_code)
    return {"reason": fall.reason, "exit_code": code}

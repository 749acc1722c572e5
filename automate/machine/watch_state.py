"""What is remembered of one trigger for one server, as plain values that can be written down.

One class serves all kinds of triggers, and each uses of it what it needs.
"""

from collections.abc import Sequence
from typing import Final, Literal

from attrs import Factory, define, frozen

from automate.machine.matching import Values

__all__ = ["NOTHING", "Firing", "Group", "Told", "WatchState"]


@frozen
class Firing:
    """A trigger's moment has come: *moment* is when it happened, *values* what it offers."""

    moment: float
    values: Values


Told = tuple[Sequence[Firing], bool]
"""What fired, and whether anything changed that is worth writing down."""

NOTHING: Final[Told] = ((), False)


@define(kw_only=True)
class Group:
    """What is remembered of those that captured one value."""

    # Those that count, in order; of "not followed by" the one that is to be followed.
    moments: list[float] = Factory(list)
    # Of "all within": when each part (by its place, in words, for JSON) happened last.
    parts: dict[str, float] = Factory(dict)
    # What each name was last, and when.
    values: dict[str, tuple[float, str]] = Factory(dict)


@define(kw_only=True)
class WatchState:
    """What is remembered of one trigger."""

    # Since when it holds what is to hold for some time; None while it does not.
    since: float | None = None
    # When the watch wants to be asked again, if nothing happens before.
    until: float | None = None
    # Whether it was told already, and is not to be told again of the same.
    told: bool = False
    # Whether it is still seen; or the connection was lost since, or automate itself was down.
    sight: Literal["seen", "lost", "down"] = "seen"
    # The status that is held.
    status: str = ""
    # By the value captured; those touched last stand last.
    groups: dict[str, Group] = Factory(dict)
    # When each group's second happened last, if the first can be told later than that.
    followed: dict[str, float] = Factory(dict)
    parts: "list[WatchState]" = Factory(list)

"""Watches for what comes together: several things within a time, or one without another.

They are given what their parts told, and know nothing of how those found out. Two things are
within a time if less than that lies between their moments. What a crash's second of settling
does to the order is respected: its moment lies before some that were told earlier.
"""

from bisect import insort
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from typing import Final, Literal, TypeVar

from automate.machine.occurrence import SETTLE_SECONDS
from automate.machine.watch_holds import Hold
from automate.machine.watch_state import NOTHING, Firing, Group, Told, WatchState
from automate.recipe.combinators import (
    AllWithin,
    Combinator,
    NotFollowedBy,
    Times,
    Trigger,
    leaves,
)
from automate.recipe.template import TOLD_LIMIT
from automate.recipe.triggers import Connected, Crashed, Disconnected, RecipeEnded

__all__ = ["GROUPS_KEPT", "due", "needs_sight", "see", "take"]

# A flood of made-up names must not fill the memory; the oldest are dropped.
GROUPS_KEPT: Final = 10_000
# What is never missed in a gap: automate itself makes it.
_NEVER_MISSED: Final = (RecipeEnded, Connected, Disconnected)
_Kept = TypeVar("_Kept")


def take(
    trigger: AllWithin | Times | NotFollowedBy,
    state: WatchState,
    told: Sequence[Sequence[Firing]],
    at: float,
    *,
    after_gap: bool,
) -> Told:
    """Return what fires now that the parts *told* this, each for itself.

    *after_gap*: it was found so after a gap, and happened at some moment in it.
    """
    match trigger:
        case NotFollowedBy():
            first, second = told
            # In this order: what is both does not follow itself.
            changed = [_follow(trigger, state, one, after_gap=after_gap) for one in second]
            changed += [_expect(trigger, state, one) for one in first]
            if late := _late_seconds(trigger.first):
                changed += [_keep(trigger, state, one, at - late) for one in second]
            state.until = _until(trigger, state, at)
            return (), any(changed)
        case Times():
            counted = [_count(trigger, state, one, at) for one in told[0]]
            return [one for one in counted if one is not None], bool(counted)
        case AllWithin():
            # What means several parts is theirs together, and left over for none.
            keys = {
                _collect(trigger, state, place, one, at): None
                for place, part in enumerate(told)
                for one in part
            }
            whole = [key for key in keys if len(state.groups[key].parts) == len(trigger.parts)]
            return [_fire(state, key, trigger.seconds) for key in whole], bool(keys)


# ---------------------------------------------------------------- groups


@lru_cache(maxsize=1024)
def _late_seconds(trigger: Trigger) -> float:
    """Return how long after its moment *trigger* can be told."""
    return SETTLE_SECONDS if any(isinstance(one, Crashed) for one in leaves(trigger)) else 0.0


@lru_cache(maxsize=1024)
def _is_in_order(trigger: Trigger) -> bool:
    """Whether what *trigger* tells comes in the order of its moments, whatever happens."""
    if isinstance(trigger, Combinator):
        return not isinstance(trigger, NotFollowedBy) and all(map(_is_in_order, trigger.parts))
    return not isinstance(trigger, Crashed | Hold)


def _key(per: str | None, firing: Firing) -> str:
    return "" if per is None else firing.values.get(per, "")[:TOLD_LIMIT]


def _touched(state: WatchState, key: str, seconds: float, at: float) -> Group:
    """Return the group of *key*, as the newest one; drop those that can't come to anything."""
    group = state.groups.pop(key, None) or Group()
    _drop_old(state.groups, lambda old: _newest(old) + seconds + SETTLE_SECONDS <= at)
    state.groups[key] = group
    return group


def _drop_old(kept: dict[str, _Kept], is_old: Callable[[_Kept], bool]) -> None:
    """Make room for one more: drop those at the front that are old, or too many."""
    while kept:
        oldest = next(iter(kept))
        if len(kept) < GROUPS_KEPT and not is_old(kept[oldest]):
            return
        del kept[oldest]


def _newest(group: Group) -> float:
    return max([*group.moments[-1:], *group.parts.values()])


def _remember(group: Group, firing: Firing) -> None:
    for name, text in firing.values.items():
        known = group.values.get(name)
        if known is None or known[0] <= firing.moment:
            group.values[name] = (firing.moment, _short(text))


def _short(text: str) -> str:
    """Return *text* as far as recipes' texts can show it: what waits here has to be small."""
    if len(text) <= TOLD_LIMIT:
        return text
    return "\n".join(line[:TOLD_LIMIT] for line in text.split("\n"))


def _fire(state: WatchState, key: str, seconds: float) -> Firing:
    """Return what the group of *key* has come to, and forget it."""
    group = state.groups.pop(key)
    newest = _newest(group)
    values = {
        name: text for name, (moment, text) in group.values.items() if newest - moment < seconds
    }
    return Firing(newest, values)


# ---------------------------------------------------------------- so many times


def _count(trigger: Times, state: WatchState, firing: Firing, at: float) -> Firing | None:
    key = _key(trigger.per, firing)
    group = _touched(state, key, trigger.seconds, at)
    insort(group.moments, firing.moment)
    newest = group.moments[-1]
    group.moments = [one for one in group.moments if newest - one < trigger.seconds]
    _remember(group, firing)
    return _fire(state, key, trigger.seconds) if len(group.moments) >= trigger.times else None


# ---------------------------------------------------------------- all of them


def _collect(trigger: AllWithin, state: WatchState, place: int, firing: Firing, at: float) -> str:
    """Note that a part happened, and return the group that it belongs to."""
    key = _key(trigger.per, firing)
    group = _touched(state, key, trigger.seconds, at)
    known = group.parts.get(str(place), firing.moment)
    group.parts[str(place)] = max(known, firing.moment)
    newest = _newest(group)
    group.parts = {
        part: moment for part, moment in group.parts.items() if newest - moment < trigger.seconds
    }
    _remember(group, firing)
    return key


# ---------------------------------------------------------------- one without another


@lru_cache(maxsize=1024)
def needs_sight(trigger: NotFollowedBy) -> bool:
    """Whether the second can happen unseen in a gap."""
    return any(not isinstance(one, _NEVER_MISSED) for one in leaves(trigger.second))


def see(trigger: NotFollowedBy, state: WatchState, at: float, *, is_seen: bool) -> bool:
    """Note whether the server is seen; whether that is news is returned.

    What is over while it is not waits for the next sight: the second may have happened unseen.
    """
    sight: Literal["seen", "lost"] = "seen" if is_seen else "lost"
    if not needs_sight(trigger) or state.sight == sight:
        return False
    state.sight = sight
    state.until = _until(trigger, state, at)
    return True


def due(trigger: NotFollowedBy, state: WatchState, at: float) -> Told:
    """Return what fires because nothing followed until now."""
    if state.until is None or at < state.until:
        return NOTHING
    fired = []
    for key in list(_over(trigger, state, at)):
        group = state.groups.pop(key)
        values = {name: text for name, (_, text) in group.values.items()}
        fired.append(Firing(group.moments[0] + trigger.seconds, values))
    state.until = _until(trigger, state, at)
    return sorted(fired, key=lambda one: one.moment), True


def _over(trigger: NotFollowedBy, state: WatchState, at: float) -> Iterator[str]:
    """Yield the groups whose time is over by *at*."""
    patience, in_order = _patience_seconds(trigger), _is_in_order(trigger.first)
    for key, group in state.groups.items():
        if group.moments[0] + patience <= at:
            yield key
        elif in_order:
            return


def _until(trigger: NotFollowedBy, state: WatchState, at: float) -> float | None:
    if state.sight != "seen" or not state.groups:
        return None
    begun = (group.moments[0] for group in state.groups.values())
    first = next(begun) if _is_in_order(trigger.first) else min(begun)
    return max(first + _patience_seconds(trigger), at)


@lru_cache(maxsize=1024)
def _patience_seconds(trigger: NotFollowedBy) -> float:
    return trigger.seconds + _late_seconds(trigger.second)


def _follow(trigger: NotFollowedBy, state: WatchState, second: Firing, *, after_gap: bool) -> bool:
    key = _key(trigger.per, second)
    group = state.groups.get(key)
    if group is None:
        return False
    begun = group.moments[0]
    is_followed = after_gap or begun <= second.moment < begun + trigger.seconds
    if is_followed:
        del state.groups[key]
    return is_followed


def _keep(trigger: NotFollowedBy, state: WatchState, second: Firing, since: float) -> bool:
    """Remember *second* for a first that happened before it, and will be told after it."""
    key = _key(trigger.per, second)
    state.followed.pop(key, None)
    _drop_old(state.followed, lambda moment: moment < since)
    state.followed[key] = second.moment
    return True


def _expect(trigger: NotFollowedBy, state: WatchState, first: Firing) -> bool:
    key = _key(trigger.per, first)
    followed = state.followed.get(key)
    # Of two things at one moment nobody knows which was the first: an alarm needs more.
    is_followed = followed is not None and 0 <= followed - first.moment < trigger.seconds
    if key in state.groups or is_followed:
        return False
    _drop_old(state.groups, lambda old: False)
    state.groups[key] = Group(moments=[first.moment])
    _remember(state.groups[key], first)
    return True

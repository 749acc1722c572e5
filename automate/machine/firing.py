"""Whether a recipe that was triggered may run: its condition, its limits, its mode.

Decided from what is remembered of it; what follows is left to `runs` and `recipes`.
"""

from attrs import frozen

from automate.machine.matching import Values
from automate.machine.state import LimitBook, Pending, RecipeBook
from automate.recipe.limits import AtMost, Cooldown, Limit
from automate.recipe.recipe import Recipe

__all__ = ["Go", "HeldBack", "Queue", "Replace", "ask_limits", "ask_mode"]

# How many values a limit counts by are remembered: as many players as any server has in a day.
_GROUPS = 10_000


@frozen
class Go:
    """It may run; *escalation* is the place of the limit whose `otherwise` is done instead."""

    escalation: int | None = None


@frozen
class HeldBack:
    """It may not run, for a *reason*."""

    reason: str


@frozen
class Queue:
    """It waits its turn; *dropped* is one that waited and has to make room."""

    dropped: Pending | None = None


@frozen
class Replace:
    """It may run once the runs that are under way are ended: the *oldest*, or all of them."""

    only_oldest: bool


def ask_limits(recipe: Recipe, book: RecipeBook, moment: float, values: Values) -> Go | HeldBack:
    """Return what the recipe's limits say of a run at *moment*, and count it if it may go."""
    while len(book.limits) < len(recipe.limit):
        book.limits.append(LimitBook())
    escalation = None
    for place in _order(recipe):
        found = _ask(recipe.limit[place], book.limits[place], moment, values)
        if isinstance(found, HeldBack):
            return found
        if found:
            escalation = place
            break
    if escalation is not None:
        book.limits[escalation].gave_up.append(_key(recipe.limit[escalation], values))
        return Go(escalation)
    for limit, kept in zip(recipe.limit, book.limits, strict=False):
        _count(limit, kept, moment, values)
    return Go()


def _order(recipe: Recipe) -> list[int]:
    """Return the places of the limits: those that only hold back first, then as written.

    What a cool-down would not have let run anyway is no reason to give up.
    """
    places = range(len(recipe.limit))
    return sorted(places, key=lambda place: not isinstance(recipe.limit[place], Cooldown))


def _count(limit: Limit, kept: LimitBook, moment: float, values: Values) -> None:
    key = _key(limit, values)
    # Those that were counted last stand last, so that the first are the ones to forget.
    kept.triggered[key] = [*kept.triggered.pop(key, ()), moment]
    if key in kept.gave_up:
        kept.gave_up.remove(key)
    while len(kept.triggered) > 1:
        oldest = next(iter(kept.triggered))
        is_over = kept.triggered[oldest][-1] <= moment - _within(limit)
        if not is_over and len(kept.triggered) <= _GROUPS:
            break
        del kept.triggered[oldest]
        if oldest in kept.gave_up:
            kept.gave_up.remove(oldest)


def _within(limit: Limit) -> float:
    return limit.within_seconds if isinstance(limit, AtMost) else limit.seconds


def _ask(limit: Limit, kept: LimitBook, moment: float, values: Values) -> HeldBack | bool:
    """Return why the run is held back, or whether the limit's `otherwise` is to be done."""
    key = _key(limit, values)
    times = limit.times if isinstance(limit, AtMost) else 1
    recent = [one for one in kept.triggered.get(key, ()) if one > moment - _within(limit)]
    if recent:
        kept.triggered[key] = recent
    else:
        kept.triggered.pop(key, None)
    if len(recent) < times:
        return False
    if isinstance(limit, Cooldown) or not limit.otherwise or key in kept.gave_up:
        return HeldBack(f"{limit}{f' ({key})' if key else ''}")
    return True


def _key(limit: Limit, values: Values) -> str:
    return values.get(limit.per, "") if limit.per else ""


def ask_mode(recipe: Recipe, book: RecipeBook, running: int) -> Go | HeldBack | Queue | Replace:
    """Return what becomes of a trigger while so many runs are *running*."""
    if not running and not book.queue:
        return Go()
    match recipe.mode:
        case "single":
            return HeldBack("it is still running")
        case "restart":
            return Replace(only_oldest=False)
        case "parallel" if running < recipe.at_once:
            return Go()
        case "parallel" if recipe.excess == "oldest":
            return Replace(only_oldest=True)
        case "parallel":
            return HeldBack(f"it is running {running} times already")
        case _ if running + len(book.queue) < recipe.at_once:
            return Queue()
        case _ if recipe.excess == "oldest" and book.queue:
            return Queue(dropped=book.queue[0])
        case _:
            return HeldBack(f"{len(book.queue)} runs wait their turn already")

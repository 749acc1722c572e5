"""What is written in a recipe but can never happen: limits, conditions and steps in vain.

Only what is certain is told; what is merely unusual is the writer's affair.
"""

from collections.abc import Iterator
from itertools import combinations, pairwise
from typing import Final

from automate.recipe.checks import duration
from automate.recipe.combinators import AnyOf, Trigger, leaves
from automate.recipe.conditions import (
    And,
    Condition,
    Not,
    OnDays,
    Or,
    PlayersOnline,
    ReadingIs,
    ServerIs,
    VariableIs,
)
from automate.recipe.flow import (
    Block,
    Choose,
    On,
    Parallel,
    Repeat,
    Step,
    Try,
    WaitUntil,
    flat,
    sequences_in,
)
from automate.recipe.limits import AtMost, Cooldown, Limit
from automate.recipe.parts import conditions_of, sequences_of, triggers_of
from automate.recipe.recipe import Recipe
from automate.recipe.schedule import Every
from automate.recipe.steps import (
    Backoff,
    Call,
    Countdown,
    Fail,
    Kill,
    Notify,
    Restart,
    RunRecipe,
    SetVariable,
    Start,
    Stop,
    Wait,
)
from automate.recipe.triggers import (
    Deleted,
    FoundOffline,
    ReadingAbove,
    Silent,
    StatusChanged,
    Stuck,
)
from automate.wire.messages import PowerState

__all__ = ["contradictions"]


def contradictions(recipe: Recipe) -> list[str]:
    """Return what in *recipe* can never happen, each with what to do about it."""
    found = [
        *_in_limits(recipe.limit),
        *_too_slow(recipe),
        *_in_mode(recipe),
        *_in_triggers(recipe),
        *_in_conditions(recipe),
        *_in_steps(recipe),
    ]
    return list(dict.fromkeys(found))


# ---------------------------------------------------------------- limits and modes


def _in_limits(limits: tuple[Limit, ...]) -> Iterator[str]:
    for at, limit in enumerate(limits):
        for other_at, other in enumerate(limits):
            # What holds back all runs holds back those of one value, too.
            counts_all = other.per in (None, limit.per)
            if other is not limit and isinstance(limit, AtMost) and counts_all:
                is_first = other_at < at
                if isinstance(other, Cooldown) and _is_slower(other, limit, is_first=is_first):
                    yield (
                        f"AtMost: {limit.times} runs within {duration(limit.within_seconds)} can "
                        f"never be, for Cooldown keeps them {duration(other.seconds)} apart; "
                        "leave one of the two out"
                    )
                if isinstance(other, AtMost) and _is_stricter(other, limit, is_first=is_first):
                    yield (
                        f"AtMost: “{limit}” can never be reached, for “{other}” comes before it; "
                        "leave it out"
                    )


def _too_slow(recipe: Recipe) -> Iterator[str]:
    """Yield the limits that can't be reached, for the recipe is not set off so often."""
    intervals = [one.interval_seconds for one in recipe.when if isinstance(one, Every)]
    at_most_each = len(intervals) == len(recipe.when) and not any(
        one.jitter_seconds or one.missed == "all" for one in recipe.when if isinstance(one, Every)
    )
    # While a run waits it can't be set off again.
    run_seconds = _pauses(recipe.then) if recipe.mode == "single" else 0.0
    for limit in recipe.limit:
        if not isinstance(limit, AtMost):
            continue
        within = limit.within_seconds
        if at_most_each and limit.times * min(intervals) >= within and len(intervals) == 1:
            yield (
                f"AtMost: “{limit}” can never be reached, for it is set off each "
                f"{duration(intervals[0])} only; leave it out"
            )
        elif limit.per is None and run_seconds and limit.times * run_seconds >= within:
            yield (
                f"AtMost: “{limit}” can never be reached, for each run waits for "
                f"{duration(run_seconds)}; give it fewer times, or more seconds"
            )


def _is_slower(cooldown: Cooldown, limit: AtMost, *, is_first: bool) -> bool:
    # Where the limit is looked at first, it is reached within the last run's cool-down.
    pauses = limit.times if is_first else limit.times - 1
    return pauses * cooldown.seconds >= limit.within_seconds


def _is_stricter(other: AtMost, limit: AtMost, *, is_first: bool) -> bool:
    fewer = other.times <= limit.times if is_first else other.times < limit.times
    return fewer and other.within_seconds >= limit.within_seconds


def _in_mode(recipe: Recipe) -> Iterator[str]:
    if recipe.mode in ("single", "restart"):
        for name, value, usual in (
            ("at_once", recipe.at_once, 10),
            ("excess", recipe.excess, "newest"),
        ):
            if value != usual:
                yield (
                    f'Recipe: {name}={value!r} says nothing with mode="{recipe.mode}"; write '
                    'mode="queued" or mode="parallel"'
                )


# ---------------------------------------------------------------- triggers and conditions


def _in_triggers(recipe: Recipe) -> Iterator[str]:
    for trigger in (one for top in triggers_of(recipe) for one in leaves(top)):
        if (
            isinstance(trigger, StatusChanged)
            and trigger.was
            and len({*trigger.to, *trigger.was}) == 1
        ):
            yield f"StatusChanged: it can't become {trigger.to[0]} after being just that"
        if isinstance(trigger, ReadingAbove) and _is_too_much(
            trigger.reading, trigger.percent_of_limit
        ):
            yield f"ReadingAbove: {_TOO_MUCH}"
    if recipe.only_if is None:
        return
    for way in (one for top in recipe.when for one in _alternatives(top)):
        known = _statuses(way)
        if known and not any(_may_hold(recipe.only_if, status) for status in known):
            yield (
                f"only_if: when {way}, it can't be that {recipe.only_if}: this never sets "
                "the recipe off"
            )


def _alternatives(trigger: Trigger) -> Iterator[Trigger]:
    if isinstance(trigger, AnyOf):
        for part in trigger.parts:
            yield from _alternatives(part)
    else:
        yield trigger


def _statuses(trigger: Trigger) -> tuple[PowerState, ...]:
    """Return what the status can be when *trigger* is told; nothing where nobody knows."""
    match trigger:
        case StatusChanged(to=states) | Stuck(states=states):
            return states
        case Silent():
            return (PowerState.RUNNING,)
        case FoundOffline():
            return (PowerState.OFFLINE,)
        case _:
            return ()


_TOO_MUCH: Final = (
    "more than 100 % of the memory's limit can't be in use, for the server is killed then; "
    "give it a lower percent"
)


def _is_too_much(reading: str, percent: float | None) -> bool:
    return reading == "memory_bytes" and percent is not None and percent > 100


def _in_conditions(recipe: Recipe) -> Iterator[str]:
    for condition in conditions_of(recipe):
        if not any(_may_hold(condition, status) for status in PowerState):
            yield f"“{condition}” never holds"
        for one in _all_in(condition):
            if isinstance(one, And):
                for first, second in combinations(one.conditions, 2):
                    if _exclude(first, second):
                        yield f"“{first}” and “{second}” never hold together; write Or(…)"
            if isinstance(one, PlayersOnline) and _is_empty(one.at_least, one.at_most):
                yield f"PlayersOnline: at_least={one.at_least} is above at_most={one.at_most}"
            if isinstance(one, ReadingIs) and _is_too_much(one.reading, one.at_least_percent):
                yield f"ReadingIs: {_TOO_MUCH}"


def _all_in(condition: Condition) -> Iterator[Condition]:
    yield condition
    match condition:
        case And(conditions=several) | Or(conditions=several):
            for one in several:
                yield from _all_in(one)
        case Not(negated=negated):
            yield from _all_in(negated)


def _may_hold(condition: Condition, status: PowerState) -> bool:
    """Return whether *condition* may hold with this *status*, whatever else there is."""
    match condition:
        case ServerIs(states=states):
            return status in states
        case And(conditions=several):
            return all(_may_hold(one, status) for one in several)
        case Or(conditions=several):
            return any(_may_hold(one, status) for one in several)
        case Not(negated=negated):
            return not _must_hold(negated, status)
        case _:
            return True


def _must_hold(condition: Condition, status: PowerState) -> bool:
    """Return whether *condition* holds with this *status*, whatever else there is."""
    match condition:
        case ServerIs(states=states):
            return status in states
        case And(conditions=several):
            return all(_must_hold(one, status) for one in several)
        case Or(conditions=several):
            return any(_must_hold(one, status) for one in several)
        case Not(negated=negated):
            return not _may_hold(negated, status)
        case _:
            return False


def _exclude(first: Condition, second: Condition) -> bool:
    """Return whether the two can't hold at one time; of the status it is told elsewhere."""
    match first, second:
        case OnDays(zone=zone), OnDays(zone=other) if zone == other:
            return not first.numbers & second.numbers
        case VariableIs(name=name), VariableIs(name=other):
            return name == other and first.value != second.value
        case PlayersOnline(), PlayersOnline():
            return _is_empty(first.at_least, second.at_most) or _is_empty(
                second.at_least, first.at_most
            )
        case _:
            return False


def _is_empty(least: int | None, most: int | None) -> bool:
    return least is not None and most is not None and least > most


# ---------------------------------------------------------------- steps

_DONE_WHEN: Final = {
    Start: PowerState.RUNNING,
    Restart: PowerState.RUNNING,
    Stop: PowerState.OFFLINE,
    Kill: PowerState.OFFLINE,
}
# What makes sense for a server that is no more.
_WITHOUT_SERVER: Final = (
    *(Notify, Call, SetVariable, RunRecipe, Wait, Fail),
    *(Block, Choose, Repeat, Parallel, On, Try),
)


def _in_steps(recipe: Recipe) -> Iterator[str]:
    for sequence in sequences_of(recipe):
        for step, later in pairwise(sequence):
            done_when = _DONE_WHEN.get(type(step))
            if isinstance(later, WaitUntil) and _waits_for(later, done_when):
                name = type(step).__name__
                yield (
                    f"WaitUntil: after {name}() the server is {done_when}, and won't become so "
                    f"once more; leave it out, {name}() waits for that itself"
                )
    for step in flat(recipe.all_steps):
        match step:
            case Wait(seconds=Backoff() as pause) | Try(pause_seconds=Backoff() as pause):
                if pause.first_seconds > pause.cap_seconds:
                    yield (
                        f"Backoff: first_seconds={pause.first_seconds:g} is above "
                        f"cap_seconds={pause.cap_seconds:g}; give it a higher cap"
                    )
        if isinstance(step, Try) and step.limit_seconds is not None:
            pauses = _pauses(step.steps)
            between = sum(step.pause(n) for n in range(1, min(step.retries, 10_000) + 1))
            if pauses <= step.limit_seconds < between:
                yield (
                    f"Try: the pauses before its {step.retries} retries are {duration(between)}, "
                    f"and limit_seconds={step.limit_seconds:g} is over before; give it fewer "
                    "retries, or more time"
                )
            if pauses > step.limit_seconds:
                yield (
                    f"Try: its steps wait for {duration(pauses)}, and "
                    f"limit_seconds={step.limit_seconds:g} is over before"
                )
    for sequence in (recipe.then, *_inside(recipe.then)):
        if any(isinstance(step, Fail) for step in sequence[:-1]):
            yield "Fail: what follows it is never done; make it the last"
    if all(isinstance(one, Deleted) for one in recipe.when):
        elsewhere = [
            inner for step in flat(recipe.then) if isinstance(step, On) for inner in step.steps
        ]
        others = set(map(id, flat(tuple(elsewhere))))
        for step in flat(recipe.then):
            if not isinstance(step, _WITHOUT_SERVER) and id(step) not in others:
                yield f"“{step}” can't be done, for the server was deleted"


def _inside(several: tuple[Step, ...]) -> Iterator[tuple[Step, ...]]:
    """Yield the sequences within *several* that a failure ends."""
    for step in several:
        # What is `always` to be done goes on after a failure.
        for inner in (step.steps,) if isinstance(step, Block) else sequences_in(step):
            yield inner
            yield from _inside(inner)


def _waits_for(step: WaitUntil, status: PowerState | None) -> bool:
    trigger = step.trigger
    return isinstance(trigger, StatusChanged) and trigger.to == (status,)


def _pauses(several: tuple[Step, ...]) -> float:
    """Return how long *several* wait in any case."""
    total = 0.0
    for step in several:
        match step:
            case Wait(seconds=int() | float() as seconds, unless=None):
                total += seconds
            case Countdown(seconds=seconds):
                total += seconds
            case Block(steps=steps):
                total += _pauses(steps)
            case Repeat(steps=steps, times=int(times)):
                total += times * _pauses(steps)
            case _:
                pass
    return total

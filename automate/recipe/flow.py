"""Steps made of steps: blocks, choices, repetitions, and what is done side by side."""

from collections.abc import Iterator
from typing import Any

from attrs import field, frozen

from automate.errors import RecipeError
from automate.recipe import checks
from automate.recipe.combinators import Trigger, trigger
from automate.recipe.conditions import Condition, condition, optional_condition
from automate.recipe.selectors import Selector, selector
from automate.recipe.steps import Backoff, SingleStep

__all__ = [
    "Block",
    "Choose",
    "If",
    "On",
    "Parallel",
    "Repeat",
    "Step",
    "Try",
    "WaitUntil",
    "flat",
    "sequences_in",
    "to_steps",
]


def to_steps(value: Any) -> "tuple[Step, ...]":
    """Return *value*, one step or a list of them, as a tuple of steps.

    Raises:
        RecipeError: something else is among them.
    """
    return checks.tuple_of(_STEPS, "a step such as Start() or Command('save-all')", value)


def _some_steps(value: Any) -> "tuple[Step, ...]":
    found = to_steps(value)
    if not found:
        raise RecipeError("expected at least one step, found none")
    return found


def _optional_steps(value: Any) -> "tuple[Step, ...] | None":
    return None if value is None else to_steps(value)


@frozen
class WaitUntil:
    """Wait until *trigger* happens, for *limit_seconds* at most.

    After that the step fails; with *otherwise* these steps are done instead, and the run goes
    on (``otherwise=[]`` just goes on).
    """

    trigger: Trigger = field(validator=trigger)
    limit_seconds: float = field(default=60, validator=checks.above_zero, kw_only=True)
    otherwise: "tuple[Step, ...] | None" = field(
        default=None, converter=_optional_steps, kw_only=True
    )

    def __str__(self) -> str:
        limit = checks.duration(self.limit_seconds)
        return f"wait until {self.trigger} (at most {limit})"


@frozen
class Block:
    """Steps that belong together; *always* are done after them, whatever happens in between."""

    steps: "tuple[Step, ...]" = field(converter=to_steps)
    always: "tuple[Step, ...]" = field(converter=to_steps, kw_only=True)

    def __str__(self) -> str:
        inner = ", ".join(map(str, self.steps))
        return f"({inner}; always {', '.join(map(str, self.always))})"


@frozen
class If:
    """One way of a `Choose`: *steps*, if *condition* holds."""

    condition: Condition = field(validator=condition)
    steps: "tuple[Step, ...]" = field(converter=to_steps)

    def __str__(self) -> str:
        return f"if {self.condition}: {', '.join(map(str, self.steps)) or 'nothing'}"


def _ways(owner: object, attribute: Any, value: Any) -> None:
    if not value:
        raise RecipeError("Choose: expected at least one If(condition, steps)")
    for one in value:
        if not isinstance(one, If):
            raise RecipeError(f"Choose: expected If(condition, steps), found {checks.shown(one)}")


@frozen(init=False)
class Choose:
    """Do the steps of the first of *ways* whose condition holds; else *otherwise*."""

    ways: tuple[If, ...] = field(validator=_ways)
    otherwise: "tuple[Step, ...]" = field(converter=to_steps, kw_only=True)

    def __init__(self, *ways: If, otherwise: "Step | list[Step] | tuple[Step, ...]" = ()) -> None:
        self.__attrs_init__(ways, otherwise=otherwise)

    def __str__(self) -> str:
        said = "; ".join(map(str, self.ways))
        other = f"; else {', '.join(map(str, self.otherwise))}" if self.otherwise else ""
        return f"({said}{other})"


@frozen
class Repeat:
    """Do *steps* again and again: *times* times, or until the condition *until* holds.

    *until* is looked at after each round; after *at_most* rounds without it the step fails.
    """

    steps: "tuple[Step, ...]" = field(converter=_some_steps)
    times: int | None = field(default=None, kw_only=True)
    until: Condition | None = field(default=None, validator=optional_condition, kw_only=True)
    at_most: int = field(default=100, validator=checks.whole_number, kw_only=True)

    @times.validator
    def _check_times(self, attribute: Any, value: Any) -> None:
        if value is not None:
            checks.whole_number(self, attribute, value)

    def __attrs_post_init__(self) -> None:
        if (self.times is None) == (self.until is None):
            raise RecipeError("Repeat: expected one of times=… and until=…")

    def __str__(self) -> str:
        inner = ", ".join(map(str, self.steps))
        how = f"{self.times} times" if self.times is not None else f"until {self.until}"
        return f"(repeat {how}: {inner})"


@frozen(init=False)
class Parallel:
    """Do several things side by side; done when all are, and failed if one failed."""

    branches: "tuple[tuple[Step, ...], ...]" = field()

    def __init__(self, *branches: "Step | list[Step] | tuple[Step, ...]") -> None:
        if len(branches) < 2:
            raise RecipeError("Parallel: expected at least two steps, or lists of steps")
        self.__attrs_init__(tuple(map(_some_steps, branches)))

    def __str__(self) -> str:
        said = " | ".join(", ".join(map(str, branch)) for branch in self.branches)
        return f"(side by side: {said})"


@frozen
class On:
    """Do *steps* on other servers, side by side: those that *servers* selects.

    *servers* is an id, a name or a pattern, `Tagged`, or several of them. Fails if no server is
    selected, or if a step fails on one.
    """

    servers: tuple[Selector, ...] = field(converter=selector)
    steps: "tuple[Step, ...]" = field(converter=_some_steps)

    def __str__(self) -> str:
        which = " and ".join(map(str, self.servers))
        return f"(on {which}: {', '.join(map(str, self.steps))})"


def _pause(owner: object, attribute: Any, value: Any) -> None:
    if not isinstance(value, Backoff):
        checks.seconds(owner, attribute, value)


def _optional_limit(owner: object, attribute: Any, value: Any) -> None:
    if value is not None:
        checks.above_zero(owner, attribute, value)


def _retries(owner: object, attribute: Any, value: Any) -> None:
    if value != 0:
        checks.whole_number(owner, attribute, value)


@frozen
class Try:
    """Do *steps*; if one fails, once more from the first, up to *retries* times.

    Before each retry it waits for *pause_seconds* (or a growing `Backoff`). *limit_seconds* is
    for all of it, pauses included. What still fails then fails the run, unless it is to *go_on*.
    """

    steps: "tuple[Step, ...]" = field(converter=_some_steps)
    retries: int = field(default=0, validator=_retries, kw_only=True)
    pause_seconds: float | Backoff = field(default=0, validator=_pause, kw_only=True)
    limit_seconds: float | None = field(default=None, validator=_optional_limit, kw_only=True)
    go_on: bool = field(default=False, validator=checks.yes_or_no, kw_only=True)

    def __attrs_post_init__(self) -> None:
        if not (self.retries or self.limit_seconds or self.go_on):
            raise RecipeError("Try: expected at least one of retries, limit_seconds and go_on")

    def pause(self, retry: int) -> float:
        """Return the pause in seconds before the *retry*-th retry (from 1)."""
        if isinstance(self.pause_seconds, Backoff):
            return self.pause_seconds.seconds(retry)
        return self.pause_seconds

    def __str__(self) -> str:
        inner = ", ".join(map(str, self.steps))
        notes = [
            *([f"retried {self.retries} times"] if self.retries else []),
            *([f"at most {checks.duration(self.limit_seconds)}"] if self.limit_seconds else []),
            *(["going on if it fails"] if self.go_on else []),
        ]
        return f"({inner}; {', '.join(notes)})"


Step = SingleStep | WaitUntil | Block | Choose | Repeat | Parallel | On | Try
_STEPS: Any = Step


def flat(found: "tuple[Step, ...]") -> "Iterator[Step]":
    """Yield *found* and all the steps within them, in the order they are written."""
    for step in found:
        yield step
        for inner in sequences_in(step):
            yield from flat(inner)


def sequences_in(step: Step) -> "tuple[tuple[Step, ...], ...]":
    """Return the steps that *step* is made of, each row that is done one after the other."""
    match step:
        case Block(steps=steps, always=always):
            return (steps, always)
        case Choose(ways=ways, otherwise=otherwise):
            return (*(way.steps for way in ways), otherwise)
        case Parallel(branches=branches):
            return branches
        case Repeat(steps=steps) | On(steps=steps) | Try(steps=steps):
            return (steps,)
        case WaitUntil(otherwise=tuple(otherwise)):
            return (otherwise,)
        case _:
            return ()

"""Several triggers in one: any of them, all within a time, so many times, one without another."""

from collections.abc import Iterator
from typing import Any

from attrs import field, frozen

from automate.errors import RecipeError
from automate.recipe import checks
from automate.recipe.schedule import Schedule
from automate.recipe.triggers import Asked, SingleTrigger

__all__ = [
    "AllWithin",
    "AnyOf",
    "Combinator",
    "NotFollowedBy",
    "Times",
    "Trigger",
    "leaves",
    "trigger",
    "triggers",
]


def trigger(owner: object, attribute: Any, value: Any) -> None:
    """Accept a trigger that happens in the world: no schedule, nothing that is asked for.

    Raises:
        RecipeError: it is something else.
    """
    kind = type(owner).__name__
    if isinstance(value, Schedule | Asked) and kind == "WaitUntil":
        raise RecipeError(f"WaitUntil: {value} can't be waited for here; write Wait(seconds=…)")
    if isinstance(value, Schedule | Asked):
        raise RecipeError(
            f"{kind}: {attribute.name}: {type(value).__name__} can't be a part of this; "
            "write it beside it in the list of `when`"
        )
    if not isinstance(value, _TRIGGERS):
        hint = "; write it with parentheses" if isinstance(value, type) else ""
        raise RecipeError(
            f"{kind}: {attribute.name}: expected a trigger such as Crashed(), "
            f"found {checks.shown(value)}{hint}"
        )


def _several(owner: object, attribute: Any, value: Any) -> None:
    if len(value) < 2:
        raise RecipeError(f"{type(owner).__name__}: expected at least two triggers")
    for one in value:
        trigger(owner, attribute, one)


class _Combined:
    __slots__ = ()

    @property
    def parts(self) -> "tuple[Trigger, ...]":
        """The triggers it is made of."""
        raise NotImplementedError  # pragma: no cover - each of the four says its own

    @property
    def names(self) -> frozenset[str]:
        """The names it offers to texts: those of its parts, empty where a part did not come."""
        return frozenset().union(*(part.names for part in self.parts))


@frozen(init=False)
class AnyOf(_Combined):
    """Any of *triggers* happened; what means several of them is told once, by the first."""

    triggers: "tuple[Trigger, ...]" = field(validator=_several)

    def __init__(self, *triggers: "Trigger") -> None:
        self.__attrs_init__(triggers)

    @property
    def parts(self) -> "tuple[Trigger, ...]":
        """The triggers it is made of."""
        return self.triggers

    def __str__(self) -> str:
        return "any of: " + "; ".join(map(str, self.triggers))


def _per(owner: object, attribute: Any, value: Any) -> None:
    if value is None:
        return
    checks.identifier(owner, attribute, value)
    for part in owner.parts:  # type: ignore[attr-defined] # one of the combinators below
        if value not in part.names:
            known = ", ".join(sorted(part.names)) or "none"
            raise RecipeError(
                f"{type(owner).__name__}: per: {value!r} is not captured by {part}; known: {known}"
            )


@frozen(init=False)
class AllWithin(_Combined):
    """All of *triggers* happened, in any order, within *seconds*; then it begins anew.

    That is: less than *seconds* lie between them, of each the last time counting. Texts are
    offered what each name was last. With *per* they count together only if they captured the
    same value under this name.
    """

    triggers: "tuple[Trigger, ...]" = field(validator=_several)
    seconds: float = field(validator=checks.above_zero, kw_only=True)
    per: str | None = field(default=None, validator=_per, kw_only=True)

    def __init__(self, *triggers: "Trigger", seconds: float, per: str | None = None) -> None:
        self.__attrs_init__(triggers, seconds=seconds, per=per)

    @property
    def parts(self) -> "tuple[Trigger, ...]":
        """The triggers it is made of."""
        return self.triggers

    def __str__(self) -> str:
        each = f", each {self.per} for itself" if self.per else ""
        said = "; ".join(map(str, self.triggers))
        return f"all of these within {checks.duration(self.seconds)}{each}: {said}"


@frozen
class Times(_Combined):
    """*trigger* happened *times* times within *seconds*; then it counts anew.

    That is: less than *seconds* lie between the first and the last of them. With *per*
    each value captured under this name is counted for itself.
    """

    times: int = field(validator=checks.whole_number)
    trigger: "Trigger" = field(validator=trigger)
    seconds: float = field(validator=checks.above_zero, kw_only=True)
    per: str | None = field(default=None, validator=_per, kw_only=True)

    @property
    def parts(self) -> "tuple[Trigger, ...]":
        """The trigger it is made of."""
        return (self.trigger,)

    def __str__(self) -> str:
        each = f" (each {self.per} for itself)" if self.per else ""
        return f"{self.times} times within {checks.duration(self.seconds)}{each}: {self.trigger}"


@frozen
class NotFollowedBy(_Combined):
    """*first* happened, and *second* did not within *seconds*: told when they are over.

    While one *first* is waited for, another changes nothing. What is both does not follow
    itself. If the *seconds* are over while the server can't be seen, it is told when the server
    is seen again, unless *second* is a status that is found then. With *per* only a *second*
    that captured the same value under this name counts.
    """

    first: "Trigger" = field(validator=trigger)
    second: "Trigger" = field(validator=trigger)
    seconds: float = field(validator=checks.above_zero, kw_only=True)
    per: str | None = field(default=None, validator=_per, kw_only=True)

    @property
    def parts(self) -> "tuple[Trigger, ...]":
        """The triggers it is made of."""
        return (self.first, self.second)

    @property
    def names(self) -> frozenset[str]:
        """The names it offers to texts: those of the first, for the second did not happen."""
        return self.first.names

    def __str__(self) -> str:
        each = f" (for the same {self.per})" if self.per else ""
        return f"{self.first}, but not within {checks.duration(self.seconds)}{each}: {self.second}"


Combinator = AnyOf | AllWithin | Times | NotFollowedBy
Trigger = SingleTrigger | Combinator
_TRIGGERS: Any = Trigger


def triggers(value: Any) -> tuple[Trigger, ...]:
    """Return *value*, one trigger or a list of them, as a tuple.

    Raises:
        RecipeError: something else is among them, or nothing.
    """
    try:
        found = checks.tuple_of(_TRIGGERS, "a trigger such as Crashed()", value)
    except RecipeError as error:
        raise RecipeError(f"Recipe: when: {error}") from None
    if not found:
        raise RecipeError("Recipe: when: expected at least one trigger, found none")
    return found


def leaves(one: Trigger) -> Iterator[SingleTrigger]:
    """Yield the single triggers that *one* is made of: itself, if it is single."""
    if isinstance(one, Combinator):
        for part in one.parts:
            yield from leaves(part)
    else:
        yield one

"""What must hold at a moment, as frozen values. Whether it does is the machine's work."""

import difflib
from datetime import time
from typing import Any, Final

from attrs import field, frozen

from automate.errors import RecipeError
from automate.recipe import checks
from automate.recipe.readings import Level, level_of, reading
from automate.wire.messages import PowerState

__all__ = [
    "And",
    "Between",
    "Condition",
    "Not",
    "NotRunFor",
    "OnDays",
    "Or",
    "PlayersOnline",
    "ReadingIs",
    "ServerIs",
    "VariableIs",
    "condition",
    "optional_condition",
    "power_states",
]


def power_states(value: Any) -> tuple[PowerState, ...]:
    """Return *value*, one state or several, as states.

    Raises:
        RecipeError: there is no such state, or none is given.
    """
    names = value if isinstance(value, list | tuple) else (value,)
    for name in names:
        if not (isinstance(name, str) and name in set(PowerState)):
            near = difflib.get_close_matches(str(name), list(PowerState), 1)
            hint = f"; did you mean {near[0]!r}?" if near else ""
            raise RecipeError(
                f"expected one of {', '.join(PowerState)}; found {checks.shown(name)}{hint}"
            )
    if not names:
        raise RecipeError(f"expected at least one of {', '.join(PowerState)}")
    return tuple(PowerState(name) for name in names)


@frozen(init=False)
class ServerIs:
    """The server's status is one of *states*: ``ServerIs("starting", "running")``."""

    states: tuple[PowerState, ...] = field(converter=power_states)

    def __init__(self, *states: str) -> None:
        self.__attrs_init__(states)

    def __str__(self) -> str:
        return "the server is " + " or ".join(self.states)


@frozen
class ReadingIs:
    """A number of the statistics (*reading*) is at least or at most so much.

    Exactly one of *at_least*, *at_most*, *at_least_percent* and *at_most_percent* (of the
    server's limit) is given. While no statistics came, or where there is no limit, nobody
    knows: then neither this holds nor its contrary.
    """

    reading: str = field(validator=reading)
    at_least: float | None = field(default=None, validator=checks.optional_number, kw_only=True)
    at_most: float | None = field(default=None, validator=checks.optional_number, kw_only=True)
    at_least_percent: float | None = field(
        default=None, validator=checks.optional_number, kw_only=True
    )
    at_most_percent: float | None = field(
        default=None, validator=checks.optional_number, kw_only=True
    )

    def __attrs_post_init__(self) -> None:
        given = [self.at_least, self.at_most, self.at_least_percent, self.at_most_percent]
        if sum(one is not None for one in given) != 1:
            raise RecipeError(
                "ReadingIs: expected exactly one of at_least=…, at_most=…, "
                "at_least_percent=…, at_most_percent=…"
            )
        level_of(
            self,
            self.reading,
            self.at_least if self.at_least is not None else self.at_most,
            self.at_least_percent if self.at_least_percent is not None else self.at_most_percent,
        )

    @property
    def is_lower_bound(self) -> bool:
        """Whether the reading has to be at least so much, not at most."""
        return self.at_least is not None or self.at_least_percent is not None

    @property
    def level(self) -> Level:
        """What the reading is held against."""
        number = self.at_least if self.at_least is not None else self.at_most
        percent = (
            self.at_least_percent if self.at_least_percent is not None else self.at_most_percent
        )
        return level_of(self, self.reading, number, percent)

    def __str__(self) -> str:
        bound = "at least" if self.is_lower_bound else "at most"
        return f"{self.reading} is {bound} {self.level.of(self.reading)}"


def _time_field(value: Any) -> time:
    return checks.time_of_day(value, owner="Between")


@frozen
class Between:
    """It is between two times of day in *zone*: from *start* on, up to but without *end*.

    Over midnight too: ``Between("22:00", "06:00")``.
    """

    start: time = field(converter=_time_field)
    end: time = field(converter=_time_field)
    zone: str = field(default="UTC", validator=checks.zone, kw_only=True)

    def __attrs_post_init__(self) -> None:
        if self.start == self.end:
            raise RecipeError("Between: start and end are the same time; leave it out instead")

    def __str__(self) -> str:
        return f"it is between {self.start:%H:%M} and {self.end:%H:%M} {self.zone}"


_DAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


@frozen(init=False)
class OnDays:
    """It is one of *days*: ``OnDays("sat", "sun", zone="Europe/Berlin")``."""

    days: tuple[str, ...] = field()
    zone: str = field(validator=checks.zone, kw_only=True)

    def __init__(self, *days: str, zone: str = "UTC") -> None:
        for day in days or ("nothing",):
            if day not in _DAYS:
                raise RecipeError(
                    f"OnDays: expected some of {', '.join(_DAYS)}; found {checks.shown(day)}"
                )
        self.__attrs_init__(tuple(days), zone=zone)

    @property
    def numbers(self) -> frozenset[int]:
        """The days as numbers, Monday being 0."""
        return frozenset(map(_DAYS.index, self.days))

    def __str__(self) -> str:
        return f"it is {' or '.join(day.capitalize() for day in self.days)} ({self.zone})"


def _count(owner: object, attribute: Any, value: Any) -> None:
    if value is not None and not (
        isinstance(value, int) and not isinstance(value, bool) and value >= 0
    ):
        raise RecipeError(
            f"PlayersOnline: {attribute.name}: expected a whole number, found {checks.shown(value)}"
        )


@frozen(kw_only=True)
class PlayersOnline:
    """So many players are online: *at_least*, *at_most* or both.

    Counted from what the game's console says of joining and leaving. Where that is not known
    (the game is not recognised, or automate came late and `CountPlayers` was not done) it does
    not hold, whatever the numbers.
    """

    at_least: int | None = field(default=None, validator=_count)
    at_most: int | None = field(default=None, validator=_count)

    def __attrs_post_init__(self) -> None:
        if self.at_least is None and self.at_most is None:
            raise RecipeError("PlayersOnline: expected at_least=…, at_most=… or both")

    def __str__(self) -> str:
        match self.at_least, self.at_most:
            case None, 0:
                return "nobody is online"
            case None, most:
                return f"at most {most} player{'s are' if most != 1 else ' is'} online"
            case 1, None:
                return "somebody is online"
            case least, None:
                return f"at least {least} players are online"
            case least, most if least == most:
                return f"{least} player{'s are' if least != 1 else ' is'} online"
            case least, most:
                return f"{least} to {most} players are online"


@frozen
class VariableIs:
    """The server's variable *name* has this *value* (a text); one never set is empty."""

    name: str = field(validator=checks.identifier)
    value: str = field(validator=checks.any_text)

    def __str__(self) -> str:
        return f"the variable {self.name} is {self.value!r}"


@frozen
class NotRunFor:
    """The recipe (or another one, by name) has not begun a run here for *seconds*, or never."""

    seconds: float = field(validator=checks.above_zero)
    recipe: str | None = field(default=None, validator=checks.optional_text, kw_only=True)

    def __str__(self) -> str:
        which = "it has" if self.recipe is None else f"{self.recipe!r} has"
        return f"{which} not run for {checks.duration(self.seconds)}"


def condition(owner: object, attribute: Any, value: Any) -> None:
    """Accept a condition."""
    if not isinstance(value, _CONDITIONS):
        raise RecipeError(
            f"{type(owner).__name__}: {attribute.name}: expected a condition such as "
            f'ServerIs("running"), found {checks.shown(value)}'
        )


def optional_condition(owner: object, attribute: Any, value: Any) -> None:
    """Accept a condition, or none."""
    if value is not None:
        condition(owner, attribute, value)


def _conditions(owner: str, several: "tuple[Condition, ...]") -> "tuple[Condition, ...]":
    if len(several) < 2:
        raise RecipeError(f"{owner}: expected at least two conditions")
    return checks.tuple_of(_CONDITIONS, 'conditions such as ServerIs("running")', several)


@frozen(init=False)
class And:
    """All of *conditions* hold; one that does not decides it, whatever is not known."""

    conditions: "tuple[Condition, ...]" = field()

    def __init__(self, *conditions: "Condition") -> None:
        self.__attrs_init__(_conditions("And", conditions))

    def __str__(self) -> str:
        return " and ".join(_inner(one) for one in self.conditions)


@frozen(init=False)
class Or:
    """At least one of *conditions* holds; one that does decides it, whatever is not known."""

    conditions: "tuple[Condition, ...]" = field()

    def __init__(self, *conditions: "Condition") -> None:
        self.__attrs_init__(_conditions("Or", conditions))

    def __str__(self) -> str:
        return " or ".join(_inner(one) for one in self.conditions)


@frozen
class Not:
    """*negated* does not hold; where that is not known, neither does this."""

    negated: "Condition" = field(validator=condition)

    def __str__(self) -> str:
        return f"not ({self.negated})"


Condition = (
    ServerIs
    | ReadingIs
    | Between
    | OnDays
    | PlayersOnline
    | VariableIs
    | NotRunFor
    | And
    | Or
    | Not
)
_CONDITIONS: Any = Condition


def _inner(one: Condition) -> str:
    return f"({one})" if isinstance(one, And | Or) else str(one)

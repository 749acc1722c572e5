"""How often a recipe may run, as frozen values."""

from typing import Any

from attrs import field, frozen

from automate.errors import RecipeError
from automate.recipe import checks
from automate.recipe.flow import Step, to_steps

__all__ = ["AtMost", "Cooldown", "Limit", "limits"]


@frozen
class AtMost:
    """At most *times* runs within *within_seconds*; for one more, *otherwise* is done once.

    After that the recipe stays quiet until fewer than *times* runs lie in the time past. With
    *per* each value that the trigger captured under this name has runs of its own.
    """

    times: int = field(validator=checks.whole_number)
    within_seconds: float = field(validator=checks.above_zero, kw_only=True)
    otherwise: tuple[Step, ...] = field(default=(), converter=to_steps, kw_only=True)
    per: str | None = field(default=None, validator=checks.optional_identifier, kw_only=True)

    def __str__(self) -> str:
        each = f" for each {self.per}" if self.per else ""
        times = "once" if self.times == 1 else f"{self.times} times"
        return f"at most {times} within {checks.duration(self.within_seconds)}{each}"


@frozen
class Cooldown:
    """Not again within *seconds* of the last run's beginning; *per* as in `AtMost`."""

    seconds: float = field(validator=checks.above_zero)
    per: str | None = field(default=None, validator=checks.optional_identifier, kw_only=True)

    def __str__(self) -> str:
        each = f" for each {self.per}" if self.per else ""
        return f"not again for {checks.duration(self.seconds)}{each}"


Limit = AtMost | Cooldown
_LIMITS: Any = Limit


def limits(value: Any) -> tuple[Limit, ...]:
    """Return *value*, one limit, several or ``None``, as a tuple.

    Raises:
        RecipeError: something else is among them.
    """
    if value is None:
        return ()
    try:
        return checks.tuple_of(_LIMITS, "AtMost(…) or Cooldown(…)", value)
    except RecipeError as error:
        raise RecipeError(f"Recipe: limit: {error}") from None

"""How often, and how patiently, as frozen values."""

from typing import Any

from attrs import field, frozen

from automate.errors import RecipeError
from automate.recipe import checks
from automate.recipe.steps import Step, to_steps

__all__ = ["AtMost", "limit"]


@frozen
class AtMost:
    """At most *times* runs within *within_seconds*; for one more, *otherwise* is done once.

    After that the recipe stays quiet until fewer than *times* runs lie in the time past.
    """

    times: int = field(validator=checks.whole_number)
    within_seconds: float = field(validator=checks.above_zero, kw_only=True)
    otherwise: tuple[Step, ...] = field(default=(), converter=to_steps, kw_only=True)

    def __str__(self) -> str:
        return f"at most {self.times} times within {self.within_seconds:g} s"


def limit(owner: object, attribute: Any, value: Any) -> None:
    """Accept a limit, or none."""
    if value is not None and not isinstance(value, AtMost):
        raise RecipeError(f"Recipe: limit: expected AtMost(…), found {checks.shown(value)}")

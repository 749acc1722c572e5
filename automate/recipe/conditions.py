"""What must hold at a moment, as frozen values."""

from typing import Any

from attrs import field, frozen

from automate.errors import RecipeError
from automate.recipe import checks
from automate.wire.messages import PowerState

__all__ = ["Condition", "ServerIs", "power_states"]


def power_states(value: Any) -> tuple[PowerState, ...]:
    """Return *value*, one state or several, as states.

    Raises:
        RecipeError: there is no such state, or none is given.
    """
    names = value if isinstance(value, list | tuple) else (value,)
    for name in names:
        if not (isinstance(name, str) and name in set(PowerState)):
            raise RecipeError(
                f"expected one of {', '.join(PowerState)}; found {checks.shown(name)}"
            )
    if not names:
        raise RecipeError(f"expected at least one of {', '.join(PowerState)}")
    return tuple(PowerState(name) for name in names)


@frozen(init=False)
class ServerIs:
    """The server's status is one of *states*: ``ServerIs("starting", "running")``."""

    states: tuple[PowerState, ...] = field()

    def __init__(self, *states: str) -> None:
        self.__attrs_init__(power_states(states))

    def __str__(self) -> str:
        return "the server is " + " or ".join(self.states)


Condition = ServerIs

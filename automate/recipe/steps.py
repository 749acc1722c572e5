"""What a recipe can do, as frozen values: imperative, with units in their names.

A step is done when the world says so: `Start` when the server runs, `Backup` when the backup
is complete. How that is found out is the machine's work.
"""

from typing import Any

from attrs import field, frozen

from automate.errors import RecipeError
from automate.recipe import checks
from automate.recipe.conditions import Condition, ServerIs
from automate.recipe.template import names_in
from automate.recipe.triggers import ConsoleLine, StatusChanged

__all__ = [
    "Announce",
    "Backoff",
    "Backup",
    "Block",
    "Call",
    "Command",
    "Fail",
    "Kill",
    "Notify",
    "PowerStep",
    "Restart",
    "Start",
    "Step",
    "Stop",
    "Wait",
    "WaitUntil",
    "to_steps",
]


def _text(owner: object, attribute: Any, value: Any) -> None:
    checks.some_text(owner, attribute, value)
    names_in(str(value))


def _command(owner: object, attribute: Any, value: Any) -> None:
    checks.command_template(owner, attribute, value)
    names_in(str(value))


@frozen
class Command:
    """Type *text* into the game's console."""

    text: str = field(validator=_command)

    def __str__(self) -> str:
        return f"command {self.text!r}"


def _say(owner: object, attribute: Any, value: Any) -> None:
    _command(owner, attribute, value)
    if "text" not in names_in(str(value)):
        raise RecipeError(f"Announce: command: expected {{text}} in it, found {value!r}")


@frozen
class Announce:
    """Say *text* to the players, by the game's own command (Minecraft's ``say`` by default)."""

    text: str = field(validator=_command)
    command: str = field(default="say {text}", validator=_say, kw_only=True)

    def __str__(self) -> str:
        return f"announce {self.text!r}"


@frozen(kw_only=True)
class Start:
    """Start the server and wait until it is running; nothing to do if it already is."""

    limit_seconds: float = field(default=600, validator=checks.above_zero)

    def __str__(self) -> str:
        return "start"


@frozen(kw_only=True)
class Stop:
    """Stop the server and wait until it is offline; kill it after *kill_after_seconds*."""

    kill_after_seconds: float | None = field(default=None, validator=checks.optional_seconds)
    limit_seconds: float = field(default=600, validator=checks.above_zero)

    def __str__(self) -> str:
        late = self.kill_after_seconds
        return "stop" if late is None else f"stop (kill after {late:g} s)"


@frozen(kw_only=True)
class Restart:
    """Restart the server and wait until it is running again."""

    limit_seconds: float = field(default=900, validator=checks.above_zero)

    def __str__(self) -> str:
        return "restart"


@frozen(kw_only=True)
class Kill:
    """Kill the server and wait until it is offline; what was not saved is lost."""

    limit_seconds: float = field(default=60, validator=checks.above_zero)

    def __str__(self) -> str:
        return "kill"


PowerStep = Start | Stop | Restart | Kill


@frozen
class Backup:
    """Make a backup through the panel and wait until it is complete."""

    name: str = field(default="automate", validator=_text)
    limit_seconds: float = field(default=3600, validator=checks.above_zero, kw_only=True)

    def __str__(self) -> str:
        return f"backup {self.name!r}"


@frozen(kw_only=True)
class Backoff:
    """A pause that grows with each attempt, and is short again after a quiet time.

    The n-th attempt waits ``first_seconds * factor ** (n - 1)``, at most *cap_seconds*; it
    counts from one again when *reset_after_seconds* have passed since the last.
    """

    first_seconds: float = field(default=10, validator=checks.seconds)
    factor: float = field(default=2, validator=checks.above_zero)
    cap_seconds: float = field(default=300, validator=checks.seconds)
    reset_after_seconds: float = field(default=600, validator=checks.above_zero)

    def seconds(self, attempt: int) -> float:
        """Return the pause before the *attempt*-th attempt (from 1)."""
        try:
            grown = self.first_seconds * self.factor ** (attempt - 1)
        except OverflowError:
            return self.cap_seconds
        return min(self.cap_seconds, grown)

    def __str__(self) -> str:
        return f"{self.first_seconds:g} to {self.cap_seconds:g} s"


def _pause(owner: object, attribute: Any, value: Any) -> None:
    if not isinstance(value, Backoff):
        checks.seconds(owner, attribute, value)


def _condition(owner: object, attribute: Any, value: Any) -> None:
    if value is not None and not isinstance(value, ServerIs):
        raise RecipeError(
            f"{type(owner).__name__}: {attribute.name}: expected a condition such as "
            f'ServerIs("running"), found {checks.shown(value)}'
        )


@frozen(kw_only=True)
class Wait:
    """Wait; if *unless* holds, now or meanwhile, the run ends here: there is nothing to do.

    The first wait of a run counts from the trigger's own moment, not from when it was told.
    """

    seconds: float | Backoff = field(validator=_pause)
    unless: Condition | None = field(default=None, validator=_condition)

    def __str__(self) -> str:
        shown = self.seconds if isinstance(self.seconds, Backoff) else f"{self.seconds:g} s"
        return f"wait {shown}" + (f" unless {self.unless}" if self.unless else "")


def _awaited(owner: object, attribute: Any, value: Any) -> None:
    if not isinstance(value, ConsoleLine | StatusChanged):
        raise RecipeError(
            f"WaitUntil: expected ConsoleLine(…) or StatusChanged(…), found {checks.shown(value)}"
        )


@frozen
class WaitUntil:
    """Wait until *trigger* happens; the step fails after *limit_seconds*."""

    trigger: ConsoleLine | StatusChanged = field(validator=_awaited)
    limit_seconds: float = field(default=60, validator=checks.above_zero, kw_only=True)

    def __str__(self) -> str:
        return f"wait until {self.trigger} (at most {self.limit_seconds:g} s)"


@frozen
class Notify:
    """Tell the admin *text*."""

    text: str = field(validator=_text)

    def __str__(self) -> str:
        return f"notify {self.text!r}"


@frozen
class Call:
    """Call a Python function by its dotted *name*; a coroutine function is awaited.

    It is given the values that texts can use, as a dictionary of strings.
    """

    name: str = field(validator=checks.dotted_name)
    limit_seconds: float = field(default=60, validator=checks.above_zero, kw_only=True)

    def __str__(self) -> str:
        return f"call {self.name}"


@frozen
class Fail:
    """End the run as failed, saying *text*."""

    text: str = field(validator=_text)

    def __str__(self) -> str:
        return f"fail {self.text!r}"


def to_steps(value: Any) -> "tuple[Step, ...]":
    """Return *value*, one step or a list of them, as a tuple of steps.

    Raises:
        RecipeError: something else is among them.
    """
    return checks.tuple_of(_STEPS, "a step such as Start() or Command('save-all')", value)


@frozen
class Block:
    """Steps that belong together; *always* are done after them, whatever happens in between."""

    steps: "tuple[Step, ...]" = field(converter=to_steps)
    always: "tuple[Step, ...]" = field(converter=to_steps, kw_only=True)

    def __str__(self) -> str:
        inner = ", ".join(map(str, self.steps))
        return f"({inner}; always {', '.join(map(str, self.always))})"


Step = Command | Announce | PowerStep | Backup | Wait | WaitUntil | Notify | Call | Fail | Block
_STEPS: Any = Step

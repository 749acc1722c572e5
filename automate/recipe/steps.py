"""What a recipe can do, as frozen values: imperative, with units in their names.

A step is done when the world says so: `Start` when the server runs, `Backup` when the backup
is complete. How that is found out is the machine's work. Steps made of steps are in `flow`.
"""

from typing import Any, Final, Literal

from attrs import field, frozen

from automate.errors import RecipeError
from automate.recipe import checks
from automate.recipe.conditions import Condition, optional_condition
from automate.recipe.template import names_in

__all__ = [
    "Announce",
    "Backoff",
    "Backup",
    "Call",
    "Command",
    "CountPlayers",
    "Countdown",
    "Doubt",
    "Fail",
    "Kill",
    "Notify",
    "PowerStep",
    "Restart",
    "RunRecipe",
    "SetVariable",
    "SingleStep",
    "Start",
    "Stop",
    "Wait",
]

Doubt = Literal["skip", "repeat"]


def _doubt(owner: object, attribute: Any, value: Any) -> None:
    if value is not None:
        checks.one_of(owner, attribute, value, ("skip", "repeat"))


def _text(owner: object, attribute: Any, value: Any) -> None:
    checks.some_text(owner, attribute, value)
    names_in(str(value))


def _command(owner: object, attribute: Any, value: Any) -> None:
    checks.command_template(owner, attribute, value)
    names_in(str(value))


# ---------------------------------------------------------------- commands


@frozen
class Command:
    """Type *text* into the game's console; done when it is sent.

    *if_in_doubt* says what to do when automate was killed between sending it and noting that:
    ``skip`` it (the default), or ``repeat`` it (the default for what is done `always`).
    """

    text: str = field(validator=_command)
    if_in_doubt: Doubt | None = field(default=None, validator=_doubt, kw_only=True)

    def __str__(self) -> str:
        return f"command {self.text!r}"


def _say(owner: object, attribute: Any, value: Any) -> None:
    if value is None:
        return
    _command(owner, attribute, value)
    if "text" not in names_in(str(value)):
        kind = type(owner).__name__
        raise RecipeError(f"{kind}: command: expected {{text}} in it, found {value!r}")


@frozen
class Announce:
    """Say *text* to the players, by *command* (by default the game's own, else ``say {text}``).

    *if_in_doubt*: see `Command`.
    """

    text: str = field(validator=_command)
    command: str | None = field(default=None, validator=_say, kw_only=True)
    if_in_doubt: Doubt | None = field(default=None, validator=_doubt, kw_only=True)

    def __str__(self) -> str:
        return f"announce {self.text!r}"


_MARKS: Final = (600, 300, 60, 30, 10, 5, 4, 3, 2, 1)


def _marks(value: Any) -> tuple[float, ...] | None:
    if value is None:
        return None
    found = checks.tuple_of((int, float), "numbers of seconds", value)
    return tuple(sorted(found, reverse=True))


@frozen
class Countdown:
    """Say *text*, with ``{left}`` in it, again and again while *seconds* run out.

    Said at the start and whenever so many seconds are left as *at_seconds* says (by default 10,
    5 and 1 minutes, 30, 10, 5, 4, 3, 2 and 1 seconds); *command* as in `Announce`.
    """

    text: str = field(validator=_command)
    seconds: float = field(validator=checks.above_zero, kw_only=True)
    at_seconds: tuple[float, ...] | None = field(default=None, converter=_marks, kw_only=True)
    command: str | None = field(default=None, validator=_say, kw_only=True)

    def __attrs_post_init__(self) -> None:
        if "left" not in names_in(self.text):
            raise RecipeError(f"Countdown: text: expected {{left}} in it, found {self.text!r}")
        wrong = [mark for mark in self.at_seconds or () if not 0 < mark <= self.seconds]
        if wrong:
            raise RecipeError(
                f"Countdown: at_seconds: expected numbers above zero and up to "
                f"{self.seconds:g}, found {wrong[0]:g}"
            )

    @property
    def marks(self) -> tuple[float, ...]:
        """How many seconds are left each time that it is said, the most first."""
        marks = self.at_seconds
        if marks is None:
            marks = tuple(float(mark) for mark in _MARKS if mark < self.seconds)
        return tuple(dict.fromkeys((float(self.seconds), *marks)))

    def __str__(self) -> str:
        return f"count down {checks.duration(self.seconds)}: {self.text!r}"


@frozen(kw_only=True)
class CountPlayers:
    """Ask the game who is online, and wait for its answer (see `PlayersOnline`)."""

    limit_seconds: float = field(default=10, validator=checks.above_zero)

    def __str__(self) -> str:
        return "count the players"


# ---------------------------------------------------------------- power


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


# ---------------------------------------------------------------- backups


def _optional_count(owner: object, attribute: Any, value: Any) -> None:
    if value is not None:
        checks.whole_number(owner, attribute, value)


@frozen
class Backup:
    """Make a backup through the panel and wait until it is complete.

    With *keep* the newest so many complete backups of this name are kept; older ones are
    deleted once the new one is complete, but for those that are locked.
    """

    name: str = field(default="automate", validator=_text)
    keep: int | None = field(default=None, validator=_optional_count, kw_only=True)
    limit_seconds: float = field(default=3600, validator=checks.above_zero, kw_only=True)

    def __attrs_post_init__(self) -> None:
        varying = [name for name in names_in(self.name) if name not in ("server", "recipe")]
        if self.keep is not None and varying:
            raise RecipeError(
                f"Backup: with keep=… the name must stay the same, but {{{varying[0]}}} in "
                f"{self.name!r} varies"
            )

    def __str__(self) -> str:
        kept = "" if self.keep is None else f" (keep the newest {self.keep})"
        return f"backup {self.name!r}{kept}"


# ---------------------------------------------------------------- pauses


@frozen(kw_only=True)
class Backoff:
    """A pause that grows with each attempt, and is short again after a healthy time.

    The n-th attempt waits ``first_seconds * factor ** (n - 1)``, at most *cap_seconds*; it
    counts from one again when the server has run for *reset_after_seconds* without a crash.
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


@frozen(kw_only=True)
class Wait:
    """Wait; if *unless* holds, now or meanwhile, the run ends here: there is nothing to do.

    The first wait of a run counts from the trigger's own moment, not from when it was told.
    """

    seconds: float | Backoff = field(validator=_pause)
    unless: Condition | None = field(default=None, validator=optional_condition)

    def __str__(self) -> str:
        shown = self.seconds if isinstance(self.seconds, Backoff) else f"{self.seconds:g} s"
        return f"wait {shown}" + (f" unless {self.unless}" if self.unless else "")


# ---------------------------------------------------------------- people, recipes, Python


@frozen
class Notify:
    """Tell the admin *text*. *if_in_doubt*: see `Command`; by default it is told again."""

    text: str = field(validator=_text)
    if_in_doubt: Doubt | None = field(default=None, validator=_doubt, kw_only=True)

    def __str__(self) -> str:
        return f"notify {self.text!r}"


@frozen
class SetVariable:
    """Set the server's variable *name* to *text*; later texts of the recipe can use it."""

    name: str = field(validator=checks.identifier)
    text: str = field(validator=checks.any_text)

    def __attrs_post_init__(self) -> None:
        names_in(self.text)

    def __str__(self) -> str:
        return f"set {self.name} to {self.text!r}"


@frozen
class RunRecipe:
    """Run the recipe called *name* for the same server, and wait until it ended.

    Fails if that run fails or is held back.
    """

    name: str = field(validator=checks.some_text)
    limit_seconds: float = field(default=3600, validator=checks.above_zero, kw_only=True)

    def __str__(self) -> str:
        return f"run {self.name!r}"


@frozen
class Call:
    """Call a Python function by its dotted *name*; a coroutine function is awaited.

    It is given one value, an `automate.Context`. *if_in_doubt*: see `Command`.
    """

    name: str = field(validator=checks.dotted_name)
    limit_seconds: float = field(default=60, validator=checks.above_zero, kw_only=True)
    if_in_doubt: Doubt | None = field(default=None, validator=_doubt, kw_only=True)

    def __str__(self) -> str:
        return f"call {self.name}"


@frozen
class Fail:
    """End the run as failed, saying *text*."""

    text: str = field(validator=_text)

    def __str__(self) -> str:
        return f"fail {self.text!r}"


SingleStep = (
    Command
    | Announce
    | Countdown
    | CountPlayers
    | PowerStep
    | Backup
    | Wait
    | Notify
    | SetVariable
    | RunRecipe
    | Call
    | Fail
)

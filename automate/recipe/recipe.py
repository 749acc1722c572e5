"""A recipe: what it waits for, what it then does, and how often."""

from collections.abc import Iterable
from typing import Any, Final, Literal

from attrs import field, frozen

from automate.errors import RecipeError
from automate.recipe import checks
from automate.recipe.combinators import Trigger, triggers
from automate.recipe.conditions import Condition, optional_condition
from automate.recipe.flow import Step, flat, to_steps
from automate.recipe.limits import AtMost, Limit, limits
from automate.recipe.selectors import Selector, selector
from automate.recipe.steps import (
    Announce,
    Backoff,
    Backup,
    Command,
    Countdown,
    Fail,
    Notify,
    RunRecipe,
    SetVariable,
    Wait,
)
from automate.recipe.template import names_in

__all__ = ["ALWAYS_OFFERED", "Mode", "Recipe"]

ALWAYS_OFFERED: Final = frozenset({"server", "server_id", "recipe", "attempt"})
"""What every text can say, whatever triggered the recipe."""

Mode = Literal["single", "restart", "queued", "parallel"]


def _some_steps(value: Any) -> tuple[Step, ...]:
    try:
        found = to_steps(value)
    except RecipeError as error:
        raise RecipeError(f"Recipe: then: {error}") from None
    if not found:
        raise RecipeError("Recipe: then: expected at least one step, found none")
    return found


def _name(owner: object, attribute: Any, value: Any) -> None:
    checks.some_text(owner, attribute, value)
    assert isinstance(value, str)
    # "@" would make `--trigger NAME@SECONDS` ambiguous.
    if "@" in value or not value.isprintable():
        raise RecipeError(
            f"Recipe: name: expected one line without '@', found {checks.shown(value)}"
        )


def _mode(owner: object, attribute: Any, value: Any) -> None:
    checks.one_of(owner, attribute, value, ("single", "restart", "queued", "parallel"))


def _excess(owner: object, attribute: Any, value: Any) -> None:
    checks.one_of(owner, attribute, value, ("newest", "oldest"))


def _servers(value: Any) -> tuple[Selector, ...] | None:
    return None if value is None else selector(value)


@frozen
class Recipe:
    """What to do for a server (*then*) when something happens (*when*).

    *only_if* is checked when the trigger fires. *on_failure* is done if a step fails; texts
    there may use ``{error}``. *always* is done at the end of every run, however it ended, even
    one that was cut off by the end of automate itself. *limit*, one or several, holds the
    recipe back when it runs too often. *servers* selects the servers it is for, by default all.

    *mode* says what becomes of a trigger that comes while the recipe runs for that server:
    ``single`` holds it back, ``restart`` ends the run and begins a new one, ``queued`` lets it
    wait its turn, ``parallel`` runs it beside. At most *at_once* runs wait or run; of more the
    *excess* is dropped, the ``newest`` or the ``oldest`` of those that wait (or run, in
    ``parallel``).
    """

    name: str = field(validator=_name)
    when: tuple[Trigger, ...] = field(converter=triggers, kw_only=True)
    then: tuple[Step, ...] = field(converter=_some_steps, kw_only=True)
    only_if: Condition | None = field(default=None, validator=optional_condition, kw_only=True)
    on_failure: tuple[Step, ...] = field(default=(), converter=to_steps, kw_only=True)
    always: tuple[Step, ...] = field(default=(), converter=to_steps, kw_only=True)
    limit: tuple[Limit, ...] = field(default=None, converter=limits, kw_only=True)
    servers: tuple[Selector, ...] | None = field(default=None, converter=_servers, kw_only=True)
    mode: Mode = field(default="single", validator=_mode, kw_only=True)
    at_once: int = field(default=10, validator=checks.whole_number, kw_only=True)
    excess: Literal["newest", "oldest"] = field(default="newest", validator=_excess, kw_only=True)

    def __attrs_post_init__(self) -> None:
        self._check_all_texts()
        for limit in self.limit:
            self._check_limit(limit)

    @property
    def offered(self) -> frozenset[str]:
        """The names that every text of the recipe may use.

        With several triggers a text may use what any of them offers: it stays empty for the
        others, as the name of a player does when the recipe is asked for by hand.
        """
        return ALWAYS_OFFERED.union(self.variables, *(trigger.names for trigger in self.when))

    @property
    def variables(self) -> frozenset[str]:
        """The names of the variables that the recipe sets."""
        return frozenset(
            step.name for step in flat(self.all_steps) if isinstance(step, SetVariable)
        )

    @property
    def all_steps(self) -> tuple[Step, ...]:
        """Everything that it may do, in the order it is written; see `flat` for steps in steps."""
        escalations = (one.otherwise for one in self.limit if isinstance(one, AtMost))
        return (
            *self.then,
            *self.on_failure,
            *self.always,
            *(step for steps in escalations for step in steps),
        )

    def _check_all_texts(self) -> None:
        offered = self.offered
        for limit in self.limit:
            if isinstance(limit, AtMost):
                self._check_texts(limit.otherwise, offered)
        self._check_texts(self.then, offered)
        self._check_texts(self.on_failure, offered | {"error"})
        self._check_texts(self.always, offered | {"error"})

    def _check_texts(self, found: Iterable[Step], offered: frozenset[str]) -> None:
        for step in flat(tuple(found)):
            more = {"left"} if isinstance(step, Countdown) else set()
            for text in _texts(step):
                for name in names_in(text):
                    if name not in offered | more:
                        known = ", ".join(sorted(offered | more))
                        raise RecipeError(
                            f"{type(step).__name__}: {{{name}}} is unknown in {text!r}; "
                            f"known here: {known}"
                        )
            if isinstance(step, RunRecipe) and step.name == self.name:
                raise RecipeError(f"RunRecipe: {self.name!r} would run itself, and wait for ever")

    def _check_limit(self, limit: Limit) -> None:
        captured = frozenset().union(*(trigger.names for trigger in self.when))
        if limit.per is not None and limit.per not in captured:
            known = ", ".join(sorted(captured)) or "nothing"
            raise RecipeError(
                f"{type(limit).__name__}: per: no trigger captures {limit.per!r}; "
                f"captured are: {known}"
            )
        # What takes no time may come before the pause.
        instant = (Notify, SetVariable, Command, Announce)
        first = next((step for step in self.then if not isinstance(step, instant)), self.then[0])
        if not (isinstance(limit, AtMost) and limit.per is None and self.mode == "single"):
            return
        if isinstance(first, Wait) and isinstance(first.seconds, Backoff):
            # While a run waits it can't be triggered again: so far apart are the triggers.
            pauses = sum(first.seconds.seconds(n) for n in range(1, min(limit.times, 10_000) + 1))
            if pauses >= limit.within_seconds:
                raise RecipeError(
                    f"AtMost: {limit.times} runs take at least {pauses:g} s, for the pauses "
                    f"(Backoff) grow so long; within {limit.within_seconds:g} s the limit can "
                    "never be reached: give it fewer times, or more seconds"
                )


def _texts(step: Step) -> list[str]:
    match step:
        case (
            Command(text=text)
            | Notify(text=text)
            | Fail(text=text)
            | Backup(name=text)
            | SetVariable(text=text)
        ):
            return [text]
        case Announce(text=text, command=command) | Countdown(text=text, command=command):
            return [text, (command or "").replace("{text}", "")]
        case _:
            return []

"""A recipe: what it waits for, what it then does, and how often."""

from collections.abc import Iterable, Iterator
from typing import Any

from attrs import field, frozen

from automate.errors import RecipeError
from automate.recipe import checks
from automate.recipe.conditions import Condition, ServerIs
from automate.recipe.limits import AtMost, limit
from automate.recipe.steps import Announce, Backup, Block, Command, Fail, Notify, Step, to_steps
from automate.recipe.template import names_in
from automate.recipe.triggers import Trigger

__all__ = ["Recipe"]

# What every text can say, whatever triggered the recipe.
_ALWAYS_OFFERED = frozenset({"server", "server_id", "recipe", "attempt"})


def _triggers(value: Any) -> tuple[Trigger, ...]:
    found = checks.tuple_of(Trigger, "a trigger such as Crashed()", value)
    if not found:
        raise RecipeError("Recipe: when: expected at least one trigger, found none")
    return found


def _some_steps(value: Any) -> tuple[Step, ...]:
    found = to_steps(value)
    if not found:
        raise RecipeError("Recipe: then: expected at least one step, found none")
    return found


def _condition(owner: object, attribute: Any, value: Any) -> None:
    if value is not None and not isinstance(value, ServerIs):
        raise RecipeError(
            'Recipe: only_if: expected a condition such as ServerIs("running"), '
            f"found {checks.shown(value)}"
        )


def _name(owner: object, attribute: Any, value: Any) -> None:
    checks.some_text(owner, attribute, value)
    assert isinstance(value, str)
    # "@" would make `--trigger NAME@SECONDS` ambiguous.
    if "@" in value or not value.isprintable():
        raise RecipeError(
            f"Recipe: name: expected one line without '@', found {checks.shown(value)}"
        )


@frozen
class Recipe:
    """What to do for a server (*then*) when something happens (*when*).

    *only_if* is checked when the trigger fires. *on_failure* is done if a step fails; texts
    there may use ``{error}``. *limit* holds the recipe back when it runs too often. While it
    runs for a server, further triggers for that server are held back.
    """

    name: str = field(validator=_name)
    when: tuple[Trigger, ...] = field(converter=_triggers, kw_only=True)
    then: tuple[Step, ...] = field(converter=_some_steps, kw_only=True)
    only_if: Condition | None = field(default=None, validator=_condition, kw_only=True)
    on_failure: tuple[Step, ...] = field(default=(), converter=to_steps, kw_only=True)
    limit: AtMost | None = field(default=None, validator=limit, kw_only=True)

    def __attrs_post_init__(self) -> None:
        # With several triggers a text may use what any of them offers: it stays empty for the
        # others, as the name of a player does when the recipe is asked for by hand.
        offered = _ALWAYS_OFFERED.union(*(trigger.names for trigger in self.when))
        self._check_texts(self.then, offered)
        if self.limit:
            self._check_texts(self.limit.otherwise, offered)
        self._check_texts(self.on_failure, offered | {"error"})

    def _check_texts(self, found: Iterable[Step], offered: frozenset[str]) -> None:
        for step in _flat(found):
            for text in _texts(step):
                for name in names_in(text):
                    if name not in offered:
                        known = ", ".join(sorted(offered))
                        raise RecipeError(
                            f"{type(step).__name__}: {{{name}}} is unknown in {text!r}; "
                            f"known here: {known}"
                        )


def _flat(found: Iterable[Step]) -> Iterator[Step]:
    for step in found:
        yield step
        if isinstance(step, Block):
            yield from _flat(step.steps)
            yield from _flat(step.always)


def _texts(step: Step) -> list[str]:
    match step:
        case Command(text=text) | Notify(text=text) | Fail(text=text) | Backup(name=text):
            return [text]
        case Announce(text=text, command=command):
            return [text, command.replace("{text}", "")]
        case _:
            return []

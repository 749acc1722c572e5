"""The parts of a recipe, wherever in it they are: triggers, conditions, sequences of steps."""

from collections.abc import Iterator

from automate.recipe.combinators import Trigger, leaves
from automate.recipe.conditions import And, Condition, Not, NotRunFor, Or
from automate.recipe.flow import Choose, Repeat, Step, WaitUntil, flat, sequences_in
from automate.recipe.limits import AtMost
from automate.recipe.recipe import Recipe
from automate.recipe.steps import RunRecipe, Wait
from automate.recipe.triggers import RecipeEnded

__all__ = ["conditions_of", "runs_of", "sequences_of", "triggers_of", "waits_for_runs_of"]


def triggers_of(recipe: Recipe) -> Iterator[Trigger]:
    """Yield what sets *recipe* off, then what its steps wait for."""
    yield from recipe.when
    for step in flat(recipe.all_steps):
        if isinstance(step, WaitUntil):
            yield step.trigger


def conditions_of(recipe: Recipe) -> Iterator[Condition]:
    """Yield the conditions of *recipe* and of its steps, those made of others as a whole."""
    if recipe.only_if is not None:
        yield recipe.only_if
    for step in flat(recipe.all_steps):
        match step:
            case Wait(unless=condition) | Repeat(until=condition) if condition is not None:
                yield condition
            case Choose(ways=ways):
                yield from (way.condition for way in ways)
            case _:
                pass


def sequences_of(recipe: Recipe) -> Iterator[tuple[Step, ...]]:
    """Yield all steps that are done one after the other, the outer ones first."""
    escalations = (one.otherwise for one in recipe.limit if isinstance(one, AtMost))
    for sequence in (recipe.then, recipe.on_failure, recipe.always, *escalations):
        yield sequence
        for step in flat(sequence):
            yield from sequences_in(step)


def runs_of(recipe: Recipe) -> Iterator[str]:
    """Yield the names of the recipes that *recipe* runs itself."""
    for step in flat(recipe.all_steps):
        if isinstance(step, RunRecipe):
            yield step.name


def waits_for_runs_of(recipe: Recipe) -> Iterator[tuple[str, str]]:
    """Yield the names of the recipes whose runs *recipe* looks at, after what does so."""
    for trigger in triggers_of(recipe):
        yield from (("RecipeEnded", name) for name in _ended(trigger))
    for condition in conditions_of(recipe):
        yield from (("NotRunFor", name) for name in _not_run(condition))


def _ended(trigger: Trigger) -> Iterator[str]:
    yield from (one.recipe for one in leaves(trigger) if isinstance(one, RecipeEnded))


def _not_run(condition: Condition) -> Iterator[str]:
    match condition:
        case NotRunFor(recipe=str(name)):
            yield name
        case And(conditions=several) | Or(conditions=several):
            for one in several:
                yield from _not_run(one)
        case Not(negated=negated):
            yield from _not_run(negated)
        case _:
            pass

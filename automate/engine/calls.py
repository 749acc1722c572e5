"""The Python functions that recipes call: whether they are there, before they are needed."""

from collections.abc import Iterable

from automate.recipe.flow import flat
from automate.recipe.loader import Loaded
from automate.recipe.steps import Call

__all__ = ["wrong_calls"]


def wrong_calls(found: Iterable[Loaded]) -> list[str]:
    """Return in words what is wrong with the functions that recipes call; their modules are loaded.

    So a slow import delays nobody later.
    """
    calls = {
        (str(one.path), one.recipe.name, step.name): None
        for one in found
        for step in flat(one.recipe.all_steps)
        if isinstance(step, Call)
    }
    if not calls:
        return []
    from automate.engine.hands import check_call  # takes longer than all the rest

    return [
        f"{path}: the recipe {recipe!r} calls {wrong}"
        for path, recipe, name in calls
        if (wrong := check_call(name)) is not None
    ]

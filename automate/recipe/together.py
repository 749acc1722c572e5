"""Recipes that name each other: whoever is named is there, and nobody waits in a circle."""

import difflib
from collections.abc import Iterable, Mapping, Sequence

from automate.recipe.parts import runs_of, waits_for_runs_of
from automate.recipe.recipe import Recipe

__all__ = ["circle", "unknown_names"]


def unknown_names(recipe: Recipe, known: Iterable[str]) -> list[str]:
    """Return what is wrong with the names of other recipes in *recipe*; *known* are those loaded.

    The names of a step, a trigger and a condition: nobody else looks at the text.
    """
    names = sorted(known)
    wanted = [*(("RunRecipe", name) for name in runs_of(recipe)), *waits_for_runs_of(recipe)]
    found = []
    for kind, name in dict.fromkeys(wanted):
        if name not in names:
            near = difflib.get_close_matches(name, names, 1, 0.6)
            hint = f"did you mean {near[0]!r}?" if near else "load the file that it is in, too"
            found.append(f"{kind}: no recipe is called {name!r}; {hint}")
    return found


def circle(recipes: Mapping[str, Recipe]) -> Sequence[str]:
    """Return the names of recipes that run each other in a circle (the first); none if none do."""
    over: set[str] = set()

    def walk(path: list[str]) -> list[str]:
        for name in runs_of(recipes[path[-1]]):
            if name in path:
                return [*path[path.index(name) :], name]
            if name in recipes and name not in over and (found := walk([*path, name])):
                return found
        over.add(path[-1])
        return []

    return next((found for name in recipes if (found := walk([name]))), [])

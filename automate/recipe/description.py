"""A recipe in words, for listings and traces."""

from automate.recipe.recipe import Recipe

__all__ = ["then_words", "when_words"]


def when_words(recipe: Recipe) -> str:
    """Return what the recipe waits for, as a phrase."""
    said = " or ".join(map(str, recipe.when))
    return f"{said}, if {recipe.only_if}" if recipe.only_if else said


def then_words(recipe: Recipe) -> str:
    """Return what the recipe does, as a phrase."""
    said = ", ".join(map(str, recipe.then))
    return "; ".join([said, *map(str, recipe.limit)])

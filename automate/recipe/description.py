"""A recipe as a paragraph that a newcomer understands: when it runs, what it does, how often."""

from collections.abc import Iterator

from automate.recipe.flow import Step
from automate.recipe.limits import AtMost, Limit
from automate.recipe.phrases import SERVER, holds, servers, steps, when
from automate.recipe.recipe import Recipe

__all__ = ["described"]


def described(recipe: Recipe) -> str:
    """Return what *recipe* does, in sentences, on one line."""
    return " ".join(_sentences(recipe))


def _sentences(recipe: Recipe) -> Iterator[str]:
    begin = ", or ".join(map(when, recipe.when))
    if recipe.only_if is not None:
        # "When the server crashed, if it is…": nobody wonders who.
        begin += f", if {holds(recipe.only_if, subject='it' if SERVER in begin else SERVER)}"
    subject = "it" if SERVER in begin else SERVER
    yield _sentence(f"{begin}: {_outer(recipe.then, subject)}")
    if recipe.on_failure:
        yield _sentence(f"if it fails: {_outer(recipe.on_failure, subject)}")
    if recipe.always:
        yield _sentence(f"at the end, whatever happened: {_outer(recipe.always, subject)}")
    for limit in recipe.limit:
        yield _sentence(_limit(limit, subject))
    if mode := _mode(recipe):
        yield mode
    if recipe.servers is not None:
        yield f"Only for {servers(recipe.servers)}."


def _outer(several: tuple[Step, ...], subject: str) -> str:
    said = steps(several, subject=subject)
    # Of a single step that is one of several the parentheses say nothing.
    is_wrapped = len(several) == 1 and said.startswith("(") and said.endswith(")")
    return said[1:-1] if is_wrapped else said


def _sentence(words: str) -> str:
    return words[0].upper() + words[1:] + ("" if words.endswith(".") else ".")


def _limit(limit: Limit, subject: str) -> str:
    after = limit.otherwise if isinstance(limit, AtMost) else ()
    return f"{limit}; after that {_outer(after, subject)}" if after else str(limit)


def _mode(recipe: Recipe) -> str:
    match recipe.mode:
        case "single":
            return ""
        case "restart":
            return "Set off again meanwhile, it begins anew."
        case "queued":
            return f"Set off again meanwhile, it waits its turn ({_at_once(recipe)})."
        case "parallel":
            return f"Set off again meanwhile, it runs beside ({_at_once(recipe)})."


def _at_once(recipe: Recipe) -> str:
    gone = "the oldest is dropped" if recipe.excess == "oldest" else "more are dropped"
    return f"at most {recipe.at_once} at once, {gone}"

"""The machine's state written down in parts, and read back.

A part is a server, a run, a recipe that a run under way began in, or what is the machine's own.
So little has to be written when something changes, however many servers there are.
"""

from collections.abc import Iterable, Mapping
from typing import Any
from zlib import crc32

from attrs import Factory, frozen

from automate.errors import RecipeError
from automate.machine.state import Run, ServerBook, State
from automate.recipe.plain import from_plain, to_plain
from automate.recipe.recipe import Recipe

__all__ = ["Parts", "Restored", "part_of", "read_parts", "version_of"]

Parts = dict[str, Any]
"""Parts by name, as plain values fit for JSON; ``None`` is one that is no more."""


def version_of(recipe: Recipe) -> int:
    """Return a checksum of *recipe*: a run goes on in the version that it began in."""
    return crc32(repr(to_plain(recipe)).encode("utf-8", "surrogatepass"))


def part_of(state: State, recipes: Mapping[int, Recipe], name: str) -> Any:
    """Return the part of this *name*; ``None`` if it is no more."""
    import cattrs  # slow to import, and only needed here

    kind, _, key = name.partition(":")
    match kind:
        case "server":
            return cattrs.unstructure(state.servers[key]) if key in state.servers else None
        case "run":
            run = state.runs.get(int(key))
            return None if run is None else cattrs.unstructure(run)
        case "recipe":
            return to_plain(recipes[int(key)])
        case _:
            return {
                "recipes": dict(state.recipes),
                "last_run": state.last_run,
                "last_call": state.last_call,
            }


@frozen(kw_only=True)
class Restored:
    """What parts hold: the state, recipes by version, and the parts that were lost, and why."""

    state: State
    recipes: dict[int, Recipe]
    lost: Mapping[str, str] = Factory(dict)


def read_parts(parts: Mapping[str, Any], servers: Iterable[str]) -> Restored:
    """Return what *parts* hold of *servers*; nothing that can't be read stops the rest."""
    import cattrs  # slow to import, and only needed here

    known = set(servers)
    machine = parts.get("machine") or {}
    state = State(
        recipes=dict(machine.get("recipes", {})),
        last_run=machine.get("last_run", 0),
        last_call=machine.get("last_call", 0),
    )
    recipes: dict[int, Recipe] = {}
    lost = {}
    for name, part in parts.items():
        kind, _, key = name.partition(":")
        if part is None or kind == "machine" or (kind == "server" and key not in known):
            continue
        try:
            match kind:
                case "server":
                    state.servers[key] = cattrs.structure(part, ServerBook)
                case "run":
                    run = cattrs.structure(part, Run)
                    if run.server in known and run.home in known:
                        state.runs[run.id] = run
                case "recipe":
                    recipes[int(key)] = from_plain(part)
        # Whatever another version of automate wrote may be wrong in any way.
        except (RecipeError, cattrs.BaseValidationError, TypeError, ValueError, KeyError) as error:
            first = str(error).split("\n", 1)[0]
            lost[name] = first
    return Restored(state=state, recipes=recipes, lost=lost)

"""The machine's state written down in parts, and read back.

A part is a server, a run, a recipe that a run under way began in, or what is the machine's own.
So little has to be written when something changes, however many servers there are.
"""

from collections.abc import Iterable, Mapping
from typing import Any
from zlib import crc32

from attrs import frozen

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
            book = state.servers.get(key)
            if book is None:
                return None
            # What is remembered of a recipe means something in its version only.
            versions = {one: state.recipes[one] for one in book.recipes if one in state.recipes}
            return cattrs.unstructure(book) | {"versions": versions}
        case "run":
            run = state.runs.get(int(key))
            return None if run is None else cattrs.unstructure(run)
        case "recipe":
            return to_plain(recipes[int(key)])
        case _:
            return {"last_run": state.last_run, "last_call": state.last_call}


@frozen(kw_only=True)
class Restored:
    """What parts hold: the state, recipes by version, and the parts that were *lost*, and why.

    *versions* are those of the recipes for each server that its books are about.
    *dormant_versions* are needed by runs at servers that are not there this time.
    """

    state: State
    recipes: dict[int, Recipe]
    versions: Mapping[str, Mapping[str, int]]
    dormant_versions: frozenset[int]
    lost: Mapping[str, str]


def read_parts(parts: Mapping[str, Any], servers: Iterable[str]) -> Restored:
    """Return what *parts* hold of *servers*; nothing that can't be read stops the rest.

    What is about other servers stays as it is, until they are there again.
    """
    import cattrs  # slow to import, and only needed here

    known = set(servers)
    state = State()
    recipes: dict[int, Recipe] = {}
    versions: dict[str, dict[str, int]] = {}
    dormant: set[int] = set()
    lost = {}
    for name, part in parts.items():
        kind, _, key = name.partition(":")
        if part is None or (kind == "server" and key not in known):
            continue
        try:
            match kind:
                case "machine":
                    state.last_run, state.last_call = _number(part, "run"), _number(part, "call")
                case "server":
                    state.servers[key] = cattrs.structure(part, ServerBook)
                    versions[key] = cattrs.structure(part.get("versions", {}), dict[str, int])
                case "run":
                    run = cattrs.structure(part, Run)
                    if run.home not in known:
                        dormant.add(run.version)
                    elif run.server in known:
                        state.runs[run.id] = run
                    else:
                        lost[name] = f"the server {run.server} is not there any more"
                case "recipe":
                    recipes[int(key)] = from_plain(part)
        # Whatever another version of automate wrote may be wrong in any way.
        except (
            RecipeError,
            cattrs.BaseValidationError,
            cattrs.StructureHandlerNotFoundError,
            AttributeError,
            LookupError,
            OverflowError,
            RecursionError,
            TypeError,
            ValueError,
        ) as error:
            lost[name] = str(error).split("\n", 1)[0]
            if kind == "server":
                state.servers.pop(key, None)
    # No number is given twice, whatever is left of what was written.
    numbers = [int(name[4:]) for name in parts if name.startswith("run:") and name[4:].isdecimal()]
    state.last_run = max([state.last_run, *numbers])
    return Restored(
        state=state,
        recipes=recipes,
        versions=versions,
        dormant_versions=frozenset(dormant),
        lost=lost,
    )


def _number(part: Any, of: str) -> int:
    number = part[f"last_{of}"]
    if not isinstance(number, int):
        raise TypeError(f"expected the number of the last {of}, found {number!r}")
    return number

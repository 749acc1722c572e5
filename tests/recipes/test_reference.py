"""The reference: every part is there with all its fields, and every example does what it says.

Each example of a trigger is played an evening on which that happens, each other one a quiet
evening on which it is due or asked for.
"""

import ast
import inspect
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import pytest

import automate
from automate import Recipe
from automate.testing import Script, Timeline, load_recipes, rehearse

PAGE: Final = (Path(__file__).parents[2] / "docs" / "reference.md").read_text(encoding="utf-8")
PARTS: Final = {
    found[1]: found[2] for found in re.finditer(r"^### (\w+)\n(.*?)(?=^##|\Z)", PAGE, re.M | re.S)
}
# The others are no parts of a recipe.
PUBLIC: Final = set(automate.__all__) - {"AutomateError", "RecipeError", "__version__"}


def example(name: str) -> str:
    (found,) = re.findall(r"^```python\n(.*?)^```$", PARTS[name], re.M | re.S)
    return str(found)


def recipes(name: str, folder: Path) -> list[Recipe]:
    """Return the recipes of the example, loaded as a user's file would be."""
    text = example(name)
    used = {node.id for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Name)}
    names = ", ".join(sorted(used & PUBLIC))
    (folder / "example.py").write_text(f"from automate import {names}\n\n{text}", "utf-8")
    return load_recipes(folder / "example.py")


# ---------------------------------------------------------------- it is complete


def test_every_part_of_a_recipe_has_its_place() -> None:
    assert set(PARTS) == PUBLIC


def test_the_links_at_the_beginning_lead_there() -> None:
    titles = re.findall(r"^###? (.*)$", PAGE, re.M)
    anchors = {title.lower().replace(" ", "-") for title in titles}
    links = re.findall(r"\[[^\]]+\]\(#([^)]+)\)", PAGE)

    assert set(links) - anchors == set()
    assert {name.lower() for name in PUBLIC - {"Recipe"}} - set(links) == set()


def fields(name: str) -> Iterator[tuple[str, str]]:
    """Yield the fields of a part as the page is to show them, and their defaults."""
    for field in inspect.signature(getattr(automate, name)).parameters.values():
        star = "*" if field.kind is field.VAR_POSITIONAL else ""
        named = "=" if field.kind is field.KEYWORD_ONLY else ""
        yield f"{star}{field.name}{named}", shown(field.default)


def shown(default: Any) -> str:
    if default is inspect.Parameter.empty:
        return "—"
    if default and isinstance(default, tuple):
        return "`" + ", ".join(f'"{one}"' for one in default) + "`"
    if isinstance(default, str):
        return f'`"{default}"`'
    # One that is made anew each time.
    return "`{}`" if default is not None and "NOTHING" in repr(default) else f"`{default!r}`"


@pytest.mark.parametrize("name", sorted(PUBLIC))
def test_all_fields_of_a_part_are_there_with_their_defaults(name: str) -> None:
    rows = re.findall(r"^\| `(.+?)` \| (.+) \| (.+?) \|$", PARTS[name], re.M)

    assert [(field, default) for field, _, default in rows] == list(fields(name))


# ---------------------------------------------------------------- the examples


UP: Final = Script("arena").offline().start().until(30)
ADA: Final = "[…]: Ada joined the game"
QUIET: Final = UP.wait(200)
STATS: Final = Script("arena", with_stats=True).offline().start()
CRASH: Final = Script("arena", crash_detection=False).offline().start().crash(after=50).wait(30)

# What happens on the evening of each trigger, so that its example is set off.
HAPPENS: Final[Mapping[str, Script]] = {
    "AllWithin": UP.says(ADA).says("[…]: <Ada> hello", after=9).wait(5),
    "AnyOf": Script("arena", crash_detection=False)
    .offline()
    .start()
    .crash(after=60)
    .start(after=60, asked=False)
    .crash(after=60)
    .start(after=60, asked=False)
    .lost(after=60)
    .crash()
    .back(after=60)
    .wait(5),
    "AtMost": CRASH,
    "Backoff": CRASH,
    "BackupCompleted": UP.backup().wait(5),
    "BackupFailed": UP.backup(successful=False).wait(5),
    "Call": CRASH,
    "Chat": UP.says("[…]: <Ada> Where is SHOP?", "[…]: <Ada> where was the shop?"),
    "Connected": UP,
    "ConsoleLine": UP.says(
        "[18:00:00] [Server thread/WARN]: Can't keep up! Is the server overloaded? Running 5123ms"
    ),
    "Context": CRASH,
    "Cooldown": UP.says("[…]: <Ada> !help", "[…]: <Ada> please !help"),
    "Crashed": UP.crash(after=1).crash(exit_code=137, out_of_memory=True, after=30).wait(5),
    "DaemonError": UP.frame("daemon error", "Error Event [1]: environment/docker: no").wait(5),
    "Deleted": UP.frame("deleted").wait(5),
    "Disconnected": UP.lost().until(400).back().wait(5),
    "FeatureMatched": UP.frame("feature match", '{"key":"eula","line":"agree to the EULA"}'),
    "FoundOffline": UP.lost().stop(asked=False, after=5).back(after=5).wait(5),
    "GameReady": UP,
    "GameSaved": UP.says("[…]: Saved the game"),
    "Installed": UP.frame("install completed").wait(5),
    "NotFollowedBy": Script("arena").offline().start(finishes=False).wait(400),
    "Notify": CRASH,
    "On": Script("world").online().stop(after=30, asked=False).wait(5),
    "PlayerJoined": UP.says(ADA),
    "PlayerLeft": UP.says(ADA).says("[…]: Ada left the game", after=1),
    "ReadingAbove": STATS.uses(cpu_percent=190).wait(320),
    "ReadingBelow": STATS.uses(cpu_percent=0.5).wait(3700),
    "Restored": UP.frame("backup restore completed").wait(5),
    "SetVariable": UP.says(ADA),
    "Silent": UP.wait(1900),
    "StatusChanged": UP.stop(asked=False).wait(1000),
    "Stuck": UP.hang(asked=False).wait(310),
    "Throttled": UP.throttles("send command").wait(5),
    "Times": UP.says(*["[…]: <Ada> buy here"] * 6).wait(5),
    "Transferred": UP.frame("transfer status", "completed").wait(5),
    "Wait": CRASH,
}


@pytest.mark.parametrize("name", HAPPENS)
def test_an_example_is_set_off_by_what_it_is_about(name: str, tmp_path: Path) -> None:
    found = recipes(name, tmp_path)

    evening = Timeline(rehearse(found, HAPPENS[name]))

    evening.triggered(found[-1].name).once()
    evening.done(found[-1].name).once()
    evening.held_back().never()


# The evenings of those that need more than a server that is up.
EVENINGS: Final[Mapping[str, Script]] = {
    "And": UP.says(ADA).wait(100),
    "Not": Script("arena").offline().wait(100),
    "ReadingIs": STATS.wait(100),
    "Recipe": Script("survival").online().wait(100),
}
START_AT: Final = {"OnDays": "2026-11-27T18:00"}
# How each recipe ends, where it is not well.
ENDS: Final = {
    "bring up in the morning": "held back: not (the variable closed is 'yes': yes, it is 'yes')",
    "not by day": "failed: not by day",
}


@pytest.mark.parametrize("name", sorted(PUBLIC - {*HAPPENS, "Tagged"}))
def test_an_example_that_is_asked_for_does_its_work(name: str, tmp_path: Path) -> None:
    """On a quiet evening, one recipe after the other."""
    found = recipes(name, tmp_path)
    asks = [(recipe.name, 40.0 + 100 * number) for number, recipe in enumerate(found)]

    evening = rehearse(found, EVENINGS.get(name, QUIET), asks=asks, start_at=START_AT.get(name))

    ends = {
        traced.recipe: traced.what if traced.what == "done" else f"{traced.what}: {traced.detail}"
        for _, traced in evening.trace
        if traced.what in ("done", "failed", "held back")
    }
    assert ends == {recipe.name: ENDS.get(recipe.name, "done") for recipe in found}


def test_an_example_for_other_servers_is_not_for_this_one(tmp_path: Path) -> None:
    found = recipes("Tagged", tmp_path)

    with pytest.raises(automate.AutomateError, match="the recipe 'modded' is not for arena"):
        rehearse(found, QUIET, asks=["modded@40"])


@pytest.mark.parametrize("name", sorted(PUBLIC))
def test_an_example_uses_what_it_is_about(name: str) -> None:
    assert re.search(rf"\b{name}\b", example(name))

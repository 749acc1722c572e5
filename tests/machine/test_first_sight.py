"""Automate has just begun: what depends on a server waits until that was seen, but not for ever."""

import json
from typing import Any

import pytest

from automate.machine.recipes import RecipeMachine
from automate.recipe.conditions import ServerIs
from automate.recipe.flow import Choose, If, Repeat, Step, Try, WaitUntil
from automate.recipe.recipe import Recipe
from automate.recipe.schedule import At, Every
from automate.recipe.steps import Announce, Command, CountPlayers, Kill, Notify, Restart, Wait
from automate.recipe.triggers import Asked, ConsoleLine, Crashed
from automate.wire.messages import Stats, StatsReported
from tests.machine.lives import Lives
from tests.machine.scenes import ORIGIN, Scene, line, status

IS_UP = ServerIs("running")
NIGHTLY = Recipe("it", when=At("12:01", zone="UTC"), only_if=IS_UP, then=Notify("now"))
TELL_IF_UP = Choose(If(IS_UP, Notify("it is up")), otherwise=Notify("it is not"))
NEVER = WaitUntil(ConsoleLine("^never$"), limit_seconds=60, otherwise=[])


def begun(at: float, *recipes: Recipe) -> Scene:
    """Return a server that cannot be reached yet by an engine that begins *at* this moment."""
    return Scene(*recipes, linked=False).at(at, lambda machine: machine.begun(at))


def seconds(deeds: list[str]) -> list[str]:
    return [one for one in deeds if "done" not in one]


def test_a_schedule_that_is_due_before_the_first_status_waits_for_what_the_log_tells() -> None:
    scene = begun(55.0, NIGHTLY).links(70.0).hears((71.0, status("running"))).waits(200)

    assert (scene.did, scene.traced("held back")) == ([(74.0, "notify now")], [])


def test_a_server_that_cannot_be_reached_is_not_waited_for_longer_than_half_a_minute() -> None:
    scene = begun(55.0, NIGHTLY).waits(200)

    assert [at for at, _ in scene.traced("held back")] == [85.0]


@pytest.mark.parametrize(
    ("recipe", "told"),
    [
        (Recipe("it", when=At("12:01", zone="UTC"), then=Notify("now")), [60.0]),
        (Recipe("it", when=At("12:01", zone="UTC"), then=TELL_IF_UP), [85.0]),
        (Recipe("it", when=At("12:01", zone="UTC"), then=Try(TELL_IF_UP, go_on=True)), [85.0]),
    ],
    ids=["looks at nothing", "looks first", "looks first within"],
)
def test_only_what_looks_at_the_server_waits_for_it(recipe: Recipe, told: list[float]) -> None:
    assert [at for at, _ in begun(55.0, recipe).waits(200).did] == told


def test_later_on_schedules_are_in_time() -> None:
    often = Recipe("it", when=Every(seconds=10), only_if=IS_UP, then=Notify("now"))
    scene = begun(0.0, often).links(1.0).hears((1.0, status("running"))).waits(25)

    assert [at for at, _ in scene.did] == [10.0, 20.0]


def test_reloaded_recipes_wait_for_the_first_sight_too() -> None:
    scene = begun(55.0, NIGHTLY).at(58.0, lambda machine: machine.reload([NIGHTLY], 58.0))

    assert [at for at, _ in scene.waits(200).traced("held back")] == [85.0]


@pytest.mark.parametrize(
    ("steps", "told"),
    [
        ([NEVER, TELL_IF_UP], ["104 notify it is up"]),
        ([Wait(seconds=60), TELL_IF_UP], ["104 notify it is up"]),
        ([Try(NEVER, limit_seconds=30, go_on=True), TELL_IF_UP], ["104 notify it is up"]),
        ([Repeat(NEVER, until=IS_UP, at_most=9), Notify("up")], ["104 notify up"]),
        ([Wait(seconds=60), Notify("late")], ["101 notify late"]),
        ([Command("x"), TELL_IF_UP], ["1 x", "104 notify it is up"]),
        (
            [Command("x", if_in_doubt="repeat"), TELL_IF_UP],
            ["1 x", "104 x", "104.1 notify it is up"],
        ),
    ],
    ids=["limit", "pause", "try", "repeat", "looks at nothing", "doubt", "repeated"],
)
def test_whoever_looks_next_waits_until_there_is_something_to_see(
    steps: list[Step], told: list[str]
) -> None:
    recipe = Recipe("it", when=Asked(), then=steps)
    lives = Lives(recipe).asks(1.0, "it").dies(down_seconds=100.0).waits(300)

    assert seconds(lives.did) == told


def test_a_pause_that_the_first_sight_makes_needless_is_not_acted_on() -> None:
    recipe = Recipe("it", when=Asked(), then=[Wait(seconds=10, unless=IS_UP), Notify("it is down")])
    lives = Lives(recipe)
    lives.status = "offline"
    lives.does(0.5, lambda: lives.machine.heard("s", status("offline"), 0.5)).asks(1.0, "it")
    lives.status = "running"
    lives.dies(down_seconds=100.0).waits(300)

    assert lives.did == ["101 done: it is running"]


# ---------------------------------------------------------------- what an engine leaves behind


def written(machine: RecipeMachine) -> dict[str, Any]:
    """Return the changes as a journal has them."""
    parts: dict[str, Any] = json.loads(json.dumps(machine.changes()))
    return parts


def taken_up(parts: dict[str, Any], at: float, *recipes: Recipe) -> Scene:
    """Return what another engine makes of what was written."""
    scene = Scene(*recipes, linked=False)
    assert scene.machine.restore(parts) == []
    return scene.at(at, lambda machine: machine.resume(at))


def test_a_fresh_journal_knows_of_what_is_due_although_nothing_has_happened() -> None:
    once = Recipe("it", when=Every(hours=1, missed="once"), then=Notify("now"))
    machine = RecipeMachine([once], {"s": "arena"}, origin=ORIGIN)
    assert machine.begun(0.0) == []

    parts = written(machine)
    scene = taken_up(parts, 0.0, once)
    while (wake_at := scene.machine.wake_at) is not None and wake_at <= 9000.0:
        scene.take(scene.machine.due(wake_at, now=9000.0), 9000.0)

    assert (parts["server:s"]["recipes"]["it"]["due"], len(scene.did)) == ([3600.0], 1)


def test_a_schedule_that_came_to_nothing_is_written_down_as_over() -> None:
    scene = Scene(Recipe("it", when=Every(hours=1), only_if=IS_UP, then=Notify("now")))
    scene.machine.forget_changes()
    scene.waits(3600.0)

    assert len(scene.traced("held back")) == 1
    assert written(scene.machine)["server:s"]["recipes"]["it"]["due"] == [7200.0]


def test_a_fall_that_was_seen_and_not_told_is_told_by_the_next_engine_with_its_lines() -> None:
    recipe = Recipe("it", when=Crashed(), then=Notify("{server} {reason}: {lines}"))
    first = Scene(recipe).hears((0.0, status("running")), (1.0, line("oh no")))
    first.machine.forget_changes()
    first.hears((2.0, status("offline")))

    second = taken_up(written(first.machine), 2.5, recipe).waits(60)

    assert second.did == [(3.0, "notify arena crashed: oh no")]


def test_a_wait_for_a_line_finds_its_place_in_the_log() -> None:
    """What was said before it waited is no answer, and what was said after it is."""
    recipe = Recipe("it", when=Asked(), then=[WaitUntil(ConsoleLine("^done$")), Notify("at last")])
    first = Scene(recipe).hears((0.0, status("running")), (1.0, line("done")), (2.0, line("b")))
    first.asks(3.0, "it")
    second = taken_up(written(first.machine), 5.0, recipe).links(5.0)

    for text in ("done", "b"):
        second.learns(6.0, line(text), since=None)
    before = list(second.did)
    second.learns(6.0, line("done"), since=None)

    assert (before, second.did) == ([], [(6.0, "notify at last")])


# ---------------------------------------------------------------- what the world tells


@pytest.mark.parametrize("step", [CountPlayers(), Announce("x")], ids=str)
def test_a_question_that_is_asked_again_is_marked(step: Step) -> None:
    recipe = Recipe("it", when=Asked(), then=step)
    lives = Lives(recipe)
    lives.machine.state.servers["s"].game = "minecraft"
    lives.asks(1.0, "it").dies()

    assert len(lives.traced("in doubt")) == 1


def up(uptime_seconds: float) -> StatsReported:
    return StatsReported(Stats(state="running", uptime_seconds=uptime_seconds))


@pytest.mark.parametrize("step", [Restart(), Kill()], ids=str)
@pytest.mark.parametrize(("uptime", "ended"), [(28.0, [(31.0, "done")]), (40.0, [])])
def test_a_deed_that_nobody_saw_is_seen_by_how_long_the_server_is_up(
    step: Step, uptime: float, ended: list[tuple[float, str]]
) -> None:
    recipe = Recipe("it", when=Asked(), then=step)
    scene = Scene(recipe).hears((0.0, status("running"))).asks(1.0, "it")
    scene.unlinks(1.0).links(30.0).hears((30.0, status("running")), (31.0, up(uptime)))

    assert (scene.waits(31.5).ended, len(scene.did)) == (ended, 1)


def test_a_kill_that_may_still_come_is_waited_for_and_then_asked_for_again() -> None:
    recipe = Recipe("it", when=Asked(), then=Kill())
    scene = Scene(recipe).hears((0.0, status("running"))).asks(1.0, "it")
    scene.unlinks(1.0).links(5.0).hears((5.0, status("stopping"))).waits(30)

    assert scene.did == [(1.0, "set state kill"), (7.0, "set state kill"), (22.0, "set state kill")]

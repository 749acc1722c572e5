"""A server that hangs is killed and started again; one that is only quiet is not."""

from typing import Final

import pytest

from automate import Recipe
from automate.testing import Node, Script, Timeline, load_recipes, recording_names, rehearse

RECIPE: Final = "recipes/hang_watchdog.py"
DEAF: Final = "recordings/written/deaf-game.jsonl"
UP: Final = Script("arena").offline().start()


def recipe(name: str) -> Recipe:
    return next(one for one in load_recipes(RECIPE) if one.name == name)


def test_ten_minutes_after_the_last_word_the_game_is_asked() -> None:
    """The recorded admin typed the same, 40 s later; only the terminal answered."""
    evening = Timeline(rehearse(RECIPE, DEAF))

    evening.sent("list", by="hang watchdog").once().at(620)
    evening.nothing_else()


def test_a_quiet_game_that_answers_is_left_alone() -> None:
    """Each ten minutes it is asked; that is no reason to give it up."""
    evening = UP
    for _ in range(8):
        evening = evening.command(
            "list", answers=["[…]: Unknown or incomplete command: list"], after=601
        )
    said = Timeline(rehearse(RECIPE, evening))

    said.sent("list").times(8)
    said.nothing_else()


def test_what_is_stuck_while_starting_is_killed_and_started_again() -> None:
    evening = (
        Script("arena")
        .offline()
        .start(finishes=False)
        .until(601)
        .kill(asked=False)
        .start(after=0.1, asked=False)
        .wait(20)
    )
    said = Timeline(rehearse(RECIPE, evening))

    assert said.acts == [
        (600.0121, "notify arena hangs; killing it and starting it again"),
        (600.0121, "set state kill"),
        (601.0582, "set state start"),
    ]
    said.done("stuck while starting").once()


def test_what_is_stuck_while_stopping_is_killed_and_stays_down() -> None:
    evening = UP.until(10).hang().until(311).kill(asked=False).wait(1000)
    said = Timeline(rehearse(RECIPE, evening))

    assert said.acts == [
        (310.0012, "notify arena has been stopping for five minutes; killing it"),
        (310.0012, "set state kill"),
    ]


@pytest.mark.parametrize("name", recording_names())
def test_on_real_evenings_nothing_hung_for_so_long(name: str) -> None:
    """A stop hung (power-races), but only for two seconds."""
    Timeline(rehearse(RECIPE, name)).nothing()


@pytest.mark.model
async def test_a_live_game_that_hangs_is_killed_and_runs_again(modelled_node: Node) -> None:
    async with modelled_node.running(RECIPE) as play:
        play.send("start")
        await modelled_node.becomes("running")
        play.send("hang")
        await modelled_node.becomes("offline")
        await modelled_node.becomes("running")
        assert await play.ended("hang watchdog") == "done"

    evening = Timeline(play.transcript)
    evening.sent("list").once().before(evening.sent("kill"))
    evening.sent("kill", by="revive").once().before(evening.sent("start"))
    evening.sent("start", by="revive").once()
    evening.told(containing="hangs; killing it and starting it again").once()
    evening.nothing_else()


@pytest.mark.model
async def test_a_live_game_that_is_quiet_is_only_asked(modelled_node: Node) -> None:
    async with modelled_node.running(RECIPE) as play:
        play.send("start")
        await modelled_node.becomes("running")
        for _ in range(5):
            assert await play.ended("hang watchdog") == "done"

    evening = Timeline(play.transcript)
    evening.sent("list").times(5)
    evening.nothing_else()


@pytest.mark.model
async def test_what_hangs_again_and_again_is_left_alone(modelled_node: Node) -> None:
    """Four times within the hour: the fourth is told, and no more."""
    async with modelled_node.running(RECIPE) as play:
        play.send("start")
        await modelled_node.becomes("running")
        for _ in range(3):
            play.send("hang")
            await modelled_node.becomes("offline")
            await modelled_node.becomes("running")
        play.send("hang")
        for _ in range(4):
            assert await play.ended("revive") == "done"

    evening = Timeline(play.transcript)
    evening.sent("kill").times(3)
    evening.told(containing="hangs again and again; it is left alone now").once()

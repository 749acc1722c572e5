"""The welcome: once a day for each player, whatever they and the server do in between."""

from typing import Final

import pytest

from automate.testing import Node, Script, Timeline, rehearse

RECIPE: Final = "recipes/welcome.py"
JOINS: Final = "[…]: {} joined the game"
ARENA: Final = Script("arena").offline().start().until(100)
DAY: Final = 24 * 3600


def welcomed(name: str) -> str:
    return f"say Welcome, {name}! Type /help for help."


def test_each_who_comes_is_welcomed_three_seconds_later() -> None:
    """A real evening; at its end the server is restarted, and Grace comes back."""
    evening = Timeline(rehearse(RECIPE, "lifecycle"))

    evening.sent(welcomed("Grace")).once().at(8.2391)
    evening.sent(welcomed("Linus")).once().at(11.2395)
    evening.sent(welcomed("Ken")).once().at(14.2397)
    evening.held_back(containing="(Grace)").once().at(18.5328)
    evening.nothing_else()


def test_who_comes_back_after_a_crash_has_read_it() -> None:
    evening = Timeline(rehearse(RECIPE, "crash-twice"))

    evening.sent(welcomed("Grace")).once().at(8.2581)
    evening.nothing_else()


@pytest.mark.parametrize(("seconds", "times"), [(DAY - 1, 1), (DAY, 2)])
def test_the_next_day_it_is_said_again(seconds: int, times: int) -> None:
    evening = ARENA.says(JOINS.format("Ada")).until(100 + seconds).says(JOINS.format("Ada"))

    Timeline(rehearse(RECIPE, evening.wait(10))).sent(welcomed("Ada")).times(times)


def test_a_whole_crowd_is_welcomed() -> None:
    names = [f"Player{number}" for number in range(40)]
    evening = ARENA.says(*(JOINS.format(name) for name in names)).wait(10)

    said = Timeline(rehearse(RECIPE, evening))

    assert [words for _, words in said.acts] == [f"send command {welcomed(one)}" for one in names]


@pytest.mark.parametrize(
    "text",
    [
        "[…]: <Bob> Ada joined the game",
        "[…]: [Server] Ada joined the game",
        "[…]: <Bob> [12:00:00] [Server thread/INFO]: Ada joined the game",
        "Ada joined the game",
    ],
)
def test_what_a_player_says_is_nobodys_coming(text: str) -> None:
    evening = rehearse(RECIPE, ARENA.says(text).wait(10))

    assert (evening.acts, evening.trace) == ((), ())


@pytest.mark.model
async def test_at_a_live_server(modelled_node: Node) -> None:
    async with modelled_node.running(RECIPE) as play:
        play.send("start")
        await modelled_node.becomes("running")
        play.send("join Ada")
        await modelled_node.hears("[Server] Welcome, Ada!")
        play.send("leave Ada")
        play.send("join Ada")
        assert [await play.ended("welcome") for _ in range(2)] == ["done", "held back"]

    Timeline(play.transcript).sent(welcomed("Ada")).once()

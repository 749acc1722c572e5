"""An empty hall: half an hour without anybody, and nobody is thrown out."""

from typing import Final

import pytest

from automate.testing import Node, Script, Timeline, rehearse

RECIPE: Final = "recipes/stop_when_empty.py"
NAME: Final = "stop when empty"
STOPPING: Final = "nobody was online for half an hour; stopping it"
NOBODY: Final = "[…]: There are 0 of a max of 20 players online: "
ADA: Final = "[…]: There are 1 of a max of 20 players online: Ada"
JOINS, LEAVES = "[…]: Ada joined the game", "[…]: Ada left the game"
# Ada was there and has gone; the clock on the wall shows a minute past.
LEFT: Final = (
    Script("arena")
    .offline()
    .start()
    .says(JOINS, after=5)
    .until(100)
    .says(LEAVES)
    .command("list", answers=[NOBODY], after=0.5)
)
START_AT: Final = "2026-11-24T20:01"


def ended(evening: Script) -> Timeline:
    return Timeline(rehearse(RECIPE, evening, start_at=START_AT))


def test_half_an_hour_later_it_is_stopped_as_the_admin_did() -> None:
    evening = Timeline(rehearse(RECIPE, "recordings/written/empty-hall.jsonl"))

    evening.sent("list").at(200, 2002.0015)
    evening.told(f"empty-hall (written): {STOPPING}").once().at(2004.0015)
    evening.sent("stop").once().at(2004.0015)
    evening.nothing_else()
    evening.done(NAME).once().at(2007.0327)


def test_who_comes_meanwhile_keeps_it_up() -> None:
    evening = ended(LEFT.until(1800).says(JOINS).wait(300))

    evening.sent("stop").never()
    evening.done(NAME, containing="somebody is online: yes").once().at(1800)


def test_who_came_while_nobody_could_see_it_is_not_thrown_out() -> None:
    evening = ended(
        LEFT.until(500).lost().until(900).back().until(1901).command("list", answers=[ADA]).wait(60)
    )

    evening.sent("stop").never()
    evening.sent("list").at(100, 1900.5015)
    evening.done(NAME).once()


def test_a_game_that_does_not_answer_is_taken_at_its_word() -> None:
    """In a rehearsal what nobody answers is taken as done; and nobody was seen to come."""
    evening = ended(LEFT.wait(1900))

    evening.sent("stop").once().at(1910.5015).unconfirmed()


@pytest.mark.parametrize(
    "evening",
    [LEFT.until(700).stop(asked=False).wait(1900), LEFT.until(700).hang(asked=False).wait(1900)],
    ids=["stopped", "stopping"],
)
def test_what_somebody_else_stops_is_left_to_them(evening: Script) -> None:
    said = ended(evening)

    said.sent("list").once().at(100)
    said.done(NAME, containing="the server is offline or stopping: yes").once()
    said.nothing_else()


@pytest.mark.model(start_at="2026-11-24T20:00:30")
async def test_a_live_server_to_which_nobody_comes(modelled_node: Node) -> None:
    """Nobody leaves either: it is found out at the next full ten minutes."""
    async with modelled_node.running(RECIPE) as play:
        play.send("start")
        await modelled_node.becomes("running")
        await modelled_node.becomes("offline")
        assert [await play.ended(NAME) for _ in range(4)] == [*["held back"] * 3, "done"]

    evening = Timeline(play.transcript)
    evening.sent("stop").once().between(2370, 2372)
    evening.told(containing=STOPPING).once()


@pytest.mark.model(start_at="2026-11-24T20:00:30")
async def test_a_live_server_that_does_not_say_who_is_online(modelled_node: Node) -> None:
    """It hangs: the watchdog's work, not ours. It is asked once more, in vain."""
    async with modelled_node.running(RECIPE) as play:
        play.send("start")
        await modelled_node.becomes("running")
        play.send("hang")
        assert await play.ended(NAME) == "failed"

    evening = Timeline(play.transcript)
    evening.failed(NAME, containing="the game did not say within 10 s who is online").once()
    evening.sent("stop").never()

"""The restart at night: when the last player is gone, or when it can't be put off any longer."""

from typing import Final

import pytest

from automate import Asked, Recipe, Wait
from automate.testing import Node, Script, Timeline, rehearse

RECIPE: Final = "recipes/nightly_restart.py"
NAME: Final = "nightly restart"
NIGHT: Final = "recordings/written/last-player.jsonl"
# Five minutes, and when what is left of them is said.
SAID: Final = {0: "5 minutes", 240: "1 minute", 270: "30 seconds", 290: "10 seconds"} | {
    300 - left: f"{left} second{'s' if left > 1 else ''}" for left in range(5, 0, -1)
}


def counted_down_from(evening: Timeline, begin: float) -> None:
    """Hold that it was counted down from *begin*, then restarted, and nothing else."""
    evening.sent("list").once()
    for seconds, left in SAID.items():
        evening.sent(f"say The server restarts in {left}").once().at(begin + seconds)
    evening.sent("restart").once().at(begin + 300)
    evening.nothing_else()


def test_it_waits_for_the_last_player_as_the_admin_did() -> None:
    """At four Ada is there still; at 4:21:20 she leaves."""
    night = Timeline(rehearse(RECIPE, NIGHT))

    night.triggered(NAME).once().at(120)
    counted_down_from(night, 1400)
    night.done(NAME).once().at(1703.0174)


# A server that is up at 3:59, and asked at four.
ARENA: Final = Script("arena").offline().start().until(30)
ADA: Final = ARENA.says("[…]: Ada joined the game").until(60.5)
START_AT: Final = "2026-11-24T03:59"


def test_who_stays_is_not_waited_for_longer_than_an_hour_and_a_half() -> None:
    evening = ADA.command("list", answers=["[…]: There are 1 of a max of 20 players online: Ada"])
    night = Timeline(rehearse(RECIPE, evening.wait(7200), start_at=START_AT))

    # Ninety minutes from the answer on.
    counted_down_from(night, 5460.5015)


def test_where_nobody_knows_who_is_online_it_comes_at_the_deadline() -> None:
    """Nothing is said that tells which game it is."""
    evening = Script("arena").online().wait(7200)
    night = Timeline(rehearse(RECIPE, evening, start_at=START_AT))

    night.sent("list").never()
    night.sent("restart").once().at(60 + 5400 + 300)


@pytest.mark.parametrize(
    "evening",
    [
        ADA.until(600).stop(asked=False).wait(7200),
        ADA.until(600).crash(gives_up=True).wait(7200),
    ],
    ids=["stopped", "crashed"],
)
def test_a_server_that_is_down_by_then_stays_down(evening: Script) -> None:
    night = Timeline(rehearse(RECIPE, evening, start_at=START_AT))

    night.sent("restart").never()
    night.done(NAME).once()


def test_one_that_was_down_all_the_time_is_left_alone() -> None:
    night = Timeline(rehearse(RECIPE, Script("arena").offline().wait(7200), start_at=START_AT))

    night.held_back(NAME, containing="it is offline").once().at(60)
    night.nothing()


def test_at_any_other_hour_nothing_happens() -> None:
    night = rehearse(RECIPE, NIGHT, start_at="2026-11-24T04:00:01")

    assert (night.acts, night.trace) == ((), ())


# Twenty minutes.
PAUSE: Final = Recipe("pause", when=Asked(), then=Wait(seconds=1200))


@pytest.mark.model(start_at="2026-11-24T03:59:30")
async def test_at_a_live_server(modelled_node: Node) -> None:
    """Ada comes, stays for twenty minutes, and is waited for; five minutes later it restarts."""
    async with modelled_node.running([RECIPE, PAUSE], asked="pause") as play:
        play.send("start")
        await modelled_node.becomes("running")
        play.send("join Ada")
        await modelled_node.hears("There are 1 players online: Ada")
        assert await play.ended("pause") == "done"
        play.send("leave Ada")
        await modelled_node.becomes("running")
        assert await play.ended(NAME) == "done"

    evening = Timeline(play.transcript)
    evening.sent(containing="5 minutes").once().between(1199, 1202)
    evening.sent("restart", by=NAME).once().between(1499, 1502)
    evening.sent(containing="The server restarts in").times(9)

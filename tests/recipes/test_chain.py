"""Two servers: the lobby comes up when the world is up, and not before."""

from typing import Final

from automate.testing import (
    Playback,
    Script,
    Timeline,
    all_running,
    load_recording,
    replayed_nodes,
)

RECIPE: Final = "recipes/chain.py"
NAME: Final = "start the lobby"
WORLD: Final = "recordings/written/world.jsonl"
# Where the admin started it by hand, the recipe is to do so.
LOBBY: Final = Playback(load_recording("recordings/written/lobby.jsonl"), leave="all")


async def test_when_the_world_is_up_the_lobby_is_started(autojump_clock: object) -> None:
    """The world takes forty seconds; the admin looked five seconds later."""
    async with (
        replayed_nodes(load_recording(WORLD), LOBBY) as nodes,
        all_running(nodes, RECIPE) as (world, lobby),
    ):
        await nodes[0].becomes("running")
        await nodes[1].becomes("running")
        assert await world.ended(NAME) == "done"

    evening = Timeline(lobby.transcript)
    evening.sent("start", by=NAME).once().between(45, 45.1)
    evening.nothing_else()
    Timeline(world.transcript).nothing()


async def test_a_lobby_that_is_up_is_only_found_so(autojump_clock: object) -> None:
    up = Script("lobby (up)", server="b2c3d4e5-0022-4000-8000-000000000022").online().wait(100)
    async with (
        replayed_nodes(load_recording(WORLD), up) as nodes,
        all_running(nodes, RECIPE) as (world, lobby),
    ):
        assert await world.ended(NAME) == "done"

    Timeline(lobby.transcript).nothing()


async def test_a_lobby_that_automate_does_not_run_for_is_missed(autojump_clock: object) -> None:
    async with (
        replayed_nodes(load_recording(WORLD)) as nodes,
        all_running(nodes, RECIPE) as (world,),
    ):
        assert await world.ended(NAME) == "failed"

    evening = Timeline(world.transcript)
    evening.told(containing="world (written) is up, but the lobby is not: ").once()


async def test_a_lobby_that_comes_up_starts_nothing(autojump_clock: object) -> None:
    """The recipe is only for the world."""
    lobby = load_recording("recordings/written/lobby.jsonl")
    async with replayed_nodes(lobby) as nodes, all_running(nodes, RECIPE) as (play,):
        await nodes[0].becomes("running")

    assert (play.transcript.acts, play.transcript.trace) == ((), ())

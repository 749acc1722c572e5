"""What the machine learns of the game from its console: which it is, and who is online."""

import pytest

from automate.machine.actions import Send
from automate.machine.recipes import RecipeMachine
from automate.recipe.conditions import PlayersOnline
from automate.recipe.recipe import Recipe
from automate.recipe.selectors import ServerFacts
from automate.recipe.steps import Announce, CountPlayers, Notify
from automate.recipe.triggers import Asked, PlayerJoined
from automate.wire.messages import SendCommand, ServerMessage
from tests.machine.scenes import ORIGIN, Scene, line, stats, status

WELCOME = Recipe("welcome", when=PlayerJoined(), then=Announce("hi {player}"))
EMPTY = Recipe("empty", when=Asked(), only_if=PlayersOnline(at_most=0), then=Notify("empty"))
MINECRAFT = "[12:00:00] [Server thread/INFO]: Starting minecraft server version 1.21"
TERRARIA = "Terraria Server v1.4.4.9"


def says(text: str) -> ServerMessage:
    return line(f"[12:00:00] [Server thread/INFO]: {text}")


def told(scene: Scene) -> list[tuple[float, str]]:
    return [(at, words.removeprefix("send command ")) for at, words in scene.did]


def started(*recipes: Recipe, forgets: bool = False) -> Scene:
    return Scene(*recipes, forgets=forgets).hears(
        (0.0, status("offline")),
        (1.0, status("starting")),
        (2.0, line(MINECRAFT)),
        (5.0, status("running")),
    )


def test_a_game_is_known_by_its_start_and_until_then_nobody_is_seen() -> None:
    scene = Scene(WELCOME).hears(
        (1.0, says("Ada joined the game")),
        (2.0, line(MINECRAFT)),
        (3.0, says("Bob joined the game")),
    )

    assert told(scene) == [(3.0, "say hi Bob")]


def test_which_game_it_is_is_worth_writing_down() -> None:
    """Its start is not seen again."""
    scene = Scene(WELCOME).hears((1.0, status("running")))
    scene.machine.changes()
    scene.hears((2.0, line(MINECRAFT)))

    assert scene.machine.changes()["server:s"]["game"] == "minecraft"
    assert started(WELCOME, forgets=True).machine.state.servers["s"].game == "minecraft"


def test_a_server_that_starts_another_game_is_read_by_its_table() -> None:
    scene = started(EMPTY)
    scene.hears(
        (10.0, status("stopping")),
        (11.0, status("offline")),
        (12.0, status("starting")),
        (13.0, line(TERRARIA)),
    )

    assert scene.machine.state.servers["s"].game == "terraria"


def test_a_running_server_does_not_become_another_game_by_what_is_printed() -> None:
    scene = started(EMPTY).hears((10.0, line(TERRARIA)))

    assert scene.machine.state.servers["s"].game == "minecraft"


def named(game: str, *recipes: Recipe) -> RecipeMachine:
    facts = ServerFacts(name="arena", game=game)
    machine = RecipeMachine(recipes, {"s": facts}, origin=ORIGIN)
    machine.linked("s", 0.0)
    machine.heard("s", status("running"), 0.0)
    return machine


def test_a_game_that_somebody_named_is_known_before_it_says_anything() -> None:
    recipe = Recipe("it", when=Asked(), then=[Announce("hi"), CountPlayers()])
    output = named("openttd", recipe).asked("s", "it", 1.0)

    messages = [one.message for one in output if isinstance(one, Send)]
    commands = [one.command for one in messages if isinstance(one, SendCommand)]
    assert commands == ['say "hi"', "server_info"]


def test_a_game_that_somebody_named_is_that_whatever_was_known_before() -> None:
    machine = named("openttd", WELCOME)
    saved = started(WELCOME).machine.save()
    machine.restore(saved)
    machine.heard("s", line(MINECRAFT), 1.0)

    assert machine.state.servers["s"].game == "openttd"


def test_a_game_that_this_version_does_not_know_is_none() -> None:
    scene = started(WELCOME)
    saved = scene.machine.save()
    saved["server:s"]["game"] = "a game of the future"
    scene.machine.restore(saved)
    scene.hears((20.0, says("Ada joined the game")))

    assert told(scene) == []


# ---------------------------------------------------------------- who is online


def online(scene: Scene) -> str:
    scene.asks(100.0, "empty")
    ((_, words),) = scene.ended
    return words.removeprefix("held back: nobody is online: ")


@pytest.mark.parametrize(
    ("heard", "found"),
    [
        ([], "done"),
        ([says("Ada joined the game")], "no, 1 is online"),
        ([says("Ada joined the game"), says("Ada left the game")], "done"),
        ([says("Ada joined the game"), says("Ada joined the game")], "no, 1 is online"),
        ([says("Ada joined the game"), status("offline")], "done"),
        ([says("There are 2 of a max of 20 players online: Ada, Bob")], "no, 2 are online"),
        ([says("<Ada> Bob joined the game")], "done"),
        ([says("Ada left the game")], "done"),
    ],
    ids=[
        "nobody came",
        "one came",
        "one came and went",
        "one came twice",
        "the server went",
        "they were listed",
        "a chat",
        "one went who never came",
    ],
)
def test_who_comes_and_goes_since_the_start_is_counted(
    heard: list[ServerMessage], found: str
) -> None:
    scene = started(EMPTY).hears(*[(10.0, one) for one in heard])

    assert online(scene) == found


def test_in_a_gap_nobody_knows_who_comes_and_goes() -> None:
    scene = started(EMPTY).unlinks(10.0).links(20.0).hears((20.1, status("running")))

    assert online(scene) == "not known, nobody counted them"


def test_after_a_gap_the_games_own_list_is_believed() -> None:
    scene = started(EMPTY).unlinks(10.0).links(20.0).hears((20.1, status("running")))
    scene.hears((21.0, says("There are 0 of a max of 20 players online: ")))

    assert online(scene) == "done"


def test_of_a_server_that_is_found_offline_it_is_known() -> None:
    scene = started(EMPTY).unlinks(10.0).links(20.0).hears((20.1, stats("offline")))

    assert online(scene) == "done"

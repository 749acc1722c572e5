"""Commands where the engine tells when they were given to the socket (`Manner(confirms=True)`)."""

from typing import Any

import pytest

from automate.machine.stage import Manner
from automate.recipe.conditions import VariableIs
from automate.recipe.flow import Block, Choose, If, Parallel, Step
from automate.recipe.recipe import Recipe
from automate.recipe.steps import (
    Announce,
    Command,
    Countdown,
    CountPlayers,
    Fail,
    Notify,
    SetVariable,
    Wait,
)
from automate.recipe.triggers import Asked, Crashed
from automate.wire.games import GAMES
from tests.machine.scenes import Scene, daemon, line, status

CONFIRMS = Manner(confirms=True)


def begin(*steps: Step, **more: Any) -> Scene:
    recipe = Recipe("it", when=Asked(), then=list(steps), **more)
    return Scene(recipe, manner=CONFIRMS).hears((0.0, status("running"))).asks(1.0, "it")


def sends(scene: Scene, *after: float) -> Scene:
    """Answer what is open, one after the other, each so many seconds after it was wanted."""
    for seconds in after:
        at = scene.outputs[-1][0] + seconds
        (call,) = scene.machine.open_calls
        scene.answers(at, call)
    return scene


def told(scene: Scene) -> list[str]:
    return [f"{at:g} {words.removeprefix('send command ')}" for at, words in scene.did]


def test_each_step_waits_until_the_one_before_was_given_away() -> None:
    scene = begin(Command("a"), Announce("b"), Notify("c"))

    assert (told(scene), scene.ended) == (["1 a"], [])
    sends(scene, 2, 3, 4)
    assert (told(scene), scene.ended) == (["1 a", "3 say b", "6 notify c"], [(10.0, "done")])


def test_an_answer_to_another_call_is_no_answer() -> None:
    assert begin(Command("a"), Command("b")).answers(2.0, 99).ended == []


def test_a_command_that_was_not_sent_fails_the_step() -> None:
    scene = begin(Command("a"), Command("b"), on_failure=Notify("{error}"))
    scene.answers(2.0, 1, error="it was not sent: the link is lost")

    assert told(scene) == ["1 a", "2 notify it was not sent: the link is lost"]


def test_a_command_that_nobody_tells_of_fails_after_a_while() -> None:
    assert begin(Command("a")).waits(200).ended == [
        (121.0, "failed: nobody said within 120 s that it was done")
    ]


def test_what_is_always_done_is_tried_again_when_the_link_is_there_again() -> None:
    scene = begin(Block(Fail("x"), always=Command("save-on"))).unlinks(2.0)
    scene.answers(2.1, 1, error="the link is lost").links(50.0)

    assert told(scene) == ["1 save-on", "50 save-on"]
    assert sends(scene, 1).ended == [(51.0, "failed: x")]


def test_what_is_always_done_is_tried_again_where_only_the_queue_was_full() -> None:
    scene = begin(Block(Fail("x"), always=Command("save-on")))
    scene.answers(2.0, 1, error="too much waits to be sent").waits(20)

    assert told(scene) == ["1 save-on", "7 save-on"]


def test_what_is_always_done_is_given_up_after_an_hour() -> None:
    scene = begin(Block([], always=Command("save-on")))
    at = 1.0
    while scene.machine.busy:
        (call,) = scene.machine.open_calls
        at += 30
        scene.answers(at, call, error="too much waits to be sent").waits(at + 5)
        at += 5

    assert scene.ended == [(3601.0, "failed: too much waits to be sent")]
    assert scene.machine.wake_at is None


def test_a_link_that_comes_and_goes_gives_no_command_twice() -> None:
    """It was given away: what became of it, its answer will tell."""
    scene = begin(Block(Fail("x"), always=Command("save-on"))).unlinks(2.0).links(3.0)

    assert told(scene) == ["1 save-on"]


@pytest.mark.parametrize("sending", [0.0, 0.3, 1.7, 4.0], ids=str)
def test_the_last_word_of_a_countdown_comes_when_it_should(sending: float) -> None:
    """However long it takes to send them."""
    count = Countdown("{left}", seconds=20, at_seconds=[15, 10, 5])
    scene = begin(count, Notify("now"))
    for _ in range(4):
        scene.waits(scene.outputs[-1][0])
        at = scene.outputs[-1][0] + sending
        (call,) = scene.machine.open_calls
        scene.answers(at, call).waits(at + 5 - sending)

    assert told(scene) == [
        *("1 say 20 seconds", "6 say 15 seconds", "11 say 10 seconds", "16 say 5 seconds"),
        "21 notify now",
    ]


def test_a_countdown_that_was_held_up_catches_up() -> None:
    count = Countdown("{left}", seconds=20, at_seconds=[15, 10, 5])
    scene = begin(count, Notify("now")).answers(1.0, 1)
    scene.waits(6.0).answers(13.0, 2).answers(13.1, 3).waits(16.0).answers(16.0, 4).waits(30)

    assert told(scene) == [
        *("1 say 20 seconds", "6 say 15 seconds", "13 say 10 seconds", "16 say 5 seconds"),
        "21 notify now",
    ]


def test_a_pause_counts_from_a_command_that_took_its_time() -> None:
    quick = sends(begin(Command("a"), Wait(seconds=10), Notify("b")), 0.5).waits(60)
    slow = sends(begin(Command("a"), Wait(seconds=10), Notify("b")), 5.0).waits(60)

    assert (told(quick)[1], told(slow)[1]) == ("11 notify b", "16 notify b")


@pytest.mark.parametrize("text", ["{left}!", "{{left}} {left}", "{server}: {left} {{"])
def test_a_countdown_says_what_is_left_and_all_else_of_its_text(text: str) -> None:
    scene = begin(Countdown(text, seconds=120, at_seconds=[60, 1.5]))
    for at in (1.0, 61.0, 119.5):
        scene.waits(at)
        sends(scene, 0)

    assert [words.removeprefix("send command say ") for _, words in scene.did] == [
        text.format(server="arena", left=left) for left in ("2 minutes", "1 minute", "1.5 seconds")
    ]


# ---------------------------------------------------------------- players


def test_players_are_counted_by_the_games_own_answer() -> None:
    scene = Scene(
        Recipe("it", when=Asked(), then=[CountPlayers(), Notify("!")]), manner=CONFIRMS
    ).hears((0.0, line("[12:00:00] [Server thread/INFO]: Starting minecraft server version 1.21")))
    scene.hears((0.5, status("running"))).asks(1.0, "it").answers(1.1, 1)
    scene.hears(
        (
            1.2,
            line("[12:00:01] [Server thread/INFO]: There are 1 of a max of 20 players online: Ada"),
        )
    )

    assert told(scene) == [f"1 {GAMES['minecraft'].players_command}", "1.2 notify !"]


# ---------------------------------------------------------------- variables


def test_a_variable_is_for_later_texts_and_conditions_of_all_recipes() -> None:
    one = Recipe("one", when=Asked(), then=SetVariable("mood", "good {server}"))
    other = Recipe(
        "other",
        when=Asked(),
        then=Choose(If(VariableIs("mood", "good arena"), Notify("yes")), otherwise=Notify("no")),
    )
    scene = Scene(one, other, forgets=True).asks(1.0, "other").asks(2.0, "one").asks(3.0, "other")

    assert told(scene) == ["1 notify no", "3 notify yes"]


def test_a_variable_takes_the_place_of_what_was_captured_under_its_name() -> None:
    recipe = Recipe(
        "it", when=Crashed(), then=[SetVariable("reason", "[{reason}]"), Notify("{reason}")]
    )
    scene = Scene(recipe).hears((0.0, status("running")), (1.0, status("offline"))).waits(3)

    assert told(scene) == ["2 notify [crashed]"]


def test_a_variable_is_worth_writing_down() -> None:
    scene = Scene(Recipe("it", when=Asked(), then=[Wait(seconds=5), SetVariable("v", "x")]))
    scene.asks(1.0, "it")
    scene.machine.changes()
    scene.waits(10)

    assert scene.machine.changes()["server:s"]["variables"] == {"v": "x"}


# ---------------------------------------------------------------- what led to a crash


def test_the_last_lines_are_lines_in_a_notice_and_one_line_in_a_command() -> None:
    steps = [Notify("{lines}"), Parallel(Notify("-"), Command("tell {lines}"))]
    scene = Scene(Recipe("it", when=Crashed(), then=steps))
    scene.hears((0.0, status("running")), *[(0.5, line(f"line\x1b[1m {n}")) for n in range(60)])
    scene.hears((1.0, status("offline")), (1.01, daemon("Exit code: 1"))).waits(3)

    (notice, _, command) = [words for _, words in scene.did]
    assert notice == "notify " + "\n".join(f"line {n}" for n in range(10, 60))
    assert command.startswith("send command tell line 10 line 11")
    assert len(command.splitlines()) == 1

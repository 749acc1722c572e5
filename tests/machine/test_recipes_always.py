"""What holds for the recipes' machine whatever happens, and whenever.

The sequences are drawn from everything that an engine could hand over, in any order.
"""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from automate.machine.actions import Output, Send, Traced
from automate.machine.doing import Answer
from automate.machine.recipes import RecipeMachine
from automate.machine.stage import Manner
from automate.recipe.conditions import ServerIs
from automate.recipe.flow import Block, WaitUntil
from automate.recipe.limits import AtMost
from automate.recipe.recipe import Recipe
from automate.recipe.steps import (
    Announce,
    Backoff,
    Backup,
    Call,
    Command,
    Fail,
    Kill,
    Notify,
    Restart,
    Start,
    Stop,
    Wait,
)
from automate.recipe.triggers import At, ConsoleLine, Crashed, Every, FoundOffline, StatusChanged
from automate.wire import messages as m
from automate.wire.messages import PowerState
from tests.machine.scenes import (
    Scene,
    backup_completed,
    daemon,
    expired,
    line,
    locked,
    stats,
    status,
)

RECIPES = [
    Recipe(
        "restart",
        when=[Crashed(), FoundOffline()],
        then=[
            Wait(seconds=Backoff(first_seconds=0.5, reset_after_seconds=30)),
            Notify("{reason} {attempt}"),
            Start(limit_seconds=40),
        ],
        on_failure=[Block([Kill(limit_seconds=5)], always=[Notify("{error}")])],
        limit=AtMost(2, within_seconds=50, otherwise=[Wait(seconds=1), Notify("giving up")]),
    ),
    Recipe(
        "stop",
        when=ConsoleLine("stop (?P<who>.*)"),
        only_if=ServerIs("running", "starting"),
        then=[
            Block(
                [
                    Announce("{who}", command="{who} {text}"),
                    WaitUntil(ConsoleLine("Saved"), limit_seconds=10),
                    Backup(limit_seconds=50),
                ],
                always=[Command("save-on {who}")],
            ),
            Stop(kill_after_seconds=5, limit_seconds=50),
        ],
        on_failure=Fail("{error}!"),
    ),
    Recipe(
        "restart it",
        when=[Every(seconds=20), At("12:00:30")],
        then=[Call("a.b", limit_seconds=3), Restart(limit_seconds=30), Wait(seconds=2)],
    ),
    Recipe(
        "watch",
        when=StatusChanged(to=["stopping", "offline"]),
        then=[Wait(seconds=4, unless=ServerIs("running")), WaitUntil(StatusChanged(to="starting"))],
    ),
]

MESSAGES = st.one_of(
    st.sampled_from(list(PowerState)).map(status),
    st.sampled_from(list(PowerState)).map(stats),
    st.sampled_from([line("stop Bob"), line("Saved"), line("stop \x1b[1m\u2028")]),
    st.sampled_from([daemon("Exit code: 3"), locked(), expired()]),
    st.sampled_from(["b1", "b2"]).flatmap(
        lambda uuid: st.booleans().map(lambda well: backup_completed(uuid, well=well))
    ),
)
ANSWERS = st.one_of(
    st.just(Answer()),
    st.just(Answer(error="no")),
    st.sampled_from(["b1", "b2"]).map(lambda uuid: Answer(uuid=uuid)),
    st.just(Answer(uuid="b1", is_done=True)),
    st.just(Answer(uuid="b1", is_failed=True)),
)


Happening = Callable[[RecipeMachine, float], list[Output]]


def _heard(message: m.ServerMessage) -> Happening:
    return lambda machine, at: machine.heard("s", message, at)


def _asked(name: str) -> Happening:
    return lambda machine, at: machine.asked("s", name, at)


def _answered(call: int, answer: Answer) -> Happening:
    return lambda machine, at: machine.answered(call, answer, at)


OTHERS: list[Happening] = [
    lambda machine, at: machine.linked("s", at),
    lambda machine, at: machine.linked("s", at),
    lambda machine, at: machine.unlinked("s", at),
    lambda machine, at: machine.blinded("s", at),
]
HAPPENINGS = st.one_of(
    MESSAGES.map(_heard),
    MESSAGES.map(_heard),
    st.sampled_from([recipe.name for recipe in RECIPES]).map(_asked),
    st.builds(_answered, st.integers(1, 4), ANSWERS),
    st.sampled_from(OTHERS),
)
# Many things happen at one moment, or just where a timer is due.
PAUSES = st.sampled_from([0.0, 0.0, 0.01, 0.5, 1.0, 3.0, 15.0]) | st.floats(0, 20)
SCRIPTS = st.lists(st.tuples(PAUSES, HAPPENINGS), max_size=30)
MANNERS = st.sampled_from([Manner(), Manner(asks_once=True), Manner(asks_once=True, answers=False)])


def play(script: list[tuple[float, Happening]], manner: Manner, *, forgets: bool = False) -> Scene:
    scene = Scene(*RECIPES, manner=manner, forgets=forgets)
    at = 0.0
    for pause, happens in script:
        at += pause
        scene.at(at, lambda machine, at=at, happens=happens: happens(machine, at))  # type: ignore[misc]
    return scene


@given(SCRIPTS, MANNERS)
def test_time_never_goes_back(script: list[tuple[float, Happening]], manner: Manner) -> None:
    scene = play(script, manner)
    now = scene.outputs[-1][0] if scene.outputs else 0.0
    for _ in range(50):
        wake_at = scene.machine.wake_at
        assert wake_at is not None
        assert wake_at >= now
        now = wake_at
        scene.take(scene.machine.due(now), now)

    moments = [at for at, _ in scene.outputs]
    assert moments == sorted(moments)


@given(SCRIPTS, MANNERS)
def test_the_same_happenings_have_the_same_outcome(
    script: list[tuple[float, Happening]], manner: Manner
) -> None:
    assert play(script, manner).waits(300).outputs == play(script, manner).waits(300).outputs


@settings(max_examples=60)
@given(SCRIPTS, MANNERS)
def test_a_machine_that_is_written_down_and_read_again_at_every_step_is_the_same(
    script: list[tuple[float, Happening]], manner: Manner
) -> None:
    plain, forgetful = play(script, manner), play(script, manner, forgets=True)

    assert forgetful.waits(100).outputs == plain.waits(100).outputs
    assert forgetful.machine.wake_at == plain.machine.wake_at


@given(SCRIPTS)
def test_every_run_comes_to_an_end_and_once(script: list[tuple[float, Happening]]) -> None:
    scene = play(script, Manner()).ends(1000.0).waits(2000.0)

    traced = [one for _, one in scene.outputs if isinstance(one, Traced)]
    begun = [one.run for one in traced if one.what == "triggered"]
    ended = [one.run for one in traced if one.what in ("done", "failed")]
    assert scene.machine.busy == []
    assert sorted(ended, key=str) == sorted(begun, key=str)


@given(SCRIPTS)
def test_whatever_happens_in_a_block_what_is_always_to_be_done_is_done(
    script: list[tuple[float, Happening]],
) -> None:
    scene = play(script, Manner(asks_once=True)).ends(1000.0).waits(2000.0)

    begun: Any = {
        one.run
        for _, one in scene.outputs
        if isinstance(one, Traced) and one.what == "triggered" and one.recipe == "stop"
    }
    tidied = [run for run, words in commands(scene) if words.startswith("save-on ")]
    assert sorted(tidied) == sorted(begun)


def commands(scene: Scene) -> list[tuple[int, str]]:
    return [
        (one.run, one.message.command)
        for _, one in scene.outputs
        if isinstance(one, Send) and isinstance(one.message, m.SendCommand)
    ]


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda recipe: recipe.name)
def test_each_recipe_here_can_run(recipe: Recipe) -> None:
    scene = Scene(recipe).hears((0.0, status("running"))).asks(1.0, recipe.name)

    assert scene.outputs

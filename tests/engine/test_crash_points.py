"""A whole engine, killed at every point of whatever it does; and under many seeds."""

import pytest

from automate import (
    Asked,
    Backup,
    Block,
    Choose,
    Command,
    ConsoleLine,
    Crashed,
    If,
    Kill,
    Notify,
    On,
    Parallel,
    Recipe,
    RecipeEnded,
    Repeat,
    Restart,
    RunRecipe,
    ServerIs,
    Start,
    Stop,
    Try,
    Wait,
    WaitUntil,
)
from automate.testing import Scene, sweep
from tests.soak.hundred_seeds import transcript

AWAY = pytest.mark.parametrize("down_seconds", [0, 40], ids=["at-once", "later"])
POWER = Scene(
    recipes=[Recipe("power", when=Asked(), then=[Stop(), Start(), Stop()])],
    seconds=120,
    asks=[("power", 1)],
)
SIDE_BY_SIDE = Scene(
    recipes=[
        Recipe(
            "side by side",
            when=Asked(),
            then=[
                Parallel(
                    [Command("list"), Wait(seconds=3)],
                    [Wait(seconds=2), Notify("half way")],
                ),
                Stop(),
            ],
        )
    ],
    seconds=90,
    asks=[("side by side", 1)],
)
ON_OTHERS = Scene(
    recipes=[Recipe("all down", when=Asked(), then=[On("*", Stop()), Notify("all are down")])],
    servers=["world", "lobby"],
    seconds=90,
    asks=[("all down", 1)],
)
ONE_BY_ANOTHER = Scene(
    recipes=[
        Recipe("first", when=Asked(), then=[RunRecipe("second"), Notify("both are done")]),
        Recipe("second", when=Asked(), then=[Wait(seconds=2), Stop()]),
        Recipe("third", when=RecipeEnded("second"), then=Notify("it is down")),
    ],
    seconds=90,
    asks=[("first", 1)],
)
ONE_AFTER_ANOTHER = Scene(
    recipes=[
        Recipe("first", when=Asked(), then=[RunRecipe("queue"), Notify("its turn is over")]),
        Recipe("queue", when=Asked(), then=[Wait(seconds=4), Command("list")], mode="queued"),
    ],
    seconds=90,
    asks=[("queue", 1), ("first", 2)],
)
LOOKS_THEN = Scene(
    recipes=[
        Recipe(
            "look",
            when=Asked(),
            then=[Command("list"), Choose(If(ServerIs("running"), Stop()))],
        )
    ],
    seconds=60,
    asks=[("look", 1)],
)
AGAIN_AND_AGAIN = Scene(
    recipes=[
        Recipe(
            "again",
            when=Asked(),
            then=[
                Repeat([Notify("knock"), Wait(seconds=1)], times=3),
                Try(
                    WaitUntil(ConsoleLine("never said"), limit_seconds=5),
                    retries=1,
                    go_on=True,
                ),
                Choose(If(ServerIs("running"), Stop()), otherwise=Start()),
            ],
        )
    ],
    seconds=120,
    asks=[("again", 1)],
)
SAVED = Scene(
    recipes=[
        Recipe(
            "save",
            when=Asked(),
            then=Block(
                [
                    Command("save-all", if_in_doubt="repeat"),
                    WaitUntil(ConsoleLine("Saved the game"), limit_seconds=90),
                    Backup("by hand", keep=1),
                ],
                always=Command("save-on"),
            ),
        )
    ],
    seconds=120,
    # By then it has seen what the console said before: it finds its place by that.
    asks=[("save", 4)],
)
CRASHED_TWICE = Scene(
    recipes=[
        Recipe(
            "mend",
            when=Crashed(),
            then=[Wait(seconds=5), Notify("attempt {attempt}"), Start()],
        )
    ],
    seconds=120,
    crash_detection=False,
    happens=[(2, "crash 3")],
)


@AWAY
@pytest.mark.parametrize(
    "scene",
    [
        POWER,
        SIDE_BY_SIDE,
        ON_OTHERS,
        ONE_BY_ANOTHER,
        ONE_AFTER_ANOTHER,
        LOOKS_THEN,
        AGAIN_AND_AGAIN,
        SAVED,
        CRASHED_TWICE,
    ],
    ids=[
        "power",
        "parallel",
        "on",
        "run-recipe",
        "queued",
        "looks-then",
        "repeat-try",
        "wait-until",
        "crashed",
    ],
)
def test_it_goes_on_from_wherever_it_is_killed(scene: Scene, down_seconds: float) -> None:
    report = sweep(scene, down_seconds=down_seconds)

    report.check()
    assert len(report.deaths) > 10


@pytest.mark.parametrize("down_seconds", [0, 1, 40])
def test_a_server_is_killed_once(down_seconds: float) -> None:
    killing = Recipe("kill", when=Asked(), then=[Kill(), Start()])

    sweep(
        Scene(recipes=[killing], seconds=90, asks=[("kill", 1)]), down_seconds=down_seconds
    ).check()


@pytest.mark.parametrize("down_seconds", [0, 1, 40])
def test_a_server_is_restarted_once(down_seconds: float) -> None:
    """One that nobody saw is seen by how long the server has been up."""
    restarting = Recipe("restart", when=Asked(), then=Restart())

    sweep(
        Scene(recipes=[restarting], seconds=90, asks=[("restart", 1)]), down_seconds=down_seconds
    ).check()


def test_one_transcript_under_a_handful_of_seeds() -> None:
    """tests/soak/hundred_seeds.py plays a hundred."""
    assert len({transcript(seed) for seed in range(6)}) == 1

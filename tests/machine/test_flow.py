"""Steps made of steps: choices, repetitions, tries, what is side by side, and all that cut short.

Each scene has a server that runs, and a recipe asked for at 1.0.
"""

from typing import Any

import pytest

from automate.machine.actions import Output, Send, Traced
from automate.machine.recipes import RecipeMachine
from automate.recipe.conditions import Between, PlayersOnline, ReadingIs, ServerIs, VariableIs
from automate.recipe.flow import Block, Choose, If, On, Parallel, Repeat, Step, Try, WaitUntil
from automate.recipe.recipe import Recipe
from automate.recipe.selectors import ServerFacts, Tagged
from automate.recipe.steps import (
    Backoff,
    Command,
    Fail,
    Notify,
    SetVariable,
    Start,
    Wait,
)
from automate.recipe.triggers import Asked, ConsoleLine
from automate.wire.messages import SendCommand, Stats, StatsReported
from tests.machine.scenes import ORIGIN, Scene, line, status

NEEDLESS = Wait(seconds=5, unless=ServerIs("running"))
HOUR = Wait(seconds=3600)


def begin(*steps: Step, **more: Any) -> Scene:
    recipe = Recipe("it", when=Asked(), then=list(steps), **more)
    return Scene(recipe).hears((0.0, status("running"))).asks(1.0, "it")


def told(scene: Scene) -> list[tuple[float, str]]:
    """Return what was told and when, and how the run ended."""
    return [(at, words.removeprefix("notify ")) for at, words in scene.did + scene.ended]


def n(*texts: str) -> list[Step]:
    return [Notify(text) for text in texts]


# ---------------------------------------------------------------- choices


def test_the_first_way_that_holds_is_gone_and_the_trace_says_why() -> None:
    choose = Choose(
        If(ServerIs("offline"), n("a")),
        If(ServerIs("running"), n("b")),
        If(ServerIs("running"), n("c")),
        otherwise=n("d"),
    )
    scene = begin(choose, *n("after"))

    assert told(scene) == [(1.0, "b"), (1.0, "after"), (1.0, "done")]
    assert scene.traced("condition") == [
        (1.0, "the server is offline: no, it is running"),
        (1.0, "the server is running: yes, it is running"),
    ]


def test_what_nobody_knows_is_no_way() -> None:
    scene = begin(Choose(If(PlayersOnline(at_most=0), n("empty")), otherwise=n("careful")))

    assert told(scene) == [(1.0, "careful"), (1.0, "done")]


def test_a_choice_of_nothing_goes_on() -> None:
    scene = begin(Choose(If(ServerIs("offline"), n("a"))), *n("after"))

    assert told(scene) == [(1.0, "after"), (1.0, "done")]


def test_a_failure_in_a_choice_is_the_runs() -> None:
    scene = begin(Choose(If(ServerIs("running"), [Fail("x"), *n("a")])), *n("after"))

    assert told(scene) == [(1.0, "failed: x")]


# ---------------------------------------------------------------- repetitions


def test_so_many_times_means_so_many() -> None:
    scene = begin(Repeat([Notify("a"), Wait(seconds=10)], times=3), *n("after"))

    assert told(scene.waits(60)) == [
        (1.0, "a"),
        (11.0, "a"),
        (21.0, "a"),
        (31.0, "after"),
        (31.0, "done"),
    ]


def test_until_is_looked_at_after_each_round() -> None:
    scene = begin(Repeat([Notify("a"), Wait(seconds=10)], until=ServerIs("offline")), *n("after"))
    scene.hears((15.0, status("stopping")), (16.0, status("offline"))).waits(60)

    assert told(scene) == [(1.0, "a"), (11.0, "a"), (21.0, "after"), (21.0, "done")]


def test_a_repetition_without_end_fails() -> None:
    scene = begin(Repeat(n("a"), until=ServerIs("offline"), at_most=3), *n("after"))

    assert told(scene) == [
        *[(1.0, "a")] * 3,
        (1.0, "failed: after 3 rounds still not: the server is offline"),
    ]


def test_repetitions_within_each_other_count_for_themselves() -> None:
    scene = begin(Repeat([Repeat(n("a"), times=2), *n("b")], times=2))

    assert [text for _, text in told(scene)] == ["a", "a", "b", "a", "a", "b", "done"]


def test_a_repetition_that_was_broken_off_begins_anew() -> None:
    """Its second round failed; the next time it has three again, not one."""
    inner = Repeat(
        [
            *n("a"),
            Choose(If(VariableIs("fails", "yes"), [SetVariable("fails", ""), Fail("x")])),
            Choose(If(VariableIs("fails", "soon"), [SetVariable("fails", "yes")])),
        ],
        times=3,
    )
    scene = begin(SetVariable("fails", "soon"), Repeat([Try(inner, go_on=True), *n("|")], times=2))

    assert " ".join(text for _, text in told(scene)) == "a a | a a a | done"


def test_a_repetition_that_is_tried_again_begins_anew() -> None:
    inner = Repeat([*n("a"), Choose(If(VariableIs("n", "2"), Fail("x")))], times=3)
    scene = begin(
        Try([Repeat([SetVariable("n", "1"), *n("-")], times=1), inner], retries=1),
    )
    assert " ".join(text for _, text in told(scene)) == "- a a a done"


def test_what_is_side_by_side_can_be_repeated_as_often_as_anything() -> None:
    """It goes on in a loop, not deeper and deeper."""
    scene = begin(Repeat(Parallel(Notify("a"), Notify("b")), times=400))

    assert len(scene.did) == 800
    assert scene.ended == [(1.0, "done")]


# ---------------------------------------------------------------- tries


def test_a_step_that_fails_is_tried_again_after_growing_pauses() -> None:
    pause = Backoff(first_seconds=10, factor=2, cap_seconds=15)
    scene = begin(Try([*n("a"), Fail("x")], retries=3, pause_seconds=pause)).waits(100)

    assert told(scene) == [(1.0, "a"), (11.0, "a"), (26.0, "a"), (41.0, "a"), (41.0, "failed: x")]
    assert [detail for _, detail in scene.traced("retry")] == [
        "1 of 3, in 10 s",
        "2 of 3, in 15 s",
        "3 of 3, in 15 s",
    ]


def test_what_goes_well_the_second_time_went_well() -> None:
    once = Choose(If(VariableIs("n", ""), [SetVariable("n", "1"), Fail("x")]))
    scene = begin(Try([once, *n("a")], retries=2), on_failure=n("f"), always=n("[{error}]"))

    assert told(scene) == [(1.0, "a"), (1.0, "[]"), (1.0, "done")]


def test_going_on_forgets_the_failure() -> None:
    scene = begin(Try([Fail("x"), *n("a")], go_on=True), *n("b"), on_failure=n("f"))

    assert told(scene) == [(1.0, "b"), (1.0, "done")]
    assert scene.traced("going on") == [(1.0, "x")]


def test_a_limit_is_for_all_of_it_pauses_included() -> None:
    trying = Try([Fail("x")], retries=9, pause_seconds=10, limit_seconds=25)
    scene = begin(trying).waits(100)

    assert told(scene) == [(26.0, "failed: it took longer than it may")]
    assert len(scene.traced("retry")) == 3


def test_nothing_is_begun_at_the_moment_the_limit_is_over() -> None:
    """The pause would last until 31.0: that its limit comes first is no reason to hurry."""
    trying = Try([*n("a"), Fail("x")], retries=9, pause_seconds=30, limit_seconds=20)

    assert told(begin(trying).waits(100)) == [
        (1.0, "a"),
        (21.0, "failed: it took longer than it may"),
    ]


def test_the_limit_of_an_outer_try_does_not_hurry_the_pause_of_an_inner_one() -> None:
    inner = Try([*n("a"), Fail("x")], retries=9, pause_seconds=30)
    outer = Try(Block(inner, always=[*n("z"), Wait(seconds=3)]), limit_seconds=20, go_on=True)

    assert told(begin(outer, *n("b")).waits(100)) == [
        (1.0, "a"),
        (21.0, "z"),
        (24.0, "b"),
        (24.0, "done"),
    ]


def test_a_limit_met_while_tidying_lets_it_come_to_its_end() -> None:
    block = Block(Wait(seconds=8), always=[*n("z"), Wait(seconds=10), *n("y")])
    scene = begin(Try([block, *n("never")], limit_seconds=12), *n("after")).waits(100)

    assert told(scene) == [
        (9.0, "z"),
        (19.0, "y"),
        (19.0, "failed: it took longer than it may"),
    ]


def test_a_limit_met_while_tidying_is_no_reason_to_ask_twice() -> None:
    """Whoever is woken by the limit of what it is in has no moment of its own."""
    recipe = Recipe("it", when=Asked(), then=Try(Block(n("a"), always=Start()), limit_seconds=5))
    scene = Scene(recipe).hears((0.0, status("offline"))).asks(1.0, "it").waits(10)

    assert scene.did == [(1.0, "notify a"), (1.0, "set state start")]


def test_a_limit_met_while_tidying_does_not_hurry_a_pause_there() -> None:
    tidy = Try([*n("z"), Fail("y")], retries=1, pause_seconds=20)
    scene = begin(Try(Block(n("a"), always=tidy), limit_seconds=5)).waits(100)

    assert told(scene) == [(1.0, "a"), (1.0, "z"), (21.0, "z"), (21.0, "failed: y")]


def test_a_retry_in_what_is_always_done_is_made_whatever_happened_before() -> None:
    tidy = Try([*n("z"), Fail("y")], retries=1)

    assert [
        [text for _, text in told(begin(Block(inside, always=tidy)))]
        for inside in ([Fail("x")], [NEEDLESS], n("a"))
    ] == [
        ["z", "z", "failed: x"],
        ["z", "z", "failed: y"],
        ["a", "z", "z", "failed: y"],
    ]


def test_a_retry_in_what_is_always_done_is_made_in_a_run_that_is_cut() -> None:
    tidy = Try([*n("z"), Fail("y")], retries=1, pause_seconds=5)
    scene = begin(Block(HOUR, always=[tidy, *n("!")]))
    scene.at(10.0, lambda machine: machine.cut_short(10.0)).waits(60)

    assert told(scene) == [
        (10.0, "z"),
        (15.0, "z"),
        (15.0, "!"),
        (15.0, "failed: automate was told to end"),
    ]


def test_what_is_needless_is_not_tried_again_and_not_gone_on_from() -> None:
    scene = begin(Try([*n("a"), NEEDLESS], retries=3, go_on=True), *n("b"), always=n("z"))

    assert told(scene) == [(1.0, "a"), (1.0, "z"), (1.0, "done: it is running")]


def test_a_try_that_went_well_does_not_hide_that_the_run_had_broken() -> None:
    tidy = Block(Try(n("z"), retries=1), always=n("y"))

    assert told(begin(Block(Fail("x"), always=tidy), *n("never"))) == [
        (1.0, "z"),
        (1.0, "y"),
        (1.0, "failed: x"),
    ]


# ---------------------------------------------------------------- needless


@pytest.mark.parametrize(
    ("recipe", "expected"),
    [
        ({"then": [NEEDLESS, *n("b")]}, ["done: it is running"]),
        ({"then": Block([NEEDLESS, *n("b")], always=n("z"))}, ["z", "done: it is running"]),
        ({"then": n("a"), "always": [NEEDLESS, *n("z")]}, ["a", "z", "done"]),
        (
            {"then": n("a"), "always": [Block([NEEDLESS, *n("y")], always=n("x")), *n("z")]},
            ["a", "y", "x", "z", "done"],
        ),
        (
            {"then": Fail("x"), "on_failure": [NEEDLESS, *n("f")], "always": n("z")},
            ["z", "failed: x"],
        ),
        (
            {
                "then": Fail("x"),
                "on_failure": [Block([NEEDLESS, *n("f")], always=n("y")), *n("g")],
                "always": n("z"),
            },
            ["y", "z", "failed: x"],
        ),
        (
            {"then": Fail("x"), "on_failure": [Try(NEEDLESS, retries=1), *n("g")]},
            ["failed: x"],
        ),
        (
            {"then": [Parallel([NEEDLESS, *n("a")], n("b")), *n("c")]},
            ["b", "c", "done"],
        ),
    ],
    ids=[
        "plain",
        "in a block",
        "in what is always done",
        "in a block in that",
        "after a failure",
        "in a block after a failure",
        "in a try after a failure",
        "in one of several things",
    ],
)
def test_where_there_is_nothing_left_to_do(recipe: dict[str, Any], expected: list[str]) -> None:
    """The run ends there, but what is always to be done is done."""
    scene = Scene(Recipe("it", when=Asked(), **recipe)).hears((0.0, status("running")))

    assert [text for _, text in told(scene.asks(1.0, "it"))] == expected


def test_what_only_time_makes_true_is_looked_at_when_the_pause_is_over() -> None:
    late = Wait(seconds=3600, unless=Between("12:30", "13:30"))

    assert told(begin(late, *n("a")).waits(4000)) == [(3601.0, "done: it is 13:00")]


def test_a_pause_looks_at_the_statistics_too() -> None:
    low = ReadingIs("cpu_percent", at_most=5)
    report = StatsReported(Stats(state="running", cpu_percent=2.0))
    scene = begin(Wait(seconds=3600, unless=low), *n("a")).hears((5.0, report))

    assert told(scene) == [(5.0, "done: it is 2")]


# ---------------------------------------------------------------- side by side


def test_it_is_over_when_all_are_over() -> None:
    scene = begin(Parallel([Wait(seconds=5), *n("a")], [Wait(seconds=3), *n("b")]), *n("c"))

    assert told(scene.waits(60)) == [(4.0, "b"), (6.0, "a"), (6.0, "c"), (6.0, "done")]


def test_one_that_fails_fails_all_once_the_others_are_over() -> None:
    scene = begin(Parallel([Fail("x"), *n("a")], [Wait(seconds=3), *n("b")]), on_failure=n("f"))

    assert told(scene.waits(60)) == [(4.0, "b"), (4.0, "f"), (4.0, "failed: x")]


def test_a_branch_does_what_it_always_does() -> None:
    branch = Block([Fail("x")], always=n("z"))

    assert told(begin(Parallel(branch, Notify("b")))) == [
        (1.0, "z"),
        (1.0, "b"),
        (1.0, "failed: x"),
    ]


def test_branches_that_are_cut_tidy_up_each_and_then_the_run_does() -> None:
    one = Block(HOUR, always=[Wait(seconds=5), *n("a")])
    other = [HOUR, *n("never")]
    scene = begin(Block(Parallel(one, other), always=n("z")))
    scene.at(10.0, lambda machine: machine.cut_short(10.0)).waits(60)

    assert told(scene) == [
        (15.0, "a"),
        (15.0, "z"),
        (15.0, "failed: automate was told to end"),
    ]


def test_what_is_side_by_side_in_what_is_always_done_is_not_cut() -> None:
    recipe = Recipe(
        "it",
        when=ConsoleLine("go"),
        then=n("a"),
        always=Parallel([Wait(seconds=5), *n("y")], [Wait(seconds=9), *n("z")]),
        mode="restart",
    )
    scene = Scene(recipe).hears((1.0, line("go")), (2.0, line("go"))).waits(60)

    assert told(scene) == [
        *((1.0, "a"), (6.0, "y"), (10.0, "z")),
        *((10.0, "a"), (15.0, "y"), (19.0, "z")),
        *((10.0, "done"), (19.0, "done")),
    ]


def test_a_pause_after_things_side_by_side_counts_from_the_last_of_them() -> None:
    scene = begin(Parallel(Wait(seconds=2), Wait(seconds=4)), Wait(seconds=1), *n("a"))

    assert told(scene.waits(60)) == [(6.0, "a"), (6.0, "done")]


def test_a_limit_over_things_side_by_side_ends_them() -> None:
    scene = begin(Try(Parallel(HOUR, Block(HOUR, always=n("z"))), limit_seconds=5, go_on=True))

    assert told(scene.waits(60)) == [(6.0, "z"), (6.0, "done")]


# ---------------------------------------------------------------- waiting for something


@pytest.mark.parametrize("otherwise", [[], n("late")], ids=["nothing", "something"])
def test_what_is_waited_for_in_vain_may_be_no_failure(otherwise: list[Step]) -> None:
    scene = begin(WaitUntil(ConsoleLine("x"), limit_seconds=9, otherwise=otherwise), *n("a"))

    assert told(scene.waits(60)) == [
        *[(10.0, "late")] * len(otherwise),
        (10.0, "a"),
        (10.0, "done"),
    ]


def test_what_came_is_no_reason_for_otherwise() -> None:
    scene = begin(WaitUntil(ConsoleLine("x"), limit_seconds=9, otherwise=n("late")), *n("a"))

    assert told(scene.hears((5.0, line("x"))).waits(60)) == [(5.0, "a"), (5.0, "done")]


def test_the_limit_around_it_is_not_its_own() -> None:
    waits = WaitUntil(ConsoleLine("x"), limit_seconds=9, otherwise=n("late"))
    scene = begin(Try(waits, limit_seconds=5))

    assert told(scene.waits(60)) == [(6.0, "failed: it took longer than it may")]


# ---------------------------------------------------------------- always, for the whole recipe


@pytest.mark.parametrize(
    ("then", "expected"),
    [
        (n("a"), ["a", "z", "done"]),
        ([Fail("x")], ["f", "z", "failed: x"]),
        ([NEEDLESS], ["z", "done: it is running"]),
    ],
    ids=["well", "failed", "needless"],
)
def test_a_recipe_does_at_its_end_what_it_always_does(
    then: list[Step], expected: list[str]
) -> None:
    scene = begin(*then, on_failure=n("f"), always=n("z"))

    assert [text for _, text in told(scene)] == expected


def test_an_end_of_automate_and_a_new_run_both_let_it_do_so() -> None:
    cut = begin(HOUR, on_failure=n("f"), always=n("z"))
    cut.at(10.0, lambda machine: machine.cut_short(10.0))
    replaced = begin(HOUR, on_failure=n("f"), always=n("z"), mode="restart").asks(10.0, "it")

    assert told(cut) == [
        *((10.0, "f"), (10.0, "z")),
        (10.0, "failed: automate was told to end"),
    ]
    # That another run takes its place is nothing to tell of.
    assert told(replaced) == [(10.0, "z"), (10.0, "failed: another run takes its place")]


# ---------------------------------------------------------------- other servers


class Many:
    """Three servers, and what they are told."""

    def __init__(self, *recipes: Recipe, linked: str = "abc") -> None:
        servers = {
            "a": ServerFacts(name="lobby-1", ids=("a",), tags=frozenset({"lobby"})),
            "b": ServerFacts(name="lobby-2", ids=("b",), tags=frozenset({"lobby"})),
            "c": ServerFacts(name="world", ids=("c",)),
        }
        self.machine = RecipeMachine(recipes, servers, origin=ORIGIN)
        self.outputs: list[Output] = []
        for server in linked:
            self.outputs += self.machine.linked(server, 0.0)
            self.outputs += self.machine.heard(server, status("running"), 0.0)

    def asks(self, server: str, recipe: str) -> "Many":
        self.outputs += self.machine.asked(server, recipe, 1.0)
        return self

    def waits(self, until: float) -> "Many":
        while (wake_at := self.machine.wake_at) is not None and wake_at <= until:
            self.outputs += self.machine.due(wake_at)
        return self

    @property
    def said(self) -> list[tuple[str, str]]:
        return [
            (one.server, one.message.command)
            for one in self.outputs
            if isinstance(one, Send) and isinstance(one.message, SendCommand)
        ]

    @property
    def ended(self) -> list[tuple[str, str, str]]:
        return [
            (one.server, one.what, one.detail)
            for one in self.outputs
            if isinstance(one, Traced) and one.what in ("done", "failed")
        ]


@pytest.mark.parametrize(
    ("servers", "meant"),
    [
        ("world", "c"),
        ("lobby-*", "ab"),
        (Tagged("lobby"), "ab"),
        (["b", "WORLD"], "bc"),
        ("*", "abc"),
    ],
    ids=str,
)
def test_steps_on_other_servers_go_to_those_that_are_meant(servers: Any, meant: str) -> None:
    recipe = Recipe(
        "it",
        when=Asked(),
        servers="world",
        then=[On(servers, Command("{server} {server_id}")), Command("{server}")],
    )
    names = {"a": "lobby-1", "b": "lobby-2", "c": "world"}
    many = Many(recipe).asks("c", "it")

    assert many.said == [*((one, f"{names[one]} {one}") for one in meant), ("c", "world")]
    assert many.ended == [("c", "done", "")]


def test_if_no_server_is_meant_it_fails() -> None:
    recipe = Recipe("it", when=Asked(), then=On("nether-*", Command("x")))

    assert Many(recipe).asks("c", "it").ended == [
        ("c", "failed", "no server here is meant by nether-*")
    ]


def test_one_server_that_fails_does_not_keep_the_others_from_it() -> None:
    """And what is done at which server is seen there: that one is not connected."""
    recipe = Recipe("it", when=Asked(), then=On("lobby-*", Command("x")), always=Command("z"))
    many = Many(recipe, linked="bc").asks("c", "it").waits(100)

    assert many.said == [("b", "x"), ("c", "z")]
    assert many.ended == [("c", "failed", "there was no connection to the server for 30 s")]


def test_a_server_that_is_connected_again_is_told_by_whoever_waits_for_it() -> None:
    recipe = Recipe("it", when=Asked(), then=On("lobby-*", Command("x")))
    many = Many(recipe, linked="bc").asks("c", "it").waits(20)
    many.outputs += many.machine.linked("a", 20.0)

    assert many.said == [("b", "x"), ("a", "x")]
    assert many.ended == [("c", "done", "")]

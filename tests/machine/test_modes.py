"""What becomes of a trigger: modes, limits, recipes that run each other or follow one another."""

import json
from typing import Any

import pytest
from attrs import evolve

from automate.machine.firing import Go, HeldBack, ask_limits
from automate.machine.state import RecipeBook
from automate.recipe.conditions import NotRunFor, ServerIs
from automate.recipe.flow import Choose, If, Step
from automate.recipe.limits import AtMost, Cooldown
from automate.recipe.recipe import Recipe
from automate.recipe.steps import Fail, Notify, RunRecipe, Wait
from automate.recipe.triggers import Asked, ConsoleLine, RecipeEnded
from tests.machine.scenes import Scene, line, status

GO = ConsoleLine("^go (?P<n>.*)$")


def recipe(mode: Any = "single", then: list[Step] | None = None, **more: Any) -> Recipe:
    steps = then or [Notify("{n}"), Wait(seconds=10), Notify("{n}!")]
    return Recipe("it", when=GO, then=steps, mode=mode, **more)


def play(one: Recipe, *moments: float, until: float = 1000.0) -> list[str]:
    """Return what was told after triggers at these moments, called a, b, …"""
    scene = Scene(one)
    for at, name in zip(moments, "abcdefgh", strict=False):
        scene.hears((at, line(f"go {name}")))
    return told(scene.waits(until))


def told(scene: Scene) -> list[str]:
    return [f"{at:g} {words.removeprefix('notify ')}" for at, words in scene.did]


def held(scene: Scene) -> list[str]:
    return [detail for _, detail in scene.traced("held back")]


# ---------------------------------------------------------------- modes


@pytest.mark.parametrize(
    ("mode", "expected"),
    [
        ("single", ["1 a", "11 a!"]),
        ("restart", ["1 a", "5 b", "8 c", "18 c!"]),
        ("queued", ["1 a", "11 a!", "11 b", "21 b!", "21 c", "31 c!"]),
        ("parallel", ["1 a", "5 b", "8 c", "11 a!", "15 b!", "18 c!"]),
    ],
)
def test_a_mode_says_what_becomes_of_a_trigger_while_it_runs(
    mode: str, expected: list[str]
) -> None:
    assert play(recipe(mode), 1, 5, 8) == expected


@pytest.mark.parametrize(
    ("mode", "excess", "expected"),
    [
        # At most two run or wait; of more the newest is dropped, or the oldest that waits.
        ("queued", "newest", ["1 a", "11 a!", "11 b", "21 b!"]),
        ("queued", "oldest", ["1 a", "11 a!", "11 d", "21 d!"]),
        ("parallel", "newest", ["1 a", "2 b", "11 a!", "12 b!"]),
        ("parallel", "oldest", ["1 a", "2 b", "3 c", "4 d", "13 c!", "14 d!"]),
    ],
)
def test_so_many_at_once_and_what_is_too_much(mode: str, excess: str, expected: list[str]) -> None:
    assert play(recipe(mode, at_once=2, excess=excess), 1, 2, 3, 4) == expected


def test_the_trace_says_why_a_trigger_set_off_nothing() -> None:
    scenes = [
        Scene(recipe(mode, at_once=1)).hears((1.0, line("go a")), (2.0, line("go b")))
        for mode in ("single", "queued", "parallel")
    ]

    assert [held(scene) for scene in scenes] == [
        ["it is still running"],
        ["0 runs wait their turn already"],
        ["it is running 1 times already"],
    ]


def test_who_takes_a_place_waits_until_all_is_put_right_and_only_the_last_one_comes() -> None:
    one = recipe("restart", [Notify("{n}"), Wait(seconds=60)], always=[Wait(seconds=5)])

    assert play(one, 1, 2, 3, 4) == ["1 a", "7 d"]


def test_those_that_replace_the_oldest_replace_each_another_one() -> None:
    """The first is still putting things right when the third place is wanted."""
    one = recipe(
        "parallel",
        [Notify("{n}"), Wait(seconds=60), Notify("{n}!")],
        always=[Wait(seconds=5), Notify("{n}.")],
        at_once=2,
        excess="oldest",
    )

    assert play(one, 1, 2, 3, 4) == [
        *("1 a", "2 b", "8 a.", "8 c", "9 b.", "9 d"),
        *("68 c!", "69 d!", "73 c.", "74 d."),
    ]


def test_more_than_can_ever_run_do_not_pile_up() -> None:
    one = recipe("parallel", always=[Wait(seconds=500)], at_once=2, excess="oldest")
    scene = Scene(one)
    for at in range(1, 30):
        scene.hears((float(at), line(f"go {at}")))

    assert len(scene.machine.state.servers["s"].recipes["it"].queue) == 2
    assert told(scene.waits(510))[-2:] == ["503 28", "504 29"]


def test_what_waits_its_turn_survives_being_written_down_and_runs_once() -> None:
    scene = Scene(recipe("queued"), forgets=True)
    scene.hears((1.0, line("go a")), (2.0, line("go b"))).waits(60)

    assert told(scene) == ["1 a", "11 a!", "11 b", "21 b!"]


def test_when_its_turn_has_come_that_is_written_down() -> None:
    scene = Scene(recipe("queued")).hears((1.0, line("go a")), (2.0, line("go b")))
    kept = scene.machine.changes()
    scene.waits(11.0)
    kept |= scene.machine.changes()

    assert kept["server:s"]["recipes"]["it"]["queue"] == []


QUEUED = Recipe("it", when=[Asked(), GO], then=[Wait(seconds=10), Notify("it")], mode="queued")
CALLER = Recipe("caller", when=Asked(), then=[RunRecipe("it"), Notify("after it")])


@pytest.mark.parametrize("forgets", [False, True])
def test_whoever_runs_a_recipe_that_waits_its_turn_waits_for_it(forgets: bool) -> None:
    scene = Scene(QUEUED, CALLER, forgets=forgets).asks(1.0, "it").asks(2.0, "caller").waits(60)

    assert told(scene) == ["11 it", "21 it", "21 after it"]
    assert [at for at, _ in scene.traced("done")] == [11.0, 21.0, 21.0]


def test_what_waits_its_turn_and_is_over_at_once_is_over() -> None:
    quick = Recipe("it", when=[Asked(), GO], then=Choose(If(ServerIs("running"), Wait(seconds=9))))
    scene = Scene(evolve(quick, mode="queued"), CALLER).hears((0.0, status("running")))
    scene.asks(1.0, "it").asks(2.0, "caller").hears((5.0, status("offline"))).waits(60)

    assert told(scene) == ["10 after it"]


def test_what_makes_room_for_another_one_fails_whoever_waits_for_it() -> None:
    recipe = evolve(QUEUED, at_once=2, excess="oldest")
    scene = Scene(recipe, CALLER).asks(1.0, "it").asks(2.0, "caller").hears((3.0, line("go x")))

    assert scene.waits(60).traced("failed") == [
        (3.0, "'it' failed: it did not run: another one waits in its place")
    ]


def test_a_turn_is_waited_for_as_long_as_the_step_says() -> None:
    caller = evolve(CALLER, then=RunRecipe("it", limit_seconds=5))
    scene = Scene(QUEUED, caller).asks(1.0, "it").asks(2.0, "caller").waits(60)

    assert scene.traced("failed") == [(7.0, "'it' was not over after 5 s")]
    assert told(scene) == ["11 it", "21 it"]


def test_whoever_waits_for_a_turn_that_is_lost_fails() -> None:
    scene = Scene(QUEUED, CALLER).asks(1.0, "it").asks(2.0, "caller")
    saved = json.loads(json.dumps(scene.machine.save()))
    saved["server:s"]["recipes"]["it"]["queue"] = []

    after = Scene(QUEUED, CALLER)
    assert after.machine.restore(saved) == []
    after.at(3.0, lambda machine: machine.resume(3.0))

    assert after.traced("failed") == [(3.0, "what it waited for is no longer here")]


# ---------------------------------------------------------------- limits


def ask(one: Recipe, book: RecipeBook, moment: float, **values: str) -> str:
    match ask_limits(one, book, moment, values):
        case Go(escalation=None):
            return "go"
        case Go(escalation=place):
            return f"escalation {place}"
        case HeldBack(reason=reason):
            return reason


def test_a_limit_counts_what_lies_within_and_escalates_once() -> None:
    one = recipe(limit=AtMost(2, within_seconds=100, otherwise=Notify("enough")))
    book = RecipeBook()

    assert [ask(one, book, moment) for moment in (0, 10, 20, 30, 100, 105, 110, 111)] == [
        *("go", "go", "escalation 0", "at most 2 times within 100 s"),
        # The first of the two is a hundred seconds old, and no longer within.
        *("go", "escalation 0", "go", "escalation 0"),
    ]


def test_a_cool_down_lets_nothing_run_for_so_long() -> None:
    one, book = recipe(limit=Cooldown(60)), RecipeBook()

    assert [ask(one, book, moment) for moment in (0, 59.9, 60, 61)] == [
        *("go", "not again for 60 s", "go", "not again for 60 s"),
    ]


@pytest.mark.parametrize(
    "limit", [Cooldown(60, per="n"), AtMost(1, within_seconds=60, per="n")], ids=str
)
def test_each_value_is_counted_for_itself(limit: Any) -> None:
    one, book = recipe(limit=limit), RecipeBook()

    asked = [(0, "Ada"), (1, "Bob"), (2, "Ada"), (61, "Ada")]
    assert [ask(one, book, moment, n=name) == "go" for moment, name in asked] == [
        *(True, True, False, True)
    ]
    assert "(Ada)" in ask(one, book, 62.0, n="Ada")


def test_an_escalation_is_for_each_value_too() -> None:
    limit = AtMost(1, within_seconds=60, per="n", otherwise=Notify("enough of {n}"))

    assert play(recipe("parallel", limit=limit), 1, 2, until=5) == ["1 a", "2 b"]
    scene = Scene(recipe("parallel", [Notify("{n}")], limit=limit))
    scene.hears(*[(at, line(f"go {name}")) for at, name in [(1.0, "a"), (2.0, "b"), (3.0, "a")]])
    assert told(scene) == ["1 a", "2 b", "3 enough of a"]


@pytest.mark.parametrize("turned", [False, True])
def test_what_a_cool_down_holds_back_anyway_is_no_reason_to_give_up(turned: bool) -> None:
    limits = [Cooldown(10), AtMost(2, within_seconds=100, otherwise=Notify("enough"))]
    one, book = recipe(limit=limits[::-1] if turned else limits), RecipeBook()

    assert [ask(one, book, moment) for moment in (0, 20, 25, 40, 41)] == [
        *("go", "go", "not again for 10 s"),
        "escalation 0" if turned else "escalation 1",
        "at most 2 times within 100 s",
    ]


def test_what_one_limit_holds_back_is_not_counted_by_another() -> None:
    one = recipe(limit=[AtMost(3, within_seconds=1000), AtMost(1, within_seconds=10)])
    book = RecipeBook()

    asked = [ask(one, book, moment) for moment in (0, 1, 2, 10, 20, 30)]
    assert [answer == "go" for answer in asked] == [True, False, False, True, True, False]


def test_what_is_counted_by_value_does_not_grow_for_ever() -> None:
    one, book = recipe(limit=Cooldown(60, per="n")), RecipeBook()
    for moment in range(1000):
        ask(one, book, float(moment), n=f"player{moment}")

    assert len(book.limits[0].triggered) <= 61


def test_ten_thousand_values_at_most_and_the_oldest_is_forgotten() -> None:
    one, book = recipe(limit=Cooldown(60, per="n")), RecipeBook()
    for number in range(10_001):
        ask(one, book, 1.0, n=f"player{number}")

    assert [ask(one, book, 2.0, n=name) == "go" for name in ("player1", "player0")] == [
        *(False, True)
    ]


# ---------------------------------------------------------------- one recipe runs another


def two(other: Recipe, *more: Recipe) -> Scene:
    one = Recipe("one", when=Asked(), then=[RunRecipe(other.name), Notify("after")])
    return Scene(one, other, *more).hears((0.0, status("running"))).asks(1.0, "one")


def other(*steps: Step, **more: Any) -> Recipe:
    return Recipe("other", when=Asked(), then=list(steps), **more)


def failed(scene: Scene) -> list[str]:
    return [detail for _, detail in scene.traced("failed")]


def test_a_recipe_waits_for_another_that_it_runs() -> None:
    scene = two(other(Wait(seconds=10), Notify("other"))).waits(60)

    assert told(scene) == ["11 other", "11 after"]
    assert [detail for _, detail in scene.traced("triggered")] == ["asked for", "run by 'one'"]


def test_one_that_is_over_at_once_is_over() -> None:
    assert told(two(other(Notify("other")))) == ["1 other", "1 after"]


@pytest.mark.parametrize("steps", [[Fail("x")], [Wait(seconds=5), Fail("x")]], ids=["now", "later"])
def test_if_the_other_fails_the_step_does(steps: list[Step]) -> None:
    scene = two(other(*steps)).waits(60)

    assert failed(scene)[-1:] == ["'other' failed: x"]


def test_if_the_other_is_held_back_the_step_fails_and_says_why() -> None:
    scene = two(other(Notify("x"), only_if=ServerIs("offline")))

    assert failed(scene) == ["'other' failed: held back: the server is offline: no, it is running"]


def test_if_there_is_no_other_it_says_which_there_are() -> None:
    one = Recipe("one", when=Asked(), then=RunRecipe("otter"))
    scene = Scene(one, other(Notify("x"))).asks(1.0, "one")

    assert failed(scene) == [
        "'otter' failed: no recipe is called 'otter' for this server; there are: one, other"
    ]


def test_one_that_takes_too_long_is_not_waited_for() -> None:
    one = Recipe("one", when=Asked(), then=RunRecipe("other", limit_seconds=5))
    scene = Scene(one, other(Wait(seconds=10), Notify("x"))).asks(1.0, "one").waits(60)

    assert (failed(scene), told(scene)) == (["'other' was not over after 5 s"], ["11 x"])


@pytest.mark.parametrize("mode", ["single", "restart", "queued", "parallel"])
@pytest.mark.parametrize("pause", [0, 5], ids=["at once", "later"])
def test_recipes_that_run_each_other_in_a_circle_fail(mode: Any, pause: float) -> None:
    def runs(name: str, other_name: str) -> Recipe:
        steps = [*([Wait(seconds=pause)] if pause else []), RunRecipe(other_name)]
        return Recipe(name, when=Asked(), then=steps, mode=mode)

    circle = [runs("a", "b"), runs("b", "c"), runs("c", "a")]
    scene = Scene(*circle).asks(1.0, "a").waits(60)

    assert failed(scene)[-1] == (
        "'b' failed: 'c' failed: 'a' failed: 'a' waits for this run: recipes would run each "
        "other in a circle"
    )
    assert scene.machine.busy == []


# ---------------------------------------------------------------- one recipe after another


def test_a_recipe_can_follow_another_by_how_it_ended() -> None:
    watch = [
        Recipe(f"after {how}", when=RecipeEnded("other", outcome=how), then=Notify(f"{how}"))
        for how in ("done", "failed")
    ]
    well = Scene(other(Notify("x")), *watch).asks(1.0, "other")
    badly = Scene(other(Fail("x")), *watch).asks(1.0, "other")

    assert told(well) + told(badly) == ["1 x", "1 done", "1 failed"]


def test_recipes_that_follow_each_other_in_a_circle_are_stopped_and_it_is_said() -> None:
    circle = [
        Recipe("a", when=RecipeEnded("b"), then=Notify("a")),
        Recipe("b", when=RecipeEnded("a"), then=Notify("b")),
    ]
    scene = Scene(*circle).asks(1.0, "a")

    assert 50 <= len(scene.did) <= 200
    assert held(scene) == ["recipes set each other off in a circle; stopped here"]
    assert scene.machine.wake_at is None


# ---------------------------------------------------------------- since the last run


def test_not_again_for_a_while_is_since_the_last_run_began() -> None:
    one = recipe(then=[Notify("{n}")], only_if=NotRunFor(10))

    assert play(one, 1, 5, 11, 12) == ["1 a", "11 c"]


def test_it_may_be_about_another_recipe() -> None:
    one = recipe(then=[Notify("{n}")], only_if=NotRunFor(10, recipe="other"))
    scene = Scene(one, other(Notify("x"))).hears((1.0, line("go a"))).asks(2.0, "other")
    scene.hears((5.0, line("go b")), (12.0, line("go c")))

    assert told(scene) == ["1 a", "2 x", "12 c"]


def test_when_it_last_ran_is_not_forgotten() -> None:
    scene = Scene(recipe(then=[Notify("{n}")], only_if=NotRunFor(10)), forgets=True)
    scene.hears((1.0, line("go a")), (5.0, line("go b")), (11.0, line("go c")))

    assert told(scene) == ["1 a", "11 c"]
    assert json.dumps(scene.machine.save())

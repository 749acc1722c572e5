"""Blocks and failures: what is done, and in which order, whatever goes wrong where.

Each step here is a notice, or fails; the machine is asked to run the recipe at once.
"""

from collections.abc import Iterable, Iterator
from contextlib import suppress
from typing import Any

import pytest
from attrs import define, field, frozen
from hypothesis import given, settings
from hypothesis import strategies as st

from automate.machine.program import compile_recipe
from automate.recipe.conditions import ServerIs
from automate.recipe.flow import Block, Choose, If, Parallel, Repeat, Step, Try
from automate.recipe.limits import AtMost
from automate.recipe.recipe import Recipe
from automate.recipe.steps import Fail, Notify, Wait
from automate.recipe.triggers import Asked
from tests.machine.scenes import Scene, status

# There is nothing left to do, for the server runs.
NEEDLESS = Wait(seconds=5, unless=ServerIs("running"))


def done(then: Any, on_failure: Any = ()) -> list[str]:
    """Return the notices, and how the run ended."""
    recipe = Recipe("it", when=Asked(), then=then, on_failure=on_failure)
    scene = Scene(recipe).hears((0.0, status("running"))).asks(1.0, "it")
    return [words.removeprefix("notify ") for _, words in scene.did + scene.ended]


def a(*texts: str) -> list[Step]:
    return [Fail(text[1:]) if text.startswith("!") else Notify(text) for text in texts]


@pytest.mark.parametrize(
    ("then", "on_failure", "expected"),
    [
        (a("1", "2"), a("f"), ["1", "2", "done"]),
        (a("1", "!x", "2"), a("f{error}"), ["1", "fx", "failed: x"]),
        (a("!x"), a("!y", "f{error}"), ["fx", "failed: x"]),
        ([NEEDLESS, *a("1")], a("f"), ["done: it is running"]),
    ],
    ids=["well", "failed", "failing in on_failure", "needless"],
)
def test_without_blocks(then: Any, on_failure: Any, expected: list[str]) -> None:
    assert done(then, on_failure) == expected


@pytest.mark.parametrize(
    ("inside", "always", "expected"),
    [
        (a("1"), a("z"), ["1", "z", "after", "done"]),
        (a("!x", "1"), a("z"), ["z", "f", "failed: x"]),
        ([NEEDLESS, *a("1")], a("z"), ["z", "done: it is running"]),
        (a("1"), a("!y", "z"), ["1", "z", "f", "failed: y"]),
        (a("!x"), a("!y", "z"), ["z", "f", "failed: x"]),
        ([NEEDLESS], a("!y", "z"), ["z", "f", "failed: y"]),
        ([], a("z"), ["z", "after", "done"]),
        (a("1"), [], ["1", "after", "done"]),
        (a("!x"), [], ["f", "failed: x"]),
    ],
    ids=[
        "well",
        "failed inside",
        "needless inside",
        "failed in always",
        "failed in both",
        "needless, then failed in always",
        "empty",
        "nothing always",
        "failed, nothing always",
    ],
)
def test_always_is_done_after_a_block_whatever_happens_in_it(
    inside: list[Step], always: list[Step], expected: list[str]
) -> None:
    assert done([Block(inside, always=always), *a("after")], a("f")) == expected


def test_a_failure_goes_out_through_every_block_around_it() -> None:
    inner = Block(a("1", "!x", "2"), always=a("inner"))
    outer = Block([*a("0"), inner, *a("3")], always=a("outer"))

    assert done([outer, *a("4")], a("f")) == ["0", "1", "inner", "outer", "f", "failed: x"]


def test_a_block_within_always_does_not_keep_the_rest_of_it_from_being_done() -> None:
    tidy = [Block(a("!y", "1"), always=a("inner")), *a("z")]

    assert done([Block(a("!x"), always=tidy), *a("2")], a("f")) == ["inner", "z", "f", "failed: x"]


def test_a_block_in_on_failure_is_gone_through_although_the_run_has_failed() -> None:
    """That something failed before is no reason to leave a block in which nothing does."""
    inner = Block(a("1"), always=a("inner"))
    outer = Block([inner, *a("2")], always=a("outer"))

    assert done(a("!x"), [outer, *a("3")]) == ["1", "inner", "2", "outer", "3", "failed: x"]


def test_a_block_that_breaks_in_on_failure_ends_only_itself() -> None:
    inner = Block(a("!y", "1"), always=a("inner"))
    outer = Block([inner, *a("2")], always=a("outer"))

    assert done(a("!x"), [outer, *a("3")]) == ["inner", "outer", "3", "failed: x"]


def test_a_recipe_without_a_limit_escalates_to_nothing() -> None:
    recipe = Recipe("it", when=Asked(), then=Notify("1"))

    assert compile_recipe(recipe).escalations == {}


# ---------------------------------------------------------------- always


@frozen
class Broke(Exception):
    """A step of the model failed."""


@frozen
class Ended(Exception):
    """A step of the model left nothing to do."""


@define
class Model:
    """Does steps as Python itself would: a block is a ``try`` with its ``finally``.

    *tidies*: it is in what is done always, where no pause is a reason to leave.
    """

    said: list[str] = field(factory=list)
    tidies: bool = False

    def play(self, steps: Iterable[Step], *, presses_on: bool = False) -> bool:
        """Do *steps*; return whether something broke in them and the run pressed on."""
        broke = False
        for step in steps:
            try:
                broke |= self.do(step, presses_on=presses_on)
            except Broke:
                if not presses_on:
                    raise
                broke = True
        return broke

    def do(self, step: Step, *, presses_on: bool) -> bool:
        match step:
            case Notify(text=text):
                self.said.append(text)
            case Fail():
                raise Broke
            case Wait():
                if not self.tidies:
                    raise Ended
            case Block(steps=inside, always=always):
                self.do_block(inside, always)
            case Try(steps=inside, retries=retries, go_on=goes_on):
                self.do_try(inside, retries, goes_on=goes_on)
            case Repeat(steps=inside, times=int(times)):
                rounds = [self.play(inside, presses_on=presses_on) for _ in range(times)]
                return any(rounds)
            case Choose(ways=(way,), otherwise=otherwise):
                is_up = way.condition == ServerIs("running")
                return self.play(way.steps if is_up else otherwise, presses_on=presses_on)
            case Parallel(branches=branches):
                self.do_branches(branches)
            case _:
                raise AssertionError(step)
        return False

    def do_block(self, inside: Iterable[Step], always: Iterable[Step]) -> None:
        broke: Exception | None = None
        try:
            self.play(inside)
        except (Broke, Ended) as error:
            broke = error
        if self.tidy(always):
            raise Broke
        if broke is not None:
            raise broke

    def tidy(self, always: Iterable[Step]) -> bool:
        before, self.tidies = self.tidies, True
        broke = self.play(always, presses_on=True)
        self.tidies = before
        return broke

    def do_try(self, inside: Iterable[Step], retries: int, *, goes_on: bool) -> None:
        for number in range(retries + 1):
            try:
                self.play(inside)
            except Broke:
                if number == retries and not goes_on:
                    raise
            else:
                return

    def do_branches(self, branches: Iterable[Iterable[Step]]) -> None:
        broke = False
        for branch in branches:
            try:
                self.play(branch)
            except Ended:
                pass
            except Broke:
                broke = True
        if broke:
            raise Broke


def numbered(steps: list[Any], count: Iterator[int]) -> list[Step]:
    """Return steps with a number each, so that their order can be read."""
    return [_numbered(step, count) for step in steps]


def _numbered(step: Any, count: Iterator[int]) -> Step:
    match step:
        case "notice":
            return Notify(str(next(count)))
        case "failure":
            return Fail("x")
        case "needless":
            return NEEDLESS
        case ("block", one, other):
            inner = numbered(one, count)
            return Block(inner, always=numbered(other, count))
        case ("try", one, (retries, goes_on)):
            return Try(numbered(one, count), retries=retries, go_on=goes_on or not retries)
        case ("repeat", one, times):
            return Repeat(numbered(one, count), times=times)
        case ("choose", (one, other), is_up):
            condition = ServerIs("running" if is_up else "offline")
            inner = numbered(one, count)
            return Choose(If(condition, inner), otherwise=numbered(other, count))
        case ("parallel", one, other):
            inner = numbered(one, count)
            return Parallel(inner, numbered(other, count))
        case _:
            raise AssertionError(step)


def _several(inner: Any) -> Any:
    some = st.lists(inner, min_size=1, max_size=3)
    any_number = st.lists(inner, max_size=3)
    return st.one_of(
        inner,
        st.tuples(st.just("block"), any_number, any_number),
        st.tuples(st.just("try"), some, st.tuples(st.integers(0, 2), st.booleans())),
        st.tuples(st.just("repeat"), some, st.integers(1, 3)),
        st.tuples(st.just("choose"), st.tuples(any_number, any_number), st.booleans()),
        st.tuples(st.just("parallel"), some, some),
    )


LEAVES = st.sampled_from(["notice", "notice", "failure", "needless"])
TREES = st.lists(st.recursive(LEAVES, _several, max_leaves=8), max_size=4)


@settings(max_examples=400)
@given(TREES.filter(bool), TREES, TREES)
def test_steps_are_done_as_python_would_by_try_and_finally(
    then: list[Any], on_failure: list[Any], always: list[Any]
) -> None:
    count = iter(range(1000))
    recipe = Recipe(
        "it",
        when=Asked(),
        then=numbered(then, count),
        on_failure=numbered(on_failure, count),
        always=numbered(always, count),
    )
    model, end = Model(), "done"
    try:
        model.play(recipe.then)
    except Ended:
        end = "done: it is running"
    except Broke:
        end = "failed: x"
        with suppress(Ended):
            model.play(recipe.on_failure, presses_on=True)
    if model.tidy(recipe.always):
        end = "failed: x"

    scene = Scene(recipe).hears((0.0, status("running"))).asks(1.0, "it")
    said = [words.removeprefix("notify ") for _, words in scene.did + scene.ended]
    assert said == [*model.said, end]


@given(TREES.filter(bool), TREES)
def test_a_program_only_leads_onwards(then: list[Any], on_failure: list[Any]) -> None:
    """So every run comes to an end, and where a block broke is told by one number."""
    count = iter(range(100))
    recipe = Recipe(
        "it",
        when=Asked(),
        then=numbered(then, count),
        on_failure=numbered(on_failure, count),
        limit=AtMost(1, within_seconds=1, otherwise=numbered(then, count)),
    )

    code = compile_recipe(recipe).code
    leads = [
        (place, one.on_failure)
        for place, one in enumerate(code)
        if not getattr(one, "presses_on", False) and hasattr(one, "on_failure")
    ]
    assert all(place < target < len(code) for place, target in leads)

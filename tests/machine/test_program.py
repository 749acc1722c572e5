"""Blocks and failures: what is done, and in which order, whatever goes wrong where.

Each step here is a notice, or fails; the machine is asked to run the recipe at once.
"""

from collections.abc import Iterator
from typing import Any

import pytest
from attrs import frozen
from hypothesis import given
from hypothesis import strategies as st

from automate.machine.program import compile_recipe
from automate.recipe.conditions import ServerIs
from automate.recipe.flow import Block, Step
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


def model(steps: tuple[Step, ...], said: list[str], *, presses_on: bool) -> None:
    """Do *steps* as Python itself would: a block is a ``try`` with its ``finally``."""
    for step in steps:
        try:
            match step:
                case Notify(text=text):
                    said.append(text)
                case Fail():
                    raise Broke
                case Block(steps=inside, always=always):
                    model_block(inside, always, said)
        except Broke:
            if not presses_on:
                raise


def model_block(inside: tuple[Step, ...], always: tuple[Step, ...], said: list[str]) -> None:
    broke = False
    try:
        model(inside, said, presses_on=False)
    except Broke:
        broke = True
    for step in always:
        try:
            model((step,), said, presses_on=False)
        except Broke:
            broke = True
    if broke:
        raise Broke


def numbered(steps: list[Any], count: Iterator[int]) -> list[Step]:
    """Return steps with a number each, so that their order can be read."""
    found: list[Step] = []
    for step in steps:
        match step:
            case (inside, always):
                inner = numbered(inside, count)
                found.append(Block(inner, always=numbered(always, count)))
            case True:
                found.append(Notify(str(next(count))))
            case _:
                found.append(Fail("x"))
    return found


TREES = st.recursive(
    st.lists(st.booleans(), max_size=3),
    lambda inner: st.lists(st.booleans() | st.tuples(inner, inner), max_size=3),
    max_leaves=8,
)


@given(TREES.filter(bool), TREES)
def test_blocks_are_pythons_own_try_and_finally(then: list[Any], on_failure: list[Any]) -> None:
    count = iter(range(100))
    steps, failing = numbered(then, count), numbered(on_failure, count)
    said: list[str] = []
    try:
        model(tuple(steps), said, presses_on=False)
        expected = [*said, "done"]
    except Broke:
        model(tuple(failing), said, presses_on=True)
        expected = [*said, "failed: x"]

    assert done(steps, failing) == expected


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

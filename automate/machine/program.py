"""A recipe's steps as a flat program, so that where a run stands is one number.

A position can be written down and taken up again after a restart; a place in nested lists, or
a suspended coroutine, can't.
"""

from collections.abc import Iterable

from attrs import define, frozen

from automate.recipe.recipe import Recipe
from automate.recipe.steps import Block, Step

__all__ = ["Do", "End", "Instruction", "Program", "Rethrow", "compile_escalation", "compile_recipe"]


@frozen
class Do:
    """Do *step*; if it fails go to *on_failure*, or just on where the run *presses on*."""

    step: Step
    on_failure: int
    presses_on: bool


@frozen
class Rethrow:
    """The end of a block that began at *since*: if it broke there, go to *on_failure*.

    A step breaks the run by failing, or by leaving nothing to do. Blocks lie within each other
    and are gone through in order, so where the last break was tells which of them it was in.
    """

    since: int
    on_failure: int


@frozen
class End:
    """The end of the run, or, if *only_if_fine*, only of one in which nothing failed."""

    only_if_fine: bool = False


Instruction = Do | Rethrow | End
Program = tuple[Instruction, ...]


@define
class _Label:
    """A place in the program that is not known yet."""

    at: int = -1


# A line of a program whose places are not all known yet: a `Do`, a `Rethrow`, or an `End`.
_Line = tuple[Step, _Label, bool] | tuple[int, _Label] | End


def compile_recipe(recipe: Recipe) -> Program:
    """Return the program of what *recipe* does when it is triggered."""
    failing = _Label()
    code: list[_Line] = []
    _emit(code, recipe.then, failing, presses_on=False)
    failing.at = len(code)
    code.append(End(only_if_fine=True))
    _emit(code, recipe.on_failure, failing, presses_on=True)
    code.append(End())
    return _resolved(code)


def compile_escalation(recipe: Recipe) -> Program:
    """Return the program of what *recipe* does when its limit is reached."""
    code: list[_Line] = []
    if recipe.limit:
        _emit(code, recipe.limit.otherwise, _Label(), presses_on=True)
    code.append(End())
    return _resolved(code)


def _emit(code: list[_Line], steps: Iterable[Step], failing: _Label, *, presses_on: bool) -> None:
    for step in steps:
        if isinstance(step, Block):
            always = _Label()
            since = len(code)
            _emit(code, step.steps, always, presses_on=False)
            always.at = len(code)
            _emit(code, step.always, failing, presses_on=True)
            # Among steps that press on, an earlier failure must not end the rest here.
            if not presses_on:
                code.append((since, failing))
        else:
            code.append((step, failing, presses_on))


def _resolved(code: list[_Line]) -> Program:
    program: list[Instruction] = []
    for line in code:
        match line:
            case End():
                program.append(line)
            case (since, label):
                program.append(Rethrow(since, label.at))
            case (step, label, presses_on):
                program.append(Do(step, label.at, presses_on))
    return tuple(program)

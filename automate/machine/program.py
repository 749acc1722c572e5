"""A recipe's steps as a flat program, so that where a run stands is one number.

A position can be written down and taken up again after a restart; a place in nested lists, or
a suspended coroutine, can't.
"""

from collections.abc import Iterable, Iterator
from string import Formatter
from typing import Any

from attrs import define, evolve, field, frozen

from automate.recipe.conditions import Condition
from automate.recipe.flow import Block, Choose, On, Parallel, Repeat, Step, Try, WaitUntil
from automate.recipe.limits import AtMost
from automate.recipe.recipe import Recipe
from automate.recipe.steps import Announce, Countdown, SingleStep, Wait

__all__ = [
    "Again",
    "Branch",
    "Do",
    "End",
    "Fork",
    "IfFailed",
    "Instruction",
    "Jump",
    "Program",
    "Rethrow",
    "TryBegin",
    "TryEnd",
    "Waited",
    "compile_recipe",
    "left_in_words",
]

Waited = SingleStep | WaitUntil
"""The steps that are in a program as they are; the others are compiled away."""


@frozen
class Do:
    """Do *step*; if it fails go to *on_failure*, or just on where the run *presses on*.

    *at_limit*: where to go if it only came to its limit; that is no failure then. What *keeps
    time* takes none of its own, however long it really took: pauses after it make up for it.
    """

    step: Waited
    on_failure: int
    presses_on: bool
    at_limit: int | None = None
    keeps_time: bool = False


@frozen
class Fork:
    """Run what begins at each of *starts* side by side, then go on at *after*.

    *on*: the step that says on which other servers; without it on this one.
    """

    starts: tuple[int, ...]
    after: int
    on_failure: int
    presses_on: bool
    on: On | None = None


@frozen
class Branch:
    """Go on if *condition* holds, else to *otherwise*."""

    condition: Condition
    otherwise: int


@frozen
class Jump:
    """Go to *to*."""

    to: int


@frozen
class Again:
    """The end of a round that began at *start*: once more, or on; too many are a failure."""

    start: int
    step: Repeat
    on_failure: int
    presses_on: bool


@frozen
class TryBegin:
    """What follows, up to the `TryEnd` at *end*, may be tried again."""

    step: Try
    end: int


@frozen
class TryEnd:
    """The end of what began at *begin*, well or not: go on, try again, or go to *on_failure*."""

    begin: int
    step: Try
    on_failure: int
    presses_on: bool


@frozen
class Rethrow:
    """The end of a block that began at *since*: if it broke there, go to *on_failure*.

    A step breaks the run by failing, or by leaving nothing to do; where the run *presses on*
    only the second counts. Blocks lie within each other and are gone through in order, so where
    the last break was tells which of them it was in.
    """

    since: int
    on_failure: int
    presses_on: bool


@frozen
class IfFailed:
    """Go on if something failed so far, else to *otherwise*."""

    otherwise: int


@frozen
class End:
    """The end of the run, or of one of several things done side by side."""


Instruction = Do | Fork | Branch | Jump | Again | TryBegin | TryEnd | Rethrow | IfFailed | End


@frozen
class Program:
    """The instructions, and what is known of places among them.

    *tidying* are the ranges (first, and the one after the last) of what is done *always*,
    *failure* is that of what the recipe does when it failed;
    *escalations* are where it begins that is done when a limit is reached, by the limit's place.
    """

    code: tuple[Instruction, ...]
    tidying: tuple[tuple[int, int], ...]
    failure: tuple[int, int]
    escalations: dict[int, int]

    def tidies(self, position: int, *, since: int = -1) -> bool:
        """Return whether what is there is done whatever happens, within what began at *since*."""
        return any(since < first <= position < end for first, end in self.tidying)

    def tells_of_failure(self, position: int) -> bool:
        """Return whether what is there is done because the recipe failed."""
        first, end = self.failure
        return first <= position < end

    def is_spared(self, position: int) -> bool:
        """Return whether what is there is still done by a run that is cut short."""
        return self.tidies(position) or self.tells_of_failure(position)

    def looks_after(self, position: int) -> bool:
        """Return whether a condition may be looked at before the next step begins.

        Of what is at -1, the beginning is next.
        """
        places = [position + 1]
        if position >= 0:
            places += _elsewhere(self.code[position])
        passed: set[int] = set()
        while places:
            place = places.pop()
            if place in passed:
                continue
            passed.add(place)
            match self.code[place]:
                case Branch() | Again():
                    return True
                case Do() | End():
                    pass
                case Jump(to=to):
                    places.append(to)
                case one:
                    places += [place + 1, *_elsewhere(one)]
        return False

    def puts_right(self, position: int) -> bool:
        """Return whether a failure there would lead to something that is done always."""
        while True:
            match self.code[position]:
                case IfFailed(otherwise=place):
                    position = place
                case Do() | Fork() | Again() | TryEnd() | Rethrow() as one:
                    position = one.on_failure
                case _:
                    return self.tidies(position)
            if self.tidies(position):
                return True


def _elsewhere(one: Instruction) -> list[int]:
    """Return where *one* may lead to besides the next place."""
    match one:
        case Do(on_failure=place, at_limit=int(at_limit)):
            return [place, at_limit]
        case TryEnd(begin=begin, on_failure=place):
            return [place, begin + 1]
        case Fork(starts=starts, after=after, on_failure=place):
            return [place, after, *starts]
        case Do(on_failure=place) | Rethrow(on_failure=place) | IfFailed(otherwise=place):
            return [place]
        case _:
            return []


@define
class _Label:
    """A place in the program that is not known yet."""

    at: int = -1


@define
class _Draft:
    """A program whose places are not all known yet: lines, and the labels of their fields."""

    lines: list[tuple[Any, dict[str, Any]]] = field(factory=list)
    tidying: list[tuple[int, int]] = field(factory=list)

    @property
    def here(self) -> int:
        return len(self.lines)

    def add(self, line: Instruction, **labels: Any) -> None:
        """Write *line*; its fields called as the *labels* are filled in at the end."""
        self.lines.append((line, labels))

    def code(self) -> tuple[Instruction, ...]:
        return tuple(
            evolve(line, **{name: _place(label) for name, label in labels.items()})
            for line, labels in self.lines
        )


def _place(label: Any) -> Any:
    return tuple(map(_place, label)) if isinstance(label, tuple) else label.at


@frozen(kw_only=True)
class _Way:
    """Where a failure leads to, or that the run presses on instead."""

    failing: _Label
    presses_on: bool = False


def compile_recipe(recipe: Recipe) -> Program:
    """Return the program of *recipe*."""
    draft = _Draft()
    failing, always, end = _Label(), _Label(), _Label()
    _emit(draft, recipe.then, _Way(failing=failing))
    failing.at = draft.here
    draft.add(IfFailed(-1), otherwise=always)
    _emit(draft, recipe.on_failure, _Way(failing=always, presses_on=True))
    always.at = draft.here
    _emit_tidying(draft, recipe.always, _Way(failing=end, presses_on=True))
    end.at = draft.here
    draft.add(End())
    escalations = {}
    for place, limit in enumerate(recipe.limit):
        if isinstance(limit, AtMost):
            escalations[place] = draft.here
            _emit(draft, limit.otherwise, _Way(failing=end, presses_on=True))
            draft.add(End())
    failure = (failing.at + 1, always.at)
    return Program(draft.code(), tuple(draft.tidying), failure, escalations)


def _emit_tidying(draft: _Draft, steps: Iterable[Step], way: _Way) -> None:
    first = draft.here
    _emit(draft, steps, way)
    if draft.here > first:
        draft.tidying.append((first, draft.here))


def _emit(draft: _Draft, steps: Iterable[Step], way: _Way) -> None:
    for step in steps:
        match step:
            case Block():
                _emit_block(draft, step, way)
            case Choose():
                _emit_choice(draft, step, way)
            case Repeat():
                start = draft.here
                _emit(draft, step.steps, way)
                draft.add(Again(start, step, -1, way.presses_on), on_failure=way.failing)
            case Parallel(branches=branches):
                _emit_fork(draft, branches, None, way)
            case On(steps=inner):
                _emit_fork(draft, (inner,), step, way)
            case Try():
                _emit_try(draft, step, way)
            case WaitUntil(otherwise=tuple(otherwise)):
                _emit_wait(draft, step, otherwise, way)
            case Countdown():
                for one in _countdown(step):
                    draft.add(Do(one, -1, way.presses_on, keeps_time=True), on_failure=way.failing)
            case _:
                draft.add(Do(step, -1, way.presses_on), on_failure=way.failing)


def _emit_block(draft: _Draft, step: Block, way: _Way) -> None:
    always = _Label()
    since = draft.here
    _emit(draft, step.steps, _Way(failing=always))
    always.at = draft.here
    _emit_tidying(draft, step.always, _Way(failing=way.failing, presses_on=True))
    draft.add(Rethrow(since, -1, way.presses_on), on_failure=way.failing)


def _emit_choice(draft: _Draft, step: Choose, way: _Way) -> None:
    end = _Label()
    for one in step.ways:
        other = _Label()
        draft.add(Branch(one.condition, -1), otherwise=other)
        _emit(draft, one.steps, way)
        draft.add(Jump(-1), to=end)
        other.at = draft.here
    _emit(draft, step.otherwise, way)
    end.at = draft.here


def _emit_fork(
    draft: _Draft, branches: tuple[tuple[Step, ...], ...], on: On | None, way: _Way
) -> None:
    starts = tuple(_Label() for _ in branches)
    after = _Label()
    draft.add(
        Fork((), -1, -1, way.presses_on, on), starts=starts, after=after, on_failure=way.failing
    )
    for start, branch in zip(starts, branches, strict=True):
        start.at = draft.here
        end = _Label()
        _emit(draft, branch, _Way(failing=end))
        end.at = draft.here
        draft.add(End())
    after.at = draft.here


def _emit_try(draft: _Draft, step: Try, way: _Way) -> None:
    end = _Label()
    begin = draft.here
    draft.add(TryBegin(step, -1), end=end)
    _emit(draft, step.steps, _Way(failing=end))
    end.at = draft.here
    draft.add(TryEnd(begin, step, -1, way.presses_on), on_failure=way.failing)


def _emit_wait(draft: _Draft, step: WaitUntil, otherwise: tuple[Step, ...], way: _Way) -> None:
    late, after = _Label(), _Label()
    draft.add(Do(step, -1, way.presses_on, -1), on_failure=way.failing, at_limit=late)
    draft.add(Jump(-1), to=after)
    late.at = draft.here
    _emit(draft, otherwise, way)
    after.at = draft.here


def _countdown(step: Countdown) -> Iterator[Announce | Wait]:
    marks = step.marks
    for mark, later in zip(marks, (*marks[1:], 0.0), strict=True):
        text = _with_left(step.text, left_in_words(mark))
        yield Announce(text, command=step.command)
        yield Wait(seconds=round(mark - later, 6))


def _with_left(text: str, left: str) -> str:
    """Return the template *text* with its ``{left}`` filled in, and all else as it was."""
    return "".join(
        literal.replace("{", "{{").replace("}", "}}")
        + ("" if name is None else left if name == "left" else f"{{{name}}}")
        for literal, name, _, _ in Formatter().parse(text)
    )


def left_in_words(seconds: float) -> str:
    """Return how much time is left, as people say it: ``10 minutes``, ``1 minute``."""
    if seconds >= 60 and not seconds % 60:
        number, unit = int(seconds // 60), "minute"
    else:
        number, unit = seconds, "second"  # type: ignore[assignment] # half a second is one, too
    return f"{number:g} {unit}{'' if number == 1 else 's'}"

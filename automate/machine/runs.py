"""Runs: recipes that were set off, and what happens to them while they are on their way.

What sets a recipe off, and whether it may run, is left to `firing`; how a run goes through its
program, to `runs_walking`.
"""

from typing import Final

from automate.machine import doing, tries
from automate.machine.answer import Answer
from automate.machine.matching import Values
from automate.machine.program import (
    Do,
    Fork,
    TryEnd,
)
from automate.machine.runs_kept import Ended
from automate.machine.runs_walking import TOO_LONG, WalkingRuns
from automate.machine.stage import Failed, Outcome
from automate.machine.state import Run, Tried, Waiting
from automate.recipe.recipe import Recipe
from automate.recipe.steps import RunRecipe, Wait

__all__ = ["Ended", "Runs"]

_LOST: Final = "what it waited for is no longer here"


class Runs(WalkingRuns):
    """All runs that are not over; what is called here happens to one of them."""

    def begin(
        self,
        server: str,
        recipe: Recipe,
        version: int,
        moment: float,
        at: float,
        values: Values,
        *,
        escalation: int | None,
        reason: str,
        caller: int | None,
    ) -> Run:
        """Begin a run that counts from *moment*; what *values* hold can be used in texts.

        *caller* is the run that waits for it, if one does.
        """
        self.learn(version, recipe)
        known = {
            "server": self.servers[server].name,
            "server_id": server,
            "recipe": recipe.name,
        }
        run = self._new_run(server, recipe.name, version, moment, known | values)
        calling = self.state.runs.get(caller or 0)
        run.caller = None if calling is None else calling.root
        if escalation is not None:
            run.position = self._programs[version].escalations[escalation]
        self.state.servers[server].recipes[recipe.name].last_began = at
        self.changed.add(f"server:{server}")
        self.trace(run, "triggered", reason)
        steps = [one.step for one in self._program(run).code if isinstance(one, Do)]
        run.values.setdefault("attempt", str(doing.attempt(steps, self._stage(run, at))))
        self._advance(run, at)
        return run

    def called(self, caller: int, outcome: int | Outcome, at: float) -> None:
        """Tell the run *caller* what became of the one that waited its turn.

        The *outcome* is the number of a run that has begun, or how it ended already.
        """
        run = self.state.runs.get(caller)
        if run is None or run.waiting is None or run.waiting.phase != doing.QUEUED:
            return
        if isinstance(outcome, int):
            run.waiting.child, run.waiting.phase = outcome, ""
            self._note(run)
        else:
            self.go_on(run, at, lambda step, stage: doing.ended(step, stage, outcome))

    def answered(self, call: int, answer: Answer, at: float) -> None:
        """Go on with the run that waits for the answer to *call*, if there is one."""
        for run in self.state.runs.values():
            if run.waiting is not None and run.waiting.call == call:
                run.waiting.call = None
                self._note(run)
                self.go_on(run, at, lambda step, stage: doing.answered(step, stage, answer))
                return

    def due(self, number: int, at: float) -> None:
        """Go on with the run of this number, for a moment it waited for has come."""
        run = self.state.runs.get(number)
        if run is None or run.waiting is None:
            return
        program = self._program(run)
        instruction = program.code[run.position]
        until = run.waiting.until
        if tries.notice_lateness(run, at) and tries.is_to_be_left(run, program):
            self._break_off(run, at, TOO_LONG)
        elif not isinstance(instruction, TryEnd):
            self.go_on(run, at, doing.due)
        elif until is not None and until <= at:
            run.waiting = None
            run.cursor = at
            run.position = instruction.begin + 1
            self._advance(run, at)
        if run.id in self.state.runs:
            self.set_timers(run)

    def cut(self, run: Run, at: float, reason: str, *, replaced: bool = False) -> None:
        """End *run* early: what it waits in fails, and only what tidies up is still done."""
        run.cut, run.replaced = reason, replaced
        self.trace(run, "cut short", reason)
        self._break_off(run, at, reason)

    def puts_right(self, run: Run) -> bool:
        """Return whether *run*, if it were cut now, would have something to put right."""
        program = self._program(run)
        if program.tidies(run.position):
            return False  # it does so already
        return program.puts_right(run.position) or any(
            self.puts_right(branch) for branch in self._running.branches(run)
        )

    def has_moved(self, number: int) -> bool:
        """Return whether the run of this number has come on since an engine began."""
        return number in self._moved

    def looks_first(self, recipe: Recipe) -> bool:
        """Return whether what *recipe* does, once it is set off, depends on the world."""
        program = self._programs[self.state.recipes[recipe.name]]
        return recipe.only_if is not None or program.looks_after(-1)

    def looks_next(self, run: Run) -> bool:
        """Return whether what *run* does after the step that it waits in depends on the world."""
        step = self.waiting_step(run)
        is_unless = isinstance(step, Wait) and step.unless is not None
        return is_unless or self._program(run).looks_after(run.position)

    def is_in_doubt(self, run: Run) -> bool:
        """Return whether *run* was interrupted in a step of which nobody knows if it was done."""
        is_open = run.waiting is not None and run.waiting.call is not None
        return is_open and doing.is_doubtful(self.waiting_step(run))

    def resume(self, run: Run, at: float) -> None:
        """Go on with a run that was written down by an engine that is no more."""
        if run.id not in self.state.runs or run.id in self._moved:
            return  # another run that was resumed has brought it on already
        waiting = run.waiting
        assert waiting is not None
        runs = self.state.runs
        if any(one not in runs for one in waiting.branches):
            waiting.branches = [one for one in waiting.branches if one in runs]
            waiting.error = waiting.error or _LOST
        is_fork = isinstance(self._program(run).code[run.position], Fork)
        is_lost = waiting.child not in (None, *runs)
        if waiting.phase == doing.QUEUED and isinstance(self.waiting_step(run), RunRecipe):
            is_lost = run.id not in self._awaited_turns()
        if is_lost or (is_fork and not waiting.branches):
            self._end_step(run, Failed(_LOST), at, cursor=at)
            self._advance(run, at)
            return
        self.go_on(run, at, doing.resumed)
        if run.id in runs and run.waiting is not None:
            # Moments that went by unseen have come now: not in the past, where a step that
            # begins then would be late already, and the next pause, too.
            _not_before(run, at)
            self.set_timers(run)
            self._note(run)

    def _awaited_turns(self) -> set[int | None]:
        """Return the runs that wait for one that waits its turn."""
        books = [book for one in self.state.servers.values() for book in one.recipes.values()]
        return {pending.caller for book in books for pending in book.queue}

    def _break_off(self, run: Run, at: float, reason: str) -> None:
        """Fail what *run* waits in, unless it tidies up."""
        program = self._program(run)
        if run.waiting is None or not tries.is_to_be_left(run, program):
            return
        branches = self._running.branches(run)
        if branches:
            # It fails itself once they are over.
            run.waiting.error = run.waiting.error or reason
            self._note(run)
            for branch in branches:
                if branch.cut is None and branch.id in self.state.runs:
                    branch.cut = reason
                    self._note(branch)
                    self._break_off(branch, at, reason)
            return
        if isinstance(program.code[run.position], TryEnd):
            run.waiting = None
            run.cursor = at
            self._fail(run, reason)
        else:
            self._end_step(run, Failed(reason), at, cursor=at)
        self._advance(run, at)


def _not_before(run: Run, at: float) -> None:
    """Put off to *at* what *run* should have been woken for before."""
    waiting = run.waiting
    assert waiting is not None
    limits: list[Waiting | Tried] = [waiting, *run.tries.values()]
    for limit in limits:
        if limit.until is not None:
            limit.until = max(limit.until, at)
    if waiting.meant_at is not None:
        waiting.meant_at = max(waiting.meant_at, at)
    if waiting.again is not None:
        waiting.again = max(waiting.again, at)

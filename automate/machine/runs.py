"""Runs: recipes that were set off, each on its way through its program.

What sets a recipe off, and whether it may run, is left to `recipes`; how a step stands is left
to `doing`. Here is what follows from it: the next step, the end, the timers, the trace.
"""

from collections.abc import Callable, Mapping, Sequence

from attrs import evolve

from automate.machine import doing
from automate.machine.actions import Output, Traced
from automate.machine.matching import Values
from automate.machine.program import Do, End, Program, Rethrow, compile_escalation, compile_recipe
from automate.machine.stage import Done, Failed, Manner, Needless, Outcome, Stage, Still
from automate.machine.state import Run, State
from automate.machine.timers import Place, Timers
from automate.recipe.recipe import Recipe
from automate.recipe.steps import Step, Wait, WaitUntil
from automate.recipe.triggers import ConsoleLine

__all__ = ["Runs"]


class Runs:
    """All runs that are not over, by server and recipe; *output* is what came of them."""

    def __init__(
        self, recipes: Sequence[Recipe], servers: Mapping[str, str], *, manner: Manner
    ) -> None:
        self.state = State()
        self.timers = Timers()
        self.output: list[Output] = []
        self.manner = manner
        self._names = dict(servers)
        self._programs: dict[str, Program] = {r.name: compile_recipe(r) for r in recipes}
        self._escalations: dict[str, Program] = {r.name: compile_escalation(r) for r in recipes}
        self._recipe_ranks = {recipe.name: rank for rank, recipe in enumerate(recipes)}
        self._server_ranks = {server: rank for rank, server in enumerate(servers)}

    # ------------------------------------------------------------ who is running

    def of(self, server: str) -> list[Run]:
        """Return the server's runs, in the order of the recipes."""
        return [run for run in self.in_order() if run.server == server]

    def in_order(self) -> list[Run]:
        """Return all runs: by server, then recipe."""
        if not self.state.runs:
            return []
        return sorted(self.state.runs.values(), key=self._place)

    def is_running(self, server: str, recipe: str) -> bool:
        """Return whether *recipe* is running for *server*."""
        return any(
            run.recipe == recipe and run.server == server for run in self.state.runs.values()
        )

    def waits_for_line(self, run: Run) -> bool:
        """Return whether *run* wants to know what the game's console says."""
        instruction = self._program(run)[run.position]
        return (
            isinstance(instruction, Do)
            and isinstance(instruction.step, WaitUntil)
            and isinstance(instruction.step.trigger, ConsoleLine)
        )

    # ------------------------------------------------------------ going on

    def begin(
        self,
        server: str,
        recipe: str,
        moment: float,
        at: float,
        values: Values,
        *,
        escalating: bool,
    ) -> None:
        """Begin a run that counts from *moment*; what *values* hold can be used in texts."""
        self.state.last_run += 1
        known = {"server": self._names[server], "server_id": server, "recipe": recipe}
        run = Run(
            id=self.state.last_run,
            server=server,
            recipe=recipe,
            escalating=escalating,
            cursor=moment,
            values=known | values,
        )
        self.state.runs[run.id] = run
        self.trace(server, recipe, run.id, "triggered", values.get("reason", ""))
        steps = [one.step for one in self._program(run) if isinstance(one, Do)]
        run.values.setdefault("attempt", str(doing.attempt(steps, self._stage(run, at))))
        self._advance(run, at)

    def go_on(self, run: Run, at: float, ask: Callable[[Step, Stage], Outcome]) -> None:
        """Ask the step that *run* waits in how it stands, and go on if it is over."""
        instruction = self._program(run)[run.position]
        if run.waiting is None or not isinstance(instruction, Do):
            return
        waiting = run.waiting
        moments = (waiting.until, waiting.again)
        outcome = ask(instruction.step, self._stage(run, at))
        if isinstance(outcome, Still):
            # For a flood of lines that change nothing, nothing is to be done here.
            if moments != (waiting.until, waiting.again):
                self.set_timers(run)
            return
        reached = waiting.until if waiting.until is not None and waiting.until <= at else at
        self._end_step(run, outcome, cursor=reached)
        self._advance(run, at)

    def due(self, run: int, at: float) -> None:
        """Go on with the run of this number, for a moment it waited for has come."""
        self.go_on(self.state.runs[run], at, doing.due)

    def cut_short(self, run: Run, at: float, reason: str) -> None:
        """Fail the step that *run* waits in, if it is within a block that puts something right."""
        program = self._program(run)
        instruction = program[run.position]
        while not isinstance(instruction, End):
            if isinstance(instruction, Do) and instruction.presses_on:
                return  # it is being put right already
            instruction = program[instruction.on_failure]
            if isinstance(instruction, Do):
                self.go_on(run, at, lambda step, stage: Failed(reason))
                return

    def _advance(self, run: Run, at: float) -> None:
        """Go through the program until a step waits, or the run is over."""
        program = self._program(run)
        while True:
            match program[run.position]:
                case Do(step=step):
                    outcome = doing.begin(step, self._stage(run, at))
                    if isinstance(outcome, Still):
                        self.trace(run.server, run.recipe, run.id, "step", _words(step, run))
                        self.set_timers(run)
                        return
                    # A step that takes no time leaves the cursor where it is: a pause after
                    # it still counts from the trigger's moment.
                    self._end_step(run, outcome, cursor=run.cursor)
                case Rethrow(since=since, on_failure=place):
                    broke_here = run.broken_at is not None and run.broken_at >= since
                    run.position = place if broke_here else run.position + 1
                case End(only_if_fine=True) if run.error is not None:
                    run.position += 1
                case End():
                    self._finish(run)
                    return

    def _end_step(self, run: Run, outcome: Outcome, *, cursor: float) -> None:
        instruction = self._program(run)[run.position]
        assert isinstance(instruction, Do)
        run.waiting = None
        run.cursor = cursor
        goes_on = instruction.presses_on
        match outcome:
            case Failed(reason=reason):
                self.trace(run.server, run.recipe, run.id, "step failed", reason)
                run.broken_at = run.position
                if run.error is None:
                    run.error = run.values["error"] = reason
            case Needless(reason=reason) if not instruction.presses_on:
                run.broken_at = run.position
                run.needless = reason
            case Done() | Needless() | Still():
                goes_on = True
        run.position = run.position + 1 if goes_on else instruction.on_failure

    def _finish(self, run: Run) -> None:
        self.timers.put(self._place(run), ())
        del self.state.runs[run.id]
        if run.error is not None:
            self.trace(run.server, run.recipe, run.id, "failed", run.error)
        else:
            self.trace(run.server, run.recipe, run.id, "done", run.needless or "")

    # ------------------------------------------------------------ small things

    def set_timers(self, run: Run) -> None:
        """Wake *run* when its step wants to be woken, and at no other moment."""
        waiting = run.waiting
        moments = () if waiting is None else (waiting.until, waiting.again)
        self.timers.put(self._place(run), moments)

    def trace(self, server: str, recipe: str, run: int | None, what: str, detail: str = "") -> None:
        """Note what was decided."""
        self.output.append(Traced(server=server, recipe=recipe, run=run, what=what, detail=detail))

    def _place(self, run: Run) -> Place:
        return (self._server_ranks[run.server], self._recipe_ranks[run.recipe], run.id)

    def _program(self, run: Run) -> Program:
        return (self._escalations if run.escalating else self._programs)[run.recipe]

    def _stage(self, run: Run, at: float) -> Stage:
        books = self.state.servers[run.server]
        instruction = self._program(run)[run.position]
        return Stage(
            state=self.state,
            server=books,
            book=books.recipes[run.recipe],
            run=run,
            manner=self.manner,
            cleans_up=isinstance(instruction, Do) and instruction.presses_on,
            at=at,
            output=self.output,
        )


def _words(step: Step, run: Run) -> str:
    """Return what *run* now waits in, with the pause that a growing one has come to."""
    waiting = run.waiting
    if isinstance(step, Wait) and waiting is not None and waiting.until is not None:
        step = evolve(step, seconds=round(waiting.until - waiting.since, 4))
    return str(step)

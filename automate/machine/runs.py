"""Runs: recipes that were set off, each on its way through its program.

What sets a recipe off, and whether it may run, is left to `firing`; how a step stands is left
to `doing`. Here is what follows from it: the next step, the end, the timers, the trace.
"""

from collections.abc import Callable, Mapping

from attrs import evolve

from automate.machine import doing
from automate.machine.actions import Output, Traced
from automate.machine.holding import judge
from automate.machine.matching import Values
from automate.machine.program import (
    Again,
    Branch,
    Do,
    End,
    Fork,
    IfFailed,
    Jump,
    Program,
    Rethrow,
    TryBegin,
    TryEnd,
    compile_recipe,
)
from automate.machine.stage import (
    DONE,
    Done,
    Failed,
    Manner,
    Needless,
    Outcome,
    Stage,
    Still,
)
from automate.machine.state import Run, ServerBook, State, Tried, Waiting
from automate.machine.timers import Place, Timers
from automate.machine.view import View
from automate.recipe.recipe import Recipe
from automate.recipe.selectors import ServerFacts, selects
from automate.recipe.steps import Announce, Command, Notify, Wait
from automate.wire.games import GAMES

__all__ = ["Ended", "Runs"]

# A step that takes no longer than this takes no time: a pause after it still counts from the
# moment before it.
_SHORTLY_SECONDS = 1.0
_GENERIC = GAMES["generic"]
_TOO_LONG = "it took longer than it may"

Ended = tuple[Run, Outcome]


class Runs:
    """All runs that are not over, by server and recipe; *output* is what came of them.

    *changed* are the parts of the state that are not as they were written down last, and *over*
    the runs that ended since they were last looked at.
    """

    def __init__(self, servers: Mapping[str, ServerFacts], *, manner: Manner) -> None:
        self.state = State()
        self.timers = Timers()
        self.output: list[Output] = []
        self.changed: set[str] = set()
        self.over: list[Ended] = []
        self.manner = manner
        self.servers = dict(servers)
        self.recipes: dict[int, Recipe] = {}
        self._programs: dict[int, Program] = {}
        self.recipe_ranks: dict[str, int] = {}
        self.server_ranks = {server: rank for rank, server in enumerate(servers)}
        # What others know how to do: to see for conditions, and to set off a recipe by name.
        self.view: Callable[[str, str, float], View]
        self.set_off: Callable[[Run, str, float], int | Outcome]

    def learn(self, version: int, recipe: Recipe) -> None:
        """Take in *recipe* as it was in this *version*."""
        if version not in self.recipes:
            self.recipes[version] = recipe
            self._programs[version] = compile_recipe(recipe)

    # ------------------------------------------------------------ who is running

    def of(self, server: str) -> list[Run]:
        """Return the runs that act on the server, in the order of the recipes."""
        return [run for run in self.in_order() if run.server == server]

    def in_order(self) -> list[Run]:
        """Return all runs: by server, then recipe."""
        if not self.state.runs:
            return []
        return sorted(self.state.runs.values(), key=self._place)

    def running(self, server: str, recipe: str) -> list[Run]:
        """Return the runs of *recipe* that were set off at *server*, the oldest first."""
        return [
            run
            for run in self.state.runs.values()
            if run.recipe == recipe and run.home == server and run.parent is None
        ]

    def waiting_step(self, run: Run) -> object | None:
        """Return the step that *run* waits in; ``None`` if that is no step."""
        instruction = self._program(run).code[run.position]
        return instruction.step if isinstance(instruction, Do) else None

    # ------------------------------------------------------------ going on

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
    ) -> Run:
        """Begin a run that counts from *moment*; what *values* hold can be used in texts."""
        self.learn(version, recipe)
        known = {
            "server": self.servers[server].name,
            "server_id": server,
            "recipe": recipe.name,
        }
        run = self._new_run(server, recipe.name, version, moment, known | values)
        if escalation is not None:
            run.position = self._programs[version].escalations[escalation]
        self.state.servers[server].recipes[recipe.name].last_began = at
        self.trace(run, "triggered", reason)
        steps = [one.step for one in self._program(run).code if isinstance(one, Do)]
        run.values.setdefault("attempt", str(doing.attempt(steps, self._stage(run, at))))
        self._advance(run, at)
        return run

    def _new_run(
        self, server: str, recipe: str, version: int, moment: float, values: Values
    ) -> Run:
        self.state.last_run += 1
        number = self.state.last_run
        run = Run(
            id=number,
            root=number,
            server=server,
            home=server,
            recipe=recipe,
            version=version,
            cursor=moment,
            values=values,
        )
        self.state.runs[number] = run
        return run

    def go_on(self, run: Run, at: float, ask: Callable[[object, Stage], Outcome]) -> None:
        """Ask the step that *run* waits in how it stands, and go on if it is over."""
        instruction = self._program(run).code[run.position]
        if run.waiting is None or not isinstance(instruction, Do) or run.id not in self.state.runs:
            return
        waiting = run.waiting
        before = (waiting.until, waiting.again, waiting.call, waiting.phase)
        outcome = ask(instruction.step, self._stage(run, at))
        now = run.waiting
        if isinstance(outcome, Still):
            # For a flood of lines that change nothing, nothing is to be done here.
            if now is not waiting or before != (now.until, now.again, now.call, now.phase):
                self.set_timers(run)
                self._note(run)
            return
        reached = waiting.until if waiting.until is not None and waiting.until <= at else at
        takes_no_time = isinstance(instruction.step, Command | Announce | Notify)
        if takes_no_time and at - waiting.since <= _SHORTLY_SECONDS:
            reached = run.cursor
        self._end_step(run, outcome, at, cursor=reached)
        self._advance(run, at)

    def due(self, number: int, at: float) -> None:
        """Go on with the run of this number, for a moment it waited for has come."""
        run = self.state.runs.get(number)
        if run is None:
            return
        instruction = self._program(run).code[run.position]
        if isinstance(instruction, TryEnd) and run.waiting is not None:
            run.waiting = None
            run.cursor = at
            run.position = instruction.begin + 1
            self._advance(run, at)
        elif self._notice_lateness(run, at) and self._may_be_cut(run):
            self._break_off(run, at, _TOO_LONG)
        else:
            self.go_on(run, at, doing.due)
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
            self.puts_right(child) for child in self._children(run)
        )

    def resume(self, run: Run, at: float) -> None:
        """Go on with a run that was written down by an engine that is no more."""
        instruction = self._program(run).code[run.position]
        waiting = run.waiting
        is_alone = waiting is not None and waiting.child not in (None, *self.state.runs)
        if isinstance(instruction, Fork) and not self._children(run):
            is_alone = waiting is not None
        if is_alone:
            self._end_step(run, Failed("what it waited for is no longer here"), at, cursor=at)
            self._advance(run, at)
            return
        self.set_timers(run)
        self.go_on(run, at, doing.resumed)

    def _break_off(self, run: Run, at: float, reason: str) -> None:
        """Fail what *run* waits in, unless it tidies up."""
        instruction = self._program(run).code[run.position]
        children = self._children(run)
        if children:
            # It fails itself once they are over.
            if run.waiting is not None:
                run.waiting.error = run.waiting.error or reason
            for child in children:
                if child.cut is None:
                    child.cut = reason
                    self._break_off(child, at, reason)
        elif run.waiting is None or not self._may_be_cut(run):
            return
        elif isinstance(instruction, TryEnd):
            run.waiting = None
            self._fail(run, reason)
            self._give_up(run, instruction, may_go_on=run.cut is None)
            self._advance(run, at)
        else:
            self._end_step(run, Failed(reason), at, cursor=at)
            self._advance(run, at)

    def _may_be_cut(self, run: Run) -> bool:
        """Whether the place of *run* is one that its being cut, or late, is a reason to leave."""
        program, place = self._program(run), run.position
        is_spared = program.tidies(place) or program.tells_of_failure(place)
        if run.cut is not None and not is_spared:
            return True
        return any(
            run.tries[begin].is_late and not program.tidies(place, since=begin)
            for begin in program.tries(place)
            if begin in run.tries
        )

    def _notice_lateness(self, run: Run, at: float) -> bool:
        """Note which limits of what is tried are over by now; return whether one just is."""
        late = [
            tried
            for tried in run.tries.values()
            if not tried.is_late and tried.until is not None and tried.until <= at
        ]
        for tried in late:
            tried.is_late = True
        return bool(late)

    def _advance(self, run: Run, at: float) -> None:
        """Go through the program until a step waits, or the run is over."""
        code = self._program(run).code
        self._note(run)
        while True:
            place = run.position
            match code[place]:
                case Do(step=step):
                    if (run.cut is not None or run.tries) and self._may_be_cut(run):
                        outcome: Outcome = Failed(run.cut or _TOO_LONG)
                    else:
                        outcome = doing.begin(step, self._stage(run, at))
                    if isinstance(outcome, Still):
                        self.trace(run, "step", _words(step, run))
                        self.set_timers(run)
                        return
                    # A step that takes no time leaves the cursor where it is: a pause after
                    # it still counts from the trigger's moment.
                    self._end_step(run, outcome, at, cursor=run.cursor)
                case Fork() as fork:
                    if self._fork(run, fork, at):
                        return
                case Branch(condition=condition, otherwise=otherwise):
                    verdict = judge(condition, self.view(run.server, run.recipe, at))
                    self.trace(run, "condition", verdict.words)
                    run.position = place + 1 if verdict.holds else otherwise
                case Jump(to=to):
                    run.position = to
                case Again() as again:
                    self._again(run, again, at)
                case TryBegin(step=step):
                    limit = step.limit_seconds
                    run.tries[place] = Tried(
                        until=None if limit is None else run.cursor + limit,
                        error=run.error,
                        broken_at=run.broken_at,
                    )
                    # Only what goes wrong from here on is its own.
                    run.broken_at = None
                    run.position = place + 1
                case TryEnd() as end:
                    if self._end_try(run, end, at):
                        return
                case Rethrow(since=since, on_failure=on_failure):
                    broke_here = run.broken_at is not None and run.broken_at >= since
                    run.position = on_failure if broke_here else place + 1
                case IfFailed(otherwise=otherwise):
                    failed = run.error is not None and not run.replaced
                    run.position = place + 1 if failed else otherwise
                case End():
                    self._finish(run, at)
                    return

    def _end_step(self, run: Run, outcome: Outcome, at: float, *, cursor: float) -> None:
        instruction = self._program(run).code[run.position]
        assert isinstance(instruction, Do | Fork | Again)
        if run.waiting is not None and isinstance(outcome, Done):
            self.trace(run, "step done")
        run.waiting = None
        run.cursor = cursor
        self._note(run)
        goes_on = instruction.presses_on
        match outcome:
            case Failed(reason=reason, is_limit=True) if (
                isinstance(instruction, Do) and instruction.at_limit is not None
            ):
                self.trace(run, "at its limit", reason)
                run.position = instruction.at_limit
                return
            case Failed(reason=reason):
                self.trace(run, "step failed", reason)
                self._fail(run, reason)
            case Needless(reason=reason) if not instruction.presses_on:
                run.broken_at = run.position
                run.needless = reason
            case Done() | Needless() | Still():
                goes_on = True
        if isinstance(instruction, Fork):
            run.position = instruction.after if goes_on else instruction.on_failure
        else:
            run.position = run.position + 1 if goes_on else instruction.on_failure

    def _fail(self, run: Run, reason: str) -> None:
        run.broken_at = run.position
        if run.error is None:
            run.error = run.values["error"] = reason

    # ------------------------------------------------------------ side by side

    def _fork(self, run: Run, fork: Fork, at: float) -> bool:
        """Begin what is done side by side; return whether the run has to wait for it."""
        servers = [run.server]
        if fork.on is not None:
            servers = [
                server for server, facts in self.servers.items() if selects(fork.on.servers, facts)
            ]
        is_cut = (run.cut is not None or run.tries) and self._may_be_cut(run)
        if not servers or is_cut:
            named = " or ".join(map(str, fork.on.servers)) if fork.on else ""
            reason = f"no server here is meant by {named}"
            if is_cut:
                reason = run.cut or _TOO_LONG
            self._end_step(run, Failed(reason), at, cursor=run.cursor)
            return False
        run.waiting = Waiting(since=at)
        self.trace(run, "step", "side by side" if fork.on is None else str(fork.on))
        children = []
        for server in servers:
            for start in fork.starts:
                values = dict(run.values)
                if fork.on is not None:
                    values |= {"server": self.servers[server].name, "server_id": server}
                child = self._new_run(server, run.recipe, run.version, run.cursor, values)
                child.home, child.root, child.parent = run.home, run.root, run.id
                child.position = start
                children.append(child)
        for child in children:
            self._advance(child, at)
        # The last one that ended has brought the run on already.
        return True

    def _children(self, run: Run) -> list[Run]:
        return [one for one in self.state.runs.values() if one.parent == run.id]

    def _child_over(self, child: Run, at: float) -> None:
        run = self.state.runs[child.parent or 0]
        assert run.waiting is not None
        if child.error is not None:
            run.waiting.error = run.waiting.error or child.error
        self._note(run)
        if self._children(run):
            return
        error = run.waiting.error
        self._end_step(run, DONE if error is None else Failed(error), at, cursor=at)
        self._advance(run, at)

    # ------------------------------------------------------------ again and again

    def _again(self, run: Run, again: Again, at: float) -> None:
        place, step = run.position, again.step
        rounds = run.rounds[place] = run.rounds.get(place, 0) + 1
        if step.times is not None:
            is_over = rounds >= step.times
        else:
            assert step.until is not None
            verdict = judge(step.until, self.view(run.server, run.recipe, at))
            self.trace(run, "condition", verdict.words)
            is_over = verdict.holds is True
        if not is_over and (step.times is not None or rounds < step.at_most):
            run.position = again.start
            return
        del run.rounds[place]
        outcome = DONE if is_over else Failed(f"after {rounds} rounds still not: {step.until}")
        self._end_step(run, outcome, at, cursor=run.cursor)

    def _end_try(self, run: Run, end: TryEnd, at: float) -> bool:
        """Leave what may be tried again; return whether the run has to wait for the next try."""
        tried = run.tries[end.begin]
        if run.broken_at is None:
            del run.tries[end.begin]
            run.broken_at = tried.broken_at
            run.position += 1
            return False
        self._notice_lateness(run, at)
        is_final = run.needless is not None or run.cut is not None
        is_late = any(one.is_late for one in run.tries.values())
        if is_final or is_late or tried.retries >= end.step.retries:
            self._give_up(run, end, may_go_on=not is_final)
            return False
        tried.retries += 1
        self._forget_failure(run, tried)
        run.broken_at = None
        run.rounds = {
            place: n for place, n in run.rounds.items() if not end.begin < place < run.position
        }
        run.tries = {
            place: one for place, one in run.tries.items() if not end.begin < place < run.position
        }
        pause = end.step.pause(tried.retries)
        self.trace(run, "retry", f"{tried.retries} of {end.step.retries}, in {pause:g} s")
        run.cursor = at
        if pause <= 0:
            run.position = end.begin + 1
            return False
        run.waiting = Waiting(since=at, until=at + pause)
        self.set_timers(run)
        return True

    def _give_up(self, run: Run, end: TryEnd, *, may_go_on: bool = True) -> None:
        tried = run.tries.pop(end.begin)
        # An outer limit that is over, too, is no matter of this one's going on.
        if end.step.go_on and may_go_on:
            self.trace(run, "going on", run.error or "")
            self._forget_failure(run, tried)
            run.position += 1
        else:
            run.position = run.position + 1 if end.presses_on else end.on_failure

    def _forget_failure(self, run: Run, tried: Tried) -> None:
        run.error, run.broken_at = tried.error, tried.broken_at
        if run.error is None:
            run.values.pop("error", None)
        else:
            run.values["error"] = run.error

    # ------------------------------------------------------------ the end

    def _finish(self, run: Run, at: float) -> None:
        self.timers.put(self._place(run), ())
        self._note(run)
        del self.state.runs[run.id]
        if run.parent is not None:
            self._child_over(run, at)
            return
        outcome: Outcome = DONE
        if run.error is not None:
            outcome = Failed(run.error)
            self.trace(run, "failed", run.error)
        else:
            self.trace(run, "done", run.needless or "")
        for other in self.in_order():
            if other.waiting is not None and other.waiting.child == run.id:
                self.go_on(other, at, lambda step, stage: doing.ended(step, stage, outcome))
        self.over.append((run, outcome))

    # ------------------------------------------------------------ small things

    def set_timers(self, run: Run) -> None:
        """Wake *run* when its step wants to be woken, and at no other moment."""
        waiting = run.waiting
        moments = [] if waiting is None else [waiting.until, waiting.again]
        if run.tries and waiting is not None:
            moments += [one.until for one in run.tries.values() if not one.is_late]
        self.timers.put(self._place(run), moments)

    def trace(self, run: Run, what: str, detail: str = "") -> None:
        """Note what was decided for *run*."""
        self._note(run)
        self.output.append(
            Traced(
                server=run.home,
                recipe=run.recipe,
                run=run.root,
                what=what,
                detail=detail,
                step=run.position,
            )
        )

    def hold_back(self, server: str, recipe: str, reason: str, *, what: str = "held back") -> None:
        """Note that no run of *recipe* began, and why."""
        self.output.append(Traced(server=server, recipe=recipe, run=None, what=what, detail=reason))

    def _note(self, run: Run) -> None:
        self.changed.add(f"run:{run.id}")

    def _place(self, run: Run) -> Place:
        rank = self.recipe_ranks.get(run.recipe, len(self.recipe_ranks))
        return (self.server_ranks[run.server], rank, run.id)

    def _program(self, run: Run) -> Program:
        return self._programs[run.version]

    def _stage(self, run: Run, at: float) -> Stage:
        books = self.state.servers[run.server]
        program = self._program(run)
        instruction = program.code[run.position]
        cleans_up = program.tidies(run.position) or (
            isinstance(instruction, Do) and instruction.presses_on
        )
        home: ServerBook = self.state.servers[run.home]
        return Stage(
            state=self.state,
            server=books,
            book=home.recipes[run.recipe],
            run=run,
            manner=self.manner,
            view=self.view(run.server, run.recipe, at),
            cleans_up=cleans_up,
            at=at,
            output=self.output,
            game=GAMES.get(books.game or "generic", _GENERIC),
            set_off=lambda name: self.set_off(run, name, at),
        )


def _words(step: object, run: Run) -> str:
    """Return what *run* now waits in, with the pause that a growing one has come to."""
    waiting = run.waiting
    if isinstance(step, Wait) and waiting is not None and waiting.until is not None:
        step = evolve(step, seconds=round(waiting.until - waiting.since, 4))
    return str(step)

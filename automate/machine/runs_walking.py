"""How a run goes through its program: step after step, side by side, again, and to its end.

How a step stands is left to `doing`, what is done again to `tries`; what happens to a run from
outside to `runs`.
"""

from collections.abc import Callable, Mapping
from typing import Final

from attrs import evolve

from automate.machine import doing, tries
from automate.machine.holding import judge
from automate.machine.program import (
    Again,
    Branch,
    Do,
    End,
    Fork,
    IfFailed,
    Jump,
    Rethrow,
    TryBegin,
    TryEnd,
)
from automate.machine.runs_kept import KeptRuns
from automate.machine.stage import DONE, Done, Failed, Needless, Outcome, Stage, Still
from automate.machine.state import Run, Waiting
from automate.recipe.selectors import selects
from automate.recipe.steps import Announce, Command, Notify, Wait
from automate.recipe.template import TOLD_LIMIT, render

__all__ = ["TOO_LONG", "WalkingRuns"]

# A step that takes no longer than this takes no time: a pause after it still counts from the
# moment before it.
_SHORTLY_SECONDS: Final = 1.0
TOO_LONG: Final = "it took longer than it may"


class WalkingRuns(KeptRuns):
    """The runs, on their way."""

    def go_on(self, run: Run, at: float, ask: Callable[[object, Stage], Outcome]) -> None:
        """Ask the step that *run* waits in how it stands, and go on if it is over."""
        instruction = self._program(run).code[run.position]
        if run.waiting is None or not isinstance(instruction, Do) or run.id not in self.state.runs:
            return
        waiting = run.waiting
        before = _looks(waiting)
        outcome = ask(instruction.step, self._stage(run, at))
        now = run.waiting
        if isinstance(outcome, Still):
            # For a flood of lines that change nothing, nothing is to be done here.
            if now is not waiting or outcome.is_news or before != _looks(now):
                self.set_timers(run)
                self._note(run)
            return
        self._end_step(run, outcome, at, cursor=_reached(instruction, run, waiting, at))
        self._advance(run, at)

    # ------------------------------------------------------------ through the program

    def _advance(self, run: Run, at: float) -> None:
        """Go through the program until a step waits, or the run is over."""
        program = self._program(run)
        code = program.code
        self._note(run)
        self._moved.add(run.id)
        while True:
            place = run.position
            match code[place]:
                case Do(step=step):
                    if self._is_refused(run):
                        outcome: Outcome = Failed(run.cut or TOO_LONG)
                    else:
                        outcome = doing.begin(step, self._stage(run, at))
                    if isinstance(outcome, Still):
                        self.trace(run, "step", _words(step, run, self._values(run)))
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
                    tries.begin_try(run, step, at)
                    run.position = place + 1
                case TryEnd() as end:
                    if self._end_try(run, end, at):
                        return
                case Rethrow() as rethrow:
                    is_out = run.broken_at is not None and run.broken_at >= rethrow.since
                    is_out = is_out and (not rethrow.presses_on or self._is_ended(run))
                    run.position = rethrow.on_failure if is_out else place + 1
                case IfFailed(otherwise=otherwise):
                    failed = run.error is not None and not run.replaced
                    run.position = place + 1 if failed else otherwise
                case End():
                    self._finish(run, at)
                    return

    def _is_ended(self, run: Run) -> bool:
        """Whether *run* is on its way to its end, there being nothing left to do."""
        return run.needless is not None and not self._program(run).tidies(run.position)

    def _is_refused(self, run: Run) -> bool:
        """Whether *run* may begin nothing where it stands."""
        if run.cut is None and not run.tries:
            return False
        return tries.is_to_be_left(run, self._program(run))

    def _end_step(self, run: Run, outcome: Outcome, at: float, *, cursor: float) -> None:
        program = self._program(run)
        instruction = program.code[run.position]
        assert isinstance(instruction, Do | Fork | Again)
        if run.waiting is not None and isinstance(outcome, Done):
            self.trace(run, "step done")
        run.waiting = None
        run.cursor = cursor
        self._note(run)
        goes_on = instruction.presses_on and not self._is_refused(run)
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
            case Needless(reason=reason) if not program.tidies(run.position):
                run.broken_at = run.position
                run.needless = reason
                goes_on = False
            case Done() | Needless() | Still():
                # What is done always is done, though there may be no need to wait for it.
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
        is_refused = self._is_refused(run)
        if not servers and not is_refused and self.manner.is_alone:
            # A recording has one server: what is done on others leaves no mark on it.
            self.trace(run, "unconfirmed", f"{fork.on}: not on this recording")
            self._end_step(run, DONE, at, cursor=run.cursor)
            return False
        if not servers or is_refused:
            named = " or ".join(map(str, fork.on.servers)) if fork.on else ""
            reason = f"no server here is meant by {named}"
            if is_refused:
                reason = run.cut or TOO_LONG
            self._end_step(run, Failed(reason), at, cursor=run.cursor)
            return False
        run.waiting = Waiting(since=at)
        self.trace(run, "step", "side by side" if fork.on is None else str(fork.on))
        branches = [
            self._new_branch(run, server, start, with_server=fork.on is not None)
            for server in servers
            for start in fork.starts
        ]
        run.waiting.branches = [branch.id for branch in branches]
        self.set_timers(run)
        self._forking.add(run.id)
        for branch in branches:
            self._advance(branch, at)
        self._forking.remove(run.id)
        if run.waiting.branches:
            return True
        self._join(run, at)
        return False

    def _new_branch(self, run: Run, server: str, start: int, *, with_server: bool) -> Run:
        values = dict(run.values)
        if with_server:
            values |= {"server": self.servers[server].name, "server_id": server}
        branch = self._new_run(server, run.recipe, run.version, run.cursor, values)
        branch.home, branch.root, branch.parent = run.home, run.root, run.id
        branch.position = start
        return branch

    def _branch_over(self, branch: Run, at: float) -> None:
        run = self.state.runs.get(branch.parent or 0)
        if run is None or run.waiting is None or branch.id not in run.waiting.branches:
            return
        waiting = run.waiting
        waiting.branches.remove(branch.id)
        # All of it has come as far as the last of them.
        waiting.meant_at = max(waiting.meant_at or run.cursor, branch.cursor)
        if branch.error is not None:
            waiting.error = waiting.error or branch.error
        self._note(run)
        if not waiting.branches and run.id not in self._forking:
            self._join(run, at)
            self._advance(run, at)

    def _join(self, run: Run, at: float) -> None:
        assert run.waiting is not None
        error, meant_at = run.waiting.error, run.waiting.meant_at
        outcome = DONE if error is None else Failed(error)
        self._end_step(run, outcome, at, cursor=at if meant_at is None else meant_at)

    # ------------------------------------------------------------ again and again

    def _again(self, run: Run, again: Again, at: float) -> None:
        place, step = run.position, again.step
        rounds = tries.count_round(run, place)
        if step.times is not None:
            is_over = rounds >= step.times
        else:
            assert step.until is not None
            verdict = judge(step.until, self.view(run.server, run.recipe, at))
            self.trace(run, "condition", verdict.words)
            is_over = verdict.holds is True
        if not is_over and (step.times is not None or rounds < step.at_most):
            tries.forget_rounds(run, again.start, place)
            run.position = again.start
            return
        del run.rounds[place]
        outcome = DONE if is_over else Failed(f"after {rounds} rounds still not: {step.until}")
        self._end_step(run, outcome, at, cursor=run.cursor)

    def _end_try(self, run: Run, end: TryEnd, at: float) -> bool:
        """Leave what may be tried again; return whether the run has to wait for the next try."""
        match tries.end_try(run, end, self._program(run), at):
            case None:
                run.position += 1
                return False
            case tries.Leave(error=error, goes_on=goes_on):
                if goes_on:
                    self.trace(run, "going on", error)
                is_left = self._is_ended(run) or self._is_refused(run)
                goes_on = goes_on or (end.presses_on and not is_left)
                run.position = run.position + 1 if goes_on else end.on_failure
                return False
            case tries.Retry(number=number, pause_seconds=pause):
                self.trace(run, "retry", f"{number} of {end.step.retries}, in {pause:g} s")
                run.cursor = at
                if pause <= 0:
                    run.position = end.begin + 1
                    return False
                run.waiting = Waiting(since=at, until=at + pause)
                self.set_timers(run)
                return True

    def _values(self, run: Run) -> dict[str, str]:
        return self.state.servers[run.server].variables | run.values

    # ------------------------------------------------------------ the end

    def _finish(self, run: Run, at: float) -> None:
        self.timers.put(self._place(run), ())
        self._note(run)
        self._moved.discard(run.id)
        self._running.remove(run)
        if run.parent is not None:
            self._branch_over(run, at)
            return
        outcome: Outcome = DONE
        if run.error is not None:
            outcome = Failed(run.error)
            self.trace(run, "failed", run.error)
        else:
            self.trace(run, "done", run.needless or "")
        for other in self.of(run.server):
            if other.waiting is not None and other.waiting.child == run.id:
                self.go_on(other, at, lambda step, stage: doing.ended(step, stage, outcome))
        self.over.append((run, outcome))


def _looks(waiting: Waiting | None) -> tuple[object, ...]:
    """Return what shows that a step remembers something else than before."""
    if waiting is None:
        return ()
    return (
        waiting.until,
        waiting.again,
        waiting.call,
        waiting.phase,
        waiting.asked,
        waiting.left,
        waiting.uuid,
    )


def _reached(instruction: Do, run: Run, waiting: Waiting, at: float) -> float:
    """Return the moment up to which *run* has come by a step that is over now, *at*."""
    if waiting.until is not None and waiting.until <= at:
        if instruction.keeps_time and waiting.meant_at is not None:
            return waiting.meant_at
        return waiting.until
    is_quick = isinstance(instruction.step, Command | Announce | Notify)
    if instruction.keeps_time or (is_quick and at - waiting.since <= _SHORTLY_SECONDS):
        return run.cursor
    return at


def _words(step: object, run: Run, values: Mapping[str, str]) -> str:
    """Return what *run* now waits in, with the pause or the text that it has come to."""
    waiting = run.waiting
    match step:
        case Command(text=text):
            return f"command {render(text, values)!r}"
        case Announce(text=text):
            return f"announce {render(text, values)!r}"
        case Notify(text=text):
            told = render(text, values, limit=TOLD_LIMIT).partition("\n")[0]
            return f"notify {told!r}"
    if isinstance(step, Wait) and waiting is not None and waiting.until is not None:
        step = evolve(step, seconds=round(waiting.until - waiting.since, 4))
    return str(step)

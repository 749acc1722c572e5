"""The recipes' machine: what was heard and when, to what is to be done.

No clock, no chance, no I/O: the same inputs give the same outputs. Moments are seconds since
*origin*, which the wall clock of schedules is counted from. Hand over timers first: call `due`
until `wake_at` lies ahead of a moment before that moment's inputs. Sending, asking the panel
and telling people is left to whoever owns the machine.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from automate.machine import doing
from automate.machine.actions import Output, Traced
from automate.machine.doing import Answer
from automate.machine.matching import Values, match_change, match_fall, match_line
from automate.machine.program import Do, End, Program, Rethrow, compile_escalation, compile_recipe
from automate.machine.stage import Done, Failed, Manner, Needless, Outcome, Stage, Still
from automate.machine.state import RecipeBook, Run, ServerBook, State
from automate.machine.timers import Timer, Timers
from automate.machine.world import Changed, Fell, Found, Occurrence
from automate.recipe.recipe import Recipe
from automate.recipe.schedule import next_after
from automate.recipe.steps import Step, WaitUntil
from automate.recipe.triggers import (
    At,
    ConsoleLine,
    Crashed,
    Cron,
    Every,
    FoundOffline,
    Schedule,
    StatusChanged,
    Trigger,
)
from automate.wire import messages as m
from automate.wire.console import clean, daemon_line
from automate.wire.messages import PowerState

__all__ = ["RecipeMachine"]

_UP: Final = (PowerState.RUNNING, PowerState.STARTING)


class RecipeMachine:
    """All recipes for all servers of one process.

    *servers* maps each server's id to the name that texts use for it. *recipes* act in the
    order given wherever several act at one moment.
    """

    def __init__(
        self,
        recipes: Sequence[Recipe],
        servers: Mapping[str, str],
        *,
        origin: datetime,
        manner: Manner | None = None,
    ) -> None:
        self._recipes = list(recipes)
        self._names = dict(servers)
        self._origin = origin
        self._manner = manner or Manner()
        self._programs: dict[str, Program] = {r.name: compile_recipe(r) for r in recipes}
        self._escalations: dict[str, Program] = {r.name: compile_escalation(r) for r in recipes}
        self._ranks = {recipe.name: rank for rank, recipe in enumerate(recipes)}
        self._servers = list(servers)
        self._server_ranks = {server: rank for rank, server in enumerate(servers)}
        self._line_triggers = [
            (recipe, trigger)
            for recipe in recipes
            for trigger in recipe.when
            if isinstance(trigger, ConsoleLine)
        ]
        self._timers = Timers()
        self._output: list[Output] = []
        self.state = State()
        for server in servers:
            self._open_books(server)
            self._schedule_all(server, 0.0)

    # ------------------------------------------------------------ inputs

    def heard(self, server: str, message: m.ServerMessage, at: float) -> list[Output]:
        """Return what to do now that the server said *message*."""
        book = self.state.servers[server]
        if type(message) is m.ConsoleOutput and daemon_line(message.line) is None:
            if self._line_triggers or self.state.runs:
                self._said(server, clean(message.line), at)
        else:
            world = book.world
            settles_at = world.settles_at
            for occurrence in world.observe(message, at):
                self._happened(server, occurrence, at)
            if world.settles_at is not None and world.settles_at != settles_at:
                self._timers.add((world.settles_at, self._server_ranks[server], -1, 0))
        return self._taken()

    def linked(self, server: str, at: float) -> list[Output]:
        """Return what to do now that the server can be reached."""
        book = self.state.servers[server]
        book.connected = True
        for run in self._runs(server):
            self._go_on(run, at, doing.linked)
        return self._taken()

    def unlinked(self, server: str, at: float) -> list[Output]:
        """Return what to do now that the connection is lost, and with it what happens next."""
        book = self.state.servers[server]
        book.connected = False
        book.world.lose_sight()
        return self._taken()

    def blinded(self, server: str, at: float) -> list[Output]:
        """Return what to do now that events are being lost on a connection that stands."""
        self.state.servers[server].world.lose_sight()
        return self._taken()

    def asked(self, server: str, recipe: str, at: float) -> list[Output]:
        """Return what to do now that somebody asks for *recipe*."""
        self._fire(server, self._recipes[self._ranks[recipe]], at, at, {})
        return self._taken()

    def answered(self, call: int, answer: Answer, at: float) -> list[Output]:
        """Return what to do now that an action's *call* has its *answer*."""
        for run in list(self.state.runs.values()):
            if run.waiting and run.waiting.call == call:
                run.waiting.call = None
                self._go_on(run, at, lambda step, stage: doing.answered(step, stage, answer))
        return self._taken()

    def due(self, at: float) -> list[Output]:
        """Return what to do at the next moment that is due by *at*; see `wake_at`."""
        timer = self._timers.pop(at)
        if timer is not None:
            self._timer_due(timer)
        return self._taken()

    def over(self, at: float) -> list[Output]:
        """Return what to do now that the tape is over: schedules stop, nobody answers."""
        self._manner.answers = False
        for books in self.state.servers.values():
            for book in books.recipes.values():
                book.due = [None] * len(book.due)
        for run in list(self.state.runs.values()):
            self._go_on(run, at, doing.over)
        return self._taken()

    @property
    def wake_at(self) -> float | None:
        """The moment at which `due` is to be called next, if nothing else happens before."""
        return self._timers.next_at

    @property
    def busy(self) -> list[Run]:
        """The runs that are not over."""
        return list(self.state.runs.values())

    # ------------------------------------------------------------ saving

    def save(self) -> Any:
        """Return the whole state as plain values, fit for JSON."""
        import cattrs  # slow to import, and only needed here

        return cattrs.unstructure(self.state)

    def restore(self, saved: Any) -> None:
        """Go on from a *saved* state; moments still count from the same origin."""
        import cattrs  # slow to import, and only needed here

        self.state = cattrs.structure(saved, State)
        self._timers = Timers()
        for server, books in self.state.servers.items():
            if books.world.settles_at is not None:
                self._timers.add((books.world.settles_at, self._server_ranks[server], -1, 0))
            for name, book in books.recipes.items():
                for number, moment in enumerate(book.due):
                    self._add_schedule(server, name, number, moment)
        for run in self.state.runs.values():
            self._add_timers(run)

    # ------------------------------------------------------------ what happens

    def _said(self, server: str, line: str, at: float) -> None:
        for run in self._runs(server):
            if self._waits_for_line(run):
                self._go_on(run, at, lambda step, stage: doing.said(step, stage, line))
        for recipe, trigger in self._line_triggers:
            values = match_line(trigger, line)
            if values is not None:
                self._fire(server, recipe, at, at, values)

    def _happened(self, server: str, occurrence: Occurrence, at: float) -> None:
        for run in self._runs(server):
            self._go_on(run, at, lambda step, stage: doing.happened(step, stage, occurrence))
        for recipe in self._recipes:
            for trigger in recipe.when:
                values = _match(trigger, occurrence)
                if values is not None:
                    moment = occurrence.fall.at if isinstance(occurrence, Fell) else at
                    self._fire(server, recipe, moment, at, values)
                    break

    def _timer_due(self, timer: Timer) -> None:
        at, server_rank, recipe_rank, number = timer
        server = self._servers[server_rank]
        if recipe_rank < 0:
            for occurrence in self.state.servers[server].world.settle(at):
                self._happened(server, occurrence, at)
        elif number <= 0:
            self._schedule_due(server, self._recipes[recipe_rank], -number, at)
        else:
            run = self.state.runs.get(number)
            if run and run.waiting and at in (run.waiting.until, run.waiting.again):
                self._go_on(run, at, doing.due)

    # ------------------------------------------------------------ schedules

    def _open_books(self, server: str) -> None:
        books = {recipe.name: RecipeBook() for recipe in self._recipes}
        self.state.servers[server] = ServerBook(recipes=books)

    def _schedule_all(self, server: str, at: float) -> None:
        for recipe in self._recipes:
            book = self.state.servers[server].recipes[recipe.name]
            book.due = [self._next(trigger, at) for trigger in recipe.when]
            for number, moment in enumerate(book.due):
                self._add_schedule(server, recipe.name, number, moment)

    def _next(self, trigger: Trigger, at: float) -> float | None:
        if not isinstance(trigger, Schedule):
            return None
        moment = next_after(trigger, self._origin.astimezone(UTC) + timedelta(seconds=at))
        return None if moment is None else (moment - self._origin).total_seconds()

    def _add_schedule(self, server: str, recipe: str, number: int, moment: float | None) -> None:
        if moment is not None:
            place = (self._server_ranks[server], self._ranks[recipe], -number)
            self._timers.add((moment, *place))

    def _schedule_due(self, server: str, recipe: Recipe, number: int, at: float) -> None:
        book = self.state.servers[server].recipes[recipe.name]
        if book.due[number] != at:
            return
        book.due[number] = self._next(recipe.when[number], at)
        self._add_schedule(server, recipe.name, number, book.due[number])
        self._fire(server, recipe, at, at, {})

    # ------------------------------------------------------------ runs

    def _fire(self, server: str, recipe: Recipe, moment: float, at: float, values: Values) -> None:
        """Begin a run of *recipe*, if nothing holds it back; it counts from *moment*."""
        books = self.state.servers[server]
        book = books.recipes[recipe.name]
        reason = self._held_back(server, recipe, books)
        if reason is not None:
            self._trace(server, recipe.name, None, "held back", reason)
            return
        escalating = False
        if recipe.limit:
            since = moment - recipe.limit.within_seconds
            book.triggered = [one for one in book.triggered if one > since]
            escalating = len(book.triggered) >= recipe.limit.times
            if escalating and book.gave_up:
                self._trace(server, recipe.name, None, "held back", str(recipe.limit))
                return
            book.gave_up = escalating
            if not escalating:
                book.triggered.append(moment)
        self._begin(server, recipe, moment, at, values, escalating=escalating)

    def _held_back(self, server: str, recipe: Recipe, books: ServerBook) -> str | None:
        if recipe.only_if and books.world.status not in recipe.only_if.states:
            return f"the server is {books.world.status or 'in an unknown state'}"
        if any(run.recipe == recipe.name for run in self._runs(server)):
            return "it is still running"
        return None

    def _begin(
        self,
        server: str,
        recipe: Recipe,
        moment: float,
        at: float,
        values: Values,
        *,
        escalating: bool,
    ) -> None:
        self.state.last_run += 1
        book = self.state.servers[server].recipes[recipe.name]
        known = {
            "server": self._names[server],
            "server_id": server,
            "recipe": recipe.name,
            "attempt": str(book.attempts + 1),
        }
        run = Run(
            id=self.state.last_run,
            server=server,
            recipe=recipe.name,
            escalating=escalating,
            cursor=moment,
            values=known | values,
        )
        self.state.runs[run.id] = run
        self._trace(server, recipe.name, run.id, "triggered", values.get("reason", ""))
        self._advance(run, at)

    def _advance(self, run: Run, at: float) -> None:
        """Go through the program until a step waits, or the run is over."""
        program = self._program(run)
        while True:
            match program[run.position]:
                case Do(step=step):
                    outcome = doing.begin(step, self._stage(run, at))
                    if isinstance(outcome, Still):
                        self._trace(run.server, run.recipe, run.id, "step", str(step))
                        self._add_timers(run)
                        return
                    # A step that takes no time leaves the cursor where it is: a pause after
                    # it still counts from the trigger's moment.
                    self._end_step(run, outcome, at, cursor=run.cursor)
                case Rethrow(on_failure=place):
                    ending = run.error is not None or run.needless is not None
                    run.position = place if ending else run.position + 1
                case End(only_if_fine=True) if run.error is not None:
                    run.position += 1
                case End():
                    self._finish(run)
                    return

    def _go_on(self, run: Run, at: float, ask: Callable[[Step, Stage], Outcome]) -> None:
        """Ask the step that *run* waits in how it stands, and go on if it is over."""
        instruction = self._program(run)[run.position]
        if run.waiting is None or not isinstance(instruction, Do):
            return
        waiting = run.waiting
        moments = (waiting.until, waiting.again)
        outcome = ask(instruction.step, self._stage(run, at))
        if isinstance(outcome, Still):
            if moments != (waiting.until, waiting.again):
                self._add_timers(run)
            return
        reached = waiting.until if waiting.until is not None and waiting.until <= at else at
        self._end_step(run, outcome, at, cursor=reached)
        self._advance(run, at)

    def _end_step(self, run: Run, outcome: Outcome, at: float, *, cursor: float) -> None:
        instruction = self._program(run)[run.position]
        assert isinstance(instruction, Do)
        run.waiting = None
        run.cursor = cursor
        match outcome:
            case Failed(reason=reason):
                self._trace(run.server, run.recipe, run.id, "step failed", reason)
                if run.error is None:
                    run.error = run.values["error"] = reason
                run.position = (
                    run.position + 1 if instruction.presses_on else instruction.on_failure
                )
            case Needless(reason=reason) if not instruction.presses_on:
                run.needless = reason
                run.position = instruction.on_failure
            case Done() | Needless() | Still():
                run.position += 1

    def _finish(self, run: Run) -> None:
        del self.state.runs[run.id]
        if run.error is not None:
            self._trace(run.server, run.recipe, run.id, "failed", run.error)
        else:
            self._trace(run.server, run.recipe, run.id, "done", run.needless or "")

    # ------------------------------------------------------------ small things

    def _program(self, run: Run) -> Program:
        return (self._escalations if run.escalating else self._programs)[run.recipe]

    def _stage(self, run: Run, at: float) -> Stage:
        books = self.state.servers[run.server]
        return Stage(
            state=self.state,
            server=books,
            book=books.recipes[run.recipe],
            run=run,
            manner=self._manner,
            at=at,
            output=self._output,
        )

    def _runs(self, server: str) -> list[Run]:
        """Return the server's runs, in the order of the recipes."""
        if not self.state.runs:
            return []
        mine = [run for run in self.state.runs.values() if run.server == server]
        return sorted(mine, key=lambda run: (self._ranks[run.recipe], run.id))

    def _waits_for_line(self, run: Run) -> bool:
        instruction = self._program(run)[run.position]
        return (
            isinstance(instruction, Do)
            and isinstance(instruction.step, WaitUntil)
            and isinstance(instruction.step.trigger, ConsoleLine)
        )

    def _add_timers(self, run: Run) -> None:
        if run.waiting is None:
            return
        place = (self._server_ranks[run.server], self._ranks[run.recipe], run.id)
        for moment in {run.waiting.until, run.waiting.again}:
            if moment is not None:
                self._timers.add((moment, *place))

    def _trace(
        self, server: str, recipe: str, run: int | None, what: str, detail: str = ""
    ) -> None:
        self._output.append(Traced(server=server, recipe=recipe, run=run, what=what, detail=detail))

    def _taken(self) -> list[Output]:
        if not self._output:
            return self._output
        output, self._output = self._output, []
        return output


def _match(trigger: Trigger, occurrence: Occurrence) -> Values | None:
    """Return what *trigger* offers to texts if *occurrence* is what it means."""
    match trigger, occurrence:
        case Crashed(), Fell():
            return match_fall(trigger, occurrence)
        case StatusChanged(), Changed():
            return match_change(trigger, occurrence)
        case FoundOffline(), Found(was=was, to=PowerState.OFFLINE) if was in _UP:
            return {"reason": "was found offline after a lost connection"}
        case ((Every() | At() | Cron()), _):
            return None
        case _:
            return None

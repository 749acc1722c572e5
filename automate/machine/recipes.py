"""The recipes' machine: what was heard and when, to what is to be done.

No clock, no chance, no I/O: the same inputs give the same outputs. Moments are seconds since
*origin*, which the wall clock of schedules is counted from. Hand over timers first: call `due`
until `wake_at` lies ahead of a moment before that moment's inputs. Sending, asking the panel
and telling people is left to whoever owns the machine; what a run does next, to `runs`.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from zlib import crc32

from attrs import evolve

from automate.errors import UsageError
from automate.machine import doing
from automate.machine.actions import Output
from automate.machine.doing import Answer
from automate.machine.matching import Values, match_change, match_fall, match_line
from automate.machine.runs import Runs
from automate.machine.stage import Manner
from automate.machine.state import OldLines, RecipeBook, Run, ServerBook, State
from automate.machine.world import Changed, Fell, Found, Occurrence
from automate.recipe.recipe import Recipe
from automate.recipe.schedule import next_after
from automate.recipe.triggers import (
    ConsoleLine,
    Crashed,
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
# The daemon answers `send logs` with the last 150 lines, all within a millisecond or so (PROBED
# 5); nothing marks them. A second leaves room for a slow road, 50 ms for a slow daemon.
_OLD_LINES: Final = 150
_OLD_LINES_BEGIN_SECONDS: Final = 1.0
_OLD_LINES_APART_SECONDS: Final = 0.05


class RecipeMachine:
    """All recipes for all servers of one process.

    *servers* maps each server's id to the name that texts use for it. *recipes* act in the
    order given wherever several act at one moment.

    Raises:
        UsageError: two recipes have one name.
    """

    def __init__(
        self,
        recipes: Sequence[Recipe],
        servers: Mapping[str, str],
        *,
        origin: datetime,
        manner: Manner | None = None,
    ) -> None:
        self._recipes = {recipe.name: recipe for recipe in recipes}
        if len(self._recipes) < len(recipes):
            raise UsageError("two recipes have the same name; give each its own")
        self._origin = origin.astimezone(UTC)
        self._ranks = {name: rank for rank, name in enumerate(self._recipes)}
        self._servers = list(servers)
        self._server_ranks = {server: rank for rank, server in enumerate(servers)}
        # Apart from the other triggers, for lines are what comes in floods.
        self._line_triggers = {
            recipe.name: triggers
            for recipe in recipes
            if (triggers := [one for one in recipe.when if isinstance(one, ConsoleLine)])
        }
        self._runs = Runs(recipes, servers, manner=manner or Manner())
        self._open_books(0.0)

    @property
    def state(self) -> State:
        """Everything remembered; for reading."""
        return self._runs.state

    # ------------------------------------------------------------ inputs

    def heard(self, server: str, message: m.ServerMessage, at: float) -> list[Output]:
        """Return what to do now that the server said *message*."""
        book = self.state.servers[server]
        if type(message) is m.ConsoleOutput and daemon_line(message.line) is None:
            if book.old_lines and self._is_old(book, book.old_lines, at):
                return []
            if self._line_triggers or self.state.runs:
                self._said(server, clean(message.line), at)
        else:
            settles_at = book.world.settles_at
            for occurrence in book.world.observe(message, at):
                self._happened(server, occurrence, at)
            if book.world.settles_at != settles_at:
                self._set_settling(server)
        return self._taken()

    def linked(self, server: str, at: float, *, asks_logs: bool = True) -> list[Output]:
        """Return what to do now that the server can be reached.

        *asks_logs*: the last console lines are asked for at once, so `logs_asked` is implied.
        """
        self.state.servers[server].connected = True
        if asks_logs:
            self.logs_asked(server, at)
        for run in self._runs.of(server):
            self._runs.go_on(run, at, doing.linked)
        return self._taken()

    def logs_asked(self, server: str, at: float) -> None:
        """Note that the last console lines are asked for: they come again, and are not news."""
        until = at + _OLD_LINES_BEGIN_SECONDS
        self.state.servers[server].old_lines = OldLines(_OLD_LINES, until)

    def unlinked(self, server: str, at: float) -> list[Output]:
        """Return what to do now that the connection is lost, and with it what happens next."""
        self.state.servers[server].connected = False
        return self.blinded(server, at)

    def blinded(self, server: str, at: float) -> list[Output]:
        """Return what to do now that events are being lost on a connection that stands."""
        self.state.servers[server].world.lose_sight()
        self._set_settling(server)
        return self._taken()

    def asked(self, server: str, recipe: str, at: float) -> list[Output]:
        """Return what to do now that somebody asks for *recipe*.

        Raises:
            UsageError: there is no such recipe.
        """
        if recipe not in self._recipes:
            raise UsageError(
                f"no recipe is called {recipe!r}; there are: {', '.join(sorted(self._recipes))}"
            )
        self._fire(server, self._recipes[recipe], at, at, {})
        return self._taken()

    def answered(self, call: int, answer: Answer, at: float) -> list[Output]:
        """Return what to do now that an action's *call* has its *answer*."""
        for run in self._runs.in_order():
            if run.waiting and run.waiting.call == call:
                run.waiting.call = None
                self._runs.go_on(run, at, lambda step, stage: doing.answered(step, stage, answer))
        return self._taken()

    def due(self, at: float) -> list[Output]:
        """Return what to do at the next moment that is due by *at*; see `wake_at`."""
        timer = self._runs.timers.pop(at)
        if timer is not None:
            moment, server_rank, recipe_rank, number = timer
            server = self._servers[server_rank]
            if recipe_rank < 0:
                self._settle(server, moment)
            elif number > 0:
                self._runs.due(number, moment)
            else:
                self._schedule_due(server, list(self._recipes.values())[recipe_rank], moment)
        return self._taken()

    def over(self, at: float) -> list[Output]:
        """Return what to do now that the tape is over: schedules stop, nobody answers."""
        self._runs.manner = evolve(self._runs.manner, answers=False)
        for server, books in self.state.servers.items():
            for name, book in books.recipes.items():
                self._set_schedules(server, name, [None] * len(book.due))
        for run in self._runs.in_order():
            self._runs.go_on(run, at, doing.over)
        return self._taken()

    def cut_short(self, at: float) -> list[Output]:
        """Return what to do now that all is about to end: what puts something right (`always`)."""
        for run in self._runs.in_order():
            self._runs.cut_short(run, at, "automate was told to end")
        return self._taken()

    @property
    def wake_at(self) -> float | None:
        """The moment at which `due` is to be called next, if nothing else happens before."""
        return self._runs.timers.next_at

    @property
    def busy(self) -> list[Run]:
        """The runs that are not over."""
        return self._runs.in_order()

    @property
    def is_settling(self) -> bool:
        """Whether something that happened is still to be told, as soon as it is certain."""
        return any(book.world.settles_at is not None for book in self.state.servers.values())

    # ------------------------------------------------------------ saving

    def save(self) -> Any:
        """Return the whole state as plain values, fit for JSON."""
        import cattrs  # slow to import, and only needed here

        return cattrs.unstructure(self.state)

    def restore(self, saved: Any, *, at: float = 0.0) -> list[Output]:
        """Go on from a *saved* state; moments still count from the same origin.

        Returned is what ends by it: runs of recipes that were changed or are gone. Schedules
        that were due before *at* are skipped. Where a connection stood, call `unlinked` next.
        """
        import cattrs  # slow to import, and only needed here

        old = cattrs.structure(saved, State)
        state = self.state
        same = {name for name, made_of in state.recipes.items() if old.recipes.get(name) == made_of}
        state.last_run, state.last_call = old.last_run, old.last_call
        for server, old_books in old.servers.items():
            if server not in state.servers:
                continue
            books = state.servers[server]
            books.world, books.connected = old_books.world, old_books.connected
            books.old_lines = old_books.old_lines
            books.recipes |= {name: old_books.recipes[name] for name in same}
            self._set_settling(server)
        for server, books in state.servers.items():
            for name, book in books.recipes.items():
                moments = zip(self._recipes[name].when, book.due, strict=True)
                due = [
                    moment if moment is None or moment >= at else self._next(trigger, at)
                    for trigger, moment in moments
                ]
                self._set_schedules(server, name, due)
        for run in old.runs.values():
            if run.recipe in same and run.server in state.servers:
                state.runs[run.id] = run
                self._runs.set_timers(run)
            else:
                reason = "its recipe or its server was changed while it ran"
                self._runs.trace(run.server, run.recipe, run.id, "failed", reason)
        return self._taken()

    # ------------------------------------------------------------ what happens

    def _is_old(self, book: ServerBook, lines: OldLines, at: float) -> bool:
        """Whether the line said now was said before, and only comes as an answer."""
        if lines.left > 0 and at <= lines.until:
            lines.left -= 1
            lines.until = at + _OLD_LINES_APART_SECONDS
            return True
        book.old_lines = None
        return False

    def _said(self, server: str, line: str, at: float) -> None:
        for run in self._runs.of(server):
            if self._runs.waits_for_line(run):
                self._runs.go_on(run, at, lambda step, stage: doing.said(step, stage, line))
        for name, triggers in self._line_triggers.items():
            found = (match_line(trigger, line) for trigger in triggers)
            values = next((values for values in found if values is not None), None)
            if values is not None:
                self._fire(server, self._recipes[name], at, at, values)

    def _happened(self, server: str, occurrence: Occurrence, at: float) -> None:
        for run in self._runs.of(server):
            self._runs.go_on(run, at, lambda step, stage: doing.happened(step, stage, occurrence))
        moment = occurrence.fall.at if isinstance(occurrence, Fell) else at
        for recipe in self._recipes.values():
            found = (_match(trigger, occurrence) for trigger in recipe.when)
            values = next((values for values in found if values is not None), None)
            if values is not None:
                self._fire(server, recipe, moment, at, values)

    def _settle(self, server: str, at: float) -> None:
        for occurrence in self.state.servers[server].world.settle(at):
            self._happened(server, occurrence, at)
        self._set_settling(server)

    def _set_settling(self, server: str) -> None:
        settles_at = self.state.servers[server].world.settles_at
        self._runs.timers.put((self._server_ranks[server], -1, 0), (settles_at,))

    # ------------------------------------------------------------ schedules

    def _open_books(self, at: float) -> None:
        for name, recipe in self._recipes.items():
            self.state.recipes[name] = crc32(repr(recipe).encode("utf-8", "surrogatepass"))
        for server in self._servers:
            books = {name: RecipeBook() for name in self._recipes}
            self.state.servers[server] = ServerBook(recipes=books)
            for name, recipe in self._recipes.items():
                due = [self._next(trigger, at) for trigger in recipe.when]
                self._set_schedules(server, name, due)

    def _next(self, trigger: Trigger, at: float) -> float | None:
        if not isinstance(trigger, Schedule):
            return None
        moment = next_after(trigger, self._origin + timedelta(seconds=at))
        return None if moment is None else (moment - self._origin).total_seconds()

    def _set_schedules(self, server: str, recipe: str, due: list[float | None]) -> None:
        self.state.servers[server].recipes[recipe].due = due
        # One place for all of them: what is due by two of them at one moment is due once.
        self._runs.timers.put((self._server_ranks[server], self._ranks[recipe], 0), due)

    def _schedule_due(self, server: str, recipe: Recipe, at: float) -> None:
        later = [self._next(trigger, at) for trigger in recipe.when]
        self._set_schedules(server, recipe.name, later)
        self._fire(server, recipe, at, at, {})

    # ------------------------------------------------------------ setting off

    def _fire(self, server: str, recipe: Recipe, moment: float, at: float, values: Values) -> None:
        """Begin a run of *recipe*, if nothing holds it back; it counts from *moment*."""
        books = self.state.servers[server]
        book = books.recipes[recipe.name]
        reason = self._held_back(server, recipe, books)
        escalating = False
        if reason is None and recipe.limit:
            since = moment - recipe.limit.within_seconds
            book.triggered = [one for one in book.triggered if one > since]
            escalating = len(book.triggered) >= recipe.limit.times
            if escalating and book.gave_up:
                reason = str(recipe.limit)
            elif not escalating:
                book.triggered.append(moment)
            book.gave_up = escalating
        if reason is not None:
            self._runs.trace(server, recipe.name, None, "held back", reason)
        else:
            self._runs.begin(server, recipe.name, moment, at, values, escalating=escalating)

    def _held_back(self, server: str, recipe: Recipe, books: ServerBook) -> str | None:
        if recipe.only_if and books.world.status not in recipe.only_if.states:
            return f"the server is {books.world.status or 'in an unknown state'}"
        if self._runs.is_running(server, recipe.name):
            return "it is still running"
        return None

    def _taken(self) -> list[Output]:
        output = self._runs.output
        if output:
            self._runs.output = []
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
        case _:
            return None

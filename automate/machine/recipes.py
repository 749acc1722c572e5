"""The recipes' machine: what was heard and when, to what is to be done.

No clock, no chance, no I/O: the same inputs give the same outputs. Moments are seconds since
*origin*, which the wall clock of schedules is counted from. Hand over timers first: call `due`
until `wake_at` lies ahead of a moment before that moment's inputs. Sending, asking the panel
and telling people is left to whoever owns the machine; what a run does next, to `runs`.
"""

import math
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from attrs import evolve

from automate.errors import UsageError
from automate.machine import doing
from automate.machine.actions import Output
from automate.machine.answer import Answer
from automate.machine.console import forget_players, nobody_online, players_known, read_line
from automate.machine.first_sight import FirstSight
from automate.machine.keeping import Parts
from automate.machine.launching import Called, Launching
from automate.machine.memory import Memory
from automate.machine.occurrence import (
    Changed,
    Found,
    Linked,
    Occurrence,
    Reported,
    RunEnded,
    Said,
    Unlinked,
)
from automate.machine.roster import Roster
from automate.machine.runs import Runs
from automate.machine.sight import Sight
from automate.machine.stage import Failed, Manner
from automate.machine.state import Run, ServerBook, State
from automate.machine.timetable import Timetable
from automate.machine.view import View
from automate.machine.watches import feed
from automate.recipe.recipe import Recipe
from automate.recipe.selectors import ServerFacts
from automate.wire import messages as m
from automate.wire.console import clean, daemon_line
from automate.wire.messages import PowerState

__all__ = ["RecipeMachine"]

# A recipe whose end sets off another, and so on in a circle, would never let go of a moment.
_ENDS_AT_ONCE: Final = 100
# Whoever owns the machine may be busy for a moment; what comes later than this comes after a
# sleep, or a restart, and the world is not as it was at the moment that was meant.
_IN_TIME_SECONDS: Final = 1.0
# In place of a recipe's rank: the moment up to which a server's first sight is waited for.
_FIRST_SIGHT: Final = -2


class RecipeMachine:
    """All recipes for all servers of one process.

    *servers* maps each server's id to what is known of it, or just to the name that texts use
    for it. *recipes* act in the order given wherever several act at one moment. *seed* is the
    chance in the jitter of schedules. *at* is the moment at which it begins.

    Raises:
        UsageError: two recipes have one name.
    """

    def __init__(
        self,
        recipes: Sequence[Recipe],
        servers: Mapping[str, str | ServerFacts],
        *,
        origin: datetime,
        manner: Manner | None = None,
        seed: int = 0,
        at: float = 0.0,
    ) -> None:
        self._facts = {
            server: facts if isinstance(facts, ServerFacts) else ServerFacts(name=facts)
            for server, facts in servers.items()
        }
        self._servers = list(servers)
        self._sights = {server: Sight() for server in servers}
        self._timetable = Timetable(origin.astimezone(UTC), seed=seed)
        self._runs = runs = Runs(self._facts, manner=manner or Manner())
        self._roster = Roster(
            runs,
            self._facts,
            self._timetable,
            view=self._view,
            dropped=lambda pending, reason: self._launching.drop(pending, reason),
        )
        self._launching = Launching(runs, self._roster, view=self._view)
        self._memory = Memory(runs, self._roster)
        self._first_sight = FirstSight()
        runs.view = self._view
        runs.set_off = self._launching.run_recipe
        for server in self._servers:
            self.state.servers[server] = ServerBook()
        self._roster.take(recipes, at)

    @property
    def state(self) -> State:
        """Everything remembered; for reading."""
        return self._runs.state

    # ------------------------------------------------------------ inputs

    def heard(self, server: str, message: m.ServerMessage, at: float) -> list[Output]:
        """Return what to do now that the server said *message*.

        The daemon repeats console lines when it is asked for logs: `SeenLines` takes those out.
        """
        book = self.state.servers[server]
        if type(message) is m.ConsoleOutput and daemon_line(message.line) is None:
            sight = self._sights[server]
            sight.last_line_at = at
            sight.lines.append(message.line)
            if self._roster.listening.hears_lines or self.state.runs:
                self._said(server, clean(message.line), at)
        else:
            settles_at, fall = book.world.settles_at, book.world.fall
            for occurrence in book.world.observe(message, at):
                self._happened(server, occurrence, at)
            if book.world.settles_at != settles_at:
                self._roster.set_settling(server)
            if fall is not None or book.world.fall is not None:
                # It is told a second later, by whoever is there then.
                book.fallen = list(self._sights[server].fallen) if book.world.fall else []
                self._runs.changed.add(f"server:{server}")
            if type(message) is m.StatsReported:
                self._sights[server].stats = message.stats
                self._happened(server, Reported(message.stats), at)
        return self._taken(at)

    def missed(
        self, server: str, message: m.ServerMessage, at: float, *, since: float | None
    ) -> list[Output]:
        """Return what to do now that *message* is told that was said before, unseen.

        When it was said nobody knows, so that it sets nothing off. But a step that waits for it
        is done by it, if it waited *since* then; and what game it is can be learned from it.
        """
        if type(message) is m.ConsoleOutput and daemon_line(message.line) is None:
            self._sights[server].lines.append(message.line)
            said = self._read(server, clean(message.line))
            if since is not None:
                self._awaited(server, said, at, since)
            else:
                self._found_in_log(server, said, at)
        return self._taken(at)

    def linked(self, server: str, at: float) -> list[Output]:
        """Return what to do now that the server can be reached."""
        self.state.servers[server].connected = True
        for run in self._runs.of(server):
            self._runs.go_on(run, at, doing.linked)
        self._happened(server, Linked(), at)
        return self._taken(at)

    def unlinked(self, server: str, at: float) -> list[Output]:
        """Return what to do now that the connection is lost, and with it what happens next."""
        self.state.servers[server].connected = False
        return self.blinded(server, at)

    def blinded(self, server: str, at: float) -> list[Output]:
        """Return what to do now that events are being lost on a connection that stands."""
        book = self.state.servers[server]
        book.world.lose_sight()
        forget_players(book)
        self._roster.set_settling(server)
        self._happened(server, Unlinked(), at)
        return self._taken(at)

    def asked(self, server: str, recipe: str, at: float, *, ticket: str = "") -> list[Output]:
        """Return what to do now that somebody asks for *recipe*.

        With a *ticket* it is told under that what becomes of it, sooner or later: see `called`.

        Raises:
            UsageError: there is no such recipe, or it is not for this server.
        """
        recipes = self._roster.recipes
        if recipe not in recipes:
            raise UsageError(
                f"no recipe is called {recipe!r}; there are: {', '.join(sorted(recipes))}"
            )
        if recipe not in self.state.servers[server].recipes:
            raise UsageError(f"the recipe {recipe!r} is not for {self._facts[server].name}")
        one = recipes[recipe]
        self._launching.fire(server, one, at, at, {}, "asked for", ticket=ticket)
        return self._taken(at)

    def called(self) -> list[Called]:
        """Return what became of those with tickets since this was last asked."""
        called, self._launching.called = self._launching.called, []
        return called

    def answered(self, call: int, answer: Answer, at: float) -> list[Output]:
        """Return what to do now that an action's *call* has its *answer*."""
        self._runs.answered(call, answer, at)
        return self._taken(at)

    def due(self, at: float, *, now: float | None = None) -> list[Output]:
        """Return what to do at the next moment that is due by *at*; see `wake_at`.

        *now* is when it really is. Where that is much later, schedules were missed, and what is
        to be done is done as of now: nobody was there at the moment itself.
        """
        timer = self._runs.timers.pop(at)
        if timer is not None:
            moment, server_rank, recipe_rank, number = timer
            is_in_time = now is None or now - moment <= _IN_TIME_SECONDS
            server = self._servers[server_rank]
            acts_at = moment if is_in_time or now is None else now
            if recipe_rank == _FIRST_SIGHT:
                self._end_first_sight(server, acts_at)
            elif recipe_rank < 0:
                self._settle(server, acts_at)
            elif number == 0:
                recipe = self._roster.ranked[recipe_rank]
                self._recipe_due(server, recipe, moment, acts_at)
            elif self._first_sight.until(server) is None or not self._waits_to_see(number):
                self._runs.due(number, acts_at)
        return self._taken(at)

    def over(self, at: float) -> list[Output]:
        """Return what to do now that the tape is over: nothing is due, nobody answers."""
        self._runs.manner = evolve(self._runs.manner, answers=False)
        self._roster.stop()
        for run in self._runs.in_order():
            self._runs.go_on(run, at, doing.over)
        return self._taken(at)

    def begun(self, at: float = 0.0) -> list[Output]:
        """Return what to do now, *at*, that an engine begins with nothing to go on from.

        All is written down once: what is due when nobody is there has to be known later.
        """
        self._runs.changed |= {"machine", *(f"server:{server}" for server in self._servers)}
        for server in self._servers:
            self._begin_first_sight(server, at)
        return self._taken(at)

    def cut_short(self, at: float) -> list[Output]:
        """Return what to do now that all is about to end: what puts something right (`always`)."""
        for run in self._runs.in_order():
            if run.parent is None and self._runs.puts_right(run):
                self._runs.cut(run, at, "automate was told to end")
        return self._taken(at)

    def clock_set(self, origin: datetime, at: float) -> list[Output]:
        """Return what to do now that the wall clock was set: moments count from *origin* now."""
        self._timetable.origin = origin.astimezone(UTC)
        self._roster.set_schedules(at)
        self._runs.changed |= {"machine", *(f"server:{server}" for server in self._servers)}
        return self._taken(at)

    @property
    def wake_at(self) -> float | None:
        """The moment at which `due` is to be called next, if nothing else happens before."""
        return self._runs.timers.next_at

    @property
    def busy(self) -> list[Run]:
        """The runs that are not over."""
        return [run for run in self._runs.in_order() if run.parent is None]

    @property
    def open_calls(self) -> set[int]:
        """The calls whose answers a step waits for."""
        return {
            run.waiting.call
            for run in self.state.runs.values()
            if run.waiting is not None and run.waiting.call is not None
        }

    @property
    def recipes(self) -> list[str]:
        """The names of the recipes, in their order."""
        return list(self._roster.recipes)

    @property
    def servers(self) -> dict[str, str]:
        """The names of the servers, by id."""
        return {server: facts.name for server, facts in self._facts.items()}

    @property
    def serves(self) -> dict[str, list[str]]:
        """The servers of each recipe that is not for all of them."""
        return self._roster.serves

    @property
    def is_settling(self) -> bool:
        """Whether something that happened is still to be told, as soon as it is certain."""
        return any(book.world.settles_at is not None for book in self.state.servers.values())

    # ------------------------------------------------------------ saving

    def save(self) -> Parts:
        """Return the whole state in parts, as plain values fit for JSON."""
        return self._memory.save()

    @property
    def has_changes(self) -> bool:
        """Whether something changed that is worth keeping."""
        return bool(self._runs.changed)

    def forget_changes(self) -> None:
        """Note that nobody keeps what changed."""
        self._runs.changed.clear()

    def changes(self) -> Parts:
        """Return the parts that changed in a way worth keeping since this was last asked.

        ``None`` is a part that is no more. What changes with every event, and is seen again in
        the world, is no reason to write.
        """
        return self._memory.changes()

    def restore(self, saved: Mapping[str, Any]) -> list[str]:
        """Go on from a *saved* state; moments still count from the same origin.

        Returned is what could not be read, in words. After a restart, call `resume` next.
        """
        return self._memory.restore(saved)

    def resume(self, at: float) -> list[Output]:
        """Return what to do now that another engine goes on, which has seen nothing for a while."""
        for server, book in self.state.servers.items():
            book.connected = False
            book.world.lose_sight()
            forget_players(book)
            self._sights[server].fallen = tuple(book.fallen)
            self._roster.resume(server, at)
            self._roster.set_settling(server)
            self._begin_first_sight(server, at)
        self._runs.output += self._memory.lost_runs
        self._memory.lost_runs = []
        for run in self._runs.in_order():
            if not (self._runs.is_in_doubt(run) and self._runs.looks_next(run)):
                self._runs.resume(run, at)
        return self._taken(at)

    def reload(self, recipes: Sequence[Recipe], at: float) -> list[Output]:
        """Return what to do now that these are the recipes; runs under way end as they began.

        Raises:
            UsageError: two recipes have one name; nothing was changed then.
        """
        self._roster.take(recipes, at)
        for server in self._servers:
            self._set_first_sight(server)
        self._runs.changed |= {f"server:{server}" for server in self._servers}
        return self._taken(at)

    # ------------------------------------------------------------ what happens

    def _read(self, server: str, line: str) -> Said:
        book, facts = self.state.servers[server], self._facts[server]
        if not self._roster.listening.reads_games:
            return Said(line)
        game = book.game
        said = read_line(line, book, facts)
        if book.game != game:
            # What only the start says is not seen again.
            self._runs.changed.add(f"server:{server}")
        return said

    def _said(self, server: str, line: str, at: float) -> None:
        said = self._read(server, line)
        if self.state.runs:
            self._awaited(server, said, at, math.inf)
        for name in self._roster.listening.to_line(said):
            self._feed(server, name, said, at)

    def _awaited(self, server: str, said: Said, at: float, since: float) -> None:
        for run in self._runs.of(server):
            if run.waiting is not None and run.waiting.since <= since:
                self._runs.go_on(run, at, lambda step, stage: doing.happened(step, stage, said))

    def _found_in_log(self, server: str, said: Said, at: float) -> None:
        """Let runs of an engine that is no more have what was said since they wait for it."""
        runs = [run for run in self._runs.of(server) if run.waiting and run.waiting.console]
        places = {run.id: run.waiting.console for run in runs if run.waiting}
        waited = self._sights[server].find(said.line, places)
        for run in runs:
            if run.id in waited:
                self._runs.go_on(run, at, lambda step, stage: doing.happened(step, stage, said))

    def _happened(self, server: str, occurrence: Occurrence, at: float) -> None:
        if isinstance(occurrence, Changed | Found):
            self._note_status(server, occurrence)
            if self._first_sight.until(server) is not None:
                self._first_sight.see(server, at)
                self._set_first_sight(server)
        if self.state.runs:
            for run in self._runs.of(server):
                self._runs.go_on(
                    run, at, lambda step, stage: doing.happened(step, stage, occurrence)
                )
        for name in self._roster.listening.to(type(occurrence)):
            self._feed(server, name, occurrence, at)

    def _note_status(self, server: str, occurrence: Changed | Found) -> None:
        if occurrence.to in (PowerState.OFFLINE, PowerState.STARTING):
            nobody_online(self.state.servers[server])
        if occurrence.to is PowerState.OFFLINE:
            self._sights[server].fall()

    # ------------------------------------------------------------ the first sight

    def _begin_first_sight(self, server: str, at: float) -> None:
        self._first_sight.begin(server, at)
        self._set_first_sight(server)

    def _set_first_sight(self, server: str) -> None:
        place = (self._runs.server_ranks[server], _FIRST_SIGHT, 0)
        self._runs.timers.put(place, (self._first_sight.until(server),))

    def _end_first_sight(self, server: str, at: float) -> None:
        """Do what was due before the server was seen."""
        self._first_sight.end(server)
        for name in list(self.state.servers[server].recipes):
            if name in self._roster.recipes and self._roster.is_late(server, name, at):
                self._recipe_due(server, self._roster.recipes[name], at, at)
        for run in self._runs.of(server):
            if not self._waits_to_see(run.id):
                continue
            if self._runs.is_in_doubt(run):
                self._runs.resume(run, at)
            else:
                self._runs.due(run.id, at)

    def _waits_to_see(self, number: int) -> bool:
        """Whether a run, by its number, is not to go on before its server was seen."""
        run = self.state.runs.get(number)
        return run is not None and not self._runs.has_moved(number) and self._runs.looks_next(run)

    # ------------------------------------------------------------ triggers

    def _feed(self, server: str, name: str, occurrence: Occurrence, at: float) -> None:
        """Show *occurrence* to the triggers of a recipe, and set it off if one of them fires."""
        book = self.state.servers[server].recipes.get(name)
        if book is None or not self._runs.manner.waits:
            return
        recipe, view = self._roster.recipes[name], self._view(server, name, at)
        fired = None
        for trigger, watch, interests in self._roster.listening.triggers(recipe, book):
            if type(occurrence) not in interests:
                continue
            firings, is_changed = feed(trigger, watch, occurrence, at, view)
            if is_changed:
                self._runs.changed.add(f"server:{server}")
                self._roster.set_timers(server, name)
            for firing in firings:
                fired = fired or (firing, trigger)
        if fired:
            firing, trigger = fired
            values = dict(firing.values)
            self._launching.fire(
                server, recipe, firing.moment, at, values, values.get("reason") or str(trigger)
            )

    def _settle(self, server: str, at: float) -> None:
        if self.state.servers[server].world.fall is not None:
            self._runs.changed.add(f"server:{server}")
        for occurrence in self.state.servers[server].world.settle(at):
            self._happened(server, occurrence, at)
        self._roster.set_settling(server)

    def _recipe_due(self, server: str, recipe: Recipe, moment: float, now: float) -> None:
        # Of a server that was not seen yet no condition can be known.
        acts = self._first_sight.until(server) is None or not self._runs.looks_first(recipe)
        dues, fired = self._roster.due(server, recipe, moment, now, schedules=acts)
        for due in dues:
            if due.is_skipped:
                self._runs.hold_back(server, recipe.name, f"{due}: skipped", what="missed")
        come = [due for due in dues if not due.is_skipped]
        if come:
            self._launching.fire(server, recipe, now, now, {}, str(come[0]))
        # Of several captured values each is told for itself.
        for firing, trigger in fired:
            values = dict(firing.values)
            self._launching.fire(server, recipe, firing.moment, now, values, str(trigger))

    # ------------------------------------------------------------ small things

    def _view(self, server: str, recipe: str, at: float) -> View:
        book, sight = self.state.servers[server], self._sights[server]
        players, online = players_known(book)

        def last_run(name: str | None) -> float | None:
            other = book.recipes.get(recipe if name is None else name)
            began = None if other is None else other.last_began
            return None if began is None else at - began

        return View(
            status=book.world.status,
            connected=book.connected,
            facts=self._facts[server],
            last_line_at=sight.last_line_at,
            stats=sight.stats,
            players=players,
            online=online,
            variables=book.variables,
            now=self._timetable.origin + timedelta(seconds=at),
            last_run=last_run,
            last_lines=sight.last_lines,
            recent_lines=sight.recent_lines,
        )

    def _taken(self, at: float) -> list[Output]:
        """Return what there is to do, once what follows from runs that ended is decided, too."""
        ends = 0
        self._launching.tell_callers(at)
        while self._runs.over:
            run, outcome = self._runs.over.pop(0)
            ends += 1
            error = outcome.reason if isinstance(outcome, Failed) else ""
            ended = RunEnded(run.recipe, "failed" if error else "done", error)
            if ends <= _ENDS_AT_ONCE:
                self._happened(run.home, ended, at)
            else:
                self._runs.hold_back(
                    run.home, run.recipe, "recipes set each other off in a circle; stopped here"
                )
            self._launching.begin_queued(run.home, run.recipe, at)
            self._launching.tell_callers(at)
        output = self._runs.output
        if output:
            self._runs.output = []
        return output

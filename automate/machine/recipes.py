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
from automate.machine.actions import Output, Traced
from automate.machine.answer import Answer
from automate.machine.console import forget_players, nobody_online, players_known, read_line
from automate.machine.firing import Go, HeldBack, Queue, Replace, ask_limits, ask_mode
from automate.machine.holding import judge
from automate.machine.keeping import Parts, part_of, read_parts, version_of
from automate.machine.listening import Listening
from automate.machine.matching import Values
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
from automate.machine.runs import Runs
from automate.machine.sight import Sight
from automate.machine.stage import Failed, Manner, Outcome
from automate.machine.state import Pending, RecipeBook, Run, ServerBook, State
from automate.machine.timers import Timers
from automate.machine.timetable import Timetable
from automate.machine.view import View
from automate.machine.watches import due as watch_due
from automate.machine.watches import feed, new_watch, next_at, on_restored
from automate.recipe.checks import duration
from automate.recipe.recipe import Recipe
from automate.recipe.selectors import ServerFacts, selects
from automate.wire import messages as m
from automate.wire.console import clean, daemon_line
from automate.wire.messages import PowerState

__all__ = ["RecipeMachine"]

# A recipe whose end sets off another, and so on in a circle, would never let go of a moment.
_ENDS_AT_ONCE: Final = 100


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
        self._runs = Runs(self._facts, manner=manner or Manner())
        self._runs.view = self._view
        self._runs.set_off = self._set_off
        for server in self._servers:
            self.state.servers[server] = ServerBook()
        self._kept_versions: set[int] = set()
        # What was written by another version and can't be read, put aside under another name.
        self._aside: Parts = {}
        self._lost_runs: list[Traced] = []
        self._take_recipes(recipes, at)

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
            if self._listening.hears_lines or self.state.runs:
                self._said(server, clean(message.line), at)
        else:
            settles_at = book.world.settles_at
            for occurrence in book.world.observe(message, at):
                self._happened(server, occurrence, at)
            if book.world.settles_at != settles_at:
                self._set_settling(server)
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
            said = self._read(server, clean(message.line))
            if since is not None:
                self._awaited(server, said, at, since)
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
        self._set_settling(server)
        self._happened(server, Unlinked(), at)
        return self._taken(at)

    def asked(self, server: str, recipe: str, at: float) -> list[Output]:
        """Return what to do now that somebody asks for *recipe*.

        Raises:
            UsageError: there is no such recipe, or it is not for this server.
        """
        if recipe not in self._recipes:
            raise UsageError(
                f"no recipe is called {recipe!r}; there are: {', '.join(sorted(self._recipes))}"
            )
        if recipe not in self.state.servers[server].recipes:
            raise UsageError(f"the recipe {recipe!r} is not for {self._facts[server].name}")
        self._fire(server, self._recipes[recipe], at, at, {}, "asked for")
        return self._taken(at)

    def answered(self, call: int, answer: Answer, at: float) -> list[Output]:
        """Return what to do now that an action's *call* has its *answer*."""
        for run in self._runs.in_order():
            if run.waiting and run.waiting.call == call:
                run.waiting.call = None
                self._runs.go_on(run, at, lambda step, stage: doing.answered(step, stage, answer))
        return self._taken(at)

    def due(self, at: float, *, now: float | None = None) -> list[Output]:
        """Return what to do at the next moment that is due by *at*; see `wake_at`.

        *now* is when it really is; schedules that are due much earlier were missed.
        """
        timer = self._runs.timers.pop(at)
        if timer is not None:
            moment, server_rank, recipe_rank, number = timer
            server = self._servers[server_rank]
            if recipe_rank < 0:
                self._settle(server, moment)
            elif number > 0:
                self._runs.due(number, moment)
            else:
                recipe = self._ranked[recipe_rank]
                self._recipe_due(server, recipe, moment, moment if now is None else now)
        return self._taken(at)

    def over(self, at: float) -> list[Output]:
        """Return what to do now that the tape is over: schedules stop, nobody answers."""
        self._runs.manner = evolve(self._runs.manner, answers=False)
        for server, books in self.state.servers.items():
            for name, book in books.recipes.items():
                if name in self._recipes:
                    book.due = [None] * len(book.due)
                    self._set_recipe_timers(server, name)
        for run in self._runs.in_order():
            self._runs.go_on(run, at, doing.over)
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
        self._runs.changed.add("machine")
        for server, books in self.state.servers.items():
            for name in books.recipes:
                if name in self._recipes:
                    self._set_schedules(server, name, at)
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
        return list(self._recipes)

    @property
    def servers(self) -> dict[str, str]:
        """The names of the servers, by id."""
        return {server: facts.name for server, facts in self._facts.items()}

    @property
    def serves(self) -> dict[str, list[str]]:
        """The servers of each recipe that is not for all of them."""
        return {
            name: [server for server in self._servers if name in self.state.servers[server].recipes]
            for name, recipe in self._recipes.items()
            if recipe.servers is not None
        }

    @property
    def is_settling(self) -> bool:
        """Whether something that happened is still to be told, as soon as it is certain."""
        return any(book.world.settles_at is not None for book in self.state.servers.values())

    # ------------------------------------------------------------ saving

    def save(self) -> Parts:
        """Return the whole state in parts, as plain values fit for JSON."""
        names = {
            "machine",
            *(f"server:{server}" for server in self.state.servers),
            *(f"run:{number}" for number in self.state.runs),
            *(f"recipe:{run.version}" for run in self.state.runs.values()),
        }
        return {name: self._part(name) for name in sorted(names)}

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
        changed, self._runs.changed = self._runs.changed, set()
        if not changed:
            return {}
        versions = {run.version for run in self.state.runs.values()}
        parts = {name: self._part(name) for name in sorted({*changed, "machine"})}
        parts |= self._aside
        self._aside = {}
        for version in sorted(versions - self._kept_versions):
            parts[f"recipe:{version}"] = self._part(f"recipe:{version}")
        for version in sorted(self._kept_versions - versions):
            parts[f"recipe:{version}"] = None
        self._kept_versions = versions
        return parts

    def restore(self, saved: Mapping[str, Any]) -> list[str]:
        """Go on from a *saved* state; moments still count from the same origin.

        Returned is what could not be read, in words. After a restart, call `resume` next.
        """
        restored = read_parts(saved, self.state.servers)
        state, old = self.state, restored.state
        lost = dict(restored.lost)
        state.last_run, state.last_call = old.last_run, old.last_call
        for version, recipe in restored.recipes.items():
            self._runs.learn(version, recipe)
        self._kept_versions = set(restored.recipes)
        for run in old.runs.values():
            if run.version in self._runs.recipes:
                state.runs[run.id] = run
            else:
                lost[f"run:{run.id}"] = f"the steps of {run.recipe!r} can't be read"
        for server, old_book in old.servers.items():
            fresh, state.servers[server] = state.servers[server].recipes, old_book
            old_books, old_book.recipes = old_book.recipes, fresh
            self._take_over_all(server, old_books, old.recipes)
        for name in lost:
            self._aside |= {name: None, f"aside:{name}": saved[name]}
            self._lose_run(name, saved[name])
        self._set_all_timers()
        return [f"{name}: {why}" for name, why in lost.items()]

    def _lose_run(self, name: str, part: Any) -> None:
        """See to it that a run that can't go on is known to be over."""
        self._runs.changed.add("machine")
        if name.startswith("run:") and isinstance(part, dict) and part.get("parent") is None:
            self._lost_runs.append(
                Traced(
                    server=str(part.get("home", "")),
                    recipe=str(part.get("recipe", "")),
                    run=int(name.removeprefix("run:")),
                    what="failed",
                    detail="set aside: another version of automate wrote it",
                )
            )

    def resume(self, at: float) -> list[Output]:
        """Return what to do now that another engine goes on, which has seen nothing for a while."""
        for server, book in self.state.servers.items():
            book.connected = False
            book.world.lose_sight()
            forget_players(book)
            for name, recipe_book in book.recipes.items():
                if name not in self._recipes:
                    continue
                for trigger, watch in zip(
                    self._recipes[name].when, recipe_book.watches, strict=True
                ):
                    on_restored(trigger, watch, at)
                self._set_recipe_timers(server, name)
            self._set_settling(server)
        self._runs.output += self._lost_runs
        self._lost_runs = []
        for run in self._runs.in_order():
            self._runs.resume(run, at)
        return self._taken(at)

    def reload(self, recipes: Sequence[Recipe], at: float) -> list[Output]:
        """Return what to do now that these are the recipes; runs under way end as they began.

        Raises:
            UsageError: two recipes have one name; nothing was changed then.
        """
        self._take_recipes(recipes, at)
        self._runs.changed |= {f"server:{server}" for server in self._servers}
        return self._taken(at)

    def _part(self, name: str) -> Any:
        part = part_of(self.state, self._runs.recipes, name)
        if name == "machine":
            # Should the wall clock be set back, the origin moves with it.
            part["origin"] = self._timetable.origin.isoformat()
        return part

    def _take_over_all(
        self, server: str, old_books: Mapping[str, RecipeBook], versions: Mapping[str, int]
    ) -> None:
        """Take over what was remembered of the recipes for *server*, in their old *versions*."""
        books = self.state.servers[server].recipes
        for name, book in books.items():
            if name in old_books:
                is_same = versions.get(name) == self.state.recipes[name]
                _take_over(book, old_books[name], is_same=is_same)
        # Who is on the way keeps a book, although the recipe may be gone.
        for run in self.state.runs.values():
            if run.home == server and run.recipe not in books:
                books[run.recipe] = old_books.get(run.recipe, RecipeBook())

    # ------------------------------------------------------------ the recipes

    def _take_recipes(self, recipes: Sequence[Recipe], at: float) -> None:
        named = {recipe.name: recipe for recipe in recipes}
        if len(named) < len(recipes):
            raise UsageError("two recipes have the same name; give each its own")
        self._recipes = named
        self._ranked = list(recipes)
        before, self.state.recipes = self.state.recipes, {}
        for rank, recipe in enumerate(recipes):
            version = self.state.recipes[recipe.name] = version_of(recipe)
            self._runs.learn(version, recipe)
            self._runs.recipe_ranks[recipe.name] = rank
        self._listening = Listening(recipes)
        for server, books in self.state.servers.items():
            old_books, books.recipes = books.recipes, {}
            for recipe in recipes:
                if recipe.servers is None or selects(recipe.servers, self._facts[server]):
                    book = books.recipes[recipe.name] = RecipeBook()
                    view = self._view(server, recipe.name, at)
                    book.watches = [new_watch(trigger, at, view) for trigger in recipe.when]
                    self._set_schedules(server, recipe.name, at)
            self._take_over_all(server, old_books, before)
        self._set_all_timers()

    def _set_all_timers(self) -> None:
        self._runs.timers = Timers()
        for server, books in self.state.servers.items():
            for name in books.recipes:
                if name in self._recipes:
                    self._set_recipe_timers(server, name)
            self._set_settling(server)
        for run in self.state.runs.values():
            self._runs.set_timers(run)

    # ------------------------------------------------------------ what happens

    def _read(self, server: str, line: str) -> Said:
        book, facts = self.state.servers[server], self._facts[server]
        return read_line(line, book, facts) if self._listening.reads_games else Said(line)

    def _said(self, server: str, line: str, at: float) -> None:
        said = self._read(server, line)
        if self.state.runs:
            self._awaited(server, said, at, math.inf)
        for name in self._listening.to_line(said):
            self._feed(server, name, said, at)

    def _awaited(self, server: str, said: Said, at: float, since: float) -> None:
        for run in self._runs.of(server):
            if run.waiting is not None and run.waiting.since <= since:
                self._runs.go_on(run, at, lambda step, stage: doing.happened(step, stage, said))

    def _happened(self, server: str, occurrence: Occurrence, at: float) -> None:
        if isinstance(occurrence, Changed | Found):
            self._note_status(server, occurrence)
        if self.state.runs:
            for run in self._runs.of(server):
                self._runs.go_on(
                    run, at, lambda step, stage: doing.happened(step, stage, occurrence)
                )
        for name in self._listening.to(type(occurrence)):
            self._feed(server, name, occurrence, at)

    def _note_status(self, server: str, occurrence: Changed | Found) -> None:
        if occurrence.to in (PowerState.OFFLINE, PowerState.STARTING):
            nobody_online(self.state.servers[server])

    def _feed(self, server: str, name: str, occurrence: Occurrence, at: float) -> None:
        """Show *occurrence* to the triggers of a recipe, and set it off if one of them fires."""
        book = self.state.servers[server].recipes.get(name)
        if book is None or not self._runs.manner.waits:
            return
        recipe, view = self._recipes[name], self._view(server, name, at)
        fired = None
        for trigger, watch, interests in self._listening.triggers(recipe, book):
            if type(occurrence) not in interests:
                continue
            firings, is_changed = feed(trigger, watch, occurrence, at, view)
            if is_changed:
                self._runs.changed.add(f"server:{server}")
                self._set_recipe_timers(server, name)
            for firing in firings:
                fired = fired or (firing, trigger)
        if fired:
            firing, trigger = fired
            values = dict(firing.values)
            self._fire(
                server, recipe, firing.moment, at, values, values.get("reason") or str(trigger)
            )

    def _settle(self, server: str, at: float) -> None:
        for occurrence in self.state.servers[server].world.settle(at):
            self._happened(server, occurrence, at)
        self._set_settling(server)

    def _set_settling(self, server: str) -> None:
        settles_at = self.state.servers[server].world.settles_at
        self._runs.timers.put((self._runs.server_ranks[server], -1, 0), (settles_at,))

    # ------------------------------------------------------------ moments of recipes

    def _set_schedules(self, server: str, name: str, at: float) -> None:
        book = self.state.servers[server].recipes[name]
        triggers = self._recipes[name].when
        self._timetable.set(book, triggers, at, f"{server}:{name}")
        if not self._runs.manner.waits:
            book.due = [None] * len(triggers)
        self._set_recipe_timers(server, name)

    def _set_recipe_timers(self, server: str, name: str) -> None:
        """Set when a recipe wants to be woken: by its schedules, and by what it watches."""
        recipe = self._recipes[name]
        book = self.state.servers[server].recipes[name]
        watched = [
            next_at(one, watch) for one, watch in zip(recipe.when, book.watches, strict=True)
        ]
        place = (self._runs.server_ranks[server], self._runs.recipe_ranks[name], 0)
        # One place for all of them: what is due by two of them at one moment is due once.
        self._runs.timers.put(place, [*book.due, *watched])

    def _recipe_due(self, server: str, recipe: Recipe, at: float, now: float) -> None:
        book = self.state.servers[server].recipes[recipe.name]
        place = f"{server}:{recipe.name}"
        dues = self._timetable.take(book, recipe.when, at, now, place)
        firings = []
        view = self._view(server, recipe.name, at)
        for trigger, watch in zip(recipe.when, book.watches, strict=True):
            wanted = next_at(trigger, watch)
            if wanted is not None and wanted <= at:
                found, _ = watch_due(trigger, watch, at, view)
                firings += [(one, trigger) for one in found]
        self._runs.changed.add(f"server:{server}")
        self._set_recipe_timers(server, recipe.name)
        skipped = [due for due in dues if due.is_skipped]
        for due in skipped:
            times = f", {due.times} times" if due.times > 1 else ""
            late = duration(round(due.missed_seconds))
            self._runs.hold_back(
                server, recipe.name, f"it was due {late} ago{times}: skipped", what="missed"
            )
        if len(dues) > len(skipped):
            self._fire(server, recipe, at, at, {}, "it is due")
        elif firings:
            firing, trigger = firings[0]
            self._fire(server, recipe, firing.moment, at, dict(firing.values), str(trigger))

    # ------------------------------------------------------------ setting off

    def _set_off(self, run: Run, name: str, at: float) -> int | Outcome:
        """Set off the recipe *name* for the server where *run* acts."""
        if name not in self.state.servers[run.server].recipes or name not in self._recipes:
            known = ", ".join(sorted(self._recipes))
            return Failed(f"no recipe is called {name!r} for this server; there are: {known}")
        recipe = self._recipes[name]
        return self._fire(run.server, recipe, at, at, {}, f"run by {run.recipe!r}")

    def _fire(
        self, server: str, recipe: Recipe, moment: float, at: float, values: Values, reason: str
    ) -> int | Outcome:
        """Begin a run of *recipe*, if nothing holds it back; it counts from *moment*.

        Returned is the run's number, or how it ended, if it is over at once or never began.
        """
        book = self.state.servers[server].recipes[recipe.name]
        seen = None
        if recipe.only_if is not None:
            seen = judge(recipe.only_if, self._view(server, recipe.name, at))
            if not seen.holds:
                return self._hold_back(server, recipe, seen.words)
        running = self._runs.running(server, recipe.name)
        mode = ask_mode(recipe, book, len(running))
        if isinstance(mode, HeldBack):
            return self._hold_back(server, recipe, mode.reason)
        limits = ask_limits(recipe, book, moment, values)
        self._runs.changed.add(f"server:{server}")
        if isinstance(limits, HeldBack):
            return self._hold_back(server, recipe, limits.reason)
        words = [reason, *([seen.words] if seen else [])]
        pending = Pending(moment, values, "; ".join(words), limits.escalation)
        match mode:
            case Go():
                return self._begin(server, recipe, pending, at)
            case Queue(dropped=dropped):
                if dropped is not None:
                    book.queue.remove(dropped)
                book.queue.append(pending)
                return self._hold_back(server, recipe, "it waits its turn", what="queued")
            case Replace(only_oldest=only_oldest):
                book.queue = [pending] if not only_oldest else [*book.queue, pending]
                for run in running[:1] if only_oldest else running:
                    self._runs.cut(run, at, "another run takes its place", replaced=True)
                self._begin_queued(server, recipe.name, at)
                return self._hold_back(server, recipe, "it replaces a run", what="queued")

    def _begin(self, server: str, recipe: Recipe, pending: Pending, at: float) -> int | Outcome:
        version = self.state.recipes[recipe.name]
        run = self._runs.begin(
            server,
            recipe,
            version,
            pending.moment,
            at,
            pending.values,
            escalation=pending.escalation,
            reason=pending.reason,
        )
        if run.id in self.state.runs:
            return run.id
        return next(outcome for ended, outcome in self._runs.over if ended is run)

    def _hold_back(
        self, server: str, recipe: Recipe, reason: str, *, what: str = "held back"
    ) -> Outcome:
        self._runs.hold_back(server, recipe.name, reason, what=what)
        return Failed(f"held back: {reason}")

    def _begin_queued(self, server: str, name: str, at: float) -> None:
        """Begin the run that waits its turn, if it is come."""
        book = self.state.servers[server].recipes.get(name)
        if book is None or name not in self._recipes:
            return
        recipe = self._recipes[name]
        at_once = recipe.at_once if recipe.mode == "parallel" else 1
        while book.queue and len(self._runs.running(server, name)) < at_once:
            self._begin(server, recipe, book.queue.pop(0), at)

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
        )

    def _taken(self, at: float) -> list[Output]:
        """Return what there is to do, once what follows from runs that ended is decided, too."""
        ends = 0
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
            self._begin_queued(run.home, run.recipe, at)
        output = self._runs.output
        if output:
            self._runs.output = []
        return output


def _take_over(book: RecipeBook, old: RecipeBook, *, is_same: bool) -> None:
    """Take into *book* what was remembered; of another version only how often it ran."""
    book.attempts, book.last_attempt = old.attempts, old.last_attempt
    book.last_began, book.queue = old.last_began, old.queue
    if is_same:
        book.limits, book.watches = old.limits, old.watches
        book.due, book.bases = old.due, old.bases

"""Setting recipes off: what comes of a trigger, now or when its turn has come.

Whether it may run is decided in `firing`, what the run does in `runs`. Somebody who waits for
what becomes of it has a ticket, and is told under that.
"""

from collections.abc import Callable

from attrs import frozen

from automate.machine.firing import Go, HeldBack, Queue, Replace, ask_limits, ask_mode
from automate.machine.holding import judge
from automate.machine.matching import Values
from automate.machine.roster import Roster
from automate.machine.runs import Runs
from automate.machine.stage import WAITING, Failed, Outcome
from automate.machine.state import Pending, Run
from automate.machine.view import View
from automate.recipe.recipe import Recipe

__all__ = ["Called", "Launching"]


@frozen(kw_only=True)
class Called:
    """What became of a wish, by its *ticket*: the *run* it set off, or the *reason* for none."""

    ticket: str
    run: int | None = None
    reason: str = ""


class Launching:
    """Sets recipes off; *called* is what became of wishes since it was last looked at."""

    def __init__(
        self, runs: Runs, roster: Roster, *, view: Callable[[str, str, float], View]
    ) -> None:
        self._runs = runs
        self._roster = roster
        self._view = view
        self.called: list[Called] = []
        # Runs that wait for one that will not come, and why.
        self._refused: list[tuple[int, Outcome]] = []

    def run_recipe(self, run: Run, name: str, at: float) -> int | Outcome:
        """Set off the recipe *name* for the server where *run* acts; see `fire`."""
        recipes = self._roster.recipes
        if name not in self._runs.state.servers[run.server].recipes or name not in recipes:
            known = ", ".join(sorted(recipes))
            return Failed(f"no recipe is called {name!r} for this server; there are: {known}")
        reason = f"run by {run.recipe!r}"
        return self.fire(run.server, recipes[name], at, at, {}, reason, caller=run.id)

    def fire(
        self,
        server: str,
        recipe: Recipe,
        moment: float,
        at: float,
        values: Values,
        reason: str,
        *,
        ticket: str = "",
        caller: int | None = None,
    ) -> int | Outcome:
        """Begin a run of *recipe*, if nothing holds it back; it counts from *moment*.

        Returned is the run's number, or how it ended, if it is over at once or never began. If it
        waits its turn, its *caller* is told later what becomes of it.
        """
        book = self._runs.state.servers[server].recipes[recipe.name]
        pending = Pending(moment, values, reason, ticket=ticket, caller=caller)
        if recipe.only_if is not None:
            seen = judge(recipe.only_if, self._view(server, recipe.name, at))
            if not seen.holds:
                return self._hold_back(server, recipe, pending, seen.words)
            pending.reason = f"{reason}; {seen.words}"
        mode = ask_mode(recipe, book, len(self._runs.running(server, recipe.name)))
        if isinstance(mode, HeldBack):
            return self._hold_back(server, recipe, pending, mode.reason)
        limits = ask_limits(recipe, book, moment, values)
        self._runs.changed.add(f"server:{server}")
        if isinstance(limits, HeldBack):
            return self._hold_back(server, recipe, pending, limits.reason)
        pending.escalation = limits.escalation
        match mode:
            case Go():
                return self._begin(server, recipe, pending, at)
            case Queue(dropped=dropped):
                if dropped is not None:
                    book.queue.remove(dropped)
                    self.drop(dropped, "another one waits in its place")
                book.queue.append(pending)
                return self._queue(server, recipe, "it waits its turn")
            case Replace(only_oldest=only_oldest):
                return self._replace(server, recipe, pending, at, only_oldest=only_oldest)

    def _replace(
        self, server: str, recipe: Recipe, pending: Pending, at: float, *, only_oldest: bool
    ) -> int | Outcome:
        book = self._runs.state.servers[server].recipes[recipe.name]
        if not only_oldest:
            for one in book.queue:
                self.drop(one, "another one takes its place")
            book.queue.clear()
        elif len(book.queue) >= recipe.at_once:
            self.drop(book.queue.pop(0), "another one waits in its place")
        book.queue.append(pending)
        outcome: int | Outcome = self._queue(server, recipe, "it replaces a run")
        running = self._runs.running(server, recipe.name)
        # One that is cut already is on its way out, as fast as what it has to put right allows.
        running = [run for run in running if run.cut is None]
        for run in running[:1] if only_oldest else running:
            self._runs.cut(run, at, "another run takes its place", replaced=True)
        for one, begun in self.begin_queued(server, recipe.name, at):
            if one is pending:
                outcome = begun
        return outcome

    def begin_queued(
        self, server: str, name: str, at: float
    ) -> list[tuple[Pending, int | Outcome]]:
        """Begin the runs that wait their turn, if it is come; return what came of them."""
        book = self._runs.state.servers[server].recipes.get(name)
        if book is None or name not in self._roster.recipes:
            return []
        recipe = self._roster.recipes[name]
        at_once = recipe.at_once if recipe.mode == "parallel" else 1
        begun = []
        while book.queue and len(self._runs.running(server, name)) < at_once:
            pending = book.queue.pop(0)
            # Whoever waited its turn has its time before it: pauses count from now.
            pending.moment = at
            self._runs.changed.add(f"server:{server}")
            outcome = self._begin(server, recipe, pending, at)
            begun.append((pending, outcome))
            if pending.caller is not None:
                self._runs.called(pending.caller, outcome, at)
        return begun

    def drop(self, pending: Pending, reason: str) -> None:
        """Take in that nothing will come of *pending*."""
        if pending.ticket:
            self.called.append(Called(ticket=pending.ticket, reason=reason))
        if pending.caller is not None:
            self._refused.append((pending.caller, Failed(f"it did not run: {reason}")))

    def tell_callers(self, at: float) -> None:
        """Have those go on that waited for a run of which nothing comes."""
        refused, self._refused = self._refused, []
        for caller, outcome in refused:
            self._runs.called(caller, outcome, at)

    def _begin(self, server: str, recipe: Recipe, pending: Pending, at: float) -> int | Outcome:
        run = self._runs.begin(
            server,
            recipe,
            self._runs.state.recipes[recipe.name],
            pending.moment,
            at,
            pending.values,
            escalation=pending.escalation,
            reason=pending.reason,
            caller=pending.caller,
        )
        if pending.ticket:
            self.called.append(Called(ticket=pending.ticket, run=run.id))
        if run.id in self._runs.state.runs:
            return run.id
        return next(outcome for ended, outcome in self._runs.over if ended is run)

    def _hold_back(self, server: str, recipe: Recipe, pending: Pending, reason: str) -> Outcome:
        self._runs.hold_back(server, recipe.name, reason)
        self.drop(pending, reason)
        return Failed(f"held back: {reason}")

    def _queue(self, server: str, recipe: Recipe, reason: str) -> Outcome:
        self._runs.hold_back(server, recipe.name, reason, what="queued")
        return WAITING

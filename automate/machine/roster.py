"""The recipes at work: for which servers each is, what is remembered of it, and when it wakes.

When recipes change, or another engine goes on, what was remembered is taken over as far as it
still means the same. What sets a recipe off is left to `launching`.
"""

from collections.abc import Callable, Mapping, Sequence

from automate.errors import UsageError
from automate.machine.keeping import version_of
from automate.machine.listening import Listening
from automate.machine.runs import Runs
from automate.machine.state import Pending, RecipeBook
from automate.machine.timers import Timers
from automate.machine.timetable import Due, Timetable
from automate.machine.view import View
from automate.machine.watch_state import Firing, WatchState
from automate.machine.watches import due as watch_due
from automate.machine.watches import new_watch, next_at, on_restored
from automate.recipe.combinators import Combinator, Trigger
from automate.recipe.recipe import Recipe
from automate.recipe.selectors import ServerFacts, selects

__all__ = ["Roster"]


class Roster:
    """The recipes by name, in their order, for the servers whose *facts* are given.

    *view* shows a server, by its id, to a recipe at a moment. *dropped* is told of each trigger
    whose run will not come any more: its server, its recipe and why.
    """

    def __init__(
        self,
        runs: Runs,
        facts: Mapping[str, ServerFacts],
        timetable: Timetable,
        *,
        view: Callable[[str, str, float], View],
        dropped: Callable[[Pending, str], None],
    ) -> None:
        self.recipes: dict[str, Recipe] = {}
        self.ranked: list[Recipe] = []
        self.listening = Listening([])
        self.timetable = timetable
        self._runs = runs
        self._facts = facts
        self._view = view
        self._dropped = dropped
        self._is_over = False

    @property
    def serves(self) -> dict[str, list[str]]:
        """The servers of each recipe that is not for all of them."""
        servers = self._runs.state.servers
        return {
            name: [server for server, book in servers.items() if name in book.recipes]
            for name, recipe in self.recipes.items()
            if recipe.servers is not None
        }

    # ------------------------------------------------------------ recipes come and go

    def take(self, recipes: Sequence[Recipe], at: float) -> None:
        """Go on with these *recipes*; what is remembered of those before is taken over.

        Raises:
            UsageError: two of them have one name; nothing was changed then.
        """
        named = {recipe.name: recipe for recipe in recipes}
        if len(named) < len(recipes):
            raise UsageError("two recipes have the same name; give each its own")
        self.recipes, self.ranked = named, list(recipes)
        state = self._runs.state
        before, state.recipes = state.recipes, {}
        self._runs.recipe_ranks = {name: rank for rank, name in enumerate(named)}
        for name, recipe in named.items():
            version = state.recipes[name] = version_of(recipe)
            self._runs.learn(version, recipe)
        self.listening = Listening(recipes)
        for server, books in state.servers.items():
            old_books, books.recipes = books.recipes, {}
            for name, recipe in named.items():
                if recipe.servers is None or selects(recipe.servers, self._facts[server]):
                    books.recipes[name] = self._new_book(server, recipe, at)
            self.take_over(server, old_books, before)
        self._runs.forget_unused(state.recipes.values())
        self.set_all_timers()

    def _new_book(self, server: str, recipe: Recipe, at: float) -> RecipeBook:
        book = RecipeBook()
        view = self._view(server, recipe.name, at)
        book.watches = [new_watch(trigger, at, view) for trigger in recipe.when]
        self._set_schedules(server, recipe, book, at)
        return book

    def take_over(
        self, server: str, old_books: Mapping[str, RecipeBook], versions: Mapping[str, int]
    ) -> None:
        """Take over what was remembered of the recipes for *server*, in their old *versions*."""
        state = self._runs.state
        books = state.servers[server].recipes
        for name, book in books.items():
            old = old_books.get(name)
            if old is not None:
                is_same = versions.get(name) == state.recipes[name]
                self._take_over(book, old, self.recipes[name], is_same=is_same)
        # Who is on the way keeps a book, although the recipe may be gone.
        for run in state.runs.values():
            if run.home == server and run.recipe not in books:
                books[run.recipe] = old_books.get(run.recipe, RecipeBook())
        for name, old in old_books.items():
            if name not in self.recipes or name not in books:
                self._drop(old, old.queue, "the recipe is not at work here any more")

    def _take_over(
        self, book: RecipeBook, old: RecipeBook, recipe: Recipe, *, is_same: bool
    ) -> None:
        """Take into *book* what was remembered; of another version only how often it ran."""
        book.attempts, book.last_attempt = old.attempts, old.last_attempt
        book.last_began, book.queue = old.last_began, old.queue
        if not is_same:
            # What its limits led to may not be there any more.
            stale = [one for one in book.queue if one.escalation is not None]
            self._drop(book, stale, "the recipe was changed")
            return
        book.limits = old.limits
        if len(old.due) == len(old.bases) == len(recipe.when):
            book.due, book.bases = old.due, old.bases
        if _fit(recipe.when, old.watches):
            book.watches = old.watches

    def _drop(self, book: RecipeBook, several: Sequence[Pending], reason: str) -> None:
        for pending in list(several):
            book.queue.remove(pending)
            self._dropped(pending, reason)

    def resume(self, server: str, at: float) -> None:
        """Take in that nothing was seen of *server* until now, *at*, by whoever goes on."""
        for name, book in self._runs.state.servers[server].recipes.items():
            if name not in self.recipes:
                continue
            for trigger, watch in zip(self.recipes[name].when, book.watches, strict=True):
                on_restored(trigger, watch, at)
            self.set_timers(server, name)

    # ------------------------------------------------------------ moments

    def stop(self) -> None:
        """Let no schedule be due any more, and wait for nothing that is watched."""
        self._is_over = True
        for server, books in self._runs.state.servers.items():
            for name, book in books.recipes.items():
                if name in self.recipes:
                    book.due = [None] * len(book.due)
                    self.set_timers(server, name)

    def set_schedules(self, at: float) -> None:
        """Set all schedules anew, as they are due after *at*."""
        for server, books in self._runs.state.servers.items():
            for name, book in books.recipes.items():
                if name in self.recipes:
                    self._set_schedules(server, self.recipes[name], book, at)
                    self.set_timers(server, name)

    def _set_schedules(self, server: str, recipe: Recipe, book: RecipeBook, at: float) -> None:
        self.timetable.set(book, recipe.when, at, f"{server}:{recipe.name}")
        if not self._runs.manner.waits:
            book.due = [None] * len(recipe.when)

    def set_all_timers(self) -> None:
        """Set anew when anything wants to be woken."""
        self._runs.timers = Timers()
        for server, books in self._runs.state.servers.items():
            for name in books.recipes:
                if name in self.recipes:
                    self.set_timers(server, name)
            self.set_settling(server)
        for run in self._runs.state.runs.values():
            self._runs.set_timers(run)

    def set_settling(self, server: str) -> None:
        """Set when what happened to *server* is certain."""
        settles_at = self._runs.state.servers[server].world.settles_at
        self._runs.timers.put((self._runs.server_ranks[server], -1, 0), (settles_at,))

    def set_timers(self, server: str, name: str, *, schedules: bool = True) -> None:
        """Set when a recipe wants to be woken: by its *schedules*, and by what it watches."""
        book = self._runs.state.servers[server].recipes[name]
        when = self.recipes[name].when
        watched: list[float | None] = []
        if not self._is_over:
            watched = [next_at(one, watch) for one, watch in zip(when, book.watches, strict=True)]
        place = (self._runs.server_ranks[server], self._runs.recipe_ranks[name], 0)
        # One place for all of them: what is due by two of them at one moment is due once.
        self._runs.timers.put(place, [*(book.due if schedules else ()), *watched])

    def is_late(self, server: str, name: str, at: float) -> bool:
        """Return whether a schedule of a recipe was due by *at*."""
        dues = self._runs.state.servers[server].recipes[name].due
        return any(due is not None and due <= at for due in dues)

    def due(
        self, server: str, recipe: Recipe, moment: float, now: float, *, schedules: bool
    ) -> tuple[list[Due], list[tuple[Firing, Trigger]]]:
        """Return which schedules and watches of *recipe* are due by *moment*, *now* that it is.

        Without *schedules* those wait, until the timers are set anew.
        """
        book = self._runs.state.servers[server].recipes[recipe.name]
        dues: list[Due] = []
        if schedules:
            dues = self.timetable.take(book, recipe.when, moment, now, f"{server}:{recipe.name}")
        fired, is_changed = [], False
        view = self._view(server, recipe.name, moment)
        for trigger, watch in zip(recipe.when, book.watches, strict=True):
            wanted = next_at(trigger, watch)
            if wanted is not None and wanted <= moment:
                found, changed = watch_due(trigger, watch, moment, view)
                fired += [(one, trigger) for one in found]
                is_changed = is_changed or changed
        if dues or fired or is_changed:
            self._runs.changed.add(f"server:{server}")
        self.set_timers(server, recipe.name, schedules=schedules)
        return dues, fired


def _fit(triggers: Sequence[Trigger], watches: Sequence[WatchState]) -> bool:
    """Return whether *watches*, which somebody wrote down, have the shape of *triggers*."""
    return len(triggers) == len(watches) and all(
        _fit(trigger.parts, watch.parts) if isinstance(trigger, Combinator) else not watch.parts
        for trigger, watch in zip(triggers, watches, strict=True)
    )

"""The runs that are there, each with its program; what its steps see, and how it is told.

What becomes of them is left to `runs_walking` and `runs`.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Final

from automate.machine import doing
from automate.machine.actions import Output, Traced
from automate.machine.console import game_of
from automate.machine.matching import Values
from automate.machine.program import (
    Do,
    Fork,
    Program,
    TryEnd,
    compile_recipe,
)
from automate.machine.running import Running
from automate.machine.stage import Failed, Manner, Outcome, Stage
from automate.machine.state import Run, State
from automate.machine.timers import Place, Timers
from automate.machine.view import View
from automate.recipe.recipe import Recipe
from automate.recipe.selectors import ServerFacts
from automate.wire.games import GAMES

__all__ = ["Ended", "KeptRuns"]

_GENERIC: Final = GAMES["generic"]

Ended = tuple[Run, Outcome]


class KeptRuns:
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
        self._running = Running(self.state, self._place)
        # The runs that begin several things just now, and are not to go on before all are begun.
        self._forking: set[int] = set()
        # The runs that have come on since they were read from a journal.
        self._moved: set[int] = set()
        # What others know how to do: to see for conditions, and to set off a recipe by name.
        self.view: Callable[[str, str, float], View]
        self.set_off: Callable[[Run, str, float], int | Outcome]

    def learn(self, version: int, recipe: Recipe) -> None:
        """Take in *recipe* as it was in this *version*."""
        if version not in self.recipes:
            self.recipes[version] = recipe
            self._programs[version] = compile_recipe(recipe)

    def can_go_on(self, run: Run) -> bool:
        """Return whether *run* stands where one that was written down can stand."""
        program = self._programs.get(run.version)
        if program is None or run.waiting is None or not 0 <= run.position < len(program.code):
            return False
        match program.code[run.position]:
            case Do(step=step):
                return doing.is_sound(step, run.waiting)
            case TryEnd() as end:
                return end.begin in run.tries
            case one:
                return isinstance(one, Fork)

    def forget_unused(self, used: Iterable[int]) -> None:
        """Forget the versions of recipes that neither are *used* nor have a run under way."""
        used = {*used, *(run.version for run in self.state.runs.values())}
        for version in self.recipes.keys() - used:
            del self.recipes[version], self._programs[version]

    # ------------------------------------------------------------ who is running

    def of(self, server: str) -> list[Run]:
        """Return the runs that act on the server, in the order of the recipes."""
        return self._running.of(server)

    def in_order(self) -> list[Run]:
        """Return all runs: by server, then recipe."""
        return self._running.in_order()

    def running(self, server: str, recipe: str) -> list[Run]:
        """Return the runs of *recipe* that were set off at *server*, the oldest first."""
        return self._running.set_off_at(server, recipe)

    def waiting_step(self, run: Run) -> object | None:
        """Return the step that *run* waits in; ``None`` if that is no step."""
        instruction = self._program(run).code[run.position]
        return instruction.step if isinstance(instruction, Do) else None

    def _new_run(
        self, server: str, recipe: str, version: int, moment: float, values: Values
    ) -> Run:
        number = self.state.last_run + 1
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
        self._running.add(run)
        return run

    def _set_off_by(self, run: Run, name: str, at: float) -> int | Outcome:
        """Set off the recipe *name*, unless it already waits for this *run*."""
        callers = self._running.callers(run)
        if any((one.home, one.recipe) == (run.server, name) for one in callers):
            return Failed(f"{name!r} waits for this run: recipes would run each other in a circle")
        return self.set_off(run, name, at)

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
        return Stage(
            state=self.state,
            server=books,
            book=self.state.servers[run.home].recipes[run.recipe],
            run=run,
            manner=self.manner,
            look=lambda: self.view(run.server, run.recipe, at),
            cleans_up=program.tidies(run.position),
            at=at,
            output=self.output,
            game=game_of(books, self.servers[run.server]) or _GENERIC,
            set_off=lambda name: self._set_off_by(run, name, at),
            changed=self.changed,
        )

"""The runs that are not over, found by the server that they act on.

Whatever happens at one server concerns its own runs only, and there may be hundreds of others.
"""

from collections.abc import Callable

from automate.machine.state import Run, State
from automate.machine.timers import Place

__all__ = ["Running"]


class Running:
    """The runs in *state*; *place* says in which order they act at one moment."""

    def __init__(self, state: State, place: Callable[[Run], Place]) -> None:
        self._state = state
        self._place = place
        self._by_server: dict[str, dict[int, Run]] = {}
        # A run that is new has the highest number so far, so that this tells whether runs came
        # or went without our being told: those of a journal come all at once.
        self._counted = (0, 0)

    def add(self, run: Run) -> None:
        """Take in a run that begins, the last one now."""
        here = self._here(run.server)
        self._state.last_run = run.id
        self._state.runs[run.id] = here[run.id] = run
        self._by_server[run.server] = here
        self._count()

    def remove(self, run: Run) -> None:
        """Let go of a run that is over."""
        here = self._here(run.server)
        del self._state.runs[run.id], here[run.id]
        if not here:
            del self._by_server[run.server]
        self._count()

    def of(self, server: str) -> list[Run]:
        """Return the runs that act on the server, in the order of the recipes."""
        here = self._here(server)
        return sorted(here.values(), key=self._place) if here else []

    def in_order(self) -> list[Run]:
        """Return all runs: by server, then recipe."""
        return sorted(self._state.runs.values(), key=self._place)

    def set_off_at(self, server: str, recipe: str) -> list[Run]:
        """Return the runs of *recipe* that were set off at *server*, the oldest first."""
        return sorted(
            (
                run
                for run in self._here(server).values()
                if run.recipe == recipe and run.parent is None
            ),
            key=lambda run: run.id,
        )

    def branches(self, run: Run) -> list[Run]:
        """Return what *run* does side by side and waits for."""
        if run.waiting is None:
            return []
        runs = self._state.runs
        return [runs[number] for number in run.waiting.branches if number in runs]

    def callers(self, run: Run) -> list[Run]:
        """Return the run that *run* belongs to, the one that waits for that, and so on."""
        found = []
        number: int | None = run.root
        while number is not None and number in self._state.runs:
            one = self._state.runs[number]
            found.append(one)
            number = one.caller
        return found

    def _here(self, server: str) -> dict[int, Run]:
        if self._counted != (len(self._state.runs), self._state.last_run):
            self._by_server = {}
            for run in self._state.runs.values():
                self._by_server.setdefault(run.server, {})[run.id] = run
            self._count()
        return self._by_server.get(server, {})

    def _count(self) -> None:
        self._counted = (len(self._state.runs), self._state.last_run)

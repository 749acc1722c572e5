"""What the machine hands out to be written down, and how it goes on from what was written.

How a part looks is left to `keeping`; here is which of them changed, and what becomes of what
can't be read any more.
"""

from collections.abc import Mapping
from typing import Any

from automate.machine.actions import Traced
from automate.machine.keeping import Parts, part_of, read_parts
from automate.machine.roster import Roster
from automate.machine.runs import Runs
from automate.machine.state import Run, ServerBook, State

__all__ = ["Memory"]


class Memory:
    """The state in parts; *lost_runs* are the ends of runs that could not be taken up again."""

    def __init__(self, runs: Runs, roster: Roster) -> None:
        self._runs = runs
        self._roster = roster
        self._kept_versions: set[int] = set()
        # The versions of recipes that runs at servers began in which are not ours this time.
        self._dormant_versions: frozenset[int] = frozenset()
        # What was written by another version and can't be read, put aside under another name.
        self._aside: Parts = {}
        self.lost_runs: list[Traced] = []

    def save(self) -> Parts:
        """Return the whole state in parts, as plain values fit for JSON."""
        state = self._runs.state
        names = {
            "machine",
            *(f"server:{server}" for server in state.servers),
            *(f"run:{number}" for number in state.runs),
            *(f"recipe:{run.version}" for run in state.runs.values()),
        }
        return {name: self._part(name) for name in sorted(names)}

    def changes(self) -> Parts:
        """Return the parts that changed since this was last asked; ``None`` is one no more."""
        changed, self._runs.changed = self._runs.changed, set()
        if not changed:
            return {}
        versions = {run.version for run in self._runs.state.runs.values()}
        parts, self._aside = self._aside, {}
        parts |= {name: self._part(name) for name in sorted({*changed, "machine"})}
        for version in sorted(versions - self._kept_versions):
            parts[f"recipe:{version}"] = self._part(f"recipe:{version}")
        for version in sorted(self._kept_versions - versions - self._dormant_versions):
            parts[f"recipe:{version}"] = None
        self._kept_versions = versions
        return parts

    def restore(self, saved: Mapping[str, Any]) -> list[str]:
        """Go on from a *saved* state; returned is what could not be read, in words."""
        restored = read_parts(saved, self._runs.state.servers)
        state, old = self._runs.state, restored.state
        lost = dict(restored.lost)
        state.last_run, state.last_call = old.last_run, old.last_call
        for version, recipe in restored.recipes.items():
            self._runs.learn(version, recipe)
        self._kept_versions = set(restored.recipes)
        self._dormant_versions = restored.dormant_versions
        for run in old.runs.values():
            if self._runs.can_go_on(run):
                state.runs[run.id] = run
            else:
                lost[f"run:{run.id}"] = f"the steps of {run.recipe!r} can't be read"
        lost |= _orphans(state)
        for server, fresh in state.servers.items():
            book = old.servers.get(server, ServerBook())
            old_books, book.recipes = book.recipes, fresh.recipes
            state.servers[server] = book
            for pending in [one for old_book in old_books.values() for one in old_book.queue]:
                pending.ticket = ""  # whoever had it was told that automate ended
            self._roster.take_over(server, old_books, restored.versions.get(server, {}))
        for name in lost:
            self._aside |= {name: None, f"aside:{name}": saved[name]}
            self._lose_run(name, saved[name])
        self._roster.set_all_timers()
        return [f"{name}: {why}" for name, why in lost.items()]

    def _lose_run(self, name: str, part: Any) -> None:
        """See to it that a run that can't go on is known to be over."""
        self._runs.changed.add("machine")
        number = name.removeprefix("run:")
        if number == name or not number.isdecimal() or not isinstance(part, dict):
            return
        if part.get("parent") is None:
            self.lost_runs.append(
                Traced(
                    server=str(part.get("home", "")),
                    recipe=str(part.get("recipe", "")),
                    run=int(number),
                    what="failed",
                    detail="set aside: another version of automate wrote it",
                )
            )

    def _part(self, name: str) -> Any:
        part = part_of(self._runs.state, self._runs.recipes, name)
        if name == "machine":
            # Should the wall clock be set back, the origin moves with it.
            part["origin"] = self._roster.timetable.origin.isoformat()
        return part


def _orphans(state: State) -> dict[str, str]:
    """Take out the runs within runs that are no more, and say so by their parts."""
    lost = {}

    def is_orphan(run: Run) -> bool:
        return run.parent is not None and run.parent not in state.runs

    while orphans := [run.id for run in state.runs.values() if is_orphan(run)]:
        for number in orphans:
            del state.runs[number]
            lost[f"run:{number}"] = "what it is a part of can't be read"
    return lost

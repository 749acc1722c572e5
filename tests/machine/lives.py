"""An engine that can be killed: the machine, its journal, and a world that goes on without it.

It does what a good engine does: it writes down what changed before anything is done, answers
each call a little later, and after a start connects and hears how the server is.
"""

import heapq
import json
from collections.abc import Callable, Sequence
from typing import Any

from automate.machine.actions import (
    CallPython,
    DeleteBackup,
    ListBackups,
    MakeBackup,
    Output,
    Send,
    ShowBackup,
    Tell,
    Traced,
    action_fields,
)
from automate.machine.answer import Answer, KnownBackup
from automate.machine.recipes import RecipeMachine
from automate.machine.stage import Manner
from automate.recipe.recipe import Recipe
from automate.wire.messages import PowerAction, SetState
from tests.machine.scenes import ORIGIN, backup_completed, status

__all__ = ["Lives"]

_ANSWER_SECONDS = 0.1
_COURSES = {
    PowerAction.START: ["starting", "running"],
    PowerAction.STOP: ["stopping", "offline"],
    PowerAction.KILL: ["offline"],
    PowerAction.RESTART: ["stopping", "offline", "starting", "running"],
}

Deed = tuple[float, str]
Happens = Callable[[], None]


class Lives:
    """One server called ``arena`` that is *running*, and the lives of an engine beside it.

    *killed*: with which batch of decisions the engine dies, just after it was written down and
    either before anything of it was done, or after.
    """

    def __init__(
        self, *recipes: Recipe, killed: tuple[int, bool] | None = None, down_seconds: float = 0.0
    ) -> None:
        self.recipes = recipes
        self.killed = killed
        self.down_seconds = down_seconds
        self.at = 0.0
        self.batches = 0
        self.journal: dict[str, Any] = {}
        self.deeds: list[Deed] = []
        self.traces: list[tuple[float, Traced]] = []
        self.set_aside: list[str] = []
        self.status = "running"
        self.backups: list[KnownBackup] = []
        self._count = self._made = 0
        self._written: set[str] = set()
        # What the world does, whoever lives; and what comes back to this life.
        self._world: list[tuple[float, int, Happens]] = []
        self._answers: list[tuple[float, int, int, Answer]] = []
        self.machine = self._born()
        self._connect()

    # ------------------------------------------------------------ lives

    def _born(self) -> RecipeMachine:
        return RecipeMachine(
            self.recipes, {"s": "arena"}, origin=ORIGIN, manner=Manner(confirms=True)
        )

    def _connect(self) -> None:
        self.waits(self.at)
        self._take(self.machine.linked("s", self.at))
        self._take(self.machine.heard("s", status(self.status), self.at))

    def dies(self, *recipes: Recipe, down_seconds: float = 0.0) -> "Lives":
        """Let the engine be killed, and another one go on, with other *recipes* or the same."""
        if recipes:
            self.recipes = recipes
            self._written = set()
        self._answers = []
        self._pass(self.at + down_seconds)
        self.machine = self._born()
        self.set_aside += self.machine.restore(json.loads(json.dumps(self.journal)))
        self._take(self.machine.resume(self.at))
        self._connect()
        return self

    def _pass(self, until: float) -> None:
        """Let the world go on while nobody looks."""
        machine, self.machine = self.machine, None  # type: ignore[assignment] # nobody is there
        while self._world and self._world[0][0] <= until:
            self.at, _, happens = heapq.heappop(self._world)
            happens()
        self.at = until
        self.machine = machine

    # ------------------------------------------------------------ what happens

    def asks(self, at: float, recipe: str) -> "Lives":
        return self.does(at, lambda: self.machine.asked("s", recipe, self.at))

    def does(self, at: float, happens: Callable[[], Sequence[Output]]) -> "Lives":
        self.waits(at)
        self._take(happens())
        return self

    def waits(self, until: float) -> "Lives":
        """Let time go by."""
        while True:
            wake_at = self.machine.wake_at
            moments = [
                *([(wake_at, 0)] if wake_at is not None else []),
                *([(self._world[0][0], 1)] if self._world else []),
                *([(self._answers[0][0], 2)] if self._answers else []),
            ]
            if not moments or min(moments)[0] > until:
                self.at = max(self.at, until)
                return self
            moment, what = min(moments)
            self.at = max(self.at, moment)
            if what == 0:
                self._take(self.machine.due(moment, now=self.at))
            elif what == 1:
                heapq.heappop(self._world)[2]()
            else:
                _, _, call, answer = heapq.heappop(self._answers)
                self._take(self.machine.answered(call, answer, self.at))

    # ------------------------------------------------------------ what is done

    def _take(self, outputs: Sequence[Output]) -> None:
        for name, part in self.machine.changes().items():
            self._written.add(name)
            if part is None:
                self.journal.pop(name, None)
            else:
                self.journal[name] = json.loads(json.dumps(part))
        self._check_journal()
        self.traces += [(self.at, one) for one in outputs if isinstance(one, Traced)]
        if not outputs:
            return
        self.batches += 1
        dies_before, dies_after = (
            self.killed == (self.batches, False),
            self.killed == (self.batches, True),
        )
        if not dies_before:
            for output in outputs:
                self._do(output)
        if dies_before or dies_after:
            self.dies(down_seconds=self.down_seconds)

    def _check_journal(self) -> None:
        """What was written bit by bit is all that is worth keeping."""
        saved = _kept(json.loads(json.dumps(self.machine.save())))
        kept = _kept(self.journal)
        for name in ("machine", "server:s"):
            if name not in self._written:
                # Nothing of it was worth keeping yet, or other recipes took it over.
                kept.pop(name, None)
                del saved[name]
        assert kept == saved

    def _do(self, output: Output) -> None:
        if isinstance(output, Traced):
            return
        for what, value in action_fields(output).items():
            self.deeds.append((round(self.at, 3), f"{what} {value}"))
        match output:
            case Send(message=SetState(action=action)):
                self._run_course(action)
            case MakeBackup(name=name, call=call):
                self._answer(call, self._make_backup(name))
            case ListBackups(call=call):
                self._answer(call, Answer(backups=tuple(self.backups)))
            case ShowBackup(uuid=uuid, call=call):
                (found,) = [one for one in self.backups if one.uuid == uuid]
                self._answer(call, Answer(uuid=uuid, is_done=found.is_done))
            case DeleteBackup(uuid=uuid, call=call):
                self.backups = [one for one in self.backups if one.uuid != uuid]
                self._answer(call, Answer())
            case Send(call=int(call)) | Tell(call=int(call)) | CallPython(call=call):
                self._answer(call, Answer())

    def _answer(self, call: int, answer: Answer) -> None:
        self._count += 1
        heapq.heappush(self._answers, (self.at + _ANSWER_SECONDS, self._count, call, answer))

    def _later(self, seconds: float, happens: Happens) -> None:
        self._count += 1
        heapq.heappush(self._world, (self.at + seconds, self._count, happens))

    def _run_course(self, action: PowerAction) -> None:
        course = _COURSES[action]
        is_there = self.status == course[-1] and action is not PowerAction.RESTART
        if is_there or self.status in course[:-1]:
            return

        def become(state: str) -> Happens:
            def happens() -> None:
                self.status = state
                self._hear(status(state))

            return happens

        self.status = course[0]
        for place, state in enumerate(course):
            self._later(float(place), become(state))

    def _make_backup(self, name: str) -> Answer:
        self._made += 1
        uuid = f"b{self._made}"
        made_at = ORIGIN.timestamp() + self.at
        self.backups.append(KnownBackup(uuid=uuid, name=name, made_at=made_at, is_done=False))

        def ends() -> None:
            self.backups = [
                KnownBackup(uuid=one.uuid, name=one.name, made_at=one.made_at, is_done=True)
                if one.uuid == uuid
                else one
                for one in self.backups
            ]
            self._hear(backup_completed(uuid))

        self._later(5.0, ends)
        return Answer(uuid=uuid)

    def _hear(self, message: Any) -> None:
        if self.machine is not None:
            self._take(self.machine.heard("s", message, self.at))

    # ------------------------------------------------------------ what came of it

    def traced(self, *kinds: str) -> list[str]:
        return [one.detail for _, one in self.traces if one.what in kinds]

    @property
    def did(self) -> list[str]:
        """What was done, and how the runs ended, with the moments."""
        ended = [
            (round(at, 3), f"{one.what}: {one.detail}" if one.detail else one.what)
            for at, one in self.traces
            if one.what in ("done", "failed")
        ]
        deeds = [(at, words.removeprefix("send command ")) for at, words in self.deeds]
        return [f"{at:g} {words}" for at, words in deeds + ended]


def _kept(parts: dict[str, Any]) -> dict[str, Any]:
    """Return *parts* without what is seen again in the world."""
    seen = ("world", "connected", "players", "online")
    return {
        name: {key: value for key, value in part.items() if key not in seen}
        if name.startswith("server:")
        else part
        for name, part in parts.items()
        if not name.startswith("aside:")
    }

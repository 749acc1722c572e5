"""Scenes for the recipes' machine: what is heard, and when, to what it wants done.

A `Scene` plays one server to the machine the way an engine would: timers first, at their own
moments. What was done is kept in words, so that a test can compare it whole.
"""

import json
from collections.abc import Callable, Sequence
from datetime import UTC, datetime

from automate.machine.actions import Output, ShowBackup, Traced, action_fields
from automate.machine.doing import Answer
from automate.machine.recipes import RecipeMachine
from automate.machine.stage import Manner
from automate.recipe.recipe import Recipe
from automate.wire import messages as m
from automate.wire.messages import PowerState

__all__ = [
    "ORIGIN",
    "Scene",
    "backup_completed",
    "daemon",
    "expired",
    "line",
    "locked",
    "stats",
    "status",
]

ORIGIN = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)


def status(state: str) -> m.ServerMessage:
    return m.StatusChanged(PowerState(state))


def stats(state: str) -> m.ServerMessage:
    return m.StatsReported(m.Stats(state=state))


def daemon(said: str) -> m.ServerMessage:
    """Return a line of the daemon's own, by its exact bytes."""
    return m.ConsoleOutput(f"\x1b[33m\x1b[1m[Pterodactyl Daemon]:\x1b[39m {said}\x1b[0m")


def line(text: str) -> m.ServerMessage:
    return m.ConsoleOutput(text)


def locked() -> m.ServerMessage:
    return m.DaemonErrorReported(
        "Error Event [a1c75275]: another power action is currently being processed for this "
        "server, please try again later"
    )


def expired() -> m.ServerMessage:
    return m.JwtErrorReported("jwt: exp claim is invalid")


def backup_completed(uuid: str, *, well: bool = True) -> m.ServerMessage:
    return m.BackupCompleted(uuid=uuid, is_successful=well)


class Scene:
    """One server called ``arena``, and a machine that hears it.

    *forgets*: after each input the machine is written down as JSON and built anew from it.
    """

    def __init__(
        self,
        *recipes: Recipe,
        origin: datetime = ORIGIN,
        manner: Manner | None = None,
        forgets: bool = False,
        linked: bool = True,
    ) -> None:
        self.recipes = recipes
        self.origin = origin
        self.manner = manner or Manner()
        self.forgets = forgets
        self.machine = self._new_machine()
        self.outputs: list[tuple[float, Output]] = []
        if linked:
            self.take(self.machine.linked("s", 0.0), 0.0)

    def _new_machine(self) -> RecipeMachine:
        return RecipeMachine(self.recipes, {"s": "arena"}, origin=self.origin, manner=self.manner)

    # ------------------------------------------------------------ what happens

    def hears(self, *heard: tuple[float, m.ServerMessage]) -> "Scene":
        """Let the server say things at their moments."""
        for at, message in heard:
            self.waits(at)
            self.take(self.machine.heard("s", message, at), at)
        return self

    def learns(self, at: float, missed: m.ServerMessage, *, since: float | None) -> "Scene":
        """Tell what the server said before."""
        return self.at(at, lambda machine: machine.missed("s", missed, at, since=since))

    def links(self, at: float) -> "Scene":
        return self.at(at, lambda machine: machine.linked("s", at))

    def unlinks(self, at: float) -> "Scene":
        return self.at(at, lambda machine: machine.unlinked("s", at))

    def asks(self, at: float, recipe: str) -> "Scene":
        return self.at(at, lambda machine: machine.asked("s", recipe, at))

    def answers(
        self,
        at: float,
        call: int = 1,
        *,
        error: str | None = None,
        uuid: str | None = None,
        done: bool = False,
        failed: bool = False,
    ) -> "Scene":
        answer = Answer(error=error, uuid=uuid, is_done=done, is_failed=failed)
        return self.at(at, lambda machine: machine.answered(call, answer, at))

    def ends(self, at: float) -> "Scene":
        return self.at(at, lambda machine: machine.over(at))

    def waits(self, until: float) -> "Scene":
        """Let time go by."""
        while (wake_at := self.machine.wake_at) is not None and wake_at <= until:
            self.take(self.machine.due(wake_at), wake_at)
        return self

    def at(self, at: float, happens: Callable[[RecipeMachine], Sequence[Output]]) -> "Scene":
        self.waits(at)
        self.take(happens(self.machine), at)
        return self

    def take(self, outputs: Sequence[Output], at: float) -> None:
        self.outputs += [(at, output) for output in outputs]
        if self.forgets:
            written = json.dumps(self.machine.save())
            self.machine = self._new_machine()
            ended = self.machine.restore(json.loads(written))
            assert ended == []

    # ------------------------------------------------------------ what came of it

    def traced(self, *kinds: str) -> list[tuple[float, str]]:
        """Return the details of the traces of these kinds."""
        return [
            (at, one.detail)
            for at, one in self.outputs
            if isinstance(one, Traced) and one.what in kinds
        ]

    @property
    def did(self) -> list[tuple[float, str]]:
        """What was done, and when."""
        return [
            (round(at, 4), _words(output))
            for at, output in self.outputs
            if not isinstance(output, Traced)
        ]

    @property
    def ended(self) -> list[tuple[float, str]]:
        """How runs ended, or why they did not begin."""
        return [
            (round(at, 4), f"{output.what}: {output.detail}" if output.detail else output.what)
            for at, output in self.outputs
            if isinstance(output, Traced) and output.what in ("done", "failed", "held back")
        ]


def _words(output: Output) -> str:
    if isinstance(output, ShowBackup):
        return f"show backup {output.uuid}"
    ((what, value),) = action_fields(output).items()
    return f"{what} {value}"

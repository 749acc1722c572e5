"""The engine: live servers to the machine, and what the machine wants to the servers.

One task a session reads its socket and hands batches over by a plain call; the machine decides
at once. Whatever takes time (panel calls, Python calls) runs beside and comes back as an
answer. Before each input the machine is handed every timer that is due by then.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime
from typing import Protocol

import trio
from attrs import frozen

from automate.engine.hands import call_python, make_backup, show_backup
from automate.errors import AutomateError
from automate.live.listener import Listener
from automate.live.panel import Panel
from automate.machine.actions import (
    CallPython,
    MakeBackup,
    Output,
    Send,
    ShowBackup,
    Tell,
    Traced,
)
from automate.machine.doing import Answer
from automate.machine.recipes import RecipeMachine
from automate.machine.stage import Manner
from automate.recipe.recipe import Recipe
from automate.wire.codec import decode_server
from automate.wire.messages import ClientMessage, StatusChanged

__all__ = ["Engine", "Outcome", "Sender", "Watcher", "listener_of"]


class Sender(Protocol):
    """The part of a session that the engine uses."""

    def send(self, message: ClientMessage) -> None:
        """Queue *message* for the server."""


class Watcher(Protocol):
    """Who is told what the engine does, as it does it; plain calls that must be quick."""

    def did(self, action: Output, *, dry: bool) -> None:
        """An action is carried out (or, *dry*, would be)."""

    def decided(self, traced: Traced) -> None:
        """The machine decided something."""

    def saw(self, server: str, words: str) -> None:
        """Something happened to the server or to its connection."""


@frozen
class Outcome:
    """How a recipe that was asked for ended: *what* is ``done``, ``failed`` or ``held back``."""

    server: str
    what: str
    detail: str


class Engine:
    """Recipes at work for *servers* (their ids and the names that texts use).

    With *asked*, that recipe is asked for once at each server, as soon as its status is known;
    `outcomes` fills, and `all_done` is set when every one has come to an end. A *dry* engine
    decides and tells but sends nothing.
    """

    def __init__(
        self,
        recipes: Sequence[Recipe],
        servers: Mapping[str, str],
        *,
        panel: Panel,
        now: Callable[[], datetime],
        watchers: Sequence[Watcher] = (),
        asked: str | None = None,
        dry: bool = False,
    ) -> None:
        self._start = trio.current_time()
        self._machine = RecipeMachine(
            recipes,
            servers,
            origin=now(),
            manner=Manner(asks_once=dry, answers=not dry),
        )
        self._panel = panel
        self._watchers = watchers
        self._dry = dry
        self._asked = asked
        self._to_ask = set(servers) if asked else set()
        self._asking = set(self._to_ask)
        self._senders: dict[str, Sender] = {}
        self._changed = trio.Event()
        self._nursery: trio.Nursery | None = None
        self.outcomes: list[Outcome] = []
        self.all_done = trio.Event()

    def add_sender(self, server: str, sender: Sender) -> None:
        """Send what is meant for *server* by *sender*."""
        self._senders[server] = sender

    async def run(self) -> None:
        """Keep the timers, and do what takes time, until cancelled."""
        async with trio.open_nursery() as nursery:
            self._nursery = nursery
            while True:
                wake_at = self._machine.wake_at
                deadline = float("inf") if wake_at is None else self._start + wake_at
                self._changed = trio.Event()
                with trio.move_on_at(deadline):
                    await self._changed.wait()
                self._catch_up(self._now())

    # ------------------------------------------------------------ inputs

    def received(self, server: str, texts: Sequence[str]) -> None:
        """Take in the frames *texts* of *server*."""
        at = self._now()
        self._catch_up(at)
        machine = self._machine
        for text in texts:
            message = decode_server(text)
            output = machine.heard(server, message, at)
            if type(message) is StatusChanged:
                self.saw(server, f"is {message.status}")
            if output:
                self._carry_out(output)
        if server in self._to_ask and machine.state.servers[server].world.status is not None:
            self._to_ask.discard(server)
            assert self._asked is not None
            self._carry_out(machine.asked(server, self._asked, at))
        self._changed.set()

    def linked(self, server: str) -> None:
        """Take in that *server* can be reached."""
        self.saw(server, "is connected")
        self._hand_over(self._machine.linked, server)

    def unlinked(self, server: str, reason: str) -> None:
        """Take in that the connection to *server* is lost."""
        self.saw(server, f"is not connected: {reason}")
        self._hand_over(self._machine.unlinked, server)

    def blinded(self, server: str, reason: str) -> None:
        """Take in that events of *server* are being lost."""
        self.saw(server, f"is not seen for now: {reason}")
        self._hand_over(self._machine.blinded, server)

    def gave_up(self, server: str, error: AutomateError) -> None:
        """Take in that nothing more will come from *server*, because of *error*."""
        self.saw(server, f"is given up: {error}")
        if server in self._asking:
            self._end_asked(server, "failed", str(error))

    def _hand_over(self, tell: Callable[[str, float], list[Output]], server: str) -> None:
        at = self._now()
        self._catch_up(at)
        self._carry_out(tell(server, at))

    def _catch_up(self, at: float) -> None:
        machine = self._machine
        while (wake_at := machine.wake_at) is not None and wake_at <= at:
            self._carry_out(machine.due(wake_at))

    def _now(self) -> float:
        return trio.current_time() - self._start

    # ------------------------------------------------------------ outputs

    def _carry_out(self, output: Sequence[Output]) -> None:
        for one in output:
            if isinstance(one, Traced):
                for watcher in self._watchers:
                    watcher.decided(one)
                if one.what in ("done", "failed", "held back") and one.server in self._asking:
                    self._end_asked(one.server, one.what, one.detail)
                continue
            for watcher in self._watchers:
                watcher.did(one, dry=self._dry)
            if not self._dry:
                self._do(one)
        self._changed.set()

    def _do(self, action: Output) -> None:
        panel = self._panel
        match action:
            case Send(server=server, message=message):
                self._senders[server].send(message)
            case MakeBackup(server=server, name=name, call=call):
                self._beside(call, lambda: make_backup(panel, server, name))
            case ShowBackup(server=server, uuid=uuid, call=call):
                self._beside(call, lambda: show_backup(panel, server, uuid))
            case CallPython(name=name, values=values, call=call):
                self._beside(call, lambda: call_python(name, values))
            case Tell():
                pass  # the watchers are who is told

    def _beside(self, call: int, work: Callable[[], Awaitable[Answer]]) -> None:
        async def answer() -> None:
            result = await work()
            at = self._now()
            self._catch_up(at)
            self._carry_out(self._machine.answered(call, result, at))

        assert self._nursery is not None, "the engine acts only while it runs"
        self._nursery.start_soon(answer)

    def _end_asked(self, server: str, what: str, detail: str) -> None:
        self._asking.discard(server)
        self.outcomes.append(Outcome(server, what, detail))
        if not self._asking:
            self.all_done.set()

    def saw(self, server: str, words: str) -> None:
        """Tell the watchers that something happened to *server* or its connection."""
        for watcher in self._watchers:
            watcher.saw(server, words)


def listener_of(engine: Engine, server: str) -> Listener:
    """Return what hands a session's news of *server* to *engine*."""
    return _Listener(engine, server)


class _Listener(Listener):
    def __init__(self, engine: Engine, server: str) -> None:
        self._engine = engine
        self._server = server

    def received(self, at: float, texts: Sequence[str]) -> None:
        self._engine.received(self._server, texts)

    def ready(self, at: float) -> None:
        self._engine.linked(self._server)

    def down(self, at: float, reason: str) -> None:
        self._engine.unlinked(self._server, reason)

    def blind(self, at: float, reason: str) -> None:
        self._engine.blinded(self._server, reason)

    def not_sent(self, at: float, message: ClientMessage, reason: str) -> None:
        self._engine.saw(self._server, f"did not get {message}: {reason}")

    def delayed(self, at: float, reason: str, seconds: float) -> None:
        self._engine.saw(self._server, f"can't be reached: {reason}; next try in {seconds:.0f} s")

    def ended(self, at: float, error: AutomateError) -> None:
        self._engine.gave_up(self._server, error)

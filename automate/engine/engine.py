"""The engine: live servers to the machine, and what the machine wants to the servers.

One task a session reads its socket and hands batches over by a plain call; the machine decides
at once. Whatever takes time (panel calls, Python calls) runs beside and comes back as an
answer. Before each input the machine is handed every timer that is due by then.
"""

import math
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime
from typing import Final, Protocol

import trio
from attrs import define, field, frozen

from automate.engine.hands import call_python, make_backup, show_backup
from automate.engine.words import TOLD, said_to, words_of
from automate.errors import AutomateError, UsageError
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
from automate.wire.frame import canonical_client
from automate.wire.messages import ClientMessage, SendCommand

__all__ = ["Engine", "Outcome", "Sender", "Watcher", "listener_of"]

# What is told as sent is only then given to the socket, and a refusal takes its time: so long
# a recipe that was asked for is waited on after its end, if it sent anything.
_PARTING_SECONDS: Final = 0.5


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

    def gave_up(self, server: str, error: AutomateError) -> None:
        """Nothing more will come from the server: *error* is for a person to mend."""


@frozen
class Outcome:
    """How a recipe that was asked for ended.

    *what* is ``done``, ``failed``, ``held back``, or ``given up`` where its server was.
    """

    server: str
    what: str
    detail: str


@define
class _Request:
    """The recipe that was asked for, at one server: its run, and what it has not sent yet."""

    run: int | None = None
    outcome: Outcome | None = None
    unsent: list[str] = field(factory=list)
    has_sent: bool = False
    lost: str | None = None

    @property
    def is_over(self) -> bool:
        return self.outcome is not None and not self.unsent


class Engine:
    """Recipes at work for *servers* (their ids and the names that texts use).

    With *asked*, that recipe is asked for once at each server, as soon as its status is known;
    `wait_for_outcomes` then ends. A *dry* engine decides and tells but sends nothing.

    Raises:
        UsageError: no recipe is called *asked*, or two have one name.
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
        if asked is not None and asked not in [recipe.name for recipe in recipes]:
            known = ", ".join(repr(recipe.name) for recipe in recipes)
            raise UsageError(f"no recipe is called {asked!r}; there are: {known}")
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
        self._requests = {server: _Request() for server in servers} if asked else {}
        self._to_ask = set(self._requests)
        self._all_over = trio.Event()
        self._senders: dict[str, Sender] = {}
        # What each server is still to be told: messages keep their distance on the wire.
        self._unsaid: dict[str, list[str]] = {server: [] for server in servers}
        self._changed = trio.Event()
        self._nursery: trio.Nursery | None = None

    def add_sender(self, server: str, sender: Sender) -> None:
        """Send what is meant for *server* by *sender*."""
        self._senders[server] = sender

    @property
    def running(self) -> list[tuple[str, str]]:
        """The server and the recipe of each run that is not over."""
        return [(run.server, run.recipe) for run in self._machine.busy]

    @property
    def awaits_outcomes(self) -> bool:
        """Whether a recipe was asked for, so that `wait_for_outcomes` will end."""
        return bool(self._requests)

    async def run(self) -> None:
        """Keep the timers, and do what takes time, until cancelled."""
        try:
            async with trio.open_nursery() as self._nursery:
                while True:
                    wake_at = self._machine.wake_at
                    deadline = math.inf if wake_at is None else self._start + wake_at
                    self._changed = trio.Event()
                    with trio.move_on_at(deadline) as patience:
                        await self._changed.wait()
                    # Adding and subtracting the start may cost the last digit: a timer that has
                    # come is due, whatever the clock's reading makes of it.
                    came_at = wake_at if patience.cancelled_caught else None
                    self._catch_up(max(self._now(), came_at or 0.0))
        finally:
            self._nursery = None

    async def wait_for_outcomes(self) -> list[Outcome]:
        """Return how the recipe that was asked for ended, once it did so at every server.

        What it sent is on its way by then.
        """
        await self._all_over.wait()
        if any(request.has_sent for request in self._requests.values()):
            await trio.sleep(_PARTING_SECONDS)
        return [request.outcome for request in self._requests.values() if request.outcome]

    async def put_right(self) -> None:
        """Cut the runs short that have something to put right (`always`), and see it done.

        That is when all is about to end; the caller says how long it may take.
        """
        at = self._now()
        self._catch_up(at)
        before = {run.id for run in self._machine.busy}
        output = self._machine.cut_short(at)
        if not output:
            return
        cut = {one.run for one in output if isinstance(one, Traced)} & before
        self._carry_out(output)
        while any(run.id in cut for run in self._machine.busy) or any(self._unsaid.values()):
            await self._changed.wait()
        await trio.sleep(_PARTING_SECONDS)

    # ------------------------------------------------------------ inputs

    def received(self, server: str, texts: Sequence[str]) -> None:
        """Take in the frames *texts* of *server*."""
        at = self._now()
        self._catch_up(at)
        machine = self._machine
        for text in texts:
            message = decode_server(text)
            output = machine.heard(server, message, at)
            if type(message) in TOLD:
                self.saw(server, words_of(message))
            if output:
                self._carry_out(output)
        if server in self._to_ask and machine.state.servers[server].world.status is not None:
            self._ask(server, at)
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

    def sent(self, server: str, text: str) -> None:
        """Take in that the frame *text* is given to the socket of *server*."""
        unsaid = self._unsaid[server]
        if text in unsaid:
            unsaid.remove(text)
            self._changed.set()
        request = self._requests.get(server)
        if request is not None and text in request.unsent:
            request.unsent.remove(text)
            self._check_requests()

    def not_sent(self, server: str, message: ClientMessage, reason: str) -> None:
        """Take in that *message* will not be sent to *server*."""
        self.saw(server, f"did not get {said_to(message)}: {reason}")
        request = self._requests.get(server)
        # Power steps see for themselves that nothing happens, and ask again.
        if request is not None and isinstance(message, SendCommand):
            request.lost = request.lost or f"{said_to(message)} was not sent: {reason}"
        self.sent(server, canonical_client(message.event, message.args))

    def gave_up(self, server: str, error: AutomateError) -> None:
        """Take in that nothing more will come from *server*, because of *error*."""
        for watcher in self._watchers:
            watcher.gave_up(server, error)
        self._to_ask.discard(server)
        self._unsaid[server].clear()
        self._changed.set()
        request = self._requests.get(server)
        if request is not None:
            request.unsent.clear()
            request.outcome = request.outcome or Outcome(server, "given up", str(error))
            self._check_requests()

    def saw(self, server: str, words: str) -> None:
        """Tell the watchers that something happened to *server* or its connection."""
        for watcher in self._watchers:
            watcher.saw(server, words)

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
                if one.what in ("done", "failed"):
                    self._end_request(one)
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
                text = canonical_client(message.event, message.args)
                self._unsaid[server].append(text)
                request = self._requests.get(server)
                if request is not None and request.run == action.run:
                    request.unsent.append(text)
                    request.has_sent = True
                self._senders[server].send(message)
            case MakeBackup(server=server, name=name, call=call):
                self._beside(call, lambda: self._make_backup(server, name))
            case ShowBackup(server=server, uuid=uuid, call=call):
                self._beside(call, lambda: show_backup(panel, server, uuid))
            case CallPython(name=name, values=values, call=call):
                self._beside(call, lambda: call_python(name, values))
            case Tell():
                pass  # the watchers are who is told

    async def _make_backup(self, server: str, name: str) -> Answer:
        """Make a backup that overtakes no command (`save-off`) on its way to the server."""
        while self._unsaid[server]:
            await self._changed.wait()
        return await make_backup(self._panel, server, name)

    def _beside(self, call: int, work: Callable[[], Awaitable[Answer]]) -> None:
        async def answer() -> None:
            result = await work()
            at = self._now()
            self._catch_up(at)
            self._carry_out(self._machine.answered(call, result, at))

        # A session that says goodbye may still bring frames after we are cancelled.
        if self._nursery is not None:
            self._nursery.start_soon(answer)

    # ------------------------------------------------------------ the recipe asked for

    def _ask(self, server: str, at: float) -> None:
        self._to_ask.discard(server)
        assert self._asked is not None
        output = self._machine.asked(server, self._asked, at)
        request, first = self._requests[server], output[0]
        assert isinstance(first, Traced)
        request.run = first.run
        if first.run is None:
            request.outcome = Outcome(server, first.what, first.detail)
        self._carry_out(output)
        self._check_requests()

    def _end_request(self, traced: Traced) -> None:
        request = self._requests.get(traced.server)
        if request is None or request.run is None or request.run != traced.run:
            return
        request.outcome = Outcome(traced.server, traced.what, traced.detail)
        self._check_requests()

    def _check_requests(self) -> None:
        if not all(request.is_over for request in self._requests.values()):
            return
        for request in self._requests.values():
            if request.lost and request.outcome and request.outcome.what == "done":
                request.outcome = Outcome(request.outcome.server, "failed", request.lost)
        self._all_over.set()


def listener_of(engine: Engine, server: str) -> Listener:
    """Return what hands a session's news of *server* to *engine*."""
    return _Listener(engine, server)


class _Listener(Listener):
    def __init__(self, engine: Engine, server: str) -> None:
        self._engine = engine
        self._server = server

    def received(self, at: float, texts: Sequence[str]) -> None:
        self._engine.received(self._server, texts)

    def sent(self, at: float, text: str) -> None:
        self._engine.sent(self._server, text)

    def ready(self, at: float) -> None:
        self._engine.linked(self._server)

    def down(self, at: float, reason: str) -> None:
        self._engine.unlinked(self._server, reason)

    def blind(self, at: float, reason: str) -> None:
        self._engine.blinded(self._server, reason)

    def sighted(self, at: float) -> None:
        self._engine.saw(self._server, "is seen again")

    def not_sent(self, at: float, message: ClientMessage, reason: str) -> None:
        self._engine.not_sent(self._server, message, reason)

    def delayed(self, at: float, reason: str, seconds: float) -> None:
        self._engine.saw(self._server, f"can't be reached: {reason}; next try in {seconds:.0f} s")

    def ended(self, at: float, error: AutomateError) -> None:
        self._engine.gave_up(self._server, error)

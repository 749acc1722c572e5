"""The engine: live servers to the machine, and what the machine wants to the servers.

One task a session reads its socket and hands batches over by a plain call; the machine decides
at once. What it decided is written into the journal, then done. Whatever takes time (panel
calls, Python calls) runs beside and comes back as an answer. Before each input the machine is
handed every timer that is due by then.
"""

import math
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any, Final

import trio

from automate.engine.deeds import Deeds
from automate.engine.journal import Journal, Note, Request
from automate.engine.keeper import Description, Keeper
from automate.engine.moments import Moments
from automate.engine.requests import Requests
from automate.engine.watcher import Outcome, Sender, Watcher
from automate.engine.words import TOLD, said_to, words_of
from automate.errors import AutomateError, UsageError
from automate.live.panel import Panel
from automate.machine.actions import Output, Traced
from automate.machine.answer import Answer
from automate.machine.recipes import RecipeMachine
from automate.machine.seen_lines import Heard
from automate.machine.stage import Manner
from automate.recipe.recipe import Recipe
from automate.recipe.selectors import ServerFacts
from automate.wire.codec import decode_server
from automate.wire.frame import canonical_client
from automate.wire.messages import ClientMessage

__all__ = ["Engine", "Outcome", "Sender", "Watcher"]

# What is told as sent is only then given to the socket, and a refusal takes its time: so long
# a recipe that was asked for is waited on after its end, if it sent anything.
_PARTING_SECONDS: Final = 0.5
# Somebody who asks for a recipe from another terminal waits no longer than this.
_LOOK_FOR_REQUESTS_SECONDS: Final = 0.5
# Before the number of a request in the journal, for a ticket; others are a server's id.
_REQUEST: Final = "request "
# A clock set back is noticed at the latest after this time.
_LOOK_AT_CLOCK_SECONDS: Final = 30.0


class Engine:
    """Recipes at work for *servers* (their ids and what is known of them, or just their names).

    With *asked*, that recipe is asked for once at each server, as soon as its status is known;
    `wait_for_outcomes` then ends; with *only_asked* nothing else sets a recipe off. A *dry*
    engine decides and tells but sends nothing. With a *journal* it goes on where the last engine
    stopped; *threaded* writes it beside.

    Raises:
        UsageError: no recipe is called *asked*, or two have one name.
    """

    def __init__(
        self,
        recipes: Sequence[Recipe],
        servers: Mapping[str, str | ServerFacts],
        *,
        panel: Panel,
        now: Callable[[], datetime],
        watchers: Sequence[Watcher] = (),
        asked: str | None = None,
        only_asked: bool = False,
        dry: bool = False,
        journal: Journal | None = None,
        threaded: bool = False,
        seed: int = 0,
    ) -> None:
        if asked is not None and asked not in [recipe.name for recipe in recipes]:
            known = ", ".join(repr(recipe.name) for recipe in recipes)
            raise UsageError(f"no recipe is called {asked!r}; there are: {known}")
        saved = journal.saved() if journal is not None else {}
        origin, least = _counted_from(saved, journal)
        self._moments = Moments(origin or now(), now, least=least)
        was_set_back = origin is not None and self._moments.origin != origin
        self._machine = RecipeMachine(
            recipes,
            servers,
            origin=self._moments.origin,
            manner=Manner(asks_once=dry, answers=not dry, confirms=not dry, waits=not only_asked),
            seed=seed,
            at=self._moments.at(),
        )
        self._watchers = watchers
        self._dry = dry
        self._asked = Requests(asked, servers)
        self._deeds = Deeds(servers, panel, answer=self._answer)
        self._keeper = Keeper(journal, threaded=threaded, complain=self._complain)
        self._changed = trio.Event()
        # What is still to be carried out: an action's answer may come while it is.
        self._todo: deque[tuple[Sequence[Output], dict[str, Any]]] = deque()
        self._is_busy = False
        self._describe()
        self._is_taken_up = bool(saved)
        if saved:
            # What is set off by it waits until `run`.
            for words in self._machine.restore(saved):
                self._complain(f"warning: set aside, for it can't be read any more: {words}")
        if was_set_back:
            self._machine.clock_set(self._moments.origin, self._moments.at())

    def add_sender(self, server: str, sender: Sender) -> None:
        """Send what is meant for *server* by *sender*."""
        self._deeds.senders[server] = sender

    @property
    def running(self) -> list[tuple[str, str]]:
        """The server and the recipe of each run that is not over."""
        return [(run.server, run.recipe) for run in self._machine.busy]

    @property
    def awaits_outcomes(self) -> bool:
        """Whether a recipe was asked for, so that `wait_for_outcomes` will end."""
        return bool(self._asked)

    async def run(self) -> None:
        """Go on from the journal, keep the timers, do what takes time, until cancelled."""
        try:
            async with trio.open_nursery() as nursery:
                self._deeds.nursery = nursery
                nursery.start_soon(self._keeper.run)
                if self._is_taken_up:
                    self._carry_out(self._machine.resume(self._moments.at()))
                else:
                    self._carry_out(self._machine.begun(self._moments.at()))
                if self._keeper.journal is not None:
                    nursery.start_soon(self._look_for_requests)
                while True:
                    wake_at = self._machine.wake_at
                    deadline = math.inf if wake_at is None else self._moments.deadline(wake_at)
                    soon = trio.current_time() + _LOOK_AT_CLOCK_SECONDS
                    self._changed = trio.Event()
                    with trio.move_on_at(min(deadline, soon)) as patience:
                        await self._changed.wait()
                    # Adding and subtracting an offset may cost the last digit: a timer that has
                    # come is due, whatever the clock's reading makes of it.
                    came_at = wake_at if patience.cancelled_caught and deadline <= soon else None
                    at = max(self._moments.at(), came_at or 0.0)
                    # What has come by the old clock has come.
                    self._catch_up(at)
                    if self._moments.was_set_back():
                        self._carry_out(self._machine.clock_set(self._moments.origin, at))
        finally:
            self._deeds.nursery = None

    async def wait_for_outcomes(self) -> list[Outcome]:
        """Return how the recipe that was asked for ended, once it did so at every server."""
        outcomes = await self._asked.outcomes()
        if self._deeds.has_sent:
            await trio.sleep(_PARTING_SECONDS)
        return outcomes

    async def put_right(self) -> None:
        """Cut the runs short that have something to put right (`always`), and see it done.

        That is when all is about to end; the caller says how long it may take.
        """
        at = self._moments.at()
        self._catch_up(at)
        output = self._machine.cut_short(at)
        cut = {one.run for one in output if isinstance(one, Traced) and one.what == "cut short"}
        if not cut:
            return
        self._carry_out(output)
        while any(run.id in cut for run in self._machine.busy) or not self._deeds.are_said:
            await self._changed.wait()
        await trio.sleep(_PARTING_SECONDS)

    async def close(self) -> None:
        """Write what is still to be written into the journal."""
        await self._keeper.finish()

    def reload(self, recipes: Sequence[Recipe]) -> None:
        """Go on with these recipes; runs under way end as they began.

        Raises:
            UsageError: two recipes have one name; nothing was changed then.
        """
        at = self._moments.at()
        self._catch_up(at)
        self._carry_out(self._machine.reload(recipes, at))
        self._describe()

    # ------------------------------------------------------------ inputs

    def heard(self, server: str, texts: Sequence[str]) -> None:
        """Take in the frames *texts* of *server*, as `Listener.heard` tells them."""
        at = self._moments.at()
        self._catch_up(at)
        machine = self._machine
        missed = texts.missed if isinstance(texts, Heard) else {}
        for place, text in enumerate(texts):
            message = decode_server(text)
            if place in missed:
                moment = missed[place]
                since = None if moment is None else self._moments.from_trio(moment)
                output = machine.missed(server, message, at, since=since)
            else:
                output = machine.heard(server, message, at)
            if type(message) in TOLD:
                self.saw(server, words_of(message))
            if output:
                self._carry_out(output)
        if machine.has_changes:
            self._carry_out(())
        if (
            self._asked.is_to_be_asked(server)
            and machine.state.servers[server].world.status is not None
        ):
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
        self._said(server, text, Answer())

    def not_sent(self, server: str, message: ClientMessage, reason: str) -> None:
        """Take in that *message* will not be sent to *server*."""
        self.saw(server, f"did not get {said_to(message)}: {reason}")
        # Power steps see for themselves that nothing happens, and ask again.
        answer = Answer(error=f"{said_to(message)} was not sent: {reason}")
        self._said(server, canonical_client(message.event, message.args), answer)

    def gave_up(self, server: str, error: AutomateError) -> None:
        """Take in that nothing more will come from *server*, because of *error*."""
        for watcher in self._watchers:
            watcher.gave_up(server, error)
        self._deeds.gave_up(server)
        self._changed.set()
        self._asked.gave_up(server, str(error))

    def saw(self, server: str, words: str) -> None:
        """Tell the watchers that something happened to *server* or its connection."""
        for watcher in self._watchers:
            watcher.saw(server, words)

    def _said(self, server: str, text: str, answer: Answer) -> None:
        self._deeds.said(server, text, answer)
        self._changed.set()

    def _answer(self, call: int, answer: Answer) -> None:
        at = self._moments.at()
        self._catch_up(at)
        self._carry_out(self._machine.answered(call, answer, at))

    def _hand_over(self, tell: Callable[[str, float], list[Output]], server: str) -> None:
        at = self._moments.at()
        self._catch_up(at)
        self._carry_out(tell(server, at))

    def _catch_up(self, at: float) -> None:
        machine = self._machine
        while (wake_at := machine.wake_at) is not None and wake_at <= at:
            self._carry_out(machine.due(wake_at, now=at))

    # ------------------------------------------------------------ the journal

    def _describe(self) -> None:
        machine = self._machine
        described = Description(
            recipes=machine.recipes, servers=machine.servers, serves=machine.serves
        )
        self._keeper.keep({}, (), _nothing, described=described)

    def _complain(self, words: str) -> None:
        for watcher in self._watchers:
            watcher.warned(words)

    async def _look_for_requests(self) -> None:
        while True:
            await trio.sleep(_LOOK_FOR_REQUESTS_SECONDS)
            for request in await self._keeper.take_requests():
                self._take_request(request)

    def _take_request(self, request: Request) -> None:
        at = self._moments.at()
        self._catch_up(at)
        try:
            if not self._deeds.knows(request.server):
                raise UsageError("that server is not among those of this engine")
            output = self._machine.asked(
                request.server, request.recipe, at, ticket=f"{_REQUEST}{request.id}"
            )
        except UsageError as error:
            self._keeper.keep({}, (), _nothing, refused={request.id: str(error)})
            return
        self._carry_out(output)

    def _take_calls(self) -> tuple[dict[int, int], dict[int, str]]:
        """Return the runs that requests of the journal set off, and why others set off none."""
        begun, refused = {}, {}
        for one in self._machine.called():
            number = one.ticket.removeprefix(_REQUEST)
            if number == one.ticket:
                if one.run is None:
                    self._asked.refused(one.ticket, one.reason)
                else:
                    self._asked.begun(one.ticket, one.run)
            elif one.run is None:
                refused[int(number)] = one.reason
            else:
                begun[int(number)] = one.run
        return begun, refused

    # ------------------------------------------------------------ outputs

    def _carry_out(self, output: Sequence[Output]) -> None:
        """Have *output* written down and done, after what is being done already."""
        if output or self._machine.has_changes:
            # The state as it is now: what is decided meanwhile is written with its own reasons.
            self._todo.append((output, self._changes()))
        if self._is_busy:
            return
        self._is_busy = True
        try:
            while self._todo:
                self._keep(*self._todo.popleft())
        finally:
            self._is_busy = False
        self._changed.set()

    def _changes(self) -> dict[str, Any]:
        if self._keeper.journal is None:
            self._machine.forget_changes()
            return {}
        return self._machine.changes()

    def _keep(self, output: Sequence[Output], parts: dict[str, Any]) -> None:
        begun, refused = self._take_calls()
        if self._keeper.journal is None:
            self._do_all(output)
            return
        at = self._moments.at()
        time = self._moments.wall(at)
        notes = [Note(time, one) for one in output if isinstance(one, Traced)]
        if "machine" in parts:
            # Should the clock on the wall be set back while nobody is there, this tells.
            parts["machine"]["at"] = at
        self._keeper.keep(parts, notes, lambda: self._do_all(output), begun=begun, refused=refused)

    def _do_all(self, output: Sequence[Output]) -> None:
        ended = False
        for one in output:
            if isinstance(one, Traced):
                for watcher in self._watchers:
                    watcher.decided(one)
                if one.what in ("done", "failed"):
                    self._asked.ended(one)
                ended = ended or one.what in ("done", "failed", "step failed")
                continue
            for watcher in self._watchers:
                watcher.did(one, dry=self._dry)
            if not self._dry:
                self._deeds.do(one)
        if ended:
            self._deeds.end_calls(lambda: self._machine.open_calls)
        self._changed.set()

    # ------------------------------------------------------------ the recipe asked for

    def _ask(self, server: str, at: float) -> None:
        recipe = self._asked.recipe
        assert recipe is not None
        self._asked.asked(server)
        try:
            output = self._machine.asked(server, recipe, at, ticket=server)
        except UsageError as error:
            self._asked.gave_up(server, str(error))
            return
        self._carry_out(output)


def _nothing() -> None:
    pass


def _counted_from(
    saved: Mapping[str, Any], journal: Journal | None
) -> tuple[datetime | None, float]:
    """Return where the journal's moments count from, and the last; no moment without a journal."""
    if journal is None:
        return None, -math.inf
    machine = saved.get("machine")
    origin, at = journal.origin, -math.inf
    if isinstance(machine, dict):
        # Whatever another version of automate wrote may be wrong in any way.
        with suppress(ValueError, TypeError, KeyError):
            origin = datetime.fromisoformat(machine["origin"]).astimezone(UTC)
        with suppress(ValueError, TypeError, KeyError):
            at = float(machine["at"])
    return origin, at

"""A mortal engine: a whole one, at work at a modelled node, that can be killed at any point.

A point lies before and after each write of the journal, before and after each message that is
given to a socket, after each answer of the panel to a deed, and before each thing that a run
under way hears. Who is killed does nothing any more, not even a goodbye: its sockets are cut, as
a kernel does it.
"""

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any, Final, NoReturn

import trio
from attrs import Factory, define, frozen
from trio import socket as tsocket

from automate.engine.engine import Engine, Watcher
from automate.engine.facts import server_facts
from automate.engine.journal import MemoryJournal, Note, Request
from automate.engine.listener import listener_of
from automate.engine.words import said_to
from automate.errors import AutomateError
from automate.fake.network import MemoryNetwork, MemorySocket
from automate.live.listener import Listener
from automate.live.panel import Call, Panel
from automate.live.session import Session
from automate.live.websocket import NodeSocket, open_socket
from automate.machine.actions import Output, Traced
from automate.recipe.combinators import leaves
from automate.recipe.recipe import Recipe
from automate.recipe.triggers import Silent
from automate.testing.nodes import memory_client
from automate.wire.codec import decode_client, decode_server
from automate.wire.messages import (
    ClientMessage,
    SendCommand,
    ServerMessage,
    SetState,
    StatsReported,
    StatusChanged,
)

__all__ = ["Killed", "Mortal", "Point"]

_SHOWN: Final = 90


class Killed(BaseException):
    """The engine was killed here; nothing that catches mere errors may keep it alive."""


@frozen
class Point:
    """A point at which the engine can be killed, with *words* for it, at so many seconds."""

    number: int
    seconds: float
    words: str
    # Whether it has just been told what sets a recipe off (or found it out: a silence), and has
    # written nothing of it, or has never written anything: as good as not having been there.
    is_unseen: bool = False


@define
class Mortal:
    """One life of an engine for *servers* (their names by uuid).

    *journal* is what it finds and leaves. *at_point* is called with words for each point and
    with whether something is unseen (see `Point`), and returns whether it is killed there. *did*
    is told of what only we can see of its deeds: notices and Python calls. *warned* is told what
    it warns of.
    """

    recipes: Sequence[Recipe]
    servers: Mapping[str, str]
    panel_url: str
    key: str
    network: MemoryNetwork
    journal: MemoryJournal
    now: Callable[[], datetime]
    at_point: Callable[[str, bool], bool]
    did: Callable[[Output], None]
    warned: Callable[[str], None]
    changed: Callable[[], None]
    is_dead: bool = False
    # Whether it is being told something while no run is under way.
    is_told: bool = False
    _seen: set[str] = Factory(set)
    _scope: trio.CancelScope = Factory(trio.CancelScope)
    _sockets: list[MemorySocket] = Factory(list)
    _engine: Engine | None = None

    @property
    def sees_all(self) -> bool:
        """Whether it knows how each server is."""
        return len(self._seen) == len(self.servers) and not self.is_dead

    async def live(self) -> None:
        """Live until cancelled, or until it is killed."""
        try:
            with self._scope:
                async with self._cable():
                    await self._work()
        # Whatever else goes to pieces in a killed process, nobody hears of.
        except BaseException:
            if not self.is_dead:
                raise

    async def _work(self) -> None:
        async with (
            memory_client() as client,
            Panel(self.panel_url, self.key, client=client, on_call=self._called) as panel,
        ):
            facts = {uuid: server_facts(await panel.server(uuid)) for uuid in self.servers}
            self._engine = engine = Engine(
                self.recipes,
                facts,
                panel=panel,
                now=self.now,
                watchers=[_Watcher(self)],
                journal=_Written(self),
            )
            async with trio.open_nursery() as nursery:
                for uuid in self.servers:
                    session = Session(
                        uuid,
                        panel,
                        listener=_Ear(self, uuid, listener_of(engine, uuid)),
                        connect=self._connect,
                    )
                    engine.add_sender(uuid, session)
                    nursery.start_soon(session.run)
                nursery.start_soon(engine.run)

    # ------------------------------------------------------------ dying

    def point(self, words: str, *, is_unseen: bool = False) -> None:
        """Come to a point, and die there if it is time."""
        self.check()
        if self.at_point(words, is_unseen or self.is_told):
            self.is_dead = True
            self._seen.clear()
            for socket in self._sockets:
                socket.close()
            self._scope.cancel()
            self.changed()
            raise Killed(words)

    def check(self) -> None:
        """Do nothing if it lives; who is dead does nothing, either."""
        if self.is_dead:
            raise Killed

    @property
    def is_busy(self) -> bool:
        """Whether a run is under way."""
        return self._engine is not None and bool(self._engine.running)

    def begins_anew(self, recipe: str) -> bool:
        """Whether *recipe* is set off by a silence, of which the next engine knows nothing."""
        return any(
            isinstance(leaf, Silent)
            for one in self.recipes
            if one.name == recipe
            for trigger in one.when
            for leaf in leaves(trigger)
        )

    # ------------------------------------------------------------ what it is connected by

    @asynccontextmanager
    async def _cable(self) -> AsyncIterator[None]:
        """Have all sockets that are made meanwhile known as ours."""
        before = tsocket.set_custom_socket_factory(_Cable(self, self.network, self._sockets))
        try:
            yield
        finally:
            tsocket.set_custom_socket_factory(before)

    @asynccontextmanager
    async def _connect(self, url: str, origin: str) -> AsyncIterator[NodeSocket]:
        async with open_socket(url, origin) as node_socket:
            yield _Socket(self, node_socket)

    def _called(self, call: Call) -> None:
        if call.method != "GET":
            path = call.path.partition("/servers/")[2].partition("/")[2]
            self.point(f"{call.method} {path} was answered {call.status}, and it knew not yet")

    # ------------------------------------------------------------ what it sees

    def see(self, server: str, message: ServerMessage) -> None:
        """Note that it now knows how the *server* is."""
        if isinstance(message, StatusChanged):
            self._seen.add(server)
            self.changed()

    def lose_sight(self, server: str) -> None:
        """Note that it does not know any more how the *server* is."""
        self._seen.discard(server)


class _Cable(trio.abc.SocketFactory):
    def __init__(self, mortal: Mortal, network: MemoryNetwork, made: list[MemorySocket]) -> None:
        self._mortal = mortal
        self._network = network
        self._made = made

    def socket(self, family: Any = -1, type: Any = -1, proto: int = 0) -> MemorySocket:
        self._mortal.check()
        socket = self._network.socket(family, type, proto)
        self._made.append(socket)
        return socket


class _Socket(NodeSocket):
    """A socket on which each of our deeds is a point, before and after."""

    def __init__(self, mortal: Mortal, inner: NodeSocket) -> None:
        self._mortal = mortal
        self._inner = inner

    async def receive(self) -> list[str]:
        return await self._inner.receive()

    async def send(self, text: str) -> None:
        message = decode_client(text)
        if not isinstance(message, SetState | SendCommand):
            await self._inner.send(text)
            return
        self._mortal.point(f"before the socket got {said_to(message)!r}")
        await self._inner.send(text)
        self._mortal.point(f"the socket had got {said_to(message)!r}")

    async def ping(self) -> None:
        await self._inner.ping()


class _Ear(Listener):
    """Hears everything a moment before the *engine* does."""

    def __init__(self, mortal: Mortal, server: str, engine: Listener) -> None:
        self._mortal = mortal
        self._server = server
        self._engine = engine

    def heard(self, at: float, texts: Sequence[str]) -> None:
        mortal, messages = self._mortal, [decode_server(text) for text in texts]
        news = [one for one in messages if not isinstance(one, StatsReported)]
        if news and mortal.is_busy:
            mortal.point(f"before it heard {_shown('; '.join(map(str, news)))}")
        mortal.is_told = not mortal.is_busy
        try:
            self._engine.heard(at, texts)
        finally:
            mortal.is_told = False
        for message in messages:
            mortal.see(self._server, message)

    def down(self, at: float, reason: str) -> None:
        self._mortal.lose_sight(self._server)
        self._engine.down(at, reason)

    def sent(self, at: float, text: str) -> None:
        self._engine.sent(at, text)

    def given(self, at: float, text: str) -> None:
        self._engine.given(at, text)

    def ready(self, at: float) -> None:
        self._engine.ready(at)

    def blind(self, at: float, reason: str) -> None:
        self._engine.blind(at, reason)

    def not_sent(self, at: float, message: ClientMessage, reason: str) -> None:
        self._engine.not_sent(at, message, reason)

    def ended(self, at: float, error: AutomateError) -> None:
        self._engine.ended(at, error)


class _Written:
    """The journal, with a point before and after each write (see `engine.journal.Journal`)."""

    def __init__(self, mortal: Mortal) -> None:
        self._mortal = mortal
        self._inner = mortal.journal

    @property
    def origin(self) -> datetime:
        return self._inner.origin

    @property
    def warning(self) -> str | None:
        return self._inner.warning

    def saved(self) -> dict[str, Any]:
        return self._inner.saved()

    def write(
        self,
        parts: Mapping[str, Any],
        notes: Sequence[Note] = (),
        *,
        begun: Mapping[int, int] | None = None,
    ) -> None:
        words = _written(parts, notes)
        begun_now = [note.traced.recipe for note in notes if note.traced.what == "triggered"]
        is_unseen = not self._inner.saved() or any(map(self._mortal.begins_anew, begun_now))
        self._mortal.point(f"before it wrote {words}", is_unseen=is_unseen)
        self._inner.write(parts, notes, begun=begun)
        if begun_now:
            self._mortal.is_told = False
        self._mortal.point(f"it had written {words}, and done nothing yet")

    def describe(
        self,
        *,
        recipes: Sequence[str],
        servers: Mapping[str, str],
        serves: Mapping[str, Sequence[str]] | None = None,
    ) -> None:
        self._mortal.check()
        self._inner.describe(recipes=recipes, servers=servers, serves=serves)

    def take_requests(self) -> list[Request]:
        self._mortal.check()
        return self._inner.take_requests()

    def answer_request(self, id: int, run: int | None, outcome: str, detail: str = "") -> None:
        self._mortal.check()
        self._inner.answer_request(id, run, outcome, detail)


class _Watcher(Watcher):
    def __init__(self, mortal: Mortal) -> None:
        self._mortal = mortal

    def did(self, action: Output, *, dry: bool) -> None:
        self._mortal.check()
        self._mortal.did(action)

    def decided(self, traced: Traced) -> None:
        """Leave that to the journal."""

    def saw(self, server: str, words: str) -> None:
        """Leave that to the node."""

    def warned(self, words: str) -> None:
        self._mortal.check()
        self._mortal.warned(words)

    def gave_up(self, server: str, error: AutomateError) -> NoReturn:
        raise error


def _written(parts: Mapping[str, Any], notes: Sequence[Note]) -> str:
    told = [
        f"{note.traced.what}{f' ({note.traced.detail})' if note.traced.detail else ''}"
        for note in notes
    ]
    return _shown("; ".join(told) or f"the state of {', '.join(sorted(parts))}")


def _shown(words: str) -> str:
    plain = words if words.isprintable() else repr(words)[1:-1]
    return plain if len(plain) <= _SHOWN else f"{plain[:_SHOWN]}…"

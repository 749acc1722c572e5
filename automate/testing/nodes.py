"""A node to talk to in a test: a recording that is replayed, a model, or a real one recorded.

To the test they are the same: an address, a key, and what was said. Where the network is, and
whether time is real, is decided by whoever opens the node.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

import trio
from trio.testing import wait_all_tasks_blocked

from automate.engine.engine import Engine
from automate.engine.listener import listener_of
from automate.errors import UsageError, sole
from automate.fake.node import Replay
from automate.fake.signals import NoteKind
from automate.live.listener import Listener, together
from automate.live.panel import Call, Panel
from automate.live.recorder import Recorder
from automate.live.session import Session
from automate.recording.format import Header
from automate.testing.ears import Ears, Play
from automate.testing.rehearsing import RecipesLike, load_recipes
from automate.wire.messages import PowerState, ServerMessage, StatusChanged

if TYPE_CHECKING:
    import httpx

    from automate.fake.model.served import ServedModel

__all__ = ["Node", "all_running", "memory_client", "plainly"]


_ASIDE: Final = (NoteKind.IGNORED, NoteKind.REFUSED, NoteKind.DIFFERED, NoteKind.SLOW)


class Node:
    """A panel and a node, and in them one *server*; *key* opens the panel.

    *replay* is what plays the recording, where one is played; *model* is the model, where there
    is one. Seconds are those of the recording's clock, as long as its replay does not stand
    still.
    """

    def __init__(
        self,
        *,
        panel_url: str,
        key: str,
        header: Header,
        begins_at: float = 0.0,
        replay: Replay | None = None,
        model: "ServedModel | None" = None,
        recorder: Recorder | None = None,
    ) -> None:
        self.panel_url = panel_url
        self.key = key
        self.server = header.server
        served = replay or model
        self.socket_url = None if served is None else served.socket_url
        self.replay = replay
        self.model = model
        self.header = header
        self.is_virtual = recorder is None
        self._recorder = recorder
        self.ears = Ears(begins_at=begins_at)

    @property
    def traffic(self) -> list[str]:
        """What was said so far, both ways, a line each; secrets are left out."""
        return self.ears.lines

    def now(self) -> datetime:
        """Return the wall clock, which follows trio's."""
        return self.header.started + timedelta(seconds=self.ears.seconds(trio.current_time()))

    @asynccontextmanager
    async def open_panel(self, *, beside: Sequence["Node"] = ()) -> AsyncIterator[Panel]:
        """Open the panel; its calls are part of the traffic.

        Those that are about the server of another node, *beside* this one, are part of that one's.
        """
        others = {f"/servers/{node.server}": node for node in beside}

        def called(call: Call) -> None:
            whose = [node for path, node in others.items() if path in call.path]
            (whose[0] if whose else self).called(call)

        if not self.is_virtual:
            async with Panel(self.panel_url, self.key, on_call=called) as panel:
                yield panel
            return
        async with (
            memory_client() as client,
            Panel(self.panel_url, self.key, client=client, on_call=called) as panel,
        ):
            yield panel

    @asynccontextmanager
    async def open_session(self, *listeners: Listener) -> AsyncIterator[Session]:
        """Keep a session with the server while the block runs; *listeners* are told all.

        Raises:
            AutomateError: the session can't go on.
        """
        async with self.open_panel() as panel:
            session = self.session(panel, *listeners)
            async with _beside(session.run, is_virtual=self.is_virtual):
                yield session

    @asynccontextmanager
    async def running(
        self, recipes: RecipesLike, *, asked: str | None = None
    ) -> AsyncIterator[Play]:
        """Have *recipes* at work for the server while the block runs; what they do is told.

        With *asked*, the recipe of this name is asked for at once.

        Raises:
            UsageError: there is no recipe of the name.
            AutomateError: the session can't go on.
        """
        async with all_running([self], recipes, asked=asked) as (play,):
            yield play

    async def hears(self, what: ServerMessage | str) -> ServerMessage:
        """Wait for the next frame that is *what*: a message, or a console line with this text.

        Each frame is taken once: the next call goes on after it. Raises an `AssertionError`
        if nothing at all was said for an hour of virtual time.
        """
        __tracebackhide__ = True
        return await self.ears.wait_for(what, is_patient=not self.is_virtual, hint=self._why_silent)

    async def becomes(self, status: PowerState | str) -> None:
        """Wait until the server, being something else, says that it is *status*: ``running``…

        What it is when the session begins is no change. Each change is taken once. Raises as
        `hears` does, and a `UsageError` for what is no status.
        """
        __tracebackhide__ = True
        try:
            wanted = PowerState(status)
        except ValueError:
            known = ", ".join(PowerState)
            raise UsageError(f"expected a status ({known}), found {status!r}") from None
        await self.ears.wait_for(
            StatusChanged(wanted),
            is_patient=not self.is_virtual,
            hint=self._why_silent,
            is_change=True,
        )

    def _why_silent(self) -> str:
        notes = [] if self.replay is None else self.replay.notes
        # What a client does that the tape does not take changes nothing about what it waits for.
        course = [note for note in notes if note.kind not in _ASIDE]
        if course and course[-1].kind is NoteKind.WAITING:
            return f" (the replay waits {course[-1].text})"
        return ""

    def session(self, panel: Panel, *listeners: Listener) -> Session:
        """Return a session that nobody runs yet; *listeners* are told all, after our own ears."""
        first = () if self._recorder is None else (self._recorder,)
        return Session(self.server, panel, listener=together(*first, self.ears, *listeners))

    def called(self, call: Call) -> None:
        """Write down a call to the panel, which was answered now."""
        if self._recorder is not None:
            self._recorder.called(call)
        self.ears.called(call)


# ---------------------------------------------------------------- recipes at work


@asynccontextmanager
async def all_running(
    nodes: Sequence[Node], recipes: RecipesLike, *, asked: str | None = None
) -> AsyncIterator[tuple[Play, ...]]:
    """Have one engine run *recipes* for the servers of all *nodes*, which share a panel.

    What they do for each is told by a play of its own, in the order of the nodes. The wall clock
    is that of the first. With *asked*, the recipe of this name is asked for at once.

    Raises:
        UsageError: there is no recipe of the name, or no node.
        AutomateError: a session can't go on.
    """
    if not nodes:
        raise UsageError("recipes run for servers; give at least one node")
    first = nodes[0]
    loaded = load_recipes(recipes)
    async with first.open_panel(beside=nodes[1:]) as panel:
        names = {node.server: (await panel.server(node.server)).name for node in nodes}
        plays = tuple(
            Play(
                node.header.title or names[node.server],
                node.ears,
                server=node.server,
                recipes=[recipe.name for recipe in loaded],
                is_patient=not node.is_virtual,
            )
            for node in nodes
        )
        engine = Engine(loaded, names, panel=panel, now=first.now, watchers=plays, asked=asked)
        tasks: list[Callable[[], Awaitable[object]]] = [engine.run]
        for node, play in zip(nodes, plays, strict=True):
            session = node.session(panel, listener_of(engine, node.server))
            engine.add_sender(node.server, session)
            play.carry = session.send
            tasks.append(session.run)
        async with _beside(*tasks, is_virtual=first.is_virtual):
            yield plays


@asynccontextmanager
async def _beside(*tasks: Callable[[], Awaitable[object]], is_virtual: bool) -> AsyncIterator[None]:
    """Run *tasks* while the block runs."""
    async with plainly(), trio.open_nursery() as nursery:
        for task in tasks:
            nursery.start_soon(task)
        yield
        if is_virtual:
            # What comes at the very moment of leaving is heard, however trio orders it.
            await wait_all_tasks_blocked()
        nursery.cancel_scope.cancel()


def memory_client() -> "httpx.AsyncClient":
    """Return a client for panels on a network in memory, in virtual time."""
    import httpx

    return httpx.AsyncClient(
        # The pool reads the real clock, and time is virtual here.
        limits=httpx.Limits(keepalive_expiry=None),
        # Nothing is encrypted in memory: loading certificates would cost more than the test.
        verify=False,
        # No proxy of this machine leads into it.
        trust_env=False,
    )


@asynccontextmanager
async def plainly() -> AsyncIterator[None]:
    """Let what is raised inside come without a nursery's wrappings, if it is one thing."""
    try:
        yield
    except BaseExceptionGroup as group:
        raise sole(group) from None

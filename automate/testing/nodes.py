"""A node to talk to in a test: a recording that is replayed, a model, or a real one recorded.

To the test they are the same: an address, a key, and what was said. Where the network is, and
whether time is real, is decided by whoever opens the node.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Collection
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal

import trio
from attrs import evolve
from trio.testing import wait_all_tasks_blocked

from automate.engine.clock import utc_now
from automate.engine.engine import Engine
from automate.engine.listener import listener_of
from automate.engine.sitting import header_for
from automate.errors import UsageError, sole
from automate.fake.network import memory_network
from automate.fake.node import Replay, open_replay
from automate.fake.signals import NoteKind
from automate.live.listener import Listener, together
from automate.live.panel import Call, Panel
from automate.live.recorder import Recorder, record
from automate.live.session import Session
from automate.recording.format import ClientFrame, Header, ServerFrame, utc_text
from automate.recording.reader import Recording
from automate.recording.redaction import Redactor
from automate.testing.ears import Ears, Play
from automate.testing.rehearsing import (
    RecipesLike,
    RecordingLike,
    as_moment,
    as_recording,
    load_recipes,
)
from automate.wire.messages import (
    Auth,
    AuthSucceeded,
    PowerAction,
    PowerState,
    ServerMessage,
    StatusChanged,
)

if TYPE_CHECKING:
    import httpx

    from automate.fake.model.game import Game
    from automate.fake.model.served import ServedModel
    from automate.fake.model.settings import Settings

__all__ = ["Node", "modelled_node", "recorded_node", "replayed_node"]


_ASIDE: Final = (NoteKind.IGNORED, NoteKind.REFUSED, NoteKind.DIFFERED, NoteKind.SLOW)
# What the wall clock shows when a modelled node begins.
_STARTED: Final = datetime(2026, 11, 23, 18, 0, tzinfo=UTC)
# How long a modelled game may boot, and how often it is looked at meanwhile.
_BOOT_SECONDS: Final = 3600.0
_LOOK_SECONDS: Final = 0.25


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
        self._is_virtual = recorder is None
        self._recorder = recorder
        self._ears = Ears(begins_at=begins_at)

    @property
    def traffic(self) -> list[str]:
        """What was said so far, both ways, a line each; secrets are left out."""
        return self._ears.lines

    def now(self) -> datetime:
        """Return the wall clock, which follows trio's."""
        return self.header.started + timedelta(seconds=self._ears.seconds(trio.current_time()))

    @asynccontextmanager
    async def open_panel(self) -> AsyncIterator[Panel]:
        """Open the panel; its calls are part of the traffic."""
        if not self._is_virtual:
            async with Panel(self.panel_url, self.key, on_call=self._called) as panel:
                yield panel
            return
        async with (
            _client() as client,
            Panel(self.panel_url, self.key, client=client, on_call=self._called) as panel,
        ):
            yield panel

    @asynccontextmanager
    async def open_session(self, *listeners: Listener) -> AsyncIterator[Session]:
        """Keep a session with the server while the block runs; *listeners* are told all.

        Raises:
            AutomateError: the session can't go on.
        """
        async with self.open_panel() as panel:
            session = self._session(panel, *listeners)
            async with self._beside(session.run):
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
        loaded = load_recipes(recipes)
        async with self.open_panel() as panel:
            server = await panel.server(self.server)
            play = Play(
                self.header.title or server.name,
                self._ears,
                recipes=[recipe.name for recipe in loaded],
                is_patient=not self._is_virtual,
            )
            names = {server.uuid: server.name}
            engine = Engine(loaded, names, panel=panel, now=self.now, watchers=[play], asked=asked)
            session = self._session(panel, listener_of(engine, server.uuid))
            engine.add_sender(server.uuid, session)
            play.carry = session.send
            async with self._beside(engine.run, session.run):
                yield play

    async def hears(self, what: ServerMessage | str) -> ServerMessage:
        """Wait for the next frame that is *what*: a message, or a console line with this text.

        Each frame is taken once: the next call goes on after it. Raises an `AssertionError`
        if nothing at all was said for an hour of virtual time.
        """
        __tracebackhide__ = True
        return await self._ears.wait_for(
            what, is_patient=not self._is_virtual, hint=self._why_silent
        )

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
        await self._ears.wait_for(
            StatusChanged(wanted),
            is_patient=not self._is_virtual,
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

    @asynccontextmanager
    async def _beside(self, *tasks: Callable[[], Awaitable[object]]) -> AsyncIterator[None]:
        """Run *tasks* while the block runs."""
        async with _plainly(), trio.open_nursery() as nursery:
            for task in tasks:
                nursery.start_soon(task)
            yield
            if self._is_virtual:
                # What comes at the very moment of leaving is heard, however trio orders it.
                await wait_all_tasks_blocked()
            nursery.cancel_scope.cancel()

    def _session(self, panel: Panel, *listeners: Listener) -> Session:
        first = () if self._recorder is None else (self._recorder,)
        return Session(self.server, panel, listener=together(*first, self._ears, *listeners))

    def _called(self, call: Call) -> None:
        if self._recorder is not None:
            self._recorder.called(call)
        self._ears.called(call)


# ---------------------------------------------------------------- opening


@asynccontextmanager
async def replayed_node(
    recording: RecordingLike,
    *,
    leave: Collection[int] | Literal["all"] = (),
    strict: bool = False,
    speed: float = 1.0,
) -> AsyncIterator[Node]:
    """Replay *recording* on a network in memory, which every socket of this run is then on.

    The manner (*leave*, *strict*, *speed*) is that of `automate.fake.node.open_replay`.

    Raises:
        UsageError: there is no such recording or deed.
        RecordingError: it can't be read.
    """
    tape = as_recording(recording)
    started_at = trio.current_time()
    epoch = tape.header.started.timestamp()
    async with (
        _plainly(),
        memory_network(),
        open_replay(
            tape,
            wall_clock=lambda: epoch + trio.current_time() - started_at,
            leave=leave,
            strict=strict,
            speed=speed,
        ) as replay,
    ):
        yield Node(
            panel_url=replay.panel_url,
            key=replay.key,
            header=tape.header,
            begins_at=_let_in_at(tape),
            replay=replay,
        )


@asynccontextmanager
async def modelled_node(
    *,
    daemon: str | None = None,
    crash_detection: bool | None = None,
    online: bool = False,
    start_at: datetime | str | None = None,
    backups_fail: bool = False,
    settings: "Settings | None" = None,
    game: "Game | None" = None,
    seed: int | None = None,
) -> AsyncIterator[Node]:
    """Open a node that plays no recording but answers anything, as the real daemon does.

    It is on a network in memory, which every socket of this run is then on. *daemon* and
    *crash_detection* are those of a `Script`. The server is offline, or already *online*; the
    wall clock begins at *start_at*. With *backups_fail* the archives can't be written. The rest
    of the manner is that of `automate.fake.model.serving.open_model`.

    Raises:
        UsageError: *daemon* or *start_at* can't be understood.
    """
    # Not imported by those who only replay.
    from automate.fake.model.serving import open_model

    settings = _settings(settings, daemon=daemon, crash_detection=crash_detection)
    began = as_moment(start_at) or _STARTED
    started_at = trio.current_time()
    epoch = began.timestamp()
    async with (
        _plainly(),
        memory_network(),
        open_model(
            wall_clock=lambda: epoch + trio.current_time() - started_at,
            settings=settings,
            game=game,
            seed=seed,
        ) as model,
    ):
        model.world.backups_succeed = not backups_fail
        if online:
            await _boot(model)
        header = Header(server=model.server, started_at=utc_text(began), title="modelled")
        yield Node(panel_url=model.panel_url, key=model.key, header=header, model=model)


def _settings(
    settings: "Settings | None", *, daemon: str | None, crash_detection: bool | None
) -> "Settings":
    from automate.fake.model.settings import Kind, Settings

    settings = settings or Settings()
    if daemon is not None:
        if daemon not in tuple(Kind):
            raise UsageError(f"expected a daemon ({', '.join(Kind)}), found {daemon!r}")
        settings = evolve(settings, kind=Kind(daemon))
    if crash_detection is not None:
        settings = evolve(settings, crash_detection=crash_detection)
    return settings


async def _boot(model: "ServedModel") -> None:
    """Have the server started by somebody, and wait until it is running."""
    from automate.fake.model.signals import PowerAsked

    model.tell(PowerAsked(PowerAction.START))
    with trio.move_on_after(_BOOT_SECONDS):
        # The model tells its clients of its state, and nobody is one yet.
        while model.world.daemon.state is not PowerState.RUNNING:  # noqa: ASYNC110
            await trio.sleep(_LOOK_SECONDS)
        return
    raise UsageError("online: the modelled game was not running within an hour")


@asynccontextmanager
async def recorded_node(
    panel_url: str, key: str, server: str, path: Path, *, title: str
) -> AsyncIterator[Node]:
    """Open a real server, and record into *path* all that the test has to do with it.

    Raises:
        PanelError: the panel does not give it.
        RecordingError: the file can't be written.
    """
    async with Panel(panel_url, key) as panel:
        found = await panel.server(server)
        header = header_for(found, panel, now=utc_now(), title=title)
    redactor = Redactor(known={"key": [key]})
    async with record(path, header, redactor=redactor, overwrite=True) as recorder:
        yield Node(panel_url=panel.url, key=key, header=header, recorder=recorder)


def _let_in_at(recording: Recording) -> float:
    """Return the moment at which a replay's clock begins: of the first `auth` that was good."""
    asked_at = 0.0
    for entry in recording.entries:
        match entry:
            case ClientFrame(event=Auth.event):
                asked_at = entry.t
            case ServerFrame(event=AuthSucceeded.event):
                return asked_at
    return asked_at


def _client() -> "httpx.AsyncClient":
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
async def _plainly() -> AsyncIterator[None]:
    """Let what is raised inside come without a nursery's wrappings, if it is one thing."""
    try:
        yield
    except BaseExceptionGroup as group:
        raise sole(group) from None

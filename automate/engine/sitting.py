"""A sitting: sessions with several servers at once, each with its recording if wanted.

Who listens is put together here; the sessions, the engine and the recorders know nothing of
each other.
"""

import re
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import datetime
from pathlib import Path
from typing import Final

import trio

from automate.engine.engine import Engine, Outcome, Watcher
from automate.engine.listener import listener_of
from automate.engine.words import says_again
from automate.errors import AutomateError, RecordingError
from automate.live.answers import Server
from automate.live.listener import Listener, together
from automate.live.log import LogBook
from automate.live.panel import Call, Panel
from automate.live.recorder import Recorder, record
from automate.live.session import Session
from automate.machine.actions import Output, ShowBackup, Traced, action_fields
from automate.recording.format import Header, utc_text
from automate.recording.redaction import Redactor

__all__ = [
    "NoteTaker",
    "header_for",
    "keep",
    "open_recorders",
    "recording_path",
    "sessions_for",
]

# What was begun is put right in this time, or not at all: who pressed Ctrl-C waits for it.
_PUTTING_RIGHT_SECONDS: Final = 5.0


def header_for(server: Server, panel: Panel, *, now: datetime, title: str) -> Header:
    """Return the header of a recording of *server* that begins *now*."""
    return Header(server=server.uuid, started_at=utc_text(now), title=title, panel=panel.url)


def recording_path(folder: Path, server: Server, *, now: datetime) -> Path:
    """Return where to record *server*: a name that sorts by server, then by time."""
    name = re.sub(r"[^\w.-]+", "-", server.name).strip("-.") or "server"
    return folder / f"{name[:60]}-{server.id}-{now:%Y%m%dT%H%M%SZ}.jsonl"


@asynccontextmanager
async def open_recorders(
    servers: Sequence[Server], panel: Panel, folder: Path, *, key: str, now: datetime
) -> AsyncIterator[dict[str, Recorder]]:
    """Give a recorder for each of *servers*, by uuid, writing into *folder* (made if missing).

    Raises:
        RecordingError: it can't be written there.
    """
    _make(folder)
    async with AsyncExitStack() as stack:
        recorders = {}
        for server in servers:
            path = recording_path(folder, server, now=now)
            header = header_for(server, panel, now=now, title=path.stem)
            redactor = Redactor(known={"key": [key]})
            recorders[server.uuid] = await stack.enter_async_context(
                record(path, header, redactor=redactor)
            )
        panel.on_call = _all_of([recorder.called for recorder in recorders.values()])
        yield recorders


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except FileExistsError:
        raise RecordingError(
            f"{folder}: there is something else of this name; name a folder for the recordings"
        ) from None
    except OSError as error:
        raise RecordingError(
            f"{folder}: this folder can't be made ({error.strerror}); name another one"
        ) from None


def _all_of(several: Sequence[Callable[[Call], None]]) -> Callable[[Call], None]:
    def tell(call: Call) -> None:
        for each in several:
            each(call)

    return tell


def sessions_for(
    engine: Engine,
    servers: Sequence[Server],
    panel: Panel,
    *,
    recorders: Mapping[str, Recorder],
    origin: str | None,
    ca_file: Path | None = None,
) -> list[Session]:
    """Return a session for each of *servers*, heard by the engine, logged and recorded."""
    sessions = []
    for server in servers:
        listeners: list[Listener] = [listener_of(engine, server.uuid), LogBook(server.uuid)]
        if server.uuid in recorders:
            # The recorder comes first: what the engine does because of a frame is written
            # after it.
            listeners.insert(0, recorders[server.uuid])
        session = Session(
            server.uuid,
            panel,
            listener=together(*listeners),
            origin=origin,
            ca_file=ca_file,
        )
        engine.add_sender(server.uuid, session)
        sessions.append(session)
    return sessions


async def keep(engine: Engine, sessions: Sequence[Session]) -> list[Outcome]:
    """Keep *engine* and *sessions* until there is nothing left to do.

    That is when what was asked for has ended everywhere (how is returned), or when every
    session has ended by an error, which its watchers were told. Cancelled, it first has the
    recipes put right what they began (`save-on`), for a few seconds at most.

    Raises:
        RecordingError: something can't be recorded any more: a reason to stop everything.
    """
    outcomes: list[Outcome] = []
    over = trio.Event()
    work = trio.CancelScope(shield=True)

    async def keep_all() -> None:
        try:
            with work:
                await _keep_all(engine, sessions, outcomes)
        finally:
            over.set()

    try:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(keep_all)
            try:
                await over.wait()
            finally:
                if not over.is_set():
                    with trio.move_on_after(_PUTTING_RIGHT_SECONDS, shield=True):
                        await engine.put_right()
                work.cancel()
    finally:
        with trio.CancelScope(shield=True):
            await engine.close()
    return outcomes


async def _keep_all(engine: Engine, sessions: Sequence[Session], outcomes: list[Outcome]) -> None:
    async def wait() -> None:
        outcomes.extend(await engine.wait_for_outcomes())
        everything.cancel_scope.cancel()

    async with trio.open_nursery() as everything:
        everything.start_soon(engine.run)
        everything.start_soon(wait)
        async with trio.open_nursery() as alive:
            for session in sessions:
                alive.start_soon(_keep_session, session)
        # A sitting in which something was asked for ends by its outcomes.
        if not engine.awaits_outcomes:
            everything.cancel_scope.cancel()


async def _keep_session(session: Session) -> None:
    try:
        await session.run()
    except RecordingError:
        raise
    except AutomateError:
        pass


class NoteTaker(Watcher):
    """A watcher that writes what was decided into the servers' recordings."""

    def __init__(self, recorders: Mapping[str, Recorder]) -> None:
        self._recorders = recorders
        # By run: what it did last, for the step in words often says only that again.
        self._did: dict[int, str] = {}

    def did(self, action: Output, *, dry: bool) -> None:
        """Write an action as a step of its run."""
        if isinstance(action, Traced | ShowBackup) or action.server not in self._recorders:
            return
        manner = {"dry": True} if dry else {}
        self._did[action.run] = next(iter(action_fields(action)), "")
        self._recorders[action.server].note(
            "step", recipe=action.recipe, run=action.run, action=action_fields(action), **manner
        )

    def decided(self, traced: Traced) -> None:
        """Write a decision; that a step is done shows in what is done next."""
        if traced.server not in self._recorders or traced.what == "step done":
            return
        did = self._did.pop(traced.run or 0, None)
        if traced.what == "step" and did and says_again(did, traced.detail):
            return
        detail = {"detail": traced.detail} if traced.detail else {}
        self._recorders[traced.server].note(
            traced.what, recipe=traced.recipe, run=traced.run, **detail
        )

    def saw(self, server: str, words: str) -> None:
        """Write nothing: the frames say it."""

    def gave_up(self, server: str, error: AutomateError) -> None:
        """Write why nothing more comes."""
        if server in self._recorders:
            self._recorders[server].note("mark", detail=f"given up: {error}")

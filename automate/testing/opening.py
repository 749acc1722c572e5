"""The opening of a node for a test: a recording replayed, several, a model, or a real server.

What can be done with it is the node's own affair.
"""

from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal

import msgspec
import trio
from attrs import evolve

from automate.engine.clock import utc_now
from automate.engine.sitting import header_for
from automate.errors import UsageError
from automate.fake.network import memory_network
from automate.fake.node import Playback, Stand, open_replays
from automate.live.panel import Panel
from automate.live.recorder import record
from automate.recording.format import ClientFrame, Entry, Header, ServerFrame, utc_text
from automate.recording.redaction import Redactor
from automate.testing.nodes import Node, plainly
from automate.testing.rehearsing import RecordingLike, as_moment, as_recording
from automate.wire.messages import Auth, AuthSucceeded, PowerAction, PowerState

if TYPE_CHECKING:
    from automate.fake.model.game import Game
    from automate.fake.model.served import ServedModel
    from automate.fake.model.settings import Settings

__all__ = ["modelled_node", "recorded_node", "replayed_node", "replayed_nodes", "settings_for"]

# What the wall clock shows when a modelled node begins.
_STARTED: Final = datetime(2026, 11, 23, 18, 0, tzinfo=UTC)
# How long a modelled game may boot, and how often it is looked at meanwhile.
_BOOT_SECONDS: Final = 3600.0
_LOOK_SECONDS: Final = 0.25


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
    playback = Playback(as_recording(recording), leave=leave, strict=strict, speed=speed)
    async with replayed_nodes(playback) as (node,):
        yield node


@asynccontextmanager
async def replayed_nodes(
    *recordings: RecordingLike | Playback,
) -> AsyncIterator[tuple[Node, ...]]:
    """Replay *recordings* as replayed_node() does, each for a server of its own behind one panel.

    A recording in a `Playback` is played in the manner that this says. Of two that are of one
    server, or of servers whose ids begin alike, the later is given another id (`Node.server`).

    Raises:
        UsageError: there is no such recording or deed.
        RecordingError: one can't be read.
    """
    playbacks = [
        one if isinstance(one, Playback) else Playback(as_recording(one)) for one in recordings
    ]
    if not playbacks:
        raise UsageError("a node needs a recording to play; give it one")
    started_at = trio.current_time()
    epoch = playbacks[0].recording.header.started.timestamp()
    stand = Stand(wall_clock=lambda: epoch + trio.current_time() - started_at)
    async with plainly(), memory_network(), open_replays(playbacks, stand) as replays:
        yield tuple(
            Node(
                panel_url=replay.panel_url,
                key=replay.key,
                header=msgspec.structs.replace(playback.recording.header, server=replay.server),
                begins_at=_let_in_at(playback.recording.entries),
                replay=replay,
            )
            for playback, replay in zip(playbacks, replays, strict=True)
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

    settings = settings_for(settings, daemon=daemon, crash_detection=crash_detection)
    began = as_moment(start_at) or _STARTED
    started_at = trio.current_time()
    epoch = began.timestamp()
    async with (
        plainly(),
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


def settings_for(
    settings: "Settings | None", *, daemon: str | None, crash_detection: bool | None
) -> "Settings":
    """Return *settings* (the model's own if there are none) with these two changed.

    Raises:
        UsageError: there is no such *daemon*.
    """
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


def _let_in_at(entries: Sequence[Entry]) -> float:
    """Return the moment at which a replay's clock begins: of the first `auth` that was good."""
    asked_at = 0.0
    for entry in entries:
        match entry:
            case ClientFrame(event=Auth.event):
                asked_at = entry.t
            case ServerFrame(event=AuthSucceeded.event):
                return asked_at
    return asked_at

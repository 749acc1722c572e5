"""The fake node: recordings served to live clients, panel and daemon behind one address.

Runs on real sockets and on the network in memory alike. One recording is played for one server;
its showing has all that belongs to it, and here requests and clients find theirs.
"""

import secrets
from collections.abc import AsyncIterator, Callable, Collection, Iterable, Sequence
from contextlib import asynccontextmanager
from typing import Literal

import trio

from automate.errors import sole
from automate.fake.clients import Client
from automate.fake.connections import Connections
from automate.fake.faults.seeded import NO_FAULTS, Faults
from automate.fake.film import Recorded
from automate.fake.http import HangUp, Request, Response, SwitchProtocol
from automate.fake.listening import listen, url_name
from automate.fake.playback import Playback, Stand, told_apart
from automate.fake.replay import Replay
from automate.fake.showing import House, Showing
from automate.fake.signals import Note

__all__ = ["Playback", "Replay", "Stand", "open_replay", "open_replays", "serve_replays"]


async def serve_replays(
    playbacks: Iterable[Playback],
    stand: Stand,
    *,
    on_note: Callable[[str, Note], None] = lambda _server, _note: None,
    task_status: trio.TaskStatus[tuple[Replay, ...]] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Serve *playbacks*, one a server, until cancelled; ``nursery.start`` gives the replays.

    They are in the order given. Where two are of one server, or of servers whose ids begin
    alike, the later one is given another id (`Replay.server`). *on_note* is called with each note
    at once, and the server that it is about.

    Raises:
        UsageError: there is no recording, no such deed, or no such speed.
        AddressTaken: the address can't be listened on.
    """
    playbacks = told_apart(playbacks)
    listener = await listen(stand.host, stand.port)
    async with listener:
        port = listener.socket.getsockname()[1]
        node = _Node(playbacks, stand, name=url_name(stand.host), port=port, on_note=on_note)
        async with trio.open_nursery() as nursery:
            for showing in node.showings:
                nursery.start_soon(showing.let_time_pass)
            task_status.started(tuple(showing.replay for showing in node.showings))
            await trio.serve_listeners(node.connections.serve, [listener])


@asynccontextmanager
async def open_replays(
    playbacks: Iterable[Playback],
    stand: Stand,
    *,
    on_note: Callable[[str, Note], None] = lambda _server, _note: None,
) -> AsyncIterator[tuple[Replay, ...]]:
    """Serve *playbacks* as `serve_replays` does, for as long as the block runs."""

    async def serve(*, task_status: trio.TaskStatus[tuple[Replay, ...]]) -> None:
        await serve_replays(playbacks, stand, on_note=on_note, task_status=task_status)

    try:
        async with trio.open_nursery() as nursery:
            yield await nursery.start(serve)
            nursery.cancel_scope.cancel()
    except BaseExceptionGroup as group:
        # What the block raised comes as it was.
        raise sole(group) from None


@asynccontextmanager
async def open_replay(
    recording: Recorded,
    *,
    wall_clock: Callable[[], float],
    port: int = 0,
    host: str = "127.0.0.1",
    speed: float = 1.0,
    leave: Collection[int] | Literal["all"] = (),
    strict: bool = False,
    lenient: bool = False,
    faults: Faults = NO_FAULTS,
    key: str | None = None,
    on_note: Callable[[Note], None] = lambda _note: None,
) -> AsyncIterator[Replay]:
    """Serve one *recording* for as long as the block runs.

    The keywords are those of `Playback` and `Stand`; for the rest see `serve_replays`.
    """
    playback = Playback(recording, speed=speed, leave=leave, strict=strict, lenient=lenient)
    stand = Stand(wall_clock=wall_clock, host=host, port=port, key=key, faults=faults)
    async with open_replays([playback], stand, on_note=lambda _, note: on_note(note)) as (replay,):
        yield replay


# ---------------------------------------------------------------- the node


class _Node:
    """The host of the connections: it shows *playbacks* at this *port* of the host *name*."""

    def __init__(
        self,
        playbacks: Sequence[Playback],
        stand: Stand,
        *,
        name: str,
        port: int,
        on_note: Callable[[str, Note], None],
    ) -> None:
        panel_url = f"http://{name}:{port}"
        faults = stand.faults.begin()
        house = House(
            panel_url=panel_url,
            node_url=f"ws://{name}:{port}",
            origins=frozenset(f"http://{here}:{port}" for here in (name, "127.0.0.1", "localhost")),
            key=stand.key or f"ptlc_{secrets.token_hex(22)[:43]}",
            secret=secrets.token_bytes(32),
            faults=faults,
            wall_clock=stand.wall_clock,
            on_note=on_note,
        )
        self.connections = Connections(self, faults)
        self.showings = [Showing(playback, house, self.connections) for playback in playbacks]
        for showing in self.showings:
            showing.panel.panels = [each.panel for each in self.showings]
        # By the names that paths have for their servers: uuids, and their beginnings.
        self._by_name = {
            name: showing
            for showing in self.showings
            for name in (showing.replay.server[:8], showing.replay.server)
        }

    def _shown_at(self, path: str) -> Showing:
        """Return whose *path* this is, of the node or the panel; the first one has the others."""
        match path.split("/"):
            case ["", "api", "servers", name, *_] | ["", "api", "client", "servers", name, *_]:
                return self._by_name.get(name, self.showings[0])
        return self.showings[0]

    # ------------------------------------------------------------ what connections ask and tell

    def answer(self, request: Request) -> Response | HangUp | SwitchProtocol:
        """Answer for the panel, or as the node does before a websocket."""
        showing = self._shown_at(request.path)
        if request.path.startswith("/api/servers/"):
            return showing.upgrade(request)
        return showing.call(request)

    def opened(self, client: Client) -> None:
        """Take in a new connection."""
        self._shown_at(client.path).opened(client)

    def said(self, client: Client, message: str | bytes) -> None:
        """Take in what a client says."""
        self._shown_at(client.path).said(client, message)

    def closed(self, client: Client) -> None:
        """Take in that a connection is over."""
        self._shown_at(client.path).closed(client)

    def wrote(self, client: Client) -> None:
        """Look again: at infinite speed a tape goes on as the quickest client reads."""
        self._shown_at(client.path).wrote()

    def stalled(self, client: Client) -> None:
        """Do nothing: what was recorded was recorded."""

    def flows(self, client: Client) -> None:
        """Do nothing."""

    def faulted(self, client: Client, by: str) -> None:
        """Note what a fault did."""
        self._shown_at(client.path).faulted(client, by)

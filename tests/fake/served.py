"""A replay served in virtual time, and clients of it that know nothing of us."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import trio
from trio_websocket import WebSocketConnection, open_websocket_url

from automate.fake.film import Recorded
from automate.fake.network import memory_network
from automate.fake.node import Replay, open_replay
from automate.fake.signals import NoteKind
from automate.wire.codec import encode_client
from automate.wire.messages import Auth


def wall_clock() -> float:
    return 1_795_459_760.0 + trio.current_time()


@asynccontextmanager
async def replaying(recording: Recorded, **manner: Any) -> AsyncIterator[Replay]:
    async with (
        memory_network(),
        open_replay(recording, wall_clock=wall_clock, **manner) as replay,
    ):
        yield replay


def panel_of(replay: Replay) -> httpx.AsyncClient:
    return httpx.AsyncClient(
        base_url=replay.panel_url,
        headers={"Authorization": f"Bearer {replay.key}", "Accept": "application/json"},
        limits=httpx.Limits(keepalive_expiry=None),
    )


async def token_of(replay: Replay) -> str:
    async with panel_of(replay) as panel:
        answer = await panel.get(f"/api/client/servers/{replay.server}/websocket")
    token: str = answer.json()["data"]["token"]
    return token


@asynccontextmanager
async def connected(
    replay: Replay, origin: str | None = None
) -> AsyncIterator[WebSocketConnection]:
    headers = [(b"Origin", (origin or replay.panel_url).encode())]
    async with open_websocket_url(replay.socket_url, extra_headers=headers) as socket:
        yield socket


@asynccontextmanager
async def let_in(replay: Replay) -> AsyncIterator[WebSocketConnection]:
    """Connect and authenticate; the first frame to come is the answer to that."""
    token = await token_of(replay)
    async with connected(replay) as socket:
        await socket.send_message(encode_client(Auth(token)))
        yield socket


async def hear(socket: WebSocketConnection, seconds: float) -> list[tuple[float, str]]:
    """Return the frames that come in the next *seconds*, with their moments."""
    heard = []
    with trio.move_on_after(seconds):
        while True:
            message = await socket.get_message()
            assert isinstance(message, str)
            heard.append((round(trio.current_time(), 4), message))
    return heard


def notes(replay: Replay, *kinds: NoteKind) -> list[str]:
    return [note.text for note in replay.notes if note.kind in kinds]

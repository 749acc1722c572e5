"""A replay on real sockets, to clients made by others: nothing here is ours or trio's."""

import json
import math
import socket
import struct
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import trio
from websockets.exceptions import ConnectionClosedError, InvalidStatus
from websockets.frames import Close
from websockets.sync.client import connect
from websockets.typing import Origin

from automate.fake.analysis import read_script
from automate.fake.node import Replay, open_replay
from automate.fake.script import Push
from automate.recording.format import ServerFrame
from automate.recording.reader import Recording, read_recording
from tests.fake.scenes import LOGIN, frame, lost, recorded

NOW = 1_795_459_760.0


def ask(replay: Replay, path: str, body: Any = None) -> Any:
    """Ask the panel with the standard library, and return what it says."""
    request = urllib.request.Request(
        f"{replay.panel_url}/api/client{path}",
        headers={"Authorization": f"Bearer {replay.key}", "Content-Type": "application/json"},
        data=None if body is None else json.dumps(body).encode(),
    )
    with urllib.request.urlopen(request) as answer:
        text = answer.read()
    return json.loads(text) if text else None


@contextmanager
def let_in(replay: Replay) -> Iterator[Any]:
    """Open a connection with the websockets library, and ask to be let in."""
    data = ask(replay, f"/servers/{replay.server}/websocket")["data"]
    with connect(data["socket"], origin=Origin(replay.panel_url), compression=None) as socket:
        socket.send(json.dumps({"event": "auth", "args": [data["token"]]}))
        yield socket


async def with_replay(recording: Recording, client: Callable[[Replay], Any], **manner: Any) -> Any:
    """Return what *client* returns, which runs in a thread of its own."""
    async with open_replay(recording, wall_clock=lambda: NOW, **manner) as replay:
        return await trio.to_thread.run_sync(partial(client, replay))


@pytest.mark.parametrize("name", ["odd-output", "openttd-evening"])
async def test_any_ordinary_client_can_play_the_recorded_one(name: str, recordings: Path) -> None:
    """It asks nothing but to be let in, and hears the rest to the byte."""
    recording = read_recording(recordings / f"{name}.jsonl")
    frames = [entry.frame for entry in recording.entries if isinstance(entry, ServerFrame)]

    def client(replay: Replay) -> list[str]:
        with let_in(replay) as entered:
            return [entered.recv() for _ in frames]

    assert await with_replay(recording, client, speed=math.inf) == frames


async def test_a_client_that_offers_to_compress_hears_the_same_to_the_byte(
    recordings: Path,
) -> None:
    recording = read_recording(recordings / "crash-undetected-pelican.jsonl")
    script = read_script(recording.entries, server=recording.header.server)
    pushed = [step.text for step in script.steps if isinstance(step, Push)]

    def client(replay: Replay) -> tuple[list[str], list[str]]:
        token = ask(replay, f"/servers/{replay.server}/websocket")["data"]["token"]
        with connect(replay.socket_url, origin=Origin(replay.panel_url)) as entered:
            entered.send(json.dumps({"event": "auth", "args": [token]}))
            names = [str(extension.name) for extension in entered.protocol.extensions]
            return names, [str(entered.recv()) for _ in range(len(pushed) + 1)]

    names, heard = await with_replay(recording, client, speed=math.inf)
    assert names == ["permessage-deflate"]
    assert [text for text in heard if text != frame("auth success")] == pushed


async def test_a_lost_connection_just_goes_and_a_closed_one_says_why() -> None:
    def client(replay: Replay) -> Close | None:
        with let_in(replay) as entered, pytest.raises(ConnectionClosedError) as closed:
            list(entered)
        return closed.value.rcvd

    lost_one = await with_replay(recorded(*LOGIN, lost(0.01)), client)
    closed_one = await with_replay(recorded(*LOGIN, lost(0.01, 4409, "suspended")), client)

    assert (lost_one, closed_one) == (None, Close(4409, "suspended"))


async def test_a_foreign_origin_is_forbidden() -> None:
    def client(replay: Replay) -> tuple[int, str]:
        with pytest.raises(InvalidStatus) as refused:
            connect(replay.socket_url, origin=Origin("http://elsewhere"))
        response = refused.value.response
        return response.status_code, response.body.decode().split("\n")[0]

    assert await with_replay(recorded(*LOGIN), client) == (403, "Forbidden")


async def test_a_backup_is_made_by_whoever_is_left_to_make_it(recordings: Path) -> None:
    recording = read_recording(recordings / "backup-before-stop.jsonl")
    path = f"/servers/{recording.header.server}/backups"

    def client(replay: Replay) -> tuple[bool, str, str]:
        with let_in(replay) as entered:
            made = ask(replay, path, {"name": "before stop"})["attributes"]
            while "backup completed" not in (heard := entered.recv()):
                pass
        return made["is_successful"], made["uuid"], json.loads(json.loads(heard)["args"][0])["uuid"]

    was_done, made, completed = await with_replay(recording, client, leave={5})
    assert (was_done, made == completed) == (False, True)


async def test_a_client_that_just_hangs_up_harms_nobody() -> None:
    def client(replay: Replay) -> str:
        address = urlsplit(replay.panel_url)
        for said in (b"", b"GET /api/client HTTP/1.1\r\nHo", b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"):
            raw = socket.create_connection((address.hostname, address.port))
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            raw.sendall(said)
            raw.close()
        with let_in(replay) as abandoned:
            abandoned.socket.shutdown(socket.SHUT_RDWR)
        with let_in(replay) as other:
            return str(other.recv())

    assert await with_replay(recorded(*LOGIN), client) == frame("auth success")

"""Recording as it happens: what reaches the disk, and when."""

import json
from pathlib import Path
from typing import Any

import httpx
import pytest
import trio
from trio.testing import MockClock

from automate.errors import RecordingError
from automate.fake.network import memory_network
from automate.fake.node import open_replay
from automate.live.panel import Call, Panel
from automate.live.recorder import record
from automate.live.session import Session
from automate.recording.format import ClientFrame, Header, ServerFrame, Transport
from automate.recording.reader import read_recording
from automate.wire import messages as m
from tests.live.stage import Actor, Node, Tokens

UUID = "a1b2c3d4-0001-4000-8000-000000000001"
HEADER = Header(UUID, "2026-11-23T18:50:36.676520Z", title="test")


def lines(path: Path) -> list[Any]:
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


async def test_everything_is_written_as_it_happens(
    autojump_clock: MockClock, nursery: trio.Nursery, tmp_path: Path
) -> None:
    async def part(actor: Actor) -> None:
        await actor.let_in()
        await trio.sleep(2)
        await actor.say("console output: <Ada> hi")
        await actor.vanish()

    path = tmp_path / "new.jsonl"
    await trio.sleep(1000)
    async with record(path, HEADER) as recorder:
        session = Session(
            "a1b2c3d4", Tokens(), listener=recorder, connect=Node(nursery, part).connect
        )
        with trio.move_on_after(2.5):
            await session.run()
        recorder.failed(1002.75, "connection refused")
        recorder.note("triggered", recipe="restart", run=1, why="crashed")

    # What came in one moment is in the order of cause and effect.
    assert lines(path)[1:] == [
        {"t": 0.0, "from": "transport", "what": "opened"},
        {"t": 0.0, "from": "client", "event": "auth", "args": ["T1"]},
        {"t": 0.0, "from": "server", "event": "auth success"},
        {"t": 0.0, "from": "client", "event": "send logs", "args": [None]},
        {"t": 0.0, "from": "server", "event": "status", "args": ["running"]},
        {"t": 2.0, "from": "server", "event": "console output", "args": ["<Ada> hi"]},
        {"t": 2.0, "from": "transport", "what": "closed", "code": 1006, "by": "server"},
        {
            "t": 2.0,
            "from": "engine",
            "what": "gap",
            "detail": "begins: the connection broke",
            "since": 2.0,
        },
        {"t": 2.75, "from": "transport", "what": "failed", "reason": "connection refused"},
        {
            "t": 2.75,
            "from": "engine",
            "what": "triggered",
            "recipe": "restart",
            "run": 1,
            "why": "crashed",
        },
    ]


async def test_a_gap_is_marked_from_the_last_sign_of_life_until_events_come_again(
    autojump_clock: MockClock, tmp_path: Path
) -> None:
    """Lost while blind is one gap, and not two."""
    path = tmp_path / "new.jsonl"
    async with record(path, HEADER) as recorder:
        start = trio.current_time()
        recorder.ready(start + 1.0)
        recorder.received(start + 2.0, ['{"event":"status","args":["running"]}'])
        recorder.alive(start + 26.0)
        recorder.down(start + 61.0, "no pong within 10 s")
        recorder.ready(start + 62.0)
        recorder.blind(start + 70.0, "jwt: exp claim is invalid")
        recorder.down(start + 71.0, "the connection broke")
        recorder.ready(start + 72.5)
        recorder.blind(start + 80.0, "jwt: exp claim is invalid")
        recorder.sighted(start + 80.25)

    gaps = [line for line in lines(path) if line.get("what") == "gap"]
    assert [(gap["detail"], gap.get("since"), gap.get("seconds")) for gap in gaps] == [
        ("begins: no pong within 10 s", 26.0, None),
        ("ends", None, 36.0),
        ("begins: jwt: exp claim is invalid", 70.0, None),
        ("ends", None, 2.5),
        ("begins: jwt: exp claim is invalid", 80.0, None),
        ("ends", None, 0.25),
    ]


async def test_lines_are_on_the_disk_a_tenth_of_a_second_later(
    autojump_clock: MockClock, tmp_path: Path
) -> None:
    path = tmp_path / "new.jsonl"
    async with record(path, HEADER) as recorder:
        recorder.opened(trio.current_time())
        before = len(lines(path))
        await trio.sleep(0.15)

        assert (before, len(lines(path))) == (1, 2)


@pytest.mark.parametrize("kind", [KeyboardInterrupt, ZeroDivisionError])
async def test_nothing_written_is_lost_when_it_is_broken_off(
    kind: type[BaseException], autojump_clock: MockClock, tmp_path: Path
) -> None:
    path = tmp_path / "new.jsonl"

    async def break_off() -> None:
        async with record(path, HEADER) as recorder:
            recorder.opened(trio.current_time())
            raise kind

    with pytest.raises(kind):
        await break_off()

    assert len(lines(path)) == 2


async def test_a_cancelled_recording_ends_with_us_leaving(
    autojump_clock: MockClock, nursery: trio.Nursery, tmp_path: Path
) -> None:
    async def part(actor: Actor) -> None:
        await actor.let_in()
        await actor.listen()

    path = tmp_path / "new.jsonl"
    with trio.move_on_after(3):
        async with record(path, HEADER) as recorder:
            node = Node(nursery, part)
            await Session("a1b2c3d4", Tokens(), listener=recorder, connect=node.connect).run()

    assert lines(path)[-1] == {"t": 3.0, "from": "transport", "what": "closed", "by": "client"}


async def test_only_calls_about_this_server_are_written_and_no_secrets(
    autojump_clock: MockClock, tmp_path: Path
) -> None:
    path = tmp_path / "new.jsonl"
    token = "eyJhbGciOiJIUzI1NiJ9.eyJpYXQiOjF9.c2lnbmF0dXJlc2lnbmF0dXJl"

    def call(path: str, **fields: Any) -> Call:
        return Call(method="GET", path=path, status=200, seconds=0.01, **fields)

    async with record(path, HEADER) as recorder:
        await trio.sleep(0.5)
        recorder.called(
            call(
                "/api/client/servers/a1b2c3d4/websocket",
                claims={"iat": 1},
                response={"data": {"token": token, "socket": "wss://n/ws"}},
            )
        )
        recorder.called(call(f"/api/client/servers/{UUID}/resources"))
        recorder.called(call("/api/client/servers/b1b2c3d4/resources"))
        recorder.called(call("/api/client?page=1&per_page=100", response={"data": []}))
        recorder.sent(trio.current_time(), json.dumps({"event": "auth", "args": [token]}))

    assert token not in path.read_text("utf-8")
    assert [(line["t"], line.get("path"), line.get("claims")) for line in lines(path)[1:]] == [
        (0.5, "/api/client/servers/a1b2c3d4/websocket", {"iat": 1}),
        (0.5, f"/api/client/servers/{UUID}/resources", None),
        (0.5, "/api/client?page=1&per_page=100", None),
        (0.5, None, None),
    ]
    assert lines(path)[1]["response"]["data"] == {"token": "<token:1>", "socket": "wss://n/ws"}
    assert lines(path)[4]["args"] == ["<token:1>"]


async def test_a_recording_that_is_there_is_not_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "old.jsonl"
    path.write_text("precious")

    with pytest.raises(RecordingError, match="something is there already"):
        async with record(path, HEADER):
            pytest.fail("it was opened")

    assert path.read_text() == "precious"


# What the daemon says by itself, whoever listens; answers depend on who asks what.
UNASKED = (m.StatusChanged, m.ConsoleOutput, m.BackupCompleted, m.TokenExpiring)


@pytest.mark.parametrize(
    "name", ["crash-twice", "backup-before-stop", "console-flood", "odd-output"]
)
async def test_a_recording_of_a_replay_says_the_same(
    name: str, autojump_clock: MockClock, recordings: Path, tmp_path: Path
) -> None:
    """Session, panel and recorder against the replayed daemon: the circle closes."""
    old = read_recording(recordings / f"{name}.jsonl")
    path = tmp_path / "new.jsonl"
    header = Header(old.header.server, "2026-11-23T18:50:36.676520Z")
    async with (
        memory_network(),
        open_replay(old, wall_clock=lambda: 1.8e9 + trio.current_time()) as replay,
        httpx.AsyncClient(limits=httpx.Limits(keepalive_expiry=None)) as client,
        record(path, header) as recorder,
        Panel(replay.panel_url, replay.key, client=client, on_call=recorder.called) as panel,
    ):
        with trio.move_on_after(60):
            await Session(old.header.server[:8], panel, listener=recorder).run()

    new = read_recording(path)
    assert new.warnings == []
    assert replay.key not in path.read_text("utf-8")
    # Lines asked for (the last ones, after our own question) are in the new one only.
    assert [f.frame for f in spoken(new.entries)] == [f.frame for f in spoken(old.entries)]
    assert new.entries[-1] == Transport(60.0, "closed", by="client")
    assert {f.message.event for f in new.entries if isinstance(f, ClientFrame)} == {
        "auth",
        "send logs",
    }


def spoken(entries: Any) -> list[ServerFrame]:
    return [
        entry
        for entry in entries
        if isinstance(entry, ServerFrame) and isinstance(entry.message, UNASKED)
    ]

"""A replay served in virtual time, to clients that know nothing of it."""

import contextlib
import math
import re
from pathlib import Path
from typing import Any

import httpx
import pytest
import trio
from attrs import evolve
from msgspec.structs import replace
from trio.testing import MockClock
from trio_websocket import (
    ConnectionClosed,
    ConnectionRejected,
    open_websocket_url,
)

from automate.errors import AddressTaken, UsageError
from automate.fake.analysis import read_script
from automate.fake.framing import Opcode, encode_close, encode_frame, encode_text
from automate.fake.network import memory_network
from automate.fake.node import Playback, Replay, Stand, open_replay, serve_replays
from automate.fake.script import Push
from automate.fake.signals import Note, NoteKind
from automate.recording.format import Entry
from automate.recording.reader import read_recording
from automate.wire.codec import decode_server, encode_client
from automate.wire.messages import Auth, JwtErrorReported, SendCommand, SendStats, SetState
from tests.fake.scenes import (
    LOGIN,
    ROOT,
    SERVER,
    asked,
    called,
    frame,
    lost,
    opened,
    recorded,
    told,
)
from tests.fake.served import (
    connected,
    hear,
    let_in,
    notes,
    panel_of,
    replaying,
    token_of,
    wall_clock,
)

NAMES = sorted(path.stem for path in (Path(__file__).parents[2] / "recordings").glob("*.jsonl"))
SUCCESS = frame("auth success")
STATS = encode_client(SendStats())
UPGRADE = {
    "Connection": "Upgrade",
    "Upgrade": "websocket",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
}


# ---------------------------------------------------------------- the node


@pytest.mark.parametrize("name", sorted({*NAMES} - {"node-restart"}))
async def test_a_client_that_only_listens_hears_all_that_nobody_asked_for(
    name: str, recordings: Path, autojump_clock: MockClock
) -> None:
    recording = read_recording(recordings / f"{name}.jsonl")
    script = read_script(recording.entries, server=recording.header.server)
    pushed = [step for step in script.steps if isinstance(step, Push)]
    async with replaying(recording) as replay, let_in(replay) as socket:
        heard = [text for _at, text in await hear(socket, 1000)]

    assert [text for text in heard if text != SUCCESS] == [step.text for step in pushed]


async def test_a_client_lives_through_the_restart_of_a_node(
    recordings: Path, autojump_clock: MockClock
) -> None:
    """It is dropped, let in again at the second try as recorded, and misses nothing pushed."""
    recording = read_recording(recordings / "node-restart.jsonl")
    script = read_script(recording.entries, server=recording.header.server)
    pushed = [step.text for step in script.steps if isinstance(step, Push)]
    heard: list[str] = []
    async with replaying(recording) as replay:
        async with let_in(replay) as socket:
            with contextlib.suppress(ConnectionClosed):
                while True:
                    heard.append(str(await socket.get_message()))
        await trio.sleep(10)
        async with let_in(replay) as socket:
            refused = decode_server(str(await socket.get_message()))
            await socket.send_message(encode_client(Auth(await token_of(replay))))
            heard += [text for _at, text in await hear(socket, 100)]

    assert isinstance(refused, JwtErrorReported)
    assert [text for text in heard if text != SUCCESS] == pushed


async def test_the_same_replay_is_the_same_each_time(
    autojump_clock: MockClock, recordings: Path
) -> None:
    recording = read_recording(recordings / "crash-recovered.jsonl")
    runs = []
    for _ in range(10):
        async with replaying(recording) as replay, let_in(replay) as socket:
            begin = trio.current_time()
            heard = await hear(socket, 100)
            runs.append([(round(at - begin, 4), text) for at, text in heard])

    assert runs.count(runs[0]) == 10


async def test_at_infinite_speed_no_time_passes(
    autojump_clock: MockClock, recordings: Path
) -> None:
    recording = read_recording(recordings / "console-flood.jsonl")
    async with replaying(recording, speed=math.inf) as replay, let_in(replay) as socket:
        heard = await hear(socket, 1)

    assert ({at for at, _text in heard}, len(heard)) == ({0.0}, 4182 - 150)


async def test_the_tape_ends_and_the_client_stays_connected(autojump_clock: MockClock) -> None:
    async with replaying(recorded(*LOGIN)) as replay, let_in(replay) as socket:
        await hear(socket, 3600)

        assert (replay.ended.is_set(), socket.closed) == (True, None)


@pytest.mark.parametrize(
    ("path", "status"),
    [
        (f"/api/servers/{SERVER}/ws", 403),
        (f"/api/servers/{SERVER[:8]}/ws", 404),
        (f"/api/servers/{SERVER.upper()}/ws", 404),
        ("/api/servers/00000000-0000-4000-8000-000000000000/ws", 404),
        (f"/api/servers/{SERVER}", 404),
    ],
)
async def test_an_upgrade_to_somewhere_else_or_from_elsewhere_is_refused(
    autojump_clock: MockClock, path: str, status: int
) -> None:
    async with replaying(recorded(*LOGIN)) as replay:
        url = replay.panel_url.replace("http", "ws", 1) + path
        with pytest.raises(ConnectionRejected) as refused:
            async with open_websocket_url(url, extra_headers=[(b"Origin", b"http://elsewhere")]):
                pass

    assert refused.value.status_code == status
    body = (refused.value.body or b"").decode()
    if status == 403:
        assert body.startswith(
            'Forbidden\n{"error":"An unexpected error was encountered while processing this '
        )
    else:
        assert body == '{"error":"The requested resource does not exist on this instance."}'


async def test_a_slash_too_many_is_sent_on_to_where_there_is_none(
    autojump_clock: MockClock,
) -> None:
    path = f"/api/servers/{SERVER}/ws"
    async with replaying(recorded(*LOGIN)) as replay, panel_of(replay) as anyone:
        answer = await anyone.get(f"{path}/")

    assert (answer.status_code, answer.headers["Location"]) == (301, path)


@pytest.mark.parametrize(
    "change",
    [
        {"Upgrade": "h2c"},
        {"Connection": "keep-alive"},
        {"Sec-WebSocket-Version": "8"},
        {"Sec-WebSocket-Key": ""},
        {"Sec-WebSocket-Key": "short"},
    ],
)
async def test_what_is_no_upgrade_is_a_bad_request(
    autojump_clock: MockClock, change: dict[str, str]
) -> None:
    async with replaying(recorded(*LOGIN)) as replay, panel_of(replay) as client:
        answer = await client.get(f"/api/servers/{SERVER}/ws", headers=UPGRADE | change)

    assert (answer.status_code, answer.text.split("\n")[0]) == (400, "Bad Request")
    assert answer.headers["x-request-id"] in answer.text


async def test_the_panel_may_be_called_localhost(autojump_clock: MockClock) -> None:
    async with replaying(recorded(*LOGIN)) as replay:
        spelling = replay.panel_url.replace("127.0.0.1", "localhost")
        async with connected(replay, origin=spelling) as socket:
            await socket.ping()
        with pytest.raises(ConnectionRejected):
            async with connected(replay, origin=replay.panel_url + "/"):
                pass


async def test_garbage_for_a_token_is_a_daemon_error_and_a_good_one_still_works(
    autojump_clock: MockClock,
) -> None:
    async with replaying(recorded(*LOGIN)) as replay, connected(replay) as socket:
        token = await token_of(replay)
        await socket.send_message('{"event":"auth","args":["garbage"]}')
        refused = await socket.get_message()
        await socket.send_message(encode_client(Auth(token)))
        accepted = await socket.get_message()

    assert "an unexpected error was encountered" in refused
    assert str(refused).startswith('{"event":"daemon error","args":["Error Event [')
    assert accepted == SUCCESS


async def test_an_expired_token_is_a_jwt_error(autojump_clock: MockClock) -> None:
    claims = {"iat": 0, "nbf": 0, "exp": 60, "permissions": ["*"], "scope": "websocket"}
    recording = recorded(called(0, "GET", "/websocket", claims=claims), *LOGIN)
    async with replaying(recording) as replay, connected(replay) as socket:
        token = await token_of(replay)
        await trio.sleep(61)
        await socket.send_message(encode_client(Auth(token)))
        answer = decode_server(str(await socket.get_message()))

    assert isinstance(answer, JwtErrorReported)
    assert answer.text.endswith("]: jwt: exp claim is invalid")


async def test_a_loss_drops_the_connection_and_refuses_others_while_the_panel_stays(
    autojump_clock: MockClock,
) -> None:
    recording = recorded(
        *LOGIN,
        lost(2.001),
        opened(5.001),
        asked(5.002, "auth", "<token:2>"),
        told(5.003, "auth success"),
    )
    async with replaying(recording) as replay, panel_of(replay) as panel:
        async with let_in(replay) as socket:
            with pytest.raises(ConnectionClosed) as closed:
                await hear(socket, 100)
        lost_at = trio.current_time()
        refused = await say(replay, upgrade(replay))
        listed = await panel.get("/api/client")
        await trio.sleep(60)
        async with let_in(replay) as socket:
            heard = await hear(socket, 1)

    reason = closed.value.reason
    assert (lost_at, reason and reason.code, refused, listed.status_code) == (2.0, 1006, b"", 200)
    assert heard == [(63.001, SUCCESS), (63.001, frame("status", "running"))]


async def test_another_code_is_a_close_frame(autojump_clock: MockClock) -> None:
    recording = recorded(*LOGIN, lost(2.001, 4409, "server is suspended"))
    async with replaying(recording) as replay, let_in(replay) as socket:
        with pytest.raises(ConnectionClosed) as closed:
            await hear(socket, 100)

    reason = closed.value.reason
    assert reason is not None
    assert (reason.code, reason.reason) == (4409, "server is suspended")


async def test_a_ping_after_the_close_frame_harms_nobody(autojump_clock: MockClock) -> None:
    recording = recorded(*LOGIN, lost(1.501, 4409, "suspended"), opened(1.6))
    ping = bytes([0x89, 0x80, 0, 0, 0, 0])
    async with replaying(recording) as replay:
        text = encode_client(Auth(await token_of(replay))).encode()
        auth = bytes([0x81, 0xFE]) + len(text).to_bytes(2, "big") + bytes(4) + text
        said = await say(replay, upgrade(replay), auth, ping, ping)
        async with let_in(replay) as socket:
            answer = await socket.get_message()

    assert (said[-13:], answer) == (
        bytes([0x88, 11]) + (4409).to_bytes(2, "big") + b"suspended",
        SUCCESS,
    )


async def test_a_deed_is_left_to_the_client(autojump_clock: MockClock) -> None:
    recording = recorded(*LOGIN, asked(1.0, "set state", "stop"), told(1.5, "status", "stopping"))
    async with replaying(recording, leave={1}) as replay, let_in(replay) as socket:
        await hear(socket, 50)
        await socket.send_message(encode_client(SetState("stop")))
        heard = await hear(socket, 50)

    assert heard == [(50.5, frame("status", "stopping"))]
    assert [str(deed) for deed in replay.deeds] == ["deed 1 (set state stop)"]


async def test_notes_are_told_at_once(autojump_clock: MockClock) -> None:
    told_of: list[Note] = []
    recording = recorded(*LOGIN)
    async with (
        replaying(recording, strict=True, on_note=told_of.append) as replay,
        let_in(replay) as socket,
    ):
        await socket.send_message(encode_client(SendCommand("say hi")))
        heard = await hear(socket, 1)

    assert "strictly, only recorded deeds are done" in heard[1][1]
    assert told_of == replay.notes
    assert [note.kind for note in told_of] == [NoteKind.STARTED, NoteKind.REFUSED, NoteKind.ENDED]


async def test_who_reads_too_slowly_holds_up_nobody_and_misses_frames(
    autojump_clock: MockClock,
) -> None:
    flood = [told(1.0, "console output", f"line {number} " + "x" * 100) for number in range(20_000)]
    async with (
        replaying(recorded(*LOGIN, *flood), speed=math.inf) as replay,
        let_in(replay) as quick,
        connected(replay) as slow,
    ):
        heard: list[str | bytes] = [await quick.get_message()]
        await slow.send_message(encode_client(Auth(await token_of(replay))))
        while not replay.ended.is_set() or len(heard) < 20_002:
            heard.append(await quick.get_message())
        behind = [await slow.get_message() for _ in range(16_384)]

    assert (heard[-1], len(heard)) == (flood[-1].frame, 20_002)
    assert notes(replay, NoteKind.SLOW) == ["client 2 is 16384 frames behind and misses some"]
    assert behind[-1] in heard


async def test_after_a_replay_its_address_is_free(autojump_clock: MockClock) -> None:
    async with memory_network():
        for _ in range(2):
            async with (
                open_replay(recorded(*LOGIN), wall_clock=wall_clock, port=8080) as replay,
                let_in(replay) as socket,
            ):
                assert await socket.get_message() == SUCCESS
        with pytest.raises(OSError, match="failed"):
            await trio.open_tcp_stream("127.0.0.1", 8080)


async def test_a_client_that_is_there_when_the_replay_ends_is_hung_up_on(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    scope = trio.CancelScope()

    async def serve(*, task_status: trio.TaskStatus[tuple[Replay, ...]]) -> None:
        with scope:
            playback, stand = Playback(recorded(*LOGIN)), Stand(wall_clock=wall_clock)
            await serve_replays([playback], stand, task_status=task_status)

    async with memory_network(), connected(*await nursery.start(serve)) as socket:
        scope.cancel()
        with pytest.raises(ConnectionClosed) as closed:
            await socket.get_message()

    reason = closed.value.reason
    assert (reason and reason.code) == 1006


async def test_an_address_in_use_is_told(autojump_clock: MockClock) -> None:
    playback, stand = Playback(recorded(*LOGIN)), Stand(wall_clock=wall_clock, port=8080)
    async with replaying(recorded(*LOGIN), port=8080):
        with pytest.raises(AddressTaken, match=r"127\.0\.0\.1 port 8080: can't be listened on"):
            await serve_replays([playback], stand)


async def test_strict_and_lenient_is_a_usage_error(autojump_clock: MockClock) -> None:
    playback = Playback(recorded(*LOGIN), lenient=True, strict=True)
    with pytest.raises(UsageError, match="strict and lenient"):
        await serve_replays([playback], Stand(wall_clock=wall_clock))


# ---------------------------------------------------------------- the panel


async def test_the_panel_of_a_backup_evening(autojump_clock: MockClock, recordings: Path) -> None:
    recording = read_recording(recordings / "backup-before-stop.jsonl")
    path = f"/api/client/servers/{recording.header.server}/backups"
    async with (
        replaying(recording, leave={5}) as replay,
        let_in(replay) as socket,
        panel_of(replay) as panel,
    ):
        await hear(socket, 60)
        made = await panel.post(path, json={"name": "before stop"})
        uuid = made.json()["attributes"]["uuid"]
        heard = await hear(socket, 0.01)
        found = await panel.get(f"{path}/{uuid}")

    assert made.json()["attributes"]["is_successful"] is False
    assert uuid in heard[0][1]
    assert found.json()["attributes"]["is_successful"] is True
    assert notes(replay, NoteKind.DONE) == [f"deed 5 (POST {path})"]


async def test_a_recorded_failure_is_a_failure(autojump_clock: MockClock) -> None:
    failure: dict[str, Any] = {"errors": [{"code": "DaemonConnectionException", "status": "504"}]}
    entries: list[Entry] = [called(0, "GET", "/websocket", status=504, response=failure), *LOGIN]
    async with replaying(recorded(*entries)) as replay, panel_of(replay) as panel:
        answers = [await panel.get(f"{ROOT}/websocket") for _ in range(2)]

    assert [answer.status_code for answer in answers] == [504, 200]
    assert answers[0].json() == failure


# ---------------------------------------------------------------- HTTP


async def say(replay: Replay, *parts: bytes) -> bytes:
    """Send raw bytes, then nothing more; return all that comes back."""
    answer = b""
    port = httpx.URL(replay.panel_url).port or 0
    stream = await trio.open_tcp_stream("127.0.0.1", port)
    async with stream:
        with contextlib.suppress(trio.BrokenResourceError):  # it has heard enough
            for part in parts:
                await stream.send_all(part)
                await trio.sleep(1)
        with trio.move_on_after(10):
            while data := await stream.receive_some():
                answer += data
    return answer


def upgrade(replay: Replay, **more: str) -> bytes:
    """Return the bytes that ask for the websocket; *more* headers go beside the usual ones."""
    named = {name.replace("_", "-"): value for name, value in more.items()}
    headers = UPGRADE | {"Host": "x", "Origin": replay.panel_url} | named
    lines = [f"{name}: {value}" for name, value in headers.items()]
    return "\r\n".join([f"GET /api/servers/{SERVER}/ws HTTP/1.1", *lines, "", ""]).encode()


@pytest.mark.parametrize(
    ("parts", "answer"),
    [
        ([b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"], b"HTTP/1.1 400 "),
        ([b"GET / HTTP/1.1\r\n\r\n"], b"HTTP/1.1 400 "),
        ([b"GET http://[ HTTP/1.1\r\nHost: x\r\n\r\n"], b"HTTP/1.1 400 "),
        ([b"GET / HTTP/9.9\r\nHost: x\r\n\r\n"], b"HTTP/1.1 "),
        ([b"GET /" + b"a" * 70_000], b"HTTP/1.1 431 "),
        ([b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n"], b"HTTP/1.1 400 "),
        (
            [
                b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2000000\r\n\r\n",
                *[b"x" * 60_000] * 20,
            ],
            b"HTTP/1.1 413 ",
        ),
        ([b"GET /%ff%00 HTTP/1.1\r\nHost: x\r\n\r\n"], b"HTTP/1.1 401 "),
        ([b"GET / HTTP/1.1\r\nHost: x\r\nAuthorization: \xff\xfe\r\n\r\n"], b"HTTP/1.1 401 "),
        ([b"HEAD /api/client HTTP/1.1\r\nHost: x\r\n\r\n"], b"HTTP/1.1 401 "),
        ([b"GET /api/client HTTP/1.0\r\n\r\n"], b"HTTP/1.1 401 "),
        (
            [
                b"POST / HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n",
                b"{}",
            ],
            b"HTTP/1.1 100 ",
        ),
        ([b""], b""),
    ],
)
async def test_garbage_gets_an_answer_and_the_next_client_is_served(
    autojump_clock: MockClock, parts: list[bytes], answer: bytes
) -> None:
    async with replaying(recorded(*LOGIN)) as replay:
        said = await say(replay, *parts)
        async with panel_of(replay) as panel:
            served = (await panel.get("/api/client")).status_code

    assert (said[: len(answer)], served) == (answer, 200)


async def test_requests_in_one_go_are_answered_in_order(autojump_clock: MockClock) -> None:
    request = b"GET /api/%s HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\n\r\n"
    async with replaying(recorded(*LOGIN)) as replay:
        key = replay.key.encode()
        said = await say(replay, request % (b"client", key) + request % (b"nowhere", key))

    assert re.findall(rb"HTTP/1.1 (\d+)", said) == [b"200", b"404"]


async def test_frames_sent_right_behind_the_upgrade_are_not_lost(autojump_clock: MockClock) -> None:
    async with replaying(recorded(*LOGIN)) as replay:
        ping = bytes([0x89, 0x82, 0, 0, 0, 0]) + b"hi"
        said = await say(replay, upgrade(replay) + ping)

    assert said.startswith(b"HTTP/1.1 101 ")
    assert said.endswith(bytes([0x8A, 2]) + b"hi")


@pytest.mark.parametrize(
    ("garbage", "word"),
    [
        (b"\xff" * 64, b"RSV1 set, RSV2 set, RSV3 set, bad opcode 15"),
        (b"\x81\x02hi", b"bad MASK"),
        (b"GET / HTTP/1.1\r\n\r\n", b"RSV1 set, bad opcode 7, bad MASK"),
    ],
)
async def test_garbage_for_frames_ends_that_connection_only_and_with_a_word(
    autojump_clock: MockClock, garbage: bytes, word: bytes
) -> None:
    async with replaying(recorded(*LOGIN)) as replay:
        said = await say(replay, upgrade(replay), garbage)
        async with let_in(replay) as socket:
            answer = await socket.get_message()

    assert (said.endswith(encode_close(1002, word.decode())), answer) == (True, SUCCESS)


# ---------------------------------------------------------------- whose daemon was recorded


async def heard_of(daemon: str | None, *parts: bytes, **offer: str) -> bytes:
    """Return what comes of these bytes, sent on a websocket to the replay of such a daemon."""
    recording = recorded(*LOGIN)
    recording = evolve(recording, header=replace(recording.header, daemon=daemon))
    async with replaying(recording) as replay:
        said = await say(replay, upgrade(replay, **offer), *parts)
    return said.partition(b"\r\n\r\n")[2]


def masked(opcode: Opcode, text: str, **how: Any) -> bytes:
    return encode_frame(opcode, text.encode(), mask=b"mask", **how)


NEWER = ["pelican-dev/wings 1.0.0-beta29", "pterodactyl/wings 1.12.2"]
OLDER = ["pterodactyl/wings 1.11.11+f1c5bbd", "pterodactyl", None]
NO_TOKEN = frame("jwt error", "jwt: no jwt present")


@pytest.mark.parametrize("daemon", [*NEWER, *OLDER])
async def test_the_manners_at_a_replay_are_those_of_the_recorded_daemon(
    autojump_clock: MockClock, daemon: str | None
) -> None:
    """Only a newer one has a limit, drops binary frames and compresses if that is offered."""
    binary = await heard_of(daemon, masked(Opcode.BINARY, STATS))
    long = await heard_of(daemon, masked(Opcode.TEXT, STATS + " " * 4096))
    small = await heard_of(
        daemon, masked(Opcode.TEXT, STATS), sec_websocket_extensions="permessage-deflate"
    )

    answer = encode_text(NO_TOKEN)
    found = (binary, long, small)
    if daemon in NEWER:
        assert found == (b"", encode_close(1009), encode_text(NO_TOKEN, deflates=True))
    else:
        assert found == (answer, answer, answer)


async def test_a_text_of_broken_utf8_is_read_and_not_the_end(autojump_clock: MockClock) -> None:
    broken = encode_frame(Opcode.TEXT, STATS.encode() + b"\xff", mask=b"mask")
    good = masked(Opcode.TEXT, STATS)

    assert await heard_of(None, broken, good) == encode_text(NO_TOKEN)

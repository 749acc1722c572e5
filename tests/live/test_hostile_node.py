"""Whatever a node sends, a session lives on: it connects again, or ends with one of our errors."""

import base64
import hashlib
import struct
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import trio
from hypothesis import example, given, settings
from hypothesis import strategies as st
from trio.testing import MockClock

from automate.errors import AutomateError
from automate.fake.network import memory_network
from automate.live.answers import Token
from automate.live.listener import Listener, together
from automate.live.recorder import Recorder
from automate.live.session import Session
from automate.recording.format import Header
from automate.recording.reader import read_recording
from automate.recording.writer import RecordingWriter
from automate.wire.codec import canonical_server
from automate.wire.messages import SendCommand
from tests.live.stage import Tokens

SERVER = "a1b2c3d4-0001-4000-8000-000000000001"
SOCKET = f"ws://node.example.com:8080/api/servers/{SERVER}/ws"
_MAGIC = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


def frame(opcode: int, payload: bytes, *, first_bits: int = 0x80, mask: bool = False) -> bytes:
    """Return a websocket frame, right or wrong."""
    bit = 0x80 if mask else 0
    if len(payload) < 126:
        size = bytes([bit | len(payload)])
    else:
        size = bytes([bit | 126]) + struct.pack("!H", len(payload) & 0xFFFF)
    return bytes([first_bits | opcode]) + size + (b"\0\0\0\0" if mask else b"") + payload


def text(words: str) -> bytes:
    return frame(1, words.encode())


_SAID = st.one_of(
    st.sampled_from(
        [
            canonical_server("auth success"),
            canonical_server("status", ["offline"]),
            canonical_server("status", ["missing"]),
            canonical_server("status", ["running", "twice"]),
            canonical_server("jwt error", ["jwt: exp claim is invalid"]),
            canonical_server("jwt error", ["Error Event [x]: jwt: created too far (denylist)"]),
            canonical_server("jwt error", ["something new"]),
            canonical_server("daemon error", ["Error Event [x]: no"]),
            canonical_server("throttled", ["global"]),
            canonical_server("throttled", ["auth"]),
            canonical_server("throttled", ["send command"]),
            canonical_server("token expiring"),
            canonical_server("token expired"),
            canonical_server("transfer status", ["success"]),
            canonical_server("transfer status", ["failure"]),
            canonical_server("deleted", ["null"]),
            canonical_server("console output", ["\x1b[1mhello\r"]),
            canonical_server("console output", [""]),
            '{"args":["x"],"event":"console output"}',
            '{"event":"auth success","args":null}\n',
            '{"event":null}',
            "[[[[",
            "",
        ]
    ),
    st.text(max_size=30),
)
_FRAMES = st.one_of(
    _SAID.map(text),
    st.builds(
        frame,
        st.integers(0, 15),
        st.binary(max_size=130),
        first_bits=st.sampled_from([0x80, 0x00, 0xC0, 0xF0]),
        mask=st.booleans(),
    ),
    st.sampled_from([1000, 1001, 1002, 1005, 1006, 1009, 4400, 4409, 0, 65535]).map(
        lambda code: frame(8, struct.pack("!H", code) + b"bye")
    ),
    st.just(frame(8, b"")),
    st.binary(max_size=40),
)


async def accept(stream: trio.abc.Stream) -> None:
    """Be the node's end of the handshake."""
    head = b""
    while b"\r\n\r\n" not in head:
        head += await stream.receive_some()
    key = next(
        line.partition(b":")[2].strip()
        for line in head.split(b"\r\n")
        if line.lower().startswith(b"sec-websocket-key")
    )
    digest = hashlib.sha1(key + _MAGIC.encode(), usedforsecurity=False).digest()
    await stream.send_all(
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Accept: " + base64.b64encode(digest) + b"\r\n\r\n"
    )


async def live(sent: Sequence[bytes], *listeners: Listener) -> tuple[int, AutomateError | None]:
    """Run a session for ten virtual minutes; return how often it connected, and its error."""
    connections = 0

    async def node(stream: trio.SocketStream) -> None:
        nonlocal connections
        connections += 1
        try:
            await accept(stream)
            for each in sent if connections == 1 else [text(canonical_server("auth success"))]:
                await trio.sleep(0.5)
                await stream.send_all(each)
            await trio.sleep(60)
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            pass

    panel = Tokens(*(Token(token=f"T{n}", socket=SOCKET) for n in range(99)))
    session = Session(SERVER, panel, listener=together(*listeners))
    session.send(SendCommand("hello"))
    error = None
    async with memory_network(), trio.open_nursery() as nursery:
        listening = await trio.open_tcp_listeners(8080, host="127.0.0.1")
        nursery.start_soon(trio.serve_listeners, node, listening)
        with trio.move_on_after(600):
            try:
                await session.run()
            except AutomateError as exc:
                error = exc
        nursery.cancel_scope.cancel()
    return connections, error


class Ready(Listener):
    """Counts how often it was let in."""

    times = 0

    def ready(self, at: float) -> None:
        self.times += 1


@given(sent=st.lists(_FRAMES, max_size=6))
@settings(max_examples=60)
@example(sent=[text(canonical_server("auth success")), frame(1, b"\xff\xfe")])
@example(sent=[frame(9, b"x" * 126)])
@example(sent=[frame(8, b"\x03")])
def test_whatever_comes_it_lives_on_or_ends_with_an_error_of_ours(sent: list[bytes]) -> None:
    """And what was recorded of it is a whole recording."""
    with TemporaryDirectory() as folder:
        path, ready = Path(folder, "x.jsonl"), Ready()

        async def play() -> tuple[int, AutomateError | None]:
            with RecordingWriter(path, Header(SERVER, "2026-11-24T21:00:00Z")) as writer:
                recorder = Recorder(writer, server=SERVER, started_at=trio.current_time())
                return await live(sent, recorder, ready)

        connections, error = trio.run(play, clock=MockClock(autojump_threshold=0))
        recording = read_recording(path)

    assert recording.warnings == []
    assert error is not None or (connections > 1 and ready.times)

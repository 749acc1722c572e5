"""Faults at a replayed node, in virtual time: each does what it says, and the same each time."""

import json
import re
import textwrap
from pathlib import Path
from typing import Any

import pytest
import trio
from trio.testing import MockClock
from trio_websocket import ConnectionClosed, WebSocketConnection

from automate.fake import faults as module
from automate.fake.faults import (
    ClockSkew,
    DropAfter,
    Duplicate,
    ExpireEarly,
    Faults,
    HalfOpen,
    Latency,
    Malform,
    PanelAnswers,
    Refusal,
    RefuseToken,
    Reorder,
    Reset,
    SlowReader,
    Truncate,
)
from automate.fake.network import memory_network
from automate.fake.signals import NoteKind
from automate.recording.format import Entry
from automate.wire.codec import encode_client
from automate.wire.messages import Auth, SetState
from tests.fake.scenes import LOGIN, asked, frame, recorded, told
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

SUCCESS = frame("auth success")
EXPIRED = frame("jwt error", "jwt: exp claim is invalid")
LINES = [frame("console output", f"line {number}") for number in range(1, 9)]
TALK: list[Entry] = [
    *LOGIN,
    *(told(number, "console output", f"line {number}") for number in range(1, 9)),
]


async def heard_with(*faults: Any, seed: int = 1, seconds: float = 60) -> list[tuple[float, str]]:
    """Return what a client hears of the talk, counted from when it asked to be let in."""
    async with (
        replaying(recorded(*TALK), faults=Faults(seed, faults)) as replay,
        let_in(replay) as socket,
    ):
        begin = trio.current_time()
        heard = await until_closed(socket, seconds)
    return [(round(at - begin, 4), text) for at, text in heard]


async def until_closed(socket: WebSocketConnection, seconds: float) -> list[tuple[float, str]]:
    heard: list[tuple[float, str]] = []
    try:
        with trio.move_on_after(seconds):
            while True:
                message = await socket.get_message()
                heard.append((trio.current_time(), str(message)))
    except ConnectionClosed:
        heard.append((trio.current_time(), "closed"))
    return heard


PLAIN = [
    (0.0, SUCCESS),
    (0.002, frame("status", "running")),
    *((round(at - 0.001, 4), text) for at, text in enumerate(LINES, 1)),
]


async def test_without_faults_it_is_the_recording(autojump_clock: MockClock) -> None:
    assert await heard_with() == PLAIN


async def test_latency_delays_frames_both_ways_and_calls(autojump_clock: MockClock) -> None:
    deed: list[Entry] = [*LOGIN, asked(1, "set state", "stop"), told(1.5, "status", "stopping")]
    faults = Faults(1, [Latency(2)])
    async with replaying(recorded(*deed), leave={1}, faults=faults) as replay:
        await token_of(replay)
        fetched_at = trio.current_time()
        async with let_in(replay) as socket:
            begin = trio.current_time()
            heard = [(at - begin, text) for at, text in await hear(socket, 20)]
            begin = trio.current_time()
            await socket.send_message(encode_client(SetState("stop")))
            [(stopping_at, _text)] = await hear(socket, 20)

    assert fetched_at == 4
    assert heard == [(4, SUCCESS), (pytest.approx(4.002), frame("status", "running"))]
    assert stopping_at - begin == 4.5


async def test_a_dropped_connection_just_ends(autojump_clock: MockClock) -> None:
    assert await heard_with(DropAfter(frames=4)) == [*PLAIN[:4], (1.999, "closed")]
    assert await heard_with(DropAfter(seconds=3.5)) == [*PLAIN[:5], (3.5, "closed")]


async def test_a_drop_with_a_code_is_a_close_frame(autojump_clock: MockClock) -> None:
    faults = Faults(1, [DropAfter(frames=1, code=4409, reason="suspended")])
    async with replaying(recorded(*TALK), faults=faults) as replay, let_in(replay) as socket:
        await socket.get_message()
        with pytest.raises(ConnectionClosed) as closed:
            await socket.get_message()

    why = closed.value.reason
    assert why is not None
    assert (why.code, why.reason) == (4409, "suspended")
    assert notes(replay, NoteKind.FAULT) == ["client 1: dropped after 1 frames"]


async def test_a_reset_is_an_error_and_no_end(autojump_clock: MockClock) -> None:
    async with replaying(recorded(*TALK), faults=Faults(1, [Reset(seconds=2)])) as replay:
        port = int(replay.panel_url.rpartition(":")[2])
        stream = await trio.open_tcp_stream("127.0.0.1", port)
        await stream.send_all(upgrade(replay.socket_url, replay.panel_url))
        received = await stream.receive_some()
        with pytest.raises(trio.BrokenResourceError) as broken:
            await stream.receive_some()

    assert received.startswith(b"HTTP/1.1 101")
    assert isinstance(broken.value.__cause__, ConnectionResetError)
    assert trio.current_time() == 2


def upgrade(url: str, origin: str) -> bytes:
    lines = [
        f"GET /{url.split('/', 3)[3]} HTTP/1.1",
        "Host: node",
        "Upgrade: websocket",
        "Connection: Upgrade",
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
        "Sec-WebSocket-Version: 13",
        f"Origin: {origin}",
    ]
    return "\r\n".join([*lines, "", ""]).encode()


async def test_half_open_nothing_passes_and_nobody_says_so(autojump_clock: MockClock) -> None:
    faults = Faults(1, [HalfOpen(frames=3)])
    deed = asked(20, "set state", "stop")
    async with replaying(recorded(*TALK, deed), leave={1}, faults=faults) as replay:
        async with let_in(replay) as socket:
            heard = await hear(socket, 60)
            await socket.send_message(encode_client(SetState("stop")))
            with trio.move_on_after(60) as patience:
                await socket.ping()
            assert socket.closed is None
            scope = trio.CancelScope(deadline=trio.current_time() + 1)
            with scope:
                await socket.aclose()
        # The other socket is fine, and the deed was never heard of.
        stall = replay.stall

    assert [text for _at, text in heard] == [text for _at, text in PLAIN[:3]]
    assert patience.cancelled_caught
    assert stall is not None
    assert stall.nearest is None


async def test_a_slow_reader_gets_everything_late(autojump_clock: MockClock) -> None:
    heard = await heard_with(SlowReader(50), seconds=500)

    assert [text for _at, text in heard] == [text for _at, text in PLAIN]
    size = sum(len(text.encode()) + 2 for text in (text for _at, text in heard))
    assert heard[-1][0] == pytest.approx(size / 50, abs=0.5)


async def test_frames_are_doubled_cut_and_replaced(autojump_clock: MockClock) -> None:
    doubled = await heard_with(Duplicate(every=3))
    cut = await heard_with(Truncate(every=2))
    replaced = await heard_with(Malform(every=2))

    assert [text for _at, text in doubled] == [
        text for number, (_at, text) in enumerate(PLAIN, 1) for _ in range(1 + (number % 3 == 0))
    ]
    for changed in (cut, replaced):
        assert [one == was for one, was in zip(changed, PLAIN, strict=True)] == [True, False] * 5


async def test_reordered_frames_all_come(autojump_clock: MockClock) -> None:
    heard = [text for _at, text in await heard_with(Reorder(3))]

    assert (sorted(heard), heard != [text for _at, text in PLAIN]) == (
        sorted(text for _at, text in PLAIN),
        True,
    )


async def test_the_panel_answers_otherwise_for_a_while(autojump_clock: MockClock) -> None:
    faults = Faults(
        1,
        [
            PanelAnswers(status=429, retry_after=9),
            PanelAnswers(status=502, html=True, skip=1),
            PanelAnswers(status=500, skip=2),
        ],
    )
    async with replaying(recorded(*TALK), faults=faults) as replay, panel_of(replay) as panel:
        answers = [await panel.get("/api/client") for _ in range(4)]

    assert [answer.status_code for answer in answers] == [429, 502, 500, 200]
    assert answers[0].headers["retry-after"] == "9"
    assert answers[0].json()["errors"][0]["code"] == "ThrottleRequestsException"
    assert answers[1].text.startswith("<html>")
    assert notes(replay, NoteKind.FAULT)[0] == "GET /api/client is answered with 429"


@pytest.mark.parametrize(
    ("how", "said"),
    [
        (Refusal.DENYLIST, "jwt: created too far in past (denylist)"),
        (Refusal.NO_CONNECT, "jwt: missing connect permission"),
        (Refusal.GARBLED, "an unexpected error was encountered while handling this request"),
    ],
)
async def test_a_good_token_is_refused_and_the_next_is_let_in(
    autojump_clock: MockClock, how: Refusal, said: str
) -> None:
    faults = Faults(1, [RefuseToken(how=how)])
    async with replaying(recorded(*TALK), faults=faults) as replay, let_in(replay) as socket:
        refused = json.loads(await socket.get_message())
        await socket.send_message(encode_client(Auth(await token_of(replay))))
        accepted = await socket.get_message()

    assert refused["args"][0].endswith(f"]: {said}")
    assert accepted == SUCCESS


@pytest.mark.parametrize("fault", [ExpireEarly(595), ClockSkew(595)])
async def test_a_token_that_is_over_blinds_its_socket_until_the_next_one(
    autojump_clock: MockClock, fault: ExpireEarly | ClockSkew
) -> None:
    async with (
        replaying(recorded(*TALK), faults=Faults(1, [fault]), leave=[]) as replay,
        let_in(replay) as socket,
    ):
        heard = [text for _at, text in await hear(socket, 7.5)]
        await socket.send_message(encode_client(SetState("stop")))
        [(_at, for_a_deed)] = await hear(socket, 0.1)
        await socket.send_message(encode_client(Auth(await token_of(replay))))
        again = [text for _at, text in await hear(socket, 3)]

    assert heard == [SUCCESS, frame("status", "running"), *LINES[:6], EXPIRED]
    assert (for_a_deed, notes(replay, NoteKind.IGNORED)) == (EXPIRED, [])
    assert again == [SUCCESS, LINES[7]]


async def test_a_clock_that_is_behind_lets_tokens_live_longer(autojump_clock: MockClock) -> None:
    faults = Faults(1, [ClockSkew(-100)])
    async with replaying(recorded(*TALK), faults=faults) as replay, connected(replay) as socket:
        token = await token_of(replay)
        await trio.sleep(650)
        await socket.send_message(encode_client(Auth(token)))

        assert await socket.get_message() == SUCCESS


STORMY = (
    Latency(0.2, 1),
    Duplicate(probability=0.3),
    Malform(probability=0.2),
    Truncate(probability=0.2),
    DropAfter(seconds=7),
)


async def test_the_same_seed_is_the_same_run_and_another_is_not(autojump_clock: MockClock) -> None:
    runs = [await heard_with(*STORMY, seed=7) for _ in range(5)]

    assert runs.count(runs[0]) == 5
    assert await heard_with(*STORMY, seed=8) != runs[0]
    assert runs[0][-1] == (7.0, "closed")


async def test_refused_tokens_are_told_of_in_the_same_words_in_each_run(
    autojump_clock: MockClock,
) -> None:
    first, again = [await heard_with(RefuseToken(times=None), seconds=5) for _ in range(2)]

    assert (len(first), first) == (1, again)


async def test_two_faults_at_once_do_both(autojump_clock: MockClock) -> None:
    assert await heard_with(Latency(0.5), DropAfter(frames=3)) == [
        *((round(at + 1, 4), text) for at, text in PLAIN[:3]),
        (1.999, "closed"),
    ]


def test_faults_are_values_and_nothing_of_a_run_stays_in_them() -> None:
    faults = Faults(1, STORMY)
    run = faults.begin()
    run.line(1, at=0).send("{}", 1)
    run.refuse_token()

    assert faults == Faults(1, list(STORMY))


async def test_the_guides_example_runs(autojump_clock: MockClock, root: Path) -> None:
    text = (root / "docs" / "faults.md").read_text("utf-8")
    code = text.split("```python\n")[1].split("```")[0]
    *imports, block = re.split(r"(?=^async with)", code, flags=re.M)
    names: dict[str, Any] = {"recording": recorded(*TALK), "unix_now": wall_clock}
    exec("".join(imports) + "async def example():\n" + textwrap.indent(block, "    "), names)
    async with memory_network():
        await names["example"]()

    assert names["bad_evening"] == Faults(
        7,
        [
            Latency(0.2, jitter_seconds=0.5),
            DropAfter(frames=20),
            PanelAnswers(status=502, html=True, path="*/websocket", times=2),
        ],
    )
    assert [name for name in module.__all__ if f"`{name}" not in text] == ["Faults", "Refusal"]

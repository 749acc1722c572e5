"""The node's end of a websocket, over a stream in memory, in virtual time."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
import trio
from trio.testing import MockClock, memory_stream_pair, wait_all_tasks_blocked

from automate.fake.framing import Opcode, encode_close, encode_frame, encode_text
from automate.fake.websocket import NodeEnd

Stream = trio.StapledStream[Any, Any]


@pytest.fixture
def autojump_clock() -> MockClock:
    return MockClock(autojump_threshold=0)


@asynccontextmanager
async def node_and_client() -> AsyncIterator[tuple[NodeEnd, Stream, list[str | bytes | None]]]:
    """Give both ends, and what the node receives; it does so as long as the block runs."""
    ours, theirs = memory_stream_pair()
    node = NodeEnd(ours, is_deflated=False, limit_bytes=4096)
    received: list[str | bytes | None] = []

    async def receive() -> None:
        while not received or received[-1] is not None:
            received.append(await node.receive())

    async with trio.open_nursery() as nursery:
        nursery.start_soon(receive)
        yield node, theirs, received
        nursery.cancel_scope.cancel()


async def everything(stream: Stream) -> bytes:
    """Return what comes until the end."""
    return b"".join([bytes(piece) async for piece in stream])


def masked(opcode: Opcode, payload: bytes = b"") -> bytes:
    return encode_frame(opcode, payload, mask=b"mask")


async def test_after_its_goodbye_the_node_says_nothing_and_hears_nothing(
    autojump_clock: MockClock,
) -> None:
    async with node_and_client() as (node, client, received), trio.open_nursery() as nursery:
        await node.send("first")
        nursery.start_soon(node.close, 4409, "suspended")
        await wait_all_tasks_blocked()
        await node.send("late")
        await client.send_all(masked(Opcode.PING) + masked(Opcode.TEXT, b"late"))
        await wait_all_tasks_blocked()
        said = await everything(client)
        await client.send_eof()
        await wait_all_tasks_blocked()

        assert said == encode_text("first") + encode_close(4409, "suspended")
        assert (received, trio.current_time()) == ([None], 0)


async def test_a_clients_goodbye_is_answered_and_what_is_sent_later_is_left_unsaid(
    autojump_clock: MockClock,
) -> None:
    """The end is there at once: nobody waits for the client to hang up."""
    async with node_and_client() as (node, client, received):
        goodbye = masked(Opcode.CLOSE, b"\x03\xe8") + masked(Opcode.PING)
        await client.send_all(masked(Opcode.TEXT, b"hi") + goodbye)
        await wait_all_tasks_blocked()
        await node.send("late")

        assert await everything(client) == encode_close(1000)
        assert (received, trio.current_time()) == (["hi", None], 0)


async def test_a_ping_that_is_heard_before_the_goodbye_is_not_answered_after_it(
    autojump_clock: MockClock,
) -> None:
    ours, theirs = memory_stream_pair()
    gate = trio.Event()
    pump: Any = ours.send_stream.send_all_hook

    async def pump_later() -> None:
        await gate.wait()
        await pump()

    ours.send_stream.send_all_hook = pump_later
    pings = masked(Opcode.PING, b"1") + masked(Opcode.PING, b"2")
    node = NodeEnd(ours, said=pings, is_deflated=False, limit_bytes=4096)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(node.receive)
        await wait_all_tasks_blocked()
        nursery.start_soon(node.close, 4409, "")
        await wait_all_tasks_blocked()
        gate.set()
        said = await everything(theirs)
        nursery.cancel_scope.cancel()

    assert said == encode_frame(Opcode.PONG, b"1") + encode_close(4409)


async def test_to_linger_is_to_wait_for_the_client_to_go(autojump_clock: MockClock) -> None:
    async with node_and_client() as (node, client, _), trio.open_nursery() as nursery:
        await client.send_all(masked(Opcode.CLOSE))
        await wait_all_tasks_blocked()
        gone = trio.Event()

        async def linger() -> None:
            await node.linger()
            gone.set()

        nursery.start_soon(linger)
        await client.send_all(b"whatever")
        await wait_all_tasks_blocked()
        before = gone.is_set()
        await client.send_eof()
        await wait_all_tasks_blocked()

        assert (before, gone.is_set()) == (False, True)


async def test_a_pong_that_never_gets_its_turn_is_left_out(autojump_clock: MockClock) -> None:
    """A client that does not read holds up what is sent to it, and not what it says."""
    held_up = _HeldUp()
    node = NodeEnd(held_up, said=masked(Opcode.PING), is_deflated=False, limit_bytes=4096)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(node.send, "never read")
        await wait_all_tasks_blocked()
        received = await node.receive()
        nursery.cancel_scope.cancel()

    assert (received, held_up.sent) == ("heard", [encode_text("never read")])


class _HeldUp(trio.abc.HalfCloseableStream):
    """A stream that takes the first piece, and is not through with it any more."""

    def __init__(self) -> None:
        self.sent: list[bytes] = []

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        self.sent.append(bytes(data))
        await trio.sleep_forever()

    async def wait_send_all_might_not_block(self) -> None:
        await trio.sleep_forever()

    async def receive_some(self, max_bytes: int | None = None) -> bytes:
        return masked(Opcode.TEXT, b"heard")

    async def send_eof(self) -> None:
        await trio.sleep_forever()

    async def aclose(self) -> None:
        await trio.lowlevel.checkpoint()

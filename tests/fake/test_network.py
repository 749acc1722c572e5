"""Programs that know nothing of it talk over the network in memory, in virtual time."""

import inspect
import math
import textwrap
from functools import partial

import httpx
import pytest
import trio
from trio.testing import MockClock
from trio_websocket import WebSocketRequest, open_websocket_url, serve_websocket

from automate.fake import network
from automate.fake.faults.streams import reset
from automate.fake.network import MemorySocket, memory_network


async def connected(
    port: int, nursery: trio.Nursery
) -> tuple[trio.SocketStream, trio.SocketStream]:
    """Return both ends of a connection."""
    [listener] = await trio.open_tcp_listeners(port, host="127.0.0.1")
    client = await trio.open_tcp_stream("127.0.0.1", listener.socket.getsockname()[1])
    server = await listener.accept()
    await listener.aclose()
    return client, server


def test_the_example_does_what_it_says(capsys: pytest.CaptureFixture[str]) -> None:
    text = inspect.getdoc(network) or ""
    code = "".join(line for line in text.splitlines(True) if line[:4].isspace() or line == "\n")
    exec(textwrap.dedent(code), {})
    printed = capsys.readouterr().out

    assert printed == "good morning at 3600.0\n"
    assert f"``{printed.strip()}``" in text


async def test_a_reset_connection_is_an_error_and_what_was_written_is_lost(
    nursery: trio.Nursery,
) -> None:
    async with memory_network():
        client, server = await connected(0, nursery)
        await server.send_all(b"never read")
        await reset(server)
        with pytest.raises(trio.BrokenResourceError) as read:
            await client.receive_some()
        with pytest.raises(trio.BrokenResourceError):
            await client.send_all(b"anyone?")

    assert isinstance(read.value.__cause__, ConnectionResetError)


async def test_on_real_sockets_a_reset_is_the_same() -> None:
    [listener] = await trio.open_tcp_listeners(0, host="127.0.0.1")
    client = await trio.open_tcp_stream("127.0.0.1", listener.socket.getsockname()[1])
    server = await listener.accept()
    await listener.aclose()
    await reset(server)
    with pytest.raises(trio.BrokenResourceError) as read:
        await client.receive_some()
    await client.aclose()

    assert isinstance(read.value.__cause__, ConnectionResetError)


async def test_an_unmodified_websocket_client_talks_to_an_unmodified_server(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    async def echo(request: WebSocketRequest) -> None:
        socket = await request.accept()
        while True:
            message = await socket.get_message()
            await trio.sleep(3600)
            await socket.send_message(message)

    async with memory_network():
        server = await nursery.start(serve_websocket, echo, "127.0.0.1", 0, None)
        async with open_websocket_url(f"ws://panel.example.com:{server.port}/") as socket:
            await socket.send_message("are you there?")
            answer = await socket.get_message()
    nursery.cancel_scope.cancel()

    assert (answer, trio.current_time()) == ("are you there?", 3600)


async def test_httpx_uses_its_connection_again(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    connections = []

    async def serve(stream: trio.SocketStream) -> None:
        connections.append(stream)
        while await stream.receive_some():
            await stream.send_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")

    limits = httpx.Limits(keepalive_expiry=None)
    async with memory_network():
        [listener] = await nursery.start(partial(trio.serve_tcp, serve, 0, host="127.0.0.1"))
        url = f"http://localhost:{listener.socket.getsockname()[1]}"
        async with httpx.AsyncClient(limits=limits) as client:
            answers = [(await client.get(url)).text for _ in range(3)]
    nursery.cancel_scope.cancel()

    assert (answers, len(connections)) == (["ok"] * 3, 1)


async def test_what_was_written_before_hanging_up_is_still_read(nursery: trio.Nursery) -> None:
    async with memory_network():
        client, server = await connected(0, nursery)
        await client.send_all(b"bye")
        await client.aclose()

        assert [await server.receive_some(), await server.receive_some()] == [b"bye", b""]
        with pytest.raises(trio.BrokenResourceError):
            await server.send_all(b"hello?")


async def test_half_a_connection_can_be_closed(nursery: trio.Nursery) -> None:
    async with memory_network():
        client, server = await connected(0, nursery)
        await client.send_eof()
        ended = await server.receive_some()
        await server.send_all(b"still here")

        assert (ended, await client.receive_some()) == (b"", b"still here")


async def test_a_writer_waits_for_a_reader(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    async with memory_network():
        client, server = await connected(0, nursery)
        with trio.move_on_after(10) as patience:
            await client.send_all(bytes(1_000_000))
        read = 0
        with trio.move_on_after(10):
            while True:
                read += len(await server.receive_some())

    assert (patience.cancelled_caught, 0 < read < 1_000_000) == (True, True)


async def test_a_reader_is_woken_when_its_own_end_is_closed(nursery: trio.Nursery) -> None:
    async with memory_network():
        client, _server = await connected(0, nursery)
        async with trio.open_nursery() as inner:

            async def read() -> None:
                with pytest.raises(trio.ClosedResourceError):
                    await client.receive_some()

            inner.start_soon(read)
            await trio.testing.wait_all_tasks_blocked()
            await client.aclose()


async def test_nobody_listens_where_nobody_listens() -> None:
    async with memory_network():
        with pytest.raises(OSError, match=r"all attempts to connect to 127\.0\.0\.1:9 failed"):
            await trio.open_tcp_stream("127.0.0.1", 9)


async def test_an_address_is_taken_once_and_free_again_afterwards() -> None:
    async with memory_network():
        [listener] = await trio.open_tcp_listeners(8080, host="127.0.0.1")
        with pytest.raises(OSError, match="in use"):
            await trio.open_tcp_listeners(8080, host="127.0.0.1")
        await listener.aclose()
        [again] = await trio.open_tcp_listeners(8080, host="127.0.0.1")
        await again.aclose()


async def test_who_was_not_accepted_when_the_listener_closed_is_hung_up_on() -> None:
    async with memory_network():
        [listener] = await trio.open_tcp_listeners(0, host="127.0.0.1")
        client = await trio.open_tcp_stream("127.0.0.1", listener.socket.getsockname()[1])
        await listener.aclose()

        assert await client.receive_some() == b""


async def test_the_real_network_is_back_afterwards() -> None:
    async with memory_network():
        inside = trio.socket.socket()
    outside = trio.socket.socket()
    outside.close()

    assert (isinstance(inside, MemorySocket), isinstance(outside, MemorySocket)) == (True, False)


async def test_the_same_program_runs_the_same_way_twenty_times() -> None:
    """Virtual time and this network leave nothing to chance but trio's own shuffling."""

    async def program() -> list[tuple[float, bytes]]:
        heard = []
        async with memory_network(), trio.open_nursery() as nursery:
            client, server = await connected(0, nursery)

            async def speak() -> None:
                for number in range(20):
                    await trio.sleep(number / 7)
                    await server.send_all(b"%d" % number)
                await server.aclose()

            nursery.start_soon(speak)
            while data := await client.receive_some():
                heard.append((trio.current_time(), data))
        return heard

    runs = await trio.to_thread.run_sync(
        lambda: [trio.run(program, clock=MockClock(autojump_threshold=0)) for _ in range(20)]
    )

    assert (runs.count(runs[0]), len(runs[0]), math.isclose(runs[0][-1][0], 190 / 7)) == (
        20,
        20,
        True,
    )

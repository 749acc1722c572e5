"""The websocket to a node, against trio-websocket's own server over streams in memory."""

import pytest
import trio
from trio.testing import MockClock, memory_stream_pair
from trio_websocket import WebSocketConnection

from automate.errors import ConnectionFailed
from automate.fake.network import memory_network
from automate.live.websocket import NodeRefused, SocketClosed, open_socket, socket_over
from tests.live.stage import ORIGIN, URL, Actor, Node

WHERE = "node ws://node.example.com:8080"


async def test_the_node_learns_where_we_come_from(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    paths: list[str] = []

    async def part(actor: Actor) -> None:
        paths.append(actor.request.path)
        await actor.say("auth success")
        await actor.listen()

    node = Node(nursery, part)
    async with node.connect(URL + "?a=b", ORIGIN) as node_socket:
        await node_socket.send('{"event":"send stats","args":[null]}')
        assert await node_socket.receive() == ['{"event":"auth success"}\n']

    assert node.origins == [ORIGIN]
    assert paths == ["/api/servers/a1b2c3d4-0001-4000-8000-000000000001/ws?a=b"]


async def test_what_came_in_one_piece_is_one_batch(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    pieces = [[f"{n}" for n in range(300)], ["a", "\u00e4", "c"], ["x" * 70000]]

    async def part(actor: Actor) -> None:
        await actor.accept()
        for piece in pieces:
            await actor.stream.send_all(b"".join(map(raw, piece)))
            await trio.sleep(1)
        await actor.listen()

    async with Node(nursery, part).connect(URL, ORIGIN) as node_socket:
        assert [await node_socket.receive() for _ in pieces] == pieces


def raw(text: str) -> bytes:
    """Return the frame of *text*, as a server writes it (RFC 6455, 5.2)."""
    data = text.encode()
    if len(data) < 126:
        return bytes([0x81, len(data)]) + data
    if len(data) < 65536:
        return bytes([0x81, 126]) + len(data).to_bytes(2, "big") + data
    return bytes([0x81, 127]) + len(data).to_bytes(8, "big") + data


async def test_a_ping_is_answered_while_frames_pour_in(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    async def part(actor: Actor) -> None:
        socket = await actor.accept()
        for number in range(500):
            await socket.send_message(str(number))
        await socket.ping()
        await socket.send_message("alive")
        await actor.listen()

    heard: list[str] = []
    async with Node(nursery, part).connect(URL, ORIGIN) as node_socket:
        await node_socket.ping()
        while "alive" not in heard:
            heard += await node_socket.receive()

    assert heard == [*map(str, range(500)), "alive"]


@pytest.mark.parametrize(
    ("status", "body", "message"),
    [
        (
            403,
            b'Forbidden\n{"error":"An unexpected error"}',
            f"{WHERE}: the node does not accept the Origin 'https://panel.example.com' (403): it "
            "wants the panel's address as its own settings spell it (remote, or "
            "allowed_origins); give that one with --origin",
        ),
        (
            404,
            b'{"error":"The requested resource does not exist on this instance."}',
            f"{WHERE}: the node does not know the server (404): it was moved or removed, or the "
            "node has not heard of it yet",
        ),
        (
            400,
            b'{"error":"Too many open websocket connections."}',
            f"{WHERE}: too many websockets are open for this server (400): 30 are allowed, all "
            "users and browsers together; close some",
        ),
        (
            400,
            b"Bad Request",
            f"{WHERE}: expected a websocket, found an answer 400 (Bad Request); is this a node?",
        ),
        (
            502,
            b"<html>\nBad Gateway",
            f"{WHERE}: a proxy in front of the node answered 502 (<html> Bad Gateway); is the "
            "node up?",
        ),
        (302, b"", f"{WHERE}: expected a websocket, found an answer 302 (); is this a node?"),
    ],
)
async def test_a_refused_upgrade_says_what_to_do(
    status: int, body: bytes, message: str, autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    async def part(actor: Actor) -> None:
        await actor.request.reject(status, body=body)
        await trio.sleep(1)

    with pytest.raises(NodeRefused) as caught:
        async with Node(nursery, part).connect(URL, ORIGIN):
            pytest.fail("it was opened")

    assert (str(caught.value), caught.value.status) == (message, status)


async def test_a_node_that_hangs_up_instead_of_answering_is_not_waited_for(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    async def part(actor: Actor) -> None:
        await actor.vanish()

    with pytest.raises(ConnectionFailed, match="closed the connection without an answer"):
        async with Node(nursery, part).connect(URL, ORIGIN):
            pytest.fail("it was opened")

    assert trio.current_time() == 0


@pytest.mark.parametrize(("code", "reason"), [(4409, "server is suspended"), (1009, None)])
async def test_why_a_node_closed_is_told_after_its_last_words(
    code: int, reason: str | None, autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    async def part(actor: Actor) -> None:
        await actor.say("daemon message: bye")
        socket = await actor.accept()
        await socket.aclose(code, reason)

    async with Node(nursery, part).connect(URL, ORIGIN) as node_socket:
        assert await node_socket.receive() == ['{"event":"daemon message","args":["bye"]}\n']
        with pytest.raises(SocketClosed) as caught:
            await node_socket.receive()
        with pytest.raises(SocketClosed):
            await node_socket.send("too late")
        with pytest.raises(SocketClosed):
            await node_socket.ping()

    assert (caught.value.code, caught.value.reason) == (code, reason)


async def test_a_cut_connection_is_1006(autojump_clock: MockClock, nursery: trio.Nursery) -> None:
    async def part(actor: Actor) -> None:
        await actor.accept()
        await actor.vanish()

    async with Node(nursery, part).connect(URL, ORIGIN) as node_socket:
        with pytest.raises(SocketClosed) as caught:
            await node_socket.receive()

    assert caught.value.code == 1006


async def test_we_say_goodbye_even_when_cancelled(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    ends: list[int | None] = []

    async def part(actor: Actor) -> None:
        socket = await actor.accept()
        await actor.listen()
        ends.append(socket.closed.code if socket.closed else None)

    with trio.move_on_after(5):
        async with Node(nursery, part).connect(URL, ORIGIN) as node_socket:
            await node_socket.receive()
    await trio.testing.wait_all_tasks_blocked()

    assert ends == [1000]


async def test_a_node_that_does_not_say_goodbye_is_left_after_a_second(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    near, far = memory_stream_pair()

    async def answer() -> None:
        from trio_websocket import wrap_server_stream

        async with trio.open_nursery() as own:
            request = await wrap_server_stream(own, far)
            socket: WebSocketConnection = await request.accept()
            own.cancel_scope.cancel()
        assert socket.closed is None

    nursery.start_soon(answer)
    async with socket_over(near, URL, ORIGIN):
        await trio.sleep(10)

    assert trio.current_time() == 11


async def test_what_goes_wrong_inside_is_not_wrapped(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    async def part(actor: Actor) -> None:
        await actor.listen()

    with pytest.raises(ZeroDivisionError):
        async with Node(nursery, part).connect(URL, ORIGIN):
            raise ZeroDivisionError


async def test_nonsense_from_the_node_is_a_closed_socket(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    async def part(actor: Actor) -> None:
        await actor.accept()
        await actor.stream.send_all(b"\xff\xff\xff\xff")
        await trio.sleep(1)

    async with Node(nursery, part).connect(URL, ORIGIN) as node_socket:
        with pytest.raises(SocketClosed):
            await node_socket.receive()


@pytest.mark.parametrize("scheme", ["ws", "wss"])
async def test_where_nobody_listens_says_so(scheme: str, autojump_clock: MockClock) -> None:
    async with memory_network():
        with pytest.raises(ConnectionFailed) as caught:
            async with open_socket(f"{scheme}://node.example.com:8080/ws", ORIGIN):
                pytest.fail("it was opened")

    assert str(caught.value) == (
        f"node {scheme}://node.example.com:8080: connection refused; is it up, and the port right?"
    )


async def test_tls_to_a_node_that_speaks_none_says_so(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    async def plain(stream: trio.SocketStream) -> None:
        await stream.receive_some()
        await stream.send_all(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    async with memory_network():
        listeners = await trio.open_tcp_listeners(8080, host="127.0.0.1")
        nursery.start_soon(trio.serve_listeners, plain, listeners)
        with pytest.raises(
            ConnectionFailed, match="no TLS connection could be made; does it speak"
        ):
            async with open_socket("wss://node.example.com:8080/ws", ORIGIN):
                pytest.fail("it was opened")
        nursery.cancel_scope.cancel()


@pytest.mark.parametrize(
    "url", ["ws://node.example.com:99999/ws", "ws://[node/ws", "ws://node.example.com:x/ws"]
)
async def test_an_address_that_is_none_is_told(url: str) -> None:
    """It stands in the node's settings, where a person typed it."""
    with pytest.raises(ConnectionFailed, match="expected the address of a node"):
        async with open_socket(url, ORIGIN):
            pytest.fail("it was opened")


@pytest.mark.parametrize(
    "greeting",
    [
        b"SSH-2.0-OpenSSH_9.6\r\n",
        b"\x15\x03\x03\x00\x02\x02\x28",
        b"HTTP/1.1 200 OK\r\n\r\nhello",
        b"HTTP/1.1 101 Switching Protocols\r\n\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: upgrade\r\n"
        b"Sec-WebSocket-Accept: bm9uZQ==\r\n\r\n",
        b"HTTP/1.1 301 Moved\r\nLocation: https://elsewhere\r\nContent-Length: 0\r\n\r\n",
        b"\x00" * 70_000,
        b"",
    ],
)
async def test_whoever_else_listens_there_is_no_node(
    greeting: bytes, autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    async def other(stream: trio.SocketStream) -> None:
        await stream.receive_some()
        await stream.send_all(greeting)
        await stream.aclose()

    async with memory_network():
        listeners = await trio.open_tcp_listeners(8080, host="127.0.0.1")
        nursery.start_soon(trio.serve_listeners, other, listeners)
        with pytest.raises(ConnectionFailed, match=r"^node ws://node.example.com:8080: "):
            async with open_socket("ws://node.example.com:8080/ws", ORIGIN):
                pytest.fail("it was opened")
        nursery.cancel_scope.cancel()


async def test_an_address_without_a_host_is_none() -> None:
    with pytest.raises(ConnectionFailed, match="expected the address of a node"):
        async with open_socket("ws:///ws", ORIGIN):
            pytest.fail("it was opened")

"""The network is shut to whoever reaches for it, and as it was afterwards."""

import socket
from collections.abc import Callable
from typing import NoReturn

import pytest
import trio

from automate.testing.guard import network_shut


class Refused(BaseException):
    """Stands for the end of a test; nobody catches it by accident."""


def refuse(what: str) -> NoReturn:
    raise Refused(what)


def connect(address: tuple[str, int]) -> None:
    with socket.socket() as client:
        client.settimeout(5)
        client.connect(address)


def send(address: tuple[str, int]) -> None:
    with socket.socket(type=socket.SOCK_DGRAM) as client:
        client.sendto(b"x", address)


async def open_stream(host: str, port: int) -> None:
    await (await trio.open_tcp_stream(host, port)).aclose()


@pytest.mark.parametrize(
    ("attempt", "what"),
    [
        (lambda: connect(("192.0.2.1", 80)), "a connection to 192.0.2.1 port 80"),
        (lambda: connect(("127.0.0.1", 9)), "a connection to 127.0.0.1 port 9"),
        (lambda: send(("192.0.2.1", 53)), "a datagram to 192.0.2.1 port 53"),
        (lambda: socket.getaddrinfo("panel.example.com", 443), "the address of panel.example.com"),
        (lambda: socket.create_connection(("localhost", 9)), "the address of localhost"),
        (lambda: trio.run(open_stream, "192.0.2.1", 80), "a connection to 192.0.2.1 port 80"),
        (lambda: trio.run(open_stream, "a.example", 80), "the address of a.example"),
    ],
)
def test_nobody_gets_out(attempt: Callable[[], object], what: str) -> None:
    with network_shut(loopback=False, refuse=refuse) as attempts, pytest.raises(BaseException):  # noqa: B017, PT011 # trio wraps it in a group
        attempt()

    assert attempts == [what]


def test_this_machine_can_be_let_in() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        with network_shut(loopback=True, refuse=refuse) as attempts:
            connect(server.getsockname())
            trio.run(open_stream, *server.getsockname())
        assert attempts == []

    with network_shut(loopback=True, refuse=refuse), pytest.raises(Refused):
        connect(("192.0.2.1", 80))


def test_what_needs_no_network_works() -> None:
    """Pairs of sockets, listening, numbers that are addresses; and so trio itself."""
    with network_shut(loopback=False, refuse=refuse) as attempts:
        near, far = socket.socketpair()
        near.close()
        far.close()
        socket.create_server(("127.0.0.1", 0)).close()
        socket.getaddrinfo("192.0.2.1", 80)
        trio.run(trio.sleep, 0)

    assert attempts == []


def test_afterwards_all_is_as_it_was() -> None:
    def way_out() -> list[object]:
        return [
            socket.socket.connect,
            socket.socket.connect_ex,
            socket.socket.sendto,
            socket.getaddrinfo,
            socket.socketpair,
            {"connect", "connect_ex", "sendto"} & set(vars(socket.socket)),
        ]

    before = way_out()
    with network_shut(loopback=False, refuse=refuse):
        assert way_out()[:5] != before[:5]

    assert way_out() == before

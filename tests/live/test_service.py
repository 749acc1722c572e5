"""What a service manager is told, over a real datagram socket."""

import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import trio
from trio.testing import MockClock

from automate.live.service import ServiceManager

pytestmark = pytest.mark.skipif(not hasattr(socket, "AF_UNIX"), reason="no such sockets here")


@pytest.fixture
def manager() -> Iterator[socket.socket]:
    # Such an address may have a hundred characters or so; pytest's own folders are too long.
    with (
        tempfile.TemporaryDirectory() as folder,
        socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener,
    ):
        listener.bind(str(Path(folder, "notify")))
        listener.setblocking(False)
        yield listener


def told(listener: socket.socket) -> list[str]:
    lines = []
    try:
        while True:
            lines.append(listener.recv(1000).decode())
    except BlockingIOError:
        return lines


async def test_it_hears_that_we_are_ready_alive_and_ending(
    manager: socket.socket, autojump_clock: MockClock
) -> None:
    environment = {"NOTIFY_SOCKET": manager.getsockname(), "WATCHDOG_USEC": "30000000"}
    service = ServiceManager.from_environment(environment, pid=7)

    service.ready()
    service.status("3 servers,\n1 of them lost")
    with trio.move_on_after(40):
        await service.keep_alive()
    service.stopping()

    assert told(manager) == [
        "READY=1",
        "STATUS=3 servers, 1 of them lost",
        *["WATCHDOG=1"] * 3,
        "STOPPING=1",
    ]


@pytest.mark.parametrize(
    ("environment", "service"),
    [
        ({}, ServiceManager()),
        ({"NOTIFY_SOCKET": ""}, ServiceManager()),
        ({"NOTIFY_SOCKET": "vsock:2:1234"}, ServiceManager()),
        ({"NOTIFY_SOCKET": "@x", "WATCHDOG_USEC": "odd"}, ServiceManager("@x")),
        (
            {"NOTIFY_SOCKET": "/x", "WATCHDOG_USEC": "2000000", "WATCHDOG_PID": "8"},
            ServiceManager("/x"),
        ),
        (
            {"NOTIFY_SOCKET": "/x", "WATCHDOG_USEC": "2000000", "WATCHDOG_PID": "7"},
            ServiceManager("/x", 2.0),
        ),
    ],
)
def test_the_environment_says_who_it_is(
    environment: dict[str, str], service: ServiceManager
) -> None:
    assert ServiceManager.from_environment(environment, pid=7) == service


async def test_without_a_manager_or_with_one_that_is_gone_nothing_happens(
    autojump_clock: MockClock, tmp_path: Path
) -> None:
    for service in (ServiceManager(), ServiceManager(str(tmp_path / "gone"), 2.0)):
        service.ready()
        with trio.move_on_after(10) as patience:
            await service.keep_alive()
        assert patience.cancelled_caught

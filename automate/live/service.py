"""Telling a service manager (systemd) that we are ready, alive, or ending.

Its protocol is one datagram with lines like ``READY=1`` to the socket that the environment
names; where it names none, nothing is told to anybody. docs/live.md has the unit file.
"""

import socket
from collections.abc import Mapping
from contextlib import suppress

import trio
from attrs import frozen

__all__ = ["ServiceManager"]


@frozen
class ServiceManager:
    """Who started us: the *address* of its socket, and how often it wants a sign of life."""

    address: str | None = None
    watchdog_seconds: float | None = None

    @classmethod
    def from_environment(cls, environment: Mapping[str, str], *, pid: int) -> "ServiceManager":
        """Return the one that *environment* names to the process *pid*; one of no effect if none.

        Source: sd_notify(3) and sd_watchdog_enabled(3).
        """
        address = environment.get("NOTIFY_SOCKET", "")
        if not address.startswith(("/", "@")):
            return cls()
        if environment.get("WATCHDOG_PID", str(pid)) != str(pid):
            return cls(address)
        text = environment.get("WATCHDOG_USEC", "")
        seconds = int(text) / 1e6 if text.isdecimal() and int(text) > 0 else None
        return cls(address, seconds)

    def ready(self) -> None:
        """Say that we have started."""
        self._tell("READY=1")

    def status(self, words: str) -> None:
        """Say in one line how we are, for ``systemctl status``."""
        self._tell(f"STATUS={' '.join(words.split())}")

    def stopping(self) -> None:
        """Say that we are ending, on purpose."""
        self._tell("STOPPING=1")

    async def keep_alive(self) -> None:
        """Give a sign of life twice as often as wanted, until cancelled.

        It comes from trio's own loop: whatever blocks that, so that no socket is read any more,
        silences it too, and the manager starts us anew.
        """
        if self.address is None or self.watchdog_seconds is None:
            await trio.sleep_forever()
        else:
            while True:
                self._tell("WATCHDOG=1")
                await trio.sleep(self.watchdog_seconds / 2)

    def _tell(self, line: str) -> None:
        if self.address is None:
            return
        # An address that begins with @ is in Linux's abstract namespace.
        address = "\0" + self.address[1:] if self.address[0] == "@" else self.address
        # A manager that is gone or busy is no reason to stop: it would miss us by itself.
        with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
            manager.setblocking(False)
            manager.sendto(line.encode(), address)

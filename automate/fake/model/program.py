"""Any real program as the game: in a pseudo-terminal of its own, as in the container.

So echo, line discipline, control bytes, exit codes and signals are the kernel's. The program
gets its own session; its end is the end of all its children. Only where there are
pseudo-terminals (not on Windows), and on real networks: a child process looks idle to a virtual
clock.
"""

import contextlib
import errno
import fcntl
import os
import signal
import termios
from collections.abc import Callable, Mapping, Sequence
from typing import Final

import trio
from attrs import evolve

from automate.fake.model.game import GameEvent
from automate.fake.model.signals import Exited, Printed, Usage

__all__ = ["ProgramGame"]

_READ_BYTES: Final = 65536
_PAGE_BYTES: Final = os.sysconf("SC_PAGE_SIZE")
_TICKS: Final = os.sysconf("SC_CLK_TCK")
# A shell and the container engine say the same of a process ended by a signal.
_SIGNALLED: Final = 128
# What was written just before the end is read for so long; then the terminal is closed.
_LAST_WORDS_SECONDS: Final = 0.5


class ProgramGame:
    """A program, run by *command*; *nursery* holds its tasks, `emit` hears what it does.

    Every call returns nothing at once: what comes of it is told by `emit` when it happens.
    """

    def __init__(
        self,
        command: Sequence[str],
        *,
        nursery: trio.Nursery,
        environment: Mapping[str, str] | None = None,
        directory: str | None = None,
    ) -> None:
        self.emit: Callable[[GameEvent], None] = lambda _event: None
        self._command = list(command)
        self._nursery = nursery
        self._environment = dict(environment) if environment is not None else None
        self._directory = directory
        self._process: trio.Process | None = None
        self._terminal: trio.lowlevel.FdStream | None = None
        self._typed = trio.lowlevel.ParkingLot()
        self._keys = bytearray()
        self._started_at = 0.0
        self._cpu = (0.0, 0.0)

    @property
    def wake_at(self) -> float | None:
        """Never: it needs no one to wake it."""
        return None

    def start(self, at: float) -> list[GameEvent]:
        """Start the program, unless it runs."""
        if self._process is None:
            self._started_at = at
            self._cpu = (at, 0.0)
            self._nursery.start_soon(self._run)
        return []

    def tick(self, at: float) -> list[GameEvent]:
        """Do nothing."""
        return []

    def write(self, text: str, at: float) -> list[GameEvent]:
        """Type *text* and a newline."""
        self._keys += f"{text}\n".encode("utf-8", "surrogateescape")
        self._typed.unpark_all()
        return []

    def signal(self, name: str, at: float) -> list[GameEvent]:
        """Send the program (not its children) a signal."""
        if self._process is not None and self._process.returncode is None:
            self._process.send_signal(getattr(signal.Signals, name))
        return []

    def kill(self, at: float) -> list[GameEvent]:
        """Kill the program and its children."""
        self._kill_group()
        return []

    def measure(self, at: float) -> Usage:
        """Return what the program uses, as far as the kernel shows it; children do not count."""
        if self._process is None:
            return Usage()
        usage = Usage(uptime_milliseconds=round((at - self._started_at) * 1000))
        try:
            with open(f"/proc/{self._process.pid}/stat", "rb") as file:
                fields = file.read().rpartition(b")")[2].split()
        except OSError:
            return usage
        seconds = (int(fields[11]) + int(fields[12])) / _TICKS
        (last_at, last), self._cpu = self._cpu, (at, seconds)
        share = (seconds - last) / (at - last_at) if at > last_at else 0.0
        return evolve(
            usage,
            cpu_percent=round(max(0.0, share) * 100, 3),
            memory_bytes=int(fields[21]) * _PAGE_BYTES,
        )

    # ------------------------------------------------------------ the process

    async def _run(self) -> None:
        """Run the program to its end, and tell of it."""
        ours, theirs = os.openpty()
        try:
            process = await trio.lowlevel.open_process(
                self._command,
                stdin=theirs,
                stdout=theirs,
                stderr=theirs,
                env=self._environment,
                cwd=self._directory,
                start_new_session=True,
                # Only the session's own terminal turns ^C into a signal; between fork and exec
                # nothing but this one system call is made.
                preexec_fn=_take_terminal,
            )
        except OSError as exc:
            os.close(ours)
            self._tell_failure(exc)
            return
        finally:
            os.close(theirs)
        self._process = process
        self._terminal = trio.lowlevel.FdStream(ours)
        try:
            await self._live(process, self._terminal)
        finally:
            self._kill_group()
            with trio.CancelScope(shield=True):
                await self._terminal.aclose()
                await process.wait()
            self._process = self._terminal = None
            self._keys.clear()
        code = process.returncode or 0
        self.emit(Exited(_SIGNALLED - code if code < 0 else code))

    async def _live(self, process: trio.Process, terminal: trio.lowlevel.FdStream) -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._type, terminal)
            read = trio.Event()
            nursery.start_soon(self._read, terminal, read)
            await process.wait()
            # Its children would keep the terminal open.
            self._kill_group()
            with trio.move_on_after(_LAST_WORDS_SECONDS):
                await read.wait()
            nursery.cancel_scope.cancel()

    def _tell_failure(self, exc: OSError) -> None:
        """End as a container does whose command can't be run (exit codes 126 and 127)."""
        self.emit(Printed(f"{self._command[0]}: {os.strerror(exc.errno or 0)}"))
        self.emit(Exited(127 if exc.errno == errno.ENOENT else 126))

    async def _type(self, terminal: trio.lowlevel.FdStream) -> None:
        while True:
            while not self._keys:
                await self._typed.park()
            keys = bytes(self._keys)
            self._keys.clear()
            await terminal.send_all(keys)

    async def _read(self, terminal: trio.lowlevel.FdStream, done: trio.Event) -> None:
        """Tell each line that the terminal shows, and at the end what is left of one."""
        rest = b""
        # The kernel ends a terminal nobody holds with an error.
        with contextlib.suppress(trio.BrokenResourceError):
            while data := await terminal.receive_some(_READ_BYTES):
                *lines, rest = (rest + data).split(b"\n")
                for line in lines:
                    self.emit(_printed(line))
        if rest:
            self.emit(_printed(rest))
        done.set()

    def _kill_group(self) -> None:
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self._process.pid, signal.SIGKILL)


def _printed(line: bytes) -> Printed:
    return Printed(line.removesuffix(b"\r").decode("utf-8", "surrogateescape"))


def _take_terminal() -> None:
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)

"""Any real program as the game: in a pseudo-terminal of its own, as in the container.

So echo, line discipline, control bytes, exit codes and signals are the kernel's. The program
gets its own session; its end is the end of all its children, and so is ours, however it comes
(`guardian`). Only where there are pseudo-terminals (not on Windows), and on real networks: a
child process looks idle to a virtual clock.
"""

import contextlib
import errno
import fcntl
import os
import signal
import subprocess
import sys
import termios
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from typing import Final

import trio
from attrs import evolve

from automate.fake.model import guardian
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
# So long a program that was bidden farewell gets to save its worlds.
_FAREWELL_SECONDS: Final = 10


class ProgramGame:
    """A program, run by *command*; *nursery* holds its tasks, `emit` hears what it does.

    Every call returns nothing at once: what comes of it is told by `emit` when it happens. When
    the nursery is cancelled, the *farewell* is typed and the program has a while to end by
    itself; without one it is killed.
    """

    def __init__(
        self,
        command: Sequence[str],
        *,
        nursery: trio.Nursery,
        environment: Mapping[str, str] | None = None,
        directory: str | None = None,
        farewell: str | None = None,
    ) -> None:
        self.emit: Callable[[GameEvent], None] = lambda _event: None
        self._command = list(command)
        self._nursery = nursery
        self._environment = dict(environment) if environment is not None else None
        self._directory = directory
        self._farewell = farewell
        self._process: trio.Process | None = None
        self._is_running = self._is_doomed = False
        self._typed = trio.lowlevel.ParkingLot()
        self._keys = bytearray()
        self._started_at = 0.0
        self._cpu = (0.0, 0.0)

    @property
    def is_running(self) -> bool:
        """Whether the program runs, or is about to."""
        return self._is_running

    @property
    def wake_at(self) -> float | None:
        """Never: it needs no one to wake it."""
        return None

    def start(self, at: float) -> list[GameEvent]:
        """Start the program, unless it runs."""
        if not self._is_running:
            self._is_running, self._is_doomed = True, False
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
        """Kill the program and its children, at once or as soon as it is there."""
        self._is_doomed = True
        if self._process is not None:
            guardian.kill_session(self._process.pid)
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
        try:
            code = await self._play()
        except OSError as exc:
            code = self._tell_failure(exc)
        finally:
            self._process, self._is_running = None, False
            self._keys.clear()
        self.emit(Exited(code))

    async def _play(self) -> int:
        """Run the program and return its exit code.

        Raises:
            OSError: it can't be run.
        """
        ours, theirs = os.openpty()
        async with trio.lowlevel.FdStream(ours) as terminal:
            try:
                process = await trio.lowlevel.open_process(
                    self._command,
                    stdin=theirs,
                    stdout=theirs,
                    stderr=theirs,
                    env=self._environment,
                    cwd=self._directory,
                    start_new_session=True,
                    # Only the session's own terminal turns ^C into a signal; between fork and
                    # exec nothing but this one system call is made.
                    preexec_fn=_take_terminal,
                )
            finally:
                os.close(theirs)
            self._process = process
            try:
                async with _guarded(process.pid):
                    if self._is_doomed:
                        guardian.kill_session(process.pid)
                    await self._live(process, terminal)
            finally:
                guardian.kill_session(process.pid)
                with trio.CancelScope(shield=True):
                    await process.wait()
        code = process.returncode or 0
        return _SIGNALLED - code if code < 0 else code

    async def _live(self, process: trio.Process, terminal: trio.lowlevel.FdStream) -> None:
        """Pass on what is typed and printed until the end; when cancelled, bid farewell first."""
        ended = trio.Event()
        life = trio.CancelScope(shield=True)

        async def live() -> None:
            with life:
                await self._live_on(process, terminal)
            ended.set()

        async with trio.open_nursery() as nursery:
            nursery.start_soon(live)
            try:
                await ended.wait()
            except trio.Cancelled:
                patience = 0.0
                if self._farewell is not None:
                    self.write(self._farewell, 0.0)
                    patience = _FAREWELL_SECONDS
                life.deadline = trio.current_time() + patience
                raise

    async def _live_on(self, process: trio.Process, terminal: trio.lowlevel.FdStream) -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._type, terminal)
            read = trio.Event()
            nursery.start_soon(self._read, terminal, read)
            await process.wait()
            # Its children would keep the terminal open.
            guardian.kill_session(process.pid)
            with trio.move_on_after(_LAST_WORDS_SECONDS):
                await read.wait()
            nursery.cancel_scope.cancel()

    def _tell_failure(self, exc: OSError) -> int:
        """Say why it can't be run; return a container's code for that (126 or 127)."""
        self.emit(Printed(f"{self._command[0]}: {os.strerror(exc.errno or 0)}"))
        return 127 if exc.errno == errno.ENOENT else 126

    async def _type(self, terminal: trio.lowlevel.FdStream) -> None:
        # Nobody holds the other end any more: what is typed now is lost, as at a real terminal.
        with contextlib.suppress(trio.BrokenResourceError):
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


@contextlib.asynccontextmanager
async def _guarded(leader: int) -> AsyncIterator[None]:
    """Have the session of *leader* killed if our own process ends within the block."""
    process = await trio.lowlevel.open_process(
        [sys.executable, "-I", "-S", guardian.__file__, str(leader)],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        # Nothing that is typed at our terminal shall end it.
        start_new_session=True,
    )
    try:
        yield
    finally:
        with trio.CancelScope(shield=True):
            assert process.stdin is not None
            with contextlib.suppress(trio.BrokenResourceError):
                await process.stdin.send_all(b".")
            await process.stdin.aclose()
            await process.wait()


def _printed(line: bytes) -> Printed:
    return Printed(line.removesuffix(b"\r").decode("utf-8", "surrogateescape"))


def _take_terminal() -> None:
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)

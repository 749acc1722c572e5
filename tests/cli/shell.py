"""The command line as its users meet it: in this process, or in one of its own."""

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import IO, Any

from attrs import frozen

from automate.cli import main

RECORDINGS = Path(__file__).parents[2] / "recordings"
RECIPES = Path(__file__).parents[2] / "recipes"
SERVER = "a1b2c3d4-0004-4000-8000-000000000004"
KEY = "ptlc_of_the_tests"
# A process that takes so long hangs; nothing else is timed.
PATIENCE_SECONDS = 30


@frozen
class Said:
    """What a command printed, and its exit code."""

    code: int
    out: str
    err: str

    @property
    def complaint(self) -> tuple[int, str]:
        """The exit code and the one line on standard error; nothing was printed besides."""
        assert self.err.startswith("automate: "), self
        assert self.err.count("\n") == 1, self
        assert "Traceback" not in self.err + self.out, self
        return self.code, self.err.removeprefix("automate: ").rstrip("\n")


def say(*words: str | Path, capsys: Any) -> Said:
    """Run the command line in this process."""
    capsys.readouterr()
    code = main([str(word) for word in words])
    out, err = capsys.readouterr()
    return Said(code, out, err)


def environment(**variables: str) -> dict[str, str]:
    """Return an environment with nothing of the tester's own taste in it."""
    kept = ("PATH", "SYSTEMROOT", "VIRTUAL_ENV", "XDG_STATE_HOME")
    mine = {name: os.environ[name] for name in kept if name in os.environ}
    return {**mine, "AUTOMATE_KEY": KEY, "LANG": "C.UTF-8", **variables}


def run(
    *words: str | Path,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    stdout: int | IO[bytes] = subprocess.PIPE,
    **how: Any,
) -> Said:
    """Run the command line in a process of its own, to its end."""
    ended = subprocess.run(
        [sys.executable, "-m", "automate", *map(str, words)],
        cwd=cwd,
        env=environment() if env is None else env,
        stdin=subprocess.DEVNULL,
        stdout=stdout,
        stderr=subprocess.PIPE,
        timeout=PATIENCE_SECONDS,
        check=False,
        **how,
    )
    return Said(ended.returncode, (ended.stdout or b"").decode(), ended.stderr.decode())


class Running:
    """A command that goes on; wait for a line of its, then `end` it."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self.process = process
        self.lines: list[str] = []

    def read_until(self, words: str) -> str:
        """Return the next line that holds *words*; all lines are kept."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.lines.append(line.rstrip("\n"))
            if words in line:
                return self.lines[-1]
        raise AssertionError(f"it ended before it said {words!r}: {self.lines}, {self.rest()}")

    def send(self, number: int) -> None:
        """Send a signal."""
        self.process.send_signal(number)

    def rest(self) -> Said:
        """Return all that it said, once it has ended by itself."""
        out, err = self.process.communicate(timeout=PATIENCE_SECONDS)
        return Said(self.process.returncode, "".join(f"{line}\n" for line in self.lines) + out, err)


@contextmanager
def started(*words: str | Path, **how: Any) -> Iterator[Running]:
    """Start the command line in a process of its own, which is gone in the end."""
    with subprocess.Popen(
        [sys.executable, "-m", "automate", *map(str, words)],
        env=how.pop("env", environment()),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        **how,
    ) as process:
        try:
            yield Running(process)
        finally:
            process.kill()


@frozen
class Replayed:
    """Where a replay in another process is to be found."""

    url: str
    key: str
    server: str
    running: Running

    @property
    def at(self) -> list[str]:
        """The arguments that lead there."""
        return ["--panel", self.url, "--server", self.server]


@contextmanager
def replayed(name: str, *words: str) -> Iterator[Replayed]:
    """Have a recording replayed by another process."""
    with started("replay", RECORDINGS / f"{name}.jsonl", *words) as running:
        first = running.read_until("panel ").split()
        running.read_until("Ctrl-C ends")
        yield Replayed(first[1], first[3], first[5], running)


# ---------------------------------------------------------------- a panel of a few lines


@contextmanager
def little_panel(
    *, socket: str = "ws://127.0.0.1:9", name: str = "arena", page: str | None = None
) -> Iterator[str]:
    """Serve a panel with one server, whose node is at *socket*; or only a web *page*."""
    server = {"identifier": SERVER[:8], "uuid": SERVER, "name": name}
    answers: dict[str, Any] = {
        f"/api/client/servers/{SERVER}": {"attributes": server},
        f"/api/client/servers/{SERVER}/websocket": {"data": {"token": "t.e.st", "socket": socket}},
    }

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            text = page or json.dumps(answers[self.path])
            self.send_response(200)
            self.send_header("Content-Length", str(len(text.encode())))
            self.end_headers()
            self.wfile.write(text.encode())

        def log_message(self, format: str, *args: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as listening:
        thread = threading.Thread(target=listening.serve_forever, args=(0.02,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{listening.server_address[1]}"
        finally:
            listening.shutdown()
            thread.join()

"""A stage for the model: a daemon, a game and clients, told what to do and heard in short words.

`row` says which row of the probes a test stands for; test_probed_rows holds that none is missing.
"""

import re
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from attrs import evolve

from automate.fake.model.claims import Claims
from automate.fake.model.frames import GENERIC, LOCKED
from automate.fake.model.game import Game, Program, ScriptedGame
from automate.fake.model.mint import Mint
from automate.fake.model.settings import Kind, Settings
from automate.fake.model.signals import Closed, Drop, Input, Opened, Said, Send
from automate.fake.model.world import World
from automate.wire import messages as m
from automate.wire.codec import decode_server
from automate.wire.console import daemon_line
from automate.wire.frame import canonical_client

PTERODACTYL, PELICAN = Kind.PTERODACTYL, Kind.PELICAN
BOTH = (PTERODACTYL, PELICAN)
ADMIN = ("*", "admin.websocket.errors")
BOOT_LINES = [
    "D Checking server disk space usage, this could take a few seconds...",
    "D Updating process configuration files...",
    "status starting",
    "D Finished pulling Docker container image",
    "D Pulling Docker container image, this could take a few minutes to complete...",
]
GAME_BOOT = [
    ":/home/container$ ./arena",
    "[Server thread/INFO]: Starting arena version 1.4.2",
    "[Server thread/INFO]: Loading map \x1b[32mcaldera\x1b[0m",
    '[Server thread/INFO]: Done (1.301s)! For help, type "help"',
]
FULL_BOOT = [*BOOT_LINES, *GAME_BOOT, "status running"]
FAILED = f"daemon error: {GENERIC}"
LOCK_HELD = f"daemon error: {LOCKED}"
SHOWN: set[str] = set()
_UUID = re.compile(r"^Error Event \[[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\]: ")


def row(*titles: str, kinds: tuple[Kind, ...] = BOTH) -> Callable[[Any], Any]:
    """Mark a test as the case of these rows of PROBED, for these *kinds* of daemon."""
    SHOWN.update(titles)
    return pytest.mark.parametrize("kind", kinds, ids=str)


class Stage:
    """The scene: moments pass when it waits, and what each socket was sent is kept."""

    def __init__(
        self,
        kind: Kind = PTERODACTYL,
        *,
        seed: int | None = None,
        game: Game | Program | None = None,
        **settings: Any,
    ) -> None:
        self.settings = Settings(kind=kind, **settings)
        self.mint = Mint(b"secret")
        self.at = 0.0
        running = ScriptedGame(game) if isinstance(game, Program) else game
        self.world = World(self.settings, read_token=self.mint.read, game=running, seed=seed)
        self._sockets = 0
        self.kept: dict[int, list[tuple[float, str]]] = {}

    # ------------------------------------------------------------ doing

    def tell(self, happened: Input) -> None:
        self.keep(self.world.handle(happened, self.at))

    def wait(self, seconds: float) -> None:
        end = self.at + seconds
        while (wake_at := self.world.wake_at) is not None and wake_at <= end:
            self.at = max(self.at, wake_at)
            self.keep(self.world.tick(self.at))
        self.at = end
        self.keep(self.world.tick(end))

    def open(self) -> int:
        self._sockets += 1
        self.kept[self._sockets] = []
        self.tell(Opened(self._sockets))
        return self._sockets

    def connect(self, *permissions: str, **claims: Any) -> int:
        """Open a socket, authenticate it and forget the greeting."""
        socket = self.open()
        self.say(socket, "auth", self.token(*permissions, **claims))
        self.wait(0.002)
        self.heard(socket)
        return socket

    def leave(self, socket: int) -> None:
        self.tell(Closed(socket))

    def say(self, socket: int, event: str, *args: str | None) -> None:
        self.say_raw(socket, canonical_client(event, list(args)))

    def say_raw(self, socket: int, text: str) -> None:
        self.tell(Said(socket, text))

    def token(self, *permissions: str, age: float = 0, lifetime: int = 600, **claims: Any) -> str:
        """Return a token made *age* seconds ago."""
        iat = int(self.settings.epoch + self.at - age)
        made = Claims(
            server=self.settings.server,
            iat=iat,
            exp=iat + lifetime,
            permissions=permissions or ("*",),
            jti="jti-1",
            user="user-1",
        )
        return self.mint.make(evolve(made, **claims))

    def start(self, socket: int) -> None:
        """Have the game running, and forget how it came to that."""
        self.say(socket, "set state", "start")
        self.wait(2.5)
        assert self.state == "running"
        self.heard(socket)

    # ------------------------------------------------------------ hearing

    @property
    def state(self) -> str:
        return self.world.daemon.state.value

    def keep(self, outputs: list[Send | Drop]) -> None:
        for output in outputs:
            text = output.text if isinstance(output, Send) else _end(output)
            for socket in output.sockets:
                self.kept[socket].append((self.at, text))

    def timed(self, socket: int = 1) -> list[tuple[float, str]]:
        """Return what the socket was sent since the last time, with the moments."""
        heard, self.kept[socket] = self.kept[socket], []
        return [(at, short(text)) for at, text in heard]

    def heard(self, socket: int = 1) -> list[str]:
        """Return what the socket was sent since the last time."""
        return [text for _at, text in self.timed(socket)]

    def events(self, socket: int = 1) -> list[str]:
        """Return the same without statistics."""
        return [text for text in self.heard(socket) if not text.startswith("stats ")]

    def frames(self, socket: int = 1) -> list[str]:
        """Return the frames themselves."""
        heard, self.kept[socket] = self.kept[socket], []
        return [text for _at, text in heard]


def _end(drop: Drop) -> str:
    return f"(closed {drop.code}{' ' * bool(drop.reason)}{drop.reason})"


def short(text: str) -> str:
    """Return a frame in short words; the daemon's own lines start with D."""
    if text.startswith("("):
        return text
    match decode_server(text):
        case m.ConsoleOutput(line=line):
            own = daemon_line(line)
            return line if own is None else f"D {own}".replace("checking", "Checking")
        case m.StatsReported(stats=stats):
            return f"stats {stats.state}"
        case m.StatusChanged(status=status):
            return f"status {status}"
        case _:
            frame = msgspec.json.decode(text)
            args = frame.get("args")
            if not args:
                return str(frame["event"])
            told = _UUID.sub("", args[0])
            mark = " (answer)" if told != args[0] and frame["event"] == "jwt error" else ""
            return f"{frame['event']}{mark}: {told}"

"""The pen that writes a script: one recording growing, frame by frame, in the daemon's words.

It knows who hears what: without a connection nothing is recorded, and with a token that is not
good each event is a `jwt error`. What happens, and in which order, is the script's affair.
"""

import re
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID, uuid5

from attrs import define, evolve, field, frozen

from automate.errors import UsageError
from automate.fake.model import frames
from automate.fake.model.container import pieces
from automate.fake.model.settings import Kind, Settings
from automate.fake.model.signals import Usage
from automate.fake.model.terminal import Echoed, Terminal
from automate.recording.format import ClientFrame, Entry, PanelCall, ServerFrame, Transport
from automate.wire import messages as m
from automate.wire.codec import encode_client, encode_server
from automate.wire.frame import unpack
from automate.wire.messages import PowerState

__all__ = ["EXPIRED", "REVOKED", "Game", "Making", "Pen", "Situation", "objection"]

EXPIRED: Final = "jwt: exp claim is invalid"
REVOKED: Final = "jwt: created too far in past (denylist)"
_NAMESPACE: Final = UUID("6f1f7a0e-9a0b-4c43-8f0c-3d9a52f0b1d7")
_PREFIX: Final = "[…]"
# What is said to whoever holds no good token (PROTOCOL 7.1: permission "none").
_TO_ANYONE: Final = frozenset({"auth success", "jwt error", "daemon error", "throttled"})
# Measured in the recordings: the daemon's second is a little long.
_STATS_SECONDS: Final = 1.0028
_LOG_LINES: Final = 150
_AT_FIRST: Final = Usage(memory_bytes=1_734_512_640, cpu_percent=12.5, disk_bytes=734_003_200)


def objection(line: str) -> str | None:
    """Return why no daemon passes on *line* as it is, and what to write instead; else ``None``."""
    if not line:
        return (
            "the daemon passes on no empty line; leave it out, or write '\\r' for one of a game "
            "that ends its lines in \\r\\n"
        )
    if re.search(r"(?<!\r)\n", line):
        parts = ", ".join(map(repr, line.splitlines()[:3]))
        return f"a line holds no newline; write one by one what it is made of: {parts}"
    return None


def _lines(lines: str | Iterable[str]) -> tuple[str, ...]:
    several = (lines,) if isinstance(lines, str) else tuple(lines)
    for line in several:
        _line(line)
    return several


def _line(line: str) -> str:
    if wrong := objection(line):
        raise UsageError(f"Game: {line!r}: {wrong}")
    return line


@frozen(kw_only=True)
class Game:
    """What a game says, and how it is stopped; vanilla Minecraft unless told otherwise.

    Raises:
        UsageError: a line is none that a daemon passes on.


    ``[…]`` at the beginning of a line stands for the log's prefix, with the time.
    """

    startup: str = field(default="java -Xms128M -Xmx4096M -jar server.jar", converter=_line)
    boot: tuple[str, ...] = field(
        default=("[…]: Starting minecraft server version 1.21.4",), converter=_lines
    )
    done: str = field(default='[…]: Done (1.300s)! For help, type "help"', converter=_line)
    stop: str = "stop"
    stopping: tuple[str, ...] = field(
        default=("[…]: Stopping the server", "[…]: Saving worlds"), converter=_lines
    )


@frozen(kw_only=True)
class Making:
    """A backup that has begun and is not over."""

    uuid: str
    name: str
    made_at: str


@frozen(kw_only=True)
class Situation:
    """How things stand at the end of what is written, *t* seconds after the beginning."""

    t: float = 0.0
    status: PowerState = PowerState.OFFLINE
    is_begun: bool = False
    is_connected: bool = False
    # Why the token is refused; empty while it is good.
    refusal: str = ""
    tokens: int = 0
    uuids: int = 0
    # Of the last crash that the daemon answered by a restart.
    restarted_at: float | None = None
    container_since: float | None = None
    stats_at: float | None = None
    # What `send logs` gives: the lines of the container that runs now.
    log: tuple[str, ...] = ()
    usage: Usage = _AT_FIRST
    backup: Making | None = None


@define(kw_only=True)
class Pen:
    """Writes *entries* after *now*; one pen for each thing that happens in a script."""

    title: str
    settings: Settings
    game: Game
    started: datetime
    with_stats: bool
    now: Situation
    entries: list[Entry] = field(factory=list)

    @property
    def root(self) -> str:
        """The server's path at the panel."""
        return f"/api/client/servers/{self.settings.server}"

    # ------------------------------------------------------------ time

    def wait(self, seconds: float) -> None:
        """Let time pass; a running container is reported once a second, if that is wanted."""
        until = self.now.t + seconds
        while (due := self.now.stats_at) is not None and due <= until:
            self.change(t=due, stats_at=due + _STATS_SECONDS)
            self.report()
        self.change(t=max(until, self.now.t))

    def change(self, **changes: Any) -> None:
        """Let the situation be another."""
        self.now = evolve(self.now, **changes)

    @property
    def wall(self) -> datetime:
        """The wall clock."""
        return self.started + timedelta(seconds=self.now.t)

    @property
    def stamp(self) -> str:
        """The wall clock as the panel writes it."""
        return f"{self.wall:%Y-%m-%dT%H:%M:%S}+00:00"

    def uuid(self) -> str:
        """Return a uuid, another each time and the same in each run."""
        self.change(uuids=self.now.uuids + 1)
        return str(uuid5(_NAMESPACE, f"{self.title}/{self.now.uuids}"))

    # ------------------------------------------------------------ the server says

    def hear(self, text: str) -> None:
        """Write down the server's frame *text*, or what comes in its place."""
        if not self.now.is_connected:
            return
        if self.now.refusal and unpack(text)[0] not in _TO_ANYONE:
            text = encode_server(m.JwtErrorReported(self.now.refusal))
        self.entries.append(ServerFrame.of(self._t, text))

    def say(self, message: m.ServerMessage) -> None:
        """Write down what the server said."""
        self.hear(encode_server(message))

    def line(self, text: str) -> None:
        """Write down a line of the game's terminal."""
        if text.startswith(_PREFIX):
            prefix = f"[{self.wall:%H:%M:%S}] [Server thread/INFO]"
            text = prefix + text.removeprefix(_PREFIX)
        self.change(log=(*self.now.log, text)[-_LOG_LINES:])
        # An empty one stands in the log, and no event tells of it (PROBED, section 1).
        for piece in pieces(text):
            self.hear(frames.console(piece))

    def type(self, command: str) -> None:
        """Write down what the terminal echoes of *command*, which may be several lines."""
        for typed in Terminal().type(command):
            if isinstance(typed, Echoed):
                self.line(typed.line)

    def own(self, text: str) -> None:
        """Write down a line of the daemon's own."""
        self.hear(frames.own_line(self.settings.name, text))

    def error(self, text: str) -> None:
        """Write down the daemon's answer to what it can't do."""
        self.hear(frames.error(m.DaemonErrorReported.event, text, uuid=self.uuid()))

    def become(self, status: PowerState) -> None:
        """Let the server's status be another; a server that is offline is reported once."""
        self.change(status=status)
        self.say(m.StatusChanged(status))
        if status is PowerState.OFFLINE:
            self.change(container_since=None, stats_at=None)
            self.wait(0.0001)
            self.report()

    def attach(self) -> None:
        """Let the container run from now on."""
        self.change(container_since=self.now.t, stats_at=self.now.t if self.with_stats else None)

    def report(self, *, is_asked: bool = False) -> None:
        """Write down what the server uses."""
        since = self.now.container_since
        usage = evolve(self.now.usage, memory_limit_bytes=self.settings.memory_limit_bytes)
        if since is None:
            usage = Usage(memory_limit_bytes=usage.memory_limit_bytes, disk_bytes=usage.disk_bytes)
        else:
            usage = evolve(usage, uptime_milliseconds=round((self.now.t - since) * 1000))
        kind, status = self.settings.kind, self.now.status
        self.hear(frames.stats(usage, status, kind=kind, is_asked=is_asked))

    # ------------------------------------------------------------ the recorded client

    def ask(self, message: m.ClientMessage) -> bool:
        """Write down what the client said; return whether the daemon does anything about it."""
        if self.now.is_connected:
            self.entries.append(ClientFrame.of(self._t, encode_client(message)))
        if not self.now.refusal or isinstance(message, m.Auth):
            return True
        # Each message without a good token is answered by one error, and is not done.
        self.wait(0.0003)
        self.say(m.JwtErrorReported(self.now.refusal))
        return False

    def call(
        self,
        method: str,
        path: str,
        *,
        request: Any = None,
        status: int = 200,
        response: Any = None,
        seconds: float,
        claims: dict[str, Any] | None = None,
    ) -> None:
        """Write down a call to the panel, which took *seconds* and is answered now."""
        self.entries.append(
            PanelCall(
                self._t,
                method,
                path if path.startswith("/api/") else self.root + path,
                request=request,
                status=status,
                response=response,
                seconds=seconds,
                claims=claims,
            )
        )

    def fetch_token(self, *, socket: str, lifetime_seconds: int) -> str:
        """Write down that the panel gave a token; return what stands for it."""
        self.change(tokens=self.now.tokens + 1)
        token = f"<token:{self.now.tokens}>"
        made = int(self.wall.timestamp())
        claims: dict[str, Any] = {
            "iat": made,
            "nbf": made - 300,
            "exp": made + lifetime_seconds,
            "permissions": ["*"],
            "scope": "websocket",
        }
        response = {"data": {"token": token, "socket": socket}}
        self.wait(0.0012)
        self.call("GET", "/websocket", response=response, seconds=0.0012, claims=claims)
        return token

    def transport(self, what: str, **fields: Any) -> None:
        """Write down what became of the connection."""
        self.entries.append(Transport(self._t, what, **fields))

    @property
    def _t(self) -> float:
        return round(self.now.t, 4)

    @property
    def is_pelican(self) -> bool:
        """Whether daemon and panel are Pelican's."""
        return self.settings.kind is Kind.PELICAN

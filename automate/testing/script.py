"""A recording written by hand: an evening told in verbs, with the frames of the real daemon.

Orders and pauses are those of the recordings and of PROBED, section 4. Which frame is what, and
who hears it, is the pen's work; `course` has what a server goes through.
"""

import hashlib
import os
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any, Final, Self

from attrs import evolve, field, frozen

from automate.errors import UsageError
from automate.fake.model import frames
from automate.fake.model.settings import DEFAULT_SERVER, Kind, Settings
from automate.recording.format import ClientFrame, Entry, Header, Transport, utc_text
from automate.recording.reader import Recording
from automate.recording.writer import RecordingWriter
from automate.testing import course
from automate.testing.pen import EXPIRED, REVOKED, Game, Pen, Situation
from automate.wire import messages as m
from automate.wire.messages import PowerAction, PowerState

__all__ = ["Script"]

_DAEMONS: Final = {
    Kind.PTERODACTYL: "pterodactyl/wings 1.11.11",
    Kind.PELICAN: "pelican-dev/wings 1.0.0-beta29",
}
_STARTED: Final = datetime(2026, 11, 23, 18, 0, tzinfo=UTC)
_PANEL: Final = "https://panel.example.com"
_UP: Final = (PowerState.STARTING, PowerState.RUNNING)
# The short names of the panel's errors (PROTOCOL 1.3).
_CODES: Final = {
    400: "DisplayException",
    401: "AuthenticationException",
    403: "AccessDeniedHttpException",
    404: "NotFoundHttpException",
    409: "ServerStateConflictException",
    429: "TooManyRequestsHttpException",
    504: "DaemonConnectionException",
}


def _utc(moment: datetime) -> datetime:
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


@frozen
class Script:
    """An evening called *title*; each verb returns a new script that goes on from this one.

    Begin with `online` or `offline`. Every verb first waits *after* seconds. *daemon* is
    ``pterodactyl`` or ``pelican``. Verbs that make no sense where they stand (a server that is
    offline can't crash) raise a `UsageError`.
    """

    title: str = "evening"
    daemon: Kind = field(default=Kind.PTERODACTYL, converter=Kind, kw_only=True)
    game: Game = field(factory=Game, kw_only=True)
    server: str = field(default=DEFAULT_SERVER, kw_only=True)
    started_at: datetime = field(default=_STARTED, converter=_utc, kw_only=True)
    with_stats: bool = field(default=False, kw_only=True)
    crash_detection: bool = field(default=True, kw_only=True)
    token_seconds: int = field(default=600, kw_only=True)
    entries: tuple[Entry, ...] = field(default=(), kw_only=True, repr=False)
    situation: Situation = field(factory=Situation, kw_only=True, repr=False)

    # ------------------------------------------------------------ what comes of it

    @property
    def recording(self) -> Recording:
        """The recording, as a reader would give it; at its end the recorder leaves."""
        entries = list(self.entries)
        if self.situation.is_connected:
            entries.append(Transport(round(self.situation.t, 4), "closed", by="client"))
        return Recording(f"{self.title}.jsonl", self.header, entries, [])

    @property
    def header(self) -> Header:
        """The recording's first line."""
        return Header(
            server=self.server,
            started_at=utc_text(self.started_at),
            title=self.title,
            panel=_PANEL,
            socket=self._socket,
            daemon=_DAEMONS[self.daemon],
            redacted=["token"],
        )

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the recording to *path*.

        Raises:
            RecordingError: something is there already, or it can't be written.
        """
        recording = self.recording
        with RecordingWriter(path, recording.header) as writer:
            for entry in recording.entries:
                writer.write(entry)

    # ------------------------------------------------------------ the beginning

    def online(self, *, after: float = 0) -> Self:
        """The recorder connects; the server has been running for a while."""
        return self._begin(after, PowerState.RUNNING)

    def offline(self, *, after: float = 0) -> Self:
        """The recorder connects; the server is offline."""
        return self._begin(after, PowerState.OFFLINE)

    def _begin(self, after: float, status: PowerState) -> Self:
        if self.situation.is_begun:
            raise UsageError(
                f"Script {self.title!r}: it has begun already; "
                "to let the status change, use start(), stop() or crash()"
            )
        pen = self._pen(after)
        pen.change(status=status, is_begun=True)
        if status is PowerState.RUNNING:
            pen.attach()
        course.connect(pen, socket=self._socket, lifetime_seconds=self.token_seconds)
        return self._with(pen)

    def wait(self, seconds: float) -> Self:
        """Nothing happens for so long; with *with_stats* the daemon reports each second."""
        return self._with(self._pen(seconds))

    # ------------------------------------------------------------ power

    def start(
        self, *, after: float = 0, seconds: float = 1.45, asked: bool = True, finishes: bool = True
    ) -> Self:
        """The server starts, in so many *seconds*; or never *finishes*.

        The recorded client *asked* for it, or somebody else did.
        """
        pen = self._expecting("start", after, PowerState.OFFLINE)
        self._ask_for(pen, PowerAction.START, asked)
        course.boot(pen, seconds=seconds, finishes=finishes)
        return self._with(pen)

    def stop(self, *, after: float = 0, seconds: float = 1.03, asked: bool = True) -> Self:
        """The server stops, in so many *seconds*."""
        pen = self._expecting("stop", after, *_UP)
        self._ask_for(pen, PowerAction.STOP, asked)
        course.stop(pen, seconds=seconds)
        return self._with(pen)

    def restart(self, *, after: float = 0, seconds: float = 2.5, asked: bool = True) -> Self:
        """The server stops and starts again, in so many *seconds* together."""
        pen = self._expecting("restart", after, *_UP)
        self._ask_for(pen, PowerAction.RESTART, asked)
        course.stop(pen, seconds=seconds * 0.4)
        pen.wait(0.016)
        course.boot(pen, seconds=seconds * 0.6)
        return self._with(pen)

    def kill(self, *, after: float = 0, asked: bool = True) -> Self:
        """The server is killed."""
        pen = self._expecting("kill", after, *_UP, PowerState.STOPPING)
        self._ask_for(pen, PowerAction.KILL, asked)
        course.kill(pen)
        return self._with(pen)

    def hang(self, *, after: float = 0, asked: bool = True) -> Self:
        """The server is told to stop and does not; only `kill` helps."""
        pen = self._expecting("hang", after, *_UP)
        self._ask_for(pen, PowerAction.STOP, asked)
        course.begin_stop(pen)
        return self._with(pen)

    def refuses(
        self, action: str, *, busy: bool = False, text: str = frames.GENERIC, after: float = 0
    ) -> Self:
        """The client asks for *action*; another one holds the lock (*busy*), or it can't be.

        *text* is what admins see; everyone else sees the usual one.
        """
        pen = self._pen(after)
        pen.ask(m.SetState(action))
        pen.wait(0.0008)
        pen.error(frames.LOCKED if busy else text)
        return self._with(pen)

    def crash(
        self,
        *,
        exit_code: int = 1,
        out_of_memory: bool = False,
        gives_up: bool | None = None,
        after: float = 0,
        seconds: float = 1.45,
    ) -> Self:
        """The game ends by itself; the daemon reports it and starts it again, in *seconds*.

        It *gives_up* if it did the same less than a minute before; say so where that was before
        the script begins. Without crash detection it does nothing.
        """
        pen = self._expecting("crash", after, *_UP)
        course.crash(
            pen,
            exit_code=exit_code,
            out_of_memory=out_of_memory,
            gives_up=gives_up,
            seconds=seconds,
        )
        return self._with(pen)

    def out_of_memory(
        self, *, gives_up: bool | None = None, after: float = 0, seconds: float = 1.45
    ) -> Self:
        """The kernel kills the game; for the daemon that is a crash."""
        return self.crash(
            exit_code=137, out_of_memory=True, gives_up=gives_up, after=after, seconds=seconds
        )

    def _ask_for(self, pen: Pen, action: PowerAction, asked: bool) -> None:
        if asked:
            pen.ask(m.SetState(action))
        pen.wait(0.0012)

    # ------------------------------------------------------------ the console

    def says(self, *lines: str, after: float = 0) -> Self:
        """The game says *lines*; ``[…]`` at their beginning is the log's prefix."""
        pen = self._pen(after)
        for line in lines:
            pen.line(line)
        return self._with(pen)

    def daemon_says(self, text: str, *, after: float = 0) -> Self:
        """The daemon says *text* in the console, behind its own prefix."""
        pen = self._pen(after)
        pen.own(text)
        return self._with(pen)

    def command(
        self, text: str, *, answers: Iterable[str] = (), after: float = 0, asked: bool = True
    ) -> Self:
        """The client types *text*: the terminal echoes it, the game *answers* at once."""
        pen = self._pen(after)
        if asked:
            pen.ask(m.SendCommand(text))
        pen.wait(0.0015)
        if pen.now.container_since is not None:
            for line in (text, *answers):
                pen.line(line)
        return self._with(pen)

    def uses(
        self,
        *,
        memory_bytes: int | None = None,
        cpu_percent: float | None = None,
        disk_bytes: int | None = None,
        after: float = 0,
    ) -> Self:
        """From now on the server uses so much."""
        pen = self._pen(after)
        said = {
            "memory_bytes": memory_bytes, "cpu_percent": cpu_percent, "disk_bytes": disk_bytes
        }  # fmt: skip
        known = {name: value for name, value in said.items() if value is not None}
        pen.change(usage=evolve(pen.now.usage, **known))
        return self._with(pen)

    # ------------------------------------------------------------ backups and the panel

    def backup(
        self,
        name: str = "automate",
        *,
        after: float = 0,
        seconds: float = 0.5,
        size_bytes: int = 1520,
        successful: bool = True,
        overtakes: bool = False,
    ) -> Self:
        """The client has the panel make a backup, which takes *seconds*, and looks at it then.

        The daemon's event *overtakes* the panel's answer where the server is small.
        """
        pen = self._pen(after)
        uuid = pen.uuid()
        made_at = f"{pen.wall:%Y-%m-%dT%H:%M:%S}+00:00"
        checksum = hashlib.sha1(uuid.encode(), usedforsecurity=False).hexdigest()
        ended = m.BackupCompleted(
            uuid=uuid,
            is_successful=successful,
            checksum=checksum if successful else "",
            checksum_type="sha1",
            size_bytes=size_bytes if successful else 0,
        )
        if overtakes:
            pen.say(ended)
        pen.wait(0.0038)
        running = course.backup(pen, uuid, name=name, made_at=made_at)
        request = {"name": name}
        pen.call("POST", "/backups", request=request, response=running, seconds=0.0038)
        if not overtakes:
            pen.wait(seconds)
            pen.say(ended)
        pen.wait(0.0157)
        response = course.backup(
            pen, uuid, name=name, made_at=made_at, ended=ended,
            ended_at=f"{pen.wall:%Y-%m-%dT%H:%M:%S}+00:00",
        )  # fmt: skip
        pen.call("GET", f"/backups/{uuid}", response=response, seconds=0.0014)
        return self._with(pen)

    def panel_says(
        self,
        method: str,
        path: str,
        *,
        status: int = 200,
        detail: str = "",
        response: Any = None,
        request: Any = None,
        after: float = 0,
        seconds: float = 0.002,
    ) -> Self:
        """The panel answers a call to *path* (of the server, unless it begins with ``/api/``).

        For a *status* of 400 and more the *response* is the panel's error, with this *detail*.
        """
        pen = self._pen(after)
        if status >= 400 and response is None:
            code = _CODES.get(status, "HttpException")
            error = {"code": code, "status": str(status), "detail": detail}
            response = {"errors": [error]}
        pen.call(
            method, path, request=request, status=status, response=response, seconds=seconds
        )
        return self._with(pen)

    # ------------------------------------------------------------ connection and token

    def lost(self, *, code: int = 1006, reason: str | None = None, after: float = 0) -> Self:
        """The connection breaks; what happens until `back` is not recorded."""
        pen = self._connected("lost", after)
        pen.transport("closed", by="server", code=code, reason=reason)
        pen.change(is_connected=False)
        return self._with(pen)

    def unreachable(self, reason: str = "connection refused", *, after: float = 0) -> Self:
        """The recorder tries to connect, and can't."""
        pen = self._away("unreachable", after)
        pen.transport("failed", reason=reason)
        return self._with(pen)

    def back(self, *, after: float = 0, old_token: bool = False) -> Self:
        """The recorder is connected again; first with the *old_token*, which a node refuses
        that was started again meanwhile.
        """
        pen = self._away("back", after)
        course.connect(
            pen,
            socket=self._socket,
            lifetime_seconds=self.token_seconds,
            refused=REVOKED if old_token else "",
        )
        return self._with(pen)

    def expiring(self, *, after: float = 0) -> Self:
        """The token has a minute or less left, and the daemon says so."""
        pen = self._connected("expiring", after)
        pen.say(m.TokenExpiring())
        return self._with(pen)

    def expires(self, *, told: bool = False, after: float = 0) -> Self:
        """The token is over: until `refresh` each event is a `jwt error`.

        The daemon says ``token expired`` (*told*) only if its tick falls into that very second.
        """
        pen = self._connected("expires", after)
        if told:
            pen.say(m.TokenExpired())
        pen.change(refusal=EXPIRED)
        return self._with(pen)

    def revoked(self, *, after: float = 0) -> Self:
        """The panel revokes the token: until `refresh` each event is a `jwt error`."""
        pen = self._connected("revoked", after)
        pen.change(refusal=REVOKED)
        return self._with(pen)

    def refresh(self, *, after: float = 0) -> Self:
        """The client brings a new token, which is accepted."""
        pen = self._connected("refresh", after)
        course.refresh(pen, socket=self._socket, lifetime_seconds=self.token_seconds)
        return self._with(pen)

    def throttles(self, what: str = "global", *, after: float = 0) -> Self:
        """The daemon (a newer one) drops a message: *what* is its event, or ``global``."""
        pen = self._connected("throttles", after)
        pen.say(m.Throttled(what))
        return self._with(pen)

    # ------------------------------------------------------------ anything else

    def frame(self, event: str, *args: str, after: float = 0) -> Self:
        """The server sends *event* with *args*, whatever that means."""
        pen = self._connected("frame", after)
        pen.hear(frames.frame(event, *args))
        return self._with(pen)

    def asks(self, message: m.ClientMessage, *, after: float = 0) -> Self:
        """The client sends *message*, and nothing comes of it."""
        pen = self._connected("asks", after)
        pen.ask(message)
        return self._with(pen)

    # ------------------------------------------------------------ pens

    @property
    def _socket(self) -> str:
        return f"wss://node.example.com:8080/api/servers/{self.server}/ws"

    def _pen(self, after: float) -> Pen:
        if after < 0:
            raise UsageError(f"Script {self.title!r}: expected 0 seconds or more, found {after:g}")
        pen = Pen(
            title=self.title,
            settings=Settings(
                kind=self.daemon,
                server=self.server,
                memory_mib=4096,
                crash_detection=self.crash_detection,
            ),
            game=self.game,
            started=self.started_at,
            with_stats=self.with_stats,
            now=self.situation,
        )
        pen.wait(after)
        return pen

    def _with(self, pen: Pen) -> Self:
        return evolve(self, entries=(*self.entries, *pen.entries), situation=pen.now)

    def _expecting(self, verb: str, after: float, *statuses: PowerState) -> Pen:
        self._check_begun(verb)
        status = self.situation.status
        if status not in statuses:
            wanted = " or ".join(statuses)
            raise UsageError(
                f"Script {self.title!r}: {verb}() at {self.situation.t:g} s: expected a server "
                f"that is {wanted}, but it is {status}"
            )
        return self._pen(after)

    def _connected(self, verb: str, after: float) -> Pen:
        self._check_begun(verb)
        if not self.situation.is_connected:
            raise UsageError(
                f"Script {self.title!r}: {verb}() at {self.situation.t:g} s: there is no "
                "connection; make one with back()"
            )
        return self._pen(after)

    def _away(self, verb: str, after: float) -> Pen:
        self._check_begun(verb)
        if self.situation.is_connected:
            raise UsageError(
                f"Script {self.title!r}: {verb}() at {self.situation.t:g} s: there still is a "
                "connection; break it with lost()"
            )
        return self._pen(after)

    def _check_begun(self, verb: str) -> None:
        if not self.situation.is_begun:
            raise UsageError(
                f"Script {self.title!r}: {verb}(): it has not begun; begin with online() or "
                "offline()"
            )

"""A recording written by hand: an evening told in verbs, with the frames of the real daemon.

Orders and pauses are those of the recordings and of PROBED, section 4. Which frame is what, and
who hears it, is the pen's work; `course` has what a server goes through.
"""

from collections.abc import Iterable
from typing import Any, Final, Self

from attrs import evolve, frozen

from automate.errors import UsageError
from automate.fake.model import frames
from automate.fake.model.container import Container
from automate.testing import course
from automate.testing.pen import EXPIRED, REVOKED, Pen, objection
from automate.testing.sheet import Sheet
from automate.wire import messages as m
from automate.wire.messages import PowerAction, PowerState

__all__ = ["Script"]

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


@frozen
class Script(Sheet):
    """An evening called *title*; each verb returns a new script that goes on from this one.

    Begin with `online` or `offline`. Every verb first waits *after* seconds. *daemon* is
    ``pterodactyl`` or ``pelican``. Verbs that make no sense where they stand (a server that is
    offline can't crash) raise a `UsageError`.
    """

    # ------------------------------------------------------------ the beginning

    def online(self, *, after: float = 0) -> Self:
        """The recorder connects; the server has been running for a while."""
        return self._begin(after, PowerState.RUNNING)

    def offline(self, *, after: float = 0) -> Self:
        """The recorder connects; the server is offline."""
        return self._begin(after, PowerState.OFFLINE)

    def _begin(self, after: float, status: PowerState) -> Self:
        pen = self.begin(after)
        pen.change(status=status, is_begun=True)
        if status is PowerState.RUNNING:
            pen.attach()
        course.connect(pen, socket=self.socket, lifetime_seconds=self.token_seconds)
        return self.grown(pen)

    def wait(self, seconds: float) -> Self:
        """Nothing happens for so long; with *with_stats* the daemon reports each second."""
        return self.grown(self.pen("wait", seconds))

    def until(self, at: float) -> Self:
        """Nothing happens until *at*, in seconds since the beginning."""
        if at < self.seconds:
            raise UsageError(
                f"Script {self.title!r}: until({at:g}): it is {self.seconds:g} s long already"
            )
        return self.grown(self.pen("until", at - self.situation.t))

    # ------------------------------------------------------------ power

    def start(
        self,
        *,
        after: float = 0,
        seconds: float = 1.45,
        asked: bool = True,
        finishes: bool = True,
        fails: bool = False,
    ) -> Self:
        """The server starts, in so many *seconds*; or never *finishes*.

        Where it *fails* its image does not exist, which the daemon takes for a crash. The
        recorded client *asked* for it, or somebody else did.
        """
        pen = self.pen("start", after, PowerState.OFFLINE)
        if not self._ask_for(pen, PowerAction.START, asked):
            return self.grown(pen)
        if fails:
            course.fail_boot(pen, is_asked=asked)
        else:
            course.boot(pen, seconds=seconds, finishes=finishes)
        return self.grown(pen)

    def stop(self, *, after: float = 0, seconds: float = 1.03, asked: bool = True) -> Self:
        """The server stops, in so many *seconds*."""
        pen = self.pen("stop", after, *_UP)
        if not self._ask_for(pen, PowerAction.STOP, asked):
            return self.grown(pen)
        course.stop(pen, seconds=seconds)
        return self.grown(pen)

    def restart(self, *, after: float = 0, seconds: float = 2.5, asked: bool = True) -> Self:
        """The server stops and starts again, in so many *seconds* together."""
        pen = self.pen("restart", after, *_UP)
        if not self._ask_for(pen, PowerAction.RESTART, asked):
            return self.grown(pen)
        course.stop(pen, seconds=seconds * 0.4)
        pen.wait(0.016)
        course.boot(pen, seconds=seconds * 0.6)
        return self.grown(pen)

    def kill(self, *, after: float = 0, asked: bool = True) -> Self:
        """The server is killed."""
        pen = self.pen("kill", after, *_UP, PowerState.STOPPING)
        if not self._ask_for(pen, PowerAction.KILL, asked):
            return self.grown(pen)
        course.kill(pen)
        return self.grown(pen)

    def hang(self, *, after: float = 0, asked: bool = True) -> Self:
        """The server is told to stop and does not; only `kill` helps."""
        pen = self.pen("hang", after, *_UP)
        if not self._ask_for(pen, PowerAction.STOP, asked):
            return self.grown(pen)
        course.begin_stop(pen)
        return self.grown(pen)

    def refuses(
        self, action: str, *, busy: bool = False, text: str = frames.GENERIC, after: float = 0
    ) -> Self:
        """The client asks for *action*; another one holds the lock (*busy*), or it can't be.

        *text* is what admins see; everyone else sees the usual one.
        """
        pen = self.pen("refuses", after)
        if pen.ask(m.SetState(action)):
            pen.wait(0.0008)
            pen.error(frames.LOCKED if busy else text)
        return self.grown(pen)

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
        pen = self.pen("crash", after, *_UP)
        course.crash(
            pen,
            exit_code=exit_code,
            out_of_memory=out_of_memory,
            gives_up=gives_up,
            seconds=seconds,
        )
        return self.grown(pen)

    def out_of_memory(
        self, *, gives_up: bool | None = None, after: float = 0, seconds: float = 1.45
    ) -> Self:
        """The kernel kills the game; for the daemon that is a crash."""
        return self.crash(
            exit_code=137, out_of_memory=True, gives_up=gives_up, after=after, seconds=seconds
        )

    def _ask_for(self, pen: Pen, action: PowerAction, asked: bool) -> bool:
        """Have the client ask, if it *asked*; return whether the daemon acts."""
        if asked and not pen.ask(m.SetState(action)):
            return False
        pen.wait(0.0012)
        return True

    # ------------------------------------------------------------ the console

    def says(self, *lines: str, after: float = 0) -> Self:
        """The game says *lines*; ``[…]`` at their beginning is the log's prefix.

        What no daemon passes on (an empty line, one with a newline in it) is a `UsageError`.
        """
        pen = self.pen("says", after)
        for line in self._passed_on("says", lines):
            pen.line(line)
        return self.grown(pen)

    def daemon_says(self, text: str, *, after: float = 0) -> Self:
        """The daemon says *text* in the console, behind its own prefix."""
        pen = self.pen("daemon_says", after)
        for line in self._passed_on("daemon_says", [text]):
            pen.own(line)
        return self.grown(pen)

    def command(
        self, text: str, *, answers: Iterable[str] = (), after: float = 0, asked: bool = True
    ) -> Self:
        """The client types *text*: the terminal echoes it, the game *answers* at once."""
        pen = self.pen("command", after)
        answers = self._passed_on("command", answers)
        if asked and not pen.ask(m.SendCommand(text)):
            return self.grown(pen)
        pen.wait(0.0015)
        if pen.now.container_since is not None:
            pen.type(text)
            for line in answers:
                pen.line(line)
        return self.grown(pen)

    def _passed_on(self, verb: str, lines: Iterable[str]) -> list[str]:
        """Return *lines*, if all of them are such as a daemon passes on."""
        several = list(lines)
        for line in several:
            if wrong := objection(line):
                raise self._wrong(f"{verb}(): {wrong}")
        return several

    def uses(
        self,
        *,
        memory_bytes: int | None = None,
        cpu_percent: float | None = None,
        disk_bytes: int | None = None,
        after: float = 0,
    ) -> Self:
        """From now on the server uses so much."""
        pen = self.pen("uses", after)
        usage = pen.now.usage
        pen.change(
            usage=evolve(
                usage,
                memory_bytes=usage.memory_bytes if memory_bytes is None else memory_bytes,
                cpu_percent=usage.cpu_percent if cpu_percent is None else cpu_percent,
                disk_bytes=usage.disk_bytes if disk_bytes is None else disk_bytes,
            )
        )
        return self.grown(pen)

    def stats(self, *, after: float = 0) -> Self:
        """The client asks for the stats, and gets them."""
        pen = self.connected("stats", after)
        if pen.ask(m.SendStats()):
            pen.wait(0.0004)
            pen.report(is_asked=True)
        return self.grown(pen)

    def logs(self, *, after: float = 0) -> Self:
        """The client asks for the last lines, and gets those of this run of the game."""
        pen = self.connected("logs", after)
        if pen.ask(m.SendLogs()) and pen.now.container_since is not None:
            pen.wait(0.0016)
            container = Container(keeps=len(pen.now.log))
            for line in pen.now.log:
                container.add(line)
            for line in container.last_lines():
                pen.hear(frames.console(line))
        return self.grown(pen)

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
        pen = self._no_backup_yet("backup", after)
        making = course.plan_backup(pen, name)
        if not overtakes:
            course.begin_backup(pen, making)
            pen.wait(seconds)
        ended = course.end_backup(pen, making, successful=successful, size_bytes=size_bytes)
        if overtakes:
            course.begin_backup(pen, making)
        course.look_at_backup(pen, making, ended)
        return self.grown(pen)

    def backup_begins(self, name: str = "automate", *, after: float = 0) -> Self:
        """The client has the panel begin a backup; other things happen until `backup_ends`."""
        pen = self._no_backup_yet("backup_begins", after)
        course.begin_backup(pen, course.plan_backup(pen, name))
        return self.grown(pen)

    def backup_ends(
        self, *, successful: bool = True, size_bytes: int = 1520, after: float = 0
    ) -> Self:
        """The backup that has begun is over, and the client looks at it."""
        pen = self.pen("backup_ends", after)
        making = pen.now.backup
        if making is None:
            raise self._wrong("backup_ends(): no backup has begun; begin one with backup_begins()")
        ended = course.end_backup(pen, making, successful=successful, size_bytes=size_bytes)
        course.look_at_backup(pen, making, ended)
        return self.grown(pen)

    def _no_backup_yet(self, verb: str, after: float) -> Pen:
        pen = self.pen(verb, after)
        if pen.now.backup is not None:
            raise self._wrong(f"{verb}(): a backup is being made; end it with backup_ends()")
        return pen

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
        pen = self.pen("panel_says", after)
        if status >= 400 and response is None:
            code = _CODES.get(status, "HttpException")
            error = {"code": code, "status": str(status), "detail": detail}
            response = {"errors": [error]}
        pen.call(method, path, request=request, status=status, response=response, seconds=seconds)
        return self.grown(pen)

    # ------------------------------------------------------------ connection and token

    def lost(self, *, code: int = 1006, reason: str | None = None, after: float = 0) -> Self:
        """The connection breaks; what happens until `back` is not recorded."""
        pen = self.connected("lost", after)
        pen.transport("closed", by="server", code=code, reason=reason)
        pen.change(is_connected=False)
        return self.grown(pen)

    def unreachable(self, reason: str = "connection refused", *, after: float = 0) -> Self:
        """The recorder tries to connect, and can't."""
        pen = self.away("unreachable", after)
        pen.transport("failed", reason=reason)
        return self.grown(pen)

    def back(self, *, after: float = 0, old_token: bool = False) -> Self:
        """The recorder is connected again; first with the *old_token*, which a node refuses
        that was started again meanwhile.
        """
        pen = self.away("back", after)
        course.connect(
            pen,
            socket=self.socket,
            lifetime_seconds=self.token_seconds,
            refused=REVOKED if old_token else "",
        )
        return self.grown(pen)

    def expiring(self, *, after: float = 0) -> Self:
        """The token has a minute or less left, and the daemon says so."""
        pen = self.connected("expiring", after)
        pen.say(m.TokenExpiring())
        return self.grown(pen)

    def expires(self, *, told: bool = False, after: float = 0) -> Self:
        """The token is over: until `refresh` each event is a `jwt error`.

        The daemon says ``token expired`` (*told*) only if its tick falls into that very second.
        """
        pen = self.connected("expires", after)
        if told:
            pen.say(m.TokenExpired())
        pen.change(refusal=EXPIRED)
        return self.grown(pen)

    def revoked(self, *, after: float = 0) -> Self:
        """The panel revokes the token: until `refresh` each event is a `jwt error`."""
        pen = self.connected("revoked", after)
        pen.change(refusal=REVOKED)
        return self.grown(pen)

    def refresh(self, *, after: float = 0) -> Self:
        """The client brings a new token, which is accepted."""
        pen = self.connected("refresh", after)
        course.refresh(pen, socket=self.socket, lifetime_seconds=self.token_seconds)
        return self.grown(pen)

    def throttles(self, what: str = "global", *, after: float = 0) -> Self:
        """The daemon (a newer one) drops a message: *what* is its event, or ``global``."""
        pen = self.connected("throttles", after)
        pen.say(m.Throttled(what))
        return self.grown(pen)

    # ------------------------------------------------------------ anything else

    def frame(self, event: str, *args: str, after: float = 0) -> Self:
        """The server sends *event* with *args*, whatever that means."""
        pen = self.connected("frame", after)
        pen.hear(frames.frame(event, *args))
        return self.grown(pen)

    def asks(self, message: m.ClientMessage, *, after: float = 0) -> Self:
        """The client sends *message*, and nothing comes of it."""
        pen = self.connected("asks", after)
        pen.ask(message)
        return self.grown(pen)

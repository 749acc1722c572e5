"""Wings for one server, as a pure machine: what happens goes in, what it does comes out.

Nothing here waits or connects: `Daemon.wake_at` says when to come back. Power is the affair of
`power`, the sockets' of `sockets`; here the two meet, with the container's console, backups and
the node's own stops and starts. Moments are seconds and never fall; docs/model.md has the whole.
"""

from collections.abc import Callable, Sequence
from typing import Final

from attrs import frozen

from automate.fake.model import frames
from automate.fake.model.agenda import Agenda
from automate.fake.model.chance import Chance
from automate.fake.model.claims import Claims
from automate.fake.model.container import Container, pieces
from automate.fake.model.inbound import Heard
from automate.fake.model.limits import ConsoleLimit
from automate.fake.model.pipe import Pipe
from automate.fake.model.power import Power
from automate.fake.model.settings import Settings
from automate.fake.model.signals import (
    BackupAsked,
    BackupEnded,
    Closed,
    Commanded,
    ConditionChanged,
    Exited,
    Flowing,
    Input,
    MakeBackup,
    Measure,
    Measured,
    NodeStarted,
    NodeStopped,
    Opened,
    Output,
    PowerAsked,
    Printed,
    Restored,
    Said,
    SaidCompressed,
    SaidInBinary,
    Stalled,
    TokensDenied,
    Usage,
    UserRevoked,
    Write,
)
from automate.fake.model.sockets import Sockets
from automate.wire import messages as m
from automate.wire.codec import encode_server
from automate.wire.messages import PowerState

__all__ = ["Daemon", "Refusal"]

_UNEXPECTED: Final = "An unexpected error was encountered while processing this request"
_FLOODED: Final = "Server is outputting console data too quickly -- throttling..."
_NEEDS: Final = {
    "start": "control.start",
    "stop": "control.stop",
    "restart": "control.restart",
    "kill": "control.stop",
}
_BURST_SECONDS: Final = 0.001
_COMMANDS: Final = "control.console"
_BACKUPS: Final = "backup.read"
_ERRORS: Final = "admin.websocket.errors"


@frozen
class Refusal:
    """A websocket that is not let in: the answer's *status* and *body*."""

    status: int
    body: str


class Daemon:
    """The daemon of one server; *read_token* returns a token's claims, ``None`` if it is bad.

    *usage* is what it knows of the server's use before anything is measured. `overhear` is called
    with each frame that is meant for everyone, whoever is there.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        read_token: Callable[[str], Claims | None],
        seed: int | None = None,
        usage: Usage | None = None,
    ) -> None:
        self.settings = settings
        self.is_up = True
        self.usage = usage or Usage()
        self.overhear: Callable[[str], None] = lambda _frame: None
        self._chance = Chance(seed)
        self._agenda = Agenda()
        self._out: list[Output] = []
        self._read_token = read_token
        self.power = Power(settings, self._agenda, self._chance, self)
        self._sockets = self._new_sockets()
        self._container = Container(keeps=settings.log_lines)
        self._console_limit = ConsoleLimit()
        self._pipe = Pipe(
            self._agenda,
            seconds=settings.delays.held_up,
            pass_on=self._pass_on,
            is_held_up=lambda: self._sockets.is_held_up,
        )
        self._printed_at = -1.0
        self._run = 0

    def _new_sockets(self) -> Sockets:
        return Sockets(
            self.settings,
            self._agenda,
            self._chance,
            self._read_token,
            act=self._act,
            welcome=self._welcome,
            overhear=lambda frame: self.overhear(frame),
            out=self._out,
        )

    @property
    def state(self) -> PowerState:
        """The power state, as the daemon sees it."""
        return self.power.state

    @property
    def wake_at(self) -> float | None:
        """When to call `tick`; ``None`` while nothing will happen by itself."""
        return self._agenda.wake_at

    def assume(self, state: PowerState, *, usage: Usage, lines: Sequence[str] = ()) -> None:
        """Begin in the middle: as a daemon that has known this *state* and these *lines* before."""
        self.usage = usage
        self.power.state = state
        if state is not PowerState.OFFLINE:
            self.power.is_process_running = self.power.is_attached = True
            self.begin_run()
            for line in lines:
                self._container.add(line)

    def admit(self, server: str, origin: str | None) -> Refusal | None:
        """Return why a websocket for *server* is refused; ``None`` if it may be opened.

        The daemon checks in this order (PROTOCOL 6.2).
        """
        if server != self.settings.server:
            return Refusal(
                404, '{"error":"The requested resource does not exist on this instance."}'
            )
        if self.settings.is_newer and len(self._sockets) >= self.settings.sockets_limit:
            return Refusal(400, '{"error":"Too many open websocket connections."}')
        if origin not in self.settings.origins:
            # The library's own line stands before the daemon's.
            return Refusal(
                403,
                f'Forbidden\n{{"error":"{_UNEXPECTED}","request_id":"{self._chance.uuid()}"}}',
            )
        return None

    def tick(self, at: float) -> list[Output]:
        """Do what is due by *at*; return what comes of it, in order."""
        self._agenda.advance(at)
        return self._flush()

    def handle(self, happened: Input, at: float) -> list[Output]:
        """Take in what *happened* at *at*; return what comes of it, in order."""
        self._agenda.advance(at)
        match happened:
            case NodeStarted():
                self._start_node()
            case Printed() | Exited() if not self.is_up:
                self._go_on_without(happened)
            case _ if self.is_up:
                self._take(happened)
        self._agenda.advance(at)
        return self._flush()

    def _take(self, happened: Input) -> None:
        match happened:
            case Opened(socket=socket):
                self._sockets.open(socket, self.power.conditions)
            case Closed(socket=socket):
                self._sockets.close(socket)
            case Said() | SaidInBinary() | SaidCompressed():
                self._sockets.hear(happened, self.power.conditions)
            case Stalled(socket=socket):
                self._sockets.stall(socket)
            case Flowing(socket=socket):
                self._sockets.flow(socket)
            case Printed() | Exited():
                if isinstance(happened, Printed):
                    self._container.add(happened.line)
                self._pipe.put(happened)
            case Measured(usage=usage):
                self._see_usage(usage)
            case PowerAsked(action=action):
                self.power.ask(action, lambda _text: None)
            case Commanded(command=command):
                self._type(command)
            case _:
                self._take_from_panel(happened)

    def _take_from_panel(self, happened: Input) -> None:
        match happened:
            case ConditionChanged():
                was_installing = self.power.conditions.is_installing
                self.power.change(happened)
                self._tell_conditions(happened, was_installing=was_installing)
            case BackupAsked(uuid=uuid):
                self.put(MakeBackup(uuid))
            case BackupEnded():
                self._end_backup(happened)
            case Restored():
                self.power.change(ConditionChanged(is_restoring=False))
                text = "Completed server restoration from local backup."
                self._sockets.publish(frames.frame("daemon message", text))
                self._sockets.publish(frames.frame("backup restore completed", ""))
            case TokensDenied(jti=jti):
                self._sockets.deny(jti=jti)
            case UserRevoked(user=user):
                self._sockets.revoke(user)
            case NodeStopped():
                self._stop_node()

    def _flush(self) -> list[Output]:
        out = list(self._out)
        self._out.clear()
        return out

    # ------------------------------------------------------------ for the power machine

    def say(self, text: str) -> None:
        """Put a line of the daemon's own onto the console."""
        self._sockets.publish(frames.own_line(self.settings.name, text))

    def tell_state(self) -> None:
        """Tell everyone the state, and the last stats if it is `offline`."""
        self._sockets.publish(frames.frame("status", self.state.value))
        if self.state is PowerState.OFFLINE:
            self._empty_usage()
            self._sockets.publish(self._stats(is_asked=False))

    def put(self, output: Output) -> None:
        """Have something done outside."""
        self._out.append(output)

    def begin_run(self) -> None:
        """A new container was made: its log is empty, and it is measured each second."""
        self._container = Container(keeps=self.settings.log_lines)
        self._run += 1
        self._measure_again(self._run, after=self.settings.delays.first_stats)

    def _measure_again(self, run: int, *, after: float) -> None:
        def measure() -> None:
            if run == self._run and self.power.is_process_running:
                self.put(Measure())
                self._measure_again(run, after=self.settings.delays.stats)

        self._agenda.after(after, measure)

    # ------------------------------------------------------------ the process

    def _pass_on(self, happened: Printed | Exited) -> None:
        match happened:
            case Printed(line=line):
                self._print(line)
            case Exited(code=code, out_of_memory=out_of_memory):
                self.power.see_exit(code, out_of_memory=out_of_memory)

    def _print(self, line: str) -> None:
        # The state may overtake the line that brought it (PROBED 8.3: once in some forty).
        is_late = self._chance.happens(1 / 40)
        if is_late:
            self.power.see_line(line)
        is_burst = self._agenda.now - self._printed_at < _BURST_SECONDS
        self._printed_at = self._agenda.now
        vanishing = self.settings.vanishing if is_burst else 0.0
        for piece in pieces(line):
            if self._console_limit.allows(self._agenda.now):
                text = frames.console(piece)
                self._sockets.publish(text, is_line=True, vanishing=vanishing)
            elif self._console_limit.is_news():
                self.say(_FLOODED)
        if not is_late:
            self.power.see_line(line)

    def _see_usage(self, usage: Usage) -> None:
        if self.state is PowerState.OFFLINE:
            return
        self.usage = usage
        self._sockets.publish(self._stats(is_asked=False))
        self.power.see_disk(usage.disk_bytes)

    def _empty_usage(self) -> None:
        # The limit and the files stay as they were last seen (PROTOCOL 7.2).
        self.usage = Usage(
            memory_limit_bytes=self.usage.memory_limit_bytes, disk_bytes=self.usage.disk_bytes
        )

    def _stats(self, *, is_asked: bool) -> str:
        return frames.stats(self.usage, self.state, kind=self.settings.kind, is_asked=is_asked)

    def _type(self, command: str) -> None:
        if self.power.is_attached:
            self.power.see_command(command)
            self.put(Write(command))

    # ------------------------------------------------------------ clients

    def _welcome(self) -> list[str]:
        """Return what a socket is sent after its first auth."""
        told = [frames.frame("status", self.state.value)]
        conditions = self.power.conditions
        is_busy = conditions.is_installing or conditions.is_transferring
        if self.state is PowerState.OFFLINE and not is_busy:
            told.append(self._stats(is_asked=True))
        return told

    def _act(self, socket: int, heard: Heard, claims: Claims) -> None:
        """Do what an authenticated client wants; without the permission, nothing."""
        match heard.event:
            case "send stats":
                self._sockets.answer(socket, [self._stats(is_asked=True)])
            case "send logs" if self.power.is_process_running:
                lines = [frames.console(line) for line in self._container.last_lines()]
                self._agenda.after(
                    self.settings.delays.logs, lambda: self._sockets.answer(socket, lines)
                )
            case "send command" if claims.may(_COMMANDS):
                if self.state is not PowerState.OFFLINE:
                    self._type(heard.text)
            case "set state":
                needed = _NEEDS.get(heard.text)
                if needed is None or claims.may(needed):
                    sees_all = claims.may(_ERRORS)
                    self.power.ask(
                        heard.text, lambda text: self._complain(socket, text, sees_all=sees_all)
                    )

    def _complain(self, socket: int, text: str, *, sees_all: bool) -> None:
        shown = text if sees_all or text == frames.LOCKED else frames.GENERIC
        self._sockets.complain(socket, shown)

    # ------------------------------------------------------------ panel and machine

    def _tell_conditions(self, changed: ConditionChanged, *, was_installing: bool) -> None:
        if changed.is_installing and not was_installing:
            self._sockets.publish(frames.frame("install started", ""))
            text = "Starting installation process, this could take a few minutes..."
            self._sockets.publish(frames.frame("daemon message", text))
        elif changed.is_installing is False and was_installing:
            self._sockets.publish(frames.frame("install completed", ""))
        if changed.is_suspended and self.settings.is_newer:
            self._sockets.drop_all()

    def _end_backup(self, ended: BackupEnded) -> None:
        told = m.BackupCompleted(
            uuid=ended.uuid,
            is_successful=ended.is_successful,
            checksum=ended.checksum if ended.is_successful else "",
            checksum_type="sha1",
            size_bytes=ended.size_bytes if ended.is_successful else 0,
        )
        self._sockets.publish(encode_server(told), needs=_BACKUPS)

    def _stop_node(self) -> None:
        self._sockets.drop_all()
        self._agenda.clear()
        if self._pipe.break_off():
            self.power.is_process_running = False
        self.power.forget()
        self.is_up = False

    def _start_node(self) -> None:
        self.is_up = True
        self._sockets = self._new_sockets()
        self._sockets.deny(boot=True)
        self.power.find()
        self.usage = Usage(disk_bytes=self.usage.disk_bytes)
        if self.power.is_process_running:
            self._run += 1
            self._measure_again(self._run, after=self.settings.delays.first_stats)

    def _go_on_without(self, happened: Input) -> None:
        """Let the container go on while the daemon is down."""
        match happened:
            case Printed(line=line):
                self._container.add(line)
            case Exited():
                self.power.is_process_running = False

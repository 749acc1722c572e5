"""A daemon and its game together, as one pure machine; what they say to each other stays inside.

In go clients' doings and moments, out come frames for them. The panel in front is `panel`.
"""

import hashlib
from collections.abc import Callable, Sequence

from attrs import evolve

from automate.fake.model.agenda import Agenda
from automate.fake.model.claims import Claims
from automate.fake.model.daemon import Daemon
from automate.fake.model.game import Game, GameEvent, ScriptedGame
from automate.fake.model.settings import Settings
from automate.fake.model.signals import (
    BackupEnded,
    Drop,
    Input,
    Kill,
    MakeBackup,
    Measure,
    Measured,
    Output,
    Restored,
    Send,
    Signal,
    StartProcess,
    Usage,
    Write,
)
from automate.wire.messages import PowerState

__all__ = ["World"]


class World:
    """A node with one server in which *game* runs.

    *backup_seconds* is how long an archive takes; whether it comes out well is
    `backups_succeed`. *watch* is called with what the panel hears before any client does.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        read_token: Callable[[str], Claims | None],
        game: Game | None = None,
        seed: int | None = None,
        backup_seconds: float = 0.02,
        watch: Callable[[BackupEnded | Restored], None] = lambda _told: None,
    ) -> None:
        self.settings = settings
        self.game: Game = ScriptedGame() if game is None else game
        usage = Usage(disk_bytes=self.game.measure(0.0).disk_bytes)
        self.daemon = Daemon(settings, read_token=read_token, seed=seed, usage=usage)
        self.backups_succeed = True
        self.watch = watch
        self._agenda = Agenda()
        self._backup_seconds = backup_seconds
        self._out: list[Send | Drop] = []

    @property
    def wake_at(self) -> float | None:
        """When to call `tick`; ``None`` while nothing will happen by itself."""
        moments = [self.daemon.wake_at, self.game.wake_at, self._agenda.wake_at]
        return min((moment for moment in moments if moment is not None), default=None)

    @property
    def now(self) -> float:
        """The moment it has come to."""
        return self._agenda.now

    def assume(self, state: PowerState, *, usage: Usage, lines: Sequence[str] = ()) -> None:
        """Begin in the middle, with the game as it would be then."""
        self.daemon.assume(state, usage=usage, lines=lines)
        if state is not PowerState.OFFLINE and isinstance(self.game, ScriptedGame):
            self.game.resume(is_ready=state is not PowerState.STARTING)

    def tick(self, at: float) -> list[Send | Drop]:
        """Do what is due by *at*; return what clients are sent, in order."""
        self._let_pass(at)
        return self._flush()

    def handle(self, happened: Input, at: float) -> list[Send | Drop]:
        """Take in what *happened* at *at*; return what clients are sent, in order."""
        self._let_pass(at)
        self._tell(happened, at)
        self._let_pass(at)
        return self._flush()

    def later(self, seconds: float, happened: Input) -> None:
        """Let *happened* happen that many seconds from now."""
        self._agenda.after(seconds, lambda: self._tell(happened, self._agenda.now))

    def _flush(self) -> list[Send | Drop]:
        out = list(self._out)
        self._out.clear()
        return out

    def _let_pass(self, at: float) -> None:
        while (wake_at := self.wake_at) is not None and wake_at <= at:
            self._react(self.daemon.tick(wake_at), wake_at)
            self._play(self.game.tick(wake_at), wake_at)
            self._agenda.advance(wake_at)
        self._agenda.advance(at)

    def _tell(self, happened: Input, at: float) -> None:
        if isinstance(happened, BackupEnded | Restored):
            # The panel's row is written before the event is sent (PROTOCOL 4.3).
            self.watch(happened)
        self._react(self.daemon.handle(happened, at), at)

    def _play(self, events: list[GameEvent], at: float) -> None:
        for event in events:
            self._react(self.daemon.handle(event, at), at)

    def _react(self, outputs: list[Output], at: float) -> None:
        for output in outputs:
            match output:
                case Send() | Drop():
                    self._out.append(output)
                case StartProcess():
                    self._play(self.game.start(at), at)
                case Write(text=text):
                    self._play(self.game.write(text, at), at)
                case Signal(name=name):
                    self._play(self.game.signal(name, at), at)
                case Kill():
                    self._play(self.game.kill(at), at)
                case Measure():
                    limit = self.settings.memory_limit_bytes
                    usage = evolve(self.game.measure(at), memory_limit_bytes=limit)
                    self._react(self.daemon.handle(Measured(usage), at), at)
                case MakeBackup(uuid=uuid):
                    self.later(self._backup_seconds, self._archive(uuid))

    def _archive(self, uuid: str) -> BackupEnded:
        # Without the files an older daemon packs nothing, and is content (PROBED 2).
        is_empty = self.daemon.power.conditions.is_volume_missing
        return BackupEnded(
            uuid=uuid,
            is_successful=self.backups_succeed and not (is_empty and self.settings.is_newer),
            checksum=hashlib.sha1(uuid.encode(), usedforsecurity=False).hexdigest(),
            size_bytes=self.daemon.usage.disk_bytes,
        )

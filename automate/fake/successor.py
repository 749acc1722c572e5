"""The successor of a tape: a model of the daemon that goes on where the recording can't.

It takes over what the tape has shown: state, lines, statistics. Who may come in was decided by
the replay; here everyone who did holds one token that allows all. Moments are live seconds.
"""

import math
import re
from collections.abc import Iterable
from typing import Final

from attrs import evolve

from automate.fake.analysis import TOLERANCE_SECONDS
from automate.fake.film import Recorded
from automate.fake.model.claims import Claims
from automate.fake.model.game import Program, Ready, Rule, Say, ScriptedGame, Stop
from automate.fake.model.game import Step as GameStep
from automate.fake.model.settings import Settings
from automate.fake.model.setup import read_settings
from automate.fake.model.signals import (
    BackupAsked,
    Commanded,
    NodeStarted,
    NodeStopped,
    PowerAsked,
    Printed,
    Usage,
)
from automate.fake.model.transcript import Transcript
from automate.fake.model.world import World
from automate.fake.script import Content
from automate.fake.signals import Closed, Drop, Opened, Said, Send
from automate.fake.view import View
from automate.wire import messages as m
from automate.wire.codec import decode_server, encode_client
from automate.wire.frame import unpack
from automate.wire.messages import PowerAction, PowerState

__all__ = ["Successor"]

_TOKEN: Final = "the replay's own"
# Later than any boot of the daemon and any clock.
_NEVER: Final = 1 << 60
_DONE: Final = "ready"
_BOOT_SECONDS: Final = 1.0
_STOP_SECONDS: Final = 0.5


class Successor:
    """The model that follows *recording*'s tape, of which *view* has seen the beginning.

    It begins at the live moment *at*, the tape's second *tape_seconds*, and goes on at *speed*;
    *sockets* are connected, each with whether it was let in.
    """

    def __init__(
        self,
        recording: Recorded,
        view: View,
        *,
        at: float,
        tape_seconds: float,
        speed: float,
        sockets: Iterable[tuple[int, bool]],
    ) -> None:
        self._view = view
        self._at = at
        self._tape_seconds = tape_seconds
        self._speed = 1.0 if math.isinf(speed) else speed
        self._world = _world(recording, view, epoch=view.moment(tape_seconds).timestamp())
        # Whoever is not there is not spoken to, whatever still comes from them.
        self._present: set[int] = set()
        for number, is_in in sockets:
            self._present.add(number)
            self._world.handle(Opened(number), 0.0)
            if is_in:
                self._world.handle(_auth(number), 0.0)
        # What the model greets them with they know already.
        self._world.tick(self._world.settings.delays.message)

    @property
    def wake_at(self) -> float | None:
        """When to call `tick`; ``None`` while nothing will happen by itself."""
        due = self._world.wake_at
        return None if due is None else self._at + due / self._speed

    def seconds(self, at: float) -> float:
        """Return the second of the tape that it would be, had it gone on."""
        return self._tape_seconds + (at - self._at) * self._speed

    def tick(self, at: float) -> list[Send | Drop]:
        """Do what is due by *at*."""
        return self._shown(self._world.tick(self._moment(at)), at)

    def handle(self, happened: Opened | Said | Closed, at: float) -> list[Send | Drop]:
        """Take in what a live client did; its tokens are good, or *refusal* is its answer."""
        match happened:
            case Opened(socket=socket):
                self._present.add(socket)
            case Closed(socket=socket):
                self._present.discard(socket)
            case Said(socket=socket) if socket not in self._present:
                return []
        if isinstance(happened, Said) and unpack(happened.text)[0] == m.Auth.event:
            if happened.refusal is not None:
                return [Send((happened.socket,), happened.refusal)]
            happened = _auth(happened.socket)
        return self._shown(self._world.handle(happened, self._moment(at)), at)

    def do(self, content: Content, at: float) -> list[Send | Drop]:
        """Do what a call to the panel asks for, as far as it concerns the daemon."""
        moment = self._moment(at)
        match content.what:
            case "set state":
                asked = self._world.handle(PowerAsked(PowerAction(content.detail)), moment)
            case "send command":
                asked = self._world.handle(Commanded(content.detail), moment)
            case _:
                return []
        return self._shown(asked, at)

    def back_up(self, uuid: str, at: float) -> list[Send | Drop]:
        """Make the backup *uuid*; that it is done is told later."""
        return self._shown(self._world.handle(BackupAsked(uuid), self._moment(at)), at)

    def _moment(self, at: float) -> float:
        moment = max(self._world.now, (at - self._at) * self._speed)
        due = self._world.wake_at
        # Moments were added on the way to whoever wakes us: what is as good as due is due.
        return due if due is not None and 0 < due - moment < TOLERANCE_SECONDS else moment

    def _shown(self, outputs: list[Send | Drop], at: float) -> list[Send | Drop]:
        for output in outputs:
            if isinstance(output, Send):
                message = decode_server(output.text)
                self._view.see(message, text=output.text, at=self.seconds(at))
        return outputs


def _auth(socket: int) -> Said:
    return Said(socket, encode_client(m.Auth(_TOKEN)))


# ---------------------------------------------------------------- the world that is taken over


def _world(recording: Recorded, view: View, *, epoch: float) -> World:
    """Return a node whose server is in the state that *view* shows."""
    script = Transcript(recording)
    settings = evolve(read_settings(script), epoch=epoch)
    boot = _boot(script)
    if boot is None:
        boot = [Say(_DONE, after=_BOOT_SECONDS), Ready()]
        settings = evolve(settings, done=(_DONE,))
    game = ScriptedGame(_program(boot, settings))
    claims = Claims(server=settings.server, iat=_NEVER, exp=_NEVER)
    world = World(settings, read_token=lambda token: claims if token == _TOKEN else None, game=game)
    status = view.status or PowerState.OFFLINE
    if status is not PowerState.OFFLINE:
        _have_running(world, game, view, status)
    world.daemon.usage = _usage(view)
    return world


def _have_running(world: World, game: ScriptedGame, view: View, status: PowerState) -> None:
    """Have the game run already, with the lines it has printed."""
    daemon = world.daemon
    # A daemon that starts finds the container of the one before, and its log.
    daemon.handle(NodeStopped(), 0.0)
    for text in view.logs():
        daemon.handle(Printed(unpack(text)[1][0]), 0.0)
    daemon.power.is_process_running = True
    daemon.handle(NodeStarted(), 0.0)
    daemon.power.state = status
    game.start(0.0)
    if status is not PowerState.STARTING:
        game.tick(math.inf)
    if status is PowerState.STOPPING:
        game.write(world.settings.stop_text or "", 0.0)


def _usage(view: View) -> Usage:
    message = decode_server(view.stats())
    if not isinstance(message, m.StatsReported):
        return Usage()
    stats = message.stats
    return Usage(
        cpu_percent=stats.cpu_percent or 0,
        memory_bytes=stats.memory_bytes or 0,
        memory_limit_bytes=stats.memory_limit_bytes or 0,
        disk_bytes=stats.disk_bytes or 0,
        uptime_milliseconds=round((stats.uptime_seconds or 0) * 1000),
    )


def _program(boot: list[GameStep], settings: Settings) -> Program:
    """Return a game that boots as recorded, stops when told, and answers nothing else."""
    stop = Rule(re.escape(settings.stop_text or ""), (Stop(after=_STOP_SECONDS),))
    return Program(boot=tuple(boot), rules=(stop,), unknown=())


def _boot(script: Transcript) -> list[GameStep] | None:
    """Return what the recorded game printed while it started, ``None`` if it never did."""
    steps: list[GameStep] | None = None
    last = 0.0
    for index, message in script.said.items():
        at = script.entries[index].t
        if message == m.StatusChanged(PowerState.STARTING):
            steps, last = [], at
        elif steps is not None and message == m.StatusChanged(PowerState.RUNNING):
            # The last line is the one that says so: commands are read by then.
            return [*steps[:-1], Ready(), steps[-1]] if steps else None
        elif steps is not None and script.is_game_line(index):
            steps.append(Say(script.raw_line(index), after=at - last))
            last = at
    return None

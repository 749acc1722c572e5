"""The power of one server: its state, the lock, and the courses of start, stop, kill and crash.

Each course is a script of the agenda and reads from top to bottom. Who asked, and by which way,
is left to the daemon; so are frames. Sources: PROTOCOL 8.3, PROBED sections 2 to 4.
"""

from collections.abc import Callable, Generator
from typing import Final, Protocol

from attrs import define

from automate.fake.model.agenda import Agenda, Happening, Script
from automate.fake.model.chance import Chance
from automate.fake.model.frames import LOCKED
from automate.fake.model.settings import Settings
from automate.fake.model.signals import ConditionChanged, Kill, Output, Signal, StartProcess, Write
from automate.wire.messages import PowerAction, PowerState

__all__ = ["Conditions", "Host", "Power"]

# A course of events that ends with what is to be complained of, `None` if with nothing.
Course = Generator["float | Happening | tuple[float, Happening]", bool, str | None]

_CRASHED: Final = "---------- Detected server process in a crashed state! ----------"
_DISABLED: Final = "Aborting automatic restart, crash detection is disabled for this instance."
_UNHANDLED: Final = "Server crash was detected but an error occurred while handling it."
_UPDATING: Final = "Updating process configuration files..."
_PULLING: Final = "Pulling Docker container image, this could take a few minutes to complete..."
_PULLED: Final = "Finished pulling Docker container image"
_TOO_BIG: Final = "Server is exceeding the assigned disk space limit, stopping process now."
_NO_SPACE: Final = "filesystem: not enough disk space"
_NO_IMAGE: Final = (
    "environment/docker: failed to run pre-boot process: environment/docker: failed to create "
    "container: No such image"
)


@define
class Conditions:
    """What keeps a server from being used."""

    is_suspended: bool = False
    is_installing: bool = False
    is_transferring: bool = False
    is_restoring: bool = False
    is_disk_full: bool = False
    is_image_missing: bool = False
    is_volume_missing: bool = False

    def change(self, to: ConditionChanged) -> None:
        """Take over what *to* says of them."""
        for name in self.__annotations__:
            value = getattr(to, name)
            if value is not None:
                setattr(self, name, value)

    def objection(self) -> str | None:
        """Return why no power action is taken at all."""
        if self.is_installing:
            return "server is currently installing"
        if self.is_transferring:
            return "server is currently being transferred"
        if self.is_restoring:
            return "server is currently being restored"
        return None


class Host(Protocol):
    """What the power machine needs of its daemon."""

    def say(self, text: str) -> None:
        """Put a line of the daemon's own onto the console."""

    def tell_state(self) -> None:
        """Tell everyone the state, and the last stats if it is `offline`."""

    def put(self, output: Output) -> None:
        """Have something done outside."""

    def begin_run(self) -> None:
        """A new container was made."""


class Power:
    """The power machine; *agenda* is the daemon's."""

    def __init__(self, settings: Settings, agenda: Agenda, chance: Chance, host: Host) -> None:
        self.state = PowerState.OFFLINE
        self.conditions = Conditions()
        self.is_attached = False
        self.is_process_running = False
        # Its code, and whether memory ran out.
        self.last_exit = (0, False)
        # Of the last crash that was answered by a restart.
        self.last_crash_at: float | None = None
        self._settings = settings
        self._agenda = agenda
        self._chance = chance
        self._host = host
        self._is_locked = False
        self._is_booting = False
        self._is_too_big = False
        self._exited = Happening()
        self._started = Happening()

    # ------------------------------------------------------------ what happens outside

    def ask(self, action: str, complain: Callable[[str], None]) -> None:
        """Begin *action*; *complain* is called with what is wrong, if anything is."""
        self._agenda.run(self._act(action, complain))

    def see_line(self, line: str) -> None:
        """Take in a line of the game's terminal: it may tell that the game is ready, or over.

        A line that equals the stop command counts as the end, whoever printed it (PROBED 4.5).
        """
        if self.state is PowerState.STARTING and self._settings.is_done(line):
            self._set(PowerState.RUNNING)
        elif self.is_up and line == self._settings.stop_text:
            self._set(PowerState.OFFLINE)

    @property
    def is_up(self) -> bool:
        """Whether an end would be a crash."""
        return self.state in (PowerState.STARTING, PowerState.RUNNING)

    def see_command(self, command: str) -> None:
        """Take in a command: the stop command itself announces the stop."""
        if command == self._settings.stop_text and self.is_up:
            self._set(PowerState.STOPPING)

    def see_exit(self, code: int, *, out_of_memory: bool) -> None:
        """Take in the end of the process."""
        self.is_process_running = self.is_attached = False
        self.last_exit = (code, out_of_memory)
        self._set(PowerState.OFFLINE)
        self._agenda.happen(self._exited)

    def see_disk(self, used_bytes: int) -> None:
        """Take in how much the server's files are: too much stops it."""
        limit = self._settings.disk_limit_bytes
        if limit is not None and used_bytes > limit and self.is_up and not self._is_too_big:
            self._is_too_big = True
            self._host.say(_TOO_BIG)
            self._agenda.run(self._end_regardless())

    def change(self, to: ConditionChanged) -> None:
        """Take over the server's conditions; a suspension stops the game."""
        self.conditions.change(to)
        if to.is_suspended and self.is_process_running:
            self._agenda.run(self._end_regardless())

    def forget(self) -> None:
        """Be the power machine of a daemon that has stopped: the process goes on without it."""
        self._is_locked = self._is_booting = self.is_attached = False
        self.last_crash_at = None
        self._exited, self._started = Happening(), Happening()

    def find(self) -> None:
        """Be the one of a daemon that has just started: look whether there is a process."""
        self.is_attached = self.is_process_running
        self.state = PowerState.RUNNING if self.is_process_running else PowerState.OFFLINE

    # ------------------------------------------------------------ courses

    def _act(self, action: str, complain: Callable[[str], None]) -> Script:
        problem = yield from self._do(action)
        if problem is not None:
            complain(problem)

    def _do(self, action: str) -> Course:
        if problem := self.conditions.objection():
            return problem
        if action == PowerAction.KILL:
            return (yield from self._kill())
        if self._is_locked:
            return LOCKED
        self._is_locked = True
        problem = yield from self._locked(action)
        self._is_locked = False
        return problem

    def _locked(self, action: str) -> Course:
        """Do *action* while the lock is held."""
        delays = self._settings.delays
        match action:
            case PowerAction.START:
                if self.state is not PowerState.OFFLINE:
                    return "server is running"
                return (yield from self._boot())
            case PowerAction.STOP:
                if (yield from self._stop()) is not None:
                    yield delays.stop_lock
                return None
            case PowerAction.RESTART:
                if (yield from self._stop()) is not None:
                    yield delays.restart
                return (yield from self._boot())
            case _:
                # The lock is taken before the action is looked at (recording power-races).
                yield delays.action
                return "attempting to handle unknown power action"

    def _boot(self) -> Course:
        delays = self._settings.delays
        if self.conditions.is_suspended:
            return "server is currently in a suspended state"
        yield delays.sync
        if self._settings.disk_limit_bytes is not None:
            checking = "checking" if self._settings.is_newer else "Checking"
            self._host.say(f"{checking} server disk space usage, this could take a few seconds...")
            if self.conditions.is_disk_full:
                yield delays.configure
                return _NO_SPACE
        self._host.say(_UPDATING)
        yield delays.configure
        if self.is_process_running:
            # The container never stopped (PROBED 4.5): it is only attached to again.
            yield delays.attach / 2
            self._set(PowerState.RUNNING)
            return None
        self._is_booting = True
        self._set(PowerState.STARTING)
        yield delays.pull
        image = [_PULLED, _PULLING]
        if self._chance.happens(2 / 22):
            image.reverse()
        for text in image:
            self._host.say(text)
        return (yield from self._launch())

    def _launch(self) -> Course:
        """Make the container and start the process in it."""
        delays = self._settings.delays
        if self.conditions.is_image_missing:
            yield delays.fail
            self._is_booting = False
            self.last_exit = (1, False)
            # The one who asked hears of it first (PROBED 4.2).
            self._agenda.after(delays.message, lambda: self._set(PowerState.OFFLINE))
            return _NO_IMAGE
        yield delays.create
        self._is_booting = self._is_too_big = False
        self.last_exit = (0, False)
        self.is_process_running = self.is_attached = True
        self._host.begin_run()
        self._host.put(StartProcess())
        self._agenda.happen(self._started)
        yield delays.attach
        return None

    def _stop(self) -> Course:
        """Stop the game and wait for its end, at last by force; `None` if there was none."""
        delays = self._settings.delays
        if not self.is_process_running or self.state is PowerState.OFFLINE:
            return None
        yield delays.action
        self._set(PowerState.STOPPING)
        text = self._settings.stop_text
        self._host.put(Signal(self._settings.stop_signal) if text is None else Write(text))
        if not (yield delays.stop_limit, self._exited):
            self._host.put(Kill())
            yield self._exited
        return "stopped"

    def _end_regardless(self) -> Script:
        """Stop the game, whoever holds the lock: it is the daemon's own wish."""
        yield from self._stop()

    def _kill(self) -> Course:
        if not (self.is_process_running or self._is_booting):
            return None
        # A kill goes through whoever holds the lock, and takes it if it is free.
        takes_lock = not self._is_locked
        self._is_locked = True
        yield self._settings.delays.action
        self._set(PowerState.STOPPING)
        if not self.is_process_running:
            yield self._started
        self._host.put(Kill())
        yield self._exited
        if takes_lock:
            yield self._settings.kill_lock_seconds
            self._is_locked = False
        return None

    def _crash(self) -> Script:
        settings = self._settings
        if not settings.crash_detection:
            self._host.say(_DISABLED)
            return
        yield settings.delays.notice_crash
        if self.state is not PowerState.OFFLINE:
            return
        code, out_of_memory = self.last_exit
        self._host.say(_CRASHED)
        self._host.say(f"Exit code: {code}")
        self._host.say(f"Out of memory: {str(out_of_memory).lower()}")
        now, window = self._agenda.now, settings.crash_window_seconds
        if self.last_crash_at is not None and now < self.last_crash_at + window:
            self._host.say(
                f"Aborting automatic restart, last crash occurred less than {window:.0f} "
                "seconds ago."
            )
            return
        self.last_crash_at = now
        yield settings.delays.action
        problem = yield from self._do(PowerAction.START)
        if problem is not None:
            yield settings.delays.message * 2
            self._host.say(_UNHANDLED)

    def _set(self, state: PowerState) -> None:
        if state is self.state:
            return
        was_up = self.is_up
        self.state = state
        self._host.tell_state()
        if state is PowerState.OFFLINE and was_up:
            self._agenda.run(self._crash())

"""What runs in the container: anything that starts, prints, reads commands and ends.

`ScriptedGame` is a pure one, made of rules; `program` has the other, any real program. A game
tells what it does as the daemon's inputs (`Printed`, `Exited`) at moments of its own.
"""

import heapq
import re
from collections.abc import Callable, Sequence
from typing import Final, Protocol, runtime_checkable

from attrs import evolve, field, frozen

from automate.fake.model.signals import Exited, Printed, Usage
from automate.fake.model.terminal import Echoed, Entered, Key, Terminal

__all__ = [
    "ARENA",
    "Crash",
    "Flood",
    "Game",
    "GameEvent",
    "Hang",
    "Join",
    "Leave",
    "Program",
    "Ready",
    "Rule",
    "RunOutOfMemory",
    "Say",
    "ScriptedGame",
    "Step",
    "Stop",
    "Telling",
]

GameEvent = Printed | Exited
_KILLED: Final = 137
_INTERRUPTED: Final = 130
# How long the container takes to end after its process (recordings: 25 to 60 ms).
_END_SECONDS: Final = 0.03
_PAGE_BYTES: Final = 4096
# How fast a game prints that does nothing else: 20000 lines took five windows of 0.1 s (PROBED 5).
_FLOOD_LINES: Final = 44
_FLOOD_SECONDS: Final = 0.001


class Game(Protocol):
    """A process in a container; every call returns what comes of it at once."""

    @property
    def wake_at(self) -> float | None:
        """When to call `tick`; ``None`` while nothing will happen by itself."""

    def start(self, at: float) -> list[GameEvent]:
        """Start anew."""

    def tick(self, at: float) -> list[GameEvent]:
        """Do what is due by *at*."""

    def write(self, text: str, at: float) -> list[GameEvent]:
        """Take *text* and a newline from the terminal."""

    def signal(self, name: str, at: float) -> list[GameEvent]:
        """Take a signal."""

    def kill(self, at: float) -> list[GameEvent]:
        """End at once, with all children."""

    def measure(self, at: float) -> Usage:
        """Return what it uses, but for the limits."""


@runtime_checkable
class Telling(Protocol):
    """A game that also does things by itself, and tells them at once."""

    emit: Callable[[GameEvent], None]


# ---------------------------------------------------------------- what a script can do


@frozen
class Say:
    """Print *text*, *after* so many seconds.

    ``{0}`` is the command, ``{1}`` and so on what its pattern found, ``{players}`` who is in.
    """

    text: str
    after: float = field(default=0.0, kw_only=True)


@frozen
class Flood:
    """Print *text* *count* times as fast as a game can, ``{n}`` counting from *first*."""

    text: str
    count: int | str = field(kw_only=True)
    first: int = field(default=0, kw_only=True)
    after: float = field(default=0.0, kw_only=True)


@frozen
class Ready:
    """From here on commands are read; until then they wait in the terminal."""

    after: float = field(default=0.0, kw_only=True)


@frozen
class Crash:
    """End with *code*, which may be found by the pattern (``{1}``)."""

    code: int | str = 1
    after: float = field(default=0.0, kw_only=True)


@frozen
class RunOutOfMemory:
    """Be killed by the kernel."""

    after: float = field(default=0.1, kw_only=True)


@frozen
class Stop:
    """End in order."""

    after: float = field(default=0.0, kw_only=True)


@frozen
class Hang:
    """Read no more commands and heed no signals, but go on printing."""

    after: float = field(default=0.0, kw_only=True)


@frozen
class Join:
    """A player comes in."""

    player: str
    after: float = field(default=0.0, kw_only=True)


@frozen
class Leave:
    """A player goes."""

    player: str
    after: float = field(default=0.0, kw_only=True)


Step = Say | Flood | Ready | Crash | RunOutOfMemory | Stop | Hang | Join | Leave


@frozen
class Rule:
    """What a command does that matches *pattern* as a whole."""

    pattern: str
    steps: tuple[Step, ...]


@frozen(kw_only=True)
class Program:
    """A game as data: what it does when it starts, by itself, on commands and on signals."""

    boot: tuple[Step, ...]
    rules: tuple[Rule, ...] = ()
    unknown: tuple[Step, ...] = (Say("Unknown or incomplete command: {0}"),)
    signalled: tuple[Step, ...] = (Stop(),)
    memory_bytes: int = 6_291_456
    disk_bytes: int = 2846


ARENA: Final = Program(
    boot=(
        Say(":/home/container$ ./arena"),
        Say("[Server thread/INFO]: Starting arena version 1.4.2", after=0.02),
        Say("[Server thread/INFO]: Loading map \x1b[32mcaldera\x1b[0m", after=1.0),
        Ready(after=0.3),
        Say('[Server thread/INFO]: Done (1.301s)! For help, type "help"'),
    ),
    rules=(
        Rule("stop", (
            Say("[Server thread/INFO]: Stopping the server"),
            Say("[Server thread/INFO]: Saving worlds", after=0.7),
            Stop(after=0.3),
        )),
        Rule("say (.*)", (Say("[Server thread/INFO]: [Server] {1}"),)),
        Rule("list", (Say("[Server thread/INFO]: There are {count} players online: {players}"),)),
        Rule("join (.+)", (Join("{1}"), Say("[Server thread/INFO]: {1} joined the game"))),
        Rule("leave (.+)", (Leave("{1}"), Say("[Server thread/INFO]: {1} left the game"))),
        Rule("save-all", (
            Say("[Server thread/INFO]: Saving the game (this may take a moment!)"),
            Say("[Server thread/INFO]: Saved the game", after=0.8),
        )),
        Rule("save-off", (Say("[Server thread/INFO]: Automatic saving is now disabled"),)),
        Rule("save-on", (Say("[Server thread/INFO]: Automatic saving is now enabled"),)),
        Rule(r"crash (\d+)", (
            Say("java.lang.NullPointerException: Ticking entity"),
            Say("\tat net.arena.World.tick(World.java:118)"),
            Crash("{1}"),
        )),
        Rule("oom", (RunOutOfMemory(),)),
        Rule("hang", (Hang(),)),
        Rule(r"spam (\d+)", (Flood("[Server thread/WARN]: Running {n} ms behind", count="{1}"),)),
        Rule(r"raw (.*)", (Say("{1}"),)),
    ),
)  # fmt: skip


# ---------------------------------------------------------------- the scripted game


class ScriptedGame:
    """A game that follows its *program*; pure, and the same each time."""

    def __init__(self, program: Program = ARENA) -> None:
        self._program = program
        self._plans: list[tuple[float, int, Step | Exited, dict[str, str]]] = []
        self._number = 0
        self._is_running = False
        self._begin(0.0)

    def _begin(self, at: float) -> None:
        self.players: list[str] = []
        self._started_at = at
        self._is_ready = self._is_hung = False
        self._waiting: list[str] = []
        self._terminal = Terminal()

    @property
    def wake_at(self) -> float | None:
        """When the next line or the end is due."""
        return self._plans[0][0] if self._plans else None

    def start(self, at: float) -> list[GameEvent]:
        """Start anew: the boot's steps begin."""
        self._begin(at)
        self._is_running = True
        self._plan(self._program.boot, at, {})
        return self.tick(at)

    def resume(self, *, is_ready: bool) -> None:
        """Be in the middle of a run that nobody saw begin."""
        self._is_running, self._is_ready = True, is_ready

    def tick(self, at: float) -> list[GameEvent]:
        """Do what is due by *at*."""
        events: list[GameEvent] = []
        while self._plans and self._plans[0][0] <= at:
            due, _number, step, found = heapq.heappop(self._plans)
            events += self._do(step, found, due)
        return events

    def write(self, text: str, at: float) -> list[GameEvent]:
        """Take *text* and a newline from the terminal; the echo comes back at once."""
        events: list[GameEvent] = []
        for typed in self._terminal.type(text) if self._is_running else ():
            match typed:
                case Echoed(line=line):
                    events.append(Printed(line))
                case Entered(line=line) if self._is_ready:
                    self._enter(line, at)
                case Entered(line=line):
                    self._waiting.append(line)
                case Key.INTERRUPT:
                    self._end(Exited(_INTERRUPTED), at)
                case Key.END:
                    self._end(Exited(0), at)
        return [*events, *self.tick(at)]

    def signal(self, name: str, at: float) -> list[GameEvent]:
        """Take a signal, unless it hangs."""
        if self._is_running and not self._is_hung:
            self._plan(self._program.signalled, at, {"0": name})
        return self.tick(at)

    def kill(self, at: float) -> list[GameEvent]:
        """End at once."""
        if self._is_running:
            self._end(Exited(_KILLED), at)
        return self.tick(at)

    def measure(self, at: float) -> Usage:
        """Return what it uses: more with players, and a little more or less each time."""
        uptime = at - self._started_at
        beat = int(uptime * 7919) % 13
        return Usage(
            cpu_percent=round(0.2 + 0.4 * len(self.players) + beat / 100, 3),
            memory_bytes=self._program.memory_bytes
            + (beat + 256 * len(self.players)) * _PAGE_BYTES,
            disk_bytes=self._program.disk_bytes,
            uptime_milliseconds=round(uptime * 1000),
            received_bytes=round(uptime * 400 * len(self.players)),
            sent_bytes=round(uptime * 2200 * len(self.players)),
        )

    # ------------------------------------------------------------ steps

    def _plan(self, steps: Sequence[Step], at: float, found: dict[str, str]) -> None:
        for step in steps:
            at += step.after
            self._push(at, step, found)

    def _push(self, at: float, step: Step | Exited, found: dict[str, str]) -> None:
        self._number += 1
        heapq.heappush(self._plans, (at, self._number, step, found))

    def _end(self, how: Exited, at: float) -> None:
        self._plans.clear()
        self._is_ready = False
        self._is_hung = True
        self._push(at + _END_SECONDS, how, {})

    def _enter(self, line: str, at: float) -> None:
        if self._is_hung:
            return
        for rule in self._program.rules:
            if match := re.fullmatch(rule.pattern, line):
                found = {str(i): text for i, text in enumerate(match.groups(""), 1)}
                self._plan(rule.steps, at, {"0": line} | found)
                return
        self._plan(self._program.unknown, at, {"0": line})

    def _do(self, step: Step | Exited, found: dict[str, str], at: float) -> list[GameEvent]:
        match step:
            case Say(text=text):
                return [Printed(self._terminal.print(self._fill(text, found)))]
            case Flood(text=text, count=count, first=first):
                number = int(self._fill(str(count), found))
                last = min(first + _FLOOD_LINES, number)
                if last < number:
                    self._push(at + _FLOOD_SECONDS, evolve(step, first=last), found)
                numbers = range(first, last)
                return [Printed(self._fill(text, found | {"n": str(n)})) for n in numbers]
            case Ready():
                self._is_ready = True
                waiting, self._waiting = self._waiting, []
                for line in waiting:
                    self._enter(line, at)
            case Crash(code=code):
                self._end(Exited(int(self._fill(str(code), found))), at)
            case RunOutOfMemory():
                self._end(Exited(_KILLED, out_of_memory=True), at)
            case Stop():
                self._end(Exited(0), at)
            case Hang():
                self._is_hung = True
            case Join(player=player):
                self.players.append(self._fill(player, found))
            case Leave(player=player):
                self.players = [name for name in self.players if name != self._fill(player, found)]
            case Exited():
                self._is_running = False
                rest = self._terminal.rest()
                return [Printed(rest), step] if rest else [step]
        return []

    def _fill(self, text: str, found: dict[str, str]) -> str:
        """Return *text* with what was found in it; only our own names in braces are filled."""
        values = found | {"players": ", ".join(self.players), "count": str(len(self.players))}
        return re.sub(r"\{(\w+)\}", lambda match: values.get(match[1], match[0]), text)

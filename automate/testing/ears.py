"""What is heard of a node in a test: the traffic in words, and what recipes at work do.

Nothing here connects; sessions, panels and engines tell it what happens.
"""

import re
from collections.abc import Callable, Collection, Sequence
from typing import Final

import trio

from automate.engine.engine import Watcher
from automate.engine.rehearsal import Act, Transcript
from automate.errors import AutomateError, UsageError
from automate.live.listener import Listener
from automate.live.panel import Call
from automate.machine.actions import ListBackups, Output, ShowBackup, Traced, action_fields
from automate.recording.redaction import Redactor
from automate.testing.transcripts import traced_line
from automate.wire.codec import decode_server
from automate.wire.console import clean
from automate.wire.frame import ABSENT, unpack
from automate.wire.messages import (
    AuthSucceeded,
    ClientMessage,
    ConsoleOutput,
    PowerAction,
    PowerState,
    SendCommand,
    ServerMessage,
    SetState,
    StatsReported,
    StatusChanged,
)

__all__ = ["Ears", "Play", "told_lines"]

# In virtual time a session pings for ever: whoever waits for what never comes would not end.
_SILENCE_SECONDS: Final = 3600.0
# Of one moment: what leads to a connection, the server's answers, what we make of them, an end.
_ORDER: Final = ("=", "* opened", "* failed", "> auth", "<", ">", "*")
_SHOWN_LINES: Final = 20
_POWER: Final = frozenset(PowerAction)
_ENDS: Final = ("done", "failed", "held back")
# Each error has an id of its own, which is no news.
_ERROR_ID: Final = re.compile(r"(?<=Error Event \[)[0-9a-f-]{36}(?=\])")


class Ears(Listener):
    """Writes down what is said, ``<`` by the server, ``>`` to it, ``=`` with the panel.

    The clock shows *begins_at* when the server lets us in for the first time.
    """

    def __init__(self, *, begins_at: float) -> None:
        self._lines: list[tuple[float, int, str]] = []
        self._begins_at = begins_at
        self._let_in_at: float | None = None
        self._made_at = self._said_at = trio.current_time()
        self._said = 0
        self._redactor = Redactor()
        self._heard: list[ServerMessage] = []
        # The status that was told last, and which of what was heard told of another.
        self._status: PowerState | None = None
        self._changes: set[int] = set()
        self._taken = 0
        self._news = trio.Event()

    @property
    def lines(self) -> list[str]:
        """What was said, in its order; of one moment first what the server said, then we.

        How the two directions cut across each other within a moment is trio's chance.
        """
        ordered = sorted(self._lines, key=lambda line: line[:2])
        return [f"  {at:9.4f}  {words}" for at, _, words in ordered]

    def seconds(self, at: float) -> float:
        """Return what the recording's clock shows at the moment *at* of trio's."""
        if self._let_in_at is None:
            return at - self._made_at
        return self._begins_at + at - self._let_in_at

    async def wait_for(
        self,
        what: ServerMessage | str,
        *,
        is_patient: bool,
        hint: Callable[[], str],
        is_change: bool = False,
    ) -> ServerMessage:
        """Wait for the next frame that is *what*; not for ever, unless *is_patient*.

        With *is_change* a status counts only if the one before was another. *hint* tells why
        nothing comes, where that is known.
        """
        __tracebackhide__ = True
        began = trio.current_time()
        while True:
            while self._taken < len(self._heard):
                message = self._heard[self._taken]
                self._taken += 1
                if _is(message, what) and (not is_change or self._taken - 1 in self._changes):
                    return message
            self._news = trio.Event()
            silent_since = max(self._said_at, began)
            deadline = float("inf") if is_patient else silent_since + _SILENCE_SECONDS
            with trio.move_on_at(deadline) as patience:
                await self._news.wait()
            if patience.cancelled_caught:
                before = told_lines(self.lines[: self._said])[-_SHOWN_LINES:]
                shown = "\n".join(before) or "  nothing at all"
                raise AssertionError(
                    f"waited for {what!r}, and nothing was said for an hour{hint()}; before "
                    f"that:\n\n{shown}"
                )

    def pass_over(self) -> None:
        """Have the next wait be for what is said from now on."""
        self._taken = len(self._heard)

    # ------------------------------------------------------------ what a session tells

    def opened(self, at: float) -> None:
        """Write that the connection is open."""
        self._write(at, "* opened")

    def received(self, at: float, texts: Sequence[str]) -> None:
        """Write the frames of the server."""
        for text in texts:
            message = decode_server(text)
            if self._let_in_at is None and isinstance(message, AuthSucceeded):
                self._let_in_at = at
            self._write(at, f"< {_frame_words(text)}")
            if isinstance(message, StatusChanged):
                if self._status not in (None, message.status):
                    self._changes.add(len(self._heard))
                self._status = message.status
            self._heard.append(message)
            # A session brings a new token every few minutes and a model tells its stats each
            # second, both for ever: that is no sign of life.
            if not isinstance(message, AuthSucceeded | StatsReported):
                self._said_at, self._said = at, len(self._lines)
        self._news.set()

    def sent(self, at: float, text: str) -> None:
        """Write a frame of ours."""
        self._write(at, f"> {_frame_words(text)}")

    def closed(self, at: float, by: str, code: int | None, reason: str | None) -> None:
        """Write that the connection is over."""
        why = " ".join(str(part) for part in (code, reason) if part is not None)
        self._write(at, f"* closed by {by}{f': {why}' if why else ''}")

    def failed(self, at: float, reason: str) -> None:
        """Write that there is no connection."""
        self._write(at, f"* failed: {reason}")

    def called(self, call: Call) -> None:
        """Write a call to the panel, which was answered now."""
        self._write(trio.current_time(), f"= {call.method} {call.path} {call.status}")

    def _write(self, at: float, words: str) -> None:
        shown = self._redactor.text(_ERROR_ID.sub("…", words))
        rank = next(rank for rank, begin in enumerate(_ORDER) if words.startswith(begin))
        self._lines.append((round(self.seconds(at), 4), rank, shown))


class Play(Watcher):
    """Recipes at work for the *server* of a live node: what they did, as a rehearsal tells it.

    *carry* takes messages to the server, over the session of the recipes.
    """

    carry: Callable[[ClientMessage], None]

    def __init__(
        self,
        name: str,
        ears: Ears,
        *,
        server: str,
        recipes: Collection[str],
        is_patient: bool,
    ) -> None:
        self._server = server
        self._name = name
        self._ears = ears
        self._is_patient = is_patient
        # How many ends of each recipe the test has waited for.
        self._ended = dict.fromkeys(recipes, 0)
        self._acts: list[Act] = []
        self._trace: list[tuple[float, Traced]] = []
        self._news = trio.Event()

    def send(self, what: str | ClientMessage) -> None:
        """Send something of the test's own: a power action by its name, a command, or a message.

        It is what a `Timeline` would find by the same word, had a recipe sent it. What was said
        before is no answer to it: whoever waits for a frame then waits for a later one.
        """
        if isinstance(what, str):
            what = SetState(what) if what in _POWER else SendCommand(what)
        self._ears.pass_over()
        self.carry(what)

    async def ended(self, recipe: str) -> str:
        """Wait until *recipe* is next done, failed or held back, and return which.

        Each end is taken once. Raises a `UsageError` if there is no such recipe, and an
        `AssertionError` if it comes to no end within an hour of virtual time.
        """
        __tracebackhide__ = True
        if recipe not in self._ended:
            known = ", ".join(map(repr, self._ended))
            raise UsageError(f"no recipe is called {recipe!r}; there are: {known}")
        with trio.move_on_after(float("inf") if self._is_patient else _SILENCE_SECONDS):
            while True:
                ends = [
                    traced.what
                    for _, traced in self._trace
                    if traced.recipe == recipe and traced.what in _ENDS
                ]
                if len(ends) > self._ended[recipe]:
                    self._ended[recipe] += 1
                    return ends[self._ended[recipe] - 1]
                self._news = trio.Event()
                await self._news.wait()
        shown = "\n".join(traced_line(*one) for one in self._trace) or "  nothing at all"
        raise AssertionError(
            f"waited for {recipe!r} to end, and it did not within an hour; what was decided:"
            f"\n\n{shown}"
        )

    @property
    def transcript(self) -> Transcript:
        """What was done and decided so far."""
        return Transcript(
            recording=self._name,
            acts=tuple(self._acts),
            trace=tuple(self._trace),
            seconds=self._now(),
        )

    def did(self, action: Output, *, dry: bool) -> None:
        """Note an action."""
        if action.server == self._server and not isinstance(
            action, Traced | ShowBackup | ListBackups
        ):
            fields = action_fields(action)
            self._acts.append(
                Act(recording=self._name, at=self._now(), recipe=action.recipe, action=fields)
            )

    def decided(self, traced: Traced) -> None:
        """Note a decision."""
        if traced.server != self._server:
            return
        self._trace.append((self._now(), traced))
        self._news.set()

    def saw(self, server: str, words: str) -> None:
        """Note nothing: the traffic says it."""

    def gave_up(self, server: str, error: AutomateError) -> None:
        """Note nothing: whoever runs the session gets *error* itself."""

    def _now(self) -> float:
        return self._ears.seconds(trio.current_time())


def told_lines(traffic: Sequence[str]) -> list[str]:
    """Return the lines of *traffic* that tell something: not the stats of each second."""
    return [line for line in traffic if "  < stats: " not in line]


def _is(message: ServerMessage, what: ServerMessage | str) -> bool:
    if isinstance(what, str):
        return isinstance(message, ConsoleOutput) and what in clean(message.line)
    return message == what


def _frame_words(text: str) -> str:
    """Return a frame in one line: its event, and its arguments if there are any."""
    event, args = unpack(text)
    if event is None:
        return repr(text)
    parts = [part for part in args if part is not None] if isinstance(args, list) else []
    if args is not ABSENT and not isinstance(args, list) and args is not None:
        parts = [args]
    shown = " ".join(part if isinstance(part, str) else repr(part) for part in parts)
    return f"{event}: {shown if shown.isprintable() else repr(shown)}" if parts else event

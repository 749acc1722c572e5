"""Recipes played against a recording: no network, no waiting, the same transcript each time.

What the server said is the input; what the recipes would have done is the transcript. The
recorded client's own deeds are no input, for a real socket does not show what others send.
RECORDING, "Rehearsing", is the law here.
"""

import heapq
import re
from collections import deque
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, Final

from attrs import define, evolve, field, frozen

from automate.errors import UsageError
from automate.machine.actions import MakeBackup, Output, ShowBackup, Traced, action_fields
from automate.machine.doing import Answer
from automate.machine.recipes import RecipeMachine
from automate.machine.seen_lines import Heard, SeenLines
from automate.machine.stage import Manner
from automate.recipe.recipe import Recipe
from automate.recipe.selectors import ServerFacts
from automate.recording.format import (
    ClientFrame,
    Entry,
    Header,
    PanelCall,
    ServerFrame,
    Transport,
)
from automate.wire import messages as m
from automate.wire.codec import decode_server

__all__ = ["AFTER_SECONDS", "Act", "Ask", "Transcript", "backup_answer", "rehearse"]

# How long, in virtual time, what is running at the end of the tape may go on.
AFTER_SECONDS: Final = 300.0
_SERVER_PATH: Final = re.compile(r"^.*?/api/client/servers/[^/]+")
# Whoever hears one of these has been let in.
_SAID_INSIDE: Final = (m.AuthSucceeded, m.StatusChanged, m.ConsoleOutput, m.StatsReported)


@frozen(kw_only=True)
class Act:
    """One thing a recipe did, *at* seconds after the recording's start.

    *action* is one of ``{"set state": …}``, ``{"send command": …}``, ``{"backup": name}``,
    ``{"notify": text}`` and ``{"call": name}``. *unconfirmed*: nothing on the tape shows that
    it worked, so what follows it is hypothetical.
    """

    recording: str
    at: float
    recipe: str
    action: dict[str, str]
    unconfirmed: bool = False

    def as_json(self) -> dict[str, Any]:
        """Return the act as it is printed, one line each."""
        said = {
            "recording": self.recording,
            "t": round(self.at, 4),
            "recipe": self.recipe,
            "action": self.action,
        }
        return {**said, "unconfirmed": True} if self.unconfirmed else said


@frozen
class Ask:
    """A recipe asked for by *name*, *at* seconds after the recording's start."""

    name: str
    at: float


@frozen(kw_only=True)
class Transcript:
    """What the recipes did on one recording, and why (*trace*, in moments and decisions)."""

    recording: str
    acts: tuple[Act, ...]
    trace: tuple[tuple[float, Traced], ...]
    # Recipes that were still running when the time after the tape was over.
    unfinished: tuple[str, ...] = ()
    # Recipes that were to be asked for after the end of the tape, and so were not.
    unasked: tuple[str, ...] = ()
    seconds: float = 0.0


def rehearse(
    recipes: Sequence[Recipe],
    entries: Iterable[Entry],
    *,
    header: Header,
    title: str,
    start_at: datetime | None = None,
    asks: Sequence[Ask] = (),
    after_seconds: float = AFTER_SECONDS,
) -> Transcript:
    """Return what *recipes* do on a recording, as it is read from *entries*.

    *title* names the recording in the transcript. The wall clock starts at *start_at*, or at
    the recording's own start.

    Raises:
        UsageError: a recipe is asked for that is not there.
        RecordingError: the recording turns out to be broken.
    """
    known = {recipe.name for recipe in recipes}
    for ask in asks:
        if ask.name not in known:
            raise UsageError(
                f"no recipe is called {ask.name!r}; there are: {', '.join(sorted(known))}"
            )
    stage = _Rehearsal(
        machine=RecipeMachine(
            recipes,
            {
                header.server: ServerFacts(
                    name=header.title or header.server, ids=(header.server, header.server[:8])
                )
            },
            origin=start_at or header.started,
            manner=Manner(asks_once=True, is_alone=True),
        ),
        server=header.server,
        asks=deque(sorted(asks, key=lambda ask: ask.at)),
    )
    stage.play(entries)
    end = stage.now
    unfinished = stage.play_out(end + after_seconds)
    ranks = {recipe.name: rank for rank, recipe in enumerate(recipes)}
    acts = [evolve(act, recording=title) for act in stage.marked()]
    acts.sort(key=lambda act: (round(act.at, 4), ranks[act.recipe]))
    return Transcript(
        recording=title,
        acts=tuple(acts),
        trace=tuple(stage.trace),
        unfinished=tuple(unfinished),
        unasked=tuple(ask.name for ask in stage.asks),
        seconds=end,
    )


@define(kw_only=True)
class _Rehearsal:
    """One recording being played to the machine."""

    machine: RecipeMachine
    server: str
    asks: deque[Ask]
    now: float = 0.0
    # Whether the tape's client is connected and let in.
    is_inside: bool = False
    # A tape has all that came: the console lines that were repeated, too.
    lines: SeenLines = field(factory=SeenLines)
    acts: list[tuple[Act, int, int]] = field(factory=list)
    trace: list[tuple[float, Traced]] = field(factory=list)
    # Steps, by run and position, that nothing on the tape confirmed.
    unconfirmed: set[tuple[int, int | None]] = field(factory=set)
    # Recorded answers that no call has taken yet, and calls that wait for theirs.
    recorded: dict[tuple[str, str], deque[PanelCall]] = field(factory=dict)
    waiting: dict[tuple[str, str], deque[tuple[float, int]]] = field(factory=dict)
    answers: list[tuple[float, int, Answer]] = field(factory=list)

    def play(self, entries: Iterable[Entry]) -> None:
        """Hand the tape over, entry by entry."""
        machine, server = self.machine, self.server
        for entry in entries:
            at = entry.t
            wake_at = machine.wake_at
            is_due = wake_at is not None and wake_at <= at
            if is_due or self.lines.wake_at is not None or self.answers or self.asks:
                self._catch_up(at, answers_too=False)
            self.now = at
            if type(entry) is ServerFrame:
                message = entry.message
                if not self.is_inside and isinstance(message, _SAID_INSIDE):
                    self.is_inside = True
                    self._take(machine.linked(server, at), at)
                if self.lines.wake_at is not None:
                    self._hear(self.lines.take([entry.frame], at), at)
                    continue
                if isinstance(message, m.ConsoleOutput | m.StatusChanged):
                    self.lines.take([entry.frame], at)
                output = machine.heard(server, message, at)
                if output:
                    self._take(output, at)
            else:
                self._other(entry, at)
        self._catch_up(self.now, answers_too=True)
        self._hear(self.lines.stop(), self.now)
        self._take(machine.over(self.now), self.now)

    def play_out(self, until: float) -> list[str]:
        """Let what is running go on; return what still is after that, in words."""
        machine = self.machine
        # What happened on the tape but was not certain at its end is told all the same.
        while (machine.busy or machine.is_settling) and machine.wake_at is not None:
            at = machine.wake_at
            if at > until:
                break
            self._take(machine.due(at), at)
        return [run.recipe for run in machine.busy]

    def marked(self) -> list[Act]:
        """Return the acts, those unconfirmed marked."""
        return [
            evolve(act, unconfirmed=True) if (run, step) in self.unconfirmed else act
            for act, run, step in self.acts
        ]

    def _other(self, entry: Entry, at: float) -> None:
        machine, server = self.machine, self.server
        match entry:
            case Transport(what="closed", by="client"):
                # The recorder leaves: nothing happened to the server or to our connection, but
                # what happens until it is back is not on the tape.
                self.is_inside = False
                self._hear(self.lines.stop(), at)
                self._take(machine.blinded(server, at), at)
            case Transport(what="closed"):
                self.is_inside = False
                self._hear(self.lines.stop(), at)
                self._take(machine.unlinked(server, at), at)
            case ClientFrame(event="send logs"):
                # No input, but what comes back are lines that were said before.
                self._hear(self.lines.logs_asked(at), at)
            case PanelCall():
                self._answer_recorded(entry)

    def _hear(self, texts: Sequence[str], at: float) -> None:
        """Hand over frames among which there may be lines that were held back, or are old."""
        missed = texts.missed if isinstance(texts, Heard) else {}
        for place, text in enumerate(texts):
            message = decode_server(text)
            if place in missed:
                since = missed[place]
                output = self.machine.missed(self.server, message, at, since=since)
            else:
                output = self.machine.heard(self.server, message, at)
            self._take(output, at)

    def _catch_up(self, at: float, *, answers_too: bool) -> None:
        """Hand over what lies before *at*: timers, requests, lines held back, panel answers."""
        while True:
            wake_at = self.machine.wake_at
            asked_at = self.asks[0].at if self.asks else None
            lines_at = self.lines.wake_at
            answer_at = self.answers[0][0] if self.answers else None
            # Of one instant: timers, requests by name, the tape's frames, panel answers.
            moments = [
                (moment, rank)
                for rank, moment in enumerate((wake_at, asked_at, lines_at, answer_at))
                if moment is not None
                and (moment < at or (moment == at and (rank < 3 or answers_too)))
            ]
            if not moments:
                return
            moment, rank = min(moments)
            if rank == 0:
                output = self.machine.due(moment)
            elif rank == 1:
                output = self.machine.asked(self.server, self.asks.popleft().name, moment)
            elif rank == 2:
                self._hear(self.lines.tick(moment), moment)
                continue
            else:
                _, call, answer = heapq.heappop(self.answers)
                output = self.machine.answered(call, answer, moment)
            self._take(output, moment)

    def _take(self, output: Sequence[Output], at: float) -> None:
        """Write down what the machine wants done, and what it decided."""
        for one in output:
            match one:
                case Traced(what="unconfirmed", run=int(run)):
                    self.unconfirmed.add((run, one.step))
                    self.trace.append((at, one))
                case Traced():
                    self.trace.append((at, one))
                case ShowBackup(call=call, uuid=uuid):
                    self._ask_panel("GET", f"/backups/{uuid}", call, at)
                case _:
                    if isinstance(one, MakeBackup):
                        self._ask_panel("POST", "/backups", one.call, at)
                    act = Act(recording="", at=at, recipe=one.recipe, action=action_fields(one))
                    self.acts.append((act, one.run, one.step))

    # ------------------------------------------------------------ the panel's answers

    def _ask_panel(self, method: str, path: str, call: int, at: float) -> None:
        key = (method, path)
        unused = self.recorded.get(key)
        if unused:
            self._answer(unused.popleft(), call, at)
        else:
            self.waiting.setdefault(key, deque()).append((at, call))

    def _answer_recorded(self, entry: PanelCall) -> None:
        # A recording has one server, whose id is written short in some paths.
        path = _SERVER_PATH.sub("", entry.path, count=1).partition("?")[0]
        key = (entry.method, path)
        waiting = self.waiting.get(key)
        if waiting:
            asked_at, call = waiting.popleft()
            self._answer(entry, call, asked_at)
        else:
            self.recorded.setdefault(key, deque()).append(entry)

    def _answer(self, entry: PanelCall, call: int, asked_at: float) -> None:
        at = max(entry.t, asked_at + (entry.seconds or 0.0))
        answer = backup_answer(entry.status, entry.response)
        heapq.heappush(self.answers, (at, call, answer))


def backup_answer(status: int | None, response: Any) -> Answer:
    """Return what the panel's answer to a backup call says (PROTOCOL 4.2)."""
    attributes = response.get("attributes") if isinstance(response, dict) else None
    if status is None or not 200 <= status < 300 or not isinstance(attributes, dict):
        return Answer(error=_detail(status, response))
    ended = attributes.get("completed_at") is not None
    successful = bool(attributes.get("is_successful"))
    return Answer(
        uuid=attributes.get("uuid"),
        is_done=ended and successful,
        is_failed=ended and not successful,
    )


def _detail(status: int | None, response: Any) -> str:
    try:
        detail = str(response["errors"][0]["detail"])
    except (KeyError, IndexError, TypeError):
        detail = "no reason given"
    return f"the panel answered {status}: {detail}"

"""What a recording tells of its causes: the game's own doings, and the machine's and the panel's.

The model is the daemon, so whatever happened to the real daemon has to happen to the model too.
Some of it is recorded (output, statistics, exits), some must be concluded: lines printed while
nobody could see them, a node that was restarted, a token that was denied. The rules are in
docs/model.md ("What is concluded"); nothing here knows a recording by its name.
"""

from bisect import bisect_right
from difflib import SequenceMatcher
from typing import Final

from attrs import define, field, frozen

from automate.fake.model.claims import DENIED, Claims
from automate.fake.model.settings import Settings
from automate.fake.model.setup import earlier_crash, first_usage, read_settings, read_tokens
from automate.fake.model.signals import (
    BackupEnded,
    Exited,
    Input,
    Measured,
    NodeStarted,
    NodeStopped,
    Printed,
    TokensDenied,
    Usage,
)
from automate.fake.model.transcript import Transcript
from automate.recording.format import ClientFrame, Transport
from automate.recording.reader import Recording
from automate.wire import messages as m
from automate.wire.console import CrashNoted, crash_report
from automate.wire.messages import PowerState

__all__ = ["Cause", "Evidence", "read_evidence"]

# An answer to `send logs`: RECORDING.md, "Replaying".
_LOGS_BEGIN_SECONDS: Final = 0.25
_LOGS_NEXT_SECONDS: Final = 0.05
_LOGS_LINES: Final = 150
_ANSWER_SECONDS: Final = 0.1
_TICK_SECONDS: Final = 30
_TICK_SPREAD_SECONDS: Final = 0.02
_STATS_SECONDS: Final = 1.003
_STATS_SPREAD_SECONDS: Final = 0.25
_BOOT_SECONDS: Final = 0.34
_FLOOD_LINES: Final = 2000
_CUT_BYTES: Final = 65536
_LOST_BYTES: Final = 4096
_FLOODED: Final = "Server is outputting console data too quickly"
_CHECKING: Final = "server disk space usage"
_SHORTLY: Final = 0.0005


@frozen(order=True)
class Cause:
    """Something that happened to the daemon at a moment; *number* keeps one moment in order."""

    at: float
    number: float
    what: Input = field(order=False)
    # Whether no entry tells of it.
    is_concluded: bool = field(default=False, order=False, kw_only=True)


@frozen(kw_only=True)
class Evidence:
    """How to set the model up, and what is to happen to it beside the client's own doings."""

    settings: Settings
    usage: Usage
    last_crash_at: float | None
    tokens: dict[str, Claims]
    causes: tuple[Cause, ...]
    # Lines that nobody saw and that have no reason to be hidden: the daemon lost them.
    lost: tuple[str, ...]


@define
class _Line:
    """A line of the game's, as it is to be printed; an echo is among them."""

    at: float
    number: float
    text: str
    is_hidden: bool = False


def read_evidence(recording: Recording) -> Evidence:
    """Return what *recording* tells of its causes."""
    return _Detective(Transcript(recording)).conclude()


@define
class _Detective:
    """The examination of one recording."""

    script: Transcript
    answers: dict[int, list[int]] = field(factory=dict)
    lines: list[_Line] = field(factory=list)
    slots: list[float] = field(factory=list)
    lost: list[str] = field(factory=list)
    causes: list[Cause] = field(factory=list)

    def conclude(self) -> Evidence:
        self.find_log_answers()
        self.find_lines()
        self.find_slots()
        self.find_hidden_lines()
        self.find_floods()
        self.find_process()
        self.find_node()
        self.causes += [
            Cause(line.at, line.number, Printed(line.text), is_concluded=line.is_hidden)
            for line in self.lines
        ]
        return Evidence(
            settings=read_settings(self.script),
            usage=first_usage(self.script),
            last_crash_at=earlier_crash(self.script),
            tokens=read_tokens(self.script),
            causes=tuple(sorted(self.causes)),
            lost=tuple(self.lost),
        )

    def at(self, index: int) -> float:
        """Return the moment of an entry."""
        return self.script.entries[index].t

    def floods(self) -> list[int]:
        """Return the frames that tell of a flood."""
        own = self.script.own_lines()
        return [index for index, text in own if text.startswith(_FLOODED)]

    # ------------------------------------------------------------ lines

    def find_log_answers(self) -> None:
        """Tell the answers to `send logs` from live lines."""
        for index, entry in enumerate(self.script.entries):
            if not (isinstance(entry, ClientFrame) and entry.event == "send logs"):
                continue
            run: list[int] = []
            last = entry.t
            for later in range(index + 1, len(self.script.entries)):
                t = self.at(later)
                if t - last > (_LOGS_NEXT_SECONDS if run else _LOGS_BEGIN_SECONDS):
                    break
                if self.script.is_game_line(later) and len(run) < _LOGS_LINES:
                    run.append(later)
                    last = t
            if run and self.script.state_at(index) is not PowerState.OFFLINE:
                self.answers[index] = run

    def find_lines(self) -> None:
        """Take the live lines as printed, in the way the game printed them."""
        answered = {index for run in self.answers.values() for index in run}
        for index in self.script.said:
            if self.script.is_game_line(index) and index not in answered:
                line = self.script.raw_line(index)
                before = self.lines[-1] if self.lines else None
                if before is not None and self.was_cut(before, index):
                    before.text += "?" * _LOST_BYTES + line
                else:
                    self.lines.append(_Line(self.at(index), index, line))

    def was_cut(self, before: _Line, index: int) -> bool:
        size = len(before.text.encode("utf-8", "surrogateescape")) % (_CUT_BYTES + _LOST_BYTES)
        soon = self.at(index) - before.at < _ANSWER_SECONDS
        return size == _CUT_BYTES and soon

    def find_slots(self) -> None:
        """Find the `jwt error` frames that each stand for an event nobody saw."""
        first_auth = 0.0
        asked: list[float] = []
        for index, entry in enumerate(self.script.entries):
            message = self.script.said.get(index)
            match entry, message:
                case (Transport(what="opened"), _):
                    asked, first_auth = [], 0.0
                case (ClientFrame(event=event), _) if event not in (None, "auth"):
                    asked.append(entry.t)
                case (_, m.AuthSucceeded()) if not first_auth:
                    first_auth = entry.t
                case (_, m.JwtErrorReported(text=text)) if not text.startswith("Error Event"):
                    asked = [at for at in asked if entry.t - at < _ANSWER_SECONDS]
                    since = (entry.t - first_auth) % _TICK_SECONDS
                    if asked:
                        asked.pop(0)
                    elif first_auth and not min(since, 30 - since) < _TICK_SPREAD_SECONDS:
                        self.slots.append(entry.t)
        self.take_stats()

    def take_stats(self) -> None:
        """Take those of the slots for stats that keep their beat; the rest are lines."""
        if not self.slots:
            return
        seen = [self.at(index) for index, _usage in self.script.measured()]
        seen = [at for at in seen if at < self.slots[0]]
        beat = (seen[-1] if seen else self.slots[0]) + _STATS_SECONDS
        rest = list(self.slots)
        self.slots = []
        while rest:
            near = [at for at in rest if abs(at - beat) < _STATS_SPREAD_SECONDS]
            if near:
                taken = min(near, key=lambda at: abs(at - beat))
                rest.remove(taken)
                usage = self.usage_before(taken)
                self.causes.append(Cause(taken, 0, Measured(usage), is_concluded=True))
                beat = taken
            beat += _STATS_SECONDS
            early = [at for at in rest if at < beat - _STATS_SPREAD_SECONDS]
            self.slots += early
            rest = rest[len(early) :]

    def find_hidden_lines(self) -> None:
        """Find what the answers to `send logs` show and nobody had seen live."""
        for index, run in self.answers.items():
            asked_at = self.at(index)
            begin = self.run_begin(index)
            seen = [line for line in self.lines if begin <= line.at < asked_at]
            shown = [self.script.raw_line(later) for later in run]
            matcher = SequenceMatcher(None, [line.text for line in seen], shown, autojunk=False)
            found: list[_Line] = []
            for tag, _i, j, k, n in matcher.get_opcodes():
                if tag in ("insert", "replace"):
                    before = seen[j - 1] if j else None
                    after = seen[j].at if j < len(seen) else asked_at
                    found += self.hide(shown[k:n], before, after, begin)
            self.lines = sorted([*self.lines, *found], key=lambda line: (line.at, line.number))

    def run_begin(self, index: int) -> float:
        """Return when the container's present run began, as far as the recording shows."""
        for earlier in range(index, -1, -1):
            message = self.script.said.get(earlier)
            if message == m.StatusChanged(PowerState.STARTING):
                return self.at(earlier)
        return 0.0

    def hide(
        self, texts: list[str], before: _Line | None, after: float, begin: float
    ) -> list[_Line]:
        """Return the lines *texts* at moments at which nobody could see them."""
        start = before.at if before is not None else begin
        number = before.number if before is not None else 0.0
        free = [at for at in self.slots if start < at < after]
        floods = [at for at in map(self.at, self.floods()) if start <= at < after]
        hidden = []
        for place, text in enumerate(texts, 1):
            at = start
            if free:
                at = free.pop(0)
                self.slots.remove(at)
            elif (blind := self.blind_moment(start, after)) is not None:
                at = blind
            elif not floods:
                self.lost.append(text)
            hidden.append(_Line(at, number + place / (len(texts) + 1), text, is_hidden=True))
        return hidden

    def blind_moment(self, start: float, end: float) -> float | None:
        """Return a moment between the two at which no client was let in."""
        is_in, since = False, 0.0
        for index, entry in enumerate(self.script.entries):
            if isinstance(entry, Transport) and entry.what in ("closed", "failed"):
                is_in, since = False, entry.t
            elif isinstance(self.script.said.get(index), m.AuthSucceeded) and not is_in:
                is_in = True
                first, last = max(since, start), min(entry.t, end)
                if first < last:
                    return (first + last) / 2
        return None

    def find_floods(self) -> None:
        """Print at once what the daemon counted at once, and then the line that was too many."""
        for index in self.floods():
            told_at = self.at(index)
            numbers = [line.number for line in self.lines]
            end = bisect_right(numbers, index)
            earlier = [flood for flood in self.floods() if flood < index]
            counted = [
                line
                for line in self.lines[:end]
                if not line.is_hidden and (not earlier or line.number > earlier[-1])
            ][-_FLOOD_LINES:]
            at = counted[0].at if counted else told_at
            for line in self.lines[:end]:
                if counted and line.number >= counted[0].number:
                    line.at = min(line.at, at)
            place = counted[-1].number if counted else index
            self.lines.insert(end, _Line(at, place + 0.0001, "(dropped)", is_hidden=True))
            self.lines.sort(key=lambda line: line.number)

    # ------------------------------------------------------------ process and node

    def usage_before(self, at: float) -> Usage:
        """Return the last usage that was seen before *at*."""
        earlier = [usage for index, usage in self.script.measured() if self.at(index) < at]
        return earlier[-1] if earlier else first_usage(self.script)

    def find_process(self) -> None:
        """Find statistics, ends of the process and finished backups."""
        for index, usage in self.script.measured():
            self.causes.append(Cause(self.at(index), index, Measured(usage)))
        is_greeting = False
        for index, message in self.script.said.items():
            at = self.at(index)
            match message:
                case m.AuthSucceeded():
                    is_greeting = True
                    continue
                case m.StatusChanged(PowerState.OFFLINE) if not is_greeting:
                    self.causes.append(Cause(at, index, self.end(index)))
                case m.BackupCompleted():
                    ended = BackupEnded(
                        uuid=message.uuid,
                        is_successful=message.is_successful,
                        checksum=message.checksum,
                        size_bytes=message.size_bytes,
                    )
                    self.causes.append(Cause(at, index, ended))
            is_greeting = False

    def end(self, index: int) -> Exited:
        """Return the end of the process that made the server offline at *index*."""
        code, out_of_memory = 0, False
        for later, text in self.script.own_lines():
            if later < index:
                continue
            report = crash_report(text)
            if isinstance(report, CrashNoted):
                code = report.exit_code if report.exit_code is not None else code
                out_of_memory = bool(report.out_of_memory) or out_of_memory
            elif report is not None or _CHECKING in text:
                break
        return Exited(code, out_of_memory)

    def find_node(self) -> None:
        """Find restarts of the node, and tokens that were denied without one."""
        lost_at: float | None = None
        has_restarted = False
        asked_at = 0.0
        denied = False
        for index, entry in enumerate(self.script.entries):
            message = self.script.said.get(index)
            match entry:
                case Transport(what="closed", by="server", code=code) if code in (None, 1006):
                    self.causes.append(Cause(entry.t, index, NodeStopped(), is_concluded=True))
                    lost_at = entry.t
                case Transport(what="opened") if lost_at is not None:
                    at = max(entry.t - _BOOT_SECONDS, (entry.t + lost_at) / 2)
                    self.causes.append(Cause(at, index, NodeStarted(), is_concluded=True))
                    lost_at, has_restarted = None, True
                case ClientFrame():
                    asked_at = entry.t
            is_denied = isinstance(message, m.JwtErrorReported) and DENIED in message.text
            if is_denied and not has_restarted and not denied:
                at = asked_at if entry.t - asked_at < _ANSWER_SECONDS else entry.t
                self.causes.append(Cause(at - _SHORTLY, index, TokensDenied(""), is_concluded=True))
            denied = is_denied or (denied and not isinstance(message, m.AuthSucceeded))

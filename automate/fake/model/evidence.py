"""What a recording tells of its causes: the game's own doings, and the machine's and the panel's.

The model is the daemon, so whatever happened to the real daemon has to happen to the model too.
Some of it is recorded (output, statistics, exits), some must be concluded: lines printed while
nobody could see them, a node that was restarted, a token that was denied. The rules are in
docs/model.md ("What is concluded"); nothing here knows a recording by its name.
"""

import re
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from difflib import SequenceMatcher
from typing import Final

from attrs import define, field, frozen

from automate.fake.model.claims import DENIED, Claims
from automate.fake.model.settings import Kind, Settings
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
from automate.recording.format import ClientFrame, Entry, PanelCall, ServerFrame, Transport
from automate.recording.reader import Recording
from automate.wire import messages as m
from automate.wire.console import CrashNoted, crash_report, daemon_line
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
    return _Detective(recording).conclude()


@define
class _Detective:
    """A recording under examination; entries are known by their index."""

    recording: Recording
    entries: Sequence[Entry] = field(init=False)
    said: dict[int, m.ServerMessage] = field(factory=dict)
    answers: dict[int, list[int]] = field(factory=dict)
    lines: list[_Line] = field(factory=list)
    slots: list[float] = field(factory=list)
    lost: list[str] = field(factory=list)
    causes: list[Cause] = field(factory=list)

    def __attrs_post_init__(self) -> None:
        self.entries = self.recording.entries
        for index, entry in enumerate(self.entries):
            if isinstance(entry, ServerFrame):
                self.said[index] = entry.message

    def conclude(self) -> Evidence:
        self.find_log_answers()
        self.find_lines()
        self.find_slots()
        self.find_hidden_lines()
        self.find_floods()
        self.find_process()
        self.find_node()
        self.causes += [Cause(line.at, line.number, Printed(line.text)) for line in self.lines]
        return Evidence(
            settings=self.settings(),
            usage=self.first_usage(),
            last_crash_at=self.earlier_crash(),
            tokens=self.tokens(),
            causes=tuple(sorted(self.causes)),
            lost=tuple(self.lost),
        )

    def own(self, index: int) -> str | None:
        """Return what the daemon itself says on the console in this frame."""
        message = self.said.get(index)
        return daemon_line(message.line) if isinstance(message, m.ConsoleOutput) else None

    def own_lines(self) -> Iterable[tuple[int, str]]:
        """Return every line of the daemon's own."""
        for index in self.said:
            text = self.own(index)
            if text is not None:
                yield index, text

    # ------------------------------------------------------------ lines

    def find_log_answers(self) -> None:
        """Tell the answers to `send logs` from live lines."""
        for index, entry in enumerate(self.entries):
            if not (isinstance(entry, ClientFrame) and entry.event == "send logs"):
                continue
            run: list[int] = []
            last = entry.t
            for later in range(index + 1, len(self.entries)):
                t = self.entries[later].t
                if t - last > (_LOGS_NEXT_SECONDS if run else _LOGS_BEGIN_SECONDS):
                    break
                if self.is_game_line(later) and len(run) < _LOGS_LINES:
                    run.append(later)
                    last = t
            if run and self.state_at(index) is not PowerState.OFFLINE:
                self.answers[index] = run

    def is_game_line(self, index: int) -> bool:
        return isinstance(self.said.get(index), m.ConsoleOutput) and self.own(index) is None

    def state_at(self, index: int) -> PowerState:
        for earlier in range(index, -1, -1):
            message = self.said.get(earlier)
            if isinstance(message, m.StatusChanged):
                return message.status
        return PowerState.OFFLINE

    def find_lines(self) -> None:
        """Take the live lines as printed, in the way the game printed them."""
        answered = {index for run in self.answers.values() for index in run}
        for index in self.said:
            if self.is_game_line(index) and index not in answered:
                line = self.raw_line(index)
                before = self.lines[-1] if self.lines else None
                if before is not None and self.was_cut(before, index):
                    before.text += "?" * _LOST_BYTES + line
                else:
                    self.lines.append(_Line(self.entries[index].t, index, line))

    def was_cut(self, before: _Line, index: int) -> bool:
        size = len(before.text.encode("utf-8", "surrogateescape")) % (_CUT_BYTES + _LOST_BYTES)
        soon = self.entries[index].t - before.at < _ANSWER_SECONDS
        return size == _CUT_BYTES and soon

    def raw_line(self, index: int) -> str:
        """Return a line as the game printed it: broken bytes, and a space before a return."""
        entry = self.entries[index]
        message = self.said[index]
        assert isinstance(entry, ServerFrame)
        assert isinstance(message, m.ConsoleOutput)
        line = message.line
        if entry.text is not None and "\\ufffd" in entry.text:
            line = line.replace("\ufffd", "\udcff")
        return line.replace("\r\n", " \r")

    def find_slots(self) -> None:
        """Find the `jwt error` frames that each stand for an event nobody saw."""
        first_auth = 0.0
        asked: list[float] = []
        last_stats = 0.0
        for index, entry in enumerate(self.entries):
            message = self.said.get(index)
            match entry, message:
                case (Transport(what="opened"), _):
                    asked, first_auth = [], 0.0
                case (ClientFrame(event=event), _) if event not in (None, "auth"):
                    asked.append(entry.t)
                case (_, m.AuthSucceeded()) if not first_auth:
                    first_auth = entry.t
                case (_, m.StatsReported()):
                    last_stats = entry.t
                case (_, m.JwtErrorReported(text=text)) if not text.startswith("Error Event"):
                    asked = [at for at in asked if entry.t - at < _ANSWER_SECONDS]
                    since = (entry.t - first_auth) % _TICK_SECONDS
                    if asked:
                        asked.pop(0)
                    elif first_auth and not min(since, 30 - since) < _TICK_SPREAD_SECONDS:
                        self.slots.append(entry.t)
        self.take_stats(last_stats)

    def take_stats(self, _last: float) -> None:
        """Take those of the slots for stats that keep their beat; the rest are lines."""
        if not self.slots:
            return
        usages = [at for at, _usage in self.measured() if at < self.slots[0]]
        beat = (usages[-1] if usages else self.slots[0]) + _STATS_SECONDS
        rest = list(self.slots)
        self.slots = []
        while rest:
            near = [at for at in rest if abs(at - beat) < _STATS_SPREAD_SECONDS]
            if near:
                taken = min(near, key=lambda at: abs(at - beat))
                rest.remove(taken)
                usage = self.usage_before(taken)
                self.causes.append(Cause(taken, 0, Measured(usage)))
                beat = taken
            beat += _STATS_SECONDS
            early = [at for at in rest if at < beat - _STATS_SPREAD_SECONDS]
            self.slots += early
            rest = rest[len(early) :]

    def find_hidden_lines(self) -> None:
        """Find what the answers to `send logs` show and nobody had seen live."""
        for index, run in self.answers.items():
            asked_at = self.entries[index].t
            begin = self.run_begin(index)
            seen = [line for line in self.lines if begin <= line.at < asked_at]
            shown = [self.raw_line(later) for later in run]
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
            message = self.said.get(earlier)
            if message == m.StatusChanged(PowerState.STARTING):
                return self.entries[earlier].t
        return 0.0

    def hide(
        self, texts: list[str], before: _Line | None, after: float, begin: float
    ) -> list[_Line]:
        """Return the lines *texts* at moments at which nobody could see them."""
        start = before.at if before is not None else begin
        number = before.number if before is not None else 0.0
        free = [at for at in self.slots if start < at < after]
        flood = [self.entries[i].t for i, text in self.own_lines() if text.startswith(_FLOODED)]
        floods = [at for at in flood if start <= at < after]
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
        for index, entry in enumerate(self.entries):
            if isinstance(entry, Transport) and entry.what in ("closed", "failed"):
                is_in, since = False, entry.t
            elif isinstance(self.said.get(index), m.AuthSucceeded) and not is_in:
                is_in = True
                first, last = max(since, start), min(entry.t, end)
                if first < last:
                    return (first + last) / 2
        return None

    def find_floods(self) -> None:
        """Print at once what the daemon counted at once, and then the line that was too many."""
        for index, text in self.own_lines():
            if not text.startswith(_FLOODED):
                continue
            told_at = self.entries[index].t
            numbers = [line.number for line in self.lines]
            end = bisect_right(numbers, index)
            earlier = [
                i for i, other in self.own_lines() if other.startswith(_FLOODED) and i < index
            ]
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

    def measured(self) -> Iterable[tuple[float, Usage]]:
        """Return the stats that nobody asked for, but for those of the end."""
        for index, message in self.said.items():
            entry = self.entries[index]
            if isinstance(message, m.StatsReported) and isinstance(entry, ServerFrame):
                is_asked = str(entry.args[0]).startswith('{"memory_bytes"')
                if not is_asked and message.stats.state != PowerState.OFFLINE:
                    yield entry.t, _usage(message.stats)

    def usage_before(self, at: float) -> Usage:
        """Return the last usage that was seen before *at*."""
        earlier = [usage for moment, usage in self.measured() if moment < at]
        return earlier[-1] if earlier else self.first_usage()

    def find_process(self) -> None:
        """Find statistics, ends of the process and finished backups."""
        self.causes += [Cause(at, 0, Measured(usage)) for at, usage in self.measured()]
        is_greeting = False
        for index, message in self.said.items():
            at = self.entries[index].t
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
        for later, text in self.own_lines():
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
        for index, entry in enumerate(self.entries):
            message = self.said.get(index)
            match entry:
                case Transport(what="closed", by="server", code=code) if code in (None, 1006):
                    self.causes.append(Cause(entry.t, index, NodeStopped()))
                    lost_at = entry.t
                case Transport(what="opened") if lost_at is not None:
                    at = max(entry.t - _BOOT_SECONDS, (entry.t + lost_at) / 2)
                    self.causes.append(Cause(at, index, NodeStarted()))
                    lost_at, has_restarted = None, True
                case ClientFrame():
                    asked_at = entry.t
            is_denied = isinstance(message, m.JwtErrorReported) and DENIED in message.text
            if is_denied and not has_restarted and not denied:
                at = asked_at if entry.t - asked_at < _ANSWER_SECONDS else entry.t
                self.causes.append(Cause(at - _SHORTLY, index, TokensDenied("")))
            denied = is_denied or (denied and not isinstance(message, m.AuthSucceeded))

    # ------------------------------------------------------------ how it was set up

    def settings(self) -> Settings:
        header = self.recording.header
        texts = [text for _index, text in self.own_lines()]
        boots = any(text.startswith("Updating process") for text in texts)
        is_limited = any(_CHECKING in text for text in texts) or not boots
        is_newer = (header.daemon or "").startswith("pelican")
        return Settings(
            kind=Kind.PELICAN if is_newer else Kind.PTERODACTYL,
            server=header.server,
            epoch=header.started.timestamp(),
            done=self.done_patterns(),
            stop_text=self.stop_text(),
            disk_limit_bytes=1 << 50 if is_limited else None,
            crash_detection=not any("crash detection is disabled" in text for text in texts),
        )

    def done_patterns(self) -> tuple[str, ...]:
        """Return what the lines before each `running` have in common with the next: no numbers."""
        patterns: list[str] = []
        for index, message in self.said.items():
            if message == m.StatusChanged(PowerState.RUNNING):
                line = next((i for i in range(index, -1, -1) if self.is_game_line(i)), None)
                if line is not None:
                    text = re.sub(r"\d+", r"\\d+", re.escape(self.raw_line(line)))
                    patterns.append(f"regex:^{text}$")
        return tuple(dict.fromkeys(patterns))

    def stop_text(self) -> str:
        """Return the line that is echoed right after a stop was asked for."""
        for index, entry in enumerate(self.entries):
            if not (isinstance(entry, ClientFrame) and entry.event == "set state"):
                continue
            if entry.args not in (["stop"], ["restart"]):
                continue
            for later in range(index + 1, min(index + 4, len(self.entries))):
                if self.is_game_line(later):
                    return self.raw_line(later)
        return "stop"

    def first_usage(self) -> Usage:
        for message in self.said.values():
            if isinstance(message, m.StatsReported):
                stats = message.stats
                return Usage(
                    memory_limit_bytes=stats.memory_limit_bytes or 0,
                    disk_bytes=stats.disk_bytes or 0,
                )
        return Usage()

    def earlier_crash(self) -> float | None:
        """Return a moment for the crash before the recording that the daemon speaks of."""
        for _index, text in self.own_lines():
            if crash_report(text) == CrashNoted():
                found = [other for _i, other in self.own_lines()]
                after = found[found.index(text) + 1 : found.index(text) + 4]
                early = any("last crash occurred less than" in other for other in after)
                return 0.0 if early else None
        return None

    def tokens(self) -> dict[str, Claims]:
        tokens = {}
        for entry in self.entries:
            if isinstance(entry, PanelCall) and entry.claims and isinstance(entry.response, dict):
                token = entry.response.get("data", {}).get("token")
                tokens[token] = Claims.of(entry.claims, server=self.recording.header.server)
        return tokens


def _usage(stats: m.Stats) -> Usage:
    return Usage(
        cpu_percent=stats.cpu_percent or 0,
        memory_bytes=stats.memory_bytes or 0,
        memory_limit_bytes=stats.memory_limit_bytes or 0,
        disk_bytes=stats.disk_bytes or 0,
        uptime_milliseconds=round((stats.uptime_seconds or 0) * 1000),
        received_bytes=stats.network_received_bytes or 0,
        sent_bytes=stats.network_sent_bytes or 0,
        read_bytes=stats.disk_read_bytes or 0,
        written_bytes=stats.disk_written_bytes or 0,
    )

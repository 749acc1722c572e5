"""The analysis of a recording: which frames answered which question, and what was done when.

It is decided once, before anything is played, by the rules of RECORDING.md ("Replaying").
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final

from attrs import define, evolve, field

from automate.fake.framing import ABNORMAL
from automate.fake.script import (
    AnswerFrame,
    AuthQuestion,
    Back,
    Deed,
    Gate,
    Kind,
    Loss,
    PanelAnswered,
    Script,
    call_content,
    frame_content,
)
from automate.fake.steps import Steps
from automate.recording.format import ClientFrame, Entry, PanelCall, ServerFrame, Transport
from automate.wire import messages as m
from automate.wire.console import daemon_line

__all__ = ["TOLERANCE_SECONDS", "read_script"]

# What counts as the answer to a question: RECORDING.md, "Replaying".
_AUTH_SECONDS: Final = 1.0
_STATS_SECONDS: Final = 1.0
_LOGS_BEGIN_SECONDS: Final = 0.25
_LOGS_NEXT_SECONDS: Final = 0.05
_LOGS_LINES: Final = 150
# Recordings keep four decimals; sums of those are off by less than this.
TOLERANCE_SECONDS: Final = 1e-6


@define
class _Reader:
    """A recording under examination; entries are known by their index."""

    entries: Sequence[Entry]
    # Each question by its entry, and the entries of its answer, which may be none.
    asked: dict[int, tuple[Kind, int]] = field(factory=dict)
    answers: dict[tuple[Kind, int], list[int]] = field(factory=dict)
    # The frames that are spoken for: of what question, or (``None``) pushed after an auth.
    taken: dict[int, tuple[Kind, int] | None] = field(factory=dict)
    # The `auth success` frames that a status follows by itself.
    bringing: set[int] = field(factory=set)

    def after(self, index: int, seconds: float) -> Iterable[tuple[int, m.ServerMessage, float]]:
        """Return what the server said on the same connection within *seconds* of *index*."""
        begin = self.entries[index].t
        for later in range(index + 1, len(self.entries)):
            entry = self.entries[later]
            passed = entry.t - begin
            if passed > seconds + TOLERANCE_SECONDS:
                return
            if isinstance(entry, Transport) and entry.what in ("opened", "closed"):
                return
            if isinstance(entry, ServerFrame) and later not in self.taken:
                yield later, entry.message, passed

    def mark_pushed_stats(self) -> None:
        """Set apart the stats that follow a connection's first `auth success` by themselves.

        They look like an answer (their text starts with memory_bytes) but nobody asked: while
        offline the daemon sends `status` and one `stats` after a first auth (PROTOCOL 6.4).
        """
        fresh = True
        for index, entry in enumerate(self.entries):
            if isinstance(entry, Transport) and entry.what == "opened":
                fresh = True
            if not (fresh and isinstance(_said(entry), m.AuthSucceeded)):
                continue
            fresh = False
            status = None
            for later, message, _passed in self.after(index, _AUTH_SECONDS):
                if status is None and isinstance(message, m.StatusChanged):
                    status = message.status
                    self.bringing.add(index)
                elif status is m.PowerState.OFFLINE and self.is_asked_stats(later, message):
                    self.taken[later] = None
                    break

    def find_answers(self) -> None:
        """Give each question the frames that answered it."""
        numbers = dict.fromkeys(Kind, 0)
        offline = False
        for index, entry in enumerate(self.entries):
            if isinstance(message := _said(entry), m.StatusChanged):
                offline = message.status is m.PowerState.OFFLINE
            if not (isinstance(entry, ClientFrame) and entry.event in list(Kind)):
                continue
            kind = Kind(entry.event)
            numbers[kind] += 1
            question = self.asked[index] = kind, numbers[kind]
            match kind:
                case Kind.AUTH:
                    found = self.first(index, _AUTH_SECONDS, lambda _i, said: _answers_auth(said))
                case Kind.STATS:
                    found = self.first(index, _STATS_SECONDS, self.answers_stats)
                case Kind.LOGS:
                    found = [] if offline else self.run_of_lines(index)
            self.answers[question] = found
            self.taken.update(dict.fromkeys(found, question))

    def first(
        self, index: int, seconds: float, wanted: Callable[[int, m.ServerMessage], bool]
    ) -> list[int]:
        """Return the first frame after *index* that is *wanted*, if there is one in time."""
        for later, message, _passed in self.after(index, seconds):
            if wanted(later, message):
                return [later]
        return []

    def answers_stats(self, index: int, said: m.ServerMessage) -> bool:
        """Whether this frame answers a `send stats`."""
        if isinstance(said, m.JwtErrorReported):
            return not said.text.startswith("Error Event")
        return self.is_asked_stats(index, said)

    def is_asked_stats(self, index: int, said: m.ServerMessage) -> bool:
        """Whether these stats were asked for: the daemon then writes memory_bytes first."""
        entry = self.entries[index]
        return (
            isinstance(said, m.StatsReported)
            and isinstance(entry, ServerFrame)
            and str(entry.args[0]).startswith('{"memory_bytes"')
        )

    def run_of_lines(self, index: int) -> list[int]:
        """Return the console lines that answered the `send logs` at *index*."""
        run: list[int] = []
        last = 0.0
        # The longest run: each line at the very end of its time.
        longest = _LOGS_BEGIN_SECONDS + _LOGS_LINES * _LOGS_NEXT_SECONDS
        for later, message, passed in self.after(index, longest):
            allowed = last + _LOGS_NEXT_SECONDS if run else _LOGS_BEGIN_SECONDS
            if passed > allowed + TOLERANCE_SECONDS or len(run) == _LOGS_LINES:
                break
            if isinstance(message, m.ConsoleOutput) and daemon_line(message.line) is None:
                run.append(later)
                last = passed
        return run

    def answer(self, index: int, entry: ServerFrame) -> AnswerFrame | None:
        """Return the frame as an answer, ``None`` where nobody asked."""
        question = self.taken.get(index)
        if question is None:
            return None
        frames = self.answers[question]
        return AnswerFrame(
            at=entry.t,
            text=entry.frame,
            message=entry.message,
            kind=question[0],
            number=question[1],
            is_first=index == frames[0],
            is_last=index == frames[-1],
            brings_status=index in self.bringing,
        )


# Of all frames few say what is looked for here, and to understand one takes time.
_LOOKED_FOR: Final = (m.AuthSucceeded.event, m.StatusChanged.event)


def _said(entry: Entry) -> m.ServerMessage | None:
    """Return what the server said, if that may be an `auth success` or a `status`."""
    if isinstance(entry, ServerFrame) and entry.event in _LOOKED_FOR:
        return entry.message
    return None


def _answers_auth(said: m.ServerMessage) -> bool:
    match said:
        case m.AuthSucceeded():
            return True
        case m.Throttled(what=what):
            # Another event's throttling is no answer; `global` may have been this one's.
            return what in ("auth", "global")
        case m.JwtErrorReported(text=text) | m.DaemonErrorReported(text=text):
            return text.startswith("Error Event")
        case _:
            return False


def read_script(entries: Sequence[Entry], *, server: str) -> Script:
    """Return the script of the recording with these *entries*, of the server with this uuid."""
    reader = _Reader(entries)
    reader.mark_pushed_stats()
    reader.find_answers()
    # Read once: whoever looks for a call looks for this very one.
    calls = {index: entry for index, entry in enumerate(entries) if isinstance(entry, PanelCall)}
    deeds = _find_deeds(entries, calls, server)
    steps = Steps(entries)
    auths: list[AuthQuestion] = []
    lost = waiting = False
    for index, entry in enumerate(entries):
        steps.add(*deeds.get(index, []))
        match entry:
            case ServerFrame():
                answer = reader.answer(index, entry)
                if answer is None:
                    steps.add_push(index)
                else:
                    steps.add(answer)
            case PanelCall(t=at):
                steps.add(PanelAnswered(at=at, call=calls[index]))
            case Transport(t=at, what="closed", by="server") if not lost:
                lost, waiting = True, False
                steps.add(Loss(at=at, code=entry.code or ABNORMAL, reason=entry.reason or ""))
            case Transport(t=at, what="opened") if lost:
                lost, waiting = False, True
                steps.add(Back(at=at))
            case ClientFrame(t=at, event="auth"):
                if waiting:
                    waiting = False
                    question = reader.asked[index]
                    answered = bool(reader.answers[question])
                    steps.add(Gate(at=at, number=question[1], is_answered=answered))
                auths.append(AuthQuestion(at=at, position=len(steps), answer=None))
    return _assemble(server, steps, auths, calls.values())


def _assemble(
    server: str, steps: Steps, auths: Sequence[AuthQuestion], calls: Iterable[PanelCall]
) -> Script:
    landmarks = list(steps.landmarks())
    answers = {
        step.number: step
        for step in landmarks
        if isinstance(step, AnswerFrame) and step.kind is Kind.AUTH
    }
    deeds = [step for step in landmarks if isinstance(step, Deed)]
    return Script(
        server=server,
        steps=steps,
        auths=tuple(
            evolve(auth, answer=answers.get(number)) for number, auth in enumerate(auths, 1)
        ),
        deeds=tuple(sorted(deeds, key=lambda deed: deed.number)),
        calls=tuple(calls),
    )


def _find_deeds(
    entries: Sequence[Entry], calls: Mapping[int, PanelCall], server: str
) -> dict[int, list[Deed]]:
    """Return the deeds by the index of the entry they come before; numbered as recorded."""
    deeds: dict[int, list[Deed]] = {}
    number = 0
    for index, entry in enumerate(entries):
        content, call, place, at = None, calls.get(index), index, entry.t
        if isinstance(entry, ClientFrame):
            content = frame_content(entry.event, entry.args)
        elif call is not None:
            content = call_content(call.method, call.path, call.request, server=server)
            # It is written when its answer came; what the server said in between (a small
            # backup is complete before the panel answers, PROBED 7.1) already followed from it.
            asked = call.t - (call.seconds or 0.0)
            while place and _is_later_frame(entries[place - 1], asked):
                place, at = place - 1, asked
        if content is not None:
            number += 1
            deed = Deed(at=at, number=number, content=content, call=call)
            deeds.setdefault(place, []).append(deed)
    return deeds


def _is_later_frame(entry: Entry, at: float) -> bool:
    return isinstance(entry, ServerFrame) and entry.t > at + TOLERANCE_SECONDS

"""The tape: one recording, played to whoever connects; pure, and one clock for all of it.

In go what live clients do and moments; out come frames, lost connections, answers and notes
(`signals`), and `Tape.wake_at` says when to come back. Nothing here waits or connects. Who is
told what is the conversation's affair, where the tape is the reel's; here recorded deeds are
done by their ghost or left to a live client. The rules are RECORDING.md's ("Replaying").
"""

from collections.abc import Collection
from typing import Any, Final, Literal
from uuid import UUID, uuid5

from automate.errors import UsageError
from automate.fake.analysis import TOLERANCE_SECONDS, read_script
from automate.fake.conversation import NO_TOKEN, Conversation
from automate.fake.ledger import Ledger
from automate.fake.reel import Reel
from automate.fake.script import (
    AnswerFrame,
    Back,
    Content,
    Deed,
    Gate,
    Kind,
    Loss,
    PanelAnswered,
    Push,
    Step,
    call_content,
    frame_content,
    is_well_formed,
)
from automate.fake.signals import (
    Accepted,
    Closed,
    Drop,
    Input,
    Note,
    NoteKind,
    Opened,
    Output,
    PanelReply,
    Refused,
    Said,
    Unrecorded,
)
from automate.fake.view import View
from automate.recording.format import PanelCall
from automate.recording.reader import Recording
from automate.wire import messages as m
from automate.wire.codec import encode_server
from automate.wire.frame import unpack

__all__ = ["Tape", "recorded_deeds"]

# "As fast as the client reads" goes in handfuls, so that the reader sets the pace.
_HANDFUL: Final = 64
_NAMESPACE: Final = UUID("6f0a4b6e-0d9c-4c53-9a3f-6d3b0a5c7e21")


def recorded_deeds(recording: Recording) -> tuple[Deed, ...]:
    """Return what the recorded client did, by number: what can be left to a live one."""
    return read_script(recording.entries, server=recording.header.server).deeds


class Tape:
    """The replay of *recording*.

    *leave* are the numbers of the deeds left to the live client, or ``"all"``; *strict* leaves
    all and refuses any other. *speed* may be infinite: then each call plays a handful of steps,
    and `wake_at` asks for the next at once. Moments (*at*) are live seconds and never fall.

    Raises:
        UsageError: there is no such deed, or no such speed.
    """

    def __init__(
        self,
        recording: Recording,
        *,
        leave: Collection[int] | Literal["all"] = (),
        strict: bool = False,
        speed: float = 1.0,
    ) -> None:
        header = recording.header
        script = read_script(recording.entries, server=header.server)
        self.server = header.server
        self.is_lost = False
        self.view = View(started=header.started)
        self.ledger = Ledger(script.calls, server=header.server)
        self._out: list[Output] = []
        self._reel = Reel(script.steps, speed=speed)
        self._conversation = Conversation(
            script, self._reel, self.view, waits=self._waits_for, out=self._out
        )
        self.deeds = script.deeds
        self._awaited = _left(script.deeds, "all" if strict else leave)
        self._done: set[int] = set()
        self._steps = script.steps
        self._strict = strict
        self._refusals = 0

    @property
    def wake_at(self) -> float | None:
        """When to call `tick`; ``None`` while nothing will happen by itself."""
        return self._reel.wake_at

    @property
    def is_over(self) -> bool:
        """Whether the whole of the tape has been played."""
        return self._reel.is_over

    def seconds(self, at: float) -> float:
        """Return the second of the tape at the live moment *at*."""
        return self._reel.seconds(at)

    def tick(self, at: float) -> list[Output]:
        """Play what is due by *at*."""
        self._play(at)
        return self._flush()

    def handle(self, happened: Input, at: float) -> list[Output]:
        """Take in what a live client did at *at*; return what comes of it, in order."""
        self._play(at, before=True)
        match happened:
            case Opened(socket=socket) if self.is_lost:
                self._out.append(Drop((socket,), 1006, ""))
            case Opened(socket=socket):
                self._conversation.join(socket)
            case Closed(socket=socket):
                self._conversation.leave(socket)
            case Said(socket=socket) if self._conversation.is_present(socket):
                self._hear(happened, at)
        self._play(at)
        return self._flush()

    def call(self, method: str, path: str, body: Any, at: float) -> tuple[PanelReply, list[Output]]:
        """Take in a call to the panel at *at*; return its answer, and what else comes of it."""
        self._play(at, before=True)
        reply: PanelReply
        content = call_content(method, path, body, server=self.server)
        if content is not None:
            reply = self._do_by_panel(content, method, path, body, at)
        elif self.ledger.is_for_token(method, path):
            reply = self.ledger.next_token()
        else:
            reply = self.ledger.take(method, path) or Unrecorded()
        if isinstance(reply, PanelCall):
            self.view.learn(reply)
        self._play(at)
        return reply, self._flush()

    def _flush(self) -> list[Output]:
        out = list(self._out)
        self._out.clear()
        return out

    # ------------------------------------------------------------ playing

    def _play(self, at: float, *, before: bool = False) -> None:
        """Play all steps due at *at*, or (*before*) only those due earlier.

        What comes in at the very moment of a step was first: the recorded client's own question
        stands before its answer, however the clock was rounded.
        """
        handful = _HANDFUL
        while (step := self._reel.due(at, before=before)) is not None:
            if waits_for := self._waits_for(step):
                if self._reel.stand():
                    self._note(NoteKind.WAITING, waits_for, step.at)
                return
            if self._reel.is_instant and not self._reel.is_jumping:
                if not handful:
                    return
                handful -= 1
            self._reel.go(at)
            self._take(step)
            if self._reel.is_over:
                self._note_end(step.at)

    def _waits_for(self, step: Step) -> str | None:
        """Return what the live client must do before *step* is played, ``None`` if nothing."""
        match step:
            case Deed(number=number) if number in self._awaited:
                return f"for {step}"
            case Gate() if not self._conversation.has_knocked:
                return "for a new connection and its auth"
            case _:
                return None

    def _take(self, step: Step) -> None:
        # Nobody was in before the start, so no connection was lost: those steps only catch up.
        is_catching_up = self._reel.passed <= self._reel.begin
        match step:
            case Push():
                self.view.see(step.message, text=step.text, at=step.at)
                self._conversation.push(step.text)
            case AnswerFrame():
                if step.kind is Kind.LOGS and step.is_first:
                    self.view.see_logs_begin()
                self.view.see(step.message, text=step.text, at=step.at)
                self._conversation.answer(step)
            case PanelAnswered():
                self.view.learn(step.call)
            case Deed(number=number) if number not in self._done:
                self._note(NoteKind.GHOST, str(step), step.at)
            case Loss() if not is_catching_up:
                self.is_lost = True
                self._conversation.lose(step)
                how = f"the connection, code {step.code} {step.reason}"
                self._note(NoteKind.LOST, how.rstrip(), step.at)
            case Back() if not is_catching_up:
                self.is_lost = False
                self._note(NoteKind.BACK, "connections are accepted again", step.at)
            case Gate():
                self._conversation.pass_gate()

    # ------------------------------------------------------------ live clients

    def _hear(self, said: Said, at: float) -> None:
        event, args = unpack(said.text)
        if event is None or not is_well_formed(args):
            return
        if event == Kind.AUTH:
            asked = self._conversation.hear_auth(said.socket, said.refusal, at)
            if asked is not None:
                self._reel.start(at, steps=asked.position, tape_seconds=asked.at)
                self._note(NoteKind.STARTED, "the tape runs", asked.at)
        elif event in (Kind.LOGS, Kind.STATS):
            self._conversation.hear(Kind(event), said.socket, at)
        elif not self._conversation.is_let_in(said.socket):
            self._conversation.send([said.socket], NO_TOKEN)
        elif (content := frame_content(event, args)) is not None:
            self._do(content, at, socket=said.socket)

    def _do(self, content: Content, at: float, *, socket: int | None = None) -> Deed | None:
        """Take a live deed: return the left deed that it is, ``None`` if it is none.

        A deed that is none is noted and ignored, or (strictly) refused.
        """
        for deed in self.deeds:
            if deed.number in self._awaited and deed.content == content:
                return self._fulfil(deed, at)
        now = self.seconds(at)
        if not self._strict:
            self._note(NoteKind.IGNORED, f"{content}: the recording goes its own way", now)
            return None
        text = f"{content}: strictly, only recorded deeds are done, each once"
        self._note(NoteKind.REFUSED, text, now)
        if socket is not None:
            self._refusals += 1
            uuid = uuid5(_NAMESPACE, f"{self.server}/{self._refusals}")
            error = m.DaemonErrorReported(f"Error Event [{uuid}]: {text}")
            self._conversation.send([socket], encode_server(error))
        return None

    def _fulfil(self, deed: Deed, at: float) -> Deed:
        self._awaited.discard(deed.number)
        self._done.add(deed.number)
        now = self.seconds(at)
        early = deed.at - now if self._reel.is_started else 0.0
        how = f", {early:.4f} s early" if early > TOLERANCE_SECONDS else ""
        self._note(NoteKind.DONE, f"{deed}{how}", now)
        self._reel.jump(self._steps.index(deed) + 1, deed.at)
        return deed

    def _do_by_panel(
        self, content: Content, method: str, path: str, body: Any, at: float
    ) -> PanelReply:
        deed = self._do(content, at)
        if deed is not None and deed.call is not None:
            if deed.call.request != body:
                how = f"{deed}: recorded with {deed.call.request!r:.200}, now {body!r:.200}"
                self._note(NoteKind.DIFFERED, how, self.seconds(at))
            return self.ledger.take_this(deed.call) or Accepted()
        if deed is None and self._strict:
            return Refused(f"{content}: strictly, only recorded deeds are done, each once")
        if deed is None and (recorded := self.ledger.take(method, path)) is not None:
            return recorded
        if method == "POST" and content.detail.endswith(f"/{self.server}/backups"):
            return Unrecorded(begins_backup=True)
        return Accepted()

    # ------------------------------------------------------------ notes

    def _note(self, kind: NoteKind, text: str, tape_seconds: float) -> None:
        self._out.append(Note(round(tape_seconds, 4), kind, text))

    def _note_end(self, tape_seconds: float) -> None:
        for kind, desk in self._conversation.desks.items():
            if desk.unasked:
                numbers = ", ".join(map(str, desk.unasked))
                text = f"the recorded answers to {kind} {numbers}"
                self._note(NoteKind.UNASKED, text, tape_seconds)
        self._note(NoteKind.ENDED, "the node stays, silent and connected", tape_seconds)


def _left(deeds: Collection[Deed], leave: Collection[int] | Literal["all"]) -> set[int]:
    numbers = {deed.number for deed in deeds}
    if leave == "all":
        return numbers
    if unknown := sorted(set(leave) - numbers):
        known = f"1 to {len(numbers)}" if numbers else "none, for it has no deeds"
        raise UsageError(f"leave: expected numbers of recorded deeds ({known}), found {unknown[0]}")
    return set(leave)

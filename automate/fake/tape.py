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
from automate.fake.attempts import Attempts
from automate.fake.conversation import NO_TOKEN, Conversation
from automate.fake.film import Recorded
from automate.fake.framing import ABNORMAL
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
from automate.fake.stall import Stall, Unasked, differences, fields_of
from automate.fake.successor import Successor
from automate.fake.view import View
from automate.recording.format import PanelCall
from automate.wire import messages as m
from automate.wire.codec import encode_server
from automate.wire.frame import unpack

__all__ = ["Tape", "recorded_deeds"]

# "As fast as the client reads" goes in handfuls, so that the reader sets the pace.
_HANDFUL: Final = 64
_NAMESPACE: Final = UUID("6f0a4b6e-0d9c-4c53-9a3f-6d3b0a5c7e21")


def recorded_deeds(recording: Recorded) -> tuple[Deed, ...]:
    """Return what the recorded client did, by number: what can be left to a live one."""
    return read_script(recording.entries, server=recording.header.server).deeds


class Tape:
    """The replay of *recording*.

    *leave* are the numbers of the deeds left to the live client, or ``"all"``; *strict* leaves
    all and refuses any other; with *lenient* any other ends the tape, and a model of the daemon
    goes on from what it has shown. *speed* may be infinite: then each call plays a handful of
    steps, and `wake_at` asks for the next at once. Moments (*at*) are live seconds and never fall.

    Raises:
        UsageError: there is no such deed, no such speed, or both *strict* and *lenient*.
    """

    def __init__(
        self,
        recording: Recorded,
        *,
        leave: Collection[int] | Literal["all"] = (),
        strict: bool = False,
        lenient: bool = False,
        speed: float = 1.0,
    ) -> None:
        if strict and lenient:
            raise UsageError("strict and lenient: other deeds are either refused or done; drop one")
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
        self.is_strict = strict
        self._lenient = lenient
        self._refusals = 0
        self._attempts = Attempts()
        # The recorded calls that nobody needs to make again: their deeds were a ghost's.
        self._ghost_calls: list[PanelCall] = []
        self._recording = recording
        self._speed = speed
        self._successor: Successor | None = None

    @property
    def wake_at(self) -> float | None:
        """When to call `tick`; ``None`` while nothing will happen by itself."""
        return self._reel.wake_at if self._successor is None else self._successor.wake_at

    @property
    def is_over(self) -> bool:
        """Whether nothing more of the tape will be played."""
        return self._reel.is_over or self._successor is not None

    @property
    def stall(self) -> Stall | None:
        """What it stands still for, ``None`` while it runs or is over."""
        if self.is_over:
            return None
        if not self._reel.is_started:
            return Stall(waits_for="the first client that is let in", tape_seconds=0.0)
        step, since = self._reel.next_step, self._reel.stands_since
        if since is None:
            return None
        deed = step if isinstance(step, Deed) else None
        name = "a new connection and its auth" if deed is None else str(deed)
        stall = Stall(waits_for=name, tape_seconds=round(step.at, 4), since=since, deed=deed)
        return self._attempts.compare(stall)

    @property
    def unasked(self) -> tuple[Unasked, ...]:
        """The recorded answers that have come by and that nobody has asked for."""
        found = [
            Unasked(what=kind.value, number=frame.number, tape_seconds=frame.at)
            for kind, desk in self._conversation.desks.items()
            for frame in desk.unasked
        ]
        past = [call for call in self.ledger.unused() if call.t <= self._reel.last_seconds]
        for call in past:
            if not any(call is ghost for ghost in self._ghost_calls):
                found.append(self.ledger.unasked(call))
        return tuple(sorted(found, key=lambda one: one.tape_seconds))

    def seconds(self, at: float) -> float:
        """Return the second of the tape at the live moment *at*."""
        return (self._successor or self._reel).seconds(at)

    def tick(self, at: float) -> list[Output]:
        """Play what is due by *at*."""
        self._play(at)
        return self._flush()

    def handle(self, happened: Input, at: float) -> list[Output]:
        """Take in what a live client did at *at*; return what comes of it, in order."""
        self._play(at, before=True)
        match happened:
            case _ if self._successor is not None:
                self._out += self._successor.handle(happened, at)
            case Opened(socket=socket) if self.is_lost:
                self._out.append(Drop((socket,), ABNORMAL, ""))
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
        elif self._successor is not None:
            reply = Unrecorded()
        else:
            reply = self.ledger.take(method, path) or Unrecorded()
        if isinstance(reply, PanelCall):
            self.view.learn(reply)
        self._play(at)
        return reply, self._flush()

    def begin_backup(
        self, uuid: str, *, name: str | None, ignored: str, at: float
    ) -> dict[str, Any]:
        """Return a new backup that is running; only a model brings it to its end."""
        begun = self.view.begin_backup(uuid, name=name, ignored=ignored, at=self.seconds(at))
        if self._successor is not None:
            self._out += self._successor.back_up(uuid, at)
        return begun

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
        if self._successor is not None:
            self._out += self._successor.tick(at)
            return
        handful = _HANDFUL
        while (step := self._reel.due(at, before=before)) is not None:
            if self._waits_for(step):
                if self._reel.stand(at) and (stall := self.stall) is not None:
                    self._note(NoteKind.WAITING, self._attempts.wait(stall), step.at)
                return
            if self._reel.is_instant and not self._reel.is_jumping:
                if not handful:
                    return
                handful -= 1
            self._reel.go(at)
            self._take(step)
            if self._reel.is_over:
                self._note_end(step.at)

    def _waits_for(self, step: Step) -> bool:
        """Whether the live client must do something before *step* is played."""
        match step:
            case Deed(number=number):
                return number in self._awaited
            case Gate():
                return not self._conversation.has_knocked
            case _:
                return False

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
                if step.call is not None:
                    self._ghost_calls.append(step.call)
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
            self._do(content, at, said=said)

    def _do(
        self, content: Content, at: float, *, said: Said | None = None, body: Any = None
    ) -> Deed | None:
        """Take a live deed: return the left deed that it is, ``None`` if it is none.

        A deed that is none is noted and ignored, or (strictly) refused, or (leniently) done by
        the model. *said* is the frame, if it came in one, and *body* that of a call.
        """
        for deed in self.deeds:
            if deed.number in self._awaited and deed.content == content:
                used = f"taken for deed {deed.number}"
                now = self.seconds(at)
                self._attempts.add(content, used, tape_seconds=now, body=body, is_used=True)
                return self._fulfil(deed, at)
        # What a server was before the tape runs, nobody knows yet.
        if self._successor is None and self._lenient and self._reel.is_started:
            self._hand_over(content, at)
        if self._successor is not None:
            model = self._successor
            self._out += model.do(content, at) if said is None else model.handle(said, at)
            return None
        now, outcome = self.seconds(at), "refused" if self.is_strict else "ignored"
        self._attempts.add(content, outcome, tape_seconds=now, body=body)
        if self.is_strict:
            self._refuse(content, now, socket=None if said is None else said.socket)
        else:
            text = f"{content}: the recording goes its own way"
            self._note(NoteKind.IGNORED, text + self._attempts.missed(self.stall), now)
        return None

    def _refuse(self, content: Content, now: float, *, socket: int | None) -> None:
        text = f"{content}: strictly, only recorded deeds are done, each once"
        self._note(NoteKind.REFUSED, text + self._attempts.missed(self.stall), now)
        if socket is not None:
            self._refusals += 1
            uuid = uuid5(_NAMESPACE, f"{self.server}/{self._refusals}")
            error = m.DaemonErrorReported(f"Error Event [{uuid}]: {text}")
            self._conversation.send([socket], encode_server(error))

    def _hand_over(self, content: Content, at: float) -> None:
        """End the tape: from here on a model of the daemon answers for it."""
        now = self.seconds(at)
        rest = self._reel.steps_ahead
        self.is_lost = False
        self._successor = Successor(
            self._recording,
            self.view,
            at=at,
            tape_seconds=now,
            speed=self._speed,
            sockets=self._conversation.sockets,
        )
        text = f"{content}: a model goes on from here; {rest} steps of the recording are not played"
        self._note(NoteKind.HANDED, text, now)
        self._note_end(now)

    def _fulfil(self, deed: Deed, at: float) -> Deed:
        self._awaited.discard(deed.number)
        self._done.add(deed.number)
        now = self.seconds(at)
        early = deed.at - now if self._reel.is_started else 0.0
        how = f", {early:.4f} s early" if early > TOLERANCE_SECONDS else ""
        self._note(NoteKind.DONE, f"{deed}{how}", now)
        self._reel.jump(self._steps.place_of(deed) + 1, deed.at)
        return deed

    def _do_by_panel(
        self, content: Content, method: str, path: str, body: Any, at: float
    ) -> PanelReply:
        deed = self._do(content, at, body=body)
        if deed is not None and deed.call is not None:
            expected = fields_of(deed.content, deed.call.request)
            if differ := differences(expected, fields_of(content, body)):
                how = "; ".join(map(str, differ))
                self._note(NoteKind.DIFFERED, f"{deed}: {how}", self.seconds(at))
            return self.ledger.take_this(deed.call) or Accepted()
        if deed is None and self.is_strict:
            return Refused(f"{content}: strictly, only recorded deeds are done, each once")
        if deed is None and self._successor is None:
            recorded = self.ledger.take(method, path)
            if recorded is not None:
                return recorded
        if method == "POST" and content.detail.endswith(f"/{self.server}/backups"):
            return Unrecorded(begins_backup=True)
        return Accepted()

    # ------------------------------------------------------------ notes

    def _note(self, kind: NoteKind, text: str, tape_seconds: float) -> None:
        self._out.append(Note(round(tape_seconds, 4), kind, text))

    def _note_end(self, tape_seconds: float) -> None:
        unasked: dict[str, list[str]] = {}
        for one in self.unasked:
            unasked.setdefault(one.what, []).append(str(one.number))
        for what, numbers in unasked.items():
            text = f"the recorded answers to {what} {', '.join(numbers)}"
            self._note(NoteKind.UNASKED, text, tape_seconds)
        is_last = self._successor is None
        how = "the node stays, silent and connected" if is_last else "the model goes on"
        self._note(NoteKind.ENDED, how, tape_seconds)


def _left(deeds: Collection[Deed], leave: Collection[int] | Literal["all"]) -> set[int]:
    numbers = {deed.number for deed in deeds}
    if leave == "all":
        return numbers
    if unknown := sorted(set(leave) - numbers):
        known = f"1 to {len(numbers)}" if numbers else "none, for it has no deeds"
        raise UsageError(f"leave: expected numbers of recorded deeds ({known}), found {unknown[0]}")
    return set(leave)

"""The conversation with live clients: who is let in, and what answers whose question.

Recorded answers go to the live client's own questions (each `Desk` holds one kind); what was
never recorded is answered as the daemon would. Deeds are left to the tape.
"""

from collections.abc import Callable, Iterable
from typing import Final

from automate.fake.desk import Desk
from automate.fake.reel import Reel
from automate.fake.script import (
    AnswerFrame,
    AuthQuestion,
    Gate,
    Kind,
    Loss,
    Script,
    Step,
)
from automate.fake.signals import Drop, Output, Send
from automate.fake.view import View
from automate.wire import messages as m
from automate.wire.codec import encode_server

__all__ = ["NO_TOKEN", "Conversation"]

NO_TOKEN: Final = encode_server(m.JwtErrorReported("jwt: no jwt present"))
"""What the daemon says to whoever speaks before being let in (PROTOCOL 7.3)."""

_SUCCESS: Final = encode_server(m.AuthSucceeded())
# An answer this close is waited for, even by a socket that the recording does not know.
_IMMINENT_SECONDS: Final = 1.0


class Conversation:
    """The live sockets of a *script* played from a *reel*; *out* takes what comes of it.

    *waits* tells of a step whether it needs someone live, so that nothing after it is near.
    """

    def __init__(
        self,
        script: Script,
        reel: Reel,
        view: View,
        *,
        waits: Callable[[Step], object],
        out: list[Output],
    ) -> None:
        self.desks = {kind: Desk(script.answers(kind)) for kind in Kind}
        # Someone has asked to be let in since the last loss.
        self.has_knocked = False
        self._auths = script.auths
        self._reel = reel
        self._view = view
        self._waits = waits
        self._out = out
        # Each socket, and whether it has been let in.
        self._sockets: dict[int, bool] = {}
        # What was answered before the tape ran is not answered again when it comes by.
        self._given_auths = 0
        # The latest answers that went out, by their first frames.
        self._given: dict[Kind, AnswerFrame] = {}
        # After a loss: the auth that the tape is going to wait for.
        self._gate: Gate | None = None
        # After a loss: the recorded client is not let in again yet.
        self._is_returning = False

    # ------------------------------------------------------------ sockets

    def is_present(self, socket: int) -> bool:
        """Whether *socket* is connected."""
        return socket in self._sockets

    @property
    def sockets(self) -> list[tuple[int, bool]]:
        """The connected sockets, each with whether it was let in."""
        return list(self._sockets.items())

    def is_let_in(self, socket: int) -> bool:
        """Whether *socket* has authenticated."""
        return self._sockets[socket]

    def join(self, socket: int) -> None:
        """Take a new connection."""
        self._sockets[socket] = False

    def leave(self, socket: int) -> None:
        """Forget a connection that ended, and what it had asked."""
        self._sockets.pop(socket, None)
        for desk in self.desks.values():
            desk.leave(socket)

    def lose(self, loss: Loss) -> None:
        """Drop every connection."""
        sockets = tuple(self._sockets)
        if sockets:
            self._out.append(Drop(sockets, loss.code, loss.reason))
        for socket in sockets:
            self.leave(socket)
        self.has_knocked = False
        landmarks = self._reel.landmarks_ahead
        gate = next((step for step in landmarks if isinstance(step, Gate | Loss)), None)
        if isinstance(gate, Gate):
            # The tape will wait for this very auth: what nobody asked for until now is past.
            self._gate = gate
            self._is_returning = True
            self.desks[Kind.AUTH].count_given(gate.number - 1)

    def pass_gate(self) -> None:
        """Take note that the auth after a loss has been played."""
        self._gate = None

    def send(self, sockets: Iterable[int], text: str) -> None:
        """Send *text* to those of the *sockets* that are still there."""
        if present := tuple(socket for socket in sockets if socket in self._sockets):
            self._out.append(Send(present, text))

    def push(self, text: str) -> None:
        """Send *text* to everyone who has been let in."""
        self.send([socket for socket, is_in in self._sockets.items() if is_in], text)

    # ------------------------------------------------------------ recorded answers

    def answer(self, frame: AnswerFrame) -> None:
        """Give the recorded *frame*, which the tape has reached, to whoever asked for it."""
        if frame.kind is Kind.AUTH and frame.number <= self._given_auths:
            return
        if frame.is_success:
            self._is_returning = False
        desk = self.desks[frame.kind]
        reached = desk.reach(frame)
        if reached.receiver is not None:
            if frame.is_first:
                self._given[frame.kind] = frame
            self._give(reached.receiver, frame, in_time=True)
        if frame.kind is Kind.AUTH:
            # The recorded order passes over another socket's auth: it needs an answer as well.
            for socket in reached.passed_over:
                if socket != reached.receiver:
                    self._admit(socket)
        if desk.is_exhausted:
            for socket in desk.take_open():
                self._answer_sensibly(frame.kind, socket)

    def _give(self, socket: int, frame: AnswerFrame, *, in_time: bool) -> None:
        if frame.is_success:
            self._admit(socket, frame.text, brings_status=in_time and frame.brings_status)
        else:
            self.send([socket], frame.text)

    def _admit(self, socket: int, text: str = _SUCCESS, *, brings_status: bool = False) -> None:
        """Let *socket* in; it is told the status, unless the tape itself *brings_status*."""
        self.send([socket], text)
        if self._sockets.get(socket) is False:
            self._sockets[socket] = True
            for welcome in [] if brings_status else self._view.welcome():
                self.send([socket], welcome)

    def _answer_sensibly(self, kind: Kind, socket: int) -> None:
        match kind:
            case Kind.AUTH:
                self._admit(socket)
            case Kind.LOGS:
                for text in self._view.logs():
                    self.send([socket], text)
            case Kind.STATS:
                self.send([socket], self._view.stats())

    # ------------------------------------------------------------ live questions

    def hear(self, kind: Kind, socket: int, at: float) -> None:
        """Take a live `send logs` or `send stats`."""
        desk = self.desks[kind]
        if not self._sockets[socket]:
            # The recorded client may have asked too early as well; then that is the answer.
            answer = desk.next_answer
            if answer is None or answer.text != NO_TOKEN or not self._is_near(desk, at):
                self.send([socket], NO_TOKEN)
                return
        if self._was_just_answered(desk, kind, at):
            desk.asked += 1
        elif desk.is_exhausted:
            self._answer_sensibly(kind, socket)
        else:
            self._ask(desk, socket)

    def _was_just_answered(self, desk: Desk, kind: Kind, at: float) -> bool:
        """Whether the next question's recorded twin is one that got its answer a moment ago.

        An earlier question, unanswered in the recording, was given it; the twin is only late, by
        the network or a high speed, and would be told everything twice.
        """
        given = self._given.get(kind)
        if given is None or desk.asked >= given.number or self._reel.is_instant:
            return False
        return self._reel.seconds(at) - given.at <= _IMMINENT_SECONDS

    def hear_auth(self, socket: int, refusal: str | None, at: float) -> AuthQuestion | None:
        """Take a live `auth`; *refusal* is what the daemon says if its token is bad.

        Return the recorded auth at which the tape starts, if it starts with this one.
        """
        if not self._reel.is_started:
            return self._hear_early_auth(socket, refusal)
        desk = self.desks[Kind.AUTH]
        answer = desk.next_answer
        is_near = self._is_auth_near(at)
        if refusal is not None and (answer is None or answer.is_success or not is_near):
            self.send([socket], refusal)
            return None
        self.has_knocked = True
        if desk.is_exhausted or not (is_near or self._sockets[socket]):
            self._admit(socket)
        else:
            self._ask(desk, socket)
        return None

    def _hear_early_auth(self, socket: int, refusal: str | None) -> AuthQuestion | None:
        """Answer an auth before the tape runs: as the recorded one of its number was."""
        desk = self.desks[Kind.AUTH]
        asked = self._auths[desk.asked] if desk.asked < len(self._auths) else None
        answer = asked.answer if asked is not None else None
        if refusal is not None and (answer is None or answer.is_success):
            self.send([socket], refusal)
            return None
        desk.count_given(desk.asked + 1)
        if answer is not None and not answer.is_success:
            self.send([socket], answer.text)
            return None
        self._given_auths = desk.asked
        self.has_knocked = True
        self._admit(socket, answer.text if answer is not None else _SUCCESS)
        if asked is None and self._auths:
            return self._auths[-1]
        return asked or AuthQuestion(at=0.0, position=0, answer=None)

    def _ask(self, desk: Desk, socket: int) -> None:
        for frame in desk.ask(socket):
            self._give(socket, frame, in_time=False)

    # ------------------------------------------------------------ what is near

    def _is_near(self, desk: Desk, at: float) -> bool:
        """Whether the tape has got to the next answer at *desk*, or is about to."""
        if desk.has_kept:
            return True
        answer = desk.next_answer
        return answer is not None and self._reel.is_near(
            answer, at, seconds=_IMMINENT_SECONDS, waits=self._waits
        )

    def _is_auth_near(self, at: float) -> bool:
        """Whether the recording has an auth about now, so that a live one can be taken for it."""
        desk = self.desks[Kind.AUTH]
        if self._gate is not None:
            return self._gate.is_answered
        if self._is_returning or self._is_near(desk, at):
            # Until the recorded client is let in again, each of its tries is about now.
            return True
        if desk.asked >= len(self._auths) or self._reel.is_instant:
            return False
        asked_at = self._auths[desk.asked].at
        return abs(asked_at - self._reel.seconds(at)) <= _IMMINENT_SECONDS

"""What waits to be said to one server: messages in the order asked, and our own questions.

It knows the daemon's limits and what became of a message that the daemon dropped; whether
anybody listens is the conversation's affair. Moments are the caller's.

Source: the protocol notes, 6.3 (order), 7.5 (limits), and what was seen of ``throttled``.
"""

import math

from attrs import Factory, define, evolve, frozen

from automate.errors import MessageError
from automate.machine.budget import Allowance
from automate.machine.link import NotSent
from automate.wire.codec import encode_client
from automate.wire.messages import Auth, ClientMessage, SendLogs, SendStats

__all__ = ["HOLD_LIMIT", "HOLD_SECONDS", "SPACING_SECONDS", "Held", "Outbox"]

# Messages asked for while nobody listens: a command half a minute old is no longer what was meant.
HOLD_SECONDS = 30.0
HOLD_LIMIT = 200
# Each message runs on its own in the daemon: sent together they arrive in any order (91 of 100
# tries), 2 ms apart they kept it (0 of 50); a network squeezes gaps, so we leave more.
SPACING_SECONDS = 0.1
# So long a `throttled` may take to come back; what was sent before is not what it is about.
_ECHO_SECONDS = 5.0
_TRIES = 5
# A dropped question for the stats is asked again when the daemon's bucket has surely filled up by
# one. That for the logs is not: its answer would come when nobody expects old lines any more.
_ASK_AGAIN_SECONDS = 2.0
_QUESTIONS: dict[str, ClientMessage] = {
    SendLogs.event: SendLogs(),
    SendStats.event: SendStats(),
}


@frozen
class Held:
    """A message that waits for its turn, or went out for the *tries*-th time at *sent_at*."""

    message: ClientMessage
    text: str
    asked_at: float
    tries: int = 0
    sent_at: float = -math.inf


@define(kw_only=True)
class Outbox:
    """What is to be said, and what was said a moment ago."""

    held: list[Held] = Factory(list)
    sent: list[Held] = Factory(list)
    # Our own questions by the event's name, each not before a moment.
    questions: dict[str, float] = Factory(dict)
    allowed: Allowance = Factory(Allowance)
    send_at: float = -math.inf
    asked_sent_at: float = -math.inf
    # How long the daemon's answer to `auth` took: how far back a `throttled` reaches.
    round_trip_seconds: float = 0.0

    def connected_anew(self) -> None:
        """Forget what concerned the last socket: the daemon counts for each one anew."""
        self.allowed = Allowance()
        self.send_at = self.asked_sent_at = -math.inf
        self.sent.clear()
        self.questions.clear()

    def put(self, message: ClientMessage, now: float) -> NotSent | None:
        """Take *message* in; return why it will not be sent, if it is refused."""
        if isinstance(message, Auth):
            return NotSent(message, "tokens are the conversation's own business")
        if len(self.held) >= HOLD_LIMIT:
            return NotSent(message, f"{HOLD_LIMIT} messages are waiting already")
        try:
            self.held.append(Held(message, encode_client(message), now))
        except MessageError as error:
            return NotSent(message, str(error))
        return None

    def drop_all(self, why: str) -> list[NotSent]:
        """Give back everything that waits."""
        held, self.held = self.held, []
        return [NotSent(each.message, why) for each in held]

    def give_back(self, why: str) -> NotSent:
        """Give back what has waited longest."""
        return NotSent(self.held.pop(0).message, why)

    # ------------------------------------------------------------ sending

    def ask(self, *events: str) -> None:
        """Have our own questions asked, each once, before all messages."""
        for event in events:
            self.questions.setdefault(event, -math.inf)

    def question_at(self, event: str) -> float:
        """Return when the question *event* may be asked."""
        return max(self.questions[event], self.send_at, self.allowed.ready_at(event))

    def take_question(self, event: str, now: float) -> str:
        """Return the frame of the question *event*, which is sent now."""
        del self.questions[event]
        held = Held(_QUESTIONS[event], encode_client(_QUESTIONS[event]), now)
        return self._spend(held, now)

    @property
    def message_at(self) -> float:
        """When the next message may be sent, if somebody listens."""
        return max(self.send_at, self.allowed.ready_at(self.held[0].message.event))

    def take_message(self, now: float) -> str:
        """Return the frame of the next message, which is sent now."""
        self.asked_sent_at = now
        return self._spend(self.held.pop(0), now)

    def _spend(self, held: Held, now: float) -> str:
        self.allowed = self.allowed.spent(held.message.event, now)
        self.send_at = now + SPACING_SECONDS
        self.sent = [each for each in self.sent if now - each.sent_at < _ECHO_SECONDS]
        self.sent.append(evolve(held, tries=held.tries + 1, sent_at=now))
        return held.text

    # ------------------------------------------------------------ what the daemon dropped

    def throttled(self, what: str, now: float) -> NotSent | None:
        """Slow down because the daemon dropped a *what*, and take it in again, before all others.

        Returned is what was dropped too often to try again. Which message it was is told by
        when its answer would have come: one of the same name, a round trip ago.
        """
        self.allowed = self.allowed.emptied(what, now)
        self.send_at = max(self.send_at, now + 1.0)
        found = [
            each
            for each in self.sent
            if what in (each.message.event, "global") and now - each.sent_at < _ECHO_SECONDS
        ]
        if not found:
            return None
        dropped = min(found, key=lambda each: abs(now - self.round_trip_seconds - each.sent_at))
        self.sent.remove(dropped)
        event = dropped.message.event
        if dropped.message is _QUESTIONS.get(event):
            if event == SendStats.event:
                self.questions[event] = now + _ASK_AGAIN_SECONDS
        elif dropped.tries >= _TRIES or now - dropped.asked_at > HOLD_SECONDS:
            return NotSent(dropped.message, "the daemon dropped it: too many in a short time")
        else:
            self.held.insert(0, dropped)
        return None

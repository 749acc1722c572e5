"""The conversation with one server: when to ask for a token, connect, be let in, send.

Nothing here waits, connects or looks at a clock. Whoever holds the socket says what happened
and what time it is (seconds, on any clock that never goes back), and gets back what to do; so
a test is a list of values. What the server's events mean to recipes is left to others.

How it works: an input only changes the state. What is to be done follows from the state alone,
as pairs of a moment and a deed (`_deeds`); whatever is due is done, and the earliest moment
that is not yet due is when to come back (`wake_at`). So nothing is forgotten when two causes
meet, and a deed has one condition, in one place.

Sources: the protocol notes, sections 6, 7 and 10, and what was seen of running daemons.
"""

import math
from collections.abc import Iterable, Iterator

from automate.errors import (
    AccessDenied,
    AutomateError,
    Busy,
    MessageError,
    NotThere,
    PanelError,
    PanelUnreachable,
    UsageError,
)
from automate.machine.link import (
    SUSPENDED,
    Action,
    Ask,
    Blind,
    Closed,
    ConnectFailed,
    Delayed,
    FrameReceived,
    Input,
    LinkUp,
    NotSent,
    Opened,
    ServerSeen,
    ServerUnseen,
    Sighted,
    TokenFetched,
    TokenRefused,
)
from automate.machine.link_steps import AUTH_SECONDS, CONNECT_SECONDS, Deed, Steps
from automate.machine.outbox import HOLD_SECONDS
from automate.wire import messages as m
from automate.wire.codec import decode_server

__all__ = ["Conversation", "concerns"]

# Frames overtake each other by milliseconds: what the old token caused may still arrive after
# the new one was accepted, and must not cost another one. A new socket has no old token.
GRACE_SECONDS = 2.0
# A dropped `auth` comes back as `throttled`; the daemon allows one each 5 s.
THROTTLED_SECONDS = 6.0
# After these a transfer goes on no more, and the server may be at another node than before; the
# panel's own page drops its socket, too, and asks for a new address.
_MOVED = ("completed", "cancelled", "failed", "failure")

# What comes in floods and is nothing to the conversation.
_NOT_OURS = ('{"event":"console output"', '{"event":"stats"', '{"event":"install output"')

_NO_PERMISSION = (
    "the node refuses the token (missing connect permission): give the key's user the "
    "permission websocket.connect; if it has it, the panel is too old for its node (Wings "
    "1.12.2 needs panel 1.12.3 or later)"
)
_OTHER_SERVER = (
    "the node refuses the token (server uuid mismatch): the panel gave a token of another "
    "server; check the server's id and the panel's address"
)


def concerns(text: str) -> bool:
    """Whether the frame *text* may tell the conversation anything; most need no handling."""
    return not text.startswith(_NOT_OURS)


def _moment(deed: tuple[float, Deed]) -> float:
    return deed[0]


def _may_pass(error: AutomateError) -> bool:
    """Whether *error* may go away by itself."""
    if isinstance(error, Busy | PanelUnreachable):
        return True
    return isinstance(error, PanelError) and (error.status or 0) >= 500


def _wish(error: AutomateError) -> float | None:
    """Return how many seconds the panel wants us to wait, if it said so, within reason."""
    wish = error.retry_after if isinstance(error, Busy) else None
    return max(wish, 1.0) if wish is not None and 0 <= wish <= 3600 else None


class Conversation(Steps):
    """The machine: `handle` an input or let time pass with `tick`; both return what to do."""

    @property
    def wake_at(self) -> float | None:
        """The moment to `tick` next if nothing happens before; ``None`` for never."""
        return min((at for at, _ in self._deeds()), default=None)

    @property
    def is_ready(self) -> bool:
        """Whether the server listens to us now and we see its events."""
        state = self.state
        return state.link == "open" and state.ready_at is not None and not state.blind

    def tick(self, now: float) -> list[Action]:
        """Do what is due by *now*."""
        actions: list[Action] = []
        while due := min((d for d in self._deeds() if d[0] <= now), key=_moment, default=None):
            actions += due[1](now)
        return actions

    def handle(self, happened: Input, now: float) -> list[Action]:
        """Return what to do because of *happened*, timers that were due before it first."""
        return [*self.tick(now), *self._apply(happened, now), *self.tick(now)]

    # ------------------------------------------------------------ what happened

    def _apply(self, happened: Input, now: float) -> Iterable[Action]:
        state = self.state
        match happened:
            case Ask(message=message):
                return self._ask(message, now)
            case _ if state.link == "ended":
                return []
            case FrameReceived(text=text):
                return self._hear(decode_server(text), now) if state.link == "open" else []
            case TokenFetched():
                return self._fetched(happened, now) if state.fetching else []
            case TokenRefused(error=error):
                return self._not_fetched(error, now) if state.fetching else []
            case ServerSeen():
                return self._looked(happened.obstacle, now) if state.looking else []
            case ServerUnseen(error=error):
                return self._not_seen(error, now) if state.looking else []
            case Opened():
                if state.link == "opening":
                    state.link = "open"
                    state.to_show = True
                return []
            case ConnectFailed() if state.link == "opening":
                return self._not_connected(happened, now)
            case Closed() if state.link in ("opening", "open"):
                return self._closed(happened, now)
            case _:
                return []

    def _ask(self, message: m.ClientMessage, now: float) -> Iterable[Action]:
        if self.state.link == "ended":
            return [NotSent(message, "the conversation with the server is over")]
        refused = self.state.outbox.put(message, now)
        return [] if refused is None else [refused]

    def _fetched(self, token: TokenFetched, now: float) -> Iterable[Action]:
        state = self.state
        state.fetching = False
        try:
            m.Auth(token.token)
        except MessageError as error:
            return self._not_fetched(error, now)
        state.token = token
        state.refresh_at = now + token.fresh_seconds
        state.wants_another = False
        state.to_show = True
        state.ever_fetched = True
        state.failures = 0
        return []

    def _not_fetched(self, error: AutomateError, now: float) -> Iterable[Action]:
        state = self.state
        state.fetching = False
        if isinstance(error, AccessDenied | NotThere | UsageError):
            return self._end(error)
        if not state.ever_fetched and not _may_pass(error):
            # Whatever answers there has never been a panel that we understood: a person must look.
            return self._end(error)
        if isinstance(error, Busy) and error.status == 409:
            # Asking again costs a token each time; how the server is may be asked freely.
            return self._look_later(str(error), now)
        pause = self._pause(5.0 if isinstance(error, Busy) else 1.0, state.failures)
        wish = _wish(error)
        if wish is not None:
            pause = wish
        state.failures += 1
        state.fetch_at = now + pause
        return [Delayed(str(error), pause)]

    def _looked(self, obstacle: str | None, now: float) -> Iterable[Action]:
        self.state.looking = False
        if obstacle is not None:
            return self._look_later(obstacle, now)
        self.state.must_look = False
        return []

    def _not_seen(self, error: AutomateError, now: float) -> Iterable[Action]:
        self.state.looking = False
        if isinstance(error, NotThere):
            return self._end(NotThere(f"the server is gone: {error}", status=error.status))
        if isinstance(error, AccessDenied | UsageError):
            return self._end(error)
        if self.state.token is not None:
            # With a token the node can say for itself how things stand, panel or not.
            self.state.must_look = False
            return []
        return self._look_later(str(error), now, wish=_wish(error))

    def _not_connected(self, failed: ConnectFailed, now: float) -> Iterable[Action]:
        if failed.status == 403 and self.state.admitted_at == -math.inf:
            self.state.link = "down"
            return self._end(failed.error)
        if failed.status == 404:
            # The server may have moved to another node: only the panel knows the new address.
            self.state.token = None
            self.state.must_look = True
        # With 400 the node has as many sockets as it takes: somebody has to leave first.
        return self._lose(str(failed.error), now, first=10.0 if failed.status == 400 else 1.0)

    def _closed(self, closed: Closed, now: float) -> Iterable[Action]:
        is_suspended = closed.code in SUSPENDED
        if is_suspended or (self.state.ready_at is None and self.state.link == "open"):
            # Some libraries and proxies make a plain loss of the code for a suspension, which
            # comes right after connecting.
            self.state.must_look = True
        return self._lose(closed.words, now, first=10.0 if is_suspended else 1.0)

    # ------------------------------------------------------------ what the server said

    def _hear(self, message: m.ServerMessage, now: float) -> Iterable[Action]:
        state = self.state
        match message:
            case m.AuthSucceeded():
                return self._admitted(now)
            case m.TokenExpiring() if self._is_settled(now):
                state.wants_another = True
            case m.TokenExpired() if self._is_settled(now):
                state.token = None
            case m.JwtErrorReported(text=text):
                return self._jwt_error(text, now)
            case m.DaemonErrorReported() if self._answers_auth(message, now):
                return self._refused(message.text, now, first=2.0)
            case m.Throttled(what="auth" | "global") if state.auth_sent_at is not None:
                state.auth_sent_at = None
                state.to_show = True
                state.show_at = now + THROTTLED_SECONDS
            case m.Throttled(what=what):
                lost = state.outbox.throttled(what, now)
                return [] if lost is None else [lost]
            case m.Deleted():
                return self._leave_node("the server was removed from this node", now)
            case m.TransferStatusChanged(status=status) if status in _MOVED:
                return self._leave_node(f"the server's transfer to another node {status}", now)
        return []

    def _admitted(self, now: float) -> Iterable[Action]:
        state, outbox = self.state, self.state.outbox
        if state.auth_sent_at is not None:
            outbox.round_trip_seconds = now - state.auth_sent_at
        state.auth_sent_at = None
        state.admitted_at = now
        state.refusals = state.looks = 0
        if state.ready_at is None:
            state.ready_at = now
            # The status comes by itself on a new socket.
            outbox.ask(m.SendLogs.event)
            return [LinkUp()]
        was_blind, state.blind = state.blind, False
        if not was_blind:
            return []
        # Nothing is told again by itself: a server that went offline meanwhile would be silent.
        # The lines of the meantime stay lost, and the gap is known: an answer to `send logs` is
        # expected only on a new connection, and would pass for new lines here.
        outbox.ask(m.SendStats.event)
        return [Sighted()]

    def _is_settled(self, now: float) -> bool:
        """Whether what the server says of the token concerns the one we have."""
        state = self.state
        return (
            state.ready_at is not None
            and state.auth_sent_at is None
            and not state.to_show
            and not self._is_fresh(now)
        )

    def _is_fresh(self, now: float) -> bool:
        """Whether the last token took the place of another one just now."""
        state = self.state
        is_first = state.ready_at is None or state.ready_at >= state.admitted_at
        return not is_first and now < state.admitted_at + GRACE_SECONDS

    def _jwt_error(self, text: str, now: float) -> Iterable[Action]:
        state = self.state
        if "missing connect permission" in text:
            return self._end(AccessDenied(_NO_PERMISSION))
        if "server uuid mismatch" in text:
            return self._end(NotThere(_OTHER_SERVER))
        if text.startswith("Error Event"):
            return self._refused(text, now) if state.auth_sent_at is not None else []
        if state.ready_at is None or self._is_fresh(now):
            return []
        if self._is_settled(now):
            state.token = None
        if state.blind:
            return []
        state.blind = True
        state.shut_at = now
        return [Blind(text)]

    def _answers_auth(self, error: m.DaemonErrorReported, now: float) -> bool:
        """Whether a daemon error is about our token: its text does not say what it is about.

        A garbled or wrongly signed token is answered so, but so is a message that failed.
        """
        state = self.state
        return (
            state.auth_sent_at is not None
            and error.text.startswith("Error Event")
            and not error.is_lock_conflict
            and now >= state.outbox.asked_sent_at + GRACE_SECONDS
        )

    # ------------------------------------------------------------ what to do, and when

    def _deeds(self) -> Iterator[tuple[float, Deed]]:
        """Yield what there is to do, each with its moment; it follows from the state alone."""
        state = self.state
        if state.link == "ended":
            return
        if state.link == "down":
            if not state.must_look and self._has_good_token:
                yield state.dial_at, self._dial
            else:
                yield from self._askings(state.dial_at)
        elif state.link == "opening":
            yield state.opening_at + CONNECT_SECONDS, self._give_up_connecting
        elif state.auth_sent_at is not None:
            yield state.auth_sent_at + AUTH_SECONDS, self._give_up_auth
        elif state.token is None or state.wants_another:
            yield from self._askings(-math.inf)
        elif state.to_show:
            yield max(state.show_at, state.outbox.allowed.ready_at(m.Auth.event)), self._show
        elif state.refresh_at < math.inf:
            yield from self._askings(state.refresh_at)
        if state.link == "open" and self.is_ready:
            yield from self._sayings()
        elif state.outbox.held:
            held = state.outbox.held[0]
            yield max(held.asked_at, state.shut_at) + HOLD_SECONDS, self._give_back

    @property
    def _has_good_token(self) -> bool:
        state = self.state
        return state.token is not None and state.dial_at < state.refresh_at

    def _askings(self, at: float) -> Iterator[tuple[float, Deed]]:
        """Yield what to ask the panel: how the server is, if that is in doubt, else a token."""
        state = self.state
        if state.must_look:
            if not state.looking:
                yield state.look_at, self._look
        elif not state.fetching:
            yield max(at, state.fetch_at, state.tokens.ready_at), self._fetch

    def _sayings(self) -> Iterator[tuple[float, Deed]]:
        outbox = self.state.outbox
        for event in outbox.questions:
            # One at a time: the next is yielded when this is done, and so are messages.
            yield outbox.question_at(event), self._question(event)
        if outbox.held:
            yield outbox.message_at, self._send

"""The steps of a conversation: each changes what is remembered, and returns what is to be done.

When which of them is taken is left to `conversation`. Nothing here waits or looks at a clock.
"""

import math
from collections.abc import Callable, Iterable

from automate.errors import AutomateError
from automate.machine.link import (
    Action,
    Connect,
    Delayed,
    Disconnect,
    End,
    FetchToken,
    LinkDown,
    LookAtServer,
    SendFrame,
)
from automate.machine.link_state import LinkState
from automate.machine.outbox import HOLD_SECONDS
from automate.wire import messages as m
from automate.wire.codec import encode_client

__all__ = ["AUTH_SECONDS", "CONNECT_SECONDS", "Deed", "Steps"]

CONNECT_SECONDS = 30.0
# Newer daemons drop a socket that has not authenticated after 30 s; older ones answer at once
# or never.
AUTH_SECONDS = 30.0
HEALTHY_SECONDS = 60.0
LONGEST_PAUSE_SECONDS = 60.0

Deed = Callable[[float], Iterable[Action]]


class Steps:
    """What a conversation can do, on its *state*."""

    def __init__(self, *, seed: str = "", state: LinkState | None = None) -> None:
        self.state = LinkState(seed=seed) if state is None else state

    # ------------------------------------------------------------ the connection

    def _dial(self, now: float) -> Iterable[Action]:
        state = self.state
        assert state.token is not None
        state.link = "opening"
        state.opening_at = now
        state.outbox.connected_anew()
        state.show_at = -math.inf
        return [Connect(state.token.socket)]

    def _give_up_connecting(self, now: float) -> Iterable[Action]:
        why = f"the node did not answer within {CONNECT_SECONDS:.0f} s"
        return [Disconnect(why), *self._lose(why, now)]

    def _lose(self, why: str, now: float, *, first: float = 1.0) -> Iterable[Action]:
        """Be without a connection; the next try comes after *first* seconds, later after more."""
        state = self.state
        was_ready = state.ready_at is not None
        if state.ready_at is not None and now - state.ready_at >= HEALTHY_SECONDS:
            state.losses = 0
        pause = self._pause(first, state.losses)
        state.losses += 1
        state.link = "down"
        state.dial_at = now + pause
        state.auth_sent_at = state.ready_at = None
        state.blind = state.to_show = state.wants_another = False
        state.shut_at = now
        if not was_ready:
            return [Delayed(why, pause)]
        # Sent after the gap they might do harm: their owner decides again.
        return [LinkDown(why), *state.outbox.drop_all(f"the connection was lost ({why})")]

    def _leave_node(self, why: str, now: float) -> Iterable[Action]:
        """Go away from a node that has the server no more; the panel knows where it is."""
        self.state.token = None
        self.state.must_look = True
        return [Disconnect(why), *self._lose(why, now)]

    def _end(self, error: AutomateError) -> list[Action]:
        state = self.state
        actions: list[Action] = []
        if state.ready_at is not None:
            actions.append(LinkDown(str(error)))
        actions += state.outbox.drop_all(str(error))
        if state.link in ("opening", "open"):
            actions.append(Disconnect(str(error)))
        state.link = "ended"
        state.token = state.ready_at = None
        return [*actions, End(error)]

    # ------------------------------------------------------------ the panel

    def _fetch(self, now: float) -> Iterable[Action]:
        state = self.state
        state.tokens = state.tokens.spent(now)
        state.fetching = True
        return [FetchToken()]

    def _look(self, now: float) -> Iterable[Action]:
        self.state.looking = True
        return [LookAtServer()]

    def _look_later(self, why: str, now: float, *, wish: float | None = None) -> Iterable[Action]:
        state = self.state
        pause = self._pause(5.0, state.looks) if wish is None else wish
        state.looks += 1
        state.must_look = True
        state.look_at = now + pause
        return [Delayed(why, pause)]

    # ------------------------------------------------------------ what is said

    def _show(self, now: float) -> Iterable[Action]:
        state = self.state
        assert state.token is not None
        state.outbox.allowed = state.outbox.allowed.spent(m.Auth.event, now)
        state.to_show = False
        state.auth_sent_at = now
        return [SendFrame(encode_client(m.Auth(state.token.token)))]

    def _give_up_auth(self, now: float) -> Iterable[Action]:
        why = f"auth was not answered within {AUTH_SECONDS:.0f} s"
        if self.state.ready_at is None:
            return [Disconnect(why), *self._lose(why, now)]
        # The old token stays in force: only a new one has to be brought.
        return self._refused(why, now)

    def _refused(self, why: str, now: float, *, first: float = 0.0) -> Iterable[Action]:
        """Have a token refused; a second time in a row, or with *first* seconds, make a pause."""
        state = self.state
        state.auth_sent_at = None
        state.token = None
        pause = self._pause(first or 5.0, state.refusals) if first or state.refusals else 0.0
        state.refusals += 1
        state.fetch_at = max(state.fetch_at, now + pause)
        return [Delayed(why, pause)] if pause else []

    def _question(self, event: str) -> Deed:
        return lambda now: [SendFrame(self.state.outbox.take_question(event, now))]

    def _send(self, now: float) -> Iterable[Action]:
        return [SendFrame(self.state.outbox.take_message(now))]

    def _give_back(self, now: float) -> Iterable[Action]:
        return [self.state.outbox.give_back(f"no connection within {HOLD_SECONDS:.0f} s")]

    def _pause(self, first: float, times: int) -> float:
        """Return *first* seconds, doubled *times* times, at most a minute, less up to a fifth."""
        longest = min(first * 2.0 ** min(times, 10), LONGEST_PAUSE_SECONDS)
        return longest * (1 - self.state.chance() / 5)

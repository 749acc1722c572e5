"""What holds for the conversation whatever happens, in whatever order."""

import math
from collections.abc import Iterable
from itertools import pairwise

from attrs import Factory, define
from hypothesis import example, given
from hypothesis import strategies as st

from automate.errors import (
    AccessDenied,
    Busy,
    ConnectionFailed,
    MessageError,
    NotThere,
    PanelError,
    PanelUnreachable,
)
from automate.machine import link
from automate.machine.conversation import Conversation
from automate.machine.link import (
    Action,
    Ask,
    Closed,
    ConnectFailed,
    FrameReceived,
    Input,
    Opened,
    ServerSeen,
    ServerUnseen,
    TokenFetched,
    TokenRefused,
)
from automate.wire import messages as m
from automate.wire.codec import decode_client, decode_server, encode_server

JWT_TEXTS = [
    "jwt: exp claim is invalid",
    "jwt: created too far in past (denylist)",
    "jwt: no jwt present",
    "jwt: something new",
    "Error Event [1]: jwt: exp claim is invalid",
    "Error Event [1]: jwt: created too far in past (denylist)",
]
ENDING_TEXTS = ["jwt: missing connect permission", "Error Event [1]: jwt: server uuid mismatch"]

said: st.SearchStrategy[m.ServerMessage] = st.one_of(
    st.sampled_from([m.AuthSucceeded(), m.TokenExpiring(), m.TokenExpired(), m.Deleted()]),
    st.sampled_from(JWT_TEXTS).map(m.JwtErrorReported),
    # What is dropped of ours is sent again, out of its order: that has a property of its own.
    st.sampled_from(["auth", ""]).map(m.Throttled),
    st.sampled_from(["processing", "completed", "failure"]).map(m.TransferStatusChanged),
    st.sampled_from(["Error Event [1]: unexpected", "another power action", ""]).map(
        m.DaemonErrorReported
    ),
    st.just(m.StatusChanged(m.PowerState.RUNNING)),
)
asked: st.SearchStrategy[m.ClientMessage] = st.one_of(
    st.integers(0, 9999).map(lambda n: m.SendCommand(f"say {n}")),
    st.sampled_from(list(m.PowerAction)).map(m.SetState),
)
moments = st.one_of(st.none(), st.floats(0, 2e9), st.integers(-10, 2_000_000_000))
refusals = st.one_of(
    st.builds(
        lambda status, wish: Busy("busy", status=status, retry_after=wish),
        st.sampled_from([409, 429]),
        st.one_of(st.none(), st.floats()),
    ),
    st.just(PanelUnreachable("gone")),
    st.sampled_from([500, 502, None]).map(lambda status: PanelError("odd", status=status)),
)
inputs: st.SearchStrategy[Input] = st.one_of(
    st.just(Opened()),
    st.builds(TokenFetched, st.text(max_size=3), st.just("wss://node/ws"), moments, moments),
    st.builds(TokenRefused, refusals),
    st.builds(ServerSeen, status=st.sampled_from([None, None, "suspended", "reinstall_failed"])),
    st.builds(ServerUnseen, refusals),
    st.builds(
        ConnectFailed, st.just(ConnectionFailed("x")), st.sampled_from([None, 400, 404, 502])
    ),
    st.builds(Closed, st.sampled_from([None, 1000, 1006, 1009, 4409])),
    st.builds(Ask, asked),
    said.map(lambda message: FrameReceived(encode_server(message))),
    st.text().map(FrameReceived),
)
endings: st.SearchStrategy[Input] = st.one_of(
    st.sampled_from(ENDING_TEXTS).map(
        lambda text: FrameReceived(encode_server(m.JwtErrorReported(text)))
    ),
    st.sampled_from([AccessDenied("no"), NotThere("no"), MessageError("no")]).map(TokenRefused),
    st.sampled_from([AccessDenied("no"), NotThere("no")]).map(ServerUnseen),
    st.just(ConnectFailed(ConnectionFailed("origin"), 403)),
)
pauses = st.one_of(st.just(0.0), st.floats(0, 1), st.floats(0, 100))


@define
class Watcher:
    """Plays the other side, and complains of what must never be seen."""

    socket: str = "closed"
    auth_sent_at: float | None = None
    fetching: bool = False
    looking: bool = False
    is_up: bool = False
    is_blind: bool = False
    ended: bool = False
    fetched_at: list[float] = Factory(list)
    waiting: list[m.ClientMessage] = Factory(list)
    last_asked_at: float = -math.inf

    def told(self, happened: Input, now: float) -> None:
        """Note what the conversation is about to be told."""
        match happened:
            case Opened() if self.socket == "opening":
                self.socket = "open"
            case ConnectFailed() if self.socket == "opening":
                self.socket = "closed"
            case Closed():
                self.socket, self.auth_sent_at = "closed", None
            case TokenFetched() | TokenRefused():
                self.fetching = False
            case ServerSeen() | ServerUnseen():
                self.looking = False
            case FrameReceived(text=text):
                self.heard(text)
            case Ask(message=message):
                self.waiting.append(message)
            case _:
                pass

    def heard(self, text: str) -> None:
        match decode_server(text):
            case m.AuthSucceeded() | m.Throttled(what="auth" | "global"):
                self.auth_sent_at = None
            case m.JwtErrorReported(text=why) | m.DaemonErrorReported(text=why):
                if why.startswith("Error Event"):
                    self.auth_sent_at = None
            case _:
                pass

    def saw(self, actions: Iterable[Action], now: float) -> None:
        """Check what the conversation did."""
        for action in actions:
            assert not self.ended or isinstance(action, link.NotSent)
            self._saw(action, now)

    def _saw(self, action: Action, now: float) -> None:
        match action:
            case link.FetchToken():
                assert not self.fetching
                self.fetching = True
                self.fetched_at.append(now)
                assert sum(now - 60 <= at for at in self.fetched_at) <= 5
            case link.LookAtServer():
                assert not self.looking
                self.looking = True
            case link.Connect():
                assert self.socket == "closed"
                self.socket, self.auth_sent_at = "opening", None
            case link.SendFrame(text=text):
                self._sent(decode_client(text), now)
            case link.Disconnect():
                assert self.socket in ("opening", "open")
                self.socket, self.auth_sent_at = "closed", None
            case link.LinkUp():
                assert not self.is_up
                self.is_up = True
            case link.LinkDown():
                assert self.is_up
                self.is_up = self.is_blind = False
            case link.Blind():
                assert self.is_up
                assert not self.is_blind
                self.is_blind = True
            case link.Sighted():
                assert self.is_blind
                self.is_blind = False
            case link.NotSent(message=message):
                self.waiting.remove(message)
            case link.Delayed(seconds=seconds):
                assert 0 < seconds <= 3600
            case link.End():
                self.ended = True

    def _sent(self, message: m.ClientMessage | m.Unknown, now: float) -> None:
        assert self.socket == "open"
        if isinstance(message, m.Auth):
            assert self.auth_sent_at is None or now - self.auth_sent_at >= 29.999
            self.auth_sent_at = now
            return
        assert self.is_up
        assert not self.is_blind
        if self.waiting and message == self.waiting[0]:
            assert now - self.last_asked_at >= 0.0999
            self.last_asked_at = now
            self.waiting.pop(0)
        else:
            assert message in (m.SendLogs(), m.SendStats()), f"{message} overtook {self.waiting}"


@given(
    story=st.lists(st.tuples(pauses, inputs), max_size=60),
    ending=st.one_of(st.none(), endings),
    is_late=st.booleans(),
)
@example(
    story=[
        (0.0, TokenFetched("a", "wss://node/ws")),
        (0.0, Opened()),
        (0.0, FrameReceived(encode_server(m.AuthSucceeded()))),
        (50.0, FrameReceived(encode_server(m.JwtErrorReported(JWT_TEXTS[0])))),
        (50.0, TokenFetched("b", "wss://node/ws")),
        (0.0, FrameReceived(encode_server(m.AuthSucceeded()))),
    ],
    ending=None,
    is_late=False,
)
def test_whatever_happens(
    story: list[tuple[float, Input]], ending: Input | None, is_late: bool
) -> None:
    """It never raises, stays within the limits, keeps the order, and never asks for the past."""
    conversation, watcher, now = Conversation(), Watcher(), 0.0
    watcher.saw(conversation.tick(now), now)
    for pause, happened in [*story, *([(1.0, ending)] if ending else [])]:
        end = now + pause
        if not is_late:
            while (due := conversation.wake_at) is not None and due <= end:
                assert due > now
                now = due
                watcher.saw(conversation.tick(now), now)
        now = end
        watcher.saw(conversation.tick(now), now)
        assert conversation.wake_at is None or conversation.wake_at > now
        watcher.told(happened, now)
        watcher.saw(conversation.handle(happened, now), now)
        assert conversation.wake_at is None or conversation.wake_at > now
    assert watcher.is_up == (conversation.state.ready_at is not None)
    # Everything asked for was sent, came back, or still waits.
    assert watcher.waiting == [held.message for held in conversation.state.outbox.held]


@given(
    answers=st.lists(
        st.sampled_from(["fine", "denied", "garbled", "throttled", "silent"]), max_size=40
    ),
    losses=st.lists(st.floats(0, 300), max_size=10),
    lifetime_seconds=st.one_of(st.none(), st.floats(1, 1000)),
)
def test_after_any_trouble_it_is_let_in_again(
    answers: list[str], losses: list[float], lifetime_seconds: float | None
) -> None:
    """Two minutes after the last trouble at most: a token each 30 s, pauses of up to 60 s."""
    conversation, watcher, now = Conversation(), Watcher(), 0.0
    losses.sort()
    trouble_at = 0.0
    while answers or losses or not conversation.is_ready:
        due = min(
            [*losses[:1], *([conversation.wake_at] if conversation.wake_at else [])], default=None
        )
        if due is None:
            break
        now = max(now, due)
        if answers or losses:
            trouble_at = now
        happened: list[Input] = []
        if losses and losses[0] <= now:
            losses.pop(0)
            happened.append(Closed(1006))
        actions = conversation.tick(now)
        while actions or happened:
            watcher.saw(actions, now)
            for action in actions:
                match action:
                    case link.FetchToken():
                        token = f"T{len(watcher.fetched_at)}"
                        happened.append(TokenFetched(token, "wss://n", 0, lifetime_seconds))
                    case link.LookAtServer():
                        happened.append(ServerSeen())
                    case link.Connect():
                        happened.append(Opened())
                    case link.SendFrame(text=text) if '"auth"' in text:
                        happened += _answer(answers.pop(0) if answers else "fine")
                    case _:
                        pass
            actions = []
            if happened:
                watcher.told(happened[0], now)
                actions = conversation.handle(happened.pop(0), now)

    assert conversation.is_ready
    assert now - trouble_at <= 120


def _answer(how: str) -> list[Input]:
    texts: dict[str, list[m.ServerMessage]] = {
        "fine": [m.AuthSucceeded()],
        "denied": [m.JwtErrorReported(JWT_TEXTS[-1])],
        "garbled": [m.DaemonErrorReported("Error Event [1]: an unexpected error")],
        "throttled": [m.Throttled("auth")],
        "silent": [],
    }
    return [FrameReceived(encode_server(message)) for message in texts[how]]


@given(
    asked=st.lists(st.tuples(st.floats(0, 3), st.booleans()), max_size=40),
    drops=st.lists(
        st.tuples(
            st.floats(0, 40),
            st.sampled_from(["send command", "set state", "send logs", "send stats", "global"]),
        ),
        max_size=8,
    ),
    round_trip=st.floats(0, 2),
)
def test_whatever_is_dropped_nothing_is_forgotten_and_the_limits_hold(
    asked: list[tuple[float, bool]], drops: list[tuple[float, str]], round_trip: float
) -> None:
    """Each message was sent, as often as it was dropped besides, or came back."""
    conversation = Conversation()
    conversation.tick(0.0)
    conversation.handle(TokenFetched("T", "wss://n"), 0.0)
    conversation.handle(Opened(), 0.0)
    story: list[tuple[float, Input]] = [
        (round_trip, FrameReceived(encode_server(m.AuthSucceeded())))
    ]
    at, messages = round_trip, list[m.ClientMessage]()
    for number, (pause, is_command) in enumerate(asked):
        at += pause
        message: m.ClientMessage = (
            m.SendCommand(f"say {number}") if is_command else m.SetState("start")
        )
        messages.append(message)
        story.append((at, Ask(message)))
    story += [
        (round_trip + pause, FrameReceived(encode_server(m.Throttled(what))))
        for pause, what in drops
    ]
    sent, returned, now = list[tuple[float, str]](), list[m.ClientMessage](), 0.0

    def do(actions: Iterable[Action]) -> None:
        sent.extend((now, action.text) for action in actions if isinstance(action, link.SendFrame))
        returned.extend(a.message for a in actions if isinstance(a, link.NotSent))

    for moment, happened in sorted(story, key=lambda pair: pair[0]):
        while (due := conversation.wake_at) is not None and due <= moment:
            now = due
            do(conversation.tick(now))
        now = moment
        do(conversation.handle(happened, now))
    while (due := conversation.wake_at) is not None and due < 600:
        now = due
        do(conversation.tick(now))

    said = [text for _, text in sent]
    assert conversation.state.outbox.held == []
    assert set(messages) <= {decode_client(text) for text in said} | set(returned)
    assert len(said) <= len(asked) + len(drops) + 2
    moments = [at for at, text in sent]
    assert all(b - a >= 0.0999 for a, b in pairwise(moments))
    commands = [at for at, text in sent if "send command" in text]
    for first in range(len(commands)):
        for last in range(first + 10, len(commands)):
            # As the daemon's own bucket: ten, and one each second.
            assert last - first + 1 <= 10 + (commands[last] - commands[first])

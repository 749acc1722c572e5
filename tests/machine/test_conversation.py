"""The conversation with a server as transcripts: what happened, and what is done about it."""

import json
from collections.abc import Callable, Iterator
from copy import deepcopy
from pathlib import Path

import pytest
from attrs import define

from automate.errors import (
    AccessDenied,
    AutomateError,
    Busy,
    ConnectionFailed,
    NotThere,
    PanelError,
    PanelUnreachable,
)
from automate.machine import link
from automate.machine.conversation import Conversation, concerns
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
from automate.machine.link_state import LinkState
from automate.wire import messages as m
from automate.wire.codec import canonical_server, decode_client, encode_server

URL = "wss://node.example.com:8080/api/servers/a1b2c3d4-0001-4000-8000-000000000001/ws"
EXPIRED = "jwt: exp claim is invalid"
DENIED = "Error Event [b78636bc]: jwt: created too far in past (denylist)"
UNEXPECTED = (
    "Error Event [d7fe0b74]: an unexpected error was encountered while handling this request"
)
RECORDINGS = Path(__file__).parents[2] / "recordings"


def in_words(action: Action) -> str:
    """Return *action* in a few words, so that a transcript can be read."""
    match action:
        case link.FetchToken():
            return "fetch"
        case link.Connect(url=url):
            return "connect" if url == URL else f"connect {url}"
        case link.SendFrame(text=text):
            message = decode_client(text)
            if isinstance(message, m.Auth):
                return f"auth {message.token}"
            if isinstance(message, m.SendCommand):
                return f"> {message.command}"
            return "> " + (
                message.action if isinstance(message, m.SetState) else message.event or ""
            )
        case link.Disconnect(reason=why):
            return f"disconnect: {why}"
        case link.End(error=error):
            return f"end: {type(error).__name__}: {error}"
        case link.LinkDown(reason=why):
            return f"down: {why}"
        case link.Blind(reason=why):
            return f"blind: {why}"
        case link.NotSent(message=message, reason=why):
            return f"not sent: {message.args[0]}: {why}"
        case link.Delayed(reason=why, seconds=seconds):
            return f"in {seconds:.1f} s: {why}"
        case _:
            return {"LinkUp": "up", "Sighted": "sighted", "LookAtServer": "look"}[
                type(action).__name__
            ]


@define
class NoChance(LinkState):
    """A state whose pauses are round numbers."""

    def chance(self) -> float:
        return 0.0


class Scene:
    """A conversation, its clock, and the transcript of what it did: ``(moment, words)``."""

    def __init__(self) -> None:
        self.conversation = Conversation(state=NoChance())
        self.now = 0.0
        self.script: list[tuple[float, str]] = []

    def at(self, moment: float, *happened: Input) -> list[tuple[float, str]]:
        """Let time pass until *moment*, then tell what *happened*; return what is new."""
        before = len(self.script)
        while (due := self.conversation.wake_at) is not None and due <= moment:
            self.now = max(due, self.now)
            self._note(self.conversation.tick(self.now))
        self.now = moment
        for each in happened:
            self._note(self.conversation.handle(each, moment))
        return self.script[before:]

    def soon(self) -> float:
        """Return the next moment at which the conversation wants to act."""
        assert self.conversation.wake_at is not None
        return max(self.conversation.wake_at, self.now)

    def _note(self, actions: list[Action]) -> None:
        self.script += [(round(self.now, 2), in_words(action)) for action in actions]


def ready(at: float = 0.0, token: TokenFetched | None = None) -> Scene:
    """Return a scene in which the server listens to us since *at*, its script still empty."""
    scene = Scene()
    scene.at(at, token or TokenFetched("A", URL), Opened(), hear(m.AuthSucceeded()))
    assert [words for _, words in scene.script] == [
        "fetch",
        "connect",
        "auth A",
        "up",
        "> send logs",
    ]
    scene.script.clear()
    return scene


def hear(message: m.ServerMessage) -> FrameReceived:
    return FrameReceived(encode_server(message))


def jwt_error(text: str) -> FrameReceived:
    return hear(m.JwtErrorReported(text))


def frames(recording: str) -> Iterator[tuple[float, str]]:
    """Yield the frames that the server sent in *recording*."""
    for line in (RECORDINGS / f"{recording}.jsonl").read_text("utf-8").splitlines()[1:]:
        entry = json.loads(line)
        if entry["from"] == "server":
            args = {"args": entry["args"]} if "args" in entry else {}
            yield entry["t"], entry.get("text") or canonical_server(entry["event"], **args)


def recorded(recording: str, choose: Callable[[str], bool]) -> list[tuple[float, FrameReceived]]:
    return [(t, FrameReceived(text)) for t, text in frames(recording) if choose(text)]


# ---------------------------------------------------------------- being let in


def test_first_a_token_then_a_socket_then_auth_then_everything_else() -> None:
    scene = Scene()
    scene.at(1.0, Ask(m.SendCommand("one")), Ask(m.SetState("stop")))
    scene.at(1.2, TokenFetched("A", URL))
    scene.at(1.3, Opened())
    scene.at(1.4, hear(m.AuthSucceeded()), hear(m.StatusChanged(m.PowerState.RUNNING)))
    scene.at(9.0)

    assert scene.script == [
        (0.0, "fetch"),
        (1.2, "connect"),
        (1.3, "auth A"),
        (1.4, "up"),
        (1.4, "> send logs"),
        (1.5, "> one"),
        (1.6, "> stop"),
    ]


def test_an_auth_that_was_throttled_is_sent_again_after_six_seconds() -> None:
    """auth-throttled: a dropped auth has no other answer."""
    scene = Scene()
    throttled = recorded("auth-throttled", lambda text: '"throttled"' in text)
    scene.at(0.0, TokenFetched("A", URL), Opened(), *(frame for _, frame in throttled))

    assert scene.at(20.0) == [(6.0, "auth A")]


def test_a_first_auth_without_an_answer_is_given_up_with_its_socket() -> None:
    scene = Scene()
    scene.at(0.0, TokenFetched("A", URL), Opened())

    assert scene.at(32.0) == [
        (30.0, "disconnect: auth was not answered within 30 s"),
        (30.0, "in 1.0 s: auth was not answered within 30 s"),
        (31.0, "connect"),
    ]


def test_a_garbled_token_costs_a_new_one_each_time_later() -> None:
    """auth-errors: a wrong signature is answered by ``daemon error``, the socket stays open."""
    scene = Scene()
    wrong = recorded("auth-errors", lambda text: '"daemon error"' in text)[0][1]
    scene.at(0.0, TokenFetched("A", URL), Opened(), wrong)
    scene.at(10.0, TokenFetched("B", URL), wrong)
    scene.at(100.0, TokenFetched("C", URL), hear(m.AuthSucceeded()))

    assert scene.script == [
        (0.0, "fetch"),
        (0.0, "connect"),
        (0.0, "auth A"),
        (0.0, f"in 2.0 s: {heard(wrong)}"),
        (2.0, "fetch"),
        (10.0, "auth B"),
        (10.0, f"in 4.0 s: {heard(wrong)}"),
        (30.0, "fetch"),
        (100.0, "auth C"),
        (100.0, "up"),
        (100.0, "> send logs"),
    ]


def heard(frame: FrameReceived) -> str:
    text: str = json.loads(frame.text)["args"][0]
    return text


def test_a_node_restart_costs_one_token() -> None:
    """node-restart: the token is reused, refused as too old, replaced on the same socket."""
    scene = ready()
    denied = recorded("node-restart", lambda text: "denylist" in text)[0][1]
    scene.at(6.257, Closed(1006))
    scene.at(9.8, Opened(), denied, TokenFetched("B", URL), hear(m.AuthSucceeded()))

    assert scene.script == [
        (6.26, "down: the connection broke"),
        (7.26, "connect"),
        (9.8, "auth A"),
        (9.8, "fetch"),
        (9.8, "auth B"),
        (9.8, "up"),
        (9.8, "> send logs"),
    ]


def test_a_second_denial_in_a_row_makes_a_pause() -> None:
    """The panel's clock may be behind the node's: new tokens do not help until it has caught up."""
    scene = Scene()
    scene.at(0.0, TokenFetched("A", URL), Opened(), jwt_error(DENIED))
    assert scene.script[-1] == (0.0, "fetch")

    assert scene.at(1.0, TokenFetched("B", URL), jwt_error(DENIED)) == [
        (1.0, "auth B"),
        (1.0, f"in 10.0 s: {DENIED}"),
    ]
    assert scene.at(60.0) == [(30.0, "fetch")]


@pytest.mark.parametrize(
    "text", ["jwt: missing connect permission", "Error Event [1]: jwt: missing connect permission"]
)
def test_without_the_permission_to_connect_it_ends(text: str) -> None:
    scene = ready()

    assert scene.at(5.0, Ask(m.SendCommand("hi")), Ask(m.SendCommand("ho")), jwt_error(text)) == [
        (5.0, "> hi"),
        (5.0, f"down: {NO_PERMISSION}"),
        (5.0, f"not sent: ho: {NO_PERMISSION}"),
        (5.0, f"disconnect: {NO_PERMISSION}"),
        (5.0, f"end: AccessDenied: {NO_PERMISSION}"),
    ]


NO_PERMISSION = (
    "the node refuses the token (missing connect permission): give the key's user the "
    "permission websocket.connect; if it has it, the panel is too old for its node (Wings "
    "1.12.2 needs panel 1.12.3 or later)"
)


def test_a_token_of_another_server_ends_it() -> None:
    scene = ready()

    [*_, (_, end)] = scene.at(1.0, jwt_error("jwt: server uuid mismatch"))

    assert end.startswith("end: NotThere: the node refuses the token (server uuid mismatch): ")


# ---------------------------------------------------------------- keeping the token fresh


@pytest.mark.parametrize(
    ("lifetime_seconds", "refreshed_at"),
    [(600, 480), (900, 780), (75, 60)],
)
def test_a_token_is_replaced_before_it_is_over(lifetime_seconds: int, refreshed_at: int) -> None:
    """Two minutes before, or after four fifths of a short life; the clocks need not agree."""
    scene = ready(100.0, TokenFetched("A", URL, 1795459836, 1795459836 + lifetime_seconds))

    assert scene.at(1000.0) == [(100.0 + refreshed_at, "fetch")]


@pytest.mark.parametrize("sign", [m.TokenExpiring(), m.TokenExpired()])
def test_each_warning_brings_a_new_token(sign: m.ServerMessage) -> None:
    scene = ready()

    scene.at(30.0, hear(sign))
    scene.at(30.1, TokenFetched("B", URL))
    scene.at(30.2, hear(m.AuthSucceeded()))

    assert scene.script == [(30.0, "fetch"), (30.1, "auth B")]


def test_a_flood_of_refusals_costs_one_refresh() -> None:
    """token-refresh: one refusal for each event; here the panel takes ten seconds, auth four."""
    flood = recorded("token-refresh", lambda text: '"jwt error"' in text)
    scene = ready(90.0)
    for t, frame in flood:
        if t < 116.2:
            scene.at(t, frame)
    scene.at(116.2, TokenFetched("B", URL))
    for t, frame in flood:
        if 116.2 < t < 120.1:
            scene.at(t, frame)
    scene.at(120.1, hear(m.AuthSucceeded()))
    # What the old token caused may overtake the answer.
    scene.at(120.2, jwt_error(EXPIRED))
    scene.at(170.0)

    assert scene.script == [
        (106.2, f"blind: {EXPIRED}"),
        (106.2, "fetch"),
        (116.2, "auth B"),
        (120.1, "sighted"),
        (120.1, "> send stats"),
    ]


def test_on_a_new_socket_no_refusal_is_an_old_one() -> None:
    """Denied the moment after it was let in: events are lost from then on."""
    scene = ready()

    assert scene.at(0.1, jwt_error("jwt: created too far in past (denylist)")) == [
        (0.1, "blind: jwt: created too far in past (denylist)"),
        (0.1, "fetch"),
    ]


def test_what_is_asked_while_blind_is_sent_when_sighted() -> None:
    """token-refresh: a command sent after expiry is not run, and nobody says so.

    How the server is now has to be asked, too: an offline one says nothing by itself.
    """
    scene = ready()
    scene.at(50.0, jwt_error(EXPIRED), Ask(m.SendCommand("say hi")))
    scene.at(52.0, TokenFetched("B", URL))

    assert scene.at(55.0, hear(m.AuthSucceeded())) + scene.at(56.0) == [
        (55.0, "sighted"),
        (55.0, "> send stats"),
        (55.1, "> say hi"),
    ]


def test_a_refused_refresh_leaves_the_old_token_in_force() -> None:
    scene = ready()
    scene.at(
        30.0,
        hear(m.TokenExpiring()),
        TokenFetched("B", URL),
        hear(m.DaemonErrorReported(UNEXPECTED)),
    )
    scene.at(31.0, Ask(m.SendCommand("still here")))

    assert scene.script == [
        (30.0, "fetch"),
        (30.0, "auth B"),
        (30.0, f"in 2.0 s: {UNEXPECTED}"),
        (31.0, "> still here"),
    ]


def test_an_unanswered_refresh_may_be_tried_again() -> None:
    scene = ready()
    scene.at(100.0, hear(m.TokenExpiring()), TokenFetched("B", URL))
    scene.at(140.0, TokenFetched("C", URL))

    assert scene.script == [
        (100.0, "fetch"),
        (100.0, "auth B"),
        (130.0, "fetch"),
        (140.0, "auth C"),
    ]


def test_an_error_after_a_message_of_ours_is_not_taken_for_an_answer_to_auth() -> None:
    """Start a running server and refresh at once: both could be answered by the same words."""
    scene = ready()
    scene.at(50.0, Ask(m.SetState("start")), hear(m.TokenExpiring()), TokenFetched("B", URL))
    scene.at(50.01, hear(m.DaemonErrorReported(UNEXPECTED)), hear(m.AuthSucceeded()))
    scene.at(300.0)

    assert scene.script == [(50.0, "> start"), (50.0, "fetch"), (50.0, "auth B")]


def test_warnings_never_cost_more_than_two_tokens_a_minute() -> None:
    scene = ready()
    fetched: list[float] = []
    for second in range(600):
        new = scene.at(float(second), hear(m.TokenExpiring()))
        if any(words == "fetch" for _, words in new):
            fetched.append(second)
            scene.at(second + 0.5, TokenFetched(f"T{second}", URL), hear(m.AuthSucceeded()))

    assert len(fetched) in range(19, 22)
    assert all(sum(t <= other <= t + 60 for other in fetched) <= 4 for t in fetched)


# ---------------------------------------------------------------- losing the connection


def test_lost_again_and_again_the_pauses_grow_to_a_minute() -> None:
    scene = ready()
    pauses = []
    for _ in range(9):
        lost_at = scene.now + 1.0
        scene.at(lost_at, Closed(1006))
        redial_at = scene.soon()
        pauses.append(redial_at - lost_at)
        scene.at(redial_at, Opened(), hear(m.AuthSucceeded()))
    lost_at = scene.now + 60.0
    scene.at(lost_at, Closed(1006))

    assert pauses == [1, 2, 4, 8, 16, 32, 60, 60, 60]
    assert scene.soon() == lost_at + 1.0


def test_pauses_differ_by_chance_and_the_same_seed_gives_the_same() -> None:
    """A whole node's clients must not come back in one moment."""

    def pause(seed: str) -> float:
        conversation = Conversation(seed=seed)
        conversation.tick(0.0)
        [delayed] = conversation.handle(TokenRefused(PanelUnreachable("gone")), 0.0)
        assert isinstance(delayed, link.Delayed)
        return delayed.seconds

    pauses = [pause(f"server {n}") for n in range(100)]

    assert pauses == [pause(f"server {n}") for n in range(100)]
    assert len(set(pauses)) == 100
    assert min(pauses) > 0.8
    assert max(pauses) <= 1.0


def test_what_could_not_be_sent_comes_back_instead_of_late() -> None:
    scene = ready()
    scene.at(2.0, Ask(m.SendCommand("a")), Ask(m.SendCommand("b")), Ask(m.SetState("stop")))

    assert scene.at(2.05, Closed(1006)) == [
        (2.05, "down: the connection broke"),
        (2.05, "not sent: b: the connection was lost (the connection broke)"),
        (2.05, "not sent: stop: the connection was lost (the connection broke)"),
    ]


def test_what_is_asked_while_nobody_listens_waits_half_a_minute() -> None:
    scene = Scene()
    scene.at(5.0, Ask(m.SendCommand("a")))

    assert scene.at(36.0) == [(35.0, "not sent: a: no connection within 30 s")]


def test_a_queue_without_an_end_is_refused() -> None:
    scene = Scene()
    scene.at(0.0, *[Ask(m.SendCommand(str(n))) for n in range(201)])

    assert scene.script == [
        (0.0, "fetch"),
        (0.0, "not sent: 200: 200 messages are waiting already"),
    ]


def test_what_must_not_be_sent_comes_back_at_once() -> None:
    scene = ready()

    [(_, auth), (_, long)] = scene.at(1.0, Ask(m.Auth("mine")), Ask(m.SendCommand('"' * 4000)))

    assert auth == "not sent: mine: tokens are the conversation's own business"
    assert "expected a frame of at most 4096 bytes, found" in long


def test_a_suspended_server_is_looked_at_ever_more_slowly_until_it_is_not() -> None:
    """Neither sockets nor tokens are spent on it; the token is still good afterwards."""
    scene = Scene()
    scene.at(0.0, TokenFetched("A", URL), Opened(), Closed(4409, "server is suspended"))
    for look_at in (0.0, 5.0, 15.0, 35.0, 75.0):
        scene.at(look_at, ServerSeen(status="suspended"))
    scene.at(135.0, ServerSeen())

    why = "the server is suspended"
    assert scene.script == [
        (0.0, "fetch"),
        (0.0, "connect"),
        (0.0, "auth A"),
        (0.0, f"in 10.0 s: {why}, or a backup is being restored (4409)"),
        *(
            each
            for look_at, seconds in ((0, 5), (5, 10), (15, 20), (35, 40), (75, 60))
            for each in (
                (look_at, "look"),
                (look_at, f"in {seconds}.0 s: {why}; the panel's owner can lift that"),
            )
        ),
        (135.0, "look"),
        (135.0, "connect"),
    ]


def test_a_node_that_calls_a_sound_server_suspended_is_not_hammered() -> None:
    """The panel knows before the node does."""
    scene = Scene()
    scene.at(0.0, TokenFetched("A", URL))
    for redial_at in (0.0, 10.0, 30.0, 70.0, 130.0):
        scene.at(redial_at, Opened(), Closed(4409, "server is suspended"), ServerSeen())

    script = [each for each in scene.script if each[1] in ("look", "connect")]
    assert script == [
        each
        for redial_at in (0.0, 10.0, 30.0, 70.0, 130.0)
        for each in ((redial_at, "connect"), (redial_at, "look"))
    ]


def test_a_connection_that_ends_before_anything_is_said_may_be_a_suspension() -> None:
    """Not every library tells 4409 when the node does not wait for the goodbye."""
    scene = Scene()
    scene.at(0.0, TokenFetched("A", URL), Opened(), Closed(1006))
    scene.at(0.1, ServerSeen(status="restoring_backup"))
    scene.at(5.1, ServerSeen())

    assert scene.script[3:] == [
        (0.0, "in 1.0 s: the connection broke"),
        (0.0, "look"),
        (0.1, "in 5.0 s: a backup of the server is being restored"),
        (5.1, "look"),
        (5.1, "connect"),
    ]


def test_the_panels_own_page_knows_another_code_for_it() -> None:
    scene = Scene()
    scene.at(0.0, TokenFetched("A", URL), Opened(), Closed(4400, "no"))

    assert [words for _, words in scene.script[-2:]] == [
        "in 10.0 s: the server is suspended, or a backup is being restored (4400)",
        "look",
    ]


def test_a_token_that_may_be_over_is_not_used_to_come_back() -> None:
    scene = ready(0.0, TokenFetched("A", URL, 0, 600))
    scene.at(478.0, Closed(1006))
    scene.at(479.1, ConnectFailed(ConnectionFailed("refused")))
    scene.at(490.0)

    assert scene.script == [
        (478.0, "down: the connection broke"),
        (479.0, "connect"),
        (479.1, "in 2.0 s: refused"),
        (481.1, "fetch"),
    ]


def test_a_node_that_does_not_know_the_server_is_looked_up_anew() -> None:
    """It may have moved: only the panel knows where to."""
    scene = ready()
    scene.at(1.0, Closed(1006))
    scene.at(2.0, ConnectFailed(ConnectionFailed("not there"), 404), ServerSeen())
    scene.at(5.0, TokenFetched("B", "wss://elsewhere/ws"))

    assert scene.script[2:] == [
        (2.0, "in 2.0 s: not there"),
        (2.0, "look"),
        (4.0, "fetch"),
        (5.0, "connect wss://elsewhere/ws"),
    ]


def test_a_node_is_not_given_up_because_the_panel_is_away() -> None:
    scene = Scene()
    scene.at(0.0, TokenFetched("A", URL), Opened(), Closed(1006))
    scene.at(0.5, ServerUnseen(PanelUnreachable("nobody there")))
    scene.at(1.0, Opened(), hear(m.AuthSucceeded()))

    assert [words for _, words in scene.script[4:]] == [
        "look",
        "connect",
        "auth A",
        "up",
        "> send logs",
    ]


def test_a_node_with_too_many_sockets_is_left_alone_for_a_while() -> None:
    scene = Scene()
    scene.at(0.0, TokenFetched("A", URL))
    for redial_at in (0.0, 10.0, 30.0):
        scene.at(redial_at, ConnectFailed(ConnectionFailed("too many websockets"), 400))

    assert [each for each in scene.script if each[1] != "connect"] == [
        (0.0, "fetch"),
        (0.0, "in 10.0 s: too many websockets"),
        (10.0, "in 20.0 s: too many websockets"),
        (30.0, "in 40.0 s: too many websockets"),
    ]


def test_a_deleted_server_ends_it_with_a_word() -> None:
    scene = ready()
    scene.at(5.0, hear(m.Deleted()), ServerUnseen(NotThere("no server a1b2c3d4", status=404)))

    assert scene.script == [
        (5.0, "disconnect: the server was removed from this node"),
        (5.0, "down: the server was removed from this node"),
        (5.0, "look"),
        (5.0, "end: NotThere: the server is gone: no server a1b2c3d4"),
    ]


@pytest.mark.parametrize("sign", [m.Deleted(), m.TransferStatusChanged("completed")])
def test_a_server_that_moves_is_found_at_its_new_address(sign: m.ServerMessage) -> None:
    """Until it has arrived only its state is asked for, which costs no token."""
    scene = ready()
    scene.at(5.0, hear(m.TransferStatusChanged("processing")), hear(sign))
    scene.at(5.2, ServerSeen(is_transferring=True))
    scene.at(12.0, ServerSeen(is_transferring=True))
    scene.at(30.0, ServerSeen())
    scene.at(30.1, TokenFetched("B", "wss://elsewhere/ws"))

    assert [each for each in scene.script if not each[1].startswith(("down", "disc"))] == [
        (5.0, "look"),
        (5.2, "in 5.0 s: the server is being moved to another node"),
        (10.2, "look"),
        (12.0, "in 10.0 s: the server is being moved to another node"),
        (22.0, "look"),
        (30.0, "fetch"),
        (30.1, "connect wss://elsewhere/ws"),
    ]


def test_a_node_that_refuses_our_origin_ends_it() -> None:
    scene = Scene()
    scene.at(0.0, TokenFetched("A", URL))

    assert scene.at(0.1, ConnectFailed(ConnectionFailed("wrong Origin"), 403)) == [
        (0.1, "end: ConnectionFailed: wrong Origin"),
    ]


def test_a_refused_origin_after_it_was_accepted_is_a_passing_trouble() -> None:
    scene = ready()
    scene.at(10.0, Closed(1006))
    scene.at(12.0, ConnectFailed(ConnectionFailed("wrong Origin"), 403))

    assert scene.script[-1] == (12.0, "in 2.0 s: wrong Origin")


def test_a_node_that_says_nothing_is_given_up() -> None:
    scene = Scene()
    scene.at(0.0, TokenFetched("A", URL))

    assert scene.at(30.5) == [
        (30.0, "disconnect: the node did not answer within 30 s"),
        (30.0, "in 1.0 s: the node did not answer within 30 s"),
    ]


# ---------------------------------------------------------------- a panel that gives no token


@pytest.mark.parametrize(
    ("error", "waits"),
    [
        (Busy("429", status=429, retry_after=37.0), 37.0),
        (PanelUnreachable("nobody there"), 1.0),
        (PanelError("502", status=502), 1.0),
    ],
)
def test_what_may_pass_is_waited_for(error: AutomateError, waits: float) -> None:
    scene = Scene()
    scene.at(0.0, TokenRefused(error))

    assert scene.at(50.0) == [(waits, "fetch")]


def test_a_server_in_conflict_is_looked_at_until_it_is_clear() -> None:
    """Each token request counts, also one that is answered by 409."""
    scene = Scene()
    scene.at(0.0, TokenRefused(Busy("409: installing", status=409)))
    scene.at(5.0, ServerSeen(status="installing"))
    scene.at(15.0, ServerUnseen(PanelUnreachable("nobody there")))
    scene.at(35.0, ServerUnseen(Busy("429", status=429, retry_after=7.0)))
    scene.at(42.0, ServerSeen())

    assert scene.script == [
        (0.0, "fetch"),
        (0.0, "in 5.0 s: 409: installing"),
        (5.0, "look"),
        (5.0, "in 10.0 s: the server is being installed"),
        (15.0, "look"),
        (15.0, "in 20.0 s: nobody there"),
        (35.0, "look"),
        (35.0, "in 7.0 s: 429"),
        (42.0, "look"),
        (42.0, "fetch"),
    ]


def test_a_conflict_that_the_panel_does_not_explain_is_asked_about_ever_more_slowly() -> None:
    scene = Scene()
    for moment in (0.0, 30.0, 60.0, 90.0, 130.0):
        scene.at(moment, TokenRefused(Busy("409", status=409)))
        scene.at(scene.soon(), ServerSeen())

    assert [at for at, words in scene.script if words == "look"] == [5, 40, 80, 130, 190]


def test_a_refresh_refused_because_of_a_conflict_leaves_the_connection_alone() -> None:
    scene = ready()
    scene.at(30.0, hear(m.TokenExpiring()), TokenRefused(Busy("409", status=409)))
    scene.at(36.0, ServerSeen(), Ask(m.SendCommand("still here")))

    assert scene.script == [
        (30.0, "fetch"),
        (30.0, "in 5.0 s: 409"),
        (35.0, "look"),
        (36.0, "fetch"),
        (36.0, "> still here"),
    ]


@pytest.mark.parametrize(
    "error",
    [
        AccessDenied("no", status=403),
        NotThere("no", status=404),
        PanelError("a web page", status=200),
    ],
)
def test_what_a_person_must_mend_ends_it(error: AutomateError) -> None:
    scene = Scene()
    scene.at(0.0, TokenRefused(error))
    scene.at(1.0, Ask(m.SendCommand("x")), Opened(), TokenFetched("A", URL))

    assert (scene.script, scene.conversation.wake_at) == (
        [
            (0.0, "fetch"),
            (0.0, f"end: {type(error).__name__}: {error}"),
            (1.0, "not sent: x: the conversation with the server is over"),
        ],
        None,
    )


def test_a_panel_that_worked_once_may_stumble() -> None:
    scene = ready()
    scene.at(30.0, hear(m.TokenExpiring()), TokenRefused(PanelError("a web page", status=200)))

    assert scene.script == [(30.0, "fetch"), (30.0, "in 1.0 s: a web page")]


# ---------------------------------------------------------------- manners


def test_commands_keep_their_order_and_the_daemons_limits() -> None:
    """Ten at once, a tenth of a second apart; then one a second."""
    scene = ready()
    asked = [str(n) for n in range(13)]
    scene.at(10.0, *[Ask(m.SendCommand(each)) for each in asked])
    scene.at(15.0)

    assert [words for _, words in scene.script] == [f"> {each}" for each in asked]
    gaps = [round(b - a, 2) for (a, _), (b, _) in zip(scene.script, scene.script[1:], strict=False)]
    assert gaps == [0.1] * 9 + [0.15, 1.05, 1.05]


def test_a_throttled_message_is_sent_again_and_the_next_ones_more_slowly() -> None:
    """Somebody between us and the node squeezed the gaps: five came as one."""
    scene = ready()
    scene.at(10.0, *[Ask(m.SendCommand(each)) for each in "abc"])
    scene.at(10.22, hear(m.Throttled("send command")), Ask(m.SetState("stop")))
    scene.at(20.0)

    assert scene.script == [
        (10.0, "> a"),
        (10.1, "> b"),
        (10.2, "> c"),
        (11.27, "> c"),
        (11.37, "> stop"),
    ]


def test_which_message_was_dropped_is_told_by_when_its_answer_came() -> None:
    scene = Scene()
    scene.at(0.0, TokenFetched("A", URL), Opened())
    scene.at(0.3, hear(m.AuthSucceeded()))
    scene.at(10.0, *[Ask(m.SendCommand(each)) for each in "abcd"])
    scene.at(10.39, hear(m.Throttled("send command")))
    scene.at(20.0)

    assert [words for _, words in scene.script][-5:] == ["> a", "> b", "> c", "> d", "> b"]


def test_what_is_dropped_again_and_again_comes_back() -> None:
    scene = ready()
    scene.at(10.0, Ask(m.SendCommand("a")))
    for _ in range(5):
        scene.at(scene.now + 2.0, hear(m.Throttled("send command")))
    scene.at(60.0)

    assert [words for _, words in scene.script] == ["> a"] * 5 + [
        "not sent: a: the daemon dropped it: too many in a short time"
    ]


@pytest.mark.parametrize("what", ["send stats", "global"])
def test_a_throttled_question_for_the_state_is_asked_again(what: str) -> None:
    scene = ready()
    scene.at(50.0, jwt_error(EXPIRED))
    scene.at(52.0, TokenFetched("B", URL), hear(m.AuthSucceeded()), hear(m.Throttled(what)))
    scene.at(70.0)

    assert scene.script[-3:] == [
        (52.0, "sighted"),
        (52.0, "> send stats"),
        (54.0, "> send stats"),
    ]


def test_a_throttled_question_for_the_logs_is_not() -> None:
    """Their answer would be taken for new lines by then."""
    scene = ready()

    assert scene.at(0.01, hear(m.Throttled("send logs"))) + scene.at(20.0) == []


def test_frames_that_do_not_concern_it_change_nothing() -> None:
    texts = [text for _, text in frames("token-refresh")]
    scene = ready()
    before = deepcopy(scene.conversation.state)
    spared = [text for text in texts if not concerns(text)]
    for text in spared:
        scene.at(0.0, FrameReceived(text))

    assert (scene.conversation.state, scene.script) == (before, [])
    assert len(spared) > len(texts) / 2


def test_a_token_is_in_no_repr() -> None:
    actions = [
        *Conversation().handle(TokenFetched("s3cret", URL), 0.0),
        link.SendFrame('{"event":"auth","args":["s3cret"]}'),
        TokenFetched("s3cret", URL),
    ]

    assert "s3cret" not in repr(actions)
    assert repr(link.SendFrame("x")) == "SendFrame(text='x')"

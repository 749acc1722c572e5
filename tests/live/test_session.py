"""The session carried out, in virtual time: the transcript of what its listener hears."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from automate.errors import (
    AccessDenied,
    AutomateError,
    Busy,
    ConnectionFailed,
    NotThere,
    PanelUnreachable,
    RecordingError,
)
from automate.live.answers import Token
from automate.live.listener import Listener, together
from automate.live.session import Session
from automate.live.websocket import NodeSocket, Opener
from automate.wire.messages import SendCommand, SetState
from tests.live.stage import ORIGIN, URL, Actor, Diary, Node, Tokens

EXPIRED = "jwt: exp claim is invalid"


async def play(
    node: Node,
    *,
    seconds: float,
    panel: Tokens | None = None,
    connect: Opener | None = None,
) -> list[tuple[float, str]]:
    """Run a session with *node* for so long; return what was heard."""
    diary = Diary()
    session = Session(
        "a1b2c3d4",
        panel or Tokens(),
        listener=diary,
        connect=connect or node.connect,
    )
    with trio.move_on_after(seconds):
        await session.run()
    return diary.pages


async def test_from_nothing_to_a_live_server(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    async def part(actor: Actor) -> None:
        await actor.hear()
        await trio.sleep(1)
        await actor.say("auth success", "status: running", "console output: hi")
        await trio.sleep(1)
        await actor.say("console output: ho", 'stats: {"uptime":1}')
        await actor.listen()

    node = Node(nursery, part)
    heard = await play(node, seconds=5, panel=Tokens(seconds=0.5))

    assert merged(heard) == [
        "opened",
        "> auth T1",
        "< auth success",
        "ready",
        "> send logs",
        "< status: running",
        "< console output: hi",
        "< console output: ho",
        '< stats: {"uptime":1}',
        "closed by client: None None",
    ]
    assert sorted({at for at, _ in heard}) == [0.5, 1.5, 2.5, 5.0]
    assert (node.origins, node.urls) == ([ORIGIN], [URL])


def merged(pages: Sequence[tuple[float, str]]) -> list[str]:
    """Return the words alone, batches taken apart: how frames are cut into batches is chance."""
    words: list[str] = []
    for _, page in pages:
        words += [f"< {each}" for each in page[2:].split(", ")] if page[0] == "<" else [page]
    return words


async def test_a_lost_connection_is_made_again(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    async def first(actor: Actor) -> None:
        await actor.let_in()
        await trio.sleep(9)
        await actor.vanish()

    async def second(actor: Actor) -> None:
        await actor.let_in("offline")
        await actor.listen()

    panel = Tokens()
    heard = await play(Node(nursery, first, second), seconds=20, panel=panel)

    assert merged(heard) == [
        "opened",
        "> auth T1",
        "< auth success",
        "ready",
        "> send logs",
        "< status: running",
        "closed by server: 1006 None",
        "down: the connection broke",
        "opened",
        "> auth T1",
        "< auth success",
        "ready",
        "> send logs",
        "< status: offline",
        "closed by client: None None",
    ]
    assert panel.asked_at == [0.0]


async def test_commands_go_out_in_order_or_come_back(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    async def part(actor: Actor) -> None:
        await actor.let_in()
        assert [await actor.hear(), await actor.hear()] == ["send command early", "set state stop"]
        await actor.vanish()

    diary = Diary()
    session = Session("a1b2c3d4", Tokens(), listener=diary, connect=Node(nursery, part).connect)
    session.send(SendCommand("early"))

    async def ask() -> None:
        await trio.sleep(0.15)
        session.send(SetState("stop"))
        session.send(SendCommand("late"))

    nursery.start_soon(ask)
    with trio.move_on_after(0.5):
        await session.run()
    session.send(SendCommand("after"))

    assert [words for words in merged(diary.pages) if "sen" in words or "set" in words] == [
        "> send logs",
        "> send command early",
        "> set state stop",
        "not sent: late: the connection was lost (the connection broke)",
        "not sent: after: the session is over",
    ]


async def test_what_a_node_that_stopped_reading_never_got_comes_back(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    async def part(actor: Actor) -> None:
        await actor.let_in()
        await trio.sleep(5)
        await actor.vanish()

    node = Node(nursery, part)

    class Full:
        def __init__(self, inner: NodeSocket) -> None:
            self.receive, self._send, self.ping = inner.receive, inner.send, inner.ping

        async def send(self, text: str) -> None:
            if "send command" in text:
                await trio.sleep_forever()
            await self._send(text)

    @asynccontextmanager
    async def connect(url: str, origin: str) -> AsyncIterator[NodeSocket]:
        async with node.connect(url, origin) as inner:
            yield Full(inner)

    diary = Diary()
    session = Session("a1b2c3d4", Tokens(), listener=diary, connect=connect)
    for command in ("one", "two"):
        session.send(SendCommand(command))
    session.send(SetState("stop"))
    with trio.move_on_after(5.5):
        await session.run()

    assert [words for words in diary.words if "sen" in words or words.startswith("down")] == [
        "> send logs",
        "> send command one",
        "down: the connection broke",
        "not sent: two: the node took nothing more",
        "not sent: stop: the node took nothing more",
    ]


async def test_a_silent_node_is_taken_for_dead_after_its_missing_pong(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    """Nothing flows while a server is offline: only the pong tells that somebody is there."""

    async def part(actor: Actor) -> None:
        await actor.let_in("offline")
        await actor.listen()

    node = Node(nursery, part, part)

    class Deaf:
        def __init__(self, inner: NodeSocket) -> None:
            self.receive, self.send, self._ping = inner.receive, inner.send, inner.ping

        async def ping(self) -> None:
            await self._ping()
            if trio.current_time() > 60:
                await trio.sleep_forever()

    @asynccontextmanager
    async def connect(url: str, origin: str) -> AsyncIterator[NodeSocket]:
        async with node.connect(url, origin) as inner:
            yield Deaf(inner)

    heard = await play(node, seconds=100, connect=connect)

    assert [page for page in heard if not page[1].startswith(("<", ">"))] == [
        (0.0, "opened"),
        (0.0, "ready"),
        (85.0, "closed by server: 1006 no pong within 10 s"),
        (85.0, "down: no pong within 10 s"),
        (pytest.approx(86, abs=0.3), "opened"),
        (pytest.approx(86, abs=0.3), "ready"),
        (100.0, "closed by client: None None"),
    ]


@pytest.mark.parametrize(
    ("talks_until", "lost_at"),
    [
        # The pong comes a minute late, behind all that was said before it.
        (95.0, []),
        # Who talks for ever and takes nothing in is of no use.
        (1000.0, [145.0]),
        # It fell silent, and ten seconds later it is given up.
        (40.0, [50.0]),
    ],
)
async def test_what_comes_on_a_slow_road_is_a_sign_of_life(
    talks_until: float, lost_at: list[float], autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    async def part(actor: Actor) -> None:
        await actor.let_in()
        while trio.current_time() < talks_until:
            await trio.sleep(1)
            await actor.say("console output: busy")
        await actor.listen()

    node = Node(nursery, *[part] * 9)

    class Late:
        def __init__(self, inner: NodeSocket) -> None:
            self.receive, self.send, self._ping = inner.receive, inner.send, inner.ping

        async def ping(self) -> None:
            await trio.sleep_until(95 if talks_until == 95 else 10_000)
            await self._ping()

    @asynccontextmanager
    async def connect(url: str, origin: str) -> AsyncIterator[NodeSocket]:
        async with node.connect(url, origin) as inner:
            yield Late(inner)

    heard = await play(node, seconds=150, connect=connect)

    lost = [at for at, words in heard if words.startswith("down: no pong within")]
    assert lost[:1] == lost_at


async def test_a_token_that_runs_out_is_replaced_on_the_way(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    async def part(actor: Actor) -> None:
        await actor.let_in()
        await trio.sleep(30)
        await actor.say(*[f"jwt error: {EXPIRED}"] * 3)
        assert await actor.hear() == "auth T2"
        await actor.say(f"jwt error: {EXPIRED}", "auth success", "console output: again")
        await actor.listen()

    panel = Tokens(seconds=2)
    heard = await play(Node(nursery, part), seconds=50, panel=panel)

    assert merged(heard)[6:] == [
        f"< jwt error: {EXPIRED}",
        f"blind: {EXPIRED}",
        f"< jwt error: {EXPIRED}",
        f"< jwt error: {EXPIRED}",
        "> auth T2",
        f"< jwt error: {EXPIRED}",
        "< auth success",
        "sighted",
        "> send stats",
        "< console output: again",
        "closed by client: None None",
    ]
    assert panel.asked_at == [0.0, 32.0]


async def test_a_token_is_refreshed_at_eight_of_its_ten_minutes(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    async def part(actor: Actor) -> None:
        await actor.let_in()
        assert await actor.hear() == "auth T2"
        await actor.say("auth success")
        await actor.listen()

    panel = Tokens(Token(token="T1", socket=URL, iat=1795459836, exp=1795460436))
    await play(Node(nursery, part), seconds=1000, panel=panel)

    assert panel.asked_at == [0.0, 480.0]


async def test_an_auth_nobody_answers_is_given_up_by_us(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    async def mute(actor: Actor) -> None:
        await actor.listen()

    heard = await play(Node(nursery, mute, mute), seconds=31.5)

    assert [words for _, words in heard] == [
        "opened",
        "> auth T1",
        "delayed: auth was not answered within 30 s",
        "closed by client: None auth was not answered within 30 s",
        "opened",
        "> auth T1",
        "closed by client: None None",
    ]
    assert [at for at, _ in heard][2:4] == [30.0, 30.0]


async def test_a_refused_origin_ends_the_session(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    async def part(actor: Actor) -> None:
        await actor.request.reject(403)
        await trio.sleep(1)

    diary, node = Diary(), Node(nursery, part)
    session = Session(
        "a1b2c3d4", Tokens(), listener=diary, connect=node.connect, origin="https://x.example.com"
    )
    with pytest.raises(ConnectionFailed, match="does not accept the Origin") as caught:
        await session.run()

    assert node.origins == ["https://x.example.com"]
    assert diary.words == [f"failed: {caught.value}", f"ended: {caught.value}"]


async def test_a_panel_that_says_no_ends_the_session(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    diary, refusal = Diary(), AccessDenied("wrong key", status=401)
    session = Session("a1b2c3d4", Tokens(refusal), listener=diary, connect=Node(nursery).connect)
    session.send(SendCommand("hi"))

    with pytest.raises(AccessDenied) as caught:
        await session.run()

    assert caught.value is refusal
    assert diary.words == ["not sent: hi: wrong key", "ended: wrong key"]


async def test_a_server_that_moved_is_followed_to_its_new_node(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    """The panel is asked until it is there, which costs no token, and then for the address."""
    there = URL.replace("node", "other-node")

    async def old(actor: Actor) -> None:
        await actor.let_in()
        await actor.say("transfer status: processing")
        await trio.sleep(10)
        await actor.say("transfer status: completed", "deleted: null")
        await actor.listen()

    async def new(actor: Actor) -> None:
        await actor.let_in("offline")
        await actor.listen()

    panel = Tokens(Token(token="T1", socket=URL), Token(token="T2", socket=there))
    panel.statuses = [Busy("409: moving", status=409), "transferring", None]
    node = Node(nursery, old, new)
    heard = await play(node, seconds=60, panel=panel)

    assert node.urls == [URL, there]
    assert len(panel.asked_at) == 2
    assert [words for _, words in heard if words.startswith(("ready", "down"))] == [
        "ready",
        "down: the server's transfer to another node completed",
        "ready",
    ]


async def test_a_deleted_server_ends_the_session_with_a_word(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    async def part(actor: Actor) -> None:
        await actor.let_in("offline")
        await actor.say("deleted: null")
        await actor.listen()

    panel = Tokens(seconds=0.5)
    panel.statuses.append(NotThere("no server a1b2c3d4 at the panel", status=404))
    diary = Diary()
    session = Session("a1b2c3d4", panel, listener=diary, connect=Node(nursery, part).connect)
    with pytest.raises(NotThere) as caught:
        await session.run()

    assert str(caught.value) == "the server is gone: no server a1b2c3d4 at the panel"
    assert diary.words[-4:] == [
        "< deleted: null",
        "down: the server was removed from this node",
        "closed by client: None the server was removed from this node",
        f"ended: {caught.value}",
    ]


async def test_a_panel_that_is_away_is_asked_again(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    async def part(actor: Actor) -> None:
        await actor.let_in()
        await actor.listen()

    panel = Tokens(PanelUnreachable("gone"), PanelUnreachable("still gone"))
    heard = await play(Node(nursery, part), seconds=100, panel=panel)

    assert [words for _, words in heard][:3] == ["delayed: gone", "delayed: still gone", "opened"]
    assert len(panel.asked_at) == 3


async def test_a_restarted_node_is_waited_for(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    async def live(actor: Actor) -> None:
        await actor.let_in()
        await actor.vanish()

    async def away(actor: Actor) -> None:
        await actor.vanish()

    async def back(actor: Actor) -> None:
        await actor.hear()
        await actor.say("jwt error: Error Event [1]: jwt: created too far in past (denylist)")
        await actor.let_in()
        await actor.listen()

    panel = Tokens()
    heard = await play(Node(nursery, live, away, away, back), seconds=60, panel=panel)

    gone = "node ws://node.example.com:8080: it closed the connection without an answer"
    assert [words for words in merged(heard) if words[0] != "<"] == [
        "opened",
        "> auth T1",
        "ready",
        "> send logs",
        "closed by server: 1006 None",
        "down: the connection broke",
        f"failed: {gone}",
        f"delayed: {gone}",
        f"failed: {gone}",
        f"delayed: {gone}",
        "opened",
        "> auth T1",
        "> auth T2",
        "ready",
        "> send logs",
        "closed by client: None None",
    ]


async def test_a_listener_may_ask_from_within(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    """A recipe answers a frame in the very call that brings it."""
    heard_by_node: list[str] = []

    async def part(actor: Actor) -> None:
        await actor.hear()
        await actor.say("auth success", "status: offline")
        heard_by_node.extend(await actor.listen())

    class Starter(Listener):
        def ready(self, at: float) -> None:
            session.send(SendCommand("first"))

        def received(self, at: float, texts: Sequence[str]) -> None:
            if any("offline" in text for text in texts):
                session.send(SetState("start"))

    diary = Diary()
    session = Session(
        "a1b2c3d4",
        Tokens(),
        listener=together(diary, Starter()),
        connect=Node(nursery, part).connect,
    )
    with trio.move_on_after(2):
        await session.run()
    await wait_all_tasks_blocked()

    assert heard_by_node == ["send logs", "send command first", "set state start"]


async def test_what_a_listener_raises_comes_out_as_it_is(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    async def part(actor: Actor) -> None:
        await actor.let_in()
        await actor.listen()

    class Full(Listener):
        def sent(self, at: float, text: str) -> None:
            raise RecordingError("the disk is full")

    session = Session("a1b2c3d4", Tokens(), listener=Full(), connect=Node(nursery, part).connect)

    with pytest.raises(RecordingError, match="the disk is full"):
        await session.run()


@pytest.mark.parametrize("late_seconds", [0, 12])
async def test_lines_are_heard_once_although_the_node_repeats_them(
    late_seconds: float, autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    """Two were missed in the gap; one that was said twice is heard twice.

    So it is where the node answers late, for another's client holds it up.
    """

    async def first(actor: Actor) -> None:
        await actor.let_in()
        await actor.say("console output: old", "console output: tick")
        await trio.sleep(5)
        await actor.say("console output: tick")
        await actor.vanish()

    async def second(actor: Actor) -> None:
        await actor.let_in()
        await trio.sleep(late_seconds)
        lines = ("old", "", "tick", "tick", "missed", "tick")
        await actor.say(*[f"console output: {line}" for line in lines])
        await trio.sleep(5)
        await actor.say("console output: tick")
        await actor.listen()

    diary, node = Diary(), Node(nursery, first, second)
    session = Session("a1b2c3d4", Tokens(), listener=diary, connect=node.connect)
    with trio.move_on_after(20 + late_seconds):
        await session.run()

    heard = [words for _, words in diary.news if "console" in words]
    assert heard == [
        f"console output: {each}" for each in ("old", "tick", "tick", "missed", "tick", "tick")
    ]
    # The recorder is told all of it.
    assert sum(words.count("console output") for words in diary.words) == 10


async def test_the_same_scene_plays_the_same_way(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    """However trio shuffles its tasks."""

    async def part(actor: Actor) -> None:
        await actor.let_in()
        await trio.sleep(3)
        await actor.say("console output: a", "token expiring", "console output: b")
        await actor.hear()
        await actor.say("auth success")
        await actor.vanish()

    transcripts = set()
    for _ in range(20):
        started_at = trio.current_time()
        heard = await play(Node(nursery, part, part), seconds=8)
        await trio.sleep_until(started_at + 10)
        transcripts.add(tuple(merged(heard)))

    assert len(transcripts) == 1


def test_together_tells_everybody_everything() -> None:
    one, two = Diary(), Diary()
    both = together(one, two)
    both.opened(0.0)
    both.received(1.0, ['{"event":"status","args":["offline"]}'])
    both.heard(1.0, ['{"event":"status","args":["offline"]}'])
    both.sent(2.0, '{"event":"send logs","args":[null]}')
    both.closed(3.0, "server", 1006, None)
    both.failed(4.0, "refused")
    both.ready(5.0)
    both.alive(5.5)
    both.down(6.0, "gone")
    both.blind(7.0, "over")
    both.sighted(8.0)
    both.not_sent(9.0, SendCommand("x"), "late")
    both.delayed(10.0, "busy", 5.0)
    both.ended(11.0, AutomateError("no"))

    assert (one.pages, one.news) == (two.pages, two.news)
    assert one.news == [(1.0, "status: offline"), (5.5, "alive")]
    assert [at for at, _ in one.pages] == [float(n) for n in range(12)]

"""The engine at work in virtual time: recipes, live sessions, and what people are told."""

from datetime import UTC, datetime
from pathlib import Path

import pytest
import trio
from trio.testing import MockClock

from automate import (
    Asked,
    At,
    Backup,
    Call,
    Command,
    ConsoleLine,
    Every,
    Notify,
    Recipe,
    Start,
    StatusChanged,
    Wait,
    WaitUntil,
)
from automate.cli.stopping import sole_error
from automate.engine.engine import Engine, Outcome
from automate.engine.listener import listener_of
from automate.engine.sitting import keep
from automate.errors import RecordingError, UsageError
from automate.fake.signals import NoteKind
from automate.live.listener import Listener
from automate.live.panel import Panel
from automate.live.session import Session
from automate.machine.actions import Output, Tell, Traced
from automate.recipe.loader import load
from automate.recording.format import EngineNote, Entry, PanelCall
from automate.recording.reader import read_recording
from automate.wire.frame import canonical_client, canonical_server
from automate.wire.messages import ClientMessage, SendCommand, SetState
from tests.clocks import EPOCH, clock_from
from tests.engine.engine_scenes import Tape, sit
from tests.live.stage import Actor, Node, Tokens

ID = "a1b2c3d4-0004-4000-8000-000000000004"
OTHER = "a1b2c3d4-0001-4000-8000-000000000001"
# What is said of a pause is the machine's affair.
WAITS = "wait 10 s unless the server is starting or running"


@pytest.fixture
def autojump_clock() -> MockClock:
    return MockClock(autojump_threshold=0)


@pytest.fixture(scope="session")
def restart(root: Path) -> list[Recipe]:
    return [one.recipe for one in load([root / "recipes" / "restart_on_crash.py"])]


@pytest.fixture(scope="session")
def backup(root: Path) -> list[Recipe]:
    return [one.recipe for one in load([root / "recipes" / "backup_before_stop.py"])]


# ---------------------------------------------------------------- evenings


async def test_a_server_that_fell_comes_back(
    restart: list[Recipe], autojump_clock: MockClock
) -> None:
    sitting = await sit(restart, Tape("crash-recovered", leave=[3]), ends=1)

    assert sitting.lines == [
        "21:00:00  crash-recovered  is connected",
        "21:00:00  crash-recovered  is offline",
        "21:00:00  crash-recovered  is starting",
        "21:00:02  crash-recovered  is running",
        "21:00:10  crash-recovered  is offline",
        f"21:00:11  crash-recovered  restart on crash: {WAITS}",
        "21:00:20  crash-recovered  NOTICE: crash-recovered crashed; starting it again (attempt 1)",
        "21:00:20  crash-recovered  restart on crash: set state start",
        "21:00:20  crash-recovered  is starting",
        "21:00:21  crash-recovered  is running",
        "21:00:21  crash-recovered  restart on crash: done",
    ]


async def test_what_is_asked_for_is_done_once_and_ends_the_sitting(
    backup: list[Recipe], autojump_clock: MockClock
) -> None:
    # The announcement is the recorded one's stand-in: other words, so the tape says its own.
    tape = Tape("backup-before-stop", leave=[3, 4, 5, 6, 7])

    sitting = await sit(backup, tape, asked="backup before stop", later_seconds=3.5)

    said = "The server is backed up now and then stops: find a safe place"
    saved = r"the console says /^\[[^\]]+\](?: \[[^\]]+\])?: Saved the game$/"
    assert sitting.lines == [
        "21:00:03  backup-before-stop  is connected",
        "21:00:03  backup-before-stop  is running",
        f"21:00:03  backup-before-stop  backup before stop: send command say {said}",
        "21:00:03  backup-before-stop  backup before stop: send command save-off",
        "21:00:03  backup-before-stop  backup before stop: send command save-all",
        f"21:00:03  backup-before-stop  backup before stop: wait until {saved} (at most 2 min)",
        "21:00:04  backup-before-stop  backup before stop: backup before stop",
        "21:00:04  backup-before-stop  backup before stop: send command save-on",
        "21:00:04  backup-before-stop  backup before stop: set state stop",
        "21:00:04  backup-before-stop  is stopping",
        "21:00:05  backup-before-stop  is offline",
        "21:00:05  backup-before-stop  backup before stop: done",
    ]
    assert sitting.outcomes == [Outcome(OTHER, "done", "")]
    assert [text.split(",")[0] for _, text in sitting.deeds(NoteKind.DONE)] == [
        "deed 3 (send command save-off)",
        "deed 4 (send command save-all)",
        f"deed 5 (POST /api/client/servers/{OTHER}/backups)",
        "deed 6 (send command save-on)",
        "deed 7 (set state stop)",
    ]


async def test_a_dry_run_decides_and_sends_nothing(
    restart: list[Recipe], autojump_clock: MockClock
) -> None:
    sitting = await sit(restart, Tape("crash-recovered", leave=[3]), ends=1, dry=True)

    assert sitting.lines[5:] == [
        f"21:00:11  crash-recovered  restart on crash: {WAITS}",
        "21:00:20  crash-recovered  NOTICE: crash-recovered crashed; starting it again (attempt 1)",
        "21:00:20  crash-recovered  restart on crash: would set state start",
        "21:00:20  crash-recovered  restart on crash: done",
    ]
    # The node still waits: nobody did anything to the server.
    assert sitting.deeds(NoteKind.DONE, NoteKind.IGNORED, NoteKind.REFUSED) == []
    assert sitting.heard[-1][1:] == (NoteKind.WAITING, "for deed 3 (set state start)")


async def test_two_servers_are_kept_apart(restart: list[Recipe], autojump_clock: MockClock) -> None:
    """The daemon answers the first crash of the second server itself, the recipe the next."""
    sitting = await sit(restart, Tape("crash-recovered", leave=[3]), Tape("crash-twice"), ends=2)

    # What happens to both at one moment comes in either order.
    assert sitting.of("crash-recovered") == [
        "21:00:00 is connected",
        "21:00:00 is offline",
        "21:00:00 is starting",
        "21:00:02 is running",
        "21:00:10 is offline",
        f"21:00:11 restart on crash: {WAITS}",
        "21:00:20 NOTICE: crash-recovered crashed; starting it again (attempt 1)",
        "21:00:20 restart on crash: set state start",
        "21:00:20 is starting",
        "21:00:21 is running",
        "21:00:21 restart on crash: done",
    ]
    assert sitting.of("crash-twice") == [
        "21:00:00 is connected",
        "21:00:00 is offline",
        "21:00:00 is starting",
        "21:00:02 is running",
        "21:00:06 is offline",
        "21:00:06 is starting",
        "21:00:07 restart on crash: not needed: it is starting",
        "21:00:07 is running",
        "21:00:10 is offline",
        f"21:00:11 restart on crash: {WAITS}",
        "21:00:20 NOTICE: crash-twice crashed (exit code 139); starting it again (attempt 1)",
        "21:00:20 restart on crash: set state start",
    ]


async def test_the_notes_stand_after_their_causes_and_before_what_they_cause(
    restart: list[Recipe], autojump_clock: MockClock, tmp_path: Path
) -> None:
    await sit(restart, Tape("crash-recovered", leave=[3]), ends=1, folder=tmp_path)

    file = tmp_path / "crash-recovered-a1b2c3d4-20261124T210000Z.jsonl"
    told = [words for entry in read_recording(file).entries if (words := in_short(entry))]
    assert told == [
        "GET websocket",
        "< status offline",
        "< status starting",
        "< status running",
        "< status offline",
        "* triggered crashed",
        f"* step {WAITS}",
        "* step {'notify': 'crash-recovered crashed; starting it again (attempt 1)'}",
        "* step {'set state': 'start'}",
        "> set state start",
        "< status starting",
        "< status running",
        "* done",
    ]


def in_short(entry: Entry) -> str | None:
    """Return the words of an entry that tells of cause or effect."""
    match entry:
        case EngineNote(what=what, extra=extra):
            return " ".join(map(str, ["*", what, *extra.values()]))
        case PanelCall(method=method, path=path):
            return f"{method} {path.rpartition('/')[2]}"
    event, args = getattr(entry, "event", None), getattr(entry, "args", None)
    if event not in ("status", "set state") or not isinstance(args, list):
        return None
    return f"{'<' if event == 'status' else '>'} {event} {args[0]}"


async def test_a_lost_node_is_told_of_and_comes_back(
    restart: list[Recipe], autojump_clock: MockClock
) -> None:
    """The game went on under the restarted daemon: nothing is to be done."""
    clock = Recipe("eleven", when=At("23:00"), then=Notify("it is eleven"))

    sitting = await sit([*restart, clock], Tape("node-restart"), ends=1)

    refused = "it closed the connection without an answer"
    node = "node ws://127.0.0.1:49153"
    assert sitting.lines == [
        "21:00:00  node-restart  is connected",
        "21:00:00  node-restart  is offline",
        "21:00:00  node-restart  is starting",
        "21:00:02  node-restart  is running",
        "21:00:06  node-restart  is not connected: the connection broke",
        f"21:00:07  node-restart  can't be reached: {node}: {refused}; next try in 2 s",
        f"21:00:09  node-restart  can't be reached: {node}: {refused}; next try in 3 s",
        "21:00:13  node-restart  is connected",
        "21:00:13  node-restart  is running",
        "21:00:17  node-restart  is stopping",
        "21:00:18  node-restart  is offline",
        "23:00:00  node-restart  NOTICE: it is eleven",
        "23:00:00  node-restart  eleven: done",
    ]


async def test_a_schedule_needs_no_traffic(autojump_clock: MockClock) -> None:
    """The tape ends after half a minute; tokens are fetched on, and the clock strikes."""
    hourly = Recipe("hourly", when=Every(hours=1), then=Notify("an hour has passed"))

    sitting = await sit([hourly], Tape("crash-undetected"), ends=30)

    strikes = [line for line in sitting.lines if "NOTICE" in line]
    assert [line[:8] for line in strikes] == [f"{hour % 24:02}:00:00" for hour in range(22, 52)]
    # A day that begins has a line of its own.
    assert [line for line in sitting.lines if "  " not in line] == ["2026-11-25", "2026-11-26"]


# ---------------------------------------------------------------- errors


async def test_a_session_that_cannot_go_on_ends_the_sitting_and_says_why(
    restart: list[Recipe], autojump_clock: MockClock, capsys: pytest.CaptureFixture[str]
) -> None:
    tape = Tape("crash-recovered", origin="https://elsewhere.example.com")

    sitting = await sit(restart, tape)

    assert (sitting.lines, sitting.outcomes) == (["21:00:00  crash-recovered  is given up"], [])
    assert capsys.readouterr().err == (
        "automate: crash-recovered: node ws://127.0.0.1:49153: the node does not accept the "
        "Origin 'https://elsewhere.example.com' (403): it wants the panel's address as its own "
        "settings spell it (remote, or allowed_origins); give that one with --origin\n"
    )


async def test_what_is_asked_for_at_a_lost_server_does_not_hold_up_the_rest(
    autojump_clock: MockClock,
) -> None:
    hello = Recipe("hello", when=Asked(), then=Command("say hello"))

    sitting = await sit(
        [hello],
        Tape("crash-recovered"),
        Tape("crash-twice", origin="https://elsewhere.example.com"),
        asked="hello",
    )

    assert {one.server: one.what for one in sitting.outcomes} == {ID: "done", OTHER: "given up"}


async def test_a_wrong_key_for_the_socket_ends_a_session(
    restart: list[Recipe], autojump_clock: MockClock, capsys: pytest.CaptureFixture[str]
) -> None:
    sitting = await sit(restart, Tape("crash-recovered"), key="ptlc_another")

    assert sitting.lines == ["21:00:00  crash-recovered  is given up"]
    assert "the panel does not know the API key (401)" in capsys.readouterr().err


# ---------------------------------------------------------------- asked for


async def test_a_command_is_on_the_wire_before_the_sitting_ends(autojump_clock: MockClock) -> None:
    hello = Recipe("hello", when=Asked(), then=[Command("say hello"), Command("say again")])

    sitting = await sit([hello], Tape("crash-recovered"), asked="hello")

    assert [text.split(":")[0] for _, text in sitting.deeds(NoteKind.IGNORED)] == [
        "send command say hello",
        "send command say again",
    ]


async def test_what_is_held_back_ends_the_sitting(
    backup: list[Recipe], autojump_clock: MockClock
) -> None:
    sitting = await sit(backup, Tape("backup-before-stop"), asked="backup before stop")

    assert sitting.outcomes == [
        Outcome(OTHER, "held back", "the server is running: no, it is offline")
    ]


async def test_only_the_run_that_was_asked_for_counts(autojump_clock: MockClock) -> None:
    """Its own triggers are held back meanwhile, and another recipe ends: neither is the end."""
    greet = Recipe(
        "greet",
        when=[Asked(), StatusChanged(to="starting")],
        then=[Wait(seconds=20), Notify("here we are")],
    )
    other = Recipe("other", when=StatusChanged(to="running"), then=Notify("it runs"))

    sitting = await sit([greet, other], Tape("crash-undetected"), asked="greet")

    assert [line[10:].replace("crash-undetected", "").strip() for line in sitting.lines[1:]] == [
        "is offline",
        "greet: wait 20 s",
        "is starting",
        "greet: held back: it is still running",
        "is running",
        "NOTICE: it runs",
        "other: done",
        "is offline",
        "NOTICE: here we are",
        "greet: done",
    ]
    assert sitting.outcomes == [Outcome(ID, "done", "")]


async def test_nobody_can_ask_for_a_recipe_that_is_not_there() -> None:
    hello = Recipe("hello", when=Asked(), then=Notify("hello"))

    with pytest.raises(UsageError, match=r"no recipe is called 'hullo'; there are: 'hello'"):
        engine_of([hello], asked="hullo")


async def test_a_line_sets_a_recipe_off_once_however_often_the_node_repeats_it(
    autojump_clock: MockClock,
) -> None:
    """History, lines missed in a gap and an answer that comes late are no news; a repetition is."""

    async def first(actor: Actor) -> None:
        await actor.let_in()
        await actor.say("console output: Ada joined")
        await trio.sleep(2)
        await actor.say("console output: Bob joined")
        await trio.sleep(2)
        await actor.vanish()

    async def second(actor: Actor) -> None:
        await actor.let_in()
        await actor.say("console output: Dan joined")
        await trio.sleep(0.3)
        lines = ["Ada", "Bob", "Cay", *map(str, range(100)), "Dan"]
        await actor.say(*[f"console output: {each} joined" for each in lines])
        await trio.sleep(2)
        await actor.say("console output: Bob joined")
        await actor.listen()

    class Told(Words):
        def did(self, action: Output, *, dry: bool) -> None:
            assert isinstance(action, Tell)
            self.lines.append(f"told {action.text}")

    # The engine's own time begins where it does.
    autojump_clock.jump(1000.0)
    words = Told()
    recipes = [
        Recipe("it", when=ConsoleLine("joined"), then=Notify("{line}")),
        Recipe(
            "wait",
            when=ConsoleLine("^Bob"),
            then=[WaitUntil(ConsoleLine("^Cay")), Notify("Cay came after Bob")],
        ),
        Recipe(
            "wait later",
            when=ConsoleLine("^Bob"),
            then=[Wait(seconds=1), WaitUntil(ConsoleLine("^Cay")), Notify("nobody knows")],
        ),
    ]
    engine = engine_of(recipes, words)
    async with trio.open_nursery() as nursery:
        node = Node(nursery, first, second)
        session = Session(ID, Tokens(), listener=listener_of(engine, ID), connect=node.connect)
        nursery.start_soon(session.run)
        await trio.sleep(20)
        nursery.cancel_scope.cancel()

    assert [line for line in words.lines if line.startswith("told")] == [
        "told Bob joined",
        "told Cay came after Bob",
        "told Dan joined",
        "told Bob joined",
    ]


# ---------------------------------------------------------------- without a network


class Words(Listener):
    """A watcher and a session in one: all that the engine says to either."""

    def __init__(self) -> None:
        self.sent_to: list[ClientMessage] = []
        self.lines: list[str] = []

    def send(self, message: ClientMessage) -> None:
        self.sent_to.append(message)

    def did(self, action: Output, *, dry: bool) -> None:
        self.lines.append(type(action).__name__)

    def decided(self, traced: Traced) -> None:
        self.lines.append(f"{traced.what} {traced.detail}".rstrip())

    def saw(self, server: str, words: str) -> None:
        self.lines.append(words)

    def warned(self, words: str) -> None:
        self.lines.append(f"warned: {words}")

    def gave_up(self, server: str, error: Exception) -> None:
        self.lines.append(f"gave up: {error}")


def engine_of(
    recipes: list[Recipe], words: Words | None = None, *, asked: str | None = None
) -> Engine:
    words = words or Words()
    panel = Panel("https://panel.example.com", "ptlc_x")
    clock = clock_from(EPOCH)
    engine = Engine(
        recipes,
        {ID: "arena"},
        panel=panel,
        now=lambda: datetime.fromtimestamp(clock(), UTC),
        watchers=[words],
        asked=asked,
    )
    engine.add_sender(ID, words)
    return engine


def status(word: str) -> list[str]:
    return [canonical_server("status", [word])]


async def test_a_command_that_could_not_be_sent_has_failed() -> None:
    words = Words()
    engine = engine_of(
        [Recipe("hello", when=Asked(), then=Command("say hello"))], words, asked="hello"
    )
    engine.linked(ID)
    engine.heard(ID, status("running"))

    engine.not_sent(ID, words.sent_to[0], "the connection was lost")

    assert await engine.wait_for_outcomes() == [
        Outcome(ID, "failed", "send command say hello was not sent: the connection was lost")
    ]
    assert words.lines[-3:] == [
        "did not get send command say hello: the connection was lost",
        "step failed send command say hello was not sent: the connection was lost",
        "failed send command say hello was not sent: the connection was lost",
    ]


async def test_a_power_step_that_was_not_sent_asks_again(autojump_clock: MockClock) -> None:
    words = Words()
    engine = engine_of([Recipe("up", when=Asked(), then=Start())], words, asked="up")
    async with trio.open_nursery() as nursery:
        nursery.start_soon(engine.run)
        engine.linked(ID)
        engine.heard(ID, status("offline"))
        engine.not_sent(ID, words.sent_to[0], "the connection was lost")
        await trio.sleep(20)
        engine.sent(ID, canonical_client("set state", ["start"]))
        engine.heard(ID, [*status("starting"), *status("running")])

        assert await engine.wait_for_outcomes() == [Outcome(ID, "done", "")]
        nursery.cancel_scope.cancel()

    assert words.sent_to == [SetState("start"), SetState("start")]


async def test_what_waits_to_be_sent_at_the_end_is_waited_for() -> None:
    words = Words()
    hello = Recipe("hello", when=Asked(), then=[Command("say hello"), Notify("said")])
    engine = engine_of([hello], words, asked="hello")
    engine.linked(ID)
    engine.heard(ID, status("running"))

    with trio.move_on_after(0.01) as too_early:
        await engine.wait_for_outcomes()
    engine.sent(ID, canonical_client("send command", ["say hello"]))

    assert await engine.wait_for_outcomes() == [Outcome(ID, "done", "")]
    assert (too_early.cancelled_caught, words.sent_to) == (True, [SendCommand("say hello")])


async def test_what_the_daemon_refuses_and_drops_is_told() -> None:
    words = Words()
    engine = engine_of([], words)

    engine.heard(
        ID,
        [
            canonical_server("daemon error", ["Error Event [1b2c]: another power action is"]),
            canonical_server("throttled", ["send command"]),
            "no frame at all",
        ],
    )

    assert words.lines == [
        "refuses: another power action is",
        "dropped a message (send command): too many in a short time",
    ]


async def test_a_timer_is_due_however_its_moment_was_rounded(autojump_clock: MockClock) -> None:
    """Else the engine would wait for the last digit of a clock that stands still."""
    start, pause = 1000000.1, 0.7
    assert (start + pause) - start < pause
    autojump_clock.jump(start)
    words = Words()
    engine = engine_of(
        [Recipe("soon", when=StatusChanged(to="offline"), then=Wait(seconds=pause))], words
    )
    async with trio.open_nursery() as nursery:
        nursery.start_soon(engine.run)
        engine.heard(ID, [*status("running"), *status("stopping"), *status("offline")])
        await trio.sleep(5)
        nursery.cancel_scope.cancel()

    assert words.lines[-1] == "done"


async def test_frames_after_the_end_do_no_harm() -> None:
    words = Words()
    engine = engine_of([Recipe("save", when=StatusChanged(to="offline"), then=Backup())], words)
    with trio.move_on_after(0):
        await engine.run()

    engine.heard(ID, [*status("running"), *status("stopping"), *status("offline")])

    assert words.lines[-2:] == ["MakeBackup", "step backup 'automate'"]
    assert engine.running == [(ID, "save")]


async def test_a_python_function_is_a_step(
    autojump_clock: MockClock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "engine_guest.py").write_text(
        "import trio\n"
        "seen = []\n"
        "async def slow(context):\n"
        "    await trio.sleep(3)\n"
        "    seen.append((context.server, trio.current_time()))\n"
        "async def wrong(context):\n"
        "    raise ValueError('no such player')\n"
        "async def endless(context):\n"
        "    await trio.sleep_forever()\n"
    )
    guest = Recipe(
        "guest",
        when=Asked(),
        then=[Call("engine_guest.slow"), Call("engine_guest.wrong")],
        on_failure=[Notify("{error}"), Call("engine_guest.endless", limit_seconds=5)],
    )

    sitting = await sit([guest], Tape("crash-undetected"), asked="guest")

    lines = [line for line in sitting.lines if "guest" in line or "NOTICE" in line]
    assert lines == [
        "21:00:00  crash-undetected  guest: call engine_guest.slow",
        "21:00:03  crash-undetected  guest: call engine_guest.wrong",
        "21:00:03  crash-undetected  guest: step failed: engine_guest.wrong: ValueError: no such "
        "player",
        "21:00:03  crash-undetected  NOTICE: engine_guest.wrong: ValueError: no such player",
        "21:00:03  crash-undetected  guest: call engine_guest.endless",
        "21:00:08  crash-undetected  guest: step failed: engine_guest.endless took longer than 5 s",
        "21:00:08  crash-undetected  guest: failed: engine_guest.wrong: ValueError: no such player",
    ]


async def test_a_recording_that_fails_ends_everything(autojump_clock: MockClock) -> None:
    class Full(Words):
        def decided(self, traced: Traced) -> None:
            raise RecordingError("night.jsonl: the disk is full")

    nightly = Recipe("nightly", when=Every(hours=1), then=Notify("an hour"))
    engine = engine_of([nightly], Full())
    never = Session(ID, Tokens(seconds=1e9), listener=listener_of(engine, ID))

    with pytest.raises(ExceptionGroup) as caught:
        await keep(engine, [never])

    assert str(sole_error(caught.value)) == "night.jsonl: the disk is full"

"""A script says what the real daemon said: held to the recordings, and to the format."""

import contextlib
import re
from collections.abc import Callable
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from automate import Crashed, Recipe, Start, Wait
from automate.errors import UsageError
from automate.fake.tape import Tape
from automate.recording.format import ServerFrame
from automate.recording.reader import read_recording
from automate.testing import Game, Script, Timeline, rehearse
from automate.wire.messages import ConsoleOutput, SendCommand, SetState, Unknown
from tests.testing.shapes import shape

ARENA = Game(
    startup="python3 -u arena.py",
    boot=(
        "[…]: Starting arena version 1.4.2",
        "[…]: Loading map \x1b[32mcaldera\x1b[0m",
    ),
)
ON_CRASH = Recipe("on crash", when=Crashed(), then=Start())
FALL = (
    "java.lang.NullPointerException: Ticking entity",
    "\tat net.arena.World.tick(World.java:118)",
)


def arena(title: str, *, stopping: tuple[str, ...] = (), **more: Any) -> Script:
    """Begin a script of the recorded game, in whose last second those of *stopping* join."""
    late = [joined(name) for name in stopping]
    game = evolve(ARENA, stopping=[*ARENA.stopping, *late])
    return Script(title, game=game, **more)


def joined(name: str) -> str:
    return f"[…]: {name} joined the game"


REAL: dict[str, Script] = {
    "crash-twice": arena("crash-twice")
    .offline()
    .start(after=0.8)
    .says(joined("Grace"), after=3)
    .command("crash 3", answers=FALL, after=1)
    .crash(exit_code=3)
    .says(joined("Grace"), after=3)
    .command("crash 139", answers=FALL)
    .crash(exit_code=139)
    .wait(4),
    "crash-undetected": arena("crash-undetected", crash_detection=False)
    .offline()
    .start(after=0.8)
    .command("crash 11", answers=FALL, after=2)
    .crash()
    .wait(3),
    "crash-undetected-pelican": arena("p", crash_detection=False, daemon="pelican")
    .offline()
    .start(after=0.8)
    .command("crash 11", answers=FALL, after=2)
    .crash()
    .wait(3),
    "out-of-memory": arena("out-of-memory")
    .offline()
    .start(after=0.8)
    .command("oom", after=2)
    .out_of_memory(gives_up=True)
    .wait(6),
    "power-lock-race": arena("power-lock-race", stopping=("Grace",))
    .offline()
    .start(after=0.8)
    .says(joined("Grace"), after=3)
    .kill()
    .refuses("start", busy=True)
    .start(after=4)
    .stop(after=2)
    .wait(1),
    "limited-permissions": arena("limited-permissions")
    .offline()
    .asks(SetState("start"), after=0.5)
    .asks(SendCommand("list"), after=0.5)
    .stats(after=1)
    .wait(2.5),
    "lifecycle": evolve(
        arena("lifecycle")
        .offline()
        .asks(SetState("start"), after=0.8)
        .stats()
        .start(asked=False)
        .command("say hello", answers=["[…]: [Server] hello"], after=1)
        .command("list", answers=["[…]: There are 0 of a max of 20 players online: "], after=1)
        .says(joined("Grace"), after=1)
        .command("save-all", answers=["[…]: Saving the game (this may take a moment!)"])
        .says("[…]: Saved the game", after=0.8)
        .command(
            "bogus",
            answers=["[…]: Unknown or incomplete command, see below for error: bogus"],
            after=0.4,
        )
        .says(joined("Linus"), after=1)
        .says(joined("Ken"), after=1)
        .restart(after=2),
        game=arena("", stopping=("Grace",)).game,
    )
    .stop(after=2)
    .wait(1),
    "backup-before-stop": arena("backup-before-stop")
    .offline()
    .start(after=0.8)
    .command(
        "say Server stops in 5 seconds",
        answers=["[…]: [Server] Server stops in 5 seconds"],
        after=1,
    )
    .asks(SendCommand("save-off"), after=1)
    .asks(SendCommand("save-all"))
    .says("save-all", "save-off", "[…]: Saving the game (this may take a moment!)")
    .says("[…]: Saved the game", "[…]: Automatic saving is now disabled", after=0.8)
    .backup("before stop", seconds=0.0066)
    .command("save-on", answers=["[…]: Automatic saving is now enabled"])
    .says(joined("Grace"), after=0.14)
    .stop(after=0.35)
    .wait(1),
    "node-restart": arena("node-restart")
    .offline()
    .start(after=0.8)
    .says(joined("Grace"), after=3)
    .lost(after=1)
    .says(joined("Linus"), after=2)
    .back(after=1.5, old_token=True)
    .says(joined("Ken"), after=0.5)
    .logs(after=1)
    .says(joined("Ada"), after=2)
    .stop(after=1)
    .wait(1),
}


def without_spare_tokens(lines: list[str]) -> list[str]:
    """Leave out the tokens that recorded clients fetched ahead, and their numbers."""
    plain = [re.sub("<token:[0-9]>", "<token>", line) for line in lines]
    return [line for line in plain if not (line.startswith("= GET") and "/websocket" in line)]


@pytest.mark.parametrize("name", REAL)
def test_a_script_says_what_the_daemon_said(name: str, recordings: Path) -> None:
    """Verbs in the order of a real evening give that evening's frames, in their order."""
    real = shape(read_recording(recordings / f"{name}.jsonl"))

    assert without_spare_tokens(shape(REAL[name].recording)) == without_spare_tokens(real)


# ---------------------------------------------------------------- what else it says


def events(script: Script) -> list[str]:
    """Return what the server said, in short."""
    return [
        " ".join([entry.event or "", *(entry.args if isinstance(entry.args, list) else [])])
        for entry in script.recording.entries
        if isinstance(entry, ServerFrame) and entry.event != "stats"
    ]


def test_without_a_good_token_every_event_is_an_error() -> None:
    """As in token-refresh: the flood ends with a new token, and nothing asked for was done."""
    script = (
        Script(with_stats=True)
        .online()
        .expiring(after=30)
        .expires(after=60)
        .says("lost", after=0.5)
        .command("say expired")
        .stop()
        .wait(2)
        .refresh()
        .says("back")
    )

    heard = events(script)
    assert heard[:3] == ["auth success", "status running", "token expiring"]
    # The line, two answers, and the stats of three seconds.
    assert heard[3:9] == ["jwt error jwt: exp claim is invalid"] * 6
    assert heard[9:] == ["auth success", "console output back"]


def test_what_happens_without_a_connection_is_not_heard() -> None:
    script = Script().online().lost(after=5).says("nobody hears").crash().unreachable().back()

    assert events(script) == ["auth success", "status running", "auth success", "status running"]


def test_a_second_crash_within_a_minute_is_not_answered_a_later_one_is() -> None:
    def crashed(again_after: float) -> list[str]:
        return events(Script().online().crash().crash(after=again_after))

    early, late = crashed(50), crashed(70)

    assert early[-1].endswith("last crash occurred less than 60 seconds ago.\x1b[0m")
    assert late[-1] == "status running"


def test_other_things_happen_while_a_backup_is_made() -> None:
    """In two verbs or in one, it is the same backup."""
    begun = Script().online().backup_begins("nightly", after=1)
    whole = Script().online().backup("nightly", after=1, seconds=5, successful=False)
    # From the panel's answer on, not from the call.
    parted = begun.wait(5).backup_ends(successful=False)
    crashed = begun.crash(after=2, gives_up=True).backup_ends(after=3)

    assert parted.entries == whole.entries
    assert [type(entry).__name__ for entry in crashed.entries[-2:]] == ["ServerFrame", "PanelCall"]


@pytest.mark.parametrize(
    ("script", "told"),
    [
        (Script().offline(), ["again", "gives up"]),
        (Script().online().crash().stop(), ["gives up"]),
        (Script(crash_detection=False).offline(), []),
    ],
    ids=["at first", "within a minute", "undetected"],
)
def test_a_start_without_an_image_is_a_crash(script: Script, told: list[str]) -> None:
    """Once more through, then the daemon gives up (PROBED 4.2); who asked hears an error."""
    failed = script.start(fails=True)
    new = failed.entries[len(script.entries) :]

    events = [entry.event for entry in new if isinstance(entry, ServerFrame)]
    text = "\n".join(str(entry.args) for entry in new if isinstance(entry, ServerFrame))
    assert failed.situation.status == "offline"
    assert text.count("'starting'") == (2 if "again" in told else 1)
    assert ("Aborting automatic restart, last crash" in text) is ("gives up" in told)
    assert text.count("Exit code: 1") == len(told)
    assert events.count("daemon error") == 1
    assert "daemon error" not in str(script.start(fails=True, asked=False).entries)


def test_stats_come_once_a_second_while_somebody_wants_them() -> None:
    script = Script(with_stats=True).online().uses(memory_bytes=5).wait(10).stop().wait(10)

    moments = [
        entry.t
        for entry in script.recording.entries
        if isinstance(entry, ServerFrame) and entry.event == "stats"
    ]
    # Of eleven seconds; and one when it is offline, then none.
    assert len(moments) == 12
    assert {round(b - a, 3) for a, b in pairwise(moments[:11])} == {1.003}


def test_a_moment_can_be_named() -> None:
    """As in a row of crashes, each answered by a start ten seconds later."""
    script = Script(crash_detection=False).online()
    for at in (100, 200):
        script = script.until(at).crash().until(at + 40).start(asked=False)

    late = Recipe("late", when=Crashed(), then=[Wait(seconds=10), Start()])
    assert Timeline(rehearse(late, script)).acts == [
        (110.0, "set state start"),
        (210.0, "set state start"),
    ]


def test_the_prefix_of_the_log_tells_the_time() -> None:
    script = Script(started_at=datetime(2026, 5, 1, 23, 59, 50)).online()

    line = events(script.says("[…]: Bob joined the game", after=15))[-1]

    assert line == "console output [00:00:05] [Server thread/INFO]: Bob joined the game"


@pytest.mark.parametrize(
    ("write", "problem"),
    [
        (lambda: Script().crash(), "crash(): it has not begun"),
        (lambda: Script().online().online(), "it has begun already"),
        (lambda: Script().offline().crash(), "expected a server that is starting or running"),
        (lambda: Script().online().start(), "expected a server that is offline, but it is running"),
        (lambda: Script().online().back(), "there is a connection; break it with lost()"),
        (lambda: Script().online().lost().expires(), "there is no connection; make one"),
        (lambda: Script().online().until(5).until(4), "until(4): it is 5 s long already"),
        (lambda: Script().online().backup_ends(), "no backup has begun; begin one with"),
        (lambda: Script().online().backup_begins().backup(), "backup(): a backup is being made"),
        (lambda: Script(daemon="wings"), "expected a daemon (pterodactyl, pelican), found 'wings'"),
        (lambda: Script().online().wait(-1), "a pause of 0 seconds or more, found -1"),
    ],
)
def test_what_makes_no_sense_is_refused(write: Callable[[], Script], problem: str) -> None:
    with pytest.raises(UsageError, match=re.escape(problem)):
        write()


BEGUN = Script("evening").online()
EMPTY = "the daemon passes on no empty line; leave it out, or write '\\r' for one of a game"
NEWLINE = "a line holds no newline; write one by one what it is made of: 'a', 'b'"


@pytest.mark.parametrize(
    ("write", "problem"),
    [
        (lambda: BEGUN.says("hi", ""), f"Script 'evening', at 0.0026 s: says(): {EMPTY}"),
        (lambda: BEGUN.says("a\nb"), f"Script 'evening', at 0.0026 s: says(): {NEWLINE}"),
        (lambda: BEGUN.daemon_says("a\nb"), f"daemon_says(): {NEWLINE}"),
        (lambda: BEGUN.command("list", answers=["a\nb"]), f"command(): {NEWLINE}"),
        (lambda: Game(boot=["a\nb"]), f"Game: 'a\\nb': {NEWLINE}"),
        (lambda: Game(done=""), f"Game: '': {EMPTY}"),
    ],
)
def test_a_line_that_no_daemon_sends_is_refused_with_what_to_write_instead(
    write: Callable[[], object], problem: str
) -> None:
    with pytest.raises(UsageError) as refused:
        write()

    assert problem in str(refused.value)
    assert "\n" not in str(refused.value)


def lines(script: Script) -> list[str]:
    """Return the console lines after the beginning."""
    frames = [entry.message for entry in script.recording.entries if isinstance(entry, ServerFrame)]
    return [message.line for message in frames if isinstance(message, ConsoleOutput)]


def test_a_line_is_sent_as_the_daemon_sends_it() -> None:
    """A return after a space becomes a line end, and what is too long is cut (PROBED 1)."""
    evening = BEGUN.says("\r", "a\r\nb", "a \rb", "x" * 70_033)

    assert lines(evening) == ["\r", "a\r\nb", "a\r\nb", "x" * 65_536, "x" * 401]


def test_in_the_logs_a_line_too_long_is_the_end() -> None:
    evening = BEGUN.says("first", "x" * 70_033, "last").logs()

    assert lines(evening)[-1] == "first"


def test_an_evening_can_go_on_in_several_ways() -> None:
    evening = Script("evening").online()
    well, badly = evening.stop(after=60), evening.crash(after=60)

    assert (events(evening), events(well)[2], events(badly)[2]) == (
        ["auth success", "status running"],
        "status stopping",
        "status offline",
    )


# ---------------------------------------------------------------- whatever is written

pauses = st.sampled_from([0, 0.003, 1, 70])
verbs: list[st.SearchStrategy[Callable[[Script], Script]]] = [
    st.builds(
        lambda after, asked: lambda script: script.start(after=after, asked=asked),
        pauses,
        st.booleans(),
    ),
    st.builds(lambda after: lambda script: script.stop(after=after), pauses),
    st.builds(lambda after: lambda script: script.restart(after=after), pauses),
    st.builds(lambda after: lambda script: script.kill(after=after), pauses),
    st.builds(lambda code: lambda script: script.crash(exit_code=code), st.integers(0, 255)),
    st.builds(lambda text: lambda script: script.says(text), st.text()),
    st.builds(lambda after: lambda script: script.lost(after=after), pauses),
    st.builds(lambda old: lambda script: script.back(old_token=old), st.booleans()),
    st.just(lambda script: script.start(fails=True)),
    st.just(lambda script: script.backup_begins()),
    st.builds(lambda well: lambda script: script.backup_ends(successful=well), st.booleans()),
    st.builds(
        lambda well, early: lambda script: script.backup(successful=well, overtakes=early),
        st.booleans(),
        st.booleans(),
    ),
]
verbs += [
    st.just(verb)
    for verb in (
        lambda script: script.hang(),
        lambda script: script.out_of_memory(),
        lambda script: script.refuses("start", busy=True),
        lambda script: script.command("list", answers=["nobody"]),
        lambda script: script.unreachable(),
        lambda script: script.expiring(),
        lambda script: script.expires(told=True),
        lambda script: script.revoked(),
        lambda script: script.refresh(),
        lambda script: script.stats(),
        lambda script: script.logs(),
        lambda script: script.throttles(),
        lambda script: script.panel_says("POST", "/backups", status=429, detail="too many"),
    )
]


@st.composite
def scripts(draw: st.DrawFn) -> Script:
    script = Script(
        daemon=draw(st.sampled_from(["pterodactyl", "pelican"])),
        with_stats=draw(st.booleans()),
        crash_detection=draw(st.booleans()),
    )
    script = script.online() if draw(st.booleans()) else script.offline()
    for verb in draw(st.lists(st.one_of(verbs), max_size=12)):
        with contextlib.suppress(UsageError):
            script = verb(script)
    return script


@given(scripts())
def test_whatever_is_written_is_a_recording(script: Script) -> None:
    """It is read as it was written, can be replayed and rehearsed, and every frame is known."""
    with TemporaryDirectory() as folder:
        path = Path(folder, "evening.jsonl")
        script.save(path)
        read = read_recording(path)

    written = script.recording
    assert (read.header.title, read.entries, read.warnings) == ("evening", written.entries, [])
    assert [entry.t for entry in read.entries] == sorted(entry.t for entry in read.entries)
    frames = [entry for entry in read.entries if isinstance(entry, ServerFrame)]
    assert not [frame for frame in frames if isinstance(frame.message, Unknown)]
    assert Tape(read).deeds is not None
    assert rehearse(ON_CRASH, script) == rehearse(ON_CRASH, read)

"""The rows of the probes about the console, statistics, throttles and backups, each a scene."""

from itertools import pairwise

import msgspec
import pytest
from attrs import evolve

from automate.fake.model.container import pieces
from automate.fake.model.game import ARENA, Rule, Say
from automate.fake.model.settings import Kind
from automate.fake.model.signals import BackupAsked, Commanded
from tests.fake.model.scenes import FAILED, GAME_BOOT, PELICAN, PTERODACTYL, Stage, row

SAID = "[Server thread/INFO]: [Server] "
UUID = "da554dc6-3fa9-4174-ba08-5f4119e1ff29"


def running(kind: Kind, *says: str, **settings: object) -> tuple[Stage, int]:
    """Return a stage with a game that says these things, one for each `go`."""
    rules = tuple(Rule(f"go {number}", (Say(text),)) for number, text in enumerate(says))
    program = evolve(ARENA, rules=(*rules, *ARENA.rules))
    stage = Stage(kind, game=program, **settings)  # type: ignore[arg-type]  # passed through
    socket = stage.connect()
    stage.start(socket)
    for number in range(len(says)):
        stage.say(socket, "send command", f"go {number}")
        stage.wait(0.01)
    return stage, socket


def lines(stage: Stage, socket: int) -> list[str]:
    """Return what the game said, without the echoes of `go`."""
    return [text for text in stage.events(socket) if not text.startswith("go ")]


# ---------------------------------------------------------------- lines


@row("8.1 lines over 64 KiB")
@pytest.mark.parametrize(
    ("size", "sizes"),
    [(65569, [65536]), (70033, [65536, 401]), (140033, [65536, 65536, 769])],
)
def test_a_long_line_is_cut_and_some_of_it_is_lost_at_each_cut(
    kind: Kind, size: int, sizes: list[int]
) -> None:
    stage, socket = running(kind, "x" * size)

    assert [len(line) for line in lines(stage, socket)] == sizes


@row("8.1 empty lines", "8.1 CR")
@pytest.mark.parametrize(
    ("printed", "seen"),
    [
        ("", []),
        ("\r", ["\r"]),
        ("a\r", ["a\r"]),
        ("a\rb\rc", ["a\rb\rc"]),
        ("a \rb", ["a\r\nb"]),
        ("\ta\x07\b\x00\x1b]0;title\x07", ["\ta\x07\b\x00\x1b]0;title\x07"]),
    ],
)
def test_a_line_is_passed_on_as_it_is_but_an_empty_one_is_not(
    kind: Kind, printed: str, seen: list[str]
) -> None:
    stage, socket = running(kind, printed)

    assert lines(stage, socket) == seen


def test_broken_bytes_are_escaped_as_the_daemons_encoder_does() -> None:
    """The recording odd-output has both spellings."""
    broken = evolve(ARENA, rules=(Rule("go", (Say("a\udcff\ufffd"),)),))
    stage = Stage(PTERODACTYL, game=broken)
    socket = stage.connect()
    stage.start(socket)
    stage.say(socket, "send command", "go")
    stage.wait(0.01)

    frame = '{"event":"console output","args":["a\\ufffd\ufffd"]}\n'
    assert stage.frames(socket)[-1] == frame


@row("7.4 logs hold empty lines", "send logs")
def test_the_logs_are_the_last_lines_of_this_run_with_the_empty_ones(kind: Kind) -> None:
    stage, socket = running(kind, "", "\x1b[31mred\x1b[0m")
    stage.heard(socket)
    stage.say(socket, "send logs", None)
    stage.wait(0.01)
    first = stage.frames(socket)
    stage.say(socket, "send command", "spam 200")
    stage.wait(6)
    stage.heard(socket)
    stage.say(socket, "send logs", None)
    stage.wait(0.01)
    last = stage.events(socket)
    stage.say(socket, "set state", "kill")
    stage.wait(6)
    stage.heard(socket)
    stage.say(socket, "send logs", None)
    stage.wait(0.01)
    offline = stage.heard(socket)
    stage.start(socket)
    stage.wait(4)
    stage.heard(socket)
    stage.say(socket, "send logs", None)
    stage.wait(0.01)

    shown = [msgspec.json.decode(frame)["args"][0] for frame in first]
    assert shown == [*GAME_BOOT, "go 0", "", "go 1", "\x1b[31mred\x1b[0m"]
    assert last == [f"[Server thread/WARN]: Running {n} ms behind" for n in range(50, 200)]
    assert offline == []
    assert stage.events(socket) == GAME_BOOT


@row("7.4 long line cuts the rest")
def test_a_line_too_long_ends_the_logs_before_it(kind: Kind) -> None:
    stage, socket = running(kind, "short", "x" * 70_000, "never shown")
    stage.heard(socket)
    stage.say(socket, "send logs", None)
    stage.wait(0.01)

    assert stage.events(socket) == [*GAME_BOOT, "go 0", "short", "go 1"]


# ---------------------------------------------------------------- the terminal


@row("8.1 echo")
def test_every_command_is_echoed_even_by_a_game_that_hangs(kind: Kind) -> None:
    stage, socket = running(kind)
    stage.say(socket, "send command", "say \x1b[31m")
    stage.wait(0.01)
    stage.say(socket, "send command", "hang")
    stage.wait(0.01)
    stage.say(socket, "send command", "say lost")
    stage.wait(0.01)
    live = stage.events(socket)
    stage.say(socket, "send logs", None)
    stage.wait(0.01)

    assert live == ["say ^[[31m", f"{SAID}\x1b[31m", "hang", "say lost"]
    assert stage.events(socket) == [*GAME_BOOT, *live]


@row("4095 bytes of a line")
@pytest.mark.parametrize("size", [4095, 4096, 4200, 9000])
@pytest.mark.parametrize("way", ["socket", "panel"])
def test_the_game_gets_no_more_than_4095_bytes_of_a_line(kind: Kind, size: int, way: str) -> None:
    stage, socket = running(kind)
    command = "say " + "x" * (size - 4)
    if way == "panel":
        stage.tell(Commanded(command))
    elif kind is PTERODACTYL:
        stage.say(socket, "send command", command)
    stage.wait(0.01)

    whole = [command, SAID + command[4:4095]]
    assert stage.events(socket) == ([] if (way, kind) == ("socket", PELICAN) else whole)


@row("8.1 control bytes in a command")
def test_control_bytes_act_on_the_terminal(kind: Kind) -> None:
    stage, socket = running(kind)
    for text in (
        "say a\nsay b\r\nsay c",
        "wrong\x15say d",
        "say ex\x7f",
        "no\x1asay f",
        "no\x1csay g",
    ):
        stage.say(socket, "send command", text)
        stage.wait(0.01)
    said = [text.removeprefix(SAID) for text in stage.events(socket) if text.startswith(SAID)]
    stage.say(socket, "send command", "\x03")
    stage.wait(0.2)
    killed = stage.events(socket)[:5]

    assert said == ["a", "b", "c", "d", "e", "f", "g"]
    assert killed == [
        "^C",
        "status offline",
        "D ---------- Detected server process in a crashed state! ----------",
        "D Exit code: 130",
        "D Out of memory: false",
    ]


@row("8.1 end of input")
def test_an_end_of_input_alone_ends_the_game(kind: Kind) -> None:
    stage, socket = running(kind)
    stage.say(socket, "send command", "\x04")
    stage.wait(0.1)

    assert [text for text in stage.events(socket) if text][:3] == [
        "status offline",
        "D ---------- Detected server process in a crashed state! ----------",
        "D Exit code: 0",
    ]


# ---------------------------------------------------------------- statistics


@row("7.2 cadence")
def test_statistics_come_each_second_while_not_offline(kind: Kind) -> None:
    stage = Stage(kind)
    socket = stage.connect()
    stage.say(socket, "set state", "start")
    stage.wait(5)
    stage.say(socket, "set state", "stop")
    stage.wait(20)

    told = [(at, text) for at, text in stage.timed(socket) if text.startswith("stats")]
    states = [text.removeprefix("stats ") for _at, text in told]
    steps = [later - earlier for (earlier, _), (later, _) in pairwise(told[:-1])]
    assert states == ["starting"] * 2 + ["running"] * 3 + ["stopping"] + ["offline"]
    assert all(1.0 <= step <= 1.03 for step in steps)


@row("7.2 memory limit")
def test_the_memory_limit_is_nothing_before_the_first_start_and_stays_after_the_end(
    kind: Kind,
) -> None:
    stage = Stage(kind, memory_mib=128)
    socket = stage.connect()
    stage.say(socket, "send stats", None)
    stage.wait(0.01)
    before = stage.frames(socket)
    stage.start(socket)
    stage.say(socket, "set state", "kill")
    stage.wait(1)
    after = stage.frames(socket)

    keys = ["memory_bytes", "memory_limit_bytes", "cpu_absolute", "network"]
    keys += ["disk_io"] if kind is PELICAN else []
    shown = [msgspec.json.decode(msgspec.json.decode(text)["args"][0]) for text in before]
    last = msgspec.json.decode(msgspec.json.decode(after[-1])["args"][0])
    limit = 147_197_952 if kind is PTERODACTYL else 154_349_568
    assert [list(each) for each in shown] == [[*keys, "uptime", "state", "disk_bytes"]]
    assert (shown[0]["memory_limit_bytes"], last["memory_limit_bytes"]) == (0, limit)
    assert (list(last), last["memory_bytes"]) == (sorted(last), 0)


# ---------------------------------------------------------------- throttles


def commands(stage: Stage, socket: int, count: int, seconds: float) -> tuple[int, list[str]]:
    """Send so many commands; return how many were run, and what was said of throttling."""
    stage.heard(socket)
    for _ in range(count):
        stage.say(socket, "send command", "say x")
        stage.wait(seconds)
    stage.wait(0.05)
    told = stage.events(socket)
    return told.count(f"{SAID}x"), [text for text in told if text.startswith("throttled")]


@row("3 commands in one go", "7.5 throttled")
def test_of_fourteen_commands_at_once_ten_are_run_by_a_newer_daemon(kind: Kind) -> None:
    stage, socket = running(kind)
    stage.wait(5)

    run, told = commands(stage, socket, 14, 0)
    assert (run, told) == ((10, ["throttled: global"]) if kind is PELICAN else (14, []))


@row("3 commands steadily", kinds=(PELICAN,))
def test_four_commands_a_second_become_one_a_second(kind: Kind) -> None:
    stage, socket = running(kind)
    stage.wait(15)
    run, told = commands(stage, socket, 60, 0.25)
    stage.wait(4.25)
    burst, _told = commands(stage, socket, 8, 0.01)
    stage.wait(15)
    slow = commands(stage, socket, 15, 1)

    assert (run, set(told)) == (24, {"throttled: send command"})
    assert 10 <= len(told) <= 12
    assert (burst, slow) == (5, (15, []))


@row("3 auth", kinds=(PELICAN,))
def test_auths_are_let_through_twice_and_then_once_in_five_seconds(kind: Kind) -> None:
    stage = Stage(kind)
    socket = stage.open()
    pattern = []
    for _second in range(13):
        stage.say(socket, "auth", stage.token())
        stage.wait(1)
        told = stage.events(socket)
        pattern.append("S" if "auth success" in told else "T" if told else ".")

    assert " ".join(pattern) == "S S T . . S T . . . S T ."


@row("3 five auths and eight logs in one go", kinds=(PELICAN,))
def test_at_once_two_auths_and_two_requests_for_logs_pass(kind: Kind) -> None:
    stage, first = running(kind)
    socket = stage.open()
    for _ in range(5):
        stage.say(socket, "auth", stage.token())
    stage.wait(6)
    auths = [text for text in stage.events(socket) if text in ("auth success", "throttled: auth")]
    for _ in range(8):
        stage.say(first, "send logs", None)
    stage.wait(0.1)
    told = stage.events(first)

    assert sorted(auths) == ["auth success", "auth success", "throttled: auth"]
    assert (told.count(GAME_BOOT[0]), told.count("throttled: send logs")) == (2, 1)


@row("3 send stats, set state, unknown", kinds=(PELICAN,))
def test_the_other_events_share_a_bucket_and_each_is_named_as_it_was_written(kind: Kind) -> None:
    stage = Stage(kind)
    socket = stage.connect()
    told = []
    for event in ("send stats", "set state", "nope"):
        for _ in range(8):
            stage.say(socket, event, None)
        stage.wait(0.01)
        heard = stage.heard(socket)
        told.append([text for text in heard if text.startswith("throttled")])
        done = [text for text in heard if text in ("stats offline", FAILED)]
        assert len(done) == (4 if event == "send stats" else 0)
        stage.wait(0.99 if event == "nope" else 0)
    stage.wait(4)

    # The second and third are dropped by the limit on all messages together.
    assert told == [["throttled: send stats"], ["throttled: set state", "throttled: global"], []]


@row("3 twenty unknown events a second", kinds=(PELICAN,))
def test_a_steady_excess_tells_of_itself_all_the_time_and_closes_nothing(kind: Kind) -> None:
    stage = Stage(kind)
    socket = stage.connect()
    stage.wait(10)
    for _ in range(100):
        stage.say(socket, "nope", "x")
        stage.wait(0.05)

    told = stage.heard(socket)
    assert 22 <= told.count("throttled: global") <= 26
    assert 4 <= told.count("throttled: nope") <= 6


# ---------------------------------------------------------------- backups


@row("7.1 backup failed")
def test_a_failed_backup_is_told_with_nothing_in_it(kind: Kind) -> None:
    stage = Stage(kind)
    socket = stage.connect()
    stage.world.backups_succeed = False
    stage.tell(BackupAsked(UUID))
    stage.wait(1)

    said = '{\\"checksum\\":\\"\\",\\"checksum_type\\":\\"sha1\\",\\"file_size\\":0,'
    said += f'\\"is_successful\\":false,\\"uuid\\":\\"{UUID}\\"}}'
    assert stage.frames(socket) == [f'{{"event":"backup completed","args":["{said}"]}}\n']


def test_pieces_of_a_line_are_its_bytes_and_not_its_characters() -> None:
    """Cut inside a character, a line is broken there (PROBED section 1)."""
    cut = pieces("\u20ac" * 30_000)

    assert [len(piece.encode("utf-8", "surrogateescape")) for piece in cut] == [65536, 20368]
    assert cut[0].endswith("\udce2")

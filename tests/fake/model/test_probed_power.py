"""The rows of the probes about power: locks, boots, stops, crashes, each as a scene."""

from collections.abc import Iterable

import pytest
from attrs import evolve

from automate.fake.model.game import ARENA, Rule, Say
from automate.fake.model.settings import Kind
from automate.fake.model.signals import BackupAsked, ConditionChanged, PowerAsked, Usage
from automate.wire.frame import canonical_server
from automate.wire.messages import PowerAction, PowerState
from tests.fake.model.scenes import (
    ADMIN,
    BOOT_LINES,
    BOTH,
    FAILED,
    FULL_BOOT,
    GAME_BOOT,
    LOCK_HELD,
    PELICAN,
    PTERODACTYL,
    Stage,
    row,
)

CRASHED = "D ---------- Detected server process in a crashed state! ----------"
TOO_SOON = "D Aborting automatic restart, last crash occurred less than 60 seconds ago."
DISABLED = "D Aborting automatic restart, crash detection is disabled for this instance."
CHECKING, UPDATING = BOOT_LINES[:2]
STOPPED = ["status stopping", "stop", "[Server thread/INFO]: Stopping the server"]
SAVED = "[Server thread/INFO]: Saving worlds"
TRACE = [
    "java.lang.NullPointerException: Ticking entity",
    "\tat net.arena.World.tick(World.java:118)",
]


def crash(code: int, *, out_of_memory: bool = False) -> list[str]:
    return [CRASHED, f"D Exit code: {code}", f"D Out of memory: {str(out_of_memory).lower()}"]


def running(kind: Kind, *permissions: str, **settings: object) -> tuple[Stage, int]:
    """Return a stage with a running game, and a socket."""
    stage = Stage(kind, **settings)  # type: ignore[arg-type]  # passed through
    socket = stage.connect(*permissions)
    stage.start(socket)
    return stage, socket


def after_offline(stage: Stage, socket: int, seconds: float) -> list[str]:
    """Send a start that long after `offline`; return what comes."""
    while stage.state != "offline":
        stage.wait(0.0005)
    stage.wait(seconds)
    stage.heard(socket)
    stage.say(socket, "set state", "start")
    stage.wait(0.05)
    return stage.events(socket)


# ---------------------------------------------------------------- the lock


def _locks() -> Iterable[tuple[str, Kind, float, bool]]:
    for kind in BOTH:
        yield from (("stop", kind, 0.005, True), ("stop", kind, 0.025, False))
        yield from (("crash 3", kind, 0.0, False), ("crash 0", kind, 0.004, False))
        yield "stop as a command", kind, 0.013, False
    yield from (("kill", PTERODACTYL, 0.006, True), ("kill", PTERODACTYL, 0.05, False))
    yield from (("kill", PELICAN, 0.45, True), ("kill", PELICAN, 0.505, True))
    yield "kill", PELICAN, 0.52, False


@pytest.mark.parametrize(("how", "kind", "seconds", "is_lost"), list(_locks()))
def test_a_start_is_lost_as_long_as_the_lock_outlives_offline(
    how: str, kind: Kind, seconds: float, is_lost: bool
) -> None:
    stage, socket = running(kind, crash_detection=False)
    if how in ("kill", "stop"):
        stage.say(socket, "set state", how)
    else:
        stage.say(socket, "send command", how.removesuffix(" as a command"))
    stage.wait(0.002)

    told = after_offline(stage, socket, seconds)
    assert told == ([LOCK_HELD] if is_lost else BOOT_LINES)


# The cases above are these rows.
row(
    "3 lock after kill", "3 lock after stop", "3 lock after a crash", "3 lock after the stop text",
    "7.3 lock conflict / 7.4 start after offline",
)  # fmt: skip


# ---------------------------------------------------------------- boots


@row("4.3 normal boot")
def test_a_normal_boot_frame_by_frame(kind: Kind) -> None:
    stage = Stage(kind)
    socket = stage.connect()
    stage.say(socket, "set state", "start")
    stage.wait(0.13)
    frames = [frame for frame in stage.frames(socket) if '"stats"' not in frame]

    name, checking = ("pelican", "c") if kind is PELICAN else ("Pterodactyl", "C")
    prefix = '{"event":"console output","args":["\\u001b[33m\\u001b[1m[%s Daemon]:\\u001b[39m '
    own = prefix % name + '%s\\u001b[0m"]}\n'
    assert frames == [
        own % f"{checking}hecking server disk space usage, this could take a few seconds...",
        own % "Updating process configuration files...",
        '{"event":"status","args":["starting"]}\n',
        own % "Finished pulling Docker container image",
        own % "Pulling Docker container image, this could take a few minutes to complete...",
        '{"event":"console output","args":[":/home/container$ ./arena"]}\n',
        canonical_server("console output", [GAME_BOOT[1]]),
    ]


@row("8.2 boot order", "8.3 running follows the done-line")
def test_with_chance_the_image_lines_and_the_done_line_change_places(kind: Kind) -> None:
    images, dones = set(), set()
    for seed in range(150):
        stage = Stage(kind, seed=seed)
        socket = stage.connect()
        stage.say(socket, "set state", "start")
        stage.wait(2)
        told = stage.events(socket)
        images.add(tuple(told[3:5]))
        dones.add(tuple(told[-2:]))

    image, done = tuple(BOOT_LINES[3:]), (GAME_BOOT[-1], "status running")
    assert images == {image, image[::-1]}
    assert dones == {done, done[::-1]}


@row("4.1 start with a full disk")
@pytest.mark.parametrize("action", ["start", "restart"])
def test_a_full_disk_is_told_to_who_asked_and_changes_no_status(kind: Kind, action: str) -> None:
    stage = Stage(kind)
    admin, owner = stage.connect(*ADMIN), stage.connect()
    stage.tell(ConditionChanged(is_disk_full=True))
    stage.say(admin, "set state", action)
    stage.wait(1)
    by_admin = stage.heard(admin), stage.heard(owner)
    stage.say(owner, "set state", action)
    stage.wait(1)

    told = "daemon error: filesystem: not enough disk space"
    assert by_admin == ([CHECKING, told], [CHECKING])
    assert stage.heard(owner) == [CHECKING, FAILED]


@row("4.2 start with an image that does not exist", "8.3 failed pre-boot")
def test_a_missing_image_counts_as_a_crash_twice(kind: Kind) -> None:
    stage = Stage(kind)
    socket = stage.connect()
    stage.tell(ConditionChanged(is_image_missing=True))
    stage.say(socket, "set state", "start")
    stage.wait(1)
    told = stage.events(socket)
    stage.say(socket, "set state", "start")
    stage.wait(1)
    again = stage.events(socket)

    assert told == [
        *BOOT_LINES, FAILED, "status offline", *crash(1),
        *BOOT_LINES, "status offline",
        "D Server crash was detected but an error occurred while handling it.",
        *crash(1), TOO_SOON,
    ]  # fmt: skip
    assert again == [*BOOT_LINES, FAILED, "status offline", *crash(1), TOO_SOON]


# ---------------------------------------------------------------- starting and stopping


@row("`start` while starting / running")
def test_a_start_too_many_meets_the_lock_or_a_running_server(kind: Kind) -> None:
    stage = Stage(kind)
    socket = stage.connect(*ADMIN)
    stage.say(socket, "set state", "start")
    stage.wait(0.05)
    stage.heard(socket)
    stage.say(socket, "set state", "start")
    stage.wait(0.002)
    early = stage.heard(socket)
    stage.wait(0.5)
    stage.heard(socket)
    stage.say(socket, "set state", "start")
    stage.wait(0.01)

    assert early == [LOCK_HELD]
    assert stage.events(socket) == ["daemon error: server is running"]


@row("`stop` / `start` while `starting`", "`send command` while `starting`")
def test_what_comes_while_starting_waits_or_is_refused_until_the_container_is_attached(
    kind: Kind,
) -> None:
    stage = Stage(kind)
    socket = stage.connect()
    stage.say(socket, "set state", "start")
    stage.wait(0.05)
    stage.say(socket, "send command", "say too early")
    stage.say(socket, "set state", "stop")
    stage.wait(0.3)
    early = stage.events(socket)
    stage.say(socket, "send command", "say early")
    stage.wait(0.01)
    echoed = stage.events(socket)
    stage.say(socket, "set state", "stop")
    stage.wait(4)

    assert early == [*BOOT_LINES, LOCK_HELD, *GAME_BOOT[:2]]
    assert echoed == ["say early"]
    said = "[Server thread/INFO]: [Server] early"
    # The stop waits in the terminal until the game reads; it never gets to `running`.
    assert stage.events(socket) == [
        *STOPPED[:2], *GAME_BOOT[2:], said, STOPPED[2], SAVED, "status offline",
    ]  # fmt: skip


@row("`kill` 0.1 s after `starting`")
@pytest.mark.parametrize("seconds", [0.02, 0.1])
def test_a_kill_right_after_starting_ends_it_within_a_moment(kind: Kind, seconds: float) -> None:
    stage = Stage(kind)
    socket = stage.connect()
    stage.say(socket, "set state", "start")
    stage.wait(seconds)
    stage.say(socket, "set state", "kill")
    stage.wait(0.2)

    states = [text for text in stage.events(socket) if text.startswith("status")]
    assert states == ["status starting", "status stopping", "status offline"]


@row("offline: stop, kill")
def test_a_stop_or_kill_of_an_offline_server_is_nothing_at_all(kind: Kind) -> None:
    stage = Stage(kind)
    socket = stage.connect(*ADMIN)
    for action in ("stop", "kill"):
        stage.say(socket, "set state", action)
        stage.wait(1)

    assert stage.heard(socket) == []


@row("offline: restart")
def test_a_restart_of_an_offline_server_is_a_plain_start(kind: Kind) -> None:
    stage = Stage(kind)
    socket = stage.connect()
    stage.say(socket, "set state", "restart")
    stage.wait(2)

    assert stage.events(socket) == FULL_BOOT


@row("restart")
def test_a_restart_passes_through_offline(kind: Kind) -> None:
    stage, socket = running(kind)
    stage.say(socket, "set state", "restart")
    stage.wait(4)

    told = stage.timed(socket)
    at = {text: at for at, text in told if text.startswith("status")}
    assert [text for _at, text in told if not text.startswith("stats ")] == [
        *STOPPED, SAVED, "status offline", *FULL_BOOT,
    ]  # fmt: skip
    assert 0.015 < at["status starting"] - at["status offline"] < 0.03


@row("control.restart only")
def test_who_may_only_restart_can_do_nothing_else(kind: Kind) -> None:
    stage, _owner = running(kind)
    socket = stage.connect("websocket.connect", "control.restart")
    for action in ("kill", "stop", "start"):
        stage.say(socket, "set state", action)
        stage.wait(1)
    nothing = stage.events(socket)
    stage.say(socket, "set state", "restart")
    stage.wait(4)

    assert nothing == []
    assert stage.events(socket)[-1] == "status running"


@row("7.4 permissions: only websocket.connect", "7.1 backup.read missing")
def test_who_may_only_connect_sees_everything_and_does_nothing(kind: Kind) -> None:
    stage, _owner = running(kind)
    socket = stage.connect("websocket.connect")
    for event, arg in (
        ("send command", "say hi"), ("set state", "kill"), ("send stats", None), ("send logs", None)
    ):  # fmt: skip
        stage.say(socket, event, arg)
        stage.wait(0.01)
    stage.tell(BackupAsked("da554dc6-3fa9-4174-ba08-5f4119e1ff29"))
    stage.wait(0.3)
    told = stage.heard(socket)
    stage.say(_owner, "set state", "kill")
    stage.wait(0.3)

    assert told == ["stats running", *GAME_BOOT]
    assert stage.heard(socket) == ["status stopping", "status offline", "stats offline"]


@row("7.4 unknown `set state` with no power permission", "`explode`, `Start`, empty, no args")
@pytest.mark.parametrize("args", [["explode"], ["Start"], [""], []])
def test_an_unknown_action_is_an_error_even_without_any_permission(
    kind: Kind, args: list[str]
) -> None:
    stage = Stage(kind)
    socket = stage.connect("websocket.connect", "admin.websocket.errors")
    stage.say(socket, "set state", *args)
    stage.wait(0.01)

    assert stage.heard(socket) == ["daemon error: attempting to handle unknown power action"]


@row("args of set state are joined")
def test_the_parts_of_an_action_are_joined(kind: Kind) -> None:
    stage, socket = running(kind)
    stage.say(socket, "set state", "st", "op")
    stage.wait(0.01)

    assert stage.events(socket) == STOPPED


@row("7.4 stop of a hanging game", "7.4 state `send command` while `stopping`")
def test_a_stop_that_hangs_holds_the_lock_until_a_kill_goes_through(kind: Kind) -> None:
    stage, socket = running(kind)
    stage.say(socket, "send command", "hang")
    stage.wait(0.1)
    stage.say(socket, "set state", "stop")
    stage.wait(157)
    heard = stage.heard(socket)
    stage.say(socket, "send command", "say nobody")
    for action in ("start", "stop", "restart"):
        stage.wait(1)
        stage.say(socket, "set state", action)
    stage.wait(1)
    locked = stage.events(socket)
    stage.say(socket, "set state", "kill")
    stage.wait(0.06)
    killed = stage.events(socket)

    assert [text for text in heard if text != "stats running"][:3] == [
        "hang", "status stopping", "stop",
    ]  # fmt: skip
    assert heard.count("stats stopping") == 157
    assert locked == ["say nobody", LOCK_HELD, LOCK_HELD, LOCK_HELD]
    assert killed == ["status offline"]


def test_a_stop_that_takes_ten_minutes_becomes_a_kill() -> None:
    """PROTOCOL 7.4."""
    stage, socket = running(PTERODACTYL)
    stage.say(socket, "send command", "hang")
    stage.wait(0.1)
    stage.say(socket, "set state", "stop")
    stage.wait(500)
    stage.say(socket, "auth", stage.token())
    stage.wait(99)
    before = stage.state
    stage.wait(2)

    assert (before, stage.state) == ("stopping", "offline")
    assert stage.events(socket)[-1] == "status offline"


# ---------------------------------------------------------------- crashes


@row("8.3 crash, detection on", "4.4 crash with detection", "4.4 stop", "4.4 kill")
@pytest.mark.parametrize("code", [0, 3])
def test_a_crash_is_told_and_the_server_started_again(kind: Kind, code: int) -> None:
    stage, socket = running(kind)
    stage.say(socket, "send command", f"crash {code}")
    stage.wait(62)
    first = stage.heard(socket)
    stage.say(socket, "send command", "oom")
    stage.wait(3)
    second = stage.events(socket)
    stage.say(socket, "set state", "stop")
    stage.wait(3)
    stop = [text for text in stage.heard(socket) if text not in ("stats running", "stats stopping")]
    stage.say(socket, "set state", "start")
    stage.wait(3)
    stage.heard(socket)
    stage.say(socket, "set state", "kill")
    stage.wait(0.1)

    without = [text for text in first if text not in ("stats running", "stats starting")]
    ended = ["status offline", "stats offline"]
    assert without == [f"crash {code}", *TRACE, *ended, *crash(code), *FULL_BOOT]
    assert second == ["oom", "status offline", *crash(137, out_of_memory=True), *FULL_BOOT]
    assert stop == [*STOPPED, SAVED, *ended]
    assert stage.heard(socket) == ["status stopping", *ended]


@row("8.3 second within 60 s")
def test_a_second_crash_within_a_minute_is_not_answered(kind: Kind) -> None:
    stage, socket = running(kind)
    stage.say(socket, "send command", "crash 3")
    stage.wait(59)
    stage.heard(socket)
    stage.say(socket, "send command", "crash 4")
    stage.wait(5)

    assert stage.events(socket) == ["crash 4", *TRACE, "status offline", *crash(4), TOO_SOON]


@row("8.3 detection off")
def test_without_detection_no_code_is_told(kind: Kind) -> None:
    stage, socket = running(kind, crash_detection=False)
    stage.say(socket, "send command", "crash 11")
    stage.wait(5)

    assert stage.events(socket) == ["crash 11", *TRACE, "status offline", DISABLED]


@row("8.3 egg's stop text as command")
def test_the_stop_text_alone_is_a_stop_and_anything_around_it_makes_a_crash(kind: Kind) -> None:
    program = evolve(ARENA, rules=(Rule("stop ?", ARENA.rules[0].steps), *ARENA.rules))
    told = []
    for text in ("stop", "stop ", "say a\nsay b\nstop "):
        stage, socket = running(kind, game=program)
        stage.say(socket, "send command", text)
        stage.wait(1.2)
        told.append([text for text in stage.events(socket) if text.startswith(("status", CRASHED))])

    crashes = ["status offline", CRASHED, "status starting"]
    assert told == [["status stopping", "status offline"], crashes, crashes]


@row("8.3 output line equal to stop command", "4.5 output line equal to the stop command")
@pytest.mark.parametrize("how", ["printed", "echoed"])
def test_a_line_that_equals_the_stop_command_makes_the_server_offline_while_it_runs(
    kind: Kind, how: str
) -> None:
    program = evolve(ARENA, rules=(Rule("parrot", (Say("stop"),)), Rule("stop", ()), *ARENA.rules))
    stage, socket = running(kind, game=program)
    stage.say(socket, "send command", "parrot" if how == "printed" else "say a\nstop")
    stage.wait(0.2)
    told = stage.timed(socket)
    stage.say(socket, "send command", "say still here")
    stage.wait(0.1)
    alive = stage.events(socket)
    stage.wait(5)
    stage.say(socket, "send command", "parrot")
    stage.wait(1)
    again = stage.events(socket)
    stage.say(socket, "send command", "say unheard")
    stage.wait(1)
    unheard = stage.heard(socket)
    stage.say(socket, "set state", "start")
    stage.wait(1)

    end = ["stop", "status offline", *crash(0)]
    events = [text for _at, text in told if not text.startswith(("stats ", "[Server thread"))]
    assert events[events.index("stop") :] == [*end, CHECKING, UPDATING, "status running"]
    at = {text: at for at, text in told}
    assert 0.03 < at["status running"] - at["stop"] < 0.06
    assert alive == ["say still here", "[Server thread/INFO]: [Server] still here"]
    assert again == ["parrot", *end, TOO_SOON]
    assert unheard == []
    assert stage.events(socket) == [CHECKING, UPDATING, "status running"]


@row("8.2 disk limit while running")
def test_a_server_that_outgrows_its_disk_is_stopped(kind: Kind) -> None:
    big = evolve(ARENA, disk_bytes=2000)
    stage = Stage(kind, game=big, disk_limit_bytes=1000)
    socket = stage.connect()
    stage.say(socket, "set state", "start")
    stage.wait(5)

    told = stage.events(socket)
    line = "D Server is exceeding the assigned disk space limit, stopping process now."
    after = [text for text in told[told.index(line) + 1 :] if text.startswith("status")]
    assert after == ["status stopping", "status offline"]


# ---------------------------------------------------------------- loss


@row("5 flood")
def test_of_a_flood_two_thousand_lines_in_a_tenth_of_a_second_come_through(kind: Kind) -> None:
    numbers = {}
    for count in (1000, 3000, 6000, 20000):
        stage, socket = running(kind)
        stage.say(socket, "send command", f"spam {count}")
        stage.wait(1)
        told = stage.events(socket)
        lines = [text for text in told if text.startswith("[Server thread/WARN]")]
        assert lines == sorted(lines, key=lambda line: int(line.split()[3]))
        numbers[count] = len(lines), sum("too quickly" in text for text in told)

    # Measured on the older daemon: 1000, 1999, 3458, 9999.
    assert numbers == {1000: (1000, 0), 3000: (1999, 1), 6000: (3555, 1), 20000: (9999, 5)}


@row("panel /resources vs status event")
def test_the_state_is_set_before_its_event_is_sent(kind: Kind) -> None:
    stage = Stage(kind)
    socket = stage.connect()
    stage.tell(PowerAsked(PowerAction.START))
    pairs = []
    for _moment in range(2000):
        stage.wait(0.001)
        told = [text for text in stage.events(socket) if text.startswith("status")]
        pairs += [(text, stage.state) for text in told]

    assert pairs == [("status starting", "starting"), ("status running", "running")]


def test_a_world_can_begin_in_the_middle() -> None:
    """A replay that hands a deed to the model knows what has been before."""
    stage = Stage(PTERODACTYL)
    usage = Usage(memory_bytes=5, memory_limit_bytes=9, disk_bytes=7)
    stage.world.assume(PowerState.RUNNING, usage=usage, lines=["seen before"])
    socket = stage.open()
    stage.say(socket, "auth", stage.token())
    stage.wait(0.01)
    stage.say(socket, "send logs", None)
    stage.wait(0.01)
    stage.say(socket, "send command", "say hi")
    stage.wait(0.01)
    greeted = stage.events(socket)
    stage.say(socket, "set state", "stop")
    stage.wait(3)

    said = ["say hi", "[Server thread/INFO]: [Server] hi"]
    assert greeted == ["auth success", "status running", "seen before", *said]
    assert stage.events(socket) == [*STOPPED, SAVED, "status offline"]


def test_an_installation_is_told_from_its_beginning_to_its_end() -> None:
    """PROTOCOL 7.1; meanwhile no power action is taken."""
    stage = Stage(PTERODACTYL)
    socket = stage.connect(*ADMIN)
    stage.tell(ConditionChanged(is_installing=True))
    stage.say(socket, "set state", "start")
    stage.wait(1)
    stage.tell(ConditionChanged(is_suspended=False))
    stage.tell(ConditionChanged(is_installing=False))

    assert stage.heard(socket) == [
        "install started: ",
        "daemon message: Starting installation process, this could take a few minutes...",
        "daemon error: server is currently installing",
        "install completed: ",
    ]

"""`automate fake`: a node on this machine, met by recipes, by the panel's calls and by signals."""

import os
import signal
import socket
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from automate.live.answers import read_token
from tests.cli.shell import (
    PATIENCE_SECONDS,
    RECIPES,
    Replayed,
    Running,
    environment,
    run,
    say,
    started,
)

RED, BLUE = "aaaaaaaa-0000-4000-8000-000000000001", "bbbbbbbb-0000-4000-8000-000000000002"
# Its child has a group of its own where such ones can be found, as a shell's jobs have.
GAME = """
import os, signal, subprocess, sys
print("pid", os.getpid(), os.environ["P_SERVER_UUID"], os.environ.get("AUTOMATE_KEY"), flush=True)
for line in sys.stdin:
    match line.split():
        case ["crash", code]: sys.exit(int(code))
        case ["child"]:
            group = 0 if os.path.isdir("/proc") else None
            child = subprocess.Popen(["sleep", "600"], process_group=group)
            print("child", child.pid, flush=True)
        case ["deaf"]:
            for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
                signal.signal(number, signal.SIG_IGN)
            while True: signal.pause()
        case ["save-all"]: print("[12:00:00] [Server thread/INFO]: Saved the game", flush=True)
        case ["stop"]: print("saved and gone", flush=True); break
        case _: print("heard", line.strip(), flush=True)
"""
RESTART = """
from automate import Crashed, Notify, Recipe, Start, Wait
restart = Recipe(
    "restart", when=Crashed(), then=[Wait(seconds=0.5), Notify("{server} {reason}"), Start()]
)
"""
BACKUP = ("run", RECIPES / "backup_before_stop.py", "--trigger", "backup before stop")
needs_terminals = pytest.mark.skipif(os.name == "nt", reason="there are no pseudo-terminals")


@contextmanager
def faked(*words: str | Path) -> Iterator[Replayed]:
    """Have a node of one's own in another process."""
    with started("fake", *words) as running:
        first = running.read_until("panel ").split()
        running.read_until("Ctrl-C ends")
        yield Replayed(first[1], first[3], first[5], running)


@contextmanager
def calling(fake: Replayed, server: str | None = None) -> Iterator[httpx.Client]:
    url = f"{fake.url}/api/client/servers/{server or fake.server}"
    headers = {"Authorization": f"Bearer {fake.key}"}
    with httpx.Client(base_url=url, headers=headers, trust_env=False) as panel:
        yield panel


@pytest.fixture
def game(tmp_path: Path) -> str:
    """The command of a game that tells its process's number and hears a few words."""
    (tmp_path / "game.py").write_text(GAME)
    return f"'{sys.executable}' -u '{tmp_path / 'game.py'}'"


def command(panel: httpx.Client, words: str) -> None:
    assert panel.post("/command", json={"command": words}).status_code == 204


def power(panel: httpx.Client, signal: str) -> None:
    """Ask when the last action has let go of the lock: else nobody hears (PROBED, section 3)."""
    time.sleep(0.2)
    assert panel.post("/power", json={"signal": signal}).status_code == 204


def said(line: str) -> str:
    """Return a line without the time and the server's name."""
    return line.split("  ", 2)[2]


def lines_until(running: Running, words: str) -> list[str]:
    """Return what is printed until a line that holds *words*."""
    before = len(running.lines)
    running.read_until(words)
    return [said(line) for line in running.lines[before:]]


def number_in(running: Running, word: str) -> int:
    """Return the process that the next line with *word* names."""
    return int(said(running.read_until(f"  {word} ")).split()[1])


def is_alive(pid: int) -> bool:
    """Whether a process is there and no zombie."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return False
        return not Path("/proc/self").exists()
    return state != "Z"


def wait_for(condition: Callable[[], bool]) -> None:
    """Look again until *condition* holds."""
    for _ in range(PATIENCE_SECONDS * 50):
        if condition():
            return
        time.sleep(0.02)
    raise AssertionError("it never came to be")


def expect_gone(*pids: int) -> None:
    """See these processes end, and end them if they don't: nobody else would."""
    try:
        wait_for(lambda: not any(map(is_alive, pids)))
    finally:
        for pid in filter(is_alive, pids):
            os.kill(pid, signal.SIGKILL)


# ---------------------------------------------------------------- recipes at work


@needs_terminals
def test_a_recipe_starts_a_real_game_again_after_a_real_crash(game: str, tmp_path: Path) -> None:
    (tmp_path / "restart.py").write_text(RESTART)
    words = ["--game", game, "--no-crash-detection", "--start"]
    with (
        faked(*words) as fake,
        calling(fake) as panel,
        started(
            "run", tmp_path / "restart.py", *fake.at, env=environment(AUTOMATE_KEY=fake.key)
        ) as recipes,
    ):
        first = number_in(fake.running, "pid")
        recipes.read_until("is running")
        command(panel, "crash 7")
        fallen = lines_until(fake.running, "detection is disabled")
        second = number_in(fake.running, "pid")
        told = recipes.read_until("NOTICE")
        recipes.read_until("restart: done")

        assert first != second
        assert (is_alive(first), is_alive(second)) == (False, True)
    # What is typed is echoed, as by any terminal.
    assert [line for line in fallen if "---" not in line] == [
        "is running",
        "crash 7",
        "is offline",
        "[Pterodactyl Daemon]: Aborting automatic restart, crash detection is disabled for this "
        "instance.",
    ]
    assert told.endswith("NOTICE: Game crashed")


@needs_terminals
def test_the_backup_is_made_before_the_stop(
    game: str, capsys: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    with faked("--game", game, "--start") as fake, calling(fake) as panel:
        fake.running.read_until("is running")
        monkeypatch.setenv("AUTOMATE_KEY", fake.key)
        done = say(
            *BACKUP,
            *fake.at,
            capsys=capsys,
        )
        seen = lines_until(fake.running, "is offline")
        (backup,) = panel.get("/backups").json()["data"]

    typed = ("save-off", "save-all", "save-on", "stop", "backup")
    assert (done.code, done.err) == (0, "")
    assert [line.split()[0] for line in seen if line.startswith(typed)] == [
        *("save-off", "save-all", "backup", "save-on", "stop"),
    ]
    assert (backup["attributes"]["name"], backup["attributes"]["is_successful"]) == (
        "before stop",
        True,
    )


def test_the_arena_needs_no_program(capsys: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    with faked("--start", "--daemon", "pelican") as fake:
        fake.running.read_until("is running")
        monkeypatch.setenv("AUTOMATE_KEY", fake.key)
        done = say(
            *BACKUP,
            *fake.at,
            capsys=capsys,
        )
        seen = lines_until(fake.running, "is offline")
        ended = stop(fake)

    assert (done.code, done.err) == (0, "")
    assert "[Server thread/INFO]: Saving worlds" in seen
    assert ended == (0, "")


# ---------------------------------------------------------------- a real program


@needs_terminals
def test_exit_codes_are_the_programs_own(game: str) -> None:
    with faked("--game", game, "--start") as fake, calling(fake) as panel:
        fake.running.read_until("is running")
        command(panel, "crash 41")
        crashed = lines_until(fake.running, "Out of memory")

    assert [line for line in crashed if "Exit code" in line] == [
        "[Pterodactyl Daemon]: Exit code: 41"
    ]


@needs_terminals
def test_the_panels_power_acts_on_it(game: str) -> None:
    """Stopped by an interrupt, as some eggs do it, and killed with its children."""
    with faked("--game", game, "--start", "--stop", "^C") as fake, calling(fake) as panel:
        first = number_in(fake.running, "pid")
        fake.running.read_until("is running")
        power(panel, "stop")
        stopped = lines_until(fake.running, "is offline")
        power(panel, "start")
        second = number_in(fake.running, "pid")
        command(panel, "child")
        child = number_in(fake.running, "child")
        power(panel, "kill")
        fake.running.read_until("is offline")
        expect_gone(first, second, child)

    assert "KeyboardInterrupt" in stopped
    assert "stop" not in stopped


@needs_terminals
def test_it_is_ready_when_it_says_so(game: str) -> None:
    with faked("--game", game, "--start", "--ready", "heard me") as fake, calling(fake) as panel:
        fake.running.read_until("  pid ")
        command(panel, "not yet")
        command(panel, "me")
        seen = lines_until(fake.running, "is running")

    assert [line for line in seen if line.startswith(("heard", "is"))] == [
        "heard not yet",
        "heard me",
        "is running",
    ]


@needs_terminals
def test_each_server_has_a_game_of_its_own_and_no_key_gets_there(game: str) -> None:
    with faked("--game", game, "--server", RED, BLUE, "--token-seconds", "7") as fake:
        assert fake.server == f"{RED},{BLUE}"
        told = []
        for server in (BLUE, RED):
            with calling(fake, server) as panel:
                panel.post("/power", json={"signal": "start"})
                token = read_token(panel.get("/websocket").json())
                told.append(fake.running.read_until("  pid ").split("  ", 2)[1:])

    assert [(name, words.split()[2:]) for name, words in told] == [
        ("Game 2", [BLUE, "None"]),
        ("Game 1", [RED, "None"]),
    ]
    assert (token.exp or 0) - (token.iat or 0) == 7


@needs_terminals
def test_who_reads_only_the_first_line_does_not_hold_it_up(game: str) -> None:
    with faked("--game", game, "--start") as fake, calling(fake) as panel:
        number_in(fake.running, "pid")
        for number in range(200):
            command(panel, f"{number} " + "long " * 200)
        command(panel, "stop")
        code, _ = stop(fake)

    assert code == 0


# ---------------------------------------------------------------- the end


def stop(fake: Replayed, number: int = signal.SIGINT) -> tuple[int, str]:
    fake.running.send(number)
    ended = fake.running.rest()
    return ended.code, ended.err


@needs_terminals
@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP"])
def test_in_the_end_the_game_stops_in_order_and_nothing_is_left(name: str, game: str) -> None:
    with faked("--game", game, "--start") as fake, calling(fake) as panel:
        pid = number_in(fake.running, "pid")
        command(panel, "child")
        child = number_in(fake.running, "child")
        fake.running.send(signal.Signals[name])
        ended = fake.running.rest()
        expect_gone(pid, child)

    assert (ended.code, ended.err) == (0, "")
    assert [line.split("  ")[-1] for line in ended.out.splitlines()[-3:]] == [
        "the game is asked to stop; Ctrl-C again kills it",
        "stop",
        "saved and gone",
    ]


def insist(running: Running) -> None:
    """Interrupt until it is heeded: two in one moment are one to the system."""
    while running.process.poll() is None:
        running.send(signal.SIGINT)
        time.sleep(0.05)


@needs_terminals
@pytest.mark.parametrize("how", ["again", "killed", "nobody reads"])
def test_nothing_is_left_however_it_ends(how: str, game: str) -> None:
    """Of a game that heeds nothing: at a second Ctrl-C, a kill, an error."""
    with faked("--game", game, "--start") as fake, calling(fake) as panel:
        pid = number_in(fake.running, "pid")
        command(panel, "child")
        child = number_in(fake.running, "child")
        command(panel, "deaf")
        fake.running.read_until("deaf")
        if how == "again":
            insist(fake.running)
        elif how == "killed":
            fake.running.send(signal.SIGKILL)
        else:
            assert fake.running.process.stdout is not None
            fake.running.process.stdout.close()
            panel.post("/power", json={"signal": "kill"})
        fake.running.process.wait(timeout=PATIENCE_SECONDS)
        expect_gone(pid, child)


# ---------------------------------------------------------------- asked wrongly


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (["--server", "abc"], "--server: expected a uuid such as a1b2c3d4-0009-4000-8000-"),
        (["--permission", "all"], "--permission: expected * or a permission such as control."),
        (["--stop", "^X"], "--stop: expected a command of the game, or ^C, found '^X'"),
        (["--stop", ""], "--stop: expected a command of the game, or ^C, found ''"),
        (["--ready", "regex:("], "--ready: 'regex:(' is no pattern: "),
        (["--token-seconds", "0"], "--token-seconds: expected a whole number from 1 to 86400"),
        (["--game", "no-such-game x"], "--game: 'no-such-game' can't be run: there is no such"),
        (["--game", "sh 'x"], '--game: "sh \'x": No closing quotation; close it'),
        (["--game", " "], "--game: expected a command, found nothing"),
        (["--daemon", "wings"], "--daemon: invalid choice: 'wings'"),
    ],
)
def test_what_is_wrong_is_said_in_a_line(
    words: list[str], complaint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    code, told = say("fake", *words, capsys=capsys).complaint

    assert (code, told[: 9 + len(complaint)]) == (2, f"argument {complaint}")


def test_servers_that_can_not_be_told_apart_are_refused(capsys: Any) -> None:
    code, told = say("fake", "--server", RED, RED, capsys=capsys).complaint

    assert (code, "another one begins with aaaaaaaa" in told) == (2, True)


def test_a_port_in_use_is_told(capsys: Any) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        code, told = say("fake", "--port", str(port), capsys=capsys).complaint

    assert (code, told.split(":")[0]) == (1, f"127.0.0.1 port {port}")


def test_a_system_without_terminals_is_told(capsys: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "openpty", raising=False)
    code, told = say("fake", "--game", f"'{sys.executable}'", capsys=capsys).complaint

    assert (code, told) == (
        2,
        "--game needs pseudo-terminals, which this system does not have; leave it out for the "
        "built-in arena",
    )


def test_a_key_without_the_permission_gets_no_socket(tmp_path: Path) -> None:
    with faked("--permission", "control.console", "backup.read") as fake, calling(fake) as panel:
        refused = panel.get("/websocket")
        done = run(
            "run",
            RECIPES / "restart_on_crash.py",
            *fake.at,
            env=environment(AUTOMATE_KEY=fake.key),
        )

    assert refused.status_code == 403
    *warnings, last = done.err.splitlines()
    assert (done.code, "permission" in last) == (1, True)
    assert [line.partition("user lacks ")[2] for line in warnings if "warning:" in line] == [
        "websocket.connect",
        "control.start",
    ]

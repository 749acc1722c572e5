"""Ending what goes on: Ctrl-C, SIGTERM and a closed terminal, once and again."""

import os
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from automate.recording.format import ServerFrame, Transport
from automate.recording.reader import Recording, read_recording
from tests.cli.shell import (
    PATIENCE_SECONDS,
    RECIPES,
    RECORDINGS,
    Replayed,
    Running,
    Said,
    environment,
    replayed,
    started,
)

pytestmark = pytest.mark.skipif(os.name == "nt", reason="sends POSIX's signals")
SIGNALS = [signal.SIGINT, signal.SIGTERM]
RESTART = str(RECIPES / "restart_on_crash.py")


def recorded(path: Path) -> tuple[Recording, list[str]]:
    """Return a recording, which must be whole, and its server frames."""
    recording = read_recording(path)
    assert recording.warnings == []
    return recording, [one.frame for one in recording.entries if isinstance(one, ServerFrame)]


def is_left_in_order(recording: Recording) -> bool:
    """Whether the last that was written is that the recorder left."""
    match recording.entries[-1]:
        case Transport(what="closed", by="client"):
            return True
        case _:
            return False


def insist(running: Running, number: int) -> Said:
    """Send the signal until it is heeded: two in one moment are one to the system."""
    for _ in range(PATIENCE_SECONDS * 20):
        running.send(number)
        try:
            running.process.wait(timeout=0.05)
        except subprocess.TimeoutExpired:
            continue
        break
    return running.rest()


def recording_of(replay: Replayed, path: Path) -> list[str]:
    return ["record", *replay.at, "-o", str(path)]


def as_user(replay: Replayed, **variables: str) -> dict[str, str]:
    return environment(AUTOMATE_KEY=replay.key, **variables)


@pytest.mark.parametrize("number", [*SIGNALS, signal.SIGHUP], ids=lambda one: one.name)
def test_a_recording_ends_in_order_and_whole(number: int, tmp_path: Path) -> None:
    path = tmp_path / "night.jsonl"
    with (
        replayed("crash-undetected", "--speed", "20") as replay,
        started(*recording_of(replay, path), env=as_user(replay)) as running,
    ):
        replay.running.read_until("deed 2")
        running.send(number)
        said = running.rest()

    recording, frames = recorded(path)
    assert (said.code, said.err) == (0, "")
    assert said.out.splitlines()[-1] == f"{len(frames)} frames in {path}"
    assert is_left_in_order(recording)


def test_what_two_processes_replay_and_record_is_the_same_to_the_byte(tmp_path: Path) -> None:
    path = tmp_path / "again.jsonl"
    _, wanted = recorded(RECORDINGS / "crash-undetected.jsonl")
    with (
        replayed("crash-undetected", "--speed", "10") as replay,
        started(*recording_of(replay, path), env=as_user(replay)) as running,
    ):
        replay.running.read_until("the node stays")
        wait_for(lambda: path.read_bytes().count(b'"from":"server"') >= len(wanted))
        running.send(signal.SIGINT)
        said = running.rest()

    assert (said.code, recorded(path)[1]) == (0, wanted)


def wait_for(condition: Callable[[], bool]) -> None:
    """Look again until *condition* holds."""
    for _ in range(PATIENCE_SECONDS * 50):
        if condition():
            return
        time.sleep(0.02)
    raise AssertionError("it never came to be")


def test_a_lost_connection_is_told_once() -> None:
    """What nobody asked to keep (`--log`) does not come out on standard error as well."""
    with (
        replayed("node-restart", "--speed", "20") as replay,
        started("run", RESTART, *replay.at, env=as_user(replay)) as running,
    ):
        running.read_until("is not connected")
        running.read_until("is connected")
        running.send(signal.SIGINT)
        said = running.rest()

    assert (said.code, said.err) == (0, "")


@pytest.mark.parametrize("number", SIGNALS, ids=lambda one: one.name)
def test_recipes_end_in_order_and_what_is_cut_off_is_told(number: int, tmp_path: Path) -> None:
    (tmp_path / "patient.py").write_text(
        "from automate import Recipe, StatusChanged, Wait\n"
        'patient = Recipe("patient", when=StatusChanged(to="running"), then=Wait(seconds=3600))\n'
    )
    words = ["run", str(tmp_path / "patient.py"), "--record", str(tmp_path / "nights")]
    with (
        replayed("crash-undetected", "--speed", "20") as replay,
        started(*words, *replay.at, env=as_user(replay)) as running,
    ):
        running.read_until("patient: wait 3600 s")
        running.send(number)
        said = running.rest()

    (path,) = (tmp_path / "nights").iterdir()
    assert said.complaint == (
        0,
        "crash-undetected: 'patient' is cut off in the middle; the next start goes on with it",
    )
    assert is_left_in_order(recorded(path)[0])


def test_what_was_asked_for_is_not_done_when_it_is_interrupted() -> None:
    with (
        replayed("backup-before-stop") as replay,
        started(
            "run", RESTART, *replay.at, "--trigger", "restart on crash", env=as_user(replay)
        ) as running,
    ):
        running.read_until("restart on crash: wait")
        running.send(signal.SIGINT)
        said = running.rest()

    assert said.complaint[0] == 128 + signal.SIGINT


@pytest.mark.parametrize("number", SIGNALS, ids=lambda one: one.name)
def test_a_replay_ends(number: int) -> None:
    with replayed("crash-undetected") as replay:
        replay.running.send(number)
        said = replay.running.rest()

    assert (said.code, said.err) == (0, "")


@pytest.mark.parametrize("number", SIGNALS, ids=lambda one: one.name)
def test_a_demo_that_is_interrupted_promises_nothing(number: int) -> None:
    with started("demo") as running:
        running.read_until("is connected")
        running.send(number)
        said = running.rest()

    assert (said.code, said.err, "Now try" in said.out) == (128 + number, "", False)


def test_a_second_signal_ends_at_once(tmp_path: Path) -> None:
    """Although the node, which is stopped, never answers the goodbye."""
    path = tmp_path / "night.jsonl"
    with (
        replayed("crash-undetected", "--speed", "20") as replay,
        started(*recording_of(replay, path), env=as_user(replay)) as running,
    ):
        replay.running.read_until("the node stays")
        wait_for(lambda: b'"offline"' in path.read_bytes())
        replay.running.send(signal.SIGSTOP)
        said = insist(running, signal.SIGINT)

    assert (said.code, said.err) == (128 + signal.SIGINT, "")
    assert len(recorded(path)[1]) > 1


def test_a_second_signal_counts_although_everything_hangs(tmp_path: Path) -> None:
    (tmp_path / "busy.py").write_text(
        "from automate import Asked, Call, Recipe\n"
        "async def loop(values):\n"
        "    while True:\n"
        "        pass\n"
        'busy = Recipe("busy", when=Asked(), then=Call("busy.loop"))\n'
    )
    with (
        replayed("crash-undetected") as replay,
        started(
            "run", tmp_path / "busy.py", *replay.at, "--trigger", "busy", env=as_user(replay)
        ) as running,
    ):
        running.read_until("busy: call")
        said = insist(running, signal.SIGINT)

    assert (said.code, said.err) == (128 + signal.SIGINT, "")


def test_a_function_that_blocks_does_not_hold_up_the_end(tmp_path: Path) -> None:
    (tmp_path / "slow.py").write_text(
        "import time\n"
        "from automate import Asked, Call, Recipe\n"
        "def sleep(values):\n"
        "    time.sleep(3600)\n"
        'slow = Recipe("slow", when=Asked(), then=Call("slow.sleep"))\n'
    )
    with (
        replayed("crash-undetected") as replay,
        started(
            "run", tmp_path / "slow.py", *replay.at, "--trigger", "slow", env=as_user(replay)
        ) as running,
    ):
        running.read_until("slow: call")
        running.send(signal.SIGTERM)
        said = running.rest()

    assert said.complaint == (
        128 + signal.SIGTERM,
        "crash-undetected: 'slow' is cut off in the middle",
    )


def test_a_reader_of_what_is_printed_may_leave(tmp_path: Path) -> None:
    """The recipes end with it, and the recording is whole."""
    with (
        replayed("crash-undetected", "--speed", "10") as replay,
        started(
            "run", RESTART, *replay.at, "--record", tmp_path / "nights", env=as_user(replay)
        ) as running,
    ):
        running.read_until("is connected")
        assert running.process.stdout is not None
        running.process.stdout.close()
        running.process.wait(timeout=PATIENCE_SECONDS)
        assert running.process.stderr is not None
        told = running.process.stderr.read()

    (path,) = (tmp_path / "nights").iterdir()
    assert (running.process.returncode, told) == (0, "")
    assert recorded(path)[1][:1] == ['{"event":"auth success"}\n']

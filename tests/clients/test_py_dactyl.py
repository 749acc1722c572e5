"""py-dactyl, as it comes from its authors, on a replay and on the model: it sees a real server.

`make clients` sets it up; without that there is nothing to try.
"""

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from automate.fake.analysis import read_script
from automate.fake.script import Content, Deed, Push, Script
from automate.fake.signals import NoteKind
from automate.recording.reader import Recording, read_recording
from automate.wire.console import daemon_line
from tests.clients.serving import Served, serve

ROOT = Path(__file__).parents[2]
PYTHON = ROOT / ".venv" / "py-dactyl" / "bin" / "python"
VISITOR = Path(__file__).with_name("py_dactyl_visitor.py")
# Only a guard against hanging for ever.
PATIENCE_SECONDS = 60
SUCCESS = {"event": "auth success"}

# It is no dependency of ours, so that `make test` needs no network for it.
pytestmark = pytest.mark.skipif(
    not PYTHON.exists(), reason="py-dactyl is not set up; `make clients` does so, once"
)


def visit(way: str, served: Served, steps: list[list[Any]]) -> dict[str, Any]:
    """Return what a program that uses py-dactyl heard, and what the panel answered it."""
    done = subprocess.run(
        [PYTHON, VISITOR, way, served.panel, served.key, served.server],
        input=json.dumps(steps),
        capture_output=True,
        encoding="utf-8",
        timeout=PATIENCE_SECONDS,
        # No proxy of this machine leads to its own loopback.
        env={**os.environ, "no_proxy": "*"},
    )
    assert done.returncode == 0, done.stderr
    result: dict[str, Any] = json.loads(done.stdout)
    return result


def script_of(recording: Recording) -> Script:
    return read_script(recording.entries, server=recording.header.server)


def pushed(recording: Recording) -> list[Any]:
    return [json.loads(step.text) for step in script_of(recording).steps if isinstance(step, Push)]


def lines(heard: list[Any]) -> list[str]:
    return [message["args"][0] for message in heard if message["event"] == "console output"]


def as_recorded(recording: Recording, *, command: str = "command") -> list[list[Any]]:
    """Return steps that do each recorded deed at its place, and then listen to the end."""
    steps: list[list[Any]] = []
    # The first frame is the answer to the client's own auth.
    count = 1
    for step in script_of(recording).steps:
        match step:
            case Push():
                count += 1
            case Deed(content=Content(what="set state", detail=signal)):
                steps += [["hear", count], ["power", signal]]
            case Deed(content=Content(what="send command", detail=text)):
                steps += [["hear", count], [command, text]]
            case Deed():
                steps += [["hear", count], ["back up"]]
    return [*steps, ["hear", count]]


def done_by_it(served: Served, recording: Recording) -> list[bool]:
    """Return for each recorded deed whether the replay says that its client did it."""
    notes = [note.split(maxsplit=2) for note in served.notes]
    done = [text for _at, kind, text in notes if kind == NoteKind.DONE]
    return [any(text.startswith(str(deed)) for text in done) for deed in script_of(recording).deeds]


def test_it_reads_the_console(recordings: Path) -> None:
    recording = read_recording(recordings / "crash-twice.jsonl")

    with serve("replay", recording.path, "--speed", "20") as served:
        heard = visit("plain", served, [["hear", 1 + len(pushed(recording))]])["heard"]

    assert heard == [SUCCESS, *pushed(recording)]
    assert lines(heard) == lines(pushed(recording)) != []


def test_it_does_a_whole_evening_by_itself(recordings: Path) -> None:
    """Nothing is done for it: power, commands and the backup are calls of its own."""
    recording = read_recording(recordings / "backup-before-stop.jsonl")
    made, shown = (call.response for call in script_of(recording).calls[-2:])
    steps = [*as_recorded(recording), ["look"]]

    with serve("replay", recording.path, "--strict", "--speed", "20") as served:
        visited = visit("plain", served, steps)

    assert visited["heard"] == [SUCCESS, *pushed(recording)]
    assert all(done_by_it(served, recording))
    answered = visited["answered"]
    assert (answered["made"], answered["backups"]) == (made, [shown])
    assert answered["servers"] == [{"object": "server", "attributes": answered["server"]}]
    assert answered["server"]["uuid"] == recording.header.server
    assert answered["utilization"]["current_state"] == "offline"
    assert answered["account"]["object"] == "user"


def test_what_it_types_on_the_socket_is_done_as_well(recordings: Path) -> None:
    recording = read_recording(recordings / "crash-recovered.jsonl")

    with serve("replay", recording.path, "--strict", "--speed", "20") as served:
        visited = visit("plain", served, as_recorded(recording, command="type"))

    assert visited["heard"] == [SUCCESS, *pushed(recording)]
    assert all(done_by_it(served, recording))


def test_its_other_client_asks_for_what_was_said_before(recordings: Path) -> None:
    """While the tape waits for a deed of ours, its logs and numbers are those of that moment."""
    recording = read_recording(recordings / "crash-twice.jsonl")
    *_, (_hear, count), _third_deed, _the_rest = as_recorded(recording)
    before = pushed(recording)[: count - 1]
    started = max(n for n, message in enumerate(before) if message["args"] == ["starting"])
    logs = [m for m in before[started:] if lines([m]) and daemon_line(lines([m])[0]) is None]

    steps: list[list[Any]] = [["hear", count], ["ask"], ["hear", count + len(logs) + 1]]
    with serve("replay", recording.path, "--leave", "3", "--speed", "20") as served:
        visited = visit("async", served, steps)

    *heard, stats = visited["heard"]
    assert heard == [SUCCESS, *before, *logs]
    assert json.loads(stats["args"][0])["state"] == "running"
    assert visited["answered"]["servers"][0]["attributes"]["uuid"] == recording.header.server


def test_it_runs_a_server_of_the_model() -> None:
    steps = [
        ["until", "offline"],
        ["power", "start"],
        ["until", "running"],
        ["command", "say hello"],
        ["until", "[Server] hello"],
        ["back up"],
        ["until", "backup completed"],
        ["type", "stop"],
        ["until", '["offline"]'],
        ["look"],
    ]

    with serve("fake") as served:
        visited = visit("plain", served, steps)

    states = [m["args"][0] for m in visited["heard"] if m["event"] == "status"]
    assert states == ["offline", "starting", "running", "stopping", "offline"]
    (backup,) = visited["answered"]["backups"]
    assert backup["attributes"]["uuid"] == visited["answered"]["made"]["attributes"]["uuid"]
    assert backup["attributes"]["is_successful"] is True
    assert visited["answered"]["utilization"]["current_state"] == "offline"

"""Leniently, what nobody recorded is done: a model goes on from what the tape has shown."""

import re
from pathlib import Path
from typing import Any

import pytest
from trio.testing import MockClock

from automate.fake.signals import Closed, NoteKind, Opened
from automate.fake.tape import Tape
from automate.recording.reader import read_recording
from automate.wire.codec import decode_server
from automate.wire.messages import ConsoleOutput, PowerState, StatsReported, StatusChanged
from tests.fake.scenes import (
    LOGIN,
    PUSHED_STATS,
    ROOT,
    Stage,
    asked,
    auth,
    frame,
    recorded,
    says,
    told,
)
from tests.fake.served import hear, let_in, panel_of, replaying

EVENING = [
    *LOGIN,
    told(1.0, "console output", "line one"),
    told(1.5, "stats", PUSHED_STATS),
    asked(5.0, "set state", "restart"),
    told(6.0, "status", "stopping"),
    told(6.1, "console output", "stop"),
    told(9.0, "console output", "never played"),
]


def scene(**manner: Any) -> Stage:
    made = Stage(Tape(recorded(*EVENING), lenient=True, **manner))
    made.do(0.0, Opened(1), auth(1))
    made.until(3.0)
    return made


def events(stage: Stage, begin: float, socket: int = 1) -> list[str]:
    """Return what was said since *begin*, in short; statistics are left out."""
    words = []
    for at, text in stage.frames(socket):
        message = decode_server(text)
        if at < begin or isinstance(message, StatsReported):
            continue
        match message:
            case StatusChanged(status=status):
                words.append(status.value)
            case ConsoleOutput(line=line):
                words.append(re.sub(r"\x1b\[[0-9;]*m", "", line))
            case _:
                words.append(message.event or "?")
    return words


def test_an_unrecorded_deed_is_done_and_the_tape_is_over() -> None:
    stage = scene()
    stage.do(3.0, says(1, "set state", "stop"))
    stage.until(20.0)

    assert events(stage, 3.0) == ["stopping", "stop", "offline"]
    assert stage.tape.is_over
    assert stage.tape.stall is None
    assert stage.tape.view.status is PowerState.OFFLINE
    assert stage.notes(NoteKind.HANDED, NoteKind.ENDED) == [
        (
            3.001,
            "set state stop: a model goes on from here; 4 steps of the recording are not played",
        ),
        (3.001, "the model goes on"),
    ]


def test_the_model_has_the_lines_and_statistics_of_the_tape() -> None:
    stage = scene()
    stage.do(3.0, says(1, "send command", "say hi"))
    stage.until(4.0)
    stage.do(4.0, says(1, "send logs"))
    stage.until(4.1)
    stage.do(4.1, says(1, "send stats"))
    stage.until(4.2)

    assert events(stage, 3.0) == ["say hi", "line one", "say hi"]
    stats = [text for at, text in stage.frames() if at > 4.1]
    assert '\\"state\\":\\"running\\"' in stats[0]


def test_a_server_that_was_stopped_can_be_started_and_stopped_again() -> None:
    stage = scene()
    stage.do(3.0, says(1, "set state", "stop"))
    stage.until(10.0)
    stage.do(10.0, says(1, "set state", "start"))
    stage.until(20.0)
    stage.do(20.0, says(1, "set state", "start"))
    stage.until(30.0)

    told_of = events(stage, 10.0)
    assert [word for word in told_of if word in list(PowerState)] == ["starting", "running"]
    assert told_of[-1] == "daemon error"


def test_left_deeds_are_still_the_recordings() -> None:
    stage = scene(leave={1})
    stage.do(3.0, says(1, "set state", "restart"))
    stage.until(20.0)

    assert events(stage, 3.0) == ["stopping", "stop", "never played"]
    assert stage.notes(NoteKind.HANDED) == []


def test_clients_come_and_go_after_it_as_before() -> None:
    stage = scene()
    stage.do(3.0, Opened(2), says(1, "send command", "x"))
    stage.do(4.0, Closed(1), says(2, "send logs"))
    stage.do(4.1, auth(2, refusal="no"))
    stage.do(4.2, auth(2))
    stage.until(4.5)

    assert stage.texts(2)[:4] == [
        frame("jwt error", "jwt: no jwt present"),
        "no",
        frame("auth success"),
        frame("status", "running"),
    ]
    assert [at for at, _text in stage.frames(1) if at >= 4.0] == []


def test_before_the_tape_runs_nothing_is_known_and_the_deed_is_ignored() -> None:
    stage = Stage(Tape(recorded(*EVENING), lenient=True))
    stage.call(0.0, "POST", f"{ROOT}/power", {"signal": "stop"})

    assert len(stage.notes(NoteKind.IGNORED)) == 1
    assert not stage.tape.is_over


@pytest.mark.parametrize("speed", [1.0, 4.0])
def test_the_model_keeps_the_speed(speed: float) -> None:
    stage = Stage(Tape(recorded(*EVENING), lenient=True, speed=speed))
    stage.do(0.0, Opened(1), auth(1))
    stage.do(0.5, says(1, "set state", "stop"))
    stage.until(20.0)

    moments = {text: at for at, text in stage.frames() if text.startswith('{"event":"status"')}
    seconds = moments[frame("status", "offline")] - moments[frame("status", "stopping")]
    assert seconds * speed == pytest.approx(0.53, abs=0.001)


async def test_through_the_panel_a_backup_comes_to_its_end(
    autojump_clock: MockClock,
) -> None:
    async with (
        replaying(recorded(*EVENING), lenient=True) as replay,
        let_in(replay) as socket,
        panel_of(replay) as panel,
    ):
        await hear(socket, 2)
        made = await panel.post(f"{ROOT}/backups", json={"name": "mine"})
        heard = await hear(socket, 0.5)
        uuid = made.json()["attributes"]["uuid"]
        found = await panel.get(f"{ROOT}/backups/{uuid}")
        power = await panel.post(f"{ROOT}/power", json={"signal": "kill"})
        await hear(socket, 2)
        resources = await panel.get(f"{ROOT}/resources")
        await replay.finished()

    assert made.json()["attributes"]["completed_at"] is None
    assert any("backup completed" in text and uuid in text for _at, text in heard)
    assert found.json()["attributes"]["is_successful"] is True
    assert (power.status_code, resources.json()["attributes"]["current_state"]) == (204, "offline")


@pytest.mark.parametrize("seconds", [0.5, 1.5, 2.5, 3.6, 4.4, 30])
async def test_wherever_a_real_recording_is_left_the_server_can_be_started(
    autojump_clock: MockClock, recordings: Path, seconds: float
) -> None:
    """Whatever state the tape was in: kill makes it offline, and start running."""
    recording = read_recording(recordings / "crash-undetected.jsonl")
    async with (
        replaying(recording, lenient=True) as replay,
        let_in(replay) as socket,
        panel_of(replay) as panel,
    ):
        power = f"/api/client/servers/{replay.server}/power"
        await hear(socket, seconds)
        await panel.post(power, json={"signal": "kill"})
        await hear(socket, 5)
        killed = replay.tape.view.status
        await panel.post(power, json={"signal": "start"})
        heard = [text for _at, text in await hear(socket, 20)]

    assert killed is PowerState.OFFLINE
    assert [text for text in heard if "status" in text[:18]] == [
        frame("status", "starting"),
        frame("status", "running"),
    ]
    # The game of the recording boots as it did.
    assert any("Done (" in text for text in heard)

"""Whoever does again what the recorded client did is told what that one was told."""

from pathlib import Path
from typing import Any

import pytest

from automate.fake.ledger import Grant
from automate.fake.signals import Closed, Opened, Said, Send
from automate.fake.tape import Tape
from automate.recording.format import ClientFrame, PanelCall, ServerFrame, Transport
from automate.recording.reader import Recording, read_recording
from tests.fake.scenes import Stage, frame

NAMES = sorted(path.stem for path in (Path(__file__).parents[2] / "recordings").glob("*.jsonl"))
SUCCESS = frame("auth success")


def play_the_client_again(recording: Recording, speed: float) -> tuple[Stage, list[Any]]:
    """Return what each of its connections was told, and what the panel answered."""
    stage = Stage(Tape(recording, speed=speed))
    begin = next(entry.t for entry in recording.entries if isinstance(entry, ClientFrame))
    socket, answers = 0, []
    for entry in recording.entries:
        at = max(0.0, entry.t - begin) / speed
        match entry:
            case Transport(what="opened"):
                socket += 1
                stage.until(at)  # after a loss nobody can connect before the node is back
                stage.do(at, Opened(socket))
            case Transport(what="closed", by="client"):
                stage.do(at, Closed(socket))
            case ClientFrame():
                stage.do(at, Said(socket, entry.frame))
            case PanelCall():
                answers.append(stage.call(at, entry.method, entry.path, entry.request))
    stage.until(1000.0)
    return stage, answers


def what_was_recorded(recording: Recording) -> tuple[dict[int, list[str]], list[PanelCall]]:
    frames: dict[int, list[str]] = {}
    socket = 0
    for entry in recording.entries:
        if isinstance(entry, Transport) and entry.what == "opened":
            socket += 1
            frames[socket] = []
        elif isinstance(entry, ServerFrame):
            frames[socket].append(entry.frame)
    return frames, [entry for entry in recording.entries if isinstance(entry, PanelCall)]


@pytest.mark.parametrize("speed", [1.0, 7.3])
@pytest.mark.parametrize("name", NAMES)
def test_the_same_questions_get_the_same_frames(name: str, speed: float, recordings: Path) -> None:
    recording = read_recording(recordings / f"{name}.jsonl")

    stage, answers = play_the_client_again(recording, speed)

    frames, calls = what_was_recorded(recording)
    if name in ("auth-errors", "auth-throttled"):
        # Its first client left before it was answered; a live one is let in, or no tape would run.
        frames[1] = [SUCCESS]
    assert {socket: stage.texts(socket) for socket in frames} == frames
    assert [reply for reply in answers if not isinstance(reply, Grant)] == [
        call for call in calls if not call.path.endswith("/websocket")
    ]


@pytest.mark.parametrize("name", [name for name in NAMES if not name.startswith("auth-")])
def test_they_come_at_the_recorded_moments(name: str, recordings: Path) -> None:
    """All but the first, which is the recorded client's first `auth success`: it comes at once."""
    recording = read_recording(recordings / f"{name}.jsonl")

    stage, _answers = play_the_client_again(recording, 1.0)

    begin = next(entry.t for entry in recording.entries if isinstance(entry, ClientFrame))
    heard = [(at, output.text) for at, output in stage.heard if isinstance(output, Send)]
    assert (
        heard[1:]
        == [
            (round(entry.t - begin, 4), entry.frame)
            for entry in recording.entries
            if isinstance(entry, ServerFrame)
        ][1:]
    )

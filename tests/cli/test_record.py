"""`automate record` and `automate replay`, each in a process of its own."""

import json
from pathlib import Path

import pytest

from tests.cli.shell import RECORDINGS, SERVER, replayed, say, started

Capture = pytest.CaptureFixture[str]


def test_a_recording_ends_after_the_seconds_asked_for(
    capsys: Capture, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    path = tmp_path / "night.long.jsonl"
    with replayed("crash-undetected", "--speed", "100") as replay:
        monkeypatch.setenv("AUTOMATE_KEY", replay.key)
        said = say("record", *replay.at, "-o", path, "--seconds", "0.4", capsys=capsys)

    header, *entries = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
    frames = [entry for entry in entries if entry["from"] == "server"]
    first, connected, last = said.out.splitlines()
    assert (said.code, said.err) == (0, "")
    assert first == f"recording crash-undetected to {path}; for 0.4 s, or until Ctrl-C"
    assert connected[10:] == "crash-undetected  is connected"
    assert last == f"{len(frames)} frames in {path}"
    assert {name: header[name] for name in ("server", "title", "panel")} == {
        "server": SERVER,
        "title": "night",
        "panel": replay.url,
    }
    assert entries[-1] | {"t": 0} == {"t": 0, "from": "transport", "what": "closed", "by": "client"}
    assert ("ptlc_" in path.read_text("utf-8"), "eyJ" in path.read_text("utf-8")) == (False, False)


def test_a_replay_says_first_where_it_is_and_then_what_happens(
    capsys: Capture, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    file = RECORDINGS / "crash-undetected.jsonl"
    with started("replay", file, "--speed", "100", "--leave", "2") as running:
        first = running.read_until("panel").split()
        running.read_until("Ctrl-C ends")
        monkeypatch.setenv("AUTOMATE_KEY", first[3])
        at = ["--panel", first[1], "--server", first[5], "-o", str(tmp_path / "x.jsonl")]
        recorded = say("record", *at, "--seconds", "0.3", capsys=capsys)
        running.read_until("for deed 2")

    assert recorded.code == 0
    assert [first[0], first[2], first[4], first[5]] == ["panel", "key", "server", SERVER]
    assert running.lines[1:] == [
        "deed 1 (set state start)",
        "deed 2 (send command crash 11) (left to you)",
        "the tape starts when a client is let in; Ctrl-C ends",
        "   0.0025  started   the tape runs",
        "   0.8048  ghost     deed 1 (set state start)",
        "   4.2345  waiting   for deed 2 (send command crash 11)",
    ]


def test_a_strict_replay_leaves_everything(tmp_path: Path) -> None:
    with started("replay", RECORDINGS / "crash-undetected.jsonl", "--strict") as running:
        running.read_until("Ctrl-C ends")

    assert [line.endswith("(left to you)") for line in running.lines[1:-1]] == [True, True]


def test_a_recording_cut_short_is_played_up_to_the_cut(tmp_path: Path) -> None:
    whole = (RECORDINGS / "crash-undetected.jsonl").read_bytes()
    (tmp_path / "cut.jsonl").write_bytes(whole[:-20])
    with started("replay", tmp_path / "cut.jsonl") as running:
        running.read_until("Ctrl-C ends")
        running.process.terminate()
        said = running.rest()

    assert said.complaint[0] == 0
    assert said.err.startswith(f"automate: warning: {tmp_path / 'cut.jsonl'}:")

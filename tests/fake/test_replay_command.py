"""`automate replay` with several recordings: each a server, behind one panel."""

import json
import os
import signal
import urllib.request
from pathlib import Path
from typing import Any

import pytest
from websockets.sync.client import connect
from websockets.typing import Origin

from automate.cli import main
from tests.cli.shell import started


def ask(panel: str, key: str, path: str) -> Any:
    request = urllib.request.Request(
        f"{panel}/api/client{path}", headers={"Authorization": f"Bearer {key}"}
    )
    with urllib.request.urlopen(request) as answer:
        return json.load(answer)


def test_two_recordings_are_two_servers_and_what_happens_is_told_of_each(
    recordings: Path, tmp_path: Path
) -> None:
    night = tmp_path / "night.jsonl"
    night.write_bytes((recordings / "crash-twice.jsonl").read_bytes())
    files = [recordings / "crash-undetected.jsonl", night]
    with started("replay", *files, "--speed", "inf", "--leave", "night:1") as running:
        _, panel, _, key, _, named = running.read_until("panel ").split()
        running.read_until("Ctrl-C ends")
        servers = named.split(",")
        listed = [one["attributes"]["uuid"] for one in ask(panel, key, "")["data"]]
        for server, last in zip(servers, ("ended", "waiting"), strict=True):
            data = ask(panel, key, f"/servers/{server}/websocket")["data"]
            with connect(data["socket"], origin=Origin(panel)) as socket:
                socket.send(json.dumps({"event": "auth", "args": [data["token"]]}))
                running.read_until(last)
        running.send(signal.SIGINT)
        said = running.rest()

    assert listed == servers
    lines = said.out.splitlines()
    assert lines[1:6] == [
        f"crash-undetected: server {servers[0]}",
        "crash-undetected: deed 1 (set state start)",
        "crash-undetected: deed 2 (send command crash 11)",
        f"night: server {servers[1]}",
        "night: deed 1 (set state start) (left to you)",
    ]
    assert "crash-undetected:    0.8048  ghost     deed 1 (set state start)" in lines
    waits = "waits for deed 1 (set state start)"
    assert lines[-1].startswith("night: ended while the tape stands still at ")
    assert (said.code, lines[-1][-len(waits) :]) == (0, waits)


@pytest.mark.parametrize(
    ("leave", "told"),
    [
        ("1", "--leave 1: of which recording? say crash-twice:1, lifecycle:1"),
        ("evening:2", "--leave evening:2: of which recording? say crash-twice:2, lifecycle:2"),
        ("lifecycle:0", "expected a whole number from 1 to 1000000000, found '0'"),
        ("lifecycle:99", "leave: expected numbers of recorded deeds (1 to 7), found 99"),
    ],
)
def test_a_deed_that_is_left_is_one_of_a_recording(
    recordings: Path, leave: str, told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    files = [os.fspath(recordings / f"{name}.jsonl") for name in ("crash-twice", "lifecycle")]
    code = main(["replay", *files, "--leave", leave])

    err = capsys.readouterr().err
    assert (code, err.count("\n")) == (2, 1)
    assert told in err


def test_one_recording_that_is_none_is_named(
    recordings: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bad = tmp_path / "bad.jsonl"
    bad.write_text("nonsense")
    code = main(["replay", os.fspath(recordings / "lifecycle.jsonl"), os.fspath(bad)])

    err = capsys.readouterr().err
    assert (code, err.count("\n"), os.fspath(bad) in err) == (1, 1, True)

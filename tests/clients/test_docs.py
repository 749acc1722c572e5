"""The client of docs/clients.md, run as it stands there."""

import re
from itertools import islice
from pathlib import Path
from typing import Any

import pytest

from automate.recording.format import ServerFrame
from automate.recording.reader import read_recording
from automate.wire.frame import ABSENT
from tests.clients.serving import serve


def test_the_client_in_the_docs_hears_all_that_was_recorded(
    root: Path, recordings: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # No proxy of this machine leads to its own loopback.
    monkeypatch.setenv("no_proxy", "*")
    text = (root / "docs" / "clients.md").read_text(encoding="utf-8")
    (code,) = re.findall(r"^```python\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    names: dict[str, Any] = {}
    exec(code, names)
    recording = read_recording(recordings / "crash-recovered.jsonl")
    frames = [entry for entry in recording.entries if isinstance(entry, ServerFrame)]

    with serve("replay", recording.path, "--speed", "50") as served:
        messages = names["messages"](served.panel, served.key, served.server)
        heard = list(islice(messages, len(frames)))
        messages.close()

    assert heard == [
        {"event": one.event} if one.args is ABSENT else {"event": one.event, "args": one.args}
        for one in frames
    ]

"""The shape of a recording: what happened in which order, without what is by chance.

Left out are moments, uuids, checksums, the clock in the game's lines, what the recorded client
asked for its own sake, and the stats that come once a second.
"""

import json
import re
from typing import Any

from automate.recording.format import ClientFrame, Entry, PanelCall, ServerFrame, Transport
from automate.recording.reader import Recording
from automate.wire.codec import canonical_server

_CHANCE = [
    (re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"), "U"),
    (re.compile(r"[0-9a-f]{40}"), "C"),
    (re.compile(r"\[\d\d:\d\d:\d\d\]"), "[T]"),
    (re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+00:00"), "T"),
    (re.compile(r"Done \(\d\.\d+s\)"), "Done"),
    (re.compile(r'"socket":"[^"]+"'), '"socket":S'),
    (re.compile(r'"bytes":[1-9]\d*|(?<=file_size\\":)[1-9]\d*'), "N"),
]


def shape(recording: Recording) -> list[str]:
    """Return a line for each entry that is no chance."""
    return [line for entry in recording.entries for line in _lines(entry)]


def _lines(entry: Entry) -> list[str]:
    match entry:
        case ServerFrame(event="stats", args=[str(text)]):
            return _stats(text)
        case ServerFrame():
            return [_plain("< " + entry.frame.strip())]
        case ClientFrame(event="send logs" | "send stats"):
            return []
        case ClientFrame():
            return [_plain("> " + entry.frame)]
        case PanelCall():
            said = json.dumps([entry.request, entry.response], separators=(",", ":"))
            claims = sorted(entry.claims or {})
            return [_plain(f"= {entry.method} {entry.path} {entry.status} {said} {claims}")]
        case Transport(what=what, by=by, code=code):
            return [f"* {what} {by} {code}"]
        case _:
            raise AssertionError(f"what is this: {entry}")


def _stats(text: str) -> list[str]:
    """Return which keys an offline server's stats have, in their order."""
    said: dict[str, Any] = json.loads(text)
    if said["state"] != "offline":
        return []
    # How it is spelled tells whether it was asked for; and each is the daemon's own spelling.
    assert canonical_server("stats", [json.dumps(said, separators=(",", ":"))]) == (
        canonical_server("stats", [text])
    )
    return [f"< stats offline {list(said)} {said['memory_bytes']} {said['uptime']}"]


def _plain(line: str) -> str:
    for pattern, name in _CHANCE:
        line = pattern.sub(name, line)
    return line

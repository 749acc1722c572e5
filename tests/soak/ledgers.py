"""What a daemon told, held against what was recorded of it: is anything missing, and unmarked?

Both are in files, for what a long run produces must not be in memory while memory is measured.
"""

import hashlib
import json
import re
import struct
from collections import defaultdict, deque
from pathlib import Path
from typing import BinaryIO, Final
from zlib import crc32

import trio
from attrs import Factory, define

from automate.wire.frame import unpack

__all__ = ["Ledger", "Verdict", "judge"]

# So long a frame may be under way where it is read slowly.
_LATE_SECONDS: Final = 60.0
_ENTRY: Final = struct.Struct("<dI")
# How long a call took is measured in virtual time; ids and tokens are drawn anew in each run.
_CHANCE: Final = re.compile(rb"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")


@define
class Ledger:
    """What the daemon told about one server, and when, in a file: it must not be in memory."""

    file: BinaryIO
    begun_at: float

    def note(self, frame: str) -> None:
        self.file.write(_ENTRY.pack(trio.current_time() - self.begun_at, _mark(*unpack(frame))))


def _mark(event: object, args: object) -> int:
    return crc32(repr((event, args if isinstance(args, list) else None)).encode())


@define
class Verdict:
    """What a recording has, compared with what was told."""

    recorded: int = 0
    told: int = 0
    lost: list[float] = Factory(list)
    gaps: list[tuple[float, float]] = Factory(list)
    tokens: list[float] = Factory(list)
    ready_at: float | None = None


def judge(folder: Path, server: str, *, until: float, digest: "hashlib._Hash") -> Verdict:
    """Return what the recording of *server* has of all that was told *until* then."""
    verdict, moments = _read(folder / f"{server}.jsonl", digest)
    data = (folder / server).read_bytes()
    for at, mark in _ENTRY.iter_unpack(data):
        if verdict.ready_at is None or not verdict.ready_at <= at < until:
            continue
        verdict.told += 1
        waiting = moments.get(mark)
        # What came before it was another one.
        while waiting and waiting[0] < at - 0.01:
            waiting.popleft()
        if waiting and waiting[0] <= at + _LATE_SECONDS:
            waiting.popleft()
        elif not any(begin - 0.01 <= at <= end + 0.01 for begin, end in verdict.gaps):
            verdict.lost.append(at)
    return verdict


def _read(path: Path, digest: "hashlib._Hash") -> tuple[Verdict, dict[int, deque[float]]]:
    """Return what is in the recording, and when each frame of the server came, by its mark."""
    verdict, begun = Verdict(), None
    moments: dict[int, deque[float]] = defaultdict(deque)
    with path.open("rb") as file:
        for raw in file:
            entry = json.loads(raw)
            digest.update(_CHANCE.sub(b"-", raw))
            t = entry.get("t", 0.0)
            match entry:
                case {"from": "server", "event": "auth success"} if verdict.ready_at is None:
                    # Events are told from a moment later on.
                    verdict.ready_at = t + 0.01
                case {"from": "server", "event": event}:
                    verdict.recorded += 1
                    moments[_mark(event, entry.get("args"))].append(t)
                case {"what": "gap", "since": since}:
                    begun = since
                case {"what": "gap"} if begun is not None:
                    verdict.gaps.append((begun, t))
                    begun = None
                case {"from": "panel", "path": str(asked)} if asked.endswith("/websocket"):
                    verdict.tokens.append(t)
                case _:
                    pass
    if begun is not None:
        verdict.gaps.append((begun, float("inf")))
    return verdict, moments

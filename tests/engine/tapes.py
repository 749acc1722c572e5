"""Hand-made tapes to rehearse recipes on: entries as they stand in a recording."""

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from automate.engine.rehearsal import Ask, Transcript, rehearse
from automate.recipe.recipe import Recipe
from automate.recording.format import (
    ClientFrame,
    Entry,
    Header,
    PanelCall,
    ServerFrame,
    Transport,
)
from automate.wire.frame import canonical_server

__all__ = [
    "SERVER",
    "acts",
    "backup_ended",
    "call",
    "closed",
    "daemon",
    "line",
    "logs_asked",
    "opened",
    "play",
    "said",
    "stats",
    "status",
]

SERVER = "a1b2c3d4-0001-4000-8000-000000000001"
HEADER = Header(server=SERVER, started_at="2026-11-24T12:00:00Z", title="arena")


def said(t: float, event: str, *args: str) -> Entry:
    return ServerFrame.of(t, canonical_server(event, list(args)))


def status(t: float, state: str) -> Entry:
    return said(t, "status", state)


def stats(t: float, state: str) -> Entry:
    return said(t, "stats", json.dumps({"state": state}))


def line(t: float, text: str) -> Entry:
    return said(t, "console output", text)


def daemon(t: float, text: str) -> Entry:
    return line(t, f"\x1b[33m\x1b[1m[Pterodactyl Daemon]:\x1b[39m {text}\x1b[0m")


def logs_asked(t: float) -> Entry:
    return ClientFrame.of(t, '{"event":"send logs","args":[null]}')


def opened(t: float) -> Entry:
    return Transport(t=t, what="opened")


def closed(t: float, by: str = "server") -> Entry:
    return Transport(t=t, what="closed", by=by, code=1006)


def backup_ended(t: float, uuid: str, *, well: bool = True) -> Entry:
    return said(t, "backup completed", json.dumps({"uuid": uuid, "is_successful": well}))


def call(
    t: float,
    method: str,
    path: str,
    *,
    status: int = 200,
    response: Any = None,
    seconds: float = 0.0,
    server: str = SERVER,
) -> Entry:
    """Return a call to the panel that was answered at *t*."""
    return PanelCall(
        t=t,
        method=method,
        path=f"/api/client/servers/{server}{path}",
        status=status,
        response=response,
        seconds=seconds,
    )


def play(
    recipes: Recipe | Sequence[Recipe],
    *entries: Entry,
    asks: Sequence[tuple[str, float]] = (),
    start_at: datetime | None = None,
    after_seconds: float = 300.0,
) -> Transcript:
    return rehearse(
        [recipes] if isinstance(recipes, Recipe) else recipes,
        entries,
        header=HEADER,
        title="tape",
        asks=[Ask(*ask) for ask in asks],
        start_at=start_at,
        after_seconds=after_seconds,
    )


def acts(transcript: Transcript) -> list[tuple[float, str]]:
    """Return what was done and when, in words; what is unconfirmed ends in a question mark."""
    return [
        (round(act.at, 4), " ".join(*act.action.items()) + ("?" if act.unconfirmed else ""))
        for act in transcript.acts
    ]

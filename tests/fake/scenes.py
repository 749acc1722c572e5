"""Recordings written in a line or two, and live clients who are lists of what they do."""

from typing import Any

from automate.fake.signals import Closed, Drop, Note, NoteKind, Opened, Output, Said, Send
from automate.fake.tape import Tape
from automate.recording.format import (
    ClientFrame,
    Entry,
    Header,
    PanelCall,
    ServerFrame,
    Transport,
)
from automate.recording.reader import Recording
from automate.wire.frame import ABSENT, canonical_client, canonical_server

SERVER = "a1b2c3d4-0001-4000-8000-000000000001"
ROOT = f"/api/client/servers/{SERVER}"
ASKED_STATS = '{"memory_bytes":1,"cpu_absolute":0.50,"uptime":9,"state":"running","disk_bytes":5}'
PUSHED_STATS = '{"cpu_absolute":0.50,"disk_bytes":5,"memory_bytes":1,"state":"running","uptime":9}'


def recorded(*entries: Entry) -> Recording:
    header = Header(SERVER, "2026-11-23T18:00:00Z", title="a scene")
    return Recording("scene.jsonl", header, list(entries), [])


def opened(t: float) -> Transport:
    return Transport(t, "opened")


def left(t: float) -> Transport:
    return Transport(t, "closed", by="client")


def lost(t: float, code: int | None = 1006, reason: str | None = None) -> Transport:
    return Transport(t, "closed", by="server", code=code, reason=reason)


def asked(t: float, event: str, *args: str | None) -> ClientFrame:
    return ClientFrame(t, event, list(args) or [None])


def told(t: float, event: str, *args: str) -> ServerFrame:
    return ServerFrame(t, event, list(args) if args else ABSENT)


def called(t: float, method: str, path: str, **fields: Any) -> PanelCall:
    return PanelCall(t, method, ROOT + path, **({"status": 200} | fields))


def frame(event: str, *args: str) -> str:
    """Return the daemon's frame."""
    return canonical_server(event, list(args) if args else ABSENT)


def says(socket: int, event: str, *args: str | None, refusal: str | None = None) -> Said:
    """Return what a live client says."""
    return Said(socket, canonical_client(event, list(args) or [None]), refusal)


def auth(socket: int, refusal: str | None = None) -> Said:
    return says(socket, "auth", "a token", refusal=refusal)


LOGIN: list[Entry] = [
    opened(0.0),
    asked(0.001, "auth", "<token:1>"),
    told(0.002, "auth success"),
    told(0.003, "status", "running"),
]


class Stage:
    """A tape in virtual time, and all that came out of it, with the moments."""

    def __init__(self, tape: Tape) -> None:
        self.tape = tape
        self.now = 0.0
        self.heard: list[tuple[float, Output]] = []

    def until(self, at: float) -> None:
        """Let time pass, to *at*."""
        while (wake_at := self.tape.wake_at) is not None and wake_at <= at:
            self.now = max(self.now, wake_at)
            self.note(self.tape.tick(self.now))
        self.now = at

    def do(self, at: float, *happened: Opened | Said | Closed) -> None:
        """Let live clients do something at *at*."""
        self._arrive(at)
        for one in happened:
            self.note(self.tape.handle(one, at))

    def call(self, at: float, method: str, path: str, body: Any = None) -> Any:
        self._arrive(at)
        reply, outputs = self.tape.call(method, path, body, at)
        self.note(outputs)
        return reply

    def _arrive(self, at: float) -> None:
        """Let time pass until just before *at*: what comes in then is first."""
        while (wake_at := self.tape.wake_at) is not None and wake_at < at:
            self.now = max(self.now, wake_at)
            self.note(self.tape.tick(self.now))
        self.now = at

    def note(self, outputs: list[Output]) -> None:
        self.heard += [(round(self.now, 4), output) for output in outputs]

    def frames(self, socket: int = 1) -> list[tuple[float, str]]:
        """Return the frames that *socket* got, with the live moments."""
        return [
            (at, output.text)
            for at, output in self.heard
            if isinstance(output, Send) and socket in output.sockets
        ]

    def texts(self, socket: int = 1) -> list[str]:
        return [text for _at, text in self.frames(socket)]

    def drops(self) -> list[tuple[float, Drop]]:
        return [(at, output) for at, output in self.heard if isinstance(output, Drop)]

    def notes(self, *kinds: NoteKind) -> list[tuple[float, str]]:
        """Return the notes of these kinds, with the seconds of the tape."""
        return [
            (output.tape_seconds, output.text)
            for _at, output in self.heard
            if isinstance(output, Note) and output.kind in kinds
        ]

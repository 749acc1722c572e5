"""The paper a script is written on: what stands there so far, and the recording it makes.

What can be written is the script's affair, how a frame looks the pen's.
"""

import os
from datetime import UTC, datetime
from typing import Final, Self

from attrs import evolve, field, frozen

from automate.errors import UsageError
from automate.fake.model.settings import DEFAULT_SERVER, Kind, Settings
from automate.recording.format import Entry, Header, Transport, utc_text
from automate.recording.reader import Recording
from automate.recording.writer import RecordingWriter
from automate.testing.pen import Game, Pen, Situation
from automate.wire.messages import PowerState

__all__ = ["Sheet"]

_DAEMONS: Final = {
    Kind.PTERODACTYL: "pterodactyl/wings 1.11.11",
    Kind.PELICAN: "pelican-dev/wings 1.0.0-beta29",
}
_STARTED: Final = datetime(2026, 11, 23, 18, 0, tzinfo=UTC)
_PANEL: Final = "https://panel.example.com"


def _kind(daemon: str) -> Kind:
    if daemon not in tuple(Kind):
        raise UsageError(f"Script: expected a daemon ({', '.join(Kind)}), found {daemon!r}")
    return Kind(daemon)


def _utc(moment: datetime) -> datetime:
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


@frozen
class Sheet:
    """What is written so far (*entries*), and how things stand at its end (*situation*)."""

    title: str = "evening"
    daemon: Kind = field(default=Kind.PTERODACTYL, converter=_kind, kw_only=True)
    game: Game = field(factory=Game, kw_only=True)
    server: str = field(default=DEFAULT_SERVER, kw_only=True)
    started_at: datetime = field(default=_STARTED, converter=_utc, kw_only=True)
    with_stats: bool = field(default=False, kw_only=True)
    crash_detection: bool = field(default=True, kw_only=True)
    token_seconds: int = field(default=600, kw_only=True)
    entries: tuple[Entry, ...] = field(default=(), kw_only=True, repr=False)
    situation: Situation = field(factory=Situation, kw_only=True, repr=False)

    @property
    def recording(self) -> Recording:
        """The recording, as a reader would give it; at its end the recorder leaves."""
        entries = list(self.entries)
        if self.situation.is_connected:
            entries.append(Transport(round(self.situation.t, 4), "closed", by="client"))
        return Recording(f"{self.title}.jsonl", self.header, entries, [])

    @property
    def seconds(self) -> float:
        """How long it is so far, to 4 decimals."""
        return round(self.situation.t, 4)

    @property
    def header(self) -> Header:
        """The recording's first line."""
        return Header(
            server=self.server,
            started_at=utc_text(self.started_at),
            title=self.title,
            panel=_PANEL,
            socket=self.socket,
            daemon=_DAEMONS[self.daemon],
            redacted=["token"],
        )

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the recording to *path*.

        Raises:
            RecordingError: something is there already, or it can't be written.
        """
        recording = self.recording
        with RecordingWriter(path, recording.header) as writer:
            for entry in recording.entries:
                writer.write(entry)

    # ------------------------------------------------------------ pens

    @property
    def socket(self) -> str:
        """The address of the server's websocket."""
        return f"wss://node.example.com:8080/api/servers/{self.server}/ws"

    def begin(self, after: float) -> Pen:
        """Return a pen for the beginning.

        Raises:
            UsageError: it has begun already.
        """
        if self.situation.is_begun:
            raise self._wrong(
                "it has begun already; to let the status change, use start(), stop() or crash()"
            )
        return self._pen(after)

    def pen(self, verb: str, after: float, *statuses: PowerState) -> Pen:
        """Return a pen for *verb*, which makes sense while the status is one of *statuses*.

        Raises:
            UsageError: it is another, or nothing has begun.
        """
        if not self.situation.is_begun:
            raise self._wrong(f"{verb}(): it has not begun; begin with online() or offline()")
        status = self.situation.status
        if statuses and status not in statuses:
            wanted = " or ".join(statuses)
            raise self._wrong(f"{verb}(): expected a server that is {wanted}, but it is {status}")
        return self._pen(after)

    def connected(self, verb: str, after: float) -> Pen:
        """Return a pen for *verb*, which makes sense while there is a connection.

        Raises:
            UsageError: there is none.
        """
        pen = self.pen(verb, after)
        if not self.situation.is_connected:
            raise self._wrong(f"{verb}(): there is no connection; make one with back()")
        return pen

    def away(self, verb: str, after: float) -> Pen:
        """Return a pen for *verb*, which makes sense while there is no connection.

        Raises:
            UsageError: there is one.
        """
        pen = self.pen(verb, after)
        if self.situation.is_connected:
            raise self._wrong(f"{verb}(): there is a connection; break it with lost()")
        return pen

    def grown(self, pen: Pen) -> Self:
        """Return what stands there once *pen* has written."""
        return evolve(self, entries=(*self.entries, *pen.entries), situation=pen.now)

    def _pen(self, after: float) -> Pen:
        if not 0 <= after < float("inf"):
            raise self._wrong(f"expected a pause of 0 seconds or more, found {after:g}")
        pen = Pen(
            title=self.title,
            settings=Settings(
                kind=self.daemon,
                server=self.server,
                memory_mib=4096,
                crash_detection=self.crash_detection,
            ),
            game=self.game,
            started=self.started_at,
            with_stats=self.with_stats,
            now=self.situation,
        )
        pen.wait(after)
        return pen

    def _wrong(self, what: str) -> UsageError:
        return UsageError(f"Script {self.title!r}, at {self.seconds:g} s: {what}")

"""The view of a replayed server: its state, console, statistics and backups, as shown so far.

A tape shows it what goes by; whoever asks beyond the recording is answered from here. Frames
come out as the daemon writes them, answers of the panel as the panel does.
"""

from collections import deque
from datetime import datetime, timedelta
from typing import Any, Final

import msgspec

from automate.recording.format import PanelCall
from automate.wire import messages as m
from automate.wire.codec import encode_server
from automate.wire.console import daemon_line
from automate.wire.frame import canonical_server, unpack

__all__ = ["View"]

# The daemon's own number (websocket_log_count, PROTOCOL 7.4).
_LOG_LINES: Final = 150
# The order in which the daemon writes statistics it was asked for; what it pushes is sorted.
_ASKED_ORDER: Final = (
    "memory_bytes",
    "memory_limit_bytes",
    "cpu_absolute",
    "network",
    "disk_io",
    "uptime",
    "state",
    "disk_bytes",
)
_NOTHING_USED: Final = (
    '{"memory_bytes":0,"memory_limit_bytes":0,"cpu_absolute":0,'
    '"network":{"rx_bytes":0,"tx_bytes":0},"uptime":0,"disk_bytes":0}'
)
# Numbers stay the text they were, for Go and Python print some of them differently.
_read_fields: Final = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode


class View:
    """What has been shown of one server; *started* is the wall clock's moment of second 0."""

    def __init__(self, *, started: datetime) -> None:
        self.status: m.PowerState | None = None
        self.backups: dict[str, dict[str, Any]] = {}
        self._started = started
        self._stats = _NOTHING_USED
        self._lines: deque[str] = deque(maxlen=_LOG_LINES)

    # ------------------------------------------------------------ shown to it

    def see(self, message: m.ServerMessage, *, text: str, at: float) -> None:
        """Take note of a frame: *text* is the whole of it, *at* its second on the tape."""
        match message:
            case m.StatusChanged(status=status):
                self.status = status
                if status is m.PowerState.STARTING:
                    # A container's log begins anew with each run (PROBED 5).
                    self._lines.clear()
            case m.ConsoleOutput(line=line) if daemon_line(line) is None:
                self._lines.append(text)
            case m.StatsReported():
                self._stats = unpack(text)[1][0]
            case m.BackupCompleted():
                self._complete(message, at)

    def see_logs_begin(self) -> None:
        """Take note that the daemon's answer to `send logs` begins: it is all there was."""
        self._lines.clear()

    def learn(self, call: PanelCall) -> None:
        """Take note of what the panel told the recorded client of a backup."""
        if isinstance(call.response, dict) and call.response.get("object") == "backup":
            told = call.response.get("attributes")
            if isinstance(told, dict) and isinstance(told.get("uuid"), str):
                known = self.backups.get(told["uuid"])
                if known is None or known.get("completed_at") is None:
                    self.backups[told["uuid"]] = told

    def begin_backup(
        self, uuid: str, *, name: str | None, ignored: str, at: float
    ) -> dict[str, Any]:
        """Return a new backup that is running, and stays so."""
        moment = self.moment(at)
        item = {
            "uuid": uuid,
            "is_successful": False,
            "is_locked": False,
            "name": name or f"Backup at {moment:%Y-%m-%d %H:%M:%S}",
            "ignored_files": ignored.split("\n"),
            "checksum": None,
            "bytes": 0,
            "created_at": moment.isoformat(timespec="seconds"),
            "completed_at": None,
        }
        self.backups[uuid] = item
        return item

    def _complete(self, done: m.BackupCompleted, at: float) -> None:
        item = self.backups.get(done.uuid) or self.begin_backup(
            done.uuid, name=None, ignored="", at=at
        )
        checksum = f"{done.checksum_type}:{done.checksum}" if done.is_successful else None
        self.backups[done.uuid] = item | {
            "is_successful": done.is_successful,
            "checksum": checksum,
            "bytes": done.size_bytes,
            "completed_at": self.moment(at).isoformat(timespec="seconds"),
        }

    # ------------------------------------------------------------ asked of it

    def moment(self, at: float) -> datetime:
        """Return the wall clock's moment at second *at* of the tape."""
        return self._started + timedelta(seconds=at)

    def logs(self) -> list[str]:
        """Return the frames that answer `send logs`: the last lines of the present run.

        Nothing while offline, and never the daemon's own lines (PROTOCOL 7.4).
        """
        return [] if self.status is m.PowerState.OFFLINE else list(self._lines)

    def stats(self) -> str:
        """Return the frame that answers `send stats`: the latest, in the state it is in now."""
        fields = _read_fields(self._stats)
        if self.status is not None or "state" not in fields:
            state = self.status or m.PowerState.OFFLINE
            fields["state"] = msgspec.Raw(msgspec.json.encode(state.value))
        order: list[str] = [name for name in _ASKED_ORDER if name in fields]
        order += [name for name in fields if name not in _ASKED_ORDER]
        text = msgspec.json.encode({name: fields[name] for name in order}).decode()
        return canonical_server("stats", [text])

    def welcome(self) -> list[str]:
        """Return what the daemon sends after a socket's first auth (PROTOCOL 6.4)."""
        if self.status is None:
            return []
        frames = [encode_server(m.StatusChanged(self.status))]
        return [*frames, self.stats()] if self.status is m.PowerState.OFFLINE else frames

    def resources(self) -> dict[str, Any]:
        """Return what the panel says the server uses (PROTOCOL 3.4)."""
        used = msgspec.json.decode(self._stats)
        network = used.get("network") or {}
        state = self.status or used.get("state") or m.PowerState.OFFLINE
        return {
            "object": "stats",
            "attributes": {
                "current_state": str(state),
                "is_suspended": False,
                "resources": {
                    "memory_bytes": used.get("memory_bytes", 0),
                    "cpu_absolute": used.get("cpu_absolute", 0),
                    "disk_bytes": used.get("disk_bytes", 0),
                    "network_rx_bytes": network.get("rx_bytes", 0),
                    "network_tx_bytes": network.get("tx_bytes", 0),
                    "uptime": used.get("uptime", 0),
                },
            },
        }

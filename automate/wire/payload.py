"""What some events carry as JSON inside a string: stats, a finished backup, a matched feature.

The daemon's spelling stops here: it says ``uptime`` and means milliseconds. Reading raises
`ValueError` for what is not such a payload; which event carries which is the codec's work.
"""

from typing import Any, Final

import msgspec

from automate.wire import messages as m
from automate.wire.frame import escaped

__all__ = [
    "read_backup",
    "read_feature",
    "read_stats",
    "write_backup",
    "write_feature",
    "write_stats",
]

_encode: Final = msgspec.json.Encoder().encode

# JSON knows no integers: 1 and 1.0 are the same number, and JSON Schema agrees (see `schema`).
_Number = int | float


class _Network(msgspec.Struct):
    rx_bytes: _Number | None = None
    tx_bytes: _Number | None = None


class _DiskIo(msgspec.Struct):
    read_bytes: _Number | None = None
    write_bytes: _Number | None = None


class _Stats(msgspec.Struct):
    state: str | None = None
    memory_bytes: _Number | None = None
    memory_limit_bytes: _Number | None = None
    cpu_absolute: float | None = None
    disk_bytes: _Number | None = None
    uptime: _Number | None = None
    network: _Network | None = None
    disk_io: _DiskIo | None = None


class _Backup(msgspec.Struct):
    uuid: str
    is_successful: bool
    checksum: str = ""
    checksum_type: str = ""
    file_size: _Number = 0


class _Feature(msgspec.Struct):
    key: str
    line: str = ""
    pattern: str = ""


_decode_stats: Final = msgspec.json.Decoder(_Stats).decode
_decode_backup: Final = msgspec.json.Decoder(_Backup).decode
_decode_feature: Final = msgspec.json.Decoder(_Feature).decode


def read_stats(text: str) -> m.Stats:
    """Return the stats in *text*; every field may be missing."""
    said = _decode_stats(text)
    network = said.network or _Network()
    disk = said.disk_io or _DiskIo()
    milliseconds = _whole(said.uptime)
    return m.Stats(
        state=said.state,
        memory_bytes=_whole(said.memory_bytes),
        memory_limit_bytes=_whole(said.memory_limit_bytes),
        cpu_percent=said.cpu_absolute,
        disk_bytes=_whole(said.disk_bytes),
        uptime_seconds=None if milliseconds is None else milliseconds / 1000,
        network_received_bytes=_whole(network.rx_bytes),
        network_sent_bytes=_whole(network.tx_bytes),
        disk_read_bytes=_whole(disk.read_bytes),
        disk_written_bytes=_whole(disk.write_bytes),
    )


def write_stats(stats: m.Stats) -> str:
    """Return *stats* as the daemon writes those that nobody asked for: keys in order."""
    seconds = stats.uptime_seconds
    return _inner(
        cpu_absolute=_as_go_writes(stats.cpu_percent),
        disk_bytes=stats.disk_bytes,
        disk_io=_known(read_bytes=stats.disk_read_bytes, write_bytes=stats.disk_written_bytes),
        memory_bytes=stats.memory_bytes,
        memory_limit_bytes=stats.memory_limit_bytes,
        network=_known(rx_bytes=stats.network_received_bytes, tx_bytes=stats.network_sent_bytes),
        state=stats.state,
        uptime=None if seconds is None else round(seconds * 1000),
    )


def read_backup(text: str) -> m.BackupCompleted:
    """Return the backup told of in *text*."""
    said = _decode_backup(text)
    return m.BackupCompleted(
        uuid=said.uuid,
        is_successful=said.is_successful,
        checksum=said.checksum,
        checksum_type=said.checksum_type,
        size_bytes=_whole(said.file_size) or 0,
    )


def write_backup(backup: m.BackupCompleted) -> str:
    """Return *backup* as the daemon writes it."""
    return _inner(
        checksum=backup.checksum,
        checksum_type=backup.checksum_type,
        file_size=backup.size_bytes,
        is_successful=backup.is_successful,
        uuid=backup.uuid,
    )


def read_feature(text: str) -> m.FeatureMatched:
    """Return the matched feature told of in *text*."""
    said = _decode_feature(text)
    return m.FeatureMatched(key=said.key, line=said.line, pattern=said.pattern)


def write_feature(feature: m.FeatureMatched) -> str:
    """Return *feature* as the daemon writes it."""
    return _inner(key=feature.key, line=feature.line, pattern=feature.pattern)


def _whole(number: _Number | None) -> int | None:
    """Return *number* as an integer that the daemon's 64 bits could have held."""
    if number is None:
        return None
    if number != int(number) or not -(2**63) <= number < 2**64:
        raise ValueError(f"expected a whole number of 64 bits, found {number!r}")
    return int(number)


def _as_go_writes(number: float | None) -> float | None:
    """Return *number* such that the encoder writes it as Go does: 0 and not 0.0."""
    return number if number is None or number != int(number) else int(number)


def _known(**fields: Any) -> dict[str, Any] | None:
    return {key: value for key, value in fields.items() if value is not None} or None


def _inner(**fields: Any) -> str:
    # The inner JSON goes through the daemon's encoder like the frame around it.
    return escaped(_encode(_known(**fields) or {}).decode())

"""Frames of text to messages and back, for both ends of the socket.

Reading never fails: what is not understood is `Unknown`. Writing is canonical: the same text
as the daemon's own encoder (from a server) or as the panel's front end (from a client).
"""

from collections.abc import Callable
from typing import Any, Final

import msgspec

from automate.errors import MessageError
from automate.wire import messages as m

__all__ = [
    "canonical_client",
    "canonical_server",
    "client_message",
    "decode_client",
    "decode_server",
    "encode_client",
    "encode_server",
    "server_message",
]


class _Absent:
    """The mark of a frame that has no ``args`` at all."""


ABSENT: Final = _Absent()
_decode: Final = msgspec.json.Decoder().decode
_encode: Final = msgspec.json.Encoder().encode


# ---------------------------------------------------------------- canonical text


def canonical_server(event: str, args: Any = ABSENT) -> str:
    """Return the frame the daemon's encoder writes: compact, ``<>&`` escaped, one newline."""
    text = _pack(event, args)
    for character, escape in _ESCAPES:
        if character in text:
            text = text.replace(character, escape)
    return text + "\n"


def canonical_client(event: str, args: Any = ABSENT) -> str:
    """Return the frame a client writes: compact JSON, no newline."""
    return _pack(event, args)


# Go's encoding/json escapes these five by default, so the daemon's frames have them escaped.
_ESCAPES: Final = [
    ("<", "\\u003c"),
    (">", "\\u003e"),
    ("&", "\\u0026"),
    ("\u2028", "\\u2028"),
    ("\u2029", "\\u2029"),
]


def _pack(event: str, args: Any) -> str:
    frame = {"event": event} if args is ABSENT else {"event": event, "args": args}
    return _encode(frame).decode()


# ---------------------------------------------------------------- the server's side


def _text(args: Any) -> str:
    if not (isinstance(args, list) and args and isinstance(args[0], str)):
        raise ValueError
    return args[0]


class _Network(msgspec.Struct):
    rx_bytes: int | None = None
    tx_bytes: int | None = None


class _DiskIo(msgspec.Struct):
    read_bytes: int | None = None
    write_bytes: int | None = None


class _Stats(msgspec.Struct):
    """The daemon's own spelling of `Stats`; it says ``uptime`` and means milliseconds."""

    state: str | None = None
    memory_bytes: int | None = None
    memory_limit_bytes: int | None = None
    cpu_absolute: float | None = None
    disk_bytes: int | None = None
    uptime: int | None = None
    network: _Network | None = None
    disk_io: _DiskIo | None = None


_decode_stats: Final = msgspec.json.Decoder(_Stats).decode


def _stats(args: Any) -> m.StatsReported:
    said = _decode_stats(_text(args))
    network = said.network or _Network()
    disk = said.disk_io or _DiskIo()
    return m.StatsReported(
        m.Stats(
            state=said.state,
            memory_bytes=said.memory_bytes,
            memory_limit_bytes=said.memory_limit_bytes,
            cpu_percent=said.cpu_absolute,
            disk_bytes=said.disk_bytes,
            uptime_seconds=None if said.uptime is None else said.uptime / 1000,
            network_received_bytes=network.rx_bytes,
            network_sent_bytes=network.tx_bytes,
            disk_read_bytes=disk.read_bytes,
            disk_written_bytes=disk.write_bytes,
        )
    )


class _Backup(msgspec.Struct):
    uuid: str
    is_successful: bool
    checksum: str = ""
    checksum_type: str = ""
    file_size: int = 0


_decode_backup: Final = msgspec.json.Decoder(_Backup).decode


def _backup(args: Any) -> m.BackupCompleted:
    said = _decode_backup(_text(args))
    return m.BackupCompleted(
        uuid=said.uuid,
        is_successful=said.is_successful,
        checksum=said.checksum,
        checksum_type=said.checksum_type,
        size_bytes=said.file_size,
    )


class _Feature(msgspec.Struct):
    key: str
    line: str = ""
    pattern: str = ""


_decode_feature: Final = msgspec.json.Decoder(_Feature).decode


def _feature(args: Any) -> m.FeatureMatched:
    said = _decode_feature(_text(args))
    return m.FeatureMatched(key=said.key, line=said.line, pattern=said.pattern)


_STATUSES: Final = {state.value: m.StatusChanged(state) for state in m.PowerState}


def _status(args: Any) -> m.StatusChanged:
    return _STATUSES[_text(args)]


def _bare(message: m.ServerMessage) -> Callable[[Any], m.ServerMessage]:
    return lambda _args: message


_READERS: Final[dict[str, Callable[[Any], m.ServerMessage]]] = {
    "auth success": _bare(m.AuthSucceeded()),
    "status": _status,
    "console output": lambda args: m.ConsoleOutput(_text(args)),
    "stats": _stats,
    "token expiring": _bare(m.TokenExpiring()),
    "token expired": _bare(m.TokenExpired()),
    "jwt error": lambda args: m.JwtErrorReported(_text(args)),
    "daemon error": lambda args: m.DaemonErrorReported(_text(args)),
    "throttled": lambda args: m.Throttled(_text(args)),
    "install started": _bare(m.InstallStarted()),
    "install output": lambda args: m.InstallOutput(_text(args)),
    "install completed": _bare(m.InstallCompleted()),
    "daemon message": lambda args: m.DaemonMessage(_text(args)),
    "backup completed": _backup,
    "backup restore completed": _bare(m.BackupRestoreCompleted()),
    "transfer logs": lambda args: m.TransferLogged(_text(args)),
    "transfer status": lambda args: m.TransferStatusChanged(_text(args)),
    "deleted": _bare(m.Deleted()),
    "feature match": _feature,
}


def server_message(event: str, args: Any = ABSENT, *, text: str | None = None) -> m.ServerMessage:
    """Return what the server said with *event* and *args*; *text* is the frame, if at hand."""
    # Wings before 1.5.5 sent "backup completed:<uuid>"; the uuid is in the data as well.
    read = _READERS.get("backup completed" if event.startswith("backup completed:") else event)
    if read is not None:
        try:
            return read(args)
        except (ValueError, KeyError):  # msgspec's errors are ValueErrors too
            pass
    return _unknown(event, args, canonical_server(event, args) if text is None else text)


def decode_server(text: str) -> m.ServerMessage:
    """Return what the server said in the frame *text*; `Unknown` if it can't be understood."""
    event, args = _unpack(text)
    return m.Unknown(text) if event is None else server_message(event, args, text=text)


def encode_server(message: m.ServerMessage) -> str:
    """Return the frame of *message*, as the daemon's own encoder writes it.

    An `Unknown` comes back as it came. The daemon never sends the keys of its inner JSON in a
    fixed order, so for stats and backups the frame is one of those it could have sent.
    """
    match message:
        case m.Unknown(text=text):
            return text
        case m.StatusChanged(status=status):
            args: list[str] = [status.value]
        case m.ConsoleOutput(line=value) | m.InstallOutput(line=value):
            args = [value]
        case m.TransferLogged(line=value) | m.TransferStatusChanged(status=value):
            args = [value]
        case m.JwtErrorReported(text=value) | m.DaemonErrorReported(text=value):
            args = [value]
        case m.DaemonMessage(text=value) | m.Throttled(what=value):
            args = [value]
        case m.InstallStarted() | m.InstallCompleted() | m.BackupRestoreCompleted():
            args = [""]
        case m.Deleted():
            args = ["null"]
        case m.StatsReported(stats=stats):
            args = [_inner(_stats_fields(stats))]
        case m.BackupCompleted():
            args = [_inner(_backup_fields(message))]
        case m.FeatureMatched(key=key, line=line, pattern=pattern):
            args = [_inner({"key": key, "line": line, "pattern": pattern})]
        case _:
            return canonical_server(message.event)
    return canonical_server(message.event, args)


def _inner(fields: dict[str, Any]) -> str:
    return _encode({key: value for key, value in fields.items() if value is not None}).decode()


def _stats_fields(stats: m.Stats) -> dict[str, Any]:
    def both(**pair: int | None) -> dict[str, Any] | None:
        known = {key: value for key, value in pair.items() if value is not None}
        return known or None

    milliseconds = None if stats.uptime_seconds is None else round(stats.uptime_seconds * 1000)
    return {
        "cpu_absolute": stats.cpu_percent,
        "disk_bytes": stats.disk_bytes,
        "disk_io": both(read_bytes=stats.disk_read_bytes, write_bytes=stats.disk_written_bytes),
        "memory_bytes": stats.memory_bytes,
        "memory_limit_bytes": stats.memory_limit_bytes,
        "network": both(
            rx_bytes=stats.network_received_bytes, tx_bytes=stats.network_sent_bytes
        ),
        "state": stats.state,
        "uptime": milliseconds,
    }


def _backup_fields(backup: m.BackupCompleted) -> dict[str, Any]:
    return {
        "checksum": backup.checksum,
        "checksum_type": backup.checksum_type,
        "file_size": backup.size_bytes,
        "is_successful": backup.is_successful,
        "uuid": backup.uuid,
    }


# ---------------------------------------------------------------- the client's side


def client_message(event: str, args: Any) -> m.ClientMessage:
    """Return the message of *event* with *args*.

    Raises:
        MessageError: it must not be sent; the text says what was expected.
    """
    match event:
        case "auth":
            return m.Auth(_exactly_one(event, args))
        case "set state":
            return m.SetState(_exactly_one(event, args))
        case "send command":
            message = m.SendCommand(_exactly_one(event, args))
            _fits(message)
            return message
        case "send stats" | "send logs":
            if args != [None]:
                raise MessageError(f"{event}: expected [null], found {_shown(args)}")
            return m.SendStats() if event == "send stats" else m.SendLogs()
        case _:
            raise MessageError(
                "expected one of auth, send stats, send logs, set state, send command; "
                f"found {event!r}"
            )


def decode_client(text: str) -> m.ClientMessage | m.Unknown:
    """Return what a client said in the frame *text*; `Unknown` where it breaks the rules."""
    event, args = _unpack(text)
    if event is None:
        return m.Unknown(text)
    try:
        return client_message(event, args)
    except MessageError:
        return _unknown(event, args, text)


def encode_client(message: m.ClientMessage) -> str:
    """Return the frame to send.

    Raises:
        MessageError: the frame is longer than the daemon reads.
    """
    if isinstance(message, m.SendCommand):
        return _fits(message)
    return canonical_client(message.event, message.args)


def _fits(message: m.SendCommand) -> str:
    text = canonical_client(message.event, message.args)
    size = len(text.encode())
    if size > m.FRAME_LIMIT_BYTES:
        raise MessageError(
            f"send command: expected a frame of at most {m.FRAME_LIMIT_BYTES} bytes, found "
            f"{size}; newer daemons close the connection for it"
        )
    return text


def _exactly_one(event: str, args: Any) -> Any:
    if not (isinstance(args, list) and len(args) == 1 and isinstance(args[0], str)):
        raise MessageError(f"{event}: expected exactly one string, found {_shown(args)}")
    return args[0]


def _shown(args: Any) -> str:
    return "no args" if args is ABSENT else repr(args)[:80]


# ---------------------------------------------------------------- both sides


def _unpack(text: str) -> tuple[str | None, Any]:
    """Return the event and args of a frame; the event is ``None`` where it is no event."""
    try:
        frame = _decode(text)
    except ValueError:
        return None, None
    if not isinstance(frame, dict) or not isinstance(frame.get("event"), str):
        return None, None
    return frame["event"], frame.get("args", ABSENT)


def _unknown(event: str, args: Any, text: str) -> m.Unknown:
    return m.Unknown(text, event, None if args is ABSENT else args)

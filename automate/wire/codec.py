"""Frames of text to messages and back, for both ends of the socket.

Reading never fails: what is not understood is `Unknown`. Writing is canonical: the same text
as the daemon's own encoder (from a server) or as the panel's front end (from a client). What
these rules accept, `schema` says as JSON Schema; a test holds the two together.
"""

from collections.abc import Callable
from typing import Any, Final

import msgspec

from automate.errors import MessageError
from automate.wire import messages as m
from automate.wire import payload
from automate.wire.frame import ABSENT, canonical_client, canonical_server, unpack

__all__ = [
    "ABSENT",
    "canonical_client",
    "canonical_server",
    "client_message",
    "decode_client",
    "decode_server",
    "encode_client",
    "encode_server",
    "server_message",
]


# ---------------------------------------------------------------- the server's side


def _text(args: Any) -> str:
    if not (isinstance(args, list) and args and isinstance(args[0], str)):
        raise ValueError
    return args[0]


def _bare(message: m.ServerMessage) -> Callable[[Any], m.ServerMessage]:
    def read(args: Any) -> m.ServerMessage:
        if args is ABSENT or args is None or isinstance(args, list):
            return message
        raise ValueError

    return read


_STATUSES: Final = {state.value: m.StatusChanged(state) for state in m.PowerState}


def _status(args: Any) -> m.StatusChanged:
    # The published document allows one arg and no more; what has others is kept as it came.
    if not (isinstance(args, list) and len(args) == 1):
        raise ValueError
    return _STATUSES[_text(args)]


_READERS: Final[dict[str, Callable[[Any], m.ServerMessage]]] = {
    "auth success": _bare(m.AuthSucceeded()),
    "status": _status,
    "console output": lambda args: m.ConsoleOutput(_text(args)),
    "stats": lambda args: m.StatsReported(payload.read_stats(_text(args))),
    "token expiring": _bare(m.TokenExpiring()),
    "token expired": _bare(m.TokenExpired()),
    "jwt error": lambda args: m.JwtErrorReported(_text(args)),
    "daemon error": lambda args: m.DaemonErrorReported(_text(args)),
    "throttled": lambda args: m.Throttled(_text(args)),
    "install started": _bare(m.InstallStarted()),
    "install output": lambda args: m.InstallOutput(_text(args)),
    "install completed": _bare(m.InstallCompleted()),
    "daemon message": lambda args: m.DaemonMessage(_text(args)),
    "backup completed": lambda args: payload.read_backup(_text(args)),
    "backup restore completed": _bare(m.BackupRestoreCompleted()),
    "transfer logs": lambda args: m.TransferLogged(_text(args)),
    "transfer status": lambda args: m.TransferStatusChanged(_text(args)),
    "deleted": _bare(m.Deleted()),
    "feature match": lambda args: payload.read_feature(_text(args)),
}


def server_message(event: str, args: Any = ABSENT, *, text: str | None = None) -> m.ServerMessage:
    """Return what the server said with *event* and *args*; *text* is the frame, if at hand."""
    read = _READERS.get(event)
    if read is None and event.startswith("backup completed:"):
        # Wings before 1.5.5 put the backup's uuid here; it is in the data as well.
        read = _READERS["backup completed"]
    if read is not None:
        try:
            return read(args)
        except (ValueError, KeyError, RecursionError):
            pass  # bad args (msgspec's errors are ValueErrors): kept as unknown
    return _unknown(event, args, canonical_server(event, args) if text is None else text)


def decode_server(text: str) -> m.ServerMessage:
    """Return what the server said in the frame *text*; `Unknown` if it can't be understood."""
    event, args = unpack(text)
    return m.Unknown(text) if event is None else server_message(event, args, text=text)


def encode_server(message: m.ServerMessage) -> str:
    """Return the frame of *message*, as the daemon's own encoder writes it.

    An `Unknown` comes back as it came. Stats are written as those that nobody asked for; the
    daemon orders the keys of its answer to `SendStats` in another way.
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
            args = [payload.write_stats(stats)]
        case m.BackupCompleted():
            args = [payload.write_backup(message)]
        case m.FeatureMatched():
            args = [payload.write_feature(message)]
        case _:
            return canonical_server(message.event)
    return canonical_server(message.event, args)


# ---------------------------------------------------------------- the client's side


def client_message(event: str, args: Any = ABSENT) -> m.ClientMessage:
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
                raise MessageError(f"{event}: expected [null], found {_found(event, args)}")
            return m.SendStats() if event == "send stats" else m.SendLogs()
        case _:
            raise MessageError(
                "expected one of auth, send stats, send logs, set state, send command; "
                f"found {event!r}"
            )


def decode_client(text: str) -> m.ClientMessage | m.Unknown:
    """Return what a client said in the frame *text*; `Unknown` where it breaks the rules."""
    event, args = unpack(text)
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
        raise MessageError(f"{event}: expected exactly one string, found {_found(event, args)}")
    return args[0]


def _found(event: str, args: Any) -> str:
    if args is ABSENT:
        return "no args"
    if event == "auth" and args is not None:
        # Of a wrong `auth` only the shape is told: a token may be in it.
        return f"{len(args)} args" if isinstance(args, list) else type(args).__name__
    return msgspec.json.encode(args, enc_hook=repr).decode()[:80]


def _unknown(event: str, args: Any, text: str) -> m.Unknown:
    return m.Unknown(text, event, None if args is ABSENT else args)

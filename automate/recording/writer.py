"""A recording being written: entries gather in memory and go to the file in large pieces.

The frames of a busy server cost about a microsecond each. Whoever records calls `flush` now and
then; nothing here waits or looks at a clock.
"""

from os import PathLike, fspath
from types import TracebackType
from typing import Any, Final, Self

from msgspec.structs import replace

from automate.errors import RecordingError
from automate.recording.format import (
    ClientFrame,
    Entry,
    Header,
    Other,
    ServerFrame,
    encode_header,
    entry_fields,
)
from automate.recording.frames import dump, parse_client, parse_server
from automate.recording.redaction import Redactor
from automate.wire.codec import ABSENT

__all__ = ["RecordingWriter"]

# Memory stays flat, and a write of this size costs next to nothing for each line in it.
_PIECE_BYTES: Final = 65536


class RecordingWriter:
    """A new recording at *path*, its header already in the file.

    Secrets are replaced by *redactor*, or a fresh one: none reaches the file. The header names
    all kinds that could be replaced, for it is written before anything is.

    Raises:
        RecordingError: the file is there already (and not *overwrite*), or can't be written;
            every method that writes may raise the latter.
    """

    def __init__(
        self,
        path: str | PathLike[str],
        header: Header,
        *,
        redactor: Redactor | None = None,
        overwrite: bool = False,
    ) -> None:
        self.path = fspath(path)
        self._redactor = Redactor() if redactor is None else redactor
        self._suspects = self._redactor.suspects
        self._t = 0.0
        self._prefix = b'{"t":0.0,'
        if self.path.endswith(".zst"):
            raise RecordingError(
                f"{self.path}: recordings are written uncompressed; end the name in .jsonl and "
                "compress it later (zstd)"
            )
        try:
            # Unbuffered: the buffer is ours, and what was flushed is with the system.
            self._file = open(self.path, "wb" if overwrite else "xb", buffering=0)  # noqa: SIM115 # closed by close()
        except OSError as exc:
            raise RecordingError(f"{self.path}: {_advice(exc)}") from exc
        self._buffer = bytearray(encode_header(_clean_header(header, self._redactor)))
        try:
            self.flush()
        except RecordingError:
            self._file.close()
            raise

    def server_frame(self, t: float, text: str) -> None:
        """Write the frame *text*, received *t* seconds after the start."""
        if not self._suspects(text):
            _, plain = parse_server(text)
            if plain is not None:
                # This is what encoding the `ServerFrame` would give; a property holds us to it.
                self._buffer += b'%b"from":"server",%b\n' % (self._stamp(t), plain[1:])
                if len(self._buffer) > _PIECE_BYTES:
                    self.flush()
                return
        self._line(t, entry_fields(self._clean(ServerFrame.of(t, text))))

    def client_frame(self, t: float, text: str) -> None:
        """Write the frame *text*, sent *t* seconds after the start."""
        if not self._suspects(text):
            _, plain = parse_client(text)
            if plain is not None:
                self._buffer += b'%b"from":"client",%b\n' % (self._stamp(t), plain[1:])
                if len(self._buffer) > _PIECE_BYTES:
                    self.flush()
                return
        self._line(t, entry_fields(self._clean(ClientFrame.of(t, text))))

    def write(self, entry: Entry) -> None:
        """Write *entry*; its time is rounded to 4 decimals and never before the last entry's."""
        match entry:
            case ServerFrame() | ClientFrame():
                fields = entry_fields(self._clean(entry))
            case Other():
                fields = self._redactor.value(entry.fields)
            case _:
                fields = self._redactor.value(entry_fields(entry))
        self._line(entry.t, fields)

    def flush(self) -> None:
        """Hand everything written so far to the system; what it does not take is kept."""
        try:
            while self._buffer:
                taken = self._file.write(self._buffer)
                del self._buffer[:taken]
        except OSError as exc:
            raise RecordingError(f"{self.path}: {_advice(exc)}") from exc

    def close(self) -> None:
        """Flush, and close the file, even if the flush fails; closing again does nothing."""
        if self._file.closed:
            return
        try:
            self.flush()
        finally:
            self._file.close()

    def __enter__(self) -> Self:
        """Return the writer itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Close the file."""
        self.close()

    def _line(self, t: float, fields: dict[str, Any]) -> None:
        self._buffer += self._stamp(t) + dump(fields)[1:] + b"\n"
        if len(self._buffer) > _PIECE_BYTES:
            self.flush()

    def _stamp(self, t: float) -> bytes:
        """Return the beginning of a line, up to its time; frames that came together share it."""
        if t > self._t:
            self._t = t
            # The same as repr(round(t, 4)) at a third of the cost.
            digits = (b"%.4f" % t).rstrip(b"0")
            self._prefix = b'{"t":%b%b,' % (digits, b"0" if digits.endswith(b".") else b"")
        return self._prefix

    def _clean(self, entry: ServerFrame | ClientFrame) -> ServerFrame | ClientFrame:
        """Return *entry* without secrets: canonical if it was, else with its own text."""
        redactor = self._redactor
        extra = redactor.value(entry.extra)
        if entry.text is not None:
            text = redactor.json_text(entry.text)
            if text != entry.text:
                return replace(type(entry).of(entry.t, text), extra=extra)
        event = None if entry.event is None else redactor.text(entry.event)
        args = entry.args if entry.args is ABSENT else redactor.value(entry.args)
        return replace(entry, event=event, args=args, extra=extra)


def _clean_header(header: Header, redactor: Redactor) -> Header:
    def clean(value: str | None) -> str | None:
        return None if value is None else redactor.text(value)

    return replace(
        header,
        title=clean(header.title),
        panel=clean(header.panel),
        socket=clean(header.socket),
        daemon=clean(header.daemon),
        redacted=list(dict.fromkeys([*header.redacted, *redactor.names])),
        extra=redactor.value(header.extra),
    )


def _advice(exc: OSError) -> str:
    match exc:
        case FileExistsError():
            return "something is there already; choose another name, or remove it first"
        case FileNotFoundError():
            return "its directory does not exist; make it first"
        case IsADirectoryError():
            return "this is a directory; give the name of a file in it"
        case _:
            return f"it can't be written ({exc.strerror}); check the disk and the permissions"

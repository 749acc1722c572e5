"""A line of a recording: the header first, then an entry for each thing that happened.

Lines to values and back, with nothing lost: a frame comes back to the byte, and fields nobody
knows yet are kept. Files are the reader's and the writer's work. Source: RECORDING.md.
"""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Final, NoReturn, Self

import msgspec
from attrs import frozen
from msgspec import Struct, field

from automate.errors import MessageError, RecordingError
from automate.recording.frames import dump, parse_client, parse_server
from automate.wire import messages as m
from automate.wire.codec import (
    ABSENT,
    canonical_client,
    canonical_server,
    client_message,
    server_message,
)

__all__ = [
    "FORMAT",
    "UPGRADES",
    "VERSION",
    "ClientFrame",
    "EngineNote",
    "Entry",
    "Header",
    "Other",
    "PanelCall",
    "ServerFrame",
    "Transport",
    "Upgrade",
    "decode_entry",
    "decode_header",
    "decode_quickly",
    "decode_versioned_header",
    "encode_entry",
    "encode_header",
    "entry_fields",
    "utc_text",
]

FORMAT: Final = "automate-recording"
VERSION: Final = 1


# ---------------------------------------------------------------- JSON


def _load(line: bytes, source: str, expected: str) -> dict[str, Any]:
    """Return the object on *line*, in the lenient way: lone surrogates are let in."""
    try:
        fields = json.loads(line.decode(), parse_constant=_refuse)
    except (ValueError, RecursionError) as exc:
        _fail(source, expected, line, str(exc))
    if not isinstance(fields, dict):
        _fail(source, expected, line, "it is no JSON object")
    return fields


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is no JSON")


def _fail(source: str, expected: str, line: bytes, why: str) -> NoReturn:
    shown = line[:60].decode("utf-8", "backslashreplace")
    why = " ".join(why.split())
    advice = _ENTRY_ADVICE if expected == _ENTRY else _HEADER_ADVICE
    raise RecordingError(
        f"{source}: expected {expected}, found {shown!r} ({why}); {advice}"
    ) from None


_ENTRY: Final = "an entry"
_ENTRY_ADVICE: Final = "mend the line, or take it out"
_HEADER: Final = f"a header with the format {FORMAT!r}"
_HEADER_ADVICE: Final = "is this the file you meant?"


# ---------------------------------------------------------------- entries


# Untracked by the garbage collector, for what JSON holds has no cycles: a long recording is read
# whole in half the time.
class _Entry(Struct, frozen=True, gc=False, tag_field="from", forbid_unknown_fields=True):
    """One line: *t* is in seconds since the recording's start, on a monotonic clock."""

    t: float


def _extra() -> Any:
    """Make the field for what a line says beyond the format; its JSON name is never written."""
    return field(name="(fields beyond the format)", default_factory=dict)


class _Frame(_Entry, frozen=True):
    """A frame: *event* and *args* (`ABSENT` where it had none), or *text*, or all of them.

    *text* is there only where the canonical encoding of *event* and *args* would differ from it.
    """

    event: str | None = None
    args: Any = ABSENT
    text: str | None = None
    extra: dict[str, Any] = _extra()

    def __post_init__(self) -> None:
        if self.event is None and self.text is None:
            raise ValueError("a frame has an `event`, a `text` or both")


class ServerFrame(_Frame, frozen=True, tag="server"):
    """A frame that the server sent."""

    @classmethod
    def of(cls, t: float, text: str) -> Self:
        """Return the entry for the frame *text*, received at *t*."""
        event, plain = parse_server(text)
        if event is None:
            return cls(t, text=text)
        return cls(t, event.event, event.args, text if plain is None else None)

    @property
    def frame(self) -> str:
        """The frame exactly as it crossed the wire."""
        if self.text is not None or self.event is None:
            return self.text or ""
        return canonical_server(self.event, self.args)

    @property
    def message(self) -> m.ServerMessage:
        """What the server said; `Unknown` if it can't be understood."""
        if self.event is None:
            return m.Unknown(self.frame)
        return server_message(self.event, self.args, text=self.text)


class ClientFrame(_Frame, frozen=True, tag="client"):
    """A frame that the recorded client sent."""

    @classmethod
    def of(cls, t: float, text: str) -> Self:
        """Return the entry for the frame *text*, sent at *t*."""
        event, plain = parse_client(text)
        if event is None:
            return cls(t, text=text)
        return cls(t, event.event, event.args, text if plain is None else None)

    @property
    def frame(self) -> str:
        """The frame exactly as it crossed the wire."""
        if self.text is not None or self.event is None:
            return self.text or ""
        return canonical_client(self.event, self.args)

    @property
    def message(self) -> m.ClientMessage | m.Unknown:
        """What the client said; `Unknown` where it breaks the rules for sending."""
        if self.event is None:
            return m.Unknown(self.frame)
        try:
            return client_message(self.event, self.args)
        except MessageError:
            args = None if self.args is ABSENT else self.args
            return m.Unknown(self.frame, self.event, args)


class PanelCall(_Entry, frozen=True, tag="panel"):
    """One call to the panel's API, at the moment of its answer; it took *seconds*.

    *claims* are those of the token in the answer, where there is one: they are no secret.
    """

    method: str
    path: str
    request: Any = None
    status: int | None = None
    response: Any = None
    seconds: float | None = None
    claims: dict[str, Any] | None = None
    extra: dict[str, Any] = _extra()


class Transport(_Entry, frozen=True, tag="transport"):
    """The connection itself: *what* is ``opened``, ``closed`` (*by* whom) or ``failed``."""

    what: str
    by: str | None = None
    code: int | None = None
    reason: str | None = None
    extra: dict[str, Any] = _extra()


class EngineNote(_Entry, frozen=True, tag="engine"):
    """What a *run* of a *recipe* decided; the step's own fields are in *extra*."""

    what: str
    recipe: str | None = None
    run: Any = None
    extra: dict[str, Any] = _extra()


class Other(Struct, frozen=True):
    """An entry of a kind nobody here knows: *fields* are all but *t*, ``from`` included."""

    t: float
    fields: dict[str, Any]


_Known = ServerFrame | ClientFrame | PanelCall | Transport | EngineNote
Entry = _Known | Other

# Of a line that has every field this version knows, and no other: nearly all lines.
# It raises ValueError where `decode_entry` has to look closer.
decode_quickly: Final[Callable[[bytes], _Known]] = msgspec.json.Decoder(_Known).decode

_KINDS: Final[dict[str, type[_Known]]] = {
    "server": ServerFrame,
    "client": ClientFrame,
    "panel": PanelCall,
    "transport": Transport,
    "engine": EngineNote,
}


def decode_entry(line: bytes, *, source: str = "a line", version: int = VERSION) -> Entry:
    """Return the entry written on *line*; *source* is its file and line number.

    Raises:
        RecordingError: *line* is not an entry.
    """
    if version == VERSION:
        try:
            return decode_quickly(line)
        except (ValueError, RecursionError):
            pass
    fields = _load(line, source, _ENTRY)
    for step in _steps(version):
        fields = step.entry(fields)
    try:
        return _structure(fields)
    except ValueError as exc:
        _fail(source, _ENTRY, line, str(exc))


def _structure(fields: dict[str, Any]) -> Entry:
    who = fields.get("from")
    kind = _KINDS.get(who) if isinstance(who, str) else None
    if kind is not None:
        names = {known.encode_name for known in msgspec.structs.fields(kind)[:-1]} | {"from"}
        extra = {name: value for name, value in fields.items() if name not in names}
        known = {name: value for name, value in fields.items() if name in names}
        entry = msgspec.convert(known, kind)
        return msgspec.structs.replace(entry, extra=extra) if extra else entry
    if not isinstance(who, str):
        raise ValueError("`from` says who did it, as a string")
    t = fields.pop("t", None)
    if isinstance(t, bool) or not isinstance(t, int | float):
        raise ValueError("`t` is a number of seconds")
    return Other(t, fields)


def encode_entry(entry: Entry) -> bytes:
    """Return the line of *entry*, newline included."""
    return dump({"t": entry.t, **entry_fields(entry)}) + b"\n"


def entry_fields(entry: Entry) -> dict[str, Any]:
    """Return what the line of *entry* says, in its order, but for ``t`` which goes first."""
    match entry:
        case ServerFrame() | ClientFrame():
            who = "server" if isinstance(entry, ServerFrame) else "client"
            fields: dict[str, Any] = {"from": who}
            if entry.event is not None:
                fields["event"] = entry.event
            if entry.args is not ABSENT:
                fields["args"] = entry.args
            if entry.text is not None:
                fields["text"] = entry.text
        case PanelCall():
            fields = {
                "from": "panel",
                "method": entry.method,
                "path": entry.path,
                "request": entry.request,
                "status": entry.status,
                "response": entry.response,
                **_said(claims=entry.claims, seconds=entry.seconds),
            }
        case Transport(what=what, by=by, code=code, reason=reason):
            fields = {"from": "transport", "what": what, **_said(code=code, by=by, reason=reason)}
        case EngineNote(what=what, recipe=recipe, run=run):
            fields = {"from": "engine", "what": what, **_said(recipe=recipe, run=run)}
        case Other():
            return entry.fields
    # Twice, so that the order is ours and so is the last word.
    return {**fields, **entry.extra, **fields} if entry.extra else fields


def _said(**fields: Any) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value is not None}


# ---------------------------------------------------------------- the header


class Header(Struct, frozen=True):
    """The first line: which server, when (*started_at*, UTC) and by which way.

    *redacted* names what was replaced, or would have been had it come: the line is written
    before all others.
    """

    server: str
    started_at: str
    title: str | None = None
    panel: str | None = None
    socket: str | None = None
    daemon: str | None = None
    redacted: list[str] = field(default_factory=list)
    extra: dict[str, Any] = _extra()

    def __post_init__(self) -> None:
        if datetime.fromisoformat(self.started_at).tzinfo is None:
            raise ValueError(f"`started_at` needs a zone (end it in Z): {self.started_at!r}")

    @property
    def started(self) -> datetime:
        """The moment at which ``t`` is 0, in UTC."""
        return datetime.fromisoformat(self.started_at).astimezone(UTC)


def utc_text(moment: datetime) -> str:
    """Return *moment* (which knows its zone) as a header writes it."""
    return moment.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def decode_header(line: bytes, *, source: str = "the first line") -> Header:
    """Return the header written on *line*.

    Raises:
        RecordingError: *line* is no header, or one of a newer version.
    """
    return decode_versioned_header(line, source=source)[0]


def decode_versioned_header(line: bytes, *, source: str) -> tuple[Header, int]:
    """Return the header on *line*, and the version in which the entries after it are written.

    Raises:
        RecordingError: *line* is no header, or one of a newer version.
    """
    fields = _load(line, source, _HEADER)
    if fields.get("format") != FORMAT:
        _fail(source, _HEADER, line, "this is no recording")
    version = fields.get("version")
    if type(version) is not int or (version < VERSION and version not in UPGRADES):
        _fail(source, f"a version from 1 to {VERSION}", line, f"`version` is {version!r}")
    if version > VERSION:
        raise RecordingError(
            f"{source}: expected a recording of version {VERSION} or older, found version "
            f"{version}; read it with a newer automate"
        )
    for step in _steps(version):
        fields = step.header(fields)
    names = {known.encode_name for known in msgspec.structs.fields(Header)[:-1]}
    extra = {key: fields[key] for key in fields if key not in {*names, "format", "version"}}
    try:
        header = msgspec.convert({key: fields[key] for key in names if key in fields}, Header)
    except ValueError as exc:
        _fail(source, _HEADER, line, str(exc))
    return msgspec.structs.replace(header, extra=extra), version


def encode_header(header: Header) -> bytes:
    """Return the first line, newline included."""
    fields = {
        "format": FORMAT,
        "version": VERSION,
        **_said(title=header.title),
        "server": header.server,
        "started_at": header.started_at,
        **_said(panel=header.panel, socket=header.socket, daemon=header.daemon),
        **_said(redacted=header.redacted or None),
    }
    return dump({**fields, **header.extra, **fields}) + b"\n"


# ---------------------------------------------------------------- older versions


@frozen
class Upgrade:
    """The step from one version to the next, for the fields of a header and of an entry."""

    header: Callable[[dict[str, Any]], dict[str, Any]]
    entry: Callable[[dict[str, Any]], dict[str, Any]]


# By the version a step starts from. There is no version before 1, so none yet.
UPGRADES: Final[dict[int, Upgrade]] = {}


def _steps(version: int) -> list[Upgrade]:
    return [UPGRADES[number] for number in range(version, VERSION)]

"""The rules of the wire as JSON Schema (draft 2020-12): every event, from both ends.

`automate schema` prints it. It says what the codec does: a server's event that the schema
refuses is `Unknown`, a client's must not be sent. What JSON Schema can't say stands beside its
place as a ``$comment``; where we differ from the published server-websockets document,
`DIFFERENCES` says so, and why.
"""

import json
from typing import Any, Final, Literal, get_args

from attrs import frozen

from automate.wire import messages as m

__all__ = ["DIFFERENCES", "Difference", "event_schemas", "schema_text"]

Schema = dict[str, Any]


def event_schemas() -> Schema:
    """Return one JSON Schema of all frames; ``$defs`` holds one for each event and direction."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "A frame on the websocket of a game server (Wings)",
        "anyOf": [{"$ref": "#/$defs/from-server"}, {"$ref": "#/$defs/from-client"}],
        "$defs": {
            "from-server": _one_of(m.ServerMessage, "What the server says."),
            "from-client": _one_of(m.ClientMessage, "What a client says."),
            **{_key(kind.event): _frame(kind) for kind in _kinds(m.ServerMessage)},
            **{_key(kind.event): _frame(kind) for kind in _kinds(m.ClientMessage)},
            **_payloads(),
        },
    }


def schema_text() -> str:
    """Return `event_schemas` as readable JSON, with a newline at the end."""
    return json.dumps(event_schemas(), indent=2, ensure_ascii=False) + "\n"


# ---------------------------------------------------------------- frames


def _kinds(union: Any) -> list[Any]:
    return [kind for kind in get_args(union) if kind is not m.Unknown]


def _key(event: str) -> str:
    return event.replace(" ", "-")


def _one_of(union: Any, description: str) -> Schema:
    references = [{"$ref": f"#/$defs/{_key(kind.event)}"} for kind in _kinds(union)]
    return {"description": description, "oneOf": references}


def _frame(kind: Any) -> Schema:
    args = _ARGS.get(kind)
    name: Schema = {"const": kind.event}
    if kind is m.BackupCompleted:
        comment = "Wings before 1.5.5 put a colon and the backup's uuid after the name."
        name = {"anyOf": [name, {"pattern": "^backup completed:"}], "$comment": comment}
    return {
        "title": kind.event,
        "description": " ".join((kind.__doc__ or "").split()),
        "type": "object",
        "properties": {
            "event": {"type": "string", **name},
            "args": _BARE if args is None else args,
        },
        "required": ["event"] if args is None else ["event", "args"],
    }


# ---------------------------------------------------------------- args


def _first(value: Schema) -> Schema:
    # A server's further args are ignored, so that a later daemon may add some.
    return {"type": "array", "minItems": 1, "prefixItems": [value]}


def _only(value: Schema) -> Schema:
    return {"type": "array", "minItems": 1, "maxItems": 1, "prefixItems": [value]}


def _json(payload: str) -> Schema:
    return {
        "type": "string",
        "contentMediaType": "application/json",
        "contentSchema": {"$ref": f"#/$defs/{payload}"},
        "$comment": "Most validators take contentSchema for a note. Here it is a rule: with any "
        "other text this is not the event.",
    }


_BARE: Final[Schema] = {"type": ["array", "null"]}
_TEXT: Final = _first({"type": "string"})
_NOTHING: Final = _only({"type": "null"})
_COMMAND: Final[Schema] = {
    "type": "string",
    "not": {"pattern": "[\\u0000-\\u001f\\u007f]"},
    # A character takes a byte or more, so this is necessary; it is enough for plain ASCII.
    "maxLength": m.FRAME_LIMIT_BYTES - len('{"event":"send command","args":[""]}'),
    "$comment": f"Bytes count, not characters: the whole frame, as compact JSON in UTF-8, has at "
    f"most {m.FRAME_LIMIT_BYTES}. Half a surrogate pair is refused too.",
}

# Events that are not here have no args that mean anything.
_ARGS: Final[dict[Any, Schema]] = {
    m.StatusChanged: _only({"type": "string", "enum": [state.value for state in m.PowerState]}),
    m.ConsoleOutput: _TEXT,
    m.StatsReported: _first(_json("stats-payload")),
    m.JwtErrorReported: _TEXT,
    m.DaemonErrorReported: _TEXT,
    m.Throttled: _TEXT,
    m.InstallOutput: _TEXT,
    m.DaemonMessage: _TEXT,
    m.BackupCompleted: _first(_json("backup-completed-payload")),
    m.TransferLogged: _TEXT,
    m.TransferStatusChanged: _TEXT,
    m.FeatureMatched: _first(_json("feature-match-payload")),
    m.Auth: _only({"type": "string", "minLength": 1}),
    m.SendStats: _NOTHING,
    m.SendLogs: _NOTHING,
    m.SetState: _only({"type": "string", "enum": [action.value for action in m.PowerAction]}),
    m.SendCommand: _only(_COMMAND),
}


# ---------------------------------------------------------------- JSON inside a string


def _payloads() -> dict[str, Schema]:
    integer: Schema = {"type": "integer", "minimum": -(2**63), "maximum": 2**64 - 1}
    count: Schema = {**integer, "type": ["integer", "null"]}
    text: Schema = {"type": "string"}
    largest = 1.7976931348623157e308
    return {
        "stats-payload": {
            "description": "What the server was using: any of these may be missing.",
            "type": "object",
            "properties": {
                "state": {"type": ["string", "null"]},
                "memory_bytes": count,
                "memory_limit_bytes": count,
                "cpu_absolute": {
                    "description": "Percent; 100 is one core.",
                    "type": ["number", "null"],
                    "minimum": -largest,
                    "maximum": largest,
                },
                "disk_bytes": count,
                "uptime": {"description": "Milliseconds.", **count},
                "network": _counts(count, "rx_bytes", "tx_bytes"),
                "disk_io": _counts(count, "read_bytes", "write_bytes"),
            },
        },
        "backup-completed-payload": {
            "description": "How a backup ended; after a failure without checksum and size.",
            "type": "object",
            "properties": {
                "uuid": text,
                "is_successful": {"type": "boolean"},
                "checksum": text,
                "checksum_type": text,
                "file_size": integer,
            },
            "required": ["uuid", "is_successful"],
        },
        "feature-match-payload": {
            "description": "The console line that one of the egg's features waits for.",
            "type": "object",
            "properties": {"key": text, "line": text, "pattern": text},
            "required": ["key"],
        },
    }


def _counts(count: Schema, *names: str) -> Schema:
    return {"type": ["object", "null"], "properties": dict.fromkeys(names, count)}


# ---------------------------------------------------------------- the published document


@frozen(kw_only=True)
class Difference:
    """One place where we accept more or less than the published server-websockets document.

    *example* is a frame on which the two differ.
    """

    name: str
    we_are: Literal["stricter", "looser"]
    why: str
    example: Any


# The document is read as: the frame fits its event schema, and its args, where there are any,
# fit the schema of the event's args. `type: null`, which YAML reads as no type at all, is taken
# for the type "null", as its example [null] shows.
DIFFERENCES: Final = (
    Difference(
        name="no event",
        we_are="stricter",
        why="The document requires nothing; a frame without a name says nothing.",
        example={"args": ["running"]},
    ),
    Difference(
        name="no args",
        we_are="stricter",
        why="The daemon takes `send command` without args for an empty line, which the game "
        "gets, and `auth` and `set state` for mistakes; from a server they never lack.",
        example={"event": "send command"},
    ),
    Difference(
        name="null for a token",
        we_are="stricter",
        why="The document allows null args of `auth`; the daemon answers with a daemon error.",
        example={"event": "auth", "args": None},
    ),
    Difference(
        name="an empty token",
        we_are="stricter",
        why="It is always refused; where attempts are counted it costs one.",
        example={"event": "auth", "args": [""]},
    ),
    Difference(
        name="a question without exactly one null",
        we_are="stricter",
        why="Daemons answer to [] as well; we send, and expect, what the panel's front end does.",
        example={"event": "send stats", "args": []},
    ),
    Difference(
        name="not exactly one power action",
        we_are="stricter",
        why='The document sets no number of args; the daemon joins them: ["stop", "x"] is the '
        "unknown action stopx.",
        example={"event": "set state", "args": []},
    ),
    Difference(
        name="control characters in a command",
        we_are="stricter",
        why="The game has a terminal, on which they act: U+0003 kills it, a newline makes a "
        "second command.",
        example={"event": "send command", "args": ["say hi\u0003"]},
    ),
    Difference(
        name="a command too long",
        we_are="stricter",
        why="Newer daemons close the connection for a frame of more than 4096 bytes.",
        example={"event": "send command", "args": ["x" * 4061]},
    ),
    Difference(
        name="a console line or stats without text",
        we_are="stricter",
        why="The document sets no args for them; without a string there is no line to show.",
        example={"event": "console output", "args": []},
    ),
    Difference(
        name="stats that are no stats",
        we_are="stricter",
        why="Their text is JSON with known fields; of anything else we could only guess.",
        example={"event": "stats", "args": ["{"]},
    ),
    Difference(
        name="further events",
        we_are="looser",
        why="Daemons send more than the document's eleven; it refuses the names it lacks.",
        example={"event": "daemon error", "args": ["server is running"]},
    ),
)

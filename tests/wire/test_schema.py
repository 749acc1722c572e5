"""The JSON Schema of the wire, held against the codec and against the published document."""

import json
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from jsonschema import Draft7Validator, Draft202012Validator, ValidationError
from jsonschema.validators import extend

from automate.errors import MessageError
from automate.wire import messages as m
from automate.wire.codec import ABSENT, canonical_client, client_message, decode_server
from automate.wire.schema import DIFFERENCES, event_schemas, schema_text
from tests.wire import strategies


def no_constant(name: str) -> Any:
    raise ValueError(f"{name} is no JSON")


def content_schema(
    validator: Any, content: Any, instance: Any, _schema: Any
) -> Iterator[ValidationError]:
    """Hold the JSON inside a string to its schema, as the ``$comment`` there demands."""
    if isinstance(instance, str):
        try:
            value = json.loads(instance, parse_constant=no_constant)
        except ValueError as exc:
            yield ValidationError(str(exc))
        else:
            yield from validator.descend(value, content)


# The stubs of jsonschema leave `extend` without types.
Strict = extend(Draft202012Validator, {"contentSchema": content_schema})  # type: ignore[no-untyped-call]


@cache
def ours(definition: str) -> Any:
    return Strict({**event_schemas(), "anyOf": [{"$ref": f"#/$defs/{definition}"}]})


def we_accept(frame: Any) -> bool:
    return bool(ours("from-server").is_valid(frame) or ours("from-client").is_valid(frame))


# ---------------------------------------------------------------- the schema and the codec


def test_it_is_a_schema_and_its_text_is_the_same() -> None:
    Draft202012Validator.check_schema(event_schemas())

    assert json.loads(schema_text()) == event_schemas()


def test_it_has_every_event_of_both_directions() -> None:
    titles = [part["title"] for part in event_schemas()["$defs"].values() if "title" in part]

    assert titles == [*strategies.SERVER_EVENTS, *strategies.CLIENT_EVENTS]


# Payloads on both sides of a rule; the codec says which side.
EDGES = [
    *(("stats", text) for text in ('{"uptime":1.0}', '{"uptime":1.5}', '{"uptime":true}')),
    *(("stats", f'{{"uptime":{number}}}') for number in (2**64 - 1, 2**64, -(2**63) - 1)),
    *(("stats", f'{{"cpu_absolute":{number}}}') for number in ("1e308", "1e400", "NaN", "null")),
    *(("stats", text) for text in ('{"network":{}}', '{"network":[]}', '{"disk_io":{"x":1}}')),
    *(("stats", text) for text in ('{"state":null}', '{"state":1}', "{}", "[]", "", "{} {}")),
    ("backup completed", '{"uuid":"c3d9","is_successful":true}'),
    ("backup completed", '{"uuid":"c3d9"}'),
    ("backup completed", '{"is_successful":true}'),
    ("backup completed", '{"uuid":"c3d9","is_successful":1}'),
    ("backup completed", '{"uuid":"c3d9","is_successful":true,"file_size":null}'),
    ("backup completed", '{"uuid":"c3d9","is_successful":true,"checksum":null}'),
    ("backup completed:c3d9", '{"uuid":"c3d9","is_successful":false}'),
    ("backup completed\n", '{"uuid":"c3d9","is_successful":false}'),
    ("backup completedly", '{"uuid":"c3d9","is_successful":false}'),
    ("feature match", '{"key":"eula"}'),
    ("feature match", '{"line":"agree?","pattern":"agree"}'),
    ("feature match", '{"key":"eula","line":null}'),
]


@given(strategies.frames(json.dumps))
def test_what_it_accepts_from_a_server_is_what_the_codec_understands(frame: Any) -> None:
    same_as_the_codec(frame)


@pytest.mark.parametrize(("event", "payload"), EDGES)
def test_and_so_at_the_edges(event: str, payload: str) -> None:
    same_as_the_codec({"event": event, "args": [payload]})


def same_as_the_codec(frame: Any) -> None:
    understood = not isinstance(decode_server(json.dumps(frame)), m.Unknown)

    assert ours("from-server").is_valid(frame) == understood, frame


@given(strategies.frames(json.dumps))
@example({"event": "send command", "args": ["x" * 4060]})
@example({"event": "send command", "args": ["x" * 4061]})
def test_what_it_accepts_from_a_client_is_what_may_be_sent(frame: Any) -> None:
    assert ours("from-client").is_valid(frame) == (may_be_sent(frame) or says_too_much(frame))


def may_be_sent(frame: Any) -> bool:
    if not isinstance(frame, dict) or "event" not in frame:
        return False
    try:
        client_message(frame["event"], frame.get("args", ABSENT))
    except MessageError:
        return False
    return True


def says_too_much(frame: Any) -> bool:
    """Whether *frame* is a command whose bytes are too many, although its characters are not."""
    match frame:
        case {"event": "send command", "args": [str(command)]}:
            size = len(canonical_client("send command", [command]).encode())
            clean = not any(character < " " or character == "\x7f" for character in command)
            return clean and len(command) <= 4060 and size > m.FRAME_LIMIT_BYTES
        case _:
            return False


@pytest.mark.parametrize("character", [*map(chr, range(0x22)), "\x7f", "\x80", "\u2028"], ids=ascii)
def test_both_refuse_the_same_characters(character: str) -> None:
    frame = {"event": "send command", "args": [f"say {character}"]}

    assert ours("from-client").is_valid(frame) == may_be_sent(frame)


@pytest.mark.parametrize("command", ["é" * 2031, '"' * 2031])
def test_bytes_are_counted_by_the_codec_alone(command: str) -> None:
    frame = {"event": "send command", "args": [command]}

    assert (ours("from-client").is_valid(frame), may_be_sent(frame)) == (True, False)


# ---------------------------------------------------------------- the published document


DOCUMENT: dict[str, Any] = json.loads(
    (Path(__file__).parent / "data" / "server-websockets.json").read_text(encoding="utf-8")
)
EVENT = Draft7Validator(DOCUMENT["event"])
ARGS = {event: Draft7Validator(schema) for event, schema in DOCUMENT["args"].items()}
ELEVEN = DOCUMENT["event"]["properties"]["event"]["enum"]


def document_accepts(frame: Any) -> bool:
    """Whether *frame* fits the event schema, and its args, where there are any, theirs."""
    if not EVENT.is_valid(frame):
        return False
    args = ARGS.get(frame.get("event"))
    return args is None or "args" not in frame or args.is_valid(frame["args"])


def _is(*events: str) -> Callable[[Any], bool]:
    return lambda frame: frame.get("event") in events


def _text_of(frame: Any) -> str | None:
    match frame.get("args"):
        case [str(text), *_]:
            return text
        case _:
            return None


_NEED_ARGS = [*ARGS, "console output", "stats"]
_command = _is("send command")

# Where the two differ, for frames that one of them accepts: as narrow as the reasons in
# `DIFFERENCES`, and not narrower, for the tests below hold them to both.
DIFFERS: dict[str, Callable[[Any], bool]] = {
    "no event": lambda frame: "event" not in frame,
    "no args": lambda frame: _is(*_NEED_ARGS)(frame) and "args" not in frame,
    "null for a token": lambda frame: frame == {**frame, "event": "auth", "args": None},
    "an empty token": lambda frame: _is("auth")(frame) and _text_of(frame) == "",
    "a question without exactly one null": lambda frame: (
        _is("send stats", "send logs")(frame) and frame.get("args", [None]) != [None]
    ),
    "not exactly one power action": lambda frame: (
        _is("set state")(frame) and len(frame.get("args", [1])) != 1
    ),
    "control characters in a command": lambda frame: (
        _command(frame) and any(c < " " or c == "\x7f" for c in _text_of(frame) or "")
    ),
    "a command too long": lambda frame: _command(frame) and len(_text_of(frame) or "") > 4060,
    "a console line or stats without text": lambda frame: (
        _is("console output", "stats")(frame) and "args" in frame and _text_of(frame) is None
    ),
    "stats that are no stats": lambda frame: (
        _is("stats")(frame)
        and _text_of(frame) is not None
        and isinstance(decode_server(json.dumps(frame)), m.Unknown)
    ),
    "further events": lambda frame: frame.get("event") not in [*ELEVEN, None],
}

CORPUS: list[Any] = [
    *({"event": event} for event in ELEVEN),
    *({"event": event, "args": None} for event in ELEVEN),
    *({"event": event, "args": []} for event in ELEVEN),
    *({"event": event, "args": [None]} for event in ELEVEN),
    *({"event": event, "args": "start"} for event in ELEVEN),
    *({"event": event, "args": ["start"]} for event in ELEVEN),
    *({"event": event, "args": ["start", "stop"]} for event in ELEVEN),
    *({"event": event, "args": ["running"]} for event in ELEVEN),
    *({"event": event, "args": [7]} for event in ELEVEN),
    *({"event": event, "args": ["{}"], "more": 1} for event in ELEVEN),
    *({"event": event, "args": [None, None]} for event in ELEVEN),
    *({"event": event.title()} for event in ELEVEN),
    {},
    [],
    None,
    "status",
    {"event": None},
    {"event": 7},
    {"event": "nope"},
    {"args": [None]},
    {"args": 7},
    {"event": "backup completed:c3d9", "args": ['{"uuid":"c3d9","is_successful":true}']},
]


def same_or_listed(frame: Any) -> None:
    accepted = (document_accepts(frame), we_accept(frame))
    listed = {
        difference.we_are
        for difference in DIFFERENCES
        if any(accepted) and DIFFERS[difference.name](frame)
    }
    differing = {(True, False): {"stricter"}, (False, True): {"looser"}}.get(accepted, set())

    assert listed == differing, frame


@pytest.mark.parametrize("frame", CORPUS, ids=json.dumps)
def test_we_accept_and_refuse_what_the_document_does(frame: Any) -> None:
    same_or_listed(frame)


@given(strategies.frames(json.dumps))
def test_no_difference_is_unlisted(frame: Any) -> None:
    same_or_listed(frame)


@given(event=st.sampled_from(ELEVEN), args=strategies.args(json.dumps))
def test_nor_among_the_args_of_the_eleven(event: str, args: Any) -> None:
    same_or_listed({"event": event, "args": args})


@pytest.mark.parametrize("difference", DIFFERENCES, ids=lambda difference: difference.name)
def test_every_listed_difference_is_one(difference: Any) -> None:
    """Its example is refused by one side, and no other entry of the list explains it."""
    explained = [name for name, differs in DIFFERS.items() if differs(difference.example)]
    accepted = (document_accepts(difference.example), we_accept(difference.example))

    assert (accepted, explained) == (
        (True, False) if difference.we_are == "stricter" else (False, True),
        [difference.name],
    )


def test_the_list_is_the_one_explained_here() -> None:
    assert [difference.name for difference in DIFFERENCES] == list(DIFFERS)

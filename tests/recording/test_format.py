"""A line of a recording comes back as it was, and says what it means."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from automate.errors import RecordingError
from automate.recording.format import (
    UPGRADES,
    ClientFrame,
    EngineNote,
    Header,
    Other,
    PanelCall,
    ServerFrame,
    Transport,
    Upgrade,
    decode_entry,
    decode_header,
    decode_quickly,
    decode_versioned_header,
    encode_entry,
    encode_header,
    utc_text,
)
from automate.wire import messages as m
from automate.wire.codec import ABSENT, decode_client, decode_server

RECORDINGS = sorted((Path(__file__).parents[2] / "recordings").glob("*.jsonl"))
SERVER = "a1b2c3d4-0001-4000-8000-000000000001"
FRAMES: list[type[ServerFrame] | type[ClientFrame]] = [ServerFrame, ClientFrame]
STARTED_AT = "2026-11-23T17:41:05.292743Z"


@pytest.mark.parametrize("path", RECORDINGS, ids=lambda path: path.stem)
def test_a_real_recording_is_read_and_written_to_the_same_bytes(path: Path) -> None:
    first, *lines = path.read_bytes().splitlines(keepends=True)

    again = encode_header(decode_header(first)) + b"".join(
        encode_entry(decode_entry(line)) for line in lines
    )

    assert again == path.read_bytes()


@pytest.mark.parametrize("path", RECORDINGS, ids=lambda path: path.stem)
def test_each_frame_of_a_real_recording_is_told_from_its_text_alone(path: Path) -> None:
    for line in path.read_bytes().splitlines()[1:]:
        match decode_entry(line):
            case ServerFrame() as entry:
                assert ServerFrame.of(entry.t, entry.frame) == entry
                assert entry.message == decode_server(entry.frame)
            case ClientFrame() as entry:
                assert ClientFrame.of(entry.t, entry.frame) == entry
                assert entry.message == decode_client(entry.frame)


texts = st.text(st.characters(codec="utf-8") | st.sampled_from('<>&\u2028\u2029"\\\x00\x1b\x7f'))
args = st.lists(texts | st.none(), max_size=3)
json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=6,
)
strange_texts = st.text(st.characters(exclude_categories=())) | st.builds(
    lambda value, indent, ascii, end: json.dumps(value, indent=indent, ensure_ascii=ascii) + end,
    st.fixed_dictionaries({}, optional={"args": args | json_values, "event": texts | st.none()})
    | json_values,
    st.none() | st.just(1),
    st.booleans(),
    st.sampled_from(["", "\n", "\n\n"]),
)
LONE_SURROGATE = "\ud83c"


@given(strange_texts)
@example('{"event":"say","args":["<b>"]}\n')
@example('{"event":"say","args":["\\u003cb\\u003e"]}\n')
@example('{"event":"say","args":["\u2028"]}\n')
@example('{"event":"say","args":["\\u2028"]}\n')
@example('{"args":[],"event":"say"}')
@example('{"event":"say","event":"say"}')
@example('{"event":"say","args":[1e999]}')
@example('{"event":"say","args":["\\ud83c"]}')
@example(f'{{"event":"say","args":["{LONE_SURROGATE}"]}}')
@example("[" * 5000)
@example("")
def test_any_frame_comes_back_to_the_character(text: str) -> None:
    # Two lone surrogates that make a pair are one character to JSON; no wire has those.
    for line in (encode_entry(kind.of(1.5, text)) for kind in FRAMES):
        entry = decode_entry(line)

        assert isinstance(entry, ServerFrame | ClientFrame)
        assert entry.frame == text.encode("utf-16", "surrogatepass").decode(
            "utf-16", "surrogatepass"
        )


def test_only_a_frame_that_is_not_canonical_keeps_its_text() -> None:
    from_server = [
        '{"event":"console output","args":["a \\u003c b"]}\n',
        '{"event":"console output","args":["a < b"]}\n',
        '{"event":"auth success"}\n',
        '{"event":"auth success"}',
        '{"event":"status","args":null}\n',
        "pong",
    ]

    assert [ServerFrame.of(0.0, text) for text in from_server] == [
        ServerFrame(0.0, "console output", ["a < b"]),
        ServerFrame(0.0, "console output", ["a < b"], from_server[1]),
        ServerFrame(0.0, "auth success", ABSENT),
        ServerFrame(0.0, "auth success", ABSENT, from_server[3]),
        ServerFrame(0.0, "status", None),
        ServerFrame(0.0, text="pong"),
    ]


ARGS: list[Any] = [ABSENT, None, []]


def test_args_absent_null_and_empty_are_three_things() -> None:
    lines = [
        b'{"t":0.5,"from":"client","event":"auth"}\n',
        b'{"t":0.5,"from":"client","event":"auth","args":null}\n',
        b'{"t":0.5,"from":"client","event":"auth","args":[]}\n',
    ]
    entries = [decode_entry(line) for line in lines]

    assert entries == [ClientFrame(0.5, "auth", said) for said in ARGS]
    assert [encode_entry(entry) for entry in entries] == lines


def test_what_was_said_is_known_without_the_frame() -> None:
    said: list[ServerFrame | ClientFrame] = [
        ServerFrame(0.0, "status", ["running"]),
        ServerFrame(0.0, "no such thing", [1]),
        ServerFrame(0.0, text="pong"),
        ClientFrame(0.0, "set state", ["kill"]),
        ClientFrame(0.0, "set state", ["explode"]),
        ClientFrame(0.0, text="{"),
    ]

    assert [entry.message for entry in said] == [
        m.StatusChanged(m.PowerState.RUNNING),
        m.Unknown('{"event":"no such thing","args":[1]}\n', "no such thing", [1]),
        m.Unknown("pong"),
        m.SetState(m.PowerAction.KILL),
        m.Unknown('{"event":"set state","args":["explode"]}', "set state", ["explode"]),
        m.Unknown("{"),
    ]


EVERY_KIND = [
    (
        b'{"t":0.0,"from":"panel","method":"GET","path":"/x","request":null,"status":200,'
        b'"response":{"a":[1,2.5]},"claims":{"exp":5},"seconds":0.25}\n',
        PanelCall(0.0, "GET", "/x", None, 200, {"a": [1, 2.5]}, 0.25, {"exp": 5}),
    ),
    (
        b'{"t":1.0,"from":"transport","what":"closed","code":1006,"by":"server","reason":""}\n',
        Transport(1.0, "closed", by="server", code=1006, reason=""),
    ),
    (
        b'{"t":2.0,"from":"engine","what":"step","recipe":"r","run":"r-1","step":"Start"}\n',
        EngineNote(2.0, "step", "r", "r-1", extra={"step": "Start"}),
    ),
    (
        b'{"t":3.0,"from":"server","event":"x","checked":{"args":1}}\n',
        ServerFrame(3.0, "x", extra={"checked": {"args": 1}}),
    ),
    (
        b'{"t":4.0,"kept":[null],"from":"operator"}\n',
        Other(4.0, {"kept": [None], "from": "operator"}),
    ),
]


@pytest.mark.parametrize(("line", "entry"), EVERY_KIND)
def test_every_kind_of_line_has_its_value_and_keeps_what_is_unknown(
    line: bytes, entry: Any
) -> None:
    assert decode_entry(line) == entry
    assert encode_entry(entry) == line


@given(
    st.dictionaries(texts, json_values, max_size=3),
    st.sampled_from([entry for _, entry in EVERY_KIND[:4]]),
)
def test_unknown_fields_survive_whatever_they_are(extra: dict[str, Any], entry: Any) -> None:
    known = json.loads(encode_entry(entry))
    extra = {
        name: value for name, value in extra.items() if name not in type(entry).__struct_fields__
    }
    line = json.dumps({**known, **extra, "from": known["from"]}).encode()

    assert json.loads(encode_entry(decode_entry(line))) == json.loads(line)


def test_an_ordinary_line_takes_the_quick_way() -> None:
    """The slow way gives the same, so only this test would notice."""
    lines = RECORDINGS[0].read_bytes().splitlines()[1:]

    assert [decode_quickly(line) for line in lines] == [decode_entry(line) for line in lines]


@pytest.mark.parametrize(
    ("line", "why"),
    [
        (b"", "Expecting value: line 1 column 1 (char 0)"),
        (b"[]", "it is no JSON object"),
        (b'{"t":1.0,"from":"ser', "Unterminated string starting at: line 1 column 17 (char 16)"),
        (b'{"t":1.0}', "`from` says who did it, as a string"),
        (b'{"t":true,"from":"operator"}', "`t` is a number of seconds"),
        (b'{"t":NaN,"from":"server","event":"x"}', "NaN is no JSON"),
        (b'{"from":"server","event":"x"}', "Object missing required field `t`"),
        (b'{"t":1.0,"from":"server"}', "a frame has an `event`, a `text` or both"),
        (
            b'{"t":"1","from":"server","event":"x"}',
            "Expected `float`, got `str` - at `$.t`",
        ),
    ],
)
def test_a_broken_line_is_told_with_its_place_and_what_is_wrong(line: bytes, why: str) -> None:
    with pytest.raises(RecordingError) as caught:
        decode_entry(line, source="night.jsonl:7")

    assert str(caught.value) == (
        f"night.jsonl:7: expected an entry, found {line.decode()!r} ({why}); "
        "mend the line, or take it out"
    )


def test_a_header_says_when_and_keeps_what_is_unknown() -> None:
    line = (
        f'{{"format":"automate-recording","version":1,"title":"night","server":"{SERVER}",'
        f'"started_at":"{STARTED_AT}","redacted":["token"],"mood":"calm"}}\n'
    ).encode()
    header = decode_header(line)

    assert header == Header(
        SERVER, STARTED_AT, title="night", redacted=["token"], extra={"mood": "calm"}
    )
    assert encode_header(header) == line
    assert header.started == datetime(2026, 11, 23, 17, 41, 5, 292743, tzinfo=UTC)
    assert utc_text(header.started) == STARTED_AT


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"version": 2}, "h:1: expected a recording of version 1 or older, found version 2; "),
        ({"version": "1"}, "(`version` is '1'); "),
        ({"version": True}, "(`version` is True); "),
        ({"version": 0}, "(`version` is 0); "),
        ({"format": "har"}, "(this is no recording); is this the file you meant?"),
        ({"server": None}, "(Expected `str`, got `null` - at `$.server`)"),
        ({"started_at": "yesterday"}, "Invalid isoformat string: 'yesterday'"),
        ({"started_at": "2026-11-23T17:41:05"}, "`started_at` needs a zone (end it in Z)"),
    ],
)
def test_a_wrong_header_is_told_with_what_is_wrong(changed: dict[str, Any], message: str) -> None:
    fields = {"format": "automate-recording", "version": 1, "server": SERVER}
    line = json.dumps({**fields, "started_at": STARTED_AT, **changed}).encode()

    with pytest.raises(RecordingError) as caught:
        decode_header(line, source="h:1")

    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_an_older_version_is_upgraded_line_by_line(monkeypatch: pytest.MonkeyPatch) -> None:
    def header(fields: dict[str, Any]) -> dict[str, Any]:
        return {**fields, "server": fields["uuid"]}

    def entry(fields: dict[str, Any]) -> dict[str, Any]:
        return {**fields, "t": fields["t"] / 1000}

    monkeypatch.setitem(UPGRADES, 0, Upgrade(header, entry))
    fields = {"format": "automate-recording", "version": 0, "uuid": SERVER}
    line = json.dumps({**fields, "started_at": STARTED_AT})

    assert decode_versioned_header(line.encode(), source="h:1") == (
        Header(SERVER, STARTED_AT, extra={"uuid": SERVER}),
        0,
    )
    assert decode_entry(b'{"t":1500,"from":"server","event":"x"}', version=0) == ServerFrame(
        1.5, "x"
    )

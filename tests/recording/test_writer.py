"""What is written can be read, holds no secret, and is in the file once it was flushed."""

import errno
import json
import os
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from automate.errors import RecordingError
from automate.recording.format import (
    ClientFrame,
    EngineNote,
    Entry,
    Header,
    Other,
    PanelCall,
    ServerFrame,
    Transport,
    encode_entry,
)
from automate.recording.reader import open_recording, read_recording
from automate.recording.redaction import Redactor
from automate.recording.writer import RecordingWriter
from automate.wire.codec import canonical_client, canonical_server

HEADER = Header("a1b2c3d4-0001-4000-8000-000000000001", "2026-11-23T17:41:05.292743Z")
TOKEN = "eyJhbGciOiJIUzI1NiJ9.eyJleHAiOjE3OTU0NTk3NTN9.s5x-Yc_0TqA"
KEY = "ptlc_Zr4tN0aVwQ1uKx8yB2mC5dE7fG9hJ3kL6nP0qR2sT4u"
LINK = f"https://node.example.com:8080/download/backup?token={TOKEN}&unique=1"


@pytest.fixture
def tape(tmp_path: Path) -> Path:
    """Where a test's recording goes."""
    return tmp_path / "night.jsonl"


def lines(path: Path) -> list[str]:
    """Return the lines after the header."""
    return path.read_text(encoding="utf-8").splitlines()[1:]


def test_the_header_is_in_the_file_before_anything_happens(tape: Path) -> None:
    with RecordingWriter(tape, HEADER):
        early = tape.read_text()

    assert early == (
        '{"format":"automate-recording","version":1,'
        '"server":"a1b2c3d4-0001-4000-8000-000000000001",'
        '"started_at":"2026-11-23T17:41:05.292743Z","redacted":["token","key","link"]}\n'
    )


def test_a_sitting_is_read_as_it_was_written(tape: Path) -> None:
    with RecordingWriter(tape, HEADER) as writer:
        writer.write(Transport(0.00123456, "opened"))
        writer.client_frame(0.5, '{"event":"send logs","args":[null]}')
        writer.client_frame(0.50004, '{"event": "send logs"}')
        writer.server_frame(1.0, '{"event":"console output","args":["<a> \\u003cb\\u003e"]}\n')
        writer.server_frame(1.00009, '{"event":"console output","args":["\\u003cb\\u003e é"]}\n')
        writer.write(EngineNote(2.5, "done", "restart on crash", "r-1", extra={"step": 2}))
        writer.write(Other(12345.67891, {"from": "operator", "coffee": True}))

    assert lines(tape) == [
        '{"t":0.0012,"from":"transport","what":"opened"}',
        '{"t":0.5,"from":"client","event":"send logs","args":[null]}',
        '{"t":0.5,"from":"client","event":"send logs","text":"{\\"event\\": \\"send logs\\"}"}',
        '{"t":1.0,"from":"server","event":"console output","args":["<a> <b>"],"text":'
        '"{\\"event\\":\\"console output\\",\\"args\\":[\\"<a> \\\\u003cb\\\\u003e\\"]}\\n"}',
        '{"t":1.0001,"from":"server","event":"console output","args":["<b> é"]}',
        '{"t":2.5,"from":"engine","what":"done","recipe":"restart on crash","run":"r-1","step":2}',
        '{"t":12345.6789,"from":"operator","coffee":true}',
    ]


def test_time_never_falls(tape: Path) -> None:
    with RecordingWriter(tape, HEADER) as writer:
        for t in (-1.0, 0.25, 0.25, 0.125, 3.0):
            writer.server_frame(t, "x")

    assert [json.loads(line)["t"] for line in lines(tape)] == [0.0, 0.25, 0.25, 0.25, 3.0]


@given(times=st.lists(st.floats(0, 1e9), min_size=1, max_size=20))
def test_time_has_four_decimals_as_json_writes_it(
    times: list[float], tmp_path_factory: pytest.TempPathFactory
) -> None:
    tape = tmp_path_factory.mktemp("times") / "night.jsonl"

    with RecordingWriter(tape, HEADER) as writer:
        for t in times:
            writer.server_frame(t, "x")

    highest = [max(times[: n + 1]) for n in range(len(times))]
    assert lines(tape) == [f'{{"t":{round(t, 4)!r},"from":"server","text":"x"}}' for t in highest]


texts = st.text(st.characters(exclude_categories=()) | st.sampled_from('<>&\u2028\u2029"\\\x7f'))
frames = texts | st.builds(
    lambda event, args, canonical: canonical(event, args),
    st.text(),
    st.lists(st.text() | st.none(), max_size=3) | st.none(),
    st.sampled_from([canonical_server, canonical_client]),
)


@given(said=st.lists(frames, min_size=1, max_size=5))
@example(said=["NaN"])
def test_a_spliced_line_is_the_line_of_the_entry(
    said: list[str], tmp_path_factory: pytest.TempPathFactory
) -> None:
    tape = tmp_path_factory.mktemp("spliced") / "night.jsonl"

    with RecordingWriter(tape, HEADER) as writer:
        for text in said:
            writer.server_frame(0.5, text)
            writer.client_frame(0.5, text)

    assert tape.read_bytes().split(b"\n", 1)[1] == b"".join(
        encode_entry(kind.of(0.5, text)) for text in said for kind in (ServerFrame, ClientFrame)
    )


def test_a_shipped_recording_is_written_again_to_the_same_bytes(
    recordings: Path, tape: Path
) -> None:
    """Frame by frame from their texts; only the header's list of what is replaced grows."""
    for path in recordings.glob("*.jsonl"):
        with (
            open_recording(path) as reader,
            RecordingWriter(tape, reader.header, overwrite=True) as writer,
        ):
            for entry in reader:
                match entry:
                    case ServerFrame():
                        writer.server_frame(entry.t, entry.frame)
                    case ClientFrame():
                        writer.client_frame(entry.t, entry.frame)
                    case _:
                        writer.write(entry)

        assert tape.read_bytes() == path.read_bytes().replace(
            b'"redacted":["token"]', b'"redacted":["token","key","link"]', 1
        )


def test_no_secret_reaches_the_file_by_any_way(tape: Path) -> None:
    """And each is the same name everywhere: in frames of any shape, calls, reasons, the header."""
    header = Header(
        HEADER.server,
        HEADER.started_at,
        title=f"with {KEY}",
        socket=f"wss://node/ws?token={TOKEN}",
        extra={"note": "hunter2"},
    )
    nested = json.dumps({"Authorization": f"Bearer {KEY}", "get": LINK})
    entries: list[Entry] = [
        PanelCall(
            0.0, "GET", f"/x?k={KEY}", {"Cookie": "a=b"}, 200, {"token": TOKEN}, claims={"exp": 5}
        ),
        Transport(0.0, "failed", reason=f"refused by {LINK}"),
        EngineNote(0.0, "step", "announce", "r-1", extra={"said": "hunter2"}),
        Other(0.0, {"from": "operator", "said": [KEY]}),
        ServerFrame(0.0, "console output", [KEY], extra={"said": KEY}),
        ClientFrame(0.0, "auth", [TOKEN], f'{{ "event":"auth","args":["{TOKEN}"]}}'),
    ]

    redactor = Redactor({"password": ["hunter2"]})
    with RecordingWriter(tape, header, redactor=redactor) as writer:
        for entry in entries:
            writer.write(entry)
        writer.client_frame(0.0, canonical_client("auth", [TOKEN]))
        writer.client_frame(0.0, canonical_client("auth", [TOKEN]).replace("eyJ", "\\u0065yJ"))
        writer.server_frame(0.0, canonical_server("console output", [nested]))
        writer.server_frame(0.0, f"no event, but {TOKEN}")

    assert tape.read_text().splitlines() == [
        '{"format":"automate-recording","version":1,"title":"with <key:1>",'
        '"server":"a1b2c3d4-0001-4000-8000-000000000001",'
        '"started_at":"2026-11-23T17:41:05.292743Z","socket":"<link:1>",'
        '"redacted":["token","key","link","password"],"note":"<password:1>"}',
        '{"t":0.0,"from":"panel","method":"GET","path":"/x?k=<key:1>",'
        '"request":{"Cookie":"<token:1>"},"status":200,"response":{"token":"<token:2>"},'
        '"claims":{"exp":5}}',
        '{"t":0.0,"from":"transport","what":"failed","reason":"refused by <link:2>"}',
        '{"t":0.0,"from":"engine","what":"step","recipe":"announce","run":"r-1",'
        '"said":"<password:1>"}',
        '{"t":0.0,"from":"operator","said":["<key:1>"]}',
        '{"t":0.0,"from":"server","event":"console output","args":["<key:1>"],"said":"<key:1>"}',
        '{"t":0.0,"from":"client","event":"auth","args":["<token:2>"],'
        '"text":"{ \\"event\\":\\"auth\\",\\"args\\":[\\"<token:2>\\"]}"}',
        '{"t":0.0,"from":"client","event":"auth","args":["<token:2>"]}',
        '{"t":0.0,"from":"client","event":"auth","args":["<token:2>"]}',
        '{"t":0.0,"from":"server","event":"console output","args":'
        '["{\\"Authorization\\": \\"Bearer <key:1>\\", \\"get\\": \\"<link:2>\\"}"]}',
        '{"t":0.0,"from":"server","text":"no event, but <token:2>"}',
    ]


def test_a_file_that_is_there_is_left_alone_unless_told(tape: Path) -> None:
    tape.write_text("precious")

    with pytest.raises(RecordingError) as caught:
        RecordingWriter(tape, HEADER)

    assert str(caught.value) == (
        f"{tape}: something is there already; choose another name, or remove it first"
    )
    assert tape.read_text() == "precious"
    RecordingWriter(tape, HEADER, overwrite=True).close()
    assert read_recording(tape).entries == []


def test_a_place_where_nothing_can_be_written_is_refused_in_one_line(tmp_path: Path) -> None:
    def refusal(path: Path) -> str:
        with pytest.raises(RecordingError) as caught:
            RecordingWriter(path, HEADER, overwrite=True)
        return str(caught.value).replace(f"{tmp_path}/", "")

    (tmp_path / "folder").mkdir()
    (tmp_path / "file").touch()

    assert [refusal(tmp_path / name) for name in ("no/t.jsonl", "folder", "file/t", "t.zst")] == [
        "no/t.jsonl: its directory does not exist; make it first",
        "folder: this is a directory; give the name of a file in it",
        "file/t: it can't be written (Not a directory); check the disk and the permissions",
        "t.zst: recordings are written uncompressed; end the name in .jsonl and compress it later "
        "(zstd)",
    ]


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="a disk that is always full")
def test_a_full_disk_is_told_and_the_file_is_closed() -> None:
    with pytest.raises(RecordingError) as caught:
        RecordingWriter("/dev/full", HEADER, overwrite=True)

    assert str(caught.value) == (
        f"/dev/full: it can't be written ({os.strerror(errno.ENOSPC)}); check the disk and the "
        "permissions"
    )


def test_lines_reach_the_file_when_flushed_or_many(tape: Path) -> None:
    with RecordingWriter(tape, HEADER) as writer:
        writer.server_frame(0.0, "a")
        unflushed = len(lines(tape))
        writer.flush()
        flushed = len(lines(tape))
        for _ in range(3000):
            writer.server_frame(0.0, canonical_server("status", ["running"]))
        pieces = tape.stat().st_size
    whole = tape.stat().st_size
    writer.close()

    assert (unflushed, flushed, len(lines(tape))) == (0, 1, 3001)
    # What waited for the end was less than one piece.
    assert 0 < whole - pieces <= 65536

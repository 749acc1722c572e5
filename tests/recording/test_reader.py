"""A recording is read to the end, or to the cut, or it is said plainly why it can't be."""

import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from automate.errors import RecordingError
from automate.recording.format import (
    UPGRADES,
    Entry,
    Other,
    ServerFrame,
    Transport,
    Upgrade,
    decode_entry,
)
from automate.recording.reader import open_recording, read_recording

HEADER = (
    b'{"format":"automate-recording","version":1,"server":"a1b2c3d4-0001-4000-8000-000000000001",'
    b'"started_at":"2026-11-23T17:41:05.292743Z"}\n'
)
LINES = [
    b'{"t":0.0,"from":"transport","what":"opened"}\n',
    b'{"t":0.25,"from":"server","event":"console output","args":["caf\xc3\xa9"]}\n',
    b'{"t":0.5,"from":"server","text":"pong\\r\\n"}\n',
    b'{"t":0.75,"from":"operator","coffee":true}\n',
]
ENTRIES: list[Entry] = [
    Transport(0.0, "opened"),
    ServerFrame(0.25, "console output", ["café"]),
    ServerFrame(0.5, text="pong\r\n"),
    Other(0.75, {"from": "operator", "coffee": True}),
]
WHOLE = HEADER + b"".join(LINES)


@pytest.fixture
def tape(tmp_path: Path) -> Path:
    """Where a test's recording goes."""
    return tmp_path / "night.jsonl"


def refusal(path: Path) -> str:
    """Return why *path* can't be read, without the name of its folder."""
    with pytest.raises(RecordingError) as caught:
        read_recording(path)
    return str(caught.value).replace(f"{path.parent}/", "")


def test_a_recording_is_read_whole(tape: Path) -> None:
    tape.write_bytes(WHOLE)

    recording = read_recording(tape)

    assert recording.path == str(tape)
    assert recording.header.started.isoformat() == "2026-11-23T17:41:05.292743+00:00"
    assert recording.entries == ENTRIES
    assert recording.warnings == []


def test_every_shipped_recording_is_read_without_a_warning(recordings: Path) -> None:
    for path in recordings.glob("*.jsonl"):
        recording = read_recording(path)

        assert recording.entries == [
            decode_entry(line) for line in path.read_bytes().splitlines()[1:]
        ]
        assert recording.warnings == []


def test_a_long_recording_is_read_entry_by_entry(tape: Path) -> None:
    tape.write_bytes(WHOLE)

    with open_recording(tape) as reader:
        first = next(reader)
        rest = list(reader)

    assert [first, *rest] == ENTRIES


@given(cut=st.integers(0, len(WHOLE)))
def test_a_recording_cut_anywhere_keeps_every_whole_line(
    cut: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    tape = tmp_path_factory.mktemp("cut") / "night.jsonl"
    tape.write_bytes(WHOLE[:cut])
    # A line needs its end of line no longer once its last brace is there.
    ends = [len(HEADER) + sum(map(len, LINES[:n])) for n in range(len(LINES) + 1)]
    kept = sum(cut >= end - 1 for end in ends) - 1

    if kept < 0:
        assert refusal(tape).startswith("night.jsonl")
        return
    recording = read_recording(tape)

    assert recording.entries == ENTRIES[:kept]
    if cut - ends[kept] in (-1, 0):
        assert recording.warnings == []
    else:
        assert recording.warnings == [
            f"{tape}:{kept + 2}: the file is cut short at byte {cut}, in the line that starts at "
            f"byte {ends[kept]}; all lines before it were kept"
        ]


def test_a_file_that_a_power_cut_filled_with_zeros_is_cut_there(tape: Path) -> None:
    tape.write_bytes(WHOLE + bytes(100))

    recording = read_recording(tape)

    assert recording.entries == ENTRIES
    assert recording.warnings == [
        f"{tape}:6: the file is cut short at byte {len(WHOLE) + 100}, in the line that starts at "
        f"byte {len(WHOLE)}; all lines before it were kept"
    ]


def test_a_file_that_went_through_windows_is_the_same(tape: Path) -> None:
    tape.write_bytes(b"\xef\xbb\xbf" + WHOLE.replace(b"\n", b"\r\n") + b"\r\n")

    recording = read_recording(tape)

    assert recording.entries == ENTRIES
    assert recording.warnings == []


def test_a_broken_line_in_the_middle_is_told_with_its_place(tape: Path) -> None:
    tape.write_bytes(HEADER + LINES[0] + b'{"t":0.1,"from":"ser\n' + LINES[1])

    assert refusal(tape) == (
        """night.jsonl:3: expected an entry, found '{"t":0.1,"from":"ser\\n' """
        "(Invalid control character at: line 1 column 21 (char 20)); mend the line, or take it out"
    )


def test_time_that_falls_is_told_once(tape: Path) -> None:
    tape.write_bytes(HEADER + LINES[2] + LINES[1] + LINES[0])

    recording = read_recording(tape)

    assert recording.entries == [ENTRIES[2], ENTRIES[1], ENTRIES[0]]
    assert recording.warnings == [
        f"{tape}:3: the time falls from 0.5000 to 0.2500 s; the entries are kept in the order of "
        "the file"
    ]


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "night.jsonl: the file is empty; was the recorder ever started?"),
        (
            HEADER[:40],
            "night.jsonl:1: the file is cut short in its header; nothing is left to read",
        ),
        (
            b'{"log":{"version":"1.2"}}\n',
            "night.jsonl:1: expected a header with the format 'automate-recording', found "
            """'{"log":{"version":"1.2"}}\\n' (this is no recording); is this the file """
            "you meant?",
        ),
        (
            b"\x89PNG\r\n\x1a\n",
            "night.jsonl:1: expected a header with the format 'automate-recording', found "
            "'\\\\x89PNG\\r\\n' ('utf-8' codec can't decode byte 0x89 in position 0: invalid start "
            "byte); is this the file you meant?",
        ),
        (
            WHOLE.decode().encode("utf-16"),
            "night.jsonl: expected UTF-8, found UTF-16; save it as UTF-8",
        ),
        (
            HEADER.replace(b'"version":1', b'"version":2'),
            "night.jsonl:1: expected a recording of version 1 or older, found version 2; read it "
            "with a newer automate",
        ),
    ],
)
def test_what_is_no_recording_is_refused_in_one_line(tape: Path, content: bytes, why: str) -> None:
    tape.write_bytes(content)

    assert refusal(tape) == why


def test_a_file_that_is_not_there_or_a_directory_is_refused_in_one_line(tmp_path: Path) -> None:
    folder = tmp_path / "tapes"
    folder.mkdir()

    assert refusal(folder / "none.jsonl") == "none.jsonl: there is no such file; check the name"
    (folder / "crash-twice.jsonl").touch()
    wrong = refusal(folder / "crash-twise.jsonl")
    assert "there is no such file; did you mean " in wrong
    assert wrong.endswith("crash-twice.jsonl?")
    assert refusal(folder) == "tapes: this is a directory; give a recording (.jsonl) in it"


def test_a_compressed_recording_is_read_as_if_it_were_not(tmp_path: Path) -> None:
    zstandard = pytest.importorskip("zstandard", reason="the extra zst is not installed")
    tape = tmp_path / "night.jsonl.zst"
    pack = zstandard.ZstdCompressor().compress
    # A recorder that was restarted may leave several frames.
    tape.write_bytes(pack(HEADER + LINES[0]) + pack(b"".join(LINES[1:])))

    recording = read_recording(tape)

    assert recording.entries == ENTRIES
    assert recording.warnings == []


def test_a_compressed_recording_cut_short_keeps_what_can_be_had(tmp_path: Path) -> None:
    zstandard = pytest.importorskip("zstandard", reason="the extra zst is not installed")
    tape = tmp_path / "night.jsonl.zst"
    packer = zstandard.ZstdCompressor().compressobj()
    blocks = [
        packer.compress(text) + packer.flush(zstandard.COMPRESSOBJ_FLUSH_BLOCK)
        for text in (HEADER + LINES[0] + LINES[1][:30], LINES[1][30:])
    ]
    tape.write_bytes(blocks[0] + blocks[1][:2])

    recording = read_recording(tape)

    start = len(HEADER + LINES[0])
    assert recording.entries == ENTRIES[:1]
    assert recording.warnings == [
        f"{tape}:3: the file is cut short at byte {start + 30}, in the line that starts at byte "
        f"{start}; all lines before it were kept"
    ]


def test_a_damaged_compressed_recording_is_refused(tmp_path: Path) -> None:
    zstandard = pytest.importorskip("zstandard", reason="the extra zst is not installed")
    tape = tmp_path / "night.jsonl.zst"
    packed = bytearray(zstandard.ZstdCompressor(write_checksum=True).compress(WHOLE))
    packed[-1] ^= 0xFF
    tape.write_bytes(packed)

    assert "it can't be read (zstd decompress error: " in refusal(tape)


def test_without_the_extra_a_compressed_recording_names_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tape = tmp_path / "night.jsonl.zst"
    tape.write_bytes(b"\x28\xb5\x2f\xfd and so on")
    monkeypatch.setitem(sys.modules, "zstandard", None)

    assert refusal(tape) == (
        "night.jsonl.zst: reading .zst files takes an extra package; pip install "
        "'automate[zst]', or decompress it first (zstd -d)"
    )


def test_an_older_recording_is_upgraded_as_it_is_read(
    tape: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(
        UPGRADES,
        0,
        Upgrade(dict, lambda fields: {**fields, "t": fields["t"] * 2}),
    )
    tape.write_bytes(WHOLE.replace(b'"version":1', b'"version":0'))

    assert [entry.t for entry in read_recording(tape).entries] == [0.0, 0.5, 1.0, 1.5]

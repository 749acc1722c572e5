"""A recording that stays on the disk is played like one that was read."""

import tracemalloc
from pathlib import Path

import pytest
import zstandard
from trio.testing import MockClock

from automate.errors import RecordingError
from automate.fake.analysis import read_script
from automate.fake.film import open_film
from automate.fake.script import Push, Step
from automate.fake.tape import Tape
from automate.recording.format import Header, PanelCall, encode_header
from automate.recording.reader import read_recording
from tests.fake.scenes import LOGIN, asked, recorded, told
from tests.fake.served import hear, let_in, panel_of, replaying

NAMES = sorted(path.stem for path in (Path(__file__).parents[2] / "recordings").glob("*.jsonl"))
HEADER = encode_header(Header("x", "2026-01-01T00:00:00Z")).decode().rstrip()
ENTRY = '{"t":%s,"from":"server","event":"status","args":["running"]}'


@pytest.mark.parametrize("name", NAMES)
def test_it_has_the_entries_and_the_steps_of_the_one_that_was_read(
    name: str, recordings: Path
) -> None:
    whole = read_recording(recordings / f"{name}.jsonl")
    server = whole.header.server
    with open_film(recordings / f"{name}.jsonl") as film:
        entries = list(film.entries)
        steps = list(read_script(film.entries, server=server).steps)

    assert (film.header, entries, film.warnings) == (whole.header, whole.entries, [])
    assert steps == list(read_script(whole.entries, server=server).steps)


def test_entries_are_found_in_any_order_and_counted_from_the_end(recordings: Path) -> None:
    path = recordings / "odd-output.jsonl"
    whole = read_recording(path).entries
    with open_film(path) as film:
        found = [film.entries[-1], film.entries[3], film.entries[0], *film.entries[5:9]]

    assert found == [whole[-1], whole[3], whole[0], *whole[5:9]]


def written(path: Path, *lines: str) -> Path:
    path.write_text("\n".join([HEADER, *lines]), encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("lines", "count", "warned"),
    [
        ([ENTRY % 1, "", "  ", ENTRY % 2, ""], 2, ""),
        ([ENTRY % 1, ENTRY % 2, '{"t":3,"fr'], 2, "cut short"),
        ([ENTRY % 2, ENTRY % 1], 2, "the time falls"),
        ([], 0, ""),
    ],
)
def test_it_is_as_tolerant_as_the_reader(
    tmp_path: Path, lines: list[str], count: int, warned: str
) -> None:
    path = written(tmp_path / "odd.jsonl", *lines)
    with open_film(path) as film:
        entries = list(film.entries)

    whole = read_recording(path)
    assert (entries, film.warnings) == (whole.entries, whole.warnings)
    assert len(entries) == count
    assert warned in "".join(film.warnings)


def test_a_byte_order_mark_is_passed_over(tmp_path: Path) -> None:
    path = tmp_path / "marked.jsonl"
    path.write_text(f"{HEADER}\n{ENTRY % 1}\n", encoding="utf-8-sig")
    with open_film(path) as film:
        assert list(film.entries) == read_recording(path).entries


def test_a_compressed_one_is_read_into_memory(tmp_path: Path, recordings: Path) -> None:
    plain = recordings / "lifecycle.jsonl"
    path = tmp_path / "night.jsonl.zst"
    path.write_bytes(zstandard.compress(plain.read_bytes()))
    with open_film(path) as film:
        assert list(film.entries) == read_recording(plain).entries


@pytest.mark.parametrize(
    ("lines", "why"), [(["nonsense", ENTRY % 1], "expected an entry"), (None, "no such file")]
)
def test_what_is_no_recording_is_told_when_it_is_opened(
    tmp_path: Path, lines: list[str] | None, why: str
) -> None:
    path = tmp_path / "bad.jsonl"
    if lines is not None:
        written(path, *lines)
    with pytest.raises(RecordingError, match=why), open_film(path):
        pass


def test_a_file_that_is_changed_meanwhile_is_named(tmp_path: Path) -> None:
    path = written(tmp_path / "night.jsonl", *[ENTRY % n for n in range(10_000)])
    with open_film(path) as film:
        path.write_text("something else")
        with pytest.raises(RecordingError, match=r"night\.jsonl: byte \d+: expected an entry"):
            list(film.entries)


def test_a_tape_holds_little_of_a_long_recording(tmp_path: Path) -> None:
    line = '{"t":%s,"from":"server","event":"console output","args":["' + "x" * 200 + '"]}'
    path = written(tmp_path / "long.jsonl", *[line % n for n in range(20_000)])
    tracemalloc.start()
    try:
        with open_film(path) as film:
            tape = Tape(film)
            held, _peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert tape.deeds == ()
    # Some 20 bytes an entry, whatever is in it.
    assert held < 1_000_000 < path.stat().st_size / 4


async def test_a_left_deed_gets_its_recorded_answer(
    recordings: Path, autojump_clock: MockClock
) -> None:
    with open_film(recordings / "backup-before-stop.jsonl") as film:
        path = f"/api/client/servers/{film.header.server}/backups"
        async with replaying(film, leave={5}) as replay, let_in(replay) as socket:
            await hear(socket, 60)
            async with panel_of(replay) as panel:
                made = await panel.post(path, json={"name": "before stop"})

    recorded_one = [
        entry.response["attributes"]["uuid"]
        for entry in read_recording(recordings / "backup-before-stop.jsonl").entries
        if isinstance(entry, PanelCall) and entry.method == "POST" and entry.path == path
    ]
    assert [made.json()["attributes"]["uuid"]] == recorded_one


# ---------------------------------------------------------------- steps


def test_steps_are_in_order_and_those_that_are_no_pushes_are_found_by_their_places() -> None:
    entries = [*LOGIN, asked(1, "set state", "stop"), told(1.1, "status", "stopping")]
    steps = read_script(recorded(*entries).entries, server="").steps
    everything: list[Step] = list(steps)
    landmarks = [step for step in everything if not isinstance(step, Push)]

    assert [type(step).__name__ for step in everything] == ["AnswerFrame", "Push", "Deed", "Push"]
    assert (len(steps), steps[-1], steps[1:3]) == (4, everything[3], everything[1:3])
    assert [steps.place_of(step) for step in landmarks] == [0, 2]
    assert [list(steps.landmarks(n)) for n in (0, 1, 3)] == [landmarks, landmarks[1:], []]

"""What was really said: every frame of the sample recordings, through the codec."""

import json
from pathlib import Path

from automate.wire import messages as m
from automate.wire.codec import (
    ABSENT,
    canonical_client,
    canonical_server,
    decode_client,
    decode_server,
    encode_server,
)


def recorded(folder: Path, side: str) -> list[tuple[str, str]]:
    """Return file and frame of all that *side* said; a frame is its text or the canonical one."""
    canonical = {"server": canonical_server, "client": canonical_client}[side]
    frames = []
    for path in sorted(folder.glob("*.jsonl")):
        for line in path.read_text(encoding="utf-8").splitlines():
            entry = json.loads(line)
            if entry.get("from") == side:
                text = entry.get("text")
                frame = text or canonical(entry["event"], entry.get("args", ABSENT))
                frames.append((path.stem, frame))
    return frames


def test_every_frame_of_a_server_is_understood(recordings: Path) -> None:
    frames = recorded(recordings, "server")

    assert len(frames) > 5000
    assert [pair for pair in frames if isinstance(decode_server(pair[1]), m.Unknown)] == []


def test_every_frame_of_a_client_is_understood_but_the_deliberately_wrong(
    recordings: Path,
) -> None:
    unknown = [
        (stem, frame[:60])
        for stem, frame in recorded(recordings, "client")
        if isinstance(decode_client(frame), m.Unknown)
    ]

    assert unknown == [
        ("auth-errors", '{"event":"auth","args":null}'),
        ("auth-throttled", '{"event":"auth","args":null}'),
        ("odd-output", "{"),
        ("odd-output", "[]"),
        ("odd-output", '{"event":"nope","args":["x"]}'),
        ("odd-output", '{"event":"send command"}'),
        ("odd-output", '{"event":"send command","args":["say a","say b"]}'),
        ("odd-output", '{"event":"send command","args":[1]}'),
        ("odd-output", '{"event":"set state","args":null}'),
        ("odd-output", '"x"'),
        # 5,040 bytes long
        ("odd-output", '{"event":"send command","args":["say zzzzzzzzzzzzzzzzzzzzzzz'),
        ("power-races", '{"event":"set state","args":["explode"]}'),
    ]


def test_messages_are_written_as_the_daemon_wrote_them(recordings: Path) -> None:
    """To the byte, but for answers to `send stats` (other order) and U+FFFD (either spelling)."""
    rewritten = [
        frame
        for _, frame in recorded(recordings, "server")
        if '["{\\"memory_bytes\\"' not in frame and encode_server(decode_server(frame)) != frame
    ]

    assert rewritten == [
        '{"event":"console output","args":["\\ufffd\\ufffd broken utf8 \\ufffd("]}\n'
    ]

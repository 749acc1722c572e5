"""How fast it is here: ratios of figures taken in one run, for machines differ.

Run by `make bench`. Nothing here is a test: a busy machine is no mistake of ours.
"""

import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from automate.engine.rehearsal import Transcript, rehearse
from automate.recipe.loader import load
from automate.recording.format import Header
from automate.recording.reader import open_recording
from automate.recording.writer import RecordingWriter
from automate.testing import Script

ROOT = Path(__file__).parents[2]
FLOOD = ROOT / "recordings" / "console-flood.jsonl"
LINE = (
    '{"event":"console output","args":["[18:48:51] [Server thread/WARN]: '
    "Can't keep up! Is the server overloaded? Running %d ms behind\"]}\n"
)


def seconds(work: Callable[[], object], *, times: int = 9) -> float:
    """Return the median time of *work*."""
    taken = []
    for _ in range(times):
        start = time.perf_counter()
        work()
        taken.append(time.perf_counter() - start)
    return statistics.median(taken)


FIRST = ("restart_on_crash", "announcements", "backup_before_stop")


def rehearsing() -> None:
    """Rehearse the flood, beside a bare loop of `json.loads` over the same lines."""
    recipes = [one.recipe for one in load([ROOT / "recipes" / f"{name}.py" for name in FIRST])]

    def rehearsed() -> None:
        with open_recording(FLOOD) as recording:
            rehearse(recipes, recording, header=recording.header, title="flood")

    def parsed() -> None:
        with FLOOD.open("rb") as file:
            for line in file:
                json.loads(line)

    count = len(FLOOD.read_bytes().splitlines()) - 1
    ours, bare = seconds(rehearsed), seconds(parsed)
    print(
        f"rehearsing console-flood, three recipe files: {count / ours:,.0f} events a second, "
        f"{bare / ours:.2f} times as fast as bare json.loads ({count / bare:,.0f} lines a second)"
    )


def an_hour() -> None:
    """Rehearse an hour of a busy server, made up: a line and the statistics each second."""
    hour = Script("an hour", with_stats=True).online()
    for minute in range(60):
        for second in range(60):
            hour = hour.says(f"[…]: Player{second} joined the game", after=1)
        if minute % 20 == 10:
            hour = hour.crash(exit_code=1)
    recipes = [one.recipe for one in load([ROOT / "recipes"])]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "hour.jsonl"
        hour.save(path)

        def rehearsed() -> Transcript:
            with open_recording(path) as recording:
                return rehearse(recipes, recording, header=recording.header, title="an hour")

        transcript, taken = rehearsed(), seconds(rehearsed)
        count = len(path.read_bytes().splitlines()) - 1
    print(
        f"rehearsing an hour ({transcript.seconds:,.0f} s, {count:,} entries, "
        f"{len(transcript.acts)} acts): {taken:.3f} s, "
        f"{transcript.seconds / taken:,.0f} times as fast as it happened"
    )


def starting() -> None:
    """Start the command line for its help, beside Python alone."""

    def command(*words: str) -> Callable[[], object]:
        return lambda: subprocess.run([sys.executable, *words], check=True, capture_output=True)

    bare = seconds(command("-c", "pass"))
    ours = seconds(command("-m", "automate", "--help"))
    print(
        f"automate --help: {1000 * (ours - bare):.0f} ms more than python -c pass "
        f"({1000 * bare:.0f} ms), {ours / bare:.2f} times as long"
    )


def recording() -> None:
    """Write many frames: the time of one, and how memory grows."""
    header = Header(
        server="a1b2c3d4-0001-4000-8000-000000000001", started_at="2026-11-24T00:00:00Z"
    )
    frames = [LINE % number for number in range(1000)]

    def write(writer: RecordingWriter, rounds: int) -> None:
        for turn in range(rounds):
            for number, frame in enumerate(frames):
                writer.server_frame(turn + number / 1000, frame)

    with (
        tempfile.TemporaryDirectory() as folder,
        RecordingWriter(Path(folder) / "flood.jsonl", header) as writer,
    ):
        write(writer, 20)
        before = _peak_kib()
        start = time.perf_counter()
        write(writer, 300)
        taken = time.perf_counter() - start
        grown = _peak_kib() - before
    dumped = seconds(lambda: [json.dumps(json.loads(frame)) for frame in frames])
    print(
        f"recording: {taken / 300_000 * 1e6:.2f} µs a frame, "
        f"{dumped / 1000 / (taken / 300_000):.1f} times as fast as json.loads and json.dumps; "
        f"memory grew by {grown} KiB over 300,000 frames"
    )


def _peak_kib() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


if __name__ == "__main__":
    rehearsing()
    an_hour()
    starting()
    recording()

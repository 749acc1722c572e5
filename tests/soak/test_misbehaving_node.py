"""The long run, shortened: a virtual hour of a node that misbehaves by a seeded script.

`python -m tests.soak.misbehaving_node --hours 24` is the whole of it.
"""

import hashlib
from pathlib import Path

import pytest

from automate.fake.model.settings import Kind
from tests.soak.ledgers import Verdict, judge
from tests.soak.misbehaving_node import soak

SERVER = "a0b2c3d4-0001-4000-8000-000000000001"


@pytest.mark.parametrize("kind", list(Kind), ids=str)
def test_nothing_is_lost_without_a_mark_and_memory_is_flat(kind: Kind, tmp_path: Path) -> None:
    report = soak(hours=1, seed=3, folder=tmp_path, servers=2, kind=kind)

    assert report.lost == []
    assert report.told > 10_000
    assert report.blind_seconds < 0.4 * 2 * 3600
    assert len(report.troubles) == 11
    assert report.gaps > 10
    assert report.tokens_in_a_minute <= 4
    # What keeps all that it hears would have grown by ten.
    assert report.memory_after - report.memory_before < 4 << 20


def test_the_same_seed_gives_the_same_recordings(tmp_path: Path) -> None:
    digests = []
    for number, seed in enumerate((1, 1, 2)):
        folder = tmp_path / str(number)
        folder.mkdir()
        digests.append(soak(hours=0.3, seed=seed, folder=folder, servers=2).digest)

    assert digests[0] == digests[1] != digests[2]


def test_one_event_that_is_missing_is_found(tmp_path: Path) -> None:
    """Were a frame not recorded, or a gap not marked, it would be told."""
    soak(hours=0.5, seed=1, folder=tmp_path, servers=1)
    path = tmp_path / f"{SERVER}.jsonl"
    lines = path.read_bytes().splitlines(keepends=True)
    frame = next(n for n, line in enumerate(lines) if n > 300 and b'"line ' in line)
    gap = next(n for n, line in enumerate(lines) if b'"begins: ' in line)

    def found_without(*missing: int) -> int:
        path.write_bytes(b"".join(line for n, line in enumerate(lines) if n not in missing))
        return len(verdict(tmp_path).lost)

    assert (found_without(), found_without(frame)) == (0, 1)
    assert found_without(gap, gap + 1) > 1


def verdict(folder: Path) -> Verdict:
    return judge(folder, SERVER, until=1799.0, digest=hashlib.sha256())

"""The long run, shortened: two virtual hours of a node that misbehaves by a seeded script."""

from pathlib import Path

from tests.live.soak import soak


def test_nothing_is_lost_without_a_mark_and_memory_is_flat(tmp_path: Path) -> None:
    report = soak(hours=2, seed=3, path=tmp_path / "soak.jsonl")

    assert report.lost == []
    assert report.recorded > 0.6 * report.said
    assert report.gaps > 10
    assert len(report.troubles) == 10
    assert report.tokens_in_a_minute <= 4
    assert report.most_remembered < 100_000


def test_the_same_seed_gives_the_same_recording(tmp_path: Path) -> None:
    def digest(seed: int) -> str:
        return soak(hours=0.3, seed=seed, path=tmp_path / "soak.jsonl").digest

    assert digest(1) == digest(1) != digest(2)

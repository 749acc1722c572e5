"""The evenings that nobody recorded: written with `Script`, and kept in recordings/written.

They are what happens without the recipes, or what an admin did by hand. To write them anew, run
this file: `python tests/recipes/test_written_evenings.py`.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import pytest

from automate.testing import Script

FOLDER: Final = Path(__file__).parents[2] / "recordings" / "written"
NOBODY: Final = "[…]: There are 0 of a max of 20 players online: "
ADA: Final = "[…]: There are 1 of a max of 20 players online: Ada"
# The container's limit of a Script with its 4 GiB, as the daemon reports it.
LIMIT_BYTES: Final = 4_710_400_000


def at(text: str) -> datetime:
    """Return the moment *text* in UTC."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def last_player() -> Script:
    """Ada plays past four, leaves at 4:21, and the admin, who waited for it, restarts."""
    return (
        Script("last-player (written)", started_at=at("2026-11-24T03:58:00"))
        .offline()
        .start()
        .until(20)
        .says("[…]: Ada joined the game")
        .until(120.5)
        .command("list", answers=[ADA])
        .until(1400)
        .says("[…]: Ada left the game")
        .until(1700.5)
        .restart()
        .wait(30)
    )


def empty_hall() -> Script:
    """Ada leaves; half an hour later the admin looks, finds nobody, and stops the server."""
    return (
        Script("empty-hall (written)", started_at=at("2026-11-24T19:01:00"))
        .offline()
        .start()
        .until(20)
        .says("[…]: Ada joined the game")
        .until(200)
        .says("[…]: Ada left the game")
        .command("list", answers=[NOBODY], after=2)
        .until(2004)
        .command("list", answers=[NOBODY])
        .stop(after=2)
        .wait(30)
    )


def memory_leak() -> Script:
    """A leak: three quarters, 86 %, 96 %; five minutes later the kernel kills the game."""

    def percent(number: float) -> int:
        return round(LIMIT_BYTES * number / 100)

    return (
        Script("memory-leak (written)", with_stats=True)
        .offline()
        .start()
        .uses(memory_bytes=percent(75), after=10)
        # A peak is no leak.
        .uses(memory_bytes=percent(88), after=20)
        .uses(memory_bytes=percent(76), after=20)
        .uses(memory_bytes=percent(86), after=20)
        .uses(memory_bytes=percent(96), after=90)
        .out_of_memory(after=300)
        .uses(memory_bytes=percent(40))
        .wait(20)
    )


def deaf_game() -> Script:
    """The game hangs: it echoes what is typed, for the terminal does, and says nothing."""
    return (
        Script("deaf-game (written)")
        .offline()
        .start()
        .until(20)
        .says("[…]: Ada joined the game")
        .command("list", after=640)
        .kill(after=60)
        .start(after=2)
        .wait(30)
    )


def disk_full() -> Script:
    """Bob tries to fool somebody; later the disk is really full, and the game goes on."""
    return (
        Script("disk-full (written)")
        .offline()
        .start()
        .says("[…]: <Bob> java.io.IOException: No space left on device", after=10)
        .says(
            "[…]: Failed to store chunk [3, -7]",
            "java.io.IOException: No space left on device",
            "\tat java.base/sun.nio.ch.FileDispatcherImpl.write0(Native Method)",
            "Caused by: java.nio.file.FileSystemException: /home/container/world/region: "
            "No space left on device",
            after=20,
        )
        .says("java.io.IOException: No space left on device", after=5)
        .stop(after=30)
        .wait(10)
    )


def world() -> Script:
    """The world takes its time to load."""
    return (
        Script("world (written)", server="a1b2c3d4-0021-4000-8000-000000000021")
        .offline()
        .start(after=5, seconds=40)
        .wait(40)
    )


def lobby() -> Script:
    """The lobby is started when the admin sees that the world is up."""
    return (
        Script("lobby (written)", server="b2c3d4e5-0022-4000-8000-000000000022")
        .offline()
        .start(after=50, seconds=3)
        .wait(20)
    )


EVENINGS: Final[Mapping[str, Script]] = {
    "deaf-game": deaf_game(),
    "disk-full": disk_full(),
    "empty-hall": empty_hall(),
    "last-player": last_player(),
    "lobby": lobby(),
    "memory-leak": memory_leak(),
    "world": world(),
}


@pytest.mark.parametrize("name", EVENINGS)
def test_the_file_is_what_is_written_here(name: str, tmp_path: Path) -> None:
    EVENINGS[name].save(tmp_path / "anew.jsonl")

    assert (FOLDER / f"{name}.jsonl").read_bytes() == (tmp_path / "anew.jsonl").read_bytes()


def test_there_are_no_others() -> None:
    assert sorted(path.stem for path in FOLDER.iterdir()) == sorted(EVENINGS)


@pytest.mark.parametrize("name", EVENINGS)
def test_nobody_takes_them_for_real_ones(name: str) -> None:
    assert EVENINGS[name].title == f"{name} (written)"


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    for name, evening in EVENINGS.items():
        path = FOLDER / f"{name}.jsonl"
        path.unlink(missing_ok=True)
        evening.save(path)

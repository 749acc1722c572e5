"""The end of a sitting, and what may not be left as it is: scenes in virtual time."""

import pytest
from trio.testing import MockClock

from automate import Asked, Backup, Block, Command, Notify, Recipe, StatusChanged, Wait
from automate.fake.signals import NoteKind
from tests.engine.engine_scenes import Tape, sit

RUNNING = StatusChanged(to="running")


@pytest.fixture
def autojump_clock() -> MockClock:
    return MockClock(autojump_threshold=0)


async def test_who_is_told_to_end_puts_right_what_was_begun(autojump_clock: MockClock) -> None:
    """Ctrl-C while a backup is made does not leave the server without saving."""
    careful = Recipe(
        "careful",
        when=RUNNING,
        then=Block([Command("save-off"), Wait(seconds=3600)], always=[Command("save-on")]),
        on_failure=Notify("no backup: {error}"),
    )
    bell = Recipe("bell", when=RUNNING, then=Notify("ends two seconds later"))

    sitting = await sit([careful, bell], Tape("crash-undetected"), ends=1)

    assert [line for line in sitting.lines if "careful" in line or "no backup" in line] == [
        "21:00:02  crash-undetected  careful: send command save-off",
        "21:00:02  crash-undetected  careful: wait 3600 s",
        "21:00:04  crash-undetected  careful: step failed: automate was told to end",
        "21:00:04  crash-undetected  careful: send command save-on",
        "21:00:04  crash-undetected  NOTICE: no backup: automate was told to end",
        "21:00:04  crash-undetected  careful: failed",
    ]
    assert [text.split(":")[0] for _, text in sitting.deeds(NoteKind.IGNORED)] == [
        "send command save-off",
        "send command save-on",
    ]


async def test_a_backup_overtakes_no_command(autojump_clock: MockClock) -> None:
    """Commands keep a distance on the socket; the panel is only asked when they are out."""
    recipe = Recipe(
        "careful",
        when=Asked(),
        then=[Command("save-off"), Command("save-all"), Backup("x", limit_seconds=1)],
    )

    sitting = await sit([recipe], Tape("lifecycle"), asked="careful", later_seconds=3)

    assert [text.split(":")[0] for _, text in sitting.deeds(NoteKind.IGNORED)] == [
        "send command save-off",
        "send command save-all",
        "POST /api/client/servers/a1b2c3d4-0001-4000-8000-000000000001/backups",
    ]

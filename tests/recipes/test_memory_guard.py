"""The memory: a warning, a restart in good time, and nothing at all because of a peak."""

from typing import Final

import pytest

from automate.testing import Script, Timeline, recording_names, rehearse

RECIPE: Final = "recipes/memory_guard.py"
LEAK: Final = "recordings/written/memory-leak.jsonl"
RESTARTS: Final = "say The server is running out of memory and restarts in"
# The container's limit of a Script with its 4 GiB, as the daemon reports it.
LIMIT_BYTES: Final = 4_710_400_000


def used(evening: Script, percent: float, *, seconds: float) -> Script:
    """Return the evening on which so much of the memory is used for so long."""
    return evening.uses(memory_bytes=round(LIMIT_BYTES * percent / 100)).wait(seconds)


UP: Final = Script("arena", with_stats=True).offline().start()


def test_the_leak_is_told_and_the_server_restarted_before_the_kernel_kills_it() -> None:
    """In the recording 86 % are used from 71 s on, 96 % from 161 s, and at 461 s it is killed."""
    evening = Timeline(rehearse(RECIPE, LEAK))

    evening.told("memory-leak (written) uses 86 % of its memory").once().at(132.3217)
    evening.told(containing="uses 96 % of its memory; restarting it").once().at(281.5709)
    evening.sent(f"{RESTARTS} 1 minute").once().at(281.5709)
    evening.sent(containing=RESTARTS).times(8).before(evening.sent("restart"))
    evening.sent("restart").once().at(341.5709)
    evening.nothing_else()


@pytest.mark.parametrize(
    ("percent", "seconds", "warned", "restarted"),
    [
        (84, 600, False, False),
        (86, 50, False, False),
        (86, 70, True, False),
        (94.9, 600, True, False),
        (96, 110, True, False),
        (96, 130, True, True),
    ],
)
def test_it_has_to_be_so_much_for_so_long(
    percent: float, seconds: float, *, warned: bool, restarted: bool
) -> None:
    evening = used(used(used(UP, 50, seconds=10), percent, seconds=seconds), 50, seconds=60)

    said = Timeline(rehearse(RECIPE, evening))

    said.told(by="memory warning").times(int(warned))
    said.told(by="memory guard").times(int(restarted))


def test_it_is_told_once_and_again_only_after_it_was_well() -> None:
    evening = UP
    for percent in (86, 80, 86, 70, 86):
        evening = used(evening, percent, seconds=100)

    Timeline(rehearse(RECIPE, evening)).told(by="memory warning").twice()


def test_when_restarts_do_not_help_it_is_left_to_the_admin() -> None:
    evening = UP
    for _ in range(5):
        evening = used(evening, 50, seconds=10)
        evening = used(evening, 97, seconds=190).restart(asked=False)

    said = Timeline(rehearse(RECIPE, evening))

    said.sent("restart").times(3)
    said.told(containing="runs out of memory again and again; restarts don't help").once()


@pytest.mark.parametrize("name", sorted(set(recording_names())))
def test_on_real_evenings_it_was_never_needed(name: str) -> None:
    """Not even where the kernel killed: that was within a second, and no leak."""
    Timeline(rehearse(RECIPE, name)).nothing()

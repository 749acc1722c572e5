"""Backups in turn: made in order, with saving on again, and the newest two kept."""

from collections.abc import Sequence
from typing import Final

import pytest

from automate import Asked, Recipe, Wait
from automate.testing import Node, Script, Timeline, rehearse

RECIPE: Final = "recipes/rotate_backups.py"
NAME, WEEKLY = "rotate backups", "weekly backup"
SAVED: Final = "[…]: Saved the game"


def test_at_six_it_goes_as_it_went_that_night() -> None:
    """The recorded backup was made by hand; its answers are those that the recipe gets."""
    night = Timeline(rehearse(RECIPE, "backup-before-stop", start_at="2026-11-24T05:59:57"))

    assert night.acts == [
        (3.0, "send command save-off"),
        (3.0, "send command save-all"),
        (5.0788, "backup every six hours"),
        (5.1036, "send command save-on"),
    ]
    night.done(NAME).once().at(5.1036)


def test_on_sundays_there_is_another() -> None:
    evening = Script("arena").online().until(61).says(SAVED).backup("weekly", after=1).wait(600)

    sunday = Timeline(rehearse(RECIPE, evening, start_at="2026-11-22T02:29"))
    monday = Timeline(rehearse(RECIPE, evening, start_at="2026-11-23T02:29"))

    assert sunday.acts == [
        (60, "send command save-off"),
        (60, "send command save-all"),
        (61, "backup weekly"),
        (62.5038, "send command save-on"),
    ]
    monday.nothing()


def test_without_a_backup_saving_goes_on_and_the_admin_knows() -> None:
    evening = Script("arena").online().until(61).says(SAVED)
    evening = evening.backup("every six hours", after=1, successful=False).wait(600)

    night = Timeline(rehearse(RECIPE, evening, start_at="2026-11-24T05:59"))

    night.sent("save-on").once().before(night.told("arena: no backup: the backup failed").once())


def test_a_server_that_is_down_needs_none() -> None:
    evening = Script("arena").offline().until(120)

    Timeline(rehearse(RECIPE, evening, start_at="2026-11-24T05:59")).nothing()


def calls(traffic: Sequence[str], method: str) -> int:
    return sum(f"= {method} " in line and "/backups" in line for line in traffic)


# The panel makes two backups in ten minutes, and no more.
PAUSE: Final = Recipe("pause", when=Asked(), then=Wait(seconds=600))


@pytest.mark.model(online=True)
async def test_of_five_the_newest_two_are_left(modelled_node: Node) -> None:
    """And one made by hand, which is nobody's but the admin's; the panel allows three."""
    async with modelled_node.open_panel() as panel:
        await panel.create_backup(modelled_node.server, "by hand")
        for _ in range(5):
            async with modelled_node.running(PAUSE, asked="pause") as play:
                assert await play.ended("pause") == "done"
            async with modelled_node.running(RECIPE, asked=NAME) as play:
                assert await play.ended(NAME) == "done"
        kept = await panel.backups(modelled_node.server)

    assert sorted(backup.name for backup in kept) == ["by hand", *["every six hours"] * 2]
    assert all(backup.is_done for backup in kept)
    assert calls(modelled_node.traffic, "DELETE") == 3


@pytest.mark.model(online=True, start_at="2026-11-24T05:59:30", backups_fail=True)
async def test_a_failed_one_costs_no_old_one(modelled_node: Node) -> None:
    async with modelled_node.running(RECIPE) as play:
        assert await play.ended(NAME) == "failed"
        await modelled_node.hears("Automatic saving is now enabled")

    assert calls(modelled_node.traffic, "DELETE") == 0
    Timeline(play.transcript).told("Arena: no backup: the backup failed").once()

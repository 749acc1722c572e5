"""The recipes at work at a live server: the model of the daemon, its panel and its game."""

from typing import Final

import pytest

from automate import Asked, Command, Kill, Recipe, Start, StatusChanged, Wait
from automate.testing import AcceptedTranscripts, Node, Timeline

BACKUP: Final = "backup before stop"
RECIPE: Final = "recipes/backup_before_stop.py"
RESTART: Final = "recipes/restart_on_crash.py"


# ---------------------------------------------------------------- backup before stop


@pytest.mark.seeds(5)
@pytest.mark.model(online=True, start_at="2026-11-24T04:29:50")
async def test_at_half_past_four_a_real_backup_is_made_and_then_it_is_off(
    modelled_node: Node, transcripts: AcceptedTranscripts
) -> None:
    """The same to the last frame, in whatever order trio wakes its tasks."""
    async with modelled_node.open_panel() as panel, modelled_node.running(RECIPE) as play:
        assert await play.ended(BACKUP) == "done"
        (asked,) = [line for line in modelled_node.traffic if "POST" in line]
        made = next(line for line in modelled_node.traffic if "backup completed" in line)
        backup = await panel.backup(modelled_node.server, made.partition('"uuid":"')[2][:36])

    assert (backup.is_done, backup.is_failed, asked.endswith("/backups 200")) == (True, False, True)
    transcripts.check(play.transcript)
    transcripts.check(modelled_node.traffic, name="traffic")


@pytest.mark.model(online=True)
async def test_it_comes_when_it_is_asked_for(modelled_node: Node) -> None:
    async with modelled_node.running(RECIPE, asked=BACKUP) as play:
        assert await play.ended(BACKUP) == "done"

    evening = Timeline(play.transcript)
    evening.sent("save-off").once().before(evening.sent("save-all").once())
    evening.backed_up("before stop").once().before(evening.sent("save-on").once())
    evening.sent("stop").once().after(evening.sent("save-on"))
    evening.sent(containing="find a safe place").once()
    evening.nothing_else()


@pytest.mark.model(online=True, backups_fail=True)
async def test_after_a_failed_backup_it_runs_on_and_saves(modelled_node: Node) -> None:
    async with modelled_node.running(RECIPE, asked=BACKUP) as play:
        assert await play.ended(BACKUP) == "failed"
        await modelled_node.hears("Automatic saving is now enabled")
        play.send("list")
        await modelled_node.hears("There are 0 players online")

    evening = Timeline(play.transcript)
    evening.backed_up().once().before(evening.sent("save-on").once())
    evening.told("Arena: no backup, so it was not stopped: the backup failed").once()
    evening.sent("stop").never()


@pytest.mark.model(online=True)
async def test_after_a_refused_backup_it_runs_on_and_saves(modelled_node: Node) -> None:
    """Two were made by hand just before, and a third is refused by the panel's throttle."""
    async with modelled_node.open_panel() as panel:
        for name in ("by hand", "by hand, again"):
            await panel.create_backup(modelled_node.server, name)
        async with modelled_node.running(RECIPE, asked=BACKUP) as play:
            assert await play.ended(BACKUP) == "failed"
            await modelled_node.hears("Automatic saving is now enabled")

    evening = Timeline(play.transcript)
    evening.backed_up().once().before(evening.sent("save-on").once())
    evening.told(containing="Only 2 backups may be generated").once()
    evening.sent("stop").never()


async def test_a_server_that_is_offline_is_left_alone(modelled_node: Node) -> None:
    async with modelled_node.running(RECIPE, asked=BACKUP) as play:
        assert await play.ended(BACKUP) == "held back"

    Timeline(play.transcript).nothing()


# ---------------------------------------------------------------- restart on crash


@pytest.mark.seeds(5)
@pytest.mark.model(online=True)
async def test_the_daemon_answers_the_first_crash_and_the_recipe_the_second(
    modelled_node: Node, transcripts: AcceptedTranscripts
) -> None:
    async with modelled_node.running(RESTART) as play:
        play.send("crash 3")
        assert await play.ended("restart on crash") == "done"
        await modelled_node.becomes("running")
        Timeline(play.transcript).nothing()

        play.send("crash 4")
        await modelled_node.becomes("running")
        assert await play.ended("restart on crash") == "done"

    Timeline(play.transcript).sent("start", by="restart on crash").once()
    transcripts.check(play.transcript)
    transcripts.check(modelled_node.traffic, name="traffic")


@pytest.mark.model(online=True, crash_detection=False)
async def test_a_server_that_keeps_crashing_is_given_up(modelled_node: Node) -> None:
    """After five starts it stays off, and the admin knows."""
    async with modelled_node.running(RESTART) as play:
        for _ in range(5):
            play.send("crash 1")
            await modelled_node.becomes("running")
        play.send("crash 1")
        await modelled_node.becomes("offline")
        for _ in range(6):
            assert await play.ended("restart on crash") == "done"

    evening = Timeline(play.transcript)
    evening.sent("start").times(5)
    evening.told(containing="giving up").once().after(evening.sent("start"))


# ---------------------------------------------------------------- the lock


def starts_and_refusals(node: Node) -> tuple[int, int]:
    """Return how many starts were sent, and how many were refused because of the lock."""
    return (
        len([line for line in node.traffic if "> set state: start" in line]),
        len([line for line in node.traffic if "another power action" in line]),
    )


@pytest.mark.model(online=True)
async def test_the_start_after_a_backup_gets_past_the_lock(modelled_node: Node) -> None:
    """The daemon's lock outlives `offline`: a start of that very moment is asked for again."""
    again = Recipe("again", when=StatusChanged(to="offline"), then=Start())

    async with modelled_node.running([RECIPE, again], asked=BACKUP) as play:
        assert await play.ended(BACKUP) == "done"
        assert await play.ended("again") == "done"

    assert starts_and_refusals(modelled_node) == (2, 1)
    Timeline(play.transcript).sent("start", by="again").twice()


@pytest.mark.model(online=True, daemon="pelican")
async def test_a_start_after_a_kill_waits_for_the_longer_lock(modelled_node: Node) -> None:
    """Half a second on a Pelican."""
    again = Recipe("again", when=Asked(), then=[Kill(), Start()])

    async with modelled_node.running([again, RECIPE], asked="again") as play:
        assert await play.ended("again") == "done"

    assert starts_and_refusals(modelled_node) == (2, 1)


@pytest.mark.model(online=True)
async def test_the_shipped_recipes_do_not_get_into_each_others_way(modelled_node: Node) -> None:
    """It is stopped for its backup, which is no crash, and crashes when it is up again."""
    evening = Recipe(
        "evening",
        when=Asked(),
        then=[Wait(seconds=60), Start(), Command("crash 3"), Wait(seconds=5), Command("crash 4")],
    )

    async with modelled_node.running(["recipes", evening], asked=BACKUP) as play:
        assert await play.ended(BACKUP) == "done"
    async with modelled_node.running(["recipes", evening], asked="evening") as later:
        assert await later.ended("evening") == "done"
        for _ in range(2):
            assert await later.ended("restart on crash") == "done"

    Timeline(play.transcript).sent("stop").once()
    Timeline(play.transcript).sent("start").never()
    Timeline(later.transcript).sent("start", by="evening").once()
    Timeline(later.transcript).sent("start", by="restart on crash").once()

"""The report of a crash: what was said before it, and not what the next start said."""

from typing import Final

import pytest

from automate.testing import Node, Script, Timeline, recording_names, rehearse

RECIPE: Final = "recipes/crash_report.py"
CRASHES: Final = {
    "crash-recovered",
    "crash-twice",
    "crash-undetected",
    "crash-undetected-pelican",
    "out-of-memory",
}


def reports(evening: Timeline) -> list[list[str]]:
    """Return the reports, line by line."""
    return [words.removeprefix("notify ").split("\\n") for _, words in evening.acts]


def test_both_crashes_are_reported_a_second_later_with_all_that_was_said() -> None:
    """The daemon starts the server again within 30 ms of the first: that is not part of it."""
    evening = Timeline(rehearse(RECIPE, "crash-twice"))

    first, second = reports(evening)
    evening.told().at(7.3134, 11.8188)
    assert first == [
        "crash-twice crashed (exit code 3); it said last:",
        ":/home/container$ python3 -u arena.py",
        "[18:48:09] [Server thread/INFO]: Starting arena version 1.4.2",
        "[18:48:10] [Server thread/INFO]: Loading map caldera",
        '[18:48:11] [Server thread/INFO]: Done (1.301s)! For help, type "help"',
        "[18:48:14] [Server thread/INFO]: Grace joined the game",
        "crash 3",
        "java.lang.NullPointerException: Ticking entity",
        " at net.arena.World.tick(World.java:118)",
    ]
    assert second[0] == "crash-twice crashed (exit code 139); it said last:"
    assert second[-3:] == [
        "crash 139",
        "java.lang.NullPointerException: Ticking entity",
        " at net.arena.World.tick(World.java:118)",
    ]


def test_of_many_lines_the_last_fifty_are_told() -> None:
    evening = Script("arena").offline().start()
    evening = evening.says(*(f"line {number}" for number in range(200))).crash(after=1).wait(5)

    (report,) = reports(Timeline(rehearse(RECIPE, evening)))

    assert report[1:] == [f"line {number}" for number in range(150, 200)]


def test_what_a_player_says_can_not_forge_a_line() -> None:
    evening = Script("arena").offline().start().says("[…]: <Bob> \x1b[2Jhi\rAda: ho").crash(after=1)

    (report,) = reports(Timeline(rehearse(RECIPE, evening.wait(5))))

    assert report[-1].endswith("<Bob> hi Ada: ho")


def test_who_crashes_again_and_again_is_reported_three_times_an_hour() -> None:
    evening = Script("arena", crash_detection=False).offline()
    for _ in range(6):
        evening = evening.start(after=60, asked=False).crash(after=10)

    Timeline(rehearse(RECIPE, evening.wait(10))).told().times(3)


@pytest.mark.parametrize("name", recording_names())
def test_only_crashes_are_reported(name: str) -> None:
    evening = Timeline(rehearse(RECIPE, name))

    evening.told().times({"crash-twice": 2}.get(name, int(name in CRASHES)))
    evening.nothing_else()


@pytest.mark.model
async def test_at_a_live_server(modelled_node: Node) -> None:
    async with modelled_node.running(RECIPE) as play:
        play.send("start")
        await modelled_node.becomes("running")
        play.send("crash 3")
        assert await play.ended("crash report") == "done"

    (report,) = reports(Timeline(play.transcript))
    assert report[0] == "Arena crashed (exit code 3); it said last:"
    assert report[-1] == " at net.arena.World.tick(World.java:118)"

"""Many servers in one process: what the recipes do is no matter of chance."""

from itertools import groupby, product
from pathlib import Path

from automate.recording.reader import read_recording
from tests.soak.fifty_servers import by_server, deal, in_order, play, server, shipped_recipes


def test_fifty_servers_give_one_transcript_however_trio_draws_its_lots() -> None:
    """A handful of runs; `python tests/soak/fifty_servers.py --runs 1000` does more."""
    servers, recipes = deal(50, seed=1), shipped_recipes()

    runs = [play(servers, recipes, seed=seed) for seed in range(3)]

    first, *others = [in_order(run, servers, recipes) for run in runs]
    assert [other == first for other in others] == [True, True]
    # One server by itself is not even put in order: it does the same in each run.
    alone, *others_alone = map(by_server, runs)
    assert [other == alone for other in others_alone] == [True, True]
    assert {line.recipe for line in first if not line.is_decision} == {
        "announce the rules",
        "backup before stop",
        "restart on crash",
    }


def test_at_one_instant_servers_come_as_given_and_recipes_as_loaded(recordings: Path) -> None:
    evening = read_recording(recordings / "openttd-evening.jsonl")
    servers = [server(number, evening) for number in (3, 1, 2)]
    recipes = shipped_recipes()

    lines = in_order(play(servers, recipes, seed=7, seconds=20), servers, recipes)

    at_half_past_four = [line for line in lines if line.at == 15.0]
    order = [key for key, _ in groupby(at_half_past_four, lambda one: (one.server, one.recipe))]
    assert order == list(
        product(
            ["03 openttd-evening", "01 openttd-evening", "02 openttd-evening"],
            ["announce the rules", "backup before stop"],
        )
    )


def test_recipes_and_nodes_go_through_it_together(recordings: Path) -> None:
    """Two tapes stand still until the recipes act; what these see then lets them go on."""
    names = ("backup-before-stop", "crash-recovered")
    servers = [
        server(number, read_recording(recordings / f"{name}.jsonl"))
        for number, name in enumerate(names, 1)
    ]
    recipes = shipped_recipes()

    lines = play(servers, recipes, seed=7, seconds=40)

    done = by_server([line for line in lines if not line.is_decision])
    assert {name: [line.words for line in own] for name, own in done.items()} == {
        "01 backup-before-stop": [
            "send command say Be kind to each other. Type /help for help.",
            "send command say The server is backed up now and then stops: find a safe place",
            "send command save-off",
            "send command save-all",
            "backup before stop",
            "send command save-on",
            "set state stop",
        ],
        "02 crash-recovered": [
            "notify 02 crash-recovered crashed; starting it again (attempt 1)",
            "set state start",
        ],
    }
    ends = [line for line in lines if line.words.startswith(("- done", "- failed"))]
    assert [(line.recipe, line.words) for line in ends] == [
        ("announce the rules", "- done: "),
        ("backup before stop", "- done: "),
        ("restart on crash", "- done: "),
    ]

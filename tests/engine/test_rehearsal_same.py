"""Same recipes, same recording, same transcript: to the byte, in any process."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from automate.engine.rehearsal import Ask, Transcript, rehearse
from automate.recipe.conditions import ServerIs
from automate.recipe.flow import Step, WaitUntil
from automate.recipe.loader import load
from automate.recipe.recipe import Recipe
from automate.recipe.steps import Command, Notify, Restart, Stop, Wait
from automate.recipe.triggers import ConsoleLine, Crashed, Every, StatusChanged
from automate.recording.reader import read_recording


def busy(name: str, seconds: float, *steps: Step) -> Recipe:
    """Return one of several recipes that want to act at the same instants."""
    return Recipe(
        name,
        when=[Crashed(), StatusChanged(to="offline"), ConsoleLine("joined"), Every(seconds=1)],
        only_if=ServerIs("running", "offline"),
        then=[Notify("{reason} {line} {status}"), Wait(seconds=seconds), *steps],
    )


CROWD = [
    busy("first", 0, Command("list"), WaitUntil(ConsoleLine("There are"))),
    busy("second", 1, Stop(kill_after_seconds=1)),
    busy("third", 2, Restart(limit_seconds=5)),
]


def transcript(recordings: Path, name: str) -> Transcript:
    recording = read_recording(recordings / f"{name}.jsonl")
    return rehearse(
        CROWD,
        recording.entries,
        header=recording.header,
        title=name,
        asks=[Ask(recipe.name, 3.0) for recipe in reversed(CROWD)],
    )


@pytest.mark.parametrize("name", ["crash-twice", "backup-before-stop", "openttd-evening"])
def test_twenty_rehearsals_are_one(name: str, recordings: Path) -> None:
    first = transcript(recordings, name)

    assert first.acts
    assert all(transcript(recordings, name) == first for _ in range(20))


def test_acts_are_in_the_order_of_moments_and_then_of_recipes(recordings: Path) -> None:
    ranks = {recipe.name: rank for rank, recipe in enumerate(CROWD)}
    order = [
        (round(act.at, 4), ranks[act.recipe]) for act in transcript(recordings, "crash-twice").acts
    ]

    assert order == sorted(order)
    assert len({at for at, _ in order}) < len(order)


def test_every_process_says_the_same(root: Path) -> None:
    """Sets and hashes of texts come in another order in each process."""
    command = [
        *(sys.executable, "-c", "import sys; from automate.cli.main import main; sys.exit(main())"),
        *("rehearse", "recipes", "--trace", "--trigger", "backup before stop@2.5", "--on"),
        *(f"recordings/{name}.jsonl" for name in ("crash-twice", "backup-before-stop")),
    ]
    said = {
        subprocess.run(
            command,
            cwd=root,
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            check=True,
        ).stdout
        for seed in ("0", "1", "4242")
    }

    assert len(said) == 1
    assert b"set state start" in said.pop()


def test_a_recipe_loaded_again_is_the_same_recipe(root: Path) -> None:
    assert load([root / "recipes"]) == load([root / "recipes"])

"""A whole engine under many orders of trio's tasks: is what comes of it left to chance?

An engine with a journal serves two modelled servers in memory, in virtual time, with recipes
that act side by side, at the same moments, and on each other. Each order of the tasks is drawn
by another seed, and all must give one transcript::

    python tests/soak/hundred_seeds.py --seeds 100
"""

import argparse
import sys
from collections import Counter
from collections.abc import Sequence
from typing import Final

from automate import (
    Asked,
    At,
    Backup,
    Block,
    Command,
    Crashed,
    Notify,
    On,
    Parallel,
    Recipe,
    RecipeEnded,
    Start,
    Stop,
    Wait,
)
from automate.testing.evening import Scene, play

__all__ = ["SCENE", "transcript"]

SCENE: Final = Scene(
    recipes=[
        Recipe(
            "night",
            when=At("22:00", zone="UTC"),
            then=[
                Block(
                    [Command("save-off"), Backup("night", keep=2)],
                    always=Command("save-on"),
                ),
                Notify("{server} is saved"),
            ],
        ),
        Recipe(
            "side by side",
            when=At("22:00", zone="UTC"),
            then=Parallel([Command("list"), Wait(seconds=2)], [Wait(seconds=2), Command("say b")]),
        ),
        Recipe("after the night", when=RecipeEnded("night"), then=Command("say good night")),
        Recipe(
            "mend", when=Crashed(), then=[Wait(seconds=3), Notify("{server} {reason}"), Start()]
        ),
        Recipe("both", when=Asked(), then=On("*", [Command("say both"), Stop()])),
    ],
    seconds=60,
    servers=["Arena", "Lobby"],
    start_at="2026-11-24T21:59:55",
    crash_detection=False,
    happens=[(10, "crash 3"), (10, "crash 4", "Lobby")],
    # Not at a moment at which the engine looks for requests: that would be a race of the scene.
    asks=[("both", 30.2)],
)


def transcript(seed: int) -> tuple[str, ...]:
    """Return what comes of the scene under *seed*: each server's deeds, decisions and end."""
    evening = play(SCENE, seed=seed)
    deeds = sorted(evening.outcome.deeds, key=lambda deed: deed.partition(": ")[0])
    # Of one moment first what is of the one server, then of the other: each has a socket of its
    # own, and which is read first is nobody's decision. Within a server the order counts.
    decided = sorted(evening.decided, key=lambda line: line.split(": ")[0])
    return (*deeds, *evening.outcome.statuses, *decided)


def main(argv: Sequence[str] | None = None) -> int:
    """Play the scene under so many seeds; fail if there is more than one transcript."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seeds", type=int, default=100, metavar="N")
    seeds = parser.parse_args(argv).seeds
    found = Counter(transcript(seed) for seed in range(seeds))
    lines = len(next(iter(found)))
    print(f"{seeds} seeds, {len(found)} different transcripts, of {lines} lines")
    if len(found) > 1:
        (first, _), (other, _) = found.most_common(2)
        print(
            "\n".join(
                f"- {one}\n+ {two}" for one, two in zip(first, other, strict=False) if one != two
            )
        )
    return int(len(found) > 1)


if __name__ == "__main__":
    sys.exit(main())

"""The recipes that come with the project, rehearsed on the recordings that do."""

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from attrs import evolve

from automate.engine.rehearsal import Act, Ask, Transcript, rehearse
from automate.recipe.loader import load
from automate.recipe.recipe import Recipe
from automate.recording.reader import read_recording

__all__ = ["ALL", "RECORDINGS", "acts", "rehearsed", "shipped", "told"]

ROOT = Path(__file__).parents[2]
RECORDINGS = sorted(path.stem for path in (ROOT / "recordings").glob("*.jsonl"))


def shipped(name: str) -> Recipe:
    """Return the shipped recipe of this name."""
    return next(recipe for recipe in ALL if recipe.name == name)


ALL = [loaded.recipe for loaded in load([ROOT / "recipes"])]


def rehearsed(
    recipes: Recipe | Sequence[Recipe],
    name: str,
    *,
    asks: Sequence[tuple[str, float]] = (),
    start_at: datetime | None = None,
) -> Transcript:
    """Return what *recipes* do on the recording *name*."""
    recording = read_recording(ROOT / "recordings" / f"{name}.jsonl")
    return rehearse(
        [recipes] if isinstance(recipes, Recipe) else recipes,
        recording.entries,
        header=recording.header,
        title=name,
        start_at=start_at,
        asks=[Ask(*ask) for ask in asks],
    )


def acts(transcript: Transcript) -> list[Act]:
    """Return what was done but for what was told, at the moments as they are printed."""
    return [
        evolve(act, at=round(act.at, 4)) for act in transcript.acts if "notify" not in act.action
    ]


def told(transcript: Transcript) -> list[tuple[float, str]]:
    """Return what the admin was told, and when."""
    return [
        (round(act.at, 4), act.action["notify"])
        for act in transcript.acts
        if "notify" in act.action
    ]

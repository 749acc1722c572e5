"""docs/testing.md: what it shows is run, and what it says of failures is what is said."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from automate.testing import Script, Timeline, rehearse

GUIDE = (Path(__file__).parents[2] / "docs" / "testing.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", GUIDE, re.DOTALL | re.MULTILINE)


def test_the_examples_pass(project: pytest.Pytester) -> None:
    """Each in a file of its own, as a reader would write it; the first transcript is accepted."""
    examples = blocks("python")
    for number, example in enumerate(examples):
        (project.path / f"test_example_{number}.py").write_text(example, encoding="utf-8")

    result = project.runpytest_inprocess("--update-transcripts")

    assert result.parseoutcomes() == {"passed": len(examples)}
    assert len(examples) == 7


def test_a_failure_looks_as_it_says(root: Path, recordings: Path) -> None:
    timeline = Timeline(
        rehearse(root / "recipes" / "restart_on_crash.py", recordings / "crash-undetected.jsonl")
    )

    with pytest.raises(AssertionError) as failure:
        timeline.sent("start").once().at(20)

    assert blocks("text") == [f"{failure.value}\n"]


def rows(heading: str) -> Iterator[str]:
    """Return the first cells of the table below *heading*."""
    section = GUIDE.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    for line in section.splitlines():
        if line.startswith("| `"):
            yield line.split(" | ")[0]


def public(owner: type) -> set[str]:
    return {name for name in dir(owner) if not name.startswith("_")}


def test_every_verb_of_a_script_is_told_of() -> None:
    told = {
        name for row in rows("Evenings that never were") for name in re.findall(r"`(\w+)\(", row)
    }
    inside = {"wait", "until", "save", "begin", "pen", "connected", "away", "grown"}
    verbs = {name for name in public(Script) if callable(getattr(Script, name))}

    assert told == verbs - inside


def test_every_sentence_of_a_timeline_is_told_of() -> None:
    told = {
        name for row in rows("What a timeline can say") for name in re.findall(r"`\.?(\w+)\(", row)
    }
    from automate.testing.timeline import Found

    said = public(Timeline) | public(Found)
    inside = {"account", "fail", "moments", "numbers", "timeline", "what", "first", "last", "acts"}
    whole = {"nothing", "nothing_else", "finished"}

    assert told == said - inside - whole - {"transcript"}


def test_every_option_is_told_of(project: pytest.Pytester) -> None:
    """With every record mode, and with what goes into the configuration."""
    helped = project.runpytest_inprocess("--help").stdout.str()
    options = set(re.findall(r"^  (--[\w-]+)", helped.partition("(automate):")[2], re.MULTILINE))

    ours = {"--record-mode", "--panel", "--server", "--update-transcripts", "--seeds"}
    assert ours <= options
    told = [name for name in ours if name in GUIDE]
    modes = [mode for mode in ("none", "once", "new", "all", "rewrite") if f"| `{mode}`" in GUIDE]
    assert (sorted(told), len(modes)) == (sorted(ours), 5)
    assert "automate_orphans" in GUIDE
    assert "automate_recordings" in GUIDE

"""What README.md and docs/recipes.md show is true: their recipes load, their commands say that."""

import re
import shlex
from importlib import import_module
from pathlib import Path

import pytest

from automate.cli.main import COMMANDS, main
from automate.recipe.loader import load_file
from tests.cli.shell import started

ROOT = Path(__file__).parents[1]
PAGES = ["README.md", "docs/recipes.md"]
# What can be run here as it stands; the others need a panel, or do not end.
OFFLINE = ("check", "rehearse", "schema")
NEEDS_MORE = ("run", "record", "replay", "fake", "trigger", "runs", "trace", "why")


def blocks(page: str, language: str) -> list[str]:
    """Return the blocks of *page* in *language*."""
    text = (ROOT / page).read_text(encoding="utf-8")
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.M | re.S)


def console() -> list[tuple[str, str]]:
    """Return what is typed in README.md, and what is shown to come of it."""
    typed = []
    for block in blocks("README.md", "console"):
        for each in re.split(r"^\$ ", block, flags=re.M)[1:]:
            command, _, shown = each.partition("\n")
            typed.append((command, shown))
    return typed


def words_of(command: str) -> list[str] | None:
    """Return the arguments of a call of ours; ``None`` if *command* is none."""
    words = [word for word in shlex.split(command) if not re.match(r"\w+=", word)]
    if not words or words[0] not in ("automate", ".venv/bin/automate"):
        return None
    return words[1:]


RECIPES = [(page, text) for page in PAGES for text in blocks(page, "python")]
CALLS = [(words, shown) for command, shown in console() if (words := words_of(command))]
ENDING = [(words, shown) for words, shown in CALLS if words[0] in OFFLINE]


@pytest.mark.parametrize(("page", "text"), RECIPES)
def test_every_recipe_shown_can_be_loaded(page: str, text: str, tmp_path: Path) -> None:
    file = tmp_path / "shown.py"
    file.write_text(text, encoding="utf-8")

    assert load_file(file) != []


@pytest.mark.parametrize(("words", "shown"), ENDING, ids=[words[0] for words, _ in ENDING])
def test_what_is_shown_of_a_command_is_what_it_prints(
    words: list[str],
    shown: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(ROOT)
    into_a_file = ">" in words

    code = main(words[: words.index(">")] if into_a_file else words)

    out, err = capsys.readouterr()
    assert code == 0
    assert shown == ("" if into_a_file else out + err)


def test_what_is_shown_of_a_replay_is_what_it_prints() -> None:
    """But for the port and the key, which are new each time."""
    ((words, shown),) = [call for call in CALLS if call[0][0] == "replay"]
    with started(*words, cwd=ROOT) as running:
        running.read_until("Ctrl-C ends")

    def known(text: str) -> str:
        return re.sub(r"127\.0\.0\.1:\d+ key ptlc_\w{43}", "HERE", text)

    assert known("\n".join(running.lines)) == known(shown.rstrip("\n"))


@pytest.mark.parametrize(
    "words",
    [words for words, _ in CALLS if words[0] in NEEDS_MORE],
    ids=" ".join,
)
def test_what_needs_a_panel_or_a_journal_can_be_typed_like_that(words: list[str]) -> None:
    module = import_module(f"automate.cli.{words[0]}")

    assert module._parser().parse_args(words[1:])


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_is_in_the_readme_with_an_example(command: str) -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")

    assert f"\n**{command}** " in text
    assert command in [words[0] for words, _ in CALLS]


@pytest.mark.parametrize("command", COMMANDS)
def test_every_option_of_the_readme_is_one(
    command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """In the paragraphs about a command, up to the next."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    part = re.split(r"\n\*\*\w+\*\* ", text.partition(f"\n**{command}** ")[2])[0]
    part = part.partition("\n`automate COMMAND --help`")[0]
    main([command, "--help"])
    known = set(re.findall(r"--[a-z-]+", capsys.readouterr().out))
    known |= {"--leave", "--panel", "--server"} if command == "replay" else set()

    assert set(re.findall(r"--[a-z][a-z-]+", part)) - known == set()


def test_what_make_is_asked_for_is_there() -> None:
    made = re.findall(r"^(\w+):.*##", (ROOT / "Makefile").read_text(encoding="utf-8"), re.M)
    text = (ROOT / "README.md").read_text(encoding="utf-8")

    assert set(re.findall(r"(?:`|\$ )make (\w+)", text)) - set(made) == set()


@pytest.mark.parametrize(
    "page", ["README.md", *(f"docs/{one.name}" for one in sorted((ROOT / "docs").glob("*.md")))]
)
def test_every_link_leads_somewhere(page: str) -> None:
    links = re.findall(r"\]\((?!https?://|#)([^)#]+)", (ROOT / page).read_text(encoding="utf-8"))

    assert [link for link in links if not ((ROOT / page).parent / link).exists()] == []

"""`automate run` and what it keeps: killed and started again, asked from another terminal."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from automate.cli.page import Page
from automate.cli.printer import Printer
from tests.cli.shell import Replayed, environment, run, say, started

Capture = pytest.CaptureFixture[str]
CAREFUL = """
from automate import Asked, Block, Command, Notify, Recipe, RunRecipe, Wait

careful = Recipe(
    "careful",
    when=Asked(),
    then=Block([Command("save-off"), Wait(seconds=3)], always=[Command("save-on")]),
)
hello = Recipe("hello", when=Asked(), then=Command("say hello"))
both = Recipe("both", when=Asked(), then=[RunRecipe("hello"), Notify("and that was it")])
"""


@pytest.fixture(scope="module")
def fake() -> Iterator[Replayed]:
    """A node whose server runs."""
    with started("fake", "--start") as running:
        first = running.read_until("panel ").split()
        running.read_until("Ctrl-C ends")
        yield Replayed(first[1], first[3], first[5], running)


@pytest.fixture
def recipes(tmp_path: Path, fake: Replayed, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("AUTOMATE_KEY", fake.key)
    (tmp_path / "careful.py").write_text(CAREFUL)
    return tmp_path / "careful.py"


# ---------------------------------------------------------------- killed


@pytest.mark.skipif(os.name == "nt", reason="nothing can be killed so hard there")
def test_saving_is_switched_on_again_by_the_next_automate(
    recipes: Path, fake: Replayed, tmp_path: Path, capsys: Capture
) -> None:
    """`kill -9` between `save-off` and `save-on`."""
    state = ["--state", str(tmp_path / "journal.sqlite")]
    words = ["run", str(recipes), *fake.at, *state]
    how = {"env": environment(AUTOMATE_KEY=fake.key)}
    with started(*words, **how) as first:
        first.read_until("is running")
        with started("trigger", "careful", *state) as asking:
            first.read_until("send command save-off")
            first.read_until("wait 3 s")
            first.send(signal.SIGKILL)
            asked = asking.rest()
        killed = first.rest()
    with started(*words, **how) as second:
        second.read_until("send command save-on")
        second.read_until("careful: done")
        again = run("trigger", "hello", *state)
        second.send(signal.SIGINT)
        ended = second.rest()

    assert killed.code == -signal.SIGKILL
    assert "save-on" not in killed.out
    assert asked.complaint == (1, "automate ended before the recipe did; see `automate trace 1`")
    assert (again.code, again.err) == (0, "")
    assert again.out.endswith(": 'hello' is done (run 2)\n")
    assert (ended.code, ended.err) == (0, "")
    assert ended.out.count("save-on") == 1
    assert "save-off" not in ended.out
    trace = say("trace", "1", *state, capsys=capsys).out
    assert [word for word in ("save-off", "wait 3 s", "save-on", "done") if word in trace] == [
        "save-off", "wait 3 s", "save-on", "done",
    ]  # fmt: skip
    assert "in doubt" not in trace


# ---------------------------------------------------------------- where it is kept


def test_two_automates_do_not_share_a_journal(
    recipes: Path, fake: Replayed, tmp_path: Path, capsys: Capture
) -> None:
    state = tmp_path / "journal.sqlite"
    words = ["run", str(recipes), *fake.at, "--state", str(state)]
    with started(*words, env=environment(AUTOMATE_KEY=fake.key)) as running:
        running.read_until("is connected")
        code, told = say(*words, capsys=capsys).complaint

    assert code == 1
    assert f"(pid {running.process.pid})" in told
    assert str(state) in told


def test_nothing_is_kept_where_nothing_is_to_be_kept(
    recipes: Path, fake: Replayed, tmp_path: Path
) -> None:
    home = tmp_path / "state"
    how = {"env": environment(AUTOMATE_KEY=fake.key, XDG_STATE_HOME=str(home))}
    seen = []
    for more in (["--no-state"], ["--dry-run"], []):
        with started("run", recipes, *fake.at, *more, **how) as running:
            running.read_until("is connected")
        seen.append(sorted(path.name for path in home.rglob("*.sqlite")))

    assert [len(files) for files in seen] == [0, 0, 1]


@pytest.mark.parametrize("word", ["--no-state", "--dry-run", "--trigger=hello"])
def test_a_journal_that_would_not_be_kept_is_refused_before_anything_is_asked(
    recipes: Path, capsys: Capture, word: str
) -> None:
    at = ["--panel", "http://127.0.0.1:9", "--server", "x"]

    said = say("run", recipes, *at, "--state", "x.sqlite", word, capsys=capsys)

    assert said.complaint == (
        2,
        "--state goes with recipes that wait: leave it out with --trigger, --dry-run and "
        "--no-state (`automate trigger` asks an automate that is running)",
    )


# ---------------------------------------------------------------- recipes that run others


def test_a_recipe_that_is_asked_for_runs_others(
    recipes: Path, fake: Replayed, capsys: Capture
) -> None:
    said = say("run", recipes, *fake.at, "--trigger", "both", capsys=capsys)

    assert (said.code, said.err) == (0, "")
    told = [line.split(None, 2)[2] for line in said.out.splitlines()[3:]]
    assert [words for words in told if "hello: " in words or "NOTICE" in words] == [
        "hello: send command say hello",
        "hello: done",
        "NOTICE: and that was it",
    ]
    assert told[-1] == "both: done"


# ---------------------------------------------------------------- words


def test_a_server_is_found_by_its_name_though_it_looks_like_a_pattern(
    recipes: Path, capsys: Capture
) -> None:
    """What comes next fails: the node of this little panel is nowhere."""
    import trio

    from automate.cli.servers import find_servers
    from automate.live.answers import Server

    servers = [
        Server(id=id, uuid=f"{id}-0004-4000-8000-000000000004", name=name)
        for id, name in (("a1b2c3d4", "[EU] arena"), ("b1b2c3d4", "E arena"))
    ]

    class Panel:
        async def server(self, word: str) -> Server:
            from automate.errors import UsageError

            for one in servers:
                if word in (one.id, one.uuid):
                    return one
            raise UsageError(f"{word} is no id")

        async def servers(self) -> list[Server]:
            return servers

    async def found(word: str) -> list[str]:
        return [one.name for one in await find_servers(Panel(), [word])]  # type: ignore[arg-type]

    assert trio.run(found, "[eu] ARENA") == ["[EU] arena"]
    assert trio.run(found, "[e]* arena") == ["E arena"]
    assert trio.run(found, "*arena") == ["[EU] arena", "E arena"]


def test_what_is_about_no_server_is_a_line_on_standard_error(capsys: Capture) -> None:
    Printer(Page(["arena"]), {"s": "arena"}).warned("warning: the disk is full")

    assert capsys.readouterr() == ("", "automate: warning: the disk is full\n")

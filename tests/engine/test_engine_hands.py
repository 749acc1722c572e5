"""Python functions as steps: what they get, and what becomes of everything they may do."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from automate.engine.hands import call_python, make_backup, show_backup
from automate.live.panel import Panel
from automate.machine.doing import Answer

GUEST = """
import functools
import sys

seen = []
number = 7

def plain(values):
    values["server"] += "!"
    seen.append(values)

async def waits(values):
    seen.append("waited")

@functools.lru_cache
def cached(values):
    pass

def hides(values):
    return waits(values)

def wrong(values):
    raise ValueError("no such\\n  player")

def silent(values):
    raise KeyError

def leaves(values):
    sys.exit("bye")

def nothing():
    pass
"""


@pytest.fixture(autouse=True)
def guest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "hands_guest.py").write_text(GUEST)
    (tmp_path / "hands_needy.py").write_text("import not_installed_at_all\n")
    (tmp_path / "hands_broken.py").write_text("1 / 0\n")
    yield
    for name in ("hands_guest", "hands_needy", "hands_broken"):
        monkeypatch.delitem(__import__("sys").modules, name, raising=False)


async def test_a_function_gets_a_dictionary_of_its_own() -> None:
    values = {"server": "arena"}

    answers = [
        await call_python("hands_guest.plain", values),
        await call_python("hands_guest.waits", values),
        await call_python("hands_guest.hides", values),
    ]

    import hands_guest  # type: ignore[import-not-found] # made by the fixture

    assert (answers, hands_guest.seen, values) == (
        [Answer(), Answer(), Answer()],
        [{"server": "arena!"}, "waited", "waited"],
        {"server": "arena"},
    )


@pytest.mark.parametrize(
    ("name", "error"),
    [
        ("hands_guest.wrong", "hands_guest.wrong: ValueError: no such player"),
        ("hands_guest.silent", "hands_guest.silent: KeyError"),
        ("hands_guest.leaves", "hands_guest.leaves: SystemExit: bye"),
        ("hands_guest.cached", "hands_guest.cached: TypeError: unhashable type: 'dict'"),
        (
            "hands_guest.nothing",
            "hands_guest.nothing: TypeError: nothing() takes 0 positional arguments but 1 was "
            "given",
        ),
        (
            "hands_guest.missing",
            "hands_guest.missing: the module 'hands_guest' has no function called 'missing'",
        ),
        (
            "hands_guest.number",
            "hands_guest.number: the module 'hands_guest' has something, but no function, called "
            "'number'",
        ),
        (
            "hands_absent.run",
            "hands_absent.run: there is no module 'hands_absent'; put it beside the recipe file, "
            "or install it where automate is",
        ),
        (
            "hands_needy.run",
            "hands_needy.run: there is no module 'not_installed_at_all'; put it beside the recipe "
            "file, or install it where automate is",
        ),
        ("hands_broken.run", "hands_broken.run: ZeroDivisionError: division by zero"),
    ],
)
async def test_whatever_goes_wrong_is_an_answer(name: str, error: str) -> None:
    assert await call_python(name, {}) == Answer(error=error)


async def test_a_panel_that_is_not_there_is_an_answer() -> None:
    async with Panel("http://127.0.0.1:9", "ptlc_x") as panel:
        answers = [
            await make_backup(panel, "a1b2c3d4", "night"),
            await show_backup(panel, "a1b2c3d4", "no uuid!"),
        ]

    assert [answer.error for answer in answers] == [
        "http://127.0.0.1:9: connection refused; is it up, and the port right?",
        "backup 'no uuid!': expected its uuid",
    ]

"""What the engine may count on, from a journal in a file and from the one in memory alike."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from automate.engine.journal import INTERRUPTED, Answered, MemoryJournal, Request
from automate.engine.journal_file import SqliteJournal, open_journal
from tests.engine.journal_scenes import ARENA, LOBBY, ORIGIN, PANEL, SERVERS, asked, at, note


class InMemory:
    """An engine's life with a journal in memory."""

    def __init__(self, folder: Path) -> None:
        self.journal = MemoryJournal(ORIGIN)

    def restart(self) -> None:
        """Begin anew, as a process does after the last one was killed."""
        self.journal = self.journal.reopened()

    def ask(self, recipe: str, server: str) -> int:
        """Ask for *recipe*, as `automate trigger` does."""
        return self.journal.ask(recipe, server)

    def answer(self, id: int) -> Answered:
        """Return what came of a request."""
        return self.journal.answers[id]


class InAFile:
    """The same with a journal in a file."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "arena.sqlite"
        self.journal: SqliteJournal = open_journal(self.path, panel=PANEL, now=ORIGIN)

    def restart(self) -> None:
        self.journal.close()
        self.journal = open_journal(self.path, panel=PANEL, now=at(9))

    def ask(self, recipe: str, server: str) -> int:
        return asked(self.path, recipe, server)

    def answer(self, id: int) -> Answered:
        with self.journal._transaction() as connection:
            row = connection.execute(
                "SELECT run, outcome, detail FROM requests WHERE id = ?", (id,)
            ).fetchone()
        return Answered(*row)


@pytest.fixture(params=[InMemory, InAFile], ids=["in memory", "in a file"])
def life(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Any]:
    life = request.param(tmp_path)
    yield life
    life.journal.close()


def test_a_new_journal_is_empty_and_begins_now(life: Any) -> None:
    assert (life.journal.saved(), life.journal.origin, life.journal.warning) == ({}, ORIGIN, None)


def test_what_was_written_is_there_after_a_restart(life: Any) -> None:
    life.journal.write({"machine": {"last_run": 1}, "run:1": {"position": 0}})
    life.journal.write({"machine": {"last_run": 2}, "run:1": None, "run:2": {"cursor": 0.25}})

    life.restart()

    assert life.journal.saved() == {"machine": {"last_run": 2}, "run:2": {"cursor": 0.25}}


def test_moments_are_counted_from_the_first_beginning(life: Any) -> None:
    life.restart()

    assert (life.journal.origin, life.journal.warning) == (ORIGIN, None)


def test_what_is_no_more_can_be_told_twice(life: Any) -> None:
    life.journal.write({"run:7": None})

    assert life.journal.saved() == {}


def test_what_json_cannot_hold_is_refused_and_nothing_is_written(life: Any) -> None:
    life.journal.write({"machine": 1})

    with pytest.raises(TypeError):
        life.journal.write({"machine": 2, "run:1": object()})

    assert life.journal.saved() == {"machine": 1}


def test_values_are_as_json_has_them(life: Any) -> None:
    """So that a test finds out, and not the first restart."""
    life.journal.write({"machine": {"pair": (1, 2.5), "text": "größe \udce4 \x00", 3: None}})

    assert life.journal.saved() == {
        "machine": {"pair": [1, 2.5], "text": "größe \udce4 \x00", "3": None}
    }


# ---------------------------------------------------------------- requests


def test_a_request_is_taken_once(life: Any) -> None:
    first, second = life.ask("announce", ARENA), life.ask("announce", LOBBY)

    taken = life.journal.take_requests()

    assert taken == [
        Request(id=first, recipe="announce", server=ARENA, asked_at=ORIGIN),
        Request(id=second, recipe="announce", server=LOBBY, asked_at=ORIGIN),
    ]
    assert life.journal.take_requests() == []


def test_the_end_of_its_run_answers_a_request(life: Any) -> None:
    first, second = life.ask("announce", ARENA), life.ask("announce", LOBBY)
    life.journal.take_requests()

    life.journal.write({"run:5": {}}, [note(1, "triggered", run=5)], begun={first: 5, second: 6})
    before = life.answer(first)
    life.journal.write({"run:5": None}, [note(2, "failed", "it rained", run=5)])

    assert before == Answered(5, None, "")
    assert life.answer(first) == Answered(5, "failed", "it rained")
    assert life.answer(second) == Answered(6, None, "")


def test_a_run_that_is_over_at_once_answers_at_once(life: Any) -> None:
    id = life.ask("announce", ARENA)
    life.journal.take_requests()

    life.journal.write({}, [note(1, "triggered", run=5), note(1, "done", run=5)], begun={id: 5})

    assert life.answer(id) == Answered(5, "done", "")


def test_a_request_can_be_answered_without_a_run(life: Any) -> None:
    id = life.ask("announce", ARENA)
    life.journal.take_requests()

    life.journal.answer_request(id, None, "held back", "it is still running")

    assert life.answer(id) == Answered(None, "held back", "it is still running")


def test_a_request_whose_run_goes_on_is_answered_after_a_restart(life: Any) -> None:
    id = life.ask("announce", ARENA)
    life.journal.take_requests()
    life.journal.write({"run:5": {}}, [note(1, "triggered", run=5)], begun={id: 5})

    life.restart()
    life.journal.write({"run:5": None}, [note(20, "done", run=5)])

    assert life.answer(id) == Answered(5, "done", "")


@pytest.mark.parametrize("was_taken", [True, False])
def test_a_request_that_nothing_was_begun_for_is_not_taken_up_later(
    was_taken: bool, life: Any
) -> None:
    """Whoever asked was told that automate ended; a stop an hour later would surprise them."""
    id = life.ask("announce", ARENA)
    if was_taken:
        life.journal.take_requests()

    life.restart()

    assert life.answer(id) == Answered(None, "failed", INTERRUPTED)
    assert life.journal.take_requests() == []


# ---------------------------------------------------------------- killed in the middle


class Killed(BaseException):
    """What the hook of a memory journal raises, for a process that is killed there."""


def killed_at(moment: int) -> Callable[[int], None]:
    def on_write(number: int) -> None:
        if number == moment:
            raise Killed

    return on_write


def write_three(journal: MemoryJournal) -> None:
    for n in (1, 2, 3):
        journal.write({"n": n})


@pytest.mark.parametrize(
    ("moment", "found"),
    [(0, {}), (1, {"n": 1}), (2, {"n": 1}), (3, {"n": 2}), (4, {"n": 2})],
)
def test_a_memory_journal_can_be_killed_before_and_after_each_write(
    moment: int, found: dict[str, int]
) -> None:
    journal = MemoryJournal(ORIGIN, on_write=killed_at(moment))
    with pytest.raises(Killed):
        write_three(journal)

    # What a dying task still does reaches nothing.
    for call in (
        lambda: journal.write({"n": 9}),
        journal.saved,
        journal.take_requests,
        lambda: journal.answer_request(1, None, "done"),
        lambda: journal.describe(recipes=[], servers={}),
    ):
        with pytest.raises(Killed):
            call()
    assert journal.reopened().saved() == found


def test_a_reopened_memory_journal_can_be_killed_again() -> None:
    journal = MemoryJournal(ORIGIN).reopened(on_write=killed_at(1))

    with pytest.raises(Killed):
        journal.write({"n": 1}, [note(1, "triggered", run=1)])

    found = journal.reopened()
    assert (found.saved(), [one.traced.what for one in found.notes]) == ({"n": 1}, ["triggered"])


def test_a_memory_journal_shows_what_it_was_told_of() -> None:
    journal = MemoryJournal(ORIGIN)

    journal.describe(recipes=["announce"], servers=SERVERS, serves={"announce": [ARENA]})

    assert journal.description == {
        "recipes": ["announce"],
        "servers": SERVERS,
        "serves": {"announce": [ARENA]},
    }

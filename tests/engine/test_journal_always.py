"""What holds of a journal whatever is written: it is a dictionary, and a diary, that lasts."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from attrs import frozen
from hypothesis import given, settings
from hypothesis import strategies as st

from automate.engine.history import open_history
from automate.engine.journal import MemoryJournal, Note
from tests.engine.journal_scenes import ARENA, LOBBY, ORIGIN, kept, note

PARTS = st.sampled_from(["machine", f"server:{ARENA}", "run:1", "run:2", "Größe 'n\" 🎉\x00"])
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)
WRITES = st.lists(st.dictionaries(PARTS, VALUES, max_size=3), max_size=8)


def as_a_dictionary(writes: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return what is left of *writes*, done the simplest way."""
    state: dict[str, Any] = {}
    for parts in writes:
        state |= parts
    return {part: value for part, value in state.items() if value is not None}


@given(WRITES)
def test_memory_is_a_dictionary(writes: list[dict[str, Any]]) -> None:
    journal = MemoryJournal(ORIGIN)

    for parts in writes:
        journal.write(parts)
        journal = journal.reopened()

    assert journal.saved() == as_a_dictionary(writes)


@settings(max_examples=40)
@given(WRITES, st.integers(0, 8))
def test_a_file_is_a_dictionary(writes: list[dict[str, Any]], closed_after: int) -> None:
    with TemporaryDirectory() as folder:
        path = Path(folder, "j.sqlite")
        with kept(path) as journal:
            for parts in writes[:closed_after]:
                journal.write(parts)
        with kept(path) as journal:
            for parts in writes[closed_after:]:
                journal.write(parts)

            saved = journal.saved()

    assert saved == as_a_dictionary(writes)


@settings(max_examples=20)
@given(st.dictionaries(st.text(), VALUES.filter(lambda value: value is not None)))
def test_a_part_may_have_any_name(parts: dict[str, Any]) -> None:
    with TemporaryDirectory() as folder, kept(Path(folder, "j.sqlite")) as journal:
        journal.write(parts)

        assert journal.saved() == parts


# ---------------------------------------------------------------- the diary


@frozen
class Told:
    """How the diary tells of one run: whether it ended, and by what reason."""

    id: int
    server: str
    recipe: str
    trigger: str
    end: tuple[str, str] | None


def diary(evening: Sequence[tuple[str, str, str, str]]) -> list[Note]:
    """Return notes for *evening*: runs that begin, step and end, and what never began."""
    notes: list[Note] = []
    running: dict[tuple[str, str], int] = {}
    began = 0
    for moment, (what, server, recipe, detail) in enumerate(evening):
        place = (server, recipe)
        if what == "held back":
            notes.append(note(moment, what, detail, server=server, recipe=recipe))
        elif place not in running:
            began = running[place] = began + 1
            notes.append(note(moment, "triggered", detail, run=began, server=server, recipe=recipe))
        else:
            run = running[place] if what == "step" else running.pop(place)
            notes.append(note(moment, what, detail, run=run, server=server, recipe=recipe))
    return notes


EVENINGS = st.lists(
    st.tuples(
        st.sampled_from(["step", "done", "failed", "held back", "held back"]),
        st.sampled_from([ARENA, LOBBY]),
        st.sampled_from(["a", "größe"]),
        st.sampled_from(["", "it rains", "it \ud800 pours"]),
    ),
    max_size=25,
).map(diary)


def surely(text: str) -> str:
    """Return *text* as a file can have it."""
    return text.replace("\ud800", "?")


@settings(max_examples=40)
@given(EVENINGS, st.integers(1, 4))
def test_the_diary_tells_of_every_run_and_decision(notes: list[Note], batch: int) -> None:
    with TemporaryDirectory() as folder:
        path = Path(folder, "j.sqlite")
        with kept(path) as journal:
            for place in range(0, len(notes), batch):
                journal.write({}, notes[place : place + batch])
        with open_history(path) as history:
            runs = [
                Told(
                    run.id,
                    run.server,
                    run.recipe,
                    run.trigger,
                    None if run.outcome is None else (run.outcome, run.reason),
                )
                for run in history.runs()
            ]
            traced = {
                run.id: [(one.time, one.what, one.detail) for one in history.traces(run.id)]
                for run in runs
            }
            held_back = [
                (one.server, one.recipe, one.detail)
                for recipe in history.recipes
                for server in history.servers
                for one in history.not_run(recipe, server, limit=100)
                for _ in range(one.times)
            ]

    assert runs == runs_of(notes)
    assert traced == {
        run.id: [
            (one.time, one.traced.what, surely(one.traced.detail))
            for one in notes
            if one.traced.run == run.id
        ]
        for run in runs
    }
    assert sorted(held_back) == sorted(
        (one.traced.server, one.traced.recipe, surely(one.traced.detail))
        for one in notes
        if one.traced.what == "held back"
    )


def runs_of(notes: Sequence[Note]) -> list[Told]:
    """Return the runs that *notes* tell of, found the simplest way."""
    ends = {
        one.traced.run: (one.traced.what, surely(one.traced.detail))
        for one in notes
        if one.traced.what in ("done", "failed")
    }
    return [
        Told(
            one.traced.run,
            one.traced.server,
            one.traced.recipe,
            surely(one.traced.detail),
            ends.get(one.traced.run),
        )
        for one in notes
        if one.traced.what == "triggered" and one.traced.run is not None
    ]

"""The journal: what the engine must not forget, and what it tells of its runs.

The state is a dictionary of parts: ``machine``, ``server:<uuid>``, ``run:<id>``, each a value
fit for JSON that only the machine understands. What changed, and why, is written in one piece
*before* anything is done because of it. The journal that is a file is in `journal_file`; the
one here is for tests.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from types import TracebackType
from typing import Any, Final, Protocol, Self

from attrs import define, frozen

from automate.machine.actions import Traced

__all__ = ["ENDS", "INTERRUPTED", "Answered", "Journal", "MemoryJournal", "Note", "Request"]

ENDS: Final = ("done", "failed")
"""What a trace says that ends a run."""

INTERRUPTED: Final = "automate was started anew before it began; ask again"
"""Why a request failed that nobody will take up any more."""


@frozen
class Note:
    """What was decided, and when (*time* knows its zone)."""

    time: datetime
    traced: Traced


@frozen(kw_only=True)
class Request:
    """Somebody asks for *recipe* at *server* (its uuid)."""

    id: int
    recipe: str
    server: str
    asked_at: datetime


class Journal(Protocol):
    """What the engine needs of a journal.

    Calls are short and wait for nobody but the disk; they may come from any thread. Each may
    raise `StateError` where the disk refuses; nothing of that call is in the journal then.
    """

    @property
    def origin(self) -> datetime:
        """The moment (UTC) from which moments in the state are counted, for good."""

    @property
    def warning(self) -> str | None:
        """What somebody must be told of how the journal was found; ``None`` if all is well."""

    def saved(self) -> dict[str, Any]:
        """Return all parts of the state, as they were written last."""

    def write(
        self,
        parts: Mapping[str, Any],
        notes: Sequence[Note] = (),
        *,
        begun: Mapping[int, int] | None = None,
    ) -> None:
        """Write the *parts* that changed (``None``: is no more) and what was decided, or nothing.

        *begun* tells which run each request set off. Such a request is answered by the end of
        its run, with nothing else to be done.
        """

    def describe(
        self,
        *,
        recipes: Sequence[str],
        servers: Mapping[str, str],
        serves: Mapping[str, Sequence[str]] | None = None,
    ) -> None:
        """Write which *recipes* are at work, and for which *servers* (names by uuid).

        *serves* has the servers' uuids of each recipe that is not for all of them.
        """

    def take_requests(self) -> list[Request]:
        """Return the requests that were not taken before, the oldest first."""

    def answer_request(self, id: int, run: int | None, outcome: str, detail: str = "") -> None:
        """Answer a request: *outcome* is ``held back``, ``failed`` or ``done``."""


@frozen
class Answered:
    """How a request ended; *outcome* is ``None`` while it has not."""

    run: int | None
    outcome: str | None
    detail: str


@define
class _Kept:
    """What a memory journal holds, as a file would."""

    origin: datetime
    parts: dict[str, str]
    notes: list[Note]
    requests: list[Request]
    taken: set[int]
    answers: dict[int, Answered]
    description: dict[str, Any]


class MemoryJournal:
    """A journal without a file, for tests; values go through JSON as they would there.

    *on_write* is called twice for each write, with 0, 1, 2 …: even numbers lie before a write,
    odd ones after it, but before anything is done because of it. If it raises, the process was
    killed there: nothing is written any more (every method raises the same), and `reopened`
    has what the next process finds.
    """

    def __init__(
        self, origin: datetime, *, on_write: Callable[[int], object] | None = None
    ) -> None:
        self._kept = _Kept(origin, {}, [], [], set(), {}, {})
        self._on_write = on_write
        self._passed = 0
        self._killed: BaseException | None = None

    def reopened(self, *, on_write: Callable[[int], object] | None = None) -> "MemoryJournal":
        """Return the journal as a new process finds it."""
        journal = MemoryJournal(self._kept.origin, on_write=on_write)
        journal._kept = kept = self._kept
        for request in kept.requests:
            if kept.answers[request.id] == Answered(None, None, ""):
                kept.answers[request.id] = Answered(None, "failed", INTERRUPTED)
        return journal

    @property
    def origin(self) -> datetime:
        """The moment from which moments in the state are counted."""
        return self._kept.origin

    @property
    def warning(self) -> str | None:
        """Nothing: memory is as it was left."""
        return None

    @property
    def notes(self) -> list[Note]:
        """All that was decided, in order; for reading."""
        return self._kept.notes

    @property
    def answers(self) -> Mapping[int, Answered]:
        """How each request ended, by its id; for reading."""
        return self._kept.answers

    @property
    def description(self) -> Mapping[str, Any]:
        """What `describe` was told last; for reading."""
        return self._kept.description

    def ask(self, recipe: str, server: str) -> int:
        """Put a request into the journal, as `automate trigger` does; its id is returned."""
        kept = self._kept
        id = len(kept.requests) + 1
        kept.requests.append(Request(id=id, recipe=recipe, server=server, asked_at=kept.origin))
        kept.answers[id] = Answered(None, None, "")
        return id

    def saved(self) -> dict[str, Any]:
        """Return all parts of the state."""
        self._check()
        return {part: json.loads(text) for part, text in self._kept.parts.items()}

    def write(
        self,
        parts: Mapping[str, Any],
        notes: Sequence[Note] = (),
        *,
        begun: Mapping[int, int] | None = None,
    ) -> None:
        """Write what changed and why."""
        self._pass()
        kept = self._kept
        texts = {
            part: None if value is None else json.dumps(value) for part, value in parts.items()
        }
        for part, text in texts.items():
            if text is None:
                kept.parts.pop(part, None)
            else:
                kept.parts[part] = text
        kept.notes.extend(notes)
        for id, run in (begun or {}).items():
            kept.answers[id] = Answered(run, None, "")
        for note in notes:
            self._answer_by(note.traced)
        self._pass()

    def describe(
        self,
        *,
        recipes: Sequence[str],
        servers: Mapping[str, str],
        serves: Mapping[str, Sequence[str]] | None = None,
    ) -> None:
        """Write which recipes are at work for which servers."""
        self._check()
        self._kept.description = {
            "recipes": list(recipes),
            "servers": dict(servers),
            "serves": {recipe: list(uuids) for recipe, uuids in (serves or {}).items()},
        }

    def take_requests(self) -> list[Request]:
        """Return the requests that were not taken before."""
        self._check()
        kept = self._kept
        found = [
            request
            for request in kept.requests
            if request.id not in kept.taken and kept.answers[request.id].outcome is None
        ]
        kept.taken |= {request.id for request in found}
        return found

    def answer_request(self, id: int, run: int | None, outcome: str, detail: str = "") -> None:
        """Answer a request."""
        self._check()
        self._kept.answers[id] = Answered(run, outcome, detail)

    def close(self) -> None:
        """Do nothing: there is no file."""

    def __enter__(self) -> Self:
        """Return the journal itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Close it."""
        self.close()

    def _answer_by(self, traced: Traced) -> None:
        if traced.run is None or traced.what not in ENDS:
            return
        for id, answer in self._kept.answers.items():
            if answer.run == traced.run and answer.outcome is None:
                self._kept.answers[id] = Answered(traced.run, traced.what, traced.detail)

    def _check(self) -> None:
        if self._killed is not None:
            raise self._killed

    def _pass(self) -> None:
        self._check()
        number, self._passed = self._passed, self._passed + 1
        if self._on_write is not None:
            try:
                self._on_write(number)
            except BaseException as kill:  # a test's way to kill
                self._killed = kill
                raise

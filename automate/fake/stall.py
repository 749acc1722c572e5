"""The stall: what a replay that stands still waits for, and how what was done differs from it.

Told as values, so that a test can look at them, and as one line each, for people. What is
waiting is the tape's affair; here two deeds are laid side by side, field by field.
"""

from collections.abc import Iterable, Mapping
from difflib import SequenceMatcher
from fnmatch import fnmatchcase
from typing import Any, Final

from attrs import frozen

from automate.errors import AutomateError
from automate.fake.script import Content, Deed

__all__ = [
    "Attempt",
    "Difference",
    "ReplayDiffered",
    "ReplayStalled",
    "ReplayUnasked",
    "Stall",
    "Unasked",
    "differences",
    "fields_of",
    "nearest",
    "still_missed",
]

# What a frame or a call that does this is called in the wire's own words.
_NAMES: Final = {"set state": "signal", "send command": "command"}
_LONGEST: Final = 80
# More than this of a text is not compared: the comparison is quadratic.
_COMPARED: Final = 400
_NOTHING: Final = object()


class ReplayStalled(AutomateError):
    """A replay is not over and waits for something that does not come: *stall* tells for what.

    It is ``None`` where the tape runs, and only needs more time.
    """

    def __init__(self, message: str, stall: "Stall | None") -> None:
        super().__init__(message)
        self.stall = stall


class ReplayUnasked(AutomateError):
    """Something was recorded that the live client never asked for: *unasked*."""

    def __init__(self, message: str, unasked: tuple["Unasked", ...]) -> None:
        super().__init__(message)
        self.unasked = unasked


class ReplayDiffered(AutomateError):
    """The live client did a deed of a strict replay with another body than the recorded."""


@frozen
class Difference:
    """One field in which two deeds differ; where one has no such field its value is ``None``."""

    field: str
    expected: Any
    found: Any
    is_new: bool = False
    """The recorded deed has no such field."""
    is_missing: bool = False
    """The live one has none."""

    def __str__(self) -> str:
        expected = "nothing" if self.is_new else _short(self.expected)
        found = "nothing" if self.is_missing else _short(self.found)
        return f"{self.field}: expected {expected}, found {found}"


@frozen(kw_only=True)
class Attempt:
    """What a live client did at a second of the tape, and what became of it (*outcome*)."""

    tape_seconds: float
    content: Content
    outcome: str
    body: Any = None
    is_used: bool = False
    """It was taken for a recorded deed."""

    def __str__(self) -> str:
        return f"{_cut(str(self.content))} at {self.tape_seconds:.4f} ({self.outcome})"


@frozen(kw_only=True)
class Stall:
    """The clock stands still at *tape_seconds*, since the live moment *since*, and waits.

    *deed* is what it waits for, where that is a deed. *nearest* is what the live clients did
    that comes closest, with the *differences*.
    """

    waits_for: str
    tape_seconds: float
    since: float | None = None
    deed: Deed | None = None
    nearest: Attempt | None = None
    differences: tuple[Difference, ...] = ()

    def __str__(self) -> str:
        told = f"stands still at {self.tape_seconds:.4f} and waits for {self.waits_for}"
        if self.nearest is None:
            return told
        differs = "".join(f"; {difference}" for difference in self.differences)
        return f"{told}; nearest: {self.nearest}{differs}"


@frozen(kw_only=True)
class Unasked:
    """A recorded answer that no live client has asked for.

    *what* is the question (``send logs``, ``GET /api/client/…``), *number* which of its kind.
    """

    what: str
    number: int
    tape_seconds: float

    def __str__(self) -> str:
        return f"{self.what}, answer {self.number} at {self.tape_seconds:.4f}"


# ---------------------------------------------------------------- comparing


def fields_of(content: Content, body: Any = None) -> dict[str, Any]:
    """Return a deed's fields, named as on the wire; *body* is that of a call to the panel."""
    if name := _NAMES.get(content.what):
        return {"deed": content.what, name: content.detail}
    fields = {"method": content.what, "path": content.detail}
    if isinstance(body, Mapping):
        return fields | {f"body.{key}": value for key, value in body.items()}
    return fields if body is None else fields | {"body": body}


def differences(expected: Mapping[str, Any], found: Mapping[str, Any]) -> tuple[Difference, ...]:
    """Return the fields that are not the same, those of *expected* first."""
    differ = []
    for field in dict.fromkeys([*expected, *found]):
        was, now = expected.get(field, _NOTHING), found.get(field, _NOTHING)
        if was != now:
            is_new, is_missing = was is _NOTHING, now is _NOTHING
            differ.append(
                Difference(
                    field,
                    None if is_new else was,
                    None if is_missing else now,
                    is_new=is_new,
                    is_missing=is_missing,
                )
            )
    return tuple(differ)


def nearest(deed: Deed, attempts: Iterable[Attempt]) -> Attempt | None:
    """Return the attempt that comes closest to *deed*, of equal ones the latest.

    What was taken for another deed is named only if it is the very same thing.
    """
    wanted = fields_of(deed.content, deed.call and deed.call.request)
    open_ones = [attempt for attempt in attempts if not attempt.is_used]
    if open_ones:
        return max(reversed(open_ones), key=lambda attempt: _likeness(wanted, attempt))
    same = [attempt for attempt in attempts if attempt.content == deed.content]
    return same[-1] if same else None


def _likeness(wanted: Mapping[str, Any], attempt: Attempt) -> tuple[bool, float]:
    found = fields_of(attempt.content, attempt.body)
    text, other = (
        "\n".join(str(value)[:_COMPARED] for value in fields.values()) for fields in (wanted, found)
    )
    # The same kind of thing with another value is nearer than something else that looks alike.
    return wanted.keys() == found.keys(), SequenceMatcher(None, text, other).ratio()


def still_missed(unasked: Iterable[Unasked], may_miss: Iterable[str]) -> tuple[Unasked, ...]:
    """Return those of *unasked* that no pattern in *may_miss* allows to be missing.

    A pattern (with ``*`` and ``?``) is of a question, or of a path alone.
    """
    patterns = list(may_miss)

    def is_allowed(one: Unasked) -> bool:
        names = (one.what, one.what.partition(" ")[2])
        return any(fnmatchcase(name, pattern) for pattern in patterns for name in names)

    return tuple(one for one in unasked if not is_allowed(one))


def _short(value: Any) -> str:
    return _cut(repr(value))


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"

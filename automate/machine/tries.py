"""What is done again: how a run stands with what it repeats, and with what it tries.

Plain functions on a `Run`, by the places of its program; the traces are left to `runs`.
"""

from attrs import frozen

from automate.machine.program import Program, TryEnd
from automate.machine.state import Run, Tried
from automate.recipe.flow import Try

__all__ = [
    "Leave",
    "Retry",
    "begin_try",
    "count_round",
    "end_try",
    "forget_rounds",
    "is_to_be_left",
    "notice_lateness",
]


@frozen
class Retry:
    """Once more from the first step, the *number*-th time, after a pause."""

    number: int
    pause_seconds: float


@frozen
class Leave:
    """It failed for good, for an *error*; the run *goes on* nevertheless, or does not."""

    error: str
    goes_on: bool


# ---------------------------------------------------------------- rounds


def count_round(run: Run, place: int) -> int:
    """Return how many rounds of the repetition that ends at *place* are over by now."""
    rounds = run.rounds[place] = run.rounds.get(place, 0) + 1
    return rounds


def forget_rounds(run: Run, first: int, end: int) -> None:
    """Let the repetitions from *first* up to *end* begin anew: they may have been broken off."""
    run.rounds = {place: n for place, n in run.rounds.items() if not first <= place < end}


# ---------------------------------------------------------------- tries


def begin_try(run: Run, step: Try, at: float) -> None:
    """Take in that *step* begins where *run* stands."""
    limit = step.limit_seconds
    run.tries[run.position] = Tried(
        # What set it off may have been told late, but a limit can't be over before now.
        until=None if limit is None else max(run.cursor + limit, at),
        error=run.error,
        broken_at=run.broken_at,
        needless=run.needless,
    )
    # Only what goes wrong from here on is its own.
    run.broken_at = run.needless = None


def notice_lateness(run: Run, at: float) -> bool:
    """Note which limits of what is tried are over by now; return whether one just is."""
    late = [
        tried
        for tried in run.tries.values()
        if not tried.is_late and tried.until is not None and tried.until <= at
    ]
    for tried in late:
        tried.is_late = True
    return bool(late)


def is_to_be_left(run: Run, program: Program) -> bool:
    """Return whether *run* is cut or late, and its place is none that is spared then."""
    return _is_cut(run, program) or any(
        tried.is_late and not program.tidies(run.position, since=begin)
        for begin, tried in run.tries.items()
    )


def _is_cut(run: Run, program: Program) -> bool:
    return run.cut is not None and not program.is_spared(run.position)


def end_try(run: Run, end: TryEnd, program: Program, at: float) -> Leave | Retry | None:
    """Return how it goes on at the *end* of what was tried; ``None``: it went well."""
    tried = run.tries[end.begin]
    if run.broken_at is None:
        del run.tries[end.begin]
        run.broken_at, run.needless = tried.broken_at, tried.needless
        return None
    notice_lateness(run, at)
    is_over = run.needless is not None or _is_cut(run, program)
    if is_over or is_to_be_left(run, program) or tried.retries >= end.step.retries:
        # An outer limit that is over, too, is no matter of this one's going on.
        return _leave(run, end, goes_on=end.step.go_on and not is_over)
    tried.retries += 1
    _forget_failure(run, tried)
    run.broken_at = None
    forget_rounds(run, end.begin, run.position)
    return Retry(tried.retries, end.step.pause(tried.retries))


def _leave(run: Run, end: TryEnd, *, goes_on: bool) -> Leave:
    tried = run.tries.pop(end.begin)
    error = run.error or ""
    if goes_on:
        _forget_failure(run, tried)
        run.broken_at = tried.broken_at
    if run.needless is None:
        run.needless = tried.needless
    return Leave(error, goes_on)


def _forget_failure(run: Run, tried: Tried) -> None:
    run.error, run.needless = tried.error, None
    if run.error is None:
        run.values.pop("error", None)
    else:
        run.values["error"] = run.error

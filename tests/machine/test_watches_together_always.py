"""What holds for combinators whatever happens: held against naive ones that replay all of it.

The references look at the whole history for each firing, and remember nothing.
"""

from collections.abc import Callable, Iterable
from typing import Final

from attrs import frozen
from hypothesis import given
from hypothesis import strategies as st

from automate.recipe.combinators import AllWithin, NotFollowedBy, Times, Trigger
from automate.recipe.triggers import ConsoleLine, Crashed
from tests.machine.watch_scenes import Watched, crashed, said

# Whole numbers, so that much happens at one moment, or just when a time is over.
PAUSES: Final = st.sampled_from([0, 0, 1, 1, 2, 3, 5, 8])
END: Final = 400.0


@frozen
class Line:
    """A line of the console: which of the patterns it is, said by whom."""

    at: float
    kinds: str
    who: str


A, B = ConsoleLine(r"a\w* (?P<who>.)"), ConsoleLine(r"\w*b (?P<who>.)")
LINES = st.lists(
    st.tuples(PAUSES, st.sampled_from(["a", "b", "ab", "a", "b", "c"]), st.sampled_from("xy")),
    max_size=25,
).map(lambda drawn: list(_lines(drawn)))
SECONDS = st.sampled_from([1, 3, 5, 10])
PER = st.sampled_from([None, "who"])


def _lines(drawn: Iterable[tuple[int, str, str]]) -> Iterable[Line]:
    at = 0.0
    for pause, kinds, who in drawn:
        at += pause
        yield Line(at, kinds, who)


def watch(trigger: Trigger, lines: list[Line], *, forgets: bool = False) -> Watched:
    watched = Watched(trigger, forgets=forgets)
    for line in lines:
        watched.at(line.at, said(f"{line.kinds} {line.who}"))
    return watched.waits(END)


def groups(lines: list[Line], per: str | None) -> list[list[Line]]:
    """Return the history of each group for itself."""
    if per is None:
        return [lines]
    return [[line for line in lines if line.who == who] for who in "xy"]


Fired = list[tuple[float, str]]


def in_order(fired: Fired) -> Fired:
    return sorted(fired)


def told(watched: Watched) -> Fired:
    return in_order([(moment, values["line"]) for moment, values in watched.fired])


def naive_windows(
    lines: list[Line], seconds: float, is_enough: Callable[[list[Line]], bool]
) -> Fired:
    """Return when enough came together since it did so last."""
    fired: Fired = []
    begin = 0
    for end, line in enumerate(lines):
        window = [one for one in lines[begin : end + 1] if line.at - one.at < seconds]
        if is_enough(window):
            fired.append((line.at, f"{line.kinds} {line.who}"))
            begin = end + 1
    return fired


@given(LINES, st.integers(1, 4), SECONDS, PER)
def test_so_many_times_is_as_in_a_replay_of_all(
    lines: list[Line], times: int, seconds: float, per: str | None
) -> None:
    relevant = [line for line in lines if "a" in line.kinds]
    expected = [
        fired
        for group in groups(relevant, per)
        for fired in naive_windows(group, seconds, lambda window: len(window) >= times)
    ]

    assert told(watch(Times(times, A, seconds=seconds, per=per), lines)) == in_order(expected)


@given(LINES, SECONDS, PER)
def test_all_of_them_is_as_in_a_replay_of_all(
    lines: list[Line], seconds: float, per: str | None
) -> None:
    relevant = [line for line in lines if line.kinds != "c"]
    expected = [
        fired
        for group in groups(relevant, per)
        for fired in naive_windows(
            group, seconds, lambda window: {*"ab"} <= {*"".join(one.kinds for one in window)}
        )
    ]

    assert told(watch(AllWithin(A, B, seconds=seconds, per=per), lines)) == in_order(expected)


def naive_alone(lines: list[Line], seconds: float) -> Fired:
    """Return what was not followed: one is waited for at a time, the first."""
    fired: Fired = []
    free_from = 0
    for place, line in enumerate(lines):
        if "a" not in line.kinds or place < free_from:
            continue
        over_at = line.at + seconds
        within = [
            later
            for later in range(place + 1, len(lines))
            if lines[later].at < over_at and "b" in lines[later].kinds
        ]
        if within:
            # What ends the waiting can be the next that is waited for.
            free_from = within[0]
        else:
            fired.append((over_at, f"{line.kinds} {line.who}"))
            free_from = next(
                (later for later in range(len(lines)) if lines[later].at >= over_at), len(lines)
            )
    return fired


@given(LINES, SECONDS, PER)
def test_what_is_not_followed_is_as_in_a_replay_of_all(
    lines: list[Line], seconds: float, per: str | None
) -> None:
    expected = [fired for group in groups(lines, per) for fired in naive_alone(group, seconds)]

    assert told(watch(NotFollowedBy(A, B, seconds=seconds, per=per), lines)) == in_order(expected)


@given(
    st.lists(st.tuples(PAUSES, st.sampled_from(["a", "crash"])), max_size=25),
    st.sampled_from([1, 2, 5, 10]),
)
def test_a_crash_is_followed_by_what_comes_after_it_whenever_it_is_told(
    drawn: list[tuple[int, str]], seconds: float
) -> None:
    """By the moments alone: who was told first makes no difference."""
    at, lines, crashes = 0.0, list[float](), list[float]()
    for pause, what in drawn:
        at += pause
        # Of crashes at one moment, or while one is told, the machine makes one.
        if what == "a":
            lines.append(at)
        elif not crashes or at > crashes[-1] + 1:
            crashes.append(at + 0.5)
    script = sorted(
        [
            *((moment + 1, 0, crashed(moment)) for moment in crashes),
            *((moment, 1, said("a x")) for moment in lines),
        ],
        key=lambda one: one[:2],
    )
    watched = Watched(NotFollowedBy(Crashed(), A, seconds=seconds))
    for moment, _, what_happens in script:
        watched.at(moment, what_happens)

    expected, free_from = [], 0.0
    for moment in crashes:
        # It is told a second later, and by then the one before may be over.
        if moment + 1 < free_from:
            continue
        within = [line for line in lines if moment < line < moment + seconds]
        if within:
            free_from = min(within)
        else:
            expected.append(moment + seconds)
            free_from = moment + seconds
    assert watched.waits(END).moments == expected


@given(LINES, PER, SECONDS)
def test_groups_that_are_written_down_and_read_again_are_the_same(
    lines: list[Line], per: str | None, seconds: float
) -> None:
    for trigger in (
        Times(2, A, seconds=seconds, per=per),
        AllWithin(A, B, seconds=seconds, per=per),
        NotFollowedBy(A, B, seconds=seconds, per=per),
    ):
        plain, forgetful = watch(trigger, lines), watch(trigger, lines, forgets=True)
        assert (plain.told, plain.state) == (forgetful.told, forgetful.state)

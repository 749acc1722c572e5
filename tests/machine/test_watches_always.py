"""What holds for watches whatever happens: held against naive ones that replay all of it.

The references look at the whole history for each firing, and remember nothing.
"""

from collections.abc import Callable
from typing import Final

from attrs import frozen
from hypothesis import given
from hypothesis import strategies as st

from automate.machine import occurrence as o
from automate.recipe.combinators import AllWithin, AnyOf, NotFollowedBy, Times, Trigger
from automate.recipe.triggers import (
    ConsoleLine,
    Disconnected,
    ReadingAbove,
    ReadingBelow,
    Silent,
    StatusChanged,
    Stuck,
)
from automate.wire.messages import PowerState
from tests.machine.watch_scenes import Watched, became, found, said, uses

# Whole numbers, so that much happens at one moment, or just when a time is over.
PAUSES: Final = st.sampled_from([0, 0, 1, 1, 2, 3, 5, 8])
END: Final = 400.0
SECONDS = st.sampled_from([1, 3, 5, 10])

# ---------------------------------------------------------------- what has to last


@frozen
class Seen:
    """What was seen at a moment: a status, a number, a line, the connection."""

    at: float
    what: o.Occurrence


def _server(drawn: list[tuple[int, str, int]]) -> list[Seen]:
    """Return a history as a server can have it: a gap is followed by what is found."""
    history = [Seen(0.0, o.Linked()), Seen(0.0, found("offline"))]
    at, status, linked = 0.0, "offline", True
    for pause, kind, number in drawn:
        at += pause
        to = list(PowerState)[number % 4].value
        match kind:
            case "gap" if linked:
                linked = False
                history.append(Seen(at, o.Unlinked()))
            case "gap":
                linked = True
                history += [Seen(at, o.Linked()), Seen(at, found(to, status))]
                status = to
            case "same" if not linked:
                linked = True
                history += [Seen(at, o.Linked()), Seen(at, found(status, status))]
            case "status" if linked and to != status:
                history.append(Seen(at, became(status, to)))
                status = to
            case "line" if linked:
                history.append(Seen(at, said("x")))
            case "number" if linked:
                history.append(Seen(at, uses(cpu_percent=number, state=status)))
    return history


HISTORIES = st.lists(
    st.tuples(
        PAUSES,
        st.sampled_from(["status", "status", "number", "number", "number", "line", "gap", "same"]),
        st.integers(0, 7),
    ),
    max_size=40,
).map(_server)


def play(trigger: Trigger, history: list[Seen], *, forgets: bool = False) -> Watched:
    return shown(Watched(trigger, forgets=forgets), history).waits(END)


def shown(watched: Watched, history: list[Seen]) -> Watched:
    for one in history:
        watched.at(one.at, one.what)
    return watched


Since = Callable[[list[Seen]], tuple[float, float] | None]


def replayed(history: list[Seen], seconds: float, since: Since) -> list[float]:
    """Return each moment at which something has lasted for *seconds*, by replaying all before.

    *since* tells, by what was seen, what it is that lasts (which is told once), and since when.
    """
    fired: dict[float, float] = {}
    moments = sorted({one.at for one in history} | {one.at + seconds for one in history})
    for moment in moments:
        # First as it is when the moment comes; then after each thing that happens in it.
        before = [one for one in history if one.at < moment]
        within = [one for one in history if one.at == moment]
        for count in range(len(within) + 1):
            seen = [*before, *within[:count]]
            # A history begins with the connection, and with the status that is found.
            lasting = since(seen) if len(seen) >= 2 else None
            if lasting is not None and moment - lasting[1] >= seconds:
                fired.setdefault(lasting[0], moment)
    return sorted(fired.values())


def is_blind(seen: list[Seen]) -> bool:
    """Whether the last that is known of the connection is that nothing is seen."""
    signs = [one.what for one in seen if isinstance(one.what, o.Unlinked | o.Found)]
    return isinstance(signs[-1], o.Unlinked)


def statuses(seen: list[Seen]) -> list[tuple[float, o.Changed | o.Found]]:
    return [(one.at, one.what) for one in seen if isinstance(one.what, o.Changed | o.Found)]


def naive_status(to: list[str]) -> Since:
    def since(seen: list[Seen]) -> tuple[float, float] | None:
        run: list[tuple[float, o.Changed | o.Found]] = []
        for at, what in reversed(statuses(seen)):
            if what.to not in to:
                break
            run.insert(0, (at, what))
        # It became so where a change was seen, not where it was found so.
        while run and isinstance(run[0][1], o.Found):
            run.pop(0)
        if not run or is_blind(seen):
            return None
        found_at = [at for at, what in run if isinstance(what, o.Found)]
        return run[0][0], max([run[0][0], *found_at])

    return since


@given(HISTORIES, SECONDS, st.sampled_from([["running"], ["offline", "starting"]]))
def test_a_status_that_lasts_is_as_in_a_replay_of_all(
    history: list[Seen], seconds: float, to: list[str]
) -> None:
    watched = play(StatusChanged(to=to, for_seconds=seconds), history)

    assert watched.moments == replayed(history, seconds, naive_status(to))


def naive_stuck(seen: list[Seen]) -> tuple[float, float] | None:
    known = statuses(seen)
    if known[-1][1].to not in ("starting", "stopping") or is_blind(seen):
        return None
    same = known[-1][0]
    for at, what in reversed(known):
        if what.to is not known[-1][1].to:
            break
        same = at
    return same, same


@given(HISTORIES, SECONDS)
def test_a_server_is_stuck_as_in_a_replay_of_all(history: list[Seen], seconds: float) -> None:
    watched = play(Stuck(for_seconds=seconds), history)

    assert watched.moments == replayed(history, seconds, naive_stuck)


def naive_silence(seen: list[Seen]) -> tuple[float, float] | None:
    at, what = statuses(seen)[-1]
    if what.to != "running" or is_blind(seen):
        return None
    begun = max([at, *(one.at for one in seen if isinstance(one.what, o.Said))])
    return begun, begun


@given(HISTORIES, SECONDS)
def test_a_server_is_silent_as_in_a_replay_of_all(history: list[Seen], seconds: float) -> None:
    watched = play(Silent(for_seconds=seconds), history)

    assert watched.moments == replayed(history, seconds, naive_silence)
    assert watched.told_at == watched.moments


def naive_gap(seen: list[Seen]) -> tuple[float, float] | None:
    links = [one for one in seen if isinstance(one.what, o.Linked | o.Unlinked)]
    at = links[-1].at
    return (at, at) if isinstance(links[-1].what, o.Unlinked) else None


@given(HISTORIES, SECONDS)
def test_a_gap_lasts_as_in_a_replay_of_all(history: list[Seen], seconds: float) -> None:
    watched = play(Disconnected(for_seconds=seconds), history)

    assert watched.moments == replayed(history, seconds, naive_gap)


def naive_reading(trigger: ReadingAbove | ReadingBelow) -> Since:
    """Return since when a number is beyond; what lasts is named by what armed it last."""
    sign = 1 if isinstance(trigger, ReadingAbove) else -1
    rearm_at = trigger.level.number if trigger.rearm_at is None else trigger.rearm_at

    def is_beyond(one: Seen) -> bool | None:
        match one.what:
            case o.Reported(stats=stats):
                assert stats.cpu_percent is not None
                number = sign * stats.cpu_percent
                return stats.state != "offline" and number >= sign * trigger.level.number
            case o.Unlinked() | o.Changed(to="offline") | o.Found(to="offline"):
                return False
            case _:
                return None

    def arms(one: Seen) -> bool:
        if not isinstance(one.what, o.Reported):
            return False
        stats = one.what.stats
        assert stats.cpu_percent is not None
        return sign * stats.cpu_percent < sign * rearm_at and not is_beyond(one)

    def since(seen: list[Seen]) -> tuple[float, float] | None:
        run: list[Seen] = []
        for one in reversed(seen):
            beyond = is_beyond(one)
            if beyond is False:
                break
            if beyond:
                run.append(one)
        armed_by = max((place for place, one in enumerate(seen) if arms(one)), default=-1)
        return (armed_by, run[-1].at) if run else None

    return since


@given(
    HISTORIES,
    st.sampled_from([0, 1, 3, 5]),
    st.sampled_from([None, 2]),
    st.sampled_from([ReadingAbove, ReadingBelow]),
)
def test_a_reading_is_told_and_armed_as_in_a_replay_of_all(
    history: list[Seen],
    seconds: float,
    distance: float | None,
    kind: type[ReadingAbove] | type[ReadingBelow],
) -> None:
    away = -1 if kind is ReadingAbove else 1
    rearm_at = None if distance is None else 4 + away * distance
    trigger = kind("cpu_percent", number=4, for_seconds=seconds, rearm_at=rearm_at)

    assert play(trigger, history).moments == replayed(history, seconds, naive_reading(trigger))


# ---------------------------------------------------------------- written down

STATUS = StatusChanged(to=["offline", "stopping"], for_seconds=3)
HIGH = ReadingAbove("cpu_percent", number=4, rearm_at=2, for_seconds=2)
TRIGGERS: Final[list[Trigger]] = [
    STATUS,
    Stuck(for_seconds=3),
    Silent(for_seconds=3),
    Disconnected(for_seconds=3),
    HIGH,
    Times(2, AnyOf(STATUS, HIGH, ConsoleLine("x")), seconds=8),
    AllWithin(ConsoleLine("x"), AnyOf(HIGH, Disconnected(for_seconds=2)), seconds=8),
    NotFollowedBy(STATUS, AnyOf(ConsoleLine("x"), StatusChanged(to="running")), seconds=4),
    NotFollowedBy(NotFollowedBy(ConsoleLine("x"), HIGH, seconds=2), STATUS, seconds=3),
]


@given(HISTORIES, st.sampled_from(TRIGGERS))
def test_a_watch_that_is_written_down_and_read_again_at_every_step_is_the_same(
    history: list[Seen], trigger: Trigger
) -> None:
    plain, forgetful = play(trigger, history), play(trigger, history, forgets=True)

    assert (plain.told, plain.state) == (forgetful.told, forgetful.state)


@given(
    HISTORIES,
    st.sampled_from(
        [
            STATUS,
            Stuck(for_seconds=3),
            Times(2, Stuck(for_seconds=1), seconds=8),
            NotFollowedBy(STATUS, StatusChanged(to="running"), seconds=4),
        ]
    ),
    st.integers(0, 30),
)
def test_an_automate_that_is_back_at_once_misses_nothing(
    history: list[Seen], trigger: Trigger, place: int
) -> None:
    """The first sight of the server confirms what held."""
    place = min(place, len(history))
    before, after = history[:place], history[place:]
    known = statuses(before)
    if not known or is_blind(before):
        return
    now, status = before[-1].at, known[-1][1].to

    interrupted = shown(Watched(trigger), before).sleeps(now)
    shown(interrupted.at(now, o.Linked(), o.Found(status, status)), after)

    assert interrupted.waits(END).told == play(trigger, history).told

"""Conditions: whether they hold, and what was found, in words."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from automate.machine.holding import Verdict, judge
from automate.machine.view import View
from automate.recipe.conditions import (
    And,
    Between,
    Condition,
    Not,
    NotRunFor,
    OnDays,
    Or,
    PlayersOnline,
    ReadingIs,
    ServerIs,
    VariableIs,
)
from automate.recipe.selectors import ServerFacts
from automate.wire.messages import PowerState, Stats
from tests.machine.watch_scenes import UNSEEN

GIB = 1024**3
# A Tuesday.
NOON = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
RUNS: Mapping[str | None, float] = {None: 90.5, "nightly": 7300.0}
VIEW = evolve(
    UNSEEN,
    status=PowerState.RUNNING,
    connected=True,
    facts=ServerFacts(name="arena", disk_limit_bytes=10 * GIB),
    stats=Stats(
        memory_bytes=3 * GIB, memory_limit_bytes=4 * GIB, disk_bytes=GIB, cpu_percent=12.34
    ),
    players=frozenset({"Bob", "Anne"}),
    online=2,
    variables={"streak": "3"},
    now=NOON,
    last_run=RUNS.get,
)


@pytest.mark.parametrize(
    ("condition", "holds", "words"),
    [
        (ServerIs("running"), True, "the server is running: yes, it is running"),
        (
            ServerIs("starting", "offline"),
            False,
            "the server is starting or offline: no, it is running",
        ),
        (
            ReadingIs("memory_bytes", at_least_percent=75),
            True,
            "memory_bytes is at least 75 % of its limit: yes, it is 75 %",
        ),
        (
            ReadingIs("disk_bytes", at_most_percent=9.5),
            False,
            "disk_bytes is at most 9.5 % of its limit: no, it is 10 %",
        ),
        (
            ReadingIs("cpu_percent", at_most=12.34),
            True,
            "cpu_percent is at most 12.34: yes, it is 12.3",
        ),
        (
            ReadingIs("memory_bytes", at_least=4 * GIB),
            False,
            "memory_bytes is at least 4 GiB: no, it is 3221225472",
        ),
        (
            ReadingIs("cpu_percent", at_least_percent=1),
            None,
            "cpu_percent is at least 1 % of its limit: not known, it has no limit",
        ),
        (
            ReadingIs("uptime_seconds", at_least=1),
            None,
            "uptime_seconds is at least 1: not known, the statistics do not have it",
        ),
        (PlayersOnline(at_most=0), False, "nobody is online: no, 2 are online"),
        (PlayersOnline(at_most=2), True, "at most 2 players are online: yes, 2 are online"),
        (PlayersOnline(at_least=2), True, "at least 2 players are online: yes, 2 are online"),
        (
            PlayersOnline(at_least=3, at_most=9),
            False,
            "3 to 9 players are online: no, 2 are online",
        ),
        (VariableIs("streak", "3"), True, "the variable streak is '3': yes, it is '3'"),
        (VariableIs("never_set", ""), True, "the variable never_set is '': yes, it is ''"),
        (VariableIs("streak", "4"), False, "the variable streak is '4': no, it is '3'"),
        (NotRunFor(60), True, "it has not run for 60 s: yes, it ran 90 s ago"),
        (NotRunFor(90.5), True, "it has not run for 90.5 s: yes, it ran 90 s ago"),
        (NotRunFor(91), False, "it has not run for 91 s: no, it ran 90 s ago"),
        (
            NotRunFor(7200, recipe="nightly"),
            True,
            "'nightly' has not run for 2 h: yes, it ran 2 h 1 min 40 s ago",
        ),
        (NotRunFor(60, recipe="weekly"), True, "'weekly' has not run for 60 s: yes, it never ran"),
        (OnDays("tue", "wed"), True, "it is Tue or Wed (UTC): yes, it is Tue"),
        (
            OnDays("tue", zone="Pacific/Auckland"),
            False,
            "it is Tue (Pacific/Auckland): no, it is Wed",
        ),
    ],
    ids=lambda value: str(value) if not isinstance(value, str) else "",
)
def test_a_condition_is_judged_by_what_is_seen_and_says_what_that_is(
    condition: Condition, holds: bool | None, words: str
) -> None:
    assert judge(condition, VIEW) == Verdict(holds, words, words.rpartition(", ")[2])


@pytest.mark.parametrize(
    ("condition", "words"),
    [
        (ServerIs("running"), "the server is running: not known, its status was not seen yet"),
        (
            ReadingIs("cpu_percent", at_most=5),
            "cpu_percent is at most 5: not known, no statistics came yet",
        ),
        (PlayersOnline(at_most=0), "nobody is online: not known, nobody counted them"),
    ],
    ids=str,
)
def test_what_nobody_saw_neither_holds_nor_does_its_contrary(
    condition: Condition, words: str
) -> None:
    found = words.rpartition(", ")[2]

    assert judge(condition, UNSEEN) == Verdict(None, words, found)
    assert judge(Not(condition), UNSEEN) == Verdict(None, f"not ({words})", found)


@pytest.mark.parametrize(
    ("start", "end", "held"),
    [
        ("12:00", "12:01", ["12:00:00", "12:00:59"]),
        ("11:00", "12:00", ["11:00:00", "11:30:00"]),
        ("22:00", "06:00", ["00:00:00", "05:59:59", "22:00:00"]),
    ],
)
def test_a_time_window_holds_from_its_start_up_to_its_end(
    start: str, end: str, held: list[str]
) -> None:
    times = "00:00:00 05:59:59 06:00:00 11:00:00 11:30:00 12:00:00 12:00:59 12:01:00 22:00:00"
    found = [
        time
        for time in times.split()
        if judge(
            Between(start, end),
            evolve(VIEW, now=datetime.fromisoformat(f"2026-11-24T{time}+00:00")),
        ).holds
    ]

    assert found == held


def test_a_time_window_is_in_its_zone() -> None:
    verdict = judge(Between("13:00", "14:00", zone="Europe/Berlin"), VIEW)

    assert (verdict.holds, verdict.words) == (
        True,
        "it is between 13:00 and 14:00 Europe/Berlin: yes, it is 13:00",
    )


def test_conditions_of_conditions_show_each_part() -> None:
    calm = And(PlayersOnline(at_most=0), Or(ServerIs("offline"), Not(VariableIs("streak", "3"))))
    verdict = judge(calm, VIEW)

    assert (verdict.holds, verdict.words) == (
        False,
        "(nobody is online: no, 2 are online) and "
        "((the server is offline: no, it is running) or "
        "(not (the variable streak is '3': yes, it is '3')))",
    )
    assert verdict.found == verdict.words


def test_long_values_are_shown_short() -> None:
    found = judge(VariableIs("streak", "3"), evolve(VIEW, variables={"streak": "x\n" * 999}))

    assert found.holds is False
    assert len(found.words) < 150
    assert found.words.isprintable()


# ---------------------------------------------------------------- always

UNKNOWN = PlayersOnline(at_least=1)
SINGLE = [ServerIs("running"), ServerIs("offline"), UNKNOWN]


def _combined(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    pairs = st.lists(inner, min_size=2, max_size=3)
    return st.one_of(
        pairs.map(lambda several: And(*several)),
        pairs.map(lambda several: Or(*several)),
        inner.map(Not),
    )


CONDITIONS = st.recursive(st.sampled_from(SINGLE), _combined, max_leaves=8)


def with_online(online: int | None) -> View:
    return evolve(VIEW, online=online)


@given(CONDITIONS)
def test_what_is_decided_without_knowing_would_be_decided_so_by_whoever_knew(
    condition: Condition,
) -> None:
    unknown = judge(condition, with_online(None)).holds
    known = {judge(condition, with_online(online)).holds for online in (0, 1)}

    assert None not in known
    assert unknown is None or known == {unknown}


@given(st.lists(CONDITIONS, min_size=2, max_size=3))
def test_the_contrary_of_all_is_the_contrary_of_any(several: list[Condition]) -> None:
    view = with_online(None)
    contraries = [Not(one) for one in several]

    assert judge(Not(And(*several)), view).holds is judge(Or(*contraries), view).holds
    assert judge(Not(Or(*several)), view).holds is judge(And(*contraries), view).holds
    assert judge(Not(contraries[0]), view).holds is judge(several[0], view).holds

"""Combinators as they are watched: what comes together, so many times, or alone."""

import pytest

from automate.machine import occurrence as o
from automate.machine.watch_groups import GROUPS_KEPT
from automate.recipe.combinators import AllWithin, AnyOf, NotFollowedBy, Times, Trigger
from automate.recipe.triggers import (
    Chat,
    Connected,
    ConsoleLine,
    Crashed,
    Disconnected,
    FoundOffline,
    PlayerJoined,
    RecipeEnded,
    Silent,
    StatusChanged,
    Stuck,
)
from tests.machine.watch_scenes import (
    Watched,
    became,
    chatted,
    crashed,
    found,
    joined,
    said,
)

A, B = ConsoleLine(r"a(?P<who>\w*)"), ConsoleLine(r"b(?P<who>\w*)")


def hears(trigger: Trigger, *lines: tuple[float, str]) -> Watched:
    """Return how *trigger* watched a console, and an hour of silence after it."""
    watched = Watched(trigger)
    for at, line in lines:
        watched.at(at, said(line))
    return watched.waits(3600)


# ---------------------------------------------------------------- any of them


def test_any_of_them_is_told_once_by_the_first_that_means_it() -> None:
    either = AnyOf(ConsoleLine("(?P<first>x)"), ConsoleLine("(?P<second>y)"))

    assert hears(either, (1, "y"), (2, "xy"), (3, "z")).fired == [
        (1, {"line": "y", "second": "y"}),
        (2, {"line": "xy", "first": "x"}),
    ]


def test_moments_that_come_together_are_not_one() -> None:
    either = AnyOf(NotFollowedBy(A, B, seconds=5, per="who"), ConsoleLine("x"))
    watched = hears(either, (1, "anne"), (1, "adam"))

    assert [(moment, values["who"]) for moment, values in watched.fired] == [
        (6, "nne"),
        (6, "dam"),
    ]


# ---------------------------------------------------------------- so many times


def test_it_counts_within_the_time_and_then_anew() -> None:
    often = Times(3, A, seconds=10)

    assert hears(often, (0, "a"), (4, "a"), (9, "a"), (9, "a"), (9.5, "a")).moments == [9]
    assert hears(often, (0, "a"), (5, "a"), (10, "a"), (14.9, "a")).moments == [14.9]
    assert hears(often, (0, "a"), (5, "b"), (9, "a")).moments == []
    assert hears(Times(1, A, seconds=10), (0, "a"), (1, "a")).moments == [0, 1]


def test_each_value_counts_for_itself() -> None:
    each = Times(2, A, seconds=10, per="who")
    watched = hears(each, (0, "anne"), (1, "adam"), (2, "a"), (3, "adam"), (9, "anne"), (10, "a"))

    assert watched.fired == [
        (3, {"line": "adam", "who": "dam"}),
        (9, {"line": "anne", "who": "nne"}),
        (10, {"line": "a", "who": ""}),
    ]


def test_texts_get_what_was_said_last_within_the_time() -> None:
    either = AnyOf(ConsoleLine("(?P<first>x.*)"), ConsoleLine("(?P<second>y.*)"))
    twice = Times(2, either, seconds=10)

    assert hears(twice, (0, "x1"), (5, "y1")).fired == [
        (5, {"line": "y1", "first": "x1", "second": "y1"})
    ]
    assert hears(twice, (0, "x1"), (10, "y1"), (10, "y2")).fired == [
        (10, {"line": "y2", "second": "y2"})
    ]


def test_a_crash_counts_from_its_moment_although_it_is_told_later() -> None:
    twice = Times(2, AnyOf(Crashed(), A), seconds=5)
    watched = Watched(twice).at(5.5, said("anne")).at(6, crashed(5.0)).waits(60)

    assert [(at, one.moment, one.values["who"]) for at, one in watched.told] == [(6, 5.5, "nne")]
    late = Watched(Times(2, AnyOf(Crashed(), A), seconds=0.5))
    assert late.at(5.5, said("a")).at(6, crashed(5.0)).at(6.1, said("a")).fired == []


# ---------------------------------------------------------------- all of them


def test_all_of_them_in_any_order_within_the_time() -> None:
    both = AllWithin(A, B, seconds=10)

    assert hears(both, (0, "a1"), (5, "b2")).fired == [(5, {"line": "b2", "who": "2"})]
    assert hears(both, (0, "b"), (5, "a"), (6, "a"), (7, "b")).moments == [5, 7]
    assert hears(both, (0, "a"), (10, "b"), (19, "a"), (19, "b")).moments == [19]
    assert hears(both, (0, "ab")).moments == [0]
    assert hears(both, (0, "a"), (5, "a")).moments == []


def test_all_of_them_for_the_same_value() -> None:
    both = AllWithin(PlayerJoined(), Chat("!start"), seconds=60, per="player")
    watched = (
        Watched(both)
        .at(0, joined("Anne"))
        .at(1, chatted("Bob", "!start"))
        .at(2, joined("Bob"))
        .at(61, chatted("Anne", "!start"))
    )

    assert watched.fired == [(2, {"player": "Bob", "text": "!start"})]


def test_the_last_of_each_counts() -> None:
    both = AllWithin(A, B, seconds=10)

    assert hears(both, (0, "a1"), (9, "a2"), (12, "b")).moments == [12]


# ---------------------------------------------------------------- one without another

ALONE = NotFollowedBy(A, B, seconds=10)


def test_what_is_not_followed_is_told_when_the_time_is_over() -> None:
    assert hears(ALONE, (0, "a1"), (20, "a2"), (29.9, "b")).fired == [
        (10, {"line": "a1", "who": "1"})
    ]
    assert hears(ALONE, (0, "a"), (10, "b")).told_at == [10]
    assert hears(ALONE, (0, "b"), (5, "x")).moments == []


def test_while_one_is_waited_for_another_changes_nothing() -> None:
    assert hears(ALONE, (0, "a1"), (5, "a2")).fired == [(10, {"line": "a1", "who": "1"})]
    assert hears(ALONE, (0, "a1"), (5, "a2"), (6, "b"), (7, "a3")).moments == [17]


def test_nothing_is_written_down_for_what_changes_nothing() -> None:
    assert hears(ALONE, (0, "b"), (5, "x"), (6, "b")).written == 0
    assert hears(ALONE, (0, "a"), (5, "a"), (6, "x")).written == 1


def test_what_is_both_does_not_follow_itself() -> None:
    assert hears(ALONE, (0, "ab")).moments == [10]
    assert hears(ALONE, (0, "a"), (5, "ab")).moments == [15]


def test_only_the_same_value_follows() -> None:
    each = NotFollowedBy(A, B, seconds=10, per="who")
    watched = hears(each, (0, "a1"), (1, "a2"), (2, "a3"), (3, "b2"), (4, "b4"))

    assert [(moment, values["who"]) for moment, values in watched.fired] == [(10, "1"), (12, "3")]


BACK = NotFollowedBy(Crashed(), StatusChanged(to="starting"), seconds=60)


def test_a_crash_that_was_answered_before_it_was_told_is_followed() -> None:
    """The daemon starts the server again at once; the crash is told a second after it."""
    restarted = (
        Watched(BACK).at(5, became("running", "offline")).at(5.02, became("offline", "starting"))
    )
    given_up = (
        Watched(BACK).at(1, became("offline", "starting")).at(5, became("running", "offline"))
    )

    assert restarted.at(6, crashed(5)).waits(500).moments == []
    assert given_up.at(6, crashed(5)).waits(500).moments == [65]
    at_once = Watched(BACK).at(5, became("running", "offline"), became("offline", "starting"))
    assert at_once.at(6, crashed(5)).waits(500).moments == []


def test_a_crash_that_follows_may_be_told_after_the_time_is_over() -> None:
    survives = NotFollowedBy(A, Crashed(), seconds=10)

    assert Watched(survives).at(0, said("a")).at(10.5, crashed(9.5)).waits(60).fired == []
    survived = Watched(survives).at(0, said("a")).waits(60)
    assert (survived.moments, survived.told_at) == ([10], [11])
    before = Watched(survives).at(5.5, said("a")).at(6, crashed(5)).waits(60)
    assert before.moments == [15.5]


def test_what_lasts_just_until_the_time_is_over_is_too_late() -> None:
    either = NotFollowedBy(A, Stuck(for_seconds=10), seconds=10)

    assert Watched(either).at(0, found("starting"), said("a")).waits(60).moments == [10]


def test_each_is_told_in_its_time_although_it_began_out_of_order() -> None:
    crash_or_line = NotFollowedBy(AnyOf(Crashed(), A), B, seconds=10, per="who")
    watched = Watched(crash_or_line).at(5.5, said("a1")).at(6, crashed(5)).waits(60)
    assert watched.told_at == [15, 15.5]

    alone = NotFollowedBy(A, B, seconds=10, per="who")
    nested = NotFollowedBy(AnyOf(ConsoleLine("c(?P<who>.)"), alone), B, seconds=20, per="who")
    watched = Watched(nested).at(0, said("a1")).at(5, o.Unlinked()).waits(100)
    watched.at(100, o.Linked(), said("c2"), found("running")).waits(500)
    assert (watched.moments, watched.told_at) == ([30, 120], [100, 120])


def test_a_change_in_a_gap_counts_only_as_what_follows() -> None:
    down = StatusChanged(to="offline")
    gap = found("offline", was="running")

    assert Watched(NotFollowedBy(down, B, seconds=10)).at(1, gap).waits(60).fired == []
    both = AllWithin(FoundOffline(), down, seconds=10)
    assert Watched(both).at(1, gap).fired == []
    assert Watched(both, awaited=True).at(1, gap).moments == [1]


def test_a_crash_whose_time_was_over_before_it_was_told_is_told_at_once() -> None:
    quick = NotFollowedBy(Crashed(), B, seconds=0.5)
    watched = Watched(quick).at(6, crashed(5))

    assert (watched.moments, watched.told_at) == ([5.5], [6])


@pytest.mark.parametrize(
    ("status", "told"), [("offline", [(65, 100)]), ("starting", []), ("running", [(65, 100)])]
)
def test_what_is_over_in_a_gap_waits_for_what_is_found_after_it(
    status: str, told: list[tuple[float, float]]
) -> None:
    watched = Watched(BACK).at(6, became("running", "offline"), crashed(5))
    watched.at(10, o.Unlinked()).waits(100)
    assert (watched.fired, watched.wants) == ([], None)

    watched.at(100, o.Linked()).at(100, found(status, was="offline")).waits(500)
    assert [(one.moment, at) for at, one in watched.told] == told


def test_what_is_over_while_automate_is_down_waits_too() -> None:
    watched = Watched(BACK).at(6, crashed(5)).sleeps(100).waits(200)
    assert (watched.fired, watched.wants) == ([], None)

    watched.at(200, o.Linked(), found("offline", was="offline")).waits(300)
    assert (watched.moments, watched.told_at) == ([65], [200])


def test_what_automate_does_itself_is_never_missed() -> None:
    lost = NotFollowedBy(Disconnected(for_seconds=0), Connected(), seconds=60)
    verified = NotFollowedBy(RecipeEnded("a"), RecipeEnded("b"), seconds=60)

    assert Watched(lost).at(0, o.Linked()).at(5, o.Unlinked()).waits(500).moments == [65]
    watched = Watched(verified).at(5, o.RunEnded("a", "done")).at(10, o.Unlinked()).waits(500)
    assert watched.moments == [65]


# ---------------------------------------------------------------- within each other


def test_combinators_are_made_of_combinators() -> None:
    hangs = AllWithin(
        AnyOf(Silent(for_seconds=60), Stuck(for_seconds=30)),
        Times(2, NotFollowedBy(ConsoleLine("ping"), ConsoleLine("pong"), seconds=5), seconds=30),
        seconds=120,
    )
    watched = (
        Watched(hangs)
        .at(0, found("running"))
        .at(10, said("ping"))
        .at(20, said("ping"))
        .at(22, said("pong"))
        .at(25, said("ping"))
        .waits(500)
    )

    assert watched.fired == [(85, {"line": "ping"})]


def test_what_has_to_last_within_a_combinator_is_lost_and_found_like_alone() -> None:
    either = AnyOf(Stuck(for_seconds=60), FoundOffline())
    watched = Watched(either).at(0, found("starting")).sleeps(30).waits(100)
    assert watched.fired == []

    assert watched.at(100, found("starting", was="starting")).moments == [100]


# ---------------------------------------------------------------- bounds


@pytest.mark.parametrize(
    "trigger",
    [
        Times(2, PlayerJoined(), seconds=1e6, per="player"),
        AllWithin(PlayerJoined(), ConsoleLine("^x(?P<player>)"), seconds=1e6, per="player"),
        NotFollowedBy(PlayerJoined(), ConsoleLine("(?P<player>x)"), seconds=1e6, per="player"),
        NotFollowedBy(
            AnyOf(Crashed(), ConsoleLine("never (?P<player>x)")),
            PlayerJoined(),
            seconds=1e6,
            per="player",
        ),
    ],
    ids=str,
)
def test_a_flood_of_made_up_names_does_not_fill_the_memory(trigger: Trigger) -> None:
    watched = Watched(trigger)
    feeds = GROUPS_KEPT + 50
    for number in range(feeds):
        watched.flooded(number / 1e5, joined(f"player {number} {'x' * 600}"))

    kept = watched.state.groups or watched.state.followed
    assert len(kept) == GROUPS_KEPT
    assert list(kept)[-1] == f"player {feeds - 1} {'x' * 600}"[:500]


def test_groups_that_can_come_to_nothing_are_forgotten() -> None:
    each = Times(2, PlayerJoined(), seconds=10, per="player")
    watched = Watched(each)
    for at in range(100):
        watched.at(at, joined(f"player {at}"))

    assert 10 <= len(watched.state.groups) <= 12


def test_what_waits_is_kept_as_short_as_texts_show_it() -> None:
    watched = hears(Times(2, ConsoleLine("(?P<long>x+)"), seconds=5), (0, "x" * 9999), (1, "x" * 9))
    waiting = Watched(NotFollowedBy(ConsoleLine("x+"), B, seconds=5)).at(0, said("x" * 9999))

    assert watched.fired == [(1, {"line": "x" * 9, "long": "x" * 9})]
    assert waiting.waits(60).fired == [(5, {"line": "x" * 500})]

"""Triggers as they are watched: what happens in a moment, and what has to last."""

import pytest

from automate.machine import occurrence as o
from automate.machine.watches import feed, interests, new_watch, next_at
from automate.recipe import triggers as t
from automate.recipe.combinators import AllWithin, NotFollowedBy, Times, Trigger
from tests.machine.watch_scenes import (
    UNSEEN,
    Watched,
    became,
    chatted,
    crashed,
    found,
    joined,
    left,
    ready,
    said,
    saved,
    seen,
    uses,
)

# ---------------------------------------------------------------- in a moment

EVERYTHING: list[o.Occurrence] = [
    o.Linked(),
    found("offline", was="running"),
    became("offline", "starting"),
    became("starting", "running"),
    said("Hello"),
    joined("Bob"),
    left("Bob"),
    chatted("Bob", "Let's GO home"),
    ready(),
    saved(),
    uses(memory_bytes=3),
    o.BackupEnded("b1", True),
    o.BackupEnded("b2", False),
    o.LockConflict(),
    o.Installed(),
    o.Restored(),
    o.Transferred(),
    o.FeatureSeen("eula", "You need to agree"),
    o.Throttled("send command"),
    o.ErrorReported("no space left on device sda"),
    o.RunEnded("nightly", "failed", "the disk is full"),
    o.RunEnded("nightly", "done"),
    became("running", "offline"),
    crashed(22.0, exit_code=137, out_of_memory=True, gave_up=True),
    o.Unlinked(),
    o.Deleted(),
]


@pytest.mark.parametrize(
    ("trigger", "fired"),
    [
        (t.Connected(), [(0, {})]),
        (t.FoundOffline(), [(1, {"reason": "was found offline after a lost connection"})]),
        (t.StatusChanged(to="running"), [(3, {"status": "running"})]),
        (t.StatusChanged(to=["running", "starting"], was="offline"), [(2, {"status": "starting"})]),
        (t.ConsoleLine("^(?P<word>H.*)$"), [(4, {"line": "Hello", "word": "Hello"})]),
        (t.ConsoleLine("^H(?P<x>x)?"), [(4, {"line": "Hello", "x": ""})]),
        (t.PlayerJoined(), [(5, {"player": "Bob"})]),
        (t.PlayerLeft(), [(6, {"player": "Bob"})]),
        (
            t.Chat("go (?P<where>.*)"),
            [(7, {"player": "Bob", "text": "Let's GO home", "where": "home"})],
        ),
        (t.Chat(), [(7, {"player": "Bob", "text": "Let's GO home"})]),
        (t.Chat("Bob"), []),
        (
            t.Chat("(?P<player>Let)"),
            [(7, {"player": "Bob", "text": "Let's GO home"})],
        ),
        (t.GameReady(), [(8, {})]),
        (t.GameSaved(), [(9, {})]),
        (t.BackupCompleted(), [(11, {})]),
        (t.BackupFailed(), [(12, {})]),
        (t.Installed(), [(14, {})]),
        (t.Restored(), [(15, {})]),
        (t.Transferred(), [(16, {})]),
        (t.FeatureMatched(), [(17, {"feature": "eula", "line": "You need to agree"})]),
        (t.FeatureMatched(feature="java"), []),
        (t.Throttled(), [(18, {"what": "send command"})]),
        (
            t.DaemonError("space .* (?P<disk>sd.)"),
            [(19, {"error_text": "no space left on device sda", "disk": "sda"})],
        ),
        (t.DaemonError("memory"), []),
        (
            t.RecipeEnded("nightly"),
            [
                (20, {"outcome": "failed", "error": "the disk is full"}),
                (21, {"outcome": "done", "error": ""}),
            ],
        ),
        (t.RecipeEnded("nightly", outcome="done"), [(21, {"outcome": "done", "error": ""})]),
        (t.RecipeEnded("weekly"), []),
        (t.Deleted(), [(25, {})]),
        (t.Asked(), []),
        (t.Every(seconds=1), []),
    ],
    ids=str,
)
def test_what_happens_is_told_with_what_is_known_of_it(
    trigger: Trigger, fired: list[tuple[float, dict[str, str]]]
) -> None:
    watched = Watched(trigger)
    for at, occurrence in enumerate(EVERYTHING):
        watched.at(at, occurrence)

    assert watched.fired == fired
    assert watched.told_at == watched.moments
    assert watched.written == 0


@pytest.mark.parametrize(
    ("trigger", "is_meant"),
    [
        (t.Crashed(), True),
        (t.Crashed(exit_codes=[1, 137]), True),
        (t.Crashed(exit_codes=1), False),
        (t.Crashed(out_of_memory=True), True),
        (t.Crashed(out_of_memory=False), False),
        (t.Crashed(gave_up=True), True),
        (t.Crashed(gave_up=False), False),
    ],
    ids=str,
)
def test_a_crash_is_told_late_and_its_moment_is_that_of_the_fall(
    trigger: t.Crashed, is_meant: bool
) -> None:
    fall = crashed(22.0, exit_code=137, out_of_memory=True, gave_up=True)
    watched = Watched(trigger).at(23.0, fall)

    known = {
        "reason": "ran out of memory (exit code 137)",
        "exit_code": "137",
        "lines": "the end\nis near",
    }
    assert watched.fired == ([(22.0, known)] if is_meant else [])


@pytest.mark.parametrize("was", [None, "offline", "stopping"])
def test_a_server_found_offline_that_was_not_up_is_no_news(was: str | None) -> None:
    assert Watched(t.FoundOffline()).at(1, found("offline", was)).fired == []


def test_a_change_in_a_gap_counts_for_whoever_waits_for_it() -> None:
    trigger = t.StatusChanged(to="running", was="starting")
    gap = found("running", was="starting")

    assert Watched(trigger).at(1, gap).fired == []
    assert Watched(trigger, awaited=True).at(1, gap).fired == [(1, {"status": "running"})]
    assert Watched(trigger, awaited=True).at(1, found("running", "running")).fired == []
    assert Watched(trigger, awaited=True).at(1, found("running")).fired == []


# ---------------------------------------------------------------- a status that lasts

EMPTY_FOR_A_MINUTE = t.StatusChanged(to=["offline", "stopping"], for_seconds=60)


def test_a_status_is_told_once_it_has_lasted() -> None:
    watched = (
        Watched(EMPTY_FOR_A_MINUTE)
        .at(0, found("running"))
        .at(10, became("running", "stopping"))
        .at(30, became("stopping", "offline"))
        .waits(500)
        .at(500, became("offline", "starting"))
        .at(510, became("starting", "offline"))
        .at(569, became("offline", "starting"))
        .at(570, became("starting", "offline"))
        .waits(1000)
    )

    assert watched.fired == [(70, {"status": "offline"}), (630, {"status": "offline"})]


def test_a_status_that_was_found_did_not_become() -> None:
    assert Watched(EMPTY_FOR_A_MINUTE).at(0, found("offline")).waits(500).fired == []


def test_the_status_before_is_the_one_at_which_it_began() -> None:
    trigger = t.StatusChanged(to=["starting", "running"], was="starting", for_seconds=60)
    watched = (
        Watched(trigger)
        .at(0, became("offline", "starting"))
        .at(10, became("starting", "running"))
        .waits(500)
    )

    assert watched.fired == [(70, {"status": "running"})]


def test_after_a_gap_a_status_lasts_from_when_it_is_seen_again() -> None:
    watched = Watched(EMPTY_FOR_A_MINUTE).at(10, became("running", "offline"))
    watched.at(20, o.Unlinked()).waits(500)
    assert (watched.fired, watched.wants) == ([], None)

    watched.at(500, o.Linked(), found("offline", was="offline")).waits(1000)
    assert watched.moments == [560]
    watched.at(1000, o.Unlinked(), o.Linked(), found("offline", was="offline")).waits(2000)
    assert watched.moments == [560]


def test_of_several_gaps_each_is_one() -> None:
    stuck, lasting = Watched(t.Stuck(for_seconds=60)), Watched(EMPTY_FOR_A_MINUTE)
    for watched, was, to in ((stuck, "offline", "starting"), (lasting, "running", "offline")):
        watched.at(10, became(was, to))
        for at in (20, 40):
            watched.at(at, o.Unlinked()).at(at + 10, o.Linked(), found(to, was=to))
        watched.at(60, o.Unlinked()).waits(500)
        assert (watched.fired, watched.wants) == ([], None)


def test_after_a_gap_another_status_ends_it() -> None:
    watched = (
        Watched(EMPTY_FOR_A_MINUTE)
        .at(10, became("running", "offline"))
        .at(20, o.Unlinked())
        .at(30, o.Linked(), found("running", was="offline"))
        .at(40, o.Unlinked(), o.Linked(), found("offline", was="running"))
        .waits(500)
    )

    assert watched.fired == []


def test_what_lasted_while_automate_was_down_has_lasted_all_the_time() -> None:
    watched = Watched(EMPTY_FOR_A_MINUTE).at(10, became("running", "offline")).sleeps(40)
    watched.waits(100)
    assert watched.fired == []
    seen_again = found("offline", was="offline")

    assert Watched(EMPTY_FOR_A_MINUTE).at(10, became("running", "offline")).sleeps(40).at(
        50, o.Linked(), seen_again
    ).waits(500).moments == [70]
    assert watched.at(100, o.Linked(), seen_again).moments == [100]


# ---------------------------------------------------------------- stuck


def test_a_server_is_stuck_once_in_each_state() -> None:
    watched = (
        Watched(t.Stuck(for_seconds=60))
        .at(0, found("starting"))
        .at(59, became("starting", "running"))
        .at(100, became("running", "stopping"))
        .waits(300)
        .at(300, became("stopping", "offline"))
        .at(310, became("offline", "starting"))
        .at(360, became("starting", "stopping"))
        .at(419, became("stopping", "offline"))
        .waits(500)
    )

    assert watched.fired == [(160, {"status": "stopping"})]


@pytest.mark.parametrize(
    ("seen_at", "status", "told"),
    [(30, "starting", [60]), (90, "starting", [90]), (30, "stopping", [90]), (30, "running", [])],
)
def test_a_server_found_as_it_was_is_stuck_since_it_was_seen_so_first(
    seen_at: float, status: str, told: list[float]
) -> None:
    stuck = t.Stuck(for_seconds=60)
    seen_again = found(status, was="starting")
    gap = Watched(stuck).at(0, found("starting")).at(10, o.Unlinked())
    down = Watched(stuck).at(0, found("starting")).sleeps(10)

    for watched in (gap, down):
        assert watched.at(seen_at, o.Linked(), seen_again).waits(500).moments == told


def test_a_watch_that_begins_late_counts_from_then() -> None:
    begun = Watched(t.Stuck(for_seconds=60), view=seen("starting"), at=100)
    calm = Watched(t.Stuck(for_seconds=60), view=seen("running"), at=100)
    unseen = Watched(t.Stuck(for_seconds=60), view=seen("starting", connected=False), at=100)

    assert [watched.waits(500).moments for watched in (begun, calm, unseen)] == [[160], [], []]


# ---------------------------------------------------------------- what it wants to know


def test_a_watch_says_what_it_wants_to_be_fed_with() -> None:
    joined_after_a_run = AllWithin(t.PlayerJoined(), t.RecipeEnded("a"), seconds=5)
    followed_by_a_line = NotFollowedBy(t.Connected(), t.ConsoleLine("x"), seconds=5)
    followed_by_a_run = NotFollowedBy(t.Connected(), t.RecipeEnded("a"), seconds=5)

    assert [
        interests(t.Cron("0 4 * * *")),
        interests(t.Silent(for_seconds=5)) & {o.Said, o.Reported},
        interests(joined_after_a_run),
        interests(followed_by_a_line),
        interests(followed_by_a_run),
        interests(Times(2, followed_by_a_run, seconds=5)),
    ] == [
        set(),
        set(),
        {o.Said, o.RunEnded},
        {o.Linked, o.Said, o.Unlinked, o.Found},
        {o.Linked, o.RunEnded},
        {o.Linked, o.RunEnded},
    ]


def test_what_it_was_not_fed_with_by_right_changes_nothing() -> None:
    """A combinator shows its parts everything that interests any of them."""
    both = AllWithin(
        t.Silent(for_seconds=5),
        t.Stuck(),
        t.Disconnected(),
        t.StatusChanged(to="running", for_seconds=5),
        t.ReadingAbove("cpu_percent", number=90),
        t.Crashed(),
        t.ConsoleLine("x"),
        seconds=60,
    )
    state = new_watch(both)
    before = repr(state)
    told = [feed(both, state, what, 1.0, UNSEEN) for what in (o.Installed(), o.LockConflict())]

    assert told == [((), False)] * 2
    assert repr(state) == before
    assert next_at(both, state) == 60

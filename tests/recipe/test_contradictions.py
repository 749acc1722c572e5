"""What can never happen is told; what is only unusual is not."""

from typing import Any

import pytest

from automate.recipe.combinators import AnyOf
from automate.recipe.conditions import (
    And,
    Between,
    Condition,
    Not,
    OnDays,
    Or,
    PlayersOnline,
    ReadingIs,
    ServerIs,
    VariableIs,
)
from automate.recipe.contradictions import contradictions
from automate.recipe.flow import Block, Choose, If, On, Parallel, Repeat, Step, Try, WaitUntil
from automate.recipe.limits import AtMost, Cooldown, Limit
from automate.recipe.recipe import Recipe
from automate.recipe.schedule import Every
from automate.recipe.steps import (
    Backoff,
    Backup,
    Countdown,
    Fail,
    Kill,
    Notify,
    Restart,
    Start,
    Stop,
    Wait,
)
from automate.recipe.triggers import (
    Crashed,
    Deleted,
    FoundOffline,
    GameReady,
    PlayerJoined,
    ReadingAbove,
    Silent,
    StatusChanged,
    Stuck,
)

RUNNING, OFFLINE = ServerIs("running"), ServerIs("offline")


def told_of(**parts: Any) -> list[str]:
    return contradictions(Recipe("it", **{"when": Crashed(), "then": Notify("a"), **parts}))


# ---------------------------------------------------------------- limits


@pytest.mark.parametrize(
    ("limits", "is_told"),
    [
        # Five runs a minute apart take four minutes.
        ([AtMost(5, within_seconds=240), Cooldown(60)], True),
        ([AtMost(5, within_seconds=241), Cooldown(60)], False),
        # Where the cool-down is asked first, the sixth has to be a minute later, too.
        ([Cooldown(60), AtMost(5, within_seconds=300)], True),
        ([Cooldown(60), AtMost(5, within_seconds=301)], False),
        # The second crash within the hour is too many, and comes before the cool-down is asked.
        ([AtMost(1, within_seconds=60), Cooldown(3600)], False),
        ([Cooldown(3600), AtMost(1, within_seconds=60)], True),
        # Each player has a cool-down; all of them together are soon five.
        ([Cooldown(60, per="player"), AtMost(5, within_seconds=60)], False),
        ([Cooldown(60, per="player"), AtMost(5, within_seconds=60, per="player")], True),
        ([Cooldown(60), AtMost(5, within_seconds=60, per="player")], True),
        # Of two, the stricter one is the only one.
        ([AtMost(3, within_seconds=3600), AtMost(5, within_seconds=3600)], True),
        ([AtMost(5, within_seconds=3600), AtMost(3, within_seconds=3600)], True),
        ([AtMost(3, within_seconds=3600), AtMost(3, within_seconds=60)], True),
        ([AtMost(3, within_seconds=60), AtMost(3, within_seconds=3600)], False),
        ([AtMost(3, within_seconds=60), AtMost(10, within_seconds=3600)], False),
        ([AtMost(3, within_seconds=60, per="player"), AtMost(5, within_seconds=60)], False),
    ],
)
def test_a_limit_that_can_never_be_reached(limits: list[Limit], is_told: bool) -> None:
    told = told_of(when=PlayerJoined(), limit=limits)

    assert bool(told) == is_told, told


def test_what_is_told_of_a_limit() -> None:
    limits = [AtMost(3, within_seconds=60), AtMost(5, within_seconds=60), Cooldown(60)]

    assert told_of(limit=limits) == [
        "AtMost: 3 runs within 60 s can never be, for Cooldown keeps them 60 s apart; leave one "
        "of the two out",
        "AtMost: “at most 5 times within 60 s” can never be reached, for “at most 3 times within "
        "60 s” comes before it; leave it out",
        "AtMost: 5 runs within 60 s can never be, for Cooldown keeps them 60 s apart; leave one "
        "of the two out",
    ]


def test_how_many_at_once_is_asked_where_only_one_can_be() -> None:
    assert told_of(at_once=3, excess="oldest") == [
        'Recipe: at_once=3 says nothing with mode="single"; write mode="queued" or mode="parallel"',
        'Recipe: excess=\'oldest\' says nothing with mode="single"; write mode="queued" or '
        'mode="parallel"',
    ]
    assert told_of(at_once=3, excess="oldest", mode="queued") == []


# ---------------------------------------------------------------- triggers and conditions


@pytest.mark.parametrize(
    ("when", "only_if", "is_told"),
    [
        (StatusChanged(to="offline"), RUNNING, True),
        (StatusChanged(to=["offline", "running"]), RUNNING, False),
        (StatusChanged(to="offline"), Not(OFFLINE), True),
        (StatusChanged(to="offline"), Not(RUNNING), False),
        (StatusChanged(to="offline"), Or(RUNNING, OnDays("sat")), False),
        (StatusChanged(to="offline"), And(RUNNING, OnDays("sat")), True),
        (StatusChanged(to="offline"), Not(Or(OFFLINE, OnDays("sat"))), True),
        (StatusChanged(to="offline"), Not(And(OFFLINE, OnDays("sat"))), False),
        (StatusChanged(to="offline"), Not(Not(RUNNING)), True),
        (StatusChanged(to="offline"), Not(Not(OFFLINE)), False),
        (Silent(for_seconds=60), OFFLINE, True),
        (Silent(for_seconds=60), RUNNING, False),
        (Stuck(states="starting"), ServerIs("stopping"), True),
        (Stuck(), ServerIs("stopping"), False),
        (FoundOffline(), ServerIs("running", "starting"), True),
        # A second after the crash the daemon may have it up again.
        (Crashed(), RUNNING, False),
        ([Crashed(), StatusChanged(to="offline")], RUNNING, True),
        (AnyOf(Crashed(), FoundOffline()), RUNNING, True),
        (AnyOf(Crashed(), GameReady()), RUNNING, False),
    ],
)
def test_a_condition_that_the_trigger_rules_out(
    when: Any, only_if: Condition, is_told: bool
) -> None:
    told = told_of(when=when, only_if=only_if)

    assert bool(told) == is_told, told


@pytest.mark.parametrize(
    ("condition", "told"),
    [
        (And(RUNNING, OFFLINE), ["“the server is running and the server is offline” never holds"]),
        (Not(ServerIs("offline", "starting", "running", "stopping")), ["never holds"]),
        (
            And(OnDays("sat"), OnDays("sun")),
            ["“it is Sat (UTC)” and “it is Sun (UTC)” never hold together; write Or(…)"],
        ),
        (And(OnDays("sat", "sun"), OnDays("sun")), []),
        # Where it is Sunday already, elsewhere it still is Saturday.
        (And(OnDays("sat"), OnDays("sun", zone="Asia/Tokyo")), []),
        (And(VariableIs("a", "1"), VariableIs("a", "2")), ["never hold together"]),
        (And(VariableIs("a", "1"), VariableIs("b", "2")), []),
        (And(PlayersOnline(at_least=3), PlayersOnline(at_most=2)), ["never hold together"]),
        (And(PlayersOnline(at_most=2), PlayersOnline(at_least=3)), ["never hold together"]),
        (And(PlayersOnline(at_least=3), PlayersOnline(at_most=3)), []),
        (PlayersOnline(at_least=5, at_most=2), ["PlayersOnline: at_least=5 is above at_most=2"]),
        (Not(PlayersOnline(at_least=5, at_most=2)), ["at_least=5 is above at_most=2"]),
        (ReadingIs("memory_bytes", at_least_percent=101), ["the server is killed then"]),
        (ReadingIs("memory_bytes", at_most_percent=101), []),
        (ReadingIs("disk_bytes", at_least_percent=101), []),
        (Or(And(OnDays("sat"), OnDays("sun")), RUNNING), ["never hold together"]),
        (And(Between("22:00", "06:00"), RUNNING), []),
    ],
)
def test_a_condition_that_never_holds(condition: Condition, told: list[str]) -> None:
    """Wherever it is written."""
    places: list[dict[str, Any]] = [
        {"only_if": condition},
        {"then": Wait(seconds=1, unless=condition)},
        {"then": Repeat(Notify("a"), until=condition)},
        {"always": Block([Choose(If(condition, Notify("a")))], always=[])},
    ]

    for parts in places:
        found = told_of(**parts)
        assert len(found) == len(told), found
        assert all(words in one for words, one in zip(told, found, strict=True)), found


@pytest.mark.parametrize(
    ("trigger", "is_told"),
    [
        (StatusChanged(to="offline", was="offline"), True),
        (StatusChanged(to="offline", was=["offline", "stopping"]), False),
        (StatusChanged(to=["offline", "stopping"], was=["offline", "stopping"]), False),
        (ReadingAbove("memory_bytes", percent_of_limit=105), True),
        (ReadingAbove("memory_bytes", percent_of_limit=100), False),
        (ReadingAbove("cpu_percent", percent_of_limit=105), False),
        (ReadingAbove("memory_bytes", number=105), False),
    ],
)
def test_a_trigger_that_never_fires(trigger: Any, is_told: bool) -> None:
    for parts in ({"when": AnyOf(trigger, Crashed())}, {"then": [WaitUntil(trigger)]}):
        assert bool(told_of(**parts)) == is_told


# ---------------------------------------------------------------- steps


@pytest.mark.parametrize(
    ("steps", "is_told"),
    [
        ([Start(), WaitUntil(StatusChanged(to="running"))], True),
        ([Restart(), WaitUntil(StatusChanged(to="running"))], True),
        ([Kill(), WaitUntil(StatusChanged(to="offline"))], True),
        ([Stop(), WaitUntil(StatusChanged(to="offline"))], True),
        ([Parallel([Stop(), WaitUntil(StatusChanged(to="offline"))], Notify("a"))], True),
        ([Start(), WaitUntil(StatusChanged(to="offline"))], False),
        ([Start(), WaitUntil(StatusChanged(to=["running", "offline"]))], False),
        ([Start(), Notify("a"), WaitUntil(StatusChanged(to="running"))], False),
        ([WaitUntil(StatusChanged(to="running")), Start()], False),
        ([Start(), WaitUntil(GameReady())], False),
    ],
)
def test_a_wait_for_what_has_just_been_waited_for(steps: list[Step], is_told: bool) -> None:
    assert bool(told_of(then=steps)) == is_told


def test_a_pause_whose_cap_is_below_its_beginning() -> None:
    pause = Backoff(first_seconds=600)

    assert told_of(then=[Wait(seconds=pause)]) == [
        "Backoff: first_seconds=600 is above cap_seconds=300; give it a higher cap"
    ]
    assert len(told_of(then=Try(Start(), retries=3, pause_seconds=pause))) == 1
    assert told_of(then=Wait(seconds=Backoff(first_seconds=300))) == []


@pytest.mark.parametrize(
    ("steps", "is_told"),
    [
        ([Wait(seconds=61)], True),
        ([Wait(seconds=60)], False),
        ([Wait(seconds=30), Notify("a"), Countdown("{left}", seconds=31)], True),
        ([Repeat(Wait(seconds=21), times=3)], True),
        ([Block([Wait(seconds=61)], always=[])], True),
        # It may be over sooner, or never come.
        ([Wait(seconds=61, unless=RUNNING)], False),
        ([Choose(If(RUNNING, Wait(seconds=61)))], False),
        ([Repeat(Wait(seconds=61), until=RUNNING)], False),
    ],
)
def test_what_is_tried_for_less_time_than_its_pauses_take(steps: list[Step], is_told: bool) -> None:
    assert bool(told_of(then=Try(steps, limit_seconds=60))) == is_told


@pytest.mark.parametrize(
    ("steps", "is_told"),
    [
        ([Fail("a"), Start()], True),
        ([Start(), Fail("a")], False),
        ([Block([Fail("a"), Start()], always=[])], True),
        ([Block([Start()], always=[Fail("a"), Start()])], False),
        ([Choose(If(RUNNING, [Fail("a"), Stop()]))], True),
        ([Choose(If(RUNNING, Fail("a"))), Stop()], False),
        ([Parallel([Fail("a"), Start()], Stop())], True),
        ([WaitUntil(GameReady(), otherwise=[Fail("a"), Stop()])], True),
        ([Try([Fail("a")], go_on=True), Start()], False),
    ],
)
def test_what_follows_a_failure(steps: list[Step], is_told: bool) -> None:
    """What is done in any case, or goes on after failures, is done after one, too."""
    assert bool(told_of(then=steps)) == is_told
    assert told_of(on_failure=[Fail("a"), Start()]) == []


def test_a_server_that_was_deleted_can_only_be_told_of() -> None:
    steps = [Notify("gone"), Try(Backup("last"), go_on=True), On("other", Start())]

    assert told_of(when=Deleted(), then=steps) == [
        "“backup 'last'” can't be done, for the server was deleted"
    ]
    assert told_of(when=[Deleted(), Crashed()], then=steps) == []


@pytest.mark.parametrize(
    ("parts", "is_told"),
    [
        # Once an hour it is set off: eleven times within an hour it never is.
        ({"when": Every(hours=1), "limit": AtMost(10, within_seconds=3600)}, True),
        ({"when": Every(minutes=5), "limit": AtMost(10, within_seconds=3600)}, False),
        ({"when": [Every(hours=1), Crashed()], "limit": AtMost(2, within_seconds=3600)}, False),
        # Each run waits for ten minutes, and meanwhile is not set off again.
        ({"then": [Wait(seconds=600), Start()], "limit": AtMost(6, within_seconds=3600)}, True),
        ({"then": [Wait(seconds=600), Start()], "limit": AtMost(5, within_seconds=3600)}, False),
        (
            {
                "then": [Wait(seconds=600), Start()],
                "limit": AtMost(6, within_seconds=3600),
                "mode": "parallel",
            },
            False,
        ),
        # A pause that may be cut short is none in any case.
        (
            {
                "then": [Wait(seconds=600, unless=RUNNING), Start()],
                "limit": AtMost(6, within_seconds=3600),
            },
            False,
        ),
        ({"then": Try(Start(), retries=3, pause_seconds=200, limit_seconds=100)}, True),
        ({"then": Try(Start(), retries=3, pause_seconds=30, limit_seconds=100)}, False),
    ],
)
def test_what_comes_too_seldom_for_its_limit_is_told(parts: dict[str, Any], is_told: bool) -> None:
    assert bool(told_of(**parts)) is is_told

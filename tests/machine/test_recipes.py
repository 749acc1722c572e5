"""What sets recipes off, what holds them back, and in which order they act."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime

import pytest

from automate.errors import UsageError
from automate.machine.recipes import RecipeMachine
from automate.recipe.combinators import NotFollowedBy, Trigger
from automate.recipe.conditions import ServerIs
from automate.recipe.flow import WaitUntil
from automate.recipe.limits import AtMost
from automate.recipe.recipe import Recipe
from automate.recipe.steps import Announce, Backoff, Command, Notify, Start, Wait
from automate.recipe.triggers import (
    Asked,
    At,
    ConsoleLine,
    Crashed,
    Cron,
    Every,
    FoundOffline,
    Silent,
    StatusChanged,
)
from automate.wire.messages import ServerMessage
from tests.machine.scenes import ORIGIN, Scene, daemon, expired, line, stats, status


def tell(name: str, when: Sequence[Trigger] | Trigger, text: str = "{reason}") -> Recipe:
    return Recipe(name, when=when, then=Notify(text))


CRASH = tell("crash", Crashed(), "{reason}, code {exit_code}")
GAP = tell("gap", FoundOffline())

# ---------------------------------------------------------------- the world's triggers


def test_a_crash_is_told_with_all_that_the_daemon_said() -> None:
    scene = Scene(CRASH, GAP).hears(
        (0.0, status("running")),
        (5.0, status("offline")),
        (5.02, daemon("Exit code: 3")),
    )

    assert scene.waits(60).did == [(6.0, "notify crashed (exit code 3), code 3")]


def test_a_server_found_offline_when_we_come_is_no_event() -> None:
    scene = Scene(CRASH, GAP).hears((0.0, status("offline"))).waits(60)

    assert scene.did == []


def test_a_server_found_offline_after_a_gap_is_found_offline() -> None:
    scene = (
        Scene(CRASH, GAP)
        .hears((0.0, status("running")))
        .unlinks(5.0)
        .links(9.0)
        .hears((9.1, status("offline")))
        .waits(60)
    )

    assert scene.did == [(9.1, "notify was found offline after a lost connection")]


def test_after_an_expired_token_the_stats_tell_of_a_server_found_offline() -> None:
    scene = Scene(CRASH, GAP).hears(
        (0.0, status("running")), (5.0, expired()), (9.0, stats("offline"))
    )

    assert scene.waits(60).did == [(9.0, "notify was found offline after a lost connection")]


def test_a_dropped_status_is_made_up_for_by_the_stats() -> None:
    scene = Scene(CRASH, GAP).hears((0.0, status("running")), (5.0, stats("offline")))

    assert scene.waits(60).did == [(6.0, "notify crashed, code unknown")]


def test_while_a_crash_settles_the_stats_are_not_forgotten() -> None:
    """A later doubt needs a timer of its own, after that of the crash."""
    up = tell("down", StatusChanged(to="offline"), "{status}")
    scene = Scene(CRASH, up).hears(
        (0.0, status("running")),
        (5.0, status("offline")),
        (5.1, status("starting")),
        (5.4, stats("offline")),
    )

    assert scene.waits(60).did == [
        (5.0, "notify offline"),
        (6.0, "notify crashed, code unknown"),
        (6.4, "notify offline"),
        (6.4, "notify crashed, code unknown"),
    ]


@pytest.mark.parametrize(
    ("trigger", "told"),
    [
        (Crashed(exit_codes=3), True),
        (Crashed(exit_codes=[1, 3]), True),
        (Crashed(exit_codes=1), False),
        (Crashed(out_of_memory=False), True),
        (Crashed(out_of_memory=True), False),
        (StatusChanged(to="offline"), True),
        (StatusChanged(to=["stopping", "offline"], was="running"), True),
        (StatusChanged(to="offline", was="starting"), False),
        (StatusChanged(to="running"), False),
        (FoundOffline(), False),
        (Asked(), False),
    ],
    ids=str,
)
def test_a_trigger_can_be_narrow(trigger: Trigger, told: bool) -> None:
    scene = Scene(Recipe("it", when=trigger, then=Notify("!"))).hears(
        (0.0, status("running")),
        (5.0, status("offline")),
        (5.02, daemon("Exit code: 3")),
    )

    assert bool(scene.waits(60).did) is told


def test_a_line_sets_off_a_recipe_once_with_its_groups_and_without_colours() -> None:
    """Both patterns match; it is one line all the same."""
    joined = [ConsoleLine(r"^(?P<player>\w+) joined$"), ConsoleLine("joined")]
    scene = Scene(tell("hello", joined, "{player}: {line}")).hears(
        (1.0, line("\x1b[32mAda\x1b[0m joined\r")),
        (2.0, line("Bob left")),
        (3.0, daemon("Eve joined")),
    )

    assert scene.did == [(1.0, "notify Ada: Ada joined")]


def test_lines_that_were_said_before_set_nothing_off() -> None:
    """After each connect the last lines come again (PROTOCOL 7.4)."""
    scene = Scene(tell("hello", ConsoleLine("joined"), "{line}")).links(5.0)
    scene.learns(5.3, line("Ada joined"), since=None).learns(5.3, line("Bob joined"), since=2.0)

    assert scene.hears((5.5, line("Cay joined"))).did == [(5.5, "notify Cay joined")]


@pytest.mark.parametrize(
    ("missed", "since", "ends"),
    [
        (line("\x1b[1mSaved\r"), 1.0, True),
        (line("Saved"), 0.9, False),
        (line("Saved"), None, False),
        (line("Lost"), 2.0, False),
        (status("running"), 2.0, False),
    ],
    ids=["since it waits", "perhaps before", "nobody knows", "another", "no line"],
)
def test_a_line_that_was_missed_ends_waiting_if_it_was_said_since(
    missed: ServerMessage, since: float | None, ends: bool
) -> None:
    until = WaitUntil(ConsoleLine("^Saved$"))
    scene = Scene(Recipe("it", when=Asked(), then=[until, until, Notify("saved twice")]))
    scene.asks(1.0, "it").learns(5.0, missed, since=since).hears((6.0, line("Saved")))

    assert scene.did == ([(6.0, "notify saved twice")] if ends else [])


def test_asking_for_a_recipe_that_is_not_there_says_which_are() -> None:
    scene = Scene(CRASH, GAP)

    with pytest.raises(UsageError, match=r"no recipe is called 'crush'; there are: crash, gap"):
        scene.asks(1.0, "crush")


def test_two_recipes_of_one_name_are_refused() -> None:
    with pytest.raises(UsageError, match="the same name"):
        RecipeMachine([CRASH, CRASH], {"s": "arena"}, origin=ORIGIN)


# ---------------------------------------------------------------- order


def test_recipes_act_in_the_order_in_which_they_were_given() -> None:
    recipes = [tell(name, Crashed(), name) for name in ("b", "c", "a")]
    scene = Scene(*recipes).hears((0.0, status("running")), (5.0, status("offline"))).waits(60)

    assert scene.did == [(6.0, "notify b"), (6.0, "notify c"), (6.0, "notify a")]


def test_runs_that_wait_go_on_in_that_order_too_whichever_began_first() -> None:
    until = WaitUntil(StatusChanged(to="offline"))
    first, second = (
        Recipe(name, when=Asked(), then=[until, Notify(name)]) for name in ("first", "second")
    )
    scene = Scene(first, second).hears((0.0, status("running")))
    scene.asks(1.0, "second").asks(2.0, "first").hears((5.0, status("offline")))

    assert scene.did == [(5.0, "notify first"), (5.0, "notify second")]


def test_runs_end_in_that_order_when_the_tape_is_over() -> None:
    until = WaitUntil(StatusChanged(to="offline"))
    first, second = (
        Recipe(name, when=Asked(), then=[until, Notify(name)]) for name in ("first", "second")
    )
    scene = Scene(first, second).hears((0.0, status("running")))
    scene.asks(1.0, "second").asks(2.0, "first").ends(9.0)

    assert scene.did == [(9.0, "notify first"), (9.0, "notify second")]


def test_timers_of_one_moment_go_by_recipe_and_the_world_before_them() -> None:
    """At 6.0 the crash is told, the schedule of the second and the pause of the third end."""
    told = tell("told", Crashed(), "crash")
    hourly = tell("hourly", Every(hours=1), "hour")
    paused = Recipe("paused", when=Asked(), then=[Wait(seconds=5), Notify("pause")])
    scene = Scene(paused, hourly, told, origin=datetime(2026, 11, 24, 11, 59, 54, tzinfo=UTC))
    scene.hears((0.0, status("running"))).asks(1.0, "paused")
    scene.hears((5.0, status("offline"))).waits(60)

    assert scene.did == [(6.0, "notify crash"), (6.0, "notify pause"), (6.0, "notify hour")]


def test_servers_take_turns_by_their_order_and_know_nothing_of_each_other() -> None:
    machine = RecipeMachine([CRASH], {"s2": "two", "s1": "one"}, origin=ORIGIN)
    for server in ("s1", "s2"):
        machine.heard(server, status("running"), 0.0)
        machine.heard(server, status("offline"), 5.0)

    told = [one.server for one in machine.due(6.0) + machine.due(6.0)]

    assert told == ["s2"] * 3 + ["s1"] * 3


# ---------------------------------------------------------------- held back


def test_a_condition_is_asked_when_the_trigger_fires() -> None:
    recipe = Recipe("it", when=Asked(), only_if=ServerIs("running"), then=Notify("!"))
    scene = Scene(recipe).asks(1.0, "it")
    scene.hears((2.0, status("offline"))).asks(2.0, "it")
    scene.hears((3.0, status("running"))).asks(3.0, "it")

    assert scene.did == [(3.0, "notify !")]
    assert scene.ended == [
        (1.0, "held back: the server is running: not known, its status was not seen yet"),
        (2.0, "held back: the server is running: no, it is offline"),
        (3.0, "done"),
    ]


def test_a_recipe_runs_once_at_a_time() -> None:
    recipe = Recipe("it", when=ConsoleLine("go"), then=[Wait(seconds=5), Notify("!")])
    scene = Scene(recipe).hears((1.0, line("go")), (3.0, line("go")), (6.0, line("go"))).waits(60)

    assert scene.did == [(6.0, "notify !"), (11.0, "notify !")]
    assert scene.ended == [(3.0, "held back: it is still running"), (6.0, "done"), (11.0, "done")]


def test_a_limit_escalates_once_then_is_quiet_then_normal_again() -> None:
    recipe = Recipe(
        "it",
        when=ConsoleLine("go"),
        then=Notify("!"),
        limit=AtMost(2, within_seconds=100, otherwise=Notify("giving up")),
    )
    scene = Scene(recipe).hears(*((at, line("go")) for at in (0.0, 50.0, 60.0, 70.0, 99.9, 100.0)))
    scene.hears((101.0, line("go")), (120.0, line("go")), (200.0, line("go")))

    assert scene.did == [
        (0.0, "notify !"),
        (50.0, "notify !"),
        (60.0, "notify giving up"),
        # Of the two runs allowed within 100 s, the first has just gone out of sight.
        (100.0, "notify !"),
        (101.0, "notify giving up"),
        (200.0, "notify !"),
    ]


def test_a_trigger_that_is_held_back_anyway_does_not_count_for_the_limit() -> None:
    recipe = Recipe(
        "it",
        when=ConsoleLine("go"),
        only_if=ServerIs("running"),
        then=[Wait(seconds=1), Notify("!")],
        limit=AtMost(1, within_seconds=100, otherwise=Notify("giving up")),
    )
    scene = Scene(recipe).hears((0.0, status("offline")), (1.0, line("go")))
    scene.hears((2.0, status("running")), (2.0, line("go")), (2.5, line("go"))).waits(60)

    assert scene.did == [(3.0, "notify !")]


def test_a_limit_counts_from_the_fall_not_from_when_it_was_told() -> None:
    recipe = Recipe("it", when=Crashed(), then=Notify("!"), limit=AtMost(1, within_seconds=10))
    up_and_down = [
        (0.0, status("running")),
        (5.0, status("offline")),
        (14.0, status("running")),
        (15.0, status("offline")),
    ]

    assert Scene(recipe).hears(*up_and_down).waits(60).did == [
        (6.0, "notify !"),
        (16.0, "notify !"),
    ]


# ---------------------------------------------------------------- pauses


def test_the_first_pause_counts_from_the_crash_whatever_is_said_before_it() -> None:
    recipe = Recipe(
        "it",
        when=Crashed(),
        then=[Notify("down"), Wait(seconds=10), Notify("up"), Wait(seconds=5), Notify("more")],
    )
    scene = Scene(recipe).hears((0.0, status("running")), (5.0, status("offline"))).waits(60)

    assert scene.did == [(6.0, "notify down"), (15.0, "notify up"), (20.0, "notify more")]


@pytest.mark.parametrize("seconds", [0, 0.5, 1])
def test_a_pause_shorter_than_the_settling_time_never_ends_in_the_past(seconds: float) -> None:
    recipe = Recipe(
        "it",
        when=Crashed(),
        then=[Wait(seconds=seconds), Notify("a"), Wait(seconds=2), Notify("b")],
    )
    scene = Scene(recipe).hears((0.0, status("running")), (5.0, status("offline"))).waits(60)

    assert scene.did == [(6.0, "notify a"), (8.0, "notify b")]


def test_a_pause_that_is_not_needed_ends_the_run_well() -> None:
    recipe = Recipe(
        "it",
        when=Crashed(),
        then=[Wait(seconds=10, unless=ServerIs("starting", "running")), Notify("!")],
    )
    scene = Scene(recipe).hears(
        (0.0, status("running")), (5.0, status("offline")), (8.0, status("starting"))
    )

    assert (scene.waits(60).did, scene.ended) == ([], [(8.0, "done: it is starting")])


def crashes(*moments: float) -> list[tuple[float, ServerMessage]]:
    return [
        entry
        for at in moments
        for entry in ((at - 1.0, status("running")), (at, status("offline")))
    ]


def test_pauses_grow_with_each_attempt_and_are_short_again_after_a_healthy_time() -> None:
    recipe = Recipe(
        "it",
        when=Crashed(),
        then=[
            Notify("attempt {attempt}"),
            Wait(seconds=Backoff(first_seconds=10, cap_seconds=35, reset_after_seconds=600)),
            Notify("up"),
        ],
    )
    healthy = [(460.0, status("running")), (1100.0, status("offline"))]
    scene = Scene(recipe).hears(*crashes(100, 200, 300, 400), *healthy).waits(5000)

    assert scene.did == [
        (101, "notify attempt 1"),
        (110, "notify up"),
        (201, "notify attempt 2"),
        (220, "notify up"),
        (301, "notify attempt 3"),
        (335, "notify up"),
        (401, "notify attempt 4"),
        (435, "notify up"),
        # It ran for 640 s.
        (1101, "notify attempt 1"),
        (1110, "notify up"),
    ]


def test_healthy_is_only_who_runs_for_so_long() -> None:
    pause = Backoff(first_seconds=10, reset_after_seconds=600)
    recipe = Recipe("it", when=Crashed(), then=[Wait(seconds=pause), Notify("{attempt}")])

    def second(*later: tuple[float, str]) -> list[tuple[float, str]]:
        heard = [(at, status(state)) for at, state in later]
        return Scene(recipe).hears(*crashes(100), *heard).waits(9000).did[1:]

    started_long = [(120, "starting"), (5000, "offline")]
    ran = [(120.0, "running"), (720.0, "offline")]
    ran_less = [(120.0, "running"), (719.0, "offline")]
    stopped = [(120, "running"), (130, "stopping"), (140, "offline"), (150, "running"),
               (160, "offline")]  # fmt: skip
    assert [second(*one)[-1] for one in (started_long, ran, ran_less, stopped)] == [
        (5020, "notify 2"),
        (730, "notify 1"),
        (739, "notify 2"),
        (170, "notify 1"),
    ]


def test_a_pause_that_was_not_needed_is_no_attempt() -> None:
    recipe = Recipe(
        "it",
        when=Crashed(),
        then=[
            Wait(seconds=Backoff(first_seconds=10), unless=ServerIs("running")),
            Notify("attempt {attempt}"),
        ],
    )
    scene = Scene(recipe).hears(
        (0.0, status("running")), (5.0, status("offline")), (7.0, status("running"))
    )

    assert scene.hears((20.0, status("offline"))).waits(60).did == [(30.0, "notify attempt 1")]


# ---------------------------------------------------------------- schedules


def test_schedules_go_by_the_wall_clock_and_follow_one_another() -> None:
    recipe = Recipe("it", when=[Every(minutes=30), At("12:45")], then=Notify("!"))
    scene = Scene(recipe).waits(2 * 3600)

    assert [at for at, _ in scene.did] == [1800, 2700, 3600, 5400, 7200]


def test_two_schedules_of_one_recipe_that_meet_are_one() -> None:
    recipe = Recipe("it", when=[Every(minutes=30), At("13:00"), Every(hours=1)], then=Notify("!"))

    assert [at for at, _ in Scene(recipe).waits(3600).did] == [1800, 3600]


def test_a_schedule_with_a_crooked_interval_goes_on() -> None:
    """In floats, three times 1.1 is a little over 3.3: the next moment would be this one."""
    scene = Scene(Recipe("it", when=Every(seconds=1.1), then=Notify("!"))).waits(5.0)

    # 43,200 s lie between midnight and the scene's noon.
    assert [at for at, _ in scene.did] == [0.3, 1.4, 2.5, 3.6, 4.7]


def test_a_schedule_of_no_day_never_comes() -> None:
    """The first (or 31st) of February is never its fifth Monday."""
    scene = Scene(Recipe("it", when=Cron("0 0 */30 2 MON#5"), then=Notify("!")))

    assert scene.machine.wake_at is None


def test_when_the_tape_is_over_schedules_stop_and_what_runs_goes_on() -> None:
    scheduled = Recipe("scheduled", when=Every(minutes=1), then=Notify("!"))
    running = Recipe("running", when=Asked(), then=[Wait(seconds=100), Notify("end")])
    scene = Scene(scheduled, running).asks(30.0, "running").ends(70.0).waits(1000)

    assert scene.did == [(60.0, "notify !"), (130.0, "notify end")]


# ---------------------------------------------------------------- memory and floods


def test_a_flood_of_lines_leaves_nothing_behind() -> None:
    waiting = Recipe(
        "waiting", when=Asked(), then=WaitUntil(ConsoleLine("never"), limit_seconds=3600)
    )
    quick = Recipe(
        "quick",
        when=ConsoleLine("^a"),
        then=[Command("b"), WaitUntil(ConsoleLine("^b"), limit_seconds=3600)],
    )
    scene = Scene(waiting, quick).asks(0.0, "waiting")
    for number in range(2000):
        scene.hears((1 + number / 1000, line("a" if number % 2 else "b")))

    assert len(scene.machine._runs.timers) < 100
    assert [run.recipe for run in scene.machine.busy] == ["waiting", "quick"]


def test_nothing_is_woken_that_no_longer_waits() -> None:
    recipe = Recipe("it", when=Asked(), then=WaitUntil(ConsoleLine("go"), limit_seconds=3600))
    scene = Scene(recipe).asks(0.0, "it").hears((1.0, line("go")))

    assert scene.machine.wake_at is None


# ---------------------------------------------------------------- going on after a restart


def restored(old: Scene, *recipes: Recipe, at: float) -> Scene:
    scene = Scene(*recipes, linked=False)
    assert scene.machine.restore(json.loads(json.dumps(old.machine.save()))) == []
    scene.take(scene.machine.resume(at), at)
    return scene


SLOW = Recipe("slow", when=Asked(), then=[Wait(seconds=100), Notify("slow")])


def test_a_run_goes_on_where_it_was() -> None:
    old = Scene(SLOW).hears((0.0, status("running"))).asks(1.0, "slow").waits(50.0)

    assert restored(old, SLOW, at=60.0).waits(1000).did == [(101.0, "notify slow")]


def test_a_run_of_a_recipe_that_was_changed_ends_as_it_began() -> None:
    other = Recipe("other", when=Asked(), then=[Wait(seconds=50), Notify("other")])
    changed = Recipe("slow", when=Asked(), then=[Notify("now"), Wait(seconds=100), Notify("slow")])
    old = Scene(SLOW, other).asks(1.0, "slow").asks(1.0, "other")

    scene = restored(old, other, changed, at=20.0).waits(1000)

    assert (scene.did, scene.ended) == (
        [(51.0, "notify other"), (101.0, "notify slow")],
        [(51.0, "done"), (101.0, "done")],
    )


def test_what_was_due_while_nobody_was_there_is_not_made_up_for() -> None:
    """A backup of half past four is not wanted at nine, with everybody playing."""
    recipe = Recipe("it", when=[Asked(), At("12:10"), Every(hours=1)], then=Notify("!"))
    old = Scene(recipe).waits(300.0)

    scene = restored(old, recipe, at=3500.0)

    scene.take(scene.machine.due(3500.0, now=3500.0), 3500.0)
    assert [at for at, _ in scene.waits(4000.0).did] == [3600.0]
    assert scene.traced("missed") == [(3500.0, "it was due 48 min 20 s ago: skipped")]


def test_a_crash_that_was_settling_is_told_after_a_restart() -> None:
    old = Scene(CRASH).hears((0.0, status("running")), (5.0, status("offline")))

    assert restored(old, CRASH, at=5.5).waits(60).did == [(6.0, "notify crashed, code unknown")]


def test_numbers_of_runs_and_calls_are_not_used_again() -> None:
    old = Scene(SLOW).asks(1.0, "slow").waits(200).asks(200.0, "slow")
    scene = restored(old, SLOW, at=201.0).waits(1000).asks(1001.0, "slow")

    assert scene.machine.state.last_run == 3


def test_texts_know_the_server_and_the_recipe() -> None:
    recipe = tell("it", Asked(), "{server} {server_id} {recipe} {attempt} {{}}")

    assert Scene(recipe).asks(1.0, "it").did == [(1.0, "notify arena s it 1 {}")]


def test_a_start_is_sent_in_answer_to_a_crash() -> None:
    """All together: the crash, the pause, the step that waits for the world."""
    recipe = Recipe(
        "it",
        when=Crashed(),
        then=[Wait(seconds=10), Start(), Announce("back")],
    )
    scene = Scene(recipe).hears(
        (0.0, status("running")),
        (5.0, status("offline")),
        (15.1, status("starting")),
        (19.0, status("running")),
    )

    assert scene.did == [(15.0, "set state start"), (19.0, "send command say back")]


# ---------------------------------------------------------------- what is watched


def test_of_several_who_were_not_followed_at_one_moment_each_sets_it_off() -> None:
    left_alone = NotFollowedBy(
        ConsoleLine("(?P<who>.*) asks"), ConsoleLine("(?P<who>.*) hears"), seconds=5, per="who"
    )
    scene = Scene(Recipe("it", when=left_alone, then=[Notify("{who}"), Wait(seconds=1)]))
    scene.hears((0.0, status("running")), (1.0, line("Ann asks")), (1.0, line("Bob asks")))

    assert scene.waits(60).did == [(6.0, "notify Ann")]
    assert scene.traced("held back") == [(6.0, "it is still running")]


def test_after_the_end_of_the_tape_nothing_is_watched_any_more() -> None:
    recipe = Recipe("it", when=Silent(for_seconds=60), then=Notify("silent"))
    scene = Scene(recipe).hears((0.0, status("running"))).ends(100.0)

    assert (scene.did, scene.machine.wake_at) == ([(60.0, "notify silent")], None)

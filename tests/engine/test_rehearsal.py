"""Rehearsals: which entries are inputs, when steps are confirmed, and what the end means.

RECORDING.md, "Rehearsing", has the rules; each is a scene here.
"""

from datetime import UTC, datetime

import pytest

from automate.engine.rehearsal import Act, Ask, backup_answer, rehearse
from automate.errors import UsageError
from automate.machine.doing import Answer
from automate.recipe.conditions import ServerIs
from automate.recipe.flow import On, Step, WaitUntil
from automate.recipe.recipe import Recipe
from automate.recipe.steps import (
    Announce,
    Backup,
    Call,
    Command,
    Notify,
    Restart,
    Start,
    Stop,
    Wait,
)
from automate.recipe.triggers import (
    Asked,
    At,
    ConsoleLine,
    Crashed,
    Every,
    FoundOffline,
    StatusChanged,
)
from automate.recording.format import ClientFrame, EngineNote
from tests.engine.tapes import (
    HEADER,
    acts,
    backup_ended,
    call,
    closed,
    line,
    logs_asked,
    opened,
    play,
    said,
    stats,
    status,
)

RESTART = Recipe("restart", when=Crashed(), then=[Wait(seconds=10), Start()])
MADE = {"object": "backup", "attributes": {"uuid": "b1", "completed_at": None}}
UP = [opened(0.0), status(0.0, "running")]


def asked(*steps: Step) -> Recipe:
    return Recipe("it", when=Asked(), then=list(steps))


# ---------------------------------------------------------------- confirmed or not


def test_an_action_is_confirmed_by_the_tape() -> None:
    heard = play(
        RESTART, *UP, status(5.0, "offline"), status(15.1, "starting"), status(19.0, "running")
    )

    assert acts(heard) == [(15.0, "set state start")]


def test_an_action_is_unconfirmed_where_the_tape_says_nothing_of_it() -> None:
    assert acts(play(RESTART, *UP, status(5.0, "offline"), stats(400.0, "offline"))) == [
        (15.0, "set state start?")
    ]
    assert acts(play(RESTART, *UP, status(5.0, "offline"), stats(900.0, "offline"))) == [
        (15.0, "set state start?")
    ]


def test_what_follows_an_unconfirmed_action_is_done_at_its_limit() -> None:
    recipe = asked(Stop(limit_seconds=30), Notify("stopped"))

    assert acts(play(recipe, *UP, stats(60.0, "running"), asks=[("it", 1.0)])) == [
        (1.0, "set state stop?"),
        (31.0, "notify stopped"),
    ]


def test_commands_notices_and_calls_are_never_unconfirmed() -> None:
    recipe = asked(Command("a"), Announce("b"), Notify("c"), Call("d.e"), Restart(), Backup("f"))

    assert acts(play(recipe, *UP, stats(2.0, "running"), asks=[("it", 1.0)])) == [
        (1.0, "send command a"),
        (1.0, "send command say b"),
        (1.0, "notify c"),
        (1.0, "call d.e"),
        (1.0, "set state restart?"),
        (2.0, "backup f?"),
    ]


def test_nothing_is_sent_twice_though_nobody_answers() -> None:
    heard = play(asked(Start()), status(0.0, "offline"), stats(300.0, "offline"), asks=[("it", 1)])

    assert acts(heard) == [(1.0, "set state start?")]


def test_the_status_that_recipes_see_stays_the_tapes() -> None:
    """The stop is hypothetical; the tape's server still runs, so there is nothing to start."""
    heard = play(asked(Stop(), Start()), *UP, stats(2.0, "running"), asks=[("it", 1.0)])

    assert acts(heard) == [(1.0, "set state stop?")]


# ---------------------------------------------------------------- the end of the tape


def test_after_the_end_what_runs_goes_on_without_waiting_for_the_world() -> None:
    recipe = asked(Wait(seconds=100), Start(), WaitUntil(ConsoleLine("x")), Notify("end"))
    heard = play(recipe, status(0.0, "offline"), stats(5.0, "offline"), asks=[("it", 1.0)])

    assert acts(heard) == [(101.0, "set state start?"), (101.0, "notify end")]
    assert heard.unfinished == ()


def test_what_takes_too_long_after_the_end_is_reported() -> None:
    heard = play(asked(Wait(seconds=500), Notify("end")), *UP, asks=[("it", 0.0)])

    assert (acts(heard), heard.unfinished) == ([], ("it",))
    assert acts(
        play(asked(Wait(seconds=500), Notify("end")), *UP, asks=[("it", 0.0)], after_seconds=500)
    ) == [(500.0, "notify end")]


def test_schedules_stop_with_the_tape() -> None:
    recipe = Recipe("it", when=Every(minutes=1), then=Notify("!"))

    assert acts(play(recipe, *UP, stats(125.0, "running"))) == [
        (60.0, "notify !"),
        (120.0, "notify !"),
    ]


@pytest.mark.parametrize(
    "end", [closed(5.3, "client"), closed(5.3, "server"), stats(5.3, "offline")]
)
def test_a_crash_just_before_the_end_is_told(end: object) -> None:
    heard = play(RESTART, *UP, status(5.0, "offline"), end)  # type: ignore[arg-type]

    assert acts(heard) == [(15.0, "set state start?")]


def test_an_empty_tape_is_a_tape() -> None:
    assert (acts(play(RESTART)), play(RESTART).seconds) == ([], 0.0)


# ---------------------------------------------------------------- what is an input


def test_what_the_recorded_client_and_engine_did_is_no_input() -> None:
    recipe = Recipe("it", when=[ConsoleLine("say"), StatusChanged(to="offline")], then=Notify("!"))
    heard = play(
        recipe,
        *UP,
        ClientFrame.of(1.0, '{"event":"send command","args":["say hi"]}'),
        ClientFrame.of(2.0, '{"event":"set state","args":["stop"]}'),
        EngineNote(t=3.0, what="triggered", recipe="it"),
    )

    assert acts(heard) == []


def test_a_lost_connection_is_a_gap() -> None:
    recipes = [
        Recipe("gap", when=FoundOffline(), then=Notify("gap")),
        Recipe("crash", when=Crashed(), then=Notify("crash")),
    ]
    heard = play(
        recipes, *UP, closed(5.0), opened(9.0), status(9.1, "offline"), stats(60, "offline")
    )

    assert acts(heard) == [(9.1, "notify gap")]


def test_commands_wait_for_the_connection_until_somebody_is_let_in() -> None:
    heard = play(
        asked(Command("list")),
        *UP,
        closed(5.0),
        opened(9.0),
        said(9.1, "jwt error", "Error Event [b7]: jwt: created too far in past (denylist)"),
        said(10.0, "auth success"),
        status(10.1, "running"),
        asks=[("it", 6.0)],
    )

    assert acts(heard) == [(10.0, "send command list")]


def test_the_recorder_leaving_is_nothing_that_happened_to_the_server() -> None:
    heard = play(
        asked(Command("list")),
        *UP,
        closed(5.0, "client"),
        stats(20.0, "running"),
        asks=[("it", 6.0)],
    )

    assert acts(heard) == [(6.0, "send command list")]


def test_lines_that_the_recorder_asked_for_are_old() -> None:
    recipe = Recipe("it", when=ConsoleLine("joined"), then=Notify("{line}"))
    heard = play(
        recipe,
        *UP,
        line(0.1, "Ada joined"),
        logs_asked(1.0),
        line(1.01, "Ada joined"),
        line(1.01, "Bob joined"),
        line(1.5, "Cay joined"),
    )

    assert acts(heard) == [(0.1, "notify Ada joined"), (1.5, "notify Cay joined")]


def test_a_line_before_a_slow_answer_makes_its_lines_no_news() -> None:
    recipe = Recipe("it", when=ConsoleLine("joined"), then=Notify("{line}"))
    heard = play(
        recipe,
        *UP,
        logs_asked(1.0),
        line(1.01, "Zoe joined"),
        *(line(1.3, f"{n} joined") for n in range(149)),
        line(1.3, "Zoe joined"),
        status(1.4, "stopping"),
    )

    assert acts(heard) == [(1.4, "notify Zoe joined")]


@pytest.mark.parametrize("by", ["client", "server"])
def test_what_was_held_back_is_told_before_the_connection_is_lost(by: str) -> None:
    recipe = Recipe("it", when=ConsoleLine("joined"), then=Notify("{line}"))
    heard = play(
        recipe,
        *UP,
        logs_asked(1.0),
        line(1.01, "Ada joined"),
        line(1.2, "Bob joined"),
        closed(1.3, by),
        stats(9.0, "running"),
    )

    assert acts(heard) == [(1.3, "notify Bob joined")]


def test_a_line_missed_while_the_recorder_was_away_ends_waiting_for_it() -> None:
    recipe = Recipe("it", when=ConsoleLine("joined"), then=Notify("{line}"))
    until = WaitUntil(ConsoleLine("Ada"))
    waiting = Recipe("waiting", when=Asked(), then=[until, Notify("there she is")])
    heard = play(
        [recipe, waiting],
        *UP,
        line(2.0, "tick"),
        closed(3.0),
        opened(4.0),
        status(4.1, "running"),
        logs_asked(4.2),
        *(line(4.3, each) for each in ("Ada joined", "tick", "Ada joined")),
        stats(9.0, "running"),
        asks=[("waiting", 1.0)],
    )

    assert acts(heard) == [(5.1, "notify there she is")]


# ---------------------------------------------------------------- the panel's answers


def backing_up(*entries: object) -> list[tuple[float, str]]:
    recipe = asked(Backup("b"), Notify("done"))
    failing = Recipe("it", when=Asked(), then=recipe.then, on_failure=Notify("{error}"))
    return acts(play(failing, *UP, *entries, asks=[("it", 1.0)]))  # type: ignore[arg-type]


def test_a_call_takes_the_recorded_answer_at_its_own_moment() -> None:
    made = call(5.0, "POST", "/backups", response=MADE, seconds=0.5)

    assert backing_up(made, backup_ended(4.0, "b1"), stats(9.0, "running"))[1:] == [
        (5.0, "notify done")
    ]


def test_an_answer_that_came_before_takes_as_long_as_it_took() -> None:
    made = call(0.5, "POST", "/backups", response=MADE, seconds=0.25)

    assert backing_up(made, backup_ended(1.1, "b1"), stats(9.0, "running")) == [
        (1.0, "backup b"),
        (1.25, "notify done"),
    ]


def test_answers_are_used_once_and_in_order_by_method_and_path() -> None:
    recipe = Recipe(
        "it", when=Asked(), then=[Backup("1"), Backup("2")], on_failure=Notify("{error}")
    )
    entries = [
        call(1.1, "GET", "/backups", response=MADE),
        call(1.2, "POST", "/backups/b1/restore", response=MADE),
        call(2.0, "POST", "/backups", response=MADE, server="a1b2c3d4"),
        call(2.5, "POST", "/backups", status=429, response={"errors": [{"detail": "Too many"}]}),
        backup_ended(3.0, "b1"),
        stats(9.0, "running"),
    ]

    assert acts(play(recipe, *UP, *entries, asks=[("it", 1.0)])) == [
        (1.0, "backup 1"),
        (3.0, "backup 2"),
        (3.0, "notify the panel answered 429: Too many"),
    ]


def test_a_recorded_call_is_known_by_its_path_whatever_else_it_asks_for() -> None:
    made = call(1.5, "POST", "/backups?notify=0", response=MADE)

    assert backing_up(made, backup_ended(4.0, "b1"), stats(9.0, "running")) == [
        (1.0, "backup b"),
        (4.0, "notify done"),
    ]


def test_a_recipe_for_the_recorded_server_by_its_id_is_for_it() -> None:
    for id in (HEADER.server, HEADER.server[:8]):
        here = Recipe("it", when=StatusChanged(to="running"), then=Notify("up"), servers=id)

        assert acts(play(here, opened(0.0), status(0.0, "offline"), status(1.0, "running"))) == [
            (1.0, "notify up")
        ]


def test_what_is_done_on_other_servers_is_not_on_the_tape_and_taken_as_done() -> None:
    on = On("some other", Command("say hello"))

    heard = play(asked(on, Notify("said")), *UP, stats(9.0, "running"), asks=[("it", 1.0)])

    assert acts(heard) == [(1.0, "notify said")]
    assert [one.detail for _, one in heard.trace if one.what == "unconfirmed"] == [
        f"{on}: not on this recording"
    ]


def test_answers_recorded_before_the_calls_are_used_once_too() -> None:
    recipe = Recipe(
        "it", when=Asked(), then=[Backup("1"), Backup("2")], on_failure=Notify("{error}")
    )
    entries = [
        call(0.1, "POST", "/backups", response=MADE),
        call(0.2, "POST", "/backups", status=400, response={"errors": [{"detail": "Limit"}]}),
        backup_ended(3.0, "b1"),
        stats(9.0, "running"),
    ]

    assert acts(play(recipe, *UP, *entries, asks=[("it", 1.0)])) == [
        (1.0, "backup 1"),
        (3.0, "backup 2"),
        (3.0, "notify the panel answered 400: Limit"),
    ]


def test_an_answer_comes_after_the_frames_of_its_moment() -> None:
    backup = asked(Backup("b"), Notify("done"))
    hello = Recipe("hello", when=ConsoleLine("hello"), then=Notify("{line}"))
    ended = {"attributes": {"uuid": "b1", "completed_at": "now", "is_successful": True}}
    heard = play(
        [backup, hello],
        *UP,
        call(5.0, "POST", "/backups", response=ended),
        line(5.0, "hello"),
        stats(6.0, "running"),
        asks=[("it", 1.0)],
    )

    assert [(at, one.recipe) for at, one in heard.trace if one.what == "done"] == [
        (5.0, "hello"),
        (5.0, "it"),
    ]


def test_a_backup_nobody_recorded_is_taken_as_made() -> None:
    assert backing_up(stats(9.0, "running")) == [(1.0, "backup b?"), (9.0, "notify done")]


def test_a_backup_whose_event_is_not_there_is_confirmed_by_the_panel() -> None:
    made = call(2.0, "POST", "/backups", response=MADE)
    ended = {"attributes": {"uuid": "b1", "completed_at": "now", "is_successful": True}}
    shown = call(20.0, "GET", "/backups/b1", response=ended)

    assert backing_up(made, shown, stats(60.0, "running")) == [
        (1.0, "backup b"),
        (20.0, "notify done"),
    ]


@pytest.mark.parametrize(
    ("status", "response", "answer"),
    [
        (200, MADE, Answer(uuid="b1")),
        (
            200,
            {"attributes": {"uuid": "b1", "completed_at": "x", "is_successful": True}},
            Answer(uuid="b1", is_done=True),
        ),
        (
            200,
            {"attributes": {"uuid": "b1", "completed_at": "x", "is_successful": False}},
            Answer(uuid="b1", is_failed=True),
        ),
        (
            400,
            {"errors": [{"detail": "Limit of 3"}]},
            Answer(error="the panel answered 400: Limit of 3"),
        ),
        (502, "<html>", Answer(error="the panel answered 502: no reason given")),
        (204, None, Answer(error="the panel answered 204: no reason given")),
        (None, None, Answer(error="the panel answered None: no reason given")),
    ],
)
def test_what_the_panels_answer_says(status: int | None, response: object, answer: Answer) -> None:
    assert backup_answer(status, response) == answer


# ---------------------------------------------------------------- clocks and requests


def test_the_wall_clock_starts_with_the_recording() -> None:
    recipe = Recipe("it", when=At("13:01", zone="Europe/Berlin"), then=Notify("!"))

    assert acts(play(recipe, *UP, stats(90.0, "running"))) == [(60.0, "notify !")]


def test_the_wall_clock_can_be_set() -> None:
    recipe = Recipe("it", when=At("22:00"), then=Notify("!"))
    evening = datetime(2026, 11, 24, 21, 59, 50, tzinfo=UTC)

    assert acts(play(recipe, *UP, stats(90.0, "running"), start_at=evening)) == [(10.0, "notify !")]


def test_timers_come_before_what_is_asked_and_both_before_the_frames_of_a_moment() -> None:
    recipes = [
        Recipe("line", when=ConsoleLine("x"), then=Notify("line")),
        Recipe("it", when=Asked(), then=Notify("asked")),
        Recipe("minute", when=Every(minutes=1), then=Notify("minute")),
    ]
    heard = play(recipes, *UP, line(60.0, "x"), asks=[("it", 60.0)])

    assert [traced.recipe for _, traced in heard.trace if traced.what == "triggered"] == [
        "minute",
        "it",
        "line",
    ]
    # The transcript is in the order of the recipes, whoever was first within the moment.
    assert [act.recipe for act in heard.acts] == ["line", "it", "minute"]


def test_what_is_asked_for_after_the_end_is_not_done() -> None:
    heard = play(asked(Notify("!")), *UP, stats(5.0, "running"), asks=[("it", 5.0), ("it", 5.1)])

    assert (acts(heard), heard.unasked) == ([(5.0, "notify !")], ("it",))


def test_a_recipe_that_is_not_there_cannot_be_asked_for() -> None:
    with pytest.raises(UsageError, match="no recipe is called 'that'; there are: it"):
        rehearse([asked(Start())], [], header=HEADER, title="t", asks=[Ask("that", 1.0)])


def test_a_recipe_can_be_held_back_when_it_is_asked() -> None:
    recipe = Recipe("it", when=Asked(), only_if=ServerIs("offline"), then=Notify("!"))
    heard = play(recipe, *UP, stats(5.0, "running"), asks=[("it", 1.0)])

    assert [(at, one.what, one.detail) for at, one in heard.trace] == [
        (1.0, "held back", "the server is offline: no, it is running")
    ]


def test_an_act_as_it_is_printed() -> None:
    act = Act(recording="r", at=1.23456, recipe="x", action={"notify": "!"})

    assert act.as_json() == {
        "recording": "r",
        "t": 1.2346,
        "recipe": "x",
        "action": {"notify": "!"},
    }

"""Power steps of a live engine: the daemon says nothing, so the status is watched.

The steps are asked for at 1.0; what was sent, and how the run ended, is the whole outcome.
"""

from itertools import pairwise

import pytest

from automate.machine.stage import Manner
from automate.recipe.recipe import Recipe
from automate.recipe.steps import Kill, PowerStep, Restart, Start, Stop
from automate.recipe.triggers import Asked
from automate.wire.messages import ServerMessage
from tests.machine.scenes import Scene, expired, locked, stats, status

Heard = tuple[float, ServerMessage]
Told = list[tuple[float, str]]
NO_SUCCESS = "is the key's user allowed to, and is there room on the disk?"


def begin(step: PowerStep, was: str, *, manner: Manner | None = None) -> Scene:
    """Return a scene in which *step* has begun at 1.0, the server being *was*."""
    recipe = Recipe("it", when=Asked(), then=step)
    return Scene(recipe, manner=manner).hears((0.0, status(was))).asks(1.0, "it")


def play(step: PowerStep, was: str, *heard: Heard, until: float = 2000.0) -> tuple[Told, Told]:
    scene = begin(step, was).hears(*heard).waits(until)
    return [(at, words.removeprefix("set state ")) for at, words in scene.did], scene.ended


def test_a_start_is_done_when_the_server_runs() -> None:
    heard = [(1.5, status("starting")), (9.0, status("running"))]

    assert play(Start(), "offline", *heard) == ([(1.0, "start")], [(9.0, "done")])


def test_a_stop_is_done_when_the_server_is_offline() -> None:
    heard = [(1.1, status("stopping")), (9.0, status("offline"))]

    assert play(Stop(), "running", *heard) == ([(1.0, "stop")], [(9.0, "done")])


def test_a_kill_is_done_when_the_server_is_offline() -> None:
    heard = [(1.1, status("stopping")), (1.2, status("offline"))]

    assert play(Kill(), "running", *heard) == ([(1.0, "kill")], [(1.2, "done")])


def test_a_restart_is_not_done_at_offline_but_when_the_server_runs_again() -> None:
    heard = [
        (1.1, status("stopping")),
        (5.0, status("offline")),
        (5.03, status("starting")),
        (9.0, status("running")),
    ]

    assert play(Restart(), "running", *heard) == ([(1.0, "restart")], [(9.0, "done")])


def test_a_restart_of_a_server_that_is_offline_is_a_plain_start() -> None:
    heard = [(1.1, status("starting")), (9.0, status("running"))]

    assert play(Restart(), "offline", *heard) == ([(1.0, "restart")], [(9.0, "done")])


@pytest.mark.parametrize(
    ("step", "was"), [(Start(), "running"), (Stop(), "offline"), (Kill(), "offline")], ids=str
)
def test_what_is_so_already_needs_no_asking(step: PowerStep, was: str) -> None:
    assert play(step, was) == ([], [(1.0, "done")])


# ---------------------------------------------------------------- asking again


def test_a_start_that_meets_the_lock_is_asked_for_again_after_a_second() -> None:
    """As in power-lock-race: after `offline` the daemon still holds its lock (PROBED 3)."""
    heard = [
        (1.01, locked()),
        (2.02, locked()),
        (3.1, status("starting")),
        (9.0, status("running")),
    ]

    assert play(Start(), "offline", *heard) == (
        [(1.0, "start"), (2.01, "start"), (3.02, "start")],
        [(9.0, "done")],
    )


def test_a_lock_that_never_opens_fails_at_the_steps_own_limit() -> None:
    heard = [(1.01 + n * 1.1, locked()) for n in range(20)]

    sent, ended = play(Stop(limit_seconds=10), "running", *heard)

    assert (len(sent), ended) == (10, [(11.0, "failed: after 10 s the server was still running")])


@pytest.mark.parametrize(
    ("step", "was", "word"),
    [
        (Start(), "offline", "start"),
        (Stop(), "running", "stop"),
        (Restart(), "running", "restart"),
        (Kill(limit_seconds=600), "running", "kill"),
    ],
    ids=str,
)
def test_into_silence_it_is_asked_four_times_and_then_fails(
    step: PowerStep, was: str, word: str
) -> None:
    assert play(step, was) == (
        [(1.0, word), (16.0, word), (31.0, word), (46.0, word)],
        [(61.0, f"failed: asked 4 times to {word}, but the server is still {was}; {NO_SUCCESS}")],
    )


def test_a_server_on_its_way_is_not_asked_again() -> None:
    heard = [(2.0, status("starting")), (500.0, status("running"))]

    assert play(Start(), "offline", *heard) == ([(1.0, "start")], [(500.0, "done")])


def test_a_start_that_takes_too_long_fails() -> None:
    assert play(Start(limit_seconds=60), "offline", (2.0, status("starting"))) == (
        [(1.0, "start")],
        [(61.0, "failed: after 60 s the server was still starting")],
    )


@pytest.mark.parametrize(
    ("step", "was", "heard"),
    [
        (Start(), "offline", [(2.0, status("starting")), (2.02, status("offline"))]),
        (
            Restart(),
            "running",
            [
                (1.1, status("stopping")),
                (1.9, status("offline")),
                (2.0, status("starting")),
                (2.02, status("offline")),
            ],
        ),
    ],
    ids=str,
)
def test_a_start_that_crashes_fails_at_once(step: PowerStep, was: str, heard: list[Heard]) -> None:
    """As with an image that does not exist (PROBED 4.2)."""
    assert play(step, was, *heard)[1] == [(2.02, "failed: it went offline again while starting")]


# ---------------------------------------------------------------- what others do meanwhile


def test_a_server_that_is_starting_anyway_is_only_waited_for() -> None:
    assert play(Start(), "starting", (9.0, status("running"))) == ([], [(9.0, "done")])


def test_a_start_waits_for_a_stop_to_end_and_for_the_lock() -> None:
    heard = [(5.0, status("offline")), (6.1, status("starting")), (9.0, status("running"))]

    assert play(Start(), "stopping", *heard) == ([(6.0, "start")], [(9.0, "done")])


def test_a_restart_waits_for_a_stop_to_end_too() -> None:
    heard = [(5.0, status("offline")), (6.1, status("starting")), (9.0, status("running"))]

    assert play(Restart(), "stopping", *heard) == ([(6.0, "restart")], [(9.0, "done")])


def test_somebody_elses_restart_will_do() -> None:
    heard = [(5.0, status("offline")), (5.03, status("starting")), (9.0, status("running"))]

    assert play(Restart(), "stopping", *heard) == ([], [(9.0, "done")])
    assert play(Start(), "stopping", *heard) == ([], [(9.0, "done")])


def test_a_stop_that_is_under_way_is_only_waited_for() -> None:
    assert play(Stop(), "stopping", (5.0, status("offline"))) == ([], [(6.0, "done")])


def test_offline_within_somebody_elses_restart_is_no_stop() -> None:
    heard = [
        (1.01, locked()),
        (1.02, status("stopping")),
        (5.0, status("offline")),
        (5.03, status("starting")),
        (6.1, status("stopping")),
        (8.0, status("offline")),
    ]

    assert play(Stop(), "running", *heard) == (
        [(1.0, "stop"), (6.0, "stop")],
        [(8.0, "done")],
    )


def test_a_refused_restart_is_not_done_by_somebody_elses_stop() -> None:
    heard = [
        (1.01, locked()),
        (1.02, status("stopping")),
        (1.5, status("offline")),
        (2.6, status("starting")),
        (9.0, status("running")),
    ]

    assert play(Restart(), "running", *heard) == (
        [(1.0, "restart"), (2.5, "restart")],
        [(9.0, "done")],
    )


def test_a_server_that_crashes_on_its_way_up_is_started() -> None:
    heard = [(5.0, status("offline")), (6.1, status("starting")), (9.0, status("running"))]

    assert play(Start(), "starting", *heard) == ([(6.0, "start")], [(9.0, "done")])


def test_a_refusal_of_somebody_elses_request_changes_nothing_for_ours() -> None:
    under_way = [(2.0, status("starting")), (2.1, locked())]

    assert play(Start(), "offline", *under_way, (9.0, status("running"))) == (
        [(1.0, "start")],
        [(9.0, "done")],
    )
    assert play(Start(), "offline", *under_way, (2.5, status("offline"))) == (
        [(1.0, "start")],
        [(2.5, "failed: it went offline again while starting")],
    )


@pytest.mark.parametrize("step", [Start(), Restart()], ids=str)
def test_what_somebody_else_stops_on_its_way_up_has_failed(step: PowerStep) -> None:
    """Neither is it waited for ever, nor does one fight over it."""
    heard = [(1.1, status("starting")), (1.5, status("stopping")), (3.0, status("offline"))]

    assert play(step, "offline", *heard) == (
        [(1.0, str(step))],
        [(1.5, "failed: it was stopped while it was starting")],
    )


def test_a_restart_that_is_asked_for_while_it_starts_begins_with_a_stop() -> None:
    heard = [
        (1.1, status("stopping")),
        (3.0, status("offline")),
        (3.03, status("starting")),
        (9.0, status("running")),
    ]

    assert play(Restart(), "starting", *heard) == ([(1.0, "restart")], [(9.0, "done")])


def test_a_restart_that_meets_a_stop_is_asked_for_again_when_it_is_over() -> None:
    """The other's `stopping` may be told before our refusal is."""
    heard = [
        (1.1, status("stopping")),
        (1.11, locked()),
        (5.0, status("offline")),
        (6.1, status("starting")),
        (9.0, status("running")),
    ]

    assert play(Restart(), "running", *heard) == (
        [(1.0, "restart"), (6.0, "restart")],
        [(9.0, "done")],
    )


def test_a_restart_that_stays_offline_is_asked_for_again() -> None:
    """Its refusal was lost, and somebody's stop was taken for its beginning."""
    heard = [(1.1, status("stopping")), (5.0, status("offline"))]
    later = [(20.1, status("starting")), (29.0, status("running"))]

    assert play(Restart(), "running", *heard, *later) == (
        [(1.0, "restart"), (20.0, "restart")],
        [(29.0, "done")],
    )


def test_a_restart_whose_boot_takes_long_to_begin_is_not_given_up() -> None:
    """The disk is looked at for minutes, and all that time the lock is held."""
    scene = begin(Restart(), "running")
    scene.hears((1.1, status("stopping")), (5.0, status("offline")))
    refuse_all(scene, until=300.0)
    scene.hears((300.0, status("starting")), (309.0, status("running")))

    assert (len(scene.did) < 50, scene.ended) == (True, [(309.0, "done")])


def test_a_lock_that_is_held_for_long_is_asked_ever_more_slowly() -> None:
    scene = begin(Stop(), "starting")
    refuse_all(scene, until=590.0)

    pauses = [later - at for (at, _), (later, _) in pairwise(scene.did)]
    assert pauses[:5] == pytest.approx([1.01] * 5)
    assert pauses[-5:] == pytest.approx([15.01] * 5)
    assert len(pauses) < 80


def refuse_all(scene: Scene, *, until: float) -> None:
    """Have each request refused because of the lock."""
    answered = 0
    while (scene.machine.wake_at or until) < until:
        if len(scene.did) > answered:
            answered = len(scene.did)
            scene.hears((scene.did[-1][0] + 0.01, locked()))
        scene.waits(scene.machine.wake_at or until)


# ---------------------------------------------------------------- an `offline` that is no end


@pytest.mark.parametrize(("step", "word"), [(Stop(), "stop"), (Kill(), "kill")], ids=str)
def test_an_end_that_we_did_not_bring_about_is_believed_a_second_later(
    step: PowerStep, word: str
) -> None:
    crash = [(1.1, status("offline"))]
    restarted = [(1.14, status("starting")), (2.0, status("running"))]
    mistaken = [(1.14, status("running"))]
    stopped = [(2.2, status("stopping")), (3.0, status("offline"))]

    assert play(step, "running", *crash) == ([(1.0, word)], [(2.1, "done")])
    for came_back in (restarted, mistaken):
        assert play(step, "running", *crash, *came_back, *stopped) == (
            [(1.0, word), (2.1, word)],
            [(3.0, "done")],
        )


@pytest.mark.parametrize("step", [Stop(), Kill()], ids=str)
def test_a_server_that_has_just_fallen_may_come_back(step: PowerStep) -> None:
    fell = [(0.0, status("running")), (0.9, status("offline"))]
    back = [(0.95, status("starting")), (1.5, status("running")), (2.1, status("stopping"))]
    recipe = Recipe("it", when=Asked(), then=step)

    alone = Scene(recipe).hears(*fell).asks(1.0, "it").waits(100)
    again = Scene(recipe).hears(*fell, back[0]).asks(1.0, "it").hears(*back[1:])
    again.hears((3.0, status("offline"))).waits(100)

    assert (alone.did, alone.ended) == ([], [(2.0, "done")])
    assert [what for _, what in again.ended] == ["done"]
    assert again.did[-1][1] == f"set state {step}"


def test_a_kill_of_what_is_stopping_already_waits_whether_it_was_a_restart() -> None:
    heard = [(1.1, status("offline")), (1.13, status("starting"))]
    killed = [(2.2, status("stopping")), (2.3, status("offline"))]

    assert play(Kill(), "stopping", heard[0]) == ([(1.0, "kill")], [(2.1, "done")])
    assert play(Kill(), "stopping", *heard, *killed) == (
        [(1.0, "kill"), (2.1, "kill")],
        [(3.3, "done")],
    )


def test_a_restart_is_not_done_by_a_line_like_the_stop_command() -> None:
    """The daemon took it for the end and found its mistake: the game never stopped."""
    mistake = [(1.05, status("offline")), (1.1, status("running"))]
    restarts = [
        (16.2, status("stopping")),
        (17.0, status("offline")),
        (17.03, status("starting")),
        (19.0, status("running")),
    ]

    assert play(Restart(), "running", *mistake, *restarts) == (
        [(1.0, "restart"), (16.05, "restart")],
        [(19.0, "done")],
    )


# ---------------------------------------------------------------- killing a slow stop


def test_a_stop_that_hangs_is_killed() -> None:
    heard = [(1.1, status("stopping")), (31.2, status("offline"))]

    assert play(Stop(kill_after_seconds=30), "running", *heard) == (
        [(1.0, "stop"), (31.0, "kill")],
        [(32.2, "done")],
    )


def test_a_stop_that_others_began_is_killed_too() -> None:
    assert play(Stop(kill_after_seconds=30), "stopping", (31.2, status("offline"))) == (
        [(31.0, "kill")],
        [(32.2, "done")],
    )


def test_a_stop_that_goes_well_is_not_killed() -> None:
    heard = [(1.1, status("stopping")), (30.9, status("offline"))]

    assert play(Stop(kill_after_seconds=30), "running", *heard) == (
        [(1.0, "stop")],
        [(30.9, "done")],
    )


def test_a_kill_is_repeated_into_silence_but_not_for_ever() -> None:
    sent, ended = play(Stop(kill_after_seconds=5), "running")

    assert sent == [(1.0, "stop"), *((at, "kill") for at in (6.0, 21.0, 36.0, 51.0))]
    assert ended == [
        (66.0, f"failed: asked 4 times to kill, but the server is still running; {NO_SUCCESS}")
    ]


def test_the_kill_comes_however_often_the_stop_was_not_heard() -> None:
    sent, _ = play(Stop(kill_after_seconds=100), "running", (101.1, status("offline")))

    assert sent == [*((at, "stop") for at in (1.0, 16.0, 31.0, 46.0)), (101.0, "kill")]


def test_a_kill_after_no_time_is_a_kill_at_once() -> None:
    assert play(Stop(kill_after_seconds=0), "running", (1.2, status("offline"))) == (
        [(1.0, "stop"), (1.0, "kill")],
        [(2.2, "done")],
    )


# ---------------------------------------------------------------- without a connection


def test_without_a_connection_nothing_is_asked_and_on_the_status_all_is_decided() -> None:
    scene = begin(Stop(), "running")
    scene = Scene(*scene.recipes).hears((0.0, status("running"))).unlinks(0.5).asks(1.0, "it")
    scene.links(90.0).hears(
        (90.1, status("running")), (90.2, status("stopping")), (95.0, status("offline"))
    )

    assert (scene.did, scene.ended) == ([(90.1, "set state stop")], [(95.0, "done")])


@pytest.mark.parametrize(
    ("step", "was", "found"),
    [
        (Start(), "offline", "running"),
        (Stop(), "running", "offline"),
        (Kill(), "running", "offline"),
    ],
    ids=str,
)
def test_what_came_about_meanwhile_is_seen(step: PowerStep, was: str, found: str) -> None:
    scene = Scene(Recipe("it", when=Asked(), then=step)).hears((0.0, status(was)))
    scene.unlinks(0.5).asks(1.0, "it").links(20.0).hears((20.1, status(found)))

    assert (scene.did, scene.ended) == ([], [(20.1, "done")])


@pytest.mark.parametrize(("step", "was"), [(Start(), "running"), (Stop(), "offline")], ids=str)
def test_an_old_status_is_no_reason_to_do_nothing(step: PowerStep, was: str) -> None:
    """Before the connection was lost all was well; now it is the other way round."""
    other = {"running": "offline", "offline": "running"}[was]
    scene = Scene(Recipe("it", when=Asked(), then=step)).hears((0.0, status(was)))
    scene.unlinks(0.5).asks(1.0, "it").links(20.0).hears((20.1, status(other)))

    assert [at for at, _ in scene.did] == [20.1]


def test_a_connection_lost_while_a_step_waits_does_not_use_up_its_asking() -> None:
    scene = begin(Start(), "offline").unlinks(2.0).links(200.0)
    scene.hears((200.1, status("offline")), (200.2, status("starting")), (209.0, status("running")))

    assert (scene.did, scene.ended) == (
        [(1.0, "set state start"), (200.1, "set state start")],
        [(209.0, "done")],
    )


def test_a_restart_whose_end_nobody_saw_is_not_done_twice_at_once() -> None:
    """It may have restarted unseen; only after some silence is it asked for again."""
    scene = begin(Restart(), "running").unlinks(2.0).links(9.0).hears((9.1, status("running")))
    scene.waits(24.0)
    early = scene.did
    scene.hears((24.2, status("stopping")), (25.0, status("offline")), (29.0, status("running")))

    assert early == [(1.0, "set state restart")]
    assert (scene.did, scene.ended) == (
        [(1.0, "set state restart"), (24.1, "set state restart")],
        [(29.0, "done")],
    )


def test_a_restart_that_was_under_way_is_done_when_it_is_found_running() -> None:
    scene = begin(Restart(), "running").hears((1.1, status("stopping")))
    scene.unlinks(2.0).links(9.0).hears((9.1, status("running")))

    assert (scene.did, scene.ended) == ([(1.0, "set state restart")], [(9.1, "done")])


def test_nothing_is_asked_blindly_while_the_token_is_over() -> None:
    scene = begin(Stop(), "running").hears((2.0, expired())).waits(100.0)
    scene.hears((100.0, stats("running")), (100.1, status("stopping")), (101.0, status("offline")))

    assert (scene.did, scene.ended) == (
        [(1.0, "set state stop"), (100.0, "set state stop")],
        [(101.0, "done")],
    )


def test_a_server_that_cannot_be_reached_fails_the_step_at_its_limit() -> None:
    scene = begin(Start(limit_seconds=60), "offline").unlinks(2.0).waits(1000.0)

    assert (scene.did, scene.ended) == (
        [(1.0, "set state start")],
        [(61.0, "failed: after 60 s the server was still offline")],
    )


# ---------------------------------------------------------------- rehearsed, or dry


@pytest.mark.parametrize(
    ("step", "was", "sent"),
    [
        (Start(), "offline", ["set state start"]),
        (Stop(), "running", ["set state stop"]),
        (Stop(kill_after_seconds=5), "running", ["set state stop", "set state kill"]),
        (Restart(), "running", ["set state restart"]),
    ],
    ids=str,
)
def test_in_a_rehearsal_nothing_is_asked_twice(step: PowerStep, was: str, sent: list[str]) -> None:
    scene = begin(step, was, manner=Manner(asks_once=True)).hears((1.1, locked())).waits(2000)

    assert ([words for _, words in scene.did], [what for _, what in scene.ended]) == (
        sent,
        ["done"],
    )


@pytest.mark.parametrize(
    ("step", "was", "sent"),
    [
        (Start(), "stopping", [(3.0, "set state start")]),
        (Restart(), "stopping", [(3.0, "set state restart")]),
        (Start(), "starting", []),
        (Stop(), "stopping", []),
    ],
    ids=str,
)
def test_a_step_that_only_waited_asks_at_the_end_of_the_tape_if_it_would_have_to(
    step: PowerStep, was: str, sent: Told
) -> None:
    scene = begin(step, was, manner=Manner(asks_once=True)).ends(3.0).waits(2000)

    assert (scene.did, scene.ended) == (sent, [(3.0, "done")])


def test_a_step_that_gives_the_lock_its_time_asks_after_the_end_of_the_tape() -> None:
    scene = begin(Start(), "stopping", manner=Manner(asks_once=True))
    scene.hears((2.0, status("offline"))).ends(2.5).waits(2000)

    assert (scene.did, scene.ended) == ([(3.0, "set state start")], [(3.0, "done")])


@pytest.mark.parametrize("step", [Start(), Stop(), Restart(), Kill()], ids=str)
def test_a_dry_run_says_what_it_would_ask_and_waits_for_nothing(step: PowerStep) -> None:
    dry = Manner(asks_once=True, answers=False)
    scene = begin(step, "stopping", manner=dry)

    assert [at for at, _ in scene.ended] == [1.0]
    assert [words for _, words in scene.did] == ([] if step == Stop() else [f"set state {step}"])

"""What is known of a server: crashes are shapes of states, gaps are not crashes."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from automate.machine.occurrence import (
    BackupEnded,
    Changed,
    ErrorReported,
    Fall,
    Fell,
    Found,
    LockConflict,
    Occurrence,
)
from automate.machine.world import World
from automate.recording.format import ServerFrame
from automate.recording.reader import read_recording
from automate.wire import messages as m
from automate.wire.messages import PowerState
from tests.machine.scenes import (
    backup_completed,
    daemon,
    expired,
    line,
    locked,
    stats,
    status,
)

OFFLINE, STARTING, RUNNING, STOPPING = (
    PowerState.OFFLINE,
    PowerState.STARTING,
    PowerState.RUNNING,
    PowerState.STOPPING,
)
DETECTED = "---------- Detected server process in a crashed state! ----------"
TOO_SOON = "Aborting automatic restart, last crash occurred less than 60 seconds ago."
Told = list[tuple[float, Occurrence]]


def told(*heard: tuple[float, m.ServerMessage | None], until: float = 60.0) -> Told:
    """Return what happened and when; ``None`` is a lost connection."""
    world, happened = World(), Told()

    def settle(now: float) -> None:
        while (at := world.settles_at) is not None and at <= now:
            happened.extend((at, one) for one in world.settle(at))

    for at, message in heard:
        settle(at)
        if message is None:
            world.lose_sight()
        else:
            happened.extend((at, one) for one in world.observe(message, at))
    settle(until)
    return happened


def fell(at: float, code: int | None = None, memory: bool | None = None) -> Fell:
    return Fell(Fall(at=at, exit_code=code, out_of_memory=memory))


UP = [(0.0, status("running"))]
FOUND_UP = (0.0, Found(None, RUNNING))


def test_a_crash_is_told_a_second_later_with_what_the_daemon_said() -> None:
    happened = told(
        *UP,
        (5.0, status("offline")),
        (5.01, daemon(DETECTED)),
        (5.01, daemon("Exit code: 137")),
        (5.02, daemon("Out of memory: true")),
    )

    assert happened == [FOUND_UP, (5.0, Changed(RUNNING, OFFLINE)), (6.0, fell(5.0, 137, True))]


def test_the_daemons_lines_may_come_before_the_status_and_in_any_order() -> None:
    happened = told(
        *UP,
        (4.98, daemon("Out of memory: false")),
        (4.985, daemon("Exit code: 3")),
        (4.99, daemon(DETECTED)),
        (5.0, status("offline")),
    )

    assert happened == [FOUND_UP, (5.0, Changed(RUNNING, OFFLINE)), (6.0, fell(5.0, 3, False))]


def test_lines_about_an_older_crash_are_not_taken_for_this_one() -> None:
    happened = told(*UP, (3.0, daemon("Exit code: 3")), (5.0, status("offline")))

    assert happened[-1] == (6.0, fell(5.0))


def test_old_lines_are_forgotten_when_new_ones_come() -> None:
    happened = told(
        *UP,
        (3.0, daemon("Exit code: 3")),
        (4.9, daemon("Out of memory: true")),
        (5.0, status("offline")),
    )

    assert happened[-1] == (6.0, fell(5.0, None, True))


def test_a_game_cannot_speak_as_the_daemon() -> None:
    happened = told(*UP, (5.0, status("offline")), (5.01, line("[Daemon]: Exit code: 3")))

    assert happened[-1] == (6.0, fell(5.0))


@pytest.mark.parametrize("before", ["running", "starting"])
def test_a_stop_is_no_crash(before: str) -> None:
    happened = told((0.0, status(before)), (4.0, status("stopping")), (5.0, status("offline")))

    assert [type(one) for _, one in happened] == [Found, Changed, Changed]


def test_a_server_that_falls_while_starting_crashed() -> None:
    happened = told((0.0, status("offline")), (1.0, status("starting")), (2.0, status("offline")))

    assert happened[-1] == (3.0, fell(2.0))


def test_the_status_found_first_is_no_change() -> None:
    assert told((0.0, status("offline"))) == [(0.0, Found(None, OFFLINE))]


def test_a_status_said_twice_is_one() -> None:
    happened = told(*UP, (5.0, status("offline")), (5.0, status("offline")))

    assert happened == [FOUND_UP, (5.0, Changed(RUNNING, OFFLINE)), (6.0, fell(5.0))]


def test_two_crashes_within_the_settling_second_are_two_with_their_own_facts() -> None:
    """As after a start that can't work (PROBED 4.2): the first is told when the second comes."""
    happened = told(
        (0.0, status("starting")),
        (1.0, status("offline")),
        (1.01, daemon("Exit code: 1")),
        (1.01, daemon("Out of memory: false")),
        (1.03, status("starting")),
        (1.04, status("offline")),
        (1.05, daemon(TOO_SOON)),
    )

    again = Fall(at=1.04, gave_up=True)
    assert [(at, one) for at, one in happened if isinstance(one, Fell)] == [
        (1.04, fell(1.0, 1, False)),
        (2.04, Fell(again)),
    ]


def test_facts_that_contradict_the_crash_at_hand_are_about_the_next() -> None:
    happened = told(
        *UP,
        (1.0, status("offline")),
        (1.01, daemon("Exit code: 1")),
        (1.03, status("starting")),
        (1.50, daemon("Exit code: 2")),
        (1.51, status("offline")),
    )

    assert [one for _, one in happened if isinstance(one, Fell)] == [fell(1.0, 1), fell(1.51, 2)]


def test_a_stop_word_in_the_output_is_a_false_alarm() -> None:
    """The daemon is fooled for 45 ms, but the game never stopped (PROBED 4.5)."""
    happened = told(
        *UP,
        (5.0, line("stop")),
        (5.0, status("offline")),
        (5.01, daemon(DETECTED)),
        (5.01, daemon("Exit code: 0")),
        (5.045, status("running")),
    )

    assert happened == [
        FOUND_UP,
        (5.0, Changed(RUNNING, OFFLINE)),
        (5.045, Changed(OFFLINE, RUNNING)),
    ]


def test_a_real_crash_right_after_a_false_alarm_is_told() -> None:
    happened = told(
        *UP, (5.0, status("offline")), (5.05, status("running")), (5.5, status("offline"))
    )

    assert [(at, one) for at, one in happened if isinstance(one, Fell)] == [(6.5, fell(5.5))]


# ---------------------------------------------------------------- what only the stats say


def test_a_dropped_offline_is_seen_in_the_stats() -> None:
    happened = told(*UP, (5.0, stats("offline")), (5.02, daemon("Exit code: 3")))

    assert happened == [
        FOUND_UP,
        (6.0, Changed(RUNNING, OFFLINE)),
        (6.0, fell(5.0, 3)),
    ]


def test_a_status_that_comes_a_little_later_clears_the_doubt_up() -> None:
    happened = told(*UP, (5.0, stats("offline")), (5.2, status("offline")))

    assert happened == [FOUND_UP, (5.2, Changed(RUNNING, OFFLINE)), (6.2, fell(5.2))]


def test_stats_overtaken_by_a_status_are_not_believed() -> None:
    """A server that is offline says nothing more, so one stray report must not be enough."""
    happened = told(
        *UP, (5.0, status("stopping")), (6.0, status("offline")), (6.01, stats("stopping"))
    )

    assert [one for _, one in happened[1:]] == [
        Changed(RUNNING, STOPPING),
        Changed(STOPPING, OFFLINE),
    ]


def test_stats_that_say_it_twice_are_believed() -> None:
    happened = told((0.0, status("offline")), (5.0, stats("running")), (6.0, stats("running")))

    assert happened[1:] == [(6.0, Changed(OFFLINE, RUNNING))]


def test_twice_at_once_is_not_twice() -> None:
    """As when somebody asks for the stats at the moment they come by themselves."""
    happened = told((0.0, status("offline")), (5.0, stats("running")), (5.1, stats("running")))

    assert happened == [(0.0, Found(None, OFFLINE))]


def test_a_stray_report_followed_by_a_sound_one_is_forgotten() -> None:
    happened = told(*UP, (5.0, stats("offline")), (5.9, stats("running")))

    assert happened == [FOUND_UP]


@pytest.mark.parametrize("end", [status("offline"), stats("offline")], ids=["status", "stats"])
def test_a_stop_whose_status_was_dropped_is_no_crash(end: m.ServerMessage) -> None:
    happened = told(*UP, (5.0, stats("stopping")), (5.7, end))

    assert [one for _, one in happened[1:]] == [
        Changed(RUNNING, STOPPING),
        Changed(STOPPING, OFFLINE),
    ]


def test_a_crash_answered_by_the_daemon_is_one_even_if_offline_was_dropped() -> None:
    happened = told(*UP, (5.0, stats("offline")), (5.03, status("starting")))

    assert happened[1:] == [
        (5.03, Changed(RUNNING, OFFLINE)),
        (5.03, Changed(OFFLINE, STARTING)),
        (6.0, fell(5.0)),
    ]


def test_a_state_nobody_knows_says_nothing() -> None:
    assert told(*UP, (5.0, stats("hibernating")), (6.0, m.StatsReported(m.Stats()))) == [FOUND_UP]


# ---------------------------------------------------------------- gaps


def test_a_server_found_offline_after_a_gap_did_not_crash() -> None:
    happened = told(*UP, (5.0, None), (8.0, status("offline")))

    assert happened == [FOUND_UP, (8.0, Found(RUNNING, OFFLINE))]


def test_an_expired_token_is_a_gap_that_ends_with_the_stats() -> None:
    happened = told(*UP, (5.0, expired()), (6.0, expired()), (8.0, stats("offline")))

    assert happened == [FOUND_UP, (8.0, Found(RUNNING, OFFLINE))]


def test_a_refused_token_on_a_good_connection_is_no_gap() -> None:
    refused = m.JwtErrorReported("Error Event [b786]: jwt: exp claim is invalid")

    happened = told(*UP, (5.0, refused), (6.0, status("offline")))

    assert [type(one) for _, one in happened] == [Found, Changed, Fell]


def test_a_crash_seen_just_before_the_connection_was_lost_is_told() -> None:
    happened = told(*UP, (5.0, status("offline")), (5.4, None))

    assert happened[-1] == (6.0, fell(5.0))


def test_what_the_stats_said_before_a_gap_is_worth_nothing_after_it() -> None:
    happened = told(*UP, (5.0, stats("offline")), (5.1, None), (9.0, status("running")))

    assert happened == [FOUND_UP, (9.0, Found(RUNNING, RUNNING))]


def test_the_stats_can_be_the_first_to_tell() -> None:
    assert told((0.0, stats("running")), (0.1, status("running"))) == [FOUND_UP]


# ---------------------------------------------------------------- other things


def test_a_lock_conflict_is_told_apart_from_other_errors() -> None:
    text = "Error Event [a1]: an unexpected error was encountered"
    happened = told((1.0, locked()), (2.0, m.DaemonErrorReported(text)))

    assert [one for _, one in happened if not isinstance(one, ErrorReported)] == [LockConflict()]
    assert happened[-1] == (2.0, ErrorReported(text))


def test_ended_backups_are_remembered_but_not_for_ever() -> None:
    world = World()

    happened = [world.observe(backup_completed(f"b{n}", well=n % 2 == 0), 1.0) for n in range(40)]

    assert happened[1] == [BackupEnded("b1", is_successful=False)]
    assert world.backups == {f"b{n}": n % 2 == 0 for n in range(8, 40)}


@pytest.mark.parametrize(
    ("fall", "reason"),
    [
        (Fall(at=0), "crashed"),
        (Fall(at=0, exit_code=3, out_of_memory=False), "crashed (exit code 3)"),
        (Fall(at=0, exit_code=137, out_of_memory=True), "ran out of memory (exit code 137)"),
        (Fall(at=0, out_of_memory=True), "ran out of memory"),
        (Fall(at=0, exit_code=0), "ended by itself (exit code 0)"),
    ],
)
def test_the_reason_ends_a_sentence(fall: Fall, reason: str) -> None:
    assert fall.reason == reason


# ---------------------------------------------------------------- always

SAID = st.one_of(
    st.sampled_from(list(PowerState)).map(status),
    st.sampled_from(list(PowerState)).map(stats),
    st.sampled_from([daemon(DETECTED), daemon("Exit code: 3"), daemon(TOO_SOON)]),
    st.sampled_from([expired(), None]),
)


@given(st.lists(st.tuples(st.floats(0, 2), SAID), max_size=20))
def test_every_crash_is_told_once_and_within_a_second(
    steps: list[tuple[float, m.ServerMessage | None]],
) -> None:
    at, heard = 0.0, []
    for pause, message in steps:
        at += pause
        heard.append((at, message))

    happened = told(*heard, until=at + 5)

    falls = [(when, one.fall.at) for when, one in happened if isinstance(one, Fell)]
    changes = [
        when
        for when, one in happened
        if isinstance(one, Changed) and one.was in (RUNNING, STARTING) and one.to is OFFLINE
    ]
    assert all(fall <= when <= fall + 1.0 for when, fall in falls)
    assert len({fall for _, fall in falls}) == len(falls) <= len(changes)
    assert [when for when, _ in happened] == sorted(when for when, _ in happened)


@pytest.mark.parametrize("name", ["lifecycle", "power-races", "node-restart", "console-flood"])
def test_on_a_real_day_without_a_crash_the_stats_never_contradict(
    name: str, recordings: Path
) -> None:
    recording = read_recording(recordings / f"{name}.jsonl")
    heard = [(one.t, one.message) for one in recording.entries if isinstance(one, ServerFrame)]

    happened = told(*heard)

    moments = {at for at, message in heard if isinstance(message, m.StatusChanged)}
    assert {at for at, one in happened if isinstance(one, Changed | Found)} <= moments
    assert not [one for _, one in happened if isinstance(one, Fell)]

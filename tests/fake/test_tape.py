"""The sentences of RECORDING.md, "Replaying", each as a scene."""

import math

import pytest

from automate.errors import UsageError
from automate.fake.ledger import Grant
from automate.fake.signals import (
    Accepted,
    Closed,
    Drop,
    NoteKind,
    Opened,
    PanelReply,
    Refused,
    Said,
    Unrecorded,
)
from automate.fake.tape import Tape, recorded_deeds
from automate.recording.format import PanelCall
from tests.fake.scenes import (
    ASKED_STATS,
    LOGIN,
    PUSHED_STATS,
    ROOT,
    Stage,
    asked,
    auth,
    called,
    frame,
    left,
    lost,
    opened,
    recorded,
    says,
    told,
)

SUCCESS = frame("auth success")
RUNNING = frame("status", "running")
NO_TOKEN = frame("jwt error", "jwt: no jwt present")
DAEMON_ERROR = "Error Event [u]: an unexpected error was encountered while handling this request"


def line(text: str) -> str:
    return frame("console output", text)


def logged_in(tape: Tape, at: float = 0.0) -> Stage:
    """Return the stage after a first client has authenticated, as socket 1."""
    stage = Stage(tape)
    stage.do(at, Opened(1), auth(1))
    return stage


# ---------------------------------------------------------------- one clock


def test_the_clock_starts_at_the_first_successful_auth() -> None:
    stage = Stage(Tape(recorded(*LOGIN, told(2.001, "console output", "hi"))))
    stage.do(0.0, Opened(1))
    stage.until(50.0)
    stage.do(50.0, auth(1))
    stage.until(90.0)

    assert stage.frames() == [(50.0, SUCCESS), (50.002, RUNNING), (52.0, line("hi"))]


def test_a_bad_token_does_not_start_it() -> None:
    refusal = frame("daemon error", DAEMON_ERROR)
    stage = Stage(Tape(recorded(*LOGIN)))
    stage.do(0.0, Opened(1), auth(1, refusal))
    stage.until(9.0)
    stage.do(9.0, auth(1))

    assert (stage.frames(), stage.tape.seconds(9.0)) == ([(0.0, refusal), (9.0, SUCCESS)], 0.001)


def test_before_it_starts_a_good_auth_is_answered_as_the_recorded_one_of_its_number_was() -> None:
    stage = Stage(
        Tape(
            recorded(
                opened(0.0),
                asked(1.0, "auth", "<token:1>"),
                told(1.1, "jwt error", "Error Event [u]: jwt: exp claim is invalid"),
                told(2.0, "console output", "before anyone was let in"),
                asked(3.0, "auth", "<token:2>"),
                told(3.1, "auth success"),
                told(3.2, "status", "running"),
            )
        )
    )
    stage.do(0.0, Opened(1), auth(1))
    stage.do(5.0, auth(1))
    stage.until(9.0)

    assert stage.frames() == [
        (0.0, frame("jwt error", "Error Event [u]: jwt: exp claim is invalid")),
        (5.0, SUCCESS),
        (5.0, line("before anyone was let in")),
        (5.2, RUNNING),
    ]


def test_an_auth_that_was_never_answered_lets_the_live_client_in_and_the_tape_begins_there() -> (
    None
):
    stage = logged_in(
        Tape(
            recorded(
                opened(0.0),
                asked(1.0, "auth", "<token:1>"),
                left(1.001),
                opened(3.0),
                asked(3.5, "auth", "<token:2>"),
                told(3.6, "auth success"),
                told(3.7, "status", "running"),
            )
        )
    )
    stage.until(9.0)

    assert stage.frames() == [(0.0, SUCCESS), (2.7, RUNNING)]


def test_a_recording_without_any_auth_begins_at_its_beginning() -> None:
    stage = logged_in(Tape(recorded(told(0.5, "status", "running"))))
    stage.until(9.0)

    assert stage.frames() == [(0.0, SUCCESS), (0.5, RUNNING)]


@pytest.mark.parametrize("speed", [0.5, 10.0])
def test_it_runs_at_the_chosen_speed(speed: float) -> None:
    stage = logged_in(Tape(recorded(*LOGIN, told(5.001, "console output", "hi")), speed=speed))
    stage.until(90.0)

    assert stage.frames()[-1] == (round(5 / speed, 4), line("hi"))


@pytest.mark.parametrize("speed", [0.0, -1.0, math.nan])
def test_a_speed_that_is_none_is_refused(speed: float) -> None:
    with pytest.raises(UsageError, match="expected a number above 0"):
        Tape(recorded(*LOGIN), speed=speed)


def test_at_infinite_speed_a_handful_goes_out_each_time_somebody_asks_for_more() -> None:
    flood = [told(1.0 + n, "console output", f"line {n}") for n in range(100)]
    tape = Tape(recorded(*LOGIN, *flood), speed=math.inf)
    stage = logged_in(tape)
    counts = [len(stage.frames())]
    while tape.wake_at is not None:
        assert tape.wake_at <= 0.0
        stage.note(tape.tick(0.0))
        counts.append(len(stage.frames()))

    assert (counts, stage.texts()[-1]) == ([64, 102], line("line 99"))


def test_between_a_recorded_loss_and_the_next_opened_nobody_connects() -> None:
    tape = Tape(recorded(*LOGIN, lost(2.001), opened(5.001), asked(5.002, "auth", "<token:2>")))
    stage = logged_in(tape)
    stage.until(3.0)
    stage.do(3.0, Opened(2))
    was_lost = tape.is_lost
    stage.until(6.0)

    assert (stage.drops(), was_lost, tape.is_lost) == (
        [(2.0, Drop((1,), 1006, "")), (3.0, Drop((2,), 1006, ""))],
        True,
        False,
    )


def test_another_code_than_1006_is_told_with_its_reason() -> None:
    stage = logged_in(Tape(recorded(*LOGIN, lost(2.001, 4409, "server is suspended"))))
    stage.do(1.0, Opened(2))
    stage.until(3.0)

    assert stage.drops() == [(2.0, Drop((1, 2), 4409, "server is suspended"))]


def test_after_a_loss_the_clock_waits_for_the_next_connections_auth() -> None:
    stage = logged_in(
        Tape(
            recorded(
                *LOGIN,
                lost(2.0),
                opened(5.0),
                asked(5.0, "auth", "<token:2>"),
                told(5.1, "auth success"),
                told(5.2, "status", "running"),
                told(6.0, "console output", "back"),
            )
        )
    )
    stage.until(100.0)
    stage.do(100.0, Opened(2))
    stage.until(200.0)
    stage.do(200.0, auth(2))
    stage.until(300.0)

    assert stage.frames(2) == [(200.1, SUCCESS), (200.2, RUNNING), (201.0, line("back"))]


def test_what_was_not_asked_for_before_a_loss_does_not_answer_after_it() -> None:
    """The tape waits for that very auth; so it gets that auth's answer."""
    stage = logged_in(
        Tape(
            recorded(
                *LOGIN,
                asked(1.0, "auth", "<token:2>"),
                told(1.1, "auth success"),
                lost(2.0),
                opened(5.0),
                asked(5.0, "auth", "<token:2>"),
                told(5.1, "jwt error", "Error Event [u]: jwt: created too far in past (denylist)"),
            )
        )
    )
    stage.until(10.0)
    stage.do(10.0, Opened(2), auth(2))
    stage.until(20.0)

    assert stage.frames(2) == [
        (10.1, frame("jwt error", "Error Event [u]: jwt: created too far in past (denylist)"))
    ]


def test_a_close_by_the_client_is_never_replayed() -> None:
    stage = logged_in(
        Tape(
            recorded(
                *LOGIN,
                left(2.0),
                opened(3.0),
                told(4.001, "console output", "the live client stayed"),
                left(5.0),
            )
        )
    )
    stage.until(9.0)

    assert (stage.frames()[-1], stage.drops()) == ((4.0, line("the live client stayed")), [])


def test_at_the_end_the_node_stays_silent_and_connected() -> None:
    stage = logged_in(
        Tape(recorded(*LOGIN, asked(1.0, "send stats"), told(1.1, "stats", ASKED_STATS)))
    )
    stage.until(1000.0)
    stage.do(1000.0, says(1, "send logs"))

    assert (stage.tape.is_over, stage.tape.wake_at, stage.drops()) == (True, None, [])
    assert stage.notes(NoteKind.UNASKED, NoteKind.ENDED) == [
        (1.1, "the recorded answers to send stats 1"),
        (1.1, "the node stays, silent and connected"),
    ]


def test_a_further_socket_joins_the_tape_where_it_is() -> None:
    stage = logged_in(
        Tape(
            recorded(
                *LOGIN, told(1.001, "console output", "one"), told(3.001, "console output", "two")
            )
        )
    )
    stage.do(2.0, Opened(2), auth(2))
    stage.until(9.0)

    assert stage.frames(2) == [(2.0, SUCCESS), (2.0, RUNNING), (3.0, line("two"))]


def test_while_offline_it_is_told_the_statistics_as_well() -> None:
    stage = logged_in(Tape(recorded(*LOGIN, told(1.0, "status", "offline"))))
    stage.do(2.0, Opened(2), auth(2))

    empty = (
        '{"memory_bytes":0,"memory_limit_bytes":0,"cpu_absolute":0,'
        '"network":{"rx_bytes":0,"tx_bytes":0},"uptime":0,"state":"offline","disk_bytes":0}'
    )
    assert stage.texts(2) == [SUCCESS, frame("status", "offline"), frame("stats", empty)]


def test_whoever_is_not_let_in_hears_nothing() -> None:
    stage = logged_in(Tape(recorded(*LOGIN, told(2.0, "console output", "secret"))))
    stage.do(0.0, Opened(2))
    stage.until(9.0)

    assert stage.frames(2) == []


# ---------------------------------------------------------------- answers


ANSWERS = [
    *LOGIN,
    asked(1.0, "send stats"),
    told(1.001, "stats", ASKED_STATS),
    asked(2.0, "send logs"),
    told(2.001, "console output", "old"),
    told(2.002, "console output", "new"),
    told(3.0, "console output", "live"),
    asked(4.0, "send logs"),
    told(4.001, "console output", "second"),
]


def test_answers_wait_for_the_live_clients_own_question() -> None:
    stage = logged_in(Tape(recorded(*ANSWERS)))
    stage.do(7.0, says(1, "send logs"))
    stage.do(8.0, says(1, "send logs"))
    stage.do(9.0, says(1, "send stats"))

    assert stage.frames()[2:] == [
        (2.999, line("live")),
        (7.0, line("old")),
        (7.0, line("new")),
        (8.0, line("second")),
        (9.0, frame("stats", ASKED_STATS)),
    ]


def test_none_goes_out_before_the_tape_has_reached_it() -> None:
    stage = logged_in(Tape(recorded(*ANSWERS)))
    stage.do(0.5, says(1, "send logs"), says(1, "send stats"))
    stage.until(9.0)

    assert stage.frames()[2:] == [
        (1.0, frame("stats", ASKED_STATS)),
        (2.0, line("old")),
        (2.001, line("new")),
        (2.999, line("live")),
    ]


def test_a_question_that_is_only_late_is_not_answered_a_second_time() -> None:
    tape = Tape(
        recorded(
            *LOGIN,
            asked(0.5, "send logs"),  # offline: no answer
            told(1.0, "status", "running"),
            asked(4.0, "send logs"),
            told(4.001, "console output", "old"),
        )
    )
    stage = logged_in(tape)
    stage.do(0.5, says(1, "send logs"))
    stage.do(4.1, says(1, "send logs"))
    stage.until(5.5)
    heard_once = stage.frames()[2:]
    stage.do(6.0, says(1, "send logs"))

    assert heard_once == [(0.999, frame("status", "running")), (4.0, line("old"))]
    assert stage.frames()[4:] == [(6.0, line("old"))]


def test_an_answer_asked_for_in_its_middle_comes_whole() -> None:
    stage = logged_in(Tape(recorded(*ANSWERS)))
    stage.do(2.0005, says(1, "send logs"))
    stage.until(2.5)

    assert stage.frames()[2:] == [(2.0005, line("old")), (2.001, line("new"))]


def test_an_answer_never_asked_for_holds_nothing_else_up() -> None:
    stage = logged_in(Tape(recorded(*ANSWERS)))
    stage.until(9.0)

    assert stage.frames()[2:] == [(2.999, line("live"))]


def test_a_recorded_question_without_an_answer_leaves_the_live_one_to_the_next_answer() -> None:
    stage = logged_in(
        Tape(
            recorded(
                *LOGIN,
                asked(1.0, "send stats"),
                asked(5.0, "send stats"),
                told(5.001, "stats", ASKED_STATS),
                asked(6.0, "send stats"),
                told(6.001, "stats", PUSHED_STATS.replace('{"cpu', '{"memory_bytes":2,"cpu')),
            )
        )
    )
    stage.do(1.0, says(1, "send stats"))
    stage.do(2.0, says(1, "send stats"))
    stage.until(9.0)

    assert stage.frames()[2:] == [(5.0, frame("stats", ASKED_STATS))]


def test_a_question_ends_with_its_connection() -> None:
    stage = logged_in(Tape(recorded(*ANSWERS)))
    stage.do(0.1, says(1, "send logs"))
    stage.do(0.2, Closed(1), Opened(2), auth(2), says(2, "send logs"))
    stage.until(2.5)

    assert (stage.texts(1)[2:], stage.texts(2)[2:]) == ([], [line("old"), line("new")])


def test_a_refresh_waits_for_the_recorded_one() -> None:
    stage = logged_in(
        Tape(recorded(*LOGIN, asked(30.0, "auth", "<token:2>"), told(30.001, "auth success")))
    )
    stage.do(20.0, auth(1))
    stage.until(40.0)

    assert stage.frames()[2:] == [(30.0, SUCCESS)]


def test_a_recorded_refusal_answers_a_live_refresh() -> None:
    stage = logged_in(
        Tape(recorded(*LOGIN, asked(3.0, "auth", "x"), told(3.001, "throttled", "auth")))
    )
    stage.do(9.0, auth(1))
    stage.do(10.0, auth(1))

    assert stage.frames()[2:] == [(9.0, frame("throttled", "auth")), (10.0, SUCCESS)]


def test_a_bad_token_gets_the_recorded_refusal_where_the_recorded_client_did_the_same() -> None:
    mine, theirs = frame("daemon error", "Error Event [mine]"), frame("daemon error", DAEMON_ERROR)
    stage = logged_in(
        Tape(
            recorded(
                *LOGIN,
                asked(3.0, "auth", "x"),
                told(3.101, "daemon error", DAEMON_ERROR),
                asked(9.0, "auth", "<token:2>"),
                told(9.101, "auth success"),
            )
        )
    )
    stage.do(1.0, auth(1, mine))
    stage.do(3.0, auth(1, mine))
    stage.do(9.0, auth(1, mine))
    stage.do(9.05, auth(1))
    stage.until(10.0)

    assert stage.frames()[2:] == [(1.0, mine), (3.1, theirs), (9.0, mine), (9.1, SUCCESS)]


def test_a_second_watcher_is_let_in_even_if_the_recorded_order_passes_it_over() -> None:
    stage = logged_in(
        Tape(
            recorded(
                *LOGIN,
                asked(3.0, "auth", "x"),
                asked(3.1, "auth", "y"),
                told(3.2, "auth success"),
            )
        )
    )
    stage.do(3.0, Opened(2), Opened(3), auth(2), auth(3))
    stage.until(9.0)

    assert (stage.frames(2), stage.frames(3)) == (
        [(3.199, SUCCESS), (3.199, RUNNING)],
        [(3.199, SUCCESS), (3.199, RUNNING)],
    )


# ---------------------------------------------------------------- deeds


DEEDS = [
    *LOGIN,
    told(1.0, "console output", "before"),
    asked(2.0, "send command", "save-off"),
    told(2.1, "console output", "off"),
    asked(3.0, "send command", "save-all"),
    told(3.1, "console output", "all"),
    asked(4.0, "set state", "stop"),
    told(4.1, "status", "stopping"),
]


def test_recorded_deeds_are_done_again_by_a_ghost_whatever_the_live_client_does() -> None:
    stage = logged_in(Tape(recorded(*DEEDS)))
    stage.do(0.5, says(1, "set state", "kill"), says(1, "send command", "save-off"))
    stage.until(9.0)

    assert [at for at, _text in stage.frames()[2:]] == [0.999, 2.099, 3.099, 4.099]
    assert stage.notes(NoteKind.GHOST, NoteKind.IGNORED) == [
        (0.501, "set state kill: the recording goes its own way"),
        (0.501, "send command save-off: the recording goes its own way"),
        (2.0, "deed 1 (send command save-off)"),
        (3.0, "deed 2 (send command save-all)"),
        (4.0, "deed 3 (set state stop)"),
    ]


def test_a_deed_left_to_the_live_client_is_waited_for_and_what_follows_keeps_its_distance() -> None:
    stage = logged_in(Tape(recorded(*DEEDS), leave={2}))
    stage.until(50.0)
    stage.do(50.0, says(1, "send command", "save-all"))
    stage.until(90.0)

    assert stage.frames()[2:] == [
        (0.999, line("before")),
        (2.099, line("off")),
        (50.1, line("all")),
        (51.1, frame("status", "stopping")),
    ]
    assert stage.notes(NoteKind.WAITING, NoteKind.DONE) == [
        (3.0, "for deed 2 (send command save-all)"),
        (3.0, "deed 2 (send command save-all)"),
    ]


def test_a_left_deed_done_early_moves_the_clock_to_it() -> None:
    stage = logged_in(Tape(recorded(*DEEDS), leave={2}))
    stage.do(0.499, says(1, "send command", "save-all"))
    stage.until(90.0)

    assert stage.frames()[2:] == [
        (0.499, line("before")),
        (0.499, line("off")),
        (0.599, line("all")),
        (1.599, frame("status", "stopping")),
    ]
    assert stage.notes(NoteKind.DONE) == [(0.5, "deed 2 (send command save-all), 2.5000 s early")]


def test_but_never_past_another_left_deed_that_is_undone() -> None:
    stage = logged_in(Tape(recorded(*DEEDS), leave={1, 2}))
    stage.do(0.5, says(1, "send command", "save-all"))
    stage.until(10.0)
    waiting = list(stage.frames()[2:])
    stage.do(10.0, says(1, "send command", "save-off"))
    stage.until(90.0)

    assert (waiting, stage.frames()[3:]) == (
        [(0.5, line("before"))],
        [(10.0, line("off")), (10.1, line("all")), (11.1, frame("status", "stopping"))],
    )


def test_a_jump_goes_through_a_loss_but_waits_for_the_next_connection() -> None:
    stage = logged_in(
        Tape(
            recorded(
                *LOGIN,
                lost(2.0),
                opened(3.0),
                asked(3.0, "auth", "<token:2>"),
                told(3.1, "auth success"),
                told(4.0, "console output", "skipped"),
                asked(5.0, "set state", "stop"),
                told(5.5, "status", "stopping"),
            ),
            leave="all",
        )
    )
    stage.do(1.0, says(1, "set state", "stop"))
    stage.do(7.0, Opened(2), auth(2))
    stage.until(9.0)

    assert (stage.drops(), stage.frames(2)) == (
        [(1.0, Drop((1,), 1006, ""))],
        [
            (7.0, SUCCESS),
            (7.0, RUNNING),
            (7.0, line("skipped")),
            (7.5, frame("status", "stopping")),
        ],
    )


@pytest.mark.parametrize("leave", [{4}, {0}, {1, 99}])
def test_only_recorded_deeds_can_be_left(leave: set[int]) -> None:
    with pytest.raises(UsageError, match=r"expected numbers of recorded deeds \(1 to 3\)"):
        Tape(recorded(*DEEDS), leave=leave)


def test_deeds_are_numbered_as_recorded() -> None:
    deeds = recorded_deeds(
        recorded(
            *LOGIN,
            asked(1.0, "set state", "start"),
            called(2.0, "GET", "/resources"),
            called(3.0, "POST", "/command", request={"command": "say hi"}),
            asked(4.0, "send command", "say ", "ho"),
            called(5.0, "POST", "/backups", request={}),
            told(6.0, "status", "running"),
            called(7.0, "DELETE", "/backups/1"),
        )
    )

    assert [(deed.number, deed.at, str(deed.content)) for deed in deeds] == [
        (1, 1.0, "set state start"),
        (2, 3.0, "send command say hi"),
        (3, 4.0, "send command say ho"),
        (4, 5.0, f"POST {ROOT}/backups"),
        (5, 7.0, f"DELETE {ROOT}/backups/1"),
    ]


def test_what_the_daemon_would_drop_in_silence_is_no_deed() -> None:
    broken = asked(1.0, "send command")
    entries = [broken, type(broken)(2.0, "send command", [1]), type(broken)(3.0, text="{")]
    stage = logged_in(Tape(recorded(*LOGIN, *entries), strict=True))
    stage.do(5.0, says(1, "send command"))
    stage.until(9.0)

    assert (len(stage.tape.deeds), stage.tape.is_over) == (1, True)


def test_strictly_all_deeds_are_left_and_any_other_is_refused() -> None:
    stage = logged_in(Tape(recorded(*DEEDS), strict=True))
    stage.do(2.0, says(1, "send command", "say hi"))
    refused = stage.call(2.5, "POST", f"{ROOT}/power", {"signal": "kill"})
    stage.do(3.0, says(1, "send command", "save-off"))
    stage.do(4.0, says(1, "send command", "save-off"))
    stage.until(5.0)

    texts = stage.texts()[2:]
    assert (texts[0], texts[2]) == (line("before"), line("off"))
    for text in (texts[1], texts[3]):
        assert text.startswith('{"event":"daemon error","args":["Error Event [')
    assert isinstance(refused, Refused)


def test_each_way_does_the_same_deed() -> None:
    by_panel = called(2.0, "POST", "/power", request={"signal": "start"}, status=204)
    through_the_socket = logged_in(Tape(recorded(*LOGIN, by_panel), leave={1}))
    through_the_panel = logged_in(Tape(recorded(*DEEDS), leave={3}))
    through_the_socket.do(9.0, says(1, "set state", "start"))
    reply = through_the_panel.call(9.0, "POST", f"{ROOT}/power", {"signal": "stop"})

    assert (
        reply,
        through_the_socket.notes(NoteKind.DONE),
        through_the_panel.notes(NoteKind.DONE),
    ) == (
        Accepted(),
        [(2.0, "deed 1 (set state start)")],
        [(4.0, "deed 3 (set state stop)")],
    )


def test_a_left_panel_call_gets_its_own_answer_and_another_body_is_noted() -> None:
    made = called(2.0, "POST", "/backups", request={"name": "a"}, response={"object": "backup"})
    stage = logged_in(Tape(recorded(*LOGIN, made, told(2.5, "console output", "after")), leave={1}))
    stage.until(9.0)
    reply = stage.call(9.0, "POST", f"{ROOT}/backups", {"name": "b"})
    stage.until(20.0)

    assert (reply, stage.frames()[-1]) == (made, (9.5, line("after")))
    assert stage.notes(NoteKind.DIFFERED) == [
        (2.0, f"deed 1 (POST {ROOT}/backups): body.name: expected 'a', found 'b'")
    ]


def test_what_came_while_a_panel_call_was_under_way_follows_from_it() -> None:
    """A small backup is complete before the panel has answered (PROBED 7.1)."""
    completed = (
        '{"checksum":"c","checksum_type":"sha1","file_size":1,"is_successful":true,"uuid":"u"}'
    )
    made = called(2.5, "POST", "/backups", seconds=1.0, response={})
    stage = logged_in(
        Tape(recorded(*LOGIN, told(2.0, "backup completed", completed), made), leave={1})
    )
    stage.until(9.0)
    before = stage.texts()
    stage.call(9.0, "POST", f"{ROOT}/backups")
    stage.until(20.0)

    assert (len(before), stage.frames()[-1]) == (2, (9.5, frame("backup completed", completed)))


def test_a_left_deed_done_before_anyone_was_let_in_counts() -> None:
    stage = Stage(Tape(recorded(*DEEDS), leave={3}))
    stage.call(0.0, "POST", f"{ROOT}/power", {"signal": "stop"})
    stage.do(5.0, Opened(1), auth(1))
    stage.until(9.0)

    assert stage.frames()[-1] == (5.1, frame("status", "stopping"))


# ---------------------------------------------------------------- beyond the recording


def test_more_questions_than_recorded_are_answered_sensibly() -> None:
    stage = logged_in(
        Tape(
            recorded(
                *LOGIN,
                told(0.5, "console output", "of the last run"),
                told(1.0, "status", "starting"),
                told(1.1, "console output", "\x1b[33m\x1b[1m[pelican Daemon]:\x1b[39m pull\x1b[0m"),
                *(told(2.0, "console output", f"line {n}") for n in range(160)),
                told(3.0, "stats", PUSHED_STATS),
                told(4.0, "status", "running"),
            )
        )
    )
    stage.until(9.0)
    heard = len(stage.frames())
    stage.do(9.0, says(1, "send logs"), says(1, "send stats"), auth(1))

    assert stage.texts()[heard:] == [
        *(line(f"line {n}") for n in range(10, 160)),
        frame(
            "stats",
            '{"memory_bytes":1,"cpu_absolute":0.50,"uptime":9,"state":"running","disk_bytes":5}',
        ),
        SUCCESS,
    ]


def test_offline_there_are_no_lines_to_send() -> None:
    stage = logged_in(
        Tape(recorded(*LOGIN, told(1.0, "console output", "x"), told(2.0, "status", "offline")))
    )
    stage.until(5.0)
    heard = len(stage.frames())
    stage.do(5.0, says(1, "send logs"))

    assert len(stage.frames()) == heard


def test_a_recorded_log_answer_is_all_there_was() -> None:
    """It holds the lines of a gap as well, and none twice."""
    stage = logged_in(Tape(recorded(*ANSWERS[:10])))
    stage.until(9.0)
    stage.do(9.0, says(1, "send logs"), says(1, "send logs"))

    assert stage.texts()[3:] == [line("old"), line("new"), line("old"), line("new"), line("live")]


def test_whoever_speaks_before_auth_is_told_so() -> None:
    stage = Stage(Tape(recorded(*DEEDS)))
    stage.do(0.0, Opened(1), says(1, "send stats"), says(1, "set state", "stop"), says(1, "nope"))

    assert stage.texts() == [NO_TOKEN] * 3


def test_a_socket_not_let_in_never_gets_an_answer_meant_for_others() -> None:
    stage = logged_in(Tape(recorded(*ANSWERS)))
    stage.do(0.9, Opened(2), says(2, "send stats"), says(2, "send logs"))
    stage.until(9.0)

    assert stage.frames(2) == [(0.9, NO_TOKEN), (0.9, NO_TOKEN)]


@pytest.mark.parametrize("text", ["{", "[]", '"x"', "", '{"event":"auth","args":[1]}', "\x00"])
def test_what_is_no_message_is_dropped_in_silence(text: str) -> None:
    stage = Stage(Tape(recorded(*LOGIN)))
    stage.do(0.0, Opened(1), Said(1, text))

    assert stage.heard == []


def test_a_recorded_panel_call_gets_its_recorded_answer_and_the_next_one_the_next() -> None:
    first = called(1.0, "GET", "/resources", response={"n": 1})
    second = called(2.0, "GET", "/resources", response={"n": 2}, status=504)
    tape = Tape(recorded(*LOGIN, first, second))
    short = ROOT.replace(tape.server, tape.server[:8])
    replies: list[PanelReply] = [
        tape.call("GET", f"{root}/resources", None, 0.0)[0] for root in (ROOT, f"{short}", ROOT)
    ]

    assert replies == [first, second, Unrecorded()]


def test_an_unrecorded_deed_is_accepted_and_a_backup_begins() -> None:
    tape = Tape(recorded(*LOGIN))
    replies = [
        tape.call("POST", f"{ROOT}/power", {"signal": "start"}, 0.0)[0],
        tape.call("POST", f"{ROOT}/backups", None, 0.0)[0],
        tape.call("GET", f"{ROOT}/backups", None, 0.0)[0],
    ]

    assert replies == [Accepted(), Unrecorded(begins_backup=True), Unrecorded()]


def test_tokens_are_granted_as_recorded_and_the_last_one_again_and_again() -> None:
    def claims(seconds: int, *permissions: str) -> dict[str, object]:
        return {"iat": 1000, "nbf": 700, "exp": 1000 + seconds, "permissions": list(permissions)}

    tape = Tape(
        recorded(
            called(0.0, "GET", "/websocket", claims=claims(75, "*") | {"scope": "websocket"}),
            called(1.0, "GET", "/websocket", status=429, response={"errors": []}),
            called(2.0, "GET", "/websocket", claims=claims(600, "websocket.connect")),
        )
    )
    replies = [tape.call("GET", f"{ROOT}/websocket", None, 0.0)[0] for _ in range(4)]

    first = Grant(lifetime_seconds=75, permissions=("*",), scope="websocket")
    last = Grant(lifetime_seconds=600, permissions=("websocket.connect",), scope=None)
    refusal = replies[1]
    assert [replies[0], *replies[2:]] == [first, last, last]
    assert isinstance(refusal, PanelCall)
    assert refusal.status == 429

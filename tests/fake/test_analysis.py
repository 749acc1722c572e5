"""Which frames were answers: RECORDING.md, "Replaying", to the millisecond."""

import pytest

from automate.fake.analysis import read_script
from automate.fake.script import AnswerFrame, Kind
from automate.recording.format import Entry, ServerFrame
from tests.fake.scenes import ASKED_STATS, LOGIN, PUSHED_STATS, SERVER, asked, lost, opened, told

DAEMON = "\x1b[33m\x1b[1m[Pterodactyl Daemon]:\x1b[39m Updating\x1b[0m"


def answers(*entries: Entry) -> list[tuple[Kind, int, float]]:
    """Return the frames that answered something: what, which, and when they came."""
    script = read_script(entries, server=SERVER)
    return [
        (step.kind, step.number, step.at) for step in script.steps if isinstance(step, AnswerFrame)
    ]


def lines(*moments: float) -> list[ServerFrame]:
    return [told(t, "console output", f"line at {t}") for t in moments]


@pytest.mark.parametrize(
    "answer",
    [
        told(1.5, "auth success"),
        told(1.5, "throttled", "auth"),
        told(1.5, "throttled", "global"),
        told(1.5, "jwt error", "Error Event [u]: jwt: exp claim is invalid"),
        told(1.5, "daemon error", "Error Event [u]: an unexpected error"),
    ],
)
def test_auth_is_answered_by_the_first_of_these(answer: ServerFrame) -> None:
    others: list[Entry] = [
        told(1.4, "jwt error", "jwt: no jwt present"),
        told(1.4, "throttled", "send stats"),
        told(1.4, "status", "running"),
    ]
    found = answers(asked(1.0, "auth", "t"), *others, answer, told(1.6, "auth success"))

    assert found == [(Kind.AUTH, 1, 1.5)]


@pytest.mark.parametrize(("at", "found"), [(2.0, [(Kind.AUTH, 1, 2.0)]), (2.0001, [])])
def test_auth_is_answered_within_a_second(at: float, found: list[object]) -> None:
    assert answers(asked(1.0, "auth", "t"), told(at, "auth success")) == found


def test_no_answer_comes_from_another_connection() -> None:
    entries: list[Entry] = [
        asked(1.0, "auth", "t"),
        lost(1.1),
        opened(1.2),
        told(1.3, "auth success"),
    ]

    assert answers(*entries) == []


def test_two_questions_never_share_an_answer() -> None:
    questions = [asked(1.0, "auth", "t"), asked(1.0, "auth", "u")]

    assert answers(*questions, *[told(1.1, "auth success")] * 2) == [
        (Kind.AUTH, 1, 1.1),
        (Kind.AUTH, 2, 1.1),
    ]


@pytest.mark.parametrize(
    ("entry", "is_answer"),
    [
        (told(2.0, "stats", ASKED_STATS), True),
        (told(2.0, "stats", PUSHED_STATS), False),
        (told(2.0, "jwt error", "jwt: exp claim is invalid"), True),
        (told(2.0, "jwt error", "Error Event [u]: jwt: exp claim is invalid"), False),
        (told(2.0001, "stats", ASKED_STATS), False),
    ],
)
def test_stats_are_answered_by_asked_stats_or_a_bare_error(
    entry: ServerFrame, is_answer: bool
) -> None:
    found = answers(asked(1.0, "send stats"), entry)

    assert found == ([(Kind.STATS, 1, 2.0)] if is_answer else [])


def test_the_stats_after_a_first_auth_answer_nobody() -> None:
    entries: list[Entry] = [
        opened(0.0),
        asked(0.1, "auth", "t"),
        asked(0.1, "send stats"),
        told(0.2, "auth success"),
        told(0.2, "status", "offline"),
        told(0.2, "stats", ASKED_STATS),
        told(0.3, "stats", ASKED_STATS),
    ]

    assert answers(*entries) == [(Kind.AUTH, 1, 0.2), (Kind.STATS, 1, 0.3)]


@pytest.mark.parametrize(
    ("moments", "answering"),
    [
        ([1.25], [1.25]),
        ([1.2501], []),
        ([1.1, 1.15, 1.2001], [1.1, 1.15]),
        ([1.2, 1.25, 1.3, 1.35, 1.5], [1.2, 1.25, 1.3, 1.35]),
    ],
)
def test_logs_are_the_first_run_of_lines(moments: list[float], answering: list[float]) -> None:
    found = answers(*LOGIN[2:], asked(1.0, "send logs"), *lines(*moments))

    assert [at for _kind, _number, at in found] == answering


def test_a_run_ends_after_150_lines_and_the_next_question_gets_the_rest() -> None:
    questions = [asked(1.0, "send logs"), asked(1.0, "send logs")]
    found = answers(*questions, *lines(*([1.001] * 160)))

    assert [number for _kind, number, _at in found] == [1] * 150 + [2] * 10


def test_daemon_lines_are_no_logs_and_break_no_run() -> None:
    entries = [*lines(1.01), told(1.02, "console output", DAEMON), *lines(1.05)]

    assert answers(asked(1.0, "send logs"), *entries) == [
        (Kind.LOGS, 1, 1.01),
        (Kind.LOGS, 1, 1.05),
    ]


def test_while_offline_nothing_answers_send_logs() -> None:
    assert answers(told(0.5, "status", "offline"), asked(1.0, "send logs"), *lines(1.01)) == []

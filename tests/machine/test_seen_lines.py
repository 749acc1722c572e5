"""Lines seen once: what is handed on of a console that the daemon repeats."""

import json
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from automate.machine.seen_lines import Heard, SeenLines, missed
from automate.wire.codec import encode_server
from automate.wire.messages import ConsoleOutput, PowerState, StatusChanged

DAEMON = "\x1b[33m\x1b[1m[Pterodactyl Daemon]:\x1b[39m Updating\x1b[0m"


def frames(lines: str | Sequence[str]) -> list[str]:
    return [encode_server(ConsoleOutput(line)) for line in lines]


def lines(texts: Sequence[str]) -> list[str]:
    return [json.loads(text)["args"][0] for text in texts]


def after_gap(seen: Sequence[str], log: Sequence[str]) -> list[str]:
    """Return what is handed on of *log*, asked for after *seen* was."""
    console = SeenLines()
    assert lines(console.take(frames(seen), 0.0)) == list(seen)
    assert console.logs_asked(10.0) == []
    assert console.take(frames(log), 10.1) == []
    return lines(console.tick(10.9))


@pytest.mark.parametrize(
    ("seen", "log", "told"),
    [
        ("", "abc", "abc"),
        ("abc", "abc", ""),
        ("abc", "abcde", "de"),
        ("abc", "abcab", "ab"),
        ("a", "aa", "a"),
        ("abc", "xyabc", "xy"),
        ("abcdef", "efgh", "gh"),
        ("abcdef", "wxyz", "wxyz"),
        ("abxf", "abxyzfg", "yzg"),
        ("abcdef", "abc", "abc"),
    ],
    ids=[
        "the first time",
        "nothing missed",
        "two missed",
        "missed what was said before, too",
        "said twice",
        "the log reaches further back",
        "the log reaches less far back",
        "the log begins after what was seen",
        "lost in a flood",
        "another container",
    ],
)
def test_what_was_seen_is_not_told_again(seen: str, log: str, told: str) -> None:
    assert after_gap(list(seen), list(log)) == list(told)


def test_empty_lines_of_the_log_are_none() -> None:
    """PROBED: the log holds empty lines and returns, live output does not."""
    assert after_gap(["a", "b\r"], ["a", "", "b", "\r", "c\r"]) == ["c\r"]


def test_what_is_said_on_the_way_is_told_once() -> None:
    """It comes live before the answer, and in the answer."""
    console = SeenLines()
    console.take(frames("ab"), 0.0)
    console.logs_asked(10.0)
    told = [
        *console.take(frames("d"), 10.02),
        *console.take([*frames([DAEMON])], 10.03),
        *console.take(frames("abcd"), 10.2),
        *console.take(frames("e"), 10.5),
        *console.tick(10.9),
        *console.take(frames("f"), 11.0),
    ]

    assert lines(told) == [DAEMON, "c", "d", "e", "f"]


def verdicts(texts: Sequence[str]) -> list[tuple[str, float | None]]:
    """Return each line with the moment since when it can have been said; `NOW` if it is live."""
    missed = texts.missed if isinstance(texts, Heard) else {}
    return [(line, missed.get(place, NOW)) for place, line in enumerate(lines(texts))]


NOW = float("inf")


def test_a_missed_line_knows_since_when() -> None:
    """What was missed was said after what was seen before it."""
    console = SeenLines()
    console.logs_asked(0.0)
    console.take(frames("ab"), 0.1)
    history = console.tick(0.9)
    console.take(frames("c"), 5.0)
    console.logs_asked(10.0)
    console.take(frames("abcd"), 10.1)
    gap = console.tick(10.9)
    console.take(frames("e"), 20.0)
    console.logs_asked(30.0)
    console.take(frames("bcdxeyz"), 30.1)

    assert [verdicts(told) for told in (history, gap, console.tick(30.9))] == [
        [("a", None), ("b", None)],
        [("d", 5.0)],
        [("x", 5.0), ("y", 20.0), ("z", 20.0)],
    ]


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ({0.1: "ab", 0.11: "c", 0.3: "x"}, {"abc": None, "x": NOW}),
        ({0.01: "x", 0.3: "abcx"}, {"abc": None, "x": NOW}),
        ({0.01: "x", 0.2: "y", 0.4: "axy", 0.5: "z"}, {"a": None, "xyz": NOW}),
        ({0.29: "x", 0.3: "abcx"}, {"abcx": None}),
        ({0.01: "x", 0.3: "abc"}, {"xabc": None}),
        ({0.01: "x", 0.2: "y", 0.4: "abcy"}, {"xyabcy": None}),
        ({0.01: "x", 0.3: "abxc"}, {"ab": None, "x": NOW, "c": 0.01}),
        ({0.01: "x", 0.2: "y", 0.4: "axbyc"}, {"a": None, "x": NOW, "b": 0.01, "y": NOW, "c": 0.2}),
        ({0.1: "ab", 0.3: "cdef"}, {"abcdef": None}),
        ({0.1: "abc", 0.95: "x"}, {"abc": None, "x": NOW}),
        ({8.0: "ab", 8.03: "c", 9.0: "x"}, {"abc": None, "x": NOW}),
        ({31.0: "x"}, {"x": NOW}),
    ],
    ids=[
        "said after the answer",
        "said before a slow answer",
        "before and after it",
        "too near to it to be sure",
        "said before it and not in it",
        "not all of it in it",
        "missed after what was said before it",
        "missed between and after two of them",
        "an answer in two parts",
        "said later",
        "an answer of a daemon that was held up",
        "no answer",
    ],
)
def test_what_is_said_while_an_answer_is_awaited_is_news_where_that_is_sure(
    said: dict[float, str], told: dict[str, float | None]
) -> None:
    console = SeenLines()
    console.logs_asked(0.0)
    heard = Heard()
    for at, each in said.items():
        heard.join(console.take(frames(each), at))
    heard.join(console.tick(40.0))

    assert verdicts(heard) == [(line, since) for each, since in told.items() for line in each]


def test_a_line_that_repeats_itself_beside_a_short_answer_is_told_as_often() -> None:
    """The answer is the first of the two: what was seen is in it."""
    console = SeenLines()
    console.take(frames("t"), 0.0)
    console.logs_asked(10.0)
    console.take(frames("t"), 10.01)
    console.take(frames("t"), 10.4)

    assert verdicts(console.tick(10.9)) == [("t", NOW)]


def test_a_line_that_was_held_back_was_said_when_it_came() -> None:
    console = SeenLines()
    console.logs_asked(0.0)
    for at, each in ((0.01, "x"), (0.3, "abcx"), (0.6, "z")):
        console.take(frames(each), at)
    console.take(frames("y"), 5.0)
    console.logs_asked(10.0)
    console.take(frames("abcx1z2y3"), 10.1)

    assert verdicts(console.tick(10.9)) == [("1", 0.01), ("2", 0.6), ("3", 5.0)]


def test_which_were_missed_is_known_beside_frames_of_other_kinds() -> None:
    console = SeenLines()
    console.logs_asked(0.0)
    starting = encode_server(StatusChanged(PowerState.STARTING))
    told = console.take([*frames([DAEMON, "a"]), starting, *frames("b")], 0.1)

    assert verdicts(told) == [(DAEMON, NOW), ("a", None), ("starting", NOW), ("b", NOW)]


def test_a_slow_road_is_given_more_time() -> None:
    """What comes on the way is told before the answer, two seconds later."""
    console = SeenLines()
    console.take(frames("ab"), 0.0)
    console.logs_asked(10.0, round_trip_seconds=2.0)
    heard = Heard()
    for at, each in ((10.5, "c"), (12.5, "abcd")):
        heard.join(console.take(frames(each), at))
    heard.join(console.tick(14.9))

    assert lines(heard) == ["c", "d"]


def test_an_answer_is_not_longer_than_a_node_may_be_set_up_for() -> None:
    console = SeenLines()
    console.logs_asked(0.0)
    told = console.take(frames([f"old {n}" for n in range(1000)]), 0.1)

    assert {since for _, since in verdicts(told)} == {None}
    assert (len(told), verdicts(console.take(frames("x"), 0.1))) == (1000, [("x", NOW)])


def test_another_containers_lines_are_all_new() -> None:
    console = SeenLines()
    console.take(frames("abc"), 0.0)
    starting = encode_server(StatusChanged(PowerState.STARTING))
    console.take([starting], 1.0)
    console.logs_asked(2.0)
    console.take(frames("a"), 2.1)

    assert lines(console.take([*frames("b"), starting, *frames("a")], 2.2)) == [
        "a",
        "b",
        "starting",
        "a",
    ]


def test_nothing_is_kept_back_when_the_connection_is_lost_again() -> None:
    console = SeenLines()
    console.take(frames("ab"), 0.0)
    console.logs_asked(1.0)
    console.take(frames("abc"), 1.1)

    assert lines(console.stop()) == ["c"]
    assert (console.stop(), console.wake_at) == ([], None)


@given(
    log=st.lists(st.sampled_from("abcd"), max_size=30),
    seen_until=st.integers(0, 30),
    holes=st.sets(st.integers(0, 30), max_size=3),
    log_from=st.integers(0, 30),
)
def test_nothing_is_told_twice_and_little_is_lost(
    log: list[str], seen_until: int, holes: set[int], log_from: int
) -> None:
    """With few different words chance can hide a line, but never repeat one without need."""
    seen = [line for index, line in enumerate(log[:seen_until]) if index not in holes]
    window = log[log_from:]
    fresh = missed(seen, window)

    assert fresh == sorted(set(fresh))
    if log_from == 0 and not holes:
        assert [window[index] for index in fresh] == log[seen_until:]


@given(
    st.lists(st.integers(), unique=True, max_size=40),
    st.integers(0, 40),
    st.integers(0, 40),
)
def test_where_no_line_is_like_another_it_is_exact(
    numbers: list[int], seen_until: int, log_from: int
) -> None:
    log = [str(number) for number in numbers]
    window = log[log_from:]
    seen = log[:seen_until]

    assert [window[i] for i in missed(seen, window)] == log[max(seen_until, log_from) :]

"""Lines seen once: what is handed on of a console that the daemon repeats."""

import json
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from automate.machine.seen_lines import SeenLines, missed
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

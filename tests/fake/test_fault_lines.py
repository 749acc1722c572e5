"""The line of a connection, frame by frame: what each fault makes of what is sent."""

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from automate.errors import UsageError
from automate.fake.faults import (
    DropAfter,
    Duplicate,
    Faults,
    HalfOpen,
    Latency,
    Malform,
    PanelAnswers,
    Refusal,
    RefuseToken,
    Reorder,
    Reset,
    SlowReader,
    Truncate,
)
from automate.fake.faults.line import End, Line, LineFault, Planned, Silence
from tests.fake.scenes import frame

TEXTS = [frame("console output", f"line {number}") for number in range(1, 7)]


def sent(*faults: LineFault, seed: int = 1, number: int = 1) -> list[tuple[float, object]]:
    """Send a text a second; return what comes of it, in order."""
    line = Line(faults, seed=seed, number=number, at=0.0)
    plans = [*line.begun]
    for at, text in enumerate(TEXTS, 1):
        plans += line.send(text, at)
    return [(round(one.at, 4), one.what) for one in sorted(plans, key=lambda one: one.at)]


PLAIN = sent()


def test_without_faults_a_line_is_a_wire() -> None:
    assert [text for _at, text in PLAIN] == TEXTS
    assert [at for at, _text in PLAIN] == [1, 2, 3, 4, 5, 6]
    assert (Line().is_plain, Line().hear_at(7)) == (True, 7)


def test_latency_is_the_same_for_all_or_different_and_keeps_their_order() -> None:
    assert sent(Latency(2)) == [(at + 2, text) for at, text in PLAIN]
    jittered = sent(Latency(0, 3))
    assert [text for _at, text in jittered] == TEXTS
    assert [at for at, _text in jittered] != [at for at, _text in PLAIN]


def test_latency_holds_for_what_the_client_sends() -> None:
    line = Line([Latency(2, 1)], seed=3)
    heard = [line.hear_at(at) for at in (0.0, 0.1, 0.2, 0.3)]

    assert heard == sorted(heard)
    assert all(2 <= at <= 3.3 for at in heard)


@pytest.mark.parametrize(
    ("fault", "ending"),
    [
        (DropAfter(frames=2), End(by="dropped after 2 frames")),
        (DropAfter(frames=2, code=4409, reason="x"), End(4409, "x", by="dropped after 2 frames")),
        (Reset(frames=2), End(is_reset=True, by="reset after 2 frames")),
        (HalfOpen(frames=2), Silence(by="silent after 2 frames")),
    ],
)
def test_an_ending_comes_right_behind_its_frame(
    fault: DropAfter | Reset | HalfOpen, ending: End | Silence
) -> None:
    assert sent(fault) == [*PLAIN[:2], (2, ending), *PLAIN[2:]]


def test_an_ending_by_time_needs_no_frame() -> None:
    assert Line([DropAfter(seconds=2.5)], at=10).begun == (
        Planned(12.5, End(by="dropped after 2.5 s")),
    )


def test_it_may_befall_the_first_connections_only() -> None:
    one = DropAfter(frames=1, connections=1)
    by_time = DropAfter(seconds=1, connections=1)

    assert (sent(one, number=1) != PLAIN, sent(one, number=2)) == (True, PLAIN)
    assert (len(Line([by_time], number=1).begun), Line([by_time], number=2).begun) == (1, ())


def test_every_second_frame_comes_twice() -> None:
    assert sent(Duplicate(every=2)) == [
        pair for at, pair in enumerate(PLAIN, 1) for _ in range(2 if at % 2 == 0 else 1)
    ]


def test_a_truncated_frame_is_a_beginning_that_is_no_json() -> None:
    for seed in range(50):
        for (_, whole), (_, cut) in zip(PLAIN, sent(Truncate(every=1), seed=seed), strict=True):
            assert isinstance(cut, str)
            assert str(whole).startswith(cut)
            with pytest.raises(ValueError, match="line 1"):
                json.loads(cut)


def test_a_malformed_frame_is_none_of_those_that_were_sent() -> None:
    became = {text for seed in range(30) for _, text in sent(Malform(every=1), seed=seed)}

    assert len(became) > 12
    assert not became & set(TEXTS)


def test_a_probability_befalls_some_and_never_the_same_as_with_another_seed() -> None:
    runs = [sent(Duplicate(probability=0.5), seed=seed) for seed in range(20)]

    assert {len(run) for run in runs} > {8, 9}
    assert sent(Duplicate(probability=0)) == PLAIN
    assert len(sent(Duplicate(probability=1))) == 12


def test_reordered_frames_are_all_there_and_the_end_is_last() -> None:
    line = Line([Reorder(10)], seed=1)
    plans = [plan for at, text in enumerate(TEXTS, 1) for plan in line.send(text, at)]
    [end] = line.end(1006, "", 7.0)
    came = [one.what for one in sorted(plans, key=lambda one: one.at)]

    assert came != TEXTS
    assert sorted(map(str, came)) == TEXTS
    assert end.at == max(one.at for one in plans)


def test_two_faults_do_what_each_does_alone() -> None:
    """A die for each: with the latency the same frames are doubled, and all are later."""
    doubled = sent(Duplicate(probability=0.5), Latency(2))

    assert doubled == [(at + 2, text) for at, text in sent(Duplicate(probability=0.5))]
    assert sent(DropAfter(frames=2), Latency(2))[2] == (4, End(by="dropped after 2 frames"))


FAULTS = st.sampled_from(
    [
        Latency(0.5),
        Latency(0.1, 2),
        Reorder(1.5),
        Duplicate(probability=0.3),
        Truncate(probability=0.3),
        Malform(every=3),
        DropAfter(frames=3),
        DropAfter(seconds=4),
        Reset(frames=5),
        HalfOpen(seconds=2),
    ]
)


@given(
    st.lists(FAULTS, max_size=4),
    st.lists(st.floats(0, 10), max_size=20),
    st.integers(),
)
def test_whatever_is_composed_nothing_is_early_and_the_same_seed_is_the_same_run(
    faults: list[LineFault], moments: list[float], seed: int
) -> None:
    def run() -> list[Planned]:
        line = Line(faults, seed=seed, at=0.0)
        return [*line.begun, *(p for at in sorted(moments) for p in line.send("{}", at))]

    plans = run()
    assert run() == plans
    texts = [one for one in plans if isinstance(one.what, str)]
    assert len(texts) >= len(moments)
    assert all(one.at >= min(moments, default=0.0) for one in texts)
    if not any(isinstance(fault, Reorder) for fault in faults):
        assert [one.at for one in texts] == sorted(one.at for one in texts)


@given(
    st.lists(FAULTS, max_size=5).flatmap(
        lambda faults: st.tuples(st.permutations(faults), st.permutations(faults))
    )
)
def test_in_which_order_faults_are_listed_makes_no_difference(
    orders: tuple[list[LineFault], list[LineFault]],
) -> None:
    def run(faults: list[LineFault]) -> list[Planned]:
        line = Line(faults, seed=3)
        return [planned for text in TEXTS for planned in line.send(text, 1.0)]

    assert run(orders[0]) == run(orders[1])


def test_one_more_fault_leaves_the_others_their_dice() -> None:
    def late(*faults: LineFault) -> list[float]:
        line = Line(faults, seed=5)
        return [planned.at for text in TEXTS for planned in line.send(text, 1.0)]

    assert late(Latency(0.1, 2)) == late(Truncate(every=100), Latency(0.1, 2))


# ---------------------------------------------------------------- values


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: DropAfter(), "expected either frames or seconds"),
        (lambda: Reset(frames=1, seconds=1), "expected either frames or seconds"),
        (lambda: HalfOpen(frames=0), "at least 1"),
        (lambda: DropAfter(seconds=math.nan), "at least 0"),
        (lambda: Duplicate(), "either every or probability"),
        (lambda: Truncate(every=0), "at least 1"),
        (lambda: Malform(probability=1.5), "0 to 1"),
        (lambda: Latency(-1), "at least 0"),
        (lambda: Reorder(0), "above 0"),
        (lambda: SlowReader(0), "above 0"),
        (lambda: PanelAnswers(status=99), "200 to 599"),
        (lambda: PanelAnswers(status=204, html=True), "204 has no body"),
        (lambda: DropAfter(frames=1, code=1005), "close code such as 4409, found 1005"),
        (lambda: DropAfter(frames=1, code=70_000), "close code such as 4409, found 70000"),
        (lambda: DropAfter(frames=1, code=4000, reason="x" * 124), "at most 123 bytes"),
        (lambda: Faults(1, ["drop"]), "expected values of automate.fake.faults, found 'drop'"),
    ],
)
def test_what_makes_no_sense_is_said_at_once(make: object, message: str) -> None:
    assert callable(make)
    with pytest.raises(UsageError, match=message):
        make()


def test_answers_of_the_panel_are_skipped_counted_and_matched() -> None:
    run = Faults(
        1,
        [
            PanelAnswers(status=502, html=True, path="*/websocket", skip=1, times=2),
            PanelAnswers(status=429, retry_after=7, method="POST", times=None),
        ],
    ).begin()
    calls = [run.answer("GET", "/a/websocket") for _ in range(4)]
    posts = [run.answer("POST", "/b") for _ in range(2)]

    assert [call and call.status for call in calls] == [None, 502, 502, None]
    assert calls[1] is not None
    assert b"502 Bad Gateway" in calls[1].body
    waits = [post and (post.status, post.headers["Retry-After"]) for post in posts]
    assert waits == [(429, "7"), (429, "7")]
    assert run.answer("GET", "/b") is None


def test_good_tokens_are_refused_so_many_times() -> None:
    run = Faults(1, [RefuseToken(2, Refusal.GARBLED, skip=1)]).begin()
    said = [run.refuse_token() for _ in range(4)]

    assert [one is not None for one in said] == [False, True, True, False]
    assert said[1] == Refusal.GARBLED.message

"""Moments against a clock on the wall that others set as they please."""

from datetime import datetime, timedelta

import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st
from trio.testing import MockClock

from automate.engine.moments import Moments
from tests.clocks import EPOCH


class Wall:
    """A clock that goes with trio's, and is set by *set*."""

    def __init__(self) -> None:
        self.ahead = 0.0

    def set(self, seconds: float) -> None:
        self.ahead += seconds

    def now(self) -> datetime:
        return EPOCH + timedelta(seconds=trio.current_time() + self.ahead)


@pytest.fixture
def autojump_clock() -> MockClock:
    return MockClock(autojump_threshold=0)


async def test_they_go_on_as_time_does(autojump_clock: MockClock) -> None:
    moments = Moments(EPOCH - timedelta(seconds=100), Wall().now)

    begun = moments.at()
    await trio.sleep(7.5)

    assert (begun, moments.at()) == (100.0, 107.5)
    assert moments.wall(107.5) == EPOCH + timedelta(seconds=7.5)
    assert moments.deadline(110.0) == trio.current_time() + 2.5
    assert moments.from_trio(trio.current_time() - 1) == 106.5


async def test_a_clock_set_forward_lets_time_pass_at_once(autojump_clock: MockClock) -> None:
    wall = Wall()
    moments = Moments(EPOCH, wall.now)
    wall.set(3600)

    assert (moments.at(), moments.was_set_back()) == (3600.0, False)
    assert moments.deadline(3605.0) == trio.current_time() + 5
    assert moments.origin == EPOCH


async def test_a_clock_set_back_moves_the_origin_once(autojump_clock: MockClock) -> None:
    wall = Wall()
    moments = Moments(EPOCH, wall.now)
    await trio.sleep(10)
    wall.set(-3600)

    before = moments.at()
    found = [moments.was_set_back(), moments.was_set_back()]

    assert (before, found, moments.at()) == (10.0, [True, False], 10.0)
    assert moments.origin == EPOCH - timedelta(hours=1)
    assert moments.wall(10.0) == wall.now()


@pytest.mark.parametrize("seconds", [0.9, -0.9])
async def test_a_clock_that_is_set_right_by_little_changes_nothing(
    autojump_clock: MockClock, seconds: float
) -> None:
    wall = Wall()
    moments = Moments(EPOCH, wall.now)
    wall.set(seconds)

    assert (moments.at(), moments.was_set_back(), moments.origin) == (0.0, False, EPOCH)


async def test_what_was_counted_before_lies_in_the_past(autojump_clock: MockClock) -> None:
    """The clock was set back by an hour while nobody was there."""
    wall = Wall()
    wall.set(1000 - 3600)

    moments = Moments(EPOCH, wall.now, least=1000.0)

    assert (moments.at(), moments.origin) == (1000.0, EPOCH - timedelta(hours=1))
    assert moments.wall(moments.at()) == wall.now()
    assert not moments.was_set_back()


@given(st.lists(st.tuples(st.sampled_from(["sleep", "set", "look"]), st.integers(-5000, 5000))))
def test_moments_never_go_back_and_the_wall_is_never_far(happens: list[tuple[str, int]]) -> None:
    async def live() -> None:
        wall = Wall()
        moments = Moments(EPOCH, wall.now)
        last = moments.at()
        for what, number in happens:
            if what == "sleep":
                await trio.sleep(abs(number))
            elif what == "set":
                wall.set(number)
            else:
                assert moments.at() >= last
                moments.was_set_back()
                last = moments.at()
                assert abs(moments.wall(last) - wall.now()) <= timedelta(seconds=1.001)

    trio.run(live, clock=MockClock(autojump_threshold=0))

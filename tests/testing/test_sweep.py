"""The sweep of the crash point finds what a kill changes and says so, and lets go what may be."""

import pytest
from attrs import evolve

from automate import Asked, Block, Command, Notify, Recipe, Stop, Wait
from automate.engine import listener as engine_listener
from automate.machine import doing
from automate.machine.stage import DONE
from automate.testing import Scene, sweep
from automate.testing.evening import play
from automate.testing.sweeping import _trouble

CLEAN = Recipe(
    "clean",
    when=Asked(),
    then=[
        Block(
            [Command("save-off"), Wait(seconds=5), Notify("saved")],
            always=Command("save-on"),
        ),
        Stop(),
    ],
)
EVENING = Scene(recipes=[CLEAN], seconds=60, asks=[("clean", 1)])


@pytest.mark.parametrize("down_seconds", [0, 40])
def test_whoever_is_killed_and_comes_back_does_the_same(down_seconds: float) -> None:
    report = sweep(EVENING, down_seconds=down_seconds)

    report.check()
    unharmed = report.unharmed
    assert unharmed.outcome.lines == [
        "Arena: send command save-off",
        "Arena: notify saved",
        "Arena: send command save-on",
        "Arena: set state stop",
        "'clean' done",
        "Arena is offline",
    ]
    assert len(report.deaths) == len(unharmed.points) > 25
    assert 0 < report.doubts < len(report.deaths)
    # A doubt is no excuse for anything but its own deed.
    assert {len(death.outcome.doubts) for death in report.deaths} == {0, 1}


def test_each_evening_can_be_played_again() -> None:
    once = play(EVENING, kill_at=9, down_seconds=40, seed=3)

    assert play(EVENING, kill_at=9, down_seconds=40, seed=3) == once
    assert once.killed == once.points[-1]
    assert once.killed.number == 9


def test_what_is_forgotten_is_told_with_its_point(monkeypatch: pytest.MonkeyPatch) -> None:
    """An engine that takes what is in doubt as done, and tells nobody of the doubt."""
    monkeypatch.setattr(doing, "resumed", lambda step, stage: DONE)

    with pytest.raises(AssertionError) as failure:
        sweep(EVENING).check()

    told = str(failure.value)
    assert "a kill changes what comes of it (- unharmed, + killed)" in told
    assert "killed at point " in told
    assert "-Arena: send command save-off" in told
    assert "other deeds, and nothing is marked as in doubt" in told


def test_what_is_noted_as_sent_too_early_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """A command that counts as sent before the socket has it can be lost for good."""

    def early(self: engine_listener._Listener, at: float, text: str) -> None:
        self._engine.sent(self._server, text)

    monkeypatch.setattr(engine_listener._Listener, "sent", early)

    with pytest.raises(AssertionError, match=r"before the socket got 'send command"):
        sweep(EVENING).check()


def test_a_deed_is_missed_although_another_is_in_doubt() -> None:
    """Both texts are sent, and the recipe of the killed engine has one command less."""
    report = sweep(EVENING)
    doubtful = next(death for death in report.deaths if death.outcome.doubts)
    shorter = evolve(
        report.unharmed.outcome, deeds=report.unharmed.outcome.deeds[:-1], ends=("'clean' failed",)
    )

    bad = evolve(doubtful.evening, outcome=evolve(shorter, doubts=doubtful.outcome.doubts))
    assert _trouble(report.unharmed, bad) == "it ends differently"
    bad = evolve(bad, outcome=evolve(bad.outcome, ends=report.unharmed.outcome.ends))
    assert _trouble(report.unharmed, bad) == "what differs is not what is in doubt"

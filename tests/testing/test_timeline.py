"""Sentences about what recipes did: what they hold to, and what they say when it does not hold."""

from collections.abc import Callable

import pytest

from automate.engine.rehearsal import Act, Transcript
from automate.machine.actions import Traced
from automate.testing import Timeline
from automate.wire.messages import SendCommand, SetState


def act(at: float, recipe: str, *, unconfirmed: bool = False, **action: str) -> Act:
    named = {kind.replace("_", " "): value for kind, value in action.items()}
    return Act(recording="night", at=at, recipe=recipe, action=named, unconfirmed=unconfirmed)


def decided(at: float, recipe: str, what: str, detail: str = "") -> tuple[float, Traced]:
    return at, Traced(server="s", recipe=recipe, run=1, what=what, detail=detail)


NIGHT = Transcript(
    recording="night",
    acts=(
        act(5.0, "save", send_command="save-off"),
        act(5.0, "save", send_command="save-all"),
        act(9.5, "save", backup="nightly"),
        act(14.26321, "restart", notify="arena crashed (exit code 3)"),
        act(14.26321, "restart", set_state="start", unconfirmed=True),
        act(20.0, "save", send_command="stop"),
        act(21.0, "save", call="alarm.ring"),
    ),
    trace=(
        decided(5.0, "save", "triggered", "asked"),
        decided(14.0, "restart", "triggered", "crashed"),
        decided(14.2632, "restart", "unconfirmed"),
        decided(14.2632, "restart", "done"),
        decided(30.0, "restart", "held back", "5 runs within 3600 s"),
        decided(31.0, "save", "failed", "the backup failed"),
    ),
    seconds=40.0,
)
QUIET = Transcript(recording="quiet", acts=(), trace=(), seconds=3.0)


@pytest.fixture
def night() -> Timeline:
    return Timeline(NIGHT)


def test_a_night_in_sentences(night: Timeline) -> None:
    """Every kind of thing is found, and every assertion can hold."""
    saved = night.sent("save-off").once().at(5)
    night.sent("save-all").once().after(saved).before(6)
    night.backed_up("nightly").once().between(9.5, 9.5).confirmed()
    told = night.told(containing="exit code 3").once().after(14)
    night.sent("start", by="restart").once().at(14.2632).after(told).unconfirmed()
    night.sent(SetState("stop")).never()
    night.sent(SendCommand("stop")).once().after(night.sent("start")).at(20)
    night.called("alarm.ring").once()
    night.nothing_else()

    night.sent(containing="save").twice()
    night.sent().times(4).first.at(5)
    night.sent().last.at(20)
    night.told("arena crashed (exit code 3)").once()
    night.triggered("restart").once().before(told)
    night.triggered(containing="asked").once().before(saved)
    night.done("restart").once().after(night.sent("start"))
    night.held_back("restart").once().at(30)
    night.failed(containing="backup").once().at(31)
    night.finished()
    Timeline(QUIET).nothing()


def test_all_that_was_done_is_a_list(night: Timeline) -> None:
    assert night.acts == [
        (5.0, "send command save-off"),
        (5.0, "send command save-all"),
        (9.5, "backup nightly"),
        (14.2632, "notify arena crashed (exit code 3)"),
        (14.2632, "set state start (unconfirmed)"),
        (20.0, "send command stop"),
        (21.0, "call alarm.ring"),
    ]


@pytest.mark.parametrize(
    ("claim", "expected", "found"),
    [
        (
            lambda night: night.sent("start").twice(),
            'night: expected "start" sent twice',
            "once, at 14.2632 (unconfirmed)",
        ),
        (
            lambda night: night.sent("start").at(15),
            'night: expected "start" sent once, at 15.0000',
            "once, at 14.2632 (unconfirmed); that is 0.7368 s too early",
        ),
        (
            lambda night: night.backed_up().at(9),
            "night: expected a backup of any name asked for once, at 9.0000",
            "once, at 9.5000; that is 0.5000 s too late",
        ),
        (
            lambda night: night.sent(containing="save").at(5),
            'night: expected something with "save" sent once, at 5.0000',
            "twice, at 5.0000, 5.0000",
        ),
        (
            lambda night: night.told("hello", by="save").once(),
            "night: expected \"hello\" told by 'save' once",
            "never",
        ),
        (
            lambda night: night.sent("stop").never(),
            # A power action is meant, and that was not sent; but a command was.
            None,
            None,
        ),
        (
            lambda night: night.sent("save-all").never(),
            'night: expected "save-all" sent never',
            "once, at 5.0000",
        ),
        (
            lambda night: night.sent("save-off").after(night.sent("save-all")),
            'night: expected "save-off" sent after "save-all" sent',
            'once, at 5.0000; "save-all" sent: once, at 5.0000',
        ),
        (
            lambda night: night.sent("save-off").before(night.sent("kill")),
            'night: expected "save-off" sent before "kill" sent',
            'once, at 5.0000; "kill" sent: never',
        ),
        (
            lambda night: night.sent("kill").after(3),
            'night: expected "kill" sent after 3.0000',
            "never",
        ),
        (
            lambda night: night.called("alarm.ring").between(1, 20.9999),
            'night: expected "alarm.ring" called between 1.0000 and 20.9999',
            "once, at 21.0000",
        ),
        (
            lambda night: night.sent("start").confirmed(),
            'night: expected "start" sent confirmed',
            "once, at 14.2632 (unconfirmed)",
        ),
        (
            lambda night: night.sent("save-all").unconfirmed(),
            'night: expected "save-all" sent unconfirmed',
            "once, at 5.0000",
        ),
        (
            lambda night: night.failed("restart").once(),
            "night: expected restart failed once",
            "never",
        ),
        (lambda night: night.nothing(), "night: expected nothing to be done", "7 acts"),
        (lambda night: night.nothing_else(), "night: expected nothing else", "7 more acts"),
    ],
)
def test_what_does_not_hold_is_told(
    claim: Callable[[Timeline], object], expected: str | None, found: str | None, night: Timeline
) -> None:
    if expected is None:
        claim(night)
        return
    with pytest.raises(AssertionError) as failure:
        claim(night)

    assert str(failure.value).splitlines()[:2] == [expected, f"found:    {found}"]


def test_a_failure_shows_the_whole_night(night: Timeline) -> None:
    """What was found is marked; of one moment, causes come before what was done."""
    with pytest.raises(AssertionError) as failure:
        night.sent("save-all").once().at(6)

    assert str(failure.value).splitlines()[3:] == [
        "  night (40.0 s)",
        "       5.0000  save: - triggered: asked",
        "       5.0000  save: send command save-off",
        ">      5.0000  save: send command save-all",
        "       9.5000  save: backup nightly",
        "      14.0000  restart: - triggered: crashed",
        "      14.2632  restart: notify arena crashed (exit code 3)",
        "      14.2632  restart: set state start (unconfirmed)",
        "      14.2632  restart: - unconfirmed",
        "      14.2632  restart: - done",
        "      20.0000  save: send command stop",
        "      21.0000  save: call alarm.ring",
        "      30.0000  restart: - held back: 5 runs within 3600 s",
        "      31.0000  save: - failed: the backup failed",
    ]


def test_nothing_else_marks_what_was_not_asserted(night: Timeline) -> None:
    night.sent().times(4)
    night.told().once()
    night.called()  # found, and held to nothing

    with pytest.raises(AssertionError) as failure:
        night.nothing_else()

    marked = [line for line in str(failure.value).splitlines() if line.startswith(">")]
    assert marked == [">      9.5000  save: backup nightly", ">     21.0000  save: call alarm.ring"]


def test_what_came_to_no_end_is_told() -> None:
    late = Transcript(
        recording="late", acts=(), trace=(), unfinished=("save",), unasked=("stop",), seconds=2.0
    )

    with pytest.raises(AssertionError) as failure:
        Timeline(late).finished()

    assert str(failure.value).splitlines() == [
        "late: expected all recipes to come to an end",
        "found:    still running: save; not asked: stop (the recording is over before)",
        "",
        "  late (2.0 s)",
        "    nothing to do",
        "    still running: save",
        "    not asked: stop (the recording is over before)",
    ]

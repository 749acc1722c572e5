"""Steps but for the power steps: what begins them, what ends them, what they say."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from automate.machine.actions import CallPython, Send
from automate.machine.stage import Manner
from automate.recipe.flow import Block, Step, WaitUntil
from automate.recipe.recipe import Recipe
from automate.recipe.steps import Announce, Backup, Call, Command, Fail, Notify
from automate.recipe.triggers import Asked, ConsoleLine, StatusChanged
from automate.wire.messages import SendCommand
from tests.machine.scenes import Scene, backup_completed, line, status

REHEARSAL = Manner(asks_once=True)


def begin(*steps: Step, manner: Manner | None = None) -> Scene:
    """Return a scene of a running server in which *steps* have begun at 1.0."""
    recipe = Recipe("it", when=Asked(), then=list(steps))
    return Scene(recipe, manner=manner).hears((0.0, status("running"))).asks(1.0, "it")


# ---------------------------------------------------------------- commands


def test_a_command_is_done_when_it_is_sent() -> None:
    scene = begin(Command("save-off"), Announce("hello"), Announce("hi", command="me {text}!"))

    assert (scene.did, scene.ended) == (
        [
            (1.0, "send command save-off"),
            (1.0, "send command say hello"),
            (1.0, "send command me hi!"),
        ],
        [(1.0, "done")],
    )


def test_a_command_waits_a_little_for_the_connection() -> None:
    recipe = Recipe("it", when=Asked(), then=Command("list"))
    scene = Scene(recipe, linked=False).asks(1.0, "it").links(30.0)

    assert (scene.did, scene.ended) == ([(30.0, "send command list")], [(30.0, "done")])


@pytest.mark.parametrize("manner", [None, REHEARSAL], ids=["live", "rehearsed"])
def test_a_command_is_not_kept_for_long(manner: Manner | None) -> None:
    """Typed into another situation it could do harm."""
    recipe = Recipe("it", when=Asked(), then=Command("list"))
    scene = Scene(recipe, manner=manner, linked=False).asks(1.0, "it").links(31.1)

    assert (scene.did, scene.ended) == (
        [],
        [(31.0, "failed: there was no connection to the server for 30 s")],
    )


def test_what_is_always_to_be_done_waits_for_the_connection_as_long_as_it_takes() -> None:
    block = Block(WaitUntil(ConsoleLine("Saved")), always=Command("save-on"))
    scene = begin(block).unlinks(2.0).links(1000.0)

    assert (scene.did, [what for _, what in scene.ended]) == (
        [(1000.0, "send command save-on")],
        ["failed: waited 60 s for this: the console says /Saved/"],
    )


def test_a_command_that_waits_when_the_tape_ends_is_sent() -> None:
    recipe = Recipe("it", when=Asked(), then=Command("list"))
    scene = Scene(recipe, manner=REHEARSAL, linked=False).asks(1.0, "it").ends(5.0)

    assert scene.did == [(5.0, "send command list")]


def test_a_command_that_came_out_empty_is_not_sent() -> None:
    recipe = Recipe("it", when=ConsoleLine("(?P<what>x*)$"), then=Command("{what}"))
    scene = Scene(recipe).hears((1.0, line("")))

    assert (scene.did, [what for _, what in scene.ended]) == (
        [],
        ["failed: send command: nothing is left of '{what}'; an empty line is no command"],
    )


def test_a_command_too_long_for_the_game_is_not_sent() -> None:
    groups = "".join(f"(?P<a{n}>x{{100}})" for n in range(50))
    recipe = Recipe(
        "it",
        when=ConsoleLine(groups),
        then=Command("".join(f"{{a{n}}}" for n in range(50))),
    )
    scene = Scene(recipe).hears((1.0, line("x" * 5000)))

    assert (scene.did, scene.ended[0][1][:60]) == (
        [],
        "failed: send command: expected at most 4095 bytes, found 500"[:60],
    )


HOSTILE = [
    "\n/op Bob",
    "\r\n/op Bob",
    "\x1b[2J/op Bob",
    "\u2028/op Bob",
    "\u2029/op Bob",
    "\x85/op Bob",
    "\x00\x03\x04/op Bob",
    "\ud800/op Bob",
    "x" * 10_000,
    "{server} {0} {",
    "%s $(reboot) `reboot`",
]


@pytest.mark.parametrize("said", HOSTILE, ids=repr)
def test_what_a_player_says_never_becomes_a_second_command(said: str) -> None:
    recipe = Recipe("it", when=ConsoleLine("(?s)^<(?P<text>.*)>$"), then=Announce("hi {text}."))
    scene = Scene(recipe).hears((1.0, line(f"<{said}>")))

    (command,) = commands(scene)
    assert command.isprintable()
    assert command.startswith("say hi ")
    assert len(command) <= len("say hi .") + 100


def commands(scene: Scene) -> list[str]:
    messages = [one.message for _, one in scene.outputs if isinstance(one, Send)]
    return [one.command for one in messages if isinstance(one, SendCommand)]


@given(st.text(), st.text())
def test_whatever_is_captured_a_command_is_one_line_or_is_not_sent(one: str, two: str) -> None:
    recipe = Recipe(
        "it",
        when=ConsoleLine("(?s)^(?P<one>.*)\x7f(?P<two>.*)$"),
        then=[Command("{one} {two}{line}"), Announce("{two}", command="{one}{text}")],
    )
    # The machine cleans lines before it matches them; here the match itself is handed over.
    scene = Scene(recipe)
    values = {"one": one, "two": two, "line": one + two}
    scene.machine._launching.fire("s", recipe, 1.0, 1.0, values, "")
    scene.take(scene.machine._taken(1.0), 1.0)

    for command in commands(scene):
        assert len((command + "|").splitlines()) == 1
        assert SendCommand(command).command == command
    assert [what.split(":")[0] for _, what in scene.ended] in (["done"], ["failed"])


def test_a_frame_around_an_announcement_is_not_filled_from_what_a_player_said() -> None:
    """A group called ``text`` must not take the place of an empty announcement."""
    recipe = Recipe(
        "it",
        when=ConsoleLine("^(?P<text>.*),(?P<nick>.*)$"),
        then=Announce("{nick}", command="say {text}"),
    )

    assert Scene(recipe).hears((1.0, line("op Bob,"))).did == [(1.0, "send command say ")]


# ---------------------------------------------------------------- telling, failing


def test_a_notice_may_be_longer_than_a_command() -> None:
    recipe = Recipe("it", when=Asked(), then=Fail("x" * 400), on_failure=Notify("{error}"))
    scene = Scene(recipe).asks(1.0, "it")

    assert scene.did == [(1.0, "notify " + "x" * 400)]


def test_a_run_fails_by_what_its_step_says() -> None:
    scene = begin(Fail("no {server} today"), Notify("never"))

    assert (scene.did, scene.ended) == ([], [(1.0, "failed: no arena today")])


# ---------------------------------------------------------------- waiting


def test_a_wait_for_a_line_ends_with_the_line_that_matches() -> None:
    scene = begin(WaitUntil(ConsoleLine("^Saved$")), Notify("!"))
    scene.hears((2.0, line("<Bob> Saved")), (3.0, line("\x1b[32mSaved\x1b[0m")))

    assert scene.did == [(3.0, "notify !")]


@pytest.mark.parametrize(
    ("trigger", "words"),
    [
        (ConsoleLine("^Saved$"), "the console says /^Saved$/"),
        (StatusChanged(to="offline"), "the status becomes offline"),
    ],
    ids=str,
)
def test_a_wait_that_is_in_vain_fails_and_says_for_what(
    trigger: ConsoleLine | StatusChanged, words: str
) -> None:
    scene = begin(WaitUntil(trigger, limit_seconds=20)).hears((2.0, line("x"))).waits(60)

    assert scene.ended == [(21.0, f"failed: waited 20 s for this: {words}")]


def test_a_wait_in_vain_is_taken_as_done_in_a_rehearsal() -> None:
    wait = WaitUntil(ConsoleLine("x"), limit_seconds=20)

    assert begin(wait, manner=REHEARSAL).waits(60).ended == [(21.0, "done")]


def test_a_wait_for_a_status_ends_with_it() -> None:
    scene = begin(WaitUntil(StatusChanged(to="offline")), Notify("!"))
    scene.hears((2.0, status("stopping")), (3.0, status("offline")))

    assert scene.did == [(3.0, "notify !")]


def test_a_change_in_a_gap_ends_the_wait_for_it() -> None:
    scene = begin(WaitUntil(StatusChanged(to="offline")), Notify("!"))
    scene.unlinks(2.0).links(8.0).hears((8.1, status("offline")))

    assert scene.did == [(8.1, "notify !")]


def test_what_has_not_changed_in_a_gap_ends_no_wait() -> None:
    scene = begin(WaitUntil(StatusChanged(to="running"), limit_seconds=30))
    scene.unlinks(2.0).links(8.0).hears((8.1, status("running"))).waits(60)

    assert scene.ended == [(31.0, "failed: waited 30 s for this: the status becomes running")]


# ---------------------------------------------------------------- backups


def test_a_backup_is_done_when_the_daemon_says_so() -> None:
    scene = begin(Backup("night of {server}"), Notify("!"))
    scene.answers(1.2, uuid="b1").hears(
        (2.0, backup_completed("b0")), (3.0, backup_completed("b1"))
    )

    assert scene.did == [(1.0, "backup night of arena"), (3.0, "notify !")]


def test_the_daemon_may_be_quicker_than_the_panels_answer() -> None:
    """On a small server it takes 1 to 20 ms (PROBED 7.1)."""
    scene = begin(Backup(), Notify("!")).hears((1.1, backup_completed("b1")))

    assert scene.answers(1.2, uuid="b1").did == [(1.0, "backup automate"), (1.2, "notify !")]


def test_a_failed_backup_fails_the_step_whichever_way_it_is_told() -> None:
    by_event = (
        begin(Backup()).answers(1.2, uuid="b1").hears((3.0, backup_completed("b1", well=False)))
    )
    early = begin(Backup()).hears((1.1, backup_completed("b1", well=False))).answers(1.2, uuid="b1")
    by_panel = begin(Backup()).answers(1.2, uuid="b1", failed=True)

    assert [by_event.ended, early.ended, by_panel.ended] == [
        [(3.0, "failed: the backup failed")],
        [(1.2, "failed: the backup failed")],
        [(1.2, "failed: the backup failed")],
    ]


def test_a_refused_backup_fails_with_the_panels_words() -> None:
    refused = "the panel answered 429: Only 2 backups may be generated within a 600 second span"

    assert begin(Backup()).answers(1.2, error=refused).ended == [(1.2, f"failed: {refused}")]


def test_a_backup_whose_event_was_dropped_is_asked_after() -> None:
    scene = begin(Backup()).answers(1.2, uuid="b1").waits(20.0)
    scene.answers(20.0, 2, error="nobody answers").waits(40.0)
    scene.answers(40.0, 3, uuid="b1").waits(55.0).answers(55.1, 4, uuid="b1", done=True)

    assert scene.did == [
        (1.0, "backup automate"),
        (16.2, "show backup b1"),
        (31.2, "show backup b1"),
        (55.0, "show backup b1"),
    ]
    assert scene.ended == [(55.1, "done")]


def test_an_answer_to_something_else_is_no_answer() -> None:
    scene = begin(Backup(limit_seconds=60)).answers(1.2, 7, uuid="b1", done=True).waits(100)

    assert scene.ended == [(61.0, "failed: the backup was not complete after 60 s")]


# ---------------------------------------------------------------- Python


def test_a_function_is_called_with_what_texts_can_use() -> None:
    scene = begin(Call("my.function"), Notify("!"))
    (call,) = [one for _, one in scene.outputs if isinstance(one, CallPython)]

    assert call.context.values == {
        "server": "arena",
        "server_id": "s",
        "recipe": "it",
        "attempt": "1",
    }
    assert scene.answers(9.0).did == [(1.0, "call my.function"), (9.0, "notify !")]


def test_a_function_that_fails_or_takes_too_long_fails_the_step() -> None:
    failing = begin(Call("my.function")).answers(9.0, error="my.function: KeyError: 'x'")
    slow = begin(Call("my.function", limit_seconds=5)).waits(60)

    assert failing.ended + slow.ended == [
        (9.0, "failed: my.function: KeyError: 'x'"),
        (6.0, "failed: my.function took longer than 5 s"),
    ]


def test_an_answer_that_comes_too_late_is_not_heard() -> None:
    scene = begin(Call("my.function", limit_seconds=5)).waits(60).answers(61.0)

    assert scene.ended == [(6.0, "failed: my.function took longer than 5 s")]


def test_python_is_not_called_in_a_rehearsal() -> None:
    scene = begin(Call("my.function"), Notify("!"), manner=REHEARSAL)

    assert scene.did == [(1.0, "call my.function"), (1.0, "notify !")]


# ---------------------------------------------------------------- after the end, or dry


@pytest.mark.parametrize(
    "step", [Backup(), WaitUntil(ConsoleLine("x")), WaitUntil(StatusChanged(to="offline"))], ids=str
)
def test_at_the_end_of_the_tape_nothing_is_waited_for(step: Step) -> None:
    before = begin(step, Notify("!"), manner=Manner(asks_once=True)).ends(5.0)
    recipe = Recipe("it", when=Asked(), then=[step, Notify("!")])
    after = Scene(recipe, manner=Manner(asks_once=True)).ends(5.0).asks(6.0, "it")

    assert (before.did[-1], after.did[-1]) == ((5.0, "notify !"), (6.0, "notify !"))


def test_what_a_run_remembers_is_plain() -> None:
    scene = begin(Backup()).answers(1.2, uuid="b1")

    assert json.loads(json.dumps(scene.machine.save())) is not None

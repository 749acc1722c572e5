"""What is cut short at the end: runs that have something to put right, and no others."""

import pytest

from automate import Block, Command, Notify, Recipe, Wait
from automate.machine.actions import Send, Traced
from automate.machine.recipes import RecipeMachine
from automate.recipe.flow import Step
from automate.recipe.triggers import Asked
from automate.wire.messages import SendCommand
from tests.clocks import EPOCH

SERVER = "a1b2c3d4-0001-4000-8000-000000000001"
HOUR = Wait(seconds=3600)
ON = Command("save-on")


@pytest.mark.parametrize(
    ("steps", "expected"),
    [
        ([Block([HOUR], always=[ON])], ["save-on", "failed"]),
        ([Block([Block([HOUR], always=[Notify("x")])], always=[ON])], ["save-on", "failed"]),
        ([Block([Block([HOUR], always=[ON])], always=[Command("bye")])],
         ["save-on", "bye", "failed"]),
        ([Block([HOUR], always=[Block([ON], always=[Notify("x")])]), Command("after")],
         ["save-on", "failed"]),
        ([HOUR, Block([Command("off")], always=[ON])], []),
        ([Block([Command("off")], always=[ON]), HOUR], []),
        ([Block([Command("off")], always=[HOUR, ON])], []),
    ],
)  # fmt: skip
def test_only_what_is_to_be_put_right_is_done(steps: list[Step], expected: list[str]) -> None:
    recipe = Recipe("careful", when=Asked(), then=steps, on_failure=Notify("{error}"))
    machine = RecipeMachine([recipe], {SERVER: "arena"}, origin=EPOCH)
    machine.linked(SERVER, 0.0)
    machine.asked(SERVER, "careful", 1.0)

    output = machine.cut_short(2.0)

    said = [
        one.message.command
        for one in output
        if isinstance(one, Send) and isinstance(one.message, SendCommand)
    ]
    ended = [
        one.what for one in output if isinstance(one, Traced) and one.what in ("done", "failed")
    ]
    assert said + ended == expected
    assert bool(machine.busy) is not bool(expected)

"""What recipes will not be able to do is said before they try."""

import pytest

from automate.machine.permissions import missing_permissions, steps_needed
from automate.recipe.flow import Block
from automate.recipe.limits import AtMost
from automate.recipe.recipe import Recipe
from automate.recipe.steps import (
    Announce,
    Backup,
    Command,
    Kill,
    Notify,
    Restart,
    Start,
    Stop,
    Wait,
)
from automate.recipe.triggers import Crashed

NIGHTLY = Recipe(
    "nightly",
    when=Crashed(),
    then=[
        Announce("backup"),
        Block([Command("save-off"), Backup()], always=[Command("save-on")]),
        Wait(seconds=1),
        Stop(),
        Start(),
        Notify("done"),
    ],
    on_failure=[Restart()],
    limit=AtMost(1, within_seconds=60, otherwise=[Kill()]),
)


def missing(*permissions: str) -> list[str]:
    return [str(need) for need in missing_permissions(permissions, steps_needed([NIGHTLY]))]


def test_who_may_do_everything_lacks_nothing() -> None:
    assert missing("*") == []
    assert (
        missing(
            "websocket.connect",
            "control.console",
            "control.start",
            "control.stop",
            "control.restart",
            "backup.create",
            "backup.read",
        )
        == []
    )


def test_what_is_lacking_is_told_step_by_step() -> None:
    assert missing("websocket.connect", "control.console", "control.start", "backup.create") == [
        "can't backup 'automate' (recipe 'nightly'): the key's user lacks backup.read",
        "can't stop (recipe 'nightly'): the key's user lacks control.stop",
        "can't restart (recipe 'nightly'): the key's user lacks control.restart",
        "can't kill (recipe 'nightly'): the key's user lacks control.stop",
    ]


def test_a_star_within_a_name_is_no_permission() -> None:
    assert missing("websocket.*", "control.*")[0] == (
        "can't listen to the server: the key's user lacks websocket.connect"
    )


@pytest.mark.parametrize("permissions", [None, ("*",)])
def test_nothing_is_claimed_where_nobody_knows(permissions: tuple[str, ...] | None) -> None:
    assert missing_permissions(permissions, steps_needed([NIGHTLY])) == []

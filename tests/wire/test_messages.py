"""Messages as values: what they refuse to be, and what they keep to themselves."""

from collections.abc import Callable
from typing import Any

import pytest
from attrs.exceptions import FrozenInstanceError

from automate.errors import MessageError
from automate.wire import messages as m


@pytest.mark.parametrize(
    ("build", "error"),
    [
        (lambda: m.Auth(""), "auth: expected a token as one string, found an empty string"),
        (lambda: m.Auth(b"secret"), "auth: expected a token as one string, found bytes"),  # type: ignore[arg-type] # refused when run, too
        (
            lambda: m.Auth("secret\ud800"),
            "auth: expected a token, found a string with half a character in it",
        ),
        (
            lambda: m.SetState("explode"),
            "set state: expected one of start, stop, restart, kill; found 'explode'",
        ),
        (
            lambda: m.SetState(["start"]),
            "set state: expected one of start, stop, restart, kill; found ['start']",
        ),
        (lambda: m.SendCommand(None), "send command: expected one string, found None"),  # type: ignore[arg-type] # refused when run, too
        (
            lambda: m.SendCommand("\x03"),
            "send command: expected one line without control characters, found '\\x03' in '\\x03'",
        ),
    ],
)
def test_a_wrong_message_cannot_be_built(build: Callable[[], Any], error: str) -> None:
    with pytest.raises(MessageError) as refused:
        build()

    assert str(refused.value) == error


def test_a_token_is_not_shown() -> None:
    assert repr(m.Auth("secret")) == "Auth()"


def test_a_power_action_may_be_given_by_its_name() -> None:
    assert m.SetState("start") == m.SetState(m.PowerAction.START)


def test_messages_stay_as_they_are() -> None:
    with pytest.raises(FrozenInstanceError):
        m.SetState("start").action = m.PowerAction.KILL  # type: ignore[misc] # the point


def test_only_a_lock_conflict_is_worth_asking_again() -> None:
    """The first is the sentence of the notes on the protocol (7.3)."""
    lock = "another power action is currently being processed for this server"

    assert [
        m.DaemonErrorReported(f"Error Event [U]: {text}, please try again later").is_lock_conflict
        for text in (lock, "server is currently being restored")
    ] == [True, False]

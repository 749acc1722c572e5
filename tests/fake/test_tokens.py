"""Tokens as the panel makes them, and what the daemon thinks of others."""

import base64
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from automate.fake.ledger import Grant
from automate.fake.tokens import Tokens
from automate.wire.messages import DaemonErrorReported, JwtErrorReported
from tests.fake.scenes import SERVER

NOW = 1_795_459_760.9
GENERIC = DaemonErrorReported("an unexpected error was encountered while handling this request")


def tokens(secret: bytes = b"secret", server: str = SERVER) -> Tokens:
    return Tokens(secret, server=server, panel_url="http://panel", node_url="http://node")


def read(part: str) -> dict[str, Any]:
    decoded: dict[str, Any] = json.loads(base64.urlsafe_b64decode(part + "=="))
    return decoded


def test_a_token_says_what_the_panels_do() -> None:
    token = tokens().make(Grant(permissions=("*", "admin.websocket.errors")), now=NOW)

    header, claims, _signature = token.split(".")
    told = read(claims)
    identity, unique = told.pop("jti"), told.pop("unique_id")
    assert told == {
        "iss": "http://panel",
        "aud": ["http://node"],
        "iat": 1_795_459_760,
        "nbf": 1_795_459_460,
        "exp": 1_795_460_360,
        "server_uuid": SERVER,
        "permissions": ["*", "admin.websocket.errors"],
        "user_uuid": told["user_uuid"],
        "user_id": 1,
        "scope": "websocket",
    }
    assert read(header) == {"typ": "JWT", "alg": "HS256", "jti": identity}
    assert len(unique) == 16


def test_each_token_is_another() -> None:
    made = tokens()

    assert len({made.make(Grant(), now=NOW) for _ in range(10)}) == 10


def test_a_good_token_is_good_to_the_end_of_its_last_second() -> None:
    made = tokens()
    token = made.make(Grant(lifetime_seconds=75), now=NOW)
    verdicts = [made.judge(token, now=1_795_459_760 + later) for later in (0, 75.99, 76)]

    assert verdicts == [None, None, JwtErrorReported("jwt: exp claim is invalid")]


@pytest.mark.parametrize(
    ("speed", "seconds"), [(1.0, 600), (60.0, 10), (1e9, 1), (0.5, 1200), (float("inf"), 600)]
)
def test_the_recorded_lifetime_is_divided_by_the_speed(speed: float, seconds: int) -> None:
    claims = read(tokens().make(Grant(), now=NOW, speed=speed).split(".")[1])

    assert claims["exp"] - claims["iat"] == seconds


@pytest.mark.parametrize(
    ("grant", "is_good"),
    [
        (Grant(permissions=("websocket.connect", "control.start")), True),
        (Grant(permissions=("control.start",)), False),
        (Grant(permissions=("websocket.*",)), False),
        (Grant(scope=None), True),
        (Grant(scope="a websocket"), True),
        (Grant(scope="file"), False),
    ],
)
def test_it_must_allow_to_connect(grant: Grant, is_good: bool) -> None:
    made = tokens()
    verdict = made.judge(made.make(grant, now=NOW), now=NOW)

    assert verdict == (None if is_good else JwtErrorReported("jwt: missing connect permission"))


def test_a_token_of_another_server_is_refused() -> None:
    token = tokens(server="another").make(Grant(), now=NOW)

    assert tokens().judge(token, now=NOW) == JwtErrorReported("jwt: server uuid mismatch")


def test_a_token_of_another_secret_or_of_none_is_an_unexpected_error() -> None:
    foreign = tokens(b"another").make(Grant(), now=NOW)
    header = base64.urlsafe_b64encode(b'{"alg":"none","typ":"JWT"}').decode().rstrip("=")
    unsigned = f"{header}.{foreign.split('.')[1]}."

    assert [tokens().judge(token, now=NOW) for token in (foreign, unsigned)] == [GENERIC] * 2


@given(st.text())
def test_what_is_no_token_is_an_unexpected_error(text: str) -> None:
    assert tokens().judge(text, now=NOW) == GENERIC


@given(st.data())
def test_no_letter_of_a_token_can_be_changed(data: st.DataObject) -> None:
    made = tokens()
    token = made.make(Grant(), now=NOW)
    place = data.draw(st.integers(0, len(token) - 1))
    letter = data.draw(st.characters(codec="ascii").filter(lambda other: other != token[place]))

    assert made.judge(token[:place] + letter + token[place + 1 :], now=NOW) == GENERIC

"""The fake panel by itself: requests in, answers out, no network."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from automate.fake.http import Request, Response
from automate.fake.panel import FakePanel
from automate.fake.signals import Opened
from automate.fake.tape import Tape
from automate.fake.tokens import Tokens
from automate.recording.format import Entry
from tests.fake.scenes import LOGIN, PUSHED_STATS, ROOT, SERVER, auth, called, recorded, told

KEY = "ptlc_a"
SOCKET = f"ws://127.0.0.1:1/api/servers/{SERVER}/ws"


class Scene:
    """A panel, and what it answers at one moment."""

    def __init__(self, *entries: Entry, strict: bool = False, until: float = 0.0) -> None:
        recording = recorded(*entries)
        self.tape = Tape(recording, strict=strict)
        self.tape.handle(Opened(1), 0.0)
        self.tape.handle(auth(1), 0.0)
        self.tape.tick(until)
        self.until = until
        tokens = Tokens(b"secret", server=SERVER, panel_url="http://p", node_url="http://p")
        self.panel = FakePanel(
            self.tape, recording.header, tokens, key=KEY, socket_url=SOCKET, speed=1.0
        )

    def ask(self, method: str, path: str, body: Any = None, **headers: str) -> Response:
        data = body if isinstance(body, bytes) else json.dumps(body).encode() if body else b""
        request = Request(
            method=method,
            target=path,
            path=path,
            headers={"authorization": f"Bearer {KEY}"} | headers,
            body=data,
        )
        return self.panel.answer(request, at=self.until, now=1e9)[0]


def error(response: Response) -> tuple[int, str, str]:
    """Return an error's status and code; a body in another shape fails here."""
    [told] = response.body["errors"]
    assert told["status"] == str(response.status)
    return response.status, told["code"], told["detail"]


@pytest.mark.parametrize("authorization", ["", "Bearer", "Bearer wrong", KEY, f"Basic {KEY}", "é"])
def test_a_wrong_key_is_unauthenticated(authorization: str) -> None:
    answer = Scene().ask("GET", "/api/client", authorization=authorization)

    assert error(answer) == (401, "AuthenticationException", "Unauthenticated.")


def test_the_list_holds_the_one_server() -> None:
    answer = Scene().ask("GET", "/api/client")

    [server] = answer.body["data"]
    attributes = server["attributes"]
    assert (attributes["uuid"], attributes["identifier"]) == (SERVER, SERVER[:8])
    assert attributes["name"] == "a scene"
    assert answer.body["meta"]["pagination"] == {
        "total": 1,
        "count": 1,
        "per_page": 50,
        "current_page": 1,
        "total_pages": 1,
        "links": {},
    }


@pytest.mark.parametrize("identifier", [SERVER, SERVER[:8]])
def test_the_server_tells_what_the_recorded_token_allowed(identifier: str) -> None:
    claims = {"iat": 1, "nbf": 1, "exp": 601, "permissions": ["websocket.connect"]}
    scene = Scene(called(0.0, "GET", "/websocket", claims=claims))
    answer = scene.ask("GET", f"/api/client/servers/{identifier}")

    assert answer.body["attributes"]["status"] is None
    assert answer.body["meta"] == {
        "is_server_owner": False,
        "user_permissions": ["websocket.connect"],
    }


def test_the_account_has_no_secrets() -> None:
    answer = Scene().ask("GET", "/api/client/account")

    assert (answer.body["object"], answer.body["attributes"]["username"]) == ("user", "replay")


def test_a_token_answer_has_a_token_and_the_socket() -> None:
    first, second = (Scene().ask("GET", f"{ROOT}/websocket").body for _ in range(2))

    assert first["data"]["socket"] == second["data"]["socket"] == SOCKET
    assert set(first) == {"data"}


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/index.html",
        "/api/application/users",
        "/api/client/servers/00000000",
        f"/api/client/servers/{SERVER.upper()}",
        f"{ROOT}/nothing",
        f"{ROOT}/backups/00000000-0000-4000-8000-000000000000",
        "/api/client/permissions",
    ],
)
def test_what_is_not_there_is_not_found(path: str) -> None:
    detail = "The requested resource could not be found on the server."

    assert error(Scene().ask("GET", path)) == (404, "NotFoundHttpException", detail)


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("POST", "/api/client", "GET, HEAD"),
        ("PUT", f"{ROOT}/websocket", "GET, HEAD"),
        ("GET", f"{ROOT}/power", "POST"),
        ("DELETE", f"{ROOT}/command", "POST"),
        ("PATCH", f"{ROOT}/backups", "GET, HEAD, POST"),
        ("BREW", f"{ROOT}/schedules", "GET, HEAD, POST, PUT, PATCH, DELETE"),
    ],
)
def test_a_method_that_makes_no_sense_is_not_allowed(method: str, path: str, allowed: str) -> None:
    answer = Scene().ask(method, path)

    assert error(answer)[:2] == (405, "MethodNotAllowedHttpException")
    assert answer.headers == {"Allow": allowed}


@pytest.mark.parametrize(
    ("path", "body", "field", "rule"),
    [
        ("power", None, "signal", "required"),
        ("power", {"action": "start"}, "signal", "required"),
        ("power", {"signal": "explode"}, "signal", "in"),
        ("power", {"signal": ["start"]}, "signal", "in"),
        ("command", {}, "command", "required"),
        ("command", {"command": ""}, "command", "required"),
        ("command", {"command": 5}, "command", "string"),
        ("backups", {"name": 5}, "name", "string"),
    ],
)
def test_fields_are_validated(path: str, body: Any, field: str, rule: str) -> None:
    answer = Scene().ask("POST", f"{ROOT}/{path}", body)

    assert error(answer)[:2] == (422, "ValidationException")
    assert answer.body["errors"][0]["meta"] == {"source_field": field, "rule": rule}


def test_a_body_that_is_no_json_is_a_bad_request() -> None:
    answers = [Scene().ask("POST", f"{ROOT}/power", body) for body in (b"{", b"[" * 100_000)]

    assert [error(answer)[:2] for answer in answers] == [(400, "BadRequestHttpException")] * 2


def test_a_form_will_do_as_well() -> None:
    form = "application/x-www-form-urlencoded"
    answer = Scene().ask("POST", f"{ROOT}/power", b"signal=start", **{"content-type": form})

    assert answer == Response(status=204)


def test_resources_tell_the_state_of_now() -> None:
    scene = Scene(
        *LOGIN, told(1.0, "stats", PUSHED_STATS), told(2.0, "status", "stopping"), until=5
    )
    answer = scene.ask("GET", f"{ROOT}/resources")

    assert answer.body == {
        "object": "stats",
        "attributes": {
            "current_state": "stopping",
            "is_suspended": False,
            "resources": {
                "memory_bytes": 1,
                "cpu_absolute": 0.5,
                "disk_bytes": 5,
                "network_rx_bytes": 0,
                "network_tx_bytes": 0,
                "uptime": 9,
            },
        },
    }


def test_a_recorded_answer_comes_as_it_was() -> None:
    gone = {"errors": [{"code": "DaemonConnectionException", "status": "504", "detail": "…"}]}
    scene = Scene(called(1.0, "GET", "/resources", status=504, response=gone))

    answer = scene.ask("GET", f"{ROOT}/resources")
    assert (answer.status, answer.body) == (504, gone)


def test_an_unrecorded_backup_is_one_that_stays_running() -> None:
    scene = Scene(*LOGIN, until=90.0)
    made = scene.ask("POST", f"{ROOT}/backups", {"name": "mine", "ignored": "a\nb"})
    scene.until = 9000.0
    uuid = made.body["attributes"]["uuid"]
    found = scene.ask("GET", f"{ROOT}/backups/{uuid}")
    listed = scene.ask("GET", f"{ROOT}/backups")

    assert made.body == found.body == listed.body["data"][0]
    assert made.body == {
        "object": "backup",
        "attributes": {
            "uuid": uuid,
            "is_successful": False,
            "is_locked": False,
            "name": "mine",
            "ignored_files": ["a", "b"],
            "checksum": None,
            "bytes": 0,
            "created_at": "2026-11-23T18:01:30+00:00",
            "completed_at": None,
        },
    }
    assert listed.body["meta"]["backup_count"] == 1


def test_a_backup_of_the_recording_is_done_when_the_tape_says_so() -> None:
    completed = (
        '{"checksum":"c","checksum_type":"sha1","file_size":7,"is_successful":true,"uuid":"u-1"}'
    )
    item = {"uuid": "u-1", "is_successful": False, "completed_at": None, "name": "theirs"}
    scene = Scene(
        *LOGIN,
        called(1.0, "POST", "/backups", response={"object": "backup", "attributes": item}),
        told(61.0, "backup completed", completed),
        until=30.0,
    )
    before = scene.ask("GET", f"{ROOT}/backups/u-1").body["attributes"]
    scene.until = 90.0
    after = scene.ask("GET", f"{ROOT}/backups/u-1").body["attributes"]

    assert (before, after) == (
        item,
        item
        | {
            "is_successful": True,
            "checksum": "sha1:c",
            "bytes": 7,
            "completed_at": "2026-11-23T18:01:01+00:00",
        },
    )


def test_strictly_an_unrecorded_deed_is_refused() -> None:
    answer = Scene(strict=True).ask("DELETE", f"{ROOT}/backups/u-1")

    assert error(answer) == (
        400,
        "DisplayException",
        f"DELETE {ROOT}/backups/u-1: strictly, only recorded deeds are done, each once",
    )


@given(
    method=st.sampled_from(["GET", "POST", "PUT", "DELETE", "HEAD", "x"]),
    path=st.one_of(
        st.text(),
        st.sampled_from(["", "/power", "/command", "/backups", "/websocket", "/x"]).map(
            lambda rest: ROOT + rest
        ),
    ),
    body=st.one_of(
        st.binary(),
        st.recursive(
            st.none() | st.integers() | st.text(),
            lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
        ).map(lambda value: json.dumps(value).encode()),
    ),
    strict=st.booleans(),
)
def test_whatever_is_asked_there_is_an_answer(
    method: str, path: str, body: bytes, strict: bool
) -> None:
    answer = Scene(*LOGIN, strict=strict, until=5.0).ask(method, path, body)

    assert answer.status in (200, 204, 400, 404, 405, 422)

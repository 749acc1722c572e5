"""A panel's API against a panel of a few lines: what is asked, and what bad answers mean."""

import json
import socket
import ssl
from base64 import urlsafe_b64encode
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import httpx
import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st
from trio.testing import MockClock

from automate.errors import (
    AccessDenied,
    AutomateError,
    Busy,
    MessageError,
    NotThere,
    PanelError,
    PanelUnreachable,
    UsageError,
)
from automate.live.panel import Backup, Call, Panel, PanelKind, Resources, Server, Token
from automate.wire.messages import PowerState

URL = "https://panel.example.com"
KEY = "ptlc_0123456789ab"
UUID = "a1b2c3d4-0001-4000-8000-000000000001"
SOCKET = f"wss://node.example.com:8080/api/servers/{UUID}/ws"


def panel(answer: Callable[[httpx.Request], httpx.Response], **options: Any) -> Panel:
    """Return a panel that *answer* speaks for."""
    client = httpx.AsyncClient(transport=httpx.MockTransport(answer))
    return Panel(URL, KEY, client=client, **options)


def always(
    status: int, body: Any = None, headers: dict[str, str] | None = None
) -> Callable[[httpx.Request], httpx.Response]:
    """Return a panel's part that always says the same."""
    text = body if isinstance(body, str) else "" if body is None else json.dumps(body)
    return lambda request: httpx.Response(status, text=text, headers=headers)


def errors(code: str, detail: str, status: int = 0) -> dict[str, Any]:
    return {"errors": [{"code": code, "status": str(status), "detail": detail}]}


def jwt(**claims: Any) -> str:
    parts = [{"alg": "HS256"}, claims]
    encoded = [urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in parts]
    return ".".join([*encoded, "c2lnbmF0dXJl"])


BACKUP = {
    "uuid": "da554dc6-3fa9-4174-ba08-5f4119e1ff29",
    "is_successful": False,
    "is_locked": False,
    "name": "before stop",
    "ignored_files": [""],
    "checksum": None,
    "bytes": 0,
    "created_at": "2026-11-23T18:49:30+00:00",
    "completed_at": None,
}
SERVER = {
    "object": "server",
    "attributes": {
        "identifier": "a1b2c3d4",
        "internal_id": 42,
        "uuid": UUID,
        "name": "Survival",
        "node": "node-a",
        "status": None,
        "is_suspended": False,
        "relationships": {"variables": {"object": "null_resource", "attributes": None}},
    },
    "meta": {"is_server_owner": True, "user_permissions": ["*"]},
}


# ---------------------------------------------------------------- good answers


async def test_a_token_tells_where_to_go_and_for_how_long() -> None:
    secret = jwt(
        iat=1795459753, exp=1795460353, permissions=["*"], user_uuid="u", scope="websocket"
    )
    calls: list[Call] = []
    asked: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        return httpx.Response(200, json={"data": {"token": secret, "socket": SOCKET}})

    token = await panel(answer, on_call=calls.append).token("A1B2C3D4")

    assert token == Token(
        token=secret, socket=SOCKET, iat=1795459753, exp=1795460353, permissions=("*",)
    )
    [request] = asked
    assert (request.method, str(request.url)) == (
        "GET",
        f"{URL}/api/client/servers/a1b2c3d4/websocket",
    )
    assert request.headers["authorization"] == f"Bearer {KEY}"
    assert request.headers["accept"] == "application/json"
    assert not {"origin", "referer", "cookie"} & set(request.headers)
    [call] = calls
    assert (call.method, call.path, call.status, call.claims) == (
        "GET",
        "/api/client/servers/a1b2c3d4/websocket",
        200,
        {"iat": 1795459753, "exp": 1795460353, "permissions": ["*"], "scope": "websocket"},
    )
    assert call.response == {"data": {"token": secret, "socket": SOCKET}}
    assert secret not in repr((token, call))


@pytest.mark.parametrize(
    "token", ["not-a-jwt", "a.b.c", "a.bm8.c", "a.W10.c", jwt(exp="soon", permissions="all")]
)
async def test_a_token_that_cant_be_read_is_still_a_token(token: str) -> None:
    got = await panel(always(200, {"data": {"token": token, "socket": SOCKET}})).token(UUID)

    assert got == Token(token=token, socket=SOCKET)


async def test_what_is_asked_and_what_comes_back() -> None:
    asked: list[tuple[str, str, Any]] = []

    def answer(request: httpx.Request) -> httpx.Response:
        body = json.loads(request.content) if request.content else None
        asked.append((request.method, request.url.raw_path.decode(), body))
        match request.url.path.rsplit("/", 1)[-1]:
            case "power" | "command":
                return httpx.Response(204)
            case "resources":
                return httpx.Response(200, json=RESOURCES)
            case "client":
                page = int(request.url.params["page"])
                pagination = {"total_pages": 2, "current_page": page}
                return httpx.Response(
                    200, json={"data": [SERVER], "meta": {"pagination": pagination}}
                )
            case "a1b2c3d4":
                return httpx.Response(200, json=SERVER)
            case "backups":
                return httpx.Response(200, json={"attributes": BACKUP})
            case _:
                done = BACKUP | {"is_successful": True, "completed_at": "2026-11-23T18:49:31+00:00"}
                return httpx.Response(200, json={"attributes": done})

    here = panel(answer)
    server = await here.server("a1b2c3d4")
    listed = await here.servers()
    resources = await here.resources("a1b2c3d4")
    await here.power("a1b2c3d4", "start")
    await here.command("a1b2c3d4", "say hi")
    started = await here.create_backup("a1b2c3d4", "before stop")
    done = await here.backup("a1b2c3d4", started.uuid)

    prefix = "/api/client/servers/a1b2c3d4"
    assert asked == [
        ("GET", prefix, None),
        ("GET", "/api/client?page=1&per_page=100", None),
        ("GET", "/api/client?page=2&per_page=100", None),
        ("GET", f"{prefix}/resources", None),
        ("POST", f"{prefix}/power", {"signal": "start"}),
        ("POST", f"{prefix}/command", {"command": "say hi"}),
        ("POST", f"{prefix}/backups", {"name": "before stop"}),
        ("GET", f"{prefix}/backups/{BACKUP['uuid']}", None),
    ]
    assert server == Server(
        id="a1b2c3d4", uuid=UUID, name="Survival", node="node-a", permissions=("*",)
    )
    assert listed == [server, server]
    assert resources == Resources(
        state="running",
        is_suspended=False,
        memory_bytes=1734512640,
        cpu_percent=37.512,
        disk_bytes=5368709120,
        network_received_bytes=1048576,
        network_sent_bytes=2097152,
        uptime_seconds=3600.123,
    )
    assert [(b.is_running, b.is_done, b.is_failed) for b in (started, done)] == [
        (True, False, False),
        (False, True, False),
    ]


RESOURCES = {
    "object": "stats",
    "attributes": {
        "current_state": "running",
        "is_suspended": False,
        "resources": {
            "memory_bytes": 1734512640,
            "cpu_absolute": 37.512,
            "disk_bytes": 5368709120,
            "network_rx_bytes": 1048576,
            "network_tx_bytes": 2097152,
            "uptime": 3600123,
        },
    },
}


@pytest.mark.parametrize(
    ("said", "power"),
    [("running", PowerState.RUNNING), ("missing", None), ("stopped", None), ("new", None)],
)
async def test_an_unknown_state_is_no_power_state(said: str, power: PowerState | None) -> None:
    attributes = {"current_state": said}
    resources = await panel(always(200, {"attributes": attributes})).resources(UUID)

    assert (resources.state, resources.power) == (said, power)


def test_a_backup_that_ended_badly_has_failed() -> None:
    backup = Backup(uuid="u", name="n", is_successful=False, completed_at="2026-11-23T18:49:31Z")

    assert (backup.is_running, backup.is_done, backup.is_failed) == (False, False, True)


# ---------------------------------------------------------------- bad answers

HTML = "<!DOCTYPE html><html><title>Hello</title></html>"
GENERIC = "An unexpected error was encountered while processing this request, please try again."


@pytest.mark.parametrize(
    ("answer", "kind", "message"),
    [
        (
            always(401, errors("AuthenticationException", "Unauthenticated.")),
            AccessDenied,
            f"{URL}: the panel does not know the API key (401): make a client key on the "
            "panel's page of your account, and copy it whole",
        ),
        (
            always(403, errors("AccessDeniedHttpException", "This action is unauthorized.")),
            AccessDenied,
            f"{URL}: the key may not listen to server a1b2c3d4 (403: This action is "
            "unauthorized.): its user needs the permission websocket.connect; an application "
            "key (ptla_, papp_) or an address that is not on the key's list is refused alike",
        ),
        (
            always(
                403, errors("DaemonConnectionException", "An error occurred on the remote host")
            ),
            PanelError,
            f"{URL}: the panel got no good answer from the node of the server a1b2c3d4 (403: An "
            "error occurred on the remote host); is the node up?",
        ),
        (
            always(400, errors("TwoFactorAuthRequiredException", "2FA")),
            AccessDenied,
            f"{URL}: the panel demands two-factor authentication and the key's user has none "
            "(400): switch it on for that account",
        ),
        (
            always(404, errors("NotFoundHttpException", "The requested resource …")),
            NotThere,
            f"no server a1b2c3d4 at {URL}, or the key's user has no access to it (404): check "
            "the id and whose key it is",
        ),
        (
            always(409, errors("ServerStateConflictException", "This server is suspended")),
            Busy,
            f"{URL}: can't listen to server a1b2c3d4, the server can't now (409: This server is "
            "suspended); try again later",
        ),
        (
            always(
                429,
                errors("ThrottleRequestsException", "Too Many Attempts."),
                {"Retry-After": "37"},
            ),
            Busy,
            f"{URL}: can't listen to server a1b2c3d4, the panel has been asked too often (429: "
            "Too Many Attempts.); try again in 37 s",
        ),
        (
            always(500, errors("ConnectionException", GENERIC)),
            PanelError,
            f"{URL}: the panel got no good answer from the node of the server a1b2c3d4 (500: "
            f"{GENERIC}); is the node up?",
        ),
        (
            always(500, errors("QueryException", GENERIC)),
            PanelError,
            f"{URL}: the panel failed at the call to listen to server a1b2c3d4 (500: {GENERIC}); "
            "its log says why",
        ),
        (
            always(503, errors("HttpException", "")),
            Busy,
            f"{URL}: can't listen to server a1b2c3d4, the panel is under maintenance (503); try "
            "again later",
        ),
        (
            always(502, HTML),
            PanelUnreachable,
            f"{URL}: something in front of the panel answered 502 (a web page); the panel itself "
            "seems to be down",
        ),
        (
            always(403, HTML),
            PanelError,
            f"{URL}: something in front of the panel refused the call with 403 (a web page): a "
            "firewall, or a login of its own; let this machine through",
        ),
        (
            always(404, HTML),
            PanelError,
            f"{URL}: expected the panel's API, found a web page (404); is this the address of a "
            "Pterodactyl or Pelican panel?",
        ),
        (
            always(302, "", {"Location": f"{URL}/auth/login"}),
            PanelError,
            f"{URL}: expected the panel's API, found a redirect (302) to {URL}/auth/login; it "
            "sends everybody to a login page; is something else than the panel in front?",
        ),
        (
            always(301, "", {"Location": "/elsewhere"}),
            PanelError,
            f"{URL}: expected the panel's API, found a redirect (301) to /elsewhere; check the "
            "panel's address",
        ),
        (
            always(200, HTML),
            PanelError,
            f"{URL}: expected the panel's API, found a web page (200); is this the address of a "
            "Pterodactyl or Pelican panel?",
        ),
        (
            always(200, ""),
            PanelError,
            f"{URL}: expected the panel's API, found an empty answer (200); is this the address "
            "of a Pterodactyl or Pelican panel?",
        ),
        (
            always(200, "hello"),
            PanelError,
            f"{URL}: expected the panel's API, found 'hello' (200); is this the address of a "
            "Pterodactyl or Pelican panel?",
        ),
        (
            always(200, {"data": {"token": "t", "socket": "https://node/ws"}}),
            PanelError,
            f"{URL}: the panel answered in a way this version does not know, asked to listen to "
            "server a1b2c3d4: Expected ws:// or wss://, got 'https://node/ws' - at "
            "`$.data.socket`",
        ),
        (
            always(200, {"data": []}),
            PanelError,
            f"{URL}: the panel answered in a way this version does not know, asked to listen to "
            "server a1b2c3d4: Expected `object`, got `array` - at `$.data`",
        ),
        (
            always(200, "[" * 10000),
            PanelError,
            f"{URL}: expected the panel's API, found '{'[' * 60}' (200); is this the address of "
            "a Pterodactyl or Pelican panel?",
        ),
        (
            always(418, errors("Teapot", "I am\n a   teapot")),
            PanelError,
            f"{URL}: can't listen to server a1b2c3d4 (418: I am a teapot)",
        ),
        (
            always(400, {"errors": []}),
            PanelError,
            f"{URL}: can't listen to server a1b2c3d4 (400)",
        ),
    ],
)
async def test_each_bad_answer_says_what_to_do(
    answer: Callable[[httpx.Request], httpx.Response], kind: type[AutomateError], message: str
) -> None:
    with pytest.raises(PanelError) as caught:
        await panel(answer).token("a1b2c3d4")

    assert (type(caught.value), str(caught.value)) == (kind, message)


async def test_a_backup_that_is_not_there_is_named() -> None:
    with pytest.raises(NotThere, match=r"^no backup c3d9 of server a1b2c3d4 at https://panel"):
        await panel(always(404, errors("NotFoundHttpException", ""))).backup("a1b2c3d4", "c3d9")


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (
            always(
                502, errors("HttpException", "Server must be online in order to send commands.")
            ),
            "can't send a command to server a1b2c3d4: the server is not running (502: Server "
            "must be online in order to send commands.)",
        ),
        (
            always(504, errors("DaemonConnectionException", "Could not establish a connection")),
            f"{URL}: the panel got no good answer from the node of the server a1b2c3d4 (504: "
            "Could not establish a connection); it may have been done all the same, so look "
            "before asking again; is the node up?",
        ),
        (
            always(
                422, {"errors": [{"detail": "Too long."}, {"detail": "No."}, {"detail": "No."}]}
            ),
            f"{URL}: can't send a command to server a1b2c3d4 like that (422): Too long.; No.",
        ),
        (
            always(419, errors("HttpException", "CSRF token mismatch.")),
            f"{URL}: the panel took the call for its own web page's (419): a proxy in between "
            "adds an Origin, a Referer or a cookie; take it out",
        ),
        (
            always(200, HTML),
            f"{URL}: expected the panel's API, found a web page (200); is this the address of a "
            "Pterodactyl or Pelican panel?",
        ),
    ],
)
async def test_a_command_that_was_not_taken_says_so(
    answer: Callable[[httpx.Request], httpx.Response], message: str
) -> None:
    asked: list[httpx.Request] = []

    def once(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        return answer(request)

    with pytest.raises(PanelError) as caught:
        await panel(once).command("a1b2c3d4", "say hi")

    assert (str(caught.value), len(asked)) == (message, 1)


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"Retry-After": "37"}, 37.0),
        ({"Retry-After": "-1"}, 0.0),
        ({"Retry-After": "soon"}, None),
        ({"Retry-After": "nan"}, None),
        (
            {
                "Date": "Mon, 23 Nov 2026 18:00:00 GMT",
                "Retry-After": "Mon, 23 Nov 2026 18:00:20 GMT",
            },
            20.0,
        ),
        ({"Date": "Mon, 23 Nov 2026 18:00:00 GMT", "X-RateLimit-Reset": "1795456830"}, 30.0),
        ({}, None),
    ],
)
async def test_how_long_to_wait_is_read_by_the_panels_own_clock(
    headers: dict[str, str], seconds: float | None
) -> None:
    with pytest.raises(Busy) as caught:
        await panel(always(429, errors("ThrottleRequestsException", ""), headers)).token(UUID)

    assert (caught.value.retry_after, caught.value.status) == (seconds, 429)


async def test_a_bad_answer_is_told_like_a_good_one() -> None:
    calls: list[Call] = []
    for answer in (always(502, HTML), always(401, errors("AuthenticationException", "No."))):
        with pytest.raises(PanelError):
            await panel(answer, on_call=calls.append).power(UUID, "kill")

    assert [(call.status, call.response, call.request) for call in calls] == [
        (502, HTML, {"signal": "kill"}),
        (401, errors("AuthenticationException", "No."), {"signal": "kill"}),
    ]


# ---------------------------------------------------------------- no answer


def failing(exc: Exception, cause: BaseException | None = None) -> Callable[..., httpx.Response]:
    def answer(request: httpx.Request) -> httpx.Response:
        raise exc from cause

    return answer


# The shape in which trio tells that no address of a host could be reached.
REFUSED = OSError("all attempts to connect to 127.0.0.1:9 failed")
REFUSED.__cause__ = ExceptionGroup("all attempts", [ConnectionRefusedError(111, "refused")])
UNTRUSTED = ssl.SSLCertVerificationError(1, "certificate verify failed")
UNTRUSTED.verify_message = "self-signed certificate"


@pytest.mark.parametrize(
    ("exc", "cause", "message"),
    [
        (
            httpx.ConnectError("all attempts failed"),
            REFUSED,
            "connection refused; is it up, and the port right?",
        ),
        (
            httpx.ConnectError("no"),
            socket.gaierror(-2, "Name or service not known"),
            "no such host is known (DNS); check the address, or this machine's network",
        ),
        (
            httpx.ConnectError("no"),
            UNTRUSTED,
            "its certificate can't be trusted (self-signed certificate); mend it, or name the "
            "file of its authority with --ca-file (or in the variable SSL_CERT_FILE)",
        ),
        (
            httpx.ConnectError("no"),
            ssl.SSLError(1, "wrong version number"),
            "no TLS connection could be made; does it speak plain HTTP, or is the port wrong?",
        ),
        (
            httpx.ConnectTimeout("no"),
            None,
            "nobody answered when connecting; check the address and the firewalls between",
        ),
        (httpx.ReadTimeout("no"), None, "the panel took the call and did not answer in time"),
        (
            httpx.ProxyError("407 no"),
            None,
            "the proxy that the environment names failed (407 no); check HTTPS_PROXY",
        ),
        (httpx.ReadError(""), None, "the connection failed (ReadError)"),
    ],
)
async def test_no_answer_says_why(
    exc: Exception, cause: BaseException | None, message: str, autojump_clock: MockClock
) -> None:
    with pytest.raises(PanelUnreachable) as caught:
        await panel(failing(exc, cause)).server(UUID)

    assert (str(caught.value), caught.value.status) == (f"{URL}: {message}", None)


async def test_without_an_answer_a_change_may_have_happened() -> None:
    with pytest.raises(PanelUnreachable, match="it may have been done all the same, so look"):
        await panel(failing(httpx.ReadTimeout(""))).power(UUID, "start")


@pytest.mark.parametrize(
    ("trouble", "tries"),
    [
        (always(502, HTML), 4),
        (always(504, errors("DaemonConnectionException", "")), 4),
        (failing(httpx.ConnectError(""), REFUSED), 4),
        (failing(httpx.RemoteProtocolError("")), 4),
        (always(500, errors("QueryException", "")), 1),
        (always(429, errors("ThrottleRequestsException", "")), 1),
        (failing(httpx.ConnectError(""), UNTRUSTED), 1),
        (failing(httpx.ReadTimeout("")), 1),
    ],
)
async def test_a_read_is_asked_again_where_that_helps(
    trouble: Callable[[httpx.Request], httpx.Response], tries: int, autojump_clock: MockClock
) -> None:
    asked_at: list[float] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked_at.append(trio.current_time())
        return trouble(request)

    with pytest.raises(PanelError):
        await panel(answer).resources(UUID)

    assert asked_at == [0.0, 0.25, 0.75, 1.75][:tries]


async def test_a_read_that_works_at_last_is_an_answer(autojump_clock: MockClock) -> None:
    answers = [always(502, HTML), always(503, HTML), always(200, SERVER)]

    server = await panel(lambda request: answers.pop(0)(request)).server(UUID)

    assert server.name == "Survival"


@pytest.mark.parametrize("ask", ["token", "power", "command", "create_backup"])
async def test_what_costs_or_changes_something_is_asked_once(ask: str) -> None:
    asked: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request.url.path)
        return httpx.Response(502, text=HTML)

    here = panel(answer)
    questions: dict[str, Callable[[], Awaitable[object]]] = {
        "token": lambda: here.token(UUID),
        "power": lambda: here.power(UUID, "start"),
        "command": lambda: here.command(UUID, "say hi"),
        "create_backup": lambda: here.create_backup(UUID, "x"),
    }
    with pytest.raises(PanelUnreachable):
        await questions[ask]()

    assert len(asked) == 1


class Endless(httpx.AsyncByteStream):
    """A body that never ends: a *piece* each so many *seconds*."""

    def __init__(self, piece: bytes, seconds: float) -> None:
        self.given = 0
        self._piece = piece
        self._seconds = seconds

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while True:
            await trio.sleep(self._seconds)
            self.given += len(self._piece)
            yield self._piece


async def test_an_answer_that_trickles_in_for_ever_is_given_up(autojump_clock: MockClock) -> None:
    body = Endless(b" ", 20)

    with pytest.raises(PanelUnreachable, match="did not answer in time"):
        await panel(lambda request: httpx.Response(200, stream=body)).server(UUID)

    assert trio.current_time() == 60


async def test_an_answer_without_an_end_is_not_kept(autojump_clock: MockClock) -> None:
    body = Endless(b"x" * (1 << 20), 0)

    with pytest.raises(PanelError, match="found an answer of more than 8 MiB"):
        await panel(lambda request: httpx.Response(200, stream=body)).server(UUID)

    assert body.given == 9 << 20


# ---------------------------------------------------------------- whatever it says

_LEAVES = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20)
_NAMES = st.sampled_from(
    ["data", "attributes", "errors", "token", "socket", "uuid", "meta", "code", "detail", "name"]
)
_JSON = st.recursive(
    _LEAVES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_NAMES, inner, max_size=4),
    max_leaves=12,
)
_BODIES = st.one_of(
    st.binary(max_size=60),
    _JSON.map(lambda value: json.dumps(value).encode()),
    st.sampled_from([HTML.encode(), b"", b"null", b"[" * 5000, b"\xff\xfe{}", b'{"errors":[1]}']),
)
_HEADERS = st.dictionaries(
    st.sampled_from(["Retry-After", "Date", "Location", "X-RateLimit-Reset", "Content-Type"]),
    st.sampled_from(
        ["", "-1", "1e99", "nan", "now", "Mon, 99 Foo 2026", "//", "text/html; charset=?"]
    ),
    max_size=3,
)


@given(status=st.integers(200, 599), body=_BODIES, headers=_HEADERS)
def test_whatever_a_panel_answers_is_an_answer_or_one_of_our_errors(
    status: int, body: bytes, headers: dict[str, str]
) -> None:
    """In one line, however long it talks; and it tries four times at most."""
    asked: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request.url.path)
        return httpx.Response(status, content=body, headers=headers)

    async def ask_all() -> None:
        here = panel(answer)
        for question in (
            here.kind,
            here.servers,
            lambda: here.server(UUID),
            lambda: here.token(UUID),
            lambda: here.resources(UUID),
            lambda: here.power(UUID, "stop"),
            lambda: here.command(UUID, "list"),
            lambda: here.create_backup(UUID, "x"),
            lambda: here.backup(UUID, "c3d9"),
        ):
            asked.clear()
            words = ""
            try:
                await question()
            except AutomateError as error:
                words = str(error)
            assert ("\n" in words, len(words) < 700, len(asked) <= 4) == (False, True, True)

    trio.run(ask_all, clock=MockClock(autojump_threshold=0))


# ---------------------------------------------------------------- what is not even asked


@pytest.mark.parametrize("key", ["", "  ", "ptlc_ab cd", "ptlc_ä", "ptlc_a\nb"])
def test_a_key_that_cant_be_one_is_refused_and_not_shown(key: str) -> None:
    with pytest.raises(UsageError, match=r"^API key: expected one word") as caught:
        Panel(URL, key)

    assert not key.strip() or key not in str(caught.value)


async def test_what_must_not_be_sent_is_not() -> None:
    here = panel(failing(AssertionError("asked")))

    with pytest.raises(MessageError, match="expected one line without control characters"):
        await here.command(UUID, "say hi\nstop")
    with pytest.raises(MessageError, match="set state: expected one of"):
        await here.power(UUID, "explode")
    with pytest.raises(UsageError, match="expected its uuid"):
        await here.backup(UUID, "../x")


async def test_a_proxy_that_cant_be_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "gopher://proxy.example.com")

    with pytest.raises(UsageError, match=r"^the environment names a proxy or a certificate file"):
        async with Panel(URL, KEY) as here:
            await here.server(UUID)


async def test_a_client_that_was_handed_in_stays_open() -> None:
    client = httpx.AsyncClient(transport=httpx.MockTransport(always(200, SERVER)))
    async with Panel(URL, KEY, client=client) as here:
        await here.server(UUID)

    assert not client.is_closed
    await client.aclose()


@pytest.mark.parametrize(
    ("key", "account", "kind"),
    [
        ("ptlc_abc", None, PanelKind.PTERODACTYL),
        ("pacc_abc", None, PanelKind.PELICAN),
        ("old0abc", {"id": 7, "username": "ada"}, PanelKind.PTERODACTYL),
        ("old0abc", {"uuid": "0b1d", "username": "ada"}, PanelKind.PELICAN),
    ],
)
async def test_whose_panel_it_is_is_found_out(
    key: str, account: dict[str, Any] | None, kind: PanelKind
) -> None:
    """The key tells; one made before keys had prefixes does not, but the account does."""
    answer = failing(AssertionError("asked"))
    if account is not None:
        answer = always(200, {"object": "user", "attributes": account})
    client = httpx.AsyncClient(transport=httpx.MockTransport(answer))

    assert await Panel(URL, key, client=client).kind() is kind


async def test_a_conflict_hidden_in_a_refusal_is_one() -> None:
    """During a transfer an ordinary user may be told that of the transfer's logs (3.7)."""
    detail = "You do not have permission to view server transfer logs."
    here = panel(always(403, errors("HttpForbiddenException", detail, 403)))
    with pytest.raises(Busy, match="the server is being moved to another node") as caught:
        await here.token(UUID)

    assert caught.value.status == 409

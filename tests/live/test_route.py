"""The way to a node: proxies that the environment names, and whose certificates are trusted.

tests/live/data has the certificate of an authority made for these tests, and a node's (with its
key) that it signed.
"""

import base64
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import pytest
import trio
from trio.testing import MockClock

from automate.errors import AccessDenied, ConnectionFailed, UsageError
from automate.fake.network import memory_network
from automate.live.panel import Panel
from automate.live.route import open_stream, proxy_for, trust
from automate.live.session import Session
from tests.live.stage import Diary, Tokens

DATA = Path(__file__).parent / "data"
AUTHORITY = DATA / "authority.pem"
WSS, WS = "wss://node.example.com:8080/ws", "ws://node.example.com:8080/ws"


# ---------------------------------------------------------------- which proxy


@pytest.mark.parametrize(
    ("url", "environment", "found"),
    [
        (WSS, {}, None),
        (WSS, {"HTTPS_PROXY": "http://p.example.com:3128"}, ("p.example.com", 3128)),
        (WSS, {"https_proxy": "p.example.com:3128"}, ("p.example.com", 3128)),
        (WSS, {"http_proxy": "http://p:1"}, None),
        (WS, {"http_proxy": "http://p:1", "https_proxy": "http://q:2"}, ("p", 1)),
        (WS, {"ALL_PROXY": "https://p"}, ("p", 443)),
        (WSS, {"https_proxy": "http://p", "all_proxy": "http://q"}, ("p", 80)),
        (WSS, {"https_proxy": "http://p", "no_proxy": "example.com"}, None),
        (WSS, {"https_proxy": "http://p", "NO_PROXY": "a, .example.com"}, None),
        (WSS, {"https_proxy": "http://p", "no_proxy": "*"}, None),
        (WSS, {"https_proxy": "http://p", "no_proxy": "node.example.com:8080"}, None),
        (WSS, {"https_proxy": "http://p", "no_proxy": "ample.com,,"}, ("p", 80)),
        ("ws://127.0.0.1:8080/ws", {"http_proxy": "http://p"}, None),
    ],
)
def test_the_environment_names_the_proxy(
    url: str, environment: dict[str, str], found: tuple[str, int] | None
) -> None:
    proxy = proxy_for(url, environment)

    assert (None if proxy is None else (proxy.host, proxy.port)) == found


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (
            "socks5://ada:hunter2@p.example.com:1080",
            "all_proxy=p.example.com:1080: a socks5 proxy can't be used for a node's websocket; "
            "name an http proxy, or put node.example.com into no_proxy",
        ),
        ("http://", "all_proxy=http://: expected a proxy like http://proxy.example.com:3128"),
        (
            "http://p:99999",
            "all_proxy=http://p:99999: expected a proxy like http://proxy.example.com:3128",
        ),
    ],
)
def test_a_proxy_that_cant_be_used_is_refused_by_name_and_without_its_password(
    value: str, message: str
) -> None:
    with pytest.raises(UsageError) as caught:
        proxy_for(WSS, {"all_proxy": value})

    assert str(caught.value) == message


async def test_a_session_ends_where_its_proxy_cant_be_used(
    autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ALL_PROXY", "socks5://p.example.com:1080")
    diary = Diary()
    with pytest.raises(UsageError, match="a socks5 proxy can't be used"):
        await Session("a1b2c3d4", Tokens(), listener=diary).run()

    assert diary.words[-1].startswith("ended: ALL_PROXY=socks5://p.example.com:1080: a socks5")


# ---------------------------------------------------------------- through it


@asynccontextmanager
async def listening(answer: bytes, heard: list[bytes], port: int) -> AsyncIterator[None]:
    """Serve one *answer* to whatever is said first, then send back what comes."""

    async def serve(stream: trio.SocketStream) -> None:
        heard.append(bytes(await stream.receive_some()))
        await stream.send_all(answer)
        async for data in stream:
            await stream.send_all(data)

    async with memory_network(), trio.open_nursery() as nursery:
        await nursery.start(partial(trio.serve_tcp, serve, port, host="127.0.0.1"))
        yield
        nursery.cancel_scope.cancel()


async def test_a_proxy_is_asked_to_connect_us(autojump_clock: MockClock) -> None:
    heard: list[bytes] = []
    environment = {"http_proxy": "http://ada:hun%74er2@p.example.com:3128"}
    async with listening(b"HTTP/1.1 200 Connection established\r\n\r\n", heard, 3128):
        stream = await open_stream(WS, ca_file=None, environment=environment)
        await stream.send_all(b"hello")
        echo = await stream.receive_some()
        await stream.aclose()

    assert (heard, echo) == (
        [
            b"CONNECT node.example.com:8080 HTTP/1.1\r\nHost: node.example.com:8080\r\n"
            b"Proxy-Authorization: Basic %b\r\n\r\n" % base64.b64encode(b"ada:hunter2")
        ],
        b"hello",
    )


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (
            b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n",
            "the proxy of http_proxy=http://p:3128 does not let us through to "
            "node.example.com:8080 (HTTP/1.1 407 Proxy Authentication Required); give its user "
            "and password in the variable",
        ),
        (
            b"x" * 70_000,
            "the proxy of http_proxy=http://p:3128 closed the connection, or is none for CONNECT; "
            "check the variable",
        ),
    ],
)
async def test_a_proxy_that_says_no_is_told(
    answer: bytes, message: str, autojump_clock: MockClock
) -> None:
    async with listening(answer, [], 3128):
        with pytest.raises(ConnectionFailed) as caught:
            await open_stream(WS, ca_file=None, environment={"http_proxy": "http://p:3128"})

    assert str(caught.value) == message


async def test_a_proxy_that_is_away_is_told(autojump_clock: MockClock) -> None:
    async with memory_network():
        with pytest.raises(ConnectionFailed, match=r"proxy of http_proxy=http://p:3128.*refused"):
            await open_stream(WS, ca_file=None, environment={"http_proxy": "http://p:3128"})


# ---------------------------------------------------------------- whom to trust


@asynccontextmanager
async def secured_node() -> AsyncIterator[None]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(DATA / "node.pem")

    async def serve(stream: trio.SSLStream[trio.SocketStream]) -> None:
        try:
            await stream.receive_some()
            await stream.send_all(
                b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 61\r\n\r\n"
                b'{"errors":[{"code":"AuthenticationException","detail":"no"}]}'
            )
        except (trio.BrokenResourceError, ssl.SSLError):
            pass  # the client does not trust us

    async with memory_network(), trio.open_nursery() as nursery:
        await nursery.start(
            partial(trio.serve_ssl_over_tcp, serve, 8080, context, host="127.0.0.1")
        )
        yield
        nursery.cancel_scope.cancel()


async def test_a_private_authority_has_to_be_named(autojump_clock: MockClock) -> None:
    async with secured_node():
        with pytest.raises(ConnectionFailed) as caught:
            await open_stream(WSS, ca_file=None, environment={})
        stream = await open_stream(WSS, ca_file=AUTHORITY, environment={})
        await trio.aclose_forcefully(stream)
        with pytest.raises(ConnectionFailed, match="Hostname mismatch"):
            await open_stream("wss://other.example.com:8080/ws", ca_file=AUTHORITY, environment={})

    assert str(caught.value).startswith("node wss://node.example.com:8080: its certificate can't")
    assert "--ca-file" in str(caught.value)


async def test_the_panel_trusts_it_as_well(autojump_clock: MockClock) -> None:
    url = "https://panel.example.com:8080"
    async with secured_node(), Panel(url, "ptlc_key", ca_file=AUTHORITY) as panel:
        with pytest.raises(AccessDenied):
            await panel.server("a1b2c3d4")


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("missing.pem", None, "there is no such file of certificates; check --ca-file"),
        ("odd.pem", "hello", "expected the certificate of an authority"),
    ],
)
def test_a_file_without_certificates_is_refused(
    name: str, text: str | None, message: str, tmp_path: Path
) -> None:
    path = tmp_path / name
    if text is not None:
        path.write_text(text)

    with pytest.raises(UsageError, match=message):
        trust(path)

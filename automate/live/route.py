"""The way to a node or a panel: whom to trust, and which proxy stands between.

The environment's proxies are honoured for websockets as they are for the panel, or refused by
name; nothing is passed over in silence. Only opening is here, nothing of what is said.
"""

import ssl
from base64 import b64encode
from collections.abc import Mapping
from os import PathLike
from urllib.parse import unquote, urlsplit

import trio
from attrs import field, frozen

from automate.errors import ConnectionFailed, UsageError
from automate.live.trouble import why_unreachable

__all__ = ["Proxy", "open_stream", "proxy_for", "trust"]

_HEAD_BYTES = 65536
# A proxy's own loopback is not ours.
_LOOPBACK = ("127.0.0.1", "::1", "localhost")


def trust(
    ca_file: str | PathLike[str] | None, *, context: ssl.SSLContext | None = None
) -> ssl.SSLContext:
    """Return whom to trust: the system's authorities (or *context*), and those in *ca_file* (PEM).

    Raises:
        UsageError: *ca_file* holds no certificates.
    """
    if context is None:
        context = ssl.create_default_context()
    if ca_file is None:
        return context
    try:
        context.load_verify_locations(ca_file)
    except FileNotFoundError:
        raise UsageError(
            f"{ca_file}: there is no such file of certificates; check --ca-file"
        ) from None
    except (OSError, ssl.SSLError) as exc:
        raise UsageError(
            f"{ca_file}: expected the certificate of an authority (PEM, BEGIN CERTIFICATE), found "
            f"something else ({exc}); check --ca-file"
        ) from exc
    return context


# ---------------------------------------------------------------- proxies


@frozen(kw_only=True)
class Proxy:
    """A proxy that connects us to others when asked to (HTTP's CONNECT); *name* has no secret."""

    name: str
    host: str
    port: int
    is_tls: bool = False
    credentials: str | None = field(default=None, repr=False)


def proxy_for(url: str, environment: Mapping[str, str]) -> Proxy | None:
    """Return the proxy that *environment* names for the websocket *url*; ``None`` for none.

    ``https_proxy`` is for ``wss://``, ``http_proxy`` for ``ws://``, ``all_proxy`` for both, in
    small or large letters; what ``no_proxy`` names, and this machine itself, is reached without.

    Raises:
        UsageError: it names one that can't be used for this.
    """
    parts = urlsplit(url)
    names = ("https_proxy" if parts.scheme == "wss" else "http_proxy", "all_proxy")
    found = [
        (name, environment[name])
        for plain in names
        for name in (plain, plain.upper())
        if environment.get(name)
    ]
    if not found or _is_excepted(parts.hostname or "", parts.port, environment):
        return None
    name, value = found[0]
    try:
        proxy = urlsplit(value if "://" in value else f"http://{value}")
        host, port = proxy.hostname, proxy.port
    except ValueError:
        host = port = None
    shown = f"{name}={value.rpartition('@')[2] if '@' in value else value}"
    if not host:
        raise UsageError(f"{shown}: expected a proxy like http://proxy.example.com:3128")
    if proxy.scheme not in ("http", "https"):
        raise UsageError(
            f"{shown}: a {proxy.scheme} proxy can't be used for a node's websocket; name an http "
            f"proxy, or put {parts.hostname} into no_proxy"
        )
    is_tls = proxy.scheme == "https"
    return Proxy(
        name=shown,
        host=host,
        port=port or (443 if is_tls else 80),
        is_tls=is_tls,
        credentials=None
        if proxy.username is None
        else f"{unquote(proxy.username)}:{unquote(proxy.password or '')}",
    )


def _is_excepted(host: str, port: int | None, environment: Mapping[str, str]) -> bool:
    if host in _LOOPBACK:
        return True
    listed = environment.get("no_proxy") or environment.get("NO_PROXY") or ""
    for each in listed.lower().split(","):
        name = each.strip().lstrip("*").lstrip(".")
        if each.strip() == "*":
            return True
        if name and (host == name or host.endswith(f".{name}") or f"{host}:{port}" == name):
            return True
    return False


# ---------------------------------------------------------------- opening


async def open_stream(
    url: str, *, ca_file: str | PathLike[str] | None, environment: Mapping[str, str]
) -> trio.abc.Stream:
    """Return a stream to the host in *url* (``ws`` or ``wss``), its certificate verified.

    Raises:
        ConnectionFailed: it can't be reached; the text says why.
        UsageError: *ca_file* or the environment's proxy can't be used.
    """
    try:
        parts = urlsplit(url)
        host, port, is_tls = parts.hostname, parts.port, parts.scheme == "wss"
    except ValueError as exc:
        raise ConnectionFailed(
            f"{url[:200]}: expected the address of a node ({exc}); check the node's settings"
        ) from None
    where = f"{parts.scheme}://{parts.netloc}"
    if not host:
        raise ConnectionFailed(f"{url}: expected the address of a node, with a host in it")
    port = port or (443 if is_tls else 80)
    proxy = proxy_for(url, environment)
    context = trust(ca_file) if is_tls or (proxy and proxy.is_tls) else None
    try:
        if proxy is None:
            stream: trio.abc.Stream = await trio.open_tcp_stream(host, port)
        else:
            stream = await _through(proxy, host, port, context)
        return await _secured(stream, host, context) if is_tls and context else stream
    except (OSError, trio.BrokenResourceError) as exc:
        why = why_unreachable(exc) or f"the connection failed ({exc})"
        by = "" if proxy is None else f" (through the proxy of {proxy.name})"
        raise ConnectionFailed(f"node {where}{by}: {why}") from exc


async def _secured(stream: trio.abc.Stream, host: str, context: ssl.SSLContext) -> trio.abc.Stream:
    secure = trio.SSLStream(stream, context, server_hostname=host, https_compatible=True)
    try:
        await secure.do_handshake()
    except BaseException:  # a cancellation too must leave nothing open
        await trio.aclose_forcefully(secure)
        raise
    return secure


async def _through(
    proxy: Proxy, host: str, port: int, context: ssl.SSLContext | None
) -> trio.abc.Stream:
    stream: trio.abc.Stream = await trio.open_tcp_stream(proxy.host, proxy.port)
    if proxy.is_tls and context is not None:
        stream = await _secured(stream, proxy.host, context)
    try:
        await _ask_for_tunnel(
            stream, proxy, f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        )
    except BaseException:  # a cancellation too must leave nothing open
        await trio.aclose_forcefully(stream)
        raise
    return stream


async def _ask_for_tunnel(stream: trio.abc.Stream, proxy: Proxy, target: str) -> None:
    head = [f"CONNECT {target} HTTP/1.1", f"Host: {target}"]
    if proxy.credentials is not None:
        head.append(f"Proxy-Authorization: Basic {b64encode(proxy.credentials.encode()).decode()}")
    await stream.send_all("\r\n".join([*head, "", ""]).encode())
    answer = bytearray()
    while b"\r\n\r\n" not in answer:
        # Nothing of the node's can follow the head: it says nothing before it is asked.
        data = await stream.receive_some(_HEAD_BYTES)
        answer += data
        if not data or len(answer) > _HEAD_BYTES:
            raise ConnectionFailed(
                f"the proxy of {proxy.name} closed the connection, or is none for CONNECT; check "
                "the variable"
            )
    status = answer.split(b"\r\n", 1)[0].split(b" ")[1:2]
    if status != [b"200"]:
        said = answer.split(b"\r\n", 1)[0].decode("ascii", "replace")[:80]
        hint = "; give its user and password in the variable" if status == [b"407"] else ""
        raise ConnectionFailed(
            f"the proxy of {proxy.name} does not let us through to {target} ({said}){hint}"
        )

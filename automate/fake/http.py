"""A small HTTP server, one connection at a time: requests in, answers out, or another protocol.

What to answer is decided by a plain function, handed in; garbage and bodies without end are
refused here, so that it sees none. The grammar is h11's, the stream any trio stream.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final
from urllib.parse import unquote, urlsplit

import h11
import msgspec
import trio
from attrs import evolve, field, frozen

__all__ = ["HangUp", "Request", "Response", "SwitchProtocol", "Switched", "serve_http"]

_HEAD_LIMIT_BYTES: Final = 65536
# A panel takes files over other ways; no call of ours is nearly as long.
_BODY_LIMIT_BYTES: Final = 1 << 20
_RECEIVE_BYTES: Final = 65536


@frozen(kw_only=True)
class Request:
    """One request: *path* is decoded and without its query, header names are in small letters."""

    method: str
    target: str
    path: str
    query: str = ""
    headers: Mapping[str, str] = field(factory=dict)
    body: bytes = b""
    is_http_1_1: bool = True


@frozen(kw_only=True)
class Response:
    """One answer; a body of any kind but bytes is sent as JSON, ``None`` is no body.

    It is sent *after_seconds*: what it tells of is done by then.
    """

    status: int
    body: Any = None
    headers: Mapping[str, str] = field(factory=dict)
    after_seconds: float = 0.0


@frozen
class HangUp:
    """The connection is to be closed without an answer."""


@frozen(kw_only=True)
class SwitchProtocol:
    """The connection is to be handed over, once it was told so (101, with these *headers*).

    From then on messages may be compressed (*is_deflated*) and are of so many bytes at most.
    """

    path: str
    headers: Mapping[str, str]
    is_deflated: bool
    limit_bytes: int


@frozen
class Switched:
    """A connection that was handed over: by which answer, and what the client has said since."""

    answer: SwitchProtocol
    said: bytes


Answer = Response | HangUp | SwitchProtocol


async def serve_http(
    stream: trio.abc.Stream, answer: Callable[[Request], Answer]
) -> Switched | None:
    """Answer the requests on *stream*, until it is handed over to another protocol.

    ``None`` comes back when the client has hung up, or was hung up on.

    Raises:
        trio.BrokenResourceError: the client went away in the middle.
    """
    connection = h11.Connection(h11.SERVER, max_incomplete_event_size=_HEAD_LIMIT_BYTES)
    while True:
        try:
            request = await _read_request(connection, stream)
        except h11.RemoteProtocolError as exc:
            await _refuse(connection, stream, exc.error_status_hint, str(exc))
            return None
        if request is None:
            return None
        reply = answer(request)
        match reply:
            case HangUp():
                return None
            case SwitchProtocol(headers=headers):
                await stream.send_all(connection.send(_switch(headers)) or b"")
                said, _is_closed = connection.trailing_data
                return Switched(reply, said)
        if reply.after_seconds:
            await trio.sleep(reply.after_seconds)
        await _send(connection, stream, request, reply)
        if connection.our_state is not h11.DONE or connection.their_state is not h11.DONE:
            return None
        connection.start_next_cycle()


def _switch(headers: Mapping[str, str]) -> h11.InformationalResponse:
    return h11.InformationalResponse(
        status_code=101, reason=b"Switching Protocols", headers=list(headers.items())
    )


async def _read_request(connection: h11.Connection, stream: trio.abc.Stream) -> Request | None:
    """Return the next request with all of its body, ``None`` if the client has hung up.

    Raises:
        h11.RemoteProtocolError: it is no request, or one without end.
    """
    request = None
    body = bytearray()
    while True:
        event = connection.next_event()
        match event:
            case h11.NEED_DATA:
                if connection.they_are_waiting_for_100_continue:
                    go_on = h11.InformationalResponse(status_code=100, headers=[])
                    await stream.send_all(connection.send(go_on) or b"")
                connection.receive_data(bytes(await stream.receive_some(_RECEIVE_BYTES)))
            case h11.Request():
                request = _request(event)
            case h11.Data():
                body += event.data
                if len(body) > _BODY_LIMIT_BYTES:
                    raise h11.RemoteProtocolError("the body is too long", error_status_hint=413)
            case h11.EndOfMessage():
                assert request is not None
                return evolve(request, body=bytes(body))
            case _:
                return None


def _request(event: h11.Request) -> Request:
    target = event.target.decode("ascii", "replace")
    try:
        url = urlsplit(target)
    except ValueError as exc:
        raise h11.RemoteProtocolError(f"the target is no URL: {exc}") from None
    headers = {name.decode(): value.decode("latin-1") for name, value in event.headers}
    return Request(
        method=event.method.decode(),
        target=target,
        path=unquote(url.path),
        query=url.query,
        headers=headers,
        is_http_1_1=event.http_version == b"1.1",
    )


async def _send(
    connection: h11.Connection, stream: trio.abc.Stream, request: Request, reply: Response
) -> None:
    body = reply.body if isinstance(reply.body, bytes) else b""
    headers = dict(reply.headers)
    if reply.body is not None and not isinstance(reply.body, bytes):
        body = msgspec.json.encode(reply.body)
        headers.setdefault("Content-Type", "application/json")
    if reply.status != 204:
        headers["Content-Length"] = str(len(body))
    head = h11.Response(status_code=reply.status, headers=list(headers.items()))
    data = connection.send(head) or b""
    if request.method != "HEAD":
        data += connection.send(h11.Data(data=body)) or b""
    data += connection.send(h11.EndOfMessage()) or b""
    await stream.send_all(data)


async def _refuse(
    connection: h11.Connection, stream: trio.abc.Stream, status: int, why: str
) -> None:
    """Say that what came is no request, if there is still anyone to say it to."""
    if connection.our_state not in (h11.IDLE, h11.SEND_RESPONSE):
        return
    reply = Response(status=status, body=f"{why}\n".encode(), headers={"Connection": "close"})
    await _send(connection, stream, Request(method="GET", target="/", path="/"), reply)

"""The upgrade to a websocket, as the daemon grants or refuses it.

A plain function decides; the handshake itself is left to wsproto. Source: PROTOCOL 6.2, PROBED.
"""

import base64
import binascii
from collections.abc import Collection
from typing import Final

from automate.fake.http import HangUp, Request, Response, SwitchProtocol

__all__ = ["answer_upgrade"]

_UNEXPECTED: Final = "An unexpected error was encountered while processing this request"
_UNKNOWN: Final = "The requested resource does not exist on this instance."


def answer_upgrade(
    request: Request, *, server: str, origins: Collection[str], is_lost: bool, request_id: str
) -> Response | HangUp | SwitchProtocol:
    """Return the daemon's answer: 404, then 400, then 403 in this order, else the websocket.

    A slash too many at the end is answered with the way to where there is none (PROBED 2).
    *origins* are the spellings of the panel's URL. While the node *is_lost*, it only hangs up.
    """
    known = f"/api/servers/{server}/ws"
    if request.path == f"{known}/":
        return Response(status=301, headers={"Location": known})
    if request.path != known:
        return Response(status=404, body={"error": _UNKNOWN}, headers={"X-Request-Id": request_id})
    if is_lost:
        return HangUp()
    head = _websocket_head(request)
    if head is None:
        return _refused(400, "Bad Request", request_id)
    if request.headers.get("origin") not in origins:
        return _refused(403, "Forbidden", request_id)
    return SwitchProtocol(head)


def _refused(status: int, text: str, request_id: str) -> Response:
    body = f'{text}\n{{"error":"{_UNEXPECTED}","request_id":"{request_id}"}}'
    headers = {"X-Request-Id": request_id, "Content-Type": "text/plain; charset=utf-8"}
    return Response(status=status, body=body.encode(), headers=headers)


def _websocket_head(request: Request) -> bytes | None:
    """Return a head that asks for a websocket as *request* does, ``None`` if it does not.

    Extensions and subprotocols are left out: the daemon of most recordings knows neither.
    """
    headers = request.headers
    host, key = headers.get("host", ""), headers.get("sec-websocket-key", "")
    asks = (
        request.method == "GET"
        and request.is_http_1_1
        and "websocket" in _words(headers.get("upgrade", ""))
        and "upgrade" in _words(headers.get("connection", ""))
        and headers.get("sec-websocket-version") == "13"
        and host.isascii()
        and _is_nonce(key)
    )
    if not asks:
        return None
    lines = [
        f"GET {request.path} HTTP/1.1",
        f"Host: {host}",
        "Upgrade: websocket",
        "Connection: Upgrade",
        f"Sec-WebSocket-Key: {key}",
        "Sec-WebSocket-Version: 13",
    ]
    return "\r\n".join([*lines, "", ""]).encode()


def _is_nonce(key: str) -> bool:
    try:
        return len(base64.b64decode(key, validate=True)) == 16
    except (binascii.Error, ValueError):
        return False


def _words(header: str) -> list[str]:
    return [word.strip().lower() for word in header.split(",")]

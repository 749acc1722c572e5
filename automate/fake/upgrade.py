"""The upgrade to a websocket, as the daemon grants or refuses it.

A plain function decides, and says what the answer's head holds. Source: PROTOCOL 6.2, PROBED 2.
"""

import base64
import binascii
import hashlib
from collections.abc import Collection
from typing import Final

from automate.fake.http import HangUp, Request, Response, SwitchProtocol
from automate.fake.manners import Manners

__all__ = ["answer_upgrade"]

_UNEXPECTED: Final = "An unexpected error was encountered while processing this request"
_DEFLATE: Final = "permessage-deflate"
# What every websocket puts behind a client's key before it is hashed (RFC 6455, 1.3).
_SEAL: Final = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_UNKNOWN: Final = "The requested resource does not exist on this instance."


def answer_upgrade(
    request: Request,
    *,
    server: str,
    origins: Collection[str],
    is_lost: bool,
    request_id: str,
    manners: Manners,
) -> Response | HangUp | SwitchProtocol:
    """Return the daemon's answer: 404, then 400, then 403 in this order, else the websocket.

    A slash too many at the end is answered with the way to where there is none (PROBED 2).
    *origins* are the spellings of the panel's URL. While the node *is_lost*, it only hangs up. A
    query, a token in it and subprotocols are passed over, and only refusals have a request's id.
    """
    known = f"/api/servers/{server}/ws"
    if request.path == f"{known}/":
        return Response(status=301, headers={"Location": known})
    if request.path != known:
        return Response(status=404, body={"error": _UNKNOWN}, headers={"X-Request-Id": request_id})
    if is_lost:
        return HangUp()
    if not _asks_for_websocket(request):
        return _refused(400, "Bad Request", request_id)
    if request.headers.get("origin") not in origins:
        return _refused(403, "Forbidden", request_id)
    return _accepted(request, manners)


def _accepted(request: Request, manners: Manners) -> SwitchProtocol:
    is_deflated = manners.offers_deflate and _offers_deflate(request)
    sealed = f"{request.headers['sec-websocket-key']}{_SEAL}".encode()
    headers = {
        "Upgrade": "websocket",
        "Connection": "Upgrade",
        "Sec-WebSocket-Accept": base64.b64encode(hashlib.sha1(sealed).digest()).decode(),
    }
    if is_deflated:
        headers["Sec-WebSocket-Extensions"] = (
            f"{_DEFLATE}; server_no_context_takeover; client_no_context_takeover"
        )
    return SwitchProtocol(
        path=request.path,
        headers=headers,
        is_deflated=is_deflated,
        limit_bytes=manners.limit_bytes,
    )


def _refused(status: int, text: str, request_id: str) -> Response:
    body = f'{text}\n{{"error":"{_UNEXPECTED}","request_id":"{request_id}"}}'
    headers = {"X-Request-Id": request_id, "Content-Type": "text/plain; charset=utf-8"}
    return Response(status=status, body=body.encode(), headers=headers)


def _asks_for_websocket(request: Request) -> bool:
    headers = request.headers
    return (
        request.method == "GET"
        and request.is_http_1_1
        and "websocket" in _words(headers.get("upgrade", ""))
        and "upgrade" in _words(headers.get("connection", ""))
        and headers.get("sec-websocket-version") == "13"
        and _is_nonce(headers.get("sec-websocket-key", ""))
    )


def _offers_deflate(request: Request) -> bool:
    """Whether the client offers compression; the daemon takes it whatever its parameters are."""
    offers = _words(request.headers.get("sec-websocket-extensions", ""))
    return any(offer.partition(";")[0].strip() == _DEFLATE for offer in offers)


def _is_nonce(key: str) -> bool:
    try:
        return len(base64.b64decode(key, validate=True)) == 16
    except (binascii.Error, ValueError):
        return False


def _words(header: str) -> list[str]:
    return [word.strip().lower() for word in header.split(",")]

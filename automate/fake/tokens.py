"""Tokens of the fake panel, made and judged: JSON web tokens as panel and daemon share them.

Signed with HMAC-SHA256 by a secret of this one run (HS256, the only kind that is taken). The
moment is always handed in. Source: PROTOCOL 6.1 and 7.3, PROBED ("auth").
"""

import base64
import hashlib
import hmac
import math
from typing import Any, Final

import msgspec

from automate.fake.ledger import Grant
from automate.wire import messages as m

__all__ = ["Tokens", "lifetime_seconds"]

_GENERIC: Final = "an unexpected error was encountered while handling this request"
_CONNECT: Final = "websocket.connect"
# So long a text is no token of ours; nobody needs to compute its signature.
_LONGEST: Final = 16_384


def lifetime_seconds(recorded_seconds: float, *, speed: float) -> float:
    """Return how long a token lives in a replay at *speed*.

    At an infinite speed it lives as long as recorded: no time at all would let nobody in.
    """
    return recorded_seconds if math.isinf(speed) else recorded_seconds / speed


class Tokens:
    """The tokens for *server*, made by the panel at *panel_url* with *secret*."""

    def __init__(self, secret: bytes, *, server: str, panel_url: str, node_url: str) -> None:
        self._secret = secret
        self._server = server
        self._panel_url = panel_url
        self._node_url = node_url
        self._made = 0
        self._user = "7d9f1c2e-5a40-4b7e-8f63-0c1d2e3f4a5b"

    def make(self, grant: Grant, *, now: float, speed: float = 1.0) -> str:
        """Return a new token at the wall clock's *now* (in unix seconds)."""
        self._made += 1
        made = math.floor(now)
        lives = lifetime_seconds(grant.lifetime_seconds, speed=speed)
        # Claims are whole seconds, and a token is still good in its last one.
        ends = made + (max(1, round(lives)) if lives > 0 else round(lives))
        jti = hashlib.md5(f"{self._user}{self._server}".encode(), usedforsecurity=False).hexdigest()
        claims: dict[str, Any] = {
            "iss": self._panel_url,
            "aud": [self._node_url],
            "jti": jti,
            "iat": made,
            "nbf": made - round(grant.backdated_seconds),
            "exp": ends,
            "server_uuid": self._server,
            "permissions": list(grant.permissions),
            "user_uuid": self._user,
            "user_id": 1,
            "unique_id": self._sign(str(self._made))[:16],
        }
        if grant.scope is not None:
            claims["scope"] = grant.scope
        header = {"typ": "JWT", "alg": "HS256", "jti": jti}
        text = f"{_base64(msgspec.json.encode(header))}.{_base64(msgspec.json.encode(claims))}"
        return f"{text}.{self._sign(text)}"

    def judge(self, token: str, *, now: float) -> m.JwtErrorReported | m.DaemonErrorReported | None:
        """Return what the daemon says against *token*, without its uuid; ``None`` if it is good.

        What is no token, or not signed by us, is a `daemon error`; the rest are `jwt error`.
        """
        claims = self._read(token)
        if claims is None:
            return m.DaemonErrorReported(_GENERIC)
        permissions = claims.get("permissions")
        if math.floor(now) > claims["exp"]:
            return m.JwtErrorReported("jwt: exp claim is invalid")
        scope = claims.get("scope", "websocket")
        if "websocket" not in scope.split() or not {"*", _CONNECT}.intersection(permissions or []):
            return m.JwtErrorReported("jwt: missing connect permission")
        if claims["server_uuid"] != self._server:
            return m.JwtErrorReported("jwt: server uuid mismatch")
        return None

    def ends_at(self, token: str) -> float | None:
        """Return the last second in which *token* is good; ``None`` if it is none of ours."""
        claims = self._read(token)
        return None if claims is None else float(claims["exp"])

    def _read(self, token: str) -> dict[str, Any] | None:
        """Return the claims of a token that we signed."""
        text, _dot, signature = token.rpartition(".")
        if len(token) > _LONGEST or not token.isascii():
            return None
        if not hmac.compare_digest(signature, self._sign(text)):
            return None
        # Only we can have signed it, so that it is one of those that `make` returns.
        claims: dict[str, Any] = msgspec.json.decode(_unbase64(text.partition(".")[2]))
        return claims

    def _sign(self, text: str) -> str:
        return _base64(hmac.digest(self._secret, text.encode(), "sha256"))


def _base64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _unbase64(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))

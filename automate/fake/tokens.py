"""Tokens of the fake panel, made and judged.

They are signed with a secret of this one run. The moment is always handed in. Source: PROTOCOL
6.1 and 7.3, PROBED ("auth").
"""

import hashlib
import math
from typing import Any, Final

from automate.fake.jwt import Signer
from automate.fake.ledger import Grant
from automate.wire import messages as m

__all__ = ["Tokens", "lifetime_seconds"]

_GENERIC: Final = "an unexpected error was encountered while handling this request"
_CONNECT: Final = "websocket.connect"


def lifetime_seconds(recorded_seconds: float, *, speed: float) -> float:
    """Return how long a token lives in a replay at *speed*.

    At an infinite speed it lives as long as recorded: no time at all would let nobody in.
    """
    return recorded_seconds if math.isinf(speed) else recorded_seconds / speed


class Tokens:
    """The tokens for *server*, made by the panel at *panel_url* with *secret*."""

    def __init__(self, secret: bytes, *, server: str, panel_url: str, node_url: str) -> None:
        self._signer = Signer(secret)
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
            "unique_id": self._signer.mark(str(self._made))[:16],
        }
        if grant.scope is not None:
            claims["scope"] = grant.scope
        return self._signer.token(claims)

    def judge(self, token: str, *, now: float) -> m.JwtErrorReported | m.DaemonErrorReported | None:
        """Return what the daemon says against *token*, without its uuid; ``None`` if it is good.

        What is no token, or not signed by us, is a `daemon error`; the rest are `jwt error`.
        """
        claims = self._signer.read(token)
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
        claims = self._signer.read(token)
        return None if claims is None else float(claims["exp"])

"""Tokens of the model: made by its panel, read by its daemon, with one secret between them.

JSON web tokens, signed with HMAC-SHA256 and nothing else. What is held against their claims is
the affair of `claims`.
"""

import base64
import hashlib
import hmac
from collections.abc import Mapping
from typing import Any, Final

import msgspec

from automate.fake.model.claims import Claims

__all__ = ["Mint"]

# Nobody needs to compute the signature of a longer text.
_LONGEST: Final = 65_536


class Mint:
    """The tokens of one node."""

    def __init__(self, secret: bytes) -> None:
        self._secret = secret
        self._made = 0

    def make(self, claims: Claims, *, kind_claims: Mapping[str, Any] | None = None) -> str:
        """Return a new token; *kind_claims* are what the daemon does not look at."""
        self._made += 1
        fields: dict[str, Any] = {
            **(kind_claims or {}),
            "jti": claims.jti,
            "iat": claims.iat,
            "nbf": claims.iat - 300,
            "exp": claims.exp,
            "server_uuid": claims.server,
            "permissions": list(claims.permissions),
            "user_uuid": claims.user,
            "unique_id": hashlib.sha256(str(self._made).encode()).hexdigest()[:16],
        }
        if claims.scope is not None:
            fields["scope"] = claims.scope
        header = {"typ": "JWT", "alg": "HS256", "jti": claims.jti}
        text = f"{_base64(msgspec.json.encode(header))}.{_base64(msgspec.json.encode(fields))}"
        return f"{text}.{self._sign(text)}"

    def read(self, token: str) -> Claims | None:
        """Return the claims of a token that this mint made, ``None`` for any other text."""
        text, _dot, signature = token.rpartition(".")
        if len(token) > _LONGEST or not token.isascii():
            return None
        if not hmac.compare_digest(signature, self._sign(text)):
            return None
        payload = text.partition(".")[2]
        return Claims.of(msgspec.json.decode(base64.urlsafe_b64decode(payload + "==")))

    def _sign(self, text: str) -> str:
        return _base64(hmac.digest(self._secret, text.encode(), "sha256"))


def _base64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()

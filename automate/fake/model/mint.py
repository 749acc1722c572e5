"""Tokens of the model: made by its panel, read by its daemon, with one secret between them.

What is held against their claims is the affair of `claims`.
"""

import hashlib
from collections.abc import Mapping
from typing import Any

from automate.fake.jwt import Signer
from automate.fake.model.claims import Claims

__all__ = ["Mint"]


class Mint:
    """The tokens of one node."""

    def __init__(self, secret: bytes) -> None:
        self._signer = Signer(secret)
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
        return self._signer.token(fields)

    def read(self, token: str) -> Claims | None:
        """Return the claims of a token that this mint made, ``None`` for any other text."""
        fields = self._signer.read(token)
        return None if fields is None else Claims.of(fields)

"""JSON web tokens as panel and daemon share them: signed with HMAC-SHA256 and nothing else.

What is in a token, and what is held against it, is the affair of whoever makes and reads it.
Source: PROTOCOL 6.1.
"""

import base64
import hmac
from collections.abc import Mapping
from typing import Any, Final

import msgspec

__all__ = ["Signer"]

# So long a text is no token of ours; nobody needs to compute its signature.
_LONGEST: Final = 65_536


class Signer:
    """Makes and reads the tokens of one *secret*."""

    def __init__(self, secret: bytes) -> None:
        self._secret = secret

    def token(self, claims: Mapping[str, Any]) -> str:
        """Return *claims* as a token; its id (``jti``) stands in the head as well."""
        header = {"typ": "JWT", "alg": "HS256", "jti": claims["jti"]}
        text = ".".join(_base64(msgspec.json.encode(part)) for part in (header, claims))
        return f"{text}.{self.mark(text)}"

    def read(self, token: str) -> dict[str, Any] | None:
        """Return the claims of a token that was made here, ``None`` for any other text."""
        text, _dot, signature = token.rpartition(".")
        if len(token) > _LONGEST or not token.isascii():
            return None
        if not hmac.compare_digest(signature, self.mark(text)):
            return None
        payload = text.partition(".")[2]
        # Only we can have signed it, so that it is one of those that `token` returns.
        claims: dict[str, Any] = msgspec.json.decode(base64.urlsafe_b64decode(payload + "=="))
        return claims

    def mark(self, text: str) -> str:
        """Return the signature of *text*."""
        return _base64(hmac.digest(self._secret, text.encode(), "sha256"))


def _base64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()

"""A token's claims, and what the daemon holds against them.

Signatures are the business of `tokens`: here a token is read already. The moments are unix
seconds. Source: PROTOCOL 6.1 and 7.3, PROBED 6.1 and 6.5.
"""

import math
from collections.abc import Mapping
from typing import Any, Final, Self

from attrs import frozen

__all__ = ["ANCIENT", "DENIED", "EXPIRED", "NO_CONNECT", "NO_TOKEN", "OTHER_SERVER", "Claims"]

NO_TOKEN: Final = "jwt: no jwt present"
EXPIRED: Final = "jwt: exp claim is invalid"
DENIED: Final = "jwt: created too far in past (denylist)"
NO_CONNECT: Final = "jwt: missing connect permission"
OTHER_SERVER: Final = "jwt: server uuid mismatch"
_CONNECT: Final = "websocket.connect"
# Before any token there is.
ANCIENT: Final = -math.inf


@frozen(kw_only=True)
class Claims:
    """What a token says; *scope* is a list with spaces between, ``None`` where there is none."""

    server: str
    iat: int
    exp: int
    permissions: tuple[str, ...] = ("*",)
    scope: str | None = "websocket"
    jti: str = ""
    user: str = ""

    @classmethod
    def of(cls, fields: Mapping[str, Any], *, server: str = "") -> Self:
        """Return the claims in a token's decoded *fields*; *server* is for those without one."""
        return cls(
            server=fields.get("server_uuid", server),
            iat=int(fields["iat"]),
            exp=int(fields["exp"]),
            permissions=tuple(fields.get("permissions") or ()),
            scope=fields.get("scope"),
            jti=fields.get("jti", ""),
            user=fields.get("user_uuid", ""),
        )

    def may(self, permission: str) -> bool:
        """Whether the token grants *permission*; ``*`` covers all but those of ``admin``."""
        if permission in self.permissions:
            return True
        return "*" in self.permissions and not permission.startswith("admin")

    def is_expired(self, now: float) -> bool:
        """Whether it is over: it is still good in its last second (PROBED 6.5)."""
        return math.floor(now) > self.exp

    def objection(self, now: float, *, denied_until: float, wants_scope: bool) -> str | None:
        """Return what speaks against the token, ``None`` if nothing.

        Tokens made in the second of *denied_until* or earlier are refused. That it is of
        another server is not looked at when it is brought, only with each event after.
        """
        if self.is_expired(now):
            return EXPIRED
        if self.iat <= denied_until:
            return DENIED
        if not self.may(_CONNECT):
            return NO_CONNECT
        if wants_scope and "websocket" not in (self.scope or "").split():
            return NO_CONNECT
        return None

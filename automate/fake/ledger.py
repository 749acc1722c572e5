"""The ledger of recorded panel calls: which of their answers have not been given yet.

A live call gets the next unused answer with its method and path. Tokens are made anew, so only
what a recorded token allowed, and for how long, is told here.
"""

from collections.abc import Iterable
from typing import Any, Final

from attrs import frozen

from automate.fake.script import same_path
from automate.fake.stall import Unasked
from automate.recording.format import PanelCall

__all__ = ["Grant", "Ledger"]

# What the panel grants a server's owner (PROTOCOL 6.1), for recordings that do not say.
_LIFETIME_SECONDS: Final = 600
_BACKDATED_SECONDS: Final = 300


@frozen(kw_only=True)
class Grant:
    """What a token allows; *lifetime_seconds* are the recording's, before any speed."""

    lifetime_seconds: float = _LIFETIME_SECONDS
    backdated_seconds: float = _BACKDATED_SECONDS
    permissions: tuple[str, ...] = ("*",)
    scope: str | None = "websocket"


class Ledger:
    """The recorded *calls* to the panel about the server with this uuid."""

    def __init__(self, calls: Iterable[PanelCall], *, server: str) -> None:
        self._server = server
        self._token_path = f"/api/client/servers/{server}/websocket"
        # A call that failed on the way has no answer that could be given.
        self._answered = answered = [call for call in calls if call.status is not None]
        self._tokens = [call for call in answered if self.is_for_token(call.method, call.path)]
        self._rest = [call for call in answered if not self.is_for_token(call.method, call.path)]
        self._grant = next(map(_grant, filter(_is_success, self._tokens)), Grant())

    @property
    def grant(self) -> Grant:
        """What the latest token allows; before there is one, the first."""
        return self._grant

    def is_for_token(self, method: str, path: str) -> bool:
        """Whether this call asks for a token."""
        return method == "GET" and same_path(path, server=self._server) == self._token_path

    def next_token(self) -> Grant | PanelCall:
        """Return what the next live token allows, or the recorded refusal that comes instead.

        When the recorded answers are used up, the last grant holds for all others.
        """
        if self._tokens:
            call = self._tokens.pop(0)
            if not _is_success(call):
                return call
            self._grant = _grant(call)
        return self._grant

    def take(self, method: str, path: str) -> PanelCall | None:
        """Return the next unused answer to this method and path, ``None`` if there is none."""
        path = same_path(path, server=self._server)
        for call in self._rest:
            if call.method == method and same_path(call.path, server=self._server) == path:
                return self.take_this(call)
        return None

    def unused(self) -> list[PanelCall]:
        """Return the calls whose answers have not been given, in the recorded order."""
        return sorted([*self._tokens, *self._rest], key=lambda call: call.t)

    def unasked(self, call: PanelCall) -> Unasked:
        """Return *call* as an answer that nobody asked for, numbered among those like it."""
        question = self._question(call)
        alike = [one for one in self._answered if self._question(one) == question]
        number = next(number for number, one in enumerate(alike, 1) if one is call)
        return Unasked(what=question, number=number, tape_seconds=call.t)

    def _question(self, call: PanelCall) -> str:
        return f"{call.method} {same_path(call.path, server=self._server)}"

    def take_this(self, call: PanelCall) -> PanelCall | None:
        """Return *call* if it has an unused answer, which is used then."""
        for index, unused in enumerate(self._rest):
            if unused is call:
                return self._rest.pop(index)
        return None


def _is_success(call: PanelCall) -> bool:
    return call.status == 200


def _grant(call: PanelCall) -> Grant:
    claims = call.claims
    if claims is None:
        return Grant()
    made = _number(claims.get("iat"))
    ends, begins = _number(claims.get("exp")), _number(claims.get("nbf"))
    permissions = claims.get("permissions")
    # A token of an older panel has no scope, and its daemon asks for none.
    scope = claims.get("scope")
    return Grant(
        lifetime_seconds=_LIFETIME_SECONDS if made is None or ends is None else ends - made,
        backdated_seconds=_BACKDATED_SECONDS if made is None or begins is None else made - begins,
        permissions=tuple(permissions) if isinstance(permissions, list) else ("*",),
        scope=scope if isinstance(scope, str) else None,
    )


def _number(value: Any) -> float | None:
    return value if isinstance(value, int | float) else None

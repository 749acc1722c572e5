"""Faults of tokens: they end too early, are refused although good, or the clocks differ."""

from enum import StrEnum
from typing import Final

from attrs import field, frozen

from automate.wire import messages as m
from automate.wire.codec import encode_server
from automate.wire.frame import unpack

__all__ = ["EXPIRED", "ClockSkew", "ExpireEarly", "Refusal", "RefuseToken", "is_answer_to_auth"]

EXPIRED: Final = encode_server(m.JwtErrorReported("jwt: exp claim is invalid"))
"""What stands in place of every frame while a socket's token is over (PROTOCOL 7.3)."""


class Refusal(StrEnum):
    """How the daemon refuses a token (PROTOCOL 6.1 and 7.3)."""

    DENYLIST = "denylist"
    """It was made before the daemon was started, or its user was revoked."""
    NO_CONNECT = "missing permission"
    """It does not allow to connect."""
    GARBLED = "garbled"
    """It can't be read, or another node's secret signed it."""

    @property
    def message(self) -> m.JwtErrorReported | m.DaemonErrorReported:
        """What the daemon says, without the uuid that it puts before it."""
        match self:
            case Refusal.DENYLIST:
                return m.JwtErrorReported("jwt: created too far in past (denylist)")
            case Refusal.NO_CONNECT:
                return m.JwtErrorReported("jwt: missing connect permission")
            case Refusal.GARBLED:
                return m.DaemonErrorReported(
                    "an unexpected error was encountered while handling this request"
                )


@frozen
class ExpireEarly:
    """Tokens end *seconds* (of the recording) before they did; their claims say so.

    The panel's are good for ten minutes.
    """

    seconds: float


@frozen
class RefuseToken:
    """The node refuses good tokens, *times* in a row (``None``: always), in the way *how*.

    The first *skip* are let in.
    """

    times: int | None = 1
    how: Refusal = field(default=Refusal.DENYLIST, converter=Refusal)
    skip: int = field(default=0, kw_only=True)

    def befalls(self, number: int) -> bool:
        """Whether it befalls good token *number* of those brought, counted from 1."""
        return number > self.skip and (self.times is None or number <= self.skip + self.times)


@frozen
class ClockSkew:
    """The node's clock is *seconds* ahead of the panel's (negative: behind).

    Ahead, tokens are over before their claims say; the daemon looks at no other claim's moment.
    """

    seconds: float


def is_answer_to_auth(text: str) -> bool:
    """Whether the frame *text* answers an `auth`: those come whatever the token is."""
    event, args = unpack(text)
    if event in (m.JwtErrorReported.event, m.DaemonErrorReported.event):
        return isinstance(args, list) and str(args[0]).startswith("Error Event")
    return event in (m.AuthSucceeded.event, m.Throttled.event)

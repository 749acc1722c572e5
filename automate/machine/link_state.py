"""Everything the conversation remembers, as plain values.

What it does with them is left to `conversation`.
"""

import math
from zlib import crc32

from attrs import Factory, define

from automate.machine.budget import Budget
from automate.machine.link import TokenFetched
from automate.machine.outbox import Outbox

__all__ = ["LinkState"]

# The panel allows 5 token requests a minute for a server, all its users and browsers together.
# Two at once and then two a minute are never more than 4 in any 60 s.
_TOKENS = Budget(interval_seconds=30.0, burst=2)


@define(kw_only=True)
class LinkState:
    """All that the conversation remembers; the moments are on its caller's clock."""

    link: str = "down"  # "down", "opening", "open", "ended"
    dial_at: float = -math.inf
    opening_at: float = 0.0
    losses: int = 0

    token: TokenFetched | None = None
    refresh_at: float = math.inf
    fetching: bool = False
    fetch_at: float = -math.inf
    wants_another: bool = False
    ever_fetched: bool = False
    failures: int = 0

    # Whether the server has to be looked at before anything else is tried: it may be suspended,
    # restored, moved or gone, which a socket or a refused token do not say.
    must_look: bool = False
    looking: bool = False
    look_at: float = -math.inf
    looks: int = 0

    # Whether the token still has to be shown on this connection, and not before when.
    to_show: bool = False
    show_at: float = -math.inf
    auth_sent_at: float | None = None
    admitted_at: float = -math.inf
    refusals: int = 0
    ready_at: float | None = None
    blind: bool = False

    # Since when nobody listens.
    shut_at: float = -math.inf
    outbox: Outbox = Factory(Outbox)
    tokens: Budget = _TOKENS

    # Chance is a seed and a counter, so that a conversation can be told again.
    seed: str = ""
    draws: int = 0

    def chance(self) -> float:
        """Return the next random number, from 0 up to 1."""
        self.draws += 1
        return crc32(f"{self.seed}/{self.draws}".encode()) / 2**32

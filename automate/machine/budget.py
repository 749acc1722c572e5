"""How often something may be said: allowances that fill up again as time passes.

The moments are the caller's; nothing here looks at a clock.
"""

import math

from attrs import evolve, field, frozen

__all__ = ["Allowance", "Budget"]


@frozen(kw_only=True)
class Budget:
    """*burst* at once, and then one each *interval_seconds*.

    Kept as the moment at which the whole burst will be there again, so that "may I now?" and
    "when may I?" are the same subtraction and can't disagree by a rounding.
    """

    interval_seconds: float
    burst: int
    full_at: float = -math.inf

    @property
    def ready_at(self) -> float:
        """The moment from which the next one is allowed."""
        return self.full_at - (self.burst - 1) * self.interval_seconds

    def spent(self, now: float) -> "Budget":
        """Return what is left after one at *now*."""
        return evolve(self, full_at=max(self.full_at, now) + self.interval_seconds)

    def emptied(self, now: float) -> "Budget":
        """Return what is left if nothing is: the next one is allowed an interval from *now*."""
        return evolve(self, full_at=max(self.full_at, now + self.burst * self.interval_seconds))


# The daemon's limits for one socket (router/websocket/limiter.go since 1.12; older daemons have
# none): for all messages together and for each kind, the last one shared by all other kinds. The
# daemon refills each 0.2, 5 and 1 s; there is a little air here, since a network may bring two
# messages closer together than they were sent.
_ALL = Budget(interval_seconds=0.21, burst=10)
_KINDS = {
    "auth": Budget(interval_seconds=5.2, burst=2),
    "send logs": Budget(interval_seconds=5.2, burst=2),
    "send command": Budget(interval_seconds=1.05, burst=10),
    "": Budget(interval_seconds=1.05, burst=4),
}


@frozen
class Allowance:
    """What one socket may still send, by the name of the event."""

    all: Budget = _ALL
    kinds: dict[str, Budget] = field(factory=lambda: dict(_KINDS))

    def ready_at(self, event: str) -> float:
        """Return the moment from which *event* may be sent."""
        return max(self.all.ready_at, self.kinds[self._kind(event)].ready_at)

    def spent(self, event: str, now: float) -> "Allowance":
        """Return what is left after *event* was sent at *now*."""
        kind = self._kind(event)
        return Allowance(self.all.spent(now), self.kinds | {kind: self.kinds[kind].spent(now)})

    def emptied(self, what: str, now: float) -> "Allowance":
        """Return what is left where the daemon dropped a *what*, or (``global``) anything."""
        if what == "global":
            return Allowance(self.all.emptied(now), self.kinds)
        kind = self._kind(what)
        return Allowance(self.all, self.kinds | {kind: self.kinds[kind].emptied(now)})

    def _kind(self, event: str) -> str:
        return event if event in self.kinds else ""

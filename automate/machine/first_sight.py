"""The first sight of each server: what is due before it waits a little, so as not to act blindly.

Automate that begins knows nothing of a server until its first status, and what its console said
last comes a moment later. A schedule's condition, or what a run of an engine that is no more
does next, would be decided by nothing then.
"""

from typing import Final

__all__ = ["PATIENCE_SECONDS", "FirstSight"]

# Whoever can't be reached for so long is not waited for.
PATIENCE_SECONDS: Final = 30.0
# The log, and with it who is online, is told with the second stats after the first status.
_LOG_SECONDS: Final = 3.0


class FirstSight:
    """Which servers were not seen yet, and until when they are waited for."""

    def __init__(self) -> None:
        self._until: dict[str, float] = {}

    def begin(self, server: str, at: float) -> None:
        """Take in that nothing is known of *server* any more, *at*."""
        self._until[server] = at + PATIENCE_SECONDS

    def see(self, server: str, at: float) -> None:
        """Take in that the status of *server* is known."""
        if server in self._until:
            self._until[server] = min(self._until[server], at + _LOG_SECONDS)

    def end(self, server: str) -> None:
        """Take in that *server* is not waited for any longer."""
        self._until.pop(server, None)

    def until(self, server: str) -> float | None:
        """Return until when *server* is waited for; ``None`` if it is not."""
        return self._until.get(server)

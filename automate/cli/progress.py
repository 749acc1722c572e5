"""How a recording goes, for the person who waits for it."""

import sys
from collections.abc import Sequence

from automate.live.listener import Listener

__all__ = ["Progress"]


class Progress(Listener):
    """Counts the server's frames, and says when the connection comes or goes."""

    def __init__(self, name: str) -> None:
        self._name = name
        self.frames = 0

    def received(self, at: float, texts: Sequence[str]) -> None:
        """Count."""
        self.frames += len(texts)

    def ready(self, at: float) -> None:
        """Say that events come."""
        self._say("connected")

    def down(self, at: float, reason: str) -> None:
        """Say that they don't."""
        self._say(f"connection lost: {reason}")

    def delayed(self, at: float, reason: str, seconds: float) -> None:
        """Say why not yet."""
        self._say(f"can't be reached: {reason}; next try in {seconds:.0f} s")

    def _say(self, words: str) -> None:
        print(f"{self._name}: {words}", file=sys.stderr, flush=True)

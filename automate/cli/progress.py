"""How a recording goes, for the person who waits for it."""

from collections.abc import Sequence

from automate.cli.page import Page
from automate.live.listener import Listener

__all__ = ["Progress"]


class Progress(Listener):
    """Counts the server's frames, and says on *page* when the connection comes or goes.

    *trouble* is why the last try to reach the server failed.
    """

    def __init__(self, page: Page, name: str) -> None:
        self._page = page
        self._name = name
        self.frames = 0
        self.was_ready = False
        self.trouble = "nobody has answered yet"

    def received(self, at: float, texts: Sequence[str]) -> None:
        """Count."""
        self.frames += len(texts)

    def ready(self, at: float) -> None:
        """Say that events come."""
        self.was_ready = True
        self._say("is connected")

    def down(self, at: float, reason: str) -> None:
        """Say that they don't."""
        self._say(f"is not connected: {reason}")

    def blind(self, at: float, reason: str) -> None:
        """Say that they are lost."""
        self._say(f"is not seen for now: {reason}")

    def sighted(self, at: float) -> None:
        """Say that they come again."""
        self._say("is seen again")

    def delayed(self, at: float, reason: str, seconds: float) -> None:
        """Say why not yet."""
        self.trouble = reason
        self._say(f"can't be reached: {reason}; next try in {seconds:.0f} s")

    def _say(self, words: str) -> None:
        self._page.line(self._name, words)

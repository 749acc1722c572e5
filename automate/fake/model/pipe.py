"""The pipe between a game and its daemon: what is printed goes through in order, and then the end.

As a rule nobody notices it. But a client that reads nothing holds up everybody: the daemon waits
for it at each line, and a server that was killed is not offline before its last line has passed.
Source: PROBED 5.
"""

from collections import deque
from collections.abc import Callable
from typing import Final

from automate.fake.model.agenda import Agenda
from automate.fake.model.signals import Exited, Printed

__all__ = ["Pipe"]

# The longest that a killed server stood in `stopping` was 14.2 s, at 10 ms a line.
_LINES: Final = 1420


class Pipe:
    """Calls *pass_on* for each thing; while *is_held_up* says so, only one in so many *seconds*."""

    def __init__(
        self,
        agenda: Agenda,
        *,
        seconds: float,
        pass_on: Callable[[Printed | Exited], None],
        is_held_up: Callable[[], bool],
    ) -> None:
        self._agenda = agenda
        self._seconds = seconds
        self._pass_on = pass_on
        self._is_held_up = is_held_up
        self._content: deque[Printed | Exited] = deque()
        self._is_waiting = False

    def put(self, happened: Printed | Exited) -> None:
        """Take what the process did."""
        if isinstance(happened, Exited):
            # The process stood still while nobody took what it printed; what it had not got rid
            # of is gone with it.
            while len(self._content) > _LINES:
                self._content.pop()
        self._content.append(happened)
        if not self._is_waiting:
            self._flow()

    def break_off(self) -> bool:
        """Forget what is in it, for nobody reads it any more; return whether the end was."""
        is_over = any(isinstance(each, Exited) for each in self._content)
        self._content.clear()
        self._is_waiting = False
        return is_over

    def _flow(self) -> None:
        self._is_waiting = False
        while self._content:
            happened = self._content.popleft()
            self._pass_on(happened)
            if isinstance(happened, Printed) and self._is_held_up():
                self._is_waiting = True
                self._agenda.after(self._seconds, self._flow)
                return

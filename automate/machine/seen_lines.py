"""Console lines, each handed on once, although the daemon repeats them when it is asked for logs.

An answer to ``send logs`` is the end of the container's log: up to 150 lines by default, with
no mark where it begins or ends, looking like live ones (protocol notes, 7.4). So it is held back
until it is whole, and compared with what was seen: what is in it and was not seen was missed. A
line that the game really said twice is there twice and handed on twice.

Nothing here waits: moments are the caller's, and `wake_at` says when to come back.
"""

from collections import deque
from collections.abc import Sequence

from attrs import Factory, define

from automate.wire import messages as m
from automate.wire.codec import decode_server
from automate.wire.console import daemon_line

__all__ = ["SeenLines", "missed"]

_CONSOLE = '{"event":"console output"'
_STARTING = '{"event":"status","args":["starting"]}'
# The answer comes within a millisecond or so (PROBED 5); the rest is for a slow road. A line said
# on the way is told live before the answer and is in it as well, so that all of this time counts.
_ANSWER_SECONDS = 0.9
# An answer is never longer, unless its node was set up so (websocket_log_count).
_ANSWER_LINES = 1000
# As many as an answer may hold, and as many again that it does not reach back to.
_KEPT_LINES = 300


@define
class SeenLines:
    """What was seen of one server's console, and the answer that is being gathered."""

    seen: deque[str] = Factory(lambda: deque(maxlen=_KEPT_LINES))
    # What may belong to the answer so far, in the pieces in which it came; ``None`` while no
    # answer is awaited.
    answer: list[list[str]] | None = None
    wake_at: float | None = None

    def logs_asked(self, now: float) -> list[str]:
        """Expect an answer from *now*; return what was held back of another one."""
        rest = self.stop()
        self.answer = []
        self.wake_at = now + _ANSWER_SECONDS
        return rest

    def take(self, texts: Sequence[str], now: float) -> Sequence[str]:
        """Return those of the frames *texts* to hand on now, in their order."""
        passed = self.tick(now)
        if self.answer is None:
            for text in texts:
                if text.startswith(_CONSOLE):
                    self.seen.append(text)
                elif text.startswith(_STARTING):
                    # A new container's log begins: nothing of the old one comes again.
                    self.seen.clear()
            return [*passed, *texts] if passed else texts
        piece: list[str] = []
        self.answer.append(piece)
        for number, text in enumerate(texts):
            if text.startswith(_STARTING):
                return [*passed, *self.stop(), *self.take(texts[number:], now)]
            if text.startswith(_CONSOLE) and _line(text) is not None:
                piece.append(text)
            else:
                passed.append(text)
        if sum(map(len, self.answer)) >= _ANSWER_LINES:
            passed += self.stop()
        return passed

    def tick(self, now: float) -> list[str]:
        """Return what was missed, once the answer is whole; before that, nothing."""
        return self.stop() if self.wake_at is not None and self.wake_at <= now else []

    def stop(self) -> list[str]:
        """Expect no answer any more; return what was held back and had not been seen."""
        pieces, self.answer, self.wake_at = self.answer or [], None, None
        said = [
            [(text, line) for text in piece if (line := _line(text))] for piece in pieces if piece
        ]
        log = [pair for piece in said[_live_pieces(said) :] for pair in piece]
        known = [line for text in self.seen if (line := _line(text))]
        fresh = missed(known, [line for _, line in log])
        self.seen.extend(text for text, _ in log)
        return [log[index][0] for index in fresh]


def _live_pieces(said: Sequence[Sequence[tuple[str, str]]]) -> int:
    """Return how many pieces at the beginning were live: all of them is in the log that follows."""
    for count in range(len(said) - 1, 0, -1):
        live = [line for piece in said[:count] for _, line in piece]
        log = [line for piece in said[count:] for _, line in piece]
        if _first_in(live, log) == 0:
            return count
    return 0


def _line(text: str) -> str | None:
    """Return the game's line in the frame *text*, empty where it is; ``None`` if it is none.

    Live output never has an empty line and the log does (PROBED 1); a carriage return at the end
    is no difference between the two.
    """
    message = decode_server(text)
    if not isinstance(message, m.ConsoleOutput) or daemon_line(message.line) is not None:
        return None
    return message.line.rstrip("\r")


def missed(seen: Sequence[str], log: Sequence[str]) -> list[int]:
    """Return the places in *log* of the lines that were not *seen*.

    All that was said since the container's start is in its log, so the last lines seen stand in
    it in their order, unless the log begins after them or is another container's.
    """
    begin = place = _first_in(seen, log)
    fresh: list[int] = []
    last = -1
    for index, line in enumerate(log):
        if place < len(seen) and line == seen[place]:
            place += 1
            last = index
        else:
            fresh.append(index)
    # Where the log reaches back behind what was seen, older lines stand before the first one.
    first = next((i for i in range(len(log)) if i not in fresh), 0) if begin == 0 else 0
    holes = sum(first <= index < last for index in fresh)
    if holes > last + 1 - first - holes:
        # More holes than lines between the first and the last one: chance, not the same log.
        return list(range(len(log)))
    return fresh


def _first_in(seen: Sequence[str], log: Sequence[str]) -> int:
    """Return from where on *seen* stands in *log*, in order; its length if not even the last."""
    place = len(log)
    for index in range(len(seen) - 1, -1, -1):
        try:
            place = _last_before(log, seen[index], place)
        except ValueError:
            return index + 1
    return 0


def _last_before(log: Sequence[str], line: str, end: int) -> int:
    for place in range(end - 1, -1, -1):
        if log[place] == line:
            return place
    raise ValueError(line)

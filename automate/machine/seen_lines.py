"""Console lines, each handed on once, although the daemon repeats them when it is asked for logs.

An answer to ``send logs`` is the end of the container's log: up to 150 lines by default, with
no mark where it begins or ends, looking like live ones (protocol notes, 7.4). So it is held back
until it is whole, and compared with what was seen: what is in it and was not seen was missed. A
line that the game really said twice is there twice and handed on twice. What was said while
nobody listened is marked as `Heard.missed`: it is not news.

Nothing here waits: moments are the caller's, and `wake_at` says when to come back.
"""

from collections import deque
from collections.abc import Sequence

from attrs import Factory, define

from automate.wire import messages as m
from automate.wire.codec import decode_server
from automate.wire.console import daemon_line

__all__ = ["Heard", "SeenLines", "missed"]

_CONSOLE = '{"event":"console output"'
_STARTING = '{"event":"status","args":["starting"]}'
# The answer comes within a millisecond or so (PROBED 5); the rest is for a slow road. A line said
# on the way is told live before the answer and is in it as well, so that all of this time counts.
_ANSWER_SECONDS = 0.9
# But a daemon may be held up for seconds, by another client that does not read: if nothing has
# come by then, the first lines that do are taken for the answer, and what comes with them.
_LATEST_SECONDS = 30.0
_TOGETHER_SECONDS = 0.3
# Its lines come together; what comes so much later is not of the same answer.
_APART_SECONDS = 0.05
# An answer is never longer, unless its node was set up so (websocket_log_count).
_ANSWER_LINES = 1000
# As many as an answer may hold, and as many again that it does not reach back to.
_KEPT_LINES = 300

# What came at one moment: the frames of it that may belong to an answer, and their lines.
_Piece = tuple[float, list[tuple[str, str]]]


class Heard(list[str]):
    """Frames to hand on, some of them console lines that were said before, unseen.

    *missed* has the places of those. Each was said after a moment of the caller's clock, when the
    line before it was seen; ``None``: nothing before it was seen, it may be as old as the
    container.
    """

    def __init__(self) -> None:
        super().__init__()
        self.missed: dict[int, float | None] = {}

    def miss(self, text: str, since: float | None) -> None:
        """Append *text*, which was missed and was said after *since*."""
        self.missed[len(self)] = since
        self.append(text)

    def join(self, texts: Sequence[str]) -> None:
        """Append *texts* with what is known of them."""
        if isinstance(texts, Heard):
            self.missed |= {len(self) + place: since for place, since in texts.missed.items()}
        self.extend(texts)


@define
class SeenLines:
    """What was seen of one server's console, and the answer that is being gathered."""

    # With the moment since when each can have been said, if that is known.
    seen: deque[tuple[float | None, str]] = Factory(lambda: deque(maxlen=_KEPT_LINES))
    # What may belong to the answer so far; ``None`` while no answer is awaited.
    answer: list[_Piece] | None = None
    # Not before this moment it is whole.
    whole_at: float = 0.0
    wake_at: float | None = None

    def logs_asked(self, now: float, *, round_trip_seconds: float = 0.0) -> Heard:
        """Expect an answer from *now*; return what was held back of another one."""
        rest = self.stop()
        self.answer = []
        self.whole_at = now + _ANSWER_SECONDS + 2 * round_trip_seconds
        self.wake_at = now + _LATEST_SECONDS
        return rest

    def take(self, texts: Sequence[str], now: float) -> Sequence[str]:
        """Return those of the frames *texts* to hand on now, in their order."""
        passed = self.tick(now)
        if self.answer is None:
            for text in texts:
                if text.startswith(_CONSOLE):
                    self.seen.append((now, text))
                elif text.startswith(_STARTING):
                    # A new container's log begins: nothing of the old one comes again.
                    self.seen.clear()
            if not passed:
                return texts
            passed.join(texts)
            return passed
        piece: list[tuple[str, str]] = []
        is_first = not any(piece for _, piece in self.answer)
        self.answer.append((now, piece))
        for number, text in enumerate(texts):
            if text.startswith(_STARTING):
                passed.join(self.stop())
                passed.join(self.take(texts[number:], now))
                return passed
            if text.startswith(_CONSOLE) and (line := _line(text)) is not None:
                if line:
                    piece.append((text, line))
            else:
                passed.append(text)
        if piece and is_first:
            self.wake_at = max(self.whole_at, now + _TOGETHER_SECONDS)
        if sum(len(piece) for _, piece in self.answer) >= _ANSWER_LINES:
            passed.join(self.stop())
        return passed

    def tick(self, now: float) -> Heard:
        """Return what was held back, once the answer is whole; before that, nothing."""
        return self.stop() if self.wake_at is not None and self.wake_at <= now else Heard()

    def stop(self) -> Heard:
        """Expect no answer any more; return what was held back and had not been seen.

        What is not certain to be live was missed.
        """
        pieces = [piece for piece in self.answer or [] if piece[1]]
        self.answer = self.wake_at = None
        known = [(since, line) for since, text in self.seen if (line := _line(text))]
        begin = _live_pieces(pieces, [line for _, line in known])
        log = [pair for _, piece in pieces[begin:] for pair in piece]
        places = _places([line for _, line in known], [line for _, line in log])
        live = _live_lines(pieces, begin)
        told = Heard()
        since: float | None = None
        for index, ((text, _), place) in enumerate(zip(log, places, strict=True)):
            if place is not None:
                since = known[place][0]
            elif index in live:
                since = live[index]
                told.append(text)
            else:
                told.miss(text, since)
            self.seen.append((since, text))
        return told


def _live_pieces(pieces: Sequence[_Piece], known: Sequence[str]) -> int:
    """Return how many of *pieces* came live before the answer: all of them is in it.

    That alone can be chance where a game repeats itself, so that number counts with which the
    answer has the most of what it must have.
    """
    best, most = 0, -1
    for count in range(len(pieces)):
        live, log = _lines(pieces[:count]), _lines(pieces[count:])
        first = _first_in([*known, *live], log)
        found = len(known) + len(live) - first
        if first <= len(known) and found > most:
            best, most = count, found
    return best


def _live_lines(pieces: Sequence[_Piece], begin: int) -> dict[int, float]:
    """Return the lines from the piece *begin* on that are certainly live, by place: when they came.

    An answer comes at once, and if not, the most of it. What follows it at a distance is live,
    and so is what came at a distance before it and is in it.
    """
    longest = together = count = end = 0
    before: float | None = None
    for at, piece in pieces[begin:]:
        if before is not None and at - before > _APART_SECONDS:
            together = 0
        before = at
        together += len(piece)
        count += len(piece)
        if together > longest:
            longest, end = together, count
    moments = [at for at, piece in pieces for _ in piece]
    before_answer = len(moments) - count
    live = {place: moments[before_answer + place] for place in range(end, count)}
    if begin and pieces[begin][0] - pieces[begin - 1][0] > _APART_SECONDS:
        place, log = end, _lines(pieces[begin:])
        came = zip(moments, _lines(pieces[:begin]), strict=False)
        for at, line in reversed([*came]):
            place = _last_before(log, line, place)
            if place < 0:
                break
            live[place] = at
    return live


def _lines(pieces: Sequence[_Piece]) -> list[str]:
    return [line for _, piece in pieces for _, line in piece]


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
    return [index for index, place in enumerate(_places(seen, log)) if place is None]


def _places(seen: Sequence[str], log: Sequence[str]) -> list[int | None]:
    """Return for each line of *log* its place in *seen*, or ``None``; see `missed`."""
    begin = place = _first_in(seen, log)
    places: list[int | None] = []
    for line in log:
        if place < len(seen) and line == seen[place]:
            places.append(place)
            place += 1
        else:
            places.append(None)
    found = [index for index, one in enumerate(places) if one is not None]
    if not found:
        return places
    # Where the log reaches back behind what was seen, older lines stand before the first one.
    first = found[0] if begin == 0 else 0
    holes = found[-1] + 1 - first - len(found)
    # More holes than lines between the first and the last one: chance, not the same log.
    return [None] * len(log) if holes > len(found) else places


def _first_in(seen: Sequence[str], log: Sequence[str]) -> int:
    """Return from where on *seen* stands in *log*, in order; its length if not even the last."""
    place = len(log)
    for index in range(len(seen) - 1, -1, -1):
        place = _last_before(log, seen[index], place)
        if place < 0:
            return index + 1
    return 0


def _last_before(log: Sequence[str], line: str, end: int) -> int:
    """Return the last place of *line* in *log* before *end*, or -1."""
    for place in range(end - 1, -1, -1):
        if log[place] == line:
            return place
    return -1

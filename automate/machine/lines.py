"""Which of many patterns may be found in a line, without trying each.

Most lines of a console interest nobody. Each pattern needs some piece of text (`literals`); the
index knows four bytes of each piece and looks whether the line has any of them. Measured
(Python 3.11, 1,000 pieces, lines of 90 characters with none of them): 0.6 µs a line, beside 46
µs for 1,000 times ``in``, 76 µs for one alternation, 4.7 µs for a set of all pieces of four
characters, and 0.5 µs for pyahocorasick or 0.6 µs for google-re2: not worth a dependency.

What makes it fast is that only each fourth place of a line is looked at. A piece of at least
seven bytes has, wherever it stands, four bytes that begin at such a place: so the four that
begin at its first, second, third or fourth byte are all known to the index. For shorter ones all
places are looked at, and those of less than four bytes are looked for one by one.
"""

import sys
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from automate.machine.literals import fold, needs

__all__ = ["LineIndex"]

_GRAM: Final = 4
_LONG: Final = 2 * _GRAM - 1
# What stands in many lines anyway: a piece is rather known by something else. Only speed
# depends on it.
_USUAL: Final = (
    b"[00:00:00] [server thread/info]: [server thread/warn]: info]: [chat] issued server command: "
    b"player joined the game left the game error failed warning"
)
_USUAL_WEIGHT: Final = 20

# What is known by four bytes: pieces, and the places of the patterns that need them.
_Entries = Mapping[int, Mapping[str, Sequence[int]]]


class LineIndex:
    """Which of *patterns* (regular expressions) may be found in a line."""

    def __init__(self, patterns: Sequence[str]) -> None:
        choices = [
            [[_Piece(text) for text in sorted(one)] for one in needs(text)] for text in patterns
        ]
        usual = _usual(choices)
        pieces: dict[str, _Piece] = {}
        places: dict[str, list[int]] = defaultdict(list)
        always = []
        for place, choice in enumerate(choices):
            if not choice:
                always.append(place)
                continue
            for piece in min(choice, key=lambda several: _cost(several, usual)):
                pieces[piece.text] = piece
                places[piece.text].append(place)
        self.always: tuple[int, ...] = tuple(always)
        """The places of the patterns that are tried on each line: nothing is known of them."""
        self._long = _entries((one for one in pieces.values() if one.is_long), places, usual)
        self._middle = _entries((one for one in pieces.values() if one.is_middle), places, usual)
        self._short = [(one.text, places[one.text]) for one in pieces.values() if one.is_short]
        self._long_keys = frozenset(self._long)
        self._middle_keys = frozenset(self._middle)

    def candidates(self, line: str) -> Sequence[int]:
        """Return the places, ascending, of the patterns that may be found in *line*.

        None is missing that `re.search` finds; some are there that it does not.
        """
        folded = fold(line)
        data = folded.encode("utf-8", "surrogatepass")
        view = memoryview(data)
        found: set[int] = set()
        if hits := self._long_keys.intersection(view[: len(data) & -_GRAM].cast("I")):
            _collect(hits, self._long, folded, found)
        if self._middle_keys:
            for begin in range(min(_GRAM, len(data))):
                end = begin + ((len(data) - begin) & -_GRAM)
                if hits := self._middle_keys.intersection(view[begin:end].cast("I")):
                    _collect(hits, self._middle, folded, found)
        for text, places in self._short:
            if text in folded:
                found.update(places)
        return sorted(found.union(self.always)) if found else self.always


def _collect(hits: Iterable[int], entries: _Entries, folded: str, found: set[int]) -> None:
    for hit in hits:
        for text, places in entries[hit].items():
            if text in folded:
                found.update(places)


# ---------------------------------------------------------------- how pieces are known


class _Piece:
    """A text that is needed, folded, and the numbers of four bytes that are in it, in order."""

    __slots__ = ("grams", "text")

    def __init__(self, text: str) -> None:
        self.text = text
        self.grams = _grams(text.encode("utf-8", "surrogatepass"))

    @property
    def is_long(self) -> bool:
        return len(self.grams) > _LONG - _GRAM

    @property
    def is_middle(self) -> bool:
        return 0 < len(self.grams) <= _LONG - _GRAM

    @property
    def is_short(self) -> bool:
        return not self.grams

    def known_by(self, usual: Mapping[int, int]) -> Sequence[int]:
        """Return the numbers the index looks for: the least usual ones, where there is a choice."""
        width = _GRAM if self.is_long else 1
        windows = [self.grams[i : i + width] for i in range(len(self.grams) - width + 1)]
        return min(windows, key=lambda window: max(usual[gram] for gram in window), default=())


def _grams(data: bytes) -> tuple[int, ...]:
    order = sys.byteorder
    return tuple(int.from_bytes(data[i : i + _GRAM], order) for i in range(len(data) - _GRAM + 1))


def _usual(choices: Iterable[Iterable[Iterable[_Piece]]]) -> Counter[int]:
    """Return how often each four bytes occur: in how many patterns, and in lines anyway."""
    usual = Counter(dict.fromkeys(_grams(_USUAL), _USUAL_WEIGHT))
    for choice in choices:
        usual.update({gram for several in choice for piece in several for gram in piece.grams})
    return usual


def _cost(several: Sequence[_Piece], usual: Mapping[int, int]) -> tuple[int, int, int]:
    """Return how much it takes to look for *several* pieces, to be compared."""
    kind = max(0 if piece.is_long else 1 if piece.is_middle else 2 for piece in several)
    grams = [max((usual[gram] for gram in piece.known_by(usual)), default=0) for piece in several]
    return kind, sum(grams), -min(len(piece.text) for piece in several)


def _entries(
    pieces: Iterable[_Piece], places: Mapping[str, Sequence[int]], usual: Mapping[int, int]
) -> _Entries:
    entries: dict[int, dict[str, Sequence[int]]] = defaultdict(dict)
    for piece in pieces:
        for gram in piece.known_by(usual):
            entries[gram][piece.text] = places[piece.text]
    return dict(entries)

"""What may differ between two daemons that behave alike, and what may not.

Two lists of frames go in, the recording's and the model's; what is equal, explained or different
comes out. docs/model.md ("Freedoms") says the same in prose.
"""

from collections.abc import Sequence
from difflib import SequenceMatcher
from enum import StrEnum
from typing import Final, Self

from attrs import define, field, frozen

from automate.fake.model.evidence import Evidence
from automate.recording.format import Transport
from automate.recording.reader import Recording
from automate.wire import messages as m
from automate.wire.codec import decode_server
from automate.wire.console import daemon_line

__all__ = ["Alignment", "Difference", "Freedom", "Judge", "Spoken"]

_REORDER_SECONDS: Final = 0.05
_PARTING_SECONDS: Final = 0.005
_FLOOD_SECONDS: Final = 0.2


class Freedom(StrEnum):
    """Why a difference is none: what the daemon itself leaves open (docs/model.md)."""

    ORDER = "order"
    """Its own lines, the game's, status and statistics each go their own way."""
    PARTING = "in flight when the client left"
    FLOOD = "lines dropped in a flood"
    LOST = "single lines lost"


@frozen
class Spoken:
    """A frame of one connection, or the connection's end, with its ids taken out."""

    at: float = field(eq=False)
    connection: int
    text: str


@frozen
class Difference:
    """A frame that only one side has: the recording, or else the model."""

    spoken: Spoken
    is_recorded: bool

    def __str__(self) -> str:
        who = "only recorded" if self.is_recorded else "only the model"
        return f"{self.spoken.at:9.4f} {who}: {self.spoken.text.strip()[:160]}"


@frozen
class Alignment:
    """What both sides said, and the *pairs* of frames (by index) that are equal and in order."""

    real: Sequence[Spoken]
    modelled: Sequence[Spoken]
    pairs: Sequence[tuple[int, int]]

    @classmethod
    def of(cls, real: Sequence[Spoken], modelled: Sequence[Spoken]) -> Self:
        """Return the longest alignment that difflib finds."""
        blocks = SequenceMatcher(None, real, modelled, autojunk=False).get_matching_blocks()
        pairs = [(block.a + i, block.b + i) for block in blocks for i in range(block.size)]
        return cls(real, modelled, pairs)

    def left_over(self) -> tuple[list[int], list[int]]:
        """Return what only one side has: the recording, the model."""
        ours, theirs = {i for i, _j in self.pairs}, {j for _i, j in self.pairs}
        return (
            [i for i in range(len(self.real)) if i not in ours],
            [j for j in range(len(self.modelled)) if j not in theirs],
        )

    def between(self, i: int, j: int) -> list[Spoken]:
        """Return the frames that stand between the recording's *i* and the model's *j*."""
        before = sum(ours < i for ours, _theirs in self.pairs)
        after = sum(theirs < j for _ours, theirs in self.pairs)
        first, last = sorted((before, after))
        return [self.real[ours] for ours, _theirs in self.pairs[first:last]]


@define
class Judge:
    """Tells freedoms from differences."""

    recording: Recording
    evidence: Evidence
    alignment: Alignment

    def explain(self) -> tuple[dict[Freedom, int], list[Difference]]:
        """Return what is explained, and what is not."""
        explained: dict[Freedom, int] = {}
        different: list[Difference] = []
        only_real, rest = self.alignment.left_over()
        for i in only_real:
            twin = next((j for j in rest if self.is_reordered(i, j)), None)
            if twin is None:
                different.append(Difference(self.alignment.real[i], is_recorded=True))
                continue
            rest.remove(twin)
            explained[Freedom.ORDER] = explained.get(Freedom.ORDER, 0) + 1
        for j in rest:
            spoken = self.alignment.modelled[j]
            freedom = self.freedom(spoken)
            if freedom is None:
                different.append(Difference(spoken, is_recorded=False))
            else:
                explained[freedom] = explained.get(freedom, 0) + 1
        return explained, sorted(different, key=lambda each: each.spoken.at)

    def is_reordered(self, i: int, j: int) -> bool:
        """Whether the two are one frame that may well have come in another place."""
        real, other = self.alignment.real[i], self.alignment.modelled[j]
        if real != other or abs(real.at - other.at) > _REORDER_SECONDS:
            return False
        moved = _channel(real)
        return all(
            _is_unordered(moved, _channel(crossed)) for crossed in self.alignment.between(i, j)
        )

    def freedom(self, spoken: Spoken) -> Freedom | None:
        """Return why only the model says this."""
        for entry in self.recording.entries:
            if isinstance(entry, Transport) and entry.what == "closed" and entry.by == "client":
                passed = entry.t - spoken.at
                if 0 <= passed < _PARTING_SECONDS:
                    return Freedom.PARTING
        message = decode_server(spoken.text)
        if not isinstance(message, m.ConsoleOutput):
            return None
        for other in self.alignment.real:
            near = abs(other.at - spoken.at) < _FLOOD_SECONDS
            if near and "outputting console data too quickly" in other.text:
                return Freedom.FLOOD
        return Freedom.LOST if message.line in self.evidence.lost else None


def _channel(spoken: Spoken) -> str:
    """Return by which way the daemon sends a frame: those do not wait for each other."""
    match decode_server(spoken.text):
        case m.ConsoleOutput(line=line):
            own = daemon_line(line)
            if own is None:
                return "game"
            return "image" if "Docker container image" in own else "own"
        case m.StatusChanged():
            return "status"
        case m.StatsReported():
            return "stats"
        case _:
            return "answers"


# The two image lines among themselves; else only what goes by different ways (PROBED 4.3, 8.2,
# 8.3). Answers keep their order, and so does each way in itself; the daemon's own lines are one
# way, and the last statistics follow `offline`.
_WAYS: Final = {"game", "own", "image", "status", "stats"}
_ORDERED: Final = ({"own", "image"}, {"status", "stats"})


def _is_unordered(one: str, other: str) -> bool:
    """Whether the daemon leaves open which of two frames on these channels comes first."""
    if one == other:
        return one == "image"
    pair = {one, other}
    return pair <= _WAYS and pair not in _ORDERED

"""A playback: a recording, and how it is played.

Several can be played by one node, one a server; here they are given ids by which they are told
apart.
"""

from collections.abc import Callable, Collection, Iterable, Sequence
from typing import Any, Final, Literal, overload
from uuid import NAMESPACE_URL, uuid5

import msgspec
from attrs import evolve, field, frozen

from automate.errors import UsageError
from automate.fake.faults.seeded import NO_FAULTS, Faults
from automate.fake.film import Film, Recorded
from automate.recording.format import Entry, PanelCall

__all__ = ["Playback", "Stand", "told_apart"]

# By so many letters of its id a panel's pages name a server.
_SHORT: Final = 8


@frozen
class Playback:
    """A *recording*, and the manner of playing it, which is that of a `Tape`."""

    recording: Recorded
    speed: float = field(default=1.0, kw_only=True)
    leave: Collection[int] | Literal["all"] = field(default=(), kw_only=True)
    strict: bool = field(default=False, kw_only=True)
    lenient: bool = field(default=False, kw_only=True)

    @property
    def server(self) -> str:
        """The uuid of the server."""
        return self.recording.header.server


@frozen(kw_only=True)
class Stand:
    """Where a fake node and its panel stand, by which clock, and what befalls them.

    *wall_clock* tells the time in unix seconds, for the tokens; *port* 0 is a free one. *key* is
    what clients must show the panel; a new one is made if there is none.
    """

    wall_clock: Callable[[], float]
    host: str = "127.0.0.1"
    port: int = 0
    key: str | None = None
    faults: Faults = NO_FAULTS


def told_apart(playbacks: Iterable[Playback]) -> list[Playback]:
    """Return *playbacks* whose servers a panel can tell apart: by the beginning of their ids.

    The first keeps its own; whichever comes later and begins alike is given another, always the
    same one.

    Raises:
        UsageError: there is none.
    """
    apart: list[Playback] = []
    taken: set[str] = set()
    for number, playback in enumerate(playbacks, 1):
        if playback.server[:_SHORT] in taken:
            other = str(uuid5(NAMESPACE_URL, f"{playback.server}/{number}"))
            playback = evolve(playback, recording=_as(playback.recording, server=other))
        taken.add(playback.server[:_SHORT])
        apart.append(playback)
    if not apart:
        raise UsageError("a node needs a recording to play; give it one")
    return apart


def _as(recording: Recorded, *, server: str) -> Film:
    """Return *recording* as one of another server."""
    header = recording.header
    entries = _Renamed(recording.entries, was=header.server, now=server)
    header = msgspec.structs.replace(header, server=server)
    return Film(path=recording.path, header=header, entries=entries, warnings=[])


class _Renamed(Sequence[Entry]):
    """The *entries* of a server that *was* called otherwise: only the panel speaks of that."""

    def __init__(self, entries: Sequence[Entry], *, was: str, now: str) -> None:
        self._entries = entries
        self._was = was
        self._now = now

    def __len__(self) -> int:
        return len(self._entries)

    @overload
    def __getitem__(self, index: int) -> Entry: ...
    @overload
    def __getitem__(self, index: slice) -> list[Entry]: ...
    def __getitem__(self, index: int | slice) -> Entry | list[Entry]:
        """Return one entry, or several."""
        if isinstance(index, slice):
            return [self._renamed(entry) for entry in self._entries[index]]
        return self._renamed(self._entries[index])

    def _renamed(self, entry: Entry) -> Entry:
        if not isinstance(entry, PanelCall):
            return entry
        return msgspec.structs.replace(
            entry,
            path=entry.path.replace(self._was, self._now),
            request=self._in(entry.request),
            response=self._in(entry.response),
        )

    def _in(self, value: Any) -> Any:
        """Return a JSON *value* in which the server has its other name, the short one too."""
        match value:
            case str() if value == self._was[:_SHORT]:
                return self._now[:_SHORT]
            case str():
                return value.replace(self._was, self._now)
            case list():
                return [self._in(each) for each in value]
            case dict():
                return {name: self._in(each) for name, each in value.items()}
            case _:
                return value

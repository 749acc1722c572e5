"""A recording laid out for examination: what was said in each frame, by its index.

Source of what is the daemon's and what the game's: `automate.wire.console`.
"""

from collections.abc import Iterable, Sequence

from attrs import define, field

from automate.fake.film import Recorded
from automate.fake.model.signals import Usage
from automate.recording.format import Entry, ServerFrame
from automate.wire import messages as m
from automate.wire.console import daemon_line
from automate.wire.messages import PowerState

__all__ = ["Transcript"]


@define
class Transcript:
    """The entries of *recording*, and the messages in those of the server."""

    recording: Recorded
    entries: Sequence[Entry] = field(init=False)
    said: dict[int, m.ServerMessage] = field(factory=dict)

    def __attrs_post_init__(self) -> None:
        self.entries = self.recording.entries
        for index, entry in enumerate(self.entries):
            if isinstance(entry, ServerFrame):
                self.said[index] = entry.message

    def own(self, index: int) -> str | None:
        """Return what the daemon itself says on the console in this frame."""
        message = self.said.get(index)
        return daemon_line(message.line) if isinstance(message, m.ConsoleOutput) else None

    def own_lines(self) -> Iterable[tuple[int, str]]:
        """Return every line of the daemon's own."""
        for index in self.said:
            text = self.own(index)
            if text is not None:
                yield index, text

    def is_game_line(self, index: int) -> bool:
        """Whether this frame is a line of the game's terminal."""
        return isinstance(self.said.get(index), m.ConsoleOutput) and self.own(index) is None

    def state_at(self, index: int) -> PowerState:
        """Return the last state that was told before *index*."""
        for earlier in range(index, -1, -1):
            message = self.said.get(earlier)
            if isinstance(message, m.StatusChanged):
                return message.status
        return PowerState.OFFLINE

    def raw_line(self, index: int) -> str:
        """Return a line as the game printed it: broken bytes, and a space before a return."""
        entry = self.entries[index]
        message = self.said[index]
        assert isinstance(entry, ServerFrame)
        assert isinstance(message, m.ConsoleOutput)
        line = message.line
        if entry.text is not None and "\\ufffd" in entry.text:
            line = line.replace("\ufffd", "\udcff")
        return line.replace("\r\n", " \r")

    def measured(self) -> Iterable[tuple[int, Usage]]:
        """Return the stats that nobody asked for, but for those of the end."""
        for index, message in self.said.items():
            entry = self.entries[index]
            if isinstance(message, m.StatsReported) and isinstance(entry, ServerFrame):
                is_asked = str(entry.args[0]).startswith('{"memory_bytes"')
                if not is_asked and message.stats.state != PowerState.OFFLINE:
                    yield index, _usage(message.stats)


def _usage(stats: m.Stats) -> Usage:
    return Usage(
        cpu_percent=stats.cpu_percent or 0,
        memory_bytes=stats.memory_bytes or 0,
        memory_limit_bytes=stats.memory_limit_bytes or 0,
        disk_bytes=stats.disk_bytes or 0,
        uptime_milliseconds=round((stats.uptime_seconds or 0) * 1000),
        received_bytes=stats.network_received_bytes or 0,
        sent_bytes=stats.network_sent_bytes or 0,
        read_bytes=stats.disk_read_bytes or 0,
        written_bytes=stats.disk_written_bytes or 0,
    )

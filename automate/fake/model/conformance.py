"""The model held to the real recordings: the recorded client again, and every frame compared.

The recorded client's frames and the causes (`evidence`) go into a `Daemon`; what it says must be
what the real one said, in the same order, up to the freedoms of docs/model.md.

    python -m automate.fake.model.conformance recordings/*.jsonl
"""

import re
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final

from attrs import define, field, frozen

from automate.errors import AutomateError, UsageError
from automate.fake.model.daemon import Daemon
from automate.fake.model.evidence import Evidence, read_evidence
from automate.fake.model.freedoms import Alignment, Difference, Freedom, Judge, Spoken
from automate.fake.model.signals import (
    BackupAsked,
    Closed,
    Commanded,
    Drop,
    Exited,
    Input,
    Opened,
    Output,
    PowerAsked,
    Printed,
    Said,
    Send,
    Write,
)
from automate.fake.model.terminal import Echoed, Terminal
from automate.recording.format import ClientFrame, Entry, PanelCall, ServerFrame, Transport
from automate.recording.reader import Recording, read_recording
from automate.wire import messages as m
from automate.wire.codec import decode_server
from automate.wire.console import daemon_line
from automate.wire.messages import PowerAction, PowerState

__all__ = ["Comparison", "compare", "main", "table"]

_UUID: Final = re.compile(r"Error Event \[[0-9a-f-]{36}\]")
_ECHO_SECONDS: Final = 0.1


@frozen(kw_only=True)
class Comparison:
    """What came of one recording: numbers of frames, and the differences in full."""

    title: str
    equal: int
    games: int
    """How many of the equal frames only pass on what the game printed or used."""
    explained: dict[Freedom, int]
    differences: tuple[Difference, ...]
    concluded: int
    """How many causes had to be concluded, for they are in no entry."""


# ---------------------------------------------------------------- playing


@define
class _Play:
    """The recorded client against the model."""

    recording: Recording
    evidence: Evidence
    daemon: Daemon = field(init=False)
    said: list[Spoken] = field(factory=list)
    _terminal: Terminal = field(factory=Terminal)
    # Echoes that the model has shown and the recording is still to show.
    _echoes: list[tuple[float, str]] = field(factory=list)
    _connection: int = 0

    def __attrs_post_init__(self) -> None:
        self.daemon = Daemon(
            self.evidence.settings,
            read_token=self.evidence.tokens.get,
            usage=self.evidence.usage,
        )
        self.daemon.power.last_crash_at = self.evidence.last_crash_at

    def run(self) -> list[Spoken]:
        """Return everything the model says."""
        steps: list[tuple[float, float, Entry | Input]] = [
            (cause.at, cause.number, cause.what) for cause in self.evidence.causes
        ]
        for index, entry in enumerate(self.recording.entries):
            if isinstance(entry, ClientFrame | Transport):
                steps.append((entry.t, index, entry))
            elif isinstance(entry, PanelCall):
                steps.append((entry.t - (entry.seconds or 0), index, entry))
        for at, _number, step in sorted(steps, key=lambda item: item[:2]):
            self.let_pass(at)
            for happened in self.inputs(step, at):
                self.carry_out(self.daemon.handle(happened, at), at)
        return self.said

    def let_pass(self, at: float) -> None:
        while (wake_at := self.daemon.wake_at) is not None and wake_at <= at:
            self.carry_out(self.daemon.tick(wake_at), wake_at)

    def inputs(self, step: Entry | Input, at: float) -> Iterable[Input]:
        match step:
            case Transport(what="opened"):
                self._connection += 1
                yield Opened(self._connection)
            case Transport(what="closed", by="client"):
                yield Closed(self._connection)
            case Transport():
                pass
            case ClientFrame():
                yield Said(self._connection, step.frame)
            case PanelCall():
                yield from self.deed(step)
            case Printed(line=line) if self.is_echo(line, at):
                pass
            case Exited() if self.daemon.state is PowerState.OFFLINE:
                pass  # the daemon took a line for the end; the game goes on
            case ServerFrame():
                pass
            case _:
                yield step  # type: ignore[misc]  # what is left of the union are inputs

    def deed(self, call: PanelCall) -> Iterable[Input]:
        """Return what a recorded call to the panel made the panel tell the daemon."""
        body = call.request if isinstance(call.request, dict) else {}
        kind = call.path.rpartition("/")[2]
        if call.method != "POST" or call.status not in (200, 202, 204):
            return
        if kind == "power":
            yield PowerAsked(PowerAction(body["signal"]))
        elif kind == "command":
            yield Commanded(body["command"])
        elif kind == "backups" and isinstance(call.response, dict):
            yield BackupAsked(call.response["attributes"]["uuid"])

    def is_echo(self, line: str, at: float) -> bool:
        """Whether the model has echoed this line itself."""
        self._echoes = [echo for echo in self._echoes if at - echo[0] < _ECHO_SECONDS]
        for echo in self._echoes:
            if echo[1] == line:
                self._echoes.remove(echo)
                return True
        return False

    def carry_out(self, outputs: Sequence[Output], at: float) -> None:
        for output in outputs:
            match output:
                case Send(sockets=sockets, text=text):
                    self.said += [Spoken(at, number, _plain(text)) for number in sockets]
                case Drop(sockets=sockets, code=code):
                    self.said += [Spoken(at, number, _end(code)) for number in sockets]
                case Write(text=text):
                    for typed in self._terminal.type(text):
                        if isinstance(typed, Echoed):
                            self._echoes.append((at, typed.line))
                            self.carry_out(self.daemon.handle(Printed(typed.line), at), at)


def _plain(text: str) -> str:
    return _UUID.sub("Error Event [U]", text)


def _end(code: int | None) -> str:
    return f"(closed by the server, {code or 1006})"


def _recorded(recording: Recording) -> list[Spoken]:
    spoken = []
    connection = 0
    for entry in recording.entries:
        match entry:
            case Transport(what="opened"):
                connection += 1
            case Transport(what="closed", by="server", code=code):
                spoken.append(Spoken(entry.t, connection, _end(code)))
            case ServerFrame():
                spoken.append(Spoken(entry.t, connection, _plain(entry.frame)))
    return spoken


# ---------------------------------------------------------------- comparing


def compare(recording: Recording) -> Comparison:
    """Return how the model does on *recording*."""
    evidence = read_evidence(recording)
    modelled = _Play(recording, evidence).run()
    real = _recorded(recording)
    alignment = Alignment.of(real, modelled)
    explained, differences = Judge(recording, evidence, alignment).explain()
    same = [i for i, _j in alignment.pairs]
    passed_on = sum(_is_games(real[index]) for index in same)
    return Comparison(
        title=recording.header.title or Path(recording.path).stem,
        equal=len(same),
        games=passed_on,
        explained=explained,
        differences=tuple(differences),
        concluded=sum(cause.is_concluded for cause in evidence.causes),
    )


def _is_games(spoken: Spoken) -> bool:
    """Whether a frame only passes on what the game printed or used."""
    match decode_server(spoken.text):
        case m.ConsoleOutput(line=line):
            return daemon_line(line) is None
        case m.StatsReported(stats=stats):
            return stats.state != PowerState.OFFLINE
        case _:
            return False


# ---------------------------------------------------------------- showing


def table(comparisons: Iterable[Comparison]) -> str:
    """Return the table of *comparisons*, with every difference below it."""
    head = (
        f"{'recording':<26}{'equal':>7}{'(game)':>8}{'explained':>11}{'different':>11}"
        f"{'(concluded)':>13}"
    )
    rows, below = [head], []
    for each in comparisons:
        count = sum(each.explained.values())
        why = ", ".join(f"{number} {freedom}" for freedom, number in each.explained.items())
        rows.append(
            f"{each.title:<26}{each.equal:>7}{each.games:>8}{count:>11}"
            f"{len(each.differences):>11}{each.concluded:>13}  {why}".rstrip()
        )
        below += [f"{each.title}: {difference}" for difference in each.differences]
    return "\n".join([*rows, *below])


def main(paths: Sequence[str]) -> int:
    """Print the table of the recordings at *paths*; 1 if there is any difference, 2 if it can't."""
    try:
        if not paths:
            raise UsageError("expected the recordings to compare with, found none; name some")
        comparisons = [compare(read_recording(path)) for path in paths]
    except AutomateError as exc:
        print(exc, file=sys.stderr)
        return 2
    print(table(comparisons))
    return int(any(each.differences for each in comparisons))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

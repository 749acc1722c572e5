"""Whatever was recorded and whatever live clients do: what a replay never does."""

import math
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from automate.fake.analysis import read_script
from automate.fake.script import Push
from automate.fake.signals import Closed, Drop, Input, Note, NoteKind, Opened, Output, Said, Send
from automate.fake.tape import Tape, recorded_deeds
from automate.recording.format import Entry, ServerFrame
from automate.recording.reader import Recording
from tests.fake.scenes import (
    LOGIN,
    ROOT,
    Stage,
    asked,
    auth,
    called,
    frame,
    left,
    lost,
    opened,
    recorded,
    says,
    told,
)

FOREVER = 100_000.0


def entry(t: float, number: int, kind: str) -> Entry:
    """Return an entry of this *kind*, told from all others by its *number*."""
    match kind:
        case "auth" | "send stats" | "send logs":
            return asked(t, kind)
        case "set state":
            return asked(t, kind, ("start", "stop")[number % 2])
        case "send command":
            return asked(t, kind, f"say {number % 3}")
        case "success":
            return told(t, "auth success")
        case "refusal":
            return told(t, "jwt error", f"Error Event [{number}]: jwt: exp claim is invalid")
        case "expired":
            return told(t, "jwt error", f"jwt: exp claim is invalid {number}")
        case "stats":
            return told(t, "stats", f'{{"memory_bytes":{number},"state":"running"}}')
        case "line":
            return told(t, "console output", f"line {number}")
        case "status":
            return told(t, "status", ("offline", "starting", "running", "stopping")[number % 4])
        case "backup":
            return called(t, "POST", "/backups", seconds=0.2, response={"number": number})
        case "token":
            return called(t, "GET", "/websocket")
        case "opened":
            return opened(t)
        case "left":
            return left(t)
        case _:
            return lost(t, (None, 1006, 4409)[number % 3])


SAID = ("auth", "send stats", "send logs", "set state", "send command")
HEARD = ("success", "refusal", "expired", "stats", "line", "status")
REST = ("backup", "token", "opened", "left", "lost")
GAPS = st.sampled_from([0.0, 0.0001, 0.01, 0.05, 0.2, 0.9, 1.5, 30.0])


@st.composite
def recordings(draw: st.DrawFn, kinds: tuple[str, ...] = SAID + HEARD + REST) -> Recording:
    t = 0.003
    entries = list(LOGIN) if draw(st.booleans()) else []
    for number, kind in enumerate(draw(st.lists(st.sampled_from(kinds), max_size=25))):
        t = round(t + draw(GAPS), 4)
        question = {"refusal": "auth", "success": "auth", "expired": "send stats"}.get(kind)
        if question and draw(st.booleans()):
            entries.append(asked(t, question))
        entries.append(entry(t, number, kind))
    return recorded(*entries)


@st.composite
def doings(draw: st.DrawFn) -> list[tuple[float, Any]]:
    """Return what live clients do, and how long after the last: inputs or calls to the panel."""
    does = st.one_of(
        st.builds(auth, st.integers(1, 3), st.sampled_from([None, None, frame("jwt error", "x")])),
        st.builds(says, st.integers(1, 3), st.sampled_from(SAID[1:]), st.just(None)),
        st.builds(
            says, st.integers(1, 3), st.just("set state"), st.sampled_from(["start", "stop"])
        ),
        st.builds(says, st.integers(1, 3), st.just("send command"), st.sampled_from(["say 1"])),
        st.builds(Said, st.integers(1, 3), st.text(max_size=5)),
        st.builds(Closed, st.integers(1, 3)),
        st.sampled_from(
            [
                ("GET", f"{ROOT}/websocket"),
                ("POST", f"{ROOT}/backups"),
                ("POST", f"{ROOT}/power"),
                ("GET", f"{ROOT}/resources"),
            ]
        ),
    )
    return draw(st.lists(st.tuples(GAPS, does), max_size=20))


class Watched(Stage):
    """A stage on which nobody may be spoken to who is not there."""

    def __init__(self, tape: Tape) -> None:
        super().__init__(tape)
        self.present: set[int] = set()

    def do(self, at: float, *happened: Input) -> None:
        for one in happened:
            match one:
                case Opened(socket=socket):
                    self.present.add(socket)
                case Closed(socket=socket):
                    self._arrive(at)
                    self.present.discard(socket)
            super().do(at, one)

    def note(self, outputs: list[Output]) -> None:
        for output in outputs:
            if isinstance(output, Send | Drop):
                assert output.sockets
                assert self.present.issuperset(output.sockets)
            if isinstance(output, Drop):
                self.present.difference_update(output.sockets)
        super().note(outputs)


def perform(
    tape: Tape, happenings: list[tuple[float, Any]], *, seconds: float = FOREVER
) -> Watched:
    """Play *tape*, and so many *seconds* after the last happening.

    Clients 1 to 3 are there from the start, and 1 asks to be let in.
    """
    stage = Watched(tape)
    stage.do(0.0, Opened(1), Opened(2), Opened(3), auth(1), auth(1), auth(1))
    at = 0.0
    for gap, happened in happenings:
        at += gap
        if isinstance(happened, tuple):
            method, path = happened
            stage.call(at, method, path, {"signal": "start"})
        else:
            stage.do(at, happened)
    stage.until(at + seconds)
    return stage


@given(
    recording=recordings(),
    happenings=doings(),
    leave=st.sampled_from(["all", (), (1,), (2, 3)]),
    strict=st.booleans(),
    speed=st.sampled_from([0.3, 1.0, 50.0, math.inf]),
)
def test_it_comes_to_rest_and_speaks_only_to_who_is_there(
    recording: Recording,
    happenings: list[tuple[float, Any]],
    leave: Any,
    strict: bool,
    speed: float,
) -> None:
    known = len(recorded_deeds(recording))
    chosen = leave if leave == "all" else [number for number in leave if number <= known]
    tape = Tape(recording, leave=chosen, strict=strict, speed=speed)
    perform(tape, happenings)

    assert tape.wake_at is None


@given(recording=recordings(SAID + HEARD + REST[:-1]), happenings=doings())
def test_who_stays_hears_in_order_what_nobody_asked_for(
    recording: Recording, happenings: list[tuple[float, Any]]
) -> None:
    stays = [(gap, happened) for gap, happened in happenings if happened != Closed(1)]
    tape = Tape(recording)
    stage = perform(tape, stays)

    steps = read_script(recording.entries, server=recording.header.server).steps
    pushed = [step.text for step in steps if isinstance(step, Push)]
    heard = iter(stage.texts(1))
    if stage.notes(NoteKind.STARTED):
        # `in` reads on in an iterator: each is found after the one before.
        assert [text for text in pushed if text not in heard] == []
        assert tape.is_over


@given(
    recording=recordings(("auth", "send stats", "success", "refusal", "expired", "expired")),
    happenings=st.lists(
        st.tuples(GAPS, st.sampled_from([auth(1), says(1, "send stats"), says(1, "send logs")])),
        max_size=20,
    ),
)
def test_nothing_recorded_goes_out_twice_or_before_its_moment(
    recording: Recording, happenings: list[tuple[float, Any]]
) -> None:
    stage = perform(Tape(recording), happenings)

    starts = [
        (at, output.tape_seconds)
        for at, output in stage.heard
        if isinstance(output, Note) and output.kind is NoteKind.STARTED
    ]
    for one in recording.entries:
        # Each of these has a text of its own, and nobody would say it but the recording.
        if isinstance(one, ServerFrame) and one.event == "jwt error" and starts:
            [(live, second)] = starts
            sent = [
                at for at, said in stage.heard if isinstance(said, Send) and said.text == one.frame
            ]
            early = (
                one.frame.startswith('{"event":"jwt error","args":["Error Event') or one.t < second
            )
            assert len(sent) <= 1
            assert early or all(at >= live + one.t - second - 0.001 for at in sent)


@given(
    recording=recordings(),
    happenings=doings(),
    leave=st.sampled_from([(), (1,)]),
    speed=st.sampled_from([0.3, 1.0, 50.0, math.inf]),
)
def test_leniently_it_speaks_only_to_who_is_there_as_well(
    recording: Recording,
    happenings: list[tuple[float, Any]],
    leave: tuple[int, ...],
    speed: float,
) -> None:
    """A model never comes to rest while its game runs: it is watched for half a minute."""
    known = {deed.number for deed in recorded_deeds(recording)}
    tape = Tape(recording, leave=known.intersection(leave), lenient=True, speed=speed)
    stage = perform(tape, happenings, seconds=30)

    was_handed = bool(stage.notes(NoteKind.HANDED))
    assert not was_handed or (tape.is_over and tape.stall is None)

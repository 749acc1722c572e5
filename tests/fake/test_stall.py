"""A replay that does not go on says why: what it waits for, what came nearest, what differs."""

import re
from pathlib import Path
from typing import Any

import pytest
import trio
from trio.testing import MockClock

from automate.fake.network import memory_network
from automate.fake.node import open_replay
from automate.fake.script import Content
from automate.fake.signals import NoteKind, Opened
from automate.fake.stall import (
    Attempt,
    Difference,
    ReplayDiffered,
    ReplayStalled,
    ReplayUnasked,
    Stall,
    differences,
    fields_of,
)
from automate.fake.tape import Tape
from automate.recording.format import Entry
from automate.recording.reader import read_recording
from automate.wire.codec import encode_client
from automate.wire.messages import SendCommand, SendStats
from tests.fake.scenes import (
    ASKED_STATS,
    LOGIN,
    ROOT,
    Stage,
    asked,
    auth,
    called,
    lost,
    opened,
    recorded,
    says,
    told,
)
from tests.fake.served import hear, let_in, panel_of, replaying, wall_clock

SAVING: list[Entry] = [
    *LOGIN,
    asked(1.0, "send command", "save-off"),
    told(1.5, "console output", "saving is off"),
]


def stage(*entries: Entry, **manner: Any) -> Stage:
    """Return a tape that a first client has started."""
    made = Stage(Tape(recorded(*entries), **manner))
    made.do(0.0, Opened(1), auth(1))
    return made


# ---------------------------------------------------------------- the tape


def test_a_stall_names_what_it_waits_for_and_the_nearest_thing_with_the_difference() -> None:
    scene = stage(*SAVING, strict=True)
    scene.do(0.5, says(1, "set state", "stop"))
    scene.do(0.6, says(1, "send command", "save-of"))
    scene.until(30.0)

    stall = scene.tape.stall
    assert stall is not None
    assert stall.since == pytest.approx(0.999)
    assert stall == Stall(
        waits_for="deed 1 (send command save-off)",
        tape_seconds=1.0,
        since=stall.since,
        deed=scene.tape.deeds[0],
        nearest=Attempt(
            tape_seconds=0.601, content=Content("send command", "save-of"), outcome="refused"
        ),
        differences=(Difference("command", "save-off", "save-of"),),
    )
    assert str(stall) == (
        "stands still at 1.0000 and waits for deed 1 (send command save-off); nearest: "
        "send command save-of at 0.6010 (refused); command: expected 'save-off', found 'save-of'"
    )
    assert scene.notes(NoteKind.WAITING) == [
        (
            1.0,
            "for deed 1 (send command save-off); nearest: send command save-of at 0.6010 "
            "(refused); command: expected 'save-off', found 'save-of'",
        )
    ]


def test_while_it_stands_a_note_of_a_wrong_deed_says_what_is_wrong_with_it() -> None:
    scene = stage(*SAVING, leave={1})
    scene.do(7.0, says(1, "send command", "save-of"))

    assert scene.notes(NoteKind.IGNORED) == [
        (
            1.0,
            "send command save-of: the recording goes its own way; deed 1 (send command save-off) "
            "is waited for: command: expected 'save-off', found 'save-of'",
        )
    ]


def test_what_was_taken_for_a_deed_is_named_only_if_it_is_wanted_again() -> None:
    twice = [*SAVING, asked(2.0, "send command", "save-off"), told(2.5, "status", "offline")]
    scene = stage(*twice, leave="all")
    scene.do(3.0, says(1, "send command", "save-off"))
    scene.until(9.0)

    stall = scene.tape.stall
    assert stall is not None
    assert str(stall.nearest) == "send command save-off at 1.0000 (taken for deed 1)"
    assert stall.differences == ()


@pytest.mark.parametrize(
    ("method", "path", "body", "differ"),
    [
        ("POST", f"{ROOT}/backups", {"name": "b"}, []),
        (
            "DELETE",
            f"{ROOT}/backups/1",
            None,
            [
                "method: expected 'POST', found 'DELETE'",
                f"path: expected '{ROOT}/backups', found '{ROOT}/backups/1'",
                "body.name: expected 'a', found nothing",
            ],
        ),
        (
            "POST",
            f"{ROOT}/power",
            {"signal": "stop"},
            [
                "method: expected 'POST', found nothing",
                f"path: expected '{ROOT}/backups', found nothing",
                "body.name: expected 'a', found nothing",
                "deed: expected nothing, found 'set state'",
                "signal: expected nothing, found 'stop'",
            ],
        ),
    ],
)
def test_a_call_is_compared_by_method_path_and_body(
    method: str, path: str, body: Any, differ: list[str]
) -> None:
    made = called(2.0, "POST", "/backups", request={"name": "a"}, response={})
    scene = stage(*LOGIN, made, strict=True)
    scene.call(5.0, method, path, body)

    # A backup of another name is the deed itself (the difference is noted): nothing is waited for.
    stall = scene.tape.stall
    assert [str(each) for each in (stall.differences if stall else ())] == differ


@pytest.mark.parametrize(
    ("expected", "found", "told_of"),
    [
        ({"a": 1}, {"a": 1}, []),
        ({"a": None}, {}, ["a: expected None, found nothing"]),
        ({}, {"a": None}, ["a: expected nothing, found None"]),
        ({"a": "x" * 99}, {"a": 1}, [f"a: expected '{'x' * 78}…, found 1"]),
    ],
)
def test_differences_are_told_field_by_field(
    expected: dict[str, Any], found: dict[str, Any], told_of: list[str]
) -> None:
    assert [str(each) for each in differences(expected, found)] == told_of


def test_a_body_that_is_no_object_is_one_field() -> None:
    assert fields_of(Content("POST", "/x"), [1]) == {"method": "POST", "path": "/x", "body": [1]}


def test_it_waits_for_a_first_client_and_after_a_loss_for_the_next() -> None:
    again: list[Entry] = [opened(2.0), asked(2.1, "auth"), told(2.2, "auth success")]
    scene = Stage(Tape(recorded(*LOGIN, lost(1.0), *again)))
    before = scene.tape.stall
    scene.do(0.0, Opened(1), auth(1))
    scene.until(1.5)
    between = scene.tape.stall
    scene.until(9.0)
    after = scene.tape.stall
    scene.do(9.0, Opened(2), auth(2))
    scene.until(10.0)

    waits = [stall and stall.waits_for for stall in (before, between, after, scene.tape.stall)]
    assert waits == [
        "the first client that is let in",
        None,
        "a new connection and its auth",
        None,
    ]
    assert scene.tape.is_over


def test_unasked_is_what_has_come_by_and_nobody_wanted() -> None:
    scene = stage(
        called(0.0005, "GET", "/websocket"),
        *LOGIN,
        asked(1.0, "send stats"),
        told(1.1, "stats", ASKED_STATS),
        called(2.0, "GET", "/resources"),
        called(3.0, "POST", "/backups", request={"name": "a"}),
        called(4.0, "GET", "/resources"),
    )
    scene.until(2.5)
    early = [str(one) for one in scene.tape.unasked]
    scene.call(2.6, "GET", f"{ROOT}/resources")
    scene.until(9.0)

    assert early == [
        f"GET {ROOT}/websocket, answer 1 at 0.0005",
        "send stats, answer 1 at 1.1000",
        f"GET {ROOT}/resources, answer 1 at 2.0000",
    ]
    # The backup was the ghost's: nobody needs to ask for it.
    assert [str(one) for one in scene.tape.unasked] == [
        *early[:2],
        f"GET {ROOT}/resources, answer 2 at 4.0000",
    ]
    assert [text for _at, text in scene.notes(NoteKind.UNASKED)] == [
        f"the recorded answers to GET {ROOT}/websocket 1",
        "the recorded answers to send stats 1",
        f"the recorded answers to GET {ROOT}/resources 2",
    ]


# ---------------------------------------------------------------- the replay


async def test_finished_waits_for_the_end_of_the_tape(autojump_clock: MockClock) -> None:
    async with replaying(recorded(*SAVING)) as replay, let_in(replay):
        await replay.finished()

    assert trio.current_time() == pytest.approx(1.499)


async def test_when_nothing_can_move_any_more_that_is_said_at_once(
    autojump_clock: MockClock,
) -> None:
    async with replaying(recorded(*SAVING), strict=True) as replay, let_in(replay) as socket:
        await socket.send_message(encode_client(SendCommand("save-of")))
        with pytest.raises(ReplayStalled) as stalled:
            await replay.finished()

    assert trio.current_time() == pytest.approx(0.999)
    assert str(stalled.value) == (
        "replay of a scene: it stands still at 1.0000 and waits for deed 1 (send command "
        "save-off); nearest: send command save-of at 0.0010 (refused); command: expected "
        "'save-off', found 'save-of'; do it, or do not leave it"
    )


async def test_a_stall_leaves_the_replay_as_one_error(autojump_clock: MockClock) -> None:
    """Whoever lets it pass through has no group of groups to take apart."""
    async with memory_network():
        with pytest.raises(ReplayStalled):
            async with open_replay(recorded(*LOGIN), wall_clock=wall_clock) as replay:
                await replay.finished()


async def test_timers_that_never_end_do_not_keep_it_from_being_said(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    async def ping() -> None:
        for _ in range(10_000):
            await trio.sleep(25)

    nursery.start_soon(ping)
    async with replaying(recorded(*SAVING)) as replay:
        with pytest.raises(ReplayStalled, match="waits for the first client that is let in"):
            await replay.finished()
    nursery.cancel_scope.cancel()


async def test_a_deadline_of_the_caller_brings_the_stall(autojump_clock: MockClock) -> None:
    async with replaying(recorded(*SAVING), strict=True) as replay, let_in(replay):
        with pytest.raises(ReplayStalled, match="deed 1"), trio.fail_after(5):
            await replay.finished()

    assert trio.current_time() == 5


async def test_whoever_is_cancelled_for_another_reason_is_just_cancelled(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    async with replaying(recorded(*SAVING), strict=True) as replay, let_in(replay):
        with trio.move_on_after(100) as scope:
            nursery.start_soon(trio.sleep, 1000)
            nursery.start_soon(_cancel_later, scope)
            await replay.finished()
    nursery.cancel_scope.cancel()

    assert scope.cancelled_caught


async def _cancel_later(scope: trio.CancelScope) -> None:
    await trio.sleep(50)
    scope.cancel()


async def test_check_fails_on_what_may_not_be_missing(
    autojump_clock: MockClock, recordings: Path
) -> None:
    recording = read_recording(recordings / "backup-before-stop.jsonl")
    async with replaying(recording) as replay, let_in(replay) as socket:
        await socket.get_message()
        with pytest.raises(ReplayStalled, match="the tape still runs"):
            replay.check()
        await replay.finished()
        with pytest.raises(ReplayUnasked) as missed:
            replay.check()
        patterns = {one.what for one in missed.value.unasked}
        replay.check(may_miss=patterns)
        for pattern in patterns:
            with pytest.raises(ReplayUnasked, match=re.escape(f"{pattern}, answer")):
                replay.check(may_miss=patterns - {pattern})

    root = f"GET /api/client/servers/{recording.header.server}"
    assert f"{root}/websocket" not in patterns  # it was asked for, by the client that came in
    assert {pattern.rpartition("/")[0] for pattern in patterns} == {f"{root}/backups"}


async def test_who_asked_for_everything_passes(autojump_clock: MockClock) -> None:
    tape = recorded(*LOGIN, asked(1, "send stats"), told(1.1, "stats", ASKED_STATS))
    async with replaying(tape) as replay, let_in(replay) as socket, panel_of(replay):
        await socket.send_message(encode_client(SendStats()))
        await hear(socket, 5)
        await replay.finished()

        replay.check()


@pytest.mark.parametrize("strict", [False, True])
async def test_strictly_a_deed_with_another_body_is_a_failure_at_the_end(
    strict: bool, autojump_clock: MockClock
) -> None:
    made = called(2.0, "POST", "/backups", request={"name": "a"}, response={"object": "backup"})
    manner: dict[str, Any] = {"strict": True} if strict else {"leave": {1}}
    async with replaying(recorded(*LOGIN, made), **manner) as replay, let_in(replay):
        async with panel_of(replay) as panel:
            await panel.post(f"{ROOT}/backups", json={"name": "b"})
        await replay.finished()
        found = ""
        try:
            replay.check(may_miss=["*"])
        except ReplayDiffered as differed:
            found = str(differed)

    wanted = f"replay of a scene: deed 1 (POST {ROOT}/backups): body.name: expected 'a', found 'b'"
    assert found == (wanted if strict else "")

"""Several recordings behind one panel, a server each."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from attrs import evolve
from msgspec.structs import replace
from trio.testing import MockClock

from automate.errors import UsageError
from automate.fake.faults import Faults, PanelAnswers
from automate.fake.network import memory_network
from automate.fake.node import Playback, Replay, Stand, open_replays
from automate.fake.signals import Note, NoteKind
from automate.recording.format import Entry
from automate.recording.reader import Recording, read_recording
from automate.wire.codec import decode_server, encode_client
from automate.wire.messages import Auth, JwtErrorReported, SetState
from tests.fake.scenes import LOGIN, SERVER, asked, called, frame, opened, recorded, told
from tests.fake.served import connected, hear, let_in, panel_of, token_of, wall_clock
from tests.fake.wire import RawClient

OTHER = "b2b2c3d4-0002-4000-8000-000000000002"


def of_server(uuid: str, *entries: Entry, daemon: str | None = None) -> Recording:
    recording = recorded(*entries)
    header = replace(recording.header, server=uuid, title=f"of {uuid[:2]}", daemon=daemon)
    return evolve(recording, header=header)


def evening(*statuses: str) -> list[Entry]:
    return [*LOGIN, *(told(1.0 + n, "status", status) for n, status in enumerate(statuses))]


@asynccontextmanager
async def several(
    *playbacks: Playback | Recording, faults: Faults | None = None, notes: list[str] | None = None
) -> AsyncIterator[Sequence[Replay]]:
    def note(server: str, note: Note) -> None:
        if notes is not None and note.kind is NoteKind.ENDED:
            notes.append(server)

    stand = Stand(wall_clock=wall_clock)
    if faults is not None:
        stand = evolve(stand, faults=faults)
    plays = [one if isinstance(one, Playback) else Playback(one) for one in playbacks]
    async with memory_network(), open_replays(plays, stand, on_note=note) as replays:
        yield replays


async def test_each_server_has_its_own_tape_and_clock(autojump_clock: MockClock) -> None:
    """One address, one key; what is said by one is not heard of the other."""
    notes: list[str] = []
    async with several(
        of_server(SERVER, *evening("stopping", "offline")),
        Playback(of_server(OTHER, *evening("stopping", "starting")), speed=2),
        notes=notes,
    ) as (one, other):
        assert (one.panel_url, one.key) == (other.panel_url, other.key)
        async with let_in(one) as first:
            heard = [text for _at, text in await hear(first, 5)]
        async with let_in(other) as second:
            heard += [text for _at, text in await hear(second, 5)]

    begin = [frame("auth success"), frame("status", "running"), frame("status", "stopping")]
    assert heard == [*begin, frame("status", "offline"), *begin, frame("status", "starting")]
    assert notes == [SERVER, OTHER]


async def test_the_panel_lists_them_all_and_answers_for_each(autojump_clock: MockClock) -> None:
    listed = called(0, "GET", "", response={"data": []})
    recording = of_server(SERVER, replace(listed, path="/api/client"), *LOGIN)
    async with several(recording, of_server(OTHER, *LOGIN)) as (one, other), panel_of(one) as panel:
        servers = (await panel.get("/api/client")).json()["data"]
        names = [each["attributes"]["name"] for each in servers]
        paths = [f"/api/client/servers/{id}" for id in (SERVER, OTHER, OTHER[:8], "c2c2c3d4")]
        found = [await panel.get(path) for path in paths]

    assert names == ["of a1", "of b2"]
    assert [answer.status_code for answer in found] == [200, 200, 200, 404]
    assert found[2].json()["attributes"]["uuid"] == other.server == OTHER


async def test_a_token_is_good_for_one_server_only(autojump_clock: MockClock) -> None:
    async with several(of_server(SERVER, *LOGIN), of_server(OTHER, *LOGIN)) as (one, other):
        token = await token_of(other)
        async with connected(one) as socket:
            await socket.send_message(encode_client(Auth(token)))
            answer = decode_server(str(await socket.get_message()))

    assert isinstance(answer, JwtErrorReported)
    assert answer.text.endswith("jwt: server uuid mismatch")


async def test_a_deed_is_left_in_one_and_done_by_a_ghost_in_the_other(
    autojump_clock: MockClock,
) -> None:
    entries = [*LOGIN, asked(1, "set state", "stop"), told(2, "status", "stopping")]
    async with (
        several(Playback(of_server(SERVER, *entries), leave=[1]), of_server(OTHER, *entries)) as (
            one,
            other,
        ),
        let_in(one) as first,
        let_in(other) as second,
    ):
        waiting, done = await hear(first, 50), await hear(second, 50)
        await first.send_message(encode_client(SetState("stop")))
        late = [text for _at, text in await hear(first, 5)]

    stopping = frame("status", "stopping")
    assert [text for _at, text in waiting].count(stopping) == 0
    assert [text for _at, text in done].count(stopping) == 1
    assert late == [stopping]


async def test_faults_are_those_of_the_one_panel(autojump_clock: MockClock) -> None:
    """What befalls two calls befalls two in all, whichever server they are for."""
    faults = Faults(1, [PanelAnswers(status=502, times=2, path="*/websocket")])
    async with several(
        of_server(SERVER, *LOGIN), of_server(OTHER, *LOGIN), faults=faults
    ) as (one, _other), panel_of(one) as panel:  # fmt: skip
        paths = [f"/api/client/servers/{id}/websocket" for id in (SERVER, OTHER, SERVER, OTHER)]
        statuses = [(await panel.get(path)).status_code for path in paths]

    assert statuses == [502, 502, 200, 200]


async def test_each_has_the_manners_of_its_own_daemon(autojump_clock: MockClock) -> None:
    taken = []
    async with several(
        of_server(SERVER, *LOGIN), of_server(OTHER, *LOGIN, daemon="pelican-dev/wings 1.0.0")
    ) as replays:
        for replay in replays:
            headers = {
                "Origin": replay.panel_url,
                "Sec-WebSocket-Extensions": "permessage-deflate",
            }
            async with RawClient.opened(replay.socket_url, headers) as client:
                taken.append(bool(client.header("Sec-WebSocket-Extensions")))

    assert taken == [False, True]


# ---------------------------------------------------------------- ids


async def test_two_evenings_of_one_server_are_two_servers(
    autojump_clock: MockClock, recordings: Path
) -> None:
    """The later one is given an id of its own, the same each time, and answers by it."""
    crash, backup = (
        read_recording(recordings / f"{name}.jsonl")
        for name in ("crash-undetected", "backup-before-stop")
    )
    ids = []
    for _ in range(2):
        async with several(crash, Playback(backup, leave=[5])) as (one, other):
            ids.append(other.server)
            path = f"/api/client/servers/{other.server}/backups"
            async with let_in(other) as socket, panel_of(other) as panel:
                await hear(socket, 60)
                made = await panel.post(path, json={"name": "before stop"})
                done = [note.text for note in other.notes if note.kind is NoteKind.DONE]

    assert one.server == crash.header.server
    assert ids[0] == ids[1] != backup.header.server
    assert made.json()["attributes"]["is_successful"] is False
    assert done == [f"deed 5 (POST {path})"]


async def test_a_recorded_answer_names_the_server_by_its_new_id(autojump_clock: MockClock) -> None:
    answer = {"attributes": {"uuid": SERVER, "identifier": SERVER[:8], "tags": [f"of {SERVER}", 7]}}
    recording = of_server(SERVER, called(0, "GET", "", response=answer), opened(0.0), *LOGIN[1:])
    async with several(recording, recording) as (one, other), panel_of(other) as panel:
        found = [
            (await panel.get(f"/api/client/servers/{replay.server}")).json()["attributes"]
            for replay in (one, other)
        ]

    assert found == [
        {"uuid": id, "identifier": id[:8], "tags": [f"of {id}", 7]} for id in (SERVER, other.server)
    ]


async def test_nothing_to_play_is_a_usage_error(autojump_clock: MockClock) -> None:
    with pytest.raises(UsageError, match="needs a recording"):
        async with several():
            pass

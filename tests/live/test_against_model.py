"""A session and a model of the daemon, of either kind, through what happens in months."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
import trio
from attrs import frozen
from trio.testing import MockClock

from automate.errors import AutomateError, PanelError
from automate.fake.model.office import PanelSettings
from automate.fake.model.serving import ServedModel, open_model
from automate.fake.model.settings import Kind, Settings
from automate.fake.model.signals import ConditionChanged, NodeStarted, NodeStopped, PowerAsked
from automate.fake.network import memory_network
from automate.live.panel import Call, Panel, PanelKind
from automate.live.session import Session
from automate.wire.messages import PowerAction, SendCommand, SendStats, SetState
from tests.live.stage import Diary

BOTH = pytest.mark.parametrize("kind", list(Kind), ids=str)


@frozen
class Scene:
    """A session at work, and the model it is connected to."""

    served: ServedModel
    panel: Panel
    session: Session
    diary: Diary
    calls: list[tuple[float, str, int]]
    errors: list[AutomateError]

    @property
    def tokens(self) -> list[tuple[float, int]]:
        """When a token was asked for, and the answer's status."""
        return [(at, status) for at, path, status in self.calls if path.endswith("/websocket")]

    @property
    def links(self) -> list[tuple[float, str]]:
        """What became of the connection."""
        names = ("ready", "down", "blind", "sighted", "delayed", "ended")
        return [page for page in self.diary.pages if page[1].startswith(names)]

    def heard(self, event: str) -> list[str]:
        """Return what was said under this name."""
        return [
            words.removeprefix(event).removeprefix(": ")
            for _, words in self.diary.news
            if words.startswith(event)
        ]


@asynccontextmanager
async def living(
    kind: Kind, *, settings: Settings | None = None, **panel: Any
) -> AsyncIterator[Scene]:
    """Run a session with a new model of this kind."""
    began = trio.current_time()
    diary, calls = Diary(), list[tuple[float, str, int]]()
    errors: list[AutomateError] = []

    def note(call: Call) -> None:
        calls.append((round(trio.current_time() - began, 2), call.path, call.status))

    async def run(session: Session) -> None:
        try:
            await session.run()
        except AutomateError as error:
            errors.append(error)

    async with (
        memory_network(),
        open_model(
            wall_clock=lambda: 1.8e9 + trio.current_time(),
            settings=settings or Settings(kind=kind),
            panel=PanelSettings(**panel),
            seed=1,
            key="ptlc_it" if kind is Kind.PTERODACTYL else "pacc_it",
        ) as served,
        httpx.AsyncClient(limits=httpx.Limits(keepalive_expiry=None)) as client,
        Panel(served.panel_url, served.key, client=client, on_call=note) as live_panel,
        trio.open_nursery() as nursery,
    ):
        session = Session(served.server, live_panel, listener=diary)
        nursery.start_soon(run, session)
        await trio.sleep(1)
        yield Scene(served, live_panel, session, diary, calls, errors)
        nursery.cancel_scope.cancel()


async def start(scene: Scene) -> None:
    scene.session.send(SetState("start"))
    await trio.sleep(5)
    assert scene.heard("status")[-1] == "running"


@BOTH
async def test_a_day_without_news_costs_a_token_each_eight_minutes(
    kind: Kind, autojump_clock: MockClock
) -> None:
    async with living(kind) as scene:
        await trio.sleep(3600)

    moments = [at for at, _ in scene.tokens]
    assert moments == pytest.approx([480 * n for n in range(8)], abs=2)
    assert [words for _, words in scene.links] == ["ready"]
    assert scene.heard("jwt error") == scene.heard("token expiring") == []


@BOTH
async def test_a_restarted_node_costs_a_marked_gap_and_no_line_is_heard_twice(
    kind: Kind, autojump_clock: MockClock
) -> None:
    async with living(kind) as scene:
        await start(scene)
        scene.session.send(SendCommand("say before"))
        await trio.sleep(2)
        before = scene.heard("console output")
        scene.served.tell(NodeStopped())
        await trio.sleep(20)
        scene.served.tell(NodeStarted())
        await trio.sleep(70)
        scene.session.send(SendCommand("say after"))
        await trio.sleep(2)

    assert scene.heard("status")[-2:] == ["running", "running"]
    assert scene.heard("console output") == [
        *before,
        "say after",
        "[Server thread/INFO]: [Server] after",
    ]
    kinds = [words.partition(":")[0] for _, words in scene.links]
    assert (kinds[0], kinds[1], kinds[-1], kinds.count("down")) == ("ready", "down", "ready", 1)
    assert len(scene.tokens) <= 4


@BOTH
async def test_a_suspension_is_waited_out_without_hammering(
    kind: Kind, autojump_clock: MockClock
) -> None:
    async with living(kind) as scene:
        scene.served.office.change("suspended", scene.served.world.now)
        scene.served.tell(ConditionChanged(is_suspended=True))
        await trio.sleep(1800)
        scene.served.office.status = None
        scene.served.tell(ConditionChanged(is_suspended=False))
        await trio.sleep(120)
        scene.session.send(SendStats())
        await trio.sleep(2)
        is_heard = scene.heard("stats")

    looks = [path for _, path, _ in scene.calls if path.endswith(scene.served.server)]
    assert 20 < len(looks) < 45
    assert len(scene.tokens) <= 6
    assert is_heard
    assert scene.errors == []


async def test_a_restore_is_waited_out(autojump_clock: MockClock) -> None:
    """The newer daemon closes new sockets with 4409 for as long as it lasts."""
    async with living(Kind.PELICAN) as scene:
        scene.served.office.status = "restoring_backup"
        scene.served.tell(ConditionChanged(is_restoring=True))
        scene.session.send(SendStats())  # what is said drops the socket
        await trio.sleep(40)
        during = [words for _, words in scene.links]
        scene.served.office.status = None
        scene.served.tell(ConditionChanged(is_restoring=False))
        await trio.sleep(70)

    assert during[:2] == ["ready", "down: the connection broke"]
    assert "delayed: a backup of the server is being restored" in during
    assert scene.links[-1][1] == "ready"
    assert [status for _, status in scene.tokens] == [200]


@BOTH
async def test_what_happened_while_the_token_was_over_is_found_out(
    kind: Kind, autojump_clock: MockClock
) -> None:
    """The server was stopped meanwhile: an offline one says nothing by itself."""
    async with living(kind, token_seconds=75) as scene:
        await start(scene)
        scene.served.office.is_transferring = True  # the panel gives no tokens
        await trio.sleep(90)
        scene.served.tell(PowerAsked(PowerAction.STOP))
        await trio.sleep(30)
        scene.served.office.is_transferring = False
        await trio.sleep(70)

    kinds = [words.partition(":")[0] for _, words in scene.links]
    assert [each for each in kinds if each != "delayed"] == ["ready", "blind", "sighted"]
    assert scene.heard("status")[-1] == "running"
    assert '"state":"offline"' in scene.heard("stats")[-1]
    assert scene.tokens[-1][1] == 200


async def test_a_full_node_is_tried_again_until_somebody_leaves(
    autojump_clock: MockClock,
) -> None:
    settings = Settings(kind=Kind.PELICAN, sockets_limit=1)
    async with living(Kind.PELICAN, settings=settings) as scene:
        diary = Diary()
        second = Session(scene.served.server, scene.panel, listener=diary)
        with trio.move_on_after(25):
            await second.run()

    failed = [words for _, words in diary.pages if words.startswith("failed")]
    assert 1 < len(failed) <= 3
    assert "too many websockets are open for this server (400): 30 are allowed" in failed[0]


async def test_forty_commands_at_once_run_in_order_and_nothing_is_dropped(
    autojump_clock: MockClock,
) -> None:
    async with living(Kind.PELICAN) as scene:
        await start(scene)
        for number in range(40):
            scene.session.send(SendCommand(f"say {number}"))
        await trio.sleep(60)

    ran = [line for line in scene.heard("console output") if "[Server] " in line]
    assert ran == [f"[Server thread/INFO]: [Server] {number}" for number in range(40)]
    assert scene.heard("throttled") == []


@BOTH
async def test_each_way_in_which_no_backup_comes_is_told_apart(
    kind: Kind, autojump_clock: MockClock
) -> None:
    said = []

    async def ask(scene: Scene) -> None:
        try:
            await scene.panel.create_backup(scene.served.server, "x")
        except AutomateError as error:
            said.append(str(error).removeprefix(f"{scene.served.panel_url}: "))
        else:
            said.append("asked for")

    async with living(kind) as scene:
        scene.served.tell(NodeStopped())
        await ask(scene)
    async with living(kind, backup_limit=2) as scene:
        for _ in range(3):
            await ask(scene)
        await trio.sleep(601)
        await ask(scene)

    about = f"make a backup of server {scene.served.server}"
    limit = "Only 2 backups may be generated within a 600 second span of time."
    down, one, two, too_soon, too_many = said
    assert "the panel got no good answer from the node" in down
    assert "it may have been done all the same" in down
    assert (one, two) == ("asked for", "asked for")
    assert too_soon.startswith(
        f"can't {about}, the panel allows no more of it for now (429: {limit}); try again in "
    )
    assert too_many == (
        f"can't {about} (400: Cannot create a new backup, this server has reached its limit of 2 "
        "backups.)"
    )


@BOTH
async def test_a_node_that_is_down_is_told_in_each_panels_way(
    kind: Kind, autojump_clock: MockClock
) -> None:
    """PROTOCOL 9: an error of one panel, a state of the other."""
    async with living(kind) as scene:
        scene.served.tell(NodeStopped())
        try:
            resources = await scene.panel.resources(scene.served.server)
            found = f"{resources.state} {resources.power}"
        except PanelError as error:
            found = f"{error.status}"
        is_named = await scene.panel.kind()

    assert (found, is_named) == {
        Kind.PTERODACTYL: ("504", PanelKind.PTERODACTYL),
        Kind.PELICAN: ("missing None", PanelKind.PELICAN),
    }[kind]

"""Recipes at work at a modelled node: the whole engine, in virtual time, and other people too.

A `Scene` is the node and what the recipes did; whoever writes a scene may do to the node what
the world does: other people's clicks, a lost daemon, a full disk. What never ends fails a test
after a virtual day.
"""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import trio
from attrs import Factory, define, field

from automate.engine.engine import Engine
from automate.engine.sitting import NoteTaker, keep, open_recorders, sessions_for
from automate.engine.watcher import Outcome, Watcher
from automate.errors import AutomateError
from automate.fake.model.office import PanelSettings
from automate.fake.model.served import ServedNode
from automate.fake.model.serving import Tenant, open_node
from automate.fake.model.settings import Kind, Settings
from automate.fake.model.signals import Input, PowerAsked
from automate.fake.network import memory_network
from automate.live.panel import Panel
from automate.live.session import Session
from automate.machine.actions import Output, Traced, action_fields
from automate.recipe.recipe import Recipe
from automate.wire.messages import PowerAction, PowerState
from tests.clocks import EPOCH, clock_from

__all__ = ["Scene", "at_work"]

_FOR_EVER_SECONDS = 86_400.0


class Told(Watcher):
    """Keeps what the engine does and sees, with the second of the scene."""

    def __init__(self, now: Callable[[], float], state: Callable[[], PowerState]) -> None:
        self.pages: list[tuple[float, str]] = []
        self.ended_at: float | None = None
        self.state_then: PowerState | None = None
        self._now = now
        self._state = state

    def did(self, action: Output, *, dry: bool) -> None:
        for what, value in action_fields(action).items():
            self._write(f"> {what} {value}")

    def decided(self, traced: Traced) -> None:
        if traced.what in ("step failed", "failed", "done", "held back"):
            self._write(f"{traced.recipe}: {traced.what}: {traced.detail}".removesuffix(": "))
        if traced.what in ("failed", "done"):
            self.ended_at, self.state_then = self._now(), self._state()

    def saw(self, server: str, words: str) -> None:
        self._write(words)

    def gave_up(self, server: str, error: AutomateError) -> None:
        self._write(f"given up: {error}")

    def _write(self, words: str) -> None:
        self.pages.append((round(self._now(), 2), words))


@define(eq=False)
class Scene:
    """A node, the recipes at work there, and what they did; seconds count from their beginning."""

    served: ServedNode
    panel: Panel
    engine: Engine
    sessions: Sequence[Session]
    told: Told
    begun_at: float
    outcomes: list[Outcome] = Factory(list)
    over: trio.Event = field(factory=trio.Event)

    @property
    def server(self) -> str:
        """The only server, or the first."""
        return self.served.servers[0]

    @property
    def state(self) -> PowerState:
        """How the server really is."""
        return self.served.node.worlds[self.server].daemon.state

    @property
    def is_game_running(self) -> bool:
        """Whether there is a game in the container, whatever the daemon believes."""
        return self.served.node.worlds[self.server].daemon.power.is_process_running

    def tell(self, happened: Input) -> None:
        """Let something happen at the node."""
        self.served.tell(happened, server=self.server)

    def click(self, action: str) -> None:
        """Have somebody else ask for a power action, on the panel's page."""
        self.tell(PowerAsked(PowerAction(action)))

    async def at(self, second: float) -> None:
        """Wait until this second of the scene."""
        await trio.sleep_until(self.begun_at + second)

    async def outcome(self) -> str:
        """Return how the recipe that was asked for ended: ``done``, or ``failed: …``."""
        with trio.move_on_after(_FOR_EVER_SECONDS):
            await self.over.wait()
        assert self.outcomes, f"it waits for ever: {self.told.pages[-5:]}"
        [outcome] = self.outcomes
        return f"{outcome.what}: {outcome.detail}" if outcome.detail else outcome.what

    async def until(self, words: str) -> float:
        """Wait until these *words* are told once more; return the second."""
        begun = len(self.told.pages)
        with trio.move_on_after(_FOR_EVER_SECONDS):
            while True:
                for at, told in self.told.pages[begun:]:
                    if words in told:
                        return at
                await trio.sleep(0.05)
        raise AssertionError(f"{words!r} never came: {self.told.pages[-5:]}")

    @property
    def ended_at(self) -> float:
        """The second at which a run ended last."""
        assert self.told.ended_at is not None
        return self.told.ended_at

    @property
    def state_then(self) -> PowerState:
        """How the server was at that moment."""
        assert self.told.state_then is not None
        return self.told.state_then

    @property
    def asked(self) -> list[str]:
        """The power actions that were asked for."""
        return [
            words.removeprefix("> set state ")
            for _, words in self.told.pages
            if words.startswith("> set state ")
        ]

    def words(self) -> list[str]:
        """Return all that was told, without the seconds."""
        return [words for _, words in self.told.pages]


@asynccontextmanager
async def at_work(
    recipes: Recipe | Sequence[Recipe],
    *,
    asked: str | None = None,
    online: bool = True,
    kind: Kind = Kind.PTERODACTYL,
    tenant: Tenant | None = None,
    permissions: Sequence[str] = ("*",),
    before: Callable[[ServedNode], None] = lambda _served: None,
    folder: Path | None = None,
    watchers: Sequence[Watcher] = (),
    **panel: Any,
) -> AsyncIterator[Scene]:
    """Have *recipes* at work for the server of a new node, which is running unless not *online*.

    *before* may change the node before the recipes begin. Into *folder* the server is recorded;
    *watchers* are told as well; *panel* is a `PanelSettings`'.
    """
    unix_now = clock_from(EPOCH)

    def now() -> datetime:
        return datetime.fromtimestamp(unix_now(), UTC)

    async with (
        memory_network(),
        open_node(
            [tenant or Tenant(Settings(kind=kind))],
            wall_clock=unix_now,
            panel=PanelSettings(**panel),
            permissions=permissions,
            seed=1,
        ) as served,
        httpx.AsyncClient(limits=httpx.Limits(keepalive_expiry=None)) as client,
        Panel(served.panel_url, served.key, client=client) as live_panel,
    ):
        if online:
            served.tell(PowerAsked(PowerAction.START))
            await trio.sleep(3)
        before(served)
        begun_at = trio.current_time()
        first = served.node.worlds[served.servers[0]].daemon
        told = Told(lambda: trio.current_time() - begun_at, lambda: first.state)
        found = [await live_panel.server(server) for server in served.servers]
        async with _recorders(found, live_panel, folder, now()) as recorders:
            engine = Engine(
                [recipes] if isinstance(recipes, Recipe) else list(recipes),
                {server.uuid: server.name for server in found},
                panel=live_panel,
                now=now,
                watchers=[told, NoteTaker(recorders), *watchers],
                asked=asked,
            )
            sessions = sessions_for(engine, found, live_panel, recorders=recorders, origin=None)
            scene = Scene(served, live_panel, engine, sessions, told, begun_at)

            async def work() -> None:
                scene.outcomes += await keep(engine, sessions)
                scene.over.set()

            async with trio.open_nursery() as nursery:
                nursery.start_soon(work)
                yield scene
                nursery.cancel_scope.cancel()


@asynccontextmanager
async def _recorders(
    servers: Any, panel: Panel, folder: Path | None, now: datetime
) -> AsyncIterator[Any]:
    if folder is None:
        yield {}
        return
    async with open_recorders(servers, panel, folder, key=panel._key, now=now) as recorders:
        yield recorders

"""An evening at a modelled node, played from its beginning to its end by one engine or by two.

What the first engine is told to do, what happens to the servers meanwhile, and how long it goes
on is a `Scene`. If the engine is killed at a point, another one takes over its journal.
"""

from collections.abc import AsyncIterator, Callable, Collection, Sequence
from contextlib import asynccontextmanager
from copy import deepcopy
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID, uuid5

import trio
from attrs import Factory, define, evolve, field, frozen
from trio.testing import MockClock

from automate.engine.journal import INTERRUPTED, MemoryJournal
from automate.errors import UsageError
from automate.fake.model.frames import LOCKED
from automate.fake.model.signals import Commanded, Input, Opened, PowerAsked, Said
from automate.fake.network import MemoryNetwork, memory_network
from automate.machine.actions import CallPython, Output, Tell, Traced
from automate.recipe.recipe import Recipe
from automate.testing.mortal import Mortal, Point
from automate.testing.rehearsing import RecipesLike, as_moment, load_recipes
from automate.testing.seeds import scheduled
from automate.wire.codec import decode_client
from automate.wire.messages import PowerAction, PowerState, SendCommand, SetState

if TYPE_CHECKING:
    from automate.fake.model.game import Game
    from automate.fake.model.served import ServedNode
    from automate.fake.model.settings import Settings

__all__ = ["Evening", "Outcome", "Scene", "play"]

# What the wall clock shows when a scene begins.
_STARTED: Final = datetime(2026, 11, 23, 18, 0, tzinfo=UTC)
_NAMESPACE: Final = UUID("0b5f3a9c-52f2-4f0e-9a39-6b1c1c8f1d23")
_POWER: Final = frozenset(PowerAction)
# A modelled game boots in a second or two.
_BOOT_SECONDS: Final = 600.0
_LOOK_SECONDS: Final = 0.25
_ENDS: Final = ("done", "failed")


@frozen(kw_only=True)
class Scene:
    """What is played: *recipes* at work for *servers* (their names) for so many *seconds*.

    *asks* are requests (a recipe, the second, and the server unless it is the first), as
    `automate trigger` makes them. *happens* is what somebody else does (the second, what, and
    the server unless it is the first): a power action by its name, a command, or an input of the
    model. Both wait while no engine sees the servers. Those in *online* (all, unless told
    otherwise) are running at first. The rest is as with `modelled_node`.
    """

    recipes: RecipesLike
    seconds: float
    asks: Sequence[tuple[str, float] | tuple[str, float, str]] = ()
    happens: Sequence[tuple[float, "str | Input"] | tuple[float, "str | Input", str]] = ()
    servers: Sequence[str] = ("Arena",)
    online: bool | Collection[str] = True
    start_at: datetime | str | None = None
    daemon: str | None = None
    crash_detection: bool | None = None
    backups_fail: bool = False
    settings: "Settings | None" = None
    game: "Game | None" = None
    stats_seconds: float = 1.0


@frozen(kw_only=True)
class Outcome:
    """What came of a scene: *deeds* as node, panel and people saw them, in their order.

    *ends* tells how each run ended, and *statuses* how each server is at last. *doubts* are the
    decisions that were marked ``in doubt``.
    """

    deeds: tuple[str, ...]
    ends: tuple[str, ...]
    statuses: tuple[str, ...]
    doubts: tuple[Traced, ...] = ()

    @property
    def lines(self) -> list[str]:
        """All but the doubts, a line each."""
        return [*self.deeds, *self.ends, *self.statuses]


@frozen(kw_only=True)
class Evening:
    """One evening that was played: its *points*, and the one at which the engine was *killed*.

    *acts* has the words of what each step (its recipe, its place) had done, *decided* all that the
    journal tells, with its moments.
    """

    outcome: Outcome
    points: tuple[Point, ...]
    killed: Point | None
    acts: frozenset[tuple[str, int, str]]
    decided: tuple[str, ...]


def play(
    scene: Scene, *, kill_at: int | None = None, down_seconds: float = 0.0, seed: int = 0
) -> Evening:
    """Play *scene*; the engine is killed at the point *kill_at*, and *down_seconds* later

    another one goes on. Tasks are scheduled as *seed* says, time is virtual.

    Raises:
        UsageError: a recipe or server that is named is not there.
    """
    loaded = load_recipes(scene.recipes)

    async def main() -> Evening:
        stage = _Stage(scene, loaded, kill_at=kill_at, down_seconds=down_seconds)
        return await stage.play()

    with scheduled(seed):
        return trio.run(main, clock=MockClock(autojump_threshold=0))


@define(order=True)
class _Due:
    """Something that is to be done to a server, at so many seconds."""

    at: float
    rank: int
    server: str = field(order=False)
    recipe: str | None = field(order=False, default=None)
    what: "str | Input" = field(order=False, default="")


@frozen(eq=False)
class _Deed:
    words: str


@define
class _Stage:
    scene: Scene
    recipes: Sequence[Recipe]
    kill_at: int | None = field(kw_only=True)
    down_seconds: float = field(kw_only=True)
    # How long there was no engine: what happens to the servers waits so long.
    _away: float = 0.0
    _began: float = Factory(trio.current_time)
    _deeds: list["_Deed"] = Factory(list)
    _points: list[Point] = Factory(list)
    _killed: Point | None = None
    _acts: set[tuple[str, int, str]] = Factory(set)
    _sockets: dict[int, str] = Factory(dict)
    _due: list[_Due] = Factory(list)
    _asked: dict[int, _Due] = Factory(dict)
    _changed: trio.Event = Factory(trio.Event)
    _life: Mortal | None = None

    # ------------------------------------------------------------ the course

    async def play(self) -> Evening:
        async with memory_network() as network, self._node() as node:
            self._overhear(node)
            await self._boot(node)
            self._began = trio.current_time()
            self._due = self._plan()
            journal = MemoryJournal(self._now())
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._direct, node)
                nursery.start_soon(self._live, node, network, journal)
                # Who is away meanwhile makes it longer.
                while (left := self.scene.seconds + self._away - self._seconds) > 0:  # noqa: ASYNC110
                    await trio.sleep(left)
                # The engine's end is no part of the scene.
                self.kill_at = None
                nursery.cancel_scope.cancel()
            return self._evening(node, journal)

    async def _live(
        self, node: "ServedNode", network: MemoryNetwork, journal: MemoryJournal
    ) -> None:
        while True:
            self._life = life = Mortal(
                recipes=self.recipes,
                servers=self._names,
                panel_url=node.panel_url,
                key=node.key,
                network=network,
                journal=journal,
                now=self._now,
                at_point=self._at_point,
                did=self._did,
                warned=self._warned,
                changed=self._change,
            )
            await life.live()
            self._away += self.down_seconds
            await trio.sleep(self.down_seconds)
            # What the kernel still had for the node is there before anybody comes back.
            journal = journal.reopened()
            for id, due in self._asked.items():
                if journal.answers[id].detail == INTERRUPTED and due not in self._due:
                    self._due.append(due)

    async def _direct(self, node: "ServedNode") -> None:
        """Have happen what is to happen, while an engine sees it."""
        while True:
            self._changed = trio.Event()
            due = min(self._due, default=None)
            deadline = float("inf") if due is None else self._began + self._away + due.at
            if due is not None and deadline <= trio.current_time():
                if self._life is not None and self._life.sees_all:
                    self._due.remove(due)
                    self._happen(due, node, self._life.journal)
                    continue
                deadline = float("inf")
            with trio.move_on_at(deadline):
                await self._changed.wait()

    def _happen(self, due: _Due, node: "ServedNode", journal: MemoryJournal) -> None:
        if due.recipe is not None:
            self._asked[journal.ask(due.recipe, due.server)] = due
        elif not isinstance(due.what, str):
            node.tell(due.what, server=due.server)
        elif due.what in _POWER:
            node.tell(PowerAsked(PowerAction(due.what)), server=due.server)
        else:
            node.tell(Commanded(due.what), server=due.server)

    def _change(self) -> None:
        self._changed.set()

    # ------------------------------------------------------------ what is set up

    @property
    def _names(self) -> dict[str, str]:
        return {_uuid(name): name for name in self.scene.servers}

    @asynccontextmanager
    async def _node(self) -> AsyncIterator["ServedNode"]:
        from automate.fake.model.serving import Tenant, open_node
        from automate.testing.opening import settings_for

        scene = self.scene
        settings = settings_for(
            scene.settings, daemon=scene.daemon, crash_detection=scene.crash_detection
        )
        # What the kernel has taken from somebody who died, the daemon does all the same.
        delays = evolve(settings.delays, message=0.0, stats=scene.stats_seconds)
        settings = evolve(settings, delays=delays)
        tenants = [
            # The one of another evening may still have plans.
            Tenant(evolve(settings, server=uuid, title=name), deepcopy(scene.game))
            for uuid, name in self._names.items()
        ]
        async with open_node(tenants, wall_clock=lambda: self._now().timestamp(), seed=0) as node:
            for world in node.node.worlds.values():
                world.backups_succeed = not scene.backups_fail
            yield node

    async def _boot(self, node: "ServedNode") -> None:
        online = self.scene.online
        names = self.scene.servers if online is True else online or ()
        worlds = [node.node.worlds[self._server(name)] for name in names]
        for world in worlds:
            node.tell(PowerAsked(PowerAction.START), server=world.settings.server)
        with trio.move_on_after(_BOOT_SECONDS):
            # The model tells its clients of its state, and nobody is one yet.
            while any(one.daemon.state is not PowerState.RUNNING for one in worlds):  # noqa: ASYNC110
                await trio.sleep(_LOOK_SECONDS)
            return
        raise UsageError("online: a modelled game was not running within ten minutes")

    def _plan(self) -> list[_Due]:
        planned: list[_Due] = []
        for recipe, at, *where in self.scene.asks:
            if recipe not in [one.name for one in self.recipes]:
                known = ", ".join(repr(one.name) for one in self.recipes)
                raise UsageError(f"asks: no recipe is called {recipe!r}; there are: {known}")
            planned.append(_Due(at, len(planned), self._server(*where), recipe))
        for at, what, *where in self.scene.happens:
            planned.append(_Due(at, len(planned), self._server(*where), what=what))
        return planned

    def _server(self, name: str | None = None) -> str:
        names = self.scene.servers
        if name is not None and name not in names:
            raise UsageError(f"no server here is called {name!r}; there are: {', '.join(names)}")
        return _uuid(names[0] if name is None else name)

    # ------------------------------------------------------------ time

    @property
    def _seconds(self) -> float:
        return trio.current_time() - self._began

    def _now(self) -> datetime:
        began = as_moment(self.scene.start_at) or _STARTED
        return began + timedelta(seconds=trio.current_time())

    # ------------------------------------------------------------ what is seen

    def _at_point(self, words: str, is_unseen: bool) -> bool:
        number = len(self._points)
        if self._killed is not None:
            return False
        self._points.append(Point(number, round(self._seconds, 4), words, is_unseen))
        if number == self.kill_at:
            self._killed = self._points[-1]
        return self._killed is not None

    def _overhear(self, node: "ServedNode") -> None:
        """Write down what clients and the panel have done at the *node*, as it takes it in."""
        handle, call = node.node.handle, node.panel.call
        asking: list[str] = []

        def handled(happened: Input, at: float, *, server: str | None = None) -> Any:
            if isinstance(happened, Opened):
                self._sockets[happened.socket] = server or ""
            elif isinstance(happened, Said):
                whose = self._sockets[happened.socket]
                match decode_client(happened.text):
                    case SetState():
                        asking.append(whose)
                    case SendCommand(command=command):
                        self._note(whose, f"send command {command}")
            try:
                return handle(happened, at, server=server)
            finally:
                asking.clear()

        def called(method: str, path: str, body: Any = None, **more: Any) -> Any:
            answer, out = call(method, path, body, **more)
            server, _, rest = path.partition("/servers/")[2].partition("/")
            if method == "POST" and rest == "backups":
                told = f"backup {body['name']}" if answer.status < 300 else "no backup"
                self._note(server, told)
            elif method != "GET":
                self._note(server, f"{method.lower()} {rest.partition('/')[0]}: {answer.status}")
            return answer, out

        def hear_power(power: Any) -> None:
            ask = power.ask

            def asked(action: str, complain: Callable[[str], None]) -> None:
                deed = self._note(asking[0], f"set state {action}") if asking else None

                def complained(text: str) -> None:
                    # Whoever meets the lock has done nothing: it is being done already.
                    if text == LOCKED and deed is not None:
                        self._deeds = [one for one in self._deeds if one is not deed]
                    complain(text)

                ask(action, complained)

            power.ask = asked

        for world in node.node.worlds.values():
            hear_power(world.daemon.power)
        # The models have no ear for what they are asked; it is put before their mouths here.
        node.node.handle = handled  # type: ignore[method-assign]
        node.panel.call = called  # type: ignore[method-assign]

    def _did(self, action: Output) -> None:
        from automate.machine.actions import action_fields

        if isinstance(action, Traced):
            return
        for what, value in action_fields(action).items():
            self._acts.add((action.recipe, action.step, f"{what} {value}"))
        match action:
            case Tell(text=text):
                self._note(action.server, f"notify {text}")
            case CallPython(name=name):
                self._note(action.server, f"call {name}")

    def _warned(self, words: str) -> None:
        self._deeds.append(_Deed(f"warning: {words}"))

    def _note(self, server: str, words: str) -> "_Deed":
        named = [name for uuid, name in self._names.items() if uuid.startswith(server)]
        self._deeds.append(_Deed(f"{named[0]}: {words}"))
        return self._deeds[-1]

    def _evening(self, node: "ServedNode", journal: MemoryJournal) -> Evening:
        traced = [note.traced for note in journal.notes]
        ends = [
            f"{one.recipe!r} {one.what}{f': {one.detail}' if one.detail else ''}"
            for one in traced
            if one.what in _ENDS
        ]
        begun = {one.run: one.recipe for one in traced if one.what == "triggered"}
        over = {one.run for one in traced if one.what in _ENDS}
        ends += [f"{recipe!r} still runs" for run, recipe in begun.items() if run not in over]
        return Evening(
            outcome=Outcome(
                deeds=tuple(one.words for one in self._deeds),
                ends=tuple(ends),
                statuses=tuple(
                    f"{world.settings.title} is {world.daemon.state}"
                    for world in node.node.worlds.values()
                ),
                doubts=tuple(one for one in traced if one.what == "in doubt"),
            ),
            points=tuple(self._points),
            killed=self._killed,
            acts=frozenset(self._acts),
            decided=tuple(
                f"{note.time:%H:%M:%S.%f} {self._names[note.traced.server]}: {note.traced.recipe}: "
                f"{note.traced.what} {note.traced.detail}".rstrip()
                for note in journal.notes
            ),
        )


def _uuid(name: str) -> str:
    return str(uuid5(_NAMESPACE, name))

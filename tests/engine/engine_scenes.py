"""Sittings in virtual time: the real engine, sessions and panel client, against what is not."""

import io
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from pathlib import Path

import httpx
import trio
from attrs import Factory, define, frozen

from automate.cli.page import Page
from automate.cli.printer import Printer, display_names
from automate.engine.engine import Engine, Outcome, Watcher
from automate.engine.sitting import NoteTaker, keep, open_recorders, sessions_for
from automate.errors import AutomateError
from automate.fake.model.office import PanelSettings
from automate.fake.model.serving import ServedNode, Tenant, open_node
from automate.fake.network import memory_network
from automate.fake.node import Replay, open_replay
from automate.fake.signals import NoteKind
from automate.live.answers import Server
from automate.live.listener import Listener
from automate.live.panel import Panel
from automate.live.recorder import Recorder
from automate.live.session import Session
from automate.machine.actions import Output, Traced
from automate.recipe.recipe import Recipe
from automate.recording.reader import read_recording
from tests.clocks import EPOCH, clock_from

Clock = Callable[[], float]
RECORDINGS = Path(__file__).parents[2] / "recordings"


@frozen
class Tape:
    """A recording to be replayed, and how; *origin* is where we say that we come from."""

    name: str
    leave: Sequence[int] = ()
    origin: str | None = None


@frozen(kw_only=True)
class Manner:
    """How the engine sits there: until *ends* runs have ended, and two seconds more.

    A sitting in which something is *asked* ends by itself. Recorded is into *folder*; *key* is
    the sessions' own, if it is another. The servers are there, and seen by somebody else,
    *later_seconds* before the sitting begins.
    """

    asked: str | None = None
    dry: bool = False
    ends: int | None = None
    folder: Path | None = None
    key: str | None = None
    later_seconds: float = 0
    # What the key's user may do at a modelled node.
    permissions: Sequence[str] = ("*",)
    # What somebody else does at a modelled node meanwhile, and how its panel is set up.
    meanwhile: Callable[[ServedNode], Awaitable[None]] | None = None
    panel: PanelSettings | None = None


@frozen
class Seat:
    """A server, the panel that knows it, and where we say that we come from."""

    panel: Panel
    server: Server
    origin: str | None = None


@define
class Sitting:
    """What came of it: all that was printed, what the nodes noted, how it ended."""

    printed: str = ""
    heard: list[tuple[float, NoteKind, str]] = Factory(list)
    outcomes: list[Outcome] = Factory(list)

    @property
    def lines(self) -> list[str]:
        return self.printed.splitlines()

    def of(self, name: str) -> list[str]:
        """Return the moment and the words of each line about one server."""
        parts = [line.split(None, 2) for line in self.lines]
        return [f"{at} {words}" for at, whose, words in parts if whose == name]

    def deeds(self, *kinds: NoteKind) -> list[tuple[float, str]]:
        """Return what the nodes noted of clients, by the second of the tape."""
        return [(at, text) for at, kind, text in self.heard if kind in kinds]


class Ends(Watcher):
    """Counts runs that end."""

    def __init__(self, wanted: int | None) -> None:
        self._left = wanted
        self.enough = trio.Event()

    def did(self, action: Output, *, dry: bool) -> None:
        pass

    def decided(self, traced: Traced) -> None:
        if self._left is not None and traced.what in ("done", "failed"):
            self._left -= 1
            if self._left == 0:
                self.enough.set()

    def saw(self, server: str, words: str) -> None:
        pass

    def gave_up(self, server: str, error: AutomateError) -> None:
        pass


async def sit(recipes: Sequence[Recipe], *tapes: Tape, **manner: object) -> Sitting:
    """Run *recipes* for replayed servers, each at a panel of its own; *manner* is a `Manner`'s."""
    how = Manner(**manner)  # type: ignore[arg-type] # mypy knows no keywords of another's
    unix_now = clock_from(EPOCH)
    async with AsyncExitStack() as stack:
        client = await _network(stack)
        replays: list[Replay] = []
        seats = []
        for tape in tapes:
            recording = read_recording(RECORDINGS / f"{tape.name}.jsonl")
            replay = await stack.enter_async_context(
                open_replay(recording, wall_clock=unix_now, leave=tape.leave)
            )
            server = await Panel(replay.panel_url, replay.key, client=client).server(replay.server)
            panel = Panel(replay.panel_url, how.key or replay.key, client=client)
            seats.append(Seat(panel, server, tape.origin))
            replays.append(replay)
        sitting = await _sit(recipes, seats, how, unix_now)
        sitting.heard = [
            (note.tape_seconds, note.kind, note.text) for replay in replays for note in replay.notes
        ]
    return sitting


async def sit_at_a_node(
    recipes: Sequence[Recipe], tenants: Sequence[Tenant], **manner: object
) -> Sitting:
    """Run *recipes* for all servers of a model of a node; *manner* is a `Manner`'s."""
    how = Manner(**manner)  # type: ignore[arg-type] # mypy knows no keywords of another's
    unix_now = clock_from(EPOCH)
    async with AsyncExitStack() as stack:
        client = await _network(stack)
        served = await stack.enter_async_context(
            open_node(
                tenants, wall_clock=unix_now, seed=1, permissions=how.permissions, panel=how.panel
            )
        )
        panel = Panel(served.panel_url, served.key, client=client)
        seats = [Seat(panel, await panel.server(server)) for server in served.servers]
        async with trio.open_nursery() as nursery:
            if how.meanwhile is not None:
                nursery.start_soon(how.meanwhile, served)
            sitting = await _sit(recipes, seats, how, unix_now)
            nursery.cancel_scope.cancel()
        return sitting


async def _network(stack: AsyncExitStack) -> httpx.AsyncClient:
    await stack.enter_async_context(memory_network())
    # Its reuse check reads the real clock, which stands still here.
    limits = httpx.Limits(keepalive_expiry=None)
    return await stack.enter_async_context(httpx.AsyncClient(limits=limits))


async def _sit(
    recipes: Sequence[Recipe], seats: Sequence[Seat], how: Manner, unix_now: Clock
) -> Sitting:
    sitting, out = Sitting(), io.StringIO()
    panel = seats[0].panel
    servers = [seat.server for seat in seats]
    names = {server.uuid: server.name for server in servers}
    shown = display_names(names)

    def now() -> datetime:
        return datetime.fromtimestamp(unix_now(), UTC)

    async with trio.open_nursery() as others, AsyncExitStack() as stack:
        if how.later_seconds:
            for seat in seats:
                early = Session(seat.server.uuid, seat.panel, listener=Listener())
                others.start_soon(early.run)
            await trio.sleep(how.later_seconds)
        recorders: Mapping[str, Recorder] = {}
        if how.folder is not None:
            recorders = await stack.enter_async_context(
                open_recorders(servers, panel, how.folder, key="ptlc_x", now=now())
            )
        counter = Ends(how.ends)
        printer = Printer(Page(shown.values(), now=now, out=out), shown)
        engine = Engine(
            recipes,
            names,
            panel=panel,
            now=now,
            watchers=[printer, NoteTaker(recorders), counter],
            asked=how.asked,
            dry=how.dry,
        )
        sessions = [
            session
            for seat in seats
            for session in sessions_for(
                engine, [seat.server], seat.panel, recorders=recorders, origin=seat.origin
            )
        ]

        async def sit_on() -> None:
            sitting.outcomes = await keep(engine, sessions)
            counter.enough.set()

        async with trio.open_nursery() as nursery:
            nursery.start_soon(sit_on)
            await counter.enough.wait()
            await trio.sleep(2)
            nursery.cancel_scope.cancel()
        others.cancel_scope.cancel()
    sitting.printed = out.getvalue()
    return sitting

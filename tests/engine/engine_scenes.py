"""Sittings in virtual time: the real engine, sessions and panel client, against replays."""

import io
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from pathlib import Path

import httpx
import trio
from attrs import Factory, define

from automate.cli.page import Page
from automate.cli.printer import Printer, display_names
from automate.engine.engine import Engine, Outcome, Watcher
from automate.engine.sitting import NoteTaker, keep, open_recorders, sessions_for
from automate.errors import AutomateError
from automate.fake.network import memory_network
from automate.fake.node import open_replay
from automate.fake.signals import NoteKind
from automate.live.listener import Listener
from automate.live.panel import Panel
from automate.live.recorder import Recorder
from automate.live.session import Session
from automate.machine.actions import Output, Traced
from automate.recipe.recipe import Recipe
from automate.recording.reader import read_recording
from tests.clocks import EPOCH, clock_from

RECORDINGS = Path(__file__).parents[2] / "recordings"


@define
class Tape:
    """A recording to be replayed, and how."""

    name: str
    leave: Sequence[int] = ()
    strict: bool = False
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


async def sit(
    recipes: Sequence[Recipe],
    *tapes: Tape,
    asked: str | None = None,
    dry: bool = False,
    ends: int | None = None,
    folder: Path | None = None,
    key: str | None = None,
    later_seconds: float = 0,
) -> Sitting:
    """Run *recipes* for the replayed servers until *ends* runs have ended, and two seconds on.

    A sitting in which something is *asked* ends by itself. Recorded is into *folder*. The tapes
    begin *later_seconds* before the sitting, for somebody else.
    """
    sitting, out = Sitting(), io.StringIO()
    unix_now = clock_from(EPOCH)

    def now() -> datetime:
        return datetime.fromtimestamp(unix_now(), UTC)

    async with AsyncExitStack() as stack:
        await stack.enter_async_context(memory_network())
        # Its reuse check reads the real clock, which stands still here.
        limits = httpx.Limits(keepalive_expiry=None)
        client = await stack.enter_async_context(httpx.AsyncClient(limits=limits))
        replays = [
            await stack.enter_async_context(
                open_replay(
                    read_recording(RECORDINGS / f"{tape.name}.jsonl"),
                    wall_clock=unix_now,
                    leave=tape.leave,
                    strict=tape.strict,
                )
            )
            for tape in tapes
        ]
        panels = [Panel(replay.panel_url, key or replay.key, client=client) for replay in replays]
        servers = [
            await Panel(replay.panel_url, replay.key, client=client).server(replay.server)
            for replay in replays
        ]
        names = {server.uuid: server.name for server in servers}
        shown = display_names(names)
        recorders: Mapping[str, Recorder] = {}
        if folder is not None:
            # Each of the fake panels knows one server.
            recorders = await stack.enter_async_context(
                open_recorders(servers, panels[0], folder, key=replays[0].key, now=now())
            )
        counter = Ends(ends)
        engine = Engine(
            recipes,
            names,
            panel=panels[0],
            now=now,
            watchers=[
                Printer(Page(shown.values(), now=now, out=out), shown),
                NoteTaker(recorders),
                counter,
            ],
            asked=asked,
            dry=dry,
        )
        sessions = [
            session
            for tape, panel, server in zip(tapes, panels, servers, strict=True)
            for session in sessions_for(
                engine, [server], panel, recorders=recorders, origin=tape.origin
            )
        ]
        async with trio.open_nursery() as nursery:
            if later_seconds:
                for panel, server in zip(panels, servers, strict=True):
                    nursery.start_soon(Session(server.uuid, panel, listener=Listener()).run)
                await trio.sleep(later_seconds)

            async def end() -> None:
                await counter.enough.wait()
                await trio.sleep(2)
                nursery.cancel_scope.cancel()

            nursery.start_soon(end)
            sitting.outcomes = await keep(engine, sessions)
            nursery.cancel_scope.cancel()
        sitting.heard = [
            (note.tape_seconds, note.kind, note.text) for replay in replays for note in replay.notes
        ]
    sitting.printed = out.getvalue()
    return sitting

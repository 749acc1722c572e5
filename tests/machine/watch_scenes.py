"""Scenes for watches: what happens to a server, and when, to what a trigger makes of it.

A `Watched` shows one server to one trigger the way the machine does: moments first, then only
the kinds of occurrences that interest it. What it promises of itself is asserted on the way.
"""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import cattrs
from attrs import evolve

from automate.machine import occurrence as o
from automate.machine.view import View
from automate.machine.watches import (
    Firing,
    WatchState,
    due,
    feed,
    interests,
    new_watch,
    next_at,
    on_restored,
)
from automate.recipe.combinators import Trigger
from automate.recipe.selectors import ServerFacts
from automate.wire.games import Chatted, GameLine, Joined, Left, Ready, Saved
from automate.wire.messages import PowerState, Stats

__all__ = [
    "UNSEEN",
    "Watched",
    "became",
    "chatted",
    "crashed",
    "found",
    "joined",
    "left",
    "ready",
    "said",
    "saved",
    "seen",
    "uses",
]

UNSEEN = View(
    status=None,
    connected=False,
    facts=ServerFacts(name="arena"),
    last_line_at=None,
    stats=None,
    players=None,
    online=None,
    variables={},
    now=datetime(2026, 11, 24, 12, 0, tzinfo=UTC),
    last_run=lambda recipe: None,
    last_lines=lambda: "the end\nis near",
)
"""A server of which nothing is known yet."""


def seen(status: str, *, connected: bool = True) -> View:
    """Return a server that was seen before the watch began."""
    return evolve(UNSEEN, status=PowerState(status), connected=connected)


def became(was: str, to: str) -> o.Occurrence:
    return o.Changed(PowerState(was), PowerState(to))


def found(to: str, was: str | None = None) -> o.Occurrence:
    return o.Found(None if was is None else PowerState(was), PowerState(to))


def said(line: str, game: GameLine | None = None) -> o.Occurrence:
    return o.Said(line, game)


def joined(player: str) -> o.Occurrence:
    return said(f"{player} joined the game", Joined(player))


def left(player: str) -> o.Occurrence:
    return said(f"{player} left the game", Left(player))


def chatted(player: str, text: str) -> o.Occurrence:
    return said(f"<{player}> {text}", Chatted(player, text))


def ready() -> o.Occurrence:
    return said("Done", Ready())


def saved() -> o.Occurrence:
    return said("Saved the game", Saved())


def uses(**numbers: Any) -> o.Occurrence:
    return o.Reported(Stats(**numbers))


def crashed(at: float, **known: Any) -> o.Occurrence:
    return o.Fell(o.Fall(at=at, **known))


class Watched:
    """A server called ``arena``, and one trigger that watches it.

    *forgets*: after each step the state is written down as JSON and read again.
    """

    def __init__(
        self,
        trigger: Trigger,
        *,
        view: View | None = None,
        at: float = 0.0,
        facts: ServerFacts | None = None,
        forgets: bool = False,
        awaited: bool = False,
    ) -> None:
        self.trigger = trigger
        self.view = view or (UNSEEN if facts is None else evolve(UNSEEN, facts=facts))
        self.state = new_watch(trigger) if view is None else new_watch(trigger, at, view)
        self.forgets = forgets
        self.awaited = awaited
        self.told: list[tuple[float, Firing]] = []
        # How often there was something to write down.
        self.written = 0

    # ------------------------------------------------------------ what happens

    def at(self, at: float, *happened: o.Occurrence) -> "Watched":
        """Let things happen, once what is due by then is told."""
        self.waits(at)
        for occurrence in happened:
            self._look(occurrence, at)
            if type(occurrence) in interests(self.trigger):
                self._take(at, lambda what=occurrence: self._fed(what, at))  # type: ignore[misc]
        return self.waits(at)

    def waits(self, until: float) -> "Watched":
        """Let time go by."""
        for _ in range(1000):
            wanted = next_at(self.trigger, self.state)
            if wanted is None or wanted > until:
                return self
            self._take(wanted, lambda at=wanted: self._due(at))  # type: ignore[misc]
        raise AssertionError("it wants to be asked again and again, and nothing comes of it")

    def flooded(self, at: float, occurrence: o.Occurrence) -> None:
        """Let something happen of which there is so much that nobody looks at each."""
        feed(self.trigger, self.state, occurrence, at, self.view)

    def sleeps(self, until: float, *, unlinks: bool = True) -> "Watched":
        """Let automate end, and begin again at *until*, with no connection yet."""
        self.state = _written_and_read(self.state)
        on_restored(self.trigger, self.state, until)
        return self.at(until, *([o.Unlinked()] if unlinks else []))

    # ------------------------------------------------------------ what came of it

    @property
    def fired(self) -> list[tuple[float, dict[str, str]]]:
        """When it fired, and with what."""
        return [(one.moment, dict(one.values)) for _, one in self.told]

    @property
    def moments(self) -> list[float]:
        """When what it told of happened."""
        return [one.moment for _, one in self.told]

    @property
    def told_at(self) -> list[float]:
        """When it was told."""
        return [at for at, _ in self.told]

    @property
    def wants(self) -> float | None:
        """When it wants to be asked again."""
        return next_at(self.trigger, self.state)

    # ------------------------------------------------------------ how

    def _fed(self, occurrence: o.Occurrence, at: float) -> list[Firing]:
        before, wanted = cattrs.unstructure(self.state), self.wants
        fired, changed = feed(
            self.trigger, self.state, occurrence, at, self.view, awaited=self.awaited
        )
        if not changed:
            # Whoever is told that nothing changed neither writes it down nor sets a timer.
            assert cattrs.unstructure(self.state) == before
            assert self.wants == wanted
        self.written += changed
        return list(fired)

    def _due(self, at: float) -> list[Firing]:
        fired, changed = due(self.trigger, self.state, at, self.view)
        # That it was told must not be forgotten.
        assert changed or not fired
        return list(fired)

    def _take(self, at: float, happens: Callable[[], list[Firing]]) -> None:
        self.told += [(at, one) for one in happens()]
        wanted = self.wants
        assert wanted is None or wanted >= at
        if self.forgets:
            self.state = _written_and_read(self.state)

    def _look(self, occurrence: o.Occurrence, at: float) -> None:
        match occurrence:
            case o.Changed(to=status) | o.Found(to=status):
                self.view = evolve(self.view, status=status)
            case o.Linked() | o.Unlinked():
                self.view = evolve(self.view, connected=isinstance(occurrence, o.Linked))
            case o.Said():
                self.view = evolve(self.view, last_line_at=at)
            case o.Reported(stats=stats):
                self.view = evolve(self.view, stats=stats)


def _written_and_read(state: WatchState) -> WatchState:
    written = json.dumps(cattrs.unstructure(state))
    return cattrs.structure(json.loads(written), WatchState)

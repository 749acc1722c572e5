"""Watches for what has to last: a status, a silence, a gap, a number beyond a level.

A hold goes on while it is seen. In a gap nobody knows what happens, so that it begins anew when
the server is seen again; a hold that automate itself interrupted goes on from its beginning, if
the first sight confirms it.
"""

from typing import Final

from automate.machine import occurrence as o
from automate.machine.matching import match_change
from automate.machine.view import View, measured, number_words
from automate.machine.watch_state import NOTHING, Firing, Told, WatchState
from automate.recipe.triggers import (
    Disconnected,
    ReadingAbove,
    ReadingBelow,
    Silent,
    StatusChanged,
    Stuck,
)
from automate.wire.messages import PowerState

__all__ = ["HOLDS", "Hold", "due", "feed", "on_restored", "start"]

Hold = StatusChanged | Stuck | Silent | Disconnected | ReadingAbove | ReadingBelow

HOLDS: Final[dict[type, frozenset[type]]] = {
    StatusChanged: frozenset({o.Changed, o.Found, o.Unlinked}),
    Stuck: frozenset({o.Changed, o.Found, o.Unlinked}),
    Silent: frozenset({o.Changed, o.Found, o.Unlinked}),
    Disconnected: frozenset({o.Linked, o.Unlinked}),
    ReadingAbove: frozenset({o.Reported, o.Changed, o.Found, o.Unlinked}),
    ReadingBelow: frozenset({o.Reported, o.Changed, o.Found, o.Unlinked}),
}
"""Each kind, and what it wants to be fed with."""

_CHANGED: Final[Told] = ((), True)


def start(trigger: Hold, state: WatchState, at: float, view: View | None) -> None:
    """Look at what holds already when the watch begins; without a *view* nothing was seen yet."""
    match trigger:
        case Stuck(states=states) if view and view.connected and view.status in states:
            _begin(state, at, trigger.for_seconds, status=view.status)
        case Silent() if view and view.connected and view.status is PowerState.RUNNING:
            _begin(state, at, trigger.for_seconds)
        case Disconnected() if view is None or not view.connected:
            _begin_gap(trigger, state, at)


def feed(
    trigger: Hold,
    state: WatchState,
    occurrence: o.Occurrence,
    at: float,
    view: View,
    *,
    awaited: bool,
) -> Told:
    """Return what fires at once; *awaited*: a change in a gap counts, of which the end is seen."""
    match trigger:
        case ReadingAbove() | ReadingBelow():
            return _feed_reading(trigger, state, occurrence, at, view)
        case Disconnected():
            return _feed_link(trigger, state, occurrence, at, view)
        case StatusChanged():
            return _feed_status(trigger, state, occurrence, at, awaited=awaited)
        case Stuck():
            return _feed_stuck(trigger, state, occurrence, at)
        case Silent():
            return _feed_silence(trigger, state, occurrence, at)


def due(trigger: Hold, state: WatchState, at: float, view: View) -> Told:
    """Return what fires now that the moment it waited for has come."""
    if state.until is None or at < state.until:
        return NOTHING
    match trigger:
        case Silent():
            return _silence_due(trigger, state, at, view)
        case StatusChanged() | Stuck():
            values = {"status": state.status}
        case ReadingAbove() | ReadingBelow():
            values = {"value": _value(trigger, view)}
        case Disconnected():
            values = {}
    return _tell(state, state.until, values)


def on_restored(trigger: Hold, state: WatchState, at: float) -> None:
    """Take in that automate was not there until *at*."""
    match trigger:
        case Silent():
            _end(state)
        case Disconnected():
            # A gap that was told of goes on, as far as anybody knows; else a new one begins,
            # for there is no connection yet.
            if not state.told:
                _begin_gap(trigger, state, at)
        case _ if state.since is not None and state.sight == "seen":
            state.sight, state.until = "down", None


# ---------------------------------------------------------------- what all of them do


def _begin(state: WatchState, at: float, seconds: float, *, status: str = "") -> Told:
    """Begin a hold; it will be told after *seconds*."""
    state.since, state.until, state.told = at, at + seconds, False
    state.sight, state.status = "seen", status
    return _CHANGED


def _end(state: WatchState) -> Told:
    if state.since is None:
        return NOTHING
    state.since = state.until = None
    state.told, state.sight, state.status = False, "seen", ""
    return _CHANGED


def _lose(state: WatchState) -> Told:
    """Wait for the next sight of what holds, for it can't be seen any more."""
    if state.since is None or state.sight != "seen":
        return NOTHING
    state.sight, state.until = "lost", None
    return _CHANGED


def _go_on(state: WatchState, since: float, at: float, seconds: float) -> Told:
    """Go on with a hold that is seen again."""
    state.since, state.sight = since, "seen"
    # What is over already is told now, and not in the past.
    state.until = None if state.told else max(since + seconds, at)
    return _CHANGED


def _tell(state: WatchState, moment: float, values: dict[str, str]) -> Told:
    state.told, state.until = True, None
    return ((Firing(moment, values),), True)


# ---------------------------------------------------------------- status


def _feed_status(
    trigger: StatusChanged, state: WatchState, what: o.Occurrence, at: float, *, awaited: bool
) -> Told:
    if isinstance(what, o.Unlinked):
        return _lose(state)
    if not isinstance(what, o.Changed | o.Found):
        return NOTHING
    values = _status_values(trigger, what, awaited=awaited)
    if not trigger.for_seconds:
        return NOTHING if values is None else ((Firing(at, values),), False)
    if what.to not in trigger.to:
        return _end(state)
    if state.since is None:
        return NOTHING if values is None else _begin(state, at, trigger.for_seconds, status=what.to)
    state.status = what.to.value
    if isinstance(what, o.Found):
        since = state.since if state.sight == "down" else at
        return _go_on(state, since, at, trigger.for_seconds)
    return _CHANGED


def _status_values(
    trigger: StatusChanged, what: o.Changed | o.Found, *, awaited: bool
) -> dict[str, str] | None:
    if isinstance(what, o.Changed):
        return match_change(trigger, what)
    if not awaited or what.was is None or what.was is what.to:
        return None
    return match_change(trigger, o.Changed(what.was, what.to))


def _feed_stuck(trigger: Stuck, state: WatchState, what: o.Occurrence, at: float) -> Told:
    if isinstance(what, o.Unlinked):
        return _lose(state)
    if not isinstance(what, o.Changed | o.Found):
        return NOTHING
    if what.to not in trigger.states:
        return _end(state)
    if isinstance(what, o.Found) and state.since is not None and state.status == what.to:
        # It did not come on meanwhile: it is likelier stuck still than stuck again.
        return _go_on(state, state.since, at, trigger.for_seconds)
    return _begin(state, at, trigger.for_seconds, status=what.to)


# ---------------------------------------------------------------- silence


def _feed_silence(trigger: Silent, state: WatchState, what: o.Occurrence, at: float) -> Told:
    match what:
        case o.Changed(to=PowerState.RUNNING) | o.Found(to=PowerState.RUNNING):
            return _begin(state, at, trigger.for_seconds)
        case o.Changed() | o.Found() | o.Unlinked():
            return _end(state)
        case _:
            return NOTHING


def _silence_due(trigger: Silent, state: WatchState, at: float, view: View) -> Told:
    """Look when the last line came, for lines are too many to be told of each."""
    assert state.since is not None
    if view.last_line_at is not None and view.last_line_at > state.since:
        state.since, state.told = view.last_line_at, False
    over_at = state.since + trigger.for_seconds
    if state.told or at < over_at:
        # Whenever a line ends the silence that was told, the next one is over after this.
        state.until = at + trigger.for_seconds if state.told else over_at
        return NOTHING
    state.told, state.until = True, at + trigger.for_seconds
    return ((Firing(over_at, {}),), True)


# ---------------------------------------------------------------- connection


def _begin_gap(trigger: Disconnected, state: WatchState, at: float) -> None:
    _begin(state, at, trigger.for_seconds)
    if not trigger.for_seconds:
        # Nothing was lost: automate only begins.
        state.told, state.until = True, None


def _feed_link(
    trigger: Disconnected, state: WatchState, what: o.Occurrence, at: float, view: View
) -> Told:
    match what:
        case o.Linked():
            return _end(state)
        # On a connection that stands only events are lost.
        case o.Unlinked() if state.since is None and not view.connected:
            _begin(state, at, trigger.for_seconds)
            return _CHANGED if trigger.for_seconds else _tell(state, at, {})
        case _:
            return NOTHING


# ---------------------------------------------------------------- readings


def _feed_reading(
    trigger: ReadingAbove | ReadingBelow,
    state: WatchState,
    what: o.Occurrence,
    at: float,
    view: View,
) -> Told:
    match what:
        case o.Reported(stats=stats):
            number = measured(trigger.reading, trigger.level, stats, view.facts)
            if number is None:
                return NOTHING
            is_up = PowerState.OFFLINE not in (view.status, stats.state)
            return _weigh(trigger, state, number, at, is_up=is_up)
        case o.Unlinked() if state.sight == "seen":
            return _let_go(state)
        case o.Changed(to=PowerState.OFFLINE) | o.Found(to=PowerState.OFFLINE):
            return _let_go(state)
        case _:
            return NOTHING


def _weigh(
    trigger: ReadingAbove | ReadingBelow,
    state: WatchState,
    number: float,
    at: float,
    *,
    is_up: bool,
) -> Told:
    level = trigger.level.number
    rearm_at = level if trigger.rearm_at is None else trigger.rearm_at
    sign = 1 if isinstance(trigger, ReadingAbove) else -1
    if sign * number < sign * level or not is_up:
        # What a server uses that is offline is nothing: no reason to act, but to be calm again.
        changed = _let_go(state)
        if state.told and sign * number < sign * rearm_at:
            state.told = False
            return _CHANGED
        return changed
    if state.since is not None and state.sight == "seen":
        return NOTHING
    if state.since is None:
        state.since = at
    state.sight = "seen"
    over_at = max(state.since + trigger.for_seconds, at)
    if not state.told and over_at <= at:
        return _tell(state, at, {"value": number_words(number)})
    state.until = None if state.told else over_at
    return _CHANGED


def _let_go(state: WatchState) -> Told:
    """End the hold, but remember whether it was told: only the reading itself can re-arm it."""
    if state.since is None:
        return NOTHING
    state.since = state.until = None
    state.sight = "seen"
    return _CHANGED


def _value(trigger: ReadingAbove | ReadingBelow, view: View) -> str:
    if view.stats is None:
        return ""
    number = measured(trigger.reading, trigger.level, view.stats, view.facts)
    return "" if number is None else number_words(number)

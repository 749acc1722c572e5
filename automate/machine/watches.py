"""Watches: one trigger of one recipe, watched for one server; when it fires, and with what.

Plain functions over a `WatchState`. Hand over moments first: call `due` while `next_at` is not
ahead, then `feed` what happened; a watch wants only the kinds that `interests` names. Schedules,
and what is asked for by hand, are the machine's own work. What a single thing that happens
means is `matching`; what has to last is in `watch_holds`, what comes together in `watch_groups`.
"""

from collections.abc import Mapping
from typing import Final

from automate.machine import occurrence as o
from automate.machine import watch_groups, watch_holds
from automate.machine.matching import match_line, match_occurrence
from automate.machine.view import View
from automate.machine.watch_holds import HOLDS, Hold
from automate.machine.watch_state import NOTHING, Firing, Told, WatchState
from automate.recipe import triggers as t
from automate.recipe.combinators import AnyOf, Combinator, NotFollowedBy, Trigger

__all__ = [
    "NOTHING",
    "Firing",
    "Told",
    "WatchState",
    "due",
    "feed",
    "interests",
    "new_watch",
    "next_at",
    "on_restored",
]

_INTERESTS: Final[Mapping[type, frozenset[type]]] = {
    **HOLDS,
    t.Crashed: frozenset({o.Fell}),
    t.FoundOffline: frozenset({o.Found}),
    t.Installed: frozenset({o.Installed}),
    t.Restored: frozenset({o.Restored}),
    t.Transferred: frozenset({o.Transferred}),
    t.Deleted: frozenset({o.Deleted}),
    t.FeatureMatched: frozenset({o.FeatureSeen}),
    t.ConsoleLine: frozenset({o.Said}),
    t.PlayerJoined: frozenset({o.Said}),
    t.PlayerLeft: frozenset({o.Said}),
    t.Chat: frozenset({o.Said}),
    t.GameReady: frozenset({o.Said}),
    t.GameSaved: frozenset({o.Said}),
    t.Connected: frozenset({o.Linked}),
    t.BackupCompleted: frozenset({o.BackupEnded}),
    t.BackupFailed: frozenset({o.BackupEnded}),
    t.Throttled: frozenset({o.Throttled}),
    t.DaemonError: frozenset({o.ErrorReported}),
    t.RecipeEnded: frozenset({o.RunEnded}),
    t.Every: frozenset(),
    t.At: frozenset(),
    t.Cron: frozenset(),
    t.Asked: frozenset(),
}


def interests(trigger: Trigger) -> frozenset[type]:
    """Return the classes of occurrences that a watch of *trigger* wants to be fed with."""
    if not isinstance(trigger, Combinator):
        return _INTERESTS[type(trigger)]
    wanted = frozenset().union(*map(interests, trigger.parts))
    if isinstance(trigger, NotFollowedBy) and watch_groups.needs_sight(trigger):
        wanted |= {o.Unlinked, o.Found}
    return wanted


def new_watch(trigger: Trigger, at: float = 0.0, view: View | None = None) -> WatchState:
    """Return the state of a watch that begins now, *at*.

    Of a server that is known already the *view* tells what holds from the beginning; what held
    before counts from *at*.
    """
    state = WatchState()
    if isinstance(trigger, Combinator):
        state.parts = [new_watch(part, at, view) for part in trigger.parts]
    elif isinstance(trigger, Hold):
        watch_holds.start(trigger, state, at, view)
    return state


def feed(
    trigger: Trigger,
    state: WatchState,
    occurrence: o.Occurrence,
    at: float,
    view: View,
    *,
    awaited: bool = False,
) -> Told:
    """Return what fires by *occurrence*, and whether anything changed that is to be kept.

    Only if that is so can `next_at` be another one. *view* is the server after the occurrence.
    *awaited*: somebody waits for it (`WaitUntil`), and a change of status in a gap counts too,
    of which only the end is seen.
    """
    # Lines come in floods: what watches them goes first.
    if isinstance(trigger, t.ConsoleLine):
        if not isinstance(occurrence, o.Said):
            return NOTHING
        values = match_line(trigger, occurrence.line)
        return NOTHING if values is None else ((Firing(at, values),), False)
    if isinstance(trigger, Combinator):
        return _feed_parts(trigger, state, occurrence, at, view, awaited=awaited)
    if isinstance(trigger, Hold):
        return watch_holds.feed(trigger, state, occurrence, at, view, awaited=awaited)
    values = match_occurrence(trigger, occurrence, view)
    if values is None:
        return NOTHING
    # A crash is told a second after it.
    moment = occurrence.fall.at if isinstance(occurrence, o.Fell) else at
    return (Firing(moment, values),), False


def due(trigger: Trigger, state: WatchState, at: float, view: View) -> Told:
    """Return what fires now that a moment it waited for has come, and whether anything changed.

    Whatever comes back, ask `next_at` anew.
    """
    if isinstance(trigger, Hold):
        return watch_holds.due(trigger, state, at, view)
    if not isinstance(trigger, Combinator):
        return NOTHING
    told = [due(part, inner, at, view) for part, inner in _parts(trigger, state)]
    return _together(trigger, state, told, at, is_due=True)


def next_at(trigger: Trigger, state: WatchState) -> float | None:
    """Return when the watch wants `due` to be called, if nothing happens before."""
    if not state.parts:
        return state.until
    moments = [state.until, *(next_at(part, inner) for part, inner in _parts(trigger, state))]
    return min((moment for moment in moments if moment is not None), default=None)


def on_restored(trigger: Trigger, state: WatchState, at: float) -> None:
    """Take in that *state* was read from the journal, and nothing was seen until now, *at*.

    What held is not assumed to hold on: the first sight of the server confirms it, and then it
    has held since its beginning, or it is dropped. A silence, and a gap that was not told of
    yet, begin anew.
    """
    if isinstance(trigger, Hold):
        watch_holds.on_restored(trigger, state, at)
    elif isinstance(trigger, Combinator):
        for part, inner in _parts(trigger, state):
            on_restored(part, inner, at)
        if isinstance(trigger, NotFollowedBy):
            watch_groups.see(trigger, state, at, is_seen=False)


# ---------------------------------------------------------------- combinators


def _parts(trigger: Trigger, state: WatchState) -> list[tuple[Trigger, WatchState]]:
    assert isinstance(trigger, Combinator)
    return list(zip(trigger.parts, state.parts, strict=True))


def _feed_parts(
    trigger: Combinator,
    state: WatchState,
    occurrence: o.Occurrence,
    at: float,
    view: View,
    *,
    awaited: bool,
) -> Told:
    told = []
    for place, (part, inner) in enumerate(_parts(trigger, state)):
        # Whoever knows only that the second happened in a gap can't say that it did not.
        waits = awaited or (isinstance(trigger, NotFollowedBy) and place == 1)
        told.append(feed(part, inner, occurrence, at, view, awaited=waits))
    after_gap = isinstance(occurrence, o.Found)
    fired, changed = _together(trigger, state, told, at, after_gap=after_gap)
    if isinstance(trigger, NotFollowedBy) and isinstance(occurrence, o.Found | o.Unlinked):
        changed |= watch_groups.see(trigger, state, at, is_seen=after_gap)
    return fired, changed


def _together(
    trigger: Combinator,
    state: WatchState,
    told: list[Told],
    at: float,
    *,
    after_gap: bool = False,
    is_due: bool = False,
) -> Told:
    """Return what fires of *trigger* now that its parts *told* this."""
    parts = [fired for fired, _ in told]
    parts_changed = any(changed for _, changed in told)
    if isinstance(trigger, AnyOf):
        # What means several of them is told once; moments that come together are not one thing.
        some = [fired for fired in parts if fired]
        fired = [one for part in some for one in part] if is_due else some[0] if some else ()
        return fired, parts_changed
    fired, changed = (
        watch_groups.take(trigger, state, parts, at, after_gap=after_gap) if any(parts) else NOTHING
    )
    if is_due and isinstance(trigger, NotFollowedBy):
        over, is_over = watch_groups.due(trigger, state, at)
        fired, changed = [*fired, *over], changed or is_over
    return fired, parts_changed or changed

"""Whether what happened is what a trigger means; the values it offers to texts if so.

Only what happens in one moment: what has to last, or to come together, is the watches' work.
"""

import re
from functools import lru_cache
from typing import Final

from automate.machine import occurrence as o
from automate.machine.view import View
from automate.recipe import triggers as t
from automate.wire import games
from automate.wire.messages import PowerState

__all__ = [
    "Values",
    "match_change",
    "match_fall",
    "match_game",
    "match_line",
    "match_occurrence",
]

Values = dict[str, str]

_UP: Final = (PowerState.RUNNING, PowerState.STARTING)


def match_occurrence(
    trigger: t.SingleTrigger, occurrence: o.Occurrence, view: View
) -> Values | None:
    """Return what *trigger* offers if *occurrence* is what it means; ``None`` if it is not."""
    match trigger, occurrence:
        case t.ConsoleLine(), o.Said(line=line):
            return match_line(trigger, line)
        case t.PlayerJoined() | t.PlayerLeft() | t.Chat() | t.GameReady() | t.GameSaved(), o.Said():
            return None if occurrence.game is None else match_game(trigger, occurrence.game)
        case t.StatusChanged(), o.Changed():
            return match_change(trigger, occurrence)
        case t.Crashed(), o.Fell():
            values = match_fall(trigger, occurrence)
            return None if values is None else {**values, "lines": view.last_lines()}
        case t.FoundOffline(), o.Found(was=was, to=PowerState.OFFLINE) if was in _UP:
            return {"reason": "was found offline after a lost connection"}
        case t.RecipeEnded(), o.RunEnded():
            return _match_run(trigger, occurrence)
        case _:
            return _match_daemon(trigger, occurrence)


def _match_daemon(trigger: t.SingleTrigger, occurrence: o.Occurrence) -> Values | None:
    match trigger, occurrence:
        case (
            (t.Connected(), o.Linked())
            | (t.Installed(), o.Installed())
            | (t.Restored(), o.Restored())
            | (t.Transferred(), o.Transferred())
            | (t.Deleted(), o.Deleted())
            | (t.BackupCompleted(), o.BackupEnded(is_successful=True))
            | (t.BackupFailed(), o.BackupEnded(is_successful=False))
        ):
            return {}
        case t.FeatureMatched(feature=feature), o.FeatureSeen(key=key, line=line):
            return {"feature": key, "line": line} if feature in (None, key) else None
        case t.Throttled(), o.Throttled(what=what):
            return {"what": what}
        case t.DaemonError(pattern=pattern), o.ErrorReported(text=text):
            groups = _groups(_compiled(pattern), text)
            return None if groups is None else {**groups, "error_text": text}
        case _:
            return None


@lru_cache(maxsize=1024)
def _compiled(pattern: str, flags: int = 0) -> re.Pattern[str]:
    return re.compile(pattern, flags)


def _groups(pattern: re.Pattern[str], text: str) -> Values | None:
    """Return the named groups, empty where one took no part; ``None`` if nothing is found."""
    found = pattern.search(text)
    return None if found is None else found.groupdict("")


def match_line(trigger: t.ConsoleLine, line: str) -> Values | None:
    """Return the named groups, and the line; ``None`` if *line* (cleaned) does not match."""
    groups = _groups(_compiled(trigger.pattern), line)
    return None if groups is None else {"line": line, **groups}


def match_game(trigger: t.GameTrigger, said: games.GameLine) -> Values | None:
    """Return what is offered of what the game *said*; ``None`` if it is something else."""
    match trigger, said:
        case (t.PlayerJoined(), games.Joined(player=player)) | (
            t.PlayerLeft(),
            games.Left(player=player),
        ):
            return {"player": player}
        case t.Chat(pattern=pattern), games.Chatted(player=player, text=text):
            groups = _groups(_compiled(pattern, re.IGNORECASE), text)
            # Who spoke is not for the words that were spoken to say.
            return None if groups is None else {**groups, "player": player, "text": text}
        case (t.GameReady(), games.Ready()) | (t.GameSaved(), games.Saved()):
            return {}
        case _:
            return None


def match_change(trigger: t.StatusChanged, change: o.Changed) -> Values | None:
    """Return the new status; ``None`` if *change* is another one."""
    if change.to not in trigger.to or (trigger.was and change.was not in trigger.was):
        return None
    return {"status": change.to.value}


def match_fall(trigger: t.Crashed, fell: o.Fell) -> Values | None:
    """Return what is known of the crash; ``None`` if it is not the kind that is meant."""
    fall = fell.fall
    if trigger.exit_codes is not None and fall.exit_code not in trigger.exit_codes:
        return None
    if trigger.out_of_memory is not None and bool(fall.out_of_memory) is not trigger.out_of_memory:
        return None
    if trigger.gave_up is not None and fall.gave_up is not trigger.gave_up:
        return None
    code = "unknown" if fall.exit_code is None else str(fall.exit_code)
    return {"reason": fall.reason, "exit_code": code}


def _match_run(trigger: t.RecipeEnded, ended: o.RunEnded) -> Values | None:
    if trigger.recipe != ended.recipe or trigger.outcome not in (None, ended.outcome):
        return None
    return {"outcome": ended.outcome, "error": ended.error}

"""What a recipe can wait for, as frozen values.

A trigger says what happened, in the past. When a schedule is due next is the schedules' work;
noticing that something happened is the machine's. Several triggers in one are `combinators`.
"""

import re
from typing import Any

from attrs import field, frozen

from automate.recipe import checks
from automate.recipe.conditions import power_states
from automate.recipe.readings import Level, level_of, reading
from automate.recipe.schedule import At, Cron, Every, Schedule
from automate.wire.messages import PowerState

__all__ = [
    "Asked",
    "At",
    "BackupCompleted",
    "BackupFailed",
    "Chat",
    "Connected",
    "ConsoleLine",
    "Crashed",
    "Cron",
    "DaemonError",
    "Deleted",
    "Disconnected",
    "Every",
    "FeatureMatched",
    "FoundOffline",
    "GameReady",
    "GameSaved",
    "GameTrigger",
    "Installed",
    "PlayerJoined",
    "PlayerLeft",
    "ReadingAbove",
    "ReadingBelow",
    "ReadingTrigger",
    "RecipeEnded",
    "Restored",
    "Schedule",
    "Silent",
    "SingleTrigger",
    "StatusChanged",
    "Stuck",
    "Throttled",
    "Transferred",
]


def _optional_states(value: Any) -> tuple[PowerState, ...] | None:
    return None if value is None else power_states(value)


def _codes(value: Any) -> tuple[int, ...] | None:
    return None if value is None else checks.tuple_of(int, "whole numbers (exit codes)", value)


class _Nameless:
    """A trigger that offers nothing of its own to texts."""

    __slots__ = ()

    @property
    def names(self) -> frozenset[str]:
        """The names it offers to texts."""
        return frozenset()


# ---------------------------------------------------------------- the server's life


@frozen(kw_only=True)
class Crashed:
    """The server fell from ``running`` or ``starting`` to ``offline`` unasked.

    Told one second after the fall, when the daemon has said what it knows; its moment is that
    of the fall. *exit_codes* narrows it to these codes, *out_of_memory* to crashes with (or
    without) that cause, *gave_up* to those after which the daemon said (or did not say) that it
    will not restart the server itself.
    Offers ``{reason}``, ``{exit_code}``, ``{attempt}`` and ``{lines}``, the last 50 lines of the
    console before the fall, to texts.
    """

    exit_codes: tuple[int, ...] | None = field(default=None, converter=_codes)
    out_of_memory: bool | None = field(default=None, validator=checks.optional_yes_or_no)
    gave_up: bool | None = field(default=None, validator=checks.optional_yes_or_no)

    @property
    def names(self) -> frozenset[str]:
        """The names it offers to texts."""
        return frozenset({"reason", "exit_code", "lines"})

    def __str__(self) -> str:
        said = "it crashed"
        if self.exit_codes:
            said += " with exit code " + " or ".join(map(str, self.exit_codes))
        if self.out_of_memory is not None:
            said += " out of memory" if self.out_of_memory else " with memory left"
        if self.gave_up is not None:
            said += (
                " and the daemon gives up" if self.gave_up else " and the daemon did not give up"
            )
        return said


@frozen
class FoundOffline:
    """After a lost connection the server is found offline; why, nobody saw.

    Before, it was ``running`` or ``starting``. Offers ``{reason}``.
    """

    @property
    def names(self) -> frozenset[str]:
        """The names it offers to texts."""
        return frozenset({"reason"})

    def __str__(self) -> str:
        return "it is found offline after a gap"


@frozen(kw_only=True)
class StatusChanged:
    """The status became *to* (one state or several), and was *was* before, if that is given.

    With *for_seconds* it is told only once the status has been among *to* for so long. Only a
    change that was seen counts, not one in a gap; after a gap within the time it counts anew
    from when the status is seen again. Offers ``{status}``.
    """

    to: tuple[PowerState, ...] = field(converter=power_states)
    was: tuple[PowerState, ...] | None = field(default=None, converter=_optional_states)
    for_seconds: float = field(default=0, validator=checks.seconds)

    @property
    def names(self) -> frozenset[str]:
        """The names it offers to texts."""
        return frozenset({"status"})

    def __str__(self) -> str:
        before = f" from {' or '.join(self.was)}" if self.was else ""
        held = f" and stays so for {checks.duration(self.for_seconds)}" if self.for_seconds else ""
        return f"the status becomes {' or '.join(self.to)}{before}{held}"


@frozen(kw_only=True)
class Stuck:
    """The server has been ``starting`` or ``stopping`` for longer than *for_seconds*.

    *states* are the states to look for, each for itself: from one to the other it counts anew.
    Told once each time. A server that is found as it was after a gap was so all the time.
    Offers ``{status}``.
    """

    for_seconds: float = field(default=600, validator=checks.above_zero)
    states: tuple[PowerState, ...] = field(
        default=(PowerState.STARTING, PowerState.STOPPING), converter=power_states
    )

    @property
    def names(self) -> frozenset[str]:
        """The names it offers to texts."""
        return frozenset({"status"})

    def __str__(self) -> str:
        return f"it is stuck {' or '.join(self.states)} for {checks.duration(self.for_seconds)}"


@frozen
class Installed(_Nameless):
    """The server's installation (or reinstallation) was completed."""

    def __str__(self) -> str:
        return "it was installed"


@frozen
class Restored(_Nameless):
    """A backup was restored."""

    def __str__(self) -> str:
        return "a backup was restored"


@frozen
class Transferred(_Nameless):
    """The server was moved to another node, successfully."""

    def __str__(self) -> str:
        return "it was transferred to another node"


@frozen
class Deleted(_Nameless):
    """The server was deleted from its node: only notices and calls still make sense."""

    def __str__(self) -> str:
        return "it was deleted"


@frozen(kw_only=True)
class FeatureMatched:
    """The daemon recognised one of the egg's features in the console (Pelican only).

    *feature* is its key, such as ``eula``; ``None`` is any. Offers ``{feature}`` and ``{line}``.
    """

    feature: str | None = field(default=None, validator=checks.optional_text)

    @property
    def names(self) -> frozenset[str]:
        """The names it offers to texts."""
        return frozenset({"feature", "line"})

    def __str__(self) -> str:
        which = "a feature" if self.feature is None else f"the feature {self.feature!r}"
        return f"the daemon recognises {which} in the console"


# ---------------------------------------------------------------- the console and the game


@frozen
class ConsoleLine:
    """The game's console said a line in which *pattern* (a regular expression) is found.

    Lines come without colours and terminal escapes; the daemon's own lines don't count, but
    commands do, for the terminal echoes them. Anchor the pattern (``^…$``), or a player's chat
    can imitate it. Named groups, and ``{line}``, are offered to texts.
    """

    pattern: str = field(validator=checks.pattern)

    @property
    def names(self) -> frozenset[str]:
        """The names it offers to texts."""
        return frozenset({"line", *re.compile(self.pattern).groupindex})

    def __str__(self) -> str:
        return f"the console says /{self.pattern}/"


@frozen(kw_only=True)
class Silent(_Nameless):
    """The running server's console has said nothing for *for_seconds*; told once a silence.

    A silence begins with the last line, or later: when the server became ``running``, or was
    seen to run after a gap.
    """

    for_seconds: float = field(validator=checks.above_zero)

    def __str__(self) -> str:
        return f"it runs, but says nothing for {checks.duration(self.for_seconds)}"


@frozen
class PlayerJoined:
    """A player joined, as the game's console says it. Offers ``{player}``."""

    @property
    def names(self) -> frozenset[str]:
        """The names it offers to texts."""
        return frozenset({"player"})

    def __str__(self) -> str:
        return "a player joins"


@frozen
class PlayerLeft:
    """A player left, as the game's console says it. Offers ``{player}``."""

    @property
    def names(self) -> frozenset[str]:
        """The names it offers to texts."""
        return frozenset({"player"})

    def __str__(self) -> str:
        return "a player leaves"


@frozen
class Chat:
    """A player said something in which *pattern* (a regular expression) is found.

    Capitals and small letters are alike. It is looked for only in the player's own words, not
    in the line around them.
    Offers ``{player}``, ``{text}`` (what was said) and the pattern's named groups.
    """

    pattern: str = field(default="", validator=checks.any_pattern)

    @property
    def names(self) -> frozenset[str]:
        """The names it offers to texts."""
        return frozenset({"player", "text", *re.compile(self.pattern).groupindex})

    def __str__(self) -> str:
        return f"a player says /{self.pattern}/" if self.pattern else "a player says something"


@frozen
class GameReady(_Nameless):
    """The game said that it is ready for players."""

    def __str__(self) -> str:
        return "the game says that it is ready"


@frozen
class GameSaved(_Nameless):
    """The game said that it saved its world."""

    def __str__(self) -> str:
        return "the game says that it saved"


# ---------------------------------------------------------------- readings


@frozen
class _Reading:
    """What triggers on readings have in common: the reading, its level, how long it lasts."""

    reading: str = field(validator=reading)
    number: float | None = field(default=None, validator=checks.optional_number, kw_only=True)
    percent_of_limit: float | None = field(
        default=None, validator=checks.optional_number, kw_only=True
    )
    for_seconds: float = field(default=0, validator=checks.seconds, kw_only=True)
    rearm_at: float | None = field(default=None, validator=checks.optional_number, kw_only=True)

    @property
    def level(self) -> Level:
        """What the reading is held against."""
        return level_of(self, self.reading, self.number, self.percent_of_limit)

    @property
    def names(self) -> frozenset[str]:
        """The names it offers to texts."""
        return frozenset({"value"})

    def _words(self, beyond: str) -> str:
        level = self.level.of(self.reading)
        return f"{self.reading} is at {level} or {beyond}{_held(self.for_seconds)}"


@frozen
class ReadingAbove(_Reading):
    """A number of the statistics is at or above a level, and has been so for *for_seconds*.

    *reading* is ``memory_bytes``, ``disk_bytes``, ``cpu_percent`` (100 is one core) or
    ``uptime_seconds``; the level is either *number*, in that unit, or *percent_of_limit*. It is
    told once, and again only after the reading was below *rearm_at* (the level itself if not
    given), which is in the same measure as the level. Offers ``{value}``, in that measure, too.
    The limit of the memory is the container's, which lies a little above the panel's.
    What lasts ends when the server goes offline, and counts anew after a gap.
    """

    def __attrs_post_init__(self) -> None:
        level = self.level
        if self.rearm_at is not None and self.rearm_at > level.number:
            raise checks.wrong(
                self, f"rearm_at: expected at most {level.number:g}, found {self.rearm_at:g}"
            )

    def __str__(self) -> str:
        return self._words("more")


@frozen
class ReadingBelow(_Reading):
    """A number of the statistics is at or below a level; otherwise as `ReadingAbove`.

    It is armed again once the reading was above *rearm_at*. A server that is offline uses
    nothing, but that does not count.
    """

    def __attrs_post_init__(self) -> None:
        level = self.level
        if self.rearm_at is not None and self.rearm_at < level.number:
            raise checks.wrong(
                self, f"rearm_at: expected at least {level.number:g}, found {self.rearm_at:g}"
            )

    def __str__(self) -> str:
        return self._words("less")


def _held(seconds: float) -> str:
    return f" for {checks.duration(seconds)}" if seconds else ""


# ---------------------------------------------------------------- connection, daemon, panel


@frozen
class Connected(_Nameless):
    """The server can be reached: at first, and again after each lost connection."""

    def __str__(self) -> str:
        return "automate is connected"


@frozen(kw_only=True)
class Disconnected(_Nameless):
    """The server could not be reached for *for_seconds*; told once a gap.

    That also counts from the beginning, before it could ever be reached; but with zero seconds
    only a connection that was lost is told of.
    """

    for_seconds: float = field(default=60, validator=checks.seconds)

    def __str__(self) -> str:
        return f"automate is not connected for {checks.duration(self.for_seconds)}"


@frozen
class BackupCompleted(_Nameless):
    """A backup, whoever made it, is complete."""

    def __str__(self) -> str:
        return "a backup is complete"


@frozen
class BackupFailed(_Nameless):
    """A backup, whoever wanted it, failed."""

    def __str__(self) -> str:
        return "a backup failed"


@frozen
class Throttled:
    """The daemon dropped something that automate sent, or the game's output, as too much.

    Offers ``{what}``.
    """

    @property
    def names(self) -> frozenset[str]:
        """The names it offers to texts."""
        return frozenset({"what"})

    def __str__(self) -> str:
        return "the daemon throttles"


@frozen
class DaemonError:
    """The daemon reported an error in which *pattern* is found (any by default).

    Offers ``{error_text}`` and the pattern's named groups.
    """

    pattern: str = field(default="", validator=checks.any_pattern)

    @property
    def names(self) -> frozenset[str]:
        """The names it offers to texts."""
        return frozenset({"error_text", *re.compile(self.pattern).groupindex})

    def __str__(self) -> str:
        found = f" with /{self.pattern}/" if self.pattern else ""
        return f"the daemon reports an error{found}"


# ---------------------------------------------------------------- people and recipes


@frozen
class RecipeEnded:
    """A run of the recipe called *recipe* ended for this server.

    *outcome* narrows it to ``done`` or ``failed``. Offers ``{outcome}`` and ``{error}`` (empty
    if it was done).
    """

    recipe: str = field(validator=checks.some_text)
    outcome: str | None = field(default=None, kw_only=True)

    @outcome.validator
    def _check_outcome(self, attribute: Any, value: Any) -> None:
        if value is not None:
            checks.one_of(self, attribute, value, ("done", "failed"))

    @property
    def names(self) -> frozenset[str]:
        """The names it offers to texts."""
        return frozenset({"outcome", "error"})

    def __str__(self) -> str:
        how = {None: "ended", "done": "is done", "failed": "failed"}[self.outcome]
        return f"the recipe {self.recipe!r} {how}"


@frozen
class Asked(_Nameless):
    """Somebody asks for the recipe by name. Any recipe can be asked; this one only waits."""

    def __str__(self) -> str:
        return "it is asked for"


GameTrigger = PlayerJoined | PlayerLeft | Chat | GameReady | GameSaved
ReadingTrigger = ReadingAbove | ReadingBelow
SingleTrigger = (
    Crashed
    | FoundOffline
    | StatusChanged
    | Stuck
    | Installed
    | Restored
    | Transferred
    | Deleted
    | FeatureMatched
    | ConsoleLine
    | Silent
    | GameTrigger
    | ReadingTrigger
    | Connected
    | Disconnected
    | BackupCompleted
    | BackupFailed
    | Throttled
    | DaemonError
    | RecipeEnded
    | Schedule
    | Asked
)

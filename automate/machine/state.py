"""Everything the recipes' machine remembers, as plain values that can be written down."""

from attrs import Factory, define

from automate.machine.watch_state import WatchState
from automate.machine.world import World

__all__ = [
    "LimitBook",
    "Pending",
    "RecipeBook",
    "Run",
    "ServerBook",
    "State",
    "Tried",
    "Waiting",
]


@define(kw_only=True)
class Waiting:
    """What a run's step waits for, and until when."""

    since: float
    until: float | None = None
    # When a pause was meant to end, where that is told later: the next one counts from it.
    meant_at: float | None = None
    # When the step looks again by itself: to ask once more, or to poll.
    again: float | None = None
    asked: int = 0
    # When that was last.
    asked_at: float | None = None
    # Whether the server was seen away from the wanted status since it was asked.
    left: bool = False
    call: int | None = None
    uuid: str | None = None
    # How far a step of several calls has come, and what it still has to delete.
    phase: str = ""
    rest: list[str] = Factory(list)
    # The trigger that is waited for.
    watch: WatchState | None = None
    # What the console had said last when that began: another automate finds its place by it.
    console: list[str] = Factory(list)
    # The run that is waited for.
    child: int | None = None
    # The runs that are not over of what is done side by side, and what went wrong already.
    branches: list[int] = Factory(list)
    error: str | None = None


@define(kw_only=True)
class Tried:
    """Something that may be tried again: how often it was, and how the run stood before it."""

    retries: int = 0
    until: float | None = None
    # Whether its time is over.
    is_late: bool = False
    error: str | None = None
    broken_at: int | None = None
    needless: str | None = None


@define(kw_only=True)
class Run:
    """One run of a recipe for a server."""

    id: int
    # Where it acts; `home` is where it was set off.
    server: str
    home: str
    recipe: str
    # Which version of the recipe it goes through.
    version: int
    # The run that is told of; itself, but for what is done side by side within one.
    root: int
    parent: int | None = None
    # The run that waits for this one, by a step of its own.
    caller: int | None = None
    # The moment up to which the run has come; pauses count from it, not from when it was told.
    cursor: float
    position: int = 0
    error: str | None = None
    # Where the last step was that failed or left nothing to do.
    broken_at: int | None = None
    # Why the run ends early although nothing failed.
    needless: str | None = None
    # Why the run is cut short: only what puts something right, or tells of it, is still done.
    cut: str | None = None
    # Whether that is because another run takes its place, which is nothing to tell of.
    replaced: bool = False
    values: dict[str, str] = Factory(dict)
    waiting: Waiting | None = None
    # By the place in the program: rounds of a repetition, and what is tried.
    rounds: dict[int, int] = Factory(dict)
    tries: dict[int, Tried] = Factory(dict)


@define
class LimitBook:
    """What one limit remembers: when the recipe was set off, for each value it is counted by."""

    triggered: dict[str, list[float]] = Factory(dict)
    gave_up: list[str] = Factory(list)


@define
class Pending:
    """A trigger whose run waits its turn."""

    moment: float
    values: dict[str, str]
    reason: str = ""
    escalation: int | None = None
    # Whose wish it is, if somebody waits for what becomes of it.
    ticket: str = ""
    # The run that waits for it, by a step of its own.
    caller: int | None = None


@define
class RecipeBook:
    """What is remembered of one recipe for one server."""

    limits: list[LimitBook] = Factory(list)
    attempts: int = 0
    last_attempt: float | None = None
    # When the last run began.
    last_began: float | None = None
    # By trigger: when a schedule is due next, with and without its jitter; None for others.
    due: list[float | None] = Factory(list)
    bases: list[float | None] = Factory(list)
    watches: list[WatchState] = Factory(list)
    queue: list[Pending] = Factory(list)


@define
class ServerBook:
    """What is remembered of one server."""

    world: World = Factory(World)
    connected: bool = False
    recipes: dict[str, RecipeBook] = Factory(dict)
    variables: dict[str, str] = Factory(dict)
    # Which game's table its console is read by, once that is known.
    game: str | None = None
    # Who is online, by name; where only their number is known, `online` has it alone.
    players: list[str] | None = None
    online: int | None = None
    # What the console had said last before a fall that is still to be told.
    fallen: list[str] = Factory(list)


@define
class State:
    """All of it, by server."""

    servers: dict[str, ServerBook] = Factory(dict)
    # A checksum of each recipe: a run goes on in the version that it began in.
    recipes: dict[str, int] = Factory(dict)
    runs: dict[int, Run] = Factory(dict)
    last_run: int = 0
    last_call: int = 0

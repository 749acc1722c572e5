"""Everything the recipes' machine remembers, as plain values that can be written down."""

from attrs import Factory, define

from automate.machine.world import World

__all__ = ["OldLines", "RecipeBook", "Run", "ServerBook", "State", "Waiting"]


@define(kw_only=True)
class Waiting:
    """What a run's step waits for, and until when."""

    since: float
    until: float | None = None
    # When the step looks again by itself: to ask once more, or to poll.
    again: float | None = None
    asked: int = 0
    # Whether the server was seen away from the wanted status since it was asked.
    left: bool = False
    call: int | None = None
    uuid: str | None = None


@define(kw_only=True)
class Run:
    """One run of a recipe for a server."""

    id: int
    server: str
    recipe: str
    escalating: bool = False
    # The moment up to which the run has come; pauses count from it, not from when it was told.
    cursor: float
    position: int = 0
    error: str | None = None
    # Where the last step was that failed or left nothing to do.
    broken_at: int | None = None
    # Why the run ends early although nothing failed.
    needless: str | None = None
    values: dict[str, str] = Factory(dict)
    waiting: Waiting | None = None


@define
class RecipeBook:
    """What is remembered of one recipe for one server."""

    # The moments at which it was triggered, as far as its limit looks back.
    triggered: list[float] = Factory(list)
    gave_up: bool = False
    attempts: int = 0
    last_attempt: float | None = None
    # When each of its triggers is due next; None for those that are no schedule.
    due: list[float | None] = Factory(list)


@define
class OldLines:
    """Console lines that may be coming although they were said before: an answer to `SendLogs`."""

    left: int
    until: float


@define
class ServerBook:
    """What is remembered of one server."""

    world: World = Factory(World)
    connected: bool = False
    old_lines: OldLines | None = None
    recipes: dict[str, RecipeBook] = Factory(dict)


@define
class State:
    """All of it, by server."""

    servers: dict[str, ServerBook] = Factory(dict)
    # A checksum of each recipe: a run can't go on in one that was changed meanwhile.
    recipes: dict[str, int] = Factory(dict)
    runs: dict[int, Run] = Factory(dict)
    last_run: int = 0
    last_call: int = 0

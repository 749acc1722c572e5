"""What a game's console line says, whichever game it is: frozen values."""

from attrs import frozen

__all__ = ["Chatted", "GameLine", "Joined", "Left", "Online", "Ready", "Saved"]


@frozen
class Ready:
    """The game is ready for players."""


@frozen
class Joined:
    """*player* is in the game; some games say so again when somebody respawns."""

    player: str


@frozen
class Left:
    """*player* is no longer in the game."""

    player: str


@frozen
class Chatted:
    """*player* said *text* to everybody."""

    player: str
    text: str


@frozen
class Saved:
    """The world was saved; it is not only being saved."""


@frozen
class Online:
    """So many players are in the game; *players* are their names, ``None`` where not told."""

    players: tuple[str, ...] | None
    count: int


GameLine = Ready | Joined | Left | Chatted | Saved | Online

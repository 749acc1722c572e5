"""What a game's console tells of the game: which it is, and who is online."""

from automate.machine.occurrence import Said
from automate.machine.state import ServerBook
from automate.recipe.selectors import ServerFacts
from automate.wire.games import (
    GAMES,
    Game,
    GameLine,
    Joined,
    Left,
    Online,
    Ready,
    read,
    recognise,
)
from automate.wire.games.game import joined, online
from automate.wire.messages import PowerState

__all__ = [
    "forget_players",
    "game_of",
    "nobody_online",
    "players_known",
    "read_line",
    "tells_players",
]


def read_line(line: str, book: ServerBook, facts: ServerFacts) -> Said:
    """Return what *line* (cleaned) says, and take in what it tells of the game."""
    game = game_of(book, facts)
    # What starts says what it is: another game than before, perhaps.
    if facts.game is None and (game is None or book.world.status is PowerState.STARTING):
        game = recognise(line) or game
    if game is None:
        return Said(line)
    book.game = game.name
    told = read(game, line)
    if told is not None:
        _count(told, book)
    return Said(line, told)


def game_of(book: ServerBook, facts: ServerFacts) -> Game | None:
    """Return whose console it is: what somebody chose, or what was recognised."""
    # The name may have been written down by another version, which knew other games.
    return GAMES.get(facts.game or book.game or "")


def players_known(book: ServerBook) -> tuple[frozenset[str] | None, int | None]:
    """Return who is online, and how many; ``None`` where it is not known."""
    if book.world.status is PowerState.OFFLINE and not book.world.gap:
        return frozenset(), 0
    game = GAMES.get(book.game or "")
    if game is None or not tells_players(game):
        return None, None
    players = None if book.players is None else frozenset(book.players)
    return players, book.online if players is None else len(players)


def tells_players(game: Game) -> bool:
    """Return whether *game* says who comes and goes, or how many there are."""
    return any(form.make in (joined, online) for form in game.forms)


def nobody_online(book: ServerBook) -> None:
    """Note that the game begins anew: nobody can be online."""
    book.players, book.online = [], 0


def forget_players(book: ServerBook) -> None:
    """Note that who comes and goes is not seen for now."""
    book.players = book.online = None


def _count(told: GameLine, book: ServerBook) -> None:
    match told:
        case Ready():
            nobody_online(book)
        case Joined(player=player) if book.players is not None and player not in book.players:
            book.players.append(player)
        case Left(player=player) if book.players is not None and player in book.players:
            book.players.remove(player)
        case Joined() if GAMES[book.game or "generic"].repeats_joins:
            pass  # who comes back to life is told of like who comes
        case Joined() | Left() if book.players is None and book.online is not None:
            book.online = max(0, book.online + (1 if isinstance(told, Joined) else -1))
        case Online(players=players, count=count):
            book.players = None if players is None else list(players)
            book.online = count
        case _:
            pass

"""One game: how it is spoken to, and what its console lines say.

A game is a table. Its `Form` says how a line looks, as a whole, and what is made of it; the
modules beside this one hold the tables, with the source of each fact.

All that players can write stands in lines that the game begins itself, so a form always begins
where the line does, or after a log prefix that is nailed down; nothing is looked for inside a
line. Where a line can be read in two ways, because a name may hold what follows names, it is
read as nothing.
"""

import re
from collections.abc import Callable
from typing import Final

from attrs import frozen

from automate.wire.games.lines import Chatted, GameLine, Joined, Left, Online, Ready, Saved

__all__ = [
    "NO_PREFIX",
    "Form",
    "Game",
    "announcement",
    "chatted",
    "joined",
    "left",
    "online",
    "read",
    "ready",
    "saved",
    "unambiguous_chat",
]

Maker = Callable[[re.Match[str]], GameLine | None]
NO_PREFIX: Final = re.compile("")


@frozen(init=False)
class Form:
    """A line that is *pattern*, as a whole, says what *make* makes of the match."""

    pattern: re.Pattern[str]
    make: Maker

    def __init__(self, pattern: str, make: Maker) -> None:
        self.__attrs_init__(re.compile(pattern), make)


@frozen(kw_only=True)
class Game:
    """How one game is spoken to, and what it says."""

    name: str
    # The command that says {text} to all players; None where the console takes no commands.
    say: str | None
    # What {text} must not hold there, and what takes its place.
    say_instead: tuple[tuple[str, str], ...] = ()
    # The command that is answered by an `Online`.
    players_command: str | None = None
    # Whether `Joined` is said again of somebody who is in already (after each death): then
    # names can be counted, but not how often it is said.
    repeats_joins: bool = False
    # A line that neither ends with one of `endings` nor holds one of `pieces` is of no
    # interest: most lines, and that is all that they cost.
    endings: tuple[str, ...] = ()
    pieces: tuple[str, ...] = ()
    prefix: re.Pattern[str] = NO_PREFIX
    forms: tuple[Form, ...] = ()
    # Lines of its start, after the prefix, that no other game prints.
    starts: tuple[re.Pattern[str], ...] = ()


def read(game: Game, line: str) -> GameLine | None:
    """Return what *line* (clean, see `automate.wire.console.clean`) says; ``None`` if nothing."""
    if not line.endswith(game.endings):
        for piece in game.pieces:
            if piece in line:
                break
        else:
            return None
    # A carriage return in a chat can become a newline (`clean`): one line, but two to look at.
    if "\n" in line or (prefix := game.prefix.match(line)) is None:
        return None
    begin = prefix.end()
    for form in game.forms:
        if found := form.pattern.fullmatch(line, begin):
            return form.make(found)
    return None


def announcement(game: Game, text: str) -> str | None:
    """Return the command that says *text* in *game*; ``None`` where no command can."""
    if game.say is None:
        return None
    for unwanted, instead in game.say_instead:
        text = text.replace(unwanted, instead)
    return game.say.replace("{text}", text)


# ---------------------------------------------------------------- what is made of a match


def ready(_match: re.Match[str]) -> Ready:
    """Return that it is ready."""
    return Ready()


def saved(_match: re.Match[str]) -> Saved:
    """Return that it saved."""
    return Saved()


def joined(match: re.Match[str]) -> Joined:
    """Return who joined."""
    return Joined(match["player"])


def left(match: re.Match[str]) -> Left:
    """Return who left."""
    return Left(match["player"])


def chatted(match: re.Match[str]) -> Chatted:
    """Return who said what."""
    return Chatted(match["player"], match["text"])


def online(match: re.Match[str]) -> Online:
    """Return how many are online; the names are not told."""
    return Online(None, int(match["count"]))


def unambiguous_chat(separator: str, is_name: Callable[[str], bool]) -> Maker:
    """Return what makes a chat of ``name``, *separator* and what was said (group ``said``).

    For games whose names may hold the separator: a player called ``Ada: stop`` must not pass
    for Ada. Where more than one beginning could be a name, nobody knows who spoke.
    """

    def make(match: re.Match[str]) -> Chatted | None:
        said = match["said"]
        found: Chatted | None = None
        place = said.find(separator)
        while place >= 0 and is_name(said[:place]):
            if found is not None:
                return None
            found = Chatted(said[:place], said[place + len(separator) :])
            place = said.find(separator, place + 1)
        return found

    return make

"""Who listens to what: which recipes have to be shown an occurrence, or a line of a console.

Lines come in floods, and most of them concern nobody: an index says which of a thousand
patterns could match at all.
"""

from collections.abc import Iterable, Iterator, Sequence

from automate.machine.lines import LineIndex
from automate.machine.occurrence import Said
from automate.machine.state import RecipeBook
from automate.machine.watch_state import WatchState
from automate.machine.watches import interests
from automate.recipe.combinators import Trigger, leaves
from automate.recipe.conditions import And, Condition, Not, Or, PlayersOnline
from automate.recipe.flow import Choose, Repeat, WaitUntil, flat
from automate.recipe.recipe import Recipe
from automate.recipe.steps import Announce, Countdown, CountPlayers, Wait
from automate.recipe.triggers import ConsoleLine, GameTrigger

__all__ = ["Listening"]


class Listening:
    """Which of *recipes*, by name and in their order, are to be shown what."""

    def __init__(self, recipes: Sequence[Recipe]) -> None:
        self._interests = {
            recipe.name: [interests(trigger) for trigger in recipe.when] for recipe in recipes
        }
        self._by_kind: dict[type, list[str]] = {}
        for name, several in self._interests.items():
            for kind in frozenset().union(*several):
                self._by_kind.setdefault(kind, []).append(name)
        self._ranks = {recipe.name: rank for rank, recipe in enumerate(recipes)}
        patterns: list[str] = []
        self._owners: list[str] = []
        for recipe in recipes:
            for pattern in _patterns(recipe):
                patterns.append(pattern)
                self._owners.append(recipe.name)
        self._index = LineIndex(patterns) if patterns else None
        self._players = [recipe.name for recipe in recipes if _has_game_trigger(recipe)]
        self.reads_games = any(map(_reads_games, recipes))
        self.hears_lines = self._index is not None or self.reads_games

    def to(self, kind: type) -> list[str]:
        """Return the recipes that want to be shown occurrences of this *kind*."""
        return self._by_kind.get(kind, _NOBODY)

    def to_line(self, said: Said) -> Sequence[str]:
        """Return the recipes that a line of a console may concern."""
        found = () if self._index is None else self._index.candidates(said.line)
        if said.game is None:
            if not found:
                return _NOBODY
            return list(dict.fromkeys(self._owners[place] for place in found))
        names = {*self._players, *(self._owners[place] for place in found)}
        return sorted(names, key=self._ranks.__getitem__)

    def triggers(
        self, recipe: Recipe, book: RecipeBook
    ) -> Iterator[tuple[Trigger, WatchState, frozenset[type]]]:
        """Yield the recipe's triggers with what is remembered of each, and what interests it."""
        return zip(recipe.when, book.watches, self._interests[recipe.name], strict=True)


_NOBODY: list[str] = []


def _patterns(recipe: Recipe) -> Iterator[str]:
    for trigger in recipe.when:
        for leaf in leaves(trigger):
            if isinstance(leaf, ConsoleLine):
                yield leaf.pattern


def _has_game_trigger(recipe: Recipe) -> bool:
    return any(isinstance(leaf, GameTrigger) for one in recipe.when for leaf in leaves(one))


def _reads_games(recipe: Recipe) -> bool:
    """Return whether *recipe* wants to know what the game's console tells of the game."""
    if _has_game_trigger(recipe) or _asks_for_players([recipe.only_if]):
        return True
    for step in flat(recipe.all_steps):
        match step:
            case CountPlayers() | Countdown(command=None) | Announce(command=None):
                return True
            case WaitUntil(trigger=trigger) if any(
                isinstance(leaf, GameTrigger) for leaf in leaves(trigger)
            ):
                return True
            case Wait(unless=one) | Repeat(until=one) if _asks_for_players([one]):
                return True
            case Choose(ways=ways) if _asks_for_players(way.condition for way in ways):
                return True
    return False


def _asks_for_players(conditions: Iterable[Condition | None]) -> bool:
    for one in conditions:
        match one:
            case PlayersOnline():
                return True
            case And(conditions=several) | Or(conditions=several) if _asks_for_players(several):
                return True
            case Not(negated=negated) if _asks_for_players([negated]):
                return True
    return False

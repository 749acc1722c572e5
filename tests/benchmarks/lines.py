"""What a thousand console recipes cost on lines that interest none of them, beside one.

Run by `make bench`. Nothing here is a test: a busy machine is no mistake of ours. What was asked
for is that a thousand cost at most three times what one costs.
"""

import re
import statistics
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime

from automate import ConsoleLine, Notify, Recipe
from automate.machine.lines import LineIndex
from automate.machine.recipes import RecipeMachine
from automate.wire.codec import decode_server, encode_server
from automate.wire.console import clean
from automate.wire.games import GAMES, Game, read
from automate.wire.messages import ConsoleOutput

MANY = 1000
ASKED = 3.0

# What an evening's console looks like; every pattern below has something in common with it.
LINES = [
    "[12:00:00] [Server thread/WARN]: Can't keep up! Is the server overloaded? 20 ms behind",
    "[12:00:01] [Server thread/INFO]: Ada joined the game",
    "[12:00:02] [Server thread/INFO]: <Ada> is anybody there who has some iron?",
    "[12:00:03 INFO]: Ada issued server command: /home",
    "[12:00:04] [Server thread/INFO]: Ada was slain by Zombie",
    "\x1b[32m[12:00:05 INFO]: \x1b[33m[Essentials] Teleporting\x1b[0m",
    "   3.491 Info HttpSharedState.cpp:54: Downloading https://auth.example.com/padlock",
    "\tat net.arena.World.tick(World.java:118)",
]
FRAMES = [encode_server(ConsoleOutput(line)) for line in LINES * 125]


def orders(count: int) -> list[str]:
    """Return patterns of commands in the chat."""
    return [rf"^\[.*INFO\]: <(?P<player>\w+)> !order{number}\b" for number in range(count)]


def names(count: int) -> list[str]:
    """Return patterns of players who join, all alike at their end."""
    return [rf"INFO\]: (?i:Guest{number}) joined the game$" for number in range(count)]


def errors(count: int) -> list[str]:
    """Return patterns of alternatives, in any case."""
    return [rf"(?i)(error|failure) 0x{number:04x}: (?P<text>.*)" for number in range(count)]


def short(count: int) -> list[str]:
    """Return patterns with hardly any text in them."""
    return [rf"\bq{number:03}\b" for number in range(count)]


def microseconds(work: Callable[[str], object]) -> float:
    """Return the median time that *work* takes for one of `FRAMES`."""
    taken = []
    for _ in range(15):
        start = time.perf_counter()
        for frame in FRAMES:
            work(frame)
        taken.append(time.perf_counter() - start)
    return statistics.median(taken) / len(FRAMES) * 1e6


def indexed(patterns: Sequence[str]) -> Callable[[str], object]:
    """Return the way of a frame as far as the index, with decoding and cleaning."""
    index = LineIndex(patterns)

    def work(frame: str) -> object:
        message = decode_server(frame)
        assert isinstance(message, ConsoleOutput)
        return index.candidates(clean(message.line))

    return work


def searched(patterns: Sequence[str]) -> Callable[[str], object]:
    """Return the same way without an index: each pattern is tried."""
    searches = [re.compile(pattern).search for pattern in patterns]

    def work(frame: str) -> object:
        message = decode_server(frame)
        assert isinstance(message, ConsoleOutput)
        line = clean(message.line)
        return [search for search in searches if search(line)]

    return work


def machined(patterns: Sequence[str]) -> Callable[[str], object]:
    """Return the whole way through the recipes' machine."""
    recipes = [
        Recipe(f"recipe {number}", when=ConsoleLine(pattern), then=[Notify("found")])
        for number, pattern in enumerate(patterns)
    ]
    machine = RecipeMachine(recipes, {"s": "s"}, origin=datetime(2026, 11, 24, tzinfo=UTC))

    def work(frame: str) -> object:
        return machine.heard("s", decode_server(frame), 1.0)

    return work


def compare(title: str, way: Callable[[Sequence[str]], Callable[[str], object]]) -> None:
    """Print what each kind of patterns costs on that *way*, once and a thousand times."""
    for kind in (orders, names, errors, short):
        one, many = microseconds(way(kind(1))), microseconds(way(kind(MANY)))
        verdict = "as asked for" if many <= ASKED * one else f"more than {ASKED:g} times"
        print(
            f"{title}, {kind.__name__}: {one:.2f} µs a line with 1 pattern, {many:.2f} with "
            f"{MANY:,}: {many / one:.2f} times ({verdict})"
        )


def building() -> None:
    """Print how long it takes to make an index."""
    start = time.perf_counter()
    LineIndex([*orders(MANY), *names(MANY), *errors(MANY)])
    print(f"making an index of {3 * MANY:,} patterns: {time.perf_counter() - start:.2f} s")


def reader(game: Game) -> Callable[[str], object]:
    """Return what reads all of `LINES` as *game*'s."""
    return lambda _frame: [read(game, line) for line in LINES]


def reading() -> None:
    """Print what the tables of the games cost."""
    for name, game in GAMES.items():
        taken = microseconds(reader(game)) / len(LINES)
        print(f"reading a line as one of {name}: {taken:.2f} µs")


if __name__ == "__main__":
    compare("index", indexed)
    compare("recipes' machine", machined)
    for count in (1, MANY):
        taken = microseconds(searched(orders(count)))
        print(f"without an index, orders: {taken:.2f} µs a line with {count:,}")
    building()
    reading()

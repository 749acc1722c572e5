"""trio's order of tasks, fixed by a seed."""

import random

import pytest
import trio

from automate.errors import UsageError
from automate.testing import scheduled


def order() -> str:
    """Run eight tasks that wake together; return who was first, second…"""
    names: list[str] = []

    async def wake(name: str) -> None:
        names.append(name)

    async def main() -> None:
        async with trio.open_nursery() as nursery:
            for name in "abcdefgh":
                nursery.start_soon(wake, name)

    trio.run(main)
    return "".join(names)


def orders(*seeds: int) -> list[str]:
    found = []
    for seed in seeds:
        with scheduled(seed):
            found.append(order())
    return found


def test_a_seed_is_an_order() -> None:
    assert orders(1, 2, 3) == orders(1, 2, 3)
    assert len(set(orders(*range(8)))) == 8


def test_afterwards_trio_is_as_it_was() -> None:
    run = trio._core._run
    chance: random.Random = run._r
    before = (chance.getstate(), run._ALLOW_DETERMINISTIC_SCHEDULING)

    orders(5)

    assert (chance.getstate(), run._ALLOW_DETERMINISTIC_SCHEDULING) == before


def test_another_trio_is_told_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(trio._core._run, "_r")

    with pytest.raises(UsageError, match=r"trio .* does not schedule by _core\._run\._r"):
        orders(1)

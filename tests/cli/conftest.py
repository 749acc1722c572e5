"""One replay for all tests that only want a panel and a node to be there."""

from collections.abc import Iterator

import pytest

from tests.cli.shell import KEY, Replayed, replayed


@pytest.fixture(scope="session")
def somewhere() -> Iterator[Replayed]:
    """A replay that nobody must spoil: its tape runs with the first client that is let in."""
    with replayed("crash-recovered") as replay:
        yield replay


@pytest.fixture(autouse=True)
def _key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AUTOMATE_KEY", KEY)
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.delenv(name, raising=False)

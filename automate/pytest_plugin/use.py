"""What one test uses of the plugin: its recording, its node, its transcripts, its seed."""

import inspect
import os
import re
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest

from automate.testing.shelf import missing, name_of

if TYPE_CHECKING:
    from automate.pytest_plugin.run import TestRun
    from automate.testing.accepted import AcceptedTranscripts
    from automate.testing.modes import Plan
    from automate.testing.nodes import Node

__all__ = ["NODES", "USE", "Use", "parameters_of", "uses"]

NODES: Final = ("node", "modelled_node")
_FIXTURES: Final = frozenset({*NODES, "crash_points", "recording", "transcripts", "scheduler_seed"})
_HOME: Final = "automate.pytest_plugin.fixtures"
_SEED: Final = re.compile(r"(?<=\[)seed=\d+-|-?seed=\d+")


def uses(item: pytest.Item) -> bool:
    """Whether the test uses the plugin."""
    return bool(_fixtures(item)) or item.get_closest_marker("recording") is not None


def _fixtures(item: pytest.Item) -> set[str]:
    """Return the names of our fixtures in use; others may have fixtures of the same names."""
    info: Any = getattr(item, "_fixtureinfo", None)
    if info is None:
        return set()  # no function: a doctest, for one
    return {
        name
        for name in _FIXTURES.intersection(getattr(item, "fixturenames", ()))
        if _is_ours(name, info.name2fixturedefs.get(name, ()))
    }


def _is_ours(name: str, definitions: Sequence[Any]) -> bool:
    """Whether a fixture is ours, or goes on from ours; the last definition counts."""
    for definition in reversed(definitions):
        if definition.func.__module__ == _HOME:
            return True
        if name not in definition.argnames:
            return False
    return False


class Use:
    """What *item* uses, from collection to its end."""

    def __init__(self, item: pytest.Item, run: "TestRun") -> None:
        self.item = item
        self.run = run
        self.fixtures = _fixtures(item)
        self.plan: Plan | None = None
        self.node: Node | None = None
        self.transcripts: AcceptedTranscripts | None = None
        self.seed: int | None = None

    # ------------------------------------------------------------ what it is

    @property
    def has_node(self) -> bool:
        """Whether it talks to a node."""
        return any(name in self.fixtures for name in NODES)

    @property
    def is_async(self) -> bool:
        """Whether its function is a coroutine function."""
        function: Any = getattr(self.item, "obj", None)
        hypothesis = getattr(function, "hypothesis", None)
        return inspect.iscoroutinefunction(getattr(hypothesis, "inner_test", function))

    @property
    def is_live(self) -> bool:
        """Whether it talks to a real server, to record it."""
        return self.plan is not None and self.plan.is_live

    @property
    def may_loop_back(self) -> bool:
        """Whether it asked for 127.0.0.1."""
        return self.item.get_closest_marker("loopback") is not None

    @property
    def test_name(self) -> str:
        """Its name in its module, with its parameters but without the seed."""
        owner = getattr(self.item, "cls", None)
        name = self._unseeded(self.item.name)
        return name if owner is None else f"{owner.__name__}.{name}"

    @property
    def manner(self) -> dict[str, Any]:
        """How its recording is replayed."""
        mark = self.item.get_closest_marker("recording")
        return {} if mark is None else dict(mark.kwargs)

    def recording_name(self) -> str | None:
        """Return the name of its recording: a parameter of that name, or the mark's."""
        parameters = getattr(getattr(self.item, "callspec", None), "params", {})
        if "recording" in parameters:
            return str(parameters["recording"])
        mark = self.item.get_closest_marker("recording")
        if mark is None:
            return None
        if len(mark.args) != 1 or not isinstance(mark.args[0], str):
            pytest.fail(
                f'recording: expected one name, as in @pytest.mark.recording("crash-twice"), '
                f"found {mark.args!r}",
                pytrace=False,
            )
        return mark.args[0]

    @staticmethod
    def _unseeded(name: str) -> str:
        return _SEED.sub("", name).replace("[]", "")

    # ------------------------------------------------------------ its course

    @property
    def sweep(self) -> str | None:
        """Which test it is, whatever the seed; ``None`` if it runs under no seed."""
        is_swept = "scheduler_seed" in getattr(getattr(self.item, "callspec", None), "params", {})
        return self._unseeded(self.item.nodeid) if is_swept else None

    def make_plan(self) -> None:
        """Decide whether it replays its recording or makes it."""
        name = self.recording_name()
        if name is None or "node" not in self.fixtures:
            return
        self.plan = self.run.plan(name)
        if self.plan.is_live:
            self.run.check_real_server()
        elif not self.plan.path.exists():
            pytest.fail(
                f"{missing(name, self.run.shelf)}; --record-mode once makes it", pytrace=False
            )

    def run_in_trio(self, main: Callable[..., Any], *, clock: Any = None, **more: Any) -> Any:
        """Run *main*: in real time with a real server, else in virtual time."""
        import trio
        from trio.testing import MockClock

        if self.is_live:
            clock = None
        elif clock is None:
            clock = MockClock(autojump_threshold=0)
        return trio.run(main, clock=clock, **more)

    def check(self) -> None:
        """Hold what it left behind to be the same under each seed, and free of secrets."""
        if self.seed is not None:
            self.run.compare(self._unseeded(self.item.nodeid), self.seed, self._said())
        self._check_leaks()

    def keep(self) -> None:
        """Save what it recorded, for it passed."""
        if self.plan is not None and self.plan.is_live and self.plan.draft.exists():
            os.replace(self.plan.draft, self.plan.path)
            self.run.saved.append(self.plan.path)
            self.run.shelf.used.add(self.plan.path.resolve())

    def discard(self) -> None:
        """Throw away what it recorded."""
        if self.plan is not None and self.plan.is_live:
            with suppress(OSError):
                self.plan.draft.unlink()

    def show_traffic(self) -> None:
        """Add the end of what was said to the report of a failure."""
        if self.node is not None:
            from automate.testing.ears import told_lines

            shown = "\n".join(told_lines(self.node.traffic)[-50:])
            self.item.add_report_section("call", "traffic", shown)

    def _said(self) -> list[str]:
        said = [] if self.transcripts is None else list(self.transcripts.said)
        return said + ([] if self.node is None else self.node.traffic)

    def _check_leaks(self) -> None:
        from automate.testing.leaks import leaks_in, leaks_under

        known = [] if self.node is None else [self.node.key]
        leaks = [leak for path in self._written() for leak in leaks_in(path, known=known)]
        name = self.recording_name()
        if name is not None and not self.is_live:
            leaks += self.run.leaks_in_recording(self.run.shelf.path(name))
        folder = getattr(self.item, "funcargs", {}).get("tmp_path")
        if isinstance(folder, Path):
            leaks += leaks_under(folder, known=known)
        if leaks:
            shown = "\n".join(f"  {leak}" for leak in leaks[:10])
            more = f"\n  and {len(leaks) - 10} more" if len(leaks) > 10 else ""
            pytest.fail(f"secrets have reached files:\n{shown}{more}", pytrace=False)

    def _written(self) -> list[Path]:
        files = [] if self.transcripts is None else list(self.transcripts.used)
        return [*files, self.plan.draft] if self.plan is not None and self.is_live else files


# Set at collection for the tests that use the plugin, and for no others.
USE: Final = pytest.StashKey[Use]()


def parameters_of(item: pytest.Item) -> set[str]:
    """Return the parameters of a test that may be names of recordings."""
    values = getattr(getattr(item, "callspec", None), "params", {}).values()
    return {name_of(Path(value)) for value in values if isinstance(value, str | os.PathLike)}

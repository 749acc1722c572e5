"""One run of pytest: what it was told, and what its tests used, saved and left over."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest

from automate.pytest_plugin.use import USE, parameters_of
from automate.testing.shelf import Shelf

if TYPE_CHECKING:
    from automate.testing.modes import Plan

__all__ = ["RUN", "TestRun"]

_OUTGROWN: Final = "automate/outgrown"


class TestRun:
    """The run that *config* describes."""

    __test__ = False  # its name is not that of a test

    def __init__(self, config: pytest.Config) -> None:
        folder = config.rootpath / config.getini("automate_recordings")
        self.shelf = Shelf(folder, root=config.rootpath)
        # What was saved, and what was accepted.
        self.saved: list[Path] = []
        self.accepted: list[Path] = []
        self.transcripts: set[Path] = set()
        self._config = config
        self._looked_through: dict[Path, list[str]] = {}
        self._sweeps: dict[str, tuple[int, list[str]]] = {}
        # Of the tests that are swept: the seed under which a transcript was another.
        self._differed: dict[str, int] = {}
        self._named: set[str] = set()
        self._modules: set[Path] = set()
        # Modules of which some tests did not run to their end, well.
        self._unfinished: set[str] = set()
        self._is_whole = True
        self._is_used = False
        self._outgrown: set[str] = set(self._remembered())
        self._outgrew: set[str] = set()

    @property
    def has_pytest_trio(self) -> bool:
        """Whether pytest-trio is there to run async tests."""
        return bool(self._config.pluginmanager.hasplugin("trio"))

    # ------------------------------------------------------------ recordings

    def plan(self, name: str) -> "Plan":
        """Return what to do about the recording *name*."""
        from automate.testing.modes import RecordMode, plan

        mode = RecordMode(self._config.getoption("automate_record_mode"))
        return plan(name, mode=mode, shelf=self.shelf, is_outgrown=name in self._outgrown)

    def check_real_server(self) -> tuple[str, str, str]:
        """Return the panel, the key and the server to record.

        Fails the test if one of them is missing.
        """
        options = self._config.option
        key = os.environ.get("AUTOMATE_KEY", "").strip()
        wanted = (
            ("--panel URL", options.automate_panel),
            ("--server ID", options.automate_server),
            ("the variable AUTOMATE_KEY", key),
        )
        missing = [what for what, value in wanted if not value]
        if missing:
            pytest.fail(
                f"to be recorded, this test needs {' and '.join(missing)}; or replay what "
                "there is (--record-mode none)",
                pytrace=False,
            )
        return options.automate_panel, key, options.automate_server

    def leaks_in_recording(self, path: Path) -> list[str]:
        """Return what secrets are in a recording; it is looked through once in a run."""
        from automate.testing.leaks import leaks_in

        if path not in self._looked_through:
            self._looked_through[path] = leaks_in(path)
        return self._looked_through[path]

    def outgrow(self, name: str, *, did_more: bool) -> None:
        """Remember whether a test did what its recording does not hold."""
        (self._outgrew.add if did_more else self._outgrown.discard)(name)

    def _remembered(self) -> Sequence[str]:
        cache = getattr(self._config, "cache", None)
        return [] if cache is None else [str(name) for name in cache.get(_OUTGROWN, [])]

    # ------------------------------------------------------------ seeds

    def compare(self, test: str, seed: int, said: list[str]) -> None:
        """Hold what was said under *seed* to what was said under the first one."""
        from automate.testing.accepted import difference

        first, before = self._sweeps.setdefault(test, (seed, said))
        if before != said:
            self._differed[test] = seed
            parts = [
                f"under seed {seed} the transcript is not that of seed {first} "
                f"(- {first}, + {seed})",
                difference(before, said),
                "\n".join([f"seed {first}:", *before]),
                "\n".join([f"seed {seed}:", *said]),
            ]
            pytest.fail("\n\n".join(parts), pytrace=False)

    def check_sweep(self, test: str) -> None:
        """Skip a test that was found to differ: one difference says that there is chance in it."""
        if (seed := self._differed.get(test)) is not None:
            pytest.skip(f"the sweep is over: seed {seed} gave another transcript")

    # ------------------------------------------------------------ what is left over

    def names_in(self, item: pytest.Item) -> None:
        """Note what a collected test may mean by its parameters, and where it is."""
        self._named |= parameters_of(item)

    def pytest_deselected(self, items: Sequence[pytest.Item]) -> None:
        """Note that not all tests run."""
        self._is_whole = self._is_whole and not items
        self._unfinished.update(item.nodeid.partition("::")[0] for item in items)

    def pytest_runtest_setup(self, item: pytest.Item) -> None:
        """Note which modules use the plugin."""
        if USE in item.stash:
            self._is_used = True
            self._modules.add(item.path)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Note which tests did not run to their end, well."""
        if not report.passed:
            self._is_whole = False
            self._unfinished.add(report.nodeid.partition("::")[0])

    def pytest_sessionfinish(self) -> None:
        """Remember the recordings that tests have outgrown."""
        cache: Any = getattr(self._config, "cache", None)
        if cache is not None and self._is_used and not hasattr(self._config, "workerinput"):
            cache.set(_OUTGROWN, sorted(self._outgrown | self._outgrew))

    def pytest_terminal_summary(self, terminalreporter: "pytest.TerminalReporter") -> None:
        """Tell what was written, and what no test uses."""
        lines = [f"saved: {self._shown(path)}" for path in self.saved]
        lines += [f"accepted: {self._shown(path)}" for path in self.accepted]
        lines += [
            f"outgrown: {name} (a test did what it does not hold; --record-mode new records it)"
            for name in sorted(self._outgrew)
        ]
        if self._is_used and self._config.getini("automate_orphans"):
            lines += [f"unused: {self._shown(path)}" for path in self._orphans()]
        if lines:
            terminalreporter.section("recordings and transcripts")
            for line in lines:
                terminalreporter.line(line)

    def _orphans(self) -> list[Path]:
        from automate.testing.orphans import orphaned_recordings, orphaned_transcripts

        config = self._config
        if config.getoption("numprocesses", None):
            return []  # the other processes know what was used
        root = config.rootpath
        modules = [
            module
            for module in self._modules
            if module.is_relative_to(root)
            and module.relative_to(root).as_posix() not in self._unfinished
            and not any("::" in argument for argument in config.args)
        ]
        orphans = orphaned_transcripts(modules, used=self.transcripts)
        if self._is_whole and config.args_source is not pytest.Config.ArgsSource.ARGS:
            orphans += orphaned_recordings(self.shelf, named=self._named)
        return orphans

    def _shown(self, path: Path) -> str:
        root = self._config.rootpath
        return str(path.relative_to(root) if path.is_relative_to(root) else path)


RUN: Final = pytest.StashKey[TestRun]()

"""The pytest plugin: recordings, nodes and accepted transcripts for tests; docs/testing.md.

Every pytest run of an environment loads this, so nothing heavy is imported here; what a test
uses is imported when it does. Tests that use nothing of it are left alone.
"""

import argparse
from collections.abc import Generator
from contextlib import AbstractContextManager, nullcontext
from typing import Any, Final, NoReturn

import pytest

from automate.pytest_plugin.fixtures import (
    crash_points,
    modelled_node,
    node,
    recording,
    scheduler_seed,
    transcripts,
)
from automate.pytest_plugin.run import RUN, TestRun
from automate.pytest_plugin.use import NODES, USE, Use, uses
from automate.testing.shelf import using

__all__ = [
    "crash_points",
    "modelled_node",
    "node",
    "pytest_addoption",
    "pytest_collection",
    "pytest_collection_modifyitems",
    "pytest_configure",
    "pytest_generate_tests",
    "pytest_load_initial_conftests",
    "pytest_runtest_call",
    "pytest_runtest_protocol",
    "pytest_runtest_setup",
    "recording",
    "scheduler_seed",
    "transcripts",
]

_MODES: Final = ("none", "once", "new", "all", "rewrite")
# The options by their names: what they are told to be, and what argparse is told.
_OPTIONS: Final[dict[str, tuple[str, dict[str, Any]]]] = {
    "record-mode": (
        "whether tests replay their recordings or make them anew, on a real server",
        {"choices": _MODES, "default": "none"},
    ),
    "panel": ("the real panel (its key in AUTOMATE_KEY)", {"metavar": "URL"}),
    "server": ("the real server, for recording", {"metavar": "ID"}),
    "update-transcripts": ("accept the transcripts as they are now", {"action": "store_true"}),
    "seeds": (
        "run each test with a transcript under N orders of trio's tasks; all must agree",
        {"type": int, "default": 0, "metavar": "N"},
    ),
}


# ---------------------------------------------------------------- the run


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add what can be said in the configuration, and on the command line by its long name."""
    for name, (_, manner) in _OPTIONS.items():
        _add(parser, f"--automate-{name}", name, help=argparse.SUPPRESS, **manner)
    parser.addini("automate_recordings", "the folder of the recordings", default="recordings")
    parser.addini("automate_orphans", "list what no test uses", type="bool", default=True)


@pytest.hookimpl(wrapper=True)
def pytest_load_initial_conftests(parser: pytest.Parser) -> Generator[None, object, object]:
    """Add the short names, now that it is known which of them nobody else has.

    A name that two plugins add ends every pytest run of an environment.
    """
    result = yield
    for name, (told, manner) in _OPTIONS.items():
        if not _is_taken(parser, f"--{name}"):
            _add(parser, f"--{name}", name, help=told, **manner)
    return result


def _add(parser: pytest.Parser, option: str, name: str, **manner: Any) -> None:
    group = parser.getgroup("automate", "recordings of game servers (automate)")
    group.addoption(option, dest=f"automate_{name.replace('-', '_')}", **manner)


def _is_taken(parser: pytest.Parser, option: str) -> bool:
    try:
        _, unknown = parser.parse_known_and_unknown_args([option])
    except (pytest.UsageError, SystemExit):
        return True  # it is known, and lacks its value
    return option not in unknown


def pytest_configure(config: pytest.Config) -> None:
    """Prepare for the run."""
    config.addinivalue_line(
        "markers",
        "recording(name, leave=(), strict=False, speed=1.0): the recording that a test is about",
    )
    config.addinivalue_line(
        "markers", "loopback: a test on recordings that may also connect to 127.0.0.1"
    )
    config.addinivalue_line(
        "markers",
        "model(daemon, crash_detection, online, start_at, backups_fail, settings, game, seed): "
        "how the modelled node of a test is set up",
    )
    config.addinivalue_line(
        "markers", "seeds(number): run the test under so many orders of trio's tasks, always"
    )
    run = config.stash[RUN] = TestRun(config)
    config.pluginmanager.register(run, "automate-run")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """With ``--seeds`` or the mark of that name, make one test for each seed."""
    # Others may have a mark of this name: what it says counts where a fixture is ours.
    if "scheduler_seed" not in metafunc.fixturenames:
        return
    seeds = metafunc.config.getoption("automate_seeds")
    mark = metafunc.definition.get_closest_marker("seeds")
    if mark is not None:
        seeds = max(seeds, _number_of(mark))
    if seeds:
        metafunc.parametrize(
            "scheduler_seed", range(seeds), indirect=True, ids=[f"seed={n}" for n in range(seeds)]
        )


def _number_of(mark: pytest.Mark) -> int:
    match mark.args:
        case (int(number),) if not mark.kwargs:
            return number
        case _:
            raise pytest.UsageError(
                f"seeds: expected a number, as in @pytest.mark.seeds(5), found {mark.args!r}"
            )


@pytest.hookimpl(wrapper=True)
def pytest_collection(session: pytest.Session) -> Generator[None, object, object]:
    """Let test modules find recordings by name while they are collected: parameters are made."""
    with using(session.config.stash[RUN].shelf):
        return (yield)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Find the tests that use the plugin; have pytest-trio run those with a node."""
    run = config.stash[RUN]
    for item in items:
        run.names_in(item)
        if uses(item):
            use = item.stash[USE] = Use(item, run)
            if use.has_node and use.is_async and run.has_pytest_trio:
                # Before any other such mark: the first that names a runner counts.
                item.add_marker(pytest.mark.trio(run=use.run_in_trio), append=False)


# ---------------------------------------------------------------- one test


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """Let tests find recordings by name."""
    with using(item.config.stash[RUN].shelf):
        return (yield)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Tell what a test lacks, rather than let it fail in the middle."""
    use = item.stash.get(USE, None)
    if use is None:
        return
    if use.sweep is not None:
        use.run.check_sweep(use.sweep)
    if use.has_node:
        name = next(name for name in NODES if name in use.fixtures)
        if not use.is_async:
            pytest.fail(
                f"the fixture {name!r} is for async tests: write `async def {item.name}`",
                pytrace=False,
            )
        if not use.run.has_pytest_trio:
            pytest.fail(
                f"the fixture {name!r} needs pytest-trio: pip install pytest-trio",
                pytrace=False,
            )
    use.make_plan()


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, object, object]:
    """Shut the network while the test runs; look at what it left behind, and keep that or not."""
    use = item.stash.get(USE, None)
    if use is None:
        return (yield)
    try:
        with _network(use) as attempts:
            result = yield
        if attempts:
            # It was refused, and something between swallowed that.
            pytest.fail(_shut(use, attempts[0]), pytrace=False)
        use.check()
    except BaseException:  # pytest ends a test by exceptions of all kinds
        use.discard()
        use.show_traffic()
        raise
    use.keep()
    return result


def _network(use: Use) -> AbstractContextManager[list[str]]:
    from automate.testing.guard import network_shut

    if use.is_live:
        return nullcontext([])

    def refuse(what: str) -> NoReturn:
        pytest.fail(_shut(use, what))

    return network_shut(loopback=use.may_loop_back, refuse=refuse)


def _shut(use: Use, what: str) -> str:
    way = (
        "it may go to 127.0.0.1 only"
        if use.may_loop_back
        else "use the fixture node, or mark the test `loopback` to go to 127.0.0.1"
    )
    return f"the network is shut in tests on recordings, and this one wanted {what}; {way}"

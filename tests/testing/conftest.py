"""Somebody's project, with tests of their own, and a real server within reach."""

import shutil
import threading
from collections.abc import Iterator
from pathlib import Path
from queue import Queue

import pytest
import trio

from automate.engine.clock import unix_now
from automate.fake.node import Replay, open_replay

# `rehearse`, too: a project's tests run in this process, and what they import is forgotten after
# each run, while what `automate` has handed out by then is not. Loaded before, both are the same.
from automate.testing import Script, rehearse  # noqa: F401 # see above


@pytest.fixture
def project(pytester: pytest.Pytester, recordings: Path, root: Path) -> pytest.Pytester:
    """A project with the recipes, some of the recordings, and no tests yet."""
    (pytester.path / "recordings").mkdir()
    for name in ("crash-undetected", "crash-recovered", "crash-twice"):
        shutil.copy(recordings / f"{name}.jsonl", pytester.path / "recordings")
    shutil.copytree(root / "recipes", pytester.path / "recipes")
    pytester.makeini("[pytest]\naddopts = -p no:hypothesispytest -p no:anyio")
    return pytester


@pytest.fixture
def real_server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Replay]:
    """A server that is reached over 127.0.0.1 in real time: it soon says hello."""
    evening = Script("real").online().says("hello", after=0.05)
    ready: Queue[tuple[Replay, trio.lowlevel.TrioToken, trio.Event] | Exception] = Queue()

    async def serve() -> None:
        over = trio.Event()
        try:
            async with open_replay(evening.recording, wall_clock=unix_now) as replay:
                ready.put((replay, trio.lowlevel.current_trio_token(), over))
                await over.wait()
        except Exception as error:
            ready.put(error)

    thread = threading.Thread(target=trio.run, args=(serve,))
    thread.start()
    served = ready.get()
    if isinstance(served, Exception):
        raise served
    replay, token, over = served
    monkeypatch.setenv("AUTOMATE_KEY", replay.key)
    # A proxy of this machine's does not lead to it.
    monkeypatch.setenv("NO_PROXY", "*")
    yield replay
    token.run_sync_soon(over.set)
    thread.join()

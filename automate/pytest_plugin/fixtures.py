"""The fixtures: a test's recording, its node, its accepted transcripts, its seed."""

from collections.abc import AsyncIterator, Callable, Iterator
from typing import TYPE_CHECKING

import pytest

from automate.errors import UsageError
from automate.pytest_plugin.use import USE, Use

if TYPE_CHECKING:
    from automate.recording.reader import Recording
    from automate.testing.accepted import AcceptedTranscripts
    from automate.testing.evening import Scene
    from automate.testing.nodes import Node
    from automate.testing.sweeping import SweepReport

__all__ = ["crash_points", "modelled_node", "node", "recording", "scheduler_seed", "transcripts"]

_MARK = 'mark it with @pytest.mark.recording("its name")'


@pytest.fixture
def recording(request: pytest.FixtureRequest) -> "Recording":
    """The recording that the test is marked with, or that a parameter of this name names."""
    from automate.testing.rehearsing import load_recording

    name = _use(request).recording_name()
    if name is None:
        pytest.fail(f"this test has no recording; {_MARK}", pytrace=False)
    try:
        return load_recording(name)
    except UsageError as error:
        # Without the traceback of the file that was not found, which says no more.
        raise pytest.fail.Exception(str(error), pytrace=False) from None


@pytest.fixture
def scheduler_seed(request: pytest.FixtureRequest) -> Iterator[int | None]:
    """The seed of the order in which trio runs tasks, with ``--seeds``; else ``None``."""
    seed: int | None = getattr(request, "param", None)
    if seed is None:
        yield None
        return
    from automate.testing.seeds import scheduled

    _use(request).seed = seed
    with scheduled(seed):
        yield seed


@pytest.fixture
def transcripts(
    request: pytest.FixtureRequest, scheduler_seed: int | None
) -> Iterator["AcceptedTranscripts"]:
    """The accepted transcripts of the test, to hold others to."""
    from automate.testing.accepted import FOLDER, AcceptedTranscripts, file_name

    use = _use(request)
    module = request.node.path
    use.transcripts = AcceptedTranscripts(
        module.parent / FOLDER / module.stem,
        file_name(use.test_name),
        update=request.config.getoption("automate_update_transcripts"),
    )
    yield use.transcripts
    use.run.transcripts.update(use.transcripts.used)
    use.run.accepted += [path for path in use.transcripts.written if path not in use.run.accepted]


@pytest.fixture
async def node(request: pytest.FixtureRequest, scheduler_seed: int | None) -> AsyncIterator["Node"]:
    """A server to talk to: the test's recording replayed, or a real one being recorded."""
    from automate.testing.opening import recorded_node, replayed_node

    use = _use(request)
    plan = use.plan
    if plan is None:
        pytest.fail(f"this test has no recording to replay; {_MARK}", pytrace=False)
    if plan.is_live:
        panel, key, server = use.run.check_real_server()
        plan.path.parent.mkdir(parents=True, exist_ok=True)
        async with recorded_node(panel, key, server, plan.draft, title=plan.name) as use.node:
            yield use.node
        use.run.outgrow(plan.name, did_more=False)
        return
    async with replayed_node(plan.path, **use.manner) as use.node:
        yield use.node
        use.run.outgrow(plan.name, did_more=_did_more(use.node))


@pytest.fixture
async def modelled_node(
    request: pytest.FixtureRequest, scheduler_seed: int | None
) -> AsyncIterator["Node"]:
    """A server to talk to that plays no recording but answers anything, as the mark says."""
    from automate.testing import opening

    use = _use(request)
    mark = request.node.get_closest_marker("model")
    manner = pytest.mark.model().mark if mark is None else mark
    async with opening.modelled_node(*manner.args, **manner.kwargs) as use.node:
        yield use.node


@pytest.fixture
def crash_points() -> "Callable[..., SweepReport]":
    """Kills the engine at each point of a scene, and holds what comes of it to be the same."""
    from automate.testing.sweeping import sweep

    def check(scene: "Scene", *, down_seconds: float = 0.0, seed: int = 0) -> "SweepReport":
        __tracebackhide__ = True
        report = sweep(scene, down_seconds=down_seconds, seed=seed)
        report.check()
        return report

    return check


def _did_more(node: "Node") -> bool:
    """Return whether the test did something to the server that its recording does not hold.

    Recorded deeds that were not left to the test are done by a ghost: doing them again is no
    news.
    """
    from automate.fake.signals import NoteKind

    assert node.replay is not None
    recorded = {str(deed.content) for deed in node.replay.deeds}
    return any(
        note.kind in (NoteKind.IGNORED, NoteKind.REFUSED)
        and note.text.partition(": ")[0] not in recorded
        for note in node.replay.notes
    )


def _use(request: pytest.FixtureRequest) -> Use:
    use: Use = request.node.stash[USE]
    return use

"""A process that is killed leaves a journal that can be read, at whatever moment it was."""

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from automate.engine.history import open_history
from tests.engine.journal_scenes import ARENA, kept

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")

WRITES = 4

# Each statement that SQLite begins is a moment to be killed at. A fork is cheaper than a process.
SWEEP = f"""
import os, signal, sqlite3
from itertools import count
from pathlib import Path
from tests.engine.journal_scenes import kept, note

connect = sqlite3.connect


def live(path, moment):
    left = moment

    def pass_by(statement):
        nonlocal left
        left -= 1
        if left < 0:
            os.kill(os.getpid(), signal.SIGKILL)

    def connect_counted(*where, **how):
        connection = connect(*where, **how)
        connection.set_trace_callback(pass_by)
        return connection

    sqlite3.connect = connect_counted
    with kept(path) as journal:
        for n in range(1, {WRITES} + 1):
            said = [("triggered", "", n), ("held back", str(n), None), ("done", "", n)]
            notes = [note(n, what, detail, run=run) for what, detail, run in said]
            journal.write({{"machine": n, "run:1": None if n % 2 else n}}, notes)


for moment in count():
    child = os.fork()
    if not child:
        live(Path(f"{{moment}}.sqlite"), moment)
        os._exit(0)
    if not os.waitpid(child, 0)[1]:
        break
print(moment)
"""

FOR_EVER = """
from itertools import count
from pathlib import Path
from tests.engine.journal_scenes import ARENA, kept, note

with kept(Path("j.sqlite")) as journal:
    for n in count(journal.saved().get("machine", {"n": 0})["n"] + 1):
        parts = {"machine": {"n": n}, f"server:{ARENA}": {"n": n}}
        parts |= {f"run:{n}": {}, f"run:{n - 1}": None}
        journal.write(parts, [note(n, "triggered", run=n), note(n, "done", run=n)])
        print(n, flush=True)
"""


def environment(root: Path) -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(root)}


def after(writes: int) -> dict[str, Any]:
    """Return the state that so many writes of the sweep leave."""
    state = {"machine": writes, "run:1": None if writes % 2 else writes}
    return {part: value for part, value in state.items() if value} if writes else {}


def test_every_statement_is_a_good_moment_to_be_killed(tmp_path: Path, root: Path) -> None:
    ended = subprocess.run(
        [sys.executable, "-c", SWEEP],
        cwd=tmp_path,
        env=environment(root),
        capture_output=True,
        text=True,
        check=True,
    )
    moments = int(ended.stdout)
    found = [read(tmp_path / f"{moment}.sqlite") for moment in range(moments + 1)]

    # From nothing to all of it, one write after the other, and none of them in parts.
    counts = [count for count, _, _, _ in found]
    assert found == [(count, after(count), count, count) for count in counts]
    assert counts == sorted(counts)
    assert set(counts) == set(range(WRITES + 1))


def read(path: Path) -> tuple[int, Mapping[str, Any], int, int]:
    """Return how many writes are in it: by its history, its state, its runs, its decisions."""
    if not path.exists():
        return 0, {}, 0, 0
    with kept(path) as journal:
        assert journal.warning is None
        state = journal.saved()
        with open_history(path) as history:
            runs = [run.id for run in history.runs() if run.outcome == "done"]
            decisions = history.not_run("restart on crash", ARENA, limit=99)
    return len(runs), state, max(runs, default=0), len(decisions)


def test_killed_while_it_writes_for_ever(tmp_path: Path, root: Path) -> None:
    """By its own pid, with a reader before anybody else has opened the file."""
    for lines in (1, 40, 160):
        with subprocess.Popen(
            [sys.executable, "-c", FOR_EVER],
            cwd=tmp_path,
            env=environment(root),
            stdout=subprocess.PIPE,
            text=True,
        ) as process:
            assert process.stdout is not None
            told = [int(process.stdout.readline()) for _ in range(lines)][-1]
            process.kill()

        with open_history(tmp_path / "j.sqlite") as history:
            runs = history.runs(limit=1)
            is_kept = history.is_kept
        with kept(tmp_path / "j.sqlite") as journal:
            state, warning = journal.saved(), journal.warning

        n = state["machine"]["n"]
        assert (state, warning, is_kept) == (
            {"machine": {"n": n}, f"server:{ARENA}": {"n": n}, f"run:{n}": {}},
            None,
            False,
        )
        assert n >= told
        assert [(run.id, run.outcome) for run in runs] == [(n, "done")]

"""A fake server in a process of its own, on loopback: what somebody else's client connects to."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from attrs import define, field

__all__ = ["Served", "serve"]

_ROOT = Path(__file__).parents[2]
# Only a guard against hanging for ever: nothing here takes a second if all is well.
_PARTING_SECONDS = 30


@define
class Served:
    """Where it is, and the *key* of its panel; *notes* and *code* are there when it has ended."""

    panel: str
    key: str
    server: str
    notes: list[str] = field(factory=list)
    code: int | None = None


@contextmanager
def serve(*words: str | Path) -> Iterator[Served]:
    """Run ``automate`` with *words*, a command that serves a panel, while the block runs."""
    with subprocess.Popen(
        [sys.executable, "-m", "automate", *map(str, words)],
        cwd=_ROOT,
        stdout=subprocess.PIPE,
        encoding="utf-8",
    ) as process:
        assert process.stdout is not None
        try:
            # "panel URL key KEY server UUID", the line for programs.
            match process.stdout.readline().split():
                case ["panel", panel, "key", key, "server", server]:
                    served = Served(panel, key, server)
                case words_found:
                    raise AssertionError(f"expected panel, key and server, found {words_found}")
            yield served
        finally:
            process.terminate()
            rest, _ = process.communicate(timeout=_PARTING_SECONDS)
        served.notes, served.code = rest.splitlines(), process.returncode

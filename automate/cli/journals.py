"""What the commands that look into a journal have in common: which one, and words for times."""

import json
import shutil
import sys
from argparse import Namespace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from automate.cli.arguments import Parser
from automate.recording.format import utc_text

if TYPE_CHECKING:
    from automate.engine.history import PastRun

__all__ = [
    "add_state",
    "columns_wide",
    "duration",
    "local",
    "local_time",
    "print_json",
    "run_fields",
    "server_label",
    "short",
    "state_file",
    "verdict",
]

# Where nobody can say how wide a line may be.
_COLUMNS: Final = 80


def add_state(parser: Parser) -> None:
    """Add what names a journal."""
    parser.add_argument(
        "--state",
        type=Path,
        metavar="FILE",
        help="the journal (default: the only one in the state folder)",
    )
    parser.add_argument("--panel", metavar="URL", help="the journal of this panel")


def state_file(arguments: Namespace) -> Path:
    """Return the journal that is meant.

    Raises:
        UsageError: it can't be told which, or the panel's address is none.
        StateError: there is none to choose.
    """
    from automate.engine.state_folder import state_path, the_state_file
    from automate.live.address import panel_url

    if arguments.state is not None:
        return Path(arguments.state)
    if arguments.panel is not None:
        return state_path(panel_url(arguments.panel))
    return the_state_file()


# ---------------------------------------------------------------- words


def local(moment: datetime) -> str:
    """Return *moment* as a clock and a calendar here show it."""
    return f"{moment.astimezone():%Y-%m-%d %H:%M:%S}"


def local_time(moment: datetime) -> str:
    """Return *moment* within a known day, to the millisecond."""
    return moment.astimezone().time().isoformat("milliseconds")


def duration(seconds: float) -> str:
    """Return a length of time, as exact as somebody would say it."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    if round(seconds) < 60:
        return f"{seconds:.0f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min"


def server_label(name: str, uuid: str) -> str:
    """Return what to call a server: its name and the id by which it can be given."""
    return f"{name} ({uuid[:8]})" if name.strip() else uuid[:8]


def verdict(run: "PastRun", *, is_kept: bool) -> str:
    """Return how *run* ended, or that it has not."""
    if run.outcome is None:
        # The next engine takes it up again.
        return "running" if is_kept else "interrupted"
    took = duration(run.seconds or 0.0)
    if not run.reason:
        return f"{run.outcome} after {took}"
    # What ends well for a reason found that there was nothing left to do.
    what = "not needed" if run.outcome == "done" else run.outcome
    return f"{what} after {took}: {run.reason}"


def columns_wide() -> int:
    """Return how many columns a line may have."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else _COLUMNS


def short(words: str, columns: int) -> str:
    """Return *words*, which others may have chosen, as one line of so many characters at most."""
    from automate.cli.page import plain

    words = plain(words)
    return words if len(words) <= columns else words[: max(columns - 1, 0)] + "…"


# ---------------------------------------------------------------- JSON


def print_json(fields: dict[str, Any]) -> None:
    """Print *fields* as one line."""
    print(json.dumps(fields, ensure_ascii=False))


def run_fields(run: "PastRun") -> dict[str, Any]:
    """Return *run* as it is printed by ``--json``; moments are in UTC."""
    return {
        "run": run.id,
        "server": run.server,
        "server_name": run.server_name,
        "recipe": run.recipe,
        "trigger": run.trigger,
        "began": utc_text(run.began),
        "ended": None if run.ended is None else utc_text(run.ended),
        "outcome": run.outcome,
        "reason": run.reason,
        "values": dict(run.values),
    }

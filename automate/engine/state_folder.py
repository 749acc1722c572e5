"""Where journals are kept unless somebody says otherwise: the user's state folder.

XDG Base Directory Specification 0.8: ``$XDG_STATE_HOME``, or ``~/.local/state``.
"""

import os
import re
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from automate.engine.journal_database import is_kept
from automate.errors import StateError, UsageError

__all__ = ["state_folder", "state_path", "the_state_file"]

_SUFFIX: Final = ".sqlite"


def state_folder() -> Path:
    """Return the folder; it need not be there.

    Raises:
        StateError: the user has no home.
    """
    named = os.environ.get("XDG_STATE_HOME", "")
    # "If an implementation encounters a relative path in any of these variables it should
    # consider the path invalid and ignore it."
    if os.path.isabs(named):
        return Path(named, "automate")
    try:
        return Path.home() / ".local/state/automate"
    except RuntimeError:
        raise StateError(
            "no home folder to keep the journal in; say where with --state FILE"
        ) from None


def state_path(panel: str) -> Path:
    """Return where to keep the journal for *panel*, an address as `panel_url` returns it.

    Several panels can share a host: the name has their port and path, too.
    """
    parts = urlsplit(panel)
    name = re.sub(r"[^\w.-]+", "_", f"{parts.netloc}{parts.path}").strip("_.")
    return state_folder() / f"{name}{_SUFFIX}"


def the_state_file() -> Path:
    """Return the only journal in the state folder, or the only one that an automate keeps now.

    Raises:
        StateError: there is none.
        UsageError: there are several.
    """
    folder = state_folder()
    found = sorted(folder.glob(f"*{_SUFFIX}"))
    if not found:
        raise StateError(
            f"no journal in {folder}; `automate run` makes one, or say where it is with "
            "--state FILE"
        )
    at_work = [path for path in found if is_kept(path)] if len(found) > 1 else []
    if len(at_work) == 1:
        return at_work[0]
    if len(found) > 1:
        names = ", ".join(path.name for path in found)
        raise UsageError(
            f"several journals in {folder}: {names}; say which by its --panel URL, or with "
            "--state FILE"
        )
    return found[0]

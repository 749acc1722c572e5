"""The recipes and recordings that come with this package, for the demo and for a first look.

In a checkout they are the folders ``recipes/`` and ``recordings/``; a wheel carries copies (of
the recordings only the demo's) inside the package, put there by pyproject.toml.
"""

from pathlib import Path
from typing import Final

from automate.errors import UsageError

__all__ = ["recipe", "recording"]

_PACKAGE: Final = Path(__file__).parent


def recipe(name: str) -> Path:
    """Return the file of the recipe *name*, for example ``restart_on_crash``.

    Raises:
        UsageError: there is no such recipe; the text lists those there are.
    """
    return _find("recipe", name, ".py")


def recording(name: str) -> Path:
    """Return the file of the recording *name*, for example ``crash-recovered``.

    Raises:
        UsageError: there is no such recording; the text lists those there are.
    """
    return _find("recording", name, ".jsonl")


def _find(kind: str, name: str, suffix: str) -> Path:
    # Only a name from the list is taken, so that no "../" leads out of the folder.
    there = {path.stem: path for path in sorted(_folder(f"{kind}s").glob(f"*{suffix}"))}
    found = there.get(name.removesuffix(suffix))
    if found is None:
        raise UsageError(
            f"expected the name of a shipped {kind}, found {name!r}; "
            f"there is {', '.join(there) or 'none'}"
        )
    return found


def _folder(name: str) -> Path:
    carried = _PACKAGE / "_shipped" / name
    return carried if carried.is_dir() else _PACKAGE.parent / name

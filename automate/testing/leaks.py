"""Secrets that have reached a file: found by their shape, or because they are known.

What a secret looks like is the redactor's knowledge; here files are read and places are told,
never the secret itself.
"""

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from automate.recording.redaction import Redactor

__all__ = ["leaks_in", "leaks_under", "secrets_in"]

_WORDS: Final = {"token": "a token", "key": "an API key", "link": "a signed link"}


def secrets_in(text: str, *, known: Sequence[str] = ()) -> list[str]:
    """Return in words which kinds of secrets are in *text*."""
    shown = Redactor(known={"key": known}).text(text)
    # There may be such names in it already, from an earlier redaction.
    return [
        words
        for kind, words in _WORDS.items()
        if shown.count(f"<{kind}:") > text.count(f"<{kind}:")
    ]


def leaks_in(path: Path, *, known: Sequence[str] = ()) -> list[str]:
    """Return a sentence for each line of the file that holds a secret, or one of those *known*.

    What can't be read holds none.
    """
    try:
        data = path.read_bytes()
    except OSError:
        return []
    # Secrets are ASCII: whatever else is in the file, they show.
    text = data.decode("utf-8", "replace")
    if not Redactor(known={"key": known}).suspects(text):
        return []
    return [
        f"{path}:{number}: {secret} is written here"
        for number, line in enumerate(text.splitlines(), 1)
        for secret in secrets_in(line, known=known)
    ]


def leaks_under(folder: Path, *, known: Sequence[str] = ()) -> list[str]:
    """Return the same for all files in *folder*, however deep."""
    return [leak for path in _files(folder) for leak in leaks_in(path, known=known)]


def _files(folder: Path) -> Iterator[Path]:
    for root, _folders, names in os.walk(folder):
        for name in sorted(names):
            path = Path(root, name)
            # Whoever opens a pipe waits for its other end.
            if path.is_file():
                yield path

"""Transcripts that were looked at and accepted: files beside the tests, held to what is now.

One file a check, in words; the first time there is none, and the test fails until it is accepted.
"""

import difflib
import re
import zlib
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final

from automate.engine.rehearsal import Transcript
from automate.testing.leaks import secrets_in
from automate.testing.transcripts import transcript_lines

__all__ = ["FOLDER", "AcceptedTranscripts", "difference", "file_name"]

FOLDER: Final = "transcripts"
_ACCEPT: Final = "pytest --update-transcripts"
# Names that can't be files on Windows, whatever their ending.
_DEVICES: Final = re.compile(r"(?i)(con|prn|aux|nul|com\d|lpt\d)(\.|$)")


def file_name(test: str) -> str:
    """Return *test* (a name, perhaps with parameters) as the stem of a file on any system."""
    plain = test.replace("[", "-").removesuffix("]")
    name = re.sub(r"[^\w.-]+", "-", plain).strip("-.")[:100]
    if name != plain or _DEVICES.match(name):
        # What was left out still tells two tests apart.
        name = f"{name or 'test'}-{zlib.crc32(test.encode(errors='replace')):08x}"
    return f"_{name}" if _DEVICES.match(name) else name


class AcceptedTranscripts:
    """The accepted transcripts of one test: files in *folder* that begin with *name*.

    With *update* what is now is accepted. *used* are the files that were asked for, *written*
    those that were changed, *said* all lines that were checked.
    """

    def __init__(self, folder: Path, name: str, *, update: bool = False) -> None:
        self.folder = folder
        self.update = update
        self.used: list[Path] = []
        self.written: list[Path] = []
        self.said: list[str] = []
        self._name = name

    def check(self, transcript: Transcript | Iterable[str], *, name: str = "") -> None:
        """Hold *transcript* (or any lines) to the accepted one.

        Several in one test are told apart by *name*, or numbered. Raises an `AssertionError`
        with the difference.
        """
        __tracebackhide__ = True
        lines = (
            transcript_lines(transcript)
            if isinstance(transcript, Transcript)
            else [line for text in transcript for line in text.splitlines() or [""]]
        )
        self.said += lines
        path = self._path(name)
        self.used.append(path)
        accepted = _read(path)
        if self.update:
            if accepted != lines:
                if secrets := secrets_in("\n".join(lines)):
                    raise AssertionError(
                        f"{' and '.join(secrets)} is in this transcript, so that it is not "
                        f"accepted in {path}; take it out before it is checked"
                    )
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text("".join(f"{line}\n" for line in lines), "utf-8", newline="\n")
                self.written.append(path)
        elif accepted is None:
            shown = "\n".join(lines)
            raise AssertionError(
                f"no transcript has been accepted in {path}; if this one is right, accept it "
                f"with `{_ACCEPT}`\n\n{shown}"
            )
        elif accepted != lines:
            raise AssertionError(
                f"the transcript differs from the accepted one in {path} (- accepted, + now); "
                f"if it is right, accept it with `{_ACCEPT}`\n\n{difference(accepted, lines)}"
            )

    def _path(self, name: str) -> Path:
        stem = f"{self._name}-{file_name(name)}" if name else self._name
        path, number = self.folder / f"{stem}.txt", 1
        while path in self.used:
            number += 1
            path = self.folder / f"{stem}-{number}.txt"
        return path


def _read(path: Path) -> list[str] | None:
    try:
        return path.read_text("utf-8").splitlines()
    except FileNotFoundError:
        return None


def difference(before: Sequence[str], now: Sequence[str]) -> str:
    """Return what is different, ``-`` and ``+`` before the lines, with some lines around."""
    # The first two rows name files; those with @@ tell of line numbers.
    rows = list(difflib.unified_diff(before, now, lineterm="", n=3))[2:]
    return "\n".join(row for row in rows if not row.startswith("@@"))

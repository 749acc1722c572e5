"""Standard output and standard error as they may be: closed, full, of another encoding.

What cannot be written must not become a traceback; that it could not is told by `main`.
"""

import codecs
import io
import os
import sys
from contextlib import suppress

__all__ = ["abandon", "complain", "prepare"]

_ESCAPE = "automate.escape"


def prepare() -> None:
    """Let everything be written: into a closed stream nowhere, in a poor encoding escaped."""
    codecs.register_error(_ESCAPE, _escaped)
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:
            # Whoever closed it wants to hear nothing.
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115 # kept to the end
        elif isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors=_ESCAPE)


def _escaped(error: UnicodeError) -> tuple[str, int]:
    """Return what cannot be encoded as JSON would write it, so that JSON stays JSON."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    units = error.object[error.start : error.end].encode("utf-16-be", "surrogatepass")
    pairs = zip(units[::2], units[1::2], strict=True)
    return "".join(f"\\u{high:02x}{low:02x}" for high, low in pairs), error.end


def abandon() -> None:
    """Drop what waits to be printed: Python would try again at exit, and complain of it."""
    with suppress(OSError, ValueError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)


def complain(words: str) -> None:
    """Print *words* as one line on standard error, after all that was printed before.

    Others may have chosen some of them: a server's name, a panel's answer.
    """
    from automate.wire.console import clean  # takes as long as all of --help

    with suppress(OSError):
        sys.stdout.flush()
    with suppress(OSError):
        print(f"automate: {' '.join(clean(words).split())}", file=sys.stderr, flush=True)

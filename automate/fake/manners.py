"""The manners of a daemon at its sockets: what it takes, what it refuses, what it offers.

Older daemons take everything; newer ones have limits and compress. Source: PROTOCOL 0.2 and 7.5,
PROBED 2.
"""

import re
from typing import Final

from attrs import frozen

from automate.fake.framing import read_text

__all__ = ["NEWER", "OLDER", "Manners", "manners_of", "size_of"]

# An older daemon reads messages of any size. Nobody's memory is endless, and no client has a
# reason to say more than this at once.
_SANE_BYTES: Final = 1 << 24


@frozen(kw_only=True)
class Manners:
    """How a daemon takes what comes over a websocket.

    A message of more than *limit_bytes* on the wire ends the connection (1009); one of more than
    *text_bytes* once it is inflated is dropped in silence, and so is a binary one unless it
    *takes_binary*.
    """

    limit_bytes: int = _SANE_BYTES
    text_bytes: int = _SANE_BYTES
    takes_binary: bool = True
    offers_deflate: bool = False

    def read(self, message: str | bytes) -> str | None:
        """Return the text of a message, ``None`` where the daemon drops it in silence."""
        if isinstance(message, bytes):
            if not self.takes_binary:
                return None
            # Go takes the bytes as they are; it is JSON's decoder that minds broken ones.
            message = read_text(message)
        return message if size_of(message) <= self.text_bytes else None


def size_of(text: str) -> int:
    """Return how many bytes *text* is on the wire, uncompressed."""
    return len(text.encode("utf-8", "surrogatepass"))


OLDER: Final = Manners()
"""Wings 1.11 and before."""

NEWER: Final = Manners(limit_bytes=4096, text_bytes=32768, takes_binary=False, offers_deflate=True)
"""Wings since 1.12, and Pelican's."""


def manners_of(daemon: str | None) -> Manners:
    """Return the manners of the *daemon* that a recording's header names, as `NEWER` or `OLDER`.

    Where none is named it is taken for an older one, which takes whatever is sent.
    """
    if daemon is None:
        return OLDER
    if daemon.startswith("pelican"):
        return NEWER
    version = re.search(r"(\d+)\.(\d+)", daemon)
    is_newer = version is not None and (int(version[1]), int(version[2])) >= (1, 12)
    return NEWER if is_newer else OLDER

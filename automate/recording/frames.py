"""A frame of text, and how a line of a recording spells it: as its event, or as it stands.

Only the text that the sender's own encoder would have written is spelled as its event, so that
every frame comes back to the byte. Source: RECORDING.md on ``text``.
"""

import json
from typing import Any, Final

import msgspec
from msgspec import UNSET, Struct

from automate.wire.codec import ABSENT, canonical_server

__all__ = ["Event", "dump", "parse_client", "parse_server"]

_encode: Final = msgspec.json.Encoder().encode


def dump(value: Any) -> bytes:
    """Return *value* as compact JSON in UTF-8.

    A lone surrogate, which UTF-8 can't spell, is escaped; then so is all that is not ASCII.
    """
    try:
        return _encode(value)
    except UnicodeEncodeError:
        return json.dumps(value, separators=(",", ":")).encode()


class Event(Struct, frozen=True):
    """What a frame says; encoding it gives the text of a client."""

    event: str
    said: Any = msgspec.field(name="args", default=UNSET)

    @property
    def args(self) -> Any:
        """The frame's arguments, `ABSENT` where it has none."""
        return ABSENT if self.said is UNSET else self.said


_decode: Final = msgspec.json.Decoder(Event).decode


def parse_server(text: str) -> tuple[Event | None, bytes | None]:
    """Return what the server's frame *text* says, and how a line spells it.

    The first is ``None`` where the frame is no event, the second where it is not canonical.
    Where there is a spelling, it is the event's own JSON, without the daemon's escapes.
    """
    try:
        raw = text.encode()
        event = _decode(raw)
        plain = _encode(event)
    except (ValueError, RecursionError):
        return None, None
    if plain + b"\n" == raw:
        # The daemon would have escaped these; most frames have neither them nor escapes.
        bare = "<" in text or ">" in text or "&" in text
        if not text.isascii():
            bare = bare or "\u2028" in text or "\u2029" in text
        return event, None if bare else plain
    same = canonical_server(event.event, event.args) == text
    return event, plain if same else None


def parse_client(text: str) -> tuple[Event | None, bytes | None]:
    """Return what a client's frame *text* says, and how a line spells it: see `parse_server`."""
    try:
        raw = text.encode()
        event = _decode(raw)
        plain = _encode(event)
    except (ValueError, RecursionError):
        return None, None
    return event, plain if plain == raw else None

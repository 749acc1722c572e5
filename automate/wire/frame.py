"""A frame: one text on the socket, and the event and arguments in it.

Which events there are and what they mean is left to `messages` and `codec`; here only the text
is looked at. Canonical text is what makes a recorded frame come back to the byte.
"""

from typing import Any, Final

import msgspec

__all__ = ["ABSENT", "canonical_client", "canonical_server", "escaped", "unpack"]


class _Absent:
    """The mark of a frame that has no ``args`` at all."""

    def __repr__(self) -> str:
        return "ABSENT"


ABSENT: Final = _Absent()
_decode: Final = msgspec.json.Decoder().decode
_encode: Final = msgspec.json.Encoder().encode

# Go's encoding/json escapes these five by default, so the daemon's frames have them escaped.
_ESCAPES: Final = [
    ("<", "\\u003c"),
    (">", "\\u003e"),
    ("&", "\\u0026"),
    ("\u2028", "\\u2028"),
    ("\u2029", "\\u2029"),
]


def canonical_server(event: str, args: Any = ABSENT) -> str:
    """Return the frame the daemon's encoder writes: compact, ``<>&`` escaped, one newline."""
    return escaped(_pack(event, args)) + "\n"


def canonical_client(event: str, args: Any = ABSENT) -> str:
    """Return the frame a client writes: compact JSON, no newline."""
    return _pack(event, args)


def escaped(json: str) -> str:
    """Return *json* with the characters escaped that the daemon's encoder escapes.

    They can only stand inside JSON's strings, so that a plain replacement is right.
    """
    for character, escape in _ESCAPES:
        if character in json:
            json = json.replace(character, escape)
    return json


def _pack(event: str, args: Any) -> str:
    frame = {"event": event} if args is ABSENT else {"event": event, "args": args}
    return _encode(frame).decode()


def unpack(text: str) -> tuple[str | None, Any]:
    """Return the event and args of a frame; the event is ``None`` where it is no event."""
    try:
        frame = _decode(text)
    except (ValueError, RecursionError):  # the latter for a thousand brackets and more
        return None, None
    if not isinstance(frame, dict) or not isinstance(frame.get("event"), str):
        return None, None
    return frame["event"], frame.get("args", ABSENT)

"""A client's frame as the daemon reads it: an event and its joined text, or nothing.

Go's decoder is lenient where this project's codec is strict: keys in any case, ``null`` for a
missing string. Source: PROTOCOL 6.3, PROBED ("broken JSON", "JSON keys").
"""

from typing import Any, Final

import msgspec
from attrs import frozen

__all__ = ["Heard", "read_frame"]

_decode: Final = msgspec.json.Decoder().decode


@frozen
class Heard:
    """What a client said: the *event* as it spelled it, and its args joined to one *text*."""

    event: str
    text: str


def read_frame(text: str) -> Heard | None:
    """Return what the frame says; ``None`` where the daemon drops it in silence."""
    try:
        fields = _decode(text)
    except (ValueError, RecursionError):
        return None
    if not isinstance(fields, dict):
        return None
    event: Any = ""
    args: Any = None
    for key, value in fields.items():
        match key.lower():
            case "event":
                event = value or ""
            case "args":
                args = value
    parts = [] if args is None else args
    if not isinstance(event, str) or not isinstance(parts, list):
        return None
    if not all(part is None or isinstance(part, str) for part in parts):
        return None
    return Heard(event, "".join(part or "" for part in parts))

"""The panel's rate limits: how many calls a minute, and the headers that tell of it.

Source: PROTOCOL 1.2. Who is limited to how much is left to `panel`.
"""

import math
from collections.abc import Mapping
from typing import Final

from attrs import field, frozen

__all__ = ["Quotas", "Taken"]

_MINUTE: Final = 60.0


@frozen(kw_only=True)
class Taken:
    """Whether a call was one too many, and the headers for its answer."""

    is_over: bool
    headers: Mapping[str, str] = field(factory=dict)


class Quotas:
    """The calls of the last minute, by whom or what they are counted for."""

    def __init__(self) -> None:
        self._windows: dict[str, list[float]] = {}

    def take(self, limits: Mapping[str, int], at: float, *, unix: float) -> Taken:
        """Count a call for each name in *limits*; of two limits the scarcer one is told.

        *unix* is the wall clock's time, for the header that names a moment.
        """
        told: tuple[int, int] | None = None
        for name, limit in limits.items():
            window = [moment for moment in self._windows.get(name, []) if at - moment < _MINUTE]
            if len(window) >= limit:
                return self._refuse(limit, math.ceil(window[0] + _MINUTE - at), unix)
            self._windows[name] = [*window, at]
            left = limit - len(window) - 1
            if told is None or left < told[1]:
                told = limit, left
        if told is None:
            return Taken(is_over=False)
        headers = {"X-RateLimit-Limit": str(told[0]), "X-RateLimit-Remaining": str(told[1])}
        return Taken(is_over=False, headers=headers)

    def _refuse(self, limit: int, wait: int, unix: float) -> Taken:
        headers = {
            "X-RateLimit-Limit": str(limit),
            "X-RateLimit-Remaining": "0",
            "Retry-After": str(wait),
            "X-RateLimit-Reset": str(math.ceil(unix) + wait),
        }
        return Taken(is_over=True, headers=headers)

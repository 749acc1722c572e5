"""Chance, repeatable: a seed and a counter, and nothing else.

Without a seed, what usually happens always does; with one, the rarer cases come as often as
they were measured.
"""

import hashlib
from typing import Final
from uuid import UUID, uuid5

__all__ = ["Chance"]

_NAMESPACE: Final = UUID("3c9f2b7e-55d1-4a0c-8a77-1d2f0be4c6a1")


class Chance:
    """Throws of a die that fall the same way for the same *seed*."""

    def __init__(self, seed: int | None = None) -> None:
        self._seed = seed
        self._throws = 0
        self._names = 0

    def happens(self, share: float) -> bool:
        """Whether the rarer thing happens, which does in this *share* of cases."""
        if self._seed is None:
            return False
        self._throws += 1
        digest = hashlib.sha256(f"{self._seed}/{self._throws}".encode()).digest()
        return int.from_bytes(digest[:4]) < share * 2**32

    def uuid(self) -> str:
        """Return a new id."""
        self._names += 1
        return str(uuid5(_NAMESPACE, f"{self._seed}/{self._names}"))

"""What is set up before a daemon runs: which daemon it is, and the server's own settings.

The delays are the measured ones (PROBED, and the recordings over loopback); everything that is
configured at a real node has its real default.
"""

import re
from enum import StrEnum
from typing import Final

from attrs import field, frozen

from automate.fake.manners import NEWER, OLDER, Manners

__all__ = ["DEFAULT_SERVER", "Delays", "Kind", "Settings"]

DEFAULT_SERVER: Final = "a1b2c3d4-0009-4000-8000-000000000009"
_OVERHEAD: Final = 1.15
_PAGE_BYTES: Final = 4096


class Kind(StrEnum):
    """Whose daemon and panel it is."""

    PTERODACTYL = "pterodactyl"
    """Wings before its throttles (1.11)."""
    PELICAN = "pelican"
    """The newer one, with throttles, limits and revocation (1.0.0-beta29)."""


@frozen(kw_only=True)
class Delays:
    """How long the daemon takes, in seconds; see PROBED and docs/model.md."""

    message: float = 0.0004
    """A message waits this long for its goroutine; what comes meanwhile may overtake it."""
    action: float = 0.0006
    """From a power action's beginning to its first status."""
    logs: float = 0.001
    sync: float = 0.0012
    """The daemon asks the panel for the server's settings before a start."""
    configure: float = 0.0006
    pull: float = 0.006
    create: float = 0.075
    """The container is made; then the process starts."""
    attach: float = 0.05
    """From there until the power lock is free (0.12 to 0.19 s after the request)."""
    fail: float = 0.004
    notice_crash: float = 0.008
    restart: float = 0.015
    """From `offline` to the first line of the next boot: 20 to 30 ms to `starting`."""
    stop_lock: float = 0.01
    """The lock outlives `offline` by this much after a stop."""
    kill_lock: float = 0.01
    stop_limit: float = 600
    """A stop that takes longer becomes a kill."""
    held_up: float = 0.01
    """Each line waits this long for a socket that takes nothing (PROTOCOL 7.5)."""
    stats: float = 1.0028
    first_stats: float = 0.02


@frozen(kw_only=True)
class Settings:
    """One server at one node; *epoch* is the wall clock's unix time at moment 0."""

    kind: Kind = Kind.PTERODACTYL
    server: str = DEFAULT_SERVER
    title: str = "Arena"
    """What the panel calls the server."""
    invocation: str = "./arena"
    """The command that the panel shows."""
    epoch: float = 1_800_000_000.0
    origins: tuple[str, ...] = ("https://panel.example.com",)
    app_name: str = ""
    """What the daemon calls itself; empty for the kind's own default."""
    done: tuple[str, ...] = ("Done (",)
    """The game is running once a line holds one of these; ``regex:`` before a pattern."""
    stop_text: str | None = "stop"
    stop_signal: str = "SIGINT"
    """What stops the game where no text does."""
    memory_mib: int = 128
    disk_limit_bytes: int | None = 1 << 30
    """``None`` is unlimited: then the daemon does not check, nor say so."""
    crash_detection: bool = True
    crash_window_seconds: float = 60
    log_lines: int = 150
    sockets_limit: int = 30
    vanishing: float = 0.0
    """In which share of cases a line that comes right behind another gets lost on its way to a
    socket, without a word: with a seed only, and measured about 1 in 150 (PROBED 5)."""
    delays: Delays = field(factory=Delays)

    @property
    def is_newer(self) -> bool:
        """Whether the daemon throttles, limits and asks for a scope."""
        return self.kind is Kind.PELICAN

    @property
    def manners(self) -> Manners:
        """What the daemon takes at its sockets."""
        return NEWER if self.is_newer else OLDER

    @property
    def name(self) -> str:
        """The name before the daemon's own lines."""
        return self.app_name or ("pelican" if self.is_newer else "Pterodactyl")

    @property
    def kill_lock_seconds(self) -> float:
        """How long the lock outlives `offline` after a kill: PROBED, section 3."""
        return 0.51 if self.is_newer else self.delays.kill_lock

    @property
    def memory_limit_bytes(self) -> int:
        """The limit as the daemon reports it: with its overhead, in whole pages (PROBED 7.2)."""
        unit = 1 << 20 if self.is_newer else 1_000_000
        limit = round(self.memory_mib * unit * _OVERHEAD)
        return limit // _PAGE_BYTES * _PAGE_BYTES

    def is_done(self, line: str) -> bool:
        """Whether *line* tells that the game is ready."""
        for wanted in self.done:
            if wanted.startswith("regex:"):
                if re.search(wanted.removeprefix("regex:"), line):
                    return True
            elif wanted in line:
                return True
        return False

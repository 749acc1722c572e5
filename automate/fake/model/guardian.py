"""The guardian of a game: a little process that ends the game if ours is gone.

We may be killed, or end at once at a second Ctrl-C, and then nothing of ours runs any more. The
guardian waits at a pipe: a byte lets it go in peace, the pipe's end makes it kill. It is run as
a script by itself, so that it is there quickly; only the standard library is imported here.
"""

import contextlib
import os
import signal
import sys

__all__ = ["kill_session"]

# More rounds than anyone needs who does not fork on purpose.
_ROUNDS = 100


def kill_session(leader: int) -> None:
    """Kill the session that the process *leader* began, with all that join while we look.

    A shell puts its jobs into groups of their own, but they stay in its session. Where the
    system does not show its sessions (no ``/proc``), only the leader's own group is killed.
    """
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(leader, signal.SIGKILL)
    killed: set[int] = set()
    for _ in range(_ROUNDS):
        found = _members(leader) - killed
        if not found:
            return
        for pid in found:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)
        killed |= found


def _members(leader: int) -> set[int]:
    found = set()
    with contextlib.suppress(OSError):
        for name in os.listdir("/proc"):
            with contextlib.suppress(OSError, ValueError):
                if os.getsid(int(name)) == leader:
                    found.add(int(name))
    return found


if __name__ == "__main__" and not sys.stdin.buffer.read(1):
    kill_session(int(sys.argv[1]))

"""Listening at one address, and how it is written in a URL."""

from typing import Final

import trio

from automate.errors import AddressTaken

__all__ = ["listen", "url_name"]

_WILDCARDS: Final = ("0.0.0.0", "::", "")


async def listen(host: str, port: int) -> trio.SocketListener:
    """Listen on one address: a name with several would need the same port on all of them.

    Raises:
        AddressTaken: it can't be listened on.
    """
    try:
        listener, *others = await trio.open_tcp_listeners(port, host=host)
    except (OSError, OverflowError) as exc:
        raise AddressTaken(
            f"{host} port {port}: can't be listened on ({exc}); take another"
        ) from exc
    for other in others:
        await other.aclose()
    return listener


def url_name(host: str) -> str:
    """Return how a client on this machine writes *host* in a URL."""
    name = "127.0.0.1" if host in _WILDCARDS else host
    return f"[{name}]" if ":" in name else name

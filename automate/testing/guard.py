"""A shut network: whoever reaches for it is told so at once, and remembered.

Sockets in memory never come here, for they are not the system's. What is replaced is the system's
way out (connecting, datagrams, names); it is put back when the block is left.
"""

import ipaddress
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Final, NoReturn

__all__ = ["Refuse", "network_shut"]

# What is done about an attempt; it raises, for there is nothing to go on with.
Refuse = Callable[[str], NoReturn]

Check = Callable[..., None]

_INTERNET: Final = (socket.AF_INET, socket.AF_INET6)
_is_pairing: Final[ContextVar[bool]] = ContextVar("making a pair of sockets", default=False)


@contextmanager
def network_shut(*, loopback: bool, refuse: Refuse) -> Iterator[list[str]]:
    """Shut the network, except for 127.0.0.1 if *loopback*; give the list of all attempts.

    *refuse* is called with what was attempted, wherever that is: in a task, or in a thread.
    """
    attempts: list[str] = []

    def check(address: Any, what: str, sock: socket.socket | None = None) -> None:
        if _is_pairing.get() or (loopback and _is_here(address)):
            return
        attempts.append(what)
        if sock is not None:
            # Whoever made it closes it after an OSError, and this will be none.
            sock.close()
        refuse(what)

    replaced = [
        _replace(socket.socket, "connect", _connecting(socket.socket.connect, check)),
        _replace(socket.socket, "connect_ex", _connecting(socket.socket.connect_ex, check)),
        _replace(socket.socket, "sendto", _sending(socket.socket.sendto, check)),
        _replace(socket, "getaddrinfo", _naming(socket.getaddrinfo, check)),
        _replace(socket, "socketpair", _pairing(socket.socketpair)),
    ]
    try:
        yield attempts
    finally:
        for put_back in reversed(replaced):
            put_back()


def _is_here(address: Any) -> bool:
    host = address[0] if isinstance(address, tuple) and address else address
    if not isinstance(host, str):
        return False
    try:
        return ipaddress.ip_address(host.partition("%")[0]).is_loopback
    except ValueError:
        return host == "localhost"


def _words(address: Any) -> str:
    if isinstance(address, tuple) and len(address) >= 2:
        return f"{address[0]} port {address[1]}"
    return str(address)


def _connecting(real: Any, check: Check) -> Any:
    def connect(self: socket.socket, address: Any) -> Any:
        if self.family in _INTERNET:
            check(address, f"a connection to {_words(address)}", self)
        return real(self, address)

    return connect


def _sending(real: Any, check: Check) -> Any:
    def sendto(self: socket.socket, data: Any, *rest: Any) -> Any:
        if self.family in _INTERNET:
            check(rest[-1], f"a datagram to {_words(rest[-1])}", self)
        return real(self, data, *rest)

    return sendto


def _naming(real: Any, check: Check) -> Any:
    def getaddrinfo(host: Any, port: Any, *rest: Any, **more: Any) -> Any:
        # Without a host it is an address to listen on; a number needs no name server.
        if host is not None and not _is_number(host):
            name = host.decode("ascii", "replace") if isinstance(host, bytes) else str(host)
            check(name, f"the address of {name}")
        return real(host, port, *rest, **more)

    return getaddrinfo


def _is_number(host: Any) -> bool:
    text = host.decode("ascii", "replace") if isinstance(host, bytes) else str(host)
    try:
        ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return False
    return True


def _pairing(real: Any) -> Any:
    def socketpair(*args: Any, **more: Any) -> Any:
        # On Windows a pair is made over 127.0.0.1, and each trio.run needs one.
        token = _is_pairing.set(True)
        try:
            return real(*args, **more)
        finally:
            _is_pairing.reset(token)

    return socketpair


def _replace(owner: Any, name: str, new: Any) -> Callable[[], None]:
    """Set an attribute; return what puts back the old one, inherited or its own."""
    missing = object()
    own = vars(owner).get(name, missing)
    setattr(owner, name, new)

    def put_back() -> None:
        if own is missing:
            delattr(owner, name)
        else:
            setattr(owner, name, own)

    return put_back

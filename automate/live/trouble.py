"""Why nobody could be reached, in words: the same for a panel and for a node.

Libraries wrap the reason in their own exceptions, and trio's several attempts come as a group;
here the first cause that a person can do something about is looked up.
"""

import socket
import ssl
from collections.abc import Iterator

__all__ = ["causes", "why_unreachable"]


def causes(exc: BaseException | None) -> Iterator[BaseException]:
    """Yield *exc* and all that led to it, the latest first."""
    while exc is not None:
        yield exc
        if isinstance(exc, BaseExceptionGroup):
            for each in exc.exceptions:
                yield from causes(each)
        exc = exc.__cause__ or exc.__context__


def why_unreachable(exc: BaseException) -> str | None:
    """Return why *exc* left us without a connection, and what to do; ``None`` if it is unclear."""
    chain = list(causes(exc))
    certificate = next((c for c in chain if isinstance(c, ssl.SSLCertVerificationError)), None)
    if certificate is not None:
        return (
            f"its certificate can't be trusted ({certificate.verify_message}); mend it, or name "
            "the file of its authority with --ca-file (or in the variable SSL_CERT_FILE)"
        )
    if any(isinstance(c, socket.gaierror) for c in chain):
        return "no such host is known (DNS); check the address, or this machine's network"
    if any(isinstance(c, ssl.SSLError) for c in chain):
        return "no TLS connection could be made; does it speak plain HTTP, or is the port wrong?"
    if any(isinstance(c, ConnectionRefusedError) for c in chain):
        return "connection refused; is it up, and the port right?"
    return None

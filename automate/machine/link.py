"""The words of the conversation: what it is told, and what it wants done or tells its owner.

Inputs are what happened; actions are for whoever holds the socket; notices are for whoever
uses the connection.
"""

import math

from attrs import field, frozen

from automate.errors import AutomateError
from automate.wire.messages import ClientMessage

__all__ = [
    "Action",
    "Ask",
    "Blind",
    "Closed",
    "Connect",
    "ConnectFailed",
    "Delayed",
    "Disconnect",
    "End",
    "FetchToken",
    "FrameReceived",
    "Input",
    "LinkDown",
    "LinkUp",
    "LookAtServer",
    "NotSent",
    "Opened",
    "SendFrame",
    "ServerSeen",
    "ServerUnseen",
    "Sighted",
    "TokenFetched",
    "TokenRefused",
]

# Closed with these codes, the server is suspended, or a backup is being restored. Nobody has seen
# the other one sent, but the panel's own page takes it for the same.
SUSPENDED = (4409, 4400)


# ---------------------------------------------------------------- what happened


@frozen
class Opened:
    """The socket is open; nobody is let in yet."""


@frozen
class ConnectFailed:
    """The socket could not be opened; *status* is the node's HTTP answer, if there was one."""

    error: AutomateError
    status: int | None = None


@frozen
class Closed:
    """The connection is lost; *code* is 1006 where there was no close frame."""

    code: int | None = None
    reason: str | None = None

    @property
    def words(self) -> str:
        """Why it was closed, for a person."""
        if self.code in SUSPENDED:
            return f"the server is suspended, or a backup is being restored ({self.code})"
        if self.code in (None, 1006):
            return self.reason or "the connection broke"
        return f"the node closed the connection ({self.code} {self.reason or 'without a reason'})"


@frozen
class FrameReceived:
    """The server said *text*."""

    text: str


@frozen
class TokenFetched:
    """The panel gave a token and the address of the socket.

    *issued_at* and *expires_at* are the token's own, in the panel's time, or unknown; only
    their distance is used, so that no two clocks have to agree.
    """

    token: str = field(repr=False)
    socket: str
    issued_at: float | None = None
    expires_at: float | None = None

    @property
    def fresh_seconds(self) -> float:
        """How long after it was fetched to bring a new one."""
        if self.issued_at is None or self.expires_at is None:
            return math.inf
        lifetime = self.expires_at - self.issued_at
        return max(lifetime - 120.0, 0.8 * lifetime) if lifetime > 0 else math.inf


@frozen
class TokenRefused:
    """The panel gave no token."""

    error: AutomateError


@frozen(kw_only=True)
class ServerSeen:
    """The panel told how the server is; *status* ``None`` is normal (it is no power state)."""

    status: str | None = None
    is_transferring: bool = False
    is_node_under_maintenance: bool = False

    @property
    def obstacle(self) -> str | None:
        """Why nobody may use the server now, for a person; ``None`` if nothing is in the way."""
        if self.status is not None and self.status not in _PERHAPS_USABLE:
            return _OBSTACLES.get(self.status, f"the panel says that the server is {self.status}")
        if self.is_transferring:
            return "the server is being moved to another node"
        if self.is_node_under_maintenance:
            return "the server's node is under maintenance"
        return None


# Source: the notes on the panels' source, 3.2 and 3.3.
_OBSTACLES = {
    "installing": "the server is being installed",
    "install_failed": "the server's installation failed; reinstall it",
    "suspended": "the server is suspended; the panel's owner can lift that",
    "restoring_backup": "a backup of the server is being restored",
}
# Usable on one kind of panel and in conflict on the other: whoever asks is told.
_PERHAPS_USABLE = ("reinstall_failed",)


@frozen
class ServerUnseen:
    """The panel did not tell how the server is."""

    error: AutomateError


@frozen
class Ask:
    """Somebody wants *message* sent."""

    message: ClientMessage


Input = (
    Opened
    | ConnectFailed
    | Closed
    | FrameReceived
    | TokenFetched
    | TokenRefused
    | ServerSeen
    | ServerUnseen
    | Ask
)


# ---------------------------------------------------------------- what is to be done


@frozen
class FetchToken:
    """Ask the panel for a token; answer with `TokenFetched` or `TokenRefused`."""


@frozen
class LookAtServer:
    """Ask the panel how the server is; answer with `ServerSeen` or `ServerUnseen`.

    Other than a token, that may be asked for often, and in every state of the server.
    """


@frozen
class Connect:
    """Open the socket at *url*; answer with `Opened` or `ConnectFailed`."""

    url: str


@frozen
class SendFrame:
    """Send *text*."""

    text: str = field(repr=lambda text: "'{auth}'" if text.startswith(_AUTH) else repr(text))


# A token must not get into a log by way of a value's `repr`.
_AUTH = '{"event":"auth"'


@frozen
class Disconnect:
    """Close the socket, or stop opening it; nothing is to be answered."""

    reason: str


@frozen
class End:
    """The conversation is over, for a reason that only a person can mend."""

    error: AutomateError


# ---------------------------------------------------------------- what the owner should know


@frozen
class LinkUp:
    """The server let us in: from now on its events come."""


@frozen
class LinkDown:
    """The connection was lost; a `LinkUp` may follow. What happened in between is not known."""

    reason: str


@frozen
class Blind:
    """Still connected, but the token is over: events are lost until `Sighted` or `LinkDown`."""

    reason: str


@frozen
class Sighted:
    """A new token was accepted: events come again."""


@frozen
class NotSent:
    """*message* was asked for and will not be sent."""

    message: ClientMessage
    reason: str


@frozen
class Delayed:
    """There is no connection, or no new token, because of *reason*; next try in *seconds*."""

    reason: str
    seconds: float


Action = (
    FetchToken
    | LookAtServer
    | Connect
    | SendFrame
    | Disconnect
    | End
    | LinkUp
    | LinkDown
    | Blind
    | Sighted
    | NotSent
    | Delayed
)

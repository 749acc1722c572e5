"""The daemon's sockets: who is authenticated, who hears what, and in which order they are heard.

What an authenticated client wants is handed on (*act*). Sources: PROTOCOL 6 and 7.5, PROBED
sections 1 to 3.
"""

from collections import deque
from collections.abc import Callable, Iterable, Sequence
from typing import Final

from attrs import define, field

from automate.fake.framing import ABNORMAL
from automate.fake.manners import size_of
from automate.fake.model import frames
from automate.fake.model.agenda import Agenda
from automate.fake.model.chance import Chance
from automate.fake.model.claims import ANCIENT, NO_TOKEN, OTHER_SERVER, Claims
from automate.fake.model.inbound import Heard, read_frame
from automate.fake.model.limits import GLOBAL, SocketLimits
from automate.fake.model.power import Conditions
from automate.fake.model.settings import Settings
from automate.fake.model.signals import Drop, Output, Said, SaidCompressed, SaidInBinary, Send

__all__ = ["Sockets"]

_AUTH: Final = "auth"
_JWT: Final = "jwt error"
_TICK_SECONDS: Final = 30
# For a socket that takes nothing (PROTOCOL 7.5); of other events none is kept.
_KEPT_LINES: Final = 8
_WARNING_SECONDS: Final = 60
_SUSPENDED: Final = (4409, "server is suspended")
# How often what is sent in one go is run in its own order; else the last is the first.
_IN_ORDER: Final = 0.08
# How often a message right behind an auth is run before it, and how often two auths at once
# both count as the first (PROBED 6.3; the two daemons together).
_BEFORE_AUTH: Final = 0.27
_DOUBLED: Final = 0.17


@define(eq=False)
class _Socket:
    """One client; *subscriptions* is more than one where two auths counted as the first."""

    number: int
    limits: SocketLimits | None
    claims: Claims | None = None
    subscriptions: int = 0
    waiting: list[Heard] = field(factory=list)
    # Of a client that reads nothing: the lines that are kept for it.
    is_stalled: bool = False
    kept: deque[str] = field(factory=lambda: deque(maxlen=_KEPT_LINES))


class Sockets:
    """All sockets of one server."""

    def __init__(
        self,
        settings: Settings,
        agenda: Agenda,
        chance: Chance,
        read_token: Callable[[str], Claims | None],
        *,
        act: Callable[[int, Heard, Claims], None],
        welcome: Callable[[], list[str]],
        overhear: Callable[[str], None],
        out: list[Output],
    ) -> None:
        self._settings = settings
        self._agenda = agenda
        self._chance = chance
        self._read_token = read_token
        self._do = act
        self._welcome = welcome
        self._overhear = overhear
        self._out = out
        self._sockets: dict[int, _Socket] = {}
        self._booted_at = ANCIENT
        self._denied: dict[str, float] = {}
        self._revoked: dict[str, float] = {}

    def __len__(self) -> int:
        return len(self._sockets)

    @property
    def _unix(self) -> float:
        return self._settings.epoch + self._agenda.now

    # ------------------------------------------------------------ connections

    def open(self, number: int, conditions: Conditions) -> None:
        """Take a new socket; a newer daemon closes that of a suspended server at once."""
        if self._is_closed_to(conditions):
            self._out.append(Drop((number,), *_SUSPENDED))
            return
        limits = SocketLimits() if self._settings.is_newer else None
        self._sockets[number] = _Socket(number, limits)

    def close(self, number: int) -> None:
        """Forget a socket that ended."""
        self._sockets.pop(number, None)

    def stall(self, number: int) -> None:
        """Take note that a client reads nothing, and that nobody holds any more for it."""
        if (socket := self._sockets.get(number)) is not None:
            socket.is_stalled = True

    def flow(self, number: int) -> None:
        """Take note that it reads again: it is sent what was kept, which are the last lines."""
        socket = self._sockets.get(number)
        if socket is not None and socket.is_stalled:
            socket.is_stalled = False
            self._out += [Send((number,), text) for text in socket.kept]
            socket.kept.clear()

    @property
    def is_held_up(self) -> bool:
        """Whether some client that is told everything reads nothing."""
        return any(each.is_stalled and each.subscriptions for each in self._sockets.values())

    def drop_all(self) -> None:
        """Drop every socket, authenticated or not, without a close frame."""
        self._drop(list(self._sockets))

    def _drop(self, numbers: Sequence[int], code: int = ABNORMAL) -> None:
        for number in numbers:
            del self._sockets[number]
        if numbers:
            self._out.append(Drop(tuple(numbers), code, ""))

    def _is_closed_to(self, conditions: Conditions) -> bool:
        # During a restore the newer daemon sets the flag of a suspension (PROBED 7.6).
        is_closed = conditions.is_suspended or conditions.is_restoring
        return self._settings.is_newer and is_closed

    # ------------------------------------------------------------ tokens

    def deny(self, *, jti: str = "", boot: bool = False) -> None:
        """Refuse the tokens made until now: those with this id, or (*boot*) all."""
        if boot:
            self._booted_at = self._unix
        else:
            self._denied[jti] = self._unix

    def revoke(self, user: str) -> None:
        """Refuse the tokens of *user* made until now; a newer daemon drops all sockets.

        An older one has no such call (PROBED 7.6).
        """
        if self._settings.is_newer:
            self._revoked[user] = self._unix
            self.drop_all()

    def _objection(self, claims: Claims) -> str | None:
        denied_until = max(
            self._booted_at,
            self._denied.get(claims.jti, ANCIENT),
            self._revoked.get(claims.user, ANCIENT),
        )
        return claims.objection(
            self._unix, denied_until=denied_until, wants_scope=self._settings.is_newer
        )

    def _block(self, claims: Claims | None) -> str | None:
        """Return the `jwt error` that takes the place of whatever is sent or asked."""
        if claims is None:
            return NO_TOKEN
        if problem := self._objection(claims):
            return problem
        return OTHER_SERVER if claims.server != self._settings.server else None

    # ------------------------------------------------------------ saying

    def publish(
        self,
        text: str,
        *,
        needs: str | None = None,
        is_line: bool = False,
        vanishing: float = 0.0,
    ) -> None:
        """Send *text* to everyone subscribed whose token is good and grants what it *needs*.

        Who reads nothing misses it, unless it *is_line* of the game's: the last of these are
        kept. It gets lost on its way to a socket in the share *vanishing* of cases.
        """
        self._overhear(text)
        groups: dict[str, list[int]] = {}
        for socket in self._sockets.values():
            if socket.claims is None or not socket.subscriptions:
                continue
            told = self._told(socket.claims, text, needs)
            if told is None or (vanishing and self._chance.happens(vanishing)):
                continue
            if not socket.is_stalled:
                groups.setdefault(told, []).extend([socket.number] * socket.subscriptions)
            elif is_line:
                socket.kept.append(told)
        self._out.extend(Send(tuple(numbers), told) for told, numbers in groups.items())

    def _told(self, claims: Claims, text: str, needs: str | None) -> str | None:
        if problem := self._block(claims):
            return frames.frame(_JWT, problem)
        return text if needs is None or claims.may(needs) else None

    def answer(self, number: int, texts: Iterable[str]) -> None:
        """Send *texts* to one socket, if it is still there, under the same conditions."""
        socket = self._sockets.get(number)
        if socket is None or socket.claims is None:
            return
        for text in texts:
            told = self._told(socket.claims, text, None)
            if told is not None:
                self._out.append(Send((number,), told))

    def complain(self, number: int, text: str) -> None:
        """Tell one socket what was wrong with its message."""
        self._send(number, frames.error("daemon error", text, uuid=self._chance.uuid()))

    def _send(self, number: int, text: str) -> None:
        """Send to one socket whatever its token."""
        if number in self._sockets:
            self._out.append(Send((number,), text))

    # ------------------------------------------------------------ hearing

    def hear(self, said: Said | SaidInBinary | SaidCompressed, conditions: Conditions) -> None:
        """Take in a frame: it is limited, read, and handled a moment later."""
        socket = self._sockets.get(said.socket)
        if socket is None:
            return
        if self._is_closed_to(conditions):
            self._drop([said.socket])
            return
        text = self._read(socket, said)
        heard = None if text is None else read_frame(text)
        if heard is None or self._is_throttled(socket, heard.event):
            return
        socket.waiting.append(heard)
        if len(socket.waiting) == 1:
            self._agenda.after(self._settings.delays.message, lambda: self._handle_waiting(socket))

    def _read(self, socket: _Socket, said: Said | SaidInBinary | SaidCompressed) -> str | None:
        """Return the text of a frame, ``None`` if it is dropped (or the socket is)."""
        manners = self._settings.manners
        match said:
            case SaidInBinary(data=message):
                size = len(message)
            case Said(text=message):
                size = size_of(message)
            case SaidCompressed(text=message):
                size = 0  # whoever inflated it has looked at that
        if size > manners.limit_bytes:
            self._drop([socket.number], 1009)
            return None
        if self._is_throttled(socket, GLOBAL):
            return None
        return manners.read(message)

    def _is_throttled(self, socket: _Socket, name: str) -> bool:
        """Whether a message is one too many; the client is told once."""
        if socket.limits is None:
            return False
        throttled = socket.limits.takes(name, self._agenda.now)
        if throttled:
            self._send(socket.number, frames.frame("throttled", throttled))
        return throttled is not None

    def _handle_waiting(self, socket: _Socket) -> None:
        """Handle what came together: the last of it first, as goroutines are run."""
        if self._sockets.get(socket.number) is not socket:
            return
        heard, socket.waiting = socket.waiting, []
        if len(heard) > 1 and not self._chance.happens(_IN_ORDER):
            heard = [heard[-1], *heard[:-1]]
        auths = [each for each in heard if each.event == _AUTH]
        if auths and len(auths) < len(heard) and not self._chance.happens(_BEFORE_AUTH):
            heard = auths + [each for each in heard if each.event != _AUTH]
        is_doubled = len(auths) > 1 and self._chance.happens(_DOUBLED)
        was_first = socket.claims is None
        for each in heard:
            if each.event == _AUTH:
                self._authenticate(socket, each.text, anew=is_doubled and was_first)
            else:
                self._handle(socket, each)

    def _handle(self, socket: _Socket, heard: Heard) -> None:
        claims = socket.claims
        problem = self._block(claims)
        if problem is not None or claims is None:
            self._send(socket.number, frames.frame(_JWT, problem or NO_TOKEN))
        else:
            self._do(socket.number, heard, claims)

    def _authenticate(self, socket: _Socket, token: str, *, anew: bool) -> None:
        """Judge a token; a bad one leaves the old in force. *anew*: it counts as the first."""
        claims = self._read_token(token)
        if claims is None:
            known = socket.claims
            sees_all = known is not None and known.may("admin.websocket.errors")
            self.complain(socket.number, "jwt: malformed token" if sees_all else frames.GENERIC)
            return
        if problem := self._objection(claims):
            self._send(socket.number, frames.error(_JWT, problem, uuid=self._chance.uuid()))
            return
        is_first = anew or socket.claims is None
        socket.claims = claims
        self._send(socket.number, frames.frame("auth success"))
        if is_first:
            if not socket.subscriptions:
                self._tick_later(socket)
            socket.subscriptions += 1
            self.answer(socket.number, self._welcome())

    # ------------------------------------------------------------ expiry

    def _tick_later(self, socket: _Socket) -> None:
        self._agenda.after(_TICK_SECONDS, lambda: self._tick(socket))

    def _tick(self, socket: _Socket) -> None:
        """Look at the token, 30 s after the last time: counted from the first auth."""
        claims = socket.claims
        if self._sockets.get(socket.number) is not socket or claims is None:
            return
        left = claims.exp - int(self._unix)
        if left <= 0:
            self.answer(socket.number, [frames.frame("token expired")])
        elif left <= _WARNING_SECONDS:
            self.answer(socket.number, [frames.frame("token expiring")])
        self._tick_later(socket)

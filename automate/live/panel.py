"""A panel's API: the few questions that this package asks, each a coroutine.

What comes back is in `answers`, what can go wrong in `refusals`; sessions and recipes decide
what to do about it. httpx is imported when the first question is asked, so that whoever only
reads recordings does not wait for it.
"""

from collections.abc import Callable
from os import PathLike
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, Self, TypeVar

import msgspec
import trio
from attrs import evolve, field, frozen

from automate.errors import PanelError, UsageError
from automate.live.address import panel_url, server_id
from automate.live.answers import (
    Backup,
    PanelKind,
    Resources,
    Server,
    Token,
    claims_of,
    kind_of_key,
    read_account_kind,
    read_backup,
    read_backups,
    read_resources,
    read_server,
    read_servers,
    read_token,
)
from automate.live.refusals import (
    Question,
    may_repeat,
    misunderstood,
    refusal,
    too_long,
    unreachable,
)
from automate.live.route import trust
from automate.wire.messages import PowerAction, SendCommand, SetState

if TYPE_CHECKING:
    import httpx

__all__ = ["Backup", "Call", "Panel", "PanelKind", "Resources", "Server", "Token"]

Answer = TypeVar("Answer")
Item = TypeVar("Item")

# A read that failed on the way is asked again after these pauses; whatever changes something
# never is, for it may have been done.
_REPEAT_AFTER_SECONDS: Final = (0.25, 0.5, 1.0)
# The panel itself waits up to 15 s for a node (its GUZZLE_TIMEOUT).
_CONNECT_SECONDS: Final = 10.0
_ANSWER_SECONDS: Final = 30.0
# An answer that trickles in is not waited for, either; nor is one kept that never ends. A hundred
# servers on a page are some 300 kB.
_WHOLE_ANSWER_SECONDS: Final = 60.0
_ANSWER_BYTES: Final = 8 << 20


@frozen(kw_only=True)
class Call:
    """One call that the panel answered; it took *seconds*.

    It holds what was said, secrets and all: whoever writes it down takes them out. *response*
    is text where it is not JSON, and *claims* are what a token in it says of itself.
    """

    method: str
    path: str
    request: Any = field(default=None, repr=False)
    status: int
    response: Any = field(default=None, repr=False)
    seconds: float
    claims: dict[str, Any] | None = None


class Panel:
    """The panel at *url*, asked with the client API key *key*; use it ``async with``.

    *client* is one of httpx to go through instead of our own, and stays open. *ca_file* has
    authorities (PEM) to trust besides the system's. *on_call* is told
    of each call that got an answer, good or bad. Every question may raise a `PanelError` of the
    kinds in `automate.errors`; none waits longer than half a minute for an answer to begin, or a
    minute for all of it.

    Raises:
        UsageError: *url* or *key* can't be right.
    """

    def __init__(
        self,
        url: str,
        key: str,
        *,
        client: "httpx.AsyncClient | None" = None,
        ca_file: str | PathLike[str] | None = None,
        on_call: Callable[[Call], None] | None = None,
    ) -> None:
        self.url = panel_url(url)
        self._key = key.strip()
        if not self._key or not self._key.isascii() or any(c <= " " for c in self._key):
            raise UsageError(
                "API key: expected one word of letters and digits (ptlc_… or pacc_…); "
                f"found {'nothing' if not self._key else 'something else'}"
            )
        self.on_call = on_call
        self._ca_file = ca_file
        self._client = client
        self._is_ours = client is None

    async def __aenter__(self) -> Self:
        """Return the panel; the connection is made when it is first needed."""
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Close the connections, if they are ours."""
        if self._is_ours and self._client is not None:
            client, self._client = self._client, None
            await client.aclose()

    # ------------------------------------------------------------ questions

    async def kind(self) -> PanelKind:
        """Return whose panel it is: the key tells, else the account is asked for."""
        known = kind_of_key(self._key)
        if known is not None:
            return known
        question = Question(
            url=self.url,
            method="GET",
            path="/api/client/account",
            wish="see its own account",
            about="account",
            is_repeatable=True,
        )
        return await self._answer(question, read_account_kind)

    async def servers(self) -> list[Server]:
        """Return all servers that the key's user owns or shares."""
        question = Question(
            url=self.url,
            method="GET",
            path="/api/client",
            wish="list servers",
            about="list of servers",
            is_repeatable=True,
        )
        return await self._list(question, read_servers, per_page=100)

    async def server(self, id: str) -> Server:
        """Return the server *id* (8 characters or a whole uuid); its full uuid is in it."""
        return await self._answer(self._about(id, "GET", "", wish="see {server}"), read_server)

    async def token(self, server: str) -> Token:
        """Return a token for the server's socket, and the socket's address.

        Never asked twice by itself: the panel allows five in a minute, for all together.
        """
        question = self._about(
            server, "GET", "/websocket", wish="listen to {server}", permission="websocket.connect"
        )
        return await self._answer(evolve(question, is_repeatable=False), read_token)

    async def resources(self, server: str) -> Resources:
        """Return what the server uses; the panel's answer may be 20 seconds old."""
        question = self._about(server, "GET", "/resources", wish="see the resources of {server}")
        return await self._answer(question, read_resources)

    async def power(self, server: str, action: PowerAction | str) -> None:
        """Ask for a change of power. That it was accepted says nothing: watch the status.

        Raises:
            MessageError: there is no such *action*.
        """
        signal = SetState(action).action
        right = "stop" if signal is PowerAction.KILL else signal.value
        await self._done(
            self._about(
                server,
                "POST",
                "/power",
                wish=f"{signal} {{server}}",
                request={"signal": signal.value},
                permission=f"control.{right}",
            )
        )

    async def command(self, server: str, command: str) -> None:
        """Type *command* into the server's console. Nothing tells whether the game took it.

        Raises:
            MessageError: *command* is not one line that a game would take.
        """
        await self._done(
            self._about(
                server,
                "POST",
                "/command",
                wish="send a command to {server}",
                request={"command": SendCommand(command).command},
                permission="control.console",
            )
        )

    async def create_backup(self, server: str, name: str) -> Backup:
        """Ask for a backup called *name* and return it, not yet done.

        That it is done may be said on the socket before this returns.

        Raises:
            BackupsFull: there are as many as the server may have.
            Busy: it had one too many in a short while (by default two in 600 s).
        """
        question = self._about(
            server,
            "POST",
            "/backups",
            wish="make a backup of {server}",
            request={"name": name},
            permission="backup.create",
        )
        return await self._answer(question, read_backup)

    async def backup(self, server: str, uuid: str) -> Backup:
        """Return the backup *uuid* as it is now."""
        question = self._about(
            server,
            "GET",
            f"/backups/{_backup_uuid(uuid)}",
            wish="see the backups of {server}",
            permission="backup.read",
        )
        about = f"backup {uuid} of {question.about}"
        return await self._answer(evolve(question, about=about), read_backup)

    async def backups(self, server: str) -> list[Backup]:
        """Return all backups of the server, failed ones too, in no order that means anything."""
        question = self._about(
            server,
            "GET",
            "/backups",
            wish="see the backups of {server}",
            permission="backup.read",
        )
        found = await self._list(question, read_backups, per_page=50)
        # The order is nowhere promised (4.2), so that two pages may show the same one.
        return list({backup.uuid: backup for backup in found}.values())

    async def delete_backup(self, server: str, uuid: str) -> None:
        """Delete the backup *uuid*, one that is still being made too; a locked one is refused."""
        question = self._about(
            server,
            "DELETE",
            f"/backups/{_backup_uuid(uuid)}",
            wish="delete a backup of {server}",
            permission="backup.delete",
        )
        await self._done(evolve(question, about=f"backup {uuid} of {question.about}"))

    # ------------------------------------------------------------ asking

    def _about(
        self,
        server: str,
        method: str,
        path: str,
        *,
        wish: str,
        request: Any = None,
        permission: str | None = None,
    ) -> Question:
        id = server_id(server)
        about = f"server {id}"
        return Question(
            url=self.url,
            method=method,
            path=f"/api/client/servers/{id}{path}",
            request=request,
            wish=wish.format(server=about),
            about=about,
            permission=permission,
            is_repeatable=method == "GET",
        )

    async def _answer(self, question: Question, read: Callable[[Any], Answer]) -> Answer:
        text = await self._ask(question)
        try:
            answer = msgspec.json.decode(text)
        except (ValueError, RecursionError):
            raise misunderstood(question, text) from None
        try:
            return read(answer)
        except ValueError as exc:
            raise misunderstood(question, text, str(exc)) from exc

    async def _list(
        self,
        question: Question,
        read: Callable[[Any], tuple[list[Item], int]],
        *,
        per_page: int,
    ) -> list[Item]:
        """Return what is on all pages; a panel may well give less than *per_page*."""
        found: list[Item] = []
        page, pages = 1, 1
        while page <= pages:
            path = f"{question.path}?page={page}&per_page={per_page}"
            some, pages = await self._answer(evolve(question, path=path), read)
            found += some
            page += 1
            if not some:
                break
        return found

    async def _done(self, question: Question) -> None:
        """Ask, and expect no more than that it was accepted."""
        text = await self._ask(question)
        if text.lstrip().startswith("<"):
            raise misunderstood(question, text)

    async def _ask(self, question: Question) -> str:
        for pause in _REPEAT_AFTER_SECONDS if question.is_repeatable else ():
            try:
                return await self._ask_once(question)
            except PanelError as error:
                if not may_repeat(error):
                    raise
            await trio.sleep(pause)
        return await self._ask_once(question)

    async def _ask_once(self, question: Question) -> str:
        import httpx

        client = self._opened()
        started_at = trio.current_time()
        try:
            with trio.move_on_after(_WHOLE_ANSWER_SECONDS) as patience:
                response, text = await self._exchange(client, question)
        except (httpx.HTTPError, httpx.InvalidURL) as exc:
            raise unreachable(question, exc) from exc
        finally:
            if self._is_ours:
                # With a session's cookie we would look like the panel's own page, which has to
                # bring a CSRF token as well.
                client.cookies.clear()
        if patience.cancelled_caught:
            raise unreachable(question, httpx.ReadTimeout("the answer trickles"))
        self._report(question, response.status_code, text, trio.current_time() - started_at)
        if not 200 <= response.status_code < 300:
            raise refusal(
                question, status=response.status_code, headers=response.headers, text=text
            )
        return text

    async def _exchange(
        self, client: "httpx.AsyncClient", question: Question
    ) -> "tuple[httpx.Response, str]":
        """Return the answer and its body, which is read no further than a panel would write."""
        async with client.stream(
            question.method,
            self.url + question.path,
            json=question.request,
            headers=self._headers(),
            follow_redirects=False,
        ) as response:
            body = bytearray()
            # Cancelled rather than left: the client's generators want to be ended from inside.
            with trio.CancelScope() as reading:
                async for piece in response.aiter_bytes():
                    body += piece
                    if len(body) > _ANSWER_BYTES:
                        reading.cancel()
            if len(body) > _ANSWER_BYTES:
                raise too_long(question, response.status_code, _ANSWER_BYTES)
        # JSON is UTF-8; of anything else only a glimpse is shown.
        return response, body.decode("utf-8", "replace")

    def _headers(self) -> dict[str, str]:
        # Without Accept a panel redirects to its login page; with Origin it wants a CSRF token.
        return {
            "Authorization": f"Bearer {self._key}",
            "Accept": "application/json",
            "User-Agent": "automate",
        }

    def _opened(self) -> "httpx.AsyncClient":
        if self._client is None:
            import httpx

            patience = httpx.Timeout(_ANSWER_SECONDS, connect=_CONNECT_SECONDS)
            try:
                # httpx brings authorities of its own, for systems that have none.
                trusted = trust(self._ca_file, context=httpx.create_ssl_context())
                self._client = httpx.AsyncClient(timeout=patience, verify=trusted)
            except (OSError, ValueError, ImportError) as exc:
                raise UsageError(
                    f"the environment names a proxy or a certificate file that can't be used "
                    f"({exc}); check HTTPS_PROXY, ALL_PROXY and SSL_CERT_FILE"
                ) from exc
        return self._client

    def _report(self, question: Question, status: int, text: str, seconds: float) -> None:
        if self.on_call is None:
            return
        try:
            response: Any = msgspec.json.decode(text) if text.strip() else None
        except (ValueError, RecursionError):
            response = text
        self.on_call(
            Call(
                method=question.method,
                path=question.path,
                request=question.request,
                status=status,
                response=response,
                seconds=round(seconds, 4),
                claims=_claims(response),
            )
        )


def _backup_uuid(uuid: str) -> str:
    if not uuid or not all(c.isalnum() or c == "-" for c in uuid):
        raise UsageError(f"backup {uuid!r}: expected its uuid")
    return uuid


def _claims(response: Any) -> dict[str, Any] | None:
    match response:
        case {"data": {"token": str(token)}}:
            return claims_of(token)
        case _:
            return None

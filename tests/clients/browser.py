"""The console page of the panel's front end, to a node: the client that everybody has.

It shares nothing with this package: the standard library asks the panel, the websockets library
talks with the node. What it does and when is what the front end does (PROTOCOL 6.4, 6.5, 7.6).
To look at a server by hand, which ends with Ctrl-C, with the key in AUTOMATE_KEY::

    python tests/clients/browser.py http://127.0.0.1:8000 5f2c9a1e
"""

import asyncio
import json
import os
import sys
import urllib.request
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Final

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake
from websockets.typing import Origin

__all__ = ["Acts", "GaveUp", "Page"]

Acts = Callable[[str], Iterable[tuple[str, str]]]

_TRIES: Final = 20
# "Do not come back": the server is suspended (PROTOCOL 7.6).
_FINAL_CODES: Final = (4409, 4400)
_RECOVERABLE: Final = (
    "jwt: exp claim is invalid",
    "jwt: created too far in past (denylist)",
)
# In the middle of a transfer the server is still, or already, where it was looked for.
_HERE: Final = ("starting", "success")


class GaveUp(Exception):
    """The page tells its user that there is no connection, and stops trying."""


@dataclass
class Page:
    """The console page of *server*, opened by somebody who may use the panel with *key*.

    *diary* has what happened in order, each by its kind: ``opened``, ``sent`` (an event's name),
    ``heard`` (a frame), ``lost`` (a code), ``refused``, ``fetched`` (a token).
    """

    panel: str
    key: str
    server: str
    reconnect_seconds: float = 1.0
    on_note: Callable[[str, str], None] = lambda kind, what: None
    diary: list[tuple[str, str]] = field(default_factory=list)
    _socket_url: str = ""
    _token: str = ""
    _is_connected: bool = False
    _is_refreshing: bool = False

    def all(self, kind: str) -> list[str]:
        """Return what the diary has of one kind."""
        return [what for noted, what in self.diary if noted == kind]

    async def stay(self, leaves: Callable[[str], bool], *, acts: Acts = lambda _: ()) -> None:
        """Keep the page open until a frame is heard after which its user *leaves*.

        What *acts* gives for a frame is sent because of it: events and their arguments, such as
        ``("set state", "start")`` for a button, ``("send command", "list")`` for a typed line.

        Raises:
            GaveUp: twenty tries in a row found no connection, or the node wants no more of them.
        """
        await self._fetch()
        tries = 0
        while tries < _TRIES:
            try:
                async with connect(
                    self._socket_url,
                    origin=Origin(self.panel),
                    # A browser never pings, takes frames of any size, and here knows no proxy.
                    ping_interval=None,
                    max_size=None,
                    proxy=None,
                ) as socket:
                    tries = 0
                    self._note("opened", self._socket_url)
                    if await self._listen(socket, leaves, acts):
                        return
            except (OSError, EOFError, InvalidHandshake) as refused:
                self._note("refused", type(refused).__name__)
                tries += 1
            await asyncio.sleep(self.reconnect_seconds)
        raise GaveUp(f"no connection after {_TRIES} tries")

    # ------------------------------------------------------------ one connection

    async def _listen(
        self, socket: ClientConnection, leaves: Callable[[str], bool], acts: Acts
    ) -> bool:
        """Listen until the connection is lost; whether the user has left is returned."""
        async with asyncio.TaskGroup() as beside:
            # Whatever token it had is tried first: it may well be good for the node still.
            await self._say(socket, "auth", self._token)
            try:
                while True:
                    text = await socket.recv(decode=True)
                    self._note("heard", text)
                    await self._react(socket, json.loads(text), beside)
                    for event, arg in acts(text):
                        await self._say(socket, event, arg)
                    if leaves(text):
                        return True
            except ConnectionClosed as closed:
                code = closed.rcvd.code if closed.rcvd else 1006
            self._is_connected = False
            self._note("lost", str(code))
        if code in _FINAL_CODES:
            raise GaveUp(f"the node closed with {code}")
        return False

    async def _react(
        self, socket: ClientConnection, message: dict[str, Any], beside: asyncio.TaskGroup
    ) -> None:
        match message:
            case {"event": "auth success"} if not self._is_connected:
                # The console and the graphs are drawn anew, each asking for what it shows.
                self._is_connected = True
                await self._say(socket, "send logs", None)
                await self._say(socket, "send stats", None)
            case {"event": "token expiring" | "token expired"}:
                self._refresh(socket, beside)
            case {"event": "jwt error", "args": [str(why)]}:
                self._is_connected = False
                if any(known in why for known in _RECOVERABLE):
                    self._refresh(socket, beside)
            case {"event": "transfer status", "args": [status]} if status not in _HERE:
                await self._fetch()
                await socket.close()

    def _refresh(self, socket: ClientConnection, beside: asyncio.TaskGroup) -> None:
        """Get a new token and show it, beside listening; one at a time."""
        if not self._is_refreshing:
            self._is_refreshing = True
            beside.create_task(self._renew(socket))

    async def _renew(self, socket: ClientConnection) -> None:
        try:
            await self._fetch()
            await self._say(socket, "auth", self._token)
        finally:
            self._is_refreshing = False

    async def _say(self, socket: ClientConnection, event: str, arg: str | None) -> None:
        self._note("sent", event)
        # Whoever listens hears of the end as well.
        with suppress(ConnectionClosed):
            await socket.send(json.dumps({"event": event, "args": [arg]}))

    # ------------------------------------------------------------ the panel

    async def _fetch(self) -> None:
        answer = await asyncio.to_thread(self._ask, f"/api/client/servers/{self.server}/websocket")
        self._token, self._socket_url = answer["data"]["token"], answer["data"]["socket"]
        self._note("fetched", "a token")

    def _ask(self, path: str) -> Any:
        headers = {"Authorization": f"Bearer {self.key}", "Accept": "application/json"}
        # What the machine's settings say of proxies is not meant for this.
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(urllib.request.Request(self.panel + path, headers=headers)) as answer:
            return json.load(answer)

    def _note(self, kind: str, what: str) -> None:
        self.diary.append((kind, what))
        self.on_note(kind, what)


def _main(panel: str, server: str) -> None:
    key = os.environ.get("AUTOMATE_KEY", "")
    page = Page(panel, key, server, on_note=lambda kind, what: print(kind, what.strip()))
    with suppress(KeyboardInterrupt):
        asyncio.run(page.stay(lambda _text: False))


if __name__ == "__main__":
    _main(*sys.argv[1:])

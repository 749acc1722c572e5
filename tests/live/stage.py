"""A node of a few lines for the tests: each connection is played by the next of its scenes."""

import json
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress

import trio
from trio.testing import memory_stream_pair
from trio_websocket import (
    ConnectionClosed,
    WebSocketConnection,
    WebSocketRequest,
    wrap_server_stream,
)

from automate.errors import AutomateError
from automate.live.answers import Server, Token
from automate.live.listener import Listener
from automate.live.websocket import NodeSocket, socket_over
from automate.wire.codec import canonical_server
from automate.wire.frame import unpack
from automate.wire.messages import ClientMessage

URL = "ws://node.example.com:8080/api/servers/a1b2c3d4-0001-4000-8000-000000000001/ws"
ORIGIN = "https://panel.example.com"

Part = Callable[["Actor"], Awaitable[None]]


class Actor:
    """The daemon's end of one connection."""

    def __init__(self, request: WebSocketRequest, stream: trio.abc.Stream) -> None:
        self.request = request
        self.stream = stream
        self._socket: WebSocketConnection | None = None

    async def accept(self) -> WebSocketConnection:
        if self._socket is None:
            self._socket = await self.request.accept()
        return self._socket

    async def hear(self) -> str:
        """Return the next frame of the client, in short: event and first argument."""
        socket = await self.accept()
        frame = json.loads(await socket.get_message())
        first = (frame.get("args") or [None])[0]
        return frame["event"] if first is None else f"{frame['event']} {first}"

    async def say(self, *events: str) -> None:
        """Send an event for each text: its name, and its argument behind a colon."""
        socket = await self.accept()
        for each in events:
            await socket.send_message(frame(each))

    async def let_in(self, status: str = "running") -> None:
        """Take the client's auth, and its question for logs."""
        await self.hear()
        await self.say("auth success", f"status: {status}")
        await self.hear()

    async def listen(self) -> list[str]:
        """Return all that the client says until it leaves."""
        heard = []
        try:
            while True:
                heard.append(await self.hear())
        except ConnectionClosed:
            return heard

    async def vanish(self) -> None:
        """Drop the connection without a word, as a node does that is stopped."""
        await trio.aclose_forcefully(self.stream)


def frame(event: str) -> str:
    name, colon, argument = event.partition(": ")
    return canonical_server(name, [argument]) if colon else canonical_server(name)


class Node:
    """Opens connections to itself; *origins* are what the clients said they come from."""

    def __init__(self, nursery: trio.Nursery, *parts: Part) -> None:
        self._nursery = nursery
        self._parts = list(parts)
        self.origins: list[str] = []
        self.urls: list[str] = []

    @asynccontextmanager
    async def connect(self, url: str, origin: str) -> AsyncIterator[NodeSocket]:
        self.urls.append(url)
        near, far = memory_stream_pair()
        self._nursery.start_soon(self._play, far, self._parts.pop(0))
        async with socket_over(near, url, origin) as node_socket:
            yield node_socket

    async def _play(self, stream: trio.abc.Stream, part: Part) -> None:
        async with trio.open_nursery() as nursery:
            request = await wrap_server_stream(nursery, stream)
            self.origins += [
                value.decode() for name, value in request.headers if name.lower() == b"origin"
            ]
            with suppress(ConnectionClosed):
                await part(Actor(request, stream))
            nursery.cancel_scope.cancel()


class Tokens:
    """A panel that gives tokens: the next of *answers* each time, then numbered ones.

    The server has the next of `statuses` each time it is looked at, then none.
    """

    url = ORIGIN

    def __init__(self, *answers: Token | AutomateError, seconds: float = 0.0) -> None:
        self._answers = list(answers)
        self._seconds = seconds
        self.asked_at: list[float] = []
        self.looked_at: list[float] = []
        self.statuses: list[str | AutomateError | None] = []

    async def token(self, server: str) -> Token:
        self.asked_at.append(trio.current_time())
        await trio.sleep(self._seconds)
        answer = (
            self._answers.pop(0)
            if self._answers
            else Token(token=f"T{len(self.asked_at)}", socket=URL)
        )
        if isinstance(answer, AutomateError):
            raise answer
        return answer

    async def server(self, id: str) -> Server:
        self.looked_at.append(trio.current_time())
        await trio.sleep(self._seconds)
        status = self.statuses.pop(0) if self.statuses else None
        if isinstance(status, AutomateError):
            raise status
        return Server(id=id, uuid=f"{id}-0001-4000-8000-000000000001", name="it", status=status)


def in_short(texts: Sequence[str]) -> str:
    return ", ".join(map(_short, texts))


def _short(text: str) -> str:
    event, args = unpack(text)
    if event is None:
        return repr(text)
    return ": ".join([event, *map(str, args if isinstance(args, list) else [])])


class Diary(Listener):
    """Writes everything down: ``(moment, words)``; what was `heard`, apart from it."""

    def __init__(self) -> None:
        self.pages: list[tuple[float, str]] = []
        self.news: list[tuple[float, str]] = []

    def write(self, at: float, words: str) -> None:
        self.pages.append((round(at, 2), words))

    @property
    def words(self) -> list[str]:
        return [words for _, words in self.pages]

    def opened(self, at: float) -> None:
        self.write(at, "opened")

    def received(self, at: float, texts: Sequence[str]) -> None:
        self.write(at, f"< {in_short(texts)}")

    def heard(self, at: float, texts: Sequence[str]) -> None:
        self.news += [(round(at, 2), in_short([text])) for text in texts]

    def sent(self, at: float, text: str) -> None:
        event = json.loads(text)
        self.write(at, " ".join(["> " + event["event"], *filter(None, event["args"])]))

    def closed(self, at: float, by: str, code: int | None, reason: str | None) -> None:
        self.write(at, f"closed by {by}: {code} {reason}")

    def failed(self, at: float, reason: str) -> None:
        self.write(at, f"failed: {reason}")

    def ready(self, at: float) -> None:
        self.write(at, "ready")

    def alive(self, at: float) -> None:
        self.news.append((round(at, 2), "alive"))

    def down(self, at: float, reason: str) -> None:
        self.write(at, f"down: {reason}")

    def blind(self, at: float, reason: str) -> None:
        self.write(at, f"blind: {reason}")

    def sighted(self, at: float) -> None:
        self.write(at, "sighted")

    def not_sent(self, at: float, message: ClientMessage, reason: str) -> None:
        self.write(at, f"not sent: {message.args[0]}: {reason}")

    def delayed(self, at: float, reason: str, seconds: float) -> None:
        self.write(at, f"delayed: {reason}")

    def ended(self, at: float, error: AutomateError) -> None:
        self.write(at, f"ended: {error}")

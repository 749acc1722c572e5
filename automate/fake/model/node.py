"""A node: several servers, each in its own world, as one pure machine.

Sockets are numbered across all servers. The panel in front is `panel`, the network `serving`.
"""

from collections.abc import Iterable

from automate.errors import UsageError
from automate.fake.model.settings import Kind
from automate.fake.model.signals import (
    Closed,
    Drop,
    Flowing,
    Input,
    NodeStarted,
    NodeStopped,
    Opened,
    Said,
    SaidCompressed,
    SaidInBinary,
    Send,
    Stalled,
    TokensDenied,
    UserRevoked,
)
from automate.fake.model.world import World

__all__ = ["Node"]


class Node:
    """The servers in *worlds*, by their uuids: one daemon, so all of one kind and one epoch.

    Raises:
        UsageError: they are none, or can't be told apart by the panel.
    """

    def __init__(self, worlds: Iterable[World]) -> None:
        self.worlds: dict[str, World] = {}
        for world in worlds:
            server = world.settings.server
            if any(server[:8] == other[:8] for other in self.worlds):
                raise UsageError(
                    f"server {server}: another one begins with {server[:8]}, by which the panel "
                    "knows them; give it another uuid"
                )
            self.worlds[server] = world
        if not self.worlds:
            raise UsageError("a node needs a server; give it one")
        first = next(iter(self.worlds.values())).settings
        self.kind: Kind = first.kind
        self.manners = first.manners
        self.epoch = first.epoch
        self._of_socket: dict[int, World] = {}

    @property
    def wake_at(self) -> float | None:
        """When to call `tick`; ``None`` while nothing will happen by itself."""
        moments = [world.wake_at for world in self.worlds.values()]
        return min((moment for moment in moments if moment is not None), default=None)

    def tick(self, at: float) -> list[Send | Drop]:
        """Do what is due by *at*; return what clients are sent, in order."""
        return self._forget_dropped(
            [output for world in self.worlds.values() for output in world.tick(at)]
        )

    def handle(self, happened: Input, at: float, *, server: str | None = None) -> list[Send | Drop]:
        """Take in what *happened*, and return what clients are sent, in order.

        *server* is where. It can be left out where there is only one, for an open socket, and
        for what befalls the whole daemon: it stops, or tokens are denied.

        Raises:
            UsageError: nobody knows which server is meant.
        """
        concerned = self._concerned(happened, server)
        return self._forget_dropped(
            [output for world in concerned for output in world.handle(happened, at)]
        )

    def _concerned(self, happened: Input, server: str | None) -> list[World]:
        match happened:
            case NodeStopped() | NodeStarted():
                return list(self.worlds.values())
            case TokensDenied() | UserRevoked() if server is None:
                return list(self.worlds.values())
            case Said() | SaidInBinary() | SaidCompressed() | Stalled() | Flowing() | Closed():
                world = self._of_socket.get(happened.socket)
                return [] if world is None else [world]
        world = self._named(server)
        if world is None:
            what, known = type(happened).__name__, ", ".join(self.worlds)
            raise UsageError(f"{what}: which server? expected one of {known}, found {server}")
        if isinstance(happened, Opened):
            self._of_socket[happened.socket] = world
        return [world]

    def _named(self, server: str | None) -> World | None:
        if server is None and len(self.worlds) == 1:
            return next(iter(self.worlds.values()))
        return self.worlds.get(server or "")

    def _forget_dropped(self, outputs: list[Send | Drop]) -> list[Send | Drop]:
        for output in outputs:
            if isinstance(output, Drop):
                for socket in output.sockets:
                    self._of_socket.pop(socket, None)
        return outputs

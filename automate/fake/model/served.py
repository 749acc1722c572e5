"""What is served and where: the servers of a node before, and their addresses afterwards.

These are the values that `serving` takes and gives; it does the rest.
"""

from typing import Protocol

from attrs import field, frozen

from automate.fake.model.game import Game
from automate.fake.model.node import Node
from automate.fake.model.office import Office
from automate.fake.model.panel import Panel
from automate.fake.model.settings import Settings
from automate.fake.model.signals import Input
from automate.fake.model.world import World

__all__ = ["ServedModel", "ServedNode", "Tell", "Tenant"]


@frozen
class Tenant:
    """A server for a node: its settings, and its game (the arena if none is given).

    A *game* that does things by itself (`Telling`) is heard.
    """

    settings: Settings = field(factory=Settings)
    game: Game | None = None


class Tell(Protocol):
    """Makes something happen now: a node that stops, a suspension, a denied token.

    Of a suspension, an installation, a restore and a transfer the panel knows as well.
    """

    def __call__(self, happened: Input, *, server: str | None = None) -> None:
        """See `Node.handle`."""


@frozen(kw_only=True)
class ServedNode:
    """A node and its panel that are being served: where, for which *key*, and the models."""

    panel_url: str
    node_url: str
    key: str
    node: Node
    panel: Panel
    tell: Tell

    @property
    def servers(self) -> tuple[str, ...]:
        """The uuids of the servers."""
        return tuple(self.node.worlds)

    def socket_url(self, server: str) -> str:
        """Return where the websocket of *server* is."""
        return f"{self.node_url}/api/servers/{server}/ws"


@frozen(kw_only=True)
class ServedModel:
    """A model of one server that is being served: where, for which *key*, and the model itself.

    *office* is the panel's, *tell* makes something happen to the model.
    """

    panel_url: str
    socket_url: str
    server: str
    key: str
    world: World
    office: Office
    tell: Tell

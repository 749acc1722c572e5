"""The panel in front of the model's node, as a pure machine: calls in, answers out.

Who calls, how often, and for which server; what is asked of one server is the affair of its
`office`. HTTP itself is left to `serving`. Source: PROTOCOL sections 1 and 2.
"""

from typing import Any, Final

from attrs import evolve

from automate.fake.model.answers import (
    Answer,
    account_object,
    error,
    list_object,
    not_found,
    paging,
)
from automate.fake.model.mint import Mint
from automate.fake.model.node import Node
from automate.fake.model.office import ADMIN_PERMISSIONS, Office, PanelSettings, User
from automate.fake.model.quotas import Quotas
from automate.fake.model.settings import Kind
from automate.fake.model.signals import ConditionChanged, Drop, Send

__all__ = ["ADMIN_PERMISSIONS", "Panel", "PanelSettings", "User"]

_LIST: Final = "/api/client"
_ACCOUNT: Final = "/api/client/account"


class Panel:
    """The panel of all servers of *node*; their `offices` are kept by uuid."""

    def __init__(self, node: Node, settings: PanelSettings, mint: Mint) -> None:
        self.settings = settings
        self._node = node
        self._quotas = Quotas()
        self._out: list[Send | Drop] = []
        self.offices = {
            server: Office(world, settings, mint, number=number, out=self._out)
            for number, (server, world) in enumerate(node.worlds.items(), 1)
        }

    def call(
        self, method: str, path: str, body: Any = None, *, key: str | None, at: float
    ) -> tuple[Answer, list[Send | Drop]]:
        """Return the answer to a call at *at*, and what clients of the node are sent for it."""
        self._out += self._node.tick(at)
        user = self.settings.users.get(key or "")
        if user is None:
            answer = error(401, "AuthenticationException", "Unauthenticated.")
        else:
            answer = self._limited(user, method, path, body, at)
        out = list(self._out)
        self._out.clear()
        return answer, out

    def see(self, changed: ConditionChanged, *, server: str | None = None) -> None:
        """Take over what was made of *server*, which can be left out where there is only one."""
        for uuid, office in self.offices.items():
            if server in (None, uuid):
                office.see(changed)

    def _limited(self, user: User, method: str, path: str, body: Any, at: float) -> Answer:
        """Answer within the limits, with their headers (PROTOCOL 1.2)."""
        path, _, query = path.partition("?")
        path = path.rstrip("/")
        is_newer = self._node.kind is Kind.PELICAN
        calls = self.settings.calls_a_minute or (256 if is_newer else 720)
        limits = {f"user {user.uuid}": calls}
        tokens = self.settings.tokens_a_minute or (5 if is_newer else None)
        if path.endswith("/websocket") and tokens is not None:
            limits["websocket"] = tokens
        taken = self._quotas.take(limits, at, unix=self._node.epoch + at)
        if taken.is_over:
            refused = error(429, "ThrottleRequestsException", "Too Many Attempts.")
            return evolve(refused, headers=taken.headers)
        answer = self._route(user, method, path, query, body, at)
        return evolve(answer, headers={**taken.headers, **answer.headers})

    def _route(
        self, user: User, method: str, path: str, query: str, body: Any, at: float
    ) -> Answer:
        if (method, path) == ("GET", _LIST):
            items = [office.item(user) for office in self.offices.values()]
            page = paging(self.settings.url + _LIST, query, per_page=50, most=100)
            return Answer(status=200, body=list_object(items, page))
        if (method, path) == ("GET", _ACCOUNT):
            item = account_object(self._node.kind, uuid=user.uuid, is_admin=user.is_admin)
            return Answer(status=200, body=item)
        match path.split("/"):
            case ["", "api", "client", "servers", server, *rest]:
                office = self._office(server)
                if office is None:
                    return not_found()
                return office.answer(user, method, rest, body, at, query=query)
        return not_found()

    def _office(self, server: str) -> Office | None:
        """Return the office of a server by its uuid or the first eight letters of that."""
        for uuid, office in self.offices.items():
            if server in (uuid, uuid[:8]):
                return office
        return None

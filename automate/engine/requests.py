"""The recipe that was asked for as the engine began: its run at each server, and how it ended."""

from collections.abc import Iterable

import trio
from attrs import define

from automate.engine.watcher import Outcome
from automate.machine.actions import Traced

__all__ = ["Requests"]


@define
class _Request:
    run: int | None = None
    outcome: Outcome | None = None


class Requests:
    """The *recipe* asked for at each of *servers*, as soon as the server's status is known."""

    def __init__(self, recipe: str | None, servers: Iterable[str]) -> None:
        self.recipe = recipe
        self._requests = {server: _Request() for server in servers} if recipe else {}
        self._to_ask = set(self._requests)
        self._all_over = trio.Event()

    def __bool__(self) -> bool:
        """Return whether something was asked for."""
        return bool(self._requests)

    def is_to_be_asked(self, server: str) -> bool:
        """Return whether the recipe is still to be asked for at *server*."""
        return server in self._to_ask

    def asked(self, server: str) -> None:
        """Note that the recipe is asked for at *server*."""
        self._to_ask.discard(server)

    def begun(self, server: str, run: int) -> None:
        """Note which run it set off."""
        self._requests[server].run = run

    def refused(self, server: str, reason: str) -> None:
        """Note that it set off none."""
        self._requests[server].outcome = Outcome(server, "held back", reason)
        self._check()

    def ended(self, traced: Traced) -> None:
        """Note that a run ended."""
        request = self._requests.get(traced.server)
        if request is not None and request.run is not None and request.run == traced.run:
            request.outcome = Outcome(traced.server, traced.what, traced.detail)
            self._check()

    def gave_up(self, server: str, why: str) -> None:
        """Note that nothing more will come from *server*."""
        self._to_ask.discard(server)
        request = self._requests.get(server)
        if request is not None:
            request.outcome = request.outcome or Outcome(server, "given up", why)
            self._check()

    async def outcomes(self) -> list[Outcome]:
        """Return how it ended, once it did so at every server."""
        await self._all_over.wait()
        return [request.outcome for request in self._requests.values() if request.outcome]

    def _check(self) -> None:
        if all(request.outcome for request in self._requests.values()):
            self._all_over.set()

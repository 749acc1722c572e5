"""What the machine wants done, carried out: messages to servers, calls of the panel and of Python.

Whatever takes time runs beside, and comes back as an answer; what nobody waits for any more is
ended.
"""

from collections.abc import Awaitable, Callable, Collection, Iterable

import trio
from attrs import define

from automate.engine import hands
from automate.engine.watcher import Sender
from automate.live.panel import Panel
from automate.machine.actions import (
    CallPython,
    DeleteBackup,
    ListBackups,
    MakeBackup,
    Output,
    Send,
    ShowBackup,
    Tell,
)
from automate.machine.answer import Answer
from automate.wire.frame import canonical_client

__all__ = ["Deeds"]


@define
class _Unsaid:
    """A message that is not given to the socket yet, and the call that waits for that."""

    text: str
    call: int | None


class Deeds:
    """Does things for *servers*, and hands answers to *answer* by the numbers of their calls."""

    def __init__(
        self, servers: Iterable[str], panel: Panel, *, answer: Callable[[int, Answer], None]
    ) -> None:
        self.senders: dict[str, Sender] = {}
        # Whether anything was sent at all.
        self.has_sent = False
        # Where calls run; outside of it nobody can wait for them.
        self.nursery: trio.Nursery | None = None
        self._panel = panel
        self._answer = answer
        # What each server is still to be told: messages keep their distance on the wire.
        self._unsaid: dict[str, list[_Unsaid]] = {server: [] for server in servers}
        self._calls: dict[int, trio.CancelScope] = {}
        self._said_more = trio.Event()

    @property
    def are_said(self) -> bool:
        """Whether all that is to be sent is given to the sockets."""
        return not any(self._unsaid.values())

    def knows(self, server: str) -> bool:
        """Return whether *server* is one of ours."""
        return server in self._unsaid

    def said(self, server: str, text: str, answer: Answer) -> None:
        """Take in what became of the frame *text*, which was to be sent to *server*."""
        unsaid = self._unsaid[server]
        found = next((one for one in unsaid if one.text == text), None)
        if found is None:
            return
        unsaid.remove(found)
        self._wake()
        if found.call is not None:
            self._answer(found.call, answer)

    def gave_up(self, server: str) -> None:
        """Take in that *server* is told nothing more."""
        self._unsaid[server].clear()
        self._wake()

    def do(self, action: Output) -> None:
        """Do what *action* says."""
        panel = self._panel
        match action:
            case Send(server=server, message=message, call=call):
                text = canonical_client(message.event, message.args)
                self._unsaid[server].append(_Unsaid(text, call))
                self.has_sent = True
                self.senders[server].send(message)
            case MakeBackup(server=server, name=name, call=call):
                self._beside(call, lambda: self._make_backup(server, name))
            case ShowBackup(server=server, uuid=uuid, call=call):
                self._beside(call, lambda: hands.show_backup(panel, server, uuid))
            case ListBackups(server=server, call=call):
                self._beside(call, lambda: hands.list_backups(panel, server))
            case DeleteBackup(server=server, uuid=uuid, call=call):
                self._beside(call, lambda: hands.delete_backup(panel, server, uuid))
            case CallPython(name=name, context=context, call=call):
                self._beside(call, lambda: hands.call_python(name, context))
            case Tell(call=call) if call is not None:
                # The watchers are who is told.
                self._answer(call, Answer())

    async def _make_backup(self, server: str, name: str) -> Answer:
        """Make a backup that overtakes no command (`save-off`) on its way to the server."""
        while self._unsaid[server]:
            await self._said_more.wait()
        return await hands.make_backup(self._panel, server, name)

    def _beside(self, call: int, work: Callable[[], Awaitable[Answer]]) -> None:
        async def answer() -> None:
            with trio.CancelScope() as scope:
                self._calls[call] = scope
                try:
                    result = await work()
                finally:
                    del self._calls[call]
            if not scope.cancelled_caught:
                self._answer(call, result)

        # A session that says goodbye may still bring frames after we are cancelled.
        if self.nursery is not None:
            self.nursery.start_soon(answer)

    def end_calls(self, awaited: Callable[[], Collection[int]]) -> None:
        """End the calls that no step waits for any more: it failed, or its run was cut short."""
        if not self._calls:
            return
        still = awaited()
        for call, scope in self._calls.items():
            if call not in still:
                scope.cancel()

    def _wake(self) -> None:
        self._said_more.set()
        self._said_more = trio.Event()

"""Which servers are meant by the words of a command line: ids, names, patterns of names."""

from collections.abc import Sequence
from fnmatch import fnmatchcase

from automate.errors import AutomateError, NotThere, UsageError
from automate.live.answers import Server
from automate.live.panel import Panel

__all__ = ["find_servers", "only_server"]


async def find_servers(panel: Panel, wanted: Sequence[str]) -> list[Server]:
    """Return the servers that are meant, each once: by id as the panel says, or by name.

    Raises:
        UsageError: there is no server of this name.
        PanelError: the panel can't be asked, or knows none of this id.
    """
    found: dict[str, Server] = {}
    listed: list[Server] = []
    for word in wanted:
        for server in await _meant(panel, word, listed):
            found.setdefault(server.uuid, server)
    return list(found.values())


async def only_server(panel: Panel, word: str) -> Server:
    """Return the one server that *word* means.

    Raises:
        UsageError: there is none of this name, or more than one.
        PanelError: the panel can't be asked, or knows none of this id.
    """
    found = await find_servers(panel, [word])
    if len(found) > 1:
        ids = ", ".join(f"{one.name} ({one.id})" for one in found)
        raise UsageError(f"--server {word}: {len(found)} servers are called so; which of: {ids}")
    return found[0]


async def _meant(panel: Panel, word: str, listed: list[Server]) -> list[Server]:
    """Return the servers meant by *word*; *listed* is filled when it is needed."""
    unknown: AutomateError
    try:
        return [await panel.server(word)]
    except NotThere as error:
        unknown = error
    except UsageError as error:
        if word.isdecimal():
            raise
        unknown = error
    if not listed:
        listed += await panel.servers()
    # A name may have brackets in it, which mean something else in a pattern.
    wanted = word.casefold()
    named = [one for one in listed if one.name.casefold() == wanted]
    named = named or [one for one in listed if fnmatchcase(one.name.casefold(), wanted)]
    if not named and isinstance(unknown, NotThere):
        raise unknown
    if not named:
        names = ", ".join(sorted(one.name for one in listed)[:20]) or "none"
        raise UsageError(f"--server {word}: no server has this id or name; there are: {names}")
    # A list says nothing of what the key may do with each.
    return [await panel.server(one.uuid) for one in named]

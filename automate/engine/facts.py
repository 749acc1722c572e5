"""What recipes can go by before a server says anything: the panel's words for it, in theirs."""

from automate.live.answers import Server
from automate.recipe.selectors import ServerFacts

__all__ = ["server_facts"]


def server_facts(server: Server, *, game: str | None = None) -> ServerFacts:
    """Return the facts of *server*; *game* is the name of its console's table, if one is chosen."""
    return ServerFacts(
        name=server.name,
        ids=(server.uuid, server.id),
        tags=server.tags,
        memory_limit_bytes=server.memory_limit_bytes,
        disk_limit_bytes=server.disk_limit_bytes,
        cpu_limit_percent=server.cpu_limit_percent,
        game=game,
    )

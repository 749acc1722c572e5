"""What somebody who uses py-dactyl would write: run by the Python that has it, not by the tests.

    python py_dactyl_visitor.py WAY PANEL KEY SERVER < STEPS

WAY is ``plain`` or ``async``, for py-dactyl has a client of each kind; STEPS are a list of what
to do in turn, and what was heard and answered is printed, both as JSON.
"""

import asyncio
import json
import sys
from typing import Any

# It is no dependency of ours, and not there where the types are checked.
from pydactyl import AsyncPterodactylClient, PterodactylClient  # type: ignore[import-not-found]

Steps = list[list[Any]]


def visit(panel: str, key: str, server: str, steps: Steps) -> dict[str, Any]:
    """Do *steps* with the plain client, and return what came of them."""
    client = PterodactylClient(panel, key, origin=panel).client
    heard: list[Any] = []
    answered: dict[str, Any] = {}
    with client.servers.get_websocket_client(server) as socket:
        for step in steps:
            match step:
                case ["hear", count]:
                    while len(heard) < count:
                        heard.append(next(socket.listen()))
                case ["until", part]:
                    while not heard or part not in json.dumps(heard[-1]):
                        heard.append(next(socket.listen()))
                case ["power", signal]:
                    client.servers.send_power_action(server, signal)
                case ["command", text]:
                    client.servers.send_console_command(server, text)
                case ["type", text]:
                    socket.send_command(text)
                case ["back up"]:
                    answered["made"] = client.servers.backups.create_backup(server)
                case ["look"]:
                    answered |= look(client, server)
    return {"heard": heard, "answered": answered}


def look(client: Any, server: str) -> dict[str, Any]:
    backups = client.servers.backups
    listed = backups.list_backups(server)
    return {
        "account": client.account.get_account(),
        "servers": [item for page in client.servers.list_servers() for item in page.data],
        "server": client.servers.get_server(server),
        "utilization": client.servers.get_server_utilization(server),
        "backups": [
            backups.get_backup_detail(server, item["attributes"]["uuid"]) for item in listed["data"]
        ],
    }


async def visit_async(panel: str, key: str, server: str, steps: Steps) -> dict[str, Any]:
    """Do *steps* with the asynchronous client, and return what came of them."""
    heard: list[Any] = []
    async with AsyncPterodactylClient(panel, key, origin=panel) as client:
        servers = client.client.servers
        async with await servers.get_websocket_client(server) as socket:
            listening = aiter(socket.listen())
            for step in steps:
                match step:
                    case ["hear", count]:
                        while len(heard) < count:
                            heard.append(await anext(listening))
                    case ["ask"]:
                        await socket.request_logs()
                        await socket.request_stats()
        found = await servers.list_servers()
    return {"heard": heard, "answered": {"servers": found.data}}


def _main(way: str, panel: str, key: str, server: str) -> None:
    steps = json.load(sys.stdin)
    if way == "async":
        visited = asyncio.run(visit_async(panel, key, server, steps))
    else:
        visited = visit(panel, key, server, steps)
    json.dump(visited, sys.stdout)


if __name__ == "__main__":
    _main(*sys.argv[1:])

"""Back the running server up every six hours and each Sunday; keep two and one of them.

An old one is deleted once the new one is complete, or before where there is no room for both;
locked ones never. The panel has to allow as many backups as are kept: three, and those of others.
"""

from automate import (
    Backup,
    Block,
    Command,
    ConsoleLine,
    Cron,
    Every,
    Notify,
    Recipe,
    ServerIs,
    WaitUntil,
)

# The whole line, from the log's own prefix on: a player who says "Saved the game" has a name
# before it. Vanilla and Paper both write it so.
SAVED = ConsoleLine(r"^\[[^\]]+\](?: \[[^\]]+\])?: Saved the game$")


def backed_up(name: str, keep: int) -> Block:
    """Save the world, and write nothing to it until its backup is complete."""
    return Block(
        [
            # Twice does no harm; left out, nobody would say that it is saved.
            Command("save-off", if_in_doubt="repeat"),
            Command("save-all", if_in_doubt="repeat"),
            WaitUntil(SAVED, limit_seconds=120),
            Backup(name, keep=keep),
        ],
        always=Command("save-on"),
    )


every_six_hours = Recipe(
    "rotate backups",
    when=Every(hours=6),
    only_if=ServerIs("running"),
    then=backed_up("every six hours", keep=2),
    on_failure=Notify("{server}: no backup: {error}"),
)

each_sunday = Recipe(
    "weekly backup",
    when=Cron("30 2 * * SUN", missed="once"),
    only_if=ServerIs("running"),
    then=backed_up("weekly", keep=1),
    on_failure=Notify("{server}: no weekly backup: {error}"),
)

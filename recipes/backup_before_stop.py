"""Back the server up, then stop it: each night at half past four, or when it is asked for.

Saving is off while the backup is made and on again afterwards, whatever happens in between.
The newest three of these backups are kept. If anything fails the server keeps running, and the
admin is told.
"""

from automate import (
    Announce,
    Asked,
    At,
    Backup,
    Block,
    Command,
    ConsoleLine,
    Notify,
    Recipe,
    ServerIs,
    Stop,
    WaitUntil,
)

# The whole line, from the log's own prefix on: a player who says "Saved the game" has a name
# before it. Vanilla and Paper both write it so.
SAVED = ConsoleLine(r"^\[[^\]]+\](?: \[[^\]]+\])?: Saved the game$")

backup_before_stop = Recipe(
    "backup before stop",
    when=[Asked(), At("04:30", zone="UTC")],
    only_if=ServerIs("running"),
    then=[
        # Saving and backing up take a while: that is the players' notice. For more of it, put
        # a Wait(seconds=60) after this line.
        Announce("The server is backed up now and then stops: find a safe place"),
        Block(
            [
                # Twice does no harm; left out, nobody would say that it is saved.
                Command("save-off", if_in_doubt="repeat"),
                Command("save-all", if_in_doubt="repeat"),
                WaitUntil(SAVED, limit_seconds=120),
                Backup("before stop", keep=3),
            ],
            always=[Command("save-on")],
        ),
        Stop(),
    ],
    on_failure=[Notify("{server}: no backup, so it was not stopped: {error}")],
)

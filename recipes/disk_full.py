"""Stop the server when its disk is full, before it writes half a world over a whole one.

The game says so itself, in Java's words for it. The line has to begin with them: what a player
writes has the player's name before it.
"""

from automate import ConsoleLine, Notify, Recipe, ServerIs, Stop

FULL = ConsoleLine(
    r"^(?:Caused by: )?java\.(?:io|nio\.file)\.\w+Exception: (?:.*: )?"
    r"(?:No space left on device|Disk quota exceeded)$"
)

disk_full = Recipe(
    "disk full",
    when=FULL,
    only_if=ServerIs("starting", "running"),
    then=[
        Notify("{server}: the disk is full; stopping it: {line}"),
        Stop(kill_after_seconds=120),
        Notify("{server} is stopped; make room before you start it again"),
    ],
    on_failure=Notify("{server}: the disk is full, and it could not be stopped: {error}"),
)

"""Welcome each player, once a day: who comes back after a crash has read it already."""

from automate import Announce, AtMost, PlayerJoined, Recipe, Wait

welcome = Recipe(
    "welcome",
    when=PlayerJoined(),
    then=[
        # The game's own messages come first, and the world has to load.
        Wait(seconds=3),
        Announce("Welcome, {player}! Type /help for help."),
    ],
    limit=AtMost(1, within_seconds=24 * 3600, per="player"),
    # After a restart all come at once.
    mode="parallel",
    at_once=100,
)

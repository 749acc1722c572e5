"""Say things to the players at set times, by the wall clock, while the server is running."""

from automate import Announce, At, Every, Recipe, ServerIs

rules = Recipe(
    "announce the rules",
    when=Every(minutes=30),
    only_if=ServerIs("running"),
    then=Announce("Be kind to each other. Type /help for help."),
)

good_night = Recipe(
    "announce the night",
    when=At("22:00", zone="UTC"),
    only_if=ServerIs("running"),
    then=Announce("It is ten o'clock. The nightly backup starts at half past four."),
)

"""Start the lobby once the world is up, and not before: the lobby sends players on to it at once.

Put your servers' names in the place of these; a pattern (`lobby*`) means all that match it.
automate has to run for both.
"""

from automate import Notify, On, Recipe, Start, StatusChanged

start_the_lobby = Recipe(
    "start the lobby",
    servers="world*",
    when=StatusChanged(to="running"),
    then=On("lobby*", Start()),
    on_failure=Notify("{server} is up, but the lobby is not: {error}"),
)

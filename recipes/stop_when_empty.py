"""Stop the server when nobody has been online for half an hour.

The game is asked who is online before the half hour, and once more before the stop: who came
while automate could not see it is not thrown out. It takes a game that can be asked
(docs/games.md).
"""

from automate import (
    Choose,
    CountPlayers,
    Every,
    If,
    Notify,
    Or,
    PlayerLeft,
    PlayersOnline,
    Recipe,
    ServerIs,
    Stop,
    Wait,
)

stop_when_empty = Recipe(
    "stop when empty",
    # Every ten minutes, too: nobody may have come in the first place.
    when=[PlayerLeft(), Every(minutes=10)],
    only_if=ServerIs("running"),
    then=[
        CountPlayers(),
        Wait(
            seconds=30 * 60,
            unless=Or(PlayersOnline(at_least=1), ServerIs("offline", "stopping")),
        ),
        CountPlayers(),
        Choose(
            If(
                PlayersOnline(at_most=0),
                [Notify("{server}: nobody was online for half an hour; stopping it"), Stop()],
            ),
        ),
    ],
)

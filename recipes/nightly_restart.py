"""Restart the server each night, when nobody plays any more, and by half past five in any case.

At four it is counted who is online. As long as somebody is, the restart is put off; after an
hour and a half it comes all the same. Whenever it comes it is announced five minutes before.
"""

from automate import (
    At,
    Choose,
    Countdown,
    CountPlayers,
    If,
    Notify,
    PlayerLeft,
    PlayersOnline,
    Recipe,
    Repeat,
    Restart,
    ServerIs,
    Try,
    WaitUntil,
)

MINUTE = 60

nightly_restart = Recipe(
    "nightly restart",
    when=At("04:00", zone="UTC"),
    only_if=ServerIs("running"),
    then=[
        # A game that can't be asked, or does not answer, is restarted at the deadline.
        Try(CountPlayers(), go_on=True),
        Try(
            Repeat(
                # Looked at when somebody leaves, and every five minutes.
                WaitUntil(PlayerLeft(), limit_seconds=5 * MINUTE, otherwise=[]),
                until=PlayersOnline(at_most=0),
                at_most=10_000,
            ),
            limit_seconds=90 * MINUTE,
            go_on=True,
        ),
        # Somebody may have stopped it meanwhile.
        Choose(
            If(
                ServerIs("running"),
                [
                    Countdown("The server restarts in {left}", seconds=5 * MINUTE),
                    Restart(),
                ],
            ),
        ),
    ],
    on_failure=Notify("{server}: no nightly restart: {error}"),
)

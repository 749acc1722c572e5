"""Kill a server that hangs, and start it again: one that is silent, or stuck on its way up or down.

A quiet evening is no hang: after ten minutes of silence the game is asked something, and is only
killed if it does not say a word. What was not saved is lost; hence the patience. After three
times within an hour the server is left alone.
"""

from automate import (
    Asked,
    AtMost,
    Command,
    ConsoleLine,
    Kill,
    Notify,
    Recipe,
    RunRecipe,
    Silent,
    Start,
    Stuck,
    WaitUntil,
)

# Anything will do that the game answers, if only that it does not know the command.
PROBE = "list"
# The terminal repeats what is typed, even while the game hangs: that is no answer.
ANSWER = ConsoleLine(rf"^(?!{PROBE}$).")

revive = Recipe(
    "revive",
    when=Asked(),
    then=[Notify("{server} hangs; killing it and starting it again"), Kill(), Start()],
    on_failure=Notify("{server} hangs, and could not be started again: {error}"),
    limit=AtMost(
        3,
        within_seconds=3600,
        otherwise=Notify("{server} hangs again and again; it is left alone now"),
    ),
)

silent = Recipe(
    "hang watchdog",
    when=Silent(for_seconds=600),
    then=[
        # Asked twice does no harm; never asked, a healthy server would be killed.
        Command(PROBE, if_in_doubt="repeat"),
        WaitUntil(ANSWER, limit_seconds=60, otherwise=RunRecipe("revive")),
    ],
)

stuck_starting = Recipe(
    "stuck while starting",
    when=Stuck(states="starting", for_seconds=600),
    then=RunRecipe("revive"),
)

stuck_stopping = Recipe(
    "stuck while stopping",
    when=Stuck(states="stopping", for_seconds=300),
    # Somebody wanted it down, so it stays down.
    then=[Notify("{server} has been stopping for five minutes; killing it"), Kill()],
    on_failure=Notify("{server} can't be killed: {error}"),
)

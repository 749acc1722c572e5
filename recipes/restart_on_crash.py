"""Start the server again ten seconds after it crashed, unless the daemon did so itself.

The pause doubles with each attempt (10, 20, 40… seconds) and is short again once the server has
run for ten minutes. After five crashes within an hour it gives up and says so.
"""

from automate import AtMost, Backoff, Crashed, Notify, Recipe, ServerIs, Start, Wait

restart_on_crash = Recipe(
    "restart on crash",
    when=Crashed(),
    then=[
        Wait(
            seconds=Backoff(first_seconds=10, reset_after_seconds=600),
            unless=ServerIs("starting", "running"),
        ),
        Notify("{server} {reason}; starting it again (attempt {attempt})"),
        Start(),
    ],
    on_failure=[Notify("{server} could not be started: {error}")],
    limit=AtMost(
        5,
        within_seconds=3600,
        otherwise=[Notify("{server} crashed more than 5 times within an hour; giving up")],
    ),
)

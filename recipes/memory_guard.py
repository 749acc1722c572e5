"""Warn at 85 % of the memory, and restart in order at 95 %, before the kernel kills the game.

A peak is no leak: the memory has to stay that high for a while. After three restarts within six
hours a restart is no help, and it is left to the admin.
"""

from automate import AtMost, Countdown, Notify, ReadingAbove, Recipe, Restart

memory_warning = Recipe(
    "memory warning",
    when=ReadingAbove("memory_bytes", percent_of_limit=85, for_seconds=60, rearm_at=75),
    then=Notify("{server} uses {value} % of its memory"),
)

memory_guard = Recipe(
    "memory guard",
    when=ReadingAbove("memory_bytes", percent_of_limit=95, for_seconds=120, rearm_at=85),
    then=[
        Notify("{server} uses {value} % of its memory; restarting it"),
        Countdown("The server is running out of memory and restarts in {left}", seconds=60),
        Restart(),
    ],
    on_failure=Notify("{server} could not be restarted: {error}"),
    limit=AtMost(
        3,
        within_seconds=6 * 3600,
        otherwise=Notify("{server} runs out of memory again and again; restarts don't help"),
    ),
)

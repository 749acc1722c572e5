"""Tell the admin of each crash, with the last 50 lines of the console before it.

Whether and when the server starts again is told by others (`restart_on_crash`); this one only
reports. A server that crashes again and again is reported three times an hour.
"""

from automate import AtMost, Crashed, Notify, Recipe

crash_report = Recipe(
    "crash report",
    when=Crashed(),
    then=Notify("{server} {reason}; it said last:\n{lines}"),
    limit=AtMost(3, within_seconds=3600),
)

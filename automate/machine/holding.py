"""Whether a condition holds, in three ways: yes, no, and nobody knows; and in words why."""

from typing import Final
from zoneinfo import ZoneInfo

from attrs import frozen

from automate.machine.view import View, measured, number_words
from automate.recipe.checks import duration, shown
from automate.recipe.conditions import (
    And,
    Between,
    Condition,
    Not,
    NotRunFor,
    OnDays,
    Or,
    PlayersOnline,
    ReadingIs,
    ServerIs,
    VariableIs,
)

__all__ = ["Verdict", "judge"]

_DAYS: Final = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")


@frozen
class Verdict:
    """Whether a condition *holds* (``None``: not known); *words* say what was found, and where.

    *found* says only the first, as a sentence: ``it is running``.
    """

    holds: bool | None
    words: str
    found: str


def judge(condition: Condition, view: View) -> Verdict:
    """Return whether *condition* holds for the server as *view* shows it.

    All parts are looked at, so that the words show each. A part that is not known leaves the
    whole unknown, unless the others decide it.
    """
    match condition:
        case And(conditions=several):
            parts = [judge(one, view) for one in several]
            return _combined(_all(parts), _listed(parts, " and "))
        case Or(conditions=several):
            parts = [judge(one, view) for one in several]
            return _combined(_any(parts), _listed(parts, " or "))
        case Not(negated=negated):
            inner = judge(negated, view)
            return Verdict(_not(inner.holds), f"not ({inner.words})", inner.found)
        case _:
            holds, found = _look(condition, view)
            return Verdict(holds, f"{condition}: {_WORDS[holds]}, {found}", found)


def _combined(holds: bool | None, words: str) -> Verdict:
    return Verdict(holds, words, words)


_WORDS: Final = {True: "yes", False: "no", None: "not known"}
_Single = ServerIs | ReadingIs | PlayersOnline | VariableIs | NotRunFor | Between | OnDays
_Looked = tuple[bool | None, str]


def _all(parts: list[Verdict]) -> bool | None:
    if any(one.holds is False for one in parts):
        return False
    return None if any(one.holds is None for one in parts) else True


def _any(parts: list[Verdict]) -> bool | None:
    if any(one.holds is True for one in parts):
        return True
    return None if any(one.holds is None for one in parts) else False


def _not(holds: bool | None) -> bool | None:
    return None if holds is None else not holds


def _listed(parts: list[Verdict], word: str) -> str:
    return word.join(f"({one.words})" for one in parts)


def _look(condition: _Single, view: View) -> _Looked:
    """Return whether a single condition holds, and what was found."""
    match condition:
        case ServerIs(states=states):
            if view.status is None:
                return None, "its status was not seen yet"
            return view.status in states, f"it is {view.status}"
        case ReadingIs():
            return _look_at_reading(condition, view)
        case PlayersOnline(at_least=least, at_most=most):
            if view.online is None:
                return None, "nobody counted them"
            holds = (least is None or view.online >= least) and (
                most is None or view.online <= most
            )
            return holds, "1 is online" if view.online == 1 else f"{view.online} are online"
        case VariableIs(name=name, value=wanted):
            found = view.variables.get(name, "")
            return found == wanted, f"it is {shown(found)}"
        case NotRunFor(seconds=seconds, recipe=recipe):
            ago = view.last_run(recipe)
            if ago is None:
                return True, "it never ran"
            return ago >= seconds, f"it ran {duration(int(ago))} ago"
        case Between() | OnDays():
            return _look_at_clock(condition, view)


def _look_at_reading(condition: ReadingIs, view: View) -> _Looked:
    level = condition.level
    if view.stats is None:
        return None, "no statistics came yet"
    number = measured(condition.reading, level, view.stats, view.facts)
    if number is None:
        # Only a percent needs more than the report itself.
        has_number = getattr(view.stats, condition.reading) is not None
        return None, "it has no limit" if has_number else "the statistics do not have it"
    holds = number >= level.number if condition.is_lower_bound else number <= level.number
    return holds, f"it is {number_words(number)}{' %' if level.is_percent else ''}"


def _look_at_clock(condition: Between | OnDays, view: View) -> _Looked:
    local = view.now.astimezone(ZoneInfo(condition.zone))
    if isinstance(condition, OnDays):
        return local.weekday() in condition.numbers, f"it is {_DAYS[local.weekday()]}"
    start, end, now = condition.start, condition.end, local.time()
    is_over_midnight = start > end
    holds = (start <= now or now < end) if is_over_midnight else start <= now < end
    return holds, f"it is {local:%H:%M}"

"""The parts of a recipe as a newcomer would say them: what happened, what holds, what is done.

`str()` of a part is its short form, for traces; here it becomes part of a sentence. How the
sentences are put together is left to `description`.
"""

import re
from collections.abc import Iterable
from typing import Any, Final

from automate.recipe.checks import duration
from automate.recipe.combinators import AllWithin, AnyOf, NotFollowedBy, Times, Trigger
from automate.recipe.conditions import (
    And,
    Between,
    Condition,
    Not,
    NotRunFor,
    OnDays,
    Or,
    ReadingIs,
    ServerIs,
    VariableIs,
)
from automate.recipe.flow import Block, Choose, On, Parallel, Repeat, Step, Try, WaitUntil
from automate.recipe.readings import Level
from automate.recipe.schedule import At, Cron, Every, Schedule
from automate.recipe.selectors import Selector, Tagged
from automate.recipe.steps import (
    Announce,
    Backoff,
    Backup,
    Call,
    Command,
    Countdown,
    Fail,
    Kill,
    Notify,
    Restart,
    RunRecipe,
    SetVariable,
    Start,
    Stop,
    Wait,
)
from automate.recipe.triggers import (
    Asked,
    Connected,
    ConsoleLine,
    Disconnected,
    FeatureMatched,
    FoundOffline,
    ReadingAbove,
    ReadingBelow,
    RecipeEnded,
    StatusChanged,
    Stuck,
    Throttled,
)

__all__ = ["SERVER", "event", "holds", "quoted", "servers", "steps", "when"]

SERVER: Final = "the server"
_READINGS: Final = {
    "memory_bytes": "the memory in use",
    "disk_bytes": "the disk in use",
    "cpu_percent": "the processor's load",
    "uptime_seconds": "the time since it started",
}
# What in a pattern is no text: escapes, groups' beginnings, sets, numbers of times, signs.
_NO_TEXT: Final = re.compile(
    r"\\.[*?]?|\(\?(?:P<\w+>|P=\w+|[a-zA-Z-]*[:)]|=)|\[\^?\]?(?:\\.|[^\]\\])*\]|\{[\d,]*\}"
    r"|.[*?]|[().+^$|]"
)
# A text of so many characters tells what is meant.
_TELLING: Final = 5
_UNITS: Final = ((10**9, "GB"), (10**6, "MB"), (10**3, "kB"), (1, "bytes"))


def quoted(text: str) -> str:
    """Return *text* in quotation marks that it does not hold itself, on one line."""
    shown = " ".join(text.split())
    return f"'{shown}'" if '"' in shown and "'" not in shown else f'"{shown}"'


# ---------------------------------------------------------------- triggers


def when(trigger: Trigger) -> str:
    """Return when *trigger* sets a recipe off: ``when the server crashed``, ``every 5 minutes``."""
    if isinstance(trigger, Schedule):
        return _schedule(trigger)
    return f"when {event(trigger)}"


def event(trigger: Trigger) -> str:
    """Return what happened: ``the server crashed``."""
    match trigger:
        case Asked():
            return "somebody asks for it"
        case FoundOffline():
            return f"{SERVER} is found offline after a lost connection"
        case StatusChanged(to=to, was=was, for_seconds=seconds):
            before = f" after being {' or '.join(was)}" if was else ""
            held = f" and stays so for {duration(seconds)}" if seconds else ""
            return f"{SERVER} becomes {' or '.join(to)}{before}{held}"
        case Stuck(states=states, for_seconds=seconds):
            return f"{SERVER} has been {' or '.join(states)} for {duration(seconds)}"
        case ConsoleLine(pattern=pattern):
            return f"the console says something like {_like(pattern)}"
        case ReadingAbove(reading=reading, for_seconds=seconds):
            return f"{_reading(reading, trigger.level)} or more{_held(seconds)}"
        case ReadingBelow(reading=reading, for_seconds=seconds):
            return f"{_reading(reading, trigger.level)} or less{_held(seconds)}"
        case Connected():
            return f"automate is connected to {SERVER}"
        case Disconnected(for_seconds=seconds):
            return f"automate can't reach {SERVER}{_held(seconds)}"
        case RecipeEnded(recipe=name):
            return str(trigger).replace(repr(name), quoted(name))
        case FeatureMatched(feature=str(key)):
            return str(trigger).replace(repr(key), quoted(key))
        case Throttled():
            return "the daemon drops something as too much"
        case AnyOf() | AllWithin() | Times() | NotFollowedBy():
            return _combined(trigger)
        case _:
            said = str(trigger)
            return f"{SERVER} {said.removeprefix('it ')}" if said.startswith("it ") else said


def _like(pattern: str) -> str:
    """Return the plain text in a pattern; the pattern itself where that says little."""
    # Of what must not be there nothing is said.
    pieces = [] if re.search(r"\(\?<?!", pattern) else _NO_TEXT.split(pattern)
    telling = [text for piece in pieces if len(text := piece.strip(" :")) >= _TELLING]
    if not telling:
        return f"/{pattern}/"
    # Of what may be this or that one is enough.
    return quoted(max(telling, key=len) if "|" in pattern else " … ".join(telling))


def _held(seconds: float) -> str:
    return f" for {duration(seconds)}" if seconds else ""


def _combined(trigger: AnyOf | AllWithin | Times | NotFollowedBy) -> str:
    parts = [
        f"({event(part)})"
        if isinstance(part, AnyOf | AllWithin | Times | NotFollowedBy)
        else event(part)
        for part in trigger.parts
    ]
    match trigger:
        case AnyOf():
            return " or ".join(parts)
        case AllWithin(seconds=seconds, per=per):
            same = f" for the same {per}" if per else ""
            return f"{' and '.join(parts)}, all within {duration(seconds)}{same}"
        case Times(times=times, seconds=seconds, per=per):
            same = f" for the same {per}" if per else ""
            often = "once" if times == 1 else f"{times} times"
            return f"{parts[0]}, {often} within {duration(seconds)}{same}"
        case NotFollowedBy(seconds=seconds, per=per):
            same = f" for the same {per}" if per else ""
            return f"{parts[0]} and not, within {duration(seconds)} after that{same}, {parts[1]}"


def _schedule(schedule: Schedule) -> str:
    match schedule:
        case Every():
            one = schedule.interval_seconds in (1, 60, 3600)
            said = str(schedule).replace("every 1 ", "every ") if one else str(schedule)
            zone = "" if schedule.zone == "UTC" else f" ({schedule.zone})"
            said += zone
        case At(time=time, zone=zone):
            said = f"each day at {time:%H:%M:%S}" if time.second else f"each day at {time:%H:%M}"
            said += f" ({zone})"
        case Cron(expression=expression, zone=zone):
            said = f"by the cron schedule {quoted(expression)} ({zone})"
    if schedule.jitter_seconds:
        said += f", up to {duration(schedule.jitter_seconds)} later"
    if schedule.missed != "skip":
        said += f", made up for {'once' if schedule.missed == 'once' else 'each time'} if missed"
    return said


# ---------------------------------------------------------------- conditions


def holds(condition: Condition, *, subject: str = SERVER) -> str:
    """Return what holds; the server is called *subject*."""
    match condition:
        case ServerIs(states=states):
            return f"{subject} is {' or '.join(states)}"
        case ReadingIs(reading=reading, level=level, is_lower_bound=is_lower_bound):
            return f"{_reading(reading, level)} or {'more' if is_lower_bound else 'less'}"
        case Between(start=start, end=end, zone=zone):
            return f"it is between {start:%H:%M} and {end:%H:%M} ({zone})"
        case And(conditions=several):
            return " and ".join(_inner(one, subject) for one in several)
        case Or(conditions=several):
            return " or ".join(_inner(one, subject) for one in several)
        case Not(negated=ServerIs() | Between() | OnDays() | VariableIs() as negated):
            return holds(negated, subject=subject).replace(" is ", " is not ", 1)
        case Not(negated=NotRunFor(seconds=seconds, recipe=recipe)):
            return f"{_recipe(recipe)} has run within {duration(seconds)}"
        case Not(negated=negated):
            return f"it is not so that {_inner(negated, subject)}"
        case NotRunFor(seconds=seconds, recipe=recipe):
            return f"{_recipe(recipe)} has not run for {duration(seconds)}"
        case VariableIs(name=name, value=value):
            return f"the variable {name} is {quoted(value)}"
        case _:
            return str(condition)


def _inner(condition: Condition, subject: str) -> str:
    said = holds(condition, subject=subject)
    return f"({said})" if isinstance(condition, And | Or) else said


def _recipe(name: str | None) -> str:
    return "this recipe" if name is None else f"the recipe {quoted(name)}"


def _reading(reading: str, level: Level) -> str:
    what = _READINGS[reading]
    if level.is_percent:
        return f"{what} is {level.number:g} % of its limit"
    match reading.rpartition("_")[2]:
        case "bytes":
            size, unit = next(
                ((size, unit) for size, unit in _UNITS if level.number >= size), _UNITS[-1]
            )
            return f"{what} is {level.number / size:g} {unit}"
        case "percent":
            return f"{what} is {level.number:g} %"
        case _:
            return f"{what} is {duration(level.number)}"


# ---------------------------------------------------------------- steps


def steps(several: Iterable[Step], *, subject: str = SERVER) -> str:
    """Return what is done, step after step; the server is called *subject* in conditions."""
    return "; ".join(_step(one, subject) for one in several)


def _group(several: "tuple[Step, ...]", subject: str) -> str:
    said = steps(several, subject=subject)
    return f"({said})" if len(several) > 1 else said


def _step(step: Step, subject: str) -> str:
    match step:
        case Command(text=text):
            return f"type {quoted(text)}"
        case Announce(text=text):
            return f"announce {quoted(text)}"
        case Countdown(text=text, seconds=seconds):
            return f"count down {duration(seconds)}, announcing {quoted(text)}"
        case Start() | Restart() | Kill():
            return f"{step} {SERVER}"
        case Stop(kill_after_seconds=seconds):
            late = "" if seconds is None else f", and kill it after {duration(seconds)}"
            return f"stop {SERVER}{late}"
        case Backup(name=name, keep=keep):
            kept = "" if keep is None else f", keeping the newest {keep}"
            return f"make the backup {quoted(name)}{kept}"
        case Wait(seconds=seconds, unless=unless):
            said = f"wait {_pause(seconds)}"
            if unless is not None:
                said += f" unless {holds(unless, subject=subject)} (then that is all)"
            return said
        case WaitUntil():
            return _wait_until(step, subject)
        case Notify(text=text):
            return f"tell the admin {quoted(text)}"
        case SetVariable(name=name, text=text):
            return f"set the variable {name} to {quoted(text)}"
        case RunRecipe(name=name):
            return f"run the recipe {quoted(name)}"
        case Call(name=name):
            return f"call the Python function {name}"
        case Fail(text=text):
            return f"fail, saying {quoted(text)}"
        case Block() | Choose() | Repeat() | Parallel() | On() | Try():
            return _flow(step, subject)
        case _:
            return "ask the game who is online"


def _flow(step: Block | Choose | Repeat | Parallel | On | Try, subject: str) -> str:
    match step:
        case Block(steps=inner, always=always):
            return f"({steps(inner, subject=subject)}; in any case {_group(always, subject)})"
        case Choose(ways=ways, otherwise=otherwise):
            said = [
                f"if {holds(way.condition, subject=subject)}: "
                f"{_group(way.steps, subject) or 'do nothing'}"
                for way in ways
            ]
            rest = [f"otherwise: {_group(otherwise, subject)}"] if otherwise else []
            return f"({'; '.join([*said, *rest])})"
        case Repeat(steps=inner, times=int(times)):
            return f"{times} times over: {_group(inner, subject)}"
        case Repeat(steps=inner, until=until):
            assert until is not None
            often = f", at most {step.at_most} times"
            return f"until {holds(until, subject=subject)}{often}: {_group(inner, subject)}"
        case Parallel(branches=branches):
            return "at the same time " + " and ".join(_group(one, subject) for one in branches)
        case On(servers=selectors, steps=inner):
            return f"on {servers(selectors)}: {_group(inner, subject)}"
        case Try():
            return _tried(step, subject)


def _pause(seconds: float | Backoff) -> str:
    if not isinstance(seconds, Backoff):
        return duration(seconds)
    first, cap = duration(min(seconds.first_seconds, seconds.cap_seconds)), seconds.cap_seconds
    if seconds.factor <= 1 or cap <= seconds.first_seconds:
        return first
    grown = "doubling" if seconds.factor == 2 else f"{seconds.factor:g} times as long each time,"
    return f"{first} ({grown} up to {duration(cap)})"


def _wait_until(step: WaitUntil, subject: str) -> str:
    limit = duration(step.limit_seconds)
    said = f"wait until {event(step.trigger)}"
    match step.otherwise:
        case None:
            return f"{said} (at most {limit})"
        case ():
            return f"{said} (at most {limit}, then go on)"
        case several:
            return f"({said}; if not within {limit}: {_group(several, subject)})"


def _tried(step: Try, subject: str) -> str:
    notes = []
    if step.retries:
        pause: Any = step.pause_seconds
        between = "" if pause == 0 else f" with pauses of {_pause(pause)}"
        tries = "once more" if step.retries == 1 else f"up to {step.retries} times more"
        notes.append(f"if that fails, {tries}{between}")
    if step.limit_seconds:
        notes.append(f"at most {duration(step.limit_seconds)} in all")
    if step.go_on:
        notes.append("then go on in any case" if step.limit_seconds else "go on even if it fails")
    return f"({steps(step.steps, subject=subject)}; {', '.join(notes)})"


def servers(several: tuple[Selector, ...]) -> str:
    """Return which servers are meant."""
    said = [
        f"those tagged {quoted(one.tag)}" if isinstance(one, Tagged) else quoted(one)
        for one in several
    ]
    return " and ".join(said)

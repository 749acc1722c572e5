"""Assertions that read as sentences: ``timeline.sent("start").once().at(14.2632)``.

A `Timeline` finds things in a transcript, `Found` holds them to something. Where that fails the
message says what was expected and found, and shows the whole transcript.
"""

from collections.abc import Callable, Sequence
from typing import Any, Final, NoReturn, Self

from attrs import evolve, field, frozen

from automate.engine.rehearsal import Act, Transcript
from automate.machine.actions import Traced
from automate.testing.transcripts import act_line, act_words, endings, title_line, traced_line
from automate.wire.messages import PowerAction, SendCommand, SetState

__all__ = ["Found", "Timeline"]

_POWER: Final = frozenset(PowerAction)
# What is decided before something is done; all else is decided because it was.
_BEFORE: Final = ("triggered", "step")
_TIMES: Final = {0: "never", 1: "once", 2: "twice"}


@frozen(kw_only=True)
class _Moment:
    """One line of the transcript: an act, or (without one) a decision."""

    at: float
    rank: int
    recipe: str
    line: str
    act: Act | None = None
    traced: Traced | None = None


def _moments(transcript: Transcript) -> tuple[_Moment, ...]:
    acts = [
        _Moment(at=act.at, rank=1, recipe=act.recipe, line=act_line(act), act=act)
        for act in transcript.acts
    ]
    decisions = [
        _Moment(
            at=at,
            rank=0 if one.what in _BEFORE else 2,
            recipe=one.recipe,
            line=traced_line(at, one),
            traced=one,
        )
        for at, one in transcript.trace
    ]
    # A transcript keeps acts and decisions apart; of one moment, causes come first.
    return tuple(sorted([*acts, *decisions], key=lambda one: (round(one.at, 4), one.rank)))


class Timeline:
    """What a *transcript* says, to be found and held to something."""

    def __init__(self, transcript: Transcript) -> None:
        self.transcript = transcript
        self.moments = _moments(transcript)
        self._accounted: set[int] = set()

    @property
    def acts(self) -> list[tuple[float, str]]:
        """All that was done, in words, at its moments to 4 decimals: for one assert of it all."""
        return [
            (round(act.at, 4), f"{act_words(act)}{' (unconfirmed)' if act.unconfirmed else ''}")
            for act in self.transcript.acts
        ]

    # ------------------------------------------------------------ things done

    def sent(
        self,
        what: str | SetState | SendCommand | None = None,
        *,
        containing: str | None = None,
        by: str | None = None,
    ) -> "Found":
        """Find what was sent: a power action by its name, a command by its text, or a message.

        *containing* finds either by a part of it; with neither, all that was sent is found.
        """
        match what:
            case SetState(action=action):
                wanted: dict[str, str] | None = {"set state": action.value}
            case SendCommand(command=command):
                wanted = {"send command": command}
            case str() if what in _POWER:
                wanted = {"set state": what}
            case str():
                wanted = {"send command": what}
            case None:
                wanted = None
        shown = _words(next(iter(wanted.values())) if wanted else None, containing, "anything")
        return self._acts(
            f"{shown} sent{_by(by)}", ("set state", "send command"), wanted, containing, by
        )

    def told(
        self, text: str | None = None, *, containing: str | None = None, by: str | None = None
    ) -> "Found":
        """Find what the admin was told: a *text*, one *containing* something, or any."""
        return self._said("notify", "{} told", "anything", text, containing, by)

    def backed_up(
        self, name: str | None = None, *, containing: str | None = None, by: str | None = None
    ) -> "Found":
        """Find the backups that were asked for: of this *name*, or any."""
        return self._said("backup", "a backup {} asked for", "of any name", name, containing, by)

    def called(
        self, name: str | None = None, *, containing: str | None = None, by: str | None = None
    ) -> "Found":
        """Find the Python calls: of the function *name*, or any."""
        return self._said("call", "{} called", "any function", name, containing, by)

    def _said(
        self,
        kind: str,
        sentence: str,
        anything: str,
        text: str | None,
        containing: str | None,
        by: str | None,
    ) -> "Found":
        wanted = None if text is None else {kind: text}
        what = sentence.format(_words(text, containing, anything)) + _by(by)
        return self._acts(what, (kind,), wanted, containing, by)

    def _acts(
        self,
        what: str,
        kinds: Sequence[str],
        wanted: dict[str, str] | None,
        containing: str | None,
        by: str | None,
    ) -> "Found":
        def fits(moment: _Moment) -> bool:
            if moment.act is None:
                return False
            ((kind, value),) = moment.act.action.items()
            return (
                kind in kinds
                and (wanted is None or moment.act.action == wanted)
                and (containing is None or containing in value)
            )

        return self._find(what, by, fits)

    # ------------------------------------------------------------ things decided

    def triggered(self, recipe: str | None = None, *, containing: str | None = None) -> "Found":
        """Find the moments at which a recipe was set off."""
        return self._decisions("triggered", recipe, containing)

    def held_back(self, recipe: str | None = None, *, containing: str | None = None) -> "Found":
        """Find the moments at which a recipe was not set off although its trigger came."""
        return self._decisions("held back", recipe, containing)

    def done(self, recipe: str | None = None, *, containing: str | None = None) -> "Found":
        """Find the runs that ended well."""
        return self._decisions("done", recipe, containing)

    def failed(self, recipe: str | None = None, *, containing: str | None = None) -> "Found":
        """Find the runs that failed; *containing* is part of the reason."""
        return self._decisions("failed", recipe, containing)

    def _decisions(self, what: str, recipe: str | None, containing: str | None) -> "Found":
        def fits(moment: _Moment) -> bool:
            traced = moment.traced
            return (
                traced is not None
                and traced.what == what
                and (containing is None or containing in traced.detail)
            )

        because = f" ({_words(None, containing, '')})" if containing is not None else ""
        return self._find(f"{recipe or 'any recipe'} {what}{because}", recipe, fits)

    def _find(self, what: str, by: str | None, fits: Callable[[_Moment], bool]) -> "Found":
        found = tuple(
            number
            for number, moment in enumerate(self.moments)
            if (by is None or moment.recipe == by) and fits(moment)
        )
        return Found(timeline=self, what=what, numbers=found)

    # ------------------------------------------------------------ the whole

    def nothing_else(self) -> None:
        """Hold everything that was done to have been found and asserted before."""
        __tracebackhide__ = True
        rest = [
            number
            for number, moment in enumerate(self.moments)
            if moment.act is not None and number not in self._accounted
        ]
        if rest:
            self.fail("expected nothing else", f"{_count(len(rest), 'more act')}", rest)

    def nothing(self) -> None:
        """Hold that nothing was done at all."""
        __tracebackhide__ = True
        acts = [number for number, moment in enumerate(self.moments) if moment.act is not None]
        if acts:
            self.fail("expected nothing to be done", _count(len(acts), "act"), acts)

    def finished(self) -> None:
        """Hold that no recipe was still running, or not even asked, at the end."""
        __tracebackhide__ = True
        if left := endings(self.transcript):
            self.fail("expected all recipes to come to an end", "; ".join(map(str.strip, left)))

    def account(self, numbers: Sequence[int]) -> None:
        """Take these lines as asserted."""
        self._accounted.update(numbers)

    def fail(self, expected: str, found: str, marked: Sequence[int] = ()) -> NoReturn:
        """Raise what was *expected* and *found*, with the whole transcript below."""
        __tracebackhide__ = True
        shown = "\n".join(self._shown(frozenset(marked)))
        name = self.transcript.recording
        raise AssertionError(f"{name}: {expected}\nfound:    {found}\n\n{shown}")

    def _shown(self, marked: frozenset[int]) -> list[str]:
        lines = [f"  {title_line(self.transcript)}"]
        for number, moment in enumerate(self.moments):
            lines.append(f"{'> ' if number in marked else '  '}{moment.line}")
        if not self.moments:
            lines.append("    nothing to do")
        return lines + [f"  {line}" for line in endings(self.transcript)]


@frozen(kw_only=True)
class Found:
    """Lines of a timeline, to be held to something; each method gives them back."""

    timeline: Timeline = field(repr=False)
    what: str
    numbers: tuple[int, ...]

    @property
    def moments(self) -> tuple[float, ...]:
        """When it was, in seconds of the recording, to 4 decimals."""
        return tuple(round(self.timeline.moments[number].at, 4) for number in self.numbers)

    # ------------------------------------------------------------ how often

    def times(self, number: int) -> Self:
        """Hold that it was so often."""
        __tracebackhide__ = True
        return self._hold(len(self.numbers) == number, _TIMES.get(number, f"{number} times"))

    def once(self) -> Self:
        """Hold that it was once."""
        __tracebackhide__ = True
        return self.times(1)

    def twice(self) -> Self:
        """Hold that it was twice."""
        __tracebackhide__ = True
        return self.times(2)

    def never(self) -> Self:
        """Hold that it never was."""
        __tracebackhide__ = True
        return self.times(0)

    @property
    def first(self) -> Self:
        """Only the first time."""
        return evolve(self, what=f"{self.what}, the first time,", numbers=self.numbers[:1])

    @property
    def last(self) -> Self:
        """Only the last time."""
        return evolve(self, what=f"{self.what}, the last time,", numbers=self.numbers[-1:])

    # ------------------------------------------------------------ when

    def at(self, *seconds: float) -> Self:
        """Hold that it was at exactly these moments (to 4 decimals), and at no others."""
        __tracebackhide__ = True
        wanted = tuple(round(moment, 4) for moment in sorted(seconds))
        expected = f"{_often(len(wanted))}, at {_listed(wanted)}"
        off = ""
        if len(wanted) == len(self.moments) == 1:
            late = self.moments[0] - wanted[0]
            off = f"; that is {abs(late):.4f} s too {'late' if late > 0 else 'early'}"
        return self._hold(bool(wanted) and self.moments == wanted, expected, off)

    def after(self, what: "float | Found") -> Self:
        """Hold that it was, and always later than *what*: a moment, or all of something found."""
        __tracebackhide__ = True
        if isinstance(what, Found):
            later = bool(what.numbers) and self._all(lambda one: one > max(what.numbers))
            return self._hold(later, f"after {what.what}", what._shown_after())
        return self._hold(self._always(lambda at: at > what), f"after {what:.4f}")

    def before(self, what: "float | Found") -> Self:
        """Hold that it was, and always earlier than *what*: a moment, or all of something found."""
        __tracebackhide__ = True
        if isinstance(what, Found):
            earlier = bool(what.numbers) and self._all(lambda one: one < min(what.numbers))
            return self._hold(earlier, f"before {what.what}", what._shown_after())
        return self._hold(self._always(lambda at: at < what), f"before {what:.4f}")

    def between(self, earliest: float, latest: float) -> Self:
        """Hold that it was, and never before *earliest* nor after *latest*."""
        __tracebackhide__ = True
        holds = self._always(lambda at: earliest <= at <= latest)
        return self._hold(holds, f"between {earliest:.4f} and {latest:.4f}")

    # ------------------------------------------------------------ whether it worked

    def confirmed(self) -> Self:
        """Hold that it was, and that the recording shows it to have worked."""
        __tracebackhide__ = True
        return self._hold(self._all(lambda one: not self._is_unconfirmed(one)), "confirmed")

    def unconfirmed(self) -> Self:
        """Hold that it was, and that nothing on the recording shows it to have worked."""
        __tracebackhide__ = True
        return self._hold(self._all(self._is_unconfirmed), "unconfirmed")

    # ------------------------------------------------------------ inside

    def _is_unconfirmed(self, number: int) -> bool:
        act = self.timeline.moments[number].act
        return act is not None and act.unconfirmed

    def _all(self, holds: Callable[[int], bool]) -> bool:
        return bool(self.numbers) and all(map(holds, self.numbers))

    def _always(self, holds: Callable[[float], bool]) -> bool:
        return bool(self.numbers) and all(map(holds, self.moments))

    def _hold(self, holds: bool, expected: str, difference: str = "") -> Self:
        __tracebackhide__ = True
        if not holds:
            found = f"{self._in_words()}{difference}"
            self.timeline.fail(f"expected {self.what} {expected}", found, self.numbers)
        self.timeline.account(self.numbers)
        return self

    def _in_words(self) -> str:
        if not self.numbers:
            return "never"
        marks = [" (unconfirmed)" if self._is_unconfirmed(one) else "" for one in self.numbers]
        shown = [f"{at:.4f}{mark}" for at, mark in zip(self.moments, marks, strict=True)]
        return f"{_often(len(shown))}, at {', '.join(shown)}"

    def _shown_after(self) -> str:
        return f"; {self.what}: {self._in_words()}"


def _often(number: int) -> str:
    return _TIMES.get(number, f"{number} times")


def _listed(moments: Sequence[float]) -> str:
    return ", ".join(f"{at:.4f}" for at in moments) or "no moment"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _by(recipe: str | None) -> str:
    return "" if recipe is None else f" by {recipe!r}"


def _words(text: Any, containing: str | None, anything: str) -> str:
    if text is not None:
        return f'"{text}"'
    return anything if containing is None else f'something with "{containing}"'

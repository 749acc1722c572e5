"""The sweep of the crash point: an evening played again and again, the engine killed elsewhere.

Wherever it is killed and started again, what comes of the evening must be the same: but for the
one step of which nobody can know whether it was done, if the trace says that it is in doubt.
"""

from collections.abc import Iterator, Sequence

from attrs import frozen

from automate.machine.actions import Traced
from automate.testing.accepted import difference
from automate.testing.evening import Evening, Outcome, Scene, play
from automate.testing.mortal import Point

__all__ = ["Death", "SweepReport", "sweep"]

# So many deaths are shown in full; whoever mends one usually mends more.
_SHOWN: int = 3
_TOLD = ("notify ", "call ")


@frozen(kw_only=True)
class Death:
    """The evening on which the engine was killed at one point.

    *trouble* says what is wrong with its outcome; it is empty if nothing is.
    """

    evening: Evening
    trouble: str

    @property
    def outcome(self) -> Outcome:
        """What came of it."""
        return self.evening.outcome


@frozen(kw_only=True)
class SweepReport:
    """The *unharmed* evening, and a death for each of its points, *down_seconds* long."""

    unharmed: Evening
    deaths: tuple[Death, ...]
    down_seconds: float

    @property
    def outcomes(self) -> Iterator[Outcome]:
        """Yield what came of each evening, the unharmed one first."""
        yield self.unharmed.outcome
        for death in self.deaths:
            yield death.outcome

    @property
    def doubts(self) -> int:
        """On how many evenings something was in doubt."""
        return sum(bool(death.outcome.doubts) for death in self.deaths)

    @property
    def unseen(self) -> int:
        """On how many evenings it was killed before it had written down what set it off.

        To the next engine that happened while there was none: the recipe need not run, and if
        it does, what it tells may lack what only the first had heard (a crash's exit code).
        """
        return sum(point.is_unseen for point in self.unharmed.points)

    def check(self) -> None:
        """Raise an `AssertionError` that tells of what differs, if anything does."""
        __tracebackhide__ = True
        bad = [death for death in self.deaths if death.trouble]
        if not bad:
            return
        points = ", ".join(str(one.evening.killed.number) for one in bad if one.evening.killed)
        told = [
            f"at {len(bad)} of {len(self.deaths)} points ({points}) a kill changes what comes of "
            "it (- unharmed, + killed)",
            *(self._tell(death) for death in bad[:_SHOWN]),
        ]
        if len(bad) > _SHOWN:
            told.append(f"and {len(bad) - _SHOWN} more")
        raise AssertionError("\n\n".join(told))

    def _tell(self, death: Death) -> str:
        point = death.evening.killed
        assert point is not None
        again = f"{self.down_seconds:g} s later" if self.down_seconds else "at once"
        rows = [
            f"killed at {_words(point)}; started again {again}: {death.trouble}",
            difference(self.unharmed.outcome.lines, death.outcome.lines),
            *(f"  in doubt: {doubt.recipe}: {doubt.detail}" for doubt in death.outcome.doubts),
        ]
        return "\n".join(row for row in rows if row)


def sweep(scene: Scene, *, down_seconds: float = 0.0, seed: int = 0) -> SweepReport:
    """Return what comes of *scene* with a kill at each of its points, one after the other.

    Another engine begins *down_seconds* after each. Nothing is raised for what differs: see
    `SweepReport.check`.

    Raises:
        UsageError: a recipe or a server that is named is not there.
    """
    unharmed = play(scene, seed=seed)
    deaths = []
    for point in unharmed.points:
        try:
            evening = play(scene, kill_at=point.number, down_seconds=down_seconds, seed=seed)
        except BaseException as error:
            error.add_note(f"The engine had been killed at {_words(point)}.")
            raise
        deaths.append(Death(evening=evening, trouble=_trouble(unharmed, evening)))
    return SweepReport(unharmed=unharmed, deaths=tuple(deaths), down_seconds=down_seconds)


def _words(point: Point) -> str:
    return f"point {point.number}, at {point.seconds:.4f} s ({point.words})"


def _trouble(unharmed: Evening, evening: Evening) -> str:
    """Return what is wrong with *evening*, or nothing."""
    expected, found = unharmed.outcome, evening.outcome
    if evening.killed is None:
        return "the evening went another way, and never came to that point"
    if evening.killed.is_unseen and not found.ends:
        return ""  # it was not there when it happened
    if found.ends != expected.ends or found.statuses != expected.statuses:
        return "it ends differently"
    runs = [doubt.run for doubt in found.doubts]
    if len(set(runs)) < len(runs):
        return "more than one thing is in doubt in a run"
    acts = evening.acts | unharmed.acts
    wanted, done = _by_ear(expected.deeds), _by_ear(found.deeds)
    if _are_same(wanted, done, [_deeds_of(one, acts) for one in found.doubts]):
        return ""
    # What it had not written of a crash (its exit code), nobody else can tell of it.
    if evening.killed.is_unseen and _are_same(
        _without_words(wanted, acts),
        _without_words(done, acts),
        [frozenset({_place_of(one.recipe, one.step)}) for one in found.doubts],
    ):
        return ""
    if not found.doubts:
        return "other deeds, and nothing is marked as in doubt"
    return "what differs is not what is in doubt"


def _by_ear(deeds: Sequence[str]) -> list[str]:
    """Return *deeds* by who saw them: each server, and people of what is about it.

    Between those there is no order: each server has a socket of its own, on which commands wait
    for each other, and people are told at once.
    """

    def ear(deed: str) -> tuple[str, bool]:
        server, _, words = deed.partition(": ")
        return server, words.startswith(_TOLD)

    return sorted(deeds, key=ear)


def _without_words(deeds: Sequence[str], acts: frozenset[tuple[str, int, str]]) -> list[str]:
    """Return *deeds*, but of what people were told only by which step."""
    told = {
        words: _place_of(recipe, step) for recipe, step, words in acts if words.startswith(_TOLD)
    }

    def plain(deed: str) -> str:
        server, _, words = deed.partition(": ")
        return f"{server}: {told.get(words, words)}"

    return [plain(deed) for deed in deeds]


def _place_of(recipe: str, step: int | None) -> str:
    return f"step {step} of {recipe!r}"


def _deeds_of(doubt: Traced, acts: frozenset[tuple[str, int, str]]) -> frozenset[str]:
    """Return in which words the step that is in *doubt* may be among the deeds."""
    place = (doubt.recipe, doubt.step)
    return frozenset(words for recipe, step, words in acts if (recipe, step) == place)


def _are_same(
    expected: Sequence[str], found: Sequence[str], doubted: Sequence[frozenset[str]]
) -> bool:
    """Return whether both are the same, but for one deed of each of *doubted*, more or less."""
    if expected == found:
        return True
    if not doubted:
        return False
    words, *rest = doubted
    if _are_same(expected, found, rest):
        return True
    return any(
        _are_same(expected, _without(found, place), rest) for place in _places(found, words)
    ) or any(
        _are_same(_without(expected, place), found, rest) for place in _places(expected, words)
    )


def _places(deeds: Sequence[str], words: frozenset[str]) -> list[int]:
    return [place for place, deed in enumerate(deeds) if deed.partition(": ")[2] in words]


def _without(deeds: Sequence[str], place: int) -> list[str]:
    return [*deeds[:place], *deeds[place + 1 :]]

"""The model against every sample recording: nothing may be different, nothing is overlooked."""

from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from automate.fake.model import power
from automate.fake.model.conformance import Comparison, compare, table
from automate.recording.format import Entry, ServerFrame
from automate.recording.reader import Recording, read_recording
from automate.wire.console import daemon_line

ROOT = Path(__file__).parents[3]
RECORDINGS = sorted((ROOT / "recordings").glob("*.jsonl"))


@pytest.fixture(scope="module")
def comparisons() -> list[Comparison]:
    return [compare(read_recording(path)) for path in RECORDINGS]


def test_the_model_says_what_the_real_daemon_said_in_every_recording(
    comparisons: list[Comparison],
) -> None:
    shown = table(comparisons)

    assert not any(each.differences for each in comparisons), f"\n{shown}"
    assert len(comparisons) >= 17
    print(shown)


def test_few_frames_need_an_explanation(comparisons: list[Comparison]) -> None:
    """The freedoms must not become a way out: so few there are today."""
    explained = {each.title: sum(each.explained.values()) for each in comparisons}

    assert {title: count for title, count in explained.items() if count} == {
        "auth-errors": 3,
        "auth-throttled": 3,
        "crash-recovered": 1,
    }


def changed(name: str, change: Callable[[list[Entry]], list[Entry]]) -> Comparison:
    recording = read_recording(ROOT / "recordings" / f"{name}.jsonl")
    entries = change(list(recording.entries))
    return compare(Recording(recording.path, recording.header, entries, []))


def _is_own(entry: Entry) -> bool:
    """Whether the daemon says this by itself."""
    if not isinstance(entry, ServerFrame):
        return False
    if entry.event == "console output":
        return daemon_line(entry.args[0]) is not None
    return entry.event in (
        "auth success",
        "daemon error",
        "jwt error",
        "token expiring",
        "throttled",
    )


@pytest.mark.parametrize(
    "name",
    [
        "crash-twice",
        "power-races",
        "power-lock-race",
        "auth-errors",
        "auth-throttled",
        "node-restart",
    ],
)
def test_a_frame_of_the_daemons_that_is_missing_or_doubled_is_a_difference(name: str) -> None:
    path = ROOT / "recordings" / f"{name}.jsonl"
    count = sum(_is_own(entry) for entry in read_recording(path).entries)
    unnoticed = []
    for number in range(count):

        def without(entries: list[Entry], number: int = number) -> list[Entry]:
            own = [index for index, entry in enumerate(entries) if _is_own(entry)]
            return entries[: own[number]] + entries[own[number] + 1 :]

        def doubled(entries: list[Entry], number: int = number) -> list[Entry]:
            own = [index for index, entry in enumerate(entries) if _is_own(entry)]
            return entries[: own[number]] + entries[own[number] :][:1] + entries[own[number] :]

        for change in (without, doubled):
            if not changed(name, change).differences:
                unnoticed.append((change.__name__, number))

    assert unnoticed == []


@pytest.mark.parametrize(
    ("first", "is_explained"),
    [
        ("auth success", False),
        ("Checking server disk", False),
        ("Finished pulling", True),
        ('["stopping"]', True),
    ],
)
def test_only_what_the_daemon_leaves_open_may_change_places(
    first: str, *, is_explained: bool
) -> None:
    def swap(entries: list[Entry]) -> list[Entry]:
        index = next(
            index
            for index, entry in enumerate(entries)
            if isinstance(entry, ServerFrame) and first in entry.frame
        )
        one, two = entries[index : index + 2]
        assert isinstance(one, ServerFrame)
        assert isinstance(two, ServerFrame)
        entries[index] = msgspec.structs.replace(two, t=one.t)
        entries[index + 1] = msgspec.structs.replace(one, t=two.t)
        return entries

    comparison = changed("lifecycle", swap)

    assert bool(comparison.differences) != is_explained
    assert sum(comparison.explained.values()) == int(is_explained)


def test_a_crash_told_with_another_code_is_a_difference() -> None:
    """The exit code is an input; that it is told twice is not."""

    def lie(entries: list[Entry]) -> list[Entry]:
        told = [
            msgspec.structs.replace(
                entry, args=[entry.args[0].replace("memory: false", "memory: no")]
            )
            if isinstance(entry, ServerFrame) and entry.event == "console output"
            else entry
            for entry in entries
        ]
        return list(told)

    assert changed("crash-twice", lie).differences


@pytest.mark.parametrize(
    ("where", "value", "found_in"),
    [
        ("sockets._TICK_SECONDS", 31, ["token-refresh"]),
        ("sockets._WARNING_SECONDS", 14, ["token-refresh"]),
        ("limits._FLOOD_LINES", 1999, ["console-flood"]),
        ("container._LINE_BYTES", 65000, ["odd-output"]),
        ("power._UPDATING", "Updating...", None),
        ("claims.EXPIRED", "expired", ["token-refresh"]),
        ("claims.NO_CONNECT", "no", []),
    ],
)
def test_a_wrong_constant_is_found_out_by_the_recordings_that_know_better(
    monkeypatch: pytest.MonkeyPatch, where: str, value: object, found_in: list[str] | None
) -> None:
    """The last one is in no recording: what the recordings can't see is left to the probes."""
    monkeypatch.setattr(f"automate.fake.model.{where}", value)
    differing = [path.stem for path in RECORDINGS if compare(read_recording(path)).differences]

    booting = [path.stem for path in RECORDINGS if "Updating process" in path.read_text()]
    assert differing == (booting if found_in is None else found_in)


def test_a_model_that_forgets_the_lock_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """Were the model wrong, the comparison would say so."""
    course = power.Power._do

    def careless(self: power.Power, action: str) -> power.Course:
        self._is_locked = False
        return (yield from course(self, action))

    monkeypatch.setattr(power.Power, "_do", careless)
    differing = [path.stem for path in RECORDINGS if compare(read_recording(path)).differences]

    assert differing == ["power-lock-race", "power-races"]

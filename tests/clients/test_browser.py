"""The panel's own front end on a replay: it is told what it was told on the day."""

import asyncio
import json
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from automate.fake.analysis import read_script
from automate.fake.script import AnswerFrame, Kind, Push
from automate.recording.reader import Recording, read_recording
from automate.wire.console import daemon_line
from tests.clients.browser import Page
from tests.clients.serving import Served, serve

# Only a guard against waiting for ever for what does not come.
PATIENCE_SECONDS = 60


def visit(served: Served, leaves: Callable[[list[str]], bool], *, speed: float = 1.0) -> Page:
    """Return the page after a visit that lasts until what was heard is enough.

    Where the tape runs at a *speed*, so does the pause before the page connects again.
    """
    page = Page(served.panel, served.key, served.server, reconnect_seconds=1 / speed)

    async def stay() -> None:
        # What is missing after all this time is shown by the test, and not by an error here.
        with suppress(TimeoutError):
            async with asyncio.timeout(PATIENCE_SECONDS):
                await page.stay(lambda _text: leaves(page.all("heard")))

    asyncio.run(stay())
    return page


def event(text: str) -> str:
    return str(json.loads(text)["event"])


def first_arg(text: str) -> Any:
    return json.loads(text)["args"][0]


def pushes(recording: Recording) -> list[str]:
    """Return the frames that nobody asked for."""
    steps = read_script(recording.entries, server=recording.header.server).steps
    return [step.text for step in steps if isinstance(step, Push)]


def answers(recording: Recording, kind: Kind) -> list[str]:
    steps = read_script(recording.entries, server=recording.header.server).steps
    return [step.text for step in steps if isinstance(step, AnswerFrame) and step.kind is kind]


def sift(heard: list[str], wanted: list[str]) -> tuple[list[str], list[str]]:
    """Return those of *heard* that are *wanted*, as far as they come in order, and the rest."""
    found: list[str] = []
    rest: list[str] = []
    for text in heard:
        is_next = len(found) < len(wanted) and text == wanted[len(found)]
        (found if is_next else rest).append(text)
    return found, rest


def test_an_evening_at_the_console(recordings: Path) -> None:
    """All that was recorded comes to the byte, and besides only the numbers it asked for."""
    recording = read_recording(recordings / "crash-twice.jsonl")
    wanted = pushes(recording)

    with serve("replay", recording.path, "--speed", "20") as served:
        page = visit(served, lambda heard: sift(heard, wanted)[0] == wanted)

    found, rest = sift(page.all("heard"), wanted)
    assert (found, [event(text) for text in rest], page.all("sent")) == (
        wanted,
        ["auth success", "stats"],
        ["auth", "send logs", "send stats"],
    )
    assert served.code == 0


def test_a_second_tab_is_told_how_things_stand(recordings: Path) -> None:
    """The tape waits for a deed of ours; meanwhile somebody else opens the console."""
    recording = read_recording(recordings / "crash-twice.jsonl")
    before = pushes(recording)
    before = before[: max(n for n, text in enumerate(before) if "Grace joined" in text) + 1]
    started = max(n for n, text in enumerate(before) if '["starting"]' in text)

    with serve("replay", recording.path, "--speed", "50", "--leave", "3") as served:
        visit(served, lambda heard: sift(heard, before)[0] == before)
        second = visit(served, lambda heard: event(heard[-1]) == "stats")

    welcome, (*logs, stats) = second.all("heard")[:2], second.all("heard")[2:]
    assert [json.loads(text) for text in welcome] == [
        {"event": "auth success"},
        {"event": "status", "args": ["running"]},
    ]
    # The daemon's own lines are in no log of it.
    assert logs == [
        text
        for text in before[started:]
        if event(text) == "console output" and daemon_line(first_arg(text)) is None
    ]
    assert json.loads(first_arg(stats))["state"] == "running"


def test_tokens_run_out_and_the_page_brings_others(recordings: Path) -> None:
    """It does so when it is told to, and when the flood of errors says it is too late."""
    recording = read_recording(recordings / "token-refresh.jsonl")
    wanted, logs = pushes(recording), answers(recording, Kind.LOGS)

    def is_all_there(heard: list[str]) -> bool:
        found, rest = sift(heard, wanted)
        return found == wanted and sift(rest, logs)[0] == logs

    with serve("replay", recording.path, "--speed", "50") as served:
        page = visit(served, is_all_there, speed=50)

    found, rest = sift(page.all("heard"), wanted)
    assert (found, sift(rest, logs)[0]) == (wanted, logs)
    # No token was refused, and each was a new one. (What is left is answers: to `send stats`
    # while the token is over, this one error.)
    assert {text for text in rest if "jwt" in text} <= set(answers(recording, Kind.STATS))
    assert len(page.all("fetched")) >= page.all("sent").count("auth") > 1
    assert (len(page.all("opened")), page.all("lost")) == (1, [])


def test_the_node_goes_and_the_page_comes_back(recordings: Path) -> None:
    """It tries until the node is there again; its old token is refused, as it was on the day."""
    recording = read_recording(recordings / "node-restart.jsonl")
    wanted, logs = pushes(recording), answers(recording, Kind.LOGS)
    refusal = answers(recording, Kind.AUTH)[1]

    def is_all_there(heard: list[str]) -> bool:
        found, rest = sift(heard, wanted)
        return found == wanted and sift(rest, logs)[0] == logs

    with serve("replay", recording.path, "--speed", "20") as served:
        page = visit(served, is_all_there, speed=20)

    found, rest = sift(page.all("heard"), wanted)
    assert found == wanted
    assert sift(rest, logs) == (
        logs,
        [text for text in rest if text == refusal or event(text) in ("auth success", "stats")],
    )
    assert [what for what in page.diary if what[0] in ("opened", "lost", "fetched")] == [
        ("fetched", "a token"),
        ("opened", page.all("opened")[0]),
        ("lost", "1006"),
        ("opened", page.all("opened")[0]),
        ("fetched", "a token"),
    ]
    assert (refusal in rest, page.all("sent").count("auth")) == (True, 3)

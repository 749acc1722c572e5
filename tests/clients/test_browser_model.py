"""The panel's own front end on the model: it finds there what it knows from real nodes.

The page lives in a thread and in real time; the model's clock runs forty times as fast.
"""

import asyncio
import json
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any
from urllib.error import HTTPError

import pytest
import trio
from trio.testing import MockClock

from automate.fake.model.game import Program, Ready, Rule, Say, ScriptedGame, Stop
from automate.fake.model.panel import PanelSettings
from automate.fake.model.serving import ServedModel, open_model
from automate.fake.model.settings import Kind, Settings
from automate.fake.model.signals import ConditionChanged, NodeStarted, NodeStopped
from automate.wire.console import daemon_line
from tests.clients.browser import Acts, GaveUp, Page
from tests.clients.serving import serve

RATE = 40
# Only a guard against waiting for ever for what does not come.
PATIENCE_SECONDS = 30
GAME = Program(
    boot=(Say("Starting"), Ready(after=1), Say("Done (1 s)!")),
    rules=(Rule("stop", (Say("Saving"), Stop(after=1))), Rule("say (.*)", (Say("[Server] {1}"),))),
)


@pytest.fixture
def quick_clock() -> MockClock:
    return MockClock(rate=RATE)


def wall_clock() -> float:
    return 1_800_000_000.0 + trio.current_time()


def page_of(served: ServedModel) -> Page:
    return Page(served.panel_url, served.key, served.server, reconnect_seconds=1 / RATE)


async def visit(
    page: Page, leaves: Callable[[list[str]], bool], *, acts: Acts = lambda _: ()
) -> None:
    """Keep *page* open until what was heard is enough."""

    async def stay() -> None:
        # What is missing after all this time is shown by the test, and not by an error here.
        with suppress(TimeoutError):
            async with asyncio.timeout(PATIENCE_SECONDS):
                await page.stay(lambda _text: leaves(page.all("heard")), acts=acts)

    await trio.to_thread.run_sync(asyncio.run, stay())


def args_of(event: str, heard: list[str]) -> list[Any]:
    messages = [json.loads(text) for text in heard]
    return [message["args"][0] for message in messages if message["event"] == event]


def presses_start(text: str) -> list[tuple[str, str]]:
    return [("set state", "start")] if '["offline"]' in text else []


async def test_buttons_and_typed_lines_do_what_they_do(quick_clock: MockClock) -> None:
    def user(text: str) -> list[tuple[str, str]]:
        match json.loads(text):
            case {"event": "status", "args": ["offline"]}:
                return [("set state", "start")]
            case {"event": "status", "args": ["running"]}:
                return [("send command", "say hello")]
            case {"event": "console output", "args": ["[Server] hello"]}:
                return [("set state", "stop")]
            case _:
                return []

    def is_over(heard: list[str]) -> bool:
        return args_of("status", heard)[1:].count("offline") == 1

    async with open_model(wall_clock=wall_clock, game=ScriptedGame(GAME)) as served:
        page = page_of(served)
        await visit(page, is_over, acts=user)

    heard = page.all("heard")
    assert args_of("status", heard) == ["offline", "starting", "running", "stopping", "offline"]
    assert [one for one in args_of("console output", heard) if daemon_line(one) is None] == [
        "Starting",
        "Done (1 s)!",
        "say hello",
        "[Server] hello",
        "stop",
        "Saving",
    ]


@pytest.mark.parametrize(
    ("token_seconds", "warning"),
    [(75, '{"event":"token expiring"}'), (20, '"jwt: exp claim is invalid"')],
)
async def test_a_page_outlives_its_tokens(
    token_seconds: int, warning: str, quick_clock: MockClock
) -> None:
    """Warned each half minute, or too late, by errors in place of what happens."""

    def is_warned_thrice(heard: list[str]) -> bool:
        rest = heard
        for _ in range(3):
            warned = next((n for n, text in enumerate(rest) if warning in text), len(rest))
            rest = rest[warned:]
            renewed = next((n for n, text in enumerate(rest) if "auth success" in text), len(rest))
            rest = rest[renewed:]
        return any('\\"state\\"' in text for text in rest)

    panel = PanelSettings(token_seconds=token_seconds)
    async with open_model(wall_clock=wall_clock, panel=panel, game=ScriptedGame(GAME)) as served:
        page = page_of(served)
        await visit(page, is_warned_thrice, acts=presses_start)

    assert is_warned_thrice(page.all("heard"))
    assert [text for text in page.all("heard") if "Error Event" in text] == []
    assert page.all("lost") == []


async def test_a_node_that_restarts_loses_the_page_for_a_while_only(
    quick_clock: MockClock,
) -> None:
    async def restart(served: ServedModel) -> None:
        served.tell(NodeStopped())
        await trio.sleep(5)
        served.tell(NodeStarted())

    def user(text: str) -> list[tuple[str, str]]:
        if "Done (" in text and not lost:
            lost.append(text)
            trio.from_thread.run_sync(partial(nursery.start_soon, restart, served))
        return presses_start(text)

    def is_back(heard: list[str]) -> bool:
        return bool(lost) and heard.count(lost[0]) == 2

    lost: list[str] = []
    async with (
        open_model(wall_clock=wall_clock, game=ScriptedGame(GAME)) as served,
        trio.open_nursery() as nursery,
    ):
        page = page_of(served)
        await visit(page, is_back, acts=user)

    heard = page.all("heard")
    # The old token is refused, and so is a new one from within the second of the node's start.
    refusals = args_of("jwt error", heard)
    denied = [one.endswith("jwt: created too far in past (denylist)") for one in refusals]
    assert denied == [True] * len(refusals) != []
    assert (page.all("lost"), len(page.all("opened"))) == (["1006"], 2)
    # The game went on meanwhile, and its log has what it said.
    assert args_of("status", heard)[-1] == "running"
    assert args_of("console output", heard)[-2:] == ["Starting", "Done (1 s)!"]


async def test_a_server_that_is_suspended_under_a_page_is_not_tried_again(
    quick_clock: MockClock,
) -> None:
    """The page is dropped, tries with the token that it has, and is told why that is no use."""
    settings = Settings(kind=Kind.PELICAN)
    async with open_model(wall_clock=wall_clock, settings=settings) as served:

        def panel_suspends(text: str) -> list[tuple[str, str]]:
            if "auth success" in text:
                suspended = ConditionChanged(is_suspended=True)
                trio.from_thread.run_sync(served.tell, suspended)
            return []

        page = page_of(served)
        with pytest.raises(GaveUp):
            await visit(page, lambda _heard: False, acts=panel_suspends)
        late = page_of(served)
        with pytest.raises(HTTPError, match="409") as refused:
            await visit(late, lambda _heard: False)
        refused.value.close()

    opened = [kind for kind, _what in page.diary if kind in ("fetched", "opened", "lost")]
    assert opened == ["fetched", "opened", "lost", "opened", "lost"]
    assert page.all("lost") == ["1006", "4409"]


def test_the_command_serves_it_to_a_page_as_well() -> None:
    """In a process of its own and in real time; the server is started when the page comes."""
    with serve("fake", "--start") as served:
        page = Page(served.panel, served.key, served.server)

        def user(text: str) -> list[tuple[str, str]]:
            return [("send command", "list")] if '["running"]' in text else []

        asyncio.run(
            asyncio.wait_for(page.stay(lambda text: "players online" in text, acts=user), 30)
        )

    assert args_of("console output", page.all("heard"))[-1].endswith("There are 0 players online: ")
    assert served.code == 0

"""The log: what is told of months on a line, and that no secret is in it."""

import json
import logging
from pathlib import Path
from typing import Any

import httpx
import pytest
import trio
from trio.testing import MockClock

from automate.errors import AccessDenied
from automate.fake.model.office import PanelSettings
from automate.fake.model.serving import open_model
from automate.fake.model.settings import Kind, Settings
from automate.fake.model.signals import NodeStarted, NodeStopped
from automate.fake.network import memory_network
from automate.live.listener import together
from automate.live.log import JsonLines, LogBook, log
from automate.live.panel import Call, Panel
from automate.live.recorder import record
from automate.live.session import Session
from automate.machine.link import TokenFetched
from automate.recording.format import Header
from automate.testing.leaks import secrets_in
from automate.wire.messages import SendCommand, SetState

SERVER = "a1b2c3d4-0001-4000-8000-000000000001"


class Lines(logging.Handler):
    """Keeps what a file would hold."""

    def __init__(self, **manner: Any) -> None:
        super().__init__()
        self.setFormatter(JsonLines(**manner))
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(self.format(record))


@pytest.fixture
def lines() -> Any:
    handler, level = Lines(keys=["hunter2"]), log.level
    log.addHandler(handler)
    log.setLevel(logging.DEBUG)
    yield handler.lines
    log.removeHandler(handler)
    log.setLevel(level)


def test_a_line_has_the_words_and_the_facts(lines: list[str]) -> None:
    LogBook(SERVER).delayed(1.0, "nobody there", 4.04)

    [line] = map(json.loads, lines)
    assert line.pop("at").endswith("Z")
    assert line == {
        "level": "warning",
        "logger": "automate.live",
        "words": "a1b2c3d4: nobody there; next try in 4 s",
        "server": SERVER,
        "what": "delayed",
        "reason": "nobody there",
        "seconds": 4.0,
    }


def test_each_thing_that_happens_is_one_line_at_its_level(lines: list[str]) -> None:
    book = LogBook(SERVER)
    book.opened(0.0)
    book.received(0.0, ['{"event":"auth success"}'])
    book.sent(0.0, '{"event":"auth","args":["hunter3"]}')
    book.ready(0.0)
    book.blind(0.0, "over")
    book.sighted(0.0)
    book.not_sent(0.0, SendCommand("op Ada"), "late")
    book.closed(0.0, "server", 1006, None)
    book.down(0.0, "broke")
    book.failed(0.0, "refused")
    book.called(Call(method="GET", path="/x", status=404, seconds=0.1))
    book.ended(0.0, AccessDenied("no"))

    told = [(line["level"], line["what"]) for line in map(json.loads, lines)]
    assert told == [
        ("debug", "opened"),
        ("debug", "sent"),
        ("info", "ready"),
        ("warning", "blind"),
        ("info", "sighted"),
        ("warning", "not sent"),
        ("debug", "closed"),
        ("warning", "down"),
        ("debug", "failed"),
        ("warning", "called"),
        ("error", "ended"),
    ]
    assert "hunter3" not in "".join(lines)
    assert "op Ada" not in "".join(lines)


def test_a_secret_in_an_error_is_replaced(lines: list[str]) -> None:
    try:
        raise ValueError("ptlc_0123456789abcdef and hunter2")
    except ValueError:
        log.exception("odd: %s", "ptlc_0123456789abcdef")

    assert "0123456789abcdef" not in lines[0]
    assert "hunter2" not in lines[0]
    assert "ValueError: <key:1> and <key:2>" in json.loads(lines[0])["traceback"]


@pytest.mark.parametrize("kind", list(Kind), ids=str)
async def test_whatever_happens_no_secret_is_in_anything_written(
    kind: Kind, autojump_clock: MockClock, tmp_path: Path, lines: list[str], recwarn: Any
) -> None:
    """All that a run produces: log, recording, warnings, the repr of every value with a secret."""
    path = tmp_path / "new.jsonl"
    tokens: set[str] = set()
    book = LogBook(SERVER)

    def note(call: Call) -> None:
        book.called(call)
        recorder.called(call)
        log.debug("%r", call)
        match call.response:
            case {"data": {"token": token, "socket": socket}}:
                tokens.add(token)
                log.debug("%r", TokenFetched(token, socket))

    async with (
        memory_network(),
        open_model(
            wall_clock=lambda: 1.8e9 + trio.current_time(),
            settings=Settings(kind=kind),
            panel=PanelSettings(token_seconds=75),
            seed=1,
        ) as served,
        httpx.AsyncClient(limits=httpx.Limits(keepalive_expiry=None)) as client,
        record(path, Header(served.server, "2026-11-23T18:50:36.676520Z")) as recorder,
        Panel(served.panel_url, served.key, client=client, on_call=note) as panel,
        trio.open_nursery() as nursery,
    ):
        session = Session(served.server, panel, listener=together(recorder, book))
        nursery.start_soon(session.run)
        session.send(SetState("start"))
        await trio.sleep(200)
        served.tell(NodeStopped())
        await trio.sleep(30)
        served.tell(NodeStarted())
        await trio.sleep(200)
        log.debug("%r %r %r", session, panel, vars(session)["_conversation"].state)
        nursery.cancel_scope.cancel()

    written = "\n".join([*lines, path.read_text("utf-8"), str(recwarn.list)])
    assert len(tokens) > 3
    assert secrets_in(written, known=[served.key, *tokens]) == []

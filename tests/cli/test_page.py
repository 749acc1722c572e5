"""What a person reads: columns, colours, new days, and nothing twice."""

import io
import os
from datetime import datetime, timedelta, timezone
from typing import TypedDict

import pytest

from automate.cli.page import Page, plain
from automate.cli.printer import Printer, display_names
from automate.errors import NotThere
from automate.machine.actions import MakeBackup, Output, Send, ShowBackup, Tell, Traced
from automate.wire.messages import SendCommand, SetState
from tests.cli.shell import SERVER

ZONE = timezone(timedelta(hours=-3))
OTHER = "a1b2c3d4-0002-4000-8000-000000000002"


class Screen(io.StringIO):
    """A terminal of 60 columns, as far as a page looks at one."""

    def isatty(self) -> bool:
        return True

    def fileno(self) -> int:
        return 99


@pytest.fixture
def screen(monkeypatch: pytest.MonkeyPatch) -> Screen:
    monkeypatch.setattr(os, "get_terminal_size", lambda number: os.terminal_size((60, 24)))
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    return Screen()


class Clock:
    """A clock that stands until it is set."""

    def __init__(self) -> None:
        self.shows = datetime(2026, 11, 24, 23, 59, 58, tzinfo=ZONE)

    def __call__(self) -> datetime:
        return self.shows


def test_names_stand_in_a_column_and_a_new_day_in_a_line() -> None:
    out, clock = io.StringIO(), Clock()
    page = Page(["arena", "survival"], now=clock, out=out)

    page.line("arena", "is running", colour="green")
    clock.shows += timedelta(seconds=3)
    page.line("survival", "is offline", colour="red")
    page.line("arena", "is offline")

    assert out.getvalue() == (
        "23:59:58  arena     is running\n"
        "2026-11-25\n"
        "00:00:01  survival  is offline\n"
        "00:00:01  arena     is offline\n"
    )


def test_a_terminal_has_colours_and_lines_of_its_width(screen: Screen) -> None:
    page = Page(["arena"], now=Clock(), out=screen)

    page.line("arena", "is running", colour="green")
    page.line("arena", "restart on crash: wait 10 s unless the server is starting or running")
    page.line("arena", "x" * 80)

    assert screen.getvalue() == (
        "23:59:58  arena  \x1b[32mis running\x1b[0m\n"
        "23:59:58  arena  restart on crash: wait 10 s unless the\n"
        "                 server is starting or running\n"
        f"23:59:58  arena  {'x' * 80}\n"
    )


@pytest.mark.parametrize(("name", "value"), [("NO_COLOR", "1"), ("TERM", "dumb")])
def test_whoever_wants_no_colours_gets_none(
    name: str, value: str, screen: Screen, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, value)

    Page(["arena"], now=Clock(), out=screen).line("arena", "is running", colour="green")

    assert screen.getvalue() == "23:59:58  arena  is running\n"


def test_a_long_name_does_not_push_the_words_away() -> None:
    out = io.StringIO()
    name = "The Very Long Name of a Server that Somebody Liked"

    Page([name, "a"], now=Clock(), out=out).line(name, "is running")

    assert out.getvalue() == "23:59:58  The Very Long Name of a…  is running\n"


def test_words_of_others_stay_in_their_line() -> None:
    assert plain("\x1b[31mred\x1b[0m\r\n and  \x07 more\x9b2J") == "red and more"


def test_servers_of_one_name_are_told_apart() -> None:
    third = "ffffffff-0003-4000-8000-000000000003"

    assert display_names({SERVER: "arena", third: "arena", OTHER: " "}) == {
        SERVER: "arena a1b2c3d4",
        third: "arena ffffffff",
        OTHER: "a1b2c3d4",
    }


# ---------------------------------------------------------------- the printer


class Place(TypedDict):
    """Where an action comes from."""

    server: str
    recipe: str
    run: int
    step: int


BY: Place = {"server": SERVER, "recipe": "night", "run": 1, "step": 0}


def traced(what: str, detail: str = "", run: int | None = 1) -> Traced:
    return Traced(server=SERVER, recipe="night", run=run, what=what, detail=detail)


def printed(*happened: Output, dry: bool = False) -> list[str]:
    out = io.StringIO()
    printer = Printer(Page(["arena"], now=Clock(), out=out), {SERVER: "arena"})
    for one in happened:
        if isinstance(one, Traced):
            printer.decided(one)
        else:
            printer.did(one, dry=dry)
    return [line.removeprefix("23:59:58  arena  ") for line in out.getvalue().splitlines()]


def test_a_step_that_is_plain_from_its_action_is_not_told_again() -> None:
    assert printed(
        traced("triggered", "crashed"),
        Send(message=SendCommand("save-all"), **BY),
        traced("step", "wait 10 s"),
        Send(message=SetState("start"), **BY),
        traced("step", "start"),
        Send(message=SetState("start"), **BY),
        traced("step", "wait 5 s"),
        MakeBackup(name="night", call=1, **BY),
        traced("step", "backup 'night'"),
        ShowBackup(uuid="x", call=2, **BY),
        traced("unconfirmed"),
        traced("done"),
    ) == [
        "night: send command save-all",
        "night: wait 10 s",
        "night: set state start",
        "night: set state start",
        "night: wait 5 s",
        "night: backup night",
        "night: done",
    ]


def test_a_step_without_an_action_is_told() -> None:
    """It is on its way already: nothing is sent, but it is waited for."""
    assert printed(traced("step", "start"), traced("done", "the server is running")) == [
        "night: start",
        "night: not needed: the server is running",
    ]


def test_a_reason_is_told_once() -> None:
    assert printed(
        traced("step failed", "no room"),
        Tell(text="no room!", **BY),
        traced("failed", "no room"),
        traced("held back", "it is still running", run=None),
        traced("held back", "it is still running", run=None),
        traced("held back", "the server is offline", run=None),
        traced("triggered"),
        traced("step failed", "no room"),
        traced("step failed", "nor time"),
        traced("failed", "no room"),
    ) == [
        "night: step failed: no room",
        "NOTICE: no room!",
        "night: failed",
        "night: held back: it is still running",
        "night: held back: the server is offline",
        "night: step failed: no room",
        "night: step failed: nor time",
        "night: failed: no room",
    ]


def test_a_dry_run_only_would() -> None:
    assert printed(
        Send(message=SetState("start"), **BY), traced("unconfirmed"), traced("done"), dry=True
    ) == ["night: would set state start", "night: done"]


def test_why_a_server_is_given_up_is_for_standard_error(
    capsys: pytest.CaptureFixture[str],
) -> None:
    out = io.StringIO()
    printer = Printer(Page(["arena"], now=Clock(), out=out), {SERVER: "arena"})

    printer.gave_up(SERVER, NotThere("no such\nserver"))

    assert out.getvalue() == "23:59:58  arena  is given up\n"
    assert capsys.readouterr().err == "automate: arena: no such server\n"


def test_a_notice_of_several_lines_keeps_them_below_each_other() -> None:
    out = io.StringIO()
    noon = datetime(2026, 11, 24, 12, tzinfo=ZONE)
    page = Page(["arena"], now=lambda: noon, out=out)

    page.line("arena", "NOTICE: it said last:\none\n\x1b[2Jtwo", keeps_lines=True)
    page.line("arena", "one\nline")

    assert out.getvalue().splitlines() == [
        "12:00:00  arena  NOTICE: it said last:",
        "                 one",
        "                 two",
        "12:00:00  arena  one line",
    ]

"""The engine's hands: what Python functions get and may do, and what a panel's answers become."""

import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import httpx
import pytest
import trio

from automate.engine.hands import (
    call_python,
    check_call,
    delete_backup,
    list_backups,
    make_backup,
    show_backup,
)
from automate.live.panel import Panel
from automate.machine.answer import Answer, KnownBackup
from automate.recipe.context import Context

CONTEXT = Context(
    server="arena",
    server_id="a1b2c3d4-0001-4000-8000-000000000001",
    recipe="greet",
    run=7,
    status="running",
    players=("ada",),
    values={"player": "ada"},
)
GUEST = """
import functools
import sys
import threading

import trio

seen = []
number = 7
begun = threading.Event()
may_end = threading.Event()
ended = threading.Event()

def plain(context):
    context.values["player"] += "!"
    seen.append(context)

async def waits(context):
    seen.append("waited")

@functools.lru_cache
def cached(context):
    pass

def hides(context):
    return waits(context)

class Greeter:
    def __call__(self, context):
        seen.append("greeted")

greeter = Greeter()

async def stays(context):
    try:
        begun.set()
        await trio.sleep_forever()
    finally:
        seen.append("ended")

def stays_hidden(context):
    return stays(context)

async def stubborn(context):
    try:
        await stays(context)
    except trio.Cancelled:
        pass

async def clumsy(context):
    try:
        await stays(context)
    finally:
        raise ValueError("clumsy")

async def crowded(context):
    async with trio.open_nursery() as nursery:
        nursery.start_soon(clumsy, context)
        nursery.start_soon(trio.sleep_forever)

def blocks(context):
    begun.set()
    may_end.wait()
    seen.append("ended by itself")
    ended.set()

async def leaves_in_a_crowd(context):
    async with trio.open_nursery() as nursery:
        nursery.start_soon(leave)
        nursery.start_soon(stays, context)

async def leave():
    await trio.lowlevel.checkpoint()
    sys.exit("bye")

async def interrupted_in_a_crowd(context):
    async with trio.open_nursery() as nursery:
        nursery.start_soon(clumsy, context)
        nursery.start_soon(interrupt)

async def interrupt():
    await trio.lowlevel.checkpoint()
    raise KeyboardInterrupt

def optional(context, more=None):
    pass

def named(*, context):
    pass

def wrong(context):
    raise ValueError("no such\\n  player")

def silent(context):
    raise KeyError

def leaves(context):
    sys.exit("bye")

def nothing():
    pass
"""


@pytest.fixture(autouse=True)
def guests(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "hands_guest.py").write_text(GUEST)
    (tmp_path / "hands_needy.py").write_text("import not_installed_at_all\n")
    (tmp_path / "hands_broken.py").write_text("1 / 0\n")
    (tmp_path / "hands_leaving.py").write_text("import sys; sys.exit(3)\n")
    yield
    for name in ("hands_guest", "hands_needy", "hands_broken", "hands_leaving"):
        sys.modules.pop(name, None)


def the_guest() -> ModuleType:
    import hands_guest  # type: ignore[import-not-found] # made by the fixture

    return hands_guest  # type: ignore[no-any-return] # a module, as imported just above


# ---------------------------------------------------------------- calls


async def test_a_function_gets_the_context_and_values_of_its_own() -> None:
    names = ("plain", "waits", "hides", "greeter")
    answers = [await call_python(f"hands_guest.{name}", CONTEXT) for name in names]

    context, *others = the_guest().seen
    assert (answers, others) == ([Answer()] * 4, ["waited", "waited", "greeted"])
    assert (type(context), context.server, context.run) == (Context, "arena", 7)
    assert (context.values, CONTEXT.values) == ({"player": "ada!"}, {"player": "ada"})


@pytest.mark.parametrize(
    ("name", "error"),
    [
        ("hands_guest.wrong", "hands_guest.wrong: ValueError: no such player"),
        ("hands_guest.silent", "hands_guest.silent: KeyError"),
        ("hands_guest.leaves", "hands_guest.leaves: SystemExit: bye"),
        ("hands_guest.cached", "hands_guest.cached: TypeError: unhashable type: 'dict'"),
        (
            "hands_guest.nothing",
            "hands_guest.nothing: TypeError: nothing() takes 0 positional arguments but 1 was "
            "given",
        ),
        (
            "hands_guest.missing",
            "hands_guest.missing: the module 'hands_guest' has no function called 'missing'",
        ),
        (
            "hands_guest.number",
            "hands_guest.number: the module 'hands_guest' has something, but no function, called "
            "'number'",
        ),
        (
            "hands_absent.run",
            "hands_absent.run: there is no module 'hands_absent'; put it beside the recipe file, "
            "or install it where automate is",
        ),
        (
            "hands_needy.run",
            "hands_needy.run: there is no module 'not_installed_at_all'; put it beside the recipe "
            "file, or install it where automate is",
        ),
        ("hands_broken.run", "hands_broken.run: ZeroDivisionError: division by zero"),
    ],
)
async def test_whatever_goes_wrong_is_an_answer(name: str, error: str) -> None:
    assert await call_python(name, CONTEXT) == Answer(error=error)


async def cut_short(name: str) -> list[Answer]:
    """Call the function, cancel the call once it has begun, and return what came back."""
    answers: list[Answer] = []

    async def call() -> None:
        answers.append(await call_python(name, CONTEXT))

    guest = the_guest()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(call)
        await trio.to_thread.run_sync(guest.begun.wait)
        nursery.cancel_scope.cancel()
    return answers


@pytest.mark.parametrize("name", ["stays", "stays_hidden", "stubborn", "clumsy", "crowded"])
async def test_a_coroutine_function_ends_with_its_scope(name: str) -> None:
    """Whatever it makes of it: its scope is the engine's, and no answer is left over."""
    answers = await cut_short(f"hands_guest.{name}")

    assert (answers, the_guest().seen) == ([], ["ended"])


async def test_a_plain_function_is_left_alone_for_a_thread_cant_be_ended() -> None:
    guest = the_guest()
    answers = await cut_short("hands_guest.blocks")
    before = list(guest.seen)
    guest.may_end.set()
    await trio.to_thread.run_sync(guest.ended.wait)

    assert (answers, before, guest.seen) == ([], [], ["ended by itself"])


async def test_who_leaves_out_of_a_crowd_ends_the_run_and_not_the_engine() -> None:
    answer = await call_python("hands_guest.leaves_in_a_crowd", CONTEXT)

    assert (answer.error, the_guest().seen) == (
        "hands_guest.leaves_in_a_crowd: BaseExceptionGroup: Exceptions from Trio nursery (1 "
        "sub-exception)",
        ["ended"],
    )


async def test_ctrl_c_goes_through_whatever_it_meets() -> None:
    with pytest.raises(BaseExceptionGroup) as caught:
        await call_python("hands_guest.interrupted_in_a_crowd", CONTEXT)

    assert list(map(type, caught.value.exceptions)) == [KeyboardInterrupt]


# ---------------------------------------------------------------- checks


@pytest.mark.parametrize("name", ["plain", "waits", "hides", "cached", "greeter", "optional"])
def test_a_function_that_can_be_called_is_not_called_by_the_check(name: str) -> None:
    assert (check_call(f"hands_guest.{name}"), the_guest().seen) == (None, [])


def test_a_function_that_does_not_tell_what_it_takes_is_taken() -> None:
    assert check_call("builtins.dict") is None


@pytest.mark.parametrize(
    ("name", "wrong"),
    [
        (
            "hands_guest.missing",
            "hands_guest.missing: the module 'hands_guest' has no function called 'missing'",
        ),
        (
            "hands_guest.number",
            "hands_guest.number: the module 'hands_guest' has something, but no function, called "
            "'number'",
        ),
        (
            "hands_absent.run",
            "hands_absent.run: there is no module 'hands_absent'; put it beside the recipe file, "
            "or install it where automate is",
        ),
        (
            "hands_needy.run",
            "hands_needy.run: there is no module 'not_installed_at_all'; put it beside the recipe "
            "file, or install it where automate is",
        ),
        ("hands_broken.run", "hands_broken.run: ZeroDivisionError: division by zero"),
        ("hands_leaving.run", "hands_leaving.run: SystemExit: 3"),
        (
            "hands_guest.nothing",
            "hands_guest.nothing: expected a function of one value, an automate.Context; found too "
            "many positional arguments",
        ),
        (
            "hands_guest.named",
            "hands_guest.named: expected a function of one value, an automate.Context; found too "
            "many positional arguments",
        ),
    ],
)
def test_a_check_says_what_is_wrong_with_a_name(name: str, wrong: str) -> None:
    assert check_call(name) == wrong


# ---------------------------------------------------------------- backups


def panel(status: int, body: Any = None) -> Panel:
    """Return a panel that always says the same."""
    transport = httpx.MockTransport(lambda _: httpx.Response(status, json=body))
    client = httpx.AsyncClient(transport=transport)
    return Panel("https://panel.example.com", "ptlc_x", client=client)


def refusing(status: int, code: str, detail: str) -> Panel:
    return panel(status, {"errors": [{"code": code, "status": str(status), "detail": detail}]})


def listing(**fields: Any) -> Panel:
    row = {"uuid": "b1", "name": "night", "is_successful": False}
    return panel(200, {"data": [{"attributes": row | fields}]})


@pytest.mark.parametrize(
    ("fields", "known"),
    [
        ({}, {"is_done": False}),
        ({"is_successful": True, "completed_at": "2026-03-01T10:02:11Z"}, {"is_done": True}),
        (
            {"completed_at": "2026-03-01T10:02:11Z", "is_locked": True},
            {"is_done": False, "is_failed": True, "is_locked": True},
        ),
    ],
)
async def test_backups_are_listed_with_their_moment(
    fields: dict[str, Any], known: dict[str, bool]
) -> None:
    here = listing(created_at="2026-03-01T11:00:00+01:00", **fields)

    answer = await list_backups(here, "a1b2c3d4")

    one = KnownBackup(uuid="b1", name="night", made_at=1772359200.0, **known)
    assert answer == Answer(backups=(one,))


@pytest.mark.parametrize("said", [None, "2026-03-01 10:00:00"])
async def test_a_backup_without_a_moment_is_no_list_to_delete_the_oldest_of(
    said: str | None,
) -> None:
    assert await list_backups(listing(created_at=said), "a1b2c3d4") == Answer(
        error="https://panel.example.com: the panel does not say when the backup b1 was made"
    )


async def test_a_backup_that_is_gone_is_deleted() -> None:
    gone = refusing(404, "NotFoundHttpException", "")

    assert [
        await delete_backup(panel(204), "a1b2c3d4", "b1"),
        await delete_backup(gone, "a1b2c3d4", "b1"),
    ] == [Answer(), Answer()]


async def test_only_a_full_panel_is_full() -> None:
    full = await make_backup(refusing(400, "TooManyBackupsException", "Full."), "a1b2c3d4", "x")
    early = await make_backup(refusing(429, "TooManyRequestsHttpException", "2."), "a1b2c3d4", "x")
    strange = await make_backup(refusing(400, "DisplayException", "No."), "a1b2c3d4", "x")

    assert [(answer.is_full, answer.error is None) for answer in (full, early, strange)] == [
        (True, False),
        (False, False),
        (False, False),
    ]


async def test_a_panel_that_is_not_there_is_an_answer() -> None:
    async with Panel("http://127.0.0.1:9", "ptlc_x") as nobody:
        answers = [
            await make_backup(nobody, "a1b2c3d4", "night"),
            await show_backup(nobody, "a1b2c3d4", "no uuid!"),
            await list_backups(nobody, "a1b2c3d4"),
            await delete_backup(nobody, "a1b2c3d4", "b1"),
        ]

    refused = "http://127.0.0.1:9: connection refused; is it up, and the port right?"
    assert [answer.error for answer in answers] == [
        refused,
        "backup 'no uuid!': expected its uuid",
        refused,
        refused,
    ]

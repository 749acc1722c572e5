"""Recipes as they are written: what is accepted, and what a mistake is told as."""

from collections.abc import Callable
from typing import Any

import attrs
import pytest

import automate
from automate.errors import RecipeError
from automate.recipe.conditions import ServerIs
from automate.recipe.description import then_words, when_words
from automate.recipe.limits import AtMost
from automate.recipe.recipe import Recipe
from automate.recipe.steps import (
    Announce,
    Backoff,
    Backup,
    Block,
    Call,
    Command,
    Fail,
    Kill,
    Notify,
    Restart,
    Start,
    Step,
    Stop,
    Wait,
    WaitUntil,
)
from automate.recipe.triggers import (
    Asked,
    At,
    ConsoleLine,
    Crashed,
    Cron,
    Every,
    FoundOffline,
    StatusChanged,
    Trigger,
)
from automate.wire.messages import PowerState

STATES = "expected one of offline, starting, running, stopping; found"


def recipe(**parts: Any) -> Recipe:
    return Recipe(parts.pop("name", "it"), **{"when": Crashed(), "then": Start(), **parts})


def wrong(value: object) -> Any:
    """Return *value* for where a type checker would not let it through."""
    return value


def test_one_of_a_kind_needs_no_list() -> None:
    short = Recipe("it", when=Crashed(), then=Start(), on_failure=Notify("{error}"))
    long = Recipe("it", when=[Crashed()], then=(Start(),), on_failure=[Notify("{error}")])

    assert short == long


def test_states_are_written_as_the_panel_shows_them() -> None:
    assert (ServerIs("starting", "running").states, StatusChanged(to="offline").to) == (
        (PowerState.STARTING, PowerState.RUNNING),
        (PowerState.OFFLINE,),
    )


def test_a_recipe_cannot_be_changed_and_can_be_compared_and_hashed() -> None:
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        recipe().name = "other"  # type: ignore[misc]

    assert {recipe(), recipe()} == {recipe()}


MISTAKES: list[tuple[Callable[[], object], str]] = [
    (lambda: recipe(when=Crashed), "found Crashed; write Crashed(…) with parentheses"),
    (lambda: recipe(then=[Start, Stop()]), "found Start; write Start(…) with parentheses"),
    (lambda: recipe(then="save-all"), "expected a step such as Start() or Command('save-all')"),
    (lambda: recipe(then=[Start(), [Stop()]]), "write one list, without lists in it"),
    (lambda: recipe(then=[]), "Recipe: then: expected at least one step, found none"),
    (lambda: recipe(when=[]), "Recipe: when: expected at least one trigger, found none"),
    (lambda: recipe(when=Start()), "expected a trigger such as Crashed(), found Start("),
    (lambda: recipe(when={Crashed()}), "expected a trigger such as Crashed(), found {Crashed("),
    (lambda: recipe(name=""), "Recipe: name: expected a text, found ''"),
    (lambda: recipe(name="a@3"), "expected one line without '@', found 'a@3'"),
    (lambda: recipe(name="a\nb"), "expected one line without '@'"),
    (lambda: recipe(only_if="running"), "such as ServerIs(\"running\"), found 'running'"),
    (lambda: recipe(only_if=ServerIs), 'such as ServerIs("running"), found ServerIs'),
    (lambda: recipe(limit=3), "Recipe: limit: expected AtMost(…), found 3"),
    (lambda: recipe(limit=AtMost), "Recipe: limit: expected AtMost(…), found AtMost"),
    (lambda: AtMost(0, within_seconds=1), "AtMost: times: expected a whole number of at least 1"),
    (lambda: AtMost(1, within_seconds=0), "within_seconds: expected a number above zero"),
    (
        lambda: Wait(seconds=wrong("10")),
        "Wait: seconds: expected a number of seconds, zero or more",
    ),
    (lambda: Wait(seconds=-1), "expected a number of seconds, zero or more, found -1"),
    (lambda: Wait(seconds=float("nan")), "expected a number of seconds, zero or more, found nan"),
    (lambda: Wait(seconds=float("inf")), "expected a number of seconds, zero or more, found inf"),
    (lambda: Wait(seconds=True), "expected a number of seconds, zero or more, found True"),
    (lambda: Wait(seconds=1, unless=wrong("running")), "found 'running'"),
    (lambda: Start(limit_seconds=0), "expected a number above zero, found 0"),
    (lambda: Stop(kill_after_seconds=wrong("soon")), "expected a number of seconds, zero or more"),
    (lambda: Backoff(factor=0), "Backoff: factor: expected a number above zero, found 0"),
    (
        lambda: WaitUntil(wrong(Crashed())),
        "expected ConsoleLine(…) or StatusChanged(…), found Crashed(",
    ),
    (lambda: WaitUntil(wrong(ConsoleLine)), "StatusChanged(…), found ConsoleLine"),
    (lambda: ServerIs("on"), f"{STATES} 'on'"),
    (lambda: ServerIs(), "expected at least one of offline, starting, running, stopping"),
    (lambda: ServerIs(wrong(["running"])), f"{STATES} ['running']"),
    (lambda: StatusChanged(to=5), f"{STATES} 5"),
    (lambda: StatusChanged(to=["running", "x"]), f"{STATES} 'x'"),
    (lambda: Crashed(exit_codes="3"), "expected whole numbers (exit codes), found '3'"),
    (lambda: Crashed(exit_codes=True), "expected whole numbers (exit codes), found True"),
    (lambda: Crashed(out_of_memory=wrong("yes")), "expected True or False, found 'yes'"),
    (lambda: ConsoleLine("("), "ConsoleLine: pattern: not a regular expression: missing )"),
    (lambda: ConsoleLine(wrong(3)), "ConsoleLine: pattern: expected a text, found 3"),
    (lambda: Every(minutes=0), "expected an interval between one second and one day, found 0"),
    (lambda: Every(hours=25), "use At or Cron for rarer ones"),
    (lambda: Every(minutes=5, zone="Mars/Base"), "expected a time zone such as 'Europe/Berlin'"),
    (lambda: Every(minutes=5, zone="../etc/passwd"), "expected a time zone"),
    (lambda: At("25:00"), "expected a time of day such as '04:30', found '25:00'"),
    (lambda: At("4.30"), "expected a time of day such as '04:30', found '4.30'"),
    (lambda: At(430), "expected a time of day such as '04:30', found 430"),
    (lambda: Cron("0 4 * *"), "Cron: expected five fields such as '0 4 * * *'"),
    (lambda: Cron("0 0 4 * * *"), "Cron: expected five fields such as '0 4 * * *'"),
    (lambda: Cron("0 25 * * *"), "found '0 25 * * *': Bad hour"),
    (lambda: Cron("* * * * MON#1/2"), "found '* * * * MON#1/2'"),
    (lambda: Command("a\nb"), "Command: text: expected one line without control characters"),
    (lambda: Command("a\x7f"), "expected one line without control characters"),
    (lambda: Command("é" * 2048), "at most 4095 bytes (a game's console cuts the rest)"),
    (lambda: Command("\ud800"), "Command: text: expected a text"),
    (lambda: Command(" "), "Command: text: expected a text, found ' '"),
    (lambda: Announce("hi", command="say"), "Announce: command: expected {text} in it"),
    (lambda: Notify("{server"), "'{server': expected '}'"),
    (lambda: Call("function"), "Call: name: expected a name such as 'module.function'"),
    (lambda: Call("a..b"), "expected a name such as 'module.function'"),
    (lambda: Block("save-off", always=[]), "expected a step such as Start()"),
    (lambda: recipe(then=Notify("{player}")), "Notify: {player} is unknown in '{player}'; known"),
    (lambda: recipe(then=Notify("{error}")), "Notify: {error} is unknown"),
    (lambda: recipe(then=Notify("{line}")), "Notify: {line} is unknown"),
    (lambda: recipe(then=Backup("{player}")), "Backup: {player} is unknown"),
    (lambda: recipe(then=Announce("a", command="{who} {text}")), "Announce: {who} is unknown"),
    (
        lambda: recipe(then=Block([], always=[Block([Fail("{x}")], always=[])])),
        "Fail: {x} is unknown",
    ),
    (
        lambda: recipe(limit=AtMost(1, within_seconds=1, otherwise=Notify("{error}"))),
        "Notify: {error} is unknown",
    ),
]


@pytest.mark.parametrize(("write", "told"), MISTAKES, ids=[told for _, told in MISTAKES])
def test_a_mistake_is_told_in_one_line_that_says_what_was_expected(
    write: Callable[[], object], told: str
) -> None:
    with pytest.raises(RecipeError) as refused:
        write()

    message = str(refused.value)
    assert told in message
    assert len(message.splitlines()) == 1
    assert len(message) < 250


def test_texts_may_use_what_any_of_the_triggers_offers() -> None:
    line = ConsoleLine(r"^(?P<player>\w+) joined")
    text = "{server} {server_id} {recipe} {attempt} {player} {line} {reason} {exit_code}"

    written = recipe(when=[line, Crashed()], then=Notify(text), on_failure=Notify("{error}"))

    assert written.then == (Notify(text),)


@pytest.mark.parametrize(
    ("attempt", "seconds"), [(1, 10), (2, 20), (3, 40), (5, 160), (6, 300), (10_000, 300)]
)
def test_a_growing_pause(attempt: int, seconds: float) -> None:
    assert Backoff().seconds(attempt) == seconds


def test_a_pause_that_grows_without_bounds_stays_at_its_cap() -> None:
    assert Backoff(factor=1e10).seconds(1000) == 300


WORDS: list[tuple[Trigger | Step | ServerIs | AtMost, str]] = [
    (Crashed(), "it crashed"),
    (Crashed(exit_codes=[1, 3]), "it crashed with exit code 1 or 3"),
    (Crashed(out_of_memory=True), "it crashed out of memory"),
    (Crashed(exit_codes=0, out_of_memory=False), "it crashed with exit code 0 with memory left"),
    (FoundOffline(), "it is found offline after a gap"),
    (StatusChanged(to=["offline", "stopping"]), "the status becomes offline or stopping"),
    (StatusChanged(to="offline", was="running"), "the status becomes offline from running"),
    (ConsoleLine("x"), "the console says /x/"),
    (Asked(), "it is asked"),
    (Every(hours=1), "every 1 hour"),
    (Every(hours=2, minutes=30, seconds=1), "every 2 hours 30 minutes 1 second"),
    (At("4:30"), "at 04:30 UTC"),
    (At("04:30:15", zone="Europe/Berlin"), "at 04:30:15 Europe/Berlin"),
    (Cron("0 4 * * *"), "by cron '0 4 * * *' UTC"),
    (Command("a"), "command 'a'"),
    (Announce("a"), "announce 'a'"),
    (Start(), "start"),
    (Stop(), "stop"),
    (Stop(kill_after_seconds=30), "stop (kill after 30 s)"),
    (Restart(), "restart"),
    (Kill(), "kill"),
    (Backup("b"), "backup 'b'"),
    (Wait(seconds=1.5), "wait 1.5 s"),
    (
        Wait(seconds=Backoff(), unless=ServerIs("running")),
        "wait 10 to 300 s unless the server is running",
    ),
    (WaitUntil(ConsoleLine("x")), "wait until the console says /x/ (at most 60 s)"),
    (Notify("a"), "notify 'a'"),
    (Call("a.b"), "call a.b"),
    (Fail("a"), "fail 'a'"),
    (Block([Start(), Stop()], always=Kill()), "(start, stop; always kill)"),
    (AtMost(5, within_seconds=3600), "at most 5 times within 3600 s"),
]


@pytest.mark.parametrize(("part", "words"), WORDS, ids=[words for _, words in WORDS])
def test_each_part_can_be_read_aloud(part: object, words: str) -> None:
    assert str(part) == words


def test_a_recipe_can_be_read_aloud() -> None:
    whole = recipe(
        when=[Crashed(), Asked()],
        only_if=ServerIs("offline"),
        then=[Wait(seconds=1), Start()],
        limit=AtMost(5, within_seconds=60),
    )

    assert (when_words(whole), then_words(whole)) == (
        "it crashed or it is asked, if the server is offline",
        "wait 1 s, start; at most 5 times within 60 s",
    )


def test_every_part_that_can_be_written_is_read_aloud_here() -> None:
    said = {type(part).__name__ for part, _ in WORDS}
    parts = set(automate.__all__) - {"AutomateError", "RecipeError", "Recipe", "__version__"}

    assert parts - said == {"Backoff", "ServerIs"}

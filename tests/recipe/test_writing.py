"""Recipes as they are written: what is accepted, and what a mistake is told as."""

from collections.abc import Callable
from typing import Any

import attrs
import pytest

import automate
from automate.errors import RecipeError
from automate.recipe.combinators import AllWithin, AnyOf, NotFollowedBy, Times, Trigger
from automate.recipe.conditions import (
    And,
    Between,
    Condition,
    Not,
    NotRunFor,
    OnDays,
    Or,
    PlayersOnline,
    ReadingIs,
    ServerIs,
    VariableIs,
)
from automate.recipe.flow import Block, Choose, If, On, Parallel, Repeat, Step, Try, WaitUntil
from automate.recipe.limits import AtMost, Cooldown, Limit
from automate.recipe.recipe import Recipe
from automate.recipe.selectors import Tagged
from automate.recipe.steps import (
    Announce,
    Backoff,
    Backup,
    Call,
    Command,
    Countdown,
    CountPlayers,
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
    At,
    BackupCompleted,
    BackupFailed,
    Chat,
    Connected,
    ConsoleLine,
    Crashed,
    Cron,
    DaemonError,
    Deleted,
    Disconnected,
    Every,
    FeatureMatched,
    FoundOffline,
    GameReady,
    GameSaved,
    Installed,
    PlayerJoined,
    PlayerLeft,
    ReadingAbove,
    ReadingBelow,
    RecipeEnded,
    Restored,
    Silent,
    StatusChanged,
    Stuck,
    Throttled,
    Transferred,
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
    (lambda: recipe(limit=3), "Recipe: limit: expected AtMost(…) or Cooldown(…), found 3"),
    (
        lambda: recipe(limit=AtMost),
        "Recipe: limit: expected AtMost(…) or Cooldown(…), found AtMost",
    ),
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
    (lambda: WaitUntil(wrong(ConsoleLine)), "expected a trigger such as Crashed(), found Console"),
    (lambda: WaitUntil(wrong(At("04:30"))), "WaitUntil: at 04:30 UTC can't be waited for"),
    (lambda: WaitUntil(Crashed(), limit_seconds=0), "limit_seconds: expected a number above zero"),
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
    # Triggers.
    (lambda: ReadingAbove("memory", number=1), "reading: expected 'memory_bytes' or 'disk_bytes'"),
    (lambda: ReadingAbove("memory_bytes"), "one of number=… (in bytes) and percent_of_limit=…"),
    (
        lambda: ReadingAbove("cpu_percent", number=1, percent_of_limit=2),
        "one of number=… (in percent) and percent_of_limit=…",
    ),
    (
        lambda: ReadingBelow("uptime_seconds", percent_of_limit=2),
        "uptime_seconds has no limit to take a percent of; those that have one are memory_bytes",
    ),
    (
        lambda: ReadingAbove("cpu_percent", number=50, rearm_at=60),
        "ReadingAbove: rearm_at: expected at most 50, found 60",
    ),
    (
        lambda: ReadingBelow("cpu_percent", number=50, rearm_at=40),
        "ReadingBelow: rearm_at: expected at least 50, found 40",
    ),
    (lambda: Silent(for_seconds=0), "Silent: for_seconds: expected a number above zero, found 0"),
    (lambda: Stuck(states="idle"), f"{STATES} 'idle'"),
    (lambda: Chat("("), "Chat: pattern: not a regular expression: missing )"),
    (lambda: RecipeEnded("a", outcome="ok"), "outcome: expected 'done' or 'failed', found 'ok'"),
    (lambda: Every(minutes=5, missed=wrong("no")), "missed: expected 'skip' or 'once' or 'all'"),
    (lambda: AnyOf(Crashed()), "AnyOf: expected at least two triggers"),
    (lambda: AnyOf(Crashed(), wrong(Asked())), "Asked can't be a part of this; write it beside"),
    (lambda: Times(3, wrong(Start()), seconds=1), "expected a trigger such as Crashed(), found St"),
    (
        lambda: Times(3, Crashed(), seconds=1, per="player"),
        "Times: per: 'player' is not captured by it crashed; known: exit_code, lines, reason",
    ),
    # Conditions.
    (lambda: ReadingIs("disk_bytes"), "ReadingIs: expected exactly one of at_least=…, at_most=…"),
    (lambda: Between("22:00", "22:00"), "Between: start and end are the same time"),
    (lambda: Between("22", "23:00"), "Between: expected a time of day such as '04:30', found '22'"),
    (lambda: OnDays(), "OnDays: expected some of mon, tue, wed, thu, fri, sat, sun"),
    (lambda: OnDays("Monday"), "OnDays: expected some of mon, tue, wed, thu, fri, sat, sun; found"),
    (lambda: PlayersOnline(), "PlayersOnline: expected at_least=…, at_most=… or both"),
    (lambda: PlayersOnline(at_most=-1), "at_most: expected a whole number, found -1"),
    (lambda: VariableIs("my streak", "1"), "expected a plain name such as 'streak', found 'my st"),
    (lambda: And(ServerIs("running")), "And: expected at least two conditions"),
    (lambda: Not(wrong("running")), 'Not: negated: expected a condition such as ServerIs("running'),
    # Steps.
    (lambda: Countdown("soon", seconds=60), "Countdown: text: expected {left} in it, found 'soon'"),
    (
        lambda: Countdown("{left}", seconds=60, at_seconds=[90]),
        "at_seconds: expected numbers above zero and up to 60, found 90",
    ),
    (lambda: Command("a", if_in_doubt=wrong("no")), "if_in_doubt: expected 'skip' or 'repeat'"),
    (lambda: Backup("a", keep=0), "Backup: keep: expected a whole number of at least 1, found 0"),
    (lambda: Backup("{player}", keep=3), "with keep=… the name must stay the same, but {player}"),
    (lambda: Choose(), "Choose: expected at least one If(condition, steps)"),
    (
        lambda: Choose(wrong(ServerIs("running"))),
        "Choose: expected If(condition, steps), found Ser",
    ),
    (lambda: Repeat(Start()), "Repeat: expected one of times=… and until=…"),
    (lambda: Repeat([], times=2), "expected at least one step, found none"),
    (lambda: Parallel(Start()), "Parallel: expected at least two steps, or lists of steps"),
    (lambda: On([], Start()), "servers: expected at least one; leave it out for all"),
    (lambda: Try(Start()), "Try: expected at least one of retries, limit_seconds and go_on"),
    (lambda: SetVariable("a", "{b"), "expected '}'"),
    (
        lambda: recipe(name="a", then=RunRecipe("a")),
        "RunRecipe: 'a' would run itself, and wait for ever",
    ),
    # The recipe as a whole.
    (lambda: recipe(servers=5), "expected a server's id or name, a pattern such as 'lobby-*'"),
    (
        lambda: recipe(mode="twice"),
        "mode: expected 'single' or 'restart' or 'queued' or 'parallel'",
    ),
    (lambda: recipe(excess="all"), "excess: expected 'newest' or 'oldest', found 'all'"),
    (
        lambda: recipe(limit=Cooldown(5, per="player")),
        "Cooldown: per: no trigger captures 'player'; captured are: exit_code, lines, reason",
    ),
    (
        lambda: recipe(
            then=[Wait(seconds=Backoff(first_seconds=600, cap_seconds=600)), Start()],
            limit=AtMost(5, within_seconds=3000),
        ),
        "AtMost: 5 runs take at least 3000 s, for the pauses (Backoff) grow so long",
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


WORDS: list[tuple[Trigger | Step | Condition | Limit | If | Tagged | Backoff, str]] = [
    (Crashed(), "it crashed"),
    (Crashed(exit_codes=[1, 3]), "it crashed with exit code 1 or 3"),
    (Crashed(out_of_memory=True), "it crashed out of memory"),
    (Crashed(exit_codes=0, out_of_memory=False), "it crashed with exit code 0 with memory left"),
    (Crashed(gave_up=True), "it crashed and the daemon gives up"),
    (Crashed(gave_up=False), "it crashed and the daemon did not give up"),
    (FoundOffline(), "it is found offline after a gap"),
    (StatusChanged(to=["offline", "stopping"]), "the status becomes offline or stopping"),
    (StatusChanged(to="offline", was="running"), "the status becomes offline from running"),
    (
        StatusChanged(to="offline", for_seconds=600),
        "the status becomes offline and stays so for 10 min",
    ),
    (Stuck(), "it is stuck starting or stopping for 10 min"),
    (Stuck(states="stopping", for_seconds=90), "it is stuck stopping for 90 s"),
    (Installed(), "it was installed"),
    (Restored(), "a backup was restored"),
    (Transferred(), "it was transferred to another node"),
    (Deleted(), "it was deleted"),
    (FeatureMatched(), "the daemon recognises a feature in the console"),
    (FeatureMatched(feature="eula"), "the daemon recognises the feature 'eula' in the console"),
    (ConsoleLine("x"), "the console says /x/"),
    (Silent(for_seconds=3600), "it runs, but says nothing for 1 h"),
    (PlayerJoined(), "a player joins"),
    (PlayerLeft(), "a player leaves"),
    (Chat(), "a player says something"),
    (Chat("^!stop$"), "a player says /^!stop$/"),
    (GameReady(), "the game says that it is ready"),
    (GameSaved(), "the game says that it saved"),
    (ReadingAbove("cpu_percent", number=90), "cpu_percent is at 90 or more"),
    (
        ReadingAbove("memory_bytes", percent_of_limit=95, for_seconds=120),
        "memory_bytes is at 95 % of its limit or more for 2 min",
    ),
    (ReadingBelow("uptime_seconds", number=60), "uptime_seconds is at 60 or less"),
    (Connected(), "automate is connected"),
    (Disconnected(), "automate is not connected for 60 s"),
    (BackupCompleted(), "a backup is complete"),
    (BackupFailed(), "a backup failed"),
    (Throttled(), "the daemon throttles"),
    (DaemonError(), "the daemon reports an error"),
    (DaemonError("disk"), "the daemon reports an error with /disk/"),
    (RecipeEnded("a"), "the recipe 'a' ended"),
    (RecipeEnded("a", outcome="done"), "the recipe 'a' is done"),
    (RecipeEnded("a", outcome="failed"), "the recipe 'a' failed"),
    (Asked(), "it is asked for"),
    (Every(hours=1), "every 1 hour"),
    (Every(hours=2, minutes=30, seconds=1), "every 2 hours 30 minutes 1 second"),
    (At("4:30"), "at 04:30 UTC"),
    (At("04:30:15", zone="Europe/Berlin"), "at 04:30:15 Europe/Berlin"),
    (Cron("0 4 * * *"), "by cron '0 4 * * *' UTC"),
    (AnyOf(PlayerJoined(), PlayerLeft()), "any of: a player joins; a player leaves"),
    (
        AllWithin(PlayerJoined(), PlayerLeft(), seconds=60),
        "all of these within 60 s: a player joins; a player leaves",
    ),
    (
        AllWithin(PlayerJoined(), PlayerLeft(), seconds=60, per="player"),
        "all of these within 60 s, each player for itself: a player joins; a player leaves",
    ),
    (Times(3, Crashed(), seconds=600), "3 times within 10 min: it crashed"),
    (
        Times(3, PlayerJoined(), seconds=60, per="player"),
        "3 times within 60 s (each player for itself): a player joins",
    ),
    (
        NotFollowedBy(PlayerLeft(), PlayerJoined(), seconds=60),
        "a player leaves, but not within 60 s: a player joins",
    ),
    (
        NotFollowedBy(PlayerLeft(), PlayerJoined(), seconds=60, per="player"),
        "a player leaves, but not within 60 s (for the same player): a player joins",
    ),
    (ServerIs("starting", "running"), "the server is starting or running"),
    (ReadingIs("disk_bytes", at_least=5e9), "disk_bytes is at least 4.66 GiB"),
    (ReadingIs("cpu_percent", at_most_percent=50), "cpu_percent is at most 50 % of its limit"),
    (Between("22:00", "06:00"), "it is between 22:00 and 06:00 UTC"),
    (OnDays("sat", "sun", zone="Asia/Tokyo"), "it is Sat or Sun (Asia/Tokyo)"),
    (PlayersOnline(at_most=0), "nobody is online"),
    (PlayersOnline(at_least=1), "somebody is online"),
    (PlayersOnline(at_most=1), "at most 1 player is online"),
    (PlayersOnline(at_most=5), "at most 5 players are online"),
    (PlayersOnline(at_least=2), "at least 2 players are online"),
    (PlayersOnline(at_least=2, at_most=5), "2 to 5 players are online"),
    (PlayersOnline(at_least=1, at_most=1), "1 player is online"),
    (PlayersOnline(at_least=2, at_most=2), "2 players are online"),
    (VariableIs("streak", "3"), "the variable streak is '3'"),
    (NotRunFor(3600), "it has not run for 1 h"),
    (NotRunFor(90, recipe="a"), "'a' has not run for 90 s"),
    (And(ServerIs("running"), OnDays("sat")), "the server is running and it is Sat (UTC)"),
    (
        Or(And(ServerIs("running"), OnDays("sat")), VariableIs("a", "")),
        "(the server is running and it is Sat (UTC)) or the variable a is ''",
    ),
    (Not(ServerIs("running")), "not (the server is running)"),
    (Command("a"), "command 'a'"),
    (Announce("a"), "announce 'a'"),
    (Countdown("in {left}", seconds=600), "count down 10 min: 'in {left}'"),
    (CountPlayers(), "count the players"),
    (Start(), "start"),
    (Stop(), "stop"),
    (Stop(kill_after_seconds=30), "stop (kill after 30 s)"),
    (Restart(), "restart"),
    (Kill(), "kill"),
    (Backup("b"), "backup 'b'"),
    (Backup("b", keep=5), "backup 'b' (keep the newest 5)"),
    (Wait(seconds=1.5), "wait 1.5 s"),
    (Backoff(), "10 to 300 s"),
    (
        Wait(seconds=Backoff(), unless=ServerIs("running")),
        "wait 10 to 300 s unless the server is running",
    ),
    (WaitUntil(ConsoleLine("x")), "wait until the console says /x/ (at most 60 s)"),
    (
        WaitUntil(GameReady(), limit_seconds=600),
        "wait until the game says that it is ready (at most 10 min)",
    ),
    (Notify("a"), "notify 'a'"),
    (SetVariable("streak", "{attempt}"), "set streak to '{attempt}'"),
    (RunRecipe("a"), "run 'a'"),
    (Call("a.b"), "call a.b"),
    (Fail("a"), "fail 'a'"),
    (Block([Start(), Stop()], always=Kill()), "(start, stop; always kill)"),
    (If(ServerIs("running"), [Stop(), Start()]), "if the server is running: stop, start"),
    (If(ServerIs("running"), []), "if the server is running: nothing"),
    (
        Choose(If(ServerIs("running"), Stop()), If(OnDays("sat"), Kill()), otherwise=Start()),
        "(if the server is running: stop; if it is Sat (UTC): kill; else start)",
    ),
    (Repeat([Start(), Stop()], times=3), "(repeat 3 times: start, stop)"),
    (Repeat(Start(), until=ServerIs("running")), "(repeat until the server is running: start)"),
    (Parallel(Start(), [Wait(seconds=1), Kill()]), "(side by side: start | wait 1 s, kill)"),
    (On(["lobby-*", Tagged("eu")], Start()), "(on lobby-* and servers tagged 'eu': start)"),
    (Tagged("eu"), "servers tagged 'eu'"),
    (
        Try([Start(), Stop()], retries=3, limit_seconds=600, go_on=True),
        "(start, stop; retried 3 times, at most 10 min, going on if it fails)",
    ),
    (AtMost(5, within_seconds=3600), "at most 5 times within 1 h"),
    (AtMost(1, within_seconds=86400, per="player"), "at most once within 24 h for each player"),
    (Cooldown(60), "not again for 60 s"),
    (Cooldown(600, per="player"), "not again for 10 min for each player"),
]


@pytest.mark.parametrize(("part", "words"), WORDS, ids=[words for _, words in WORDS])
def test_each_part_can_be_read_aloud(part: object, words: str) -> None:
    assert str(part) == words


def test_every_part_that_can_be_written_is_read_aloud_here() -> None:
    said = {type(part).__name__ for part, _ in WORDS}
    others = {"AutomateError", "RecipeError", "Recipe", "Context", "__version__"}

    assert set(automate.__all__) - others - said == set()

"""A recipe in sentences: what `automate check` says of it to whoever never wrote one."""

from typing import Any

import pytest

import automate
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
from automate.recipe.description import described
from automate.recipe.flow import Block, Choose, If, On, Parallel, Repeat, Step, Try, WaitUntil
from automate.recipe.limits import AtMost, Cooldown
from automate.recipe.phrases import event, holds, steps, when
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

RUNNING = ServerIs("running")
SAVED = r"^\[[^\]]+\](?: \[[^\]]+\])?: Saved the game$"

EVENTS: list[tuple[Trigger, str]] = [
    (Crashed(), "the server crashed"),
    (
        Crashed(exit_codes=137, out_of_memory=True),
        "the server crashed with exit code 137 out of memory",
    ),
    (FoundOffline(), "the server is found offline after a lost connection"),
    (StatusChanged(to="running"), "the server becomes running"),
    (
        StatusChanged(to="offline", was="running", for_seconds=600),
        "the server becomes offline after being running and stays so for 10 min",
    ),
    (Stuck(), "the server has been starting or stopping for 10 min"),
    (Installed(), "the server was installed"),
    (Restored(), "a backup was restored"),
    (Transferred(), "the server was transferred to another node"),
    (Deleted(), "the server was deleted"),
    (FeatureMatched(), "the daemon recognises a feature in the console"),
    (
        FeatureMatched(feature="eula"),
        'the daemon recognises the feature "eula" in the console',
    ),
    (ConsoleLine(SAVED), 'the console says something like "Saved the game"'),
    (
        ConsoleLine(r"^(?P<player>\w{3,16}) fell (?:out of|into) the [Ww]orld\.?$"),
        'the console says something like "out of"',
    ),
    (
        ConsoleLine(r"^\[Server thread/WARN\]: Can't keep up! .* (?P<late>\d+)ms"),
        """the console says something like "Server thread/WARN … Can't keep up!\"""",
    ),
    (ConsoleLine(r"^\d+$"), r"the console says something like /^\d+$/"),
    # What must not be there says nothing of what is.
    (ConsoleLine("^(?!Saved the game)."), "the console says something like /^(?!Saved the game)./"),
    (Silent(for_seconds=600), "the server runs, but says nothing for 10 min"),
    (PlayerJoined(), "a player joins"),
    (PlayerLeft(), "a player leaves"),
    (Chat("^!stop$"), "a player says /^!stop$/"),
    (GameReady(), "the game says that it is ready"),
    (GameSaved(), "the game says that it saved"),
    (
        ReadingAbove("memory_bytes", percent_of_limit=95, for_seconds=120),
        "the memory in use is 95 % of its limit or more for 2 min",
    ),
    (ReadingAbove("memory_bytes", number=1.5e9), "the memory in use is 1.5 GB or more"),
    (ReadingBelow("disk_bytes", number=200e6), "the disk in use is 200 MB or less"),
    (ReadingAbove("disk_bytes", number=20), "the disk in use is 20 bytes or more"),
    (ReadingAbove("cpu_percent", number=150), "the processor's load is 150 % or more"),
    (ReadingAbove("uptime_seconds", number=86400), "the time since it started is 24 h or more"),
    (Connected(), "automate is connected to the server"),
    (Disconnected(), "automate can't reach the server for 60 s"),
    (Disconnected(for_seconds=0), "automate can't reach the server"),
    (BackupCompleted(), "a backup is complete"),
    (BackupFailed(), "a backup failed"),
    (Throttled(), "the daemon drops something as too much"),
    (DaemonError(), "the daemon reports an error"),
    (RecipeEnded("a", outcome="failed"), 'the recipe "a" failed'),
    (Asked(), "somebody asks for it"),
    (
        AnyOf(Crashed(), FoundOffline()),
        "the server crashed or the server is found offline after a lost connection",
    ),
    (
        AllWithin(PlayerJoined(), GameSaved(), seconds=60),
        "a player joins and the game says that it saved, all within 60 s",
    ),
    (
        AllWithin(PlayerJoined(), PlayerLeft(), seconds=60, per="player"),
        "a player joins and a player leaves, all within 60 s for the same player",
    ),
    (Times(3, Crashed(), seconds=600), "the server crashed, 3 times within 10 min"),
    (
        Times(1, AnyOf(PlayerJoined(), PlayerLeft()), seconds=5, per="player"),
        "(a player joins or a player leaves), once within 5 s for the same player",
    ),
    (
        NotFollowedBy(PlayerLeft(), PlayerJoined(), seconds=1800, per="player"),
        "a player leaves and not, within 30 min after that for the same player, a player joins",
    ),
]
SCHEDULES: list[tuple[Trigger, str]] = [
    (Every(minutes=30), "every 30 minutes"),
    (Every(hours=1), "every hour"),
    (Every(hours=1, minutes=30, zone="Asia/Tokyo"), "every 1 hour 30 minutes (Asia/Tokyo)"),
    (Every(hours=6, jitter_seconds=300), "every 6 hours, up to 5 min later"),
    (At("04:30"), "each day at 04:30 (UTC)"),
    (At("04:30:15", zone="Europe/Berlin"), "each day at 04:30:15 (Europe/Berlin)"),
    (At("04:30", missed="all"), "each day at 04:30 (UTC), made up for each time if missed"),
    (
        Cron("0 4 * * MON", missed="once"),
        'by the cron schedule "0 4 * * MON" (UTC), made up for once if missed',
    ),
    (Crashed(), "when the server crashed"),
]
CONDITIONS: list[tuple[Condition, str]] = [
    (ServerIs("starting", "running"), "the server is starting or running"),
    (Not(RUNNING), "the server is not running"),
    (ReadingIs("disk_bytes", at_least=5e9), "the disk in use is 5 GB or more"),
    (
        ReadingIs("cpu_percent", at_most_percent=50),
        "the processor's load is 50 % of its limit or less",
    ),
    (Between("22:00", "06:00"), "it is between 22:00 and 06:00 (UTC)"),
    (Not(Between("22:00", "06:00")), "it is not between 22:00 and 06:00 (UTC)"),
    (OnDays("sat", "sun"), "it is Sat or Sun (UTC)"),
    (PlayersOnline(at_most=0), "nobody is online"),
    (Not(PlayersOnline(at_least=3)), "it is not so that at least 3 players are online"),
    (VariableIs("streak", "3"), 'the variable streak is "3"'),
    (NotRunFor(3600), "this recipe has not run for 1 h"),
    (NotRunFor(3600, recipe="a"), 'the recipe "a" has not run for 1 h'),
    (Not(NotRunFor(3600, recipe="a")), 'the recipe "a" has run within 1 h'),
    (And(RUNNING, OnDays("sat")), "the server is running and it is Sat (UTC)"),
    (
        Or(And(RUNNING, OnDays("sat")), PlayersOnline(at_least=1)),
        "(the server is running and it is Sat (UTC)) or somebody is online",
    ),
    (
        Not(Or(RUNNING, OnDays("sat"))),
        "it is not so that (the server is running or it is Sat (UTC))",
    ),
]
STEPS: list[tuple[Step, str]] = [
    (Command("save-all"), 'type "save-all"'),
    (Announce("Hello"), 'announce "Hello"'),
    (Announce('Say "hi"'), "announce 'Say \"hi\"'"),
    (Countdown("in {left}", seconds=600), 'count down 10 min, announcing "in {left}"'),
    (CountPlayers(), "ask the game who is online"),
    (Start(), "start the server"),
    (Stop(), "stop the server"),
    (Stop(kill_after_seconds=120), "stop the server, and kill it after 2 min"),
    (Restart(), "restart the server"),
    (Kill(), "kill the server"),
    (Backup("night"), 'make the backup "night"'),
    (Backup("night", keep=3), 'make the backup "night", keeping the newest 3'),
    (Wait(seconds=10), "wait 10 s"),
    (Wait(seconds=10, unless=RUNNING), "wait 10 s unless the server is running (then that is all)"),
    (Wait(seconds=Backoff()), "wait 10 s (doubling up to 5 min)"),
    (
        Wait(seconds=Backoff(factor=1.5, cap_seconds=600)),
        "wait 10 s (1.5 times as long each time, up to 10 min)",
    ),
    (Wait(seconds=Backoff(factor=1)), "wait 10 s"),
    (
        WaitUntil(ConsoleLine(SAVED), limit_seconds=120),
        'wait until the console says something like "Saved the game" (at most 2 min)',
    ),
    (
        WaitUntil(GameReady(), otherwise=[]),
        "wait until the game says that it is ready (at most 60 s, then go on)",
    ),
    (
        WaitUntil(GameReady(), otherwise=[Kill(), Start()]),
        "(wait until the game says that it is ready; if not within 60 s: (kill the server; start "
        "the server))",
    ),
    (Notify("a\nb"), 'tell the admin "a b"'),
    (SetVariable("streak", "{attempt}"), 'set the variable streak to "{attempt}"'),
    (RunRecipe("a"), 'run the recipe "a"'),
    (Call("a.b"), "call the Python function a.b"),
    (Fail("no"), 'fail, saying "no"'),
    (
        Block([Command("a"), Command("b")], always=[Command("c"), Command("d")]),
        '(type "a"; type "b"; in any case (type "c"; type "d"))',
    ),
    (
        Choose(If(PlayersOnline(at_most=0), Stop()), If(RUNNING, []), otherwise=Start()),
        "(if nobody is online: stop the server; if the server is running: do nothing; otherwise: "
        "start the server)",
    ),
    (Repeat([Stop(), Start()], times=3), "3 times over: (stop the server; start the server)"),
    (
        Repeat(Start(), until=RUNNING),
        "until the server is running, at most 100 times: start the server",
    ),
    (
        Parallel(Start(), [Wait(seconds=1), Kill()]),
        "at the same time start the server and (wait 1 s; kill the server)",
    ),
    (
        On(["lobby-*", Tagged("eu")], Start()),
        'on "lobby-*" and those tagged "eu": start the server',
    ),
    (
        Try(Start(), retries=3, pause_seconds=30, limit_seconds=600),
        "(start the server; if that fails, up to 3 times more with pauses of 30 s, at most 10 min "
        "in all)",
    ),
    (Try(Start(), retries=1), "(start the server; if that fails, once more)"),
    (Try(Start(), go_on=True), "(start the server; go on even if it fails)"),
    (
        Try(Start(), go_on=True, limit_seconds=60),
        "(start the server; at most 60 s in all, then go on in any case)",
    ),
]


@pytest.mark.parametrize(("trigger", "words"), EVENTS, ids=[words for _, words in EVENTS])
def test_what_happened_in_words(trigger: Trigger, words: str) -> None:
    assert event(trigger) == words


@pytest.mark.parametrize(("trigger", "words"), SCHEDULES, ids=[words for _, words in SCHEDULES])
def test_when_it_is_due_in_words(trigger: Trigger, words: str) -> None:
    assert when(trigger) == words


@pytest.mark.parametrize(("condition", "words"), CONDITIONS, ids=[one for _, one in CONDITIONS])
def test_what_holds_in_words(condition: Condition, words: str) -> None:
    assert holds(condition) == words


@pytest.mark.parametrize(("step", "words"), STEPS, ids=[words for _, words in STEPS])
def test_what_is_done_in_words(step: Step, words: str) -> None:
    assert steps([step]) == words


def test_every_part_is_said_here() -> None:
    said = [part for part, _ in (*EVENTS, *SCHEDULES, *CONDITIONS, *STEPS)]
    others = {"AutomateError", "RecipeError", "Recipe", "Context", "__version__"}
    inside = {"AtMost", "Cooldown", "Backoff", "If", "Tagged"}

    assert set(automate.__all__) - others - inside - {type(one).__name__ for one in said} == set()


# ---------------------------------------------------------------- sentences


def sentences(**parts: Any) -> str:
    return described(Recipe("it", **{"when": Crashed(), "then": Start(), **parts}))


@pytest.mark.parametrize(
    ("parts", "words"),
    [
        ({}, "When the server crashed: start the server."),
        (
            {
                "then": [
                    Wait(seconds=Backoff(), unless=ServerIs("starting", "running")),
                    Notify("{server} crashed"),
                    Start(),
                ],
                "limit": AtMost(5, within_seconds=3600, otherwise=Notify("{server}: no more")),
            },
            "When the server crashed: wait 10 s (doubling up to 5 min) unless it is starting or "
            'running (then that is all); tell the admin "{server} crashed"; start the server. At '
            'most 5 times within 1 h; after that tell the admin "{server}: no more".',
        ),
        (
            {"when": [Asked(), At("04:30")], "only_if": RUNNING, "then": Stop()},
            "When somebody asks for it, or each day at 04:30 (UTC), if the server is running: stop "
            "the server.",
        ),
        (
            {"when": [Every(minutes=5), FoundOffline()], "only_if": Not(RUNNING)},
            "Every 5 minutes, or when the server is found offline after a lost connection, if it "
            "is not running: start the server.",
        ),
        (
            {"on_failure": Notify("a"), "always": [Command("b"), Command("c")]},
            'When the server crashed: start the server. If it fails: tell the admin "a". At the '
            'end, whatever happened: type "b"; type "c".',
        ),
        # One block alone needs no parentheses.
        (
            {"then": Block([Command("a")], always=Command("b"))},
            'When the server crashed: type "a"; in any case type "b".',
        ),
        (
            {"when": PlayerJoined(), "limit": [Cooldown(60, per="player"), Cooldown(5)]},
            "When a player joins: start the server. Not again for 60 s for each player. Not again "
            "for 5 s.",
        ),
        (
            {"mode": "restart"},
            "When the server crashed: start the server. Set off again meanwhile, it begins anew.",
        ),
        (
            {"mode": "queued", "at_once": 3, "excess": "oldest"},
            "When the server crashed: start the server. Set off again meanwhile, it waits its turn "
            "(at most 3 at once, the oldest is dropped).",
        ),
        (
            {"mode": "parallel"},
            "When the server crashed: start the server. Set off again meanwhile, it runs beside "
            "(at most 10 at once, more are dropped).",
        ),
        (
            {"servers": ["lobby-*", Tagged("eu")]},
            'When the server crashed: start the server. Only for "lobby-*" and those tagged "eu".',
        ),
    ],
)
def test_a_recipe_is_a_paragraph(parts: dict[str, Any], words: str) -> None:
    assert sentences(**parts) == words

"""Games: what their real lines mean, and what is nobody's business."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from automate.errors import UsageError
from automate.wire.console import clean, daemon_line
from automate.wire.games import (
    GAMES,
    Chatted,
    GameLine,
    Joined,
    Left,
    Online,
    Ready,
    Saved,
    announcement,
    game_named,
    read,
    recognise,
)

RECORDINGS = Path(__file__).parents[2] / "recordings"
VANILLA = "[12:00:00] [Server thread/INFO]: "


def lines_of(recording: str) -> Iterator[str]:
    """Yield what the game said in *recording*, clean."""
    for text in (RECORDINGS / f"{recording}.jsonl").read_text("utf-8").splitlines():
        entry = json.loads(text)
        if entry.get("event") == "console output" and entry["from"] == "server":
            (line,) = entry["args"]
            if daemon_line(line) is None:
                yield clean(line)


def told(game: str, lines: Iterator[str]) -> list[GameLine]:
    return [found for line in lines if (found := read(GAMES[game], line))]


# ---------------------------------------------------------------- what was recorded


def test_an_evening_of_openttd() -> None:
    """Nobody came; its one save is seen."""
    assert told("openttd", lines_of("openttd-evening")) == [Saved()]


def test_the_hour_of_a_minecraft_like_game() -> None:
    assert told("minecraft", lines_of("backup-before-stop")) == [Ready(), Saved(), Joined("Grace")]
    assert told("minecraft", lines_of("token-refresh"))[:7] == [
        Ready(),
        Joined("Grace"),
        Joined("Linus"),
        Joined("Ken"),
        Joined("Ada"),
        Left("Ada"),
        Joined("Barbara"),
    ]


@pytest.mark.parametrize(
    ("recording", "game"), [("openttd-evening", "openttd"), ("lifecycle", "minecraft")]
)
def test_a_game_is_known_by_its_start(recording: str, game: str) -> None:
    known = [found.name for line in lines_of(recording) if (found := recognise(line))]

    assert set(known) == {game}


# ---------------------------------------------------------------- line by line

MINECRAFT: list[tuple[str, GameLine | None]] = [
    # Every kind of prefix.
    (f"{VANILLA}Ada joined the game", Joined("Ada")),
    ("[12:00:00 INFO]: Ada joined the game", Joined("Ada")),
    ("> [12:00:00 INFO]: Ada joined the game", Joined("Ada")),
    ("[12:00:00] [Server thread/INFO] [minecraft/MinecraftServer]: Ada left the game", Left("Ada")),
    (
        "[01Jan2024 12:00:00.123] [Server thread/INFO] [net.minecraft.server.MinecraftServer/]: "
        "Ada left the game",
        Left("Ada"),
    ),
    ("[12:00:00] [Server thread/INFO] (Minecraft) Ada left the game", Left("Ada")),
    ("2013-06-07 12:00:00 [INFO] Ada joined the game", Joined("Ada")),
    (
        ">.... [00:00:38] [Server thread/INFO] [minecraft/MinecraftServer]: <Ada> hi",
        Chatted("Ada", "hi"),
    ),
    # Chat.
    (f"{VANILLA}<Ada> hi <Bob> there", Chatted("Ada", "hi <Bob> there")),
    (f"{VANILLA}[Not Secure] <Ada> hi", Chatted("Ada", "hi")),
    ("[12:00:00] [Async Chat Thread - #0/INFO]: <Ada> hi", Chatted("Ada", "hi")),
    (f"{VANILLA}<[Admin] Ada> hi", Chatted("Ada", "hi")),
    (f"{VANILLA}<.Ada_2> hi", Chatted(".Ada_2", "hi")),
    (f"{VANILLA}<Ada> ", Chatted("Ada", "")),
    # Coming and going.
    (f"{VANILLA}Ada (formerly known as Bob) joined the game", Joined("Ada")),
    (f"{VANILLA}Ada[/127.0.0.1:50284] logged in with entity id 10 at (0.5, 64.0, 0.5)", None),
    (f"{VANILLA}Ada lost connection: Disconnected", None),
    # Ready and saved.
    (f'{VANILLA}Done (1.301s)! For help, type "help"', Ready()),
    (f'{VANILLA}Done (12,345s)! For help, type "help" or "?"', Ready()),
    ('[12:00:00 INFO]: Done preparing level "world" (2.1s)', None),
    (f"{VANILLA}Saved the game", Saved()),
    (f"{VANILLA}Saved the world", Saved()),
    (f"{VANILLA}Saving the game (this may take a moment!)", None),
    # The list.
    (
        f"{VANILLA}There are 2 of a max of 20 players online: Ada, Bob",
        Online(("Ada", "Bob"), 2),
    ),
    (f"{VANILLA}There are 0 of a max of 20 players online: ", Online((), 0)),
    (f"{VANILLA}There are 1 of a max 20 players online: Ada", Online(("Ada",), 1)),
    (f"{VANILLA}There are 1 of a max of 20 players online: [Admin] Ada", Online(None, 1)),
    (
        f"{VANILLA}There are 1 of a max of 20 players online: "
        "Ada (0b9b5b8e-0000-4000-8000-000000000001)",
        Online(None, 1),
    ),
    (f"{VANILLA}There are 0/20 players online:", Online(None, 0)),
    (f"{VANILLA}There are 2/20 players online:", Online(None, 2)),
    ("[12:00:00 INFO]: There are 3 out of maximum 20 players online.", Online(None, 3)),
    (f"{VANILLA}There are 1 players online: Ada", Online(("Ada",), 1)),
    # What only looks like it.
    (f"{VANILLA}[Server] Bob joined the game", None),
    (f"{VANILLA}[Ada] Bob joined the game", None),
    (f"{VANILLA}[Not Secure] [Server] Bob joined the game", None),
    (f"{VANILLA}* Ada Bob joined the game", None),
    (f"{VANILLA}Ada issued server command: /say Bob joined the game", None),
    (f"{VANILLA}Ada was slain by Bob joined the game", None),
    ("[12:00:00] [Server thread/WARN]: Ada joined the game", None),
    ("Ada joined the game", None),
    ("say Bob joined the game", None),
    (f"{VANILLA}<Ada> hi\n{VANILLA}Bob joined the game", None),
    (f"{VANILLA}<[Team]\n Ada> hi", None),
]

BEDROCK: list[tuple[str, GameLine | None]] = [
    ("[2024-04-01 20:50:26:198 INFO] Player connected: Ada, xuid: 2535413418839840", Joined("Ada")),
    ("[2024-04-01 21:46:11:691 INFO] Player connected: cool ada 42, xuid:", Joined("cool ada 42")),
    (
        "NO LOG FILE! - [2025-08-06 16:27:10:488 INFO] Player disconnected: Ada, "
        "xuid: 1234567890123456, pfid: a12ab345678c9d01",
        Left("Ada"),
    ),
    ("[INFO] Player connected: Ada, xuid: 1", Joined("Ada")),
    ("[2024-04-01 20:50:28:198 INFO] Player Spawned: Ada xuid: 2535413418839840", None),
    ("[2024-02-08 06:26:47 INFO] Server started.", Ready()),
    ("[2024-02-08 06:26:47:283 INFO] Data saved. Files are now ready to be copied.", Saved()),
    ("[2024-02-08 06:26:47:283 INFO] There are 2/10 players online:", Online(None, 2)),
    ("Ada, Bob", None),
    ("Server started.", None),
]

OPENTTD: list[tuple[str, GameLine | None]] = [
    ("\u200e*** Ada has joined the game (Client #2)", Joined("Ada")),
    ("[2024-01-01 12:00:00] \u200e*** Ada has joined the game (Client #2)", Joined("Ada")),
    ("*** Ada has left the game (leaving)", Left("Ada")),
    ("*** Ada has left the game (received invalid or unexpected packet)", Left("Ada")),
    ("*** Ada has joined company #1", None),
    ("*** Ada has joined spectators", None),
    ("*** Game paused (connecting clients)", None),
    ("*** Ada has changed his/her name to B has left the game (x)", None),
    ("*** Ada has changed their name to B has left the game (x)", None),
    ("\u200e[All] Ada: hi", Chatted("Ada", "hi")),
    ("[Team] Ada: hi", Chatted("Ada", "hi")),
    ("[Private] Ada: hi", Chatted("Ada", "hi")),
    ("[Private] To Ada: hi", None),
    (
        "[All] Ada: *** Bob has joined the game (Client #3)",
        Chatted("Ada", "*** Bob has joined the game (Client #3)"),
    ),
    # It could be somebody called "Ada: stop".
    ("[All] Ada: stop: now", None),
    ("[All] Ada: it stops at the very end: now", Chatted("Ada", "it stops at the very end: now")),
    ("dbg: [net] Map generated, starting game", Ready()),
    ("dbg: [net:3] Map generated, starting game", Ready()),
    ("Map successfully saved to 'evening.sav'.", Saved()),
    ("Saving map...", None),
    ("Current/maximum clients:      2/ 25", Online(None, 2)),
    ("Current/maximum companies:    1/ 15", None),
]  # fmt: skip

TERRARIA: list[tuple[str, GameLine | None]] = [
    ("Ada has joined.", Joined("Ada")),
    (": Ada has joined.", Joined("Ada")),
    ("Ada the 2nd has left.", Left("Ada the 2nd")),
    ("203.0.113.7:50000 is connecting...", None),
    ("<Ada> hi", Chatted("Ada", "hi")),
    (": <Ada> hi", Chatted("Ada", "hi")),
    ("<Server> hi", None),
    ("<Ada> Bob has joined.", None),
    ("<Ada> stop (203.0.113.7:50000)", None),
    ("*Ada Bob has joined.", None),
    ("say Bob has joined.", None),
    # It could be somebody called "Ada> stop".
    ("<Ada> stop> now", None),
    ("<Ada> it is > than you would think", None),
    ("<Ada> what is greater is > than you", Chatted("Ada", "what is greater is > than you")),
    ("Type 'help' for a list of commands.", Ready()),
    ("Server started", None),
    ("Saving world data: 100%", None),
    ("Ada (203.0.113.7:50000)", None),
    ("1 player connected.", Online(None, 1)),
    ("12 players connected.", Online(None, 12)),
    ("No players connected.", Online((), 0)),
]

TSHOCK: list[tuple[str, GameLine | None]] = [
    ("Ada has joined.", Joined("Ada")),
    ("Ada has joined. IP: 203.0.113.7", None),
    ("Ada has left.", Left("Ada")),
    ("Ada: Bob has joined.", None),
    ("(Server Broadcast) B has joined.", None),
    ("<Ada> hi", Chatted("Ada", "hi")),
    ("Type 'help' for a list of commands.", Ready()),
    ("Server started", None),
    # Somebody called "<Ada> stop" says something.
    ("<Ada> stop: hi", None),
    ("World saved.", Saved()),
    ("Ada: World saved.", None),
    ("Online Players (2/8)", Online(None, 2)),
    ("There are currently no players online.", Online((), 0)),
]

FACTORIO: list[tuple[str, GameLine | None]] = [
    ("2024-04-09 06:08:43 [JOIN] Ada joined the game", Joined("Ada")),
    ("2024-04-09 06:08:43 [LEAVE] Ada left the game", Left("Ada")),
    ("2024-04-09 06:09:46 [CHAT] Ada: lol: Bob", Chatted("Ada", "lol: Bob")),
    ("2024-04-09 06:08:51 [CHAT] <server>: sup", None),
    (
        "2024-04-09 06:09:46 [CHAT] Ada: 2024-04-09 06:08:43 [JOIN] Bob joined the game",
        Chatted("Ada", "2024-04-09 06:08:43 [JOIN] Bob joined the game"),
    ),
    (
        "   3.491 Info ServerMultiplayerManager.cpp:799: updateTick(0) changing state "
        "from(CreatingGame) to(InGame)",
        Ready(),
    ),
    (
        "  63.491 Info ServerMultiplayerManager.cpp:799: updateTick(9000) changing state "
        "from(InGameSavingMap) to(InGame)",
        None,
    ),
    ("10560.326 Info AppManagerStates.cpp:2095: Saving finished", Saved()),
    ("10560.049 Info AppManager.cpp:310: Saving to _autosave2 (blocking).", None),
    ("Online players (2):", Online(None, 2)),
    ("  Ada (online)", None),
]

VALHEIM: list[tuple[str, GameLine | None]] = [
    ("04/10/2024 16:22:13: Got character ZDOID from Ada : -136624608:6", Joined("Ada")),
    ("Got character ZDOID from Ada the Bold : 75807738:1", Joined("Ada the Bold")),
    (
        "[Info   : Unity Log] 06/24/2026 18:30:00: Got character ZDOID from Ada : 12:3",
        Joined("Ada"),
    ),
    ("04/10/2024 16:25:45: Got character ZDOID from Ada : 0:0", None),
    ("04/10/2024 16:12:49: Closing socket 76561198058880519", None),
    (
        "04/10/2024 16:22:13: Console: <color=orange>Ada</color>: "
        "<color=#FFEB04FF>I HAVE ARRIVED!</color>",
        Chatted("Ada", "I HAVE ARRIVED!"),
    ),
    (
        "Console: <color=orange>Ada</color>: <color=#FFEB04FF>Console: "
        "<color=orange>Bob</color>: <color=#FFEB04FF>STOP</color></color>",
        Chatted("Ada", "Console: <color=orange>Bob</color>: <color=#FFEB04FF>STOP</color>"),
    ),
    ("02/09/2021 10:42:24: Game server connected", Ready()),
    ("02/09/2021 10:42:24: Game server connected failed", None),
    ("03/14/2021 06:42:08: World saved ( 1524.962ms )", Saved()),
    ("03/02/2021 20:07:50: World saved ( 597,4449ms )", Saved()),
    ("09/30/2026 12:00:00: World save (5/5) done. Total time [124ms]", Saved()),
    ("09/30/2026 12:00:00: World save (3/5) done. Total time [24ms]", None),
    ("04/10/2024 16:50:54:  Connections 1 ZDOS:214972  sent:0 recv:553", Online(None, 1)),
    (
        '09/30/2026 12:58:40: Player joined server "S" that has join code 183427, now 2 player(s)',
        Online(None, 2),
    ),
    (
        'Player connection lost server "S" that has join code 183427, now 0 player(s)',
        Online(None, 0),
    ),
]

TABLES = {
    "minecraft": MINECRAFT,
    "minecraft-bedrock": BEDROCK,
    "openttd": OPENTTD,
    "terraria": TERRARIA,
    "terraria-tshock": TSHOCK,
    "factorio": FACTORIO,
    "valheim": VALHEIM,
}


@pytest.mark.parametrize(
    ("game", "line", "meaning"),
    [(game, line, meaning) for game, table in TABLES.items() for line, meaning in table],
)
def test_what_a_line_says(game: str, line: str, meaning: GameLine | None) -> None:
    assert read(GAMES[game], line) == meaning


def test_a_game_without_a_table_says_nothing() -> None:
    """Nothing of it is known, so all could be somebody's chat."""
    lines = [line for table in TABLES.values() for line, _meaning in table]

    assert {read(GAMES["generic"], line) for line in lines} == {None}


def test_the_documentation_says_what_each_table_knows() -> None:
    """What it promises is what the lines here show."""
    page = (RECORDINGS.parent / "docs" / "games.md").read_text("utf-8")
    columns = (Ready, Joined, Left, Chatted, Saved, Online)
    promised = {}
    for row in re.findall(r"^\| `(.*) \|$", page, re.M):
        name, _title, *cells = row.split(" |")
        promised[name.strip("`")] = {
            kind for kind, cell in zip(columns, cells, strict=True) if cell.strip()
        }
    shown = {
        game: {type(meaning) for _line, meaning in TABLES.get(game, ())} - {type(None)}
        for game in GAMES
    }

    assert promised == shown


@pytest.mark.parametrize(
    ("line", "game"),
    [
        ("[12:00:00] [Server thread/INFO]: Starting minecraft server version 1.21.4", "minecraft"),
        ("[12:00:00 INFO]: Starting minecraft server version 1.21.4", "minecraft"),
        ('[12:00:00 INFO]: Done (9.1s)! For help, type "help"', "minecraft"),
        ("[2024-02-08 06:26:47:283 INFO] Starting Server", "minecraft-bedrock"),
        ("OpenTTD Game Console Revision 7 - 13.0", "openttd"),
        ("Terraria Server v1.4.4.9", "terraria"),
        ("TShock 5.2.0.0 (Herrscher of Logic) now running.", "terraria-tshock"),
        (
            "   0.000 2024-04-09 06:08:12; Factorio 1.1.104 (build 62406, linux64, headless)",
            "factorio",
        ),
        ("02/09/2025 23:20:00: Valheim version: l-0.219.16 (network version 32)", "valheim"),
        ("[Info   : Unity Log] 03/28/2026 23:14:38: Valheim version:1.0.7 (network version 39)",
         "valheim"),
        ("[12:00:00 INFO]: <Ada> Terraria Server v1.4.4.9", None),
        ("<Ada> OpenTTD Game Console Revision 7 - 13.0", None),
        ("Ada: Starting minecraft server version 1.21.4", None),
        ("say TShock 5.2.0.0 (x) now running.", None),
        ("Terraria Server v1.4.4.9\nx", None),
        ("[Ada\n/INFO]: Starting minecraft server version 1.21.4", None),
        ("This is the server for Freeciv version 3.0.6", None),
    ],
)  # fmt: skip
def test_which_game_starts(line: str, game: str | None) -> None:
    known = recognise(line)

    assert (known.name if known else None) == game


# ---------------------------------------------------------------- speaking to it


def test_what_is_typed_to_say_something() -> None:
    said = {name: announcement(game, 'He said "stop" \\o/') for name, game in GAMES.items()}

    assert said == {
        "minecraft": 'say He said "stop" \\o/',
        "minecraft-bedrock": 'say He said "stop" \\o/',
        "openttd": "say \"He said 'stop' /o/\"",
        "terraria": 'say He said "stop" \\o/',
        "terraria-tshock": 'say He said "stop" \\o/',
        "factorio": '- He said "stop" \\o/',
        "valheim": None,
        "generic": 'say He said "stop" \\o/',
    }


def test_a_text_with_braces_is_said_as_it_is() -> None:
    assert announcement(GAMES["generic"], "{text} {x}") == "say {text} {x}"


def test_games_go_by_their_names() -> None:
    assert [game_named(name).name for name in GAMES] == list(GAMES)


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("Minecraft", "did you mean 'minecraft'?"),
        ("valhiem", "did you mean 'valheim'?"),
        ("quake", "take 'generic' for any other"),
    ],
)
def test_a_game_that_is_not_known_is_guessed(name: str, hint: str) -> None:
    with pytest.raises(UsageError) as caught:
        game_named(name)

    assert str(caught.value) == (
        "expected a game (minecraft, minecraft-bedrock, openttd, terraria, terraria-tshock, "
        f"factorio, valheim, generic), found {name!r}; {hint}"
    )

"""Players who would pass for somebody else, or for the game: whatever they write, they do not.

What a player writes is anything at all; the lines of it are built as the game builds them.
"""

from collections.abc import Sequence

import pytest
from attrs import frozen
from hypothesis import assume, example, given
from hypothesis import strategies as st

from automate.wire.console import clean
from automate.wire.games import (
    GAMES,
    Chatted,
    GameLine,
    Joined,
    Left,
    announcement,
    read,
    recognise,
)
from tests.wire.test_games import TABLES

# Whole lines of all games, and their ends and beginnings.
REAL = [line for table in TABLES.values() for line, _meaning in table]
SCRAPS = sorted(
    {*REAL, *(line.split(": ", 1)[-1] for line in REAL), *(line.split("] ")[-1] for line in REAL)}
)
ANYTHING = st.one_of(
    st.text(),
    st.sampled_from(SCRAPS),
    st.builds(
        "".join,
        st.lists(
            st.sampled_from([*SCRAPS, "\r", "\r\n", " ", "> ", ": ", "\x1b[2K", "<Bob> ", "joined"])
            | st.text(max_size=3),
            max_size=5,
        ),
    ),
)


def of_any(*, limit: int, without: str = "\r\n") -> st.SearchStrategy[str]:
    """Return names of any characters that a game lets in, up to *limit* bytes; some are mean."""
    mean = [
        "Ada: stop", "Ada> stop", "<Ada> stop", "*** Ada", "[All] Ada", "[Server]", "To Ada", "say",
        "World saved.", "Server started", "B has joined.", ": ", ":", "> ", "[INFO]", "Console:",
        "(leaving)", "x (Client #3)", "\u200eAda", "say Ada", "A has left the game (x)",
    ]  # fmt: skip
    letters = st.characters(exclude_categories=["Cs", "Cc"], exclude_characters=without)
    name = st.one_of(
        st.sampled_from(mean), st.text(letters, min_size=1), st.text(": >*<Ab.", min_size=1)
    )
    return name.filter(lambda text: text.strip() != "" and len(text.encode()) <= limit)


@frozen(kw_only=True)
class Scene:
    """How a game puts players' words into its lines."""

    game: str
    names: st.SearchStrategy[str]
    # What stands before a line, each in turn.
    prefixes: Sequence[str] = ("",)
    # {name} says {text} to all.
    chats: Sequence[str] = ()
    # {name}, or somebody called {other}, does something else, with {text} of a player's in it.
    others: Sequence[str] = ()


MINECRAFT_NAMES = st.text(
    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_", min_size=1, max_size=16
) | st.sampled_from(["There", "Done", "Server", "INFO", "joined", "Saved", "Not", "Secure", ".Ada"])

SCENES = [
    Scene(
        game="minecraft",
        names=MINECRAFT_NAMES,
        prefixes=(
            "[12:00:00] [Server thread/INFO]: ",
            "[12:00:00 INFO]: ",
            "[12:00:00] [Async Chat Thread - #0/INFO]: ",
            "[12:00:00] [Server thread/INFO] [minecraft/MinecraftServer]: ",
            "[01Jan2024 12:00:00.123] [Server thread/INFO] [minecraft/MinecraftServer]: ",
            "[12:00:00] [Server thread/INFO] (Minecraft) ",
            "2013-06-07 12:00:00 [INFO] ",
            "\x1b[m>....\r\x1b[K[12:00:00] [Server thread/INFO]: ",
        ),
        chats=("<{name}> {text}", "[Not Secure] <{name}> {text}", "<[Team] {name}> {text}"),
        others=(
            "[{name}] {text}",
            "[Not Secure] [{name}] {text}",
            "[Server] {text}",
            "* {name} {text}",
            "[{name}: {text}]",
            "{name} issued server command: /{text}",
            "{name} was slain by {text}",
            "{name} was slain by {other} using [{text}]",
            "Named entity EntityCow['{text}'/19, l='ServerLevel[world]'] died: {text} was slain",
            "{name} lost connection: {text}",
            "[Plugin] {text}",
        ),
    ),
    Scene(
        game="openttd",
        names=of_any(limit=24),
        prefixes=("", "\u200e", "[2024-01-01 12:00:00] \u200e"),
        chats=("[All] {name}: {text}", "[Team] {name}: {text}", "[Private] {name}: {text}"),
        others=(
            "*** {name} has changed his/her name to {other}",
            "*** {name} has changed their name to {other}",
            "*** {name} has joined company #1",
            "*** {name} has started a new company (#1)",
            "[Private] To {name}: {text}",
            "[Team] To {name}: {text}",
            "Client #2  name: '{name}'  company: 1  IP: 203.0.113.7",
            'say "{text}"',
        ),
    ),
    Scene(
        game="terraria",
        names=of_any(limit=20),
        prefixes=("", ": "),
        chats=("<{name}> {text}",),
        others=(
            "*{name} {text}",
            "<Server> {text}",
            "say {text}",
            "kick {name}",
            "{name} (1.2.3.4:5)",
        ),
    ),
    Scene(
        game="terraria-tshock",
        names=of_any(limit=20),
        prefixes=("", ": "),
        chats=("<{name}> {text}",),
        others=(
            "{name}: {text}",
            "*{name} {text}",
            "(Server Broadcast) {text}",
            "say {text}",
            "{name} executed: /{text}.",
        ),
    ),
    Scene(
        game="factorio",
        names=st.from_regex(r"[A-Za-z0-9_.-]{1,20}", fullmatch=True),
        chats=("2024-04-09 06:09:46 [CHAT] {name}: {text}",),
        others=(
            "2024-04-09 06:09:46 [CHAT] <server>: {text}",
            "2024-04-09 06:09:46 [COMMAND] {name} (command): {text}",
            "2024-04-09 06:09:46 [KICK] {name} was kicked by {other}. Reason: {text}",
            "  {name} (online)",
            "- {text}",
        ),
    ),
    Scene(
        game="valheim",
        names=st.text("abcdefghijklmnopqrstuvwxyz ABC", min_size=3, max_size=15),
        prefixes=("", "04/10/2024 16:22:13: ", "[Info   : Unity Log] 04/10/2024 16:22:13: "),
        chats=("Console: <color=orange>{name}</color>: <color=#FFEB04FF>{text}</color>",),
    ),
    Scene(
        game="minecraft-bedrock",
        names=of_any(limit=20),
        prefixes=("[2024-04-01 20:50:26:198 INFO] ", "[INFO] "),
        others=(
            "Player Spawned: {name} xuid: 1, pfid: a",
            "[Server] {text}",
            "[{name}] {text}",
        ),
    ),
]  # fmt: skip
BY_GAME = pytest.mark.parametrize("scene", SCENES, ids=lambda scene: scene.game)


def filled(form: str, **words: str) -> str:
    """Return *form* with the words in it; what is in the words stays."""
    for name in words:
        form = form.replace("{" + name + "}", f"\0{name}\0")
    for name, word in words.items():
        form = form.replace(f"\0{name}\0", word)
    return form


def seen(scene: Scene, line: str) -> GameLine | None:
    """Return what is read in *line*; as another game's, or as a start, it may say nothing."""
    assert recognise(line) is None
    return read(GAMES[scene.game], line)


@pytest.mark.parametrize(
    "scene", [scene for scene in SCENES if scene.chats], ids=lambda scene: scene.game
)
@given(data=st.data(), text=ANYTHING)
def test_a_chat_is_that_players_chat_or_nothing(
    scene: Scene, data: st.DataObject, text: str
) -> None:
    name = data.draw(scene.names)
    form = data.draw(st.sampled_from(scene.prefixes)) + data.draw(st.sampled_from(scene.chats))
    found = seen(scene, clean(filled(form, name=name, text=text)))

    assert found is None or (isinstance(found, Chatted) and found.player == name)


@BY_GAME
def test_a_plain_chat_is_understood(scene: Scene) -> None:
    """Not everything is nothing."""
    for prefix in scene.prefixes:
        for form in scene.chats:
            line = clean(filled(prefix + form, name="Ada", text="hello there"))
            assert seen(scene, line) == Chatted("Ada", "hello there")


@pytest.mark.parametrize(
    "scene", [scene for scene in SCENES if scene.others], ids=lambda scene: scene.game
)
@given(data=st.data(), text=ANYTHING)
def test_whatever_else_a_player_does_is_nothing(
    scene: Scene, data: st.DataObject, text: str
) -> None:
    name, other = data.draw(scene.names), data.draw(scene.names)
    form = data.draw(st.sampled_from(scene.prefixes)) + data.draw(st.sampled_from(scene.others))

    assert seen(scene, clean(filled(form, name=name, other=other, text=text))) is None


COMING: dict[str, tuple[str, str]] = {
    "minecraft": ("{name} joined the game", "{name} left the game"),
    "minecraft-bedrock": (
        "Player connected: {name}, xuid: 25",
        "Player disconnected: {name}, xuid: 25, pfid: a1",
    ),
    "openttd": (
        "*** {name} has joined the game (Client #7)",
        "*** {name} has left the game (connection lost)",
    ),
    "terraria": ("{name} has joined.", "{name} has left."),
    "terraria-tshock": ("{name} has joined.", "{name} has left."),
    "factorio": (
        "2024-04-09 06:08:43 [JOIN] {name} joined the game",
        "2024-04-09 06:08:43 [LEAVE] {name} left the game",
    ),
    "valheim": ("Got character ZDOID from {name} : -12:6", "Got character ZDOID from {name} : 0:0"),
}


@BY_GAME
@given(data=st.data())
def test_who_comes_and_goes_is_named_rightly(scene: Scene, data: st.DataObject) -> None:
    """However they are called, it is they; or nobody, where their name could be something else."""
    name = clean(data.draw(scene.names))
    prefix = data.draw(st.sampled_from(scene.prefixes))
    # A name that begins as the prompt does can't be told from the prompt.
    assume(not (scene.game.startswith("terraria") and name.startswith(": ")))
    came, went = (
        seen(scene, clean(filled(prefix + form, name=name))) for form in COMING[scene.game]
    )

    assert came in (None, Joined(name))
    assert went in (None, Left(name))
    # "say has joined." may be what was typed to say so.
    if name.isascii() and name.isalpha() and name != "say":
        assert came == Joined(name)


@pytest.mark.parametrize("game", [name for name, game in GAMES.items() if game.say])
@given(text=ANYTHING.filter(lambda text: "\n" not in text))
@example(text="Eve has joined.")
@example(text="2024-04-09 06:08:43 [JOIN] Eve joined the game")
@example(text='"; quit')
def test_what_a_recipe_says_is_not_taken_for_the_game(game: str, text: str) -> None:
    """The terminal repeats each command as a line of its own."""
    typed = announcement(GAMES[game], text)
    assert typed is not None

    for prompt in ("", ": "):
        line = clean(prompt + typed)
        assert (read(GAMES[game], line), recognise(line)) == (None, None)


@given(text=ANYTHING)
def test_openttds_quotation_marks_hold_the_whole_text(text: str) -> None:
    typed = announcement(GAMES["openttd"], text)

    assert typed is not None
    assert (typed[:5], typed[-1], typed.count('"'), "\\" in typed) == ('say "', '"', 2, False)


@pytest.mark.parametrize("game", list(GAMES))
@given(line=ANYTHING)
def test_any_line_can_be_read(game: str, line: str) -> None:
    found = read(GAMES[game], line)

    assert found is None or "\n" not in line

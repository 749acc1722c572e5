"""Whatever a user can get wrong: one line that says what, where, and what to do."""

import os
import socket
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from automate.cli.arguments import a_moment
from tests.cli.shell import (
    KEY,
    RECIPES,
    RECORDINGS,
    SERVER,
    Replayed,
    environment,
    little_panel,
    replayed,
    run,
    say,
)

Capture = pytest.CaptureFixture[str]
RESTART = str(RECIPES / "restart_on_crash.py")
RECOVERED = str(RECORDINGS / "crash-recovered.jsonl")


# ---------------------------------------------------------------- usage

USAGE = [
    ("run", "the following arguments are required: RECIPE, --panel, --server; see `automate run"),
    (
        "run x.py --panel p --server s --dry",
        "unrecognized arguments: --dry; see `automate run --help`",
    ),
    (
        "run x.py --panel p --server s --key ptlc_secret",
        "the key is never an argument, where others could see it: put it into the variable "
        "AUTOMATE_KEY, or into a file for --key-file",
    ),
    ("record", "the following arguments are required: --panel, --server, -o/--output; see"),
    (
        "record --panel p --server s -o o --seconds soon",
        "argument --seconds: expected a number above 0, found 'soon'; see `automate record",
    ),
    (
        "record --panel p --server s -o o --seconds 0",
        "argument --seconds: expected a number above 0, found '0'; see `automate record --help`",
    ),
    ("replay", "the following arguments are required: FILE; see `automate replay --help`"),
    (
        f"replay {RECOVERED} --speed -1",
        "argument --speed: expected a number above 0, found '-1'; see `automate replay --help`",
    ),
    (
        f"replay {RECOVERED} --port 65536",
        "argument --port: expected a whole number from 0 to 65535, found '65536'; see `automate",
    ),
    (
        f"replay {RECOVERED} --leave 0",
        "argument --leave: expected a whole number from 1 to 1000000000, found '0'; see `auto",
    ),
    (
        f"replay {RECOVERED} --leave 6",
        "leave: expected numbers of recorded deeds (1 to 5), found 6",
    ),
    ("demo now", "unrecognized arguments: now; see `automate demo --help`"),
    ("schema -o x", "unrecognized arguments: -o x; see `automate schema --help`"),
]


@pytest.mark.parametrize(("words", "line"), USAGE, ids=[words for words, _ in USAGE])
def test_wrong_usage(words: str, line: str, capsys: Capture) -> None:
    code, told = say(*words.split(), capsys=capsys).complaint

    assert (code, told[: len(line)]) == (2, line)


def test_a_number_too_large_is_told_alike(capsys: Capture) -> None:
    said = say("replay", RECOVERED, "--speed", "1e999", capsys=capsys)

    assert said.complaint[1].startswith("argument --speed: expected a number above 0, found '1e999")


def test_a_moment_is_in_utc_unless_it_names_a_zone() -> None:
    assert a_moment("2026-11-24T21:59:50").isoformat() == "2026-11-24T21:59:50+00:00"
    assert a_moment("2026-11-24T21:59:50+02:00").isoformat() == "2026-11-24T21:59:50+02:00"


# ---------------------------------------------------------------- keys


def with_key(key: str | None, capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> tuple[int, str]:
    if key is None:
        monkeypatch.delenv("AUTOMATE_KEY")
    else:
        monkeypatch.setenv("AUTOMATE_KEY", key)
    words = ("run", RESTART, "--panel", "https://panel.example.com", "--server", "a1b2c3d4")
    return say(*words, capsys=capsys).complaint


NO_KEY = (
    "no API key: put it into the variable AUTOMATE_KEY, or into a file and name that with "
    "--key-file (the panel makes keys under Account, API Credentials)"
)
APPLICATION_KEY = (
    "this is an application key ({}…); make a client key (ptlc_… or pacc_…) on the panel under "
    "Account, API Credentials"
)


@pytest.mark.parametrize(
    ("key", "line"),
    [
        (None, NO_KEY),
        ("", NO_KEY),
        (" \n", NO_KEY),
        (
            "Bearer ptlc_x",
            "AUTOMATE_KEY: expected one API key such as ptlc_… and nothing else, without spaces",
        ),
        (
            "ptlc_größe",
            "AUTOMATE_KEY: expected one API key such as ptlc_… and nothing else, without spaces",
        ),
        ("ptla_secret", f"AUTOMATE_KEY: {APPLICATION_KEY.format('ptla_')}"),
        ("papp_secret", f"AUTOMATE_KEY: {APPLICATION_KEY.format('papp_')}"),
    ],
)
def test_a_key_that_cannot_be_one(
    key: str | None, line: str, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert with_key(key, capsys, monkeypatch) == (2, line)


FILES = [
    (b"", "{}: the file is empty; expected an API key such as ptlc_…"),
    (b"\xef\xbb\xbf \r\n", "{}: the file is empty; expected an API key such as ptlc_…"),
    (
        b"ptlc_x\nptlc_y\n",
        "{}: expected one API key such as ptlc_… and nothing else, without spaces",
    ),
    (
        b"AUTOMATE_KEY = ptlc_x\n",
        "{}: expected one API key such as ptlc_… and nothing else, without spaces",
    ),
    (
        b"\x7fELF\xd0\x00",
        "{}: the key can't be read (it is not UTF-8 text); put the key alone into a text file",
    ),
    (
        "ptlc_x".encode("utf-16"),
        "{}: the key can't be read (it is not UTF-8 text); put the key alone into a text file",
    ),
]


@pytest.mark.parametrize(("content", "line"), FILES)
def test_a_key_file_that_holds_none(
    content: bytes, line: str, capsys: Capture, tmp_path: Path
) -> None:
    file = tmp_path / "key"
    file.write_bytes(content)
    words = ("run", RESTART, "--panel", "https://p.example.com", "--server", "a1b2c3d4")

    said = say(*words, "--key-file", file, capsys=capsys)

    assert said.complaint == (2, line.format(file))


@pytest.mark.parametrize(
    ("file", "reason"), [("nowhere", "No such file or directory"), (".", "Is a directory")]
)
def test_a_key_file_that_is_not_there(
    file: str, reason: str, capsys: Capture, tmp_path: Path
) -> None:
    path = tmp_path / file
    words = ("record", "--panel", "https://p.example.com", "--server", "a1b2c3d4", "-o", "x")

    assert say(*words, "--key-file", path, capsys=capsys).complaint == (
        2,
        f"{path}: the key can't be read ({reason}); check the name and who may read it",
    )


@pytest.mark.skipif(not Path("/dev/zero").exists(), reason="this system has no /dev/zero")
def test_a_key_file_may_have_no_end(capsys: Capture) -> None:
    words = ("run", RESTART, "--panel", "https://p.example.com", "--server", "a1b2c3d4")

    said = say(*words, "--key-file", "/dev/zero", capsys=capsys)

    assert said.complaint[1].startswith("/dev/zero: expected one API key")


@pytest.mark.parametrize("content", [b"{}", b"\n  {}  \r\n\n", b"\xef\xbb\xbf{}\r\n"])
def test_spaces_around_a_key_do_no_harm(
    content: bytes, somewhere: Replayed, capsys: Capture, tmp_path: Path
) -> None:
    file = tmp_path / "key"
    file.write_bytes(content.replace(b"{}", somewhere.key.encode()))

    said = say(
        "run", RESTART, "--panel", somewhere.url, "--server", "12345678", "--key-file", file,
        capsys=capsys,
    )  # fmt: skip

    # The panel knows the key, and says so by not knowing the server.
    assert said.complaint[1].startswith("no server 12345678 at ")


# ---------------------------------------------------------------- recipes

WRONG_RECIPES = [
    ("def", "{}:1: syntax error: invalid syntax"),
    (
        "from automate import Recipe\nx = Recip('a')",
        "{}:2: the name 'Recip' is not known; did you mean 'Recipe'?",
    ),
    ("x = 1", "{}: no recipe in it; expected something like night = Recipe(…)"),
    (
        "import sys\nsys.exit(3)",
        "{}:2: the file ends the program; a recipe file only makes recipes",
    ),
]


@pytest.mark.parametrize(("text", "line"), WRONG_RECIPES)
def test_a_wrong_recipe(text: str, line: str, capsys: Capture, tmp_path: Path) -> None:
    file = tmp_path / "night.py"
    file.write_text(text, encoding="utf-8")
    words = ("run", file, "--panel", "https://p.example.com", "--server", "a1b2c3d4")

    assert say(*words, capsys=capsys).complaint == (2, line.format(file))


@pytest.mark.parametrize("more", [[], ["--dry-run"]])
def test_a_recipe_nobody_knows(more: list[str], capsys: Capture) -> None:
    recipes = f"{RECIPES}/announcements.py"
    words = ("run", recipes, "--panel", "https://p.example.com", "--server", "a1b2c3d4")

    assert say(*words, "--trigger", "restart", *more, capsys=capsys).complaint == (
        2,
        "no recipe is called 'restart'; there are: 'announce the rules', 'announce the night'",
    )


# ---------------------------------------------------------------- panels and servers

Change = Callable[[Replayed], list[str]]
PLACES: list[tuple[str, Change, int, str]] = [
    (
        "no scheme",
        lambda to: ["--panel", to.url.removeprefix("http://"), "--server", to.server],
        2,
        "panel address '{place}': expected it to begin with https:// (or http://); did you mean "
        "https://{place}?",
    ),
    (
        "a socket's scheme",
        lambda to: ["--panel", to.url.replace("http", "ws"), "--server", to.server],
        2,
        "panel address 'ws://{place}': expected https:// or http://, found ws://; that is a "
        "node's socket",
    ),
    (
        "https where http is spoken",
        lambda to: ["--panel", to.url.replace("http", "https"), "--server", to.server],
        1,
        "https://{place}: no TLS connection could be made; does it speak plain HTTP, or is the "
        "port wrong?",
    ),
    (
        "a server that is not there",
        lambda to: ["--panel", to.url, "--server", "a1b2c3d4-0009-4000-8000-000000000009"],
        1,
        "no server a1b2c3d4-0009-4000-8000-000000000009 at http://{place}, or the key's user has "
        "no access to it (404): check the id and whose key it is",
    ),
    (
        "a number for a server",
        lambda to: ["--panel", to.url, "--server", "7"],
        2,
        "server '7': expected the 8 characters of its id (like 1a2b3c4d) or its whole uuid; this "
        "looks like the panel's internal number",
    ),
    (
        "a name for a server",
        lambda to: ["--panel", to.url, "--server", "arena"],
        2,
        "--server arena: no server has this id or name; there are: crash-recovered",
    ),
]


@pytest.mark.parametrize("command", ["run", "record"])
@pytest.mark.parametrize(
    ("change", "code", "line"), [one[1:] for one in PLACES], ids=[one[0] for one in PLACES]
)
def test_a_wrong_place(
    command: str,
    change: Change,
    code: int,
    line: str,
    somewhere: Replayed,
    capsys: Capture,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    monkeypatch.setenv("AUTOMATE_KEY", somewhere.key)
    what = [RESTART] if command == "run" else ["-o", tmp_path / "new.jsonl"]

    said = say(command, *what, *change(somewhere), capsys=capsys)

    place = somewhere.url.removeprefix("http://")
    assert said.complaint == (code, line.format(place=place))


def test_a_wrong_key(somewhere: Replayed, capsys: Capture) -> None:
    assert say("run", RESTART, *somewhere.at, capsys=capsys).complaint == (
        1,
        f"{somewhere.url}: the panel does not know the API key (401): make a client key on the "
        "panel's page of your account, and copy it whole",
    )


def test_a_panel_that_is_down(capsys: Capture) -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{nobody.getsockname()[1]}"

        said = say("run", RESTART, "--panel", url, "--server", "a1b2c3d4", capsys=capsys)

    assert said.complaint == (1, f"{url}: connection refused; is it up, and the port right?")


def test_something_else_than_a_panel(capsys: Capture) -> None:
    with little_panel(page="<html>It works!</html>") as url:
        said = say("run", RESTART, "--panel", url, "--server", SERVER, capsys=capsys)

    assert said.complaint == (
        1,
        f"{url}: expected the panel's API, found a web page (200); is this the address of a "
        "Pterodactyl or Pelican panel?",
    )


@pytest.mark.parametrize("command", ["run", "record"])
def test_an_origin_that_the_node_refuses(
    command: str,
    somewhere: Replayed,
    capsys: Capture,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    monkeypatch.setenv("AUTOMATE_KEY", somewhere.key)
    what = [RESTART] if command == "run" else ["-o", tmp_path / "new.jsonl"]

    said = say(command, *what, *somewhere.at, "--origin", "https://other", capsys=capsys)

    name = "crash-recovered: " if command == "run" else ""
    node = somewhere.url.replace("http", "ws")
    assert said.complaint == (
        1,
        f"{name}node {node}: the node does not accept the Origin 'https://other' (403): it wants "
        "the panel's address as its own settings spell it (remote, or allowed_origins); give that "
        "one with --origin",
    )


def test_a_node_that_is_down(capsys: Capture, tmp_path: Path) -> None:
    with socket.socket() as nobody, little_panel() as url:
        nobody.bind(("127.0.0.1", 0))
        place = f"ws://127.0.0.1:{nobody.getsockname()[1]}"
    with little_panel(socket=place) as url:
        said = say(
            "record", "--panel", url, "--server", SERVER, "-o", tmp_path / "new.jsonl",
            "--seconds", "0.3", capsys=capsys,
        )  # fmt: skip

    down = f"node {place}: connection refused; is it up, and the port right?"
    told = said.out.splitlines()
    assert said.complaint == (1, f"arena: not reached within 0.3 s: {down}")
    assert told[1][10:] == f"arena  can't be reached: {down}; next try in 1 s"
    # Nothing is left that would block the next try.
    assert (told[2:], list(tmp_path.iterdir())) == ([], [])


# ---------------------------------------------------------------- recordings

NO_RECORDINGS = [
    ("", "{}: the file is empty; was the recorder ever started?"),
    ("hello\n", "{}:1: expected a header with the format 'automate-recording', found 'hello"),
    ('{"format":"automate-recording","version":9}\n', "{}:1: "),
]


@pytest.mark.parametrize(("text", "line"), NO_RECORDINGS)
def test_a_recording_that_is_none(text: str, line: str, capsys: Capture, tmp_path: Path) -> None:
    file = tmp_path / "night.jsonl"
    file.write_text(text, encoding="utf-8")
    line = line.format(file)

    code, told = say("replay", file, capsys=capsys).complaint

    assert (code, told[: len(line)]) == (1, line)


@pytest.mark.parametrize(
    ("file", "line"),
    [
        ("nowhere.jsonl", "{}: there is no such file; check the name"),
        (".", "{}: this is a directory; give a recording (.jsonl) in it"),
    ],
)
def test_a_recording_that_is_not_there(
    file: str, line: str, capsys: Capture, tmp_path: Path
) -> None:
    path = tmp_path / file

    assert say("replay", path, capsys=capsys).complaint == (1, line.format(path))


def test_a_port_in_use(capsys: Capture) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]

        code, told = say("replay", RECOVERED, "--port", str(port), capsys=capsys).complaint

    assert (code, told.split(" (")[0]) == (1, f"127.0.0.1 port {port}: can't be listened on")
    assert told.endswith("; take another")


# ---------------------------------------------------------------- files to be written


def outputs(tmp_path: Path) -> dict[str, tuple[Path, int, str]]:
    (tmp_path / "old.jsonl").write_text("precious", encoding="utf-8")
    (tmp_path / "lost").symlink_to(tmp_path / "nowhere")
    already = "there is a file already, and nothing is ever overwritten; give another name"
    return {
        "existing": (tmp_path / "old.jsonl", 1, already),
        "link": (tmp_path / "lost", 1, already),
        "folder": (tmp_path, 1, "this is a folder; give the name of a new file in it"),
        "no folder": (
            tmp_path / "new" / "x.jsonl",
            1,
            "its folder does not exist; make it first",
        ),
        "device": (Path("/dev/full"), 1, already),
        "compressed": (
            tmp_path / "x.jsonl.zst",
            1,
            "recordings are written uncompressed; end the name in .jsonl and compress it later "
            "(zstd)",
        ),
        "read-only": (
            Path("/sys/x.jsonl"),
            1,
            "it can't be written (Permission denied); check the disk and the permissions",
        ),
    }


@pytest.mark.skipif(sys.platform != "linux", reason="looks for Linux's own files")
@pytest.mark.parametrize(
    "case", ["existing", "link", "folder", "no folder", "device", "compressed", "read-only"]
)
def test_a_file_that_cannot_be_written(
    case: str,
    somewhere: Replayed,
    capsys: Capture,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    path, code, line = outputs(tmp_path)[case]
    monkeypatch.setenv("AUTOMATE_KEY", somewhere.key)

    said = say("record", *somewhere.at, "-o", path, capsys=capsys)

    if case == "read-only" and "Read-only" in said.err:
        line = line.replace("Permission denied", "Read-only file system")
    assert said.complaint == (code, f"{path}: {line}")
    assert (tmp_path / "old.jsonl").read_text(encoding="utf-8") == "precious"


def test_a_folder_of_recordings_that_is_a_file(
    somewhere: Replayed, capsys: Capture, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "night").touch()
    monkeypatch.setenv("AUTOMATE_KEY", somewhere.key)

    said = say("run", RESTART, *somewhere.at, "--record", tmp_path / "night", capsys=capsys)

    assert said.complaint == (
        1,
        f"{tmp_path / 'night'}: there is something else of this name; name a folder for the "
        "recordings",
    )


@pytest.mark.skipif(os.name == "nt", reason="limits of processes are POSIX's")
@pytest.mark.parametrize("command", ["run", "record"])
def test_a_disk_that_fills_up_ends_a_recording(command: str, tmp_path: Path) -> None:
    """As a limit on the size of files, which fails alike; what was written stays."""
    # Python would keep its own compiled modules cut short by the limit.
    no_cache = {"PYTHONDONTWRITEBYTECODE": "1"}
    import resource  # which is POSIX's alone

    what: list[str | Path] = (
        [RESTART, "--no-state", "--record", tmp_path / "night"]
        if command == "run"
        else ["-o", tmp_path / "x.jsonl"]
    )
    with replayed("crash-undetected", "--speed", "40") as replay:
        said = run(
            command,
            *what,
            *replay.at,
            env=environment(AUTOMATE_KEY=replay.key, **no_cache),
            preexec_fn=partial(resource.setrlimit, resource.RLIMIT_FSIZE, (2048, 2048)),
        )

    (file,) = tmp_path.rglob("*.jsonl")
    assert said.complaint == (
        1,
        f"{file}: it can't be written (File too large); check the disk and the permissions",
    )
    assert file.stat().st_size == 2048


# ---------------------------------------------------------------- odd places


def test_another_folder_and_a_home_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "night.py").write_text(Path(RESTART).read_text("utf-8"), encoding="utf-8")
    said = run("check", "night.py", cwd=tmp_path, env=environment(HOME="/proc", TMPDIR="/proc"))

    assert (said.code, said.err, said.out[:17]) == (0, "", "restart on crash\n")


def test_a_process_without_any_environment(tmp_path: Path) -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "automate", "run", RESTART, "--panel", "https://p", "--server", "7"],
        env={"SYSTEMROOT": os.environ.get("SYSTEMROOT", "")},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )

    assert (ended.returncode, ended.stderr) == (2, f"automate: {NO_KEY}\n")


def test_no_key_is_ever_printed(somewhere: Replayed, capsys: Capture) -> None:
    said = say("run", RESTART, *somewhere.at, capsys=capsys)

    assert KEY not in said.out + said.err

"""Console lines: what a person reads in them, and what the daemon itself says."""

import json
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from automate.wire.console import (
    CrashNoted,
    RestartAborted,
    clean,
    crash_report,
    daemon_line,
)


@pytest.mark.parametrize(
    ("line", "read"),
    [
        ('Done (1.301s)! For help, type "help"', 'Done (1.301s)! For help, type "help"'),
        ("", ""),
        # The odd lines of the recording odd-output.
        ("\x1b[31mred\x1b[0m \x1b]0;title\x07\r\n overwritten", "red \n overwritten"),
        ("tab\there \x00 nul ✓ 🎮", "tab\there  nul ✓ 🎮"),
        ("\ufffd\ufffd broken utf8 \ufffd(", "\ufffd\ufffd broken utf8 \ufffd("),
        # What the daemon makes of carriage returns (PROBED, 8.1).
        ("a\r", "a"),
        ("\r", ""),
        ("a\r\n", "a"),
        ("a\r\nb", "a\nb"),
        ("a\rb\rc", "a b c"),
        # Chat can't overwrite the name before it.
        ("<Bob> hi\r[12:00:00] [INFO]: Saved", "<Bob> hi [12:00:00] [INFO]: Saved"),
        ("a\r\r\nb", "a\nb"),
        ("first\r\n> \rsecond\r", "first\nsecond"),
        # A readline game's prompt, erased and written over.
        ("> \x1b[K\r[12:00:00] [INFO]: Ada joined", "[12:00:00] [INFO]: Ada joined"),
        # The same as the daemon passes it on where a space was before the carriage return.
        (">\r\n[12:00:00] [INFO]: Ada joined", "[12:00:00] [INFO]: Ada joined"),
        ("> >\r\n>\r\nAda joined", "Ada joined"),
        ("Ada >\r\n[12:00:00] [INFO]: Saved", "Ada >\n[12:00:00] [INFO]: Saved"),
        # Titles, ended in either way, or not at all.
        ("\x1b]0;title\x07hello", "hello"),
        ("\x1b]2;title\x1b\\hello", "hello"),
        ("\x9d0;title\x9chello", "hello"),
        ("\x1b]0;title\r\nhello", "\nhello"),
        ("hello\x1b]0;tit", "hello"),
        ("\x1bP1$r0m\x1b\\hello", "hello"),
        # Colours of all kinds, and escapes cut off or alone.
        ("\x1b[38;2;1;2;3mhello\x1b[m", "hello"),
        ("\x9b31mhello", "hello"),
        ("hello\x1b[38;2", "hello"),
        ("hello\x1b[", "hello"),
        ("hello\x1b", "hello"),
        ("\x1b(Bhello\x1b=", "hello"),
        ("\x1b\x1b[0mhello", "hello"),
        ("bell\x07 back\x08space", "bell backspace"),
    ],
)
def test_a_line_is_read_as_on_a_screen(line: str, read: str) -> None:
    assert clean(line) == read


pieces = st.sampled_from(
    [
        "\x1b",
        "[",
        "]0;",
        "31",
        "m",
        "\x07",
        "\\",
        "\r",
        "\n",
        "\t",
        " ",
        "a",
        "\x9b",
        "\x00",
        "\x85",
    ]
)


@given(st.lists(pieces | st.characters(), max_size=30).map("".join))
@example("a\n\x00")
@example("\x1b\x1b[0m[31m")
@example("a\nb\r\x00")
def test_clean_text_has_nothing_that_acts_on_a_terminal_and_stays_as_it_is(line: str) -> None:
    read = clean(line)

    acting = {character for character in read if character < " " or "\x7f" <= character <= "\x9f"}
    assert (acting - set("\t\n"), clean(read)) == (set(), read)


@given(st.text(st.characters(exclude_categories=["Cc"])))
def test_a_line_without_control_characters_is_left_alone(line: str) -> None:
    assert clean(line) == line


# ---------------------------------------------------------------- the daemon's own lines


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (
            "\x1b[33m\x1b[1m[Pterodactyl Daemon]:\x1b[39m Exit code: 3\x1b[0m",
            "Exit code: 3",
        ),
        (
            "\x1b[33m\x1b[1m[pelican Daemon]:\x1b[39m Pulling Docker container image, "
            "this could take a few minutes to complete...\x1b[0m",
            "Pulling Docker container image, this could take a few minutes to complete...",
        ),
        ("\x1b[33m\x1b[1m[[EU] Ada's Hosting Daemon]:\x1b[39m Exit code: 3\x1b[0m", "Exit code: 3"),
        ("\x1b[33m\x1b[1m[Pterodactyl Daemon]:\x1b[39m \x1b[0m", ""),
        # Chat that imitates it, and an echo, in which the terminal spells escapes out.
        ("[Pterodactyl Daemon]: Exit code: 3", None),
        ("<Eve> [Pterodactyl Daemon]: Exit code: 3", None),
        ("^[[33m^[[1m[Pterodactyl Daemon]:^[[39m Exit code: 3^[[0m", None),
        ("<Eve> \x1b[33m\x1b[1m[Pterodactyl Daemon]:\x1b[39m Exit code: 3\x1b[0m", None),
        ("\x1b[33m\x1b[1m[Pterodactyl Daemon]: Exit code: 3\x1b[0m", None),
        ("\x1b[33m\x1b[1m[Server Daemon]:\x1b[39m Exit code: 3\x1b[0m more", None),
        ("\x1b[33m\x1b[1mwarning\x1b[0m", None),
        ("", None),
    ],
)
def test_the_daemon_is_known_by_its_colours(line: str, said: str | None) -> None:
    assert daemon_line(line) == said


def test_all_daemon_lines_of_both_kinds_are_found_in_the_recordings(recordings: Path) -> None:
    """Each line that shows a daemon's name at its start is known to be the daemon's."""
    found: dict[str, bool] = {}
    for path in recordings.glob("*.jsonl"):
        for line in path.read_text(encoding="utf-8").splitlines():
            entry = json.loads(line)
            if entry.get("event") == "console output":
                raw = entry["args"][0]
                name, sep, _ = clean(raw).partition(" Daemon]: ")
                if sep:
                    found[name] = found.get(name, True) and daemon_line(raw) is not None
                else:
                    assert daemon_line(raw) is None

    assert found == {"[Pterodactyl": True, "[pelican": True}


@pytest.mark.parametrize(
    ("said", "report"),
    [
        # Every sentence of the notes on the protocol (8.2).
        ("Checking server disk space usage, this could take a few seconds...", None),
        ("checking disk space via quota, just a second", None),
        ("Updating process configuration files...", None),
        ("Ensuring file permissions are set correctly, this could take a few seconds...", None),
        ("Pulling Docker container image, this could take a few minutes to complete...", None),
        ("Finished pulling Docker container image", None),
        ("---------- Detected server process in a crashed state! ----------", CrashNoted()),
        ("Exit code: 137", CrashNoted(exit_code=137)),
        ("Out of memory: false", CrashNoted(out_of_memory=False)),
        ("Out of memory: true", CrashNoted(out_of_memory=True)),
        *(
            (sentence, RestartAborted(sentence))
            for sentence in (
                "Aborting automatic restart, last crash occurred less than 60 seconds ago.",
                "Aborting automatic restart, crash detection is disabled for this instance.",
                "Server crash was detected but an error occurred while handling it.",
            )
        ),
        ("Server is outputting console data too quickly -- throttling...", None),
        ("Server is exceeding the assigned disk space limit, stopping process now.", None),
        # And what only looks like them.
        ("Exit code: -1", CrashNoted(exit_code=-1)),
        ("Exit code: --1", None),
        ("Exit code: ", None),
        ("Exit code: 3 or so", None),
        ("Exit code: " + "9" * 5000, None),
        ("Out of memory: untrue", None),
        ("", None),
    ],
)
def test_what_the_daemon_says_of_a_crash(
    said: str, report: CrashNoted | RestartAborted | None
) -> None:
    assert crash_report(said) == report

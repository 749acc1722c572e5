"""Secrets in files are found by their shape, told by their place, and never shown."""

from pathlib import Path

import pytest

from automate.testing.leaks import leaks_in, leaks_under

KEY = "ptlc_Zr4tN0aVwQ1uKx8yB2mC5dE7fG9hJ3kL6nP0qR2sT4u"
TOKEN = "eyJhbGciOiJIUzI1NiJ9.eyJleHAiOjE3OTU0NTk3NTN9.s5x-Yc_0TqA"


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("nothing\nhere", []),
        (f"one\nkey={KEY}\n", ["2: an API key"]),
        (f'{{"token":"{TOKEN}"}}', ["1: a token"]),
        (f"{KEY} {TOKEN}", ["1: a token", "1: an API key"]),
        (f"https://node.example.com/download/backup?token={TOKEN}", ["1: a signed link"]),
        ("it is hunter22", ["1: an API key"]),
        ("<token:1> <key:1>", []),
        (f"<key:1> {KEY}", ["1: an API key"]),
    ],
)
def test_what_is_a_secret(text: str, found: list[str], tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text(text)

    leaks = leaks_in(path, known=["hunter22"])

    assert leaks == [f"{path}:{each} is written here" for each in found]
    assert not [leak for leak in leaks if KEY in leak or TOKEN in leak]


def test_a_folder_is_searched_however_deep(tmp_path: Path) -> None:
    deep = tmp_path / "a" / "b"
    deep.mkdir(parents=True)
    (deep / "bytes").write_bytes(b"\xff\xfe" + KEY.encode())
    (tmp_path / "clean").write_text("clean")

    assert leaks_under(tmp_path) == [f"{deep / 'bytes'}:1: an API key is written here"]


def test_what_is_not_there_holds_no_secret(tmp_path: Path) -> None:
    assert leaks_in(tmp_path / "none") == []


def test_the_recordings_hold_none(recordings: Path) -> None:
    assert leaks_under(recordings) == []

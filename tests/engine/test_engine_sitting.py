"""Where a sitting writes, and what stands in its recordings."""

from pathlib import Path, PurePosixPath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from automate.engine.sitting import open_recorders, recording_path
from automate.errors import AutomateError, RecordingError
from automate.live.answers import Server
from automate.live.panel import Panel
from tests.clocks import EPOCH

UUID = "a1b2c3d4-0004-4000-8000-000000000004"


def called(name: str) -> Server:
    return Server(id="a1b2c3d4", uuid=UUID, name=name)


@pytest.mark.parametrize(
    ("name", "file"),
    [
        ("arena", "arena-a1b2c3d4-20261124T210000Z.jsonl"),
        ("Größe 7/24: “best” 🎉", "Größe-7-24-best-a1b2c3d4-20261124T210000Z.jsonl"),
        ("../../etc/passwd", "etc-passwd-a1b2c3d4-20261124T210000Z.jsonl"),
        ("🎉", "server-a1b2c3d4-20261124T210000Z.jsonl"),
        ("", "server-a1b2c3d4-20261124T210000Z.jsonl"),
    ],
)
def test_a_recording_is_named_for_its_server_and_the_time(name: str, file: str) -> None:
    assert recording_path(Path("night"), called(name), now=EPOCH) == Path("night") / file


@given(st.text(st.characters(codec=None)))
def test_every_name_makes_one_file_in_the_folder(name: str) -> None:
    path = PurePosixPath(recording_path(Path("night"), called(name), now=EPOCH))

    size = len(path.name.encode("utf-8", "surrogatepass"))
    assert (path.parent, size <= 255, path.name.isprintable()) == (
        PurePosixPath("night"),
        True,
        True,
    )


@pytest.mark.parametrize(
    ("folder", "error"),
    [
        ("file", "there is something else of this name; name a folder for the recordings"),
        ("file/inside", "this folder can't be made (Not a directory); name another one"),
    ],
)
async def test_a_folder_that_cannot_be_made_is_an_error(
    folder: str, error: str, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    panel = Panel("https://panel.example.com", "ptlc_x")

    with pytest.raises(RecordingError) as caught:
        async with open_recorders(
            [called("arena")], panel, tmp_path / folder, key="ptlc_x", now=EPOCH
        ):
            pass

    assert str(caught.value) == f"{tmp_path / folder}: {error}"


async def test_two_sittings_of_one_second_do_not_write_into_one_file(tmp_path: Path) -> None:
    panel = Panel("https://panel.example.com", "ptlc_x")
    servers = [called("arena")]

    async with open_recorders(servers, panel, tmp_path / "new" / "one", key="ptlc_x", now=EPOCH):
        with pytest.raises(AutomateError, match="something is there already"):
            async with open_recorders(
                servers, panel, tmp_path / "new" / "one", key="ptlc_x", now=EPOCH
            ):
                pass

"""The pytest plugin, seen by a project that uses it: pytest within pytest."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

# What inner runs import is forgotten after each: imported here, it is there for all of them.
from automate.fake.node import Replay
from automate.recording.format import ServerFrame, encode_entry, encode_header
from automate.testing import Script

HELLO = """
import pytest
from automate.wire.messages import SendCommand

@pytest.mark.recording("hello")
async def test_hello(node):
    async with node.open_session():
        await node.hears("hello")
"""


def outcome(result: pytest.RunResult) -> dict[str, int]:
    """Return how many tests ended how; warnings are of no interest."""
    return {how: number for how, number in result.parseoutcomes().items() if how != "warnings"}


# ---------------------------------------------------------------- who does not use it


def test_loading_it_loads_nothing_heavy() -> None:
    """Every pytest run of an environment pays for it."""
    code = (
        "import sys, pytest; before = set(sys.modules); import automate.pytest_plugin; "
        "heavy = {'attrs', 'attr', 'cattrs', 'httpx', 'msgspec', 'trio', 'socket', 'asyncio'}; "
        "print(sorted(heavy & (set(sys.modules) - before)))"
    )

    loaded = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )

    assert loaded.stdout == "[]\n"


def test_other_tests_are_left_alone(project: pytest.Pytester) -> None:
    """They keep the network, and nothing is said about recordings they do not use."""
    project.makepyfile(
        """
        import socket

        def test_plain(tmp_path):
            (tmp_path / "key").write_text("ptlc_Zr4tN0aVwQ1uKx8yB2mC5dE7fG9hJ3kL6nP0qR2sT4u")
            with socket.create_server(("127.0.0.1", 0)) as server:
                socket.create_connection(server.getsockname()).close()
        """
    )

    result = project.runpytest_inprocess()

    assert outcome(result) == {"passed": 1}
    result.stdout.no_fnmatch_line("*recordings and transcripts*")


def test_fixtures_of_others_stay_theirs(project: pytest.Pytester) -> None:
    """Theirs have nothing to do with ours, unless they ask for ours."""
    project.makeconftest(
        """
        import pytest

        @pytest.fixture
        def node():
            return "theirs"

        @pytest.fixture
        def transcripts(transcripts):
            return transcripts
        """
    )
    project.makepyfile(
        """
        import socket

        def reach():
            with socket.create_server(("127.0.0.1", 0)) as server:
                socket.create_connection(server.getsockname()).close()

        def test_theirs(node):
            assert node == "theirs"
            reach()

        def test_ours(transcripts):
            reach()
        """
    )

    assert outcome(project.runpytest_inprocess()) == {"passed": 1, "failed": 1}


def test_options_of_others_stay_theirs(project: pytest.Pytester) -> None:
    """Ours are then there by their long names."""
    project.makeconftest(
        """
        def pytest_addoption(parser):
            parser.addoption("--server", default="theirs")
            parser.addoption("--record-mode", choices=["theirs"], default="theirs")
            parser.addoption("--seeds", action="store_true")
        """
    )
    project.makepyfile(
        """
        def test_it(request, transcripts):
            option = request.config.getoption
            assert (option("server"), option("record_mode"), option("seeds")) == (
                "other", "theirs", True
            )
            assert (option("automate_panel"), option("automate_server")) == ("URL", "ours")
        """
    )

    result = project.runpytest_inprocess(
        "--seeds", "--server=other", "--panel=URL", "--automate-server=ours", "--automate-seeds=2"
    )

    assert outcome(result) == {"passed": 2}


# ---------------------------------------------------------------- recordings


def test_each_recording_can_be_a_parameter(
    project: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Wherever pytest is run from: parameters are made while tests are collected."""
    (project.path / "recordings").rename(project.path / "tapes")
    (project.path / "deep").mkdir()
    path = project.makepyfile(
        """
        import pytest
        from automate.testing import recording_names, rehearse

        @pytest.mark.parametrize("recording", recording_names())
        def test_it(recording):
            rehearse("recipes", recording)
        """
    )
    monkeypatch.chdir(project.path / "deep")

    result = project.runpytest_inprocess(
        f"--rootdir={project.path}", "-o", f"automate_recordings={project.path / 'tapes'}", path
    )

    assert outcome(result) == {"passed": 3}


def test_without_recordings_there_is_nothing_to_choose_from(project: pytest.Pytester) -> None:
    """A test of each of them would else be skipped, and nobody would see."""
    project.makepyfile("from automate.testing import recording_names\nrecording_names()")

    result = project.runpytest_inprocess("-o", "automate_recordings=nowhere")

    result.stdout.fnmatch_lines(["*expected recordings in *nowhere, found none; record one*"])


def test_recordings_are_found_by_name_and_by_mark(project: pytest.Pytester) -> None:
    project.makepyfile(
        """
        import os
        import pytest
        from automate.testing import Timeline, rehearse

        @pytest.mark.recording("crash-undetected")
        def test_marked(recording):
            assert recording.header.title == "crash-undetected"

        @pytest.mark.parametrize("recording", ["crash-twice", "crash-recovered"], indirect=True)
        def test_each(recording):
            assert recording.header.title in ("crash-twice", "crash-recovered")

        def test_named(tmp_path, monkeypatch):
            monkeypatch.chdir(tmp_path)  # wherever we are
            rehearsed = rehearse("recipes/restart_on_crash.py", "crash-undetected")
            Timeline(rehearsed).sent("start").once()
        """
    )

    assert outcome(project.runpytest_inprocess()) == {"passed": 4}


def test_the_folder_can_be_another(project: pytest.Pytester) -> None:
    (project.path / "recordings").rename(project.path / "nights")
    project.makeini("[pytest]\nautomate_recordings = nights")
    project.makepyfile(
        """
        from automate.testing import find_recording

        def test_found():
            assert find_recording("crash-twice").parent.name == "nights"
        """
    )

    assert outcome(project.runpytest_inprocess()) == {"passed": 1}


def test_what_is_missing_is_said(project: pytest.Pytester) -> None:
    project.makepyfile(
        """
        import pytest

        def test_unmarked(recording):
            pass

        async def test_unmarked_node(node):
            pass

        @pytest.mark.recording
        def test_nameless(recording):
            pass

        @pytest.mark.recording("crash-twise")
        def test_misspelt(recording):
            pass

        @pytest.mark.recording("crash-twise")
        async def test_misspelt_node(node):
            pass

        @pytest.mark.recording("crash-twice")
        def test_not_async(node):
            pass
        """
    )

    result = project.runpytest_inprocess()

    assert outcome(result) == {"failed": 1, "errors": 5}
    result.stdout.fnmatch_lines_random(
        [
            "this test has no recording; mark it with *",
            "*this test has no recording to replay; mark it with *",
            'recording: expected one name, as in @pytest.mark.recording("crash-twice")*',
            "no recording is called 'crash-twise' in *; did you mean 'crash-twice'[?]",
            "no recording is called 'crash-twise' in *[?]; --record-mode once makes it",
            "the fixture 'node' is for async tests: write `async def test_not_async`",
        ]
    )


# ---------------------------------------------------------------- nodes


NODE = """
import pytest
import trio
from automate.testing import Timeline
from automate.wire.messages import PowerState, StatusChanged

@pytest.mark.recording("crash-recovered", leave=[3])
async def test_it(node):
    began = trio.current_time()
    async with node.running("recipes/restart_on_crash.py") as play:
        for status in (PowerState.OFFLINE, PowerState.STARTING, PowerState.RUNNING) * 2:
            await node.hears(StatusChanged(status))
    Timeline(play.transcript).sent("start").once()
    assert trio.current_time() - began > 20
"""


def test_a_node_replays_the_marked_recording(project: pytest.Pytester) -> None:
    """In virtual time, on a network in memory, with no configuration of pytest-trio."""
    project.makepyfile(NODE)

    assert outcome(project.runpytest_inprocess()) == {"passed": 1}


def test_a_modelled_node_needs_no_recording(project: pytest.Pytester) -> None:
    project.makepyfile(
        """
        from automate.wire.messages import PowerState, SetState, StatusChanged

        async def test_it(modelled_node, scheduler_seed):
            async with modelled_node.open_session() as session:
                session.send(SetState("start"))
                await modelled_node.hears(StatusChanged(PowerState.RUNNING))
            assert modelled_node.model.world
        """
    )

    assert outcome(project.runpytest_inprocess("--seeds", "2")) == {"passed": 2}


def test_a_modelled_node_is_as_the_test_is_marked(project: pytest.Pytester) -> None:
    project.makepyfile(
        """
        import pytest

        @pytest.mark.model(online=True, crash_detection=False, start_at="2026-11-24T04:29:50")
        async def test_it(modelled_node):
            assert modelled_node.now().isoformat()[:16] == "2026-11-24T04:29"
            async with modelled_node.running("recipes/restart_on_crash.py") as play:
                play.send("crash 3")
                assert await play.ended("restart on crash") == "done"
        """
    )

    assert outcome(project.runpytest_inprocess()) == {"passed": 1}


def test_the_traffic_of_a_failure_is_shown_without_the_statistics(
    project: pytest.Pytester,
) -> None:
    project.makepyfile(
        """
        import pytest

        @pytest.mark.model(online=True)
        async def test_it(modelled_node):
            async with modelled_node.open_session():
                await modelled_node.hears("what nobody says")
        """
    )

    result = project.runpytest_inprocess()

    assert outcome(result) == {"failed": 1}
    result.stdout.fnmatch_lines(["*nothing was said for an hour*", "*  < status: running"])
    result.stdout.no_fnmatch_line("*< stats*")


def test_without_pytest_trio_it_is_asked_for(project: pytest.Pytester) -> None:
    """And whatever needs no node goes on."""
    project.makepyfile(
        NODE
        + """
@pytest.mark.recording("crash-twice")
def test_plain(recording, transcripts):
    pass
"""
    )

    result = project.runpytest_inprocess("-p", "no:trio")

    assert outcome(result) == {"passed": 1, "errors": 1}
    result.stdout.fnmatch_lines(["the fixture 'node' needs pytest-trio: pip install pytest-trio"])


def test_a_failure_shows_what_was_said(project: pytest.Pytester) -> None:
    project.makepyfile(
        """
        import pytest

        @pytest.mark.recording("crash-recovered")
        async def test_it(node):
            async with node.open_session():
                await node.hears("Done")
                assert False, "on purpose"
        """
    )

    result = project.runpytest_inprocess()

    assert outcome(result) == {"failed": 1}
    result.stdout.fnmatch_lines(["*on purpose*", "*traffic*", "*< auth success", "*Done (*"])


# ---------------------------------------------------------------- the network


def test_the_network_is_shut(project: pytest.Pytester) -> None:
    """Also to who does not mind, and with the loopback mark to all but 127.0.0.1."""
    project.makepyfile(
        """
        import contextlib
        import socket
        import pytest
        import trio

        def reach(address):
            socket.create_connection(address, timeout=5).close()

        @pytest.mark.recording("crash-twice")
        def test_marked():
            reach(("127.0.0.1", 9))

        def test_stubborn(transcripts):
            with contextlib.suppress(BaseException):
                reach(("127.0.0.1", 9))

        @pytest.mark.recording("crash-twice")
        async def test_in_trio(node):
            await trio.to_thread.run_sync(reach, ("panel.example.com", 443))

        @pytest.mark.loopback
        def test_allowed(transcripts):
            with socket.create_server(("127.0.0.1", 0)) as server:
                reach(server.getsockname())

        @pytest.mark.loopback
        def test_too_far(transcripts):
            reach(("192.0.2.1", 80))
        """
    )

    result = project.runpytest_inprocess()

    assert outcome(result) == {"passed": 1, "failed": 4}
    shut = "*the network is shut in tests on recordings, and this one wanted "
    mark = "; use the fixture node, or mark the test `loopback` to go to 127.0.0.1"
    result.stdout.fnmatch_lines(
        [
            f"{shut}a connection to 127.0.0.1 port 9{mark}",
            f"{shut}a connection to 127.0.0.1 port 9{mark}",
            f"{shut}the address of panel.example.com{mark}",
            f"{shut}a connection to 192.0.2.1 port 80; it may go to 127.0.0.1 only",
        ]
    )


# ---------------------------------------------------------------- transcripts


TRANSCRIPT = """
import pytest
from automate.testing import rehearse

class TestNight:
    @pytest.mark.parametrize("name", ["crash-twice", "crash-undetected"])
    def test_it(self, name, transcripts):
        transcripts.check(rehearse("recipes/restart_on_crash.py", name))
"""


def test_transcripts_are_accepted_once_and_then_held_to(project: pytest.Pytester) -> None:
    project.makepyfile(test_night=TRANSCRIPT)
    folder = project.path / "transcripts" / "test_night"
    accepted = folder / "TestNight.test_it-crash-undetected.txt"

    first = project.runpytest_inprocess()
    accept = project.runpytest_inprocess("--update-transcripts")
    held = project.runpytest_inprocess()
    accepted.write_text(accepted.read_text().replace("14.2632", "15.0000"))
    changed = project.runpytest_inprocess()

    assert [outcome(run) for run in (first, accept, held, changed)] == [
        {"failed": 2},
        {"passed": 2},
        {"passed": 2},
        {"passed": 1, "failed": 1},
    ]
    first.stdout.fnmatch_lines(["*no transcript has been accepted in *crash-twice.txt; *"])
    accept.stdout.fnmatch_lines(
        [
            "*recordings and transcripts*",
            f"accepted: {Path('transcripts', 'test_night', 'TestNight.test_it-crash-twice.txt')}",
            f"accepted: {accepted.relative_to(project.path)}",
        ]
    )
    held.stdout.no_fnmatch_line("accepted:*")
    changed.stdout.fnmatch_lines(
        [
            "E  *  crash-undetected (7.3 s)",
            "E  *-    15.0000  restart on crash: notify *",
            "E  *-    15.0000  restart on crash: set state start (unconfirmed)",
            "E  *+    14.2632  restart on crash: notify *",
            "E  *+    14.2632  restart on crash: set state start (unconfirmed)",
        ]
    )


def test_what_no_test_uses_is_listed(project: pytest.Pytester) -> None:
    """After a complete and good run; a recording that a parameter names is used."""
    project.makepyfile(
        test_night=TRANSCRIPT,
        test_day="def test_other(transcripts):\n    pass",
        test_bad="def test_bad(transcripts):\n    assert not transcripts.used",
    )
    project.runpytest_inprocess("--update-transcripts")
    folder = project.path / "transcripts"
    for orphan in ("test_night/test_old.txt", "test_gone/test_it.txt"):
        (folder / orphan).parent.mkdir(exist_ok=True)
        (folder / orphan).touch()

    def listed(*arguments: str) -> list[str]:
        lines = project.runpytest_inprocess(*arguments).outlines
        return [Path(line[8:]).as_posix() for line in lines if line.startswith("unused: ")]

    transcripts = ["transcripts/test_gone/test_it.txt", "transcripts/test_night/test_old.txt"]
    assert listed() == [*transcripts, "recordings/crash-recovered.jsonl"]
    assert listed("test_night.py", "test_day.py") == transcripts
    assert listed("test_day.py") == transcripts[:1]
    assert listed("-k", "twice") == []
    assert listed("test_night.py::TestNight") == []
    assert listed("-o", "automate_orphans=false") == []
    project.makepyfile(test_bad="def test_bad(transcripts):\n    assert False")
    assert listed() == transcripts


# ---------------------------------------------------------------- seeds


def test_chance_is_found_by_seeds(project: pytest.Pytester) -> None:
    """A transcript that depends on trio's order fails, and both are shown; others agree."""
    project.makepyfile(
        """
        import pytest
        import trio

        def test_chance(transcripts):
            said = []
            async def say(word):
                said.append(word)
            async def main():
                async with trio.open_nursery() as nursery:
                    for word in ("one", "two", "three"):
                        nursery.start_soon(say, word)
            trio.run(main)
            transcripts.said += said

        @pytest.mark.recording("crash-recovered", leave=[3])
        async def test_certain(node):
            async with node.running("recipes/restart_on_crash.py"):
                await node.hears("Done")

        def test_plain():
            pass
        """
    )

    plain = project.runpytest_inprocess()
    swept = project.runpytest_inprocess("--seeds", "4")

    assert outcome(plain) == {"passed": 3}
    assert outcome(swept)["passed"] + outcome(swept)["failed"] + outcome(swept)["skipped"] == 9
    swept.stdout.fnmatch_lines(
        ["under seed * the transcript is not that of seed 0 (- 0, + *)", "seed 0:", "seed *:"]
    )
    assert all("test_chance" in line for line in swept.outlines if line.startswith("FAILED"))


def test_a_sweep_stops_at_the_first_transcript_that_differs(project: pytest.Pytester) -> None:
    """That one is shown beside the first; under the seeds after it the test is not run."""
    project.makepyfile(
        """
        import pytest

        @pytest.mark.parametrize("name", ["odd", "even"])
        def test_it(transcripts, scheduler_seed, name):
            print("ran", name, scheduler_seed)
            transcripts.said.append("third" if (name, scheduler_seed) == ("odd", 2) else "same")
        """
    )

    swept = project.runpytest_inprocess("--seeds", "5", "-s", "-rs")

    assert outcome(swept) == {"passed": 7, "failed": 1, "skipped": 2}
    ran = re.findall(r"ran (\w+) (\d)", swept.stdout.str())
    assert sorted(ran) == sorted(
        [("odd", seed) for seed in "012"] + [("even", seed) for seed in "01234"]
    )
    swept.stdout.fnmatch_lines(["seed 0:", "same", "seed 2:", "third"])
    swept.stdout.fnmatch_lines(["SKIPPED *the sweep is over: seed 2 gave another transcript"])


def test_a_test_can_be_marked_to_be_swept_always(project: pytest.Pytester) -> None:
    """With ``--seeds`` it has the greater number; its transcript is one, whatever the seed."""
    project.makepyfile(
        """
        import pytest
        from automate.testing import rehearse

        @pytest.mark.seeds(3)
        @pytest.mark.parametrize("name", ["crash-twice", "crash-recovered"])
        def test_it(transcripts, name):
            transcripts.check(rehearse("recipes", name))

        @pytest.mark.seeds("theirs")
        def test_plain():
            pass
        """
    )

    first = project.runpytest_inprocess("--update-transcripts")

    assert outcome(first) == {"passed": 7}
    assert sorted(path.name for path in project.path.glob("transcripts/*/*")) == [
        "test_it-crash-recovered.txt",
        "test_it-crash-twice.txt",
    ]
    assert outcome(project.runpytest_inprocess("--seeds", "2")) == {"passed": 7}
    assert outcome(project.runpytest_inprocess("--seeds", "4")) == {"passed": 9}


def test_a_number_of_seeds_is_a_number(project: pytest.Pytester) -> None:
    project.makepyfile(
        """
        import pytest

        @pytest.mark.seeds("many")
        def test_it(transcripts):
            pass
        """
    )

    result = project.runpytest_inprocess()

    result.stdout.fnmatch_lines(["*expected a number, as in @pytest.mark.seeds(5), found*many*"])


# ---------------------------------------------------------------- secrets


def test_a_secret_in_a_file_fails_the_test(project: pytest.Pytester) -> None:
    project.makepyfile(
        """
        import pytest

        @pytest.mark.recording("crash-recovered")
        async def test_key(node, tmp_path):
            (tmp_path / "notes.txt").write_text(f"the key is\\n{node.key}")

        def test_transcript(transcripts):
            token = "eyJhbGciOiJIUzI1NiJ9.eyJleHAiOjE3OTU0NTk3NTN9.s5x-Yc_0TqA"
            transcripts.check([f"auth {token}"])

        @pytest.mark.recording("leaky")
        def test_recording(recording):
            pass

        @pytest.mark.recording("crash-recovered")
        async def test_clean(node, tmp_path):
            (tmp_path / "notes.txt").write_text("<key:1>")
            async with node.open_session():
                await node.hears("Done")
        """
    )

    leaky = Script("leaky").online().recording
    (project.path / "recordings" / "leaky.jsonl").write_bytes(
        encode_header(leaky.header)
        + encode_entry(ServerFrame(0.0, "console output", ["key=pacc_Zr4tN0aVwQ1uKx8yB2mC5dE7f"]))
    )

    result = project.runpytest_inprocess("--update-transcripts")

    assert outcome(result) == {"passed": 1, "failed": 3}
    result.stdout.fnmatch_lines(
        [
            "secrets have reached files:",
            "  *notes.txt:2: an API key is written here",
            "E *AssertionError: a token is in this transcript, so that it is not accepted in *",
            "secrets have reached files:",
            "  *leaky.jsonl:2: an API key is written here",
        ]
    )
    assert not list(project.path.glob("transcripts/*/test_transcript.txt"))


# ---------------------------------------------------------------- recording


def record(project: pytest.Pytester, mode: str, server: Replay | None) -> pytest.RunResult:
    real = () if server is None else ("--panel", server.panel_url, "--server", server.server[:8])
    return project.runpytest_inprocess("--record-mode", mode, *real)


def test_a_missing_recording_is_made_once(project: pytest.Pytester, real_server: Replay) -> None:
    """And then replayed, without the panel."""
    project.makepyfile(HELLO)
    path = project.path / "recordings" / "hello.jsonl"

    none = record(project, "none", real_server)
    once = record(project, "once", real_server)
    saved = path.read_text()
    replayed = record(project, "once", None)

    assert [outcome(run) for run in (none, once, replayed)] == [
        {"errors": 1},
        {"passed": 1},
        {"passed": 1},
    ]
    once.stdout.fnmatch_lines([f"saved: {Path('recordings', 'hello.jsonl')}"])
    assert '"args":["hello"]' in saved
    assert real_server.key not in saved
    assert path.read_text() == saved


def test_a_recording_of_a_failed_test_is_not_kept(
    project: pytest.Pytester, real_server: Replay
) -> None:
    project.makepyfile(HELLO + "        assert False")

    result = record(project, "once", real_server)

    assert outcome(result) == {"failed": 1}
    assert not list((project.path / "recordings").glob("*hello*"))


def test_to_record_takes_a_server(
    project: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AUTOMATE_KEY", raising=False)
    project.makepyfile(HELLO)

    result = record(project, "once", None)

    assert outcome(result) == {"errors": 1}
    result.stdout.fnmatch_lines(
        ["*needs --panel URL and --server ID and the variable AUTOMATE_KEY; or replay *"]
    )


def test_more_sittings_are_kept_beside_the_first(
    project: pytest.Pytester, real_server: Replay
) -> None:
    """``rewrite`` replaces the first, ``all`` keeps it."""
    project.makepyfile(HELLO)
    path = project.path / "recordings" / "hello.jsonl"
    path.write_text("old\n")

    everything = record(project, "all", real_server)
    kept = path.read_text()

    assert (outcome(everything), kept) == ({"passed": 1}, "old\n")
    assert (path.parent / "hello-2.jsonl").exists()


def test_a_recording_can_be_replaced(project: pytest.Pytester, real_server: Replay) -> None:
    project.makepyfile(HELLO)
    path = project.path / "recordings" / "hello.jsonl"
    path.write_text("old\n")

    assert outcome(record(project, "rewrite", real_server)) == {"passed": 1}
    assert path.read_text().startswith('{"format":"automate-recording"')


def test_a_recording_that_was_outgrown_is_made_anew(
    project: pytest.Pytester, real_server: Replay
) -> None:
    """A test that does more than its recording holds is told of, and ``new`` records it."""
    Script("hello").online().says("hello", after=1).save(
        project.path / "recordings" / "hello.jsonl"
    )
    project.makepyfile(
        """
        import pytest
        import trio
        from automate.wire.messages import SendCommand

        @pytest.mark.recording("hello", leave="all")
        async def test_it(node):
            async with node.open_session() as session:
                await node.hears("hello")
                session.send(SendCommand("list"))
                await trio.sleep(0.5)
        """
    )

    replayed = record(project, "none", None)
    anew = record(project, "new", real_server)
    again = record(project, "new", None)

    assert [outcome(run) for run in (replayed, anew, again)] == [{"passed": 1}] * 3
    replayed.stdout.fnmatch_lines(["outgrown: hello (*--record-mode new records it)"])
    anew.stdout.fnmatch_lines(["saved: *hello.jsonl"])
    again.stdout.no_fnmatch_line("outgrown:*")

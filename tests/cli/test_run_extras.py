"""What `automate run` says and keeps beside its work: permissions, a log, a service manager."""

import json
import socket
from pathlib import Path

from tests.cli.shell import RECIPES, environment, run
from tests.cli.test_fake import BACKUP, faked


def test_what_the_key_may_not_do_is_said_at_the_start() -> None:
    with faked("--permission", "websocket.connect", "control.console") as fake:
        done = run(*BACKUP, *fake.at, env=environment(AUTOMATE_KEY=fake.key))

    warnings = [line.partition("can't ")[2] for line in done.err.splitlines() if "lacks" in line]
    assert [line.partition("the key's user lacks ")[2] for line in warnings] == [
        "backup.create",
        "backup.read",
        "backup.delete",
        "control.stop",
    ]


def test_what_happens_to_the_connection_is_logged_without_secrets(tmp_path: Path) -> None:
    log = tmp_path / "run.log"
    with faked() as fake:
        # The server is offline, so that the recipe is held back at once.
        run(*BACKUP, *fake.at, "--log", log, env=environment(AUTOMATE_KEY=fake.key))
        key = fake.key

    lines = [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()]
    assert lines, "something was logged"
    assert (key in log.read_text(), "eyJ" in log.read_text()) == (False, False)
    assert {"at", "level", "logger", "words", "server", "what"} <= lines[0].keys()


def test_a_log_that_cant_be_written_is_told(tmp_path: Path) -> None:
    with faked() as fake:
        done = run(*BACKUP, *fake.at, "--log", tmp_path, env=environment(AUTOMATE_KEY=fake.key))

    assert (done.code, done.err.count("\n"), str(tmp_path) in done.err) == (1, 1, True)


def test_the_service_manager_is_told(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager, faked() as fake:
        manager.bind(str(tmp_path / "notify"))
        told = environment(AUTOMATE_KEY=fake.key, NOTIFY_SOCKET=str(tmp_path / "notify"))
        run(*BACKUP, *fake.at, env=told)
        manager.setblocking(False)
        heard = [manager.recv(100), manager.recv(100)]

    assert heard == [b"READY=1", b"STOPPING=1"]


def test_an_authority_that_is_no_file_is_a_wrong_use(tmp_path: Path) -> None:
    done = run(
        "run",
        RECIPES / "restart_on_crash.py",
        "--panel",
        "https://127.0.0.1:1",
        "--server",
        "5f2c9a1e",
        "--ca-file",
        tmp_path / "none.pem",
        env=environment(AUTOMATE_KEY="ptlc_" + "x" * 43),
    )

    assert (done.code, done.err.count("\n"), "--ca-file" in done.err) == (2, 1, True)

"""No secret is in anything that the tests produce: that the watch over it would see one.

The watch itself is in tests/secrets_watch.py and looks over the shoulder of every test. Here, small
test runs leak on purpose, each in another way.
"""

from pathlib import Path

import pytest

from tests.secrets_watch import Watch

LEAKS = {
    "printed": "print(made)",
    "printed and read": "print(made); capsys.readouterr()",
    "on standard error": "print(made, file=sys.stderr)",
    "in a file": "(tmp_path / 'x.jsonl').write_text(f'key {made}')",
    "deep in a folder": "(tmp_path / 'a').mkdir(); (tmp_path / 'a' / 'b').write_text(f'<{made}>')",
    "in a folder of another kind": "(factory.mktemp('y') / 'x.jsonl').write_text(f'<{made}>')",
    "in a log": "log.info('refused: %s', made)",
    "in the facts of a log": "log.debug('refused', extra={'facts': {'why': made}})",
    "by another process": "subprocess.run([sys.executable, '-c', f'print({made!r})'], stdout=PIPE)",
    "by a process that is read": "ask(made).stdout.read()",
    "by a process, line by line": "list(ask(made).stdout)",
}
SCENE = """
import logging
import subprocess
import sys
from subprocess import PIPE

import pytest
from automate.fake.jwt import Signer
from automate.live.log import log
from automate.live.panel import Panel

pytestmark = pytest.mark.filterwarnings("ignore")

def token():
    return Signer(b"x" * 32).token({"jti": "0123456789", "iat": 1, "exp": 2})

def key():
    Panel("https://panel.example.com", "ptlc_a_key_of_this_test")
    return "ptlc_a_key_of_this_test"

@pytest.fixture
def factory(tmp_path_factory):
    return tmp_path_factory

def ask(made):
    return subprocess.Popen([sys.executable, "-c", f"print({made!r})"], stdout=PIPE)
"""
TEST = """
@pytest.mark.parametrize("make", [token, key])
def test_NUMBER(make, tmp_path, factory, capsys):
    made = make()
    LEAK

def test_after_NUMBER():
    pass
"""


def scene(*leaks: str) -> str:
    """Return a module with two tests for each of *leaks*, and one after them that has none."""
    tests = [
        TEST.replace("NUMBER", str(number)).replace("LEAK", leak)
        for number, leak in enumerate(leaks)
    ]
    return "".join([SCENE, *tests])


def run(pytester: pytest.Pytester, *options: str) -> pytest.RunResult:
    """Run a small session in another process: two watches in one would see each other's."""
    root = Path(__file__).parent.parent
    pytester.makeini(f"[pytest]\npythonpath = {root}\n")
    return pytester.runpytest_subprocess("-p", "tests.secrets_watch", *options)


@pytest.mark.leaks_on_purpose
@pytest.mark.parametrize("options", [(), ("-n", "2")], ids=["in one process", "spread over two"])
def test_each_test_that_leaks_has_failed_and_no_other(
    options: tuple[str, ...], pytester: pytest.Pytester
) -> None:
    """A token that a fake made, and a key that a client used; neither is shown in full."""
    pytester.makepyfile(test_it=scene(*LEAKS.values()))

    ran = run(pytester, *options)

    failed = {line.split()[1] for line in ran.outlines if line.startswith("ERROR test_it.py")}
    assert failed == {
        f"test_it.py::test_{number}[{kind}]"
        for number in range(len(LEAKS))
        for kind in ("token", "key")
    }
    ran.assert_outcomes(passed=3 * len(LEAKS), errors=2 * len(LEAKS))
    ran.stdout.fnmatch_lines(["*secrets are where they should not be:*", "*… is written there"])


def test_what_leaks_nothing_has_not_failed(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(test_it=scene("print(made[:8]); log.info('all well')"))

    run(pytester).assert_outcomes(passed=3)


# ---------------------------------------------------------------- what is one, and where it belongs

KEY = f"ptlc_{'0a' * 21}b"
TOKEN = (
    "eyJ0eXAiOiJKV1QiLCJhbGciOiJIUzI1NiIsImp0aSI6IjAxIn0.eyJpYXQiOjEsImV4cCI6MiwiYSI6MTIzfQ."
    f"{'s' * 43}"
)


@pytest.mark.parametrize(
    ("text", "is_one"),
    [
        (f"panel http://127.0.0.1:1 key {KEY} server a1b2c3d4", False),
        (f"panel http://127.0.0.1:1 key {KEY} server a1b2c3d4\nnode {KEY}", True),
        (f"x panel http://127.0.0.1:1 key {KEY} server a1b2c3d4", True),
        (f"  export AUTOMATE_KEY={KEY}", False),
        (f"the key is {KEY}", True),
        (f"Authorization: Bearer {KEY}", True),
        (f"the token is {TOKEN}", True),
        (f'{{"event":"auth","args":["{TOKEN}"]}}', True),
        ('{"event":"auth","args":["<token:1>"]}', False),
        ("ptlc_d7d1...", False),
        ("an example: eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln", False),
    ],
)
def test_a_secret_of_another_process_is_known_by_its_shape(text: str, is_one: bool) -> None:
    watch = Watch()
    watch.see("somewhere", text)

    assert bool(watch.found) == is_one


def test_a_key_file_may_hold_a_key(tmp_path: Path) -> None:
    (tmp_path / "key").write_text(f"{KEY}\n")
    (tmp_path / "notes").write_text(f"my key: {KEY}\n")
    watch = Watch()
    watch.folders.append(tmp_path)
    watch.look_into_files()
    (tmp_path / "notes").unlink()

    assert [words.partition(": ")[0] for words in watch.found] == [str(tmp_path / "notes")]

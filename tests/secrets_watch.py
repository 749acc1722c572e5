"""Looks for secrets in everything that a test run produces: none may be anywhere.

A pytest plugin, for our own tests. It knows each token that a fake makes and each key that a client
uses, in this process by being told, in others by their shape. It reads what each test has
printed or logged, what the processes that it started have printed, and every file below a
temporary folder. A test in which a secret is found has failed.

Where a secret belongs: `automate replay` and `automate fake` print the key of their own fake panel
on the first line, and what to type in another terminal; a file that holds a key and nothing else
is a key file.
"""

import logging
import re
import subprocess
from base64 import urlsafe_b64decode
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import Any, Final

import pytest

__all__ = ["Watch"]

# A token as the fakes make them; whether it is one, its head tells.
_TOKEN: Final = re.compile(r"(eyJ[\w-]{20,})\.eyJ[\w-]{20,}\.[\w-]{43}(?![\w-])")
# A key as the fakes make them.
_KEY: Final = re.compile(r"(?:ptlc|pacc)_[0-9a-f]{43}(?![\w-])")
_ALLOWED: Final = re.compile(
    r"^panel \S+ key \S+ server \S+$|^  export AUTOMATE_KEY=\S+$", re.MULTILINE
)
_KEY_FILE: Final = re.compile(r"[\s\ufeff]*(?:ptlc|pacc)_[\w-]+\s*")
# Shorter keys are no secrets but words of a test.
_SHORTEST_KEY: Final = 10
# Tests of what finds leaks have some; so does each that is marked `leaks_on_purpose`.
_ON_PURPOSE: Final = ("test_a_secret_in_a_file_fails_the_test",)


class Watch:
    """What is known of secrets, and where some were found, for one test at a time."""

    def __init__(self) -> None:
        self.found: list[str] = []
        self.folders: list[Path] = []
        self._used: set[str] = set()

    def learn(self, secret: str) -> None:
        """Look for *secret*, too, until the end of the test."""
        if len(secret) >= _SHORTEST_KEY:
            self._used.add(secret)

    def see(self, where: str, text: str) -> None:
        """Look at *text*, which was produced *where*."""
        if not self._suspects(text):
            return
        text = _ALLOWED.sub("", text)
        for secret in self._secrets_in(text):
            # Not the secret itself: this is printed.
            self.found.append(f"{where}: {secret[:9]}… is written there")

    def look_into_files(self) -> None:
        """Look at all files in the test's folders."""
        for path in (path for folder in self.folders for path in folder.rglob("*")):
            # Whoever opens a pipe waits for its other end.
            if path.is_file() and not path.is_symlink():
                self._look_into(path)

    def forget(self) -> None:
        """Begin anew."""
        self.found, self.folders = [], []
        self._used.clear()

    def _look_into(self, path: Path) -> None:
        try:
            text = path.read_bytes().decode("utf-8", "replace")
        except OSError:
            return  # a test made it so that it can't be read
        if not _KEY_FILE.fullmatch(text):
            self.see(str(path), text)

    def _suspects(self, text: str) -> bool:
        return "eyJ" in text or "_" in text or any(map(text.__contains__, self._used))

    def _secrets_in(self, text: str) -> Iterator[str]:
        yield from (secret for secret in self._used if secret in text)
        for match in _TOKEN.finditer(text):
            if match[0] not in self._used and _is_minted(match[1]):
                yield match[0]
        yield from (key for key in _KEY.findall(text) if key not in self._used)


def _is_minted(head: str) -> bool:
    """Whether a token's *head* is one of the fakes': the tests have others, as examples."""
    try:
        return b'"jti"' in urlsafe_b64decode(head + "=" * (-len(head) % 4))
    except ValueError:
        return False


# ---------------------------------------------------------------- what is listened to


class _Tee:
    """A pipe from another process; what is read from it is looked at."""

    def __init__(self, pipe: Any, see: Callable[[str], None]) -> None:
        self._pipe = pipe
        self._see = see

    def __getattr__(self, name: str) -> Any:
        return getattr(self._pipe, name)

    def __iter__(self) -> Iterator[Any]:
        for line in self._pipe:
            self._note(line)
            yield line

    def read(self, *size: int) -> Any:
        return self._note(self._pipe.read(*size))

    def readline(self, *size: int) -> Any:
        return self._note(self._pipe.readline(*size))

    def _note(self, read: Any) -> Any:
        self._see(_as_text(read))
        return read


def _as_text(read: Any) -> str:
    return read.decode("utf-8", "replace") if isinstance(read, bytes) else str(read or "")


class _Lines(logging.Handler):
    """Looks at records as the plainest of handlers would print them, and at their facts."""

    def __init__(self, watch: Watch) -> None:
        super().__init__()
        self._watch = watch
        self.setFormatter(logging.Formatter("%(message)s"))

    def emit(self, record: logging.LogRecord) -> None:
        facts = getattr(record, "facts", {})
        self._watch.see(f"log {record.name}", f"{self.format(record)} {facts}")


class Plugin:
    """The hooks; for as long as tests run, what they use is replaced by what tells the watch."""

    def __init__(self) -> None:
        self.watch = Watch()
        self._undo = pytest.MonkeyPatch()

    @pytest.hookimpl(wrapper=True)
    def pytest_runtestloop(self) -> Generator[None, object, object]:
        self._listen()
        try:
            return (yield)
        finally:
            self._undo.undo()

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(self, item: pytest.Item) -> Generator[None, Any, Any]:
        report = yield
        if report.when == "teardown":
            for name, text in report.sections:
                self.watch.see(name, text)
            self.watch.look_into_files()
            if self.watch.found and not _leaks_on_purpose(item):
                report.outcome = "failed"
                report.longrepr = "\n".join(
                    ["secrets are where they should not be:", *dict.fromkeys(self.watch.found)]
                )
            self.watch.forget()
        return report

    def _listen(self) -> None:
        from automate.fake.jwt import Signer
        from automate.live.log import log
        from automate.live.panel import Panel

        self._after(Signer, "token", lambda _made, result: self.watch.learn(result))
        self._after(Panel, "__init__", lambda panel, _none: self.watch.learn(panel._key))
        self._after(pytest.CaptureFixture, "readouterr", lambda _capture, read: self._read(read))
        self._after(
            pytest.TempPathFactory,
            "mktemp",
            lambda _factory, folder: self.watch.folders.append(folder),
        )
        self._undo.setattr(subprocess, "Popen", self._watched_popen())
        handler, level = _Lines(self.watch), log.level
        log.addHandler(handler)
        log.setLevel(logging.DEBUG)
        self._undo.setattr(self, "_undo", _Also(self._undo, lambda: _put_back(log, handler, level)))

    def _after(self, owner: Any, name: str, note: Callable[[Any, Any], object]) -> None:
        """Have *note* told the object and the result of each call to a method of *owner*."""
        real = getattr(owner, name)

        def told(self: Any, *args: Any, **more: Any) -> Any:
            result = real(self, *args, **more)
            note(self, result)
            return result

        self._undo.setattr(owner, name, told)

    def _read(self, read: Any) -> None:
        for name, text in zip(("stdout", "stderr"), read, strict=True):
            self.watch.see(name, _as_text(text))

    def _watched_popen(self) -> Any:
        watch = self.watch

        class Popen(subprocess.Popen[Any]):
            def __init__(self, *args: Any, **more: Any) -> None:
                super().__init__(*args, **more)
                for name in ("stdout", "stderr"):
                    pipe = getattr(self, name)
                    if pipe is not None:
                        setattr(self, name, _Tee(pipe, lambda text: watch.see("a process", text)))

            def communicate(self, *args: Any, **more: Any) -> tuple[Any, Any]:
                said = super().communicate(*args, **more)
                for text in said:
                    watch.see("a process", _as_text(text))
                return said

        return Popen


class _Also:
    """Undoes two things."""

    def __init__(self, first: pytest.MonkeyPatch, then: Callable[[], None]) -> None:
        self._first = first
        self._then = then

    def undo(self) -> None:
        self._then()
        self._first.undo()


def _put_back(log: logging.Logger, handler: logging.Handler, level: int) -> None:
    log.removeHandler(handler)
    log.setLevel(level)


def _leaks_on_purpose(item: pytest.Item) -> bool:
    return item.name in _ON_PURPOSE or item.get_closest_marker("leaks_on_purpose") is not None


def pytest_configure(config: pytest.Config) -> None:
    """Begin to watch."""
    config.addinivalue_line("markers", "leaks_on_purpose: a test of what finds leaked secrets")
    config.pluginmanager.register(Plugin(), "secrets watch")

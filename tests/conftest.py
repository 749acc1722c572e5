"""What every test may ask for, and how Hypothesis behaves here."""

import os
from pathlib import Path

import pytest
from hypothesis import settings

# pytest within pytest, for the tests of our own plugin.
pytest_plugins = ["pytester", "tests.secrets_watch"]

ROOT = Path(__file__).parent.parent

# The same examples in every run, so that a red build means a change and not luck; nothing is
# timed, for build machines are slow when they please. HYPOTHESIS_PROFILE=explore looks for news.
settings.register_profile("house", derandomize=True, deadline=None, print_blob=True)
settings.register_profile("explore", deadline=None, max_examples=2000, print_blob=True)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "house"))


@pytest.fixture(autouse=True)
def _state_home(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Journals of the tests are nobody's own."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path_factory.getbasetemp() / "state"))


@pytest.fixture(scope="session")
def root() -> Path:
    """The checkout."""
    return ROOT


@pytest.fixture(scope="session")
def recordings(root: Path) -> Path:
    """The folder of the sample recordings."""
    return root / "recordings"

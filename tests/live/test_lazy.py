"""Whoever does not talk to a server does not wait for the libraries that do."""

import subprocess
import sys


def test_the_live_room_loads_its_libraries_when_they_are_needed() -> None:
    program = (
        "import sys, automate.live.panel, automate.live.session, automate.live.recorder; "
        "print(*sorted({'httpx', 'trio_websocket', 'wsproto', 'cattrs'} & set(sys.modules)))"
    )
    loaded = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )

    assert loaded.stdout.split() == []

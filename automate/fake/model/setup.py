"""How the recorded server was set up, as far as a recording shows it.

What an egg or a panel would have told the real daemon must be concluded here: which line means
that the game is ready, what stops it, whether crashes are detected.
"""

import re

from automate.fake.model.claims import Claims
from automate.fake.model.settings import Kind, Settings
from automate.fake.model.signals import Usage
from automate.fake.model.transcript import Transcript
from automate.recording.format import ClientFrame, PanelCall
from automate.wire import messages as m
from automate.wire.console import CrashNoted, crash_report
from automate.wire.messages import PowerState

__all__ = ["earlier_crash", "first_usage", "read_settings", "read_tokens"]


def read_settings(script: Transcript) -> Settings:
    """Return the settings of the recorded server."""
    header = script.recording.header
    texts = [text for _index, text in script.own_lines()]
    is_newer = (header.daemon or "").startswith("pelican")
    return Settings(
        kind=Kind.PELICAN if is_newer else Kind.PTERODACTYL,
        server=header.server,
        epoch=header.started.timestamp(),
        done=_done_patterns(script),
        stop_text=_stop_text(script),
        disk_limit_bytes=1 << 50,
        crash_detection=not any("crash detection is disabled" in text for text in texts),
    )


def _done_patterns(script: Transcript) -> tuple[str, ...]:
    """Return what the lines before each `running` have in common with the next: no numbers."""
    patterns: list[str] = []
    for index, message in script.said.items():
        if message == m.StatusChanged(PowerState.RUNNING):
            line = next((i for i in range(index, -1, -1) if script.is_game_line(i)), None)
            if line is not None:
                text = re.sub(r"\d+", r"\\d+", re.escape(script.raw_line(line)))
                patterns.append(f"regex:^{text}$")
    return tuple(dict.fromkeys(patterns))


def _stop_text(script: Transcript) -> str:
    """Return the line that is echoed right after a stop was asked for."""
    for index, entry in enumerate(script.entries):
        if not (isinstance(entry, ClientFrame) and entry.event == "set state"):
            continue
        if entry.args not in (["stop"], ["restart"]):
            continue
        for later in range(index + 1, min(index + 4, len(script.entries))):
            if script.is_game_line(later):
                return script.raw_line(later)
    return "stop"


def first_usage(script: Transcript) -> Usage:
    """Return what the daemon knew of the server's use at the beginning."""
    for message in script.said.values():
        if isinstance(message, m.StatsReported):
            stats = message.stats
            return Usage(
                memory_limit_bytes=stats.memory_limit_bytes or 0,
                disk_bytes=stats.disk_bytes or 0,
            )
    return Usage()


def earlier_crash(script: Transcript) -> float | None:
    """Return a moment for the crash before the recording that the daemon speaks of."""
    for _index, text in script.own_lines():
        if crash_report(text) == CrashNoted():
            found = [other for _i, other in script.own_lines()]
            after = found[found.index(text) + 1 : found.index(text) + 4]
            early = any("last crash occurred less than" in other for other in after)
            return 0.0 if early else None
    return None


def read_tokens(script: Transcript) -> dict[str, Claims]:
    """Return the claims of all tokens, by the tokens' names in the recording."""
    tokens = {}
    for entry in script.entries:
        if isinstance(entry, PanelCall) and entry.claims and isinstance(entry.response, dict):
            token = entry.response.get("data", {}).get("token")
            tokens[token] = Claims.of(entry.claims, server=script.recording.header.server)
    return tokens

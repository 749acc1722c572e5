"""What happens on a connection, as log records: for whoever keeps one for months.

Records go to Python's own logging, under ``automate.live``, with the facts beside the words:
*server*, *what* and what belongs to it. `JsonLines` writes each as one line of JSON. How a
person on a terminal is told is left to the command line; what recipes do, to the engine.
"""

import json
import logging
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from automate.errors import AutomateError
from automate.live.listener import Listener
from automate.live.panel import Call
from automate.recording.redaction import Redactor
from automate.wire.messages import ClientMessage

__all__ = ["JsonLines", "LogBook", "log"]

log = logging.getLogger("automate.live")
# Where nobody keeps a log, Python would print it; a person is told elsewhere already.
log.addHandler(logging.NullHandler())


class JsonLines(logging.Formatter):
    """Formats a record as one line of JSON: moment (UTC), level, logger, words, and the facts.

    Tokens, API keys and signed links are replaced as in recordings, wherever they stand; *keys*
    are secrets of other shapes.
    """

    def __init__(self, *, keys: Iterable[str] = ()) -> None:
        super().__init__()
        self._redactor = Redactor(known={"key": list(keys)})

    def format(self, record: logging.LogRecord) -> str:
        """Return the line, without its end."""
        at = datetime.fromtimestamp(record.created, UTC)
        fields: dict[str, Any] = {
            "at": at.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "words": record.getMessage(),
            **getattr(record, "facts", {}),
        }
        if record.exc_info:
            fields["traceback"] = self.formatException(record.exc_info)
        cleaned = self._redactor.value(fields)
        return json.dumps(cleaned, ensure_ascii=False, default=str)


class LogBook(Listener):
    """A listener that logs what becomes of the connection to *server*; frames are not logged."""

    def __init__(self, server: str) -> None:
        self._server = server

    def opened(self, at: float) -> None:
        """Log it as a detail."""
        self._note(logging.DEBUG, "opened", "the websocket is open")

    def sent(self, at: float, text: str) -> None:
        """Log the event's name as a detail; a token, or what players are told, may follow it."""
        name = text.partition('"event":"')[2].partition('"')[0]
        self._note(logging.DEBUG, "sent", f"sent {name}", event=name)

    def closed(self, at: float, by: str, code: int | None, reason: str | None) -> None:
        """Log it as a detail: `down` tells what it means."""
        words = f"the websocket was closed by the {by}"
        self._note(logging.DEBUG, "closed", words, by=by, code=code, reason=reason)

    def failed(self, at: float, reason: str) -> None:
        """Log it as a detail: `delayed` or `ended` follows."""
        self._note(logging.DEBUG, "failed", reason)

    def ready(self, at: float) -> None:
        """Log that events come."""
        self._note(logging.INFO, "ready", "connected, events come")

    def down(self, at: float, reason: str) -> None:
        """Log the loss."""
        self._note(logging.WARNING, "down", f"the connection is lost: {reason}", reason=reason)

    def blind(self, at: float, reason: str) -> None:
        """Log that events are lost."""
        self._note(logging.WARNING, "blind", f"events are being lost: {reason}", reason=reason)

    def sighted(self, at: float) -> None:
        """Log that events come again."""
        self._note(logging.INFO, "sighted", "events come again")

    def not_sent(self, at: float, message: ClientMessage, reason: str) -> None:
        """Log what could not be sent, by its name."""
        words = f"{message.event} was not sent: {reason}"
        self._note(logging.WARNING, "not sent", words, event=message.event, reason=reason)

    def delayed(self, at: float, reason: str, seconds: float) -> None:
        """Log why there is a pause."""
        words = f"{reason}; next try in {seconds:.0f} s"
        self._note(logging.WARNING, "delayed", words, reason=reason, seconds=round(seconds, 1))

    def ended(self, at: float, error: AutomateError) -> None:
        """Log that a person is needed."""
        self._note(logging.ERROR, "ended", str(error), error=type(error).__name__)

    def called(self, call: Call) -> None:
        """Log a call to the panel as a detail, a bad answer as more; for `Panel.on_call`."""
        level = logging.DEBUG if call.status < 400 else logging.WARNING
        words = f"{call.method} {call.path}: {call.status}"
        facts = {"method": call.method, "path": call.path, "status": call.status}
        self._note(level, "called", words, **facts, seconds=call.seconds)

    def _note(self, level: int, what: str, words: str, **facts: Any) -> None:
        if log.isEnabledFor(level):
            known = {"server": self._server, "what": what, **facts}
            log.log(level, "%s: %s", self._server[:8], words, extra={"facts": known})

"""What it means when a panel does not answer as it should, in one line each.

Nothing is asked here: an HTTP answer, or the exception in its place, becomes the error that
says what is wrong, where, and what to do. Source: the notes on the panels' source, section 1.
"""

import json
import math
import ssl
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from typing import Any

from attrs import field, frozen

from automate.errors import (
    AccessDenied,
    BackupsFull,
    Busy,
    NotThere,
    PanelError,
    PanelUnreachable,
)
from automate.live.trouble import causes, why_unreachable

__all__ = ["Question", "may_repeat", "misunderstood", "refusal", "too_long", "unreachable"]


@frozen(kw_only=True)
class Question:
    """One call to the panel at *url*; the rest is how to speak of it.

    *wish* completes "the key may not …", *about* is what a 404 is about, and *permission* is
    what the key's user needs.
    """

    url: str
    method: str
    path: str
    request: Any = field(default=None, repr=False)
    wish: str
    about: str
    permission: str | None = None
    is_repeatable: bool = False

    @property
    def changes_something(self) -> bool:
        """Whether asking twice could do it twice."""
        return self.method != "GET"


# ---------------------------------------------------------------- an answer that is a refusal


def refusal(
    question: Question, *, status: int, headers: Mapping[str, str], text: str
) -> PanelError:
    """Return what the answer *status* with the body *text* means."""
    if 300 <= status < 400:
        return _redirect(question, status, headers.get("location", ""))
    errors = _errors(text)
    if errors is None:
        return _no_json(question, status, headers, text)
    code, detail = errors[0]
    said = f"{status}: {detail}" if detail else str(status)
    if code in ("DaemonConnectionException", "ConnectionException", "RequestException"):
        return _node(question, status, said)
    where = f"{question.url}: "
    match status:
        case 400 if code == "TwoFactorAuthRequiredException":
            return AccessDenied(
                f"{where}the panel demands two-factor authentication and the key's user has "
                "none (400): switch it on for that account",
                status=status,
            )
        case 400 if code == "TooManyBackupsException":
            # The code tells, for Pelican's texts are in the language of the key's user (4.3).
            return BackupsFull(f"{where}can't {question.wish} ({said})", status=status)
        case 401:
            return AccessDenied(
                f"{where}the panel does not know the API key (401): make a client key on the "
                "panel's page of your account, and copy it whole",
                status=status,
            )
        case 403 if "transfer logs" in detail:
            # So a token is refused while the server is on its way to another node (3.7): what
            # has to be done is what a conflict asks for, to wait.
            return Busy(
                f"{where}can't {question.wish}, the server is being moved to another node "
                f"({said}); try again later",
                status=409,
            )
        case 403:
            return AccessDenied(f"{where}{_forbidden(question, said)}", status=status)
        case 404:
            return NotThere(
                f"no {question.about} at {question.url}, or the key's user has no access to it "
                "(404): check the id and whose key it is",
                status=status,
            )
        case 409 | 429 | 503:
            return _busy(question, status, said, headers)
        case 422:
            said = "; ".join(dict.fromkeys(each for _, each in errors if each)) or "no reason given"
            return PanelError(
                f"{where}can't {question.wish} like that (422): {said}", status=status
            )
        case 419:
            return PanelError(
                f"{where}the panel took the call for its own web page's (419): a proxy in "
                "between adds an Origin, a Referer or a cookie; take it out",
                status=status,
            )
        case 502 if "must be online" in detail:
            return PanelError(
                f"can't {question.wish}: the server is not running ({said})", status=status
            )
        case _ if status >= 500:
            return PanelError(
                f"{where}the panel failed at the call to {question.wish} ({said}); its log says "
                f"why{_doubt(question)}",
                status=status,
            )
        case _:
            return PanelError(f"{where}can't {question.wish} ({said})", status=status)


def _forbidden(question: Question, said: str) -> str:
    needs = f"its user needs the permission {question.permission}; " if question.permission else ""
    return (
        f"the key may not {question.wish} ({said}): {needs}an application key (ptla_, papp_) or "
        "an address that is not on the key's list is refused alike"
    )


def _busy(question: Question, status: int, said: str, headers: Mapping[str, str]) -> Busy:
    wait = _retry_after(headers)
    again = "try again later" if wait is None else f"try again in {wait:.0f} s"
    why = {
        409: "the server can't now",
        429: "the panel allows no more of it for now"
        if question.changes_something
        else "the panel has been asked too often",
        503: "the panel is under maintenance",
    }[status]
    return Busy(
        f"{question.url}: can't {question.wish}, {why} ({said}); {again}",
        status=status,
        retry_after=wait,
    )


def _node(question: Question, status: int, said: str) -> PanelError:
    # Pterodactyl passes the daemon's own status on, so that a 403 or 404 with this code is no
    # word about our key; Pelican says 500 for all of it.
    return PanelError(
        f"{question.url}: the panel got no good answer from the node of the {question.about} "
        f"({said}){_doubt(question)}; is the node up?",
        status=status,
    )


def _doubt(question: Question) -> str:
    if not question.changes_something:
        return ""
    return "; it may have been done all the same, so look before asking again"


def _redirect(question: Question, status: int, location: str) -> PanelError:
    if location.startswith("https://") and question.url == "http://" + location[8:].split("/")[0]:
        advice = f"give its address with https://: https://{location[8:].split('/')[0]}"
    elif "login" in location:
        advice = "it sends everybody to a login page; is something else than the panel in front?"
    else:
        advice = "check the panel's address"
    return PanelError(
        f"{question.url}: expected the panel's API, found a redirect ({status}) to "
        f"{location[:100] or 'nowhere'}; {advice}",
        status=status,
    )


def _no_json(question: Question, status: int, headers: Mapping[str, str], text: str) -> PanelError:
    found = _shown(text)
    if status == 429:
        return _busy(question, status, found, headers)
    if status >= 500:
        return PanelUnreachable(
            f"{question.url}: something in front of the panel answered {status} ({found}); the "
            f"panel itself seems to be down{_doubt(question)}",
            status=status,
        )
    if status in (401, 403):
        # No word about the key, and it may pass: such a firewall asks today and not tomorrow.
        return PanelError(
            f"{question.url}: something in front of the panel refused the call with {status} "
            f"({found}): a firewall, or a login of its own; let this machine through",
            status=status,
        )
    return PanelError(
        f"{question.url}: expected the panel's API, found {found} ({status}); is this the "
        "address of a Pterodactyl or Pelican panel?",
        status=status,
    )


def _shown(text: str) -> str:
    if not text.strip():
        return "an empty answer"
    return "a web page" if text.lstrip()[:1] == "<" else repr(text.strip()[:60])


def _errors(text: str) -> list[tuple[str, str]] | None:
    """Return code and detail of each error in a panel's answer; ``None`` if it is none."""
    try:
        answer = json.loads(text)
    except (ValueError, RecursionError):
        return None
    said = answer.get("errors") if isinstance(answer, dict) else None
    if not isinstance(said, list):
        return None
    pairs = [
        (str(each.get("code") or ""), " ".join(str(each.get("detail") or "").split())[:300])
        for each in said
        if isinstance(each, dict)
    ]
    return pairs or [("", "")]


def _retry_after(headers: Mapping[str, str]) -> float | None:
    """Return how many seconds the panel asks us to wait, however it says so."""
    wish = headers.get("retry-after", "")
    seconds = _float(wish)
    if seconds is None:
        # Dates are compared with the panel's own clock: ours may be wrong.
        now = _unix(headers.get("date", ""))
        then = _unix(wish) or _float(headers.get("x-ratelimit-reset", ""))
        seconds = None if now is None or then is None else then - now
    return None if seconds is None else max(seconds, 0.0)


def _float(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def _unix(date: str) -> float | None:
    try:
        return parsedate_to_datetime(date).timestamp()
    except (ValueError, OverflowError):
        return None


# ---------------------------------------------------------------- an answer nobody understands


def misunderstood(question: Question, text: str, why: str = "") -> PanelError:
    """Return the error for a success whose body is not what was asked for; *why* if known."""
    if why:
        return PanelError(
            f"{question.url}: the panel answered in a way this version does not know, asked to "
            f"{question.wish}: {why}",
            status=200,
        )
    return _no_json(question, 200, {}, text)


def too_long(question: Question, status: int, limit: int) -> PanelError:
    """Return the error for an answer of more than *limit* bytes: no panel gives such."""
    return PanelError(
        f"{question.url}: expected the panel's API, found an answer of more than {limit >> 20} MiB "
        f"({status}); is this the address of a Pterodactyl or Pelican panel?",
        status=status,
    )


# ---------------------------------------------------------------- no answer


def unreachable(question: Question, exc: Exception) -> PanelUnreachable:
    """Return what *exc* (of httpx) means: nobody answered, and why."""
    return PanelUnreachable(f"{question.url}: {_why(question, exc)}")


def _why(question: Question, exc: Exception) -> str:
    import httpx

    if isinstance(exc, httpx.ProxyError):
        return f"the proxy that the environment names failed ({exc}); check HTTPS_PROXY"
    why = why_unreachable(exc)
    if why is not None:
        return why
    if isinstance(exc, httpx.ConnectTimeout):
        return "nobody answered when connecting; check the address and the firewalls between"
    if isinstance(exc, httpx.TimeoutException):
        return f"the panel took the call and did not answer in time{_doubt(question)}"
    return f"the connection failed ({str(exc) or type(exc).__name__}){_doubt(question)}"


def may_repeat(error: PanelError) -> bool:
    """Whether the same question may well get an answer a moment later."""
    if error.status is not None:
        return error.status in (502, 503, 504)
    import httpx

    cause = error.__cause__
    return isinstance(cause, httpx.NetworkError | httpx.RemoteProtocolError) and not any(
        isinstance(each, ssl.SSLError) for each in causes(cause)
    )

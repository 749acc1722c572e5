"""What the panels answer, in their own shapes: envelopes, objects and errors of both kinds.

Source: PROTOCOL sections 1 to 4. When which of them is given is left to `panel`.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qsl

from attrs import field, frozen

from automate.fake.model.settings import Kind, Settings
from automate.fake.model.signals import Usage

__all__ = [
    "Answer",
    "Paging",
    "access_denied",
    "account_object",
    "daemon_failed",
    "error",
    "invalid",
    "list_object",
    "not_found",
    "paging",
    "resources",
    "server_object",
    "stamp",
    "unreachable",
]

_GENERIC = "An unexpected error was encountered while processing this request, please try again."
_UNREACHABLE = (
    "Could not establish a connection to the machine running this server. Please try again."
)


@frozen(kw_only=True)
class Answer:
    """An HTTP answer; *body* is JSON's values, ``None`` for none at all."""

    status: int
    body: Any = None
    headers: Mapping[str, str] = field(factory=dict)


def stamp(unix: float) -> str:
    """Return a moment as the panels write it."""
    return datetime.fromtimestamp(int(unix), UTC).isoformat()


def error(status: int, code: str, detail: str, **more: Any) -> Answer:
    """Return one error; *more* is what stands beside its text."""
    found = {"code": code, "status": str(status), "detail": detail, **more}
    return Answer(status=status, body={"errors": [found]})


def invalid(name: str, rule: str, detail: str) -> Answer:
    """Return what the panel's validation says of the field called *name*."""
    meta = {"source_field": name, "rule": rule}
    return error(422, "ValidationException", detail, meta=meta)


def not_found() -> Answer:
    """Return the answer for what is not there, or not for this user."""
    detail = "The requested resource could not be found on the server."
    return error(404, "NotFoundHttpException", detail)


def access_denied() -> Answer:
    """Return the answer for a lacking permission."""
    return error(403, "AccessDeniedHttpException", "This action is unauthorized.")


def unreachable(kind: Kind) -> Answer:
    """Return what the panel says when its daemon does not answer (PROTOCOL 1.4)."""
    if kind is Kind.PELICAN:
        return error(500, "ConnectionException", _GENERIC)
    return error(504, "DaemonConnectionException", _UNREACHABLE)


def daemon_failed(kind: Kind, status: int, text: str, *, request_id: str) -> Answer:
    """Return what the panel says when its daemon answered with an error *status*."""
    if kind is Kind.PELICAN:
        return error(500, "RequestException", _GENERIC)
    detail = f"An error occurred on the remote host: {text}. (request id: {request_id})"
    return error(status, "DaemonConnectionException", detail)


def resources(usage: Usage, state: str, *, is_suspended: bool) -> Answer:
    """Return the answer to ``GET …/resources``."""
    used = {
        "memory_bytes": usage.memory_bytes,
        "cpu_absolute": usage.cpu_percent,
        "disk_bytes": usage.disk_bytes,
        "network_rx_bytes": usage.received_bytes,
        "network_tx_bytes": usage.sent_bytes,
        "uptime": usage.uptime_milliseconds,
    }
    attributes = {"current_state": state, "is_suspended": is_suspended, "resources": used}
    return Answer(status=200, body={"object": "stats", "attributes": attributes})


@frozen(kw_only=True)
class Paging:
    """Which page of the list at *url* is asked for, counted from 1, and how long pages are."""

    url: str
    page: int = 1
    per_page: int


def paging(url: str, query: str, *, per_page: int, most: int) -> Paging:
    """Return what *query* asks for; without a word of it a page has *per_page* items."""
    asked = dict(parse_qsl(query))
    size = min(_count(asked.get("per_page"), per_page), most)
    return Paging(url=url, page=_count(asked.get("page"), 1), per_page=size)


def _count(text: str | None, default: int) -> int:
    digits = text if text and text.isascii() and text.isdigit() else ""
    return int(digits[:9] or 0) or default


def list_object(items: list[Any], paging: Paging, **meta: Any) -> dict[str, Any]:
    """Return one page of a list (PROTOCOL 1.5); *meta* is what the list has besides."""
    page, size = paging.page, paging.per_page
    shown = items[(page - 1) * size : page * size]
    pages = max(1, -(-len(items) // size))
    links = {}
    if page > 1:
        links["previous"] = f"{paging.url}?page={page - 1}"
    if page < pages:
        links["next"] = f"{paging.url}?page={page + 1}"
    pagination = {
        "total": len(items),
        "count": len(shown),
        "per_page": size,
        "current_page": page,
        "total_pages": pages,
        "links": links,
    }
    return {"object": "list", "data": shown, "meta": {**meta, "pagination": pagination}}


def account_object(kind: Kind, *, uuid: str, is_admin: bool) -> dict[str, Any]:
    """Return whose key it is (PROTOCOL 2.1)."""
    fields: dict[str, Any] = {"username": "ada", "email": "ada@example.com", "language": "en"}
    fields["admin"] = is_admin
    if kind is Kind.PELICAN:
        fields |= {"uuid": uuid, "root_admin": is_admin, "2fa_enabled": False}
    else:
        fields |= {"id": 1, "first_name": "Ada", "last_name": "Example"}
    return {"object": "user", "attributes": fields}


def server_object(
    settings: Settings,
    *,
    number: int,
    is_owner: bool,
    status: str | None,
    is_transferring: bool,
    is_under_maintenance: bool,
    backup_limit: int,
) -> dict[str, Any]:
    """Return a server (PROTOCOL 3.2); its *status* is not the power state."""
    limits: dict[str, Any] = {
        "memory": settings.memory_mib, "swap": 0, "disk": 0, "io": 500, "cpu": 0,
        "threads": None, "oom_disabled": True,
    }  # fmt: skip
    sftp: dict[str, Any] = {"ip": "node.example.com", "port": 2022}
    if settings.kind is Kind.PELICAN:
        limits["oom_killer"] = False
        sftp["alias"] = None
    attributes = {
        "server_owner": is_owner,
        "identifier": settings.server[:8],
        "internal_id": number,
        "uuid": settings.server,
        "name": settings.title,
        "node": "model",
        "is_node_under_maintenance": is_under_maintenance,
        "sftp_details": sftp,
        "description": "",
        "limits": limits,
        "invocation": settings.invocation,
        "docker_image": "example/arena",
        "egg_features": [],
        "feature_limits": {"databases": 0, "allocations": 0, "backups": backup_limit},
        "status": status,
        "is_suspended": status == "suspended",
        "is_installing": status == "installing",
        "is_transferring": is_transferring,
        "relationships": {
            "allocations": {"object": "list", "data": []},
            "variables": {"object": "list", "data": []},
        },
    }
    return {"object": "server", "attributes": attributes}

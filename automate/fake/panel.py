"""The fake panel: a request in, an answer out, in the panel's own shapes.

What was recorded comes from the tape; the rest is made from what the tape has shown. Keys,
errors and objects are as PROTOCOL sections 1 to 4 describe them. Nothing here waits.
"""

import hmac
import re
from collections.abc import Callable, Sequence
from typing import Any, Final
from urllib.parse import parse_qsl
from uuid import UUID, uuid5

import msgspec
from attrs import evolve

from automate.fake.faults.seeded import NO_FAULTS, Run
from automate.fake.http import Request, Response
from automate.fake.ledger import Grant
from automate.fake.signals import (
    Accepted,
    Note,
    NoteKind,
    Output,
    PanelReply,
    Refused,
    Unrecorded,
)
from automate.fake.tape import Tape
from automate.fake.tokens import Tokens
from automate.recording.format import Header, PanelCall

__all__ = ["FakePanel"]

_NAMESPACE: Final = UUID("0f2d7c63-3c7e-4c58-9d0b-0a5d1c9b7e44")
_SIGNALS: Final = ("start", "stop", "restart", "kill")
_LIST: Final = "/api/client"
_ACCOUNT: Final = "/api/client/account"
_READ: Final = ("GET", "HEAD")
_DO: Final = ("POST", "PUT", "PATCH", "DELETE")
# What can be done by which methods; ~ is our server. Elsewhere anything can.
_METHODS: Final = {
    _LIST: _READ,
    _ACCOUNT: _READ,
    "~": _READ,
    "~/websocket": _READ,
    "~/resources": _READ,
    "~/power": ("POST",),
    "~/command": ("POST",),
    "~/backups": (*_READ, "POST"),
}
_SERVER: Final = re.compile(r"/api/client/servers/([^/]+)((?:/.+)?)")
_BACKUP: Final = re.compile(r"~/backups/([^/]+)")


class FakePanel:
    """The panel of one server, as *header* names it, that knows one *key*; *faults* befall it."""

    def __init__(
        self,
        tape: Tape,
        header: Header,
        tokens: Tokens,
        *,
        key: str,
        socket_url: str,
        speed: float,
        faults: Run | None = None,
    ) -> None:
        self._tape = tape
        self._header = header
        self._tokens = tokens
        self._key = key
        self._socket_url = socket_url
        self._speed = speed
        self._faults = faults or NO_FAULTS.begin()
        self._backups = 0
        # Where there are several servers: the parts of all of them, in order.
        self.panels: Sequence[FakePanel] = (self,)
        self._is_pelican = (header.daemon or "").startswith("pelican")

    def answer(self, request: Request, *, at: float, now: float) -> tuple[Response, list[Output]]:
        """Return the answer to *request*, and what else comes of it.

        *at* is the tape's live moment, *now* the wall clock in unix seconds.
        """
        if (instead := self._faults.answer(request.method, request.path)) is not None:
            return instead, [self._fault_note(request, instead, at)]
        if not self._knows(request.headers.get("authorization", "")):
            return _error(401, "AuthenticationException", "Unauthenticated."), []
        route = self._route(request.path)
        if route is None:
            return _not_found(), []
        methods = _methods(route)
        if request.method not in methods:
            return _not_allowed(request, methods), []
        try:
            body = _body(request)
        except ValueError:
            return _error(400, "BadRequestHttpException", "The JSON in the body is malformed."), []
        if problem := _problem(request.method, route, body):
            return problem, []
        method = "GET" if request.method == "HEAD" else request.method
        path = route.replace("~", f"/api/client/servers/{self._tape.server}", 1)
        reply, outputs = self._tape.call(method, path, body, at)
        if route == _LIST and len(self.panels) > 1:
            reply = Unrecorded()  # whoever recorded a list did not see the others' servers
        return self._render(reply, route, body, at, now), outputs

    def _fault_note(self, request: Request, instead: Response, at: float) -> Note:
        text = f"{request.method} {request.path} is answered with {instead.status}"
        return Note(round(self._tape.seconds(at), 4), NoteKind.FAULT, text)

    def _route(self, path: str) -> str | None:
        """Return *path* with ``~`` for our server; ``None`` if it is not of this panel."""
        path = path.rstrip("/")
        if match := _SERVER.fullmatch(path):
            ours = match[1] in (self._tape.server, self._tape.server[:8])
            return f"~{match[2]}" if ours else None
        return path if path == _LIST or path.startswith(f"{_LIST}/") else None

    def _knows(self, authorization: str) -> bool:
        scheme, _space, key = authorization.partition(" ")
        same = hmac.compare_digest(key.strip().encode(), self._key.encode())
        return scheme.lower() == "bearer" and same

    def _render(self, reply: PanelReply, route: str, body: Any, at: float, now: float) -> Response:
        match reply:
            case PanelCall(status=status, response=response) if status is not None:
                return Response(status=status, body=response)
            case Grant():
                lives = self._faults.lifetime_seconds(reply.lifetime_seconds)
                grant = evolve(reply, lifetime_seconds=lives)
                token = self._tokens.make(grant, now=now, speed=self._speed)
                made = {"data": {"token": token, "socket": self._socket_url}}
                return Response(status=200, body=made)
            case Accepted():
                return Response(status=204)
            case Refused(text=text):
                return _error(400, "DisplayException", text)
            case Unrecorded(begins_backup=True):
                return Response(status=200, body=self._begin_backup(body, at))
            case _:
                return self._read(route)

    # ------------------------------------------------------------ made from what was shown

    def _read(self, route: str) -> Response:
        view = self._tape.view
        if backup := _BACKUP.fullmatch(route):
            item = view.backups.get(backup[1])
            return _not_found() if item is None else Response(status=200, body=_backup(item))
        made: dict[str, Callable[[], Any]] = {
            _LIST: lambda: _listed([each.server() for each in self.panels], per_page=50),
            _ACCOUNT: self._account,
            "~": lambda: self.server() | {"meta": self._meta()},
            "~/resources": view.resources,
            "~/backups": self._backup_list,
        }
        return Response(status=200, body=made[route]()) if route in made else _not_found()

    def _begin_backup(self, body: Any, at: float) -> Any:
        self._backups += 1
        fields = body if isinstance(body, dict) else {}
        return _backup(
            self._tape.begin_backup(
                str(uuid5(_NAMESPACE, f"{self._tape.server}/{self._backups}")),
                name=fields.get("name") or None,
                ignored=str(fields.get("ignored") or ""),
                at=at,
            )
        )

    def _backup_list(self) -> Any:
        items = list(self._tape.view.backups.values())
        counted = [
            item for item in items if item.get("is_successful") or not item.get("completed_at")
        ]
        listed = _listed([_backup(item) for item in items], per_page=20)
        listed["meta"]["backup_count"] = len(counted)
        return listed

    def server(self) -> dict[str, Any]:
        """Return the server as the panel shows it in lists."""
        uuid = self._tape.server
        attributes = {
            "server_owner": "*" in self._tape.ledger.grant.permissions,
            "identifier": uuid[:8],
            "internal_id": 1,
            "uuid": uuid,
            "name": self._header.title or "replay",
            "node": "replay",
            "is_node_under_maintenance": False,
            "sftp_details": {"ip": "127.0.0.1", "port": 2022},
            "description": "a recording, played back",
            "limits": {
                "memory": 0, "swap": 0, "disk": 0, "io": 500, "cpu": 0,
                "threads": None, "oom_disabled": True,
            },
            "invocation": "",
            "docker_image": "",
            "egg_features": [],
            "feature_limits": {"databases": 0, "allocations": 0, "backups": 0},
            "status": None,
            "is_suspended": False,
            "is_installing": False,
            "is_transferring": False,
            "relationships": {
                "allocations": {"object": "list", "data": []},
                "variables": {"object": "list", "data": []},
            },
        }  # fmt: skip
        return {"object": "server", "attributes": attributes}

    def _meta(self) -> dict[str, Any]:
        permissions = self._tape.ledger.grant.permissions
        return {"is_server_owner": "*" in permissions, "user_permissions": list(permissions)}

    def _account(self) -> Any:
        user: dict[str, Any] = {"admin": False, "username": "replay", "language": "en"}
        if self._is_pelican:
            user |= {"uuid": str(uuid5(_NAMESPACE, "user")), "root_admin": False}
        else:
            user |= {"id": 1, "first_name": "Replay", "last_name": "Replay"}
        return {"object": "user", "attributes": user | {"email": "replay@example.com"}}


# ---------------------------------------------------------------- requests


def _methods(route: str) -> tuple[str, ...]:
    if _BACKUP.fullmatch(route):
        return (*_READ, "DELETE")
    return _METHODS.get(route, (*_READ, *_DO))


def _body(request: Request) -> Any:
    """Return the fields sent, ``None`` if there are none.

    Raises:
        ValueError: the body is no JSON.
    """
    if not request.body.strip():
        return None
    if "x-www-form-urlencoded" in request.headers.get("content-type", ""):
        return dict(parse_qsl(request.body.decode("utf-8", "replace")))
    try:
        return msgspec.json.decode(request.body)
    except RecursionError:
        raise ValueError from None


def _problem(method: str, route: str, body: Any) -> Response | None:
    """Return what is wrong with the fields of a deed, as the panel's validation says it."""
    fields = body if isinstance(body, dict) else {}
    if (method, route) == ("POST", "~/power"):
        if not fields.get("signal"):
            return _invalid("signal", "required", "The signal field is required.")
        if fields["signal"] not in _SIGNALS:
            return _invalid("signal", "in", "The selected signal is invalid.")
    if (method, route) == ("POST", "~/command"):
        if not fields.get("command"):
            return _invalid("command", "required", "The command field is required.")
        if not isinstance(fields["command"], str):
            return _invalid("command", "string", "The command must be a string.")
    if (method, route) == ("POST", "~/backups"):
        name = fields.get("name")
        if name is not None and not isinstance(name, str):
            return _invalid("name", "string", "The name must be a string.")
    return None


# ---------------------------------------------------------------- answers


def _backup(item: dict[str, Any]) -> dict[str, Any]:
    return {"object": "backup", "attributes": item}


def _listed(items: list[Any], *, per_page: int) -> dict[str, Any]:
    pagination = {
        "total": len(items),
        "count": len(items),
        "per_page": max(per_page, len(items)),
        "current_page": 1,
        "total_pages": 1,
        "links": {},
    }
    return {"object": "list", "data": items, "meta": {"pagination": pagination}}


def _error(status: int, code: str, detail: str, **more: Any) -> Response:
    error = {"code": code, "status": str(status), "detail": detail, **more}
    return Response(status=status, body={"errors": [error]})


def _invalid(field: str, rule: str, detail: str) -> Response:
    meta = {"source_field": field, "rule": rule}
    return _error(422, "ValidationException", detail, meta=meta)


def _not_found() -> Response:
    detail = "The requested resource could not be found on the server."
    return _error(404, "NotFoundHttpException", detail)


def _not_allowed(request: Request, methods: tuple[str, ...]) -> Response:
    detail = (
        f"The {request.method} method is not supported for route {request.path.strip('/')}. "
        f"Supported methods: {', '.join(methods)}."
    )
    answer = _error(405, "MethodNotAllowedHttpException", detail)
    return Response(status=405, body=answer.body, headers={"Allow": ", ".join(methods)})

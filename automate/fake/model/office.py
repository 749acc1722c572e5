"""The panel's office for one server, as a pure machine: what its users ask of it, and its answers.

Permissions, conflicts, tokens, power, commands and backups, with the errors of both kinds. Who
calls, how often, and for which server is decided in `panel`. Source: PROTOCOL sections 3 and 4.
"""

import hashlib
from typing import Any, Final
from uuid import UUID, uuid5

from attrs import field, frozen

from automate.fake.model.answers import (
    Answer,
    access_denied,
    daemon_failed,
    error,
    invalid,
    not_found,
    paging,
    resources,
    server_object,
    unreachable,
)
from automate.fake.model.archive import Archive, Backup
from automate.fake.model.claims import Claims
from automate.fake.model.mint import Mint
from automate.fake.model.settings import Kind
from automate.fake.model.signals import (
    BackupAsked,
    BackupEnded,
    Commanded,
    ConditionChanged,
    Drop,
    Input,
    PowerAsked,
    Restored,
    Send,
    Usage,
)
from automate.fake.model.world import World
from automate.wire.messages import PowerAction

__all__ = ["ADMIN_PERMISSIONS", "Office", "PanelSettings", "User"]

ADMIN_PERMISSIONS: Final = (
    "*",
    "admin.websocket.errors",
    "admin.websocket.install",
    "admin.websocket.transfer",
)
_NAMESPACE: Final = UUID("5ad1c0de-7a52-4f0e-9c3b-2f60a1b8d9e4")
_TOKEN_SECONDS: Final = 600
_CACHE_SECONDS: Final = 20
_RESTORE_SECONDS: Final = 2.0
_POWER: Final = {
    "start": "control.start",
    "stop": "control.stop",
    "restart": "control.restart",
    "kill": "control.stop",
}
_CONFLICTS: Final = {
    "suspended": "This server is currently suspended and the functionality requested is "
    "unavailable.",
    "maintenance": "The node of this server is currently under maintenance and the functionality "
    "requested is unavailable.",
    "installing": "This server has not yet completed its installation process, please try again "
    "later.",
    "restoring_backup": "This server is currently restoring from a backup, please try again later.",
    "transferring": "This server is currently being transferred to a new machine, please try "
    "again later.",
}


@frozen(kw_only=True)
class User:
    """Somebody with an API key; *permissions* are what a token for them says."""

    uuid: str
    permissions: tuple[str, ...] = ("*",)
    is_admin: bool = False

    def may(self, permission: str) -> bool:
        """Whether the user may do this."""
        return "*" in self.permissions or permission in self.permissions


@frozen(kw_only=True)
class PanelSettings:
    """How a panel is set up; ``None`` leaves a limit to the kind's own default."""

    url: str = "https://panel.example.com"
    node_url: str = "wss://node.example.com:8080"
    calls_a_minute: int | None = None
    tokens_a_minute: int | None = None
    backup_limit: int | None = 3
    backups_in_window: int = 2
    backup_window_seconds: int = 600
    token_seconds: int = _TOKEN_SECONDS
    users: dict[str, User] = field(factory=dict)
    """By their API keys."""


class Office:
    """All about the server in *world*; *number* is its place among the panel's servers.

    What clients of the node are sent because of a call is put into *out*.
    """

    def __init__(
        self,
        world: World,
        settings: PanelSettings,
        mint: Mint,
        *,
        number: int,
        out: list[Send | Drop],
    ) -> None:
        self.world = world
        self.settings = settings
        self.status: str | None = None
        self.is_transferring = False
        self.is_under_maintenance = False
        self._kind = world.settings.kind
        self.archive = Archive(
            self._kind,
            limit=settings.backup_limit or 0,
            burst=settings.backups_in_window,
            window_seconds=settings.backup_window_seconds,
        )
        self._mint = mint
        self._number = number
        self._cached: tuple[float, Answer] | None = None
        self._out = out
        world.watch = self._hear

    def answer(
        self, user: User, method: str, rest: list[str], body: Any, at: float, *, query: str = ""
    ) -> Answer:
        """Return the answer to a call; *rest* are the parts of its path behind the server."""
        if (method, rest) == ("GET", []):
            return Answer(status=200, body=self.item(user) | {"meta": self._meta(user)})
        if conflict := self._conflict(user, method, rest):
            return conflict
        match method, rest:
            case "GET", ["websocket"]:
                return self._token(user, at)
            case "GET", ["resources"]:
                return self._resources(at)
            case "POST", ["power"]:
                return self._power(user, body, at)
            case "POST", ["command"]:
                return self._command(user, body, at)
            case "GET", ["backups"]:
                return self._list_backups(user, query)
            case _, ["backups", *more]:
                return self._backups(user, method, more, body, at)
        return not_found()

    def item(self, user: User) -> dict[str, Any]:
        """Return the server as *user* is shown it."""
        return server_object(
            self.world.settings,
            number=self._number,
            is_owner="*" in user.permissions,
            status=self.status,
            is_transferring=self.is_transferring,
            is_under_maintenance=self.is_under_maintenance,
            backup_limit=self.settings.backup_limit or 0,
        )

    def change(self, to: str | None, at: float) -> list[Send | Drop]:
        """Give the server another *status* (``suspended``, ``installing``, `None`)."""
        self.status = to
        changed = ConditionChanged(is_suspended=to == "suspended", is_installing=to == "installing")
        return self.world.handle(changed, at)

    def see(self, changed: ConditionChanged) -> None:
        """Take over what was made of the server; its files and its image the panel can't see."""
        for is_so, status in (
            (changed.is_suspended, "suspended"),
            (changed.is_installing, "installing"),
            (changed.is_restoring, "restoring_backup"),
        ):
            if is_so:
                self.status = status
            elif is_so is False and self.status == status:
                self.status = None
        if changed.is_transferring is not None:
            self.is_transferring = changed.is_transferring

    # ------------------------------------------------------------ what is in the way

    def _conflict(self, user: User, method: str, rest: list[str]) -> Answer | None:
        """Return the 409 of a server that can't be used now (PROTOCOL 3.3)."""
        reason = self.status
        if reason is None and self.is_under_maintenance:
            reason = "maintenance"
        if reason is None and self.is_transferring:
            reason = "transferring"
        if reason is None or reason not in _CONFLICTS:
            return None
        if (method, rest) == ("GET", ["websocket"]) and user.is_admin:
            is_hard = reason in ("suspended", "maintenance")
            if self._kind is Kind.PELICAN or not is_hard:
                return None
        return error(409, "ServerStateConflictException", _CONFLICTS[reason])

    def _unix(self, at: float) -> float:
        return self.world.settings.epoch + at

    def _tell(self, happened: Input, at: float) -> None:
        self._out += self.world.handle(happened, at)

    @property
    def _is_down(self) -> bool:
        return not self.world.daemon.is_up

    # ------------------------------------------------------------ reading

    def _token(self, user: User, at: float) -> Answer:
        if not user.may("websocket.connect"):
            text = "You do not have permission to connect to this server's websocket."
            return error(403, "HttpForbiddenException", text)
        settings, server = self.settings, self.world.settings.server
        iat = int(self._unix(at))
        identity = f"{user.uuid}{server}".encode()
        is_newer = self._kind is Kind.PELICAN
        digest = hashlib.sha256(identity) if is_newer else hashlib.md5(identity)
        claims = Claims(
            server=server,
            iat=iat,
            exp=iat + settings.token_seconds,
            permissions=ADMIN_PERMISSIONS if user.is_admin else user.permissions,
            scope="websocket" if is_newer else None,
            jti=digest.hexdigest(),
            user=user.uuid,
        )
        own = {"iss": settings.url, "aud": [settings.node_url]}
        token = self._mint.make(claims, kind_claims=own if is_newer else own | {"user_id": 1})
        socket = f"{settings.node_url}/api/servers/{server}/ws"
        return Answer(status=200, body={"data": {"token": token, "socket": socket}})

    def _resources(self, at: float) -> Answer:
        """Answer from the cache of 20 s that all users share."""
        if self._cached is not None and at - self._cached[0] < _CACHE_SECONDS:
            return self._cached[1]
        is_suspended = self.status == "suspended"
        if self._is_down and self._kind is Kind.PTERODACTYL:
            return unreachable(self._kind)
        if self._is_down:
            answer = resources(Usage(), "missing", is_suspended=is_suspended)
        else:
            daemon = self.world.daemon
            answer = resources(daemon.usage, daemon.state.value, is_suspended=is_suspended)
        self._cached = at, answer
        return answer

    # ------------------------------------------------------------ doing

    def _power(self, user: User, body: Any, at: float) -> Answer:
        signal = body.get("signal") if isinstance(body, dict) else None
        needed = _POWER.get(signal) if isinstance(signal, str) else None
        if needed is None or not isinstance(signal, str):
            if self._kind is Kind.PTERODACTYL and not user.may("*"):
                return access_denied()
            if not signal:
                return invalid("signal", "required", "The signal field is required.")
            return invalid("signal", "in", "The selected signal is invalid.")
        if not user.may(needed):
            return access_denied()
        if self._is_down:
            return unreachable(self._kind)
        daemon = self.world.daemon
        if daemon.power.conditions.is_suspended and signal in ("start", "restart"):
            text = "Cannot start or restart a server that is suspended."
            return daemon_failed(self._kind, 400, text, request_id=self._uuid(f"request {at}"))
        self._tell(PowerAsked(PowerAction(signal)), at)
        return Answer(status=204)

    def _command(self, user: User, body: Any, at: float) -> Answer:
        command = body.get("command") if isinstance(body, dict) else None
        if not user.may("control.console"):
            return access_denied()
        if not command:
            return invalid("command", "required", "The command field is required.")
        if not isinstance(command, str):
            return invalid("command", "string", "The command must be a string.")
        if self._is_down:
            return unreachable(self._kind)
        if not self.world.daemon.power.is_process_running:
            # Pelican's call to its daemon does not look at the answer (PROTOCOL 3.6).
            if self._kind is Kind.PELICAN:
                return Answer(status=204)
            text = "Server must be online in order to send commands."
            return error(502, "HttpException", text)
        self._tell(Commanded(command), at)
        return Answer(status=204)

    # ------------------------------------------------------------ backups

    def _list_backups(self, user: User, query: str) -> Answer:
        if not user.may("backup.read"):
            return access_denied()
        url = f"{self.settings.url}/api/client/servers/{self.world.settings.server}/backups"
        return self.archive.listed(paging(url, query, per_page=20, most=50))

    def _backups(self, user: User, method: str, rest: list[str], body: Any, at: float) -> Answer:
        needed = {"GET": "read", "POST": "create", "DELETE": "delete"}.get(method)
        if rest[1:] == ["restore"]:
            needed = "restore"
        elif rest[1:] == ["lock"]:
            needed = "delete"
        if needed is None:
            return not_found()
        if not user.may(f"backup.{needed}"):
            return access_denied()
        if (method, rest) == ("POST", []):
            return self._create_backup(user, body if isinstance(body, dict) else {}, at)
        row = self.archive.rows.get(rest[0]) if rest else None
        if row is None:
            return not_found()
        match method, rest[1:]:
            case "GET", []:
                return Answer(status=200, body=row.item(self._kind))
            case "POST", ["lock"]:
                row.is_locked = not row.is_locked
                return Answer(status=200, body=row.item(self._kind))
            case "POST", ["restore"]:
                return self._restore(row, body, at)
            case "DELETE", []:
                return self._delete_backup(row)
        return not_found()

    def _create_backup(self, user: User, fields: dict[str, Any], at: float) -> Answer:
        """Answer in the order of the panel's own checks (PROTOCOL 4.3)."""
        now = self._unix(at)
        problem = self.archive.objection(fields, now)
        if problem is not None:
            return problem
        if self._is_down:
            return unreachable(self._kind)
        may_lock = user.may("backup.delete")
        row = self.archive.add(
            fields, uuid=self._uuid(f"backup {self.archive.made}"), now=now, may_lock=may_lock
        )
        begun = row.item(self._kind)
        self._tell(BackupAsked(row.uuid), at)
        return Answer(status=200, body=begun)

    def _delete_backup(self, row: Backup) -> Answer:
        """Answer as PROTOCOL 4.4: one that is being made can go, and even if it is locked."""
        if row.is_locked and row.is_successful:
            text = "Cannot delete a backup that is marked as locked."
            return error(400, "BackupLockedException", text)
        # Pelican heeds its daemon's errors only where there is an archive to lose.
        if self._is_down and (self._kind is Kind.PTERODACTYL or row.is_successful):
            return unreachable(self._kind)
        self.archive.remove(row)
        return Answer(status=204)

    def _restore(self, row: Backup, body: Any, at: float) -> Answer:
        truncate = body.get("truncate") if isinstance(body, dict) else None
        if not isinstance(truncate, bool):
            return invalid("truncate", "required", "The truncate field is required.")
        if row.completed is None:
            text = "This backup cannot be restored at this time: not completed or failed."
            return error(400, "BadRequestHttpException", text)
        if self._is_down:
            return unreachable(self._kind)
        self.status = "restoring_backup"
        if self.world.daemon.power.is_process_running:
            self._tell(PowerAsked(PowerAction.STOP), at)
        self._tell(ConditionChanged(is_restoring=True), at)
        self.world.later(_RESTORE_SECONDS, Restored())
        return Answer(status=204)

    def _hear(self, told: BackupEnded | Restored) -> None:
        """Take in what the daemon reports; it does so before it tells any client."""
        if isinstance(told, Restored):
            self.status = None
        else:
            self.archive.end(told, now=self.world.settings.epoch + self.world.now)

    def _uuid(self, name: str) -> str:
        return str(uuid5(_NAMESPACE, f"{self.world.settings.server} {name}"))

    def _meta(self, user: User) -> dict[str, Any]:
        permissions = ADMIN_PERMISSIONS if user.is_admin else user.permissions
        return {"is_server_owner": "*" in user.permissions, "user_permissions": list(permissions)}

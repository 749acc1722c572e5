"""What a panel answers, as frozen values: tokens, servers, resources, backups.

Only shapes and meaning are here; asking is left to `panel`, and bad answers to `refusals`.
Source: the notes on the panels' source, sections 3, 4 and 6.
"""

import re
from base64 import urlsafe_b64decode
from datetime import datetime
from enum import StrEnum
from typing import Any, Final, TypeVar

import msgspec
from attrs import field, frozen

from automate.wire.messages import PowerState

__all__ = [
    "Backup",
    "PanelKind",
    "Resources",
    "Server",
    "Token",
    "claims_of",
    "kind_of_key",
    "read_account_kind",
    "read_backup",
    "read_backups",
    "read_resources",
    "read_server",
    "read_servers",
    "read_token",
]

Shape = TypeVar("Shape")


def _read(answer: Any, shape: type[Shape]) -> Shape:
    return msgspec.convert(answer, shape)


# ---------------------------------------------------------------- kinds of panels


class PanelKind(StrEnum):
    """Whose panel it is; the two differ in small things (the notes, section 9)."""

    PTERODACTYL = "pterodactyl"
    PELICAN = "pelican"


def kind_of_key(key: str) -> PanelKind | None:
    """Return which panel makes keys like *key*; ``None`` for old ones, which have no prefix."""
    if key.startswith(("ptlc_", "ptla_")):
        return PanelKind.PTERODACTYL
    return PanelKind.PELICAN if key.startswith(("pacc_", "papp_")) else None


class _AccountFields(msgspec.Struct):
    username: str
    uuid: str | None = None


class _AccountItem(msgspec.Struct):
    attributes: _AccountFields


def read_account_kind(answer: Any) -> PanelKind:
    """Return which panel tells of an account like that; a ``ValueError`` says what is wrong."""
    said = _read(answer, _AccountItem).attributes
    return PanelKind.PTERODACTYL if said.uuid is None else PanelKind.PELICAN


# ---------------------------------------------------------------- tokens


@frozen(kw_only=True)
class Token:
    """The right to listen to one server for a while, and the address to go to.

    *iat* and *exp* are unix times of the panel's clock, *permissions* what the token allows;
    ``None`` where the token can't be read. Nobody but the node can verify it.
    """

    token: str = field(repr=False)
    socket: str
    iat: float | None = None
    exp: float | None = None
    permissions: tuple[str, ...] | None = None


class _TokenPair(msgspec.Struct):
    token: str
    socket: str


class _TokenAnswer(msgspec.Struct):
    data: _TokenPair


def read_token(answer: Any) -> Token:
    """Return the token in *answer*.

    Raises:
        ValueError: it holds none, or no address to go to.
    """
    data = _read(answer, _TokenAnswer).data
    if not data.token:
        raise ValueError("Expected a token, got an empty string - at `$.data.token`")
    if not data.socket.startswith(("ws://", "wss://")):
        raise ValueError(f"Expected ws:// or wss://, got {data.socket[:60]!r} - at `$.data.socket`")
    claims = claims_of(data.token) or {}
    permissions = claims.get("permissions")
    return Token(
        token=data.token,
        socket=data.socket,
        iat=_number(claims.get("iat")),
        exp=_number(claims.get("exp")),
        permissions=tuple(map(str, permissions)) if isinstance(permissions, list) else None,
    )


# What a recording may keep of a token; the rest names the user.
_OPEN_CLAIMS = ("iat", "nbf", "exp", "permissions", "scope")


def claims_of(token: str) -> dict[str, Any] | None:
    """Return what *token* (a JWT) says that is no secret; ``None`` if it can't be read."""
    try:
        payload = token.split(".")[1]
        claims = msgspec.json.decode(urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    except (IndexError, ValueError, RecursionError):  # binascii's errors are ValueErrors
        return None
    if not isinstance(claims, dict):
        return None
    return {name: claims[name] for name in _OPEN_CLAIMS if name in claims}


def _number(claim: Any) -> float | None:
    # A whole number may be larger than any float.
    is_moment = isinstance(claim, int | float) and not isinstance(claim, bool)
    return float(claim) if is_moment and abs(claim) < 1e15 else None


# ---------------------------------------------------------------- servers

_MIB: Final = 1 << 20
# As people write them: `#eu`, `(#lobby, #eu-west).`; no `# heading`, no `issue#5`, no address.
_TAG: Final = re.compile(r"(?:^|(?<=[\s(\[{,;]))#([^\s#,;()\[\]{}]+)")


def _tags(description: str) -> frozenset[str]:
    found = (word.rstrip(".:!?'\"").casefold() for word in _TAG.findall(description))
    return frozenset(filter(None, found))


@frozen(kw_only=True)
class Server:
    """A server as the panel knows it.

    *status* is not the power state: ``None`` is normal, else ``installing``,
    ``install_failed``, ``suspended``, ``restoring_backup``… *permissions* are the key's, where
    the panel says (it does for one server, not in a list). *tags* are the words of the
    description that have a ``#`` before them, casefolded and without it. A limit is ``None``
    where there is none, or where the panel does not say; *cpu_limit_percent*: 100 is one core.
    """

    id: str
    uuid: str
    name: str
    node: str | None = None
    description: str = ""
    tags: frozenset[str] = field()
    memory_limit_bytes: int | None = None
    disk_limit_bytes: int | None = None
    cpu_limit_percent: float | None = None
    status: str | None = None
    is_transferring: bool = False
    is_node_under_maintenance: bool = False
    permissions: tuple[str, ...] | None = None

    @tags.default
    def _tags_described(self) -> frozenset[str]:
        return _tags(self.description)


class _Limits(msgspec.Struct):
    """As the panel says them: MiB and percent, 0 for none (PROTOCOL 3.2)."""

    memory: int | None = None
    disk: int | None = None
    cpu: float | None = None


class _ServerFields(msgspec.Struct):
    identifier: str
    uuid: str
    name: str
    node: str | None = None
    description: str | None = None
    limits: _Limits | None = None
    status: str | None = None
    is_transferring: bool = False
    is_node_under_maintenance: bool = False


class _ServerMeta(msgspec.Struct):
    user_permissions: list[str] | None = None


class _ServerItem(msgspec.Struct):
    attributes: _ServerFields
    meta: _ServerMeta | None = None


def read_server(answer: Any) -> Server:
    """Return the server in *answer*; a ``ValueError`` says what is wrong with it."""
    return _server(_read(answer, _ServerItem))


def _server(item: _ServerItem) -> Server:
    said = item.attributes
    permissions = item.meta.user_permissions if item.meta else None
    limits = said.limits or _Limits()
    return Server(
        id=said.identifier,
        uuid=said.uuid,
        name=said.name,
        node=said.node,
        description=said.description or "",
        memory_limit_bytes=max(limits.memory or 0, 0) * _MIB or None,
        disk_limit_bytes=max(limits.disk or 0, 0) * _MIB or None,
        cpu_limit_percent=max(limits.cpu or 0.0, 0.0) or None,
        status=said.status,
        is_transferring=said.is_transferring,
        is_node_under_maintenance=said.is_node_under_maintenance,
        permissions=None if permissions is None else tuple(permissions),
    )


class _Pagination(msgspec.Struct):
    total_pages: int = 1


class _ListMeta(msgspec.Struct):
    pagination: _Pagination | None = None


class _ServerList(msgspec.Struct):
    data: list[_ServerItem]
    meta: _ListMeta | None = None


def read_servers(answer: Any) -> tuple[list[Server], int]:
    """Return the servers on this page of a list, and the number of pages."""
    said = _read(answer, _ServerList)
    return [_server(item) for item in said.data], _pages(said.meta)


def _pages(meta: _ListMeta | None) -> int:
    return meta.pagination.total_pages if meta and meta.pagination else 1


# ---------------------------------------------------------------- resources


@frozen(kw_only=True)
class Resources:
    """What a server was using, up to 20 seconds ago: the panel keeps its answer that long.

    *state* is the daemon's word; ``missing`` where the panel could not reach the node.
    *cpu_percent*: 100 is one core.
    """

    state: str
    is_suspended: bool
    memory_bytes: int
    cpu_percent: float
    disk_bytes: int
    network_received_bytes: int
    network_sent_bytes: int
    uptime_seconds: float

    @property
    def power(self) -> PowerState | None:
        """The power state; ``None`` where nobody knows it."""
        # Pterodactyl says "stopped" where the daemon sent no state at all.
        return PowerState(self.state) if self.state in list(PowerState) else None


class _Usage(msgspec.Struct):
    memory_bytes: int = 0
    cpu_absolute: float = 0.0
    disk_bytes: int = 0
    network_rx_bytes: int = 0
    network_tx_bytes: int = 0
    uptime: int = 0


class _ResourceFields(msgspec.Struct):
    current_state: str
    is_suspended: bool = False
    resources: _Usage = msgspec.field(default_factory=_Usage)


class _ResourceItem(msgspec.Struct):
    attributes: _ResourceFields


def read_resources(answer: Any) -> Resources:
    """Return the resources in *answer*; a ``ValueError`` says what is wrong with it."""
    said = _read(answer, _ResourceItem).attributes
    usage = said.resources
    return Resources(
        state=said.current_state,
        is_suspended=said.is_suspended,
        memory_bytes=usage.memory_bytes,
        cpu_percent=usage.cpu_absolute,
        disk_bytes=usage.disk_bytes,
        network_received_bytes=usage.network_rx_bytes,
        network_sent_bytes=usage.network_tx_bytes,
        uptime_seconds=usage.uptime / 1000,
    )


# ---------------------------------------------------------------- backups


@frozen(kw_only=True)
class Backup:
    """A backup: asked for, and done or failed once *completed_at* is there (ISO 8601).

    *created_at* is by the panel's clock; ``None`` where the panel does not say it so that it can
    be read.
    """

    uuid: str
    name: str
    is_successful: bool
    is_locked: bool = False
    size_bytes: int = 0
    checksum: str | None = None
    created_at: datetime | None = None
    completed_at: str | None = None

    @property
    def is_running(self) -> bool:
        """Whether it is still being made."""
        return self.completed_at is None

    @property
    def is_done(self) -> bool:
        """Whether it is there."""
        return self.completed_at is not None and self.is_successful

    @property
    def is_failed(self) -> bool:
        """Whether it came to nothing."""
        return self.completed_at is not None and not self.is_successful


class _BackupFields(msgspec.Struct):
    uuid: str
    is_successful: bool
    name: str = ""
    is_locked: bool = False
    bytes: int = 0
    checksum: str | None = None
    created_at: str | None = None
    completed_at: str | None = None


class _BackupItem(msgspec.Struct):
    attributes: _BackupFields


class _BackupList(msgspec.Struct):
    data: list[_BackupItem]
    meta: _ListMeta | None = None


def read_backup(answer: Any) -> Backup:
    """Return the backup in *answer*; a ``ValueError`` says what is wrong with it."""
    return _backup(_read(answer, _BackupItem))


def read_backups(answer: Any) -> tuple[list[Backup], int]:
    """Return the backups on this page of a list, and the number of pages."""
    said = _read(answer, _BackupList)
    return [_backup(item) for item in said.data], _pages(said.meta)


def _backup(item: _BackupItem) -> Backup:
    said = item.attributes
    return Backup(
        uuid=said.uuid,
        name=said.name,
        is_successful=said.is_successful,
        is_locked=said.is_locked,
        size_bytes=said.bytes,
        checksum=said.checksum,
        created_at=_moment(said.created_at),
        completed_at=said.completed_at,
    )


def _moment(text: str | None) -> datetime | None:
    try:
        moment = datetime.fromisoformat(text or "")
    except ValueError:
        return None
    # Without its offset it could be any of a day's.
    return None if moment.tzinfo is None else moment

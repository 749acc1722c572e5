"""What comes back for an action's call: a refusal, or what was learned."""

from attrs import frozen

__all__ = ["Answer", "KnownBackup"]


@frozen(kw_only=True)
class KnownBackup:
    """A backup as the panel lists it; *made_at* is when it was begun, in seconds since 1970."""

    uuid: str
    name: str
    made_at: float
    is_done: bool
    is_failed: bool = False
    is_locked: bool = False


@frozen(kw_only=True)
class Answer:
    """The result of a call: a refusal with its *error*, or what was learned of a backup.

    *is_full*: it was refused because there are as many backups as the panel allows.
    """

    error: str | None = None
    is_full: bool = False
    uuid: str | None = None
    is_done: bool = False
    is_failed: bool = False
    backups: tuple[KnownBackup, ...] = ()

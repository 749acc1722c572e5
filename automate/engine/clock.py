"""The one reader of the wall clock; everything else is handed the time."""

from datetime import UTC, datetime

__all__ = ["local_now", "unix_now", "utc_now"]


def utc_now() -> datetime:
    """Return what time it is, in UTC."""
    return datetime.now(UTC)  # noqa: TID251 - the one place where time comes from


def local_now() -> datetime:
    """Return what time it is, in this machine's zone."""
    return utc_now().astimezone()


def unix_now() -> float:
    """Return what time it is, in seconds since 1970 (UTC)."""
    return utc_now().timestamp()

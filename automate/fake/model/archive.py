"""The panel's rows of backups, and what it holds against a new one.

Source: PROTOCOL 4. That a backup ended is heard from the daemon.
"""

import math
from collections.abc import Mapping
from typing import Any

from attrs import define, evolve

from automate.fake.model.answers import Answer, Paging, error, invalid, list_object, stamp
from automate.fake.model.settings import Kind
from automate.fake.model.signals import BackupEnded

__all__ = ["Archive", "Backup"]


@define(kw_only=True)
class Backup:
    """The panel's row of one backup; it changes when the daemon reports."""

    uuid: str
    name: str
    ignored: list[str]
    created: float
    completed: float | None = None
    is_successful: bool = False
    is_locked: bool = False
    checksum: str | None = None
    size_bytes: int = 0

    @property
    def counts(self) -> bool:
        """Whether the limits count it: failed ones they don't."""
        return self.completed is None or self.is_successful

    def item(self, kind: Kind) -> dict[str, Any]:
        """Return it as the API shows it (PROTOCOL 4.2)."""
        attributes: dict[str, Any] = {
            "uuid": self.uuid,
            "is_successful": self.is_successful,
            "is_locked": self.is_locked,
            "name": self.name,
            "ignored_files": self.ignored,
            "checksum": self.checksum,
            "bytes": self.size_bytes,
            "created_at": stamp(self.created),
            "completed_at": None if self.completed is None else stamp(self.completed),
        }
        if kind is Kind.PELICAN:
            attributes["is_scheduled"] = False
        return {"object": "backup", "attributes": attributes}


class Archive:
    """All backups of one server: at most *limit*, and *burst* in *window_seconds*."""

    def __init__(self, kind: Kind, *, limit: int, burst: int, window_seconds: int) -> None:
        self.rows: dict[str, Backup] = {}
        self.made = 0
        self._kind = kind
        self._limit = limit
        self._burst = burst
        self._window_seconds = window_seconds
        self._all: list[Backup] = []

    def listed(self, paging: Paging) -> Answer:
        """Return the answer to ``GET …/backups``: failed ones are shown, and not counted."""
        rows = list(self.rows.values())
        count = sum(row.counts for row in rows)
        items = [row.item(self._kind) for row in rows]
        return Answer(status=200, body=list_object(items, paging, backup_count=count))

    def objection(self, fields: Mapping[str, Any], now: float) -> Answer | None:
        """Return why no backup is made of *fields*; first the form, the throttle, the limit."""
        name = fields.get("name")
        longest = 255 if self._kind is Kind.PELICAN else 191
        if name is not None and not isinstance(name, str):
            return invalid("name", "string", "The name must be a string.")
        if name is not None and len(name) > longest:
            text = f"The name may not be greater than {longest} characters."
            return invalid("name", "max", text)
        recent = [row for row in self._all if self._is_recent(row, now)]
        if self._burst and len(recent) >= self._burst:
            text = (
                f"Only {self._burst} backups may be generated within a {self._window_seconds} "
                "second span of time."
            )
            wait = math.ceil(recent[-1].created + self._window_seconds - now)
            answer = error(429, "TooManyRequestsHttpException", text)
            return evolve(answer, headers={"Retry-After": str(wait)})
        if sum(row.counts for row in self.rows.values()) >= self._limit:
            text = (
                "Cannot create a new backup, this server has reached its limit of "
                f"{self._limit} backups."
            )
            return error(400, "TooManyBackupsException", text)
        return None

    def _is_recent(self, row: Backup, now: float) -> bool:
        """Whether the throttle counts a row: Pterodactyl's counts deleted ones too."""
        is_there = self._kind is Kind.PTERODACTYL or row.uuid in self.rows
        return is_there and row.counts and now - row.created < self._window_seconds

    def add(self, fields: Mapping[str, Any], *, uuid: str, now: float, may_lock: bool) -> Backup:
        """Return the new row."""
        row = Backup(
            uuid=uuid,
            name=fields.get("name") or f"Backup at {stamp(now)[:19].replace('T', ' ')}",
            ignored=str(fields.get("ignored") or "").split("\n"),
            created=now,
            is_locked=bool(fields.get("is_locked")) and may_lock,
        )
        self.made += 1
        self.rows[uuid] = row
        self._all.append(row)
        return row

    def remove(self, row: Backup) -> None:
        """Delete a row."""
        del self.rows[row.uuid]

    def end(self, ended: BackupEnded, *, now: float) -> None:
        """Take in that a backup ended, well or badly."""
        row = self.rows.get(ended.uuid)
        if row is None:
            return
        row.completed = now
        row.is_successful = ended.is_successful
        if ended.is_successful:
            row.checksum, row.size_bytes = f"sha1:{ended.checksum}", ended.size_bytes
        else:
            row.is_locked = False

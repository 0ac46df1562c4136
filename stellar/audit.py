"""The audit log: who did what to which, from where."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec
import peewee

from .auth.permissions import Actor
from .db import JSONField, Model, UTCDateTimeField, now

PAGE = 50
MAX_PAGE = 200


class Entry(Model):
    """One line; names are kept as they were at the time."""

    id = peewee.BigAutoField()
    at = UTCDateTimeField(default=now)
    actor_kind = peewee.CharField(max_length=16)
    actor_id = peewee.CharField(max_length=36, null=True, index=True)
    actor_name = peewee.CharField(max_length=254)
    action = peewee.CharField(max_length=100, index=True)
    target_type = peewee.CharField(max_length=50, null=True)
    target_id = peewee.CharField(max_length=100, null=True)
    address = peewee.CharField(max_length=45)
    request_id = peewee.CharField(max_length=64)
    details = JSONField()

    class Meta:
        table_name = "audit_entry"
        indexes = ((("target_type", "target_id"), False),)


MODELS: list[type[Model]] = [Entry]


class EntryView(msgspec.Struct):
    """One line as the API shows it."""

    id: int
    at: datetime
    actor_kind: str
    actor_id: str | None
    actor_name: str
    action: str
    target_type: str | None
    target_id: str | None
    address: str
    request_id: str
    details: dict[str, Any]


class Page(msgspec.Struct):
    """Some lines, the newest first; ``next`` is the ``before`` of the following page, None on the last."""

    entries: list[EntryView]
    next: int | None


def record(
    actor: Actor,
    action: str,
    *,
    target_type: str | None = None,
    target_id: str | None = None,
    details: dict[str, Any] | None = None,
) -> None:
    """Write one line; in a transaction it is written exactly if that commits. Never put secrets into ``details``."""
    Entry.insert(
        actor_kind=actor.kind,
        actor_id=actor.user_id,
        actor_name=(actor.email or actor.name)[:254],
        action=action,
        target_type=target_type,
        target_id=None if target_id is None else target_id[:100],
        address=actor.address[:45],
        request_id=actor.request_id,
        details=details or {},
    ).execute()


def list_page(
    *,
    before: int | None = None,
    size: int = PAGE,
    actor_id: str | None = None,
    action: str | None = None,
    target_type: str | None = None,
    target_id: str | None = None,
) -> Page:
    """The lines older than the one with the id ``before``, the newest first; ``action`` may end in ``.*``."""
    query = Entry.select().order_by(Entry.id.desc())
    if before is not None:
        query = query.where(Entry.id < before)
    if action is not None and action.endswith(".*"):
        query = query.where(Entry.action.startswith(action[:-1]))
    elif action is not None:
        query = query.where(Entry.action == action)
    for field, wanted in ((Entry.actor_id, actor_id), (Entry.target_type, target_type), (Entry.target_id, target_id)):
        if wanted is not None:
            query = query.where(field == wanted)
    size = max(1, min(size, MAX_PAGE))
    rows = list(query.limit(size + 1))
    views = [msgspec.convert(row, EntryView, from_attributes=True) for row in rows[:size]]
    return Page(views, views[-1].id if len(rows) > size else None)

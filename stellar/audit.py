"""The audit log: who did what to which, from where."""

from __future__ import annotations

from datetime import datetime
from typing import Any, ClassVar

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
    impersonator_id = peewee.CharField(max_length=36, null=True, index=True)
    impersonator_name = peewee.CharField(max_length=254, null=True)
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
    impersonator_id: str | None
    impersonator_name: str | None
    action: str
    target_type: str | None
    target_id: str | None
    address: str
    request_id: str
    details: dict[str, Any]

    __example__: ClassVar[dict[str, Any]] = {
        "id": 4711,
        "actor_kind": "session",
        "actor_id": "9b1d2c3e-4f50-4a6b-8c7d-1e2f3a4b5c6d",
        "actor_name": "Ada",
        "impersonator_id": None,
        "impersonator_name": None,
        "action": "servers.create",
        "target_type": "server",
        "target_id": "3f0c7f5e-6a0b-4d0e-9a6e-0b8f2c1d7e54",
        "request_id": "5d41402abc4b-1a",
    }


class Page(msgspec.Struct):
    """Some lines, the newest first; ``next`` is the ``before`` of the following page, None on the last."""

    entries: list[EntryView]
    next: int | None

    __example__: ClassVar[dict[str, Any]] = {"next": 4711}


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
        impersonator_id=actor.impersonator_id,
        impersonator_name=actor.impersonator[:254] or None,
        action=action,
        target_type=target_type,
        target_id=None if target_id is None else target_id[:100],
        address=actor.address[:45],
        request_id=actor.request_id,
        details=details or {},
    ).execute()


class Filter(msgspec.Struct, frozen=True):
    """Which lines: None lets all through.

    ``actor_id`` also finds what they did as somebody else, ``action`` may end in ``.*``, ``since`` and ``until`` are
    aware (the first included, the second not), ``target`` is the id or type of what it was done to, or ``type:id``.
    """

    actor_id: str | None = None
    action: str | None = None
    target_type: str | None = None
    target_id: str | None = None
    target: str | None = None
    address: str | None = None
    since: datetime | None = None
    until: datetime | None = None


def list_page(
    *,
    before: int | None = None,
    size: int = PAGE,
    actor_id: str | None = None,
    action: str | None = None,
    target_type: str | None = None,
    target_id: str | None = None,
) -> Page:
    """``find`` for the commonest filters."""
    return find(Filter(actor_id, action, target_type, target_id), before, size)


def find(wanted: Filter, before: int | None = None, size: int = PAGE) -> Page:
    """The lines older than the one with the id ``before``, the newest first."""
    size = max(1, min(size, MAX_PAGE))
    conditions = _conditions(wanted)
    if before is not None:
        conditions.append(Entry.id < before)
    query = Entry.select().order_by(Entry.id.desc()).limit(size + 1)
    rows = list(query.where(*conditions) if conditions else query)
    views = [msgspec.convert(row, EntryView, from_attributes=True) for row in rows[:size]]
    return Page(views, views[-1].id if len(rows) > size else None)


def _conditions(wanted: Filter) -> list[Any]:
    found: list[Any] = []
    if wanted.actor_id is not None:
        found.append((Entry.actor_id == wanted.actor_id) | (Entry.impersonator_id == wanted.actor_id))
    if wanted.action is not None and wanted.action.endswith(".*"):
        found.append(Entry.action.startswith(wanted.action[:-1]))
    elif wanted.action is not None:
        found.append(Entry.action == wanted.action)
    if wanted.target is not None:
        found.append(_target(wanted.target))
    if wanted.since is not None:
        found.append(Entry.at >= wanted.since)
    if wanted.until is not None:
        found.append(Entry.at < wanted.until)
    exact = (
        (Entry.target_type, wanted.target_type),
        (Entry.target_id, wanted.target_id),
        (Entry.address, wanted.address),
    )
    found += [field == value for field, value in exact if value is not None]
    return found


def _target(text: str) -> Any:
    kind, colon, id_ = text.partition(":")
    exact = (Entry.target_id == text) | (Entry.target_type == text)
    return exact | ((Entry.target_type == kind) & (Entry.target_id == id_)) if colon else exact

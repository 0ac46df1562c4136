"""The API of the audit log: filters and export."""

from __future__ import annotations

import csv
import io
from collections.abc import AsyncIterator, Callable
from datetime import datetime
from typing import Annotated, Literal

import msgspec

from stellar import audit
from stellar.auth import users
from stellar.bus.ratelimit import Limit
from stellar.db import call, now
from stellar.extend.registry import RouteRegistrar
from stellar.http.answers import Stream
from stellar.http.endpoint import endpoint
from stellar.http.request import Request

NO_SUCH_ID = "-"
COLUMNS = audit.EntryView.__struct_fields__
FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")
"""What a spreadsheet may take for the beginning of a formula; the last four are the full-width forms of the first."""

Text = Annotated[str, msgspec.Meta(max_length=254)]
Time = Annotated[datetime, msgspec.Meta(tz=True)]


class AuditFilter(msgspec.Struct, forbid_unknown_fields=True, rename={"since": "from", "until": "to"}):
    """``actor`` is an id or e-mail address (also who acted as somebody else), ``action`` may end in ``.*``.

    ``target`` is an id, a type, or ``type:id``; ``from`` and ``to`` are times with a zone, the second not included.
    """

    actor: Text | None = None
    action: Text | None = None
    target: Text | None = None
    target_type: Text | None = None
    target_id: Text | None = None
    address: Text | None = None
    since: Time | None = None
    until: Time | None = None


class AuditQuery(AuditFilter, forbid_unknown_fields=True, rename={"since": "from", "until": "to"}):
    """Lines older than the id ``before``, the newest first."""

    before: Annotated[int, msgspec.Meta(ge=0, le=2**53)] | None = None
    limit: Annotated[int, msgspec.Meta(ge=1, le=audit.MAX_PAGE)] = audit.PAGE


class ExportQuery(AuditFilter, forbid_unknown_fields=True, rename={"since": "from", "until": "to"}):
    """``jsonl``: an object a line."""

    format: Literal["csv", "jsonl"] = "csv"


def add_routes(routes: RouteRegistrar) -> None:
    """Register them."""
    routes.add("/admin/audit", AuditLog())
    routes.add("/admin/audit/export", Export())


class AuditLog:
    """``/admin/audit``"""

    @endpoint(permission="audit.read", query=AuditQuery, returns=audit.Page)
    async def on_get(self, req: Request, query: AuditQuery) -> audit.Page:
        """Read the audit log, the newest line first."""
        return await call(page, query, query.before, query.limit)


class Export:
    """``/admin/audit/export``"""

    @endpoint(
        permission="audit.read",
        query=ExportQuery,
        returns=Stream,
        limit=Limit(20, 600),
        audit="audit.export",
        downloads=("text/csv", "application/jsonl"),
    )
    async def on_get(self, req: Request, query: ExportQuery) -> Stream:
        """Download the audit log, the newest line first, as CSV or JSON lines."""
        content_type = "text/csv; charset=utf-8" if query.format == "csv" else "application/jsonl"
        name = f"audit-{now():%Y-%m-%d}.{query.format}"
        return Stream(lines(query, query.format), content_type, filename=name, headers={"Cache-Control": "no-store"})


def page(query: AuditFilter, before: int | None, limit: int) -> audit.Page:
    """A page of what the filter lets through."""
    actor_id = query.actor
    if actor_id is not None and "@" in actor_id:
        found = users.by_email(actor_id)
        actor_id = found.id if found else NO_SUCH_ID
    wanted = audit.Filter(
        actor_id=actor_id,
        action=query.action,
        target_type=query.target_type,
        target_id=query.target_id,
        target=query.target,
        address=query.address,
        since=query.since,
        until=query.until,
    )
    return audit.find(wanted, before, limit)


async def lines(query: AuditFilter, format: Literal["csv", "jsonl"]) -> AsyncIterator[bytes]:
    """The export, page by page, so that a log of any length costs no memory."""
    write: Callable[[list[audit.EntryView]], bytes] = _csv if format == "csv" else _jsonl
    if format == "csv":
        yield (",".join(COLUMNS) + "\r\n").encode()
    before: int | None = None
    while True:
        found = await call(page, query, before, audit.MAX_PAGE)
        if found.entries:
            yield write(found.entries)
        if found.next is None:
            return
        before = found.next


def _jsonl(entries: list[audit.EntryView]) -> bytes:
    return b"".join(msgspec.json.encode(entry) + b"\n" for entry in entries)


def _csv(entries: list[audit.EntryView]) -> bytes:
    text = io.StringIO()
    csv.writer(text).writerows([_cell(getattr(entry, column)) for column in COLUMNS] for entry in entries)
    return text.getvalue().encode()


def _cell(value: object) -> str:
    """Text that a spreadsheet takes for text, whatever somebody has called themselves."""
    if value is None:
        return ""
    if isinstance(value, datetime):
        return value.isoformat()
    text = value if isinstance(value, str) else msgspec.json.encode(value).decode()
    return f"'{text}" if text.startswith(FORMULA) else text

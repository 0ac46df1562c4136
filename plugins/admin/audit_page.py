"""The form that filters the audit log on its page, in the days of the reader's own time zone."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from typing import Annotated
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

import msgspec

from stellar.errors import Invalid

from .audit_log import AuditFilter, Text

Day = Annotated[str, msgspec.Meta(max_length=10)]
_LAST_YEAR = 9990


class AuditForm(msgspec.Struct, kw_only=True):
    """``since`` and ``until`` are days (both included), empty ones no filter; ``before`` is the page's last line."""

    actor: Text = ""
    action: Text = ""
    target: Text = ""
    address: Text = ""
    since: Day = ""
    until: Day = ""
    before: Annotated[int, msgspec.Meta(ge=0, le=2**53)] | None = None


def filter_of(form: AuditForm, zone: str) -> AuditFilter:
    """What the form asks for; ``Invalid`` for what is no day."""
    return AuditFilter(
        actor=form.actor.strip() or None,
        action=form.action.strip() or None,
        target=form.target.strip() or None,
        address=form.address.strip() or None,
        since=_midnight("since", form.since, zone),
        until=_midnight("until", form.until, zone, days=1),
    )


def form_query(form: AuditForm) -> str:
    """The form as a query string, for the links to further pages."""
    given = {name: getattr(form, name) for name in ("actor", "action", "target", "address", "since", "until")}
    return urlencode({name: value for name, value in given.items() if value})


def export_query(wanted: AuditFilter) -> str:
    """The same filter as a query string of the API."""
    given: dict[str, str | None] = msgspec.to_builtins(wanted)
    return urlencode({name: value for name, value in given.items() if value is not None})


def _midnight(field: str, text: str, zone: str, days: int = 0) -> datetime | None:
    if not text:
        return None
    try:
        day = date.fromisoformat(text)
    except ValueError:
        day = date.max
    if not 1 < day.year < _LAST_YEAR:
        raise Invalid("Give a day such as 2026-01-31.", fields={field: "is not a day"})
    return datetime.combine(day + timedelta(days), time(), ZoneInfo(zone)).astimezone(UTC)

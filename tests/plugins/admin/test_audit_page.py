"""The form of the audit log: days of the reader's own time zone, and links that keep the filter."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from stellar.errors import Invalid
from stellar.plugins.admin.audit_page import AuditForm, export_query, filter_of, form_query


def test_days_begin_and_end_at_the_readers_midnight() -> None:
    wanted = filter_of(AuditForm(since="2026-03-28", until="2026-03-29"), "Europe/Berlin")
    assert wanted.since == datetime(2026, 3, 27, 23, tzinfo=UTC)
    assert wanted.until == datetime(2026, 3, 29, 22, tzinfo=UTC), "the clocks went forward that night"


@pytest.mark.parametrize("day", ["yesterday", "2026-02-30", "9999-12-31", "0001-01-01"])
def test_what_is_no_day_is_refused(day: str) -> None:
    with pytest.raises(Invalid) as refused:
        filter_of(AuditForm(until=day), "Asia/Tokyo")
    assert refused.value.fields == {"until": "is not a day"}


def test_links_keep_the_filter() -> None:
    form = AuditForm(action="server.*", since="2026-01-02", before=7)
    assert form_query(form) == "action=server.%2A&since=2026-01-02"
    assert export_query(filter_of(form, "UTC")) == "action=server.%2A&from=2026-01-02T00%3A00%3A00Z"
